/* What workloads on rows of activations share: axes, and which outputs are checked. */
#include "internal.h"

enum bm_status bm_rows_validate(const struct bm_case *c, struct bm_error *error) {
    const char *name = c->workload->name;
    if (!c->dtype)
        return bm_fail(error, BM_INVALID, "%s needs a dtype", name);
    if (!c->m || !c->n)
        return bm_fail(error, BM_INVALID, "%s needs m >= 1 and n >= 1", name);
    if (c->m > BM_DIMENSION_MAX || c->n > BM_DIMENSION_MAX)
        return bm_fail(error, BM_INVALID, "%s: m and n must be at most %llu", name,
                       (unsigned long long)BM_DIMENSION_MAX);
    return BM_OK;
}

void bm_rows_shape(const struct bm_case *c, struct bm_text *text) {
    bm_text_append(text, "m%llun%llu", (unsigned long long)c->m, (unsigned long long)c->n);
}

enum bm_status bm_rows_resolve(const struct bm_case *c, const struct bm_target *target,
                               const struct bm_parameters *given, struct bm_parameters *parameters,
                               uint64_t *lanes, struct bm_error *error) {
    const struct bm_workload *workload = c->workload;
    struct bm_parameters safe;

    *parameters = (struct bm_parameters){0};
    *lanes = 1;
    enum bm_status status = workload->validate(c, error);
    if (!status)
        status = bm_dtype_check_plain(workload->name, c->dtype, BM_ELEMENT_BF16, error);
    if (status)
        return status;
    workload->safe_parameters(c, target, &safe);
    status = bm_tunables_resolve(workload->name, workload->tunables, workload->tunable_count, &safe, given,
                                 parameters, error);
    if (status)
        return status;
    *lanes = (uint64_t)bm_parameters_get(parameters, "LANES", 1);
    return bm_tunables_check_group(workload->name, (int64_t)*lanes, target, error);
}

void bm_rows_limit_vec(struct bm_plan *plan, uint64_t length) {
    const uint64_t wanted = (uint64_t)bm_parameters_get(&plan->defines, "VEC", 1);
    bm_parameters_set(&plan->defines, "VEC", (int64_t)bm_power_of_two_divisor(length, wanted));
}

void bm_rows_limit_streams(struct bm_plan *plan, uint64_t n) {
    const uint64_t vec = (uint64_t)bm_parameters_get(&plan->defines, "VEC", 1);
    const uint64_t wanted = (uint64_t)bm_parameters_get(&plan->defines, "STREAMS", 1);
    bm_parameters_set(&plan->defines, "STREAMS", (int64_t)bm_power_of_two_divisor(n / vec, wanted));
}

void bm_rows_define(struct bm_plan *plan, enum bm_element stored, uint64_t n) {
    bm_rows_limit_vec(plan, n);
    bm_parameters_set(&plan->defines, "FORMAT", stored);
}

/* All of them up to 4 Mi outputs, and where all are asked for. */
static uint64_t runs_of_row(const struct bm_plan *plan, uint64_t m, uint64_t n) {
    return plan->check_all || m * n <= UINT64_C(1) << 22 ? bm_ceil_div(n, BM_CHECK_OUTPUTS) : 1;
}

uint64_t bm_row_run_count(const struct bm_plan *plan, uint64_t m, uint64_t n) {
    return m * runs_of_row(plan, m, n);
}

struct bm_row_run bm_row_run_get(const struct bm_plan *plan, uint64_t m, uint64_t n, uint64_t seed,
                                 uint64_t index) {
    const uint64_t runs = runs_of_row(plan, m, n);
    struct bm_row_run run = {.row = index / runs, .column = index % runs * BM_CHECK_OUTPUTS};
    if (runs == 1 && n > BM_CHECK_OUTPUTS)
        run.column = bm_sample(seed, index, n - BM_CHECK_OUTPUTS + 1);
    const uint64_t left = n - run.column;
    run.count = (unsigned)(left < BM_CHECK_OUTPUTS ? left : BM_CHECK_OUTPUTS);
    return run;
}

enum bm_status bm_row_run_begin(struct bm_check *check, const struct bm_plan *plan, uint64_t m, uint64_t n,
                                uint64_t seed, uint64_t index, struct bm_row_run *run,
                                struct bm_error *error) {
    enum bm_status status = bm_check_begin(check, index, bm_row_run_count(plan, m, n), error);
    if (status)
        return status;
    *run = bm_row_run_get(plan, m, n, seed, index);
    check->first = run->row * n + run->column;
    check->count = run->count;
    return BM_OK;
}
