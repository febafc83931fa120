/* How grouped_gemm runs on a device: kernels/gemm.cl with ROUTED, whose comments tell the layouts. */
#include <stdlib.h>

#include "grouped.h"

/* Experts of one row or more need at most one piece more than their rows fill: the sum of
 * 1 + (rows - 1) / size is largest where as many as can be have rows. */
static uint64_t most_pieces(const struct bm_case *c, uint64_t size) {
    const uint64_t pairs = bm_routed_pairs(c), experts = c->experts < pairs ? c->experts : pairs;
    return experts + (pairs - experts) / size;
}

struct bm_grouped_cut bm_grouped_cut(const struct bm_case *c, const struct bm_parameters *parameters) {
    const uint64_t tile_m = (uint64_t)bm_parameters_get(parameters, "TILE_M", 1);
    const uint64_t block_m = (uint64_t)bm_parameters_get(parameters, "BLOCK_M", 1);
    const uint64_t tile = bm_parameters_get(parameters, "GROUPED", 0) ? block_m : tile_m;
    return (struct bm_grouped_cut){.tile_rows = tile,
                                   .block_tiles = block_m / tile,
                                   .tiles = most_pieces(c, tile),
                                   .blocks = most_pieces(c, block_m)};
}

/* Tiles no taller than the rows that an expert has on average, and of equal height there; blocks no taller
 * than the rows that one can have. */
static void fit_rows(const struct bm_case *c, struct bm_gemm_tiling *t, struct bm_parameters *parameters) {
    const uint64_t rows = bm_routed_rows(c), most = t->block_m;

    t->tile_m = bm_ceil_div(rows, bm_ceil_div(rows, t->tile_m));
    const uint64_t tiles = bm_ceil_div(c->m, t->tile_m), in_block = most / t->tile_m;
    t->block_m = t->tile_m * (in_block < tiles ? in_block : tiles);
    bm_parameters_set(parameters, "TILE_M", (int64_t)t->tile_m);
    bm_parameters_set(parameters, "BLOCK_M", (int64_t)t->block_m);
}

static void add_launches(const struct bm_case *c, const struct bm_gemm_tiling *t,
                         const struct bm_grouped_cut *cut, unsigned row_scales, unsigned scales,
                         struct bm_plan *plan) {
    const uint64_t rows = bm_grouped_rows(cut);
    struct bm_launch *launch;

    if (row_scales) {
        launch = bm_plan_launch(plan, "scale_rows", 1);
        launch->local[0] = t->pack_lanes;
        launch->global[0] = rows * t->pack_lanes;
        bm_launch_tensor(launch, plan, BM_GEMM_ACTIVATIONS);
        bm_launch_tensor(launch, plan, BM_GROUPED_ROUTING);
        bm_launch_tensor(launch, plan, row_scales);
        bm_launch_pitch(launch, BM_GEMM_ACTIVATIONS, c->k);
        bm_launch_uint(launch, rows);
        bm_launch_uint(launch, c->k);
    }
    launch = bm_plan_launch(plan, "pack_activations", 2);
    launch->local[0] = t->pack_lanes;
    launch->global[0] = cut->tiles * t->pack_lanes;
    launch->global[1] = bm_ceil_div(c->k, t->block_k);
    bm_launch_tensor(launch, plan, BM_GEMM_ACTIVATIONS);
    bm_launch_tensor(launch, plan, BM_GROUPED_ROUTING);
    if (row_scales)
        bm_launch_tensor(launch, plan, row_scales);
    bm_launch_tensor(launch, plan, BM_GEMM_PACKED);
    bm_launch_pitch(launch, BM_GEMM_ACTIVATIONS, c->k);
    bm_launch_uint(launch, rows);
    bm_launch_uint(launch, c->k);

    launch = bm_plan_launch(plan, "gemm", 2);
    launch->local[0] = t->grouped ? t->panel_n / t->tile_n * (t->block_m / t->tile_m) : 1;
    launch->global[0] = bm_ceil_div(c->n, t->panel_n) * launch->local[0];
    launch->global[1] = cut->blocks;
    bm_launch_tensor(launch, plan, BM_GEMM_WEIGHTS);
    if (scales)
        bm_launch_tensor(launch, plan, scales);
    bm_launch_tensor(launch, plan, BM_GROUPED_ROUTING);
    if (row_scales)
        bm_launch_tensor(launch, plan, row_scales);
    bm_launch_tensor(launch, plan, BM_GEMM_PACKED);
    bm_launch_tensor(launch, plan, BM_GEMM_OUTPUTS);
    bm_launch_pitch(launch, BM_GEMM_OUTPUTS, c->n);
    bm_launch_uint(launch, rows);
    bm_launch_uint(launch, c->n);
    bm_launch_uint(launch, c->k);
}

/* Elements of the weights stay far from overflowing: 2^12 experts, 2^28 n, of which only what fits a device
 * goes on. */
static enum bm_status check_weights(const struct bm_case *c, const struct bm_target *target,
                                    struct bm_error *error) {
    const double gib = 0x1p30, bytes = c->experts * bm_dtype_weight_bytes(c->dtype, c->n, c->k);
    if (bytes <= (double)target->max_allocation_bytes)
        return BM_OK;
    return bm_fail(
        error, BM_UNSUPPORTED,
        "the weights of all %u experts need %.2f GiB, the device allocates at most %.2f GiB at once",
        c->experts, bytes / gib, (double)target->max_allocation_bytes / gib);
}

