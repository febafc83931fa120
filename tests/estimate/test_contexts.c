#include "internal.h"

#include <criterion/criterion.h>

TestSuite(contexts);

static const uint32_t measured[] = {100, 200, 400};
static double weights[3];

static void expect_weights(uint32_t first, uint32_t last, double a, double b, double c) {
    cr_assert(bm_context_weights(measured, 3, first, last, weights), "%u to %u", first, last);
    cr_expect_float_eq(weights[0], a, 1e-12, "%u to %u: %g", first, last, weights[0]);
    cr_expect_float_eq(weights[1], b, 1e-12, "%u to %u: %g", first, last, weights[1]);
    cr_expect_float_eq(weights[2], c, 1e-12, "%u to %u: %g", first, last, weights[2]);
}

Test(contexts, what_was_measured_stands_for_itself) {
    expect_weights(100, 100, 1, 0, 0);
    expect_weights(200, 200, 0, 1, 0);
    expect_weights(400, 400, 0, 0, 1);
}

Test(contexts, between_two_it_is_linear) {
    expect_weights(150, 150, 0.5, 0.5, 0);
    expect_weights(350, 350, 0, 0.25, 0.75);
    expect_weights(199, 201, (1.0 / 100) / 3, (0.99 + 1 + 0.995) / 3, (1.0 / 200) / 3);
}

/* The mean over a range of a time that is linear in the context is the time at its middle. */
Test(contexts, the_mean_of_a_line_is_its_middle) {
    static const double line[] = {10, 20, 40}; /* 0.1 a token */
    for (uint32_t first = 100; first <= 400; first += 37)
        for (uint32_t last = first; last <= 400; last += 41) {
            cr_assert(bm_context_weights(measured, 3, first, last, weights));
            const double mean = weights[0] * line[0] + weights[1] * line[1] + weights[2] * line[2];
            cr_expect_float_eq(mean, 0.05 * (first + last), 1e-9, "%u to %u", first, last);
            cr_expect_float_eq(weights[0] + weights[1] + weights[2], 1, 1e-12);
        }
}

Test(contexts, nothing_is_extrapolated) {
    cr_expect_not(bm_context_weights(measured, 3, 99, 100, weights));
    cr_expect_not(bm_context_weights(measured, 3, 400, 401, weights));
    cr_expect_not(bm_context_weights(measured, 3, 1, 1000, weights));
    cr_expect_not(bm_context_weights(measured, 3, 300, 200, weights), "no range");
    cr_expect_not(bm_context_weights(measured, 0, 1, 1, weights));
}

Test(contexts, two_tell_nothing_between_them) {
    cr_expect_not(bm_context_weights(measured, 2, 150, 150, weights));
    cr_expect_not(bm_context_weights(measured, 2, 100, 200, weights));
    cr_assert(bm_context_weights(measured, 2, 200, 200, weights), "but for themselves");
    cr_expect_float_eq(weights[1], 1, 1e-12);
    cr_assert(bm_context_weights(measured, 1, 100, 100, weights));
    static const uint32_t neighbours[] = {7, 8};
    cr_assert(bm_context_weights(neighbours, 2, 7, 8, weights), "all that is asked for was measured");
    cr_expect_float_eq(weights[0], 0.5, 1e-12);
}

Test(contexts, the_largest_number_is_a_context) {
    static const uint32_t far[] = {1, 2, UINT32_MAX};
    cr_assert(bm_context_weights(far, 3, UINT32_MAX, UINT32_MAX, weights));
    cr_expect_float_eq(weights[2], 1, 1e-12);
}
