/* The float64 reference of gemm. */
#include <stdlib.h>
#include <string.h>

#include "gemm.h"

/* The outputs are cut into cells: as many rows as a work-item computes next to each other, by one panel. A
 * check is one row of a cell, sampled. Where a work-item owns the whole panel, RUN neighbouring columns of it
 * stand for the rest; where several share it, all columns are computed, so that each work-item's part is
 * touched. Either way every tile is. */
enum { RUN = BM_GEMM_RUN };
struct cells {
    uint64_t rows, panel_n, bands, panels;
    bool whole;
};
/* Rows of a matrix unit's sums that belong to different work-items, all of the same instructions. */
enum { MATRIX_ROWS = 8 };

static struct cells cells_of(const struct bm_case *c, const struct bm_plan *plan) {
    const bool grouped = bm_parameters_get(&plan->parameters, "GROUPED", 0);
    struct cells cells = {.rows =
                              (uint64_t)bm_parameters_get(&plan->parameters, grouped ? "VEC" : "TILE_M", 1),
                          .panel_n = (uint64_t)bm_parameters_get(&plan->parameters, "PANEL_N", 1)};
    if (bm_gemm_on_matrix_unit(&plan->parameters))
        cells.rows = MATRIX_ROWS;
    if (plan->check_all)
        cells.rows = 1;
    cells.bands = bm_ceil_div(c->m, cells.rows);
    cells.panels = bm_ceil_div(c->n, cells.panel_n);
    cells.whole = plan->check_all || bm_gemm_on_matrix_unit(&plan->parameters) ||
                  bm_parameters_get(&plan->parameters, "TILE_N", 1) < (int64_t)cells.panel_n;
    return cells;
}

uint64_t bm_gemm_check_count(const struct bm_case *c, const struct bm_plan *plan) {
    const struct cells cells = cells_of(c, plan);
    return cells.bands * cells.panels;
}

/* sum[i] += x[j * x_step] * w[j * w_step + i * apart] for j < count: one loop for the compiler to unroll
 * for each `apart`. */
static inline void add_strided(const double *x, size_t x_step, const float *w, size_t w_step, size_t apart,
                               size_t count, double sum[RUN]) {
    double part[RUN]; /* the compiler's own, so that it can stay in registers */

    memcpy(part, sum, sizeof(part));
    for (size_t j = 0; j < count; j++, x += x_step, w += w_step)
        for (size_t i = 0; i < RUN; i++)
            part[i] += *x * (double)w[i * apart];
    memcpy(sum, part, sizeof(part));
}

static void add_products(const double *x, size_t x_step, const float *w, size_t w_step, size_t apart,
                         size_t count, double sum[RUN]) {
    if (apart == 1)
        add_strided(x, x_step, w, w_step, 1, count, sum);
    else
        add_strided(x, x_step, w, w_step, 2, count, sum);
}

/* sum[i] += the products of x[0], x[x_step], ... with `count` weights of each of RUN columns: element `first`
 * and every w_step from there, columns `apart`. Past the last column it reads what follows; the caller drops
 * that. */
static void dot_columns(const struct bm_operands *operands, const double *x, size_t x_step, uint64_t first,
                        uint64_t w_step, size_t apart, uint64_t count, double sum[RUN]) {
    const struct bm_values *w = operands->values[BM_GEMM_WEIGHTS];
    const size_t reach = (RUN - 1) * apart + 1;
    size_t at = bm_values_position(operands, BM_GEMM_WEIGHTS, first);

    while (count) {
        size_t run = 1;
        if (at + reach <= w->period) { /* as far as all columns lie in one piece */
            const size_t whole = (w->period - at - reach) / w_step + 1;
            run = count < whole ? (size_t)count : whole;
            add_products(x, x_step, w->values + at, w_step, apart, run, sum);
        } else {
            float across[2 * RUN] = {0};
            for (size_t i = 0; i < RUN; i++)
                across[i * apart] = w->values[(at + i * apart) % w->period];
            add_products(x, 0, across, 0, apart, 1, sum);
        }
        x += run * x_step;
        at = (at + run * w_step) % w->period;
        count -= run;
    }
}

