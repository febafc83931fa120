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

static unsigned warnings;
static void count_warnings(void *context, enum bm_log_level level, const char *message) {
    (void)context;
    warnings += level == BM_LOG_WARNING && strstr(message, "the clock fell back by ") != NULL;
}

/* Once, in warm-up or in a pass: the block is lost, the budget is kept, and rounds stay in order. */
Test(clocks, a_clock_that_falls_back_is_followed_and_said) {
    static const size_t blocks[] = {1, 5, 40, 41};
    for (size_t b = 0; b < BM_COUNT_OF(blocks); b++) {
        struct bm_series series[2] = {0};
        struct bm_sampler_options options = bm_sampler_defaults;
        sim_init(&sim, 8);
        sim.now_ns = UINT64_C(200000000000);
        sim.jump_at = blocks[b];
        sim.jump_ns = UINT64_C(100000000000);
        sim.items[0].noise = sim.items[1].noise = 0.3; /* never tight */
        sim.items[0].launch_ns = sim.items[1].launch_ns = 2e8;
        options.budget_s = 20;
        warnings = 0;
        bm_log_set_sink(count_warnings, NULL);
        cr_assert_eq(sim_run(&sim, &options, series, 2), BM_OK);
        cr_expect_eq(warnings, 1);
        cr_expect_leq((double)sim.passed_ns / 1e9, 22, "%g s of 20", (double)sim.passed_ns / 1e9);
        cr_expect_geq((double)sim.passed_ns / 1e9, 15);
        for (size_t i = 0; i < 2; i++) {
            cr_expect_not(series[i].failed);
            for (size_t r = 1; r < series[i].count; r++)
                cr_expect_gt(series[i].rounds[r].start_ns, series[i].rounds[r - 1].start_ns);
        }
        sim_free(series, 2);
    }
}

/* A timer of the device that is coarser than the clock decides. */
Test(clocks, a_coarse_device_timer_gets_long_blocks) {
    struct bm_series series[1] = {0};
    struct bm_sampler_options options = bm_sampler_defaults;
    sim_init(&sim, 9);
    options.timer_resolution_ns = 100000;
    cr_assert_eq(sim_run(&sim, &options, series, 1), BM_OK);
    cr_expect_geq(series[0].rounds[0].ns, 100000000);
    cr_expect_eq(series[0].flags & BM_FLAG_RESOLUTION_LIMITED, 0);
    sim_free(series, 1);
}

/* A first figure that is a hundredth of the truth makes no block of seconds. */
Test(clocks, a_wrong_first_figure_makes_no_long_block) {
    struct bm_series series[1] = {0};
    sim_init(&sim, 10);
    sim.items[0].first_factor = 0.01;
    cr_assert_eq(sim_run(&sim, &bm_sampler_defaults, series, 1), BM_OK);
    cr_expect_lt(sim.longest_ns, 50000000, "%g ms", (double)sim.longest_ns / 1e6);
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

static double device_share; /* of the host's figure */

static enum bm_status disagree(void *context, size_t item, uint64_t launches, struct bm_timing *timing,
                               struct bm_error *error) {
    (void)item;
    (void)error;
    struct sim *machine = context;
    uint64_t start = machine->now_ns;
    machine->now_ns += 30000000 * launches;
    const uint64_t host_ns = machine->now_ns - start;
    *timing = (struct bm_timing){
        .start_ns = start, .host_ns = host_ns, .device_ns = (uint64_t)(device_share * (double)host_ns)};
    return BM_OK;
}

Test(clocks, timers_that_disagree_are_said_and_the_host_is_believed) {
    static const struct {
        double share;
        bool believed;
    } cases[] = {{0.5, false}, {0.74, false}, {0.76, true}, {1, true}, {1.009, true}, {1.02, false}};
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
        struct bm_series series[1] = {0};
        struct bm_estimate estimate;
        sim_init(&sim, 7);
        struct bm_clock clock = sim_clock(&sim);
        struct bm_work work = {.run = disagree, .context = &sim};
        device_share = cases[i].share;
        cr_assert_eq(bm_sampler_run(&bm_sampler_defaults, &clock, &work, NULL, NULL, series, 1, NULL), BM_OK);
        bm_series_estimate(&series[0], 0, &estimate);
        cr_expect_eq((series[0].flags & BM_FLAG_TIMER_DISAGREES) == 0, cases[i].believed, "%g", device_share);
        cr_expect_float_eq(estimate.median_ns, 3e7 * (cases[i].believed ? device_share : 1), 1);
        sim_free(series, 1);
    }
}
