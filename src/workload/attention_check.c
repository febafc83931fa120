/* The float64 reference of attention: one output row, v_dim outputs, a check. */
#include <math.h>
#include <stdlib.h>

#include "internal.h"

/* Rows come in cells of neighbours: queries of a head (prefill) or the query heads that share a KV head
 * (decode). A check is one sampled row of a cell. A cell is a tile of rows that one work-item has in
 * registers, or several of them that one group computes, as far as checking every tile would take long; in
 * decode every row is checked where that is cheap. */
struct cells {
    uint64_t rows;  /* rows of a cell, the last of its kind may have fewer */
    uint64_t line;  /* rows that are cut into cells together: the tokens, or the heads of a KV head */
    uint64_t tiles; /* cells of a line */
    uint64_t lines;
};

#define CHEAP 0x1p29 /* products in float64 */

static struct cells cells_of(const struct bm_case *c, const struct bm_plan *plan) {
    const uint64_t group = (uint64_t)bm_parameters_get(&plan->defines, "ROWS", 1);
    const bool decode = c->phase == BM_PHASE_DECODE;
    double products = (double)c->batch * c->heads * (double)bm_attention_context(c) *
                      (double)(c->head_dim + c->v_dim) * (decode ? 1 : c->tokens);
    struct cells cells = {.rows = 1};
    if (decode) {
        cells.line = c->heads / c->kv_heads;
        cells.lines = (uint64_t)c->batch * c->kv_heads;
    } else {
        cells.rows = (uint64_t)bm_parameters_get(&plan->defines, "ROW_TILE", 1);
        cells.line = c->tokens;
        cells.lines = (uint64_t)c->batch * c->heads;
        products /= (double)cells.rows;
    }
    if (plan->check_all)
        cells.rows = 1;
    for (; !plan->check_all && products > CHEAP && cells.rows < group; products /= 2)
        cells.rows *= 2;
    cells.tiles = bm_ceil_div(cells.line, cells.rows);
    return cells;
}

uint64_t bm_attention_check_count(const struct bm_case *c, const struct bm_plan *plan) {
    const struct cells cells = cells_of(c, plan);
    return cells.lines * cells.tiles;
}

/* The scale of a row of keys or values: 1, but for an int8 cache. */
static double scale_of(const struct bm_case *c, const struct bm_operands *operands, unsigned scales,
                       uint64_t row) {
    return bm_case_kv(c) == BM_ELEMENT_I8
               ? (double)operands->values[scales]->values[bm_values_position(operands, scales, row)]
               : 1;
}

/* The logit of a query's head that no key has; none: a logit that weighs nothing. */
static double sink_of(const struct bm_case *c, const struct bm_operands *operands, uint64_t query) {
    const unsigned sinks = bm_attention_sinks(c);
    return c->sinks ? (double)operands->values[sinks]
                              ->values[bm_values_position(operands, sinks, query % c->heads)] +
                          bm_attention_sink_shift(c)
                    : -(double)INFINITY;
}

/* expected[0..v_dim) for a query against the keys [first, end) of one KV head. weights: room for those. */
static void attend(const struct bm_case *c, const struct bm_operands *operands, uint64_t query, uint64_t kv,
                   uint64_t first, uint64_t end, double *weights, struct bm_check *check) {
    const uint64_t row_of = kv * bm_attention_context(c);
    const bool is_int8 = bm_case_kv(c) == BM_ELEMENT_I8;
    const double divisor = sqrt((double)c->head_dim) * (is_int8 ? BM_ATTENTION_I8_UNIT : 1);
    const struct bm_values *values = operands->values[BM_ATTENTION_V];
    const double sink = sink_of(c, operands, query);
    double row[BM_HEAD_DIM_MAX], maximum = sink, squares = 0;

    bm_values_gather(operands->values[BM_ATTENTION_Q], operands->start[BM_ATTENTION_Q] + query * c->head_dim,
                     1, c->head_dim, row);
    for (uint64_t j = first; j < end; j++) {
        const double score =
            bm_values_dot(operands, BM_ATTENTION_K, (row_of + j) * c->head_dim, row, c->head_dim) / divisor *
            scale_of(c, operands, BM_ATTENTION_K_SCALES, row_of + j);
        weights[j - first] = score;
        maximum = fmax(maximum, score);
    }
    double sum = exp(sink - maximum);
    for (uint64_t j = first; j < end; j++) {
        weights[j - first] = exp(weights[j - first] - maximum);
        sum += weights[j - first];
    }
    for (unsigned i = 0; i < c->v_dim; i++)
        check->expected[i] = 0;
    size_t position = bm_values_position(operands, BM_ATTENTION_V, (row_of + first) * c->v_dim);
    for (uint64_t j = first; j < end; j++) {
        const double weight =
            weights[j - first] / sum * scale_of(c, operands, BM_ATTENTION_V_SCALES, row_of + j);
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
    /* The standard deviation of such a mean of normal values. Where a sink leaves nearly nothing to the keys,
     * no less than the smallest number that the output has all its bits for. */
    check->scale = sqrt(squares) * (is_int8 ? BM_ATTENTION_I8_UNIT : 1);
    if (c->sinks)
        check->scale = fmax(check->scale, c->dtype->output == BM_ELEMENT_F16 ? 0x1p-14 : 0x1p-126);
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
    uint64_t query, kv, first_key = 0, end;

    if (c->phase == BM_PHASE_DECODE) {
        query = line * cells.line + row;
        kv = line;
        end = c->context;
    } else {
        const uint64_t batch = line / c->heads, head = line % c->heads;
        query = (batch * c->tokens + row) * c->heads + head;
        kv = batch * c->kv_heads + head / (c->heads / c->kv_heads);
        end = c->context + row + 1;
        first_key = c->window && end > c->window ? end - c->window : 0;
    }
    double *weights = bm_alloc((size_t)(end - first_key), sizeof(*weights));
    if (!weights)
        return bm_fail(error, BM_NO_MEMORY, "no memory to check attention over %llu keys",
                       (unsigned long long)(end - first_key));
    attend(c, operands, query, kv, first_key, end, weights, check);
    check->first = query * c->v_dim;
    free(weights);
    return BM_OK;
}
