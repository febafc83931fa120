/* GEMM, m >= 2: outputs[m,n] = activations[m,k] x weights[k,n].
 *
 * F = 2 m n k; B = n k e_w + m k e_a + m n e_o, unpadded, e bytes an element (DESIGN "Formulas"). Activations
 * enter and leave row-major. Weights are packed into column panels of PANEL_N columns: element (n, k) is
 * number n / PANEL_N * PANEL_N * K + k * PANEL_N + n % PANEL_N, the last panel padded. */
#include <math.h>
#include <string.h>

#include "internal.h"

enum { WEIGHTS, ACTIVATIONS, OUTPUTS };

static const struct bm_tunable tunables[] = {
    {"PANEL_N", 1, 1024, true}, {"TILE_N", 1, 128, true},    {"TILE_M", 1, 32, false},
    {"GROUP_M", 1, 64, false},  {"BLOCK_K", 16, 1024, true}, {"VEC", 1, 16, true},
};

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    if (!c->dtype)
        return bm_fail(error, BM_INVALID, "gemm needs a dtype");
    if (c->m < 2)
        return bm_fail(error, BM_INVALID, "gemm needs m >= 2, m is %llu: one row is a gemv",
                       (unsigned long long)c->m);
    if (!c->n || !c->k)
        return bm_fail(error, BM_INVALID, "gemm needs n >= 1 and k >= 1");
    if (c->m > BM_DIMENSION_MAX || c->n > BM_DIMENSION_MAX || c->k > BM_DIMENSION_MAX)
        return bm_fail(error, BM_INVALID, "gemm: m, n and k must be at most %llu",
                       (unsigned long long)BM_DIMENSION_MAX);
    return BM_OK;
}

static void shape(const struct bm_case *c, struct bm_text *text) {
    bm_text_append(text, "m%llun%lluk%llu", (unsigned long long)c->m, (unsigned long long)c->n,
                   (unsigned long long)c->k);
}

static double flops(const struct bm_case *c) {
    return 2.0 * (double)c->m * (double)c->n * (double)c->k;
}

static double bytes(const struct bm_case *c) {
    const double m = (double)c->m, n = (double)c->n, k = (double)c->k;
    return n * k * (double)bm_element_bytes(c->dtype->weight) +
           m * k * (double)bm_element_bytes(c->dtype->activation) +
           m * n * (double)bm_element_bytes(c->dtype->output);
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    /* Groups of 64 work-items and 5 KiB of local memory, where the device has them. */
    const bool grouped = target->is_gpu && target->max_group_items >= 64 && target->local_bytes >= 8192;
    (void)c;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "PANEL_N", grouped ? 64 : 32);
    bm_parameters_set(parameters, "TILE_N", grouped ? 4 : 32);
    bm_parameters_set(parameters, "TILE_M", 8);
    bm_parameters_set(parameters, "GROUP_M", grouped ? 4 : 1);
    bm_parameters_set(parameters, "BLOCK_K", grouped ? 32 : 128);
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
}

