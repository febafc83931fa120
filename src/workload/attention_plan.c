/* Plans of attention. The tunables say what suits a device; they are fitted to the head sizes and heads of
 * the case here, and the plan reports what came of it. */
#include <math.h>

#include "internal.h"

const struct bm_tunable bm_attention_tunables[BM_ATTENTION_TUNABLES] = {
    {"VEC", 1, 16, true},              /* elements of a load */
    {"ROW_TILE", 1, 16, false},        /* rows in registers */
    {"COLUMN_TILE", 1, 16, false},     /* vectors of keys and of outputs in registers */
    {"QUERY_TILE", 1, 1024, false},    /* prefill: queries of a group */
    {"KEY_TILE", 4, 1024, true},       /* keys of a block */
    {"LANES", 1, 1024, true},          /* work-items of a group; 1: the kernel for CPUs */
    {"LANES_D", 1, 1024, true},        /* of these side by side along an output row */
    {"DECODE_ROWS", 1, 128, false},    /* decode: query heads of a group, at most */
    {"DECODE_KEY_TILE", 4, 512, true}, /* and the same three */
    {"DECODE_LANES", 1, 1024, true},
    {"DECODE_LANES_D", 1, 1024, true},
    {"DECODE_GROUPS", 1, 1024, false}, /* work-groups wanted per compute unit: how far the context is split */
    {"PREFETCH", 0, 16384, true},      /* decode, CPUs: bytes ahead that are called for */
};

static bool is_decode(const struct bm_case *c) {
    return c->phase == BM_PHASE_DECODE;
}

void bm_attention_safe_parameters(const struct bm_case *c, const struct bm_target *target,
                                  struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 32 && target->local_bytes >= 32768;
    const bool alone = c->heads == c->kv_heads;                     /* each KV head has one query head */
    const bool computes = !alone && bm_case_kv(c) == BM_ELEMENT_I8; /* decode waits for arithmetic */
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "ROW_TILE", grouped ? 4 : !is_decode(c) ? 8 : alone ? 1 : 4);
    bm_parameters_set(parameters, "COLUMN_TILE", grouped ? 1 : !is_decode(c) ? 2 : computes ? 4 : 8);
    bm_parameters_set(parameters, "QUERY_TILE", grouped || target->is_gpu ? 8 : 256);
    bm_parameters_set(parameters, "KEY_TILE", grouped || target->is_gpu ? 16 : 256);
    bm_parameters_set(parameters, "LANES", grouped ? 32 : 1);
    bm_parameters_set(parameters, "LANES_D", grouped ? 32 : 1);
    bm_parameters_set(parameters, "DECODE_ROWS", 8);
    bm_parameters_set(parameters, "DECODE_KEY_TILE", grouped || target->is_gpu ? 16 : computes ? 64 : 32);
    bm_parameters_set(parameters, "DECODE_LANES", grouped ? 32 : 1);
    bm_parameters_set(parameters, "DECODE_LANES_D", grouped ? 32 : 1);
    bm_parameters_set(parameters, "DECODE_GROUPS", 8);
    bm_parameters_set(parameters, "PREFETCH", target->is_gpu ? 0 : 4096);
}

/* Tiles that were the fastest of some shape or format on a CPU; what they leave out is safe. Prefill: rows
 * and key vectors in registers against what a core's second cache holds. Decode: whole rows of values at once
 * where memory decides, tiles that need no more registers than there are where arithmetic does. */
size_t bm_attention_candidates(const struct bm_case *c, const struct bm_target *target,
                               struct bm_parameters *out, size_t capacity) {
    static const struct {
        bool decode;
        int64_t row_tile, column_tile, rows, key_tile, prefetch;
    } tiles[] = {
        {false, 8, 2, 128, 128, 0}, {false, 8, 2, 512, 128, 0}, {false, 12, 2, 192, 256, 0},
        {false, 6, 4, 192, 256, 0}, {true, 1, 8, 8, 16, 4096},  {true, 1, 8, 8, 32, 1024},
        {true, 4, 8, 8, 16, 4096},  {true, 4, 4, 8, 64, 2048},  {true, 4, 4, 8, 256, 2048},
        {true, 2, 8, 8, 16, 8192},
    };
    size_t count = 0;
    for (size_t i = 0; !target->is_gpu && i < BM_COUNT_OF(tiles); i++) {
        if (tiles[i].decode != is_decode(c))
            continue;
        if (count < capacity) {
            struct bm_parameters *parameters = &out[count];
            bm_attention_safe_parameters(c, target, parameters);
            bm_parameters_set(parameters, "ROW_TILE", tiles[i].row_tile);
            bm_parameters_set(parameters, "COLUMN_TILE", tiles[i].column_tile);
            bm_parameters_set(parameters, is_decode(c) ? "DECODE_ROWS" : "QUERY_TILE", tiles[i].rows);
            bm_parameters_set(parameters, is_decode(c) ? "DECODE_KEY_TILE" : "KEY_TILE", tiles[i].key_tile);
            bm_parameters_set(parameters, "PREFETCH", tiles[i].prefetch);
        }
        count++;
    }
    return count;
}

