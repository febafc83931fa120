/* gemm on a matrix unit: kernels/gemm_matrix.cl, whose comments tell the layouts. */
#include <stdlib.h>

#include "gemm.h"

/* As in the kernel: bytes of k that an instruction takes and that a copy moves, work-items of a warp, rows
 * and columns of an instruction; words that a work-item shows the others where the unit is emulated. */
enum { UNIT_BYTES = 32, CHUNK_BYTES = 16, WORD_BYTES = 4, WARP = 32, PIECE_M = 16, PIECE_N = 8, WIRES = 6 };

struct tiling {
    uint64_t unit, panel_n, tile_n, tile_m, block_m, block_k, buffers, pack_lanes, items;
};

static uint64_t bytes_each(const struct bm_dtype *dtype) {
    return bm_element_size(dtype->weight, 1);
}

uint64_t bm_gemm_matrix_unit_k(const struct bm_dtype *dtype) {
    return UNIT_BYTES / bytes_each(dtype);
}

/* Work-item t of four holds the words t and t + 4 of a column's eight. */
uint64_t bm_gemm_matrix_slot(const struct bm_dtype *dtype, uint64_t k) {
    const uint64_t word_k = WORD_BYTES / bytes_each(dtype), word = k / word_k;
    return (word % 4 * 2 + word / 4) * word_k + k % word_k;
}

static struct tiling tiling_of(const struct bm_parameters *p) {
    struct tiling t = {.unit = (uint64_t)bm_parameters_get(p, "MATRIX_UNIT", 0),
                       .panel_n = (uint64_t)bm_parameters_get(p, "PANEL_N", 0),
                       .tile_n = (uint64_t)bm_parameters_get(p, "TILE_N", 0),
                       .tile_m = (uint64_t)bm_parameters_get(p, "TILE_M", 0),
                       .block_m = (uint64_t)bm_parameters_get(p, "BLOCK_M", 0),
                       .block_k = (uint64_t)bm_parameters_get(p, "BLOCK_K", 0),
                       .buffers = (uint64_t)bm_parameters_get(p, "BUFFERS", 0),
                       .pack_lanes = (uint64_t)bm_parameters_get(p, "PACK_LANES", 0)};
    t.items = t.panel_n / t.tile_n * (t.block_m / t.tile_m) * WARP;
    return t;
}

static const char *pipe_of(const struct bm_dtype *dtype, uint64_t unit) {
    if (unit == BM_UNIT_EMULATED)
        return dtype->weight == BM_ELEMENT_I8 ? "i32_vector" : "f32_vector";
    return dtype->weight == BM_ELEMENT_I8    ? "i8_matrix"
           : dtype->weight == BM_ELEMENT_F16 ? "f16_matrix"
                                             : "bf16_matrix";
}

/* Parameters, not the case, are what does not suit: others do. */
static enum bm_status check_unit(const struct bm_case *c, const struct tiling *t,
                                 const struct bm_target *target, struct bm_error *error) {
    const struct bm_dtype *d = c->dtype;
    const bool plain =
        d->weight == d->activation && (d->weight == BM_ELEMENT_F16 || d->weight == BM_ELEMENT_BF16);

    if (!plain && !d->quantised_activations)
        return bm_fail(error, BM_INVALID, "gemm: MATRIX_UNIT is for f16, bf16 and int8, not for %s", d->name);
    if (t->unit == BM_UNIT_EMULATED && !target->emulates_matrix_unit)
        return bm_fail(error, BM_INVALID, "gemm: MATRIX_UNIT %d, one in plain C, is for tests",
                       BM_UNIT_EMULATED);
    if (t->unit == BM_UNIT_NVIDIA_MMA && !target->has_nvidia_mma)
        return bm_fail(error, BM_INVALID,
                       "gemm: MATRIX_UNIT %d needs NVIDIA's mma.sync, which this device lacks",
                       BM_UNIT_NVIDIA_MMA);
    return BM_OK;
}

