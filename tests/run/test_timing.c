/* Timing with what follows from it: a row above its ceiling is measured once more. The backend is invented,
 * and its blocks take no time; the sampler, the control and the clock are real, so counts of rounds are not
 * known. */
#include "hand.h"

enum { READ, FMA, COPY, ROW, OTHER, ITEMS };

/* The gemm of test_utilization.c: at 20 GB/s memory takes 27852.8 ns. */
enum { BYTES = 557056 };

struct bm_prepared {
    size_t item;
};

static struct {
    struct bm_prepared prepared[ITEMS];
    double ns[ITEMS]; /* of a launch */
    double first_ns;  /* of the row's, until it was found implausible */
    uint64_t spent_ns;
    size_t later[ITEMS];  /* blocks after that */
    bool late;            /* the budget ends with the row's eighth round */
    unsigned slow_passes; /* memory is slower in the first ones */
} device;

static bool is_found(void) {
    return hand.results.rows[ROW].status == BM_ROW_INVALID;
}

static enum bm_status run_block(struct bm_prepared *prepared, uint64_t launches, struct bm_block *block,
                                struct bm_error *error) {
    (void)error;
    const bool first = prepared->item == ROW && !is_found() && device.first_ns > 0;
    const double slower = hand.series[READ].count < device.slow_passes ? 1.6 : 1;
    const double ns = (first ? device.first_ns : device.ns[prepared->item]) * slower * (double)launches;
    *block = (struct bm_block){.start_ns = bm_clock_now(&bm_clock_monotonic) + device.spent_ns,
                               .host_ns = (uint64_t)ns};
    device.spent_ns += (uint64_t)ns;
    device.later[prepared->item] += is_found();
    if (device.late && first && hand.series[ROW].count == 7)
        hand.start_ns -= UINT64_C(100000000000);
    return BM_OK;
}

static const struct bm_backend invented = {.name = "invented", .run = run_block};

static void add(const struct bm_case *the_case, double ns) {
    const size_t item = hand_add(HAND_POCL, the_case);
    device.prepared[item].item = item;
    device.ns[item] = ns;
    hand.states[item].prepared = &device.prepared[item];
}

static void begin(void) {
    const struct bm_case read = hand_ceiling("stream", "read", 1 << 20),
                         fma = hand_ceiling("fma", "f32_vector", 0),
                         copy = hand_ceiling("stream", "copy", 1 << 20);
    struct bm_case row = hand_gemm("ffn_down", "f32", 64, 256, 384),
                   other = hand_gemm("ffn_up", "f32", 64, 256, 384);
    hand_begin();
    memset(&device, 0, sizeof device);
    hand_inventory.endpoints[HAND_POCL].backend = &invented;
    hand_plan.target_half_width = 0.01;
    add(&read, read.workload->bytes(&read) / 20.0);
    add(&fma, fma.workload->flops(&fma) / 1000.0);
    add(&copy, copy.workload->bytes(&copy) / 20.0);
    add(&row, 30000);
    add(&other, 31000);
    hand.start_ns = bm_clock_now(&bm_clock_monotonic);
}

static void end(void) {
    bm_control_destroy(hand.control);
    hand.control = NULL;
    hand_end();
}

TestSuite(timing, .init = begin, .fini = end);

static void time_all(void) {
    struct bm_error error = {0};
    cr_assert_eq(bm_run_time(&hand, &error), BM_OK, "%s", error.message);
    cr_assert_eq(bm_run_refresh(&hand, &error), BM_OK, "%s", error.message);
}

static void expect_efficiency(size_t item, double efficiency) {
    const struct bm_results_row *row = &hand.results.rows[item];
    cr_expect_eq(row->status, BM_ROW_OK, "%s", row->reason);
    cr_expect_float_eq(row->utilization.roofline_efficiency, efficiency, 1e-6);
    cr_expect(row->utilization.efficiency_low < efficiency && efficiency < row->utilization.efficiency_high);
}

Test(timing, plausible_rows_are_measured_once) {
    time_all();
    expect_efficiency(ROW, BYTES / 20.0 / 30000);
    expect_efficiency(OTHER, BYTES / 20.0 / 31000);
    for (size_t i = 0; i < ITEMS; i++) {
        cr_expect_geq(hand.series[i].count, 8);
        cr_expect_eq(device.later[i], 0);
    }
}

/* The host moves the machine when the first rounds are over. */
Test(timing, rounds_before_a_move_are_left_out) {
    device.slow_passes = 5;
    time_all();
    const struct bm_results_row *row = &hand.results.rows[ROW];
    cr_expect_eq(row->rounds[0].flags & BM_FLAG_MOVED, (unsigned)BM_FLAG_MOVED);
    cr_expect_eq(row->rounds[row->round_count - 1].flags & BM_FLAG_MOVED, 0u);
    cr_expect_float_eq(row->time.p95, 30000, 1);
    cr_expect_eq(row->flags & (BM_FLAG_MOVED | BM_FLAG_NOT_CONVERGED | BM_FLAG_BIMODAL), 0u);
    expect_efficiency(ROW, BYTES / 20.0 / 30000);
}

/* Half again as fast as memory, and then not any more. */
Test(timing, an_implausible_row_is_measured_again_beside_its_ceilings) {
    device.first_ns = 20000;
    time_all();
    expect_efficiency(ROW, BYTES / 20.0 / 30000);
    cr_expect_float_eq(hand.results.rows[ROW].time.p5, 30000, 1, "nothing is left of the first rounds");
    cr_expect_gt(device.later[ROW], 8);
    for (size_t i = READ; i <= FMA; i++) { /* they judged it */
        cr_expect_geq(device.later[i], 8, "%zu", device.later[i]);
        cr_expect_geq(hand.series[i].count, device.later[i] + 8,
                      "earlier rounds are kept: the other row needs them");
    }
    cr_expect_eq(device.later[COPY] + device.later[OTHER], 0);
    expect_efficiency(OTHER, BYTES / 20.0 / 31000);
}

/* It has a time of its own, behind the budget. */
Test(timing, an_implausible_row_is_measured_again_at_the_end_of_the_budget) {
    device.first_ns = 20000;
    device.late = true;
    hand_plan.budget_s = 10;
    time_all();
    expect_efficiency(ROW, BYTES / 20.0 / 30000);
    cr_expect_gt(device.later[ROW], 8);
}

Test(timing, what_stays_implausible_is_invalid) {
    device.ns[ROW] = 20000;
    time_all();
    cr_expect_eq(hand.results.rows[ROW].status, BM_ROW_INVALID);
    cr_expect_not_null(strstr(hand.results.rows[ROW].reason, "memory_read"), "%s",
                       hand.results.rows[ROW].reason);
    cr_expect_gt(device.later[ROW], 8);
    expect_efficiency(OTHER, BYTES / 20.0 / 31000);
}
