#include <math.h>
#include <stdlib.h>

#include "bm/measure.h"

const char *bm_flag_name(unsigned bit) {
    switch (bit) {
    case BM_FLAG_NOT_CONVERGED:
        return "not_converged";
    case BM_FLAG_NOT_STEADY:
        return "not_steady";
    case BM_FLAG_RESOLUTION_LIMITED:
        return "resolution_limited";
    case BM_FLAG_TIMER_DISAGREES:
        return "timer_disagrees";
    default:
        return NULL;
    }
}

void bm_series_fini(struct bm_series *series) {
    free(series->rounds);
    *series = (struct bm_series){0};
}

void bm_series_estimate(const struct bm_series *series, struct bm_estimate *estimate) {
    size_t n = series->count;
    double nan = (double)NAN;
    *estimate = (struct bm_estimate){nan, nan, nan, nan, nan, {nan, nan, nan}};
    double *values = n > 0 ? bm_alloc(n, sizeof *values) : NULL;
    if (values == NULL)
        return;
    for (size_t i = 0; i < n; i++)
        values[i] = (double)series->rounds[i].ns / (double)series->rounds[i].launches;
    *estimate = (struct bm_estimate){
        .median_ns = bm_stats_median(values, n),
        .min_ns = bm_stats_percentile(values, n, 0),
        .p5_ns = bm_stats_percentile(values, n, 0.05),
        .p95_ns = bm_stats_percentile(values, n, 0.95),
        .mad_ns = bm_stats_mad(values, n),
        .interval = bm_stats_median_interval(values, n, 0.95),
    };
    free(values);
}