/* How one group works. */
struct layout {
    uint64_t vec, rows, key_tile, lanes, lanes_d, row_tile, column_tile;
    uint64_t v_tile;     /* of a work-item on its own: vectors of values in registers */
    uint64_t query_tile; /* what rows were fitted from */
    uint64_t head_tiles; /* decode: groups that share a KV head */
};

static uint64_t largest_divisor(uint64_t value, uint64_t limit) {
    while (value % limit)
        limit--;
    return limit;
}

static uint64_t round_up(uint64_t value, uint64_t step) {
    return bm_ceil_div(value, step) * step;
}

/* Bytes of struct softmax_state of attention_group.cl. */
static uint64_t state_bytes(const struct bm_case *c, const struct layout *l) {
    const uint64_t unit = l->vec > 4 ? l->vec : 4, stride = c->head_dim + l->vec;
    return sizeof(float) * (round_up((l->rows + l->key_tile) * stride, unit) +
                            round_up(l->rows * (l->key_tile + 4 + 3), unit));
}

/* Bytes of attention.cl's arrays; they are on the stack of one of the driver's threads. */
static uint64_t private_bytes(const struct bm_case *c, const struct layout *l) {
    return sizeof(float) * (l->rows * (c->head_dim + c->v_dim + l->key_tile + 3) +
                            (c->head_dim * l->column_tile + l->key_tile * l->v_tile) * l->vec);
}
enum { PRIVATE_MOST = 1 << 20 };

/* Rows of equal groups of whole tiles, none of them empty. */
static uint64_t share_rows(uint64_t wanted, uint64_t most, uint64_t row_tile, uint64_t *groups) {
    most = most < row_tile ? row_tile : most / row_tile * row_tile;
    *groups = bm_ceil_div(wanted, most);
    const uint64_t rows = round_up(bm_ceil_div(wanted, *groups), row_tile);
    *groups = bm_ceil_div(wanted, rows);
    return rows;
}

/* For attention.cl. */
static void fit_item(const struct bm_case *c, struct layout *l) {
    const uint64_t group_heads = c->heads / c->kv_heads;
    const uint64_t wanted = is_decode(c) ? group_heads : c->tokens * group_heads;
    uint64_t most = l->query_tile;

    l->lanes_d = 1;
    l->row_tile = bm_ceil_div(wanted, bm_ceil_div(wanted, l->row_tile)); /* tiles of equal height */
    if (is_decode(c)) {
        l->key_tile = round_up(l->key_tile, l->vec);
        l->column_tile = largest_divisor(c->v_dim / l->vec, l->column_tile);
        l->v_tile = l->column_tile;
    } else {
        l->key_tile = round_up(l->key_tile, l->vec * l->column_tile);
        l->v_tile = largest_divisor(c->v_dim / l->vec, l->column_tile);
    }
    l->rows = share_rows(wanted, most, l->row_tile, &l->head_tiles);
    while (l->rows > l->row_tile && private_bytes(c, l) > PRIVATE_MOST)
        l->rows = share_rows(wanted, most /= 2, l->row_tile, &l->head_tiles);
}

