/* Multi-head latent attention as decode runs it, absorbed (DeepSeek-V2, arXiv 2405.04434, section 2.1.2 and
 * appendix C): softmax(Q C^T / sqrt(d)) C[:, :d_v] for b sequences of H query heads, all of which share one
 * cached row C of d = latent + rope elements a token; its first d_v, the latent, are the values too. The
 * products that lead into the latent and out of it, head by head, are ops of their own.
 *
 * Over S tokens, the new one included: F = 2 b H S (d + d_v); B = b S d e_kv + b H (d + d_v) e: keys and
 * values are read once (DESIGN "Formulas"). The softmax is not counted. Models scale by the size of their
 * heads before absorption, another constant; with 1 / sqrt(d) scores of normal inputs are normal. Case
 * fields: heads H, kv_heads 1, head_dim d, v_dim d_v, context S.
 *
 * Layouts: queries [b, H, d] and outputs [b, H, d_v] hot, cache [b, S, d] cold; of a longer cache the rows of
 * a sequence lie further from those of the next. */
#include <math.h>
#include <stdlib.h>

#include "internal.h"

enum { QUERIES, CACHE, OUTPUTS, PARTIALS };

static const struct bm_tunable tunables[] = {
    {"VEC", 1, 16, true},         {"HEAD_TILE", 1, 128, false}, {"KEY_TILE", 1, 1024, false},
    {"KEY_STEP", 1, 24, false},   {"ROW_VECTORS", 1, 8, false}, {"ROW_TILE", 1, 16, true},
    {"COLUMN_TILE", 1, 8, false}, {"LANES", 1, 1024, true},     {"SLICES", 1, 32, true},
    {"STAGE", 0, 1, false},       {"AHEAD", 0, 8, false},       {"PREFETCH", 0, 65536, false},
    {"GROUPS", 1, 64, false},
};

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    if (!c->dtype)
        return bm_fail(error, BM_INVALID, "mla needs a dtype");
    if (c->phase != BM_PHASE_DECODE)
        return bm_fail(error, BM_INVALID, "mla is of decode; prefill expands the latent and is attention");
    if (!c->batch || c->batch > BM_BATCH_MAX)
        return bm_fail(error, BM_INVALID, "mla: batch is %u, must be 1 to %u", c->batch, BM_BATCH_MAX);
    if (!c->heads || c->heads > BM_HEADS_MAX || c->kv_heads != 1)
        return bm_fail(error, BM_INVALID, "mla: %u query heads must be 1 to %u and share one KV head, not %u",
                       c->heads, BM_HEADS_MAX, c->kv_heads);
    if (!c->v_dim || c->head_dim > BM_HEAD_DIM_MAX || c->v_dim > c->head_dim)
        return bm_fail(error, BM_INVALID,
                       "mla: %u values must be 1 to all of a cached row's %u elements, at most %u", c->v_dim,
                       c->head_dim, BM_HEAD_DIM_MAX);
    if (!c->context || c->context > BM_TOKENS_MAX)
        return bm_fail(error, BM_INVALID, "mla: context is %u, must be 1 to %u", c->context, BM_TOKENS_MAX);
    return BM_OK;
}

static void shape(const struct bm_case *c, struct bm_text *text) {
    bm_text_append(text, "b%uh%ud%udv%uc%u", c->batch, c->heads, c->head_dim, c->v_dim, c->context);
    if (c->dtype)
        bm_text_append(text, "/kv%s", bm_kv_name(bm_case_kv(c)));
}

static double flops(const struct bm_case *c) {
    return 2.0 * (double)c->batch * (double)c->heads * (double)c->context *
           ((double)c->head_dim + (double)c->v_dim);
}

static double bytes(const struct bm_case *c) {
    const double io = (double)c->heads * ((double)c->head_dim * bm_element_bytes_each(c->dtype->activation) +
                                          (double)c->v_dim * bm_element_bytes_each(c->dtype->output));
    const double row = (double)c->head_dim * bm_element_bytes_each(bm_case_kv(c));
    return (double)c->batch * ((double)c->context * row + io);
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 128 && target->local_bytes >= 32768;
    const bool narrow = bm_case_kv(c) != BM_ELEMENT_F32; /* staged */
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "HEAD_TILE", grouped ? 8 : 64);
    bm_parameters_set(parameters, "KEY_TILE", grouped ? 8 : narrow ? 24 : 32);
    bm_parameters_set(parameters, "KEY_STEP", grouped ? 1 : narrow ? 24 : 16);
    bm_parameters_set(parameters, "ROW_VECTORS", 1);
    bm_parameters_set(parameters, "ROW_TILE", 8);
    bm_parameters_set(parameters, "COLUMN_TILE", grouped ? 1 : 2);
    bm_parameters_set(parameters, "LANES", grouped ? 128 : 1);
    bm_parameters_set(parameters, "SLICES", grouped ? 8 : 1);
    bm_parameters_set(parameters, "STAGE", 0);
    bm_parameters_set(parameters, "AHEAD", grouped ? 1 : narrow ? 3 : 2);
    bm_parameters_set(parameters, "PREFETCH", grouped || !narrow ? 0 : 16384);
    bm_parameters_set(parameters, "GROUPS", grouped ? 8 : 4);
}

