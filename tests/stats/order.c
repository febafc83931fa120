#include "near.h"

#include <stdlib.h>

Test(order, describes_samples_as_oracle) {
    for (size_t i = 0; i < BM_COUNT_OF(oracle_sample); i++) {
        const double *x = oracle_sample[i].sample.values;
        size_t n = oracle_sample[i].sample.count;
        expect_value(bm_stats_median(x, n), oracle_sample[i].median, i);
        expect_value(bm_stats_mad(x, n), oracle_sample[i].mad, i);
        expect_value(bm_stats_mean(x, n), oracle_sample[i].mean, i);
        for (size_t p = 0; p < BM_COUNT_OF(oracle_probabilities); p++)
            expect_value(bm_stats_percentile(x, n, oracle_probabilities[p]), oracle_sample[i].percentiles[p],
                         i);
    }
}

Test(order, median_interval_as_oracle) {
    for (size_t i = 0; i < BM_COUNT_OF(oracle_median_interval); i++) {
        const struct bm_observations *sample = &oracle_median_interval[i].sample;
        double confidence = oracle_median_interval[i].confidence;
        struct bm_interval interval = bm_stats_median_interval(sample->values, sample->count, confidence);
        expect_value(interval.low, oracle_median_interval[i].low, i);
        expect_value(interval.high, oracle_median_interval[i].high, i);
        cr_expect(interval.confidence == confidence);
    }
}

Test(order, interval_of_few_values_is_their_range) {
    static const double x[] = {5, 1, 4, 2, 3};
    for (size_t n = 1; n <= 5; n++) {
        struct bm_interval interval = bm_stats_median_interval(x, n, 0.95);
        cr_expect(interval.low == bm_stats_percentile(x, n, 0) &&
                  interval.high == bm_stats_percentile(x, n, 1));
        expect_value(interval.confidence, 1 - pow(2, 1 - (double)n), n);
    }
    static const double y[] = {5, 1, 4, 2, 3, 6};
    cr_expect(bm_stats_median_interval(y, 6, 0.95).confidence == 0.95);
}

Test(order, interval_ends_at_the_middle_pair) {
    static const double x[] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct bm_interval interval = bm_stats_median_interval(x, 8, 0.1);
    cr_expect(interval.low == 4 && interval.high == 5);
    expect_value(interval.confidence, 70.0 / 256, 0); /* P(X = 4), more than was asked for */
    interval = bm_stats_median_interval(x, 7, 0.1);
    cr_expect(interval.low > 3 && interval.low < 4 && interval.high > 4 && interval.high < 5);
}

Test(order, interval_widens_steadily_with_confidence) {
    double width = 0;
    for (int i = 1; i < 200; i++) {
        struct bm_interval interval = bm_stats_median_interval(sample_normal16, 16, i / 200.0);
        cr_expect(interval.high - interval.low >= width - 1e-12, "at %g", i / 200.0);
        width = interval.high - interval.low;
    }
}

/* A reference that shares no code: every percentile point of a sorted copy. */
static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

Test(order, selection_agrees_with_sorting) {
    struct bm_random random;
    bm_random_init(&random, 1);
    enum { MOST = 300 };
    double x[MOST], sorted[MOST];
    for (size_t n = 1; n <= MOST; n++) {
        uint64_t kinds = 1 + bm_random_below(&random, 2 * n); /* many ties, or few */
        for (size_t i = 0; i < n; i++)
            sorted[i] = x[i] =
                n % 3 == 0 ? (double)(i < n / 2 ? i : n - i) : (double)bm_random_below(&random, kinds);
        qsort(sorted, n, sizeof *sorted, compare);
        for (size_t k = 0; k < n; k += 1 + n / 20)
            expect_value(bm_stats_percentile(x, n, n == 1 ? 0 : (double)k / (double)(n - 1)), sorted[k], n);
        expect_value(bm_stats_median(x, n), (sorted[(n - 1) / 2] + sorted[n / 2]) / 2, n);
    }
}

Test(order, large_sorted_and_equal_samples) { /* what makes naive quickselect quadratic */
    enum { N = 200001 };
    double *x = bm_alloc(N, sizeof *x);
    cr_assert(x);
    for (size_t i = 0; i < N; i++)
        x[i] = (double)i;
    cr_expect(bm_stats_median(x, N) == 100000);
    for (size_t i = 0; i < N; i++)
        x[i] = (double)(N - i);
    cr_expect(bm_stats_median(x, N) == 100001);
    for (size_t i = 0; i < N; i++)
        x[i] = 7;
    cr_expect(bm_stats_median(x, N) == 7 && bm_stats_mad(x, N) == 0);
    free(x);
}

Test(order, values_are_left_alone) {
    double x[] = {3, 1, 2};
    bm_stats_median(x, 3);
    bm_stats_mad(x, 3);
    bm_stats_percentile(x, 3, 0.3);
    bm_stats_median_interval(x, 3, 0.9);
    cr_expect(x[0] == 3 && x[1] == 1 && x[2] == 2);
}

Test(order, nothing_and_nan_give_nan) {
    double x[] = {1, TEST_NAN, 2};
    cr_expect(isnan(bm_stats_median(x, 0)) && isnan(bm_stats_median(x, 3)));
    cr_expect(isnan(bm_stats_mad(x, 0)) && isnan(bm_stats_mad(x, 3)));
    cr_expect(isnan(bm_stats_mean(x, 0)) && isnan(bm_stats_mean(x, 3)));
    cr_expect(isnan(bm_stats_percentile(x, 0, 0.5)) && isnan(bm_stats_percentile(x, 3, 0.5)));
    cr_expect(isnan(bm_stats_percentile(x, 1, 1.1)) && isnan(bm_stats_percentile(x, 1, TEST_NAN)));
    struct bm_interval empty = bm_stats_median_interval(x, 0, 0.95), bad = bm_stats_median_interval(x, 1, 1);
    cr_expect(isnan(empty.low) && isnan(empty.high) && isnan(empty.confidence));
    cr_expect(isnan(bad.low) && isnan(bad.high) && isnan(bad.confidence));
    cr_expect(isnan(bm_stats_median_interval(x, 3, 0.95).low));
}

Test(order, infinities_are_ordered) {
    double x[] = {TEST_INF, 1, -TEST_INF, TEST_INF};
    cr_expect(bm_stats_median(x, 3) == 1);
    cr_expect(bm_stats_percentile(x, 4, 1) == TEST_INF && bm_stats_percentile(x, 4, 0) == -TEST_INF);
    cr_expect(bm_stats_mad(x, 3) == TEST_INF);
    double y[] = {TEST_INF, TEST_INF, TEST_INF};
    cr_expect(bm_stats_median(y, 2) == TEST_INF && bm_stats_mad(y, 3) == 0 &&
              bm_stats_mean(y, 3) == TEST_INF);
}

Test(order, mean_keeps_small_parts) { /* a plain sum loses half a unit of the last place per value */
    double x[10000];
    for (size_t i = 0; i < BM_COUNT_OF(x); i++)
        x[i] = 1e9 + 0.1;
    cr_expect(bm_stats_mean(x, BM_COUNT_OF(x)) == x[0]);
}
