/* The float64 reference of grouped_gemm. */
#include <stdlib.h>

#include "grouped.h"

/* As in gemm, the outputs are cut into cells, as many rows as a work-item computes next to each other by one
 * panel, and a check is one row of a cell: RUN of its columns where one work-item owns the panel, else all. A
 * cell whose rows are not in use in this draw has another one stand in for it, so each tile of each expert
 * that occurs is touched. Where all outputs are asked for a cell is a row, and only those in use have one. */
enum { RUN = BM_GEMM_RUN };
struct cells {
    uint64_t rows, bands, panel_n, panels;
    uint64_t checked; /* bands with a check of their own */
    bool whole, all;
};

static struct cells cells_of(const struct bm_case *c, const struct bm_plan *plan) {
    const struct bm_grouped_cut cut = bm_grouped_cut(c, &plan->parameters);
    const bool grouped = bm_parameters_get(&plan->parameters, "GROUPED", 0);
    struct cells cells = {.rows = grouped ? (uint64_t)bm_parameters_get(&plan->parameters, "VEC", 1)
                                          : cut.tile_rows,
                          .panel_n = (uint64_t)bm_parameters_get(&plan->parameters, "PANEL_N", 1),
                          .all = plan->check_all};
    if (cells.all)
        cells.rows = 1;
    cells.bands = bm_grouped_rows(&cut) / cells.rows;
    cells.panels = bm_ceil_div(c->n, cells.panel_n);
    cells.checked = cells.all ? bm_routed_pairs(c) : cells.bands;
    cells.whole = cells.all || bm_parameters_get(&plan->parameters, "TILE_N", 1) < (int64_t)cells.panel_n;
    return cells;
}

uint64_t bm_grouped_check_count(const struct bm_case *c, const struct bm_plan *plan) {
    const struct cells cells = cells_of(c, plan);
    return cells.checked * cells.panels;
}

/* The band itself where its first row is in use, else one of those that are; of all the one of that number.
 */
static uint64_t used_band(const struct cells *cells, const int32_t *output, uint64_t band) {
    uint64_t used = 0;

    if (!cells->all && output[band * cells->rows] >= 0)
        return band;
    for (uint64_t b = 0; b < cells->bands; b++)
        used += output[b * cells->rows] >= 0;
    assert(used > 0);
    uint64_t left = band % used;
    for (uint64_t b = 0;; b++)
        if (output[b * cells->rows] >= 0 && left-- == 0)
            return b;
}

static uint64_t expert_of(const struct bm_grouped_cut *cut, const int32_t *table, uint64_t row) {
    const int32_t *block = table + 2 * bm_grouped_rows(cut);
    const int64_t tile = (int64_t)(row / cut->tile_rows);

    while (tile >= block[BM_BLOCK_FIRST_TILE] + block[BM_BLOCK_TILES])
        block += BM_BLOCK_FIELDS;
    return (uint64_t)block[BM_BLOCK_EXPERT];
}

enum bm_status bm_grouped_check(const struct bm_case *c, const struct bm_plan *plan,
                                const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                struct bm_check *check, struct bm_error *error) {
    const struct cells cells = cells_of(c, plan);
    const struct bm_grouped_cut cut = bm_grouped_cut(c, &plan->parameters);
    const struct bm_gemm_layout layout = bm_gemm_layout(c, &plan->parameters);
    const int32_t *table = operands->table[BM_GROUPED_ROUTING], *output = table + bm_grouped_rows(&cut);
    enum bm_status status = bm_check_begin(check, index, cells.checked * cells.panels, error);
    if (status)
        return status;
    const uint64_t band = used_band(&cells, output, index % cells.checked), panel = index / cells.checked;
    uint64_t rows = 1;
    while (rows < cells.rows && output[band * cells.rows + rows] >= 0)
        rows++;
    const uint64_t row = band * cells.rows + bm_sample(seed, 2 * index, rows);
    const uint64_t expert = expert_of(&cut, table, row);
    const struct bm_gemm_matrix matrix = {.weights =
                                              expert * layout.panels * layout.panel_n * layout.k_stored,
                                          .scales = expert * layout.panels * layout.panel_n * layout.groups,
                                          .scales_tensor = plan->tensor_count - 1};
    const uint64_t left = c->n - panel * cells.panel_n, columns = left < cells.panel_n ? left : cells.panel_n;
    uint64_t first = 0, end = columns;

    double *x = bm_alloc((size_t)c->k, sizeof(*x));
    if (!x)
        return bm_fail(error, BM_NO_MEMORY, "no memory to check %llu activations", (unsigned long long)c->k);
    bm_values_gather(operands->values[BM_GEMM_ACTIVATIONS],
                     operands->start[BM_GEMM_ACTIVATIONS] + (uint64_t)table[row] * c->k, 1, (size_t)c->k, x);
    if (c->dtype->quantised_activations)
        bm_matmul_quantise(x, (size_t)c->k);
    if (!cells.whole) {
        first = bm_sample(seed, 2 * index + 1, bm_ceil_div(columns, RUN)) * RUN;
        end = first + RUN < columns ? first + RUN : columns;
    }
    for (uint64_t column = first; column < end; column += RUN) {
        double expected[RUN];
        bm_gemm_multiply(c, &layout, operands, &matrix, x, panel * cells.panel_n + column, expected);
        for (uint64_t i = 0; i < RUN && column + i < end; i++)
            check->expected[column - first + i] = expected[i];
    }
    free(x);
    check->first = (uint64_t)output[row] * c->n + panel * cells.panel_n + first;
    check->count = (unsigned)(end - first);
    check->scale = bm_matmul_scale(c);
    return BM_OK;
}