static enum bm_status plan_gemm(const struct bm_case *c, const struct bm_target *target,
                                const struct bm_parameters *given, struct bm_plan *plan,
                                struct bm_error *error) {
    struct bm_parameters safe, parameters;

    *plan = (struct bm_plan){0};
    enum bm_status status = validate(c, error);
    if (status)
        return status;
    safe_parameters(c, target, &safe);
    status = bm_tunables_resolve("gemm", tunables, BM_COUNT_OF(tunables), &safe, given, &parameters, error);
    if (status)
        return status;
    const uint64_t panel_n = (uint64_t)bm_parameters_get(&parameters, "PANEL_N", 0);
    const uint64_t tile_n = (uint64_t)bm_parameters_get(&parameters, "TILE_N", 0);
    const uint64_t tile_m = (uint64_t)bm_parameters_get(&parameters, "TILE_M", 0);
    const uint64_t group_m = (uint64_t)bm_parameters_get(&parameters, "GROUP_M", 0);
    const uint64_t block_k = (uint64_t)bm_parameters_get(&parameters, "BLOCK_K", 0);
    const uint64_t vec = (uint64_t)bm_parameters_get(&parameters, "VEC", 0);
    if (panel_n % tile_n || tile_n % vec || block_k % vec)
        return bm_fail(
            error, BM_INVALID,
            "gemm: PANEL_N %llu must be a multiple of TILE_N %llu, that and BLOCK_K %llu of VEC %llu",
            (unsigned long long)panel_n, (unsigned long long)tile_n, (unsigned long long)block_k,
            (unsigned long long)vec);
    const uint64_t lanes_n = panel_n / tile_n, panels = bm_ceil_div(c->n, panel_n);
    status = bm_tunables_check_group("gemm", (int64_t)(lanes_n * group_m), target, error);
    if (!status && lanes_n * group_m > 1)
        status = bm_tunables_check_local("gemm", group_m * tile_m * (block_k + vec) * sizeof(float), target,
                                         error);
    if (status)
        return status;

    bm_plan_begin(plan, "gemm.cl", "register_tile", "f32_vector", &parameters);
    bm_parameters_set(&plan->defines, "STORED_F16", c->dtype->weight == BM_ELEMENT_F16);
    bm_plan_tensor(plan, "weights", c->dtype->weight, BM_ROLE_COLD, panels * panel_n * c->k);
    bm_plan_tensor(plan, "activations", c->dtype->activation, BM_ROLE_HOT, c->m * c->k);
    bm_plan_tensor(plan, "outputs", c->dtype->output, BM_ROLE_OUTPUT, c->m * c->n);
    struct bm_launch *launch = bm_plan_launch(plan, "gemm", 3);
    launch->local[0] = lanes_n;
    launch->local[1] = group_m;
    launch->global[0] = lanes_n;
    launch->global[1] = bm_ceil_div(c->m, tile_m * group_m) * group_m;
    launch->global[2] = panels;
    for (unsigned t = WEIGHTS; t <= OUTPUTS; t++)
        bm_launch_tensor(launch, plan, t);
    bm_launch_uint(launch, c->m);
    bm_launch_uint(launch, c->n);
    bm_launch_uint(launch, c->k);
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

/* The outputs are cut into cells: TILE_M rows (those of one work-item) by one panel. A check is one row of a
 * cell, sampled. Where a work-item owns the whole panel, RUN neighbouring columns of it stand for the rest;
 * where several share it, all columns are computed, so that each work-item's part is touched. Either way
 * every tile is. */
enum { RUN = 16 };
struct cells {
    uint64_t tile_m, panel_n, bands, panels;
    bool whole;
};

static struct cells cells_of(const struct bm_case *c, const struct bm_plan *plan) {
    struct cells cells = {.tile_m = (uint64_t)bm_parameters_get(&plan->parameters, "TILE_M", 1),
                          .panel_n = (uint64_t)bm_parameters_get(&plan->parameters, "PANEL_N", 1)};
    cells.bands = bm_ceil_div(c->m, cells.tile_m);
    cells.panels = bm_ceil_div(c->n, cells.panel_n);
    cells.whole = bm_parameters_get(&plan->parameters, "TILE_N", 1) < (int64_t)cells.panel_n;
    return cells;
}

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    const struct cells cells = cells_of(c, plan);
    return cells.bands * cells.panels;
}

/* sum[i] += a[j] * w[j * stride + i] for j < count. */
static void add_products(const float *a, const float *w, size_t stride, size_t count, double sum[RUN]) {
    double part[RUN]; /* the compiler's own, so that it can stay in registers */

    memcpy(part, sum, sizeof(part));
    for (size_t j = 0; j < count; j++, w += stride)
        for (size_t i = 0; i < RUN; i++)
            part[i] += (double)a[j] * (double)w[i];
    memcpy(sum, part, sizeof(part));
}

/* sum[i], i < RUN: dot products of the activations from `activation` on with neighbouring columns of a panel,
 * whose first weight is `weight`. Past the last column it reads what follows; the caller drops that. */
