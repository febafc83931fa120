/* Plans of attention. The tunables say what suits a device; they are fitted to the head sizes and heads of
 * the case here, and the plan reports what came of it. */
#include "internal.h"

const struct bm_tunable bm_attention_tunables[BM_ATTENTION_TUNABLES] = {
    {"VEC", 1, 16, true},              /* elements of a load */
    {"ROW_TILE", 1, 16, false},        /* rows in registers */
    {"COLUMN_TILE", 1, 16, false},     /* output vectors in registers */
    {"QUERY_TILE", 1, 128, false},     /* prefill: queries of a group */
    {"KEY_TILE", 4, 512, true},        /* keys of a block */
    {"LANES", 1, 1024, true},          /* work-items of a group */
    {"LANES_D", 1, 1024, true},        /* of these side by side along an output row */
    {"DECODE_ROWS", 1, 128, false},    /* decode: query heads of a group, at most */
    {"DECODE_KEY_TILE", 4, 512, true}, /* and the same three */
    {"DECODE_LANES", 1, 1024, true},
    {"DECODE_LANES_D", 1, 1024, true},
    {"DECODE_GROUPS", 1, 1024, false}, /* work-groups wanted per compute unit: how far the context is split */
};

void bm_attention_safe_parameters(const struct bm_case *c, const struct bm_target *target,
                                  struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 32 && target->local_bytes >= 32768;
    (void)c;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "ROW_TILE", 4);
    bm_parameters_set(parameters, "COLUMN_TILE", grouped ? 1 : 4);
    bm_parameters_set(parameters, "QUERY_TILE", grouped ? 8 : 12);
    bm_parameters_set(parameters, "KEY_TILE", grouped ? 16 : 64);
    bm_parameters_set(parameters, "LANES", grouped ? 32 : 1);
    bm_parameters_set(parameters, "LANES_D", grouped ? 32 : 1);
    bm_parameters_set(parameters, "DECODE_ROWS", 8);
    bm_parameters_set(parameters, "DECODE_KEY_TILE", grouped ? 16 : 64);
    bm_parameters_set(parameters, "DECODE_LANES", grouped ? 32 : 1);
    bm_parameters_set(parameters, "DECODE_LANES_D", grouped ? 32 : 1);
    bm_parameters_set(parameters, "DECODE_GROUPS", 8);
}

/* How one group works. */
struct layout {
    uint64_t vec, rows, key_tile, lanes, lanes_d, row_tile, column_tile;
    uint64_t head_tiles; /* decode: groups that share a KV head */
};

static uint64_t largest_divisor(uint64_t value, uint64_t limit) {
    while (value % limit)
        limit--;
    return limit;
}

/* Bytes of the kernel's struct softmax_state. */
static uint64_t state_bytes(const struct bm_case *c, const struct layout *l) {
    return sizeof(float) * (l->rows * (c->head_dim + l->key_tile + 3) +
                            (l->lanes > 1 ? l->key_tile * (c->head_dim + l->vec) : 0));
}

