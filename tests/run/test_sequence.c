/* The work of passes that are run as a whole. */
#include <criterion/criterion.h>

#include "run.h"

TestSuite(sequence);

static double flops_of(const struct bm_run_sequence *sequence, double *bytes) {
    struct bm_run_item item = {.the_case = {.workload = bm_workload_find("layer")}, .sequence = 1};
    struct bm_run_sequence copy = *sequence;
    bm_run_sequence_work(&copy);
    const struct bm_run_plan plan = {
        .items = &item, .item_count = 1, .sequences = &copy, .sequence_count = 1};
    double flops;
    bm_run_item_work(&plan, 0, &flops, bytes);
    return flops;
}

Test(sequence, work_is_that_of_the_parts) {
    struct bm_run_sequence sequence = {.request = {.phase = BM_PHASE_DECODE,
                                                   .dtype = bm_dtype_find("f16"),
                                                   .batch = 2,
                                                   .context = 100,
                                                   .tokens = 1},
                                       .steps = 1};
    struct bm_error error = {0};
    struct bm_op ops[BM_MAX_OPS];
    size_t count;
    double flops = 0, bytes = 0, whole_bytes, sum = 0, sum_bytes = 0;
    cr_assert_eq(bm_model_load("llama2-7b", &sequence.model, &error), BM_OK, "%s", error.message);
    cr_assert_eq(bm_model_ops(&sequence.model, &sequence.request, ops, &count, &error), BM_OK);
    for (size_t i = 0; i < count; i++) {
        flops += ops[i].count * ops[i].the_case.workload->flops(&ops[i].the_case);
        bytes += ops[i].count * ops[i].the_case.workload->bytes(&ops[i].the_case);
    }
    cr_expect_float_eq(flops_of(&sequence, &whole_bytes), flops, 1e-9 * flops);
    cr_expect_float_eq(whole_bytes, bytes, 1e-9 * bytes);
    /* Steps that lead to a context are the steps at each of the contexts before it. */
    for (uint32_t context = 97; context <= 100; context++) {
        sequence.request.context = context;
        sum += flops_of(&sequence, &whole_bytes);
        sum_bytes += whole_bytes;
    }
    sequence.steps = 4;
    cr_expect_float_eq(flops_of(&sequence, &whole_bytes), sum, 1e-9 * sum);
    cr_expect_float_eq(whole_bytes, sum_bytes, 1e-9 * sum_bytes);
    cr_expect_lt(sum, 4 * flops);
}

Test(sequence, work_of_a_case_is_its_own) {
    struct bm_run_item item = {.the_case = {.workload = bm_workload_find("gemm"),
                                            .dtype = bm_dtype_find("f16"),
                                            .batch = 1,
                                            .tokens = 8,
                                            .m = 8,
                                            .n = 16,
                                            .k = 4}};
    const struct bm_run_plan plan = {.items = &item, .item_count = 1};
    double flops, bytes;
    bm_run_item_work(&plan, 0, &flops, &bytes);
    cr_expect_float_eq(flops, 2.0 * 8 * 16 * 4, 1e-9);
    cr_expect_float_eq(bytes, 2.0 * (16 * 4 + 8 * 4 + 8 * 16), 1e-9);
}
