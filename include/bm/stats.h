/* bm/stats.h - floor 1: estimators, intervals, tests. Pure functions, no I/O. Each names its source.
 *
 * Conventions
 * - values are n doubles in any order unless "in order of time" is said; no function changes them.
 * - Functions that return double or struct bm_interval give NaN (in every field) for n == 0, for a NaN among
 * the values, for a parameter out of range and, beyond 64 values, where memory for a copy is short. They
 * order infinities like other numbers.
 * - Functions that return enum bm_status give BM_INVALID for too few values, for values that are not finite
 * (the message names the place) and for parameters out of range, BM_NO_MEMORY where scratch memory is short;
 * the result is then zeroed.
 * - confidence is two-sided, strictly between 0 and 1. Intervals are closed.
 * - "Exact" null distributions are used up to BM_STATS_EXACT_MAX values in a sample. */
#ifndef BM_STATS_H
#define BM_STATS_H

#include "bm/base.h"

#define BM_STATS_EXACT_MAX 50

struct bm_interval {
    double low, high;
    double confidence; /* reached, >= the one asked for unless n is too small for it */
};

/* An estimate of where a distribution (or a statistic of it) lies. */
struct bm_location {
    double estimate;
    struct bm_interval interval;
};

/* A borrowed sample. */
struct bm_observations {
    const double *values;
    size_t count;
};

/* ---- one sample ---- */

double bm_stats_median(const double *values, size_t n);
/* Median absolute deviation from the median, unscaled. */
double bm_stats_mad(const double *values, size_t n);
/* Linear interpolation between order statistics (Hyndman and Fan 1996, type 7); p in [0, 1]. */
double bm_stats_percentile(const double *values, size_t n, double p);
double bm_stats_mean(const double *values, size_t n);
/* Interpolated order-statistic interval of the median: Hettmansperger and Sheather, Statistics & Probability
 * Letters 4 (1986) 75-79. Where even the full range does not reach the confidence (n < 6 at 0.95), it is the
 * range, with the confidence that the range has: 1 - 2^(1-n). Where the two middle values of an even n reach
 * more than was asked for, it is them. */
struct bm_interval bm_stats_median_interval(const double *values, size_t n, double confidence);

/* ---- distributions: error below 1e-9, relative in lower tails (above 1e-80) and of quantiles away from 0
 * ---- */

/* Standard normal. The quantile of 0 and 1 is -inf and inf. */
double bm_stats_normal_cdf(double x);
double bm_stats_normal_quantile(double p);
/* Student's t with degrees of freedom > 0, not necessarily whole; infinite: normal. Quantiles beyond 1e150
 * are infinite. */
double bm_stats_t_cdf(double x, double freedom);
double bm_stats_t_quantile(double p, double freedom);
/* P(X <= k) of a binomial count X out of n with probability p: the regularised incomplete beta function
 * I_{1-p}(n - k, k + 1), DLMF 8.17.5. */
double bm_stats_binomial_cdf(size_t k, size_t n, double p);

/* ---- series: values in order of time ---- */

/* Lag-1 autocorrelation r of values around their mean, corrected to first order for its bias -(1 + 4 rho) / n
 * (Kendall, Biometrika 41 (1954) 403; Marriott and Pope, ibid. 390): r + (1 + 4r) / n, cut to [-1, 1].
 * Inverting the bias exactly, (nr + 1) / (n - 4), would remove the rest of it, at twice the noise for n = 8.
 * 0 where it says nothing: n < 4 or all values equal. NaN for values that are not finite. */
double bm_stats_autocorrelation(const double *values, size_t n);
/* How many independent values a first-order autoregressive series of n is worth for its mean:
 * n (1 - rho) / (1 + rho) (Bayley and Hammersley, JRSS Supplement 8 (1946) 184), in [1, n]: negative rho,
 * which would give more than n, is not trusted. */
double bm_stats_effective_count(size_t n, double rho);
/* bm_stats_median_interval for a series: each half-width, measured from the median, grows by sqrt(n /
 * effective count), because the standard error of a location estimate goes with 1 / sqrt(count). Order
 * statistics of n_eff values do not exist, so the width is scaled, not the rank. For a Gaussian series the
 * factor errs on the wide side: the median's own autocorrelations are (2 / pi) asin(rho^k) < rho^k. Where rho
 * is estimated from few values the price on independent ones is real: the interval is wider by a fifth at n =
 * 8, by a fifteenth at n = 48 (mean). */
struct bm_interval bm_stats_median_interval_serial(const double *values, size_t n, double confidence);

/* Mann-Kendall test of a monotonic trend (Mann, Econometrica 13 (1945) 245; Kendall, Rank Correlation
 * Methods, 1975). */
struct bm_trend {
    double s;   /* pairs that rise less pairs that fall */
    double tau; /* tau-b, 0 where all values are equal */
    double p;   /* two-sided, of no trend in independent values: autocorrelation makes it too small */
    bool exact; /* whether p is from the exact distribution */
};
/* n >= 2, time n^2. Exact without ties up to BM_STATS_EXACT_MAX; else normal, continuity-corrected, the
 * variance reduced for ties, which is fit for use from n = 10. */
enum bm_status bm_stats_trend(const double *values, size_t n, struct bm_trend *trend,
                              struct bm_error *error) BM_CHECK_RESULT;

/* MSER-5 (White, Simulation 69 (1997) 323; White, Cobb and Spratt, WSC 2000): means of batches of 5; the
 * batches to drop from the start are those that minimise sum (Z_j - mean)^2 / kept^2, looked for in the first
 * half. */
