#include "quantise.h"

#include <math.h>
#include <string.h>

/* One body for all instruction sets: the compiler makes vectors of it. */
#define ROW_KERNELS(NAME, TARGET)                                                                            \
    TARGET static float quantise_row_##NAME(const float *x, uint64_t k, int offset, uint8_t *q) {            \
        int32_t largest = 0; /* magnitudes of floats are ordered like their bits */                          \
        for (uint64_t j = 0; j < k; j++) {                                                                   \
            int32_t bits;                                                                                    \
            memcpy(&bits, x + j, sizeof bits);                                                               \
            bits &= INT32_MAX;                                                                               \
            largest = bits > largest ? bits : largest;                                                       \
        }                                                                                                    \
        float most;                                                                                          \
        memcpy(&most, &largest, sizeof most);                                                                \
        const float scale = most / 127, divisor = scale > 0 ? scale : 1;                                     \
        for (uint64_t j = 0; j < k; j++)                                                                     \
            q[j] = (uint8_t)((int32_t)rintf(x[j] / divisor) + offset);                                       \
        return scale;                                                                                        \
    }                                                                                                        \
    TARGET static void dequantise_part_##NAME(char *sums, uint64_t n, const int32_t *corrections,            \
                                              float row_scale, const float *column_scales) {                 \
        for (uint64_t j = 0; j < n; j++) {                                                                   \
            uint32_t sum; /* wraps around where a slot of the arena holds no packed weights */               \
            memcpy(&sum, sums + 4 * j, sizeof sum);                                                          \
            if (corrections != NULL)                                                                         \
                sum -= (uint32_t)corrections[j];                                                             \
            const float value = (float)(int32_t)sum * (row_scale * column_scales[j]);                        \
            memcpy(sums + 4 * j, &value, sizeof value);                                                      \
        }                                                                                                    \
    }

#define PORTABLE
ROW_KERNELS(portable, PORTABLE)
#if defined(__x86_64__)
#define AVX2   __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512,avx2,fma")))
ROW_KERNELS(avx2, AVX2)
ROW_KERNELS(avx512, AVX512)
#else
#define quantise_row_avx2      quantise_row_portable
#define quantise_row_avx512    quantise_row_portable
#define dequantise_part_avx2   dequantise_part_portable
#define dequantise_part_avx512 dequantise_part_portable
#endif

void bm_quantise_rows(const struct bm_cpu *cpu, const float *x, uint64_t m, uint64_t k, int offset,
                      uint8_t *q, float *scales) {
    float (*const row)(const float *, uint64_t, int, uint8_t *) = cpu->avx512 ? quantise_row_avx512
                                                                  : cpu->avx2 ? quantise_row_avx2
                                                                              : quantise_row_portable;
#pragma omp parallel for schedule(static) if (m > 1)
    for (uint64_t i = 0; i < m; i++)
        scales[i] = row(x + i * k, k, offset, q + i * k);
}

void bm_column_corrections(const int8_t *weights, uint64_t n, uint64_t k, int offset, int32_t *corrections) {
#pragma omp parallel for schedule(static) if (n * k > 1 << 20)
    for (uint64_t column = 0; column < n; column++) {
        int32_t sum = 0;
        for (uint64_t i = 0; i < k; i++)
            sum += weights[column * k + i];
        corrections[column] = offset * sum;
    }
}

/* Pieces small enough that all threads have some, large enough that starting them costs nothing. */
void bm_dequantise(const struct bm_cpu *cpu, void *sums, uint64_t m, uint64_t n, const int32_t *corrections,
                   const float *row_scales, const float *column_scales) {
    enum { PIECE = 4096 };
    void (*const part)(char *, uint64_t, const int32_t *, float, const float *) =
        cpu->avx512 ? dequantise_part_avx512
        : cpu->avx2 ? dequantise_part_avx2
                    : dequantise_part_portable;
    const uint64_t pieces = (n + PIECE - 1) / PIECE;
#pragma omp parallel for schedule(static) if (m * n > 4 * PIECE)
    for (uint64_t i = 0; i < m * pieces; i++) {
        const uint64_t row = i / pieces, first = i % pieces * PIECE;
        const uint64_t count = n - first < PIECE ? n - first : PIECE;
        part((char *)sums + 4 * (row * n + first), count, corrections != NULL ? corrections + first : NULL,
             row_scales[row], column_scales + first);
    }
}