static void dot_columns(const struct bm_operands *operands, uint64_t activation, uint64_t weight, uint64_t k,
                        uint64_t panel_n, double sum[RUN]) {
    const struct bm_values *a = operands->values[ACTIVATIONS], *w = operands->values[WEIGHTS];
    size_t a_at = bm_values_position(operands, ACTIVATIONS, activation);
    size_t w_at = bm_values_position(operands, WEIGHTS, weight);
    float across[RUN];

    memset(sum, 0, RUN * sizeof(*sum));
    while (k) {
        /* As far as both lie in one piece. */
        size_t count = k < a->period - a_at ? (size_t)k : a->period - a_at;
        if (w_at + RUN <= w->period) {
            const size_t whole = (w->period - w_at - RUN) / panel_n + 1;
            count = count < whole ? count : whole;
            add_products(a->values + a_at, w->values + w_at, panel_n, count, sum);
        } else {
            count = 1;
            for (size_t i = 0; i < RUN; i++)
                across[i] = w->values[(w_at + i) % w->period];
            add_products(a->values + a_at, across, 0, 1, sum);
        }
        a_at = (a_at + count) % a->period;
        w_at = (w_at + count * panel_n) % w->period;
        k -= count;
    }
}

static enum bm_status check_gemm(const struct bm_case *c, const struct bm_plan *plan,
                                 const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                 struct bm_check *check, struct bm_error *error) {
    const struct cells cells = cells_of(c, plan);
    enum bm_status status = bm_check_begin(check, index, cells.bands * cells.panels, error);
    if (status)
        return status;
    const uint64_t band = index % cells.bands, panel = index / cells.bands;
    const uint64_t rows =
        c->m - band * cells.tile_m < cells.tile_m ? c->m - band * cells.tile_m : cells.tile_m;
    const uint64_t row = band * cells.tile_m + bm_sample(seed, 2 * index, rows);
    const uint64_t left = c->n - panel * cells.panel_n, columns = left < cells.panel_n ? left : cells.panel_n;
    uint64_t first = 0, end = columns;

    if (!cells.whole) {
        first = bm_sample(seed, 2 * index + 1, bm_ceil_div(columns, RUN)) * RUN;
        end = first + RUN < columns ? first + RUN : columns;
    }
    for (uint64_t column = first; column < end; column += RUN) {
        double sum[RUN];
        dot_columns(operands, row * c->k, panel * cells.panel_n * c->k + column, c->k, cells.panel_n, sum);
        for (uint64_t i = 0; i < RUN && column + i < end; i++)
            check->expected[column - first + i] = sum[i];
    }
    check->first = row * c->n + panel * cells.panel_n + first;
    check->count = (unsigned)(end - first);
    check->scale = sqrt((double)c->k);
    return BM_OK;
}

/* An output is a sum of k products of unit normals: sqrt(k) is its standard deviation, and the scale. Adding
 * in f32 rounds each partial sum, of size sqrt(j) after j terms, by up to u = 2^-24 of it; independent
 * roundings make u / sqrt(3) * sqrt(1 + 2 + ... + k) = 0.41 u k, which is 0.41 u sqrt(k) of the scale. 8 u
 * sqrt(k) leaves twenty standard deviations and is still far below one lost term, about 1 / sqrt(k). An f16
 * output adds half a unit in its last place. */
static double tolerance(const struct bm_case *c) {
    return 8 * BM_F32_ROUNDOFF * (sqrt((double)c->k) + 1) +
           (c->dtype->output == BM_ELEMENT_F16 ? BM_F16_ROUNDOFF : 0);
}

const struct bm_workload bm_workload_gemm = {
    .name = "gemm",
    .summary = "matrix times matrix, as in prefill (m >= 2)",
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .safe_parameters = safe_parameters,
    .tunables = tunables,
    .tunable_count = BM_COUNT_OF(tunables),
    .plan = plan_gemm,
    .check_count = check_count,
    .check = check_gemm,
    .tolerance = tolerance,
};
