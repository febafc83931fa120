/* How gemm runs on a device: kernels/gemm.cl, whose comments tell the layouts. */
#include "gemm.h"

enum { GROUP_K = 32, EXACT_SUM = 1024, TILE_M_MOST = 32 }; /* as in the kernel */

const struct bm_tunable bm_gemm_tunables[BM_GEMM_TUNABLE_COUNT] = {
    {"GROUPED", 0, 1, false},
    {"PANEL_N", 1, 1024, false},
    {"TILE_N", 1, 256, false},
    {"TILE_M", 1, 128, false},
    {"BLOCK_M", 1, 4096, false},
    {"BLOCK_K", 4, EXACT_SUM, true},
    {"VEC", 1, 16, true},
    {"STAGE", 0, 1, false},
    {"PREFETCH", 0, 8, false},
    {"PACK_LANES", 1, 1024, true},
    {"MATRIX_UNIT", BM_UNIT_NONE, BM_UNIT_NVIDIA_MMA, false},
    {"BUFFERS", 2, 5, false},
};

void bm_gemm_safe_parameters(const struct bm_case *c, const struct bm_target *target,
                             struct bm_parameters *parameters) {
    /* Groups of 64 work-items and 10 KiB of local memory, where the device has them. */
    const bool grouped = target->is_gpu && target->max_group_items >= 64 && target->local_bytes >= 16384;
    (void)c;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "GROUPED", grouped);
    bm_parameters_set(parameters, "PANEL_N", grouped ? 64 : 32);
    bm_parameters_set(parameters, "TILE_N", grouped ? 4 : 32);
    bm_parameters_set(parameters, "TILE_M", grouped ? 4 : 8);
    bm_parameters_set(parameters, "BLOCK_M", grouped ? 16 : 128);
    bm_parameters_set(parameters, "BLOCK_K", grouped ? 16 : 256);
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "STAGE", 0);
    bm_parameters_set(parameters, "PREFETCH", 0);
    bm_parameters_set(parameters, "PACK_LANES", grouped ? 16 : 1);
    bm_parameters_set(parameters, "MATRIX_UNIT", BM_UNIT_NONE);
    bm_parameters_set(parameters, "BUFFERS", 2);
}

struct bm_gemm_layout bm_gemm_layout(const struct bm_case *c, const struct bm_parameters *parameters) {
    struct bm_gemm_layout layout = {.panel_n = (uint64_t)bm_parameters_get(parameters, "PANEL_N", 1),
                                    .k_stored = c->k,
                                    .groups = c->dtype->scale_group ? 1 : 0,
                                    .group_size = c->k};
    layout.panels = bm_ceil_div(c->n, layout.panel_n);
    if (c->dtype->weight == BM_ELEMENT_I4) {
        layout.groups = bm_ceil_div(c->k, GROUP_K);
        layout.k_stored = layout.groups * GROUP_K;
        layout.group_size = GROUP_K;
    }
    if (bm_gemm_on_matrix_unit(parameters))
        layout.k_stored =
            bm_ceil_div(c->k, bm_gemm_matrix_unit_k(c->dtype)) * bm_gemm_matrix_unit_k(c->dtype);
    return layout;
}

static struct bm_gemm_tiling tiling_of(const struct bm_parameters *p) {
    return (struct bm_gemm_tiling){.grouped = (uint64_t)bm_parameters_get(p, "GROUPED", 0),
                                   .panel_n = (uint64_t)bm_parameters_get(p, "PANEL_N", 0),
                                   .tile_n = (uint64_t)bm_parameters_get(p, "TILE_N", 0),
                                   .tile_m = (uint64_t)bm_parameters_get(p, "TILE_M", 0),
                                   .block_m = (uint64_t)bm_parameters_get(p, "BLOCK_M", 0),
                                   .block_k = (uint64_t)bm_parameters_get(p, "BLOCK_K", 0),
                                   .vec = (uint64_t)bm_parameters_get(p, "VEC", 0),
                                   .pack_lanes = (uint64_t)bm_parameters_get(p, "PACK_LANES", 0)};
}

