/* Whether the reported 95 % interval holds the truth as often as it says, through the whole sampler. */
#include <criterion/criterion.h>
#include <math.h>

#include "simulation.h"

static struct sim sim;

struct coverage {
    double share;           /* of runs whose interval holds the true time */
    double width_against_t; /* mean width over that of the t interval of the same rounds */
};

static double t_width(const struct bm_series *series) {
    double sum = 0, squares = 0, n = (double)series->count;
    for (size_t i = 0; i < series->count; i++)
        sum += log((double)series->rounds[i].ns / (double)series->rounds[i].launches);
    for (size_t i = 0; i < series->count; i++) {
        double off = log((double)series->rounds[i].ns / (double)series->rounds[i].launches) - sum / n;
        squares += off * off;
    }
    return 2 * bm_stats_t_quantile(0.975, n - 1) * sqrt(squares / (n - 1) / n);
}

static struct coverage cover(double noise, double rho, double target, unsigned runs) {
    struct coverage coverage = {0};
    double widths = 0, t_widths = 0;
    unsigned held = 0;
    for (unsigned seed = 1; seed <= runs; seed++) {
        struct bm_series series[1] = {0};
        struct bm_estimate estimate;
        struct bm_sampler_options options = bm_sampler_defaults;
        options.target_half_width = target;
        options.seed = seed;
        sim_init(&sim, seed);
        sim.items[0].noise = noise;
        sim.items[0].rho = rho;
        cr_assert_eq(sim_run(&sim, &options, series, 1), BM_OK);
        bm_series_estimate(&series[0], 0, &estimate);
        held += estimate.interval.low <= sim.items[0].launch_ns &&
                sim.items[0].launch_ns <= estimate.interval.high;
        widths += log(estimate.interval.high / estimate.interval.low);
        t_widths += t_width(&series[0]);
        sim_free(series, 1);
    }
    coverage.share = (double)held / runs;
    coverage.width_against_t = widths / t_widths;
    return coverage;
}

enum { RUNS = 1000 };

Test(coverage, of_independent_rounds_with_a_fixed_count) {
    struct coverage coverage = cover(0.05, 0, 1e-9, RUNS); /* never tight: 96 rounds */
    cr_expect_geq(coverage.share, 0.93, "%.3f", coverage.share);
    cr_expect_leq(coverage.width_against_t, 1.25 * 1.0667, "%.3f", coverage.width_against_t);
}

Test(coverage, of_independent_rounds_with_stopping) {
    struct coverage coverage = cover(0.02, 0, 0.01, RUNS);
    cr_expect_geq(coverage.share, 0.93, "%.3f", coverage.share);
}

Test(coverage, of_autocorrelated_rounds) {
    struct coverage coverage = cover(0.05, 0.3, 1e-9, RUNS);
    cr_expect_geq(coverage.share, 0.88, "%.3f", coverage.share);
}
