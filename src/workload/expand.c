/* What latent attention does to a prompt before attention proper (DeepSeek-V2, arXiv 2405.04434, section
 * 2.1.3): the latents of m = b T tokens, expanded to rows [H, (d - k) + d_v] of each token, become keys
 * [b, H, T, d] and values [b, H, T, d_v]. The last k elements of a key are the token's rotated ones, the same
 * for every head, out of rows of their own.
 *
 * F = 0; B = e m (H (d - k + d_v) + k) + e_kv m H (d + d_v). Inputs are cold and may be parts of wider rows,
 * outputs rotate and may be lines of a longer cache. Case fields: heads H, head_dim d, v_dim d_v, k. */
#include <math.h>

#include "internal.h"

enum { KEYS, INPUTS, SHARED, VALUES };

static const struct bm_tunable tunables[] = {{"ROWS", 1, 256, true},
                                             {"HEADS", 1, 256, false},
                                             {"VEC", 1, 16, true},
                                             {"LANES", 1, 1024, true},
                                             {"NONTEMPORAL", 0, 1, false}};

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    if (!c->dtype)
        return bm_fail(error, BM_INVALID, "kv_expand needs a dtype");
    if (!c->batch || c->batch > BM_BATCH_MAX || !c->tokens || c->tokens > BM_TOKENS_MAX)
        return bm_fail(error, BM_INVALID, "kv_expand: batch %u and tokens %u must be from 1 to %u and %u",
                       c->batch, c->tokens, BM_BATCH_MAX, BM_TOKENS_MAX);
    if (!c->heads || c->heads > BM_HEADS_MAX)
        return bm_fail(error, BM_INVALID, "kv_expand: %u heads, must be 1 to %u", c->heads, BM_HEADS_MAX);
    if (c->head_dim > BM_HEAD_DIM_MAX || !c->v_dim || c->v_dim > BM_HEAD_DIM_MAX || !c->k ||
        c->k >= c->head_dim)
        return bm_fail(error, BM_INVALID,
                       "kv_expand: head sizes %u and %u, must be at most %u, and %llu elements of the first "
                       "that are shared, fewer than all",
                       c->head_dim, c->v_dim, BM_HEAD_DIM_MAX, (unsigned long long)c->k);
    return BM_OK;
}

/* "b1t2048h128d192dv128k64/kvf16" */
static void shape(const struct bm_case *c, struct bm_text *text) {
    bm_text_append(text, "b%ut%uh%ud%udv%uk%llu", c->batch, c->tokens, c->heads, c->head_dim, c->v_dim,
                   (unsigned long long)c->k);
    if (c->dtype)
        bm_text_append(text, "/kv%s", bm_kv_name(bm_case_kv(c)));
}

static uint64_t tokens_of(const struct bm_case *c) {
    return (uint64_t)c->batch * c->tokens;
}

/* Elements of a head in the rows that are read. */
static uint64_t part_of(const struct bm_case *c) {
    return c->head_dim - c->k + c->v_dim;
}

static double flops(const struct bm_case *c) {
    (void)c;
    return 0;
}

static double written(const struct bm_case *c) {
    return (double)tokens_of(c) * c->heads * ((double)c->head_dim + c->v_dim) *
           bm_element_bytes_each(bm_case_kv(c));
}

static double bytes(const struct bm_case *c) {
    return written(c) +
           (double)tokens_of(c) * ((double)c->heads * (double)part_of(c) + (double)c->k) * bm_rows_element(c);
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 32;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "ROWS", grouped ? 1 : 4);
    bm_parameters_set(parameters, "HEADS", grouped ? 16 : 256);
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "LANES", grouped ? 32 : 1);
    bm_parameters_set(parameters, "NONTEMPORAL", !grouped && !c->hot);
}

static void add_launch(const struct bm_case *c, uint64_t rows, uint64_t heads, uint64_t lanes,
                       struct bm_plan *plan) {
    struct bm_launch *launch = bm_plan_launch(plan, "kv_expand", 3);
    launch->local[0] = lanes;
    launch->global[0] = bm_ceil_div(c->tokens, rows) * lanes;
    launch->global[1] = bm_ceil_div(c->heads, heads);
    launch->global[2] = c->batch;
    for (unsigned t = KEYS; t <= VALUES; t++)
        bm_launch_tensor(launch, plan, t);
    bm_launch_pitch(launch, KEYS, (uint64_t)c->tokens * c->head_dim);
    bm_launch_pitch(launch, INPUTS, c->heads * part_of(c));
    bm_launch_pitch(launch, SHARED, c->k);
    bm_launch_pitch(launch, VALUES, (uint64_t)c->tokens * c->v_dim);
    bm_launch_uint(launch, c->tokens);
    bm_launch_uint(launch, c->heads);
}

