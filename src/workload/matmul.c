/* What gemm and gemv share. */
#include <math.h>

#include "internal.h"

int64_t bm_matmul_format(enum bm_element element) {
    static const int64_t formats[BM_ELEMENT_COUNT] = {[BM_ELEMENT_F32] = 0,
                                                      [BM_ELEMENT_F16] = 1,
                                                      [BM_ELEMENT_BF16] = 2,
                                                      [BM_ELEMENT_I8] = 3,
                                                      [BM_ELEMENT_I4] = 4};
    return formats[element];
}

void bm_matmul_define(const struct bm_dtype *dtype, struct bm_plan *plan) {
    bm_parameters_set(&plan->defines, "WEIGHT", bm_matmul_format(dtype->weight));
    bm_parameters_set(&plan->defines, "ACTIVATION", bm_matmul_format(dtype->activation));
    bm_parameters_set(&plan->defines, "QUANTISE", dtype->quantised_activations);
}

void bm_matmul_quantise(double *x, size_t count) {
    float largest = 0;
    for (size_t j = 0; j < count; j++)
        largest = fmaxf(largest, fabsf((float)x[j]));
    const float scale = largest / 127;
    for (size_t j = 0; j < count; j++)
        x[j] = scale > 0 ? (double)rintf((float)x[j] / scale) * (double)scale : 0;
}

double bm_dtype_weight_deviation(const struct bm_dtype *dtype) {
    return dtype->weight == BM_ELEMENT_I8 ? 32 : dtype->weight == BM_ELEMENT_I4 ? 2.5 : 1;
}

double bm_matmul_scale(const struct bm_case *c) {
    return sqrt((double)c->k) * bm_dtype_weight_deviation(c->dtype);
}

double bm_matmul_tolerance(const struct bm_case *c) {
    const double k = (double)c->k;
    return 8 * BM_F32_ROUNDOFF * (sqrt(k) + 1) + bm_output_roundoff(c->dtype->output) +
           (c->dtype->quantised_activations ? 0.2 / sqrt(k) : 0);
}
