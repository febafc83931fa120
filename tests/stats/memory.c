/* Every allocation of every function fails once: BM_NO_MEMORY or NaN, a cleared result, nothing leaked. */
#include "near.h"

static int until_failure = -1; /* allocations that still succeed; -1: all do */

/* The linker's --wrap=bm_alloc sends the library's calls here. */
void *__real_bm_alloc(size_t count, size_t size);
void *__wrap_bm_alloc(size_t count, size_t size);
void *__wrap_bm_alloc(size_t count, size_t size) {
    if (until_failure == 0)
        return NULL;
    until_failure -= until_failure > 0;
    return __real_bm_alloc(count, size);
}

static double mean(void *context, const struct bm_observations *samples, size_t sample_count) {
    (void)context, (void)sample_count;
    return bm_stats_mean(samples[0].values, samples[0].count);
}

static const struct bm_observations sample = SAMPLE(normal24), other = SAMPLE(normal16);

static enum bm_status bootstrap(double *result, struct bm_error *error) {
    struct bm_bootstrap options = {.statistic = mean, .resamples = 100, .confidence = 0.9};
    struct bm_location location;
    enum bm_status status = bm_stats_bootstrap(&options, &sample, 1, &location, error);
    *result = location.interval.high;
    return status;
}

static enum bm_status hodges_lehmann(double *result, struct bm_error *error) {
    struct bm_location location;
    enum bm_status status = bm_stats_hodges_lehmann(sample.values, sample.count, 0.9, &location, error);
    *result = location.interval.high;
    return status;
}

static enum bm_status shift(double *result, struct bm_error *error) {
    struct bm_location location;
    enum bm_status status = bm_stats_shift(&sample, &other, 0.9, &location, error);
    *result = location.interval.high;
    return status;
}

static enum bm_status signed_rank(double *result, struct bm_error *error) {
    struct bm_rank_test test;
    enum bm_status status = bm_stats_signed_rank(sample.values, sample.count, BM_LESS, &test, error);
    *result = test.p;
    return status;
}

static enum bm_status mann_whitney(double *result, struct bm_error *error) {
    struct bm_rank_test test;
    enum bm_status status = bm_stats_mann_whitney(&sample, &other, BM_LESS, &test, error);
    *result = test.p;
    return status;
}

static enum bm_status trend(double *result, struct bm_error *error) {
    struct bm_trend trend;
    enum bm_status status = bm_stats_trend(sample.values, sample.count, &trend, error);
    *result = trend.p;
    return status;
}

static enum bm_status holm(double *result, struct bm_error *error) {
    static const double p[] = {0.5};
    return bm_stats_holm(p, 1, result, error);
}

static enum bm_status benjamini_hochberg(double *result, struct bm_error *error) {
    static const double p[] = {0.5};
    return bm_stats_benjamini_hochberg(p, 1, result, error);
}

Test(memory, each_allocation_may_fail) {
    static const struct {
        enum bm_status (*call)(double *result, struct bm_error *error);
        int allocations;
    } rows[] = {{bootstrap, 4},    {hodges_lehmann, 1}, {shift, 4}, {signed_rank, 1},
                {mann_whitney, 3}, {trend, 1},          {holm, 1},  {benjamini_hochberg, 1}};
    for (size_t row = 0; row < BM_COUNT_OF(rows); row++) {
        double result = -1;
        for (int allowed = 0; allowed < rows[row].allocations; allowed++) {
            struct bm_error error = {0};
            until_failure = allowed;
            enum bm_status status = rows[row].call(&result, &error);
            until_failure = -1;
            cr_expect(status == BM_NO_MEMORY && error.status == BM_NO_MEMORY && error.message[0] != '\0',
                      "row %zu, allocation %d: %s", row, allowed, bm_status_name(status));
            cr_expect(result == 0, "row %zu, allocation %d", row, allowed);
        }
        until_failure = rows[row].allocations;
        cr_expect(rows[row].call(&result, NULL) == BM_OK && result != 0,
                  "row %zu allocates more than is tested", row);
        until_failure = -1;
    }
}

Test(memory, few_values_need_none) {
    until_failure = 0;
    cr_expect(isfinite(bm_stats_median(sample_normal50, 50)) && isfinite(bm_stats_mad(sample_normal50, 50)));
    cr_expect(isfinite(bm_stats_percentile(sample_normal50, 50, 0.1)));
    cr_expect(isfinite(bm_stats_median_interval_serial(sample_normal50, 50, 0.95).low));
    cr_expect(isnan(bm_stats_median(sample_tied80, 80)) && isnan(bm_stats_mad(sample_tied80, 80)));
    cr_expect(isnan(bm_stats_percentile(sample_tied80, 80, 0.1)));
    cr_expect(isnan(bm_stats_median_interval(sample_tied80, 80, 0.95).confidence));
    cr_expect(isnan(bm_stats_median_interval_serial(sample_tied80, 80, 0.95).low));
    until_failure = -1;
}
