/* The convolution of Mamba-2 (Dao and Gu 2024, arXiv 2405.21060): causal, depthwise, over the last k inputs
 * of each of n channels (x, B and C of all heads), with a bias and SiLU:
 *
 *   y_t = silu(bias + sum over j < k of w_j x_(t - k + 1 + j))
 *
 * Of b sequences of T tokens: F = b T n (2 k + 4): k products and sums, and SiLU as in swiglu. B = e n (2 b T
 * + k + 1) and the state, the last k - 1 inputs: e n b (k - 1) are written, in decode (T = 1) as many read;
 * before the first token it is zeros. Case fields: m = b T, n channels, k taps.
 *
 * Layouts: inputs and outputs [b, T, n], pitches of rows, weights [k + 1, n], the bias last, states [b, k -
 * 1, n]. Inputs, weights and the state that is read are cold, what is written rotates. */
#include <math.h>

#include "internal.h"

enum { OUTPUTS, STATES, INPUTS, WEIGHTS, BEFORE };
enum { TAPS_MAX = 16 };

static const struct bm_tunable tunables[] = {
    {"TILE", 1, 8, true},     {"RUN", 1, 1024, false},   {"CHUNK", 1, 4096, false},   {"VEC", 1, 16, true},
    {"LANES", 1, 1024, true}, {"PREFETCH", 0, 8, false}, {"NONTEMPORAL", 0, 1, false}};

static uint64_t tokens_of(const struct bm_case *c) {
    return c->phase == BM_PHASE_DECODE ? 1 : c->tokens;
}

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    enum bm_status status = bm_rows_validate(c, error);
    if (status)
        return status;
    if (c->phase != BM_PHASE_PREFILL && c->phase != BM_PHASE_DECODE)
        return bm_fail(error, BM_INVALID, "mamba_conv needs a phase, prefill or decode");
    if (c->k < 2 || c->k > TAPS_MAX)
        return bm_fail(error, BM_INVALID, "mamba_conv: %llu taps, must be 2 to %d", (unsigned long long)c->k,
                       TAPS_MAX);
    if (!c->batch || c->batch > BM_BATCH_MAX || !tokens_of(c) || tokens_of(c) > BM_TOKENS_MAX ||
        c->m != c->batch * tokens_of(c))
        return bm_fail(error, BM_INVALID, "mamba_conv: %llu rows are not %u sequences of %llu tokens",
                       (unsigned long long)c->m, c->batch, (unsigned long long)tokens_of(c));
    return BM_OK;
}

static void shape(const struct bm_case *c, struct bm_text *text) {
    bm_text_append(text, "b%ut%llun%lluk%llu", c->batch, (unsigned long long)tokens_of(c),
                   (unsigned long long)c->n, (unsigned long long)c->k);
}

static double flops(const struct bm_case *c) {
    return (double)c->m * (double)c->n * (2 * (double)c->k + 4);
}

static double state_bytes(const struct bm_case *c) {
    return (double)c->batch * (double)(c->k - 1) * (double)c->n * bm_rows_element(c);
}

static double written(const struct bm_case *c) {
    return (double)c->m * (double)c->n * bm_rows_element(c) + state_bytes(c);
}

static double bytes(const struct bm_case *c) {
    return ((double)c->m + (double)c->k + 1) * (double)c->n * bm_rows_element(c) + written(c) +
           (c->phase == BM_PHASE_DECODE ? state_bytes(c) : 0);
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 64;
    *parameters = (struct bm_parameters){0};
    /* A vector of a narrow format is half a line: stores of more rows in turn would not be joined. */
    const bool narrow = c->dtype->activation != BM_ELEMENT_F32;
    bm_parameters_set(parameters, "TILE", narrow && !grouped ? 2 : 4);
    bm_parameters_set(parameters, "RUN", grouped ? 16 : 64);
    bm_parameters_set(parameters, "CHUNK", grouped ? 1 : 64);
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "LANES", grouped ? 64 : 1);
    bm_parameters_set(parameters, "PREFETCH", !grouped && c->phase == BM_PHASE_PREFILL);
    bm_parameters_set(parameters, "NONTEMPORAL", !grouped && !c->hot);
}

