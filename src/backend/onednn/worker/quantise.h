/* What int8 matrix products need around the library's: activations quantised row by row, and sums brought
 * back to f32. Both are part of the timed work. */
#ifndef BM_ONEDNN_QUANTISE_H
#define BM_ONEDNN_QUANTISE_H

#include "bm/topology.h"

/* q[m, k] = x / scale rounded to nearest even, scales[m] = max |x| of the row / 127 (bm_dtype). Rows are
 * shared among the OpenMP threads. cpu: what instructions may be used. */
void bm_quantise_rows(const struct bm_cpu *cpu, const float *x, uint64_t m, uint64_t k, int8_t *q,
                      float *scales);
/* In place: sums[m, n] of 32 bits become f32, times the scale of their row and of their column. */
void bm_dequantise(const struct bm_cpu *cpu, void *sums, uint64_t m, uint64_t n, const float *row_scales,
                   const float *column_scales);

#endif
