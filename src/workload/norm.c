/* RMSNorm and LayerNorm of m rows of n:
 *
 * rmsnorm: y = x / sqrt(mean(x^2) + epsilon) w (Zhang and Sennrich 2019, arXiv 1910.07467). F = 4 m n: a
 * square and its sum, two products. layernorm: y = (x - mean) / sqrt(variance + epsilon) w + b (Ba et al.
 * 2016, arXiv 1607.06450). F = 8 m n: a difference and its sum, a
 * square and its sum, a difference, two products and a sum. B = 2 m n e + (1 or 2) n e: a row is read once,
 * what is read again lies in a cache. Weights and biases have the format of the activations. Inputs are cold,
 * and outputs rotate. Rows may lie further apart, and outputs over the inputs. */
#include <math.h>
#include <string.h>

#include "internal.h"

enum { OUTPUTS, INPUTS, WEIGHTS, BIASES };
static const double epsilon = 1e-5; /* Llama 2's; others differ, the work does not */

static const struct bm_tunable tunables[] = {
    {"ROWS", 1, 256, false},  {"STREAMS", 1, 8, true},   {"VEC", 1, 16, true},
    {"LANES", 1, 1024, true}, {"PREFETCH", 0, 8, false}, {"NONTEMPORAL", 0, 1, false},
};

static bool is_layer_norm(const struct bm_case *c) {
    return c->workload == &bm_workload_layernorm;
}

static double flops(const struct bm_case *c) {
    return (is_layer_norm(c) ? 8.0 : 4.0) * (double)c->m * (double)c->n;
}

static double bytes(const struct bm_case *c) {
    return (2.0 * (double)c->m + (is_layer_norm(c) ? 2 : 1)) * (double)c->n * bm_rows_element(c);
}

static double written(const struct bm_case *c) {
    return (double)c->m * (double)c->n * bm_rows_element(c);
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 256 && target->local_bytes >= 4096;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "ROWS", grouped ? 1 : 32);
    bm_parameters_set(parameters, "STREAMS", grouped ? 1 : 4);
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "LANES", grouped ? 256 : 1);
    bm_parameters_set(parameters, "PREFETCH", !grouped);
    bm_parameters_set(parameters, "NONTEMPORAL", !grouped && !c->hot);
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
    bm_plan_rotating_output(plan, "outputs", element, c->m * c->n);
    bm_plan_tensor(plan, "inputs", element, BM_ROLE_COLD, c->m * c->n);
    bm_plan_tensor(plan, "weights", element, BM_ROLE_COLD, c->n);
    if (is_layer_norm(c))
        bm_plan_tensor(plan, "biases", element, BM_ROLE_COLD, c->n);
    struct bm_launch *launch = bm_plan_launch(plan, "norm", 1);
    launch->local[0] = lanes;
    launch->global[0] = bm_ceil_div(c->m, rows) * lanes;
    for (unsigned t = OUTPUTS; t < plan->tensor_count; t++)
        bm_launch_tensor(launch, plan, t);
    bm_launch_uint(launch, c->m);
    bm_launch_uint(launch, c->n);
    bm_launch_float(launch, (float)epsilon);
    bm_launch_pitch(launch, OUTPUTS, c->n);
    bm_launch_pitch(launch, INPUTS, c->n);
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
    bm_values_gather(operands->values[WEIGHTS], operands->start[WEIGHTS] + run.column, 1, run.count, weight);
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
    .summary = "RMSNorm of rows, with weights",
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