/* For attention_group.cl. */
static enum bm_status fit_group(const struct bm_case *c, const struct bm_target *target, struct layout *l,
                                struct bm_error *error) {
    /* Rows: as many as there are, in tiles of equal height; each row of lanes owns the same number of them.
     */
    const uint64_t group_heads = c->heads / c->kv_heads, wanted = is_decode(c) ? group_heads : c->tokens;
    const uint64_t lanes_r = l->lanes / l->lanes_d;
    l->rows = wanted < l->query_tile ? wanted : l->query_tile;
    if (is_decode(c)) {
        l->head_tiles = bm_ceil_div(group_heads, l->rows);
        l->rows = bm_ceil_div(group_heads, l->head_tiles);
    }
    uint64_t lane_rows = bm_ceil_div(l->rows, lanes_r);
    if (lane_rows > l->row_tile)
        lane_rows = round_up(lane_rows, l->row_tile);
    else
        l->row_tile = lane_rows;
    l->rows = lane_rows * lanes_r;
    l->column_tile = largest_divisor(bm_ceil_div(c->v_dim / l->vec, l->lanes_d), l->column_tile);
    while (l->key_tile > 4 && state_bytes(c, l) > target->local_bytes)
        l->key_tile /= 2;
    return bm_tunables_check_local("attention", state_bytes(c, l), target, error);
}

static enum bm_status fit(const struct bm_case *c, const struct bm_target *target,
                          const struct bm_parameters *p, struct layout *l, struct bm_error *error) {
    const char *prefix = is_decode(c) ? "DECODE_" : "";

    *l = (struct layout){
        .vec = (uint64_t)bm_parameters_get(p, "VEC", 1),
        .query_tile = (uint64_t)bm_parameters_get(p, is_decode(c) ? "DECODE_ROWS" : "QUERY_TILE", 1),
        .key_tile = (uint64_t)bm_parameters_get(p, is_decode(c) ? "DECODE_KEY_TILE" : "KEY_TILE", 4),
        .lanes = (uint64_t)bm_parameters_get(p, is_decode(c) ? "DECODE_LANES" : "LANES", 1),
        .lanes_d = (uint64_t)bm_parameters_get(p, is_decode(c) ? "DECODE_LANES_D" : "LANES_D", 1),
        .row_tile = (uint64_t)bm_parameters_get(p, "ROW_TILE", 1),
        .column_tile = (uint64_t)bm_parameters_get(p, "COLUMN_TILE", 1),
    };
    if (l->lanes_d > l->lanes)
        return bm_fail(error, BM_INVALID, "attention: %sLANES_D %llu must not exceed %sLANES %llu", prefix,
                       (unsigned long long)l->lanes_d, prefix, (unsigned long long)l->lanes);
    enum bm_status status = bm_tunables_check_group("attention", (int64_t)l->lanes, target, error);
    if (status)
        return status;
    l->vec = bm_power_of_two_divisor(c->head_dim, bm_power_of_two_divisor(c->v_dim, l->vec));
    if (l->lanes > 1)
        return fit_group(c, target, l, error);
    fit_item(c, l);
    return BM_OK;
}

/* As the kernels number formats: that of enum bm_element. */
static void set_defines(const struct bm_case *c, const struct layout *l, const struct bm_parameters *resolved,
                        struct bm_parameters *defines) {
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {
        {"HEAD_DIM", c->head_dim},
        {"V_DIM", c->v_dim},
        {"ROWS", l->rows},
        {"KEY_TILE", l->key_tile},
        {"VEC", l->vec},
        {"ROW_TILE", l->row_tile},
        {"COLUMN_TILE", l->column_tile},
        {"STORED", c->dtype->activation},
        {"CACHED", bm_case_kv(c)},
    };
    *defines = (struct bm_parameters){0};
    for (size_t i = 0; i < BM_COUNT_OF(all); i++)
        bm_parameters_set(defines, all[i].name, (int64_t)all[i].value);
    if (c->sinks)
        bm_parameters_set(defines, "SINKS", c->heads);
    if (l->lanes > 1) {
        bm_parameters_set(defines, "LANES", (int64_t)l->lanes);
        bm_parameters_set(defines, "LANES_D", (int64_t)l->lanes_d);
    } else {
        bm_parameters_set(defines, "V_TILE", (int64_t)l->v_tile);
        bm_parameters_set(defines, "PREFETCH", is_decode(c) ? bm_parameters_get(resolved, "PREFETCH", 0) : 0);
    }
}

/* The tunables of this phase as they came out; they fit the same case again. How many rows a group has is
 * what was asked for, as other cases of the class have more of them. */
