/* Normal, Student's t and binomial distributions. */
#include "internal.h"

#define HALF_LOG_2PI 0.91893853320467274178
#define SQRT_2       1.41421356237309504880
#define SQRT_2PI     2.50662827463100050242

double bm_stats_normal_cdf(double x) {
    return 0.5 * erfc(-x / SQRT_2);
}

double bm_stats_normal_quantile(double p) {
    if (!(p >= 0 && p <= 1))
        return BM_NAN;
    if (p > 0.5)
        return -bm_stats_normal_quantile(1 - p);
    if (p == 0)
        return -BM_INFINITY;
    if (p == 0.5)
        return 0;
    /* Abramowitz and Stegun 26.2.23 to 4.5e-4, then Halley's method on the distribution function: each step
     * cubes the error. */
    double t = sqrt(-2 * log(p));
    double x =
        (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
    for (int step = 0; step < 3; step++) {
        double newton = (bm_stats_normal_cdf(x) - p) * SQRT_2PI * exp(x * x / 2);
        x -= newton / (1 + x * newton / 2);
    }
    return x;
}

/* log(n!) less Stirling's formula, n >= 0 not necessarily whole. */
static double stirling_error(double n) {
    if (n > 15) {
        double s = 1 / (n * n);
        return (1. / 12 - s * (1. / 360 - s * (1. / 1260 - s * (1. / 1680 - s / 1188)))) / n;
    }
    int sign;
    return lgamma_r(n + 1, &sign) - (n + 0.5) * log(n) + n - HALF_LOG_2PI;
}

/* x log(x / mean) + mean - x without cancellation where they are near. */
static double deviance(double x, double mean) {
    if (fabs(x - mean) >= 0.1 * (x + mean))
        return x * log(x / mean) + mean - x;
    double v = (x - mean) / (x + mean), sum = (x - mean) * v, term = 2 * x * v;
    for (int j = 3;; j += 2) {
        term *= v * v;
        double next = sum + term / j;
        if (!(fabs(next - sum) > 0))
            return next;
        sum = next;
    }
}

/* x^a y^b / B(a, b), y = 1 - x, by Loader's saddle-point form of the binomial probability (Fast and Accurate
 * Computation of Binomial Probabilities, 2000): plain differences of lgamma lose digits where a or b is
 * large. */
static double beta_kernel(double a, double b, double x, double y) {
    double n = a + b;
    double log_part =
        stirling_error(n) - stirling_error(a) - stirling_error(b) - deviance(a, n * x) - deviance(b, n * y);
    return exp(log_part) * sqrt(a * b / n) / SQRT_2PI;
}

/* Regularised incomplete beta function I_x(a, b), y = 1 - x: DLMF 8.17.22, its continued fraction evaluated
 * by the modified Lentz algorithm. */
static double incomplete_beta(double a, double b, double x, double y) {
    if (x <= 0)
        return 0;
    if (y <= 0)
        return 1;
    if (x > (a + 1) / (a + b + 2))
        return 1 - incomplete_beta(b, a, y, x);
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double fraction = d;
    for (int m = 1; m < 200000; m++) { /* needs about sqrt(max(a, b)) */
        double even = a + 2 * m, term = m * (b - m) * x / ((even - 1) * even);
        d = 1 + term * d;
        c = 1 + term / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        fraction *= c * d;
        term = -(a + m) * (a + b + m) * x / (even * (even + 1));
        d = 1 + term * d;
        c = 1 + term / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        fraction *= c * d;
        if (fabs(c * d - 1) < 1e-16)
            break;
    }
    return fmin(1, beta_kernel(a, b, x, y) / a * fraction);
}

/* Above this many degrees of freedom the continued fraction gathers rounding; the expansions around the
 * normal distribution (Abramowitz and Stegun 26.7.5 and its inverse, Hill 1970) are then good to 1e-12. */
#define NORMAL_FREEDOM 1e6

static double t_to_normal(double t, double v) {
    double s = t * t;
    return t * (1 - (s + 1) / (4 * v) + ((13 * s + 8) * s + 3) / (96 * v * v));
}

static double normal_to_t(double x, double v) {
    double s = x * x;
    return x * (1 + (s + 1) / (4 * v) + ((5 * s + 16) * s + 3) / (96 * v * v));
}

/* P(T > t), t > 0: I_{v / (v + t^2)}(v / 2, 1/2) / 2 (DLMF 8.17.5 with Abramowitz and Stegun 26.7.1); with
 * the density. */
static double t_tail(double t, double v, double *density) {
    double root = sqrt(v), x, y;
    if (t > root) { /* squares that do not overflow */
        double w = (root / t) * (root / t);
        x = w / (1 + w);
        y = 1 / (1 + w);
    } else {
        double w = (t / root) * (t / root);
        x = 1 / (1 + w);
        y = w / (1 + w);
    }
    if (density != NULL)
        *density = beta_kernel(v / 2, 0.5, x, y) / t;
    return incomplete_beta(v / 2, 0.5, x, y) / 2;
}

double bm_stats_t_cdf(double x, double freedom) {
    if (isnan(x) || !(freedom > 0))
        return BM_NAN;
    if (freedom > NORMAL_FREEDOM) /* beyond 100 both tails are 0 */
        return bm_stats_normal_cdf(fabs(x) < 100 ? t_to_normal(x, freedom) : x);
    if (x == 0)
        return 0.5;
    double tail = isinf(x) ? 0 : t_tail(fabs(x), freedom, NULL);
    return x < 0 ? tail : 1 - tail;
}

double bm_stats_t_quantile(double p, double freedom) {
    if (!(p >= 0 && p <= 1) || !(freedom > 0))
        return BM_NAN;
    if (p > 0.5)
        return -bm_stats_t_quantile(1 - p, freedom);
    double t = -bm_stats_normal_quantile(p);
    if (t == 0 || isinf(t))
        return -t;
    if (freedom > NORMAL_FREEDOM)
        return -normal_to_t(t, freedom);
    /* Newton's method from the normal quantile, which lies nearer to 0 than the root. Around the middle the
     * tail is convex and the steps never overshoot; far out log(tail) is concave in log(t), nearly straight,
     * and a step that overshoots returns from the other side. */
    for (int step = 0; step < 200; step++) {
        double density, tail = t_tail(t, freedom, &density);
        double next = p < 0.25 ? t * exp(log(tail / p) * tail / (t * density)) : t + (tail - p) / density;
        bool done = fabs(next - t) <= 1e-15 * fabs(t);
        t = next;
        if (done)
            break;
        if (!(t < 1e150)) /* where squares leave the range of double */
            return -BM_INFINITY;
    }
    return -t;
}

double bm_stats_binomial_cdf(size_t k, size_t n, double p) {
    if (!(p >= 0 && p <= 1))
        return BM_NAN;
    return k >= n ? 1 : incomplete_beta((double)(n - k), (double)k + 1, 1 - p, p);
}
