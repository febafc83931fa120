#include "near.h"

Test(location, hodges_lehmann_matches_oracle) {
    for (size_t i = 0; i < BM_COUNT_OF(oracle_hodges_lehmann); i++) {
        struct bm_location location;
        const struct bm_observations *sample = &oracle_hodges_lehmann[i].sample;
        double confidence = oracle_hodges_lehmann[i].confidence;
        cr_assert_eq(bm_stats_hodges_lehmann(sample->values, sample->count, confidence, &location, NULL),
                     BM_OK);
        expect_value(location.estimate, oracle_hodges_lehmann[i].estimate, i);
        expect_value(location.interval.low, oracle_hodges_lehmann[i].low, i);
        expect_value(location.interval.high, oracle_hodges_lehmann[i].high, i);
        expect_value(location.interval.confidence, oracle_hodges_lehmann[i].reached, i);
        if (sample->count > 7) /* 1 - 2^(1 - 8) > 0.99 */
            cr_expect(location.interval.confidence >= confidence, "row %zu", i);
    }
}

Test(location, shift_matches_oracle) {
    for (size_t i = 0; i < BM_COUNT_OF(oracle_shift); i++) {
        struct bm_location location;
        cr_assert_eq(bm_stats_shift(&oracle_shift[i].from, &oracle_shift[i].to, oracle_shift[i].confidence,
                                    &location, NULL),
                     BM_OK);
        expect_value(location.estimate, oracle_shift[i].estimate, i);
        expect_value(location.interval.low, oracle_shift[i].low, i);
        expect_value(location.interval.high, oracle_shift[i].high, i);
        expect_value(location.interval.confidence, oracle_shift[i].reached, i);
    }
}

/* An interval that inverts a test holds exactly the centres that the test does not reject. */
Test(location, interval_and_test_agree) {
    struct bm_random random;
    bm_random_init(&random, 3);
    for (size_t n = 6; n <= 60; n += 3) {
        double x[60], moved[60];
        for (size_t i = 0; i < n; i++)
            x[i] = bm_random_normal(&random) + 0.3;
        struct bm_location location;
        cr_assert_eq(bm_stats_hodges_lehmann(x, n, 0.95, &location, NULL), BM_OK);
        double ends[] = {location.interval.low, location.interval.high};
        for (int end = 0; end < 2; end++)
            for (int outside = 0; outside < 2; outside++) {
                double centre = ends[end] + ((end == 1) == (outside == 1) ? 1e-9 : -1e-9);
                for (size_t i = 0; i < n; i++)
                    moved[i] = x[i] - centre;
                struct bm_rank_test test;
                cr_assert_eq(bm_stats_signed_rank(moved, n, BM_TWO_SIDED, &test, NULL), BM_OK);
                cr_expect((test.p <= 0.05) == (outside == 1), "n %zu end %d outside %d: p %g", n, end,
                          outside, test.p);
            }
    }
}

Test(location, order_and_translation_do_not_matter) {
    double x[24];
    for (size_t i = 0; i < 24; i++)
        x[i] = sample_normal24[23 - i] + 1000;
    struct bm_location a, b;
    cr_assert_eq(bm_stats_hodges_lehmann(sample_normal24, 24, 0.95, &a, NULL), BM_OK);
    cr_assert_eq(bm_stats_hodges_lehmann(x, 24, 0.95, &b, NULL), BM_OK);
    expect_value(b.estimate - 1000, a.estimate, 0);
    expect_value(b.interval.low - 1000, a.interval.low, 0);
    struct bm_observations from = {sample_normal24, 24}, to = {x, 24};
    cr_assert_eq(bm_stats_shift(&from, &to, 0.95, &a, NULL), BM_OK);
    cr_assert_eq(bm_stats_shift(&to, &from, 0.95, &b, NULL), BM_OK);
    expect_value(a.estimate, 1000, 0);
    expect_value(a.interval.low, -b.interval.high, 0);
}

Test(location, extreme_values_survive) {
    double x[] = {-1.5e308, 1.5e308, -1.5e308, 1.5e308, 0, 5e-324};
    struct bm_location location;
    cr_assert_eq(bm_stats_hodges_lehmann(x, 6, 0.9, &location, NULL), BM_OK);
    cr_expect(isfinite(location.estimate) && location.interval.low == -1.5e308 &&
              location.interval.high == 1.5e308);
}

Test(location, bad_input_is_refused) {
    double x[] = {1, 2, TEST_INF};
    struct bm_location location = {.estimate = 1};
    struct bm_error error = {0};
    cr_expect(bm_stats_hodges_lehmann(x, 3, 0.95, &location, &error) == BM_INVALID && location.estimate == 0);
    cr_expect_str_eq(error.message, "Hodges-Lehmann estimate: value 3 of 3 is inf, not a finite number");
    error = (struct bm_error){0};
    cr_expect(bm_stats_hodges_lehmann(x, 2, 1, &location, &error) == BM_INVALID);
    cr_expect_str_eq(error.message, "Hodges-Lehmann interval: confidence 1 is not between 0 and 1");
    cr_expect(bm_stats_hodges_lehmann(x, 0, 0.95, &location, NULL) == BM_INVALID);
    struct bm_observations good = {x, 2}, empty = {x, 0}, bad = {x, 3};
    cr_expect(bm_stats_shift(&good, &empty, 0.95, &location, NULL) == BM_INVALID);
    cr_expect(bm_stats_shift(&bad, &good, 0.95, &location, NULL) == BM_INVALID);
    cr_expect(bm_stats_shift(&good, &good, TEST_NAN, &location, NULL) == BM_INVALID);
}