static void set_parameters(const struct bm_case *c, const struct layout *l,
                           const struct bm_parameters *resolved, struct bm_parameters *parameters) {
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "VEC", (int64_t)l->vec);
    bm_parameters_set(parameters, "ROW_TILE", (int64_t)l->row_tile);
    bm_parameters_set(parameters, "COLUMN_TILE", (int64_t)l->column_tile);
    bm_parameters_set(parameters, is_decode(c) ? "DECODE_ROWS" : "QUERY_TILE",
                      (int64_t)(l->lanes > 1 ? l->rows : l->query_tile));
    bm_parameters_set(parameters, is_decode(c) ? "DECODE_KEY_TILE" : "KEY_TILE", (int64_t)l->key_tile);
    bm_parameters_set(parameters, is_decode(c) ? "DECODE_LANES" : "LANES", (int64_t)l->lanes);
    bm_parameters_set(parameters, is_decode(c) ? "DECODE_LANES_D" : "LANES_D", (int64_t)l->lanes_d);
    if (is_decode(c))
        bm_parameters_set(parameters, "DECODE_GROUPS", bm_parameters_get(resolved, "DECODE_GROUPS", 1));
    if (is_decode(c) && l->lanes == 1)
        bm_parameters_set(parameters, "PREFETCH", bm_parameters_get(resolved, "PREFETCH", 0));
}

/* What both kernels begin with: queries, keys and values, each with its scales. */
static void give_inputs(const struct bm_case *c, struct bm_launch *launch, const struct bm_plan *plan) {
    const bool scaled = bm_case_kv(c) == BM_ELEMENT_I8;

    bm_launch_tensor(launch, plan, BM_ATTENTION_Q);
    bm_launch_tensor(launch, plan, BM_ATTENTION_K);
    if (scaled)
        bm_launch_tensor(launch, plan, BM_ATTENTION_K_SCALES);
    bm_launch_tensor(launch, plan, BM_ATTENTION_V);
    if (scaled)
        bm_launch_tensor(launch, plan, BM_ATTENTION_V_SCALES);
}

/* And what they end with: how far it is to the next row of each, a line of the cache being one. */
static void give_pitches(const struct bm_case *c, struct bm_launch *launch) {
    const uint64_t context = bm_attention_context(c);

    bm_launch_pitch(launch, BM_ATTENTION_Q, (uint64_t)c->heads * c->head_dim);
    bm_launch_pitch(launch, BM_ATTENTION_K, context * c->head_dim);
    bm_launch_pitch(launch, BM_ATTENTION_V, context * c->v_dim);
    if (bm_case_kv(c) == BM_ELEMENT_I8) {
        bm_launch_pitch(launch, BM_ATTENTION_K_SCALES, context);
        bm_launch_pitch(launch, BM_ATTENTION_V_SCALES, context);
    }
}

#define LOG2E 1.4426950408889634

/* What scores are multiplied with, so that weights are powers of two. */
static float scale_of(const struct bm_case *c) {
    const double unit = bm_case_kv(c) == BM_ELEMENT_I8 ? BM_ATTENTION_I8_UNIT : 1;
    return (float)(LOG2E / sqrt((double)c->head_dim) / unit);
}

/* The last arguments of the kernel that divides by all weights. */
static void give_sinks(const struct bm_case *c, struct bm_launch *launch, const struct bm_plan *plan) {
    if (!c->sinks)
        return;
    bm_launch_tensor(launch, plan, bm_attention_sinks(c));
    bm_launch_float(launch, (float)(LOG2E * bm_attention_sink_shift(c)));
}