static enum bm_status plan_conv(const struct bm_case *c, const struct bm_target *target,
                                const struct bm_parameters *given, struct bm_plan *plan,
                                struct bm_error *error) {
    const bool decode = c->phase == BM_PHASE_DECODE;
    const uint64_t tokens = tokens_of(c), state = (uint64_t)c->batch * (c->k - 1) * c->n;
    struct bm_parameters p;

    *plan = (struct bm_plan){0};
    uint64_t lanes;
    enum bm_status status = bm_rows_resolve(c, target, given, &p, &lanes, error);
    const uint64_t chunk = (uint64_t)bm_parameters_get(&p, "CHUNK", 1);
    if (status)
        return status;

    const enum bm_element element = c->dtype->activation;
    bm_plan_begin(plan, "conv.cl", lanes > 1 ? "group_chunks" : "item_chunks", "f32_vector", &p);
    bm_rows_define(plan, element, c->n);
    const uint64_t vec = (uint64_t)bm_parameters_get(&plan->defines, "VEC", 1);
    uint64_t tile = (uint64_t)bm_parameters_get(&p, "TILE", 1);
    while (tile > tokens)
        tile /= 2;
    const uint64_t run = bm_ceil_div((uint64_t)bm_parameters_get(&p, "RUN", 1), tile) * tile;
    bm_parameters_set(&plan->defines, "TILE", (int64_t)tile);
    bm_parameters_set(&plan->defines, "RUN", (int64_t)run);
    bm_parameters_set(&plan->defines, "TAPS", (int64_t)c->k);
    bm_parameters_set(&plan->defines, "PAST", decode);
    bm_plan_rotating_output(plan, "outputs", element, c->m * c->n);
    bm_plan_rotating_output(plan, "states", element, state);
    bm_plan_tensor(plan, "inputs", element, BM_ROLE_COLD, c->m * c->n);
    bm_plan_tensor(plan, "weights", element, BM_ROLE_COLD, (c->k + 1) * c->n);
    if (decode)
        bm_plan_tensor(plan, "states before", element, BM_ROLE_COLD, state);
    struct bm_launch *launch = bm_plan_launch(plan, "conv", 3);
    launch->local[0] = lanes;
    launch->global[0] = bm_ceil_div(c->n, chunk * lanes * vec) * lanes;
    launch->global[1] = bm_ceil_div(tokens, run);
    launch->global[2] = c->batch;
    for (unsigned t = OUTPUTS; t < plan->tensor_count; t++)
        bm_launch_tensor(launch, plan, t);
    bm_launch_pitch(launch, OUTPUTS, c->n);
    bm_launch_pitch(launch, INPUTS, c->n);
    bm_launch_uint(launch, tokens);
    bm_launch_uint(launch, c->n);
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

/* ---- the float64 reference: of the outputs as of any rows, then of the states ---- */

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    return bm_row_run_count(plan, c->m, c->n) + bm_row_run_count(plan, c->batch * (c->k - 1), c->n);
}

/* The inputs of a run of channels at `token` of a sequence, before its first the state's. */
static void inputs_at(const struct bm_case *c, const struct bm_operands *operands, uint64_t batch,
                      int64_t token, const struct bm_row_run *run, double *x) {
    const int64_t taps = (int64_t)c->k;
    const unsigned tensor = token < 0 ? BEFORE : INPUTS;
    const uint64_t row = token < 0 ? batch * (c->k - 1) + (uint64_t)(token + taps - 1)
                                   : batch * tokens_of(c) + (uint64_t)token;
    for (unsigned i = 0; i < run->count; i++)
        x[i] = 0;
    if (token >= 0 || c->phase == BM_PHASE_DECODE)
        bm_values_gather(operands->values[tensor], operands->start[tensor] + row * c->n + run->column, 1,
                         run->count, x);
}

static enum bm_status check_conv(const struct bm_case *c, const struct bm_plan *plan,
                                 const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                 struct bm_check *check, struct bm_error *error) {
    const uint64_t rows = bm_row_run_count(plan, c->m, c->n), tokens = tokens_of(c);
    double x[BM_CHECK_OUTPUTS], weight[BM_CHECK_OUTPUTS];
    struct bm_row_run run;
    enum bm_status status = bm_check_begin(check, index, check_count(c, plan), error);
    if (status)
        return status;
    if (index >= rows) {
        status = bm_row_run_begin(check, plan, c->batch * (c->k - 1), c->n, seed, index - rows, &run, error);
        if (!status)
            inputs_at(c, operands, run.row / (c->k - 1),
                      (int64_t)(tokens + run.row % (c->k - 1)) - (int64_t)(c->k - 1), &run, check->expected);
        check->output = 1;
        return status;
    }
    status = bm_row_run_begin(check, plan, c->m, c->n, seed, index, &run, error);
    if (status)
        return status;
    for (uint64_t j = 0; j <= c->k; j++) {
        bm_values_gather(operands->values[WEIGHTS], operands->start[WEIGHTS] + j * c->n + run.column, 1,
                         run.count, weight);
        inputs_at(c, operands, run.row / tokens, (int64_t)(run.row % tokens + j) - (int64_t)(c->k - 1), &run,
                  x);
        for (unsigned i = 0; i < run.count; i++)
            check->expected[i] = j == 0     ? weight[i] * x[i]
                                 : j < c->k ? check->expected[i] + weight[i] * x[i]
                                            : check->expected[i] + weight[i];
    }
    for (unsigned i = 0; i < run.count; i++)
        check->expected[i] /= 1 + exp(-check->expected[i]);
    check->scale = sqrt((double)c->k);
    return BM_OK;
}

/* k products of unit normals, added, and SiLU's few roundings; its slope is at most 1.1. */
static double tolerance(const struct bm_case *c) {
    return 8 * BM_F32_ROUNDOFF * (sqrt((double)c->k) + 4) + bm_output_roundoff(c->dtype->output);
}

const struct bm_workload bm_workload_mamba_conv = {
    .name = "mamba_conv",
    .summary = "Mamba-2's convolution: causal, depthwise, with SiLU",
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .written = written,
    .safe_parameters = safe_parameters,
    .tunables = tunables,
    .tunable_count = BM_COUNT_OF(tunables),
    .plan = plan_conv,
    .check_count = check_count,
    .check = check_conv,
    .tolerance = tolerance,
};
