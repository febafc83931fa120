/* Whole models: tokens a second from the operations that were measured. */
#include "hand.h"

TestSuite(summary, .init = hand_begin, .fini = hand_end);

/* Prefill of 2 x 32 tokens: 32 layers of two matrices, and one more at the end. */
enum { QKV, FFN, HEAD, OPS };
static const double ns[OPS] = {20000, 50000, 80000}, counts[OPS] = {32, 32, 1};

static void plan_request(const char *dtype) {
    struct bm_case cases[OPS] = {hand_gemm("qkv", dtype, 64, 256, 384),
                                 hand_gemm("ffn_down", dtype, 64, 512, 384),
                                 hand_gemm("lm_head", dtype, 64, 1024, 384)};
    for (size_t i = 0; i < OPS; i++) {
        hand_plan.uses[hand_plan.use_count++] =
            (struct bm_run_use){.item = hand_add(HAND_POCL, &cases[i]), .count = counts[i]};
        hand_time(hand_plan.uses[i].item, ns[i], 0);
    }
    hand_plan.requests[hand_plan.request_count++] = (struct bm_run_request){
        .device = HAND_CPU,
        .endpoint = 0,
        .model = "test",
        .request = {.phase = BM_PHASE_PREFILL, .dtype = bm_dtype_find(dtype), .batch = 2, .tokens = 32},
        .use_count = OPS,
        .missing = {"norm", "rope"},
        .missing_count = 2,
    };
}

static const struct bm_results_summary *the_summary(void) {
    cr_assert_eq(hand.results.devices[HAND_CPU].summary_count, 1);
    cr_assert_eq(hand.results.devices[HAND_GPU].summary_count, 0, "it belongs to its device");
    return &hand.results.devices[HAND_CPU].summaries[0];
}

static double sum(double (*of)(const struct bm_results_row *row), bool with_head) {
    double total = 0;
    for (size_t i = 0; i < OPS; i++)
        if (with_head || i != HEAD)
            total += counts[i] * of(&hand.results.rows[i]);
    return total;
}

static double flops_of(const struct bm_results_row *row) {
    return row->flops;
}

static double bytes_of(const struct bm_results_row *row) {
    return row->bytes;
}

/* 32 x 20 us + 32 x 50 us + 80 us = 2.32 ms for 64 tokens. */
Test(summary, tokens_by_the_time_of_all_operations) {
    plan_request("f32");
    hand_fill();
    const struct bm_results_summary *summary = the_summary();
    cr_expect_str_eq(summary->backend, "opencl/pocl");
    cr_expect_str_eq(summary->model, "test");
    cr_expect_str_eq(summary->phase, "prefill");
    cr_expect_str_eq(summary->dtype, "f32");
    cr_assert_eq(summary->use_count, OPS);
    for (size_t i = 0; i < OPS; i++) {
        cr_expect_eq(summary->uses[i].row, hand_plan.uses[i].item);
        cr_expect_eq(summary->uses[i].count, counts[i]);
    }
    cr_expect(summary->batch == 2 && summary->tokens == 32 && summary->context == 0);
    expect_near(summary->tokens_per_s, 64 / 2.32e-3);
    cr_expect_eq(summary->op_count, 3);
    cr_expect_str_eq(summary->ops[0], "qkv");
    cr_expect_str_eq(summary->ops[2], "lm_head");
    cr_expect_eq(summary->missing_count, 2);
    cr_expect_str_eq(summary->missing[0], "norm");
    cr_expect_str_eq(summary->missing[1], "rope");
    expect_unknown(summary->mfu);
    expect_unknown(summary->mbu);
    expect_unknown(summary->roofline_efficiency); /* no ceilings */
    hand_fill();
    the_summary(); /* filling again adds nothing */
}

Test(summary, shares_are_of_the_same_operations) {
    struct bm_datasheet sheet = {.bandwidth_gbs = 200,
                                 .bandwidth_status = BM_FACT_VERIFIED,
                                 .peak_count = 1,
                                 .peaks = {{"f32_vector", 2000, BM_FACT_VERIFIED}}};
    hand.results.devices[HAND_CPU].datasheet = &sheet;
    plan_request("f32");
    hand_ceilings(HAND_POCL, 100, 1000);
    hand_fill();
    const struct bm_results_summary *summary = the_summary();
    expect_near(summary->mfu, sum(flops_of, true) / 2.32e6 / 2000);
    expect_near(summary->mbu, sum(bytes_of, true) / 2.32e6 / 200);
    /* All are compute bound at 1000 GFLOP/s and 100 GB/s: the roofline time is the FLOPs by 1000. */
    for (size_t i = 0; i < OPS; i++)
        cr_assert_str_eq(hand.results.rows[i].utilization.bound, "compute");
    expect_near(summary->roofline_efficiency, sum(flops_of, true) / 1000 / 2.32e6);
}