/* How one group works. */
struct layout {
    uint64_t vec, rows, key_tile, key_step, row_vectors, row_tile, column_tile, lanes, slices;
    uint64_t head_tiles; /* groups that pass over the same rows of the cache */
};

static uint64_t divisor(uint64_t value, uint64_t most) {
    while (value % most)
        most--;
    return most;
}

/* Bytes of the kernel's struct mla_state. */
static uint64_t state_bytes(const struct bm_case *c, const struct layout *l) {
    return sizeof(float) *
           (l->rows * (c->head_dim + l->slices * l->key_tile + 3) + l->key_tile * (c->head_dim + l->vec));
}

static enum bm_status fit(const struct bm_case *c, const struct bm_target *target,
                          const struct bm_parameters *p, struct layout *l, struct bm_error *error) {
    *l = (struct layout){.rows = (uint64_t)bm_parameters_get(p, "HEAD_TILE", 1),
                         .key_tile = (uint64_t)bm_parameters_get(p, "KEY_TILE", 1),
                         .key_step = (uint64_t)bm_parameters_get(p, "KEY_STEP", 1),
                         .lanes = (uint64_t)bm_parameters_get(p, "LANES", 1),
                         .slices = (uint64_t)bm_parameters_get(p, "SLICES", 1)};
    enum bm_status status = bm_tunables_check_group("mla", (int64_t)l->lanes, target, error);
    if (status)
        return status;
    l->vec = bm_power_of_two_divisor(c->head_dim, (uint64_t)bm_parameters_get(p, "VEC", 1));
    l->vec = bm_power_of_two_divisor(c->v_dim, l->vec);
    l->slices = bm_power_of_two_divisor(c->head_dim, l->slices);
    /* Heads in tiles of equal height, of whole vectors. */
    l->head_tiles = bm_ceil_div(c->heads, l->rows);
    l->rows = bm_ceil_div(bm_ceil_div(c->heads, l->head_tiles), l->vec) * l->vec;
    l->head_tiles = bm_ceil_div(c->heads, l->rows);
    l->row_vectors = divisor(l->rows / l->vec, (uint64_t)bm_parameters_get(p, "ROW_VECTORS", 1));
    const uint64_t row_tile = (uint64_t)bm_parameters_get(p, "ROW_TILE", 1);
    l->row_tile = row_tile < l->vec ? bm_power_of_two_divisor(l->vec, row_tile)
                                    : divisor(l->rows / l->vec, row_tile / l->vec) * l->vec;
    l->column_tile =
        divisor(bm_ceil_div(c->v_dim / l->vec, l->lanes), (uint64_t)bm_parameters_get(p, "COLUMN_TILE", 1));
    /* A step is of rows that there are. */
    l->key_step = l->key_step < c->context ? l->key_step : c->context;
    const uint64_t needed = l->key_tile < c->context ? l->key_tile : c->context;
    l->key_tile = bm_ceil_div(needed, l->key_step) * l->key_step;
    if (l->lanes == 1)
        return BM_OK;
    while (l->key_tile > l->key_step && state_bytes(c, l) > target->local_bytes)
        l->key_tile -= l->key_step;
    return bm_tunables_check_local("mla", state_bytes(c, l), target, error);
}

static void set_parameters(const struct layout *l, const struct bm_parameters *resolved,
                           struct bm_parameters *parameters) {
    *parameters = *resolved;
    bm_parameters_set(parameters, "VEC", (int64_t)l->vec);
    bm_parameters_set(parameters, "HEAD_TILE", (int64_t)l->rows);
    bm_parameters_set(parameters, "KEY_TILE", (int64_t)l->key_tile);
    bm_parameters_set(parameters, "KEY_STEP", (int64_t)l->key_step);
    bm_parameters_set(parameters, "ROW_VECTORS", (int64_t)l->row_vectors);
    bm_parameters_set(parameters, "ROW_TILE", (int64_t)l->row_tile);
    bm_parameters_set(parameters, "COLUMN_TILE", (int64_t)l->column_tile);
    bm_parameters_set(parameters, "SLICES", (int64_t)l->slices);
}

