/* RMSNorm and LayerNorm of m rows of n:
 *
 * rmsnorm: y = x / sqrt(mean(x^2) + epsilon) w (Zhang and Sennrich 2019, arXiv 1910.07467). F = 4 m n: a
 * square and its sum, two products. layernorm: y = (x - mean) / sqrt(variance + epsilon) w + b (Ba et al.
 * 2016, arXiv 1607.06450). F = 8 m n: a difference and its sum, a
 * square and its sum, a difference, two products and a sum. B = 2 m n e + (1 or 2) n e: a row is read once,
 * what is read again lies in a cache. Weights and biases have the format of the activations. Inputs are cold,
 * and outputs rotate. Rows may lie further apart, and outputs over the inputs.
 *
 * An rmsnorm with kv_heads > 0 is of heads: of each token's heads + kv_heads rows the first are queries, the
 * others keys, which have weights of their own (B = 2 m n e + 2 n e). Its rows lie side by side, as a fused
 * projection leaves them, and tokens may lie further apart. */
#include <math.h>
#include <string.h>

#include "internal.h"

enum { OUTPUTS, INPUTS, WEIGHTS, BIASES, KEY_WEIGHTS = BIASES };
static const double epsilon = 1e-5; /* Llama 2's; others differ, the work does not */

static const struct bm_tunable tunables[] = {
    {"ROWS", 1, 256, false},  {"STREAMS", 1, 8, true},   {"VEC", 1, 16, true},
    {"LANES", 1, 1024, true}, {"PREFETCH", 0, 8, false}, {"NONTEMPORAL", 0, 1, false},
};

static bool is_layer_norm(const struct bm_case *c) {
    return c->workload == &bm_workload_layernorm;
}

static bool is_of_heads(const struct bm_case *c) {
    return !is_layer_norm(c) && c->kv_heads > 0;
}

static uint64_t heads_of(const struct bm_case *c) {
    return (uint64_t)c->heads + c->kv_heads;
}

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    const enum bm_status status = bm_rows_validate(c, error);
    if (status || !is_of_heads(c))
        return status;
    if (!c->heads || c->heads > BM_HEADS_MAX || c->kv_heads > BM_HEADS_MAX || c->m % heads_of(c))
        return bm_fail(error, BM_INVALID, "rmsnorm of heads needs heads of 1 to %u and rows for all of them",
                       (unsigned)BM_HEADS_MAX);
    return BM_OK;
}

static void shape(const struct bm_case *c, struct bm_text *text) {
    bm_rows_shape(c, text);
    if (is_of_heads(c))
        bm_text_append(text, "h%ukv%u", c->heads, c->kv_heads);
}

static double flops(const struct bm_case *c) {
    return (is_layer_norm(c) ? 8.0 : 4.0) * (double)c->m * (double)c->n;
}

static double bytes(const struct bm_case *c) {
    const int vectors = is_layer_norm(c) || is_of_heads(c) ? 2 : 1;
    return (2.0 * (double)c->m + vectors) * (double)c->n * bm_rows_element(c);
}

static double written(const struct bm_case *c) {
    return (double)c->m * (double)c->n * bm_rows_element(c);
}

/* The next row, of short ones so many that about a thousand elements are on their way. */
static int64_t rows_ahead(uint64_t n) {
    return n >= 1024 ? 1 : n <= 128 ? 8 : (int64_t)(1024 / n);
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 256 && target->local_bytes >= 4096;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "ROWS", grouped ? 1 : 32);
    bm_parameters_set(parameters, "STREAMS", grouped ? 1 : 4);
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "LANES", grouped ? 256 : 1);
    bm_parameters_set(parameters, "PREFETCH", grouped ? 0 : rows_ahead(c->n));
    bm_parameters_set(parameters, "NONTEMPORAL", !grouped && !c->hot);
}

/* Lanes of a row are no more than it has work for; what is left of a group takes other rows. Returns how many
 * rows a group takes side by side. */
static uint64_t define_lanes(const struct bm_case *c, uint64_t lanes, struct bm_plan *plan) {
    const uint64_t width = (uint64_t)(bm_parameters_get(&plan->defines, "VEC", 1) *
                                      bm_parameters_get(&plan->defines, "STREAMS", 1));
    uint64_t of_row = 1;
    while (of_row < lanes && of_row * width < c->n)
        of_row *= 2;
    bm_parameters_set(&plan->defines, "LANES", (int64_t)of_row);
    bm_parameters_set(&plan->defines, "SIDES", (int64_t)(lanes / of_row));
    return lanes / of_row;
}

