#include <math.h>
#include <stdlib.h>

#include "bm/measure.h"

const char *bm_flag_name(unsigned bit) {
    static const char *const names[] = {"not_converged",   "not_steady",   "resolution_limited",
                                        "timer_disagrees", "contaminated", "throttled",
                                        "unstable",        "drift",        "bimodal"};
    for (unsigned i = 0; i < BM_COUNT_OF(names); i++)
        if (bit == 1u << i)
            return names[i];
    return NULL;
}

void bm_series_fini(struct bm_series *series) {
    free(series->rounds);
    *series = (struct bm_series){0};
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Two levels: the widest gap between neighbours of the sorted logarithms lies inside the middle 80 %, is
 * above 3 %, and is as wide as what both sides spread over (their 10th to 90th percentiles). */
static bool is_bimodal(const double *logs, size_t n) {
    double *sorted = bm_alloc(n, sizeof *sorted);
    bool found = false;
    if (sorted == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        sorted[i] = logs[i];
    qsort(sorted, n, sizeof *sorted, compare);
    size_t least = (n + 9) / 10, split = least;
    for (size_t i = least; i <= n - least; i++)
        if (sorted[i] - sorted[i - 1] > sorted[split] - sorted[split - 1])
            split = i;
    double gap = sorted[split] - sorted[split - 1];
    double lower = bm_stats_percentile(sorted, split, 0.9) - bm_stats_percentile(sorted, split, 0.1);
    double upper = bm_stats_percentile(sorted + split, n - split, 0.9) -
                   bm_stats_percentile(sorted + split, n - split, 0.1);
    found = gap > 0.03 && gap >= fmax(lower, upper);
    free(sorted);
    return found;
}

static bool drifts(const double *logs, size_t n) {
    struct bm_trend trend;
    size_t third = n / 3;
    if (bm_stats_trend(logs, n, &trend, NULL) != BM_OK || trend.p >= 0.001)
        return false;
    return fabs(bm_stats_median(logs, third) - bm_stats_median(logs + n - third, third)) > 0.03;
}

static unsigned shape_flags(const double *logs, size_t n) {
    unsigned flags = 0;
    double quartiles = bm_stats_percentile(logs, n, 0.75) - bm_stats_percentile(logs, n, 0.25);
    if (quartiles / 2 > 0.10)
        flags |= BM_FLAG_UNSTABLE;
    if (n < 16) /* fewer rounds cannot tell these from noise */
        return flags;
    if (drifts(logs, n))
        flags |= BM_FLAG_DRIFT;
    if (is_bimodal(logs, n))
        flags |= BM_FLAG_BIMODAL;
    return flags;
}

void bm_estimate_of(const double *times, size_t n, struct bm_estimate *estimate) {
    double nan = (double)NAN, *logs = bm_alloc(n, sizeof *logs);
    *estimate = (struct bm_estimate){
        .median_ns = nan, .min_ns = nan, .p5_ns = nan, .p95_ns = nan, .mad_ns = nan, .half_width = nan};
    estimate->interval = (struct bm_interval){nan, nan, nan};
    if (logs == NULL || n == 0) {
        free(logs);
        return;
    }
    for (size_t i = 0; i < n; i++)
        logs[i] = log(times[i]);
    struct bm_interval interval = bm_stats_median_interval_serial(logs, n, 0.95);
    /* All through the logarithm, so that equal times stay equal in the last digit. */
    *estimate = (struct bm_estimate){
        .rounds = n,
        .median_ns = exp(bm_stats_median(logs, n)),
        .min_ns = exp(bm_stats_percentile(logs, n, 0)),
        .p5_ns = exp(bm_stats_percentile(logs, n, 0.05)),
        .p95_ns = exp(bm_stats_percentile(logs, n, 0.95)),
        .mad_ns = bm_stats_mad(times, n),
        .interval = {exp(interval.low), exp(interval.high), interval.confidence},
        .half_width = (interval.high - interval.low) / 2,
        .flags = shape_flags(logs, n),
    };
    free(logs);
}

void bm_series_estimate(const struct bm_series *series, unsigned without, struct bm_estimate *estimate) {
    double *times = bm_alloc(series->count, sizeof *times);
    size_t n = 0;
    for (size_t i = 0; times != NULL && i < series->count; i++)
        if ((series->rounds[i].flags & without) == 0)
            times[n++] = (double)series->rounds[i].ns / (double)series->rounds[i].launches;
    bm_estimate_of(times, n, estimate);
    free(times);
}