static enum bm_status check_tiling(const struct bm_case *c, const struct tiling *t,
                                   const struct bm_target *target, struct bm_error *error) {
    const uint64_t chunks = t->block_k * bytes_each(c->dtype) / CHUNK_BYTES;
    const uint64_t buffer = (t->block_m + t->panel_n) * chunks * CHUNK_BYTES;

    if (t->tile_m % PIECE_M || t->tile_n % PIECE_N || t->block_m % t->tile_m || t->panel_n % t->tile_n ||
        t->block_k % bm_gemm_matrix_unit_k(c->dtype))
        return bm_fail(
            error, BM_INVALID,
            "gemm: on a matrix unit TILE_M %llu must be a multiple of %d and divide BLOCK_M %llu, TILE_N "
            "%llu of %d and divide PANEL_N %llu, and BLOCK_K %llu be a multiple of %llu",
            (unsigned long long)t->tile_m, PIECE_M, (unsigned long long)t->block_m,
            (unsigned long long)t->tile_n, PIECE_N, (unsigned long long)t->panel_n,
            (unsigned long long)t->block_k, (unsigned long long)bm_gemm_matrix_unit_k(c->dtype));
    if (t->block_m * chunks % t->items || t->panel_n * chunks % t->items)
        return bm_fail(
            error, BM_INVALID,
            "gemm: on a matrix unit the %llu work-items must share the %llu and %llu x %d bytes of BLOCK_M "
            "x BLOCK_K and PANEL_N x BLOCK_K evenly",
            (unsigned long long)t->items, (unsigned long long)(t->block_m * chunks),
            (unsigned long long)(t->panel_n * chunks), CHUNK_BYTES);
    enum bm_status status = bm_tunables_check_group("gemm", (int64_t)t->pack_lanes, target, error);
    if (!status)
        status = bm_tunables_check_group("gemm", (int64_t)t->items, target, error);
    if (!status)
        status = bm_tunables_check_local(
            "gemm", t->buffers * buffer + (t->unit == BM_UNIT_EMULATED ? t->items * WIRES * WORD_BYTES : 0),
            target, error);
    return status;
}

/* What the kernel does not look at, always the same: else a tuner would try one kernel many times. */
static void drop_others(struct bm_parameters *parameters) {
    bm_parameters_set(parameters, "GROUPED", 1);
    bm_parameters_set(parameters, "VEC", 1);
    bm_parameters_set(parameters, "STAGE", 0);
    bm_parameters_set(parameters, "PREFETCH", 0);
}

static void add_packing(const struct bm_case *c, const struct tiling *t, unsigned row_scales, unsigned packed,
                        struct bm_plan *plan) {
    struct bm_launch *launch = bm_plan_launch(plan, "pack_rows", 1);
    launch->local[0] = t->pack_lanes;
    launch->global[0] = c->m * t->pack_lanes;
    bm_launch_tensor(launch, plan, BM_GEMM_ACTIVATIONS);
    if (row_scales)
        bm_launch_tensor(launch, plan, row_scales);
    bm_launch_tensor(launch, plan, packed);
    bm_launch_pitch(launch, BM_GEMM_ACTIVATIONS, c->k);
    bm_launch_pitch(launch, packed, plan->tensors[packed].count / c->m);
    bm_launch_uint(launch, c->m);
    bm_launch_uint(launch, c->k);
}

static void add_multiplication(const struct bm_case *c, const struct tiling *t, unsigned rows,
                               unsigned row_scales, unsigned scales, uint64_t row_bytes,
                               struct bm_plan *plan) {
    struct bm_launch *launch = bm_plan_launch(plan, "gemm_matrix", 2);
    launch->local[0] = t->items;
    launch->global[0] = bm_ceil_div(c->m, t->block_m) * t->items;
    launch->global[1] = bm_ceil_div(c->n, t->panel_n);
    bm_launch_tensor(launch, plan, BM_GEMM_WEIGHTS);
    if (scales) {
        bm_launch_tensor(launch, plan, scales);
        bm_launch_tensor(launch, plan, row_scales);
    }
    bm_launch_tensor(launch, plan, rows);
    bm_launch_tensor(launch, plan, BM_GEMM_OUTPUTS);
    bm_launch_pitch(launch, rows, plan->tensors[rows].count / c->m);
    bm_launch_pitch(launch, BM_GEMM_OUTPUTS, c->n);
    bm_launch_uint(launch, c->m);
    bm_launch_uint(launch, c->n);
    bm_launch_uint(launch, c->k);
    bm_launch_uint(launch, row_bytes / CHUNK_BYTES);
}