static enum bm_status fit(const struct bm_case *c, const struct bm_target *target,
                          const struct bm_parameters *p, struct layout *l, struct bm_error *error) {
    const bool decode = c->phase == BM_PHASE_DECODE;
    const uint64_t group_heads = c->heads / c->kv_heads;

    *l = (struct layout){
        .vec = (uint64_t)bm_parameters_get(p, "VEC", 1),
        .key_tile = (uint64_t)bm_parameters_get(p, decode ? "DECODE_KEY_TILE" : "KEY_TILE", 4),
        .lanes = (uint64_t)bm_parameters_get(p, decode ? "DECODE_LANES" : "LANES", 1),
        .lanes_d = (uint64_t)bm_parameters_get(p, decode ? "DECODE_LANES_D" : "LANES_D", 1),
        .row_tile = (uint64_t)bm_parameters_get(p, "ROW_TILE", 1),
        .column_tile = (uint64_t)bm_parameters_get(p, "COLUMN_TILE", 1),
    };
    if (l->lanes_d > l->lanes)
        return bm_fail(error, BM_INVALID, "attention: %sLANES_D %llu must not exceed %sLANES %llu",
                       decode ? "DECODE_" : "", (unsigned long long)l->lanes_d, decode ? "DECODE_" : "",
                       (unsigned long long)l->lanes);
    enum bm_status status = bm_tunables_check_group("attention", (int64_t)l->lanes, target, error);
    if (status)
        return status;
    l->vec = bm_power_of_two_divisor(c->head_dim, bm_power_of_two_divisor(c->v_dim, l->vec));

    /* Rows: as many as there are, in tiles of equal height; each row of lanes owns the same number of them.
     */
    const uint64_t wanted = decode ? group_heads : c->tokens, lanes_r = l->lanes / l->lanes_d;
    const uint64_t most = (uint64_t)bm_parameters_get(p, decode ? "DECODE_ROWS" : "QUERY_TILE", 1);
    l->rows = wanted < most ? wanted : most;
    if (decode) {
        l->head_tiles = bm_ceil_div(group_heads, l->rows);
        l->rows = bm_ceil_div(group_heads, l->head_tiles);
    }
    uint64_t lane_rows = bm_ceil_div(l->rows, lanes_r);
    if (lane_rows > l->row_tile)
        lane_rows = bm_ceil_div(lane_rows, l->row_tile) * l->row_tile;
    else
        l->row_tile = lane_rows;
    l->rows = lane_rows * lanes_r;
    l->column_tile = largest_divisor(bm_ceil_div(c->v_dim / l->vec, l->lanes_d), l->column_tile);

    if (l->lanes > 1) {
        while (l->key_tile > 4 && state_bytes(c, l) > target->local_bytes)
            l->key_tile /= 2;
        return bm_tunables_check_local("attention", state_bytes(c, l), target, error);
    }
    return BM_OK;
}

static void set_defines(const struct bm_case *c, const struct layout *l, struct bm_parameters *defines) {
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {
        {"HEAD_DIM", c->head_dim},
        {"V_DIM", c->v_dim},
        {"ROWS", l->rows},
        {"KEY_TILE", l->key_tile},
        {"VEC", l->vec},
        {"LANES", l->lanes},
        {"LANES_D", l->lanes_d},
        {"ROW_TILE", l->row_tile},
        {"COLUMN_TILE", l->column_tile},
        {"STORED_F16", c->dtype->activation == BM_ELEMENT_F16},
        {"KV_F16", c->dtype->kv == BM_ELEMENT_F16},
    };
    *defines = (struct bm_parameters){0};
    for (size_t i = 0; i < BM_COUNT_OF(all); i++)
        bm_parameters_set(defines, all[i].name, (int64_t)all[i].value);
}

/* The tunables of this phase as they came out; they fit the same case again. */
static void set_parameters(const struct bm_case *c, const struct layout *l,
                           const struct bm_parameters *resolved, struct bm_parameters *parameters) {
    const bool decode = c->phase == BM_PHASE_DECODE;

    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "VEC", (int64_t)l->vec);
    bm_parameters_set(parameters, "ROW_TILE", (int64_t)l->row_tile);
    bm_parameters_set(parameters, "COLUMN_TILE", (int64_t)l->column_tile);
    bm_parameters_set(parameters, decode ? "DECODE_ROWS" : "QUERY_TILE", (int64_t)l->rows);
    bm_parameters_set(parameters, decode ? "DECODE_KEY_TILE" : "KEY_TILE", (int64_t)l->key_tile);
    bm_parameters_set(parameters, decode ? "DECODE_LANES" : "LANES", (int64_t)l->lanes);
    bm_parameters_set(parameters, decode ? "DECODE_LANES_D" : "LANES_D", (int64_t)l->lanes_d);
    if (decode)
        bm_parameters_set(parameters, "DECODE_GROUPS", bm_parameters_get(resolved, "DECODE_GROUPS", 1));
}

static void launch_prefill(const struct bm_case *c, const struct layout *l, struct bm_plan *plan) {
    struct bm_launch *launch = bm_plan_launch(plan, "attention_prefill", 3);

    launch->local[0] = l->lanes;
    launch->global[0] = bm_ceil_div(c->tokens, l->rows) * l->lanes;
    launch->global[1] = c->heads;
    launch->global[2] = c->batch;
    for (unsigned t = BM_ATTENTION_Q; t <= BM_ATTENTION_OUT; t++)
        bm_launch_tensor(launch, plan, t);
    bm_launch_uint(launch, c->heads);
    bm_launch_uint(launch, c->kv_heads);
    bm_launch_uint(launch, c->tokens);
    bm_launch_uint(launch, c->context);
}

