/* What int8 matrix products need around the library's: activations quantised row by row, and sums brought
 * back to f32. Both are part of the timed work. */
#ifndef BM_ONEDNN_QUANTISE_H
#define BM_ONEDNN_QUANTISE_H

#include "bm/topology.h"

/* What is added to a quantised activation where the library is to take it as an unsigned byte. */
enum { BM_UNSIGNED_OFFSET = 128 };

/* q[m, k] = x / scale rounded to nearest even, plus offset: a signed byte for 0, an unsigned one for
 * BM_UNSIGNED_OFFSET. scales[m] = max |x| of the row / 127 (bm_dtype). Rows are shared among the OpenMP
 * threads. cpu: what instructions may be used. */
void bm_quantise_rows(const struct bm_cpu *cpu, const float *x, uint64_t m, uint64_t k, int offset,
                      uint8_t *q, float *scales);
/* What the offset adds to the sums of each column of weights[n, k]: offset times their sum. */
void bm_column_corrections(const int8_t *weights, uint64_t n, uint64_t k, int offset, int32_t *corrections);
/* In place: sums[m, n] of 32 bits become f32, less the correction of their column, times the scale of their
 * row and of their column. corrections NULL: none. */
void bm_dequantise(const struct bm_cpu *cpu, void *sums, uint64_t m, uint64_t n, const int32_t *corrections,
                   const float *row_scales, const float *column_scales);

#endif
