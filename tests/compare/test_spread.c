/* From the intervals of a file to deviations. */
#include <criterion/criterion.h>
#include <math.h>

#include "internal.h"

Test(spread, sides_of_an_interval) {
    const double interval[2] = {0.9, 1.2};
    struct bm_spread spread = bm_spread_of(1, interval, 0.95);
    cr_expect_eq(spread.value, 0);
    cr_expect_float_eq(spread.below, -log(0.9) / 1.959963984540054, 1e-12);
    cr_expect_float_eq(spread.above, log(1.2) / 1.959963984540054, 1e-12);
}

Test(spread, an_interval_of_another_confidence) {
    const double interval[2] = {0.9, 1.1};
    struct bm_spread spread = bm_spread_of(1, interval, 0.6826894921370859); /* one deviation */
    cr_expect_float_eq(spread.below, -log(0.9), 1e-9);
}

Test(spread, what_is_no_interval) {
    const double unknown[2] = {(double)NAN, (double)NAN}, whole[2] = {0.9, 1.1}, zero[2] = {0, 1.1};
    cr_expect(isnan(bm_spread_of(1, unknown, 0.95).below));
    cr_expect(isnan(bm_spread_of(1, whole, 0).above), "of a single round");
    cr_expect(isnan(bm_spread_of(1, whole, (double)NAN).above));
    cr_expect(isnan(bm_spread_of(1, zero, 0.95).below));
    cr_expect(isnan(bm_spread_wider(bm_spread_of(1, unknown, 0.95), 0.027).below),
              "nor does a spread between runs make one");
}

Test(spread, deviations_add_as_squares) {
    struct bm_spread spread = bm_spread_wider((struct bm_spread){1, 0.03, 0}, 0.04);
    cr_expect_float_eq(spread.below, 0.05, 1e-12);
    cr_expect_float_eq(spread.above, 0.04, 1e-12);
    cr_expect_eq(spread.value, 1);
}