enum bm_status bm_gemm_matrix_plan(const struct bm_case *c, const struct bm_target *target,
                                   struct bm_parameters *parameters, struct bm_plan *plan,
                                   struct bm_error *error) {
    const struct tiling t = tiling_of(parameters);
    const struct bm_dtype *dtype = c->dtype;
    unsigned rows = BM_GEMM_ACTIVATIONS, row_scales = 0, scales = 0;

    enum bm_status status = check_unit(c, &t, target, error);
    if (!status)
        status = check_tiling(c, &t, target, error);
    if (status)
        return status;
    drop_others(parameters);
    const struct bm_gemm_layout layout = bm_gemm_layout(c, parameters);
    uint64_t row_bytes = c->k * bytes_each(dtype);

    bm_plan_begin(plan, "gemm_matrix.cl", t.unit == BM_UNIT_EMULATED ? "matrix_tile_emulated" : "matrix_tile",
                  pipe_of(dtype, t.unit), parameters);
    bm_matmul_define(dtype, plan);
    bm_plan_tensor(plan, "weights", dtype->weight, BM_ROLE_COLD,
                   layout.panels * layout.panel_n * layout.k_stored);
    bm_plan_tensor(plan, "activations", dtype->activation, BM_ROLE_HOT, c->m * c->k);
    bm_plan_tensor(plan, "outputs", dtype->output, BM_ROLE_OUTPUT, c->m * c->n);
    const bool pack = dtype->quantised_activations || row_bytes % CHUNK_BYTES;
    if (!pack) /* rows are read as they are, in chunks: they begin where these do */
        bm_parameters_set(&plan->defines, "VEC", (int64_t)(CHUNK_BYTES / bytes_each(dtype)));
    if (pack) {
        rows = bm_plan_tensor(plan, "packed activations", dtype->weight, BM_ROLE_SCRATCH,
                              c->m * layout.k_stored);
        row_bytes = layout.k_stored * bytes_each(dtype);
    }
    if (dtype->quantised_activations) {
        row_scales = bm_plan_tensor(plan, "row scales", BM_ELEMENT_F32, BM_ROLE_SCRATCH, c->m);
        scales = bm_plan_tensor(plan, "scales", dtype->scale, BM_ROLE_COLD, layout.panels * layout.panel_n);
    }
    if (pack)
        add_packing(c, &t, row_scales, rows, plan);
    add_multiplication(c, &t, rows, row_scales, scales, row_bytes, plan);
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

/* A column's share of a unit lies in one piece, so x is put into that order once. */
enum bm_status bm_gemm_matrix_expect(const struct bm_case *c, const struct bm_plan *plan,
                                     const struct bm_operands *operands, const double *x, uint64_t column,
                                     uint64_t count, double *expected, struct bm_error *error) {
    const struct bm_gemm_layout l = bm_gemm_layout(c, &plan->parameters);
    const uint64_t unit_k = bm_gemm_matrix_unit_k(c->dtype),
                   base = column / l.panel_n * l.panel_n * l.k_stored;
    const unsigned scales = plan->tensor_count - 1;

    double *ordered = bm_alloc((size_t)l.k_stored, sizeof(*ordered)); /* what is padded stays 0 */
    if (!ordered)
        return bm_fail(error, BM_NO_MEMORY, "no memory to check %llu activations", (unsigned long long)c->k);
    for (uint64_t k = 0; k < c->k; k++)
        ordered[k / unit_k * unit_k + bm_gemm_matrix_slot(c->dtype, k % unit_k)] = x[k];
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = base + (column + i) % l.panel_n * unit_k;
        double sum = 0;
        for (uint64_t k = 0; k < l.k_stored; k += unit_k, at += l.panel_n * unit_k)
            sum += bm_values_dot(operands, BM_GEMM_WEIGHTS, at, ordered + k, (size_t)unit_k);
        if (l.groups)
            sum *= (double)operands->values[scales]->values[bm_values_position(operands, scales, column + i)];
        expected[i] = sum;
    }
    free(ordered);
    return BM_OK;
}
