/* The order of a whole pass. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "run.h"

TestSuite(sequence);

static size_t *items, count;

/* Items 0, 1, ... with these counts, ended by 0. */
static void order(const double *counts, uint64_t layers) {
    static struct bm_run_use uses[16];
    struct bm_run_plan plan = {.uses = uses};
    struct bm_run_request request = {.use_count = 0};
    for (; counts[request.use_count] > 0; request.use_count++)
        uses[request.use_count] =
            (struct bm_run_use){.item = request.use_count, .count = counts[request.use_count]};
    cr_assert_eq(bm_run_sequence(&plan, &request, layers, &items, &count, NULL), BM_OK);
    /* Each item as often as it counts, whatever the order. */
    for (size_t u = 0; u < request.use_count; u++) {
        size_t times = 0;
        for (size_t i = 0; i < count; i++)
            times += items[i] == u;
        cr_expect_eq((double)times, counts[u], "item %zu: %zu", u, times);
    }
}

static void expect(const size_t *expected, size_t expected_count) {
    cr_assert_eq(count, expected_count, "%zu", count);
    for (size_t i = 0; i < count; i++)
        cr_expect_eq(items[i], expected[i], "%zu: %zu", i, items[i]);
    free(items);
}
#define EXPECT(...) expect((size_t[]){__VA_ARGS__}, sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t))

/* embedding, norm, qkv, ffn, lm_head of three layers */
Test(sequence, layer_after_layer) {
    order((double[]){1, 7, 3, 3, 1, 0}, 3);
    EXPECT(0, 1, 1, 2, 3, 1, 1, 2, 3, 1, 1, 1, 2, 3, 4);
}

Test(sequence, one_layer_is_its_ops) {
    order((double[]){1, 3, 1, 1, 1, 0}, 1);
    EXPECT(0, 1, 1, 1, 2, 3, 4);
}

/* Attention in 2 of 6 mixers, dense FFNs in 1 of 6 layers: spread, none lost. */
Test(sequence, parts_of_the_layers_are_spread) {
    order((double[]){1, 2, 4, 5, 1, 0}, 6);
    cr_expect_eq(items[0], 0);
    cr_expect_eq(items[count - 1], 4);
    free(items);
    order((double[]){61, 3, 58, 123, 0}, 61);
    free(items);
}

Test(sequence, work_is_that_of_the_parts) {
    struct bm_run_item parts[3] = {0};
    struct bm_run_use uses[2] = {{.item = 0, .count = 3}, {.item = 1, .count = 2}};
    struct bm_run_request request = {.use_count = 2};
    struct bm_run_plan plan = {.items = parts, .item_count = 3, .uses = uses, .requests = &request};
    const struct bm_dtype *f16 = bm_dtype_find("f16");
    parts[0].the_case = (struct bm_case){
        .workload = bm_workload_find("gemm"), .dtype = f16, .batch = 1, .tokens = 8, .m = 8, .n = 16, .k = 4};
    parts[1].the_case = (struct bm_case){
        .workload = bm_workload_find("residual"), .dtype = f16, .batch = 1, .tokens = 8, .m = 8, .n = 4};
    parts[2].the_case = (struct bm_case){.workload = bm_workload_find("layer")};
    parts[2].sequence = 1;
    cr_expect_float_eq(bm_run_item_flops(&plan, 2), 3 * 2.0 * 8 * 16 * 4 + 2 * 8.0 * 4, 1e-9);
    cr_expect_float_eq(bm_run_item_bytes(&plan, 2), 3 * 2.0 * (16 * 4 + 8 * 4 + 8 * 16) + 2 * 3 * 2.0 * 8 * 4,
                       1e-9);
}