struct bm_truncation {
    size_t discard; /* leading values, a multiple of 5 */
    bool steady; /* false: fewer than 4 batches, or the minimum lies at the end of the search: the series may
                  * still be settling, and discard is only the least bad choice */
};
/* BM_INVALID for values that are not finite. Needs no memory. A remainder of n / 5 at the end is not looked
 * at. */
enum bm_status bm_stats_mser5(const double *values, size_t n, struct bm_truncation *truncation,
                              struct bm_error *error) BM_CHECK_RESULT;

/* ---- location: Hodges and Lehmann, Annals of Mathematical Statistics 34 (1963) 598 ----
 * Time n log n and n words of memory: pairs are counted, not stored. */

/* One sample (or paired differences): the median of the Walsh averages (x_i + x_j) / 2, i <= j, and the
 * interval that inverts the signed-rank test (Hollander and Wolfe, Nonparametric Statistical Methods, 3.3):
 * from the c-th smallest to the c-th largest average. It covers the centre of a symmetric distribution. c is
 * exact up to BM_STATS_EXACT_MAX, else normal with continuity correction. Ranks are whole, so the confidence
 * reached is mostly above the one asked for. Where no c reaches it (n < 6 at 0.95), the range of the values,
 * with its confidence 1 - 2^(1-n). Ties only raise the true confidence. n >= 1. */
enum bm_status bm_stats_hodges_lehmann(const double *values, size_t n, double confidence,
                                       struct bm_location *location, struct bm_error *error) BM_CHECK_RESULT;
/* Two samples: how far `to` lies above `from`, the median of all differences to_j - from_i, with the interval
 * that inverts the Mann-Whitney test (ibid., 4.3), under the same rules; the range's confidence is 1 - 2 /
 * C(m + n, m). Valid where the two distributions differ by a shift. */
enum bm_status bm_stats_shift(const struct bm_observations *from, const struct bm_observations *to,
                              double confidence, struct bm_location *location,
                              struct bm_error *error) BM_CHECK_RESULT;

/* ---- tests ---- */

enum bm_alternative { BM_TWO_SIDED, BM_GREATER, BM_LESS };

struct bm_rank_test {
    double statistic;
    double p;   /* two-sided: twice the smaller tail, at most 1 */
    bool exact; /* whether p is from the exact distribution */
};
/* Wilcoxon's signed-rank test of a centre at 0 (Biometrics Bulletin 1 (1945) 80); BM_GREATER: above 0. The
 * statistic is T+, the sum of the ranks of the positive values. Zeros are dropped, as Wilcoxon did; all
 * zeros: p = 1. Equal absolute values share their mean rank. Up to BM_STATS_EXACT_MAX values other than 0 p
 * is exact, given the ties (each of the 2^n signs equally likely); above, normal with continuity correction
 * and the variance reduced for ties. n >= 1. */
enum bm_status bm_stats_signed_rank(const double *values, size_t n, enum bm_alternative alternative,
                                    struct bm_rank_test *test, struct bm_error *error) BM_CHECK_RESULT;
/* Mann-Whitney test that a and b have one distribution (Annals of Mathematical Statistics 18 (1947) 50);
 * BM_GREATER: a tends to be larger. The statistic is U of a: the pairs with a_i > b_j, a tie counting half.
 * Exact without ties where neither sample is above BM_STATS_EXACT_MAX; else normal with continuity correction
 * and the variance reduced for ties. */
enum bm_status bm_stats_mann_whitney(const struct bm_observations *a, const struct bm_observations *b,
                                     enum bm_alternative alternative, struct bm_rank_test *test,
                                     struct bm_error *error) BM_CHECK_RESULT;

/* ---- many tests at once: p values in [0, 1] in any order; adjusted[n] may be p itself ---- */

/* Holm, Scandinavian Journal of Statistics 6 (1979) 65: reject where adjusted <= alpha; the chance of any
 * false rejection stays <= alpha whatever the dependence. */
enum bm_status bm_stats_holm(const double *p, size_t n, double *adjusted,
                             struct bm_error *error) BM_CHECK_RESULT;
/* Benjamini and Hochberg, JRSS B 57 (1995) 289: the expected share of false ones among the rejections stays
 * <= alpha for independent tests. */
enum bm_status bm_stats_benjamini_hochberg(const double *p, size_t n, double *adjusted,
                                           struct bm_error *error) BM_CHECK_RESULT;

/* ---- bootstrap ---- */

struct bm_bootstrap {
    /* A statistic of sample_count independent samples. Called first with the samples themselves, then with
     * `resamples` resampled sets, then with each value left out in turn (samples in their order). */
    double (*statistic)(void *context, const struct bm_observations *samples, size_t sample_count);
    void *context;
    size_t resamples;  /* at least 100; 2000 and more for 0.95 */
    double confidence; /* reached to second order, not guaranteed */
    uint64_t seed;     /* equal seeds give equal intervals */
};
/* Bias-corrected and accelerated interval: Efron, JASA 82 (1987) 171; for several samples Efron and
 * Tibshirani, An Introduction to the Bootstrap (1993), 14.3 with the acceleration of 15.36. Resamples equal
 * to the estimate count half for the bias correction (statistics of few values repeat). Samples have at least
 * 2 values. BM_INVALID also where the statistic is not finite for the samples or a resample. */
enum bm_status bm_stats_bootstrap(const struct bm_bootstrap *bootstrap, const struct bm_observations *samples,
                                  size_t sample_count, struct bm_location *location,
                                  struct bm_error *error) BM_CHECK_RESULT;

#endif
