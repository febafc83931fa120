/* What becomes of an item: its row, from its state and its rounds. */
#include "hand.h"

TestSuite(rows, .init = hand_begin, .fini = hand_end);

/* m 64, n 256, k 384 in f32: 12582912 FLOP, 557056 bytes. */
static struct bm_case the_gemm(void) {
    return hand_gemm("ffn_down", "f32", 64, 256, 384);
}

static const struct bm_results_row *row_of(size_t item) {
    return &hand.results.rows[item];
}

static void expect_no_rates(const struct bm_results_row *row) {
    expect_unknown(row->time.median);
    expect_unknown(row->gflops);
    expect_unknown(row->gbytes_per_s);
    expect_unknown(row->tokens_per_s);
}

Test(rows, a_measured_case) {
    struct bm_case the_case = the_gemm();
    the_case.batch = 2;
    the_case.tokens = 32;
    size_t item = hand_add(HAND_POCL, &the_case);
    hand_time(item, 20000, 0);
    hand_fill();
    const struct bm_results_row *row = row_of(item);
    cr_expect_eq(hand.results.row_count, 1);
    cr_expect_str_eq(row->key, "gemm/test/prefill/ffn_down/f32/m64n256k384");
    cr_expect_str_eq(row->device, "cpu0");
    cr_expect_str_eq(row->backend, "opencl/pocl");
    cr_expect_str_eq(row->measured_as, "");
    cr_expect_eq(row->threads, 4);
    cr_expect_eq(row->status, BM_ROW_OK);
    cr_expect_str_eq(row->reason, "");
    cr_expect_str_eq(row->the_case.workload, "gemm");
    cr_expect_str_eq(row->the_case.phase, "prefill");
    cr_expect_str_eq(row->the_case.dtype, "f32");
    cr_expect(row->the_case.m == 64 && row->the_case.n == 256 && row->the_case.k == 384);
    cr_expect_eq(row->verification.status, BM_ROW_PASSED_VERIFICATION);
    cr_expect_eq(row->verification.checked, 100);
    cr_expect_str_eq(row->kernel.variant, "register_tile");
    cr_expect_str_eq(row->kernel.pipe, "f32_vector");
    cr_expect_str_eq(row->kernel.parameters_from, "safe");
    cr_expect_eq(bm_parameters_get(&row->kernel.parameters, "TILE_M", 0), 12);
    cr_expect_eq(row->round_count, HAND_ROUNDS);
    cr_expect(row->rounds[3].start_ns == 3 * HAND_PASS_NS &&
              row->rounds[3].ns == 20000u * (uint64_t)HAND_LAUNCHES &&
              row->rounds[3].launches == HAND_LAUNCHES);
    expect_near(row->time.median, 20000);
    expect_near(row->flops, 12582912);
    expect_near(row->bytes, 557056);
    expect_near(row->gflops, 12582912 / 20000.0);
    expect_near(row->gbytes_per_s, 557056 / 20000.0);
    expect_near(row->tokens_per_s, 2 * 32 / 20e-6);
    expect_unknown(row->time_uncontaminated.median);
}

Test(rows, a_ceiling) {
    struct bm_case the_case = hand_ceiling("stream", "read", 1 << 20);
    size_t item = hand_add(HAND_NVIDIA, &the_case);
    hand.states[item].info.pipe = "-";
    hand_time(item, 1000, 0);
    hand_fill();
    const struct bm_results_row *row = row_of(item);
    cr_expect_str_eq(row->key, "stream/-/-/read/-/-");
    cr_expect_str_eq(row->device, "gpu0");
    cr_expect_eq(row->threads, 0, "threads are a CPU's");
    cr_expect_null(row->the_case.phase);
    cr_expect(row->the_case.model[0] == '\0' && row->the_case.dtype[0] == '\0');
    cr_expect_str_eq(row->kernel.pipe, "", "a kernel that only moves data uses no pipe");
    expect_near(row->gbytes_per_s, 1048.576);
    expect_unknown(row->tokens_per_s);
}

