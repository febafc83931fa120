/* GEMV, m = 1: outputs[n] = weights[n,k] x activations[k].
 *
 * F = 2 n k; B = n k e_w + k e_a + n e_o, unpadded, e bytes an element (DESIGN "Formulas" with m = 1).
 * Weights are row-major: element (n, k) is number n * stride + k, stride being k rounded up to ROW_ALIGNMENT
 * so that every row is aligned. */
#include <math.h>
#include <stdlib.h>

#include "internal.h"

enum { WEIGHTS, ACTIVATIONS, OUTPUTS };
enum { ROW_ALIGNMENT = 16 };

static const struct bm_tunable tunables[] = {
    {"ROWS", 1, 16, false},
    {"VEC", 1, 16, true},
    {"LANES", 1, 1024, true},
};

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    if (!c->dtype)
        return bm_fail(error, BM_INVALID, "gemv needs a dtype");
    if (c->m != 1)
        return bm_fail(error, BM_INVALID, "gemv needs m = 1, m is %llu", (unsigned long long)c->m);
    if (!c->n || !c->k)
        return bm_fail(error, BM_INVALID, "gemv needs n >= 1 and k >= 1");
    if (c->n > BM_DIMENSION_MAX || c->k > BM_DIMENSION_MAX)
        return bm_fail(error, BM_INVALID, "gemv: n and k must be at most %llu",
                       (unsigned long long)BM_DIMENSION_MAX);
    return BM_OK;
}

static void shape(const struct bm_case *c, struct bm_text *text) {
    bm_text_append(text, "m1n%lluk%llu", (unsigned long long)c->n, (unsigned long long)c->k);
}

static double flops(const struct bm_case *c) {
    return 2.0 * (double)c->n * (double)c->k;
}

static double bytes(const struct bm_case *c) {
    const double n = (double)c->n, k = (double)c->k;
    return n * k * (double)bm_element_bytes(c->dtype->weight) +
           k * (double)bm_element_bytes(c->dtype->activation) +
           n * (double)bm_element_bytes(c->dtype->output);
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 32 && target->local_bytes >= 1024;
    (void)c;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "ROWS", 4);
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "LANES", grouped ? 32 : 1);
}

static uint64_t stride_of(const struct bm_case *c) {
    return bm_ceil_div(c->k, ROW_ALIGNMENT) * ROW_ALIGNMENT;
}

static enum bm_status plan_gemv(const struct bm_case *c, const struct bm_target *target,
                                const struct bm_parameters *given, struct bm_plan *plan,
                                struct bm_error *error) {
    struct bm_parameters safe, parameters;

    *plan = (struct bm_plan){0};
    enum bm_status status = validate(c, error);
    if (status)
        return status;
    safe_parameters(c, target, &safe);
    status = bm_tunables_resolve("gemv", tunables, BM_COUNT_OF(tunables), &safe, given, &parameters, error);
    if (status)
        return status;
    const uint64_t rows = (uint64_t)bm_parameters_get(&parameters, "ROWS", 0);
    const uint64_t lanes = (uint64_t)bm_parameters_get(&parameters, "LANES", 0);
    status = bm_tunables_check_group("gemv", (int64_t)lanes, target, error);
    if (!status && lanes > 1)
        status = bm_tunables_check_local("gemv", rows * lanes * sizeof(float), target, error);
    if (status)
        return status;

    bm_plan_begin(plan, "gemv.cl", lanes > 1 ? "group_rows" : "row_streams", "f32_vector", &parameters);
    bm_parameters_set(&plan->defines, "STORED_F16", c->dtype->weight == BM_ELEMENT_F16);
    bm_plan_tensor(plan, "weights", c->dtype->weight, BM_ROLE_COLD, c->n * stride_of(c));
    bm_plan_tensor(plan, "activations", c->dtype->activation, BM_ROLE_HOT, c->k);
    bm_plan_tensor(plan, "outputs", c->dtype->output, BM_ROLE_OUTPUT, c->n);
    struct bm_launch *launch = bm_plan_launch(plan, "gemv", 1);
    launch->local[0] = lanes;
    launch->global[0] = bm_ceil_div(c->n, rows) * lanes;
    for (unsigned t = WEIGHTS; t <= OUTPUTS; t++)
        bm_launch_tensor(launch, plan, t);
    bm_launch_uint(launch, c->n);
    bm_launch_uint(launch, c->k);
    bm_launch_uint(launch, stride_of(c));
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

/* All rows where that is cheap, else one of every ROWS, those that a work-item or group handles together.
 * Many cheap rows go into one check. */
struct rows {
    uint64_t block; /* rows that one sampled row stands for */
    uint64_t run;   /* rows of a check when all are computed */
};

static struct rows rows_of(const struct bm_case *c, const struct bm_plan *plan) {
    if (c->n * c->k <= UINT64_C(1) << 28)
        return (struct rows){.block = 1, .run = 64};
    return (struct rows){.block = (uint64_t)bm_parameters_get(&plan->parameters, "ROWS", 1), .run = 1};
}

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    const struct rows rows = rows_of(c, plan);
    return bm_ceil_div(c->n, rows.block * rows.run);
}

static enum bm_status check_gemv(const struct bm_case *c, const struct bm_plan *plan,
                                 const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                 struct bm_check *check, struct bm_error *error) {
    const struct rows rows = rows_of(c, plan);
    const uint64_t first = index * rows.block * rows.run, stride = stride_of(c);
    enum bm_status status = bm_check_begin(check, index, check_count(c, plan), error);
    if (status)
        return status;
    double *x = bm_alloc((size_t)c->k, sizeof(*x));
    if (!x)
        return bm_fail(error, BM_NO_MEMORY, "no memory to check %llu activations", (unsigned long long)c->k);
    bm_values_gather(operands->values[ACTIVATIONS], operands->start[ACTIVATIONS], 1, (size_t)c->k, x);
    const uint64_t left = c->n - first;
    check->first = first;
    if (rows.block > 1)
        check->first += bm_sample(seed, index, left < rows.block ? left : rows.block);
    check->count = (unsigned)(left < rows.run ? left : rows.run);
    for (unsigned i = 0; i < check->count; i++)
        check->expected[i] = bm_values_dot(operands, WEIGHTS, (check->first + i) * stride, x, (size_t)c->k);
    check->scale = sqrt((double)c->k);
    free(x);
    return BM_OK;
}

/* As for gemm: k products of unit normals added in f32 err by 0.41 u sqrt(k) of their standard deviation
 * sqrt(k) when added one after the other, less in parallel sums. */
static double tolerance(const struct bm_case *c) {
    return 8 * BM_F32_ROUNDOFF * (sqrt((double)c->k) + 1) +
           (c->dtype->output == BM_ELEMENT_F16 ? BM_F16_ROUNDOFF : 0);
}

const struct bm_workload bm_workload_gemv = {
    .name = "gemv",
    .summary = "matrix times vector, as in decode of one sequence (m = 1)",
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .safe_parameters = safe_parameters,
    .tunables = tunables,
    .tunable_count = BM_COUNT_OF(tunables),
    .plan = plan_gemv,
    .check_count = check_count,
    .check = check_gemv,
    .tolerance = tolerance,
};