static void launch_prefill(const struct bm_case *c, const struct layout *l, struct bm_plan *plan) {
    struct bm_launch *launch = bm_plan_launch(plan, "attention_prefill", 3);
    const uint64_t group_heads = c->heads / c->kv_heads;

    launch->local[0] = l->lanes;
    launch->global[0] = l->lanes > 1 ? bm_ceil_div(c->tokens, l->rows) * l->lanes
                                     : bm_ceil_div(c->tokens * group_heads, l->rows);
    launch->global[1] = l->lanes > 1 ? c->heads : c->kv_heads;
    launch->global[2] = c->batch;
    give_inputs(c, launch, plan);
    bm_launch_tensor(launch, plan, BM_ATTENTION_OUT);
    bm_launch_uint(launch, c->heads);
    bm_launch_uint(launch, c->kv_heads);
    bm_launch_uint(launch, c->tokens);
    bm_launch_uint(launch, c->context);
    bm_launch_uint(launch, bm_attention_seen(c));
    bm_launch_float(launch, scale_of(c));
    give_pitches(c, launch);
    give_sinks(c, launch, plan);
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

    const unsigned partials = bm_plan_tensor(plan, "partials", BM_ELEMENT_F32, BM_ROLE_SCRATCH,
                                             (uint64_t)c->batch * c->heads * splits * (c->v_dim + 2));
    struct bm_launch *launch = bm_plan_launch(plan, "attention_decode", 3);
    launch->local[0] = l->lanes;
    launch->global[0] = splits * l->lanes;
    launch->global[1] = c->kv_heads * l->head_tiles;
    launch->global[2] = c->batch;
    give_inputs(c, launch, plan);
    bm_launch_tensor(launch, plan, partials);
    bm_launch_uint(launch, c->heads);
    bm_launch_uint(launch, c->kv_heads);
    bm_launch_uint(launch, c->context);
    bm_launch_uint(launch, split_keys);
    bm_launch_float(launch, scale_of(c));
    give_pitches(c, launch);

    launch = bm_plan_launch(plan, "attention_merge", 1);
    launch->local[0] = l->lanes > 1 ? 0 : 1;
    launch->global[0] = (uint64_t)c->batch * c->heads * (l->lanes > 1 ? c->v_dim : 1);
    bm_launch_tensor(launch, plan, partials);
    bm_launch_tensor(launch, plan, BM_ATTENTION_OUT);
    bm_launch_uint(launch, splits);
    give_sinks(c, launch, plan);
}

static void add_tensors(const struct bm_case *c, struct bm_plan *plan) {
    const uint64_t batch = c->batch, queries = batch * bm_attention_tokens(c) * c->heads;
    const uint64_t keys = batch * c->kv_heads * bm_attention_context(c);

    bm_plan_tensor(plan, "queries", c->dtype->activation, BM_ROLE_HOT, queries * c->head_dim);
    bm_plan_tensor(plan, "keys", bm_case_kv(c), BM_ROLE_COLD, keys * c->head_dim);
    bm_plan_tensor(plan, "values", bm_case_kv(c), BM_ROLE_COLD, keys * c->v_dim);
    bm_plan_tensor(plan, "outputs", c->dtype->output, BM_ROLE_OUTPUT, queries * c->v_dim);
    if (bm_case_kv(c) == BM_ELEMENT_I8) {
        bm_plan_tensor(plan, "key scales", BM_ELEMENT_F32, BM_ROLE_COLD, keys);
        bm_plan_tensor(plan, "value scales", BM_ELEMENT_F32, BM_ROLE_COLD, keys);
    }
    if (c->sinks)
        bm_plan_tensor(plan, "sinks", BM_ELEMENT_F32, BM_ROLE_HOT, c->heads);
}

enum bm_status bm_attention_plan(const struct bm_case *c, const struct bm_target *target,
                                 const struct bm_parameters *given, struct bm_plan *plan,
                                 struct bm_error *error) {
    struct bm_parameters safe, resolved, parameters;
    struct layout layout;

    *plan = (struct bm_plan){0};
    enum bm_status status = bm_workload_attention.validate(c, error);
    if (!status)
        status = bm_dtype_check_plain("attention", c->dtype, BM_ELEMENT_BF16, error);
    if (status)
        return status;
    bm_attention_safe_parameters(c, target, &safe);
    status = bm_tunables_resolve("attention", bm_attention_tunables, BM_ATTENTION_TUNABLES, &safe, given,
                                 &resolved, error);
    if (!status)
        status = fit(c, target, &resolved, &layout, error);
    if (status)
        return status;

    set_parameters(c, &layout, &resolved, &parameters);
    bm_plan_begin(plan, layout.lanes > 1 ? "attention_group.cl" : "attention.cl",
                  is_decode(c) ? "split_context" : "online_softmax", "f32_vector", &parameters);
    set_defines(c, &layout, &resolved, &plan->defines);
    add_tensors(c, plan);
    if (is_decode(c))
        launch_decode(c, target, &layout, &resolved, plan);
    else
        launch_prefill(c, &layout, plan);
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}