static enum bm_status plan_norm(const struct bm_case *c, const struct bm_target *target,
                                const struct bm_parameters *given, struct bm_plan *plan,
                                struct bm_error *error) {
    struct bm_parameters parameters;

    *plan = (struct bm_plan){0};
    uint64_t lanes;
    enum bm_status status = bm_rows_resolve(c, target, given, &parameters, &lanes, error);
    const uint64_t rows = (uint64_t)bm_parameters_get(&parameters, "ROWS", 0);
    if (!status && lanes > 1)
        status = bm_tunables_check_local(c->workload->name, lanes * sizeof(float), target, error);
    if (status)
        return status;

    const enum bm_element element = c->dtype->activation;
    bm_plan_begin(plan, "norm.cl", lanes > 1 ? "group_rows" : "item_rows", "f32_vector", &parameters);
    bm_rows_define(plan, element, c->n);
    bm_rows_limit_streams(plan, c->n);
    bm_parameters_set(&plan->defines, "LAYER_NORM", is_layer_norm(c));
    bm_parameters_set(&plan->defines, "HEADS", is_of_heads(c));
    const uint64_t sides = define_lanes(c, lanes, plan);
    bm_plan_rotating_output(plan, "outputs", element, c->m * c->n);
    bm_plan_tensor(plan, "inputs", element, BM_ROLE_COLD, c->m * c->n);
    bm_plan_tensor(plan, "weights", element, BM_ROLE_COLD, c->n);
    if (is_layer_norm(c))
        bm_plan_tensor(plan, "biases", element, BM_ROLE_COLD, c->n);
    if (is_of_heads(c))
        bm_plan_tensor(plan, "key weights", element, BM_ROLE_COLD, c->n);
    struct bm_launch *launch = bm_plan_launch(plan, "norm", 1);
    launch->local[0] = lanes;
    launch->global[0] = bm_ceil_div(c->m, rows * sides) * lanes;
    for (unsigned t = OUTPUTS; t < plan->tensor_count; t++)
        bm_launch_tensor(launch, plan, t);
    bm_launch_uint(launch, c->m);
    bm_launch_uint(launch, c->n);
    bm_launch_float(launch, (float)epsilon);
    for (unsigned t = OUTPUTS; t <= INPUTS; t++)
        bm_launch_pitch(launch, t, is_of_heads(c) ? heads_of(c) * c->n : c->n);
    if (is_of_heads(c)) {
        bm_launch_uint(launch, heads_of(c));
        bm_launch_uint(launch, c->heads);
        for (unsigned t = OUTPUTS; t <= INPUTS; t++)
            bm_launch_head_pitch(launch, t, c->n);
    }
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    return bm_row_run_count(plan, c->m, c->n);
}

/* Sum over a row of (x - shift)^power, power 1 or 2. */
static double sum_of_row(const struct bm_operands *operands, uint64_t first, uint64_t n, double shift,
                         int power) {
    const struct bm_values *values = operands->values[INPUTS];
    size_t at = bm_values_position(operands, INPUTS, first);
    double sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        const double deviation = (double)values->values[at] - shift;
        sum += power == 2 ? deviation * deviation : deviation;
        at = at + 1 == values->period ? 0 : at + 1;
    }
    return sum;
}

static enum bm_status check_norm(const struct bm_case *c, const struct bm_plan *plan,
                                 const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                 struct bm_check *check, struct bm_error *error) {
    const double n = (double)c->n;
    double weight[BM_CHECK_OUTPUTS], bias[BM_CHECK_OUTPUTS] = {0}, mean = 0;
    struct bm_row_run run;
    enum bm_status status = bm_row_run_begin(check, plan, c->m, c->n, seed, index, &run, error);
    if (status)
        return status;
    if (is_layer_norm(c))
        mean = sum_of_row(operands, run.row * c->n, c->n, 0, 1) / n;
    const double variance = sum_of_row(operands, run.row * c->n, c->n, mean, 2) / n;
    bm_values_gather(operands->values[INPUTS], operands->start[INPUTS] + check->first, 1, run.count,
                     check->expected);
    const unsigned weights = is_of_heads(c) && run.row % heads_of(c) >= c->heads ? KEY_WEIGHTS : WEIGHTS;
    bm_values_gather(operands->values[weights], operands->start[weights] + run.column, 1, run.count, weight);
    if (is_layer_norm(c))
        bm_values_gather(operands->values[BIASES], operands->start[BIASES] + run.column, 1, run.count, bias);
    for (unsigned i = 0; i < run.count; i++)
        check->expected[i] = (check->expected[i] - mean) / sqrt(variance + epsilon) * weight[i] + bias[i];
    check->scale = 1; /* products of unit normals */
    return BM_OK;
}

/* A sum of n squares added one after the other errs by about 0.3 u sqrt(n) of itself, its root by half of
 * that; the rest is a few roundings of terms of size 1 to 4. */
static double tolerance(const struct bm_case *c) {
    return BM_F32_ROUNDOFF * (2 * sqrt((double)c->n) + 32) + bm_output_roundoff(c->dtype->output);
}

const struct bm_workload bm_workload_rmsnorm = {
    .name = "rmsnorm",
    .summary = "RMSNorm of rows, with weights; also of the heads of queries and keys",
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .written = written,
    .safe_parameters = safe_parameters,
    .tunables = tunables,
    .tunable_count = BM_COUNT_OF(tunables),
    .plan = plan_norm,
    .check_count = check_count,
    .check = check_norm,
    .tolerance = tolerance,
};

const struct bm_workload bm_workload_layernorm = {
    .name = "layernorm",
    .summary = "LayerNorm of rows, with weights and biases",
    .reference = "float64",
    .validate = bm_rows_validate,
    .shape = bm_rows_shape,
    .flops = flops,
    .bytes = bytes,
    .written = written,
    .safe_parameters = safe_parameters,
    .tunables = tunables,
    .tunable_count = BM_COUNT_OF(tunables),
    .plan = plan_norm,
    .check_count = check_count,
    .check = check_norm,
    .tolerance = tolerance,
};