static enum bm_status plan_expand(const struct bm_case *c, const struct bm_target *target,
                                  const struct bm_parameters *given, struct bm_plan *plan,
                                  struct bm_error *error) {
    struct bm_parameters parameters;

    *plan = (struct bm_plan){0};
    uint64_t lanes;
    enum bm_status status = bm_rows_resolve(c, target, given, &parameters, &lanes, error);
    if (!status && bm_case_kv(c) == BM_ELEMENT_I8)
        status = bm_fail(error, BM_UNSUPPORTED, "kv_expand has no kernel for an int8 cache");
    if (status)
        return status;

    bm_plan_begin(plan, "gather.cl", lanes > 1 ? "group_rows" : "item_rows", "-", &parameters);
    bm_rows_define(plan, c->dtype->activation, c->head_dim - c->k);
    bm_rows_limit_vec(plan, c->k);
    bm_rows_limit_vec(plan, c->v_dim);
    bm_parameters_set(&plan->defines, "WRITTEN", bm_case_kv(c));
    bm_parameters_set(&plan->defines, "HEAD_DIM", c->head_dim);
    bm_parameters_set(&plan->defines, "V_DIM", c->v_dim);
    bm_parameters_set(&plan->defines, "SHARED_DIM", (int64_t)c->k);
    bm_plan_rotating_output(plan, "keys", bm_case_kv(c), tokens_of(c) * c->heads * c->head_dim);
    bm_plan_tensor(plan, "inputs", c->dtype->activation, BM_ROLE_COLD, tokens_of(c) * c->heads * part_of(c));
    bm_plan_tensor(plan, "shared", c->dtype->activation, BM_ROLE_COLD, tokens_of(c) * c->k);
    bm_plan_rotating_output(plan, "values", bm_case_kv(c), tokens_of(c) * c->heads * c->v_dim);
    add_launch(c, (uint64_t)bm_parameters_get(&parameters, "ROWS", 1),
               (uint64_t)bm_parameters_get(&parameters, "HEADS", 1), lanes, plan);
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

/* Checks of keys, a row being that of a token and head, then of values. */
static uint64_t key_checks(const struct bm_case *c, const struct bm_plan *plan) {
    return bm_row_run_count(plan, tokens_of(c) * c->heads, c->head_dim);
}

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    return key_checks(c, plan) + bm_row_run_count(plan, tokens_of(c) * c->heads, c->v_dim);
}

static enum bm_status check_expand(const struct bm_case *c, const struct bm_plan *plan,
                                   const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                   struct bm_check *check, struct bm_error *error) {
    const uint64_t keys = key_checks(c, plan), own = c->head_dim - c->k;
    const bool is_value = index >= keys;
    struct bm_row_run run;
    enum bm_status status = bm_check_begin(check, index, check_count(c, plan), error);
    if (!status)
        status = bm_row_run_begin(check, plan, tokens_of(c) * c->heads, is_value ? c->v_dim : c->head_dim,
                                  seed, is_value ? index - keys : index, &run, error);
    if (status)
        return status;
    const uint64_t head = run.row / c->tokens % c->heads;
    const uint64_t token = run.row / c->tokens / c->heads * c->tokens + run.row % c->tokens;
    const uint64_t row = (token * c->heads + head) * part_of(c) + (is_value ? own : 0);
    for (unsigned i = 0; i < run.count; i++) {
        const uint64_t column = run.column + i;
        const bool shared = !is_value && column >= own;
        bm_values_gather(operands->values[shared ? SHARED : INPUTS],
                         shared ? operands->start[SHARED] + token * c->k + column - own
                                : operands->start[INPUTS] + row + column,
                         1, 1, &check->expected[i]);
    }
    check->output = is_value;
    check->scale = 0;
    return BM_OK;
}

/* A copy rounds once, where the formats differ. */
static double tolerance(const struct bm_case *c) {
    return bm_output_roundoff(bm_case_kv(c));
}

const struct bm_workload bm_workload_kv_expand = {
    .name = "kv_expand",
    .summary = "keys and values of every head out of expanded latents (MLA, prefill)",
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .written = written,
    .safe_parameters = safe_parameters,
    .tunables = tunables,
    .tunable_count = BM_COUNT_OF(tunables),
    .plan = plan_expand,
    .check_count = check_count,
    .check = check_expand,
    .tolerance = tolerance,
};
