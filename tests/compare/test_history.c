/* Change points, outliers, and when the spread is the history's own. */
#include <criterion/criterion.h>
#include <math.h>

#include "bm/compare.h"
#include "bm/gate.h"

static double deviations[200];

static struct bm_history history_of(const double *values, size_t count) {
    struct bm_runs runs = {values, deviations, count};
    struct bm_history history;
    bm_history_of(&runs, &history);
    return history;
}

Test(history, one_run) {
    const double values[] = {3};
    struct bm_history history = history_of(values, 1);
    cr_expect_eq(history.count, 1);
    cr_expect_eq(history.center, 3);
    cr_expect(history.assumed);
    cr_expect_eq(history.deviation, BM_COMPARE_BETWEEN_RUNS);
    cr_expect(isinf(history.freedom));
}

Test(history, few_runs_scatter_at_least_as_assumed) {
    const double calm[] = {1, 1.001, 0.999}, wild[] = {1, 1.1, 0.9};
    cr_expect_eq(history_of(calm, 3).deviation, BM_COMPARE_BETWEEN_RUNS);
    cr_expect_float_eq(history_of(wild, 3).deviation, 0.1, 1e-12, "more is believed");
}

Test(history, from_five_runs_on_the_spread_is_their_own) {
    const double values[] = {1, 1.002, 0.998, 1.001, 0.999};
    struct bm_history history = history_of(values, 5);
    cr_expect_not(history.assumed);
    cr_expect_eq(history.freedom, 4);
    cr_expect_float_eq(history.deviation, sqrt(10e-6 / 4), 1e-12);
    cr_expect_float_eq(history.center, 1, 1e-12);
}

Test(history, an_outlier_is_left_out_and_counted) {
    const double values[] = {1, 1.002, 0.998, 1.4, 1.001, 0.999};
    struct bm_history history = history_of(values, 6);
    cr_expect_eq(history.left_out, 1);
    cr_expect_eq(history.count, 5);
    cr_expect_float_eq(history.center, 1, 1e-12);
}

/* More than 5 % from the median, but not more than 5 times as far as others: that is how this row is. */
Test(history, what_scatters_has_no_outliers) {
    const double values[] = {1, 1.04, 0.96, 1.03, 0.97, 1.02, 0.98, 1.12, 0.88, 1};
    struct bm_history history = history_of(values, 10);
    cr_expect_eq(history.left_out, 0);
    cr_expect_eq(history.count, 10);
}

/* Of so few nobody knows which is the odd one. */
Test(history, of_four_runs_none_is_left_out) {
    const double values[] = {1, 1.001, 0.999, 1.4};
    struct bm_history history = history_of(values, 4);
    cr_expect_eq(history.left_out, 0);
    cr_expect_eq(history.count, 4);
    cr_expect_gt(history.deviation, 0.1);
}

Test(history, only_what_follows_the_last_change_counts) {
    double values[24];
    for (size_t i = 0; i < 24; i++)
        values[i] = (i < 8 ? 1.0 : i < 16 ? 0.8 : 0.85) + 0.002 * cos(5.0 * (double)i);
    struct bm_history history = history_of(values, 24);
    cr_expect_eq(history.first, 16);
    cr_expect_eq(history.count, 8);
    cr_expect_float_eq(history.center, 0.85, 0.002);
}

/* What has changed since two runs only may as well be two odd runs. */
Test(history, two_runs_make_no_part) {
    double values[12];
    for (size_t i = 0; i < 12; i++)
        values[i] = (i < 10 ? 1.0 : 1.03) + 0.001 * cos(5.0 * (double)i);
    cr_expect_eq(history_of(values, 12).first, 0);
    double three[13];
    for (size_t i = 0; i < 13; i++)
        three[i] = (i < 10 ? 1.0 : 1.03) + 0.001 * cos(5.0 * (double)i);
    cr_expect_eq(history_of(three, 13).first, 10);
}

Test(history, a_change_below_two_percent_is_none) {
    double values[20];
    for (size_t i = 0; i < 20; i++)
        values[i] = (i < 10 ? 1.0 : 1.015) + 0.0005 * cos(5.0 * (double)i);
    cr_expect_eq(history_of(values, 20).first, 0);
}

Test(history, equal_runs) {
    double values[12];
    for (size_t i = 0; i < 12; i++)
        values[i] = 2;
    struct bm_history history = history_of(values, 12);
    cr_expect_eq(history.first, 0);
    cr_expect_eq(history.left_out, 0);
    cr_expect_eq(history.deviation, 0);
}

/* Noise alone is split in 1 % of histories. */
Test(history, noise_makes_no_change_points) {
    enum { TRIALS = 2000, RUNS = 30 };
    struct bm_random random;
    size_t split = 0;
    bm_random_init(&random, 11);
    for (size_t trial = 0; trial < TRIALS; trial++) {
        double values[RUNS];
        for (size_t i = 0; i < RUNS; i++)
            values[i] = 0.04 * bm_random_normal(&random);
        split += history_of(values, RUNS).first > 0;
    }
    cr_expect_lt(split, TRIALS / 50, "%zu of %d", split, TRIALS);
}
