/* Work element by element, outputs [m, n]; inputs are cold, and outputs rotate.
 *
 * swiglu: silu(gate) x up, silu(x) = x / (1 + e^-x) (Shazeer 2020, arXiv 2002.05202); either may be part of
 * wider rows, as a fused projection leaves both in one. F = 5 m n, B = 3 m n e. gelu: the tanh form that
 * GPT-2 and GPT-3 have (Hendrycks and Gimpel 2016, arXiv 1606.08415, section 2). F = 8 m n, B = 2 m n e.
 * residual: a + b. F = m n, B = 3 m n e. An exponential counts as one operation. */
#include <math.h>

#include "internal.h"

enum { OUTPUTS, INPUTS, OTHERS };

static const struct bm_tunable tunables[] = {
    {"ROWS", 1, 8, true},     {"STREAMS", 1, 8, true},   {"CHUNK", 1, 4096, false},    {"VEC", 1, 16, true},
    {"LANES", 1, 1024, true}, {"PREFETCH", 0, 8, false}, {"NONTEMPORAL", 0, 1, false},
};

/* What sets them apart. */
struct kind {
    const struct bm_workload *workload;
    unsigned inputs; /* n-wide rows that are read for one that is written */
    double flops;    /* an output */
};

static const struct kind *kind_of(const struct bm_case *c) {
    static const struct kind kinds[] = {
        {&bm_workload_swiglu, 2, 5}, {&bm_workload_gelu, 1, 8}, {&bm_workload_residual, 2, 1}};
    const struct kind *kind = kinds;
    while (kind->workload != c->workload)
        kind++;
    return kind;
}

static double flops(const struct bm_case *c) {
    return kind_of(c)->flops * (double)c->m * (double)c->n;
}

static double bytes(const struct bm_case *c) {
    return (kind_of(c)->inputs + 1) * (double)c->m * (double)c->n * bm_rows_element(c);
}

static double written(const struct bm_case *c) {
    return (double)c->m * (double)c->n * bm_rows_element(c);
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 64;
    *parameters = (struct bm_parameters){0};
    /* Where there is arithmetic to wait for, several rows are in hand: each is a stream of memory of its own.
     */
    const bool light = c->workload == &bm_workload_residual, narrow = c->dtype->activation != BM_ELEMENT_F32;
    bm_parameters_set(parameters, "ROWS", grouped || light ? 1 : 4);
    bm_parameters_set(parameters, "STREAMS", grouped ? 1 : light ? 4 : narrow ? 2 : 1);
    bm_parameters_set(parameters, "CHUNK", grouped ? 1 : 1024);
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "LANES", grouped ? 64 : 1);
    bm_parameters_set(parameters, "PREFETCH", !grouped && !light);
    bm_parameters_set(parameters, "NONTEMPORAL", !grouped && !c->hot);
}

static enum bm_status plan_elementwise(const struct bm_case *c, const struct bm_target *target,
                                       const struct bm_parameters *given, struct bm_plan *plan,
                                       struct bm_error *error) {
    struct bm_parameters parameters;
    const char *name = c->workload->name;

    *plan = (struct bm_plan){0};
    uint64_t lanes;
    enum bm_status status = bm_rows_resolve(c, target, given, &parameters, &lanes, error);
    const uint64_t chunk = (uint64_t)bm_parameters_get(&parameters, "CHUNK", 0);
    if (status)
        return status;

    const enum bm_element element = c->dtype->activation;
    const bool gated = c->workload == &bm_workload_swiglu;
    bm_plan_begin(plan, "elementwise.cl", lanes > 1 ? "group_chunks" : "item_chunks", "f32_vector",
                  &parameters);
    bm_rows_define(plan, element, c->n);
    bm_rows_limit_streams(plan, c->n);
    const uint64_t width = (uint64_t)(bm_parameters_get(&plan->defines, "VEC", 1) *
                                      bm_parameters_get(&plan->defines, "STREAMS", 1));
    const uint64_t rows = bm_power_of_two_divisor(c->m, (uint64_t)bm_parameters_get(&parameters, "ROWS", 1));
    bm_parameters_set(&plan->defines, "ROWS", (int64_t)rows);
    bm_plan_rotating_output(plan, "outputs", element, c->m * c->n);
    bm_plan_tensor(plan, gated ? "gates" : "inputs", element, BM_ROLE_COLD, c->m * c->n);
    if (kind_of(c)->inputs == 2)
        bm_plan_tensor(plan, gated ? "ups" : "added", element, BM_ROLE_COLD, c->m * c->n);
    struct bm_launch *launch = bm_plan_launch(plan, name, 2);
    launch->local[0] = lanes;
    launch->global[0] = bm_ceil_div(c->n, chunk * lanes * width) * lanes;
    launch->global[1] = c->m / rows;
    for (unsigned t = OUTPUTS; t < plan->tensor_count; t++)
        bm_launch_tensor(launch, plan, t);
    for (unsigned t = INPUTS; gated && t <= OTHERS; t++)
        bm_launch_pitch(launch, t, c->n);
    bm_launch_uint(launch, c->n);
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    return bm_row_run_count(plan, c->m, c->n);
}

static double expected_of(const struct bm_workload *workload, double x, double other) {
    if (workload == &bm_workload_swiglu)
        return x / (1 + exp(-x)) * other;
    if (workload == &bm_workload_gelu)
        return x / 2 * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    return x + other;
}

static enum bm_status check_elementwise(const struct bm_case *c, const struct bm_plan *plan,
                                        const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                        struct bm_check *check, struct bm_error *error) {
    double x[BM_CHECK_OUTPUTS], other[BM_CHECK_OUTPUTS] = {0};
    struct bm_row_run run;
    enum bm_status status = bm_row_run_begin(check, plan, c->m, c->n, seed, index, &run, error);
    if (status)
        return status;
    bm_values_gather(operands->values[INPUTS], operands->start[INPUTS] + check->first, 1, run.count, x);
    if (kind_of(c)->inputs == 2)
        bm_values_gather(operands->values[OTHERS], operands->start[OTHERS] + check->first, 1, run.count,
                         other);
    for (unsigned i = 0; i < run.count; i++)
        check->expected[i] = expected_of(c->workload, x[i], other[i]);
    check->scale = 1;
    return BM_OK;
}

/* A few roundings, and 3 ulp of exp (OpenCL 1.2, table 7.4) of an argument that itself is off by one. */
static double tolerance(const struct bm_case *c) {
    return 32 * BM_F32_ROUNDOFF + bm_output_roundoff(c->dtype->output);
}

#define ELEMENTWISE(word, text)                                                                              \
    const struct bm_workload bm_workload_##word = {                                                          \
        .name = #word,                                                                                       \
        .summary = text,                                                                                     \
        .reference = "float64",                                                                              \
        .validate = bm_rows_validate,                                                                        \
        .shape = bm_rows_shape,                                                                              \
        .flops = flops,                                                                                      \
        .bytes = bytes,                                                                                      \
        .written = written,                                                                                  \
        .safe_parameters = safe_parameters,                                                                  \
        .tunables = tunables,                                                                                \
        .tunable_count = BM_COUNT_OF(tunables),                                                              \
        .plan = plan_elementwise,                                                                            \
        .check_count = check_count,                                                                          \
        .check = check_elementwise,                                                                          \
        .tolerance = tolerance,                                                                              \
    }
ELEMENTWISE(swiglu, "SwiGLU activation: silu(gate) x up");
ELEMENTWISE(gelu, "GELU activation, in its tanh form");
ELEMENTWISE(residual, "residual sum of two activations");
