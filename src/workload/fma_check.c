/* The reference of fma: each lane's steps in closed form, or simulated where there is none. */
#include "fma.h"

#include <math.h>
#include <string.h>

/* Of reals: constants of kernels/fma.cl. */
#define FACTOR (-(1 - 0x1p-12))
#define ADDEND 1.0
enum { F16_LOW = -512, F16_HIGH = 511, F16_CENTRE = -1024 }; /* where f16's seeds start */
/* i8_dot: one of four starts, so that the reference is quick. */
enum { I8_STARTS = 4 };
#define I8_START UINT32_C(0x9E3779B9)
static const int32_t i8_weights[4] = {-101, 79, -77, 109};
enum { MATRIX_M = 16, MATRIX_N = 8 }; /* rows and columns of a matrix unit's step */

uint64_t bm_fma_check_count(const struct bm_case *c, const struct bm_plan *plan) {
    uint64_t lanes, steps;
    (void)plan;
    bm_fma_size(c, &lanes, &steps);
    return bm_ceil_div(lanes, BM_CHECK_OUTPUTS);
}

static uint32_t bits_of(double seed) {
    const float value = (float)seed;
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* x swings around f = ADDEND / (1 - FACTOR): x_k = f + FACTOR^k (x_0 - f). */
static void expect_real(uint64_t steps, struct bm_check *check) {
    const double fixed = ADDEND / (1 - FACTOR), factor = pow(FACTOR, (double)steps);
    for (unsigned i = 0; i < check->count; i++)
        check->expected[i] = fixed + factor * (check->expected[i] - fixed);
}

static void expect_f16(uint64_t steps, struct bm_check *check) {
    for (unsigned i = 0; i < check->count; i++) {
        double x = rint(check->expected[i] * 256);
        x = fmin(fmax(x, F16_LOW), F16_HIGH) + F16_CENTRE +
            (double)(steps / 2) * (BM_FMA_F16_ADDEND - BM_FMA_F16_OTHER);
        check->expected[i] = x;
    }
}

/* k steps are one: x_k = a x_0 + b, found by doubling. */
static void expect_i32(uint64_t steps, struct bm_check *check) {
    uint32_t a = 1, b = 0, step_a = BM_FMA_I32_FACTOR, step_b = BM_FMA_I32_ADDEND;
    for (uint64_t left = steps; left > 0; left /= 2) {
        if (left % 2) {
            b = step_a * b + step_b;
            a = step_a * a;
        }
        step_b = step_a * step_b + step_b;
        step_a = step_a * step_a;
    }
    for (unsigned i = 0; i < check->count; i++)
        check->expected[i] = (double)((a * bits_of(check->expected[i]) + b) >> 8);
}

static uint32_t dot_steps(uint32_t x, uint64_t steps) {
    for (uint64_t step = 0; step < steps; step++) {
        uint32_t sum = x;
        for (unsigned byte = 0; byte < 4; byte++)
            sum += (uint32_t)((int8_t)(x >> 8 * byte) * i8_weights[byte]);
        x = sum;
    }
    return x;
}

static void expect_i8_dot(uint64_t steps, struct bm_check *check) {
    double ends[I8_STARTS];
    for (uint32_t start = 0; start < I8_STARTS; start++)
        ends[start] = (double)(dot_steps((start + 1) * I8_START, steps) >> 8);
    for (unsigned i = 0; i < check->count; i++)
        check->expected[i] = ends[(bits_of(check->expected[i]) >> 8) % I8_STARTS];
}

/* Lanes 4 i to 4 i + 3 are work-item i's sums: of warp-mate 4 g + t those at rows g and g + 8, columns 2 t
 * and 2 t + 1. Each step adds the same product. */
static void expect_matrix(enum bm_fma_pipe pipe, uint64_t first, uint64_t steps, struct bm_check *check) {
    const int depth = pipe == BM_FMA_I8_MATRIX ? 32 : 16;
    double product[MATRIX_M][MATRIX_N];
    for (int i = 0; i < MATRIX_M; i++)
        for (int j = 0; j < MATRIX_N; j++) {
            int sum = 0;
            for (int k = 0; k < depth; k++)
                sum += ((5 * i + 3 * k) % 7 - 3) * ((5 * k + 11 * j) % 7 - 3);
            product[i][j] = sum;
        }
    for (unsigned i = 0; i < check->count; i++) {
        const uint64_t lane = first + i, v = lane % BM_FMA_MATRIX_VEC,
                       mate = lane / BM_FMA_MATRIX_VEC % BM_FMA_WARP;
        check->expected[i] = rint(check->expected[i] * 256) +
                             (double)steps * product[mate / 4 + v / 2 * 8][mate % 4 * 2 + v % 2];
    }
}

enum bm_status bm_fma_check(const struct bm_case *c, const struct bm_plan *plan,
                            const struct bm_operands *operands, uint64_t seed, uint64_t index,
                            struct bm_check *check, struct bm_error *error) {
    static void (*const expect[])(uint64_t steps,
                                  struct bm_check * check) = {[BM_FMA_F32] = expect_real,
                                                              [BM_FMA_F64] = expect_real,
                                                              [BM_FMA_F16] = expect_f16,
                                                              [BM_FMA_I32] = expect_i32,
                                                              [BM_FMA_I8_DOT] = expect_i8_dot};
    const enum bm_fma_pipe pipe = bm_fma_pipe_of(c);
    (void)seed;
    enum bm_status status = bm_check_begin(check, index, bm_fma_check_count(c, plan), error);
    if (status)
        return status;
    uint64_t lanes, steps;
    bm_fma_size(c, &lanes, &steps);
    const uint64_t left = lanes - index * BM_CHECK_OUTPUTS;
    check->first = index * BM_CHECK_OUTPUTS;
    check->count = (unsigned)(left < BM_CHECK_OUTPUTS ? left : BM_CHECK_OUTPUTS);
    bm_values_gather(operands->values[BM_FMA_SEEDS], operands->start[BM_FMA_SEEDS] + check->first, 1,
                     check->count, check->expected);
    if (plan->plain && pipe >= BM_FMA_I8_DOT)
        bm_fma_expect_dot(bm_fma_depth(c), steps, check);
    else if (bm_fma_is_matrix(pipe))
        expect_matrix(pipe, check->first, steps, check);
    else
        expect[pipe](steps, check);
    return BM_OK;
}

/* f32: |FACTOR| < 1, so a rounding error never grows: k of them, each up to u of a value of size 1, add to u
 * sqrt(k) when independent. They are not quite, as every second step rounds alike: ten times that was seen,
 * and devices that round the product too may show twice as much. One missing step changes a result by about
 * its own size, ten by a thousandth of it; both are seen. f64: its result is rounded to f32. The others are
 * exact. */
double bm_fma_tolerance(const struct bm_case *c) {
    uint64_t lanes, steps;
    bm_fma_size(c, &lanes, &steps);
    switch (bm_fma_pipe_of(c)) {
    case BM_FMA_F32:
        return 40 * BM_F32_ROUNDOFF * (sqrt((double)steps) + 1);
    case BM_FMA_F64:
        return 2 * BM_F32_ROUNDOFF;
    case BM_FMA_F16:
    case BM_FMA_I32:
    case BM_FMA_I8_DOT:
    case BM_FMA_BF16_DOT:
    case BM_FMA_F16_MATRIX:
    case BM_FMA_BF16_MATRIX:
    case BM_FMA_I8_MATRIX:
        break;
    }
    return 0;
}