void bm_gemm_multiply(const struct bm_case *c, const struct bm_gemm_layout *l,
                      const struct bm_operands *operands, const struct bm_gemm_matrix *matrix,
                      const double *x, uint64_t column, double expected[RUN]) {
    const bool nibbles = c->dtype->weight == BM_ELEMENT_I4;
    const uint64_t panel = column / l->panel_n, within = column % l->panel_n;
    const uint64_t base = matrix->weights + panel * l->panel_n * l->k_stored;
    const unsigned scales = matrix->scales_tensor;

    memset(expected, 0, RUN * sizeof(*expected));
    for (uint64_t j = 0, group = 0; j < c->k; j += l->group_size, group++) {
        const uint64_t count = c->k - j < l->group_size ? c->k - j : l->group_size;
        double sum[RUN] = {0};
        if (nibbles)
            for (unsigned odd = 0; odd < 2; odd++)
                dot_columns(operands, x + j + odd, 2, base + j * l->panel_n + 2 * within + odd,
                            2 * l->panel_n, 2, (count + 1 - odd) / 2, sum);
        else
            dot_columns(operands, x + j, 1, base + j * l->panel_n + within, l->panel_n, 1, count, sum);
        const uint64_t scale =
            matrix->scales + (nibbles ? (panel * l->groups + group) * l->panel_n + within : column);
        for (size_t i = 0; i < RUN; i++) {
            double s = 1;
            if (l->groups)
                s = (double)operands->values[scales]->values[bm_values_position(operands, scales, scale + i)];
            expected[i] += s * sum[i];
        }
    }
}

enum bm_status bm_gemm_check(const struct bm_case *c, const struct bm_plan *plan,
                             const struct bm_operands *operands, uint64_t seed, uint64_t index,
                             struct bm_check *check, struct bm_error *error) {
    const struct cells cells = cells_of(c, plan);
    const struct bm_gemm_layout layout = bm_gemm_layout(c, &plan->parameters);
    enum bm_status status = bm_check_begin(check, index, cells.bands * cells.panels, error);
    if (status)
        return status;
    const uint64_t band = index % cells.bands, panel = index / cells.bands;
    const uint64_t rows = c->m - band * cells.rows < cells.rows ? c->m - band * cells.rows : cells.rows;
    const uint64_t row = band * cells.rows + bm_sample(seed, 2 * index, rows);
    const uint64_t left = c->n - panel * cells.panel_n, columns = left < cells.panel_n ? left : cells.panel_n;
    const struct bm_gemm_matrix matrix = {.scales_tensor = plan->tensor_count - 1};
    uint64_t first = 0, end = columns;

    double *x = bm_alloc((size_t)c->k, sizeof(*x));
    if (!x)
        return bm_fail(error, BM_NO_MEMORY, "no memory to check %llu activations", (unsigned long long)c->k);
    bm_values_gather(operands->values[BM_GEMM_ACTIVATIONS], operands->start[BM_GEMM_ACTIVATIONS] + row * c->k,
                     1, (size_t)c->k, x);
    if (c->dtype->quantised_activations)
        bm_matmul_quantise(x, (size_t)c->k);
    if (!cells.whole) {
        first = bm_sample(seed, 2 * index + 1, bm_ceil_div(columns, RUN)) * RUN;
        end = first + RUN < columns ? first + RUN : columns;
    }
    if (bm_gemm_on_matrix_unit(&plan->parameters)) {
        status =
            bm_gemm_matrix_expect(c, plan, operands, x, panel * cells.panel_n, end, check->expected, error);
    } else {
        for (uint64_t column = first; column < end; column += RUN) {
            double expected[RUN];
            bm_gemm_multiply(c, &layout, operands, &matrix, x, panel * cells.panel_n + column, expected);
            for (uint64_t i = 0; i < RUN && column + i < end; i++)
                check->expected[column - first + i] = expected[i];
        }
    }
    free(x);
    check->first = row * c->n + panel * cells.panel_n + first;
    check->count = (unsigned)(end - first);
    check->scale = bm_matmul_scale(c);
    return status;
}