Test(rows, what_cannot_run_has_its_reason_and_no_rate) {
    struct bm_case the_case = the_gemm();
    size_t skipped = hand_add(HAND_POCL, &the_case), wrong = hand_add(HAND_INTEL, &the_case);
    struct bm_run_state *state = &hand.states[skipped];
    *state = (struct bm_run_state){.status = BM_ROW_SKIPPED};
    bm_fail(&state->error, BM_NO_MEMORY, "needs %d GiB", 20);
    state = &hand.states[wrong];
    state->status = BM_ROW_FAILED;
    state->verification.status = BM_VERIFICATION_FAILED;
    state->verification.max_relative_error = (double)INFINITY;
    bm_fail(&state->error, BM_INVALID, "verification failed: output 3 differs");
    hand_fill();
    cr_expect_eq(row_of(skipped)->status, BM_ROW_SKIPPED);
    cr_expect_str_eq(row_of(skipped)->reason, "needs 20 GiB");
    cr_expect_eq(row_of(skipped)->verification.status, BM_ROW_NOT_VERIFIED);
    cr_expect_null(row_of(skipped)->kernel.parameters_from);
    cr_expect_eq(row_of(wrong)->status, BM_ROW_FAILED);
    cr_expect_str_eq(row_of(wrong)->reason, "verification failed: output 3 differs");
    cr_expect_eq(row_of(wrong)->verification.status, BM_ROW_FAILED_VERIFICATION);
    cr_expect_not_null(row_of(wrong)->kernel.parameters_from, "the kernel that computes wrongly is named");
    for (size_t i = 0; i < 2; i++) {
        expect_no_rates(row_of(i));
        expect_near(row_of(i)->flops, 12582912);
    }
}

Test(rows, work_that_fails_while_it_is_timed) {
    struct bm_case the_case = the_gemm();
    size_t item = hand_add(HAND_POCL, &the_case);
    hand_time(item, 20000, 0);
    hand.series[0].failed = true;
    bm_fail(&hand.series[0].error, BM_DEVICE, "clFinish failed: CL_OUT_OF_RESOURCES (-5)");
    hand_fill();
    cr_expect_eq(row_of(item)->status, BM_ROW_FAILED);
    cr_expect_str_eq(row_of(item)->reason, "clFinish failed: CL_OUT_OF_RESOURCES (-5)");
    cr_expect_eq(row_of(item)->round_count, HAND_ROUNDS, "rounds taken before are kept");
    expect_no_rates(row_of(item));
}

Test(rows, an_interrupted_run) {
    struct bm_case the_case = the_gemm();
    size_t unverified = hand_add(HAND_POCL, &the_case), untimed = hand_add(HAND_INTEL, &the_case),
           unvisited = hand_add(HAND_NVIDIA, &the_case);
    hand.states[unverified] = (struct bm_run_state){0};
    hand_time(unvisited, 20000, 0);
    hand.series[0].count = 0;
    hand_fill();
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(row_of(i)->status, BM_ROW_SKIPPED);
        expect_no_rates(row_of(i));
    }
    cr_expect_str_eq(row_of(unverified)->reason, "interrupted before it was verified");
    cr_expect_str_eq(row_of(untimed)->reason, "interrupted before it was measured");
    cr_expect_str_eq(row_of(unvisited)->reason, "interrupted before it was measured");
}

Test(rows, verification_alone_needs_no_time) {
    struct bm_case the_case = the_gemm();
    size_t item = hand_add(HAND_POCL, &the_case);
    hand_options.verify_only = true;
    hand_fill();
    cr_expect_eq(row_of(item)->status, BM_ROW_OK);
    cr_expect_eq(row_of(item)->verification.status, BM_ROW_PASSED_VERIFICATION);
    expect_no_rates(row_of(item));
}

