/* Ceilings of a run: what a row of theirs says, which pattern is kept, and what remains after ten seconds.
 * Time is invented. */
#include "hand.h"

#include <stdlib.h>

TestSuite(ceilings, .init = hand_begin, .fini = hand_end);

static const struct bm_results_ceiling *only_ceiling(struct bm_case the_case, double ns) {
    hand_time(hand_add(HAND_POCL, &the_case), ns, 0.1);
    hand_fill();
    const struct bm_results_device *cpu = &hand.results.devices[HAND_CPU];
    cr_assert_eq(cpu->ceiling_count, 1);
    return &cpu->ceilings[0];
}

Test(ceilings, every_op_is_a_resource) {
    static const struct {
        const char *workload, *op, *resource, *pipe, *unit;
    } rows[] = {
        {"stream", "read", "memory_read", "", "GB/s"},
        {"stream", "write", "memory_write", "", "GB/s"},
        {"stream", "copy", "memory_copy", "", "GB/s"},
        {"stream", "triad", "memory_triad", "", "GB/s"},
        {"cache", "llc_read", "llc_read", "", "GB/s"},
        {"cache", "l2_read", "l2_read", "", "GB/s"},
        {"cache", "l1_read", "l1_read", "", "GB/s"},
        {"fma", "f64_vector", "fma", "f64_vector", "GFLOP/s"},
        {"fma", "i32_vector", "fma", "i32_vector", "GOP/s"},
        {"fma", "i8_dot", "fma", "i8_dot", "GOP/s"},
        {"fma", "i8_matrix", "fma", "i8_matrix", "GOP/s"},
        {"fma", "bf16_dot", "fma", "bf16_dot", "GFLOP/s"},
        {"launch", "empty", "launch_latency", "", "us"},
        {"launch", "wait", "wait_latency", "", "us"},
        {"transfer", "to_device", "transfer_to_device", "", "GB/s"},
        {"transfer", "from_device", "transfer_from_device", "", "GB/s"},
    };
    for (size_t i = 0; i < BM_COUNT_OF(rows); i++) {
        struct bm_case the_case = hand_ceiling(rows[i].workload, rows[i].op, 65536);
        the_case.hot = strcmp(rows[i].workload, "cache") == 0;
        hand_time(hand_add(HAND_POCL, &the_case), 1000, 0);
    }
    hand_fill();
    const struct bm_results_device *cpu = &hand.results.devices[HAND_CPU];
    cr_assert_eq(cpu->ceiling_count, BM_COUNT_OF(rows));
    for (size_t i = 0; i < BM_COUNT_OF(rows); i++) {
        cr_expect_str_eq(cpu->ceilings[i].resource, rows[i].resource);
        cr_expect_str_eq(cpu->ceilings[i].pipe, rows[i].pipe);
        cr_expect_str_eq(cpu->ceilings[i].unit, rows[i].unit, "%s", rows[i].op);
        cr_expect_gt(cpu->ceilings[i].value, 0);
        expect_unknown(cpu->ceilings[i].steady);
    }
}

Test(ceilings, of_a_part_say_which) {
    struct bm_case read = hand_ceiling("stream", "read", 1 << 20), parts[] = {read, read, read, read, read};
    static const char *const names[] = {"", "1 thread", "8 threads", "node 2", "small pages"};
    parts[1].threads = 1;
    parts[2].threads = 8;
    parts[3].node = 3;
    parts[4].small_pages = true;
    for (size_t i = 0; i < BM_COUNT_OF(parts); i++)
        hand_time(hand_add(HAND_POCL, &parts[i]), 1000, 0);
    hand_fill();
    const struct bm_results_device *cpu = &hand.results.devices[HAND_CPU];
    cr_assert_eq(cpu->ceiling_count, BM_COUNT_OF(parts));
    for (size_t i = 0; i < BM_COUNT_OF(parts); i++) {
        cr_expect_str_eq(cpu->ceilings[i].resource, "memory_read");
        cr_expect_str_eq(cpu->ceilings[i].part, names[i]);
    }
}

/* A latency grows with time, a rate shrinks. */
Test(ceilings, a_latency_is_a_time) {
    const struct bm_results_ceiling *ceiling = only_ceiling(hand_ceiling("launch", "empty", 0), 5000);
    const struct bm_results_row *row = &hand.results.rows[0];
    expect_near(ceiling->value, row->time.median / 1000);
    expect_near(ceiling->low, row->time.low / 1000);
    expect_near(ceiling->high, row->time.high / 1000);
    expect_near(ceiling->burst, 4.5);
    cr_expect(ceiling->burst < ceiling->low && ceiling->low < ceiling->value &&
              ceiling->value < ceiling->high);
}

Test(ceilings, steady_is_in_the_same_unit) {
    hand.steady_ns[0] = 20000;
    const struct bm_results_ceiling *ceiling = only_ceiling(hand_ceiling("stream", "read", 1 << 20), 10000);
    expect_near(ceiling->steady, 1048576 / 20000.0);
    hand.steady_ns[0] = 0;
}

