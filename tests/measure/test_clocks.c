#include <criterion/criterion.h>
#include <string.h>

#include "simulation.h"

static struct sim sim;

Test(clocks, resolution_is_the_smallest_step) {
    sim_init(&sim, 1);
    struct bm_clock clock = sim_clock(&sim);
    cr_expect_eq(bm_clock_resolution(&clock), 25);
    sim.grain_ns = 1000000;
    cr_expect_eq(bm_clock_resolution(&clock), 1000000);
    sim.stopped = true;
    cr_expect_eq(bm_clock_resolution(&clock), 0);
    cr_expect_gt(bm_clock_resolution(&bm_clock_monotonic), 0);
    cr_expect_lt(bm_clock_resolution(&bm_clock_monotonic), 1000000);
}

Test(clocks, a_coarse_clock_gets_long_blocks) {
    struct bm_series series[2] = {0};
    struct bm_sampler_options options = bm_sampler_defaults;
    sim_init(&sim, 2);
    sim.grain_ns = 1000000;
    options.budget_s = 120;
    cr_assert_eq(sim_run(&sim, &options, series, 2), BM_OK);
    for (size_t i = 0; i < 2; i++) {
        cr_expect_geq(series[i].rounds[0].ns, 950000000);
        cr_expect_eq(series[i].flags & BM_FLAG_RESOLUTION_LIMITED, 0);
    }
    sim_free(series, 2);
}

Test(clocks, too_short_blocks_are_said) {
    struct bm_series series[1] = {0};
    struct bm_sampler_options options = bm_sampler_defaults;
    sim_init(&sim, 3);
    sim.items[0].launch_ns = 100; /* the most launches, 2^20, last 0.1 s */
    sim.grain_ns = 1000000;
    cr_assert_eq(sim_run(&sim, &options, series, 1), BM_OK);
    cr_expect(series[0].flags & BM_FLAG_RESOLUTION_LIMITED);
    sim_free(series, 1);
}

Test(clocks, a_clock_that_stands_still_fails_the_item) {
    struct bm_series series[2] = {0};
    struct bm_sampler_options options = bm_sampler_defaults;
    sim_init(&sim, 4);
    sim.stopped = true;
    cr_assert_eq(sim_run(&sim, &options, series, 2), BM_OK);
    for (size_t i = 0; i < 2; i++) {
        cr_expect(series[i].failed);
        cr_expect_eq(series[i].count, 0);
        cr_expect_not_null(strstr(series[i].error.message, "no timer moved"));
    }
    sim_free(series, 2);
}

Test(clocks, a_clock_that_runs_backwards_fails_the_item) {
    struct bm_series series[1] = {0};
    struct bm_sampler_options options = bm_sampler_defaults;
    sim_init(&sim, 5);
    sim.backwards = true;
    cr_assert_eq(sim_run(&sim, &options, series, 1), BM_OK);
    cr_expect(series[0].failed);
    sim_free(series, 1);
}

Test(clocks, a_device_timer_survives_a_dead_host_clock) {
    struct bm_series series[2] = {0};
    struct bm_sampler_options options = bm_sampler_defaults;
    sim_init(&sim, 6);
    sim.stopped = true;
    sim.device_timer = true;
    cr_assert_eq(sim_run(&sim, &options, series, 2), BM_OK);
    for (size_t i = 0; i < 2; i++) {
        cr_expect_not(series[i].failed);
        cr_expect_geq(series[i].count, 8);
        cr_expect(series[i].flags & BM_FLAG_RESOLUTION_LIMITED, "the host clock's failure must be said");
    }
    sim_free(series, 2);
}

static enum bm_status disagree(void *context, size_t item, uint64_t launches, struct bm_timing *timing,
                               struct bm_error *error) {
    (void)item;
    (void)error;
    struct sim *machine = context;
    uint64_t start = machine->now_ns;
    machine->now_ns += 30000000 * launches;
    *timing = (struct bm_timing){
        .start_ns = start, .host_ns = machine->now_ns - start, .device_ns = (machine->now_ns - start) / 2};
    return BM_OK;
}

Test(clocks, timers_that_disagree_are_said_and_the_host_is_believed) {
    struct bm_series series[1] = {0};
    struct bm_estimate estimate;
    sim_init(&sim, 7);
    struct bm_clock clock = sim_clock(&sim);
    struct bm_work work = {.run = disagree, .context = &sim};
    cr_assert_eq(bm_sampler_run(&bm_sampler_defaults, &clock, &work, NULL, NULL, series, 1, NULL), BM_OK);
    bm_series_estimate(&series[0], 0, &estimate);
    cr_expect(series[0].flags & BM_FLAG_TIMER_DISAGREES);
    cr_expect_float_eq(estimate.median_ns, 3e7, 1);
    sim_free(series, 1);
}
