/* Checks that plans ask to cover all: a reference of what flows from op to op is an input of the next one. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "bm/workload.h"

enum { PERIOD = 1009 };

static struct bm_case rows(const char *workload, uint64_t m, uint64_t n) {
    return (struct bm_case){.workload = bm_workload_find(workload),
                            .model = "-",
                            .op = "test",
                            .phase = BM_PHASE_PREFILL,
                            .dtype = bm_dtype_find("f32"),
                            .batch = 1,
                            .tokens = (uint32_t)m,
                            .m = m,
                            .n = n};
}

/* Larger than what is checked whole without being asked for. */
static size_t list(struct bm_case *cases) {
    size_t count = 0;
    cases[count++] = rows("swiglu", 700, 6001);
    cases[count] = rows("mamba_conv", 700, 6001);
    cases[count++].k = 4;
    cases[count] = rows("combine", 700, 6001);
    cases[count].experts = 16;
    cases[count++].top_k = 3;
    cases[count] = rows("mamba_scan", 1100, 16);
    cases[count].heads = 40;
    cases[count].head_dim = 8;
    cases[count].k = 128;
    cases[count++].groups = 1;
    cases[count] = rows("grouped_gemm", 70, 80);
    cases[count].k = 20;
    cases[count].experts = 16;
    cases[count++].top_k = 3;
    cases[count] = rows("grouped_gemm", 7, 80);
    cases[count].k = 20;
    cases[count].row_per_pair = cases[count].rows_by_token = true;
    cases[count].experts = cases[count].top_k = 5;
    count++;
    cases[count] = rows("mla", 1, 0);
    cases[count].phase = BM_PHASE_DECODE;
    cases[count].heads = 128;
    cases[count].kv_heads = 1;
    cases[count].head_dim = 96;
    cases[count].v_dim = 64;
    cases[count++].context = 30000;
    return count;
}

/* Outputs before those of the n-th output of the plan, in their order; n the number of them: all. */
static uint64_t outputs_before(const struct bm_plan *plan, unsigned n) {
    uint64_t before = 0;
    for (unsigned t = 0; t < plan->tensor_count && n > 0; t++)
        if (plan->tensors[t].role == BM_ROLE_OUTPUT) {
            before += plan->tensors[t].count;
            n--;
        }
    return before;
}

static void make_tables(const struct bm_case *c, const struct bm_plan *plan, struct bm_operands *operands,
                        int32_t *tables[8]) {
    for (unsigned t = 0; t < plan->tensor_count; t++) {
        if (plan->tensors[t].role != BM_ROLE_TABLE)
            continue;
        tables[t] = calloc(plan->tensors[t].count, sizeof(int32_t));
        cr_assert_eq(c->workload->fill(c, plan, t, 5, 0, tables[t], NULL), BM_OK);
        operands->table[t] = tables[t];
    }
}

/* Outputs that no check covers. *twice: those that several do. */
static uint64_t uncovered(const struct bm_case *c, const struct bm_plan *plan, struct bm_operands *operands,
                          uint64_t *twice) {
    const uint64_t count = outputs_before(plan, 8);
    int32_t *tables[8] = {0};
    bool *seen = calloc(count, sizeof(*seen));
    struct bm_check *check = malloc(sizeof(*check));
    uint64_t left = count;

    *twice = 0;
    make_tables(c, plan, operands, tables);
    for (uint64_t i = 0; i < c->workload->check_count(c, plan); i++) {
        cr_assert_eq(c->workload->check(c, plan, operands, 7, i, check, NULL), BM_OK);
        for (unsigned j = 0; j < check->count; j++) {
            const uint64_t at = outputs_before(plan, check->output) + check->first + j;
            cr_assert_lt(at, outputs_before(plan, check->output + 1));
            left -= !seen[at];
            *twice += seen[at];
            seen[at] = true;
        }
    }
    for (unsigned t = 0; t < 8; t++)
        free(tables[t]);
    free(check);
    free(seen);
    return left;
}

Test(whole, checks_cover_every_output_where_a_plan_asks_for_it) {
    struct bm_target target = {.compute_units = 2,
                               .max_group_items = 4096,
                               .local_bytes = 1 << 20,
                               .max_allocation_bytes = UINT64_C(1) << 34};
    struct bm_values values = {.period = PERIOD, .values = calloc(PERIOD, sizeof(float))};
    struct bm_operands operands = {0};
    struct bm_case cases[16];
    struct bm_random random;

    bm_random_init(&random, 3);
    for (size_t i = 0; i < PERIOD; i++)
        values.values[i] = (float)bm_random_normal(&random);
    for (unsigned t = 0; t < BM_COUNT_OF(operands.values); t++)
        operands.values[t] = &values;
    const size_t count = list(cases);
    for (size_t i = 0; i < 2 * count; i++) {
        const struct bm_case *c = &cases[i / 2];
        char key[BM_KEY_SIZE];
        struct bm_plan plan;
        uint64_t twice;
        target.is_gpu = i % 2;
        bm_case_key(c, key);
        cr_assert_eq(c->workload->plan(c, &target, NULL, &plan, NULL), BM_OK, "%s", key);
        cr_expect_gt(uncovered(c, &plan, &operands, &twice), 0, "%s is checked whole unasked: a larger one",
                     key);
        plan.check_all = true;
        cr_expect_eq(uncovered(c, &plan, &operands, &twice), 0, "%s", key);
        cr_expect_eq(twice, 0, "%s", key);
    }
    free(values.values);
}