/* ---- an invented device ---- */

struct bm_prepared {
    int64_t streams;
    unsigned runs;
};

static uint64_t now_ns;
static unsigned alive, prepared_count;
static struct {
    double ns[17];           /* per launch, by STREAMS */
    int64_t unfit, breaking; /* STREAMS that cannot be prepared, and that fail when run */
    uint64_t slow_from_ns;   /* from then on everything takes twice as long */
    double first_factor;     /* of the first block of each */
} device;

static enum bm_status prepare(struct bm_session *session, const struct bm_case *the_case,
                              const struct bm_parameters *parameters, struct bm_prepared **prepared,
                              struct bm_error *error) {
    (void)session;
    (void)the_case;
    const int64_t streams = bm_parameters_get(parameters, "STREAMS", 0);
    *prepared = NULL;
    if (streams == device.unfit)
        return bm_fail(error, BM_DEVICE, "does not compile");
    *prepared = calloc(1, sizeof **prepared);
    (*prepared)->streams = streams;
    alive++;
    prepared_count++;
    return BM_OK;
}

static void discard(struct bm_prepared *prepared) {
    if (prepared != NULL)
        alive--;
    free(prepared);
}

static enum bm_status run_block(struct bm_prepared *prepared, uint64_t launches, struct bm_block *block,
                                struct bm_error *error) {
    if (prepared->streams == device.breaking)
        return bm_fail(error, BM_DEVICE, "lost");
    double ns = device.ns[prepared->streams] * (double)launches;
    if (device.slow_from_ns > 0 && now_ns >= device.slow_from_ns)
        ns *= 2;
    if (prepared->runs++ == 0)
        ns *= device.first_factor;
    *block = (struct bm_block){.start_ns = now_ns, .host_ns = (uint64_t)ns};
    now_ns += (uint64_t)ns;
    return BM_OK;
}

static const struct bm_target *target(const struct bm_session *session) {
    static const struct bm_target cpu = {.compute_units = 4,
                                         .max_group_items = 4096,
                                         .local_bytes = 65536,
                                         .max_allocation_bytes = UINT64_C(1) << 34};
    (void)session;
    return &cpu;
}

static const struct bm_backend invented = {
    .name = "invented", .prepare = prepare, .discard = discard, .run = run_block, .target = target};

static uint64_t read_now(void *context) {
    (void)context;
    return now_ns;
}
static const struct bm_clock invented_clock = {.now_ns = read_now};

static void begin(void) {
    hand_begin();
    now_ns = 1000;
    alive = prepared_count = 0;
    memset(&device, 0, sizeof device);
    device.unfit = device.breaking = -1;
    device.first_factor = 1;
    for (size_t streams = 0; streams < BM_COUNT_OF(device.ns); streams++)
        device.ns[streams] = 9e6;
}

static int64_t streams_kept_of(double budget_s, size_t ceilings) {
    struct bm_case the_case = hand_ceiling("stream", "read", 1 << 24);
    struct bm_parameters best = {0};
    bool found = bm_run_calibrate(&invented, NULL, &the_case, budget_s, ceilings, &best);
    cr_expect_eq(alive, 0, "what was prepared for a trial is discarded");
    return found ? bm_parameters_get(&best, "STREAMS", -1) : 0;
}

static int64_t streams_kept(double budget_s) {
    return streams_kept_of(budget_s, 1);
}

TestSuite(calibrate, .init = begin, .fini = hand_end);

Test(calibrate, the_fastest_is_kept) {
    static const int64_t offered[] = {1, 2, 4, 8};
    for (size_t i = 0; i < BM_COUNT_OF(offered); i++) {
        hand_end();
        begin();
        device.ns[offered[i]] = 8e6;
        device.first_factor = 100; /* compiling says nothing */
        cr_expect_eq(streams_kept(45), offered[i]);
        hand_end();
    }
    hand_begin();
}

Test(calibrate, what_does_not_fit_or_breaks_falls_out) {
    device.ns[1] = 1e6;
    device.ns[2] = 2e6;
    device.ns[8] = 3e6;
    device.unfit = 1;
    cr_expect_eq(streams_kept(45), 2);
    device.breaking = 2;
    cr_expect_eq(streams_kept(45), 8);
}

Test(calibrate, blocks_are_long_and_few) {
    for (size_t streams = 0; streams < BM_COUNT_OF(device.ns); streams++)
        device.ns[streams] = 1000;
    cr_expect_gt(streams_kept(45), 0);
    cr_expect_lt(now_ns, 2e9, "%g s", (double)now_ns / 1e9);
    cr_expect_gt(now_ns, prepared_count * 20e6, "a block of 20 ms for each at least");
}

