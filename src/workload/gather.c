/* Rows that are moved; F = 0.
 *
 * embedding: m rows of n are looked up in a table. B = 2 m n e. The table has the m rows that are looked up,
 * in an order that jumps: those of a vocabulary that no token asks for are never touched, and a rotation over
 * all of it would come back to the same few. kv_write: the keys and values of m = b T new tokens go from the
 * rows of a fused projection, [b, T, (H + H_kv) d + H_kv d_v], to the cache: keys [b, H_kv, T, d] and, where
 * d_v is not 0 (MLA keeps one latent), values [b, H_kv, T, d_v]; both may be lines of a longer cache. B = m
 * H_kv (d + d_v) (e + e_kv). An int8 cache is quantised row by row, q = x / s to the nearest whole number
 * with s = max |x| / 127 in f32, which is 4 m H_kv bytes more for keys and for values. Inputs are cold, and
 * outputs rotate. */
#include <math.h>
#include <string.h>

#include "internal.h"

enum { OUTPUTS, INPUTS, VALUES };

static const struct bm_tunable tunables[] = {
    {"ROWS", 1, 256, true}, {"VEC", 1, 16, true}, {"LANES", 1, 1024, true}, {"NONTEMPORAL", 0, 1, false}};

static double no_flops(const struct bm_case *c) {
    (void)c;
    return 0;
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 128;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "ROWS", grouped ? 1 : c->workload == &bm_workload_embedding ? 4 : 16);
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "LANES", grouped ? 128 : 1);
    bm_parameters_set(parameters, "NONTEMPORAL", !grouped && !c->hot);
}

/* What both plans begin with. */
static enum bm_status begin(const struct bm_case *c, const struct bm_target *target,
                            const struct bm_parameters *given, struct bm_plan *plan, uint64_t *rows,
                            uint64_t *lanes, struct bm_error *error) {
    struct bm_parameters parameters;

    *plan = (struct bm_plan){0};
    enum bm_status status = bm_rows_resolve(c, target, given, &parameters, lanes, error);
    *rows = (uint64_t)bm_parameters_get(&parameters, "ROWS", 0);
    if (!status)
        bm_plan_begin(plan, "gather.cl", *lanes > 1 ? "group_rows" : "item_rows", "-", &parameters);
    return status;
}

