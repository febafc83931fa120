/* GEMV, m = 1: outputs[n] = weights[n,k] x activations[k].
 *
 * F = 2 n k; B = n k e_w + scales + k e_a + n e_o, unpadded, e bytes an element (DESIGN "Formulas" with m =
 * 1). Weights are row-major: element (n, k) is number n * stride + k, stride being k rounded up to 16 so that
 * every row is aligned; of I4 to whole groups of 32, in which k and k + 16 share a byte: element k < 16 is
 * number 2 k, element 16 + k number 2 k + 1. Scales of groups are row-major, rows padded to 16. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { WEIGHTS, ACTIVATIONS, OUTPUTS };
enum { ROW_ALIGNMENT = 16, GROUP_K = 32, SCALE_ALIGNMENT = 16 };

static const struct bm_tunable tunables[] = {
    {"ROWS", 1, 16, false},   {"VEC", 1, 16, true},          {"STRIPS", 1, 16, true},
    {"LANES", 1, 1024, true}, {"PREFETCH", 0, 16384, false}, {"PACK_LANES", 1, 1024, true},
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
    return bm_dtype_weight_bytes(c->dtype, c->n, c->k) +
           (double)c->k * bm_element_bytes_each(c->dtype->activation) +
           (double)c->n * bm_element_bytes_each(c->dtype->output);
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 32 && target->local_bytes >= 1024;
    (void)c;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "ROWS", 4);
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "STRIPS", 1);
    bm_parameters_set(parameters, "LANES", grouped ? 32 : 1);
    bm_parameters_set(parameters, "PREFETCH", 0);
    bm_parameters_set(parameters, "PACK_LANES", grouped ? 32 : 1);
}

static uint64_t stride_of(const struct bm_case *c) {
    const uint64_t alignment = c->dtype->weight == BM_ELEMENT_I4 ? GROUP_K : ROW_ALIGNMENT;
    return bm_ceil_div(c->k, alignment) * alignment;
}

/* Scales of one row, with padding. */
static uint64_t scale_stride_of(const struct bm_case *c) {
    if (c->dtype->weight != BM_ELEMENT_I4)
        return c->dtype->scale_group ? 1 : 0;
    return bm_ceil_div(stride_of(c) / GROUP_K, SCALE_ALIGNMENT) * SCALE_ALIGNMENT;
}

/* And the tensors of some formats only: the weights' scales, one a row or row-major; quantised activations
 * and their scale. */
static void add_launches(const struct bm_case *c, uint64_t rows, uint64_t lanes, uint64_t pack_lanes,
                         struct bm_plan *plan) {
    unsigned activations = ACTIVATIONS, activation_scale = 0, scales = 0;

    if (c->dtype->quantised_activations) {
        activations = bm_plan_tensor(plan, "quantised activations", BM_ELEMENT_F32, BM_ROLE_SCRATCH, c->k);
        activation_scale = bm_plan_tensor(plan, "activation scale", BM_ELEMENT_F32, BM_ROLE_SCRATCH, 1);
        struct bm_launch *quantise = bm_plan_launch(plan, "quantise", 1);
        quantise->local[0] = quantise->global[0] = pack_lanes;
        bm_launch_tensor(quantise, plan, ACTIVATIONS);
        bm_launch_tensor(quantise, plan, activations);
        bm_launch_tensor(quantise, plan, activation_scale);
        bm_launch_uint(quantise, c->k);
    }
    if (c->dtype->scale_group)
        scales = bm_plan_tensor(plan, "scales", c->dtype->scale, BM_ROLE_COLD, c->n * scale_stride_of(c));
    struct bm_launch *launch = bm_plan_launch(plan, "gemv", 1);
    launch->local[0] = lanes;
    launch->global[0] = bm_ceil_div(c->n, rows) * lanes;
    bm_launch_tensor(launch, plan, WEIGHTS);
    if (scales)
        bm_launch_tensor(launch, plan, scales);
    bm_launch_tensor(launch, plan, activations);
    if (activation_scale)
        bm_launch_tensor(launch, plan, activation_scale);
    bm_launch_tensor(launch, plan, OUTPUTS);
    bm_launch_uint(launch, c->n);
    bm_launch_uint(launch, c->k);
    bm_launch_uint(launch, stride_of(c));
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
    const uint64_t pack_lanes = (uint64_t)bm_parameters_get(&parameters, "PACK_LANES", 0);
    status = bm_tunables_check_group("gemv", (int64_t)lanes, target, error);
    if (!status)
        status = bm_tunables_check_group("gemv", (int64_t)pack_lanes, target, error);
    if (!status && lanes > 1)
        status = bm_tunables_check_local("gemv", rows * lanes * sizeof(float), target, error);
    if (status)
        return status;

    bm_plan_begin(plan, "gemv.cl", lanes > 1 ? "group_rows" : "row_streams", "f32_vector", &parameters);
    bm_matmul_define(c->dtype, plan);
    bm_plan_tensor(plan, "weights", c->dtype->weight, BM_ROLE_COLD, c->n * stride_of(c));
    bm_plan_tensor(plan, "activations", c->dtype->activation, BM_ROLE_HOT, c->k);
    bm_plan_tensor(plan, "outputs", c->dtype->output, BM_ROLE_OUTPUT, c->n);
    add_launches(c, rows, lanes, pack_lanes, plan);
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

/* All rows where that is cheap, RUN of them a check; else one of those that each work-item or group handles
 * together, which are the number of groups apart. */
enum { RUN = 64 };
static uint64_t groups_of(const struct bm_case *c, const struct bm_plan *plan) {
    if (plan->check_all || c->n * c->k <= UINT64_C(1) << 28)
        return 0;
    return bm_ceil_div(c->n, (uint64_t)bm_parameters_get(&plan->parameters, "ROWS", 1));
}

static enum bm_status plain(const struct bm_case *c, struct bm_plan *plan, struct bm_error *error) {
    *plan = (struct bm_plan){0};
    enum bm_status status = validate(c, error);
    if (!status)
        bm_matmul_plain(c, plan);
    return status;
}

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    if (plan->plain)
        return bm_matmul_plain_check_count(c);
    const uint64_t groups = groups_of(c, plan);
    return groups ? groups : bm_ceil_div(c->n, RUN);
}