Test(rows, equal_work_shares_a_measurement) {
    struct bm_case first = the_gemm(), second = first;
    bm_string_set(second.model, sizeof second.model, "other");
    second.batch = 4;
    second.tokens = 16;
    size_t source = hand_add(HAND_POCL, &first), shared = hand_add(HAND_POCL, &second);
    hand_plan.items[shared].measured_as = source;
    hand.states[shared] = (struct bm_run_state){0};
    hand_time(source, 20000, 0.01);
    hand_fill();
    cr_expect_str_eq(row_of(source)->measured_as, "");
    cr_expect_str_eq(row_of(shared)->measured_as, row_of(source)->key);
    cr_expect_str_eq(row_of(shared)->the_case.model, "other");
    cr_expect_eq(row_of(shared)->status, BM_ROW_OK);
    cr_expect_eq(row_of(shared)->time.median, row_of(source)->time.median);
    cr_expect_eq(row_of(shared)->round_count, HAND_ROUNDS);
    hand.states[source].status = BM_ROW_FAILED;
    hand.timed_count = 0;
    hand_fill();
    cr_expect_eq(row_of(shared)->status, BM_ROW_FAILED, "and its failure");
}

Test(rows, contaminated_rounds_are_told_apart) {
    struct bm_case the_case = the_gemm();
    size_t item = hand_add(HAND_POCL, &the_case);
    hand_time(item, 20000, 0);
    for (size_t r = 0; r < 3; r++) {
        hand.series[0].rounds[r].ns *= 3;
        hand.series[0].rounds[r].flags = BM_FLAG_CONTAMINATED;
    }
    hand.series[0].flags = BM_FLAG_CONTAMINATED;
    hand_fill();
    expect_near(row_of(item)->time_uncontaminated.median, 20000);
    expect_near(row_of(item)->time_uncontaminated.p95, 20000);
    expect_near(row_of(item)->time.p95, 60000);
    cr_expect_eq(row_of(item)->flags, BM_FLAG_CONTAMINATED);
    cr_expect_eq(row_of(item)->rounds[2].flags, BM_FLAG_CONTAMINATED);
    cr_expect_eq(row_of(item)->rounds[3].flags, 0);
}

/* Of 16 rounds on the CPU; the GPU has its own. */
Test(rows, a_quarter_of_all_rounds_flags_a_device) {
    struct bm_case the_case = the_gemm();
    for (int endpoint = HAND_POCL; endpoint <= HAND_NVIDIA; endpoint++)
        hand_time(hand_add(endpoint, &the_case), 20000, 0);
    const struct bm_results_device *devices = hand.results.devices;
    for (size_t r = 0; r < 4; r++)
        hand.series[0].rounds[r].flags = BM_FLAG_THROTTLED | BM_FLAG_CONTAMINATED;
    cr_assert_eq(bm_run_refresh(&hand, NULL), BM_OK);
    cr_expect_eq(devices[HAND_CPU].flags, 0);
    hand.series[1].rounds[7].flags = BM_FLAG_THROTTLED;
    cr_assert_eq(bm_run_refresh(&hand, NULL), BM_OK);
    cr_expect_eq(devices[HAND_CPU].flags, BM_FLAG_THROTTLED);
    cr_expect_eq(devices[HAND_GPU].flags, 0);
    hand.series[1].rounds[7].flags = BM_FLAG_MOVED;
    cr_assert_eq(bm_run_refresh(&hand, NULL), BM_OK);
    cr_expect_eq(devices[HAND_CPU].flags, BM_FLAG_MOVED, "of this any round tells");
}

Test(rows, paths_are_hidden_when_asked) {
    struct bm_case the_case = the_gemm();
    size_t item = hand_add(HAND_POCL, &the_case);
    hand.states[item] = (struct bm_run_state){.status = BM_ROW_FAILED};
    bm_fail(&hand.states[item].error, BM_NOT_FOUND,
            "/home/someone/kernels/gemm.cl: No such file or directory");
    hand_fill();
    cr_expect_str_eq(row_of(item)->reason, "/home/someone/kernels/gemm.cl: No such file or directory");
    hand_options.anonymize = true;
    hand_fill();
    cr_expect_str_eq(row_of(item)->reason, "<path>: No such file or directory");
}