static enum bm_status check_tiling(const struct bm_gemm_tiling *t, const struct bm_target *target,
                                   struct bm_error *error) {
    const uint64_t items = t->panel_n / t->tile_n * (t->block_m / t->tile_m);

    if (t->tile_m > TILE_M_MOST)
        return bm_fail(error, BM_INVALID, "gemm: without a matrix unit TILE_M is %llu, must be at most %d",
                       (unsigned long long)t->tile_m, TILE_M_MOST);
    if (t->panel_n % t->tile_n || t->tile_n % t->vec || t->block_m % t->tile_m)
        return bm_fail(error, BM_INVALID,
                       "gemm: PANEL_N %llu must be a multiple of TILE_N %llu, that of VEC %llu, and BLOCK_M "
                       "%llu of TILE_M %llu",
                       (unsigned long long)t->panel_n, (unsigned long long)t->tile_n,
                       (unsigned long long)t->vec, (unsigned long long)t->block_m,
                       (unsigned long long)t->tile_m);
    enum bm_status status = bm_tunables_check_group("gemm", (int64_t)t->pack_lanes, target, error);
    if (status || !t->grouped)
        return status;
    if (t->tile_m % t->vec || t->block_k * t->block_m % (t->vec * items) ||
        t->block_k * t->panel_n % (t->vec * items))
        return bm_fail(error, BM_INVALID,
                       "gemm: in groups TILE_M %llu must be a multiple of VEC %llu, and the %llu work-items "
                       "must share BLOCK_K x BLOCK_M and BLOCK_K x PANEL_N evenly, VEC at a time",
                       (unsigned long long)t->tile_m, (unsigned long long)t->vec, (unsigned long long)items);
    status = bm_tunables_check_group("gemm", (int64_t)items, target, error);
    if (!status) /* two pairs of tiles; scale_rows needs less */
        status = bm_tunables_check_local("gemm", 2 * sizeof(float) * t->block_k * (t->block_m + t->panel_n),
                                         target, error);
    return status;
}

enum bm_status bm_gemm_tiling(const struct bm_parameters *parameters, const struct bm_target *target,
                              struct bm_gemm_tiling *tiling, struct bm_error *error) {
    *tiling = tiling_of(parameters);
    return check_tiling(tiling, target, error);
}

static void add_launches(const struct bm_case *c, const struct bm_gemm_tiling *t, unsigned row_scales,
                         unsigned scales, struct bm_plan *plan) {
    const uint64_t tile = t->grouped ? t->block_m : t->tile_m, tiles = bm_ceil_div(c->m, tile);
    struct bm_launch *launch;

    if (row_scales) {
        launch = bm_plan_launch(plan, "scale_rows", 1);
        launch->local[0] = t->pack_lanes;
        launch->global[0] = tiles * tile * t->pack_lanes;
        bm_launch_tensor(launch, plan, BM_GEMM_ACTIVATIONS);
        bm_launch_tensor(launch, plan, row_scales);
        bm_launch_pitch(launch, BM_GEMM_ACTIVATIONS, c->k);
        bm_launch_uint(launch, c->m);
        bm_launch_uint(launch, c->k);
    }
    launch = bm_plan_launch(plan, "pack_activations", 2);
    launch->local[0] = t->pack_lanes;
    launch->global[0] = tiles * t->pack_lanes;
    launch->global[1] = bm_ceil_div(c->k, t->block_k);
    bm_launch_tensor(launch, plan, BM_GEMM_ACTIVATIONS);
    if (row_scales)
        bm_launch_tensor(launch, plan, row_scales);
    bm_launch_tensor(launch, plan, BM_GEMM_PACKED);
    bm_launch_pitch(launch, BM_GEMM_ACTIVATIONS, c->k);
    bm_launch_uint(launch, c->m);
    bm_launch_uint(launch, c->k);

    launch = bm_plan_launch(plan, "gemm", 2);
    launch->local[0] = t->grouped ? t->panel_n / t->tile_n * (t->block_m / t->tile_m) : 1;
    launch->global[0] = bm_ceil_div(c->n, t->panel_n) * launch->local[0];
    launch->global[1] = bm_ceil_div(c->m, t->block_m);
    bm_launch_tensor(launch, plan, BM_GEMM_WEIGHTS);
    if (scales)
        bm_launch_tensor(launch, plan, scales);
    if (row_scales)
        bm_launch_tensor(launch, plan, row_scales);
    bm_launch_tensor(launch, plan, BM_GEMM_PACKED);
    bm_launch_tensor(launch, plan, BM_GEMM_OUTPUTS);
    bm_launch_pitch(launch, BM_GEMM_OUTPUTS, c->n);
    bm_launch_uint(launch, c->m);
    bm_launch_uint(launch, c->n);
    bm_launch_uint(launch, c->k);
}

