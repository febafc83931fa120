/* The float64 reference of mamba_scan, in the form that unrolls the recurrence: y_t = sum over s <= t of
 * exp(A (dt_(s+1) + ... + dt_t)) dt_s (C_t . B_s) x_s + D x_t, and likewise a row of the state.
 * tests/workload hold it against the recurrence itself. */
#include "scan.h"

#include <math.h>
#include <stdlib.h>

static double value_of(const struct bm_operands *operands, unsigned tensor, uint64_t index) {
    return (double)operands->values[tensor]->values[bm_values_position(operands, tensor, index)];
}

/* One head of one sequence. */
struct head {
    const struct bm_case *c;
    const struct bm_operands *operands;
    uint64_t batch, head;
    double rate, skip, bias; /* -A, D */
};

static struct head head_of(const struct bm_case *c, const struct bm_operands *operands, uint64_t line) {
    struct head head = {.c = c, .operands = operands, .batch = line / c->heads, .head = line % c->heads};
    head.rate = exp(value_of(operands, BM_SCAN_HEADS, head.head));
    head.skip = value_of(operands, BM_SCAN_HEADS, c->heads + head.head);
    head.bias = value_of(operands, BM_SCAN_HEADS, 2 * (uint64_t)c->heads + head.head);
    return head;
}

static uint64_t token_of(const struct head *head, uint64_t t) {
    return head->batch * bm_scan_tokens(head->c) + t;
}

static double step_of(const struct head *head, uint64_t t) {
    const double raw =
        value_of(head->operands, BM_SCAN_STEPS, token_of(head, t) * head->c->heads + head->head);
    return fmax(raw + head->bias, 0) + log1p(exp(-fabs(raw + head->bias)));
}

/* Numbers of elements of the rows: x of this head, its B (which 0) and C (1). */
static uint64_t x_of(const struct head *head, uint64_t t) {
    return token_of(head, t) * bm_scan_width(head->c) + head->head * head->c->head_dim;
}
static uint64_t group_of(const struct head *head, uint64_t t, unsigned which) {
    const struct bm_case *c = head->c;
    return token_of(head, t) * bm_scan_width(c) + (uint64_t)c->heads * c->head_dim +
           ((uint64_t)which * c->groups + head->head / (c->heads / c->groups)) * c->n;
}

/* expected += factor x of token t. */
static void add_x(const struct head *head, uint64_t t, double factor, double *expected) {
    const struct bm_values *rows = head->operands->values[BM_SCAN_ROWS];
    size_t at = bm_values_position(head->operands, BM_SCAN_ROWS, x_of(head, t));
    for (unsigned p = 0; p < head->c->head_dim; p++) {
        expected[p] += factor * (double)rows->values[at];
        at = at + 1 == rows->period ? 0 : at + 1;
    }
}

/* What earlier tokens have left is below this share of what they gave, the smallest that counts for nothing.
 */
#define NOTHING 1e-40

/* Token t's output, or row n of the state after it, from the tokens up to t. */
static void unroll(const struct head *head, uint64_t t, bool of_state, uint64_t n, struct bm_check *check) {
    const struct bm_case *c = head->c;
    double out[BM_HEAD_DIM_MAX], left = 1, squares = 0;

    bm_values_gather(head->operands->values[BM_SCAN_ROWS],
                     head->operands->start[BM_SCAN_ROWS] + group_of(head, t, 1), 1, (size_t)c->n, out);
    for (unsigned p = 0; p < c->head_dim; p++)
        check->expected[p] = 0;
    if (!of_state)
        add_x(head, t, head->skip, check->expected);
    for (uint64_t s = t + 1; s-- > 0 && left > NOTHING;) {
        const double step = step_of(head, s), weight = left * step;
        const uint64_t in = group_of(head, s, 0);
        const double product = of_state ? value_of(head->operands, BM_SCAN_ROWS, in + n)
                                        : bm_values_dot(head->operands, BM_SCAN_ROWS, in, out, (size_t)c->n);
        add_x(head, s, weight * product, check->expected);
        squares += weight * weight;
        left *= exp(-step * head->rate);
    }
    check->count = c->head_dim;
    check->scale = of_state ? sqrt(squares) : sqrt((double)c->n * squares + head->skip * head->skip);
}

