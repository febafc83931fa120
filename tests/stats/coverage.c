/* What the intervals promise, on invented values with a fixed seed. */
#include "near.h"

enum { DRAWS = 20000, MOST = 48 };
static const size_t counts[] = {8, 12, 16, 24, 32, 48};

/* First-order autoregressive series of unit variance; rho 0: independent. */
static void draw(struct bm_random *random, double rho, double *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = i == 0 ? bm_random_normal(random)
                      : rho * x[i - 1] + sqrt(1 - rho * rho) * bm_random_normal(random);
}

static double t_width(const double *x, size_t n, double t) {
    double mean = bm_stats_mean(x, n), squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    return 2 * t * sqrt(squares / (double)((n - 1) * n));
}

Test(coverage, median_interval_of_independent_values) {
    struct bm_random random;
    bm_random_init(&random, 20260131);
    for (size_t c = 0; c < BM_COUNT_OF(counts); c++) {
        size_t n = counts[c];
        double t = bm_stats_t_quantile(0.975, (double)n - 1), width = 0, student = 0;
        int normal = 0, lognormal = 0;
        for (int i = 0; i < DRAWS; i++) {
            double x[MOST];
            draw(&random, 0, x, n);
            struct bm_interval interval = bm_stats_median_interval(x, n, 0.95);
            normal += interval.low <= 0 && 0 <= interval.high;
            width += interval.high - interval.low;
            student += t_width(x, n, t);
            for (size_t j = 0; j < n; j++)
                x[j] = exp(x[j]);
            interval = bm_stats_median_interval(x, n, 0.95);
            lognormal += interval.low <= 1 && 1 <= interval.high;
        }
        cr_expect(normal >= 0.93 * DRAWS && normal <= 0.97 * DRAWS, "normal, n %zu: %d of %d", n, normal,
                  DRAWS);
        cr_expect(lognormal >= 0.93 * DRAWS && lognormal <= 0.97 * DRAWS, "lognormal, n %zu: %d of %d", n,
                  lognormal, DRAWS);
        cr_expect(width <= 1.25 * student, "n %zu: %g times the t interval", n, width / student);
    }
}

Test(coverage, median_interval_of_series) {
    struct bm_random random;
    bm_random_init(&random, 20260201);
    for (size_t c = 0; c < BM_COUNT_OF(counts); c++) {
        size_t n = counts[c];
        int covered = 0, plain = 0, independent = 0;
        double width = 0, plain_width = 0;
        for (int i = 0; i < DRAWS; i++) {
            double x[MOST];
            draw(&random, 0.3, x, n);
            struct bm_interval interval = bm_stats_median_interval_serial(x, n, 0.95);
            covered += interval.low <= 0 && 0 <= interval.high;
            interval = bm_stats_median_interval(x, n, 0.95);
            plain += interval.low <= 0 && 0 <= interval.high;
            draw(&random, 0, x, n);
            interval = bm_stats_median_interval_serial(x, n, 0.95);
            independent += interval.low <= 0 && 0 <= interval.high;
            width += interval.high - interval.low;
            interval = bm_stats_median_interval(x, n, 0.95);
            plain_width += interval.high - interval.low;
        }
        cr_expect(covered >= 0.90 * DRAWS, "n %zu: %d of %d", n, covered, DRAWS);
        cr_expect(plain < 0.90 * DRAWS, "n %zu: without the correction it is %d of %d", n, plain, DRAWS);
        cr_expect(independent >= 0.94 * DRAWS && width <= 1.3 * plain_width,
                  "n %zu: the price on independent values is %g of the width", n, width / plain_width);
    }
}

/* Both rank intervals, exact and approximate, on symmetric and skewed values. */
Test(coverage, hodges_lehmann_intervals) {
    struct bm_random random;
    bm_random_init(&random, 20260202);
    enum { RUNS = 2000 };
    static const size_t sizes[] = {8, 12, 20, 55};
    for (size_t c = 0; c < BM_COUNT_OF(sizes); c++) {
        size_t n = sizes[c];
        int one = 0, two = 0;
        for (int i = 0; i < RUNS; i++) {
            double x[55], y[55];
            draw(&random, 0, x, n);
            draw(&random, 0, y, n);
            struct bm_location location;
            cr_assert_eq(bm_stats_hodges_lehmann(x, n, 0.95, &location, NULL), BM_OK);
            one += location.interval.low <= 0 && 0 <= location.interval.high;
            for (size_t j = 0; j < n; j++) {
                x[j] = exp(x[j]);
                y[j] = exp(y[j]) + 2;
            }
            struct bm_observations from = {x, n}, to = {y, n};
            if (n == 20)
                continue; /* the exact two-sample distribution is slow to make, and n = 12 has shown it */
            cr_assert_eq(bm_stats_shift(&from, &to, 0.95, &location, NULL), BM_OK);
            two += location.interval.low <= 2 && 2 <= location.interval.high;
        }
        /* at least the confidence, less three standard errors of 2000 runs */
        cr_expect(one >= 0.935 * RUNS && one <= 0.98 * RUNS, "one sample, n %zu: %d of %d", n, one, RUNS);
        if (n != 20)
            cr_expect(two >= 0.935 * RUNS && two <= 0.98 * RUNS, "two samples, n %zu: %d of %d", n, two,
                      RUNS);
    }
}
