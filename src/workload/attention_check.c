/* The float64 reference of attention: one output row, v_dim outputs, a check. */
#include <math.h>
#include <stdlib.h>

#include "internal.h"

/* Rows come in cells, those that one group of work-items computes: ROWS queries of a head (prefill) or the
 * query heads that share a KV head (decode). A check is one sampled row of a cell. In decode every row is
 * checked where that is cheap. */
struct cells {
    uint64_t rows;  /* rows of a cell, the last of its kind may have fewer */
    uint64_t line;  /* rows that are cut into cells together: the tokens, or the heads of a KV head */
    uint64_t tiles; /* cells of a line */
    uint64_t lines;
};

static struct cells cells_of(const struct bm_case *c, const struct bm_plan *plan) {
    struct cells cells = {.rows = (uint64_t)bm_parameters_get(&plan->defines, "ROWS", 1)};
    if (c->phase == BM_PHASE_DECODE) {
        const double products = (double)c->batch * c->heads * c->context * (double)(c->head_dim + c->v_dim);
        if (products <= 0x1p29)
            cells.rows = 1;
        cells.line = c->heads / c->kv_heads;
        cells.lines = (uint64_t)c->batch * c->kv_heads;
    } else {
        cells.line = c->tokens;
        cells.lines = (uint64_t)c->batch * c->heads;
    }
    cells.tiles = bm_ceil_div(cells.line, cells.rows);
    return cells;
}

uint64_t bm_attention_check_count(const struct bm_case *c, const struct bm_plan *plan) {
    const struct cells cells = cells_of(c, plan);
    return cells.lines * cells.tiles;
}

/* expected[0..v_dim) for a query against the first `visible` keys of one KV head. weights: room for visible.
 */
static void attend(const struct bm_case *c, const struct bm_operands *operands, uint64_t query, uint64_t kv,
                   uint64_t visible, double *weights, struct bm_check *check) {
    const uint64_t context = bm_attention_context(c);
    const struct bm_values *values = operands->values[BM_ATTENTION_V];
    double row[BM_HEAD_DIM_MAX], maximum = -(double)INFINITY, sum = 0, squares = 0;

    bm_values_gather(operands->values[BM_ATTENTION_Q], operands->start[BM_ATTENTION_Q] + query * c->head_dim,
                     1, c->head_dim, row);
    for (uint64_t j = 0; j < visible; j++) {
        weights[j] =
            bm_values_dot(operands, BM_ATTENTION_K, (kv * context + j) * c->head_dim, row, c->head_dim) /
            sqrt((double)c->head_dim);
        maximum = fmax(maximum, weights[j]);
    }
    for (uint64_t j = 0; j < visible; j++) {
        weights[j] = exp(weights[j] - maximum);
        sum += weights[j];
    }
    for (unsigned i = 0; i < c->v_dim; i++)
        check->expected[i] = 0;
    size_t position = bm_values_position(operands, BM_ATTENTION_V, kv * context * c->v_dim);
    for (uint64_t j = 0; j < visible; j++) {
        const double weight = weights[j] / sum;
        squares += weight * weight;
        if (position + c->v_dim <= values->period) {
            const float *value = values->values + position;
            for (unsigned i = 0; i < c->v_dim; i++)
                check->expected[i] += weight * (double)value[i];
        } else {
            for (unsigned i = 0; i < c->v_dim; i++)
                check->expected[i] += weight * (double)values->values[(position + i) % values->period];
        }
        position = (position + c->v_dim) % values->period;
    }
    check->count = c->v_dim;
    check->scale = sqrt(squares); /* the standard deviation of such a mean of unit normals */
}

enum bm_status bm_attention_check(const struct bm_case *c, const struct bm_plan *plan,
                                  const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                  struct bm_check *check, struct bm_error *error) {
    const struct cells cells = cells_of(c, plan);
    enum bm_status status = bm_check_begin(check, index, cells.lines * cells.tiles, error);
    if (status)
        return status;
    const uint64_t line = index / cells.tiles, first = index % cells.tiles * cells.rows,
                   left = cells.line - first;
    const uint64_t row = first + bm_sample(seed, index, left < cells.rows ? left : cells.rows);
    uint64_t query, kv, visible;

    if (c->phase == BM_PHASE_DECODE) {
        query = line * cells.line + row;
        kv = line;
        visible = c->context;
    } else {
        const uint64_t batch = line / c->heads, head = line % c->heads;
        query = (batch * c->tokens + row) * c->heads + head;
        kv = batch * c->kv_heads + head / (c->heads / c->kv_heads);
        visible = c->context + row + 1;
    }
    double *weights = bm_alloc((size_t)visible, sizeof(*weights));
    if (!weights)
        return bm_fail(error, BM_NO_MEMORY, "no memory to check attention over %llu keys",
                       (unsigned long long)visible);
    attend(c, operands, query, kv, visible, weights, check);
    check->first = query * c->v_dim;
    free(weights);
    return BM_OK;
}
