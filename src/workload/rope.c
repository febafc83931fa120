/* Rotary embedding of queries and keys (Su et al. 2021, arXiv 2104.09864), of whole heads, in GPT-NeoX's
 * pairs as Llama has them: of a head of d elements a and b = i and i + d / 2 become a cos - b sin and b cos +
 * a sin.
 *
 * m = b T tokens of H heads (those of queries and keys): F = 3 m H d, B = 2 m H d e + 4 T d. Cosines and
 * sines come from a table [T, d] in f32, as engines keep one; here it holds seeded values, with which the
 * arithmetic is the same. Inputs [b, T, H, d] are cold and outputs rotate; the table is hot, as every layer
 * reads it. Rows and heads may lie further apart, and outputs over the inputs. */
#include <math.h>

#include "internal.h"

enum { OUTPUTS, INPUTS, ANGLES };

static const struct bm_tunable tunables[] = {
    {"CHUNK", 1, 4096, false}, {"VEC", 1, 16, true}, {"LANES", 1, 1024, true}, {"NONTEMPORAL", 0, 1, false}};

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    if (!c->dtype)
        return bm_fail(error, BM_INVALID, "rope needs a dtype");
    if (!c->batch || c->batch > BM_BATCH_MAX || !c->tokens || c->tokens > BM_TOKENS_MAX)
        return bm_fail(error, BM_INVALID, "rope: batch %u and tokens %u must be from 1 to %u and %u",
                       c->batch, c->tokens, BM_BATCH_MAX, BM_TOKENS_MAX);
    if (!c->heads || c->heads > 2 * BM_HEADS_MAX)
        return bm_fail(error, BM_INVALID, "rope: %u heads, must be 1 to %u", c->heads, 2 * BM_HEADS_MAX);
    if (!c->head_dim || c->head_dim % 2 || c->head_dim > BM_HEAD_DIM_MAX)
        return bm_fail(error, BM_INVALID, "rope: head size %u must be even, 2 to %u", c->head_dim,
                       BM_HEAD_DIM_MAX);
    return BM_OK;
}

static void shape(const struct bm_case *c, struct bm_text *text) {
    bm_text_append(text, "b%ut%uh%ud%u", c->batch, c->tokens, c->heads, c->head_dim);
}

static uint64_t rows_of(const struct bm_case *c) {
    return (uint64_t)c->batch * c->tokens;
}

static uint64_t width_of(const struct bm_case *c) {
    return (uint64_t)c->heads * c->head_dim;
}

static double flops(const struct bm_case *c) {
    return 3.0 * (double)rows_of(c) * (double)width_of(c);
}

static double written(const struct bm_case *c) {
    return (double)rows_of(c) * (double)width_of(c) * bm_rows_element(c);
}

static double bytes(const struct bm_case *c) {
    return 2 * written(c) + sizeof(float) * (double)c->tokens * (double)c->head_dim;
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 128;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "CHUNK", grouped ? 1 : 1024);
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "LANES", grouped ? 128 : 1);
    bm_parameters_set(parameters, "NONTEMPORAL", !grouped && !c->hot);
}

static enum bm_status plan_rope(const struct bm_case *c, const struct bm_target *target,
                                const struct bm_parameters *given, struct bm_plan *plan,
                                struct bm_error *error) {
    struct bm_parameters parameters;

    *plan = (struct bm_plan){0};
    uint64_t lanes;
    enum bm_status status = bm_rows_resolve(c, target, given, &parameters, &lanes, error);
    const uint64_t chunk = (uint64_t)bm_parameters_get(&parameters, "CHUNK", 0);
    if (status)
        return status;

    const enum bm_element element = c->dtype->activation;
    bm_plan_begin(plan, "rope.cl", lanes > 1 ? "group_chunks" : "item_chunks", "f32_vector", &parameters);
    bm_rows_define(plan, element, c->head_dim / 2);
    bm_parameters_set(&plan->defines, "HEAD_DIM", c->head_dim);
    const uint64_t pairs = width_of(c) / 2 / (uint64_t)bm_parameters_get(&plan->defines, "VEC", 1);
    bm_plan_rotating_output(plan, "outputs", element, rows_of(c) * width_of(c));
    bm_plan_tensor(plan, "inputs", element, BM_ROLE_COLD, rows_of(c) * width_of(c));
    bm_plan_tensor(plan, "angles", BM_ELEMENT_F32, BM_ROLE_HOT, (uint64_t)c->tokens * c->head_dim);
    struct bm_launch *launch = bm_plan_launch(plan, "rope", 2);
    launch->local[0] = lanes;
    launch->global[0] = bm_ceil_div(pairs, chunk * lanes) * lanes;
    launch->global[1] = rows_of(c);
    for (unsigned t = OUTPUTS; t <= ANGLES; t++)
        bm_launch_tensor(launch, plan, t);
    bm_launch_uint(launch, c->tokens);
    bm_launch_uint(launch, c->heads);
    for (unsigned t = OUTPUTS; t <= INPUTS; t++) {
        bm_launch_pitch(launch, t, width_of(c));
        bm_launch_head_pitch(launch, t, c->head_dim);
    }
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    return bm_row_run_count(plan, rows_of(c), width_of(c));
}

static double value_of(const struct bm_operands *operands, unsigned tensor, uint64_t index) {
    return (double)operands->values[tensor]->values[bm_values_position(operands, tensor, index)];
}

static enum bm_status check_rope(const struct bm_case *c, const struct bm_plan *plan,
                                 const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                 struct bm_check *check, struct bm_error *error) {
    const uint64_t half = c->head_dim / 2;
    struct bm_row_run run;
    enum bm_status status = bm_row_run_begin(check, plan, rows_of(c), width_of(c), seed, index, &run, error);
    if (status)
        return status;
    const uint64_t angles = run.row % c->tokens * c->head_dim;
    for (unsigned i = 0; i < run.count; i++) {
        const uint64_t at = check->first + i, inside = (run.column + i) % c->head_dim, pair = inside % half;
        const bool first = inside < half;
        const double own = value_of(operands, INPUTS, at);
        const double other = value_of(operands, INPUTS, first ? at + half : at - half);
        const double cosine = value_of(operands, ANGLES, angles + pair);
        const double sine = value_of(operands, ANGLES, angles + half + pair);
        check->expected[i] = own * cosine + (first ? -other : other) * sine;
    }
    check->scale = 1;
    return BM_OK;
}

/* Two products of unit normals and their sum: a few roundings of terms of up to about 16. */
static double tolerance(const struct bm_case *c) {
    return 32 * BM_F32_ROUNDOFF + bm_output_roundoff(c->dtype->output);
}

const struct bm_workload bm_workload_rope = {
    .name = "rope",
    .summary = "rotary embedding of queries and keys, NeoX's pairs",
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .written = written,
    .safe_parameters = safe_parameters,
    .tunables = tunables,
    .tunable_count = BM_COUNT_OF(tunables),
    .plan = plan_rope,
    .check_count = check_count,
    .check = check_rope,
    .tolerance = tolerance,
};
