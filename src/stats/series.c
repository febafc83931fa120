/* Values in order of time: autocorrelation, trend, truncation. */
#include "internal.h"

#include <stdlib.h>

double bm_stats_autocorrelation(const double *values, size_t n) {
    double mean = bm_stats_mean(values, n), products = 0, squares = 0;
    if (!isfinite(mean))
        return BM_NAN;
    for (size_t i = 0; i < n; i++) {
        double d = values[i] - mean;
        squares += d * d;
        if (i + 1 < n)
            products += d * (values[i + 1] - mean);
    }
    bool equal = true; /* rounding of the mean must not pass for variation */
    for (size_t i = 1; i < n && equal; i++)
        equal = values[i] == values[0];
    if (n < 4 || equal || squares == 0)
        return 0;
    double r = products / squares;
    r += (1 + 4 * r) / (double)n;
    return fmax(-1, fmin(1, r));
}

double bm_stats_effective_count(size_t n, double rho) {
    if (n == 0 || !(rho >= -1 && rho <= 1))
        return BM_NAN;
    double count = (double)n;
    return rho <= 0 ? count : fmax(1, count * (1 - rho) / (1 + rho));
}

struct bm_interval bm_stats_median_interval_serial(const double *values, size_t n, double confidence) {
    struct bm_interval interval = bm_stats_median_interval(values, n, confidence);
    double effective = bm_stats_effective_count(n, bm_stats_autocorrelation(values, n));
    if (isnan(interval.confidence) || isnan(effective))
        return (struct bm_interval){BM_NAN, BM_NAN, BM_NAN};
    double median = bm_stats_median(values, n), factor = sqrt((double)n / effective);
    interval.low = median - (median - interval.low) * factor;
    interval.high = median + (interval.high - median) * factor;
    return interval;
}

enum bm_status bm_stats_trend(const double *values, size_t n, struct bm_trend *trend,
                              struct bm_error *error) {
    *trend = (struct bm_trend){0};
    enum bm_status status = bm_observations_check("trend test", values, n, 2, error);
    if (status != BM_OK)
        return status;
    struct bm_ranked *items = bm_alloc(n, sizeof *items);
    if (items == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory: ranks of %zu values", n);
    for (size_t i = 0; i < n; i++)
        items[i] = (struct bm_ranked){.value = values[i], .index = i};
    struct bm_ties ties = bm_rank(items, n);
    free(items);

    int64_t s = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            s += (values[j] > values[i]) - (values[j] < values[i]);
    double size = (double)n, pairs = size * (size - 1) / 2;
    trend->s = (double)s;
    trend->tau = ties.pairs < pairs ? trend->s / sqrt(pairs * (pairs - ties.pairs)) : 0;
    trend->exact = ties.pairs == 0 && n <= BM_STATS_EXACT_MAX;
    if (trend->exact) {
        double cdf[BM_INVERSION_COUNTS];
        size_t falling = (size_t)((pairs - trend->s) / 2), rising = (size_t)pairs - falling;
        bm_null_inversions(n, cdf);
        trend->p = bm_p_value(cdf[falling], cdf[rising], BM_TWO_SIDED);
    } else { /* S moves in steps of 2 */
        double variance = (size * (size - 1) * (2 * size + 5) - ties.fives) / 18;
        trend->p = bm_p_value_normal(trend->s / 2, variance / 4, BM_TWO_SIDED);
    }
    return BM_OK;
}

enum bm_status bm_stats_mser5(const double *values, size_t n, struct bm_truncation *truncation,
                              struct bm_error *error) {
    enum { BATCH = 5 };
    *truncation = (struct bm_truncation){0};
    enum bm_status status = bm_observations_check("MSER-5", values, n, 0, error);
    if (status != BM_OK)
        return status;
    size_t batches = n / BATCH, last = batches / 2, best = last;
    double mean = 0, squares = 0, least = BM_INFINITY;
    for (size_t d = batches; d-- > 0;) { /* from the end, so that each batch enters once (Welford 1962) */
        double batch = 0, kept = (double)(batches - d);
        for (size_t i = 0; i < BATCH; i++)
            batch += values[d * BATCH + i] / BATCH;
        double change = batch - mean;
        mean += change / kept;
        squares += change * (batch - mean);
        double mser = squares / (kept * kept);
        if (d <= last && mser <= least) {
            least = mser;
            best = d;
        }
    }
    truncation->discard = batches == 0 ? 0 : best * BATCH;
    truncation->steady = batches >= 4 && best < last;
    return BM_OK;
}
