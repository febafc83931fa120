/* R / time by pairs of rounds. The gemm of test_utilization.c: 12582912 FLOP and 557056 bytes. */
#include "hand.h"

enum { FLOPS = 12582912, BYTES = 557056, READ = 0, FMA, ROW };

TestSuite(efficiency, .init = hand_begin, .fini = hand_end);

/* At these ceilings arithmetic takes 12582.9 ns and memory 5570.56 or 27852.8 ns. */
static void begin(double gbs, double ns) {
    struct bm_case the_case = hand_gemm("ffn_down", "f32", 64, 256, 384);
    hand_ceilings(HAND_POCL, gbs, 1000);
    hand_time(hand_add(HAND_POCL, &the_case), ns, 0);
}

/* From this pass on the machine was slower, whoever ran. */
static void slow_down(size_t series, size_t pass, double factor) {
    for (size_t i = 0; i < hand.series[series].count; i++)
        if (hand.series[series].rounds[i].start_ns >= pass * HAND_PASS_NS)
            hand.series[series].rounds[i].ns =
                (uint64_t)llround((double)hand.series[series].rounds[i].ns * factor);
}

static const struct bm_results_row *the_row(void) {
    return &hand.results.rows[ROW];
}

static void expect_pairs(double efficiency, double low, double high) {
    expect_near(the_row()->utilization.roofline_efficiency, efficiency);
    expect_near(the_row()->utilization.efficiency_low, low);
    expect_near(the_row()->utilization.efficiency_high, high);
}

static void expect_medians(double efficiency) {
    expect_near(the_row()->utilization.roofline_efficiency, efficiency);
    expect_unknown(the_row()->utilization.efficiency_low);
    expect_unknown(the_row()->utilization.efficiency_high);
}

Test(efficiency, equal_rounds_have_no_width) {
    begin(100, 25165.824);
    hand_fill();
    expect_pairs(0.5, 0.5, 0.5);
}

/* Six rounds of the row, eight of memory; half of these, but only two of the row's, on a slower machine. */
Test(efficiency, what_the_machine_did_to_both_cancels) {
    begin(20, 30000);
    hand.series[ROW].count = 6;
    slow_down(READ, 4, 1.6);
    slow_down(ROW, 4, 1.6);
    hand_fill();
    const double efficiency = BYTES / 20.0 / 30000;
    expect_pairs(efficiency, efficiency, efficiency);
    expect_near(the_row()->time.median, 30000);
    /* the shares of medians stay what they are */
    expect_near(the_row()->utilization.memory_of_ceiling, efficiency * sqrt(1.6));
}

Test(efficiency, what_it_did_to_the_row_alone_does_not) {
    begin(20, 30000);
    slow_down(ROW, 4, 1.21);
    hand_fill();
    const double efficiency = BYTES / 20.0 / 30000;
    expect_near(the_row()->utilization.roofline_efficiency, efficiency / 1.1);
    cr_expect_lt(the_row()->utilization.efficiency_low, efficiency / 1.2);
    cr_expect_geq(the_row()->utilization.efficiency_high, efficiency);
}

/* A time on two levels has a ratio on one; foreign work that is in the rounds is in their pairs. */
Test(efficiency, flags_are_of_the_ratios) {
    begin(20, 30000);
    slow_down(READ, 4, 1.6);
    slow_down(ROW, 4, 1.6);
    hand.series[ROW].flags = BM_FLAG_NOT_CONVERGED | BM_FLAG_BIMODAL | BM_FLAG_DRIFT;
    hand_fill();
    cr_expect_eq(the_row()->flags, hand.series[ROW].flags);
    cr_expect_eq(the_row()->utilization.efficiency_flags, 0);
    hand.series[ROW].flags = BM_FLAG_CONTAMINATED | BM_FLAG_NOT_STEADY;
    hand_fill();
    cr_expect_eq(the_row()->utilization.efficiency_flags, BM_FLAG_CONTAMINATED);
    hand.series[ROW].flags = 0;
    slow_down(ROW, 4, 1.5);
    hand_fill();
    cr_expect_eq(the_row()->flags, 0);
    cr_expect_eq(the_row()->utilization.efficiency_flags, BM_FLAG_NOT_CONVERGED | BM_FLAG_UNSTABLE);
}

/* Bound by arithmetic, but in the last two passes memory was so slow that it bounds: 1/1.2 less than the
 * row's time. */
