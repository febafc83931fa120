/* Shared within src/stats. */
#ifndef BM_STATS_INTERNAL_H
#define BM_STATS_INTERNAL_H

#include "bm/stats.h"

#include <math.h>

/* The macros of <math.h> are floats, whose promotion clang reports. */
#define BM_NAN      ((double)NAN)
#define BM_INFINITY ((double)INFINITY)

/* ---- order.c ---- */

int bm_double_compare(const void *a, const void *b);
/* BM_INVALID unless there are at least minimum values, all finite; name is the function's, for the message.
 */
enum bm_status bm_observations_check(const char *name, const double *values, size_t n, size_t minimum,
                                     struct bm_error *error);
enum bm_status bm_confidence_check(const char *name, double confidence, struct bm_error *error);
/* A sorted copy to free, of values without NaN. */
enum bm_status bm_observations_sort(const double *values, size_t n, double **sorted, struct bm_error *error);
/* bm_stats_percentile of sorted values, n >= 1. */
double bm_sorted_percentile(const double *sorted, size_t n, double p);

/* ---- rank.c ---- */

struct bm_ranked {
    double value, rank; /* ranks from 1; equal values share their mean rank */
    size_t index;       /* the caller's own */
};
struct bm_ties {
    double pairs, cubes, fives; /* sums over groups of t equal values: t(t-1)/2, t^3-t, t(t-1)(2t+5) */
};
/* Sorts items by value, sets their ranks. */
struct bm_ties bm_rank(struct bm_ranked *items, size_t n);

/* ---- null.c: exact distributions under the null hypothesis, cumulative ---- */

/* Most values that a sum of doubled ranks of BM_STATS_EXACT_MAX items takes: 0 .. n(n+1). */
#define BM_SIGNED_RANK_SUMS (BM_STATS_EXACT_MAX * (BM_STATS_EXACT_MAX + 1) + 1)
/* cdf[s], 0 <= s <= sum of weights: the chance that the weights of randomly chosen ones of n <=
 * BM_STATS_EXACT_MAX items sum to at most s. Returns the sum of weights, < BM_SIGNED_RANK_SUMS. */
size_t bm_null_signed_rank(const size_t *weights, size_t n, double cdf[BM_SIGNED_RANK_SUMS]);
/* *cdf[u], 0 <= u <= mn: of Mann and Whitney's U without ties. To free. m, n in 1 .. BM_STATS_EXACT_MAX. */
enum bm_status bm_null_mann_whitney(size_t m, size_t n, double **cdf, struct bm_error *error);
#define BM_INVERSION_COUNTS (BM_STATS_EXACT_MAX * (BM_STATS_EXACT_MAX - 1) / 2 + 1)
/* cdf[k], 0 <= k <= n(n-1)/2: of the inversions of a random order of n <= BM_STATS_EXACT_MAX values. */
void bm_null_inversions(size_t n, double cdf[BM_INVERSION_COUNTS]);
/* p of a statistic: lower and upper are the chances of a value at most and at least as large. */
double bm_p_value(double lower, double upper, enum bm_alternative alternative);
/* The same from the normal distribution; deviation is from the mean, shrunk by 1/2 towards it for continuity
 * (steps of the statistic are 1; Kendall's S steps by 2, its caller halves it). */
double bm_p_value_normal(double deviation, double variance, enum bm_alternative alternative);

#endif