/* A device of half a second a launch: after a launch of each, trials end at a fortieth of the budget. */
Test(calibrate, slow_launches_are_tried_once) {
    for (size_t streams = 0; streams < BM_COUNT_OF(device.ns); streams++)
        device.ns[streams] = 5e8;
    device.ns[2] = 4e8;
    cr_expect_eq(streams_kept(45), 2);
    cr_expect_lt(now_ns, 5e9, "%g s", (double)now_ns / 1e9);
}

/* Trials of all ceilings together get a tenth of the budget, one of few a fortieth. */
Test(calibrate, many_ceilings_share_the_time) {
    uint64_t took[3];
    const size_t counts[] = {1, 4, 16};
    for (size_t i = 0; i < 3; i++) {
        const uint64_t before = now_ns;
        for (size_t streams = 0; streams < BM_COUNT_OF(device.ns); streams++)
            device.ns[streams] = 1e8;
        cr_expect_gt(streams_kept_of(45, counts[i]), 0);
        took[i] = now_ns - before;
    }
    cr_expect_eq(took[0], took[1]);
    cr_expect_lt(took[2], took[1]);
    cr_expect_leq(took[2], 9e8 + 45e9 / 160, "a launch of each of the candidates, then its share");
}

Test(calibrate, nothing_in_a_run_of_seconds_or_without_a_choice) {
    cr_expect_eq(streams_kept(9.9), 0);
    cr_expect_eq(prepared_count, 0);
    struct bm_case launch = hand_ceiling("launch", "empty", 0);
    struct bm_parameters best;
    cr_expect_not(bm_run_calibrate(&invented, NULL, &launch, 45, 4, &best));
    cr_expect_eq(prepared_count, 0);
}

Test(calibrate, all_fail) {
    device.unfit = 4;
    for (size_t i = 0; i < BM_COUNT_OF(device.ns); i++)
        device.ns[i] = 0; /* no time is seen */
    cr_expect_eq(streams_kept(45), 0);
}

/* ---- held for ten seconds ---- */

static struct bm_prepared held_prepared = {.streams = 1};

/* memory_read and f32 arithmetic, and one that is not held. */
static void add_held(void) {
    hand_inventory.endpoints[HAND_POCL].backend = &invented;
    hand_ceilings(HAND_POCL, 20, 1000);
    struct bm_case copy = hand_ceiling("stream", "copy", 1 << 20);
    hand_time(hand_add(HAND_POCL, &copy), 1e6, 0);
    for (size_t i = 0; i < 3; i++)
        hand.states[i].prepared = &held_prepared;
    device.ns[1] = 50000;
}

TestSuite(hold, .init = begin, .fini = hand_end);

Test(hold, takes_a_sixth_of_the_budget_at_most) {
    add_held();
    hand_plan.budget_s = 120;
    cr_expect_eq(bm_run_hold_seconds(&hand), 20);
    hand_plan.budget_s = 119;
    cr_expect_eq(bm_run_hold_seconds(&hand), 0);
    cr_assert_eq(bm_run_hold(&hand, &invented_clock, NULL), BM_OK);
    cr_expect_eq(now_ns, 1000, "nothing is run");
    cr_expect_eq(hand.steady_ns[0], 0);
}

Test(hold, the_second_half_counts) {
    add_held();
    hand_plan.budget_s = 300;
    device.slow_from_ns = 1000 + UINT64_C(5000000000); /* where the first one's second half begins */
    cr_assert_eq(bm_run_hold(&hand, &invented_clock, NULL), BM_OK);
    cr_expect(fabs(hand.steady_ns[0] / 100000 - 1) < 0.05, "%g", hand.steady_ns[0]);
    cr_expect(fabs(hand.steady_ns[1] / 100000 - 1) < 1e-9, "%g", hand.steady_ns[1]);
    cr_expect_eq(hand.steady_ns[2], 0);
    cr_expect(now_ns > 20e9 && now_ns < 22e9, "%g s", (double)now_ns / 1e9);
    hand.steady_ns[0] = hand.steady_ns[1] = 0;
}

Test(hold, a_failure_leaves_it_unknown) {
    add_held();
    hand_plan.budget_s = 300;
    device.breaking = 1;
    cr_expect_eq(bm_run_hold(&hand, &invented_clock, NULL), BM_OK);
    cr_expect_eq(hand.steady_ns[0], 0);
}

static bool stop_after_three(void *context) {
    unsigned *asked = context;
    return ++*asked > 3;
}
static void ignore(void *context, const struct bm_run_progress *progress) {
    (void)context;
    cr_expect_eq(progress->done, progress->total);
    cr_expect_leq(progress->seconds_left, 10);
}

Test(hold, a_signal_ends_it) {
    unsigned asked = 0;
    const struct bm_run_observer observer = {
        .progress = ignore, .stop_requested = stop_after_three, .context = &asked};
    add_held();
    hand_plan.budget_s = 300;
    hand.observer = &observer;
    cr_expect_eq(bm_run_hold(&hand, &invented_clock, NULL), BM_INTERRUPTED);
    cr_expect_lt(now_ns, 3e9);
    cr_expect_eq(hand.steady_ns[0], 0);
}