Test(efficiency, each_round_has_its_own_bound) {
    begin(100, 25165.824);
    const double slow = 1.2 * FLOPS / 1000.0 / (BYTES / 100.0);
    slow_down(READ, 6, slow);
    slow_down(ROW, 6, 1.2);
    hand_fill();
    cr_expect_str_eq(the_row()->utilization.bound, "compute");
    expect_pairs(0.5, 0.5, 0.5);
}

Test(efficiency, mixed_memory_takes_both_ceilings_of_the_pass) {
    struct bm_case copy = hand_ceiling("stream", "copy", 1 << 20), sum = hand_gemm("sum", "f32", 64, 1024, 0);
    sum.workload = bm_workload_find("residual");
    hand_ceilings(HAND_POCL, 50, 100000);
    const size_t copied = hand_add(HAND_POCL, &copy);
    hand_time(copied, copy.workload->bytes(&copy) / 60, 0);
    const size_t item = hand_add(HAND_POCL, &sum);
    const double allowed = 524288 / 60.0 + 262144 / 50.0, later = 524288 / 60.0 * 3 + 262144 / 50.0;
    hand_time(item, 2 * allowed, 0);
    hand.states[item].info.cold_bytes = UINT64_C(8) << 30;
    slow_down(2, 3, 3); /* the copy alone */
    slow_down(3, 3, later / allowed);
    hand_fill();
    const struct bm_results_row *row = &hand.results.rows[item];
    cr_expect_str_eq(row->utilization.memory_ceiling, "memory_copy/opencl/pocl");
    cr_expect(fabs(row->utilization.roofline_efficiency - 0.5) < 1e-8);
    cr_expect(fabs(row->utilization.efficiency_low - 0.5) < 1e-8);
    cr_expect(fabs(row->utilization.efficiency_high - 0.5) < 1e-8);
}

/* ---- no pairs ---- */

Test(efficiency, five_pairs_give_no_interval) {
    begin(100, 25165.824);
    hand.series[ROW].count = 5;
    hand_fill();
    expect_medians(0.5);
    hand.series[ROW].count = 6;
    hand_fill();
    expect_pairs(0.5, 0.5, 0.5);
}

/* A ceiling that was measured long before the most of the row's rounds. */
Test(efficiency, a_ceiling_that_was_not_there_judges_by_its_median) {
    begin(100, 25165.824);
    for (size_t i = 0; i < HAND_ROUNDS; i++)
        hand.series[ROW].rounds[i].start_ns += (i < 3 ? 0 : 100) * HAND_PASS_NS;
    hand_fill();
    expect_medians(0.5);
}

Test(efficiency, unknown_without_ceilings) {
    struct bm_case the_case = hand_gemm("ffn_down", "f32", 64, 256, 384);
    hand_time(hand_add(HAND_POCL, &the_case), 20000, 0);
    hand_fill();
    expect_unknown(hand.results.rows[0].utilization.roofline_efficiency);
    expect_unknown(hand.results.rows[0].utilization.efficiency_low);
}

/* ---- what follows from it ---- */

Test(efficiency, the_interval_holds_what_differs_between_runs) {
    begin(100, 25165.824);
    hand_fill();
    bm_run_widen_intervals(&hand);
    const double apart = 1.959963984540054 * BM_BETWEEN_RUNS;
    expect_pairs(0.5, 0.5 * exp(-apart), 0.5 * exp(apart));
}

/* Its ceiling was at a slower level most of the time, but not while the row ran. */
Test(efficiency, a_row_is_not_accused_of_a_level_that_it_did_not_see) {
    begin(20, 30000);
    slow_down(READ, 1, 1.6);
    for (size_t i = 0; i < HAND_ROUNDS; i++)
        hand.series[ROW].rounds[i].start_ns = i;
    hand_fill();
    cr_expect_gt(the_row()->utilization.memory_of_ceiling, 1.4);
    cr_expect_eq(the_row()->status, BM_ROW_OK, "%s", the_row()->reason);
    expect_near(the_row()->utilization.roofline_efficiency, BYTES / 20.0 / 30000);
    for (size_t i = 0; i < HAND_ROUNDS; i++) /* at no time of the ceiling's */
        hand.series[ROW].rounds[i].start_ns = 100 * HAND_PASS_NS + i;
    hand_fill();
    cr_expect_eq(the_row()->status, BM_ROW_INVALID);
    for (size_t i = 0; i < HAND_ROUNDS; i++) /* while it was slow */
        hand.series[ROW].rounds[i].start_ns = 5 * HAND_PASS_NS + i;
    hand_fill();
    cr_expect_eq(the_row()->status, BM_ROW_INVALID);
}