static void add_launches(const struct bm_case *c, const struct bm_target *target, const struct layout *l,
                         struct bm_plan *plan) {
    /* Enough groups to fill the device, each with at least one whole block of rows; none is empty. */
    const uint64_t units = target->compute_units ? target->compute_units : 1;
    const uint64_t wanted = units * (uint64_t)bm_parameters_get(&plan->parameters, "GROUPS", 1);
    const uint64_t passes = (uint64_t)c->batch * l->head_tiles;
    const uint64_t blocks = bm_ceil_div(bm_ceil_div(c->context, bm_ceil_div(wanted, passes)), l->key_tile);
    const uint64_t split_keys = blocks * l->key_tile, splits = bm_ceil_div(c->context, split_keys);

    bm_plan_tensor(plan, "partials", BM_ELEMENT_F32, BM_ROLE_SCRATCH,
                   (uint64_t)c->batch * c->heads * splits * (c->v_dim + 2));
    struct bm_launch *launch = bm_plan_launch(plan, "mla_decode", 3);
    launch->local[0] = l->lanes;
    launch->global[0] = l->head_tiles * l->lanes;
    launch->global[1] = splits;
    launch->global[2] = c->batch;
    bm_launch_tensor(launch, plan, QUERIES);
    bm_launch_tensor(launch, plan, CACHE);
    bm_launch_tensor(launch, plan, PARTIALS);
    bm_launch_pitch(launch, CACHE, (uint64_t)c->context * c->head_dim);
    bm_launch_uint(launch, c->heads);
    bm_launch_uint(launch, c->context);
    bm_launch_uint(launch, split_keys);
    bm_launch_float(launch, 1.0f / sqrtf((float)c->head_dim));

    launch = bm_plan_launch(plan, "mla_merge", 2);
    launch->local[0] = l->lanes;
    launch->global[0] = c->heads * l->lanes;
    launch->global[1] = c->batch;
    bm_launch_tensor(launch, plan, PARTIALS);
    bm_launch_tensor(launch, plan, OUTPUTS);
    bm_launch_uint(launch, splits);
}

static enum bm_status plan_mla(const struct bm_case *c, const struct bm_target *target,
                               const struct bm_parameters *given, struct bm_plan *plan,
                               struct bm_error *error) {
    struct bm_parameters safe, resolved, parameters;
    struct layout l;

    *plan = (struct bm_plan){0};
    enum bm_status status = validate(c, error);
    if (!status)
        status = bm_dtype_check_plain("mla", c->dtype, BM_ELEMENT_F16, error);
    if (!status && bm_case_kv(c) > BM_ELEMENT_F16)
        status =
            bm_fail(error, BM_UNSUPPORTED, "mla has no kernel for a cache of %s", bm_kv_name(bm_case_kv(c)));
    if (status)
        return status;
    safe_parameters(c, target, &safe);
    status = bm_tunables_resolve("mla", tunables, BM_COUNT_OF(tunables), &safe, given, &resolved, error);
    if (!status)
        status = fit(c, target, &resolved, &l, error);
    if (status)
        return status;

    set_parameters(&l, &resolved, &parameters);
    bm_plan_begin(plan, "mla.cl", l.lanes > 1 ? "group_tile" : "register_tile", "f32_vector", &parameters);
    bm_parameters_set(&plan->defines, "K_DIM", c->head_dim);
    bm_parameters_set(&plan->defines, "V_DIM", c->v_dim);
    bm_parameters_set(&plan->defines, "STORED_F16", c->dtype->activation == BM_ELEMENT_F16);
    bm_parameters_set(&plan->defines, "KV_F16", bm_case_kv(c) == BM_ELEMENT_F16);
    bm_plan_tensor(plan, "queries", c->dtype->activation, BM_ROLE_HOT,
                   (uint64_t)c->batch * c->heads * c->head_dim);
    bm_plan_tensor(plan, "cache", bm_case_kv(c), BM_ROLE_COLD, (uint64_t)c->batch * c->context * c->head_dim);
    bm_plan_tensor(plan, "outputs", c->dtype->output, BM_ROLE_OUTPUT,
                   (uint64_t)c->batch * c->heads * c->v_dim);
    add_launches(c, target, &l, plan);
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

/* ---- the float64 reference ---- */

/* A check is one head's outputs: all heads where that is cheap or the plan asks for it, else one of those
 * that are scored, or weighed, in the same registers. */
static uint64_t step_of(const struct bm_case *c, const struct bm_plan *plan) {
    const uint64_t vec = (uint64_t)bm_parameters_get(&plan->parameters, "VEC", 1);
    const uint64_t row_tile = (uint64_t)bm_parameters_get(&plan->parameters, "ROW_TILE", 1);
    return plan->check_all || flops(c) <= 0x1p30 ? 1 : vec < row_tile ? vec : row_tile;
}

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    return (uint64_t)c->batch * bm_ceil_div(c->heads, step_of(c, plan));
}