/* As many tiles as TILE_M asks for, but of equal height, so that few rows are computed in vain; and no block
 * taller than all of them. */
static void fit_rows(uint64_t m, struct bm_gemm_tiling *t, struct bm_parameters *parameters) {
    const uint64_t tiles = bm_ceil_div(m, t->tile_m), in_block = t->block_m / t->tile_m;

    t->tile_m = bm_ceil_div(m, tiles);
    t->block_m = t->tile_m * (in_block < tiles ? in_block : tiles);
    bm_parameters_set(parameters, "TILE_M", (int64_t)t->tile_m);
    bm_parameters_set(parameters, "BLOCK_M", (int64_t)t->block_m);
}

enum bm_status bm_gemm_plan(const struct bm_case *c, const struct bm_target *target,
                            const struct bm_parameters *given, struct bm_plan *plan, struct bm_error *error) {
    struct bm_parameters safe, parameters;
    unsigned row_scales = 0, scales = 0;

    *plan = (struct bm_plan){0};
    enum bm_status status = c->workload->validate(c, error);
    if (status)
        return status;
    bm_gemm_safe_parameters(c, target, &safe);
    status = bm_tunables_resolve("gemm", bm_gemm_tunables, BM_GEMM_TUNABLE_COUNT, &safe, given, &parameters,
                                 error);
    if (status)
        return status;
    if (bm_gemm_on_matrix_unit(&parameters))
        return bm_gemm_matrix_plan(c, target, &parameters, plan, error);
    bm_parameters_set(&parameters, "BUFFERS", 2); /* there are no others here */
    struct bm_gemm_tiling t;
    status = bm_gemm_tiling(&parameters, target, &t, error);
    if (status)
        return status;
    if (!t.grouped)
        fit_rows(c->m, &t, &parameters);
    const struct bm_gemm_layout layout = bm_gemm_layout(c, &parameters);
    const struct bm_dtype *dtype = c->dtype;
    const uint64_t tile = t.grouped ? t.block_m : t.tile_m, rows = bm_ceil_div(c->m, tile) * tile;

    bm_plan_begin(plan, "gemm.cl", t.grouped ? "group_tile" : "register_tile", "f32_vector", &parameters);
    bm_matmul_define(dtype, plan);
    bm_plan_tensor(plan, "weights", dtype->weight, BM_ROLE_COLD,
                   layout.panels * layout.panel_n * layout.k_stored);
    bm_plan_tensor(plan, "activations", dtype->activation, BM_ROLE_HOT, c->m * c->k);
    bm_plan_tensor(plan, "outputs", dtype->output, BM_ROLE_OUTPUT, c->m * c->n);
    bm_plan_tensor(plan, "packed activations", BM_ELEMENT_F32, BM_ROLE_SCRATCH, rows * c->k);
    if (dtype->quantised_activations)
        row_scales = bm_plan_tensor(plan, "row scales", BM_ELEMENT_F32, BM_ROLE_SCRATCH, rows);
    if (dtype->scale_group)
        scales = bm_plan_tensor(plan, "scales", dtype->scale, BM_ROLE_COLD,
                                layout.panels * layout.panel_n * layout.groups);
    add_launches(c, &t, row_scales, scales, plan);
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}
