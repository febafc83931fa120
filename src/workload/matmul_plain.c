/* gemm and gemv as their mathematics have them, for backends that bring their own kernels: weights [n, k],
 * activations [m, k] and outputs [m, n], row-major and dense. Where weights have scales, those follow as a
 * fourth tensor: [n] of a channel, [n, ceil(k / group)] of groups. All but the weights are hot: the scales of
 * channels are a thousandth of them and less. */
#include <stdlib.h>

#include "internal.h"

enum { WEIGHTS, ACTIVATIONS, OUTPUTS, SCALES };

void bm_matmul_plain(const struct bm_case *c, struct bm_plan *plan) {
    const struct bm_parameters none = {0};
    bm_plan_begin(plan, NULL, "plain", "-", &none);
    plan->plain = true;
    bm_plan_tensor(plan, "weights", c->dtype->weight, BM_ROLE_COLD, c->n * c->k);
    bm_plan_tensor(plan, "activations", c->dtype->activation, BM_ROLE_HOT, c->m * c->k);
    bm_plan_tensor(plan, "outputs", c->dtype->output, BM_ROLE_OUTPUT, c->m * c->n);
    if (c->dtype->scale_group)
        bm_plan_tensor(plan, "scales", c->dtype->scale, BM_ROLE_HOT,
                       bm_dtype_scale_count(c->dtype, c->n, c->k));
}

/* How a library cuts its work is not known: cells are smaller than any of its tiles, and a check is a sampled
 * row of RUN columns in each. Vectors are checked whole, as far as that is cheap. */
enum { RUN = 16, ROWS = 8, COLUMNS = 64 };
static const uint64_t cheap = UINT64_C(1) << 28;

static uint64_t columns_of(const struct bm_case *c) {
    return c->m == 1 && c->n * c->k <= cheap ? RUN : COLUMNS;
}

uint64_t bm_matmul_plain_check_count(const struct bm_case *c) {
    return bm_ceil_div(c->m, ROWS) * bm_ceil_div(c->n, columns_of(c));
}

/* Row x times column of the weights. */
static double dot_column(const struct bm_case *c, const struct bm_operands *operands, const double *x,
                         uint64_t column) {
    const uint64_t groups = bm_dtype_scale_count(c->dtype, 1, c->k);
    const uint64_t length = groups > 1 ? c->dtype->scale_group : c->k;
    double sum = 0;
    for (uint64_t j = 0; j < c->k; j += length) {
        const uint64_t count = c->k - j < length ? c->k - j : length;
        double part = bm_values_dot(operands, WEIGHTS, column * c->k + j, x + j, (size_t)count);
        if (groups > 0)
            part *= bm_values_sum(operands, SCALES, column * groups + j / length, 1);
        sum += part;
    }
    return sum;
}

enum bm_status bm_matmul_plain_check(const struct bm_case *c, const struct bm_operands *operands,
                                     uint64_t seed, uint64_t index, struct bm_check *check,
                                     struct bm_error *error) {
    const uint64_t bands = bm_ceil_div(c->m, ROWS), width = columns_of(c);
    enum bm_status status = bm_check_begin(check, index, bm_matmul_plain_check_count(c), error);
    if (status)
        return status;
    double *x = bm_alloc((size_t)c->k, sizeof(*x));
    if (!x)
        return bm_fail(error, BM_NO_MEMORY, "no memory to check %llu activations", (unsigned long long)c->k);
    const uint64_t band = index % bands * ROWS, left = index / bands * width;
    const uint64_t rows = c->m - band < ROWS ? c->m - band : ROWS;
    const uint64_t columns = c->n - left < width ? c->n - left : width;
    const uint64_t row = band + bm_sample(seed, 2 * index, rows);
    const uint64_t first = left + bm_sample(seed, 2 * index + 1, bm_ceil_div(columns, RUN)) * RUN;
    const uint64_t end = left + columns;

    bm_values_gather(operands->values[ACTIVATIONS], operands->start[ACTIVATIONS] + row * c->k, 1,
                     (size_t)c->k, x);
    if (c->dtype->quantised_activations)
        bm_matmul_quantise(x, (size_t)c->k);
    check->first = row * c->n + first;
    check->count = (unsigned)(end - first < RUN ? end - first : RUN);
    for (unsigned i = 0; i < check->count; i++)
        check->expected[i] = dot_column(c, operands, x, first + i);
    check->scale = bm_matmul_scale(c);
    free(x);
    return BM_OK;
}
