/* bm/stats.h - floor 1: estimators, intervals, tests. Pure functions, no I/O. Each names its source.
 * Unless said otherwise values need not be sorted, are not changed, and n == 0 gives NaN. */
#ifndef BM_STATS_H
#define BM_STATS_H

#include "bm/base.h"

struct bm_interval {
    double low, high;
    double confidence; /* reached, >= the one asked for unless n is too small for it */
};

double bm_stats_median(const double *values, size_t n);
/* Median absolute deviation from the median, unscaled. */
double bm_stats_mad(const double *values, size_t n);
/* Linear interpolation between order statistics (Hyndman and Fan 1996, type 7); p in [0, 1]. */
double bm_stats_percentile(const double *values, size_t n, double p);
double bm_stats_mean(const double *values, size_t n);
/* Interpolated order-statistic interval of the median: Hettmansperger and Sheather, Statistics & Probability
 * Letters 4 (1986) 75-79. Where even the full range does not reach the confidence (n < 6 at 0.95), it is the
 * range, with the confidence that the range has: 1 - 2^(1-n). */
struct bm_interval bm_stats_median_interval(const double *values, size_t n, double confidence);

#endif