static enum bm_status finish(struct bm_plan *plan, const struct bm_target *target, struct bm_error *error) {
    enum bm_status status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

/* A copy rounds once, where the formats differ; a quotient that is quantised is off by a few units in the
 * last place, of the divisions and of the product. */
static double tolerance(const struct bm_case *c) {
    if (c->workload != &bm_workload_kv_write)
        return 0;
    return bm_case_kv(c) == BM_ELEMENT_I8 ? 16 * BM_F32_ROUNDOFF : bm_output_roundoff(bm_case_kv(c));
}

/* ---- embedding ---- */

static double embedding_written(const struct bm_case *c) {
    return (double)c->m * (double)c->n * bm_rows_element(c);
}

static double embedding_bytes(const struct bm_case *c) {
    return 2 * embedding_written(c);
}

static uint64_t common_divisor(uint64_t a, uint64_t b) {
    while (b) {
        const uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Row r reads row r x step modulo m; that is every row once when the two have no divisor in common. */
static uint64_t step_of(const struct bm_case *c) {
    uint64_t step = (uint64_t)((double)c->m * 0.6180339887) | 1;
    while (common_divisor(step, c->m) != 1)
        step += 2;
    return step;
}

static enum bm_status plan_embedding(const struct bm_case *c, const struct bm_target *target,
                                     const struct bm_parameters *given, struct bm_plan *plan,
                                     struct bm_error *error) {
    uint64_t rows, lanes;
    enum bm_status status = begin(c, target, given, plan, &rows, &lanes, error);
    if (status)
        return status;
    const enum bm_element element = c->dtype->activation;
    bm_rows_define(plan, element, c->n);
    bm_plan_rotating_output(plan, "outputs", element, c->m * c->n);
    bm_plan_tensor(plan, "table", element, BM_ROLE_COLD, c->m * c->n);
    rows = bm_power_of_two_divisor(c->m, rows < 8 ? rows : 8); /* more than eight streams help nobody */
    bm_parameters_set(&plan->defines, "ROWS", (int64_t)rows);
    struct bm_launch *launch = bm_plan_launch(plan, "embedding", 1);
    launch->local[0] = lanes;
    launch->global[0] = c->m / rows * lanes;
    bm_launch_tensor(launch, plan, OUTPUTS);
    bm_launch_tensor(launch, plan, INPUTS);
    bm_launch_uint(launch, c->m);
    bm_launch_uint(launch, c->n);
    bm_launch_uint(launch, step_of(c));
    return finish(plan, target, error);
}

static uint64_t embedding_check_count(const struct bm_case *c, const struct bm_plan *plan) {
    return bm_row_run_count(plan, c->m, c->n);
}

static enum bm_status check_embedding(const struct bm_case *c, const struct bm_plan *plan,
                                      const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                      struct bm_check *check, struct bm_error *error) {
    struct bm_row_run run;
    enum bm_status status = bm_row_run_begin(check, plan, c->m, c->n, seed, index, &run, error);
    if (status)
        return status;
    const uint64_t row = run.row * step_of(c) % c->m;
    bm_values_gather(operands->values[INPUTS], operands->start[INPUTS] + row * c->n + run.column, 1,
                     run.count, check->expected);
    check->scale = 0; /* exact */
    return BM_OK;
}

const struct bm_workload bm_workload_embedding = {
    .name = "embedding",
    .summary = "lookup of rows in an embedding table",
    .reference = "float64",
    .validate = bm_rows_validate,
    .shape = bm_rows_shape,
    .flops = no_flops,
    .bytes = embedding_bytes,
    .written = embedding_written,
    .safe_parameters = safe_parameters,
    .tunables = tunables,
    .tunable_count = BM_COUNT_OF(tunables),
    .plan = plan_embedding,
    .check_count = embedding_check_count,
    .check = check_embedding,
    .tolerance = tolerance,
};

/* ---- KV write ---- */

static enum bm_status validate_kv(const struct bm_case *c, struct bm_error *error) {
    if (!c->dtype)
        return bm_fail(error, BM_INVALID, "kv_write needs a dtype");
    if (!c->batch || c->batch > BM_BATCH_MAX || !c->tokens || c->tokens > BM_TOKENS_MAX)
        return bm_fail(error, BM_INVALID, "kv_write: batch %u and tokens %u must be from 1 to %u and %u",
                       c->batch, c->tokens, BM_BATCH_MAX, BM_TOKENS_MAX);
    if (c->heads > BM_HEADS_MAX || !c->kv_heads || c->kv_heads > BM_HEADS_MAX)
        return bm_fail(error, BM_INVALID, "kv_write: %u KV heads beside %u, must be 1 to %u", c->kv_heads,
                       c->heads, BM_HEADS_MAX);
    if (!c->head_dim || c->head_dim > BM_HEAD_DIM_MAX || c->v_dim > BM_HEAD_DIM_MAX)
        return bm_fail(error, BM_INVALID, "kv_write: head sizes %u and %u, must be at most %u", c->head_dim,
                       c->v_dim, BM_HEAD_DIM_MAX);
    return BM_OK;
}

static void shape_kv(const struct bm_case *c, struct bm_text *text) {
    bm_text_append(text, "b%ut%uh%ukv%ud%u", c->batch, c->tokens, c->heads, c->kv_heads, c->head_dim);
    if (c->v_dim != c->head_dim)
        bm_text_append(text, "dv%u", c->v_dim);
    if (c->dtype)
        bm_text_append(text, "/kv%s", bm_kv_name(bm_case_kv(c)));
}

static uint64_t lines_of(const struct bm_case *c) {
    return (uint64_t)c->batch * c->kv_heads * c->tokens;
}

static uint64_t width_of(const struct bm_case *c) {
    return (uint64_t)(c->heads + c->kv_heads) * c->head_dim + (uint64_t)c->kv_heads * c->v_dim;
}

static double kv_elements(const struct bm_case *c) {
    return (double)lines_of(c) * (double)(c->head_dim + c->v_dim);
}

static bool is_quantised(const struct bm_case *c) {
    return bm_case_kv(c) == BM_ELEMENT_I8;
}

static double kv_written(const struct bm_case *c) {
    const double scales = is_quantised(c) ? (double)lines_of(c) * (c->v_dim ? 2 : 1) : 0;
    return kv_elements(c) * bm_element_bytes_each(bm_case_kv(c)) +
           scales * bm_element_bytes_each(BM_ELEMENT_F32);
}

static double kv_bytes(const struct bm_case *c) {
    return kv_written(c) + kv_elements(c) * bm_rows_element(c);
}

/* Where an output stands in the plan; values and scales only where there are such. */
struct kv_tensors {
    unsigned values, key_scales, value_scales;
};

static struct kv_tensors kv_tensors_of(const struct bm_case *c) {
    const unsigned key_scales = c->v_dim ? VALUES + 1 : VALUES;
    return (struct kv_tensors){VALUES, key_scales, key_scales + 1};
}

static void launch_kv(const struct bm_case *c, uint64_t rows, uint64_t lanes, struct bm_plan *plan) {
    const struct kv_tensors at = kv_tensors_of(c);
    struct bm_launch *launch = bm_plan_launch(plan, is_quantised(c) ? "kv_quantise" : "kv_write", 2);
    launch->local[0] = lanes;
    launch->global[0] = bm_ceil_div(c->tokens, rows) * lanes;
    launch->global[1] = c->batch;
    for (unsigned t = OUTPUTS; t < plan->tensor_count; t++)
        bm_launch_tensor(launch, plan, t);
    bm_launch_uint(launch, c->tokens);
    bm_launch_uint(launch, c->heads);
    bm_launch_uint(launch, c->kv_heads);
    bm_launch_pitch(launch, INPUTS, width_of(c));
    bm_launch_pitch(launch, OUTPUTS, (uint64_t)c->tokens * c->head_dim);
    if (is_quantised(c))
        bm_launch_pitch(launch, at.key_scales, c->tokens);
    if (c->v_dim)
        bm_launch_pitch(launch, at.values, (uint64_t)c->tokens * c->v_dim);
    if (c->v_dim && is_quantised(c))
        bm_launch_pitch(launch, at.value_scales, c->tokens);
}

static enum bm_status plan_kv(const struct bm_case *c, const struct bm_target *target,
                              const struct bm_parameters *given, struct bm_plan *plan,
                              struct bm_error *error) {
    uint64_t rows, lanes;
    enum bm_status status = begin(c, target, given, plan, &rows, &lanes, error);
    if (status)
        return status;
    bm_rows_define(plan, c->dtype->activation, c->head_dim);
    if (c->v_dim)
        bm_rows_limit_vec(plan, c->v_dim);
    bm_parameters_set(&plan->defines, "WRITTEN", bm_case_kv(c));
    bm_parameters_set(&plan->defines, "HEAD_DIM", c->head_dim);
    bm_parameters_set(&plan->defines, "V_DIM", c->v_dim);
    bm_plan_rotating_output(plan, "keys", bm_case_kv(c), lines_of(c) * c->head_dim);
    bm_plan_tensor(plan, "inputs", c->dtype->activation, BM_ROLE_COLD,
                   (uint64_t)c->batch * c->tokens * width_of(c));
    if (c->v_dim)
        bm_plan_rotating_output(plan, "values", bm_case_kv(c), lines_of(c) * c->v_dim);
    if (is_quantised(c)) {
        const uint64_t vec = (uint64_t)bm_parameters_get(&plan->defines, "VEC", 1);
        uint64_t team = 1; /* lanes with something to do in a row of keys */
        while (2 * team <= lanes && 2 * team * vec <= c->head_dim)
            team *= 2;
        bm_parameters_set(&plan->defines, "TEAM", (int64_t)team);
        bm_plan_rotating_output(plan, "key scales", BM_ELEMENT_F32, lines_of(c));
        if (c->v_dim)
            bm_plan_rotating_output(plan, "value scales", BM_ELEMENT_F32, lines_of(c));
    }
    launch_kv(c, rows, lanes, plan);
    return finish(plan, target, error);
}

/* Checks of rows: the keys of a head and token, or its values; then those of runs of scales. */
struct kv_checks {
    uint64_t keys, values, scales;
};

static struct kv_checks kv_checks_of(const struct bm_case *c, const struct bm_plan *plan) {
    return (struct kv_checks){bm_row_run_count(plan, lines_of(c), c->head_dim),
                              c->v_dim ? bm_row_run_count(plan, lines_of(c), c->v_dim) : 0,
                              is_quantised(c) ? bm_row_run_count(plan, 1, lines_of(c)) : 0};
}

static uint64_t kv_check_count(const struct bm_case *c, const struct bm_plan *plan) {
    const struct kv_checks checks = kv_checks_of(c, plan);
    return checks.keys + checks.values + checks.scales * (c->v_dim ? 2 : 1);
}

/* The row of inputs that becomes row `line` of keys or values: room for BM_HEAD_DIM_MAX. */
static void gather_row(const struct bm_case *c, const struct bm_operands *operands, bool is_value,
                       uint64_t line, double *row) {
    const uint64_t token = line % c->tokens, head = line / c->tokens % c->kv_heads;
    const uint64_t batch = line / c->tokens / c->kv_heads;
    const uint64_t before = is_value ? (uint64_t)(c->heads + c->kv_heads) * c->head_dim + head * c->v_dim
                                     : (c->heads + head) * c->head_dim;
    bm_values_gather(operands->values[INPUTS],
                     operands->start[INPUTS] + (batch * c->tokens + token) * width_of(c) + before, 1,
                     is_value ? c->v_dim : c->head_dim, row);
}

static double scale_of(const double *row, unsigned count) {
    double largest = 0;
    for (unsigned i = 0; i < count; i++)
        largest = fmax(largest, fabs(row[i]));
    return largest / 127;
}

static enum bm_status check_rows(const struct bm_case *c, const struct bm_plan *plan,
                                 const struct bm_operands *operands, bool is_value, uint64_t seed,
                                 uint64_t index, struct bm_check *check, struct bm_error *error) {
    const uint32_t size = is_value ? c->v_dim : c->head_dim; /* a run is a whole row */
    struct bm_row_run run;
    enum bm_status status = bm_row_run_begin(check, plan, lines_of(c), size, seed, index, &run, error);
    if (status)
        return status;
    gather_row(c, operands, is_value, run.row, check->expected);
    check->output = is_value;
    if (is_quantised(c)) {
        const double scale = scale_of(check->expected, check->count);
        for (unsigned i = 0; i < check->count; i++)
            check->expected[i] = scale > 0 ? check->expected[i] / scale : 0;
        check->rounding = 0.5;
    }
    return BM_OK;
}

static enum bm_status check_scales(const struct bm_case *c, const struct bm_plan *plan,
                                   const struct bm_operands *operands, bool is_value, uint64_t seed,
                                   uint64_t index, struct bm_check *check, struct bm_error *error) {
    double row[BM_HEAD_DIM_MAX];
    struct bm_row_run run;
    enum bm_status status = bm_row_run_begin(check, plan, 1, lines_of(c), seed, index, &run, error);
    for (unsigned i = 0; !status && i < check->count; i++) {
        gather_row(c, operands, is_value, check->first + i, row);
        check->expected[i] = scale_of(row, is_value ? c->v_dim : c->head_dim);
    }
    check->output = (c->v_dim ? 2 : 1) + is_value; /* behind the keys, and the values where there are some */
    return status;
}

static enum bm_status check_kv(const struct bm_case *c, const struct bm_plan *plan,
                               const struct bm_operands *operands, uint64_t seed, uint64_t index,
                               struct bm_check *check, struct bm_error *error) {
    const struct kv_checks checks = kv_checks_of(c, plan);
    enum bm_status status = bm_check_begin(check, index, kv_check_count(c, plan), error);
    if (status)
        return status;
    if (index < checks.keys)
        return check_rows(c, plan, operands, false, seed, index, check, error);
    index -= checks.keys;
    if (index < checks.values)
        return check_rows(c, plan, operands, true, seed, index, check, error);
    index -= checks.values;
    return check_scales(c, plan, operands, index >= checks.scales, seed, index % checks.scales, check, error);
}

const struct bm_workload bm_workload_kv_write = {
    .name = "kv_write",
    .summary = "keys and values of new tokens to the KV cache",
    .reference = "float64",
    .validate = validate_kv,
    .shape = shape_kv,
    .flops = no_flops,
    .bytes = kv_bytes,
    .written = kv_written,
    .safe_parameters = safe_parameters,
    .tunables = tunables,
    .tunable_count = BM_COUNT_OF(tunables),
    .plan = plan_kv,
    .check_count = kv_check_count,
    .check = check_kv,
    .tolerance = tolerance,
};