/* Activations in the order in which int4 weights are stored. */
static void order_as_nibbles(double *x, size_t count) {
    for (size_t group = 0; group < count; group += GROUP_K) {
        double ordered[GROUP_K];
        for (size_t i = 0; i < GROUP_K; i++)
            ordered[i] = x[group + i / 2 + i % 2 * (GROUP_K / 2)];
        memcpy(x + group, ordered, sizeof(ordered));
    }
}

static double dot_row(const struct bm_case *c, const struct bm_operands *operands, unsigned scales,
                      uint64_t row, uint64_t stride, const double *x) {
    const uint64_t scale_stride = scale_stride_of(c);
    double sum = 0;

    if (scale_stride <= 1) {
        sum = bm_values_dot(operands, WEIGHTS, row * stride, x, (size_t)stride);
        return scale_stride ? sum * bm_values_sum(operands, scales, row, 1) : sum;
    }
    for (uint64_t g = 0; g < stride / GROUP_K; g++)
        sum += bm_values_sum(operands, scales, row * scale_stride + g, 1) *
               bm_values_dot(operands, WEIGHTS, row * stride + g * GROUP_K, x + g * GROUP_K, GROUP_K);
    return sum;
}

static enum bm_status check_gemv(const struct bm_case *c, const struct bm_plan *plan,
                                 const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                 struct bm_check *check, struct bm_error *error) {
    if (plan->plain)
        return bm_matmul_plain_check(c, operands, seed, index, check, error);
    const uint64_t groups = groups_of(c, plan), stride = stride_of(c);
    enum bm_status status = bm_check_begin(check, index, check_count(c, plan), error);
    if (status)
        return status;
    double *x = bm_alloc((size_t)stride, sizeof(*x));
    if (!x)
        return bm_fail(error, BM_NO_MEMORY, "no memory to check %llu activations", (unsigned long long)c->k);
    bm_values_gather(operands->values[ACTIVATIONS], operands->start[ACTIVATIONS], 1, (size_t)c->k, x);
    memset(x + c->k, 0, (size_t)(stride - c->k) * sizeof(*x));
    if (c->dtype->quantised_activations)
        bm_matmul_quantise(x, (size_t)c->k);
    if (c->dtype->weight == BM_ELEMENT_I4)
        order_as_nibbles(x, (size_t)stride);
    check->first = index * RUN;
    check->count = (unsigned)(c->n - index * RUN < RUN ? c->n - index * RUN : RUN);
    if (groups) {
        check->first = index + groups * bm_sample(seed, index, bm_ceil_div(c->n - index, groups));
        check->count = 1;
    }
    for (unsigned i = 0; i < check->count; i++)
        check->expected[i] = dot_row(c, operands, plan->tensor_count - 1, check->first + i, stride, x);
    check->scale = bm_matmul_scale(c);
    free(x);
    return BM_OK;
}

const struct bm_workload bm_workload_gemv = {
    .name = "gemv",
    .is_essential = true,
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
    .plain = plain,
    .check_count = check_count,
    .check = check_gemv,
    .tolerance = bm_matmul_tolerance,
};
