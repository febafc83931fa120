/* The sampler on the rounds of real runs: noise that no model of ours made up. */
#include <criterion/criterion.h>
#include <math.h>

#include "simulation.h"
#include "traces.h"

static struct sim sim;

/* Plays a trace from a random place on; the truth is 1: the median of the whole trace. */
static void replay(const struct trace *trace, uint64_t seed, double target, struct bm_series *series,
                   struct bm_estimate *estimate) {
    struct bm_sampler_options options = bm_sampler_defaults;
    options.target_half_width = target;
    options.seed = seed;
    sim_init(&sim, seed);
    sim.items[0].trace = trace->time;
    sim.items[0].trace_count = trace->count;
    sim.items[0].trace_at = (size_t)bm_random_below(&sim.random, trace->count);
    cr_assert_eq(sim_run(&sim, &options, series, 1), BM_OK);
    bm_series_estimate(series, 0, estimate);
}

Test(replay, the_interval_holds_the_median_of_the_trace) {
    enum { SEEDS = 40 };
    size_t held = 0, runs = 0;
    for (size_t t = 0; t < BM_COUNT_OF(traces); t++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct bm_series series = {0};
            struct bm_estimate estimate;
            replay(&traces[t], seed, 0.01, &series, &estimate);
            double truth = sim.items[0].launch_ns;
            held += estimate.interval.low <= truth && truth <= estimate.interval.high;
            runs++;
            bm_series_fini(&series);
        }
    cr_assert_gt(runs, 100);
    cr_expect_geq((double)held / (double)runs, 0.88, "%zu of %zu", held, runs);
}

/* By their timestamps, so that what slowed the machine for seconds slows as many rounds as then. Beside seven
 * others rounds spread over the whole trace. */
Test(replay, rounds_spread_over_the_time_of_a_trace_hold_its_median) {
    enum { SEEDS = 10 };
    size_t held = 0, runs = 0;
    for (size_t t = 0; t < BM_COUNT_OF(traces); t++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct bm_series series[SIM_ITEMS] = {0};
            struct bm_estimate estimate;
            struct bm_sampler_options options = bm_sampler_defaults;
            options.seed = seed;
            options.target_half_width = 1e-9;
            sim_init(&sim, seed);
            for (size_t i = 0; i < SIM_ITEMS; i++)
                sim.items[i].launch_ns = 4e7;
            sim.items[0].trace = traces[t].time;
            sim.items[0].trace_ms = traces[t].start_ms;
            sim.items[0].trace_count = traces[t].count;
            sim.items[0].trace_at = (size_t)bm_random_below(&sim.random, 60000);
            cr_assert_eq(sim_run(&sim, &options, series, SIM_ITEMS), BM_OK);
            bm_series_estimate(&series[0], 0, &estimate);
            const double truth = sim.items[0].launch_ns;
            held += estimate.interval.low <= truth && truth <= estimate.interval.high;
            runs++;
            sim_free(series, SIM_ITEMS);
        }
    cr_expect_geq((double)held / (double)runs, 0.88, "%zu of %zu", held, runs);
}

Test(replay, converged_means_tight) {
    for (size_t t = 0; t < BM_COUNT_OF(traces); t++)
        for (uint64_t seed = 1; seed <= 10; seed++) {
            struct bm_series series = {0};
            struct bm_estimate estimate;
            replay(&traces[t], seed, 0.01, &series, &estimate);
            cr_expect_eq((series.flags & BM_FLAG_NOT_CONVERGED) == 0, estimate.half_width <= 0.01);
            bm_series_fini(&series);
        }
}
