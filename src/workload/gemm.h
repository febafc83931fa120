/* The parts of gemm: its plan's tensors and layout (gemm_plan.c), its reference (gemm_check.c). */
#ifndef BM_WORKLOAD_GEMM_H
#define BM_WORKLOAD_GEMM_H

#include "internal.h"

/* Tensors of a plan. Those of one format only come after the ones of all: activations packed as f32; where
 * they are quantised, a scale for each row; scales of the weights. */
enum { BM_GEMM_WEIGHTS, BM_GEMM_ACTIVATIONS, BM_GEMM_OUTPUTS, BM_GEMM_PACKED, BM_GEMM_FIRST_OPTIONAL };

/* Weights that lie in panels of panel_n columns: element (column, k) is number
 *   first(column) + k * panel_n, first = column / panel_n * panel_n * k_stored + column % panel_n;
 * of I4, whose neighbours along k share a byte, number
 *   first(column) + k / 2 * 2 * panel_n + k % 2, first as above but for column % panel_n * 2.
 * Scales of a group of k: number column / panel_n * panel_n * groups + group * panel_n + column % panel_n;
 * of a channel: number column. */
struct bm_gemm_layout {
    uint64_t panel_n, panels;
    uint64_t k_stored;   /* k, of I4 rounded up to whole groups */
    uint64_t groups;     /* scales of a column */
    uint64_t group_size; /* k that share a scale; k without scales */
};
struct bm_gemm_layout bm_gemm_layout(const struct bm_case *c, const struct bm_parameters *parameters);

/* expected[i]: x, as the kernel sees a row, times column + i of the matrix whose weights begin `weights` and
 * whose scales `scales` elements into their tensors, for i < BM_GEMM_RUN. Past the last column of its panel
 * they mean nothing. */
enum { BM_GEMM_RUN = 16 };
struct bm_gemm_matrix {
    uint64_t weights, scales;
    unsigned scales_tensor;
};
void bm_gemm_multiply(const struct bm_case *c, const struct bm_gemm_layout *l,
                      const struct bm_operands *operands, const struct bm_gemm_matrix *matrix,
                      const double *x, uint64_t column, double expected[BM_GEMM_RUN]);

/* What parameters make of the kernel. */
struct bm_gemm_tiling {
    uint64_t grouped, panel_n, tile_n, tile_m, block_m, block_k, vec, pack_lanes;
};
/* BM_INVALID when parameters do not suit the kernel or the target. */
enum bm_status bm_gemm_tiling(const struct bm_parameters *parameters, const struct bm_target *target,
                              struct bm_gemm_tiling *tiling, struct bm_error *error) BM_CHECK_RESULT;

/* Tunable MATRIX_UNIT: none, one in plain C that tests check the rest of the kernel with, NVIDIA's. */
enum { BM_UNIT_NONE, BM_UNIT_EMULATED, BM_UNIT_NVIDIA_MMA };
enum { BM_GEMM_TUNABLE_COUNT = 12 };
extern const struct bm_tunable bm_gemm_tunables[BM_GEMM_TUNABLE_COUNT];
void bm_gemm_safe_parameters(const struct bm_case *c, const struct bm_target *target,
                             struct bm_parameters *parameters);
enum bm_status bm_gemm_plan(const struct bm_case *c, const struct bm_target *target,
                            const struct bm_parameters *given, struct bm_plan *plan,
                            struct bm_error *error) BM_CHECK_RESULT;
/* The plan on a matrix unit, kernels/gemm_matrix.cl; bm_gemm_plan has resolved the parameters. Its weights
 * lie in the same panels, within a panel unit by unit of 32 bytes of k, of each unit column by column:
 * element (column, k) is number column / panel_n * panel_n * k_stored + (k / unit_k * panel_n + column %
 * panel_n) * unit_k + slot(k % unit_k), unit_k = 32 bytes, slot = bm_gemm_matrix_slot(). There is no tensor
 * BM_GEMM_PACKED where activations are taken as they are. */
enum bm_status bm_gemm_matrix_plan(const struct bm_case *c, const struct bm_target *target,
                                   struct bm_parameters *parameters, struct bm_plan *plan,
                                   struct bm_error *error) BM_CHECK_RESULT;
static inline bool bm_gemm_on_matrix_unit(const struct bm_parameters *parameters) {
    return bm_parameters_get(parameters, "MATRIX_UNIT", BM_UNIT_NONE) != BM_UNIT_NONE;
}
/* Elements of 32 bytes: 16 of f16 and bf16, 32 of int8. */
uint64_t bm_gemm_matrix_unit_k(const struct bm_dtype *dtype);
/* Where element k < unit_k of a column lies in a unit. */
uint64_t bm_gemm_matrix_slot(const struct bm_dtype *dtype, uint64_t k);
/* float64 reference of `count` outputs of one row from `column` on, all of one panel; x: the activations. */
enum bm_status bm_gemm_matrix_expect(const struct bm_case *c, const struct bm_plan *plan,
                                     const struct bm_operands *operands, const double *x, uint64_t column,
                                     uint64_t count, double *expected,
                                     struct bm_error *error) BM_CHECK_RESULT;
uint64_t bm_gemm_check_count(const struct bm_case *c, const struct bm_plan *plan);
enum bm_status bm_gemm_check(const struct bm_case *c, const struct bm_plan *plan,
                             const struct bm_operands *operands, uint64_t seed, uint64_t index,
                             struct bm_check *check, struct bm_error *error) BM_CHECK_RESULT;

#endif