/* Row n of the state after one token, or, of_state false, the output. */
static void step_once(const struct head *head, bool of_state, uint64_t first, uint64_t rows,
                      struct bm_check *check) {
    const struct bm_case *c = head->c;
    const struct bm_operands *operands = head->operands;
    const uint64_t line = head->batch * c->heads + head->head, x = x_of(head, 0);
    const double step = step_of(head, 0), left = exp(-step * head->rate);

    check->count = (unsigned)(of_state ? rows * c->head_dim : c->head_dim);
    for (unsigned p = 0; p < check->count; p++)
        check->expected[p] = of_state ? 0 : head->skip * value_of(operands, BM_SCAN_ROWS, x + p);
    for (uint64_t n = first; n < first + rows; n++) {
        const double in = value_of(operands, BM_SCAN_ROWS, group_of(head, 0, 0) + n);
        const double out = of_state ? 1 : value_of(operands, BM_SCAN_ROWS, group_of(head, 0, 1) + n);
        double *to = check->expected + (of_state ? (n - first) * c->head_dim : 0);
        for (unsigned p = 0; p < c->head_dim; p++)
            to[p] += out * (left * value_of(operands, BM_SCAN_BEFORE, (line * c->n + n) * c->head_dim + p) +
                            step * in * value_of(operands, BM_SCAN_ROWS, x + p));
    }
    check->scale =
        sqrt((of_state ? 1 : (double)c->n) * (left * left + step * step)) + (of_state ? 0 : fabs(head->skip));
}

/* Checks of a head: first of outputs, then of the state. In prefill each is a token's output, or a row of the
 * state: all where that is cheap or the plan asks for it, else one of each chunk of the kernel's, and of each
 * TILE rows. In decode the state's are as many rows as fit a check. */
enum { TILE = 4 };
struct cells {
    uint64_t tokens, token_step, outputs; /* checks of the outputs of one head */
    uint64_t row_step, states;            /* and of its state */
};

static struct cells cells_of(const struct bm_case *c, const struct bm_plan *plan) {
    struct cells cells = {.tokens = bm_scan_tokens(c), .token_step = 1, .row_step = 1};
    const double tokens = (double)cells.tokens;
    if (c->phase == BM_PHASE_DECODE)
        cells.row_step = BM_CHECK_OUTPUTS / c->head_dim;
    else if (!plan->check_all &&
             (double)c->batch * c->heads * tokens * tokens * ((double)c->n + c->head_dim) > 0x1p29) {
        cells.token_step = (uint64_t)bm_parameters_get(&plan->parameters, "CHUNK_T", 1);
        cells.row_step = TILE;
    }
    cells.outputs = bm_ceil_div(cells.tokens, cells.token_step);
    cells.states = bm_ceil_div(c->n, cells.row_step);
    return cells;
}

uint64_t bm_scan_check_count(const struct bm_case *c, const struct bm_plan *plan) {
    const struct cells cells = cells_of(c, plan);
    return (uint64_t)c->batch * c->heads * (cells.outputs + cells.states);
}

/* One of those from first on, step of them, of which the last are missing. */
static uint64_t sample(uint64_t seed, uint64_t index, uint64_t first, uint64_t step, uint64_t end) {
    return first + bm_sample(seed, index, end - first < step ? end - first : step);
}

enum bm_status bm_scan_check(const struct bm_case *c, const struct bm_plan *plan,
                             const struct bm_operands *operands, uint64_t seed, uint64_t index,
                             struct bm_check *check, struct bm_error *error) {
    const struct cells cells = cells_of(c, plan);
    enum bm_status status = bm_check_begin(check, index, bm_scan_check_count(c, plan), error);
    if (status)
        return status;
    const uint64_t each = cells.outputs + cells.states, line = index / each, cell = index % each;
    const struct head head = head_of(c, operands, line);
    const bool of_state = cell >= cells.outputs;
    const uint64_t first = of_state ? (cell - cells.outputs) * cells.row_step : cell * cells.token_step;
    const uint64_t rows = c->n - first < cells.row_step ? c->n - first : cells.row_step;

    if (c->phase == BM_PHASE_DECODE) {
        step_once(&head, of_state, of_state ? first : 0, of_state ? rows : c->n, check);
        check->first = of_state ? (line * c->n + first) * c->head_dim : line * c->head_dim;
    } else if (of_state) {
        const uint64_t n = sample(seed, index, first, cells.row_step, c->n);
        unroll(&head, cells.tokens - 1, true, n, check);
        check->first = (line * c->n + n) * c->head_dim;
    } else {
        const uint64_t t = sample(seed, index, first, cells.token_step, cells.tokens);
        unroll(&head, t, false, 0, check);
        check->first = (token_of(&head, t) * c->heads + head.head) * c->head_dim;
    }
    check->output = of_state;
    return BM_OK;
}
