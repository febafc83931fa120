#include "near.h"

Test(series, matches_oracle) {
    for (size_t i = 0; i < BM_COUNT_OF(oracle_series); i++) {
        const double *x = oracle_series[i].sample.values;
        size_t n = oracle_series[i].sample.count;
        double rho = bm_stats_autocorrelation(x, n);
        expect_value(rho, oracle_series[i].rho, i);
        expect_value(bm_stats_effective_count(n, rho), oracle_series[i].effective, i);
        if (n < 6)
            continue;
        struct bm_interval interval = bm_stats_median_interval_serial(x, n, 0.95);
        expect_value(interval.low, oracle_series[i].low, i);
        expect_value(interval.high, oracle_series[i].high, i);
        cr_expect(interval.confidence == 0.95);
    }
}

Test(series, effective_count_is_bounded) {
    expect_value(bm_stats_effective_count(30, 0.5), 10, 0);
    cr_expect(bm_stats_effective_count(30, -0.5) == 30 && bm_stats_effective_count(30, 0) == 30);
    cr_expect(bm_stats_effective_count(30, 1) == 1 && bm_stats_effective_count(8, 0.9) == 1);
    cr_expect(isnan(bm_stats_effective_count(0, 0)) && isnan(bm_stats_effective_count(3, TEST_NAN)) &&
              isnan(bm_stats_effective_count(3, 1.5)));
}

/* An autoregressive series of unit variance. */
static void autoregress(struct bm_random *random, double rho, double *x, size_t n) {
    double last = bm_random_normal(random);
    for (size_t i = 0; i < n; i++)
        x[i] = last = i == 0 ? last : rho * last + sqrt(1 - rho * rho) * bm_random_normal(random);
}

Test(series, autocorrelation_is_nearly_unbiased) {
    static const struct {
        double rho;
        size_t n;
    } rows[] = {{0, 24}, {0.3, 24}, {0, 48}, {0.3, 48}, {0.6, 48}};
    struct bm_random random;
    bm_random_init(&random, 2);
    for (size_t row = 0; row < BM_COUNT_OF(rows); row++) {
        double sum = 0, x[48];
        enum { SERIES = 10000 };
        for (int i = 0; i < SERIES; i++) {
            autoregress(&random, rows[row].rho, x, rows[row].n);
            sum += bm_stats_autocorrelation(x, rows[row].n);
        }
        expect_near(sum / SERIES, rows[row].rho, 0, 0.02, row); /* uncorrected: off by 0.02 to 0.09 */
    }
}

Test(series, autocorrelation_of_degenerate_series) {
    double x[] = {1, 2, TEST_INF, 4, 5};
    cr_expect(bm_stats_autocorrelation(x, 2) == 0 && bm_stats_autocorrelation(sample_constant, 12) == 0);
    cr_expect(isnan(bm_stats_autocorrelation(x, 5)) && isnan(bm_stats_autocorrelation(x, 0)));
    cr_expect(isnan(bm_stats_median_interval_serial(x, 5, 0.95).low));
    cr_expect(isnan(bm_stats_median_interval_serial(x, 0, 0.95).confidence));
    struct bm_interval constant = bm_stats_median_interval_serial(sample_constant, 12, 0.95);
    cr_expect(constant.low == 0.1 && constant.high == 0.1);
}

Test(series, trend_matches_oracle) {
    for (size_t i = 0; i < BM_COUNT_OF(oracle_trend); i++) {
        struct bm_trend trend;
        const struct bm_observations *sample = &oracle_trend[i].sample;
        cr_assert_eq(bm_stats_trend(sample->values, sample->count, &trend, NULL), BM_OK);
        cr_expect(trend.s == oracle_trend[i].s, "row %zu", i);
        expect_value(trend.tau, oracle_trend[i].tau, i);
        expect_near(trend.p, oracle_trend[i].p, 1e-9, 1e-300, i);
        cr_expect(trend.exact == oracle_trend[i].exact, "row %zu", i);
    }
}

Test(series, trend_matches_printed_table) { /* Kendall 1975, table of the upper tail of S; p is two-sided */
    static const struct {
        double values[6];
        size_t n;
        double s, tail;
    } rows[] = {{{1, 2, 3, 4}, 4, 6, 0.042},        {{1, 2, 4, 3}, 4, 4, 0.167},
                {{1, 2, 3, 4, 5}, 5, 10, 0.0083},   {{1, 2, 3, 5, 4}, 5, 8, 0.042},
                {{2, 1, 3, 5, 4}, 5, 6, 0.117},     {{1, 2, 3, 4, 5, 6}, 6, 15, 0.0014},
                {{1, 2, 3, 4, 6, 5}, 6, 13, 0.0083}};
    for (size_t i = 0; i < BM_COUNT_OF(rows); i++) {
        struct bm_trend trend;
        cr_assert_eq(bm_stats_trend(rows[i].values, rows[i].n, &trend, NULL), BM_OK);
        cr_expect(trend.s == rows[i].s && trend.exact);
        expect_near(trend.p / 2, rows[i].tail, 0, 0.0005, i);
    }
}

Test(series, trend_refuses_bad_input) {
    double x[] = {1, TEST_NAN, 2};
    struct bm_trend trend = {.p = 0.5};
    struct bm_error error = {0};
    cr_expect(bm_stats_trend(x, 1, &trend, &error) == BM_INVALID && trend.p == 0);
    cr_expect_str_eq(error.message, "trend test: 1 values, at least 2 are needed");
    error = (struct bm_error){0};
    cr_expect(bm_stats_trend(x, 3, &trend, &error) == BM_INVALID);
    cr_expect_str_eq(error.message, "trend test: value 2 of 3 is nan, not a finite number");
    cr_assert_eq(bm_stats_trend(sample_constant, 12, &trend, NULL), BM_OK);
    cr_expect(trend.s == 0 && trend.tau == 0 && trend.p == 1 && !trend.exact);
}

Test(series, mser5_matches_oracle) {
    for (size_t i = 0; i < BM_COUNT_OF(oracle_mser5); i++) {
        struct bm_truncation truncation;
        const struct bm_observations *sample = &oracle_mser5[i].sample;
        cr_assert_eq(bm_stats_mser5(sample->values, sample->count, &truncation, NULL), BM_OK);
        cr_expect(truncation.discard == oracle_mser5[i].discard, "row %zu: %zu", i, truncation.discard);
        cr_expect(truncation.steady == oracle_mser5[i].steady, "row %zu", i);
    }
}

Test(series, mser5_of_steps_and_constants) {
    double x[60];
    for (size_t i = 0; i < BM_COUNT_OF(x); i++)
        x[i] = i < 10 ? 9 : 1;
    struct bm_truncation truncation;
    cr_assert_eq(bm_stats_mser5(x, 60, &truncation, NULL), BM_OK);
    cr_expect(truncation.discard == 10 && truncation.steady);
    cr_assert_eq(bm_stats_mser5(x + 10, 50, &truncation, NULL), BM_OK);
    cr_expect(truncation.discard == 0 && truncation.steady);
    cr_assert_eq(bm_stats_mser5(x, 0, &truncation, NULL), BM_OK);
    cr_expect(truncation.discard == 0 && !truncation.steady);
    x[3] = TEST_INF;
    cr_expect(bm_stats_mser5(x, 60, &truncation, NULL) == BM_INVALID);
}