/* expected[0..v_dim) of one head. weights: room for the context. */
static void attend(const struct bm_case *c, const struct bm_operands *operands, uint64_t batch, uint64_t head,
                   double *weights, struct bm_check *check) {
    const struct bm_values *cache = operands->values[CACHE];
    const uint64_t first = batch * c->context * c->head_dim;
    double query[BM_HEAD_DIM_MAX], maximum = -(double)INFINITY, sum = 0, squares = 0;

    bm_values_gather(operands->values[QUERIES], operands->start[QUERIES] + head * c->head_dim, 1, c->head_dim,
                     query);
    for (uint64_t j = 0; j < c->context; j++) {
        weights[j] = bm_values_dot(operands, CACHE, first + j * c->head_dim, query, c->head_dim) /
                     sqrt((double)c->head_dim);
        maximum = fmax(maximum, weights[j]);
    }
    for (uint64_t j = 0; j < c->context; j++) {
        weights[j] = exp(weights[j] - maximum);
        sum += weights[j];
    }
    for (unsigned i = 0; i < c->v_dim; i++)
        check->expected[i] = 0;
    for (uint64_t j = 0; j < c->context; j++) {
        const double weight = weights[j] / sum;
        const size_t at = bm_values_position(operands, CACHE, first + j * c->head_dim);
        squares += weight * weight;
        if (at + c->v_dim <= cache->period)
            for (unsigned i = 0; i < c->v_dim; i++)
                check->expected[i] += weight * (double)cache->values[at + i];
        else
            for (unsigned i = 0; i < c->v_dim; i++)
                check->expected[i] += weight * (double)cache->values[(at + i) % cache->period];
    }
    check->first = head * c->v_dim;
    check->count = c->v_dim;
    check->scale = sqrt(squares); /* the standard deviation of such a mean of unit normals */
}

static enum bm_status check_mla(const struct bm_case *c, const struct bm_plan *plan,
                                const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                struct bm_check *check, struct bm_error *error) {
    const uint64_t step = step_of(c, plan), tiles = bm_ceil_div(c->heads, step);
    enum bm_status status = bm_check_begin(check, index, check_count(c, plan), error);
    if (status)
        return status;
    const uint64_t batch = index / tiles, first = index % tiles * step, left = c->heads - first;
    const uint64_t head = first + bm_sample(seed, index, left < step ? left : step);
    double *weights = bm_alloc(c->context, sizeof(*weights));
    if (!weights)
        return bm_fail(error, BM_NO_MEMORY, "no memory to check attention over %u keys", c->context);
    attend(c, operands, batch, batch * c->heads + head, weights, check);
    free(weights);
    return BM_OK;
}

/* Scores are dot products of d unit normals over sqrt(d): as for gemm they err by 0.41 u sqrt(d), and so
 * does, relatively, each weight, by that and the 1e-7 = 2 u of the power. A mean of S values with weights
 * that err independently errs by as much of its standard deviation, the check's scale; sums of S terms add
 * 0.41 u sqrt(S). Twenty standard deviations of both. An output of fewer bits adds half a unit in its last
 * place. */
static double tolerance(const struct bm_case *c) {
    return 8 * BM_F32_ROUNDOFF * (sqrt((double)c->head_dim) + sqrt((double)c->context) + 4) +
           bm_output_roundoff(c->dtype->output);
}

const struct bm_workload bm_workload_mla = {
    .name = "mla",
    .is_essential = true,
    .summary = "latent attention in decode, absorbed: all heads share a cached row (DeepSeek)",
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .safe_parameters = safe_parameters,
    .tunables = tunables,
    .tunable_count = BM_COUNT_OF(tunables),
    .plan = plan_mla,
    .check_count = check_count,
    .check = check_mla,
    .tolerance = tolerance,
};
