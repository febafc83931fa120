/* Arithmetic in plain C, for processors without kernels of their own: the compiler makes vectors of it. */
#include "kernels.h"

#include <math.h>
#include <string.h>

enum { LANES = 64 };
#define FACTOR (-0x1.FFEp-1)

/* Without fused multiply-add a call of fmaf() would be a library's. */
#if defined(__FP_FAST_FMAF)
#define STEP_F32(x) fmaf(x, (float)FACTOR, 1.0f)
#else
#define STEP_F32(x) ((x) * (float)FACTOR + 1.0f)
#endif

static void run_f32(float *lanes, uint64_t steps, const struct bm_dot_operands *operands) {
    float x[LANES];
    (void)operands;
    for (int i = 0; i < LANES; i++)
        x[i] = lanes[i];
    for (uint64_t step = 0; step < steps; step++)
        for (int i = 0; i < LANES; i++)
            x[i] = STEP_F32(x[i]);
    for (int i = 0; i < LANES; i++)
        lanes[i] = x[i];
}

static void run_f64(float *lanes, uint64_t steps, const struct bm_dot_operands *operands) {
    double x[LANES];
    (void)operands;
    for (int i = 0; i < LANES; i++)
        x[i] = (double)lanes[i];
    for (uint64_t step = 0; step < steps; step++)
        for (int i = 0; i < LANES; i++)
            x[i] = x[i] * FACTOR + 1.0;
    for (int i = 0; i < LANES; i++)
        lanes[i] = (float)x[i];
}

static void run_i32(float *lanes, uint64_t steps, const struct bm_dot_operands *operands) {
    uint32_t x[LANES];
    (void)operands;
    memcpy(x, lanes, sizeof x);
    for (uint64_t step = 0; step < steps; step++)
        for (int i = 0; i < LANES; i++)
            x[i] = x[i] * UINT32_C(1664525) + UINT32_C(1013904223);
    memcpy(lanes, x, sizeof x);
}

static const struct bm_fma_kernel kernels[] = {
    {"f32_vector", BM_FORM_PORTABLE, 0, 1, LANES, run_f32},
    {"f64_vector", BM_FORM_PORTABLE, 0, 1, LANES, run_f64},
    {"i32_vector", BM_FORM_PORTABLE, 0, 1, LANES, run_i32},
};
const struct bm_fma_kernels bm_fma_portable = {kernels, BM_COUNT_OF(kernels)};
