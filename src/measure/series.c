#include <math.h>
#include <stdlib.h>

#include "bm/measure.h"

const char *bm_flag_name(unsigned bit) {
    static const char *const names[] = {
        "not_converged", "not_steady", "resolution_limited", "timer_disagrees",
        "contaminated",  "throttled",  "unstable",           "drift",
        "bimodal",       "moved"};
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

/* Fewer rounds of one height are outliers, which neither median nor interval minds, and no level. */
enum { LEAST_OF_LEVEL = 4 };

/* Two levels: the widest gap between neighbours of the sorted logarithms that leaves a tenth of them, and
 * four at least, on either side is above 3 %, and as wide as what both sides spread over (their 10th to 90th
 * percentiles). */
static bool is_bimodal(const double *logs, size_t n) {
    double *sorted = bm_alloc(n, sizeof *sorted);
    bool found = false;
    if (sorted == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        sorted[i] = logs[i];
    qsort(sorted, n, sizeof *sorted, compare);
    size_t least = (n + 9) / 10 > LEAST_OF_LEVEL ? (n + 9) / 10 : LEAST_OF_LEVEL, split = least;
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

/* By how much the last third of the rounds differs from the first, and how likely that is without a trend. */
static void look_for_trend(const double *logs, size_t n, double *p, double *step) {
    struct bm_trend trend;
    const size_t third = n / 3;
    *p = 1;
    *step = 0;
    if (third == 0 || bm_stats_trend(logs, n, &trend, NULL) != BM_OK)
        return;
    *p = trend.p;
    *step = fabs(bm_stats_median(logs, third) - bm_stats_median(logs + n - third, third));
}

static unsigned shape_flags(const double *logs, size_t n) {
    double p, step;
    look_for_trend(logs, n, &p, &step);
    unsigned flags = p < 0.01 && step > 0.01 ? BM_FLAG_NOT_STEADY : 0;
    double quartiles = bm_stats_percentile(logs, n, 0.75) - bm_stats_percentile(logs, n, 0.25);
    if (quartiles / 2 > 0.10)
        flags |= BM_FLAG_UNSTABLE;
    if (n < 16) /* fewer rounds cannot tell these from noise */
        return flags;
    if (p < 0.001 && step > 0.03)
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

/* Fewer rounds than the first look wants are no estimate. */
enum { LEAST_CLEAN = 8 };

unsigned bm_series_left_out(const struct bm_series *series) {
    size_t moved = 0;
    for (size_t i = 0; i < series->count; i++)
        moved += (series->rounds[i].flags & BM_FLAG_MOVED) != 0;
    const bool enough = series->count - moved >= LEAST_CLEAN && 2 * moved <= series->count;
    return moved > 0 && enough ? BM_FLAG_MOVED : 0;
}

unsigned bm_series_flags(const struct bm_series *series) {
    struct bm_estimate all, clean;
    const unsigned without = bm_series_left_out(series);
    unsigned flags = series->flags;
    bm_series_estimate(series, without, &all);
    bm_series_estimate(series, without | BM_FLAG_CONTAMINATED, &clean);
    /* What foreign work did to single rounds has its own flag: the shape is that of the others. */
    const bool enough = clean.rounds >= LEAST_CLEAN;
    const unsigned shape = enough ? clean.flags : all.flags;
    for (unsigned bit = 1; bit <= BM_FLAG_LAST; bit <<= 1) {
        size_t with = 0;
        for (size_t i = 0; i < series->count; i++)
            with += (series->rounds[i].flags & bit) != 0;
        const bool says_so = bit == BM_FLAG_MOVED ? with > 0 && without == 0 : 4 * with > series->count;
        flags |= says_so ? bit : 0;
    }
    /* Where two in three rounds are tagged, a neighbour never leaves: it was beside the others, too, unseen.
     */
    const bool mostly_free = 3 * clean.rounds >= all.rounds;
    if (enough && mostly_free && fabs(log(all.median_ns / clean.median_ns)) <= 0.01)
        flags &= ~(unsigned)BM_FLAG_CONTAMINATED;
    if (series->count >= LEAST_CLEAN && (shape & BM_FLAG_NOT_STEADY) == 0)
        flags &= ~(unsigned)BM_FLAG_NOT_STEADY;
    return flags | (shape & ~(unsigned)BM_FLAG_NOT_STEADY);
}
