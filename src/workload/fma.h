/* The parts of fma: its pipes, formulas and plan (fma.c), its reference (fma_check.c; of dot products and
 * matrices in plain plans fma_dot.c). */
#ifndef BM_WORKLOAD_FMA_H
#define BM_WORKLOAD_FMA_H

#include "internal.h"

enum { BM_FMA_SEEDS, BM_FMA_RESULTS }; /* tensors of a plan */

/* As kernels/fma.cl numbers them. */
enum bm_fma_pipe {
    BM_FMA_F32,
    BM_FMA_F64,
    BM_FMA_F16,
    BM_FMA_I32,
    BM_FMA_I8_DOT,
    BM_FMA_F16_MATRIX,
    BM_FMA_BF16_MATRIX,
    BM_FMA_I8_MATRIX,
    BM_FMA_BF16_DOT /* of a backend's own kernels alone */
};
enum bm_fma_pipe bm_fma_pipe_of(const struct bm_case *c); /* of a valid case */
static inline bool bm_fma_is_matrix(enum bm_fma_pipe pipe) {
    return pipe >= BM_FMA_F16_MATRIX && pipe <= BM_FMA_I8_MATRIX;
}
unsigned bm_fma_depth(const struct bm_case *c); /* products of a step and lane */

/* What the kernel is told. f16: two steps make x of it, -x - ADDEND, then x + ADDEND - OTHER; exact, as all
 * are whole numbers below 2048. i32: a generator modulo 2^32 (Numerical Recipes, 3rd edition, 7.1.2). */
enum { BM_FMA_F16_ADDEND = 1, BM_FMA_F16_OTHER = 0 };
#define BM_FMA_I32_FACTOR UINT32_C(1664525)
#define BM_FMA_I32_ADDEND UINT32_C(1013904223)
/* Sums that a work-item of a matrix unit has, work-items that share one instruction. */
enum { BM_FMA_MATRIX_VEC = 4, BM_FMA_WARP = 32 };

uint64_t bm_fma_check_count(const struct bm_case *c, const struct bm_plan *plan);
enum bm_status bm_fma_check(const struct bm_case *c, const struct bm_plan *plan,
                            const struct bm_operands *operands, uint64_t seed, uint64_t index,
                            struct bm_check *check, struct bm_error *error) BM_CHECK_RESULT;
double bm_fma_tolerance(const struct bm_case *c);

#endif