/* lm_head failed: a pass without it is no pass, whatever the others take. */
Test(summary, without_a_matrix_product_there_is_no_figure_of_the_pass) {
    struct bm_datasheet sheet = {.peak_count = 1, .peaks = {{"f32_vector", 2000, BM_FACT_VERIFIED}}};
    hand.results.devices[HAND_CPU].datasheet = &sheet;
    plan_request("f32");
    hand_ceilings(HAND_POCL, 100, 1000);
    hand.states[HEAD].status = BM_ROW_FAILED;
    hand.states[HEAD].verification.status = BM_VERIFICATION_FAILED;
    hand.series[HEAD].failed = true;
    hand_fill();
    const struct bm_results_summary *summary = the_summary();
    expect_unknown(summary->tokens_per_s);
    expect_unknown(summary->mfu);
    expect_unknown(summary->mbu);
    expect_near(summary->roofline_efficiency, sum(flops_of, false) / 1000 / 2.24e6);
    cr_expect_eq(summary->op_count, 2);
    cr_expect_eq(summary->missing_count, 3);
    cr_expect_str_eq(summary->missing[0], "lm_head");
    cr_assert_eq(summary->lacking_count, 1, "norm and rope cost little");
    cr_expect_str_eq(summary->lacking[0], "lm_head");
}

static void use_workload(size_t item, const char *name) {
    hand_plan.items[item].the_case.workload = bm_workload_find(name);
}

Test(summary, what_costs_little_may_be_missing) {
    plan_request("f32");
    use_workload(HEAD, "softmax");
    hand.states[HEAD].status = BM_ROW_SKIPPED;
    hand.timed_count = 2;
    hand_fill();
    expect_near(the_summary()->tokens_per_s, 64 / 2.24e-3);
    cr_expect_eq(the_summary()->lacking_count, 0);
    cr_expect_eq(the_summary()->missing_count, 3);
}

/* Not planned at all, as attention through a library of matrix products. */
Test(summary, what_nobody_planned_may_be_lacking_too) {
    plan_request("f32");
    hand_plan.requests[0].is_lacking[1] = true;
    hand_fill();
    expect_unknown(the_summary()->tokens_per_s);
    cr_assert_eq(the_summary()->lacking_count, 1);
    cr_expect_str_eq(the_summary()->lacking[0], "rope");
    cr_expect_eq(the_summary()->use_count, OPS, "what was measured is told in any case");
}

Test(summary, what_a_pass_cannot_do_without) {
    static const char *const essential[] = {"gemm", "gemv", "grouped_gemm", "attention", "mla", "mamba_scan"};
    size_t found = 0, known = 0;
    for (size_t i = 0; bm_workload_get(i) != NULL; i++)
        found += bm_workload_get(i)->is_essential;
    for (size_t i = 0; i < BM_COUNT_OF(essential); i++)
        known += bm_workload_find(essential[i])->is_essential;
    cr_expect_eq(known, BM_COUNT_OF(essential));
    cr_expect_eq(found, known);
}

Test(summary, an_invalid_row_counts_as_missing) {
    plan_request("f32");
    hand_ceilings(HAND_POCL, 100, 1000);
    for (size_t r = 0; r < HAND_ROUNDS; r++)
        hand.series[QKV].rounds[r].ns /= 20; /* 12.58 MFLOP in 1 us, at 1000 GFLOP/s */
    hand_fill();
    cr_expect_eq(hand.results.rows[QKV].status, BM_ROW_INVALID);
    expect_unknown(the_summary()->tokens_per_s);
    cr_expect_str_eq(the_summary()->missing[0], "qkv");
}

Test(summary, nothing_measured_is_unknown) {
    plan_request("f32");
    hand.timed_count = 0;
    hand_fill();
    expect_unknown(the_summary()->tokens_per_s);
    expect_unknown(the_summary()->mfu);
    expect_unknown(the_summary()->mbu);
    expect_unknown(the_summary()->roofline_efficiency);
    cr_expect_eq(the_summary()->op_count, 0);
    cr_expect_eq(the_summary()->missing_count, 5);
}

/* One name may stand for several shapes, of dense and sparse layers. */
Test(summary, a_name_is_listed_once) {
    plan_request("f32");
    bm_string_set(hand_plan.items[FFN].the_case.op, sizeof hand_plan.items[FFN].the_case.op, "qkv");
    hand_fill();
    cr_expect_eq(the_summary()->op_count, 2);
    expect_near(the_summary()->tokens_per_s, 64 / 2.32e-3);
    hand.series[FFN].failed = true;
    hand_fill();
    cr_expect_str_eq(the_summary()->missing[0], "qkv", "one shape of it was not measured");
    cr_expect_eq(the_summary()->op_count, 1, "so the operation is not covered");
    cr_expect_str_eq(the_summary()->ops[0], "lm_head");
    expect_unknown(the_summary()->tokens_per_s);
    cr_expect_eq(the_summary()->lacking_count, 1, "one name");
}