static void launch_decode(const struct bm_case *c, const struct bm_target *target, const struct layout *l,
                          const struct bm_parameters *parameters, struct bm_plan *plan) {
    /* Enough groups to fill the device, each with at least one whole block of keys; none is empty. */
    const uint64_t units = target->compute_units ? target->compute_units : 1;
    const uint64_t wanted = units * (uint64_t)bm_parameters_get(parameters, "DECODE_GROUPS", 1);
    const uint64_t groups = (uint64_t)c->batch * c->kv_heads * l->head_tiles;
    const uint64_t block_keys =
        bm_ceil_div(bm_ceil_div(c->context, bm_ceil_div(wanted, groups)), l->key_tile);
    const uint64_t split_keys = block_keys * l->key_tile, splits = bm_ceil_div(c->context, split_keys);

    bm_plan_tensor(plan, "partials", BM_ELEMENT_F32, BM_ROLE_SCRATCH,
                   (uint64_t)c->batch * c->heads * splits * (c->v_dim + 2));
    struct bm_launch *launch = bm_plan_launch(plan, "attention_decode", 3);
    launch->local[0] = l->lanes;
    launch->global[0] = splits * l->lanes;
    launch->global[1] = c->kv_heads * l->head_tiles;
    launch->global[2] = c->batch;
    bm_launch_tensor(launch, plan, BM_ATTENTION_Q);
    bm_launch_tensor(launch, plan, BM_ATTENTION_K);
    bm_launch_tensor(launch, plan, BM_ATTENTION_V);
    bm_launch_tensor(launch, plan, BM_ATTENTION_PARTIALS);
    bm_launch_uint(launch, c->heads);
    bm_launch_uint(launch, c->kv_heads);
    bm_launch_uint(launch, c->context);
    bm_launch_uint(launch, split_keys);

    launch = bm_plan_launch(plan, "attention_merge", 1);
    launch->local[0] = 0;
    launch->global[0] = (uint64_t)c->batch * c->heads * c->v_dim;
    bm_launch_tensor(launch, plan, BM_ATTENTION_PARTIALS);
    bm_launch_tensor(launch, plan, BM_ATTENTION_OUT);
    bm_launch_uint(launch, splits);
}

enum bm_status bm_attention_plan(const struct bm_case *c, const struct bm_target *target,
                                 const struct bm_parameters *given, struct bm_plan *plan,
                                 struct bm_error *error) {
    struct bm_parameters safe, resolved, parameters;
    struct layout layout;

    *plan = (struct bm_plan){0};
    enum bm_status status = bm_workload_attention.validate(c, error);
    if (!status)
        status = bm_dtype_check_plain("attention", c->dtype, BM_ELEMENT_F16, error);
    if (status)
        return status;
    bm_attention_safe_parameters(c, target, &safe);
    status = bm_tunables_resolve("attention", bm_attention_tunables, BM_ATTENTION_TUNABLES, &safe, given,
                                 &resolved, error);
    if (!status)
        status = fit(c, target, &resolved, &layout, error);
    if (status)
        return status;

    const bool decode = c->phase == BM_PHASE_DECODE;
    const uint64_t batch = c->batch, tokens = bm_attention_tokens(c), context = bm_attention_context(c);
    set_parameters(c, &layout, &resolved, &parameters);
    bm_plan_begin(plan, "attention.cl", decode ? "split_context" : "online_softmax", "f32_vector",
                  &parameters);
    set_defines(c, &layout, &plan->defines);
    bm_plan_tensor(plan, "queries", c->dtype->activation, BM_ROLE_HOT,
                   batch * tokens * c->heads * c->head_dim);
    bm_plan_tensor(plan, "keys", c->dtype->kv, BM_ROLE_COLD, batch * c->kv_heads * context * c->head_dim);
    bm_plan_tensor(plan, "values", c->dtype->kv, BM_ROLE_COLD, batch * c->kv_heads * context * c->v_dim);
    bm_plan_tensor(plan, "outputs", c->dtype->output, BM_ROLE_OUTPUT, batch * tokens * c->heads * c->v_dim);
    if (decode)
        launch_decode(c, target, &layout, &resolved, plan);
    else
        launch_prefill(c, &layout, plan);
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}