enum bm_status bm_grouped_plan(const struct bm_case *c, const struct bm_target *target,
                               const struct bm_parameters *given, struct bm_plan *plan,
                               struct bm_error *error) {
    struct bm_parameters safe, parameters;
    struct bm_gemm_tiling t;
    unsigned row_scales = 0, scales = 0;

    *plan = (struct bm_plan){0};
    enum bm_status status = c->workload->validate(c, error);
    if (status)
        return status;
    bm_gemm_safe_parameters(c, target, &safe);
    status = bm_tunables_resolve("grouped_gemm", bm_gemm_tunables, BM_GEMM_TUNABLE_COUNT, &safe, given,
                                 &parameters, error);
    if (!status && bm_gemm_on_matrix_unit(&parameters)) /* tiles for it are far too large for this kernel */
        status = bm_fail(error, BM_INVALID, "grouped_gemm: MATRIX_UNIT is for gemm alone");
    if (!status)
        status = bm_gemm_tiling(&parameters, target, &t, error);
    if (!status)
        status = check_weights(c, target, error);
    if (status)
        return status;
    if (!t.grouped)
        fit_rows(c, &t, &parameters);
    const struct bm_gemm_layout layout = bm_gemm_layout(c, &parameters);
    const struct bm_grouped_cut cut = bm_grouped_cut(c, &parameters);
    const struct bm_dtype *dtype = c->dtype;
    const uint64_t rows = bm_grouped_rows(&cut);
    if (rows > INT32_MAX)
        return bm_fail(error, BM_UNSUPPORTED, "grouped_gemm: %llu rows of tiles are too many",
                       (unsigned long long)rows);

    bm_plan_begin(plan, "gemm.cl", t.grouped ? "group_tile" : "register_tile", "f32_vector", &parameters);
    bm_matmul_define(dtype, plan);
    bm_parameters_set(&plan->defines, "ROUTED", 1);
    bm_plan_tensor(plan, "weights", dtype->weight, BM_ROLE_COLD,
                   c->experts * layout.panels * layout.panel_n * layout.k_stored);
    bm_plan_tensor(plan, "activations", dtype->activation, BM_ROLE_HOT,
                   (c->row_per_pair ? bm_routed_pairs(c) : c->m) * c->k);
    bm_plan_tensor(plan, "outputs", dtype->output, BM_ROLE_OUTPUT, bm_routed_pairs(c) * c->n);
    bm_plan_tensor(plan, "packed activations", BM_ELEMENT_F32, BM_ROLE_SCRATCH, rows * c->k);
    bm_plan_tensor(plan, "routing", BM_ELEMENT_I32, BM_ROLE_TABLE, bm_grouped_table(&cut));
    if (dtype->quantised_activations)
        row_scales = bm_plan_tensor(plan, "row scales", BM_ELEMENT_F32, BM_ROLE_SCRATCH, rows);
    if (dtype->scale_group)
        scales = bm_plan_tensor(plan, "scales", dtype->scale, BM_ROLE_COLD,
                                c->experts * layout.panels * layout.panel_n * layout.groups);
    add_launches(c, &t, &cut, row_scales, scales, plan);
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

/* ---- the routing table ---- */

static void write_table(const struct bm_case *c, const struct bm_grouped_cut *cut, const uint64_t *first,
                        const uint32_t *token_of, int32_t *table) {
    const uint64_t rows = bm_grouped_rows(cut);
    int32_t *output = table + rows, *block = table + 2 * rows;
    uint64_t tile = 0;

    for (uint64_t i = 0; i < bm_grouped_table(cut); i++)
        table[i] = -1;
    for (uint32_t e = 0; e < c->experts; e++) {
        const uint64_t count = first[e + 1] - first[e], tiles = bm_ceil_div(count, cut->tile_rows);
        for (uint64_t i = 0; i < tiles * cut->tile_rows; i++) {
            const uint64_t pair = first[e] + (i < count ? i : count - 1), row = tile * cut->tile_rows + i;
            const uint64_t place = c->rows_by_token ? (uint64_t)token_of[pair] * c->experts + e : pair;
            table[row] = (int32_t)(c->row_per_pair ? place : token_of[pair]);
            output[row] = i < count ? (int32_t)place : -1;
        }
        for (uint64_t t = 0; t < tiles; t += cut->block_tiles, block += BM_BLOCK_FIELDS) {
            block[BM_BLOCK_EXPERT] = (int32_t)e;
            block[BM_BLOCK_FIRST_TILE] = (int32_t)(tile + t);
            block[BM_BLOCK_TILES] = (int32_t)(tiles - t < cut->block_tiles ? tiles - t : cut->block_tiles);
        }
        tile += tiles;
    }
    assert(tile <= cut->tiles && block <= table + bm_grouped_table(cut));
}

enum bm_status bm_grouped_fill(const struct bm_case *c, const struct bm_plan *plan, unsigned t, uint64_t seed,
                               uint64_t draw, int32_t *table, struct bm_error *error) {
    const struct bm_grouped_cut cut = bm_grouped_cut(c, &plan->parameters);
    const size_t pairs = (size_t)bm_routed_pairs(c);
    uint32_t *row_of = bm_alloc(pairs, sizeof(*row_of)), *token_of = bm_alloc(pairs, sizeof(*token_of));
    uint64_t *first = bm_alloc((size_t)c->experts + 1, sizeof(*first));
    enum bm_status status = BM_OK;

    assert(t == BM_GROUPED_ROUTING);
    (void)t;
    if (!row_of || !token_of || !first)
        status = bm_fail(error, BM_NO_MEMORY, "no memory to route %zu rows", pairs);
    if (!status)
        status = bm_route_rows(c, seed, draw, first, row_of, error);
    if (!status) {
        for (size_t i = 0; i < pairs; i++)
            token_of[row_of[i]] = (uint32_t)(i / c->top_k);
        write_table(c, &cut, first, token_of, table);
    }
    free(first);
    free(token_of);
    free(row_of);
    return status;
}
