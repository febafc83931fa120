/* Dot products of bf16 (AVX512-BF16) and of 8-bit integers (AVX512-VNNI, and AVX-VNNI, which has the same
 * instruction without AVX-512): x += left . right in each lane of 32 bits. */
#include "kernels.h"

#if BM_NATIVE_X86
#include <immintrin.h>

#define VNNI     __attribute__((target("avx512vnni,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define AVX_VNNI __attribute__((target("avxvnni,avx2,fma")))
#define BF16     __attribute__((target("avx512bf16,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))

#define CHAINS(NAME, TARGET, C, LANES, VECTOR, VALUES, LOAD, STEP, STORE)                                    \
    TARGET static void NAME(float *lanes, uint64_t steps, const struct bm_dot_operands *operands) {          \
        VECTOR x[C];                                                                                         \
        VALUES                                                                                               \
        BM_UNROLL for (int c = 0; c < (C); c++) x[c] = LOAD(lanes + c * (LANES));                            \
        for (uint64_t step = 0; step < steps; step++)                                                        \
            BM_UNROLL for (int c = 0; c < (C); c++) x[c] = STEP(x[c]);                                       \
        BM_UNROLL for (int c = 0; c < (C); c++) STORE(lanes + c * (LANES), x[c]);                            \
    }

#define INT_512                                                                                              \
    const __m512i left = _mm512_load_si512(operands->left_u8), right = _mm512_load_si512(operands->right_s8);
#define INT_256                                                                                              \
    const __m256i left = _mm256_load_si256((const void *)operands->left_u8),                                 \
                  right = _mm256_load_si256((const void *)operands->right_s8);
#define LOAD_512(p)     _mm512_load_si512((const void *)(p))
#define LOAD_256(p)     _mm256_load_si256((const __m256i *)(const void *)(p))
#define STORE_512(p, x) _mm512_store_si512((void *)(p), x)
#define STORE_256(p, x) _mm256_store_si256((__m256i *)(void *)(p), x)
#define VNNI_512(x)     _mm512_dpbusd_epi32(x, left, right)
#define VNNI_256(x)     _mm256_dpbusd_epi32(x, left, right)
#define AVX_VNNI_256(x) _mm256_dpbusd_avx_epi32(x, left, right)
CHAINS(i8_512_12, VNNI, 12, 16, __m512i, INT_512, LOAD_512, VNNI_512, STORE_512)
CHAINS(i8_512_16, VNNI, 16, 16, __m512i, INT_512, LOAD_512, VNNI_512, STORE_512)
CHAINS(i8_512_24, VNNI, 24, 16, __m512i, INT_512, LOAD_512, VNNI_512, STORE_512)
CHAINS(i8_256_12, VNNI, 12, 8, __m256i, INT_256, LOAD_256, VNNI_256, STORE_256)
CHAINS(i8_vex_12, AVX_VNNI, 12, 8, __m256i, INT_256, LOAD_256, AVX_VNNI_256, STORE_256)

#define BF16_512                                                                                             \
    const __m512bh left = (__m512bh)_mm512_load_si512(operands->left_bf16),                                  \
                   right = (__m512bh)_mm512_load_si512(operands->right_bf16);
#define BF16_256                                                                                             \
    const __m256bh left = (__m256bh)_mm256_load_si256((const void *)operands->left_bf16),                    \
                   right = (__m256bh)_mm256_load_si256((const void *)operands->right_bf16);
#define DOT_512(x) _mm512_dpbf16_ps(x, left, right)
#define DOT_256(x) _mm256_dpbf16_ps(x, left, right)
CHAINS(bf16_512_12, BF16, 12, 16, __m512, BF16_512, _mm512_load_ps, DOT_512, _mm512_store_ps)
CHAINS(bf16_512_16, BF16, 16, 16, __m512, BF16_512, _mm512_load_ps, DOT_512, _mm512_store_ps)
CHAINS(bf16_512_24, BF16, 24, 16, __m512, BF16_512, _mm512_load_ps, DOT_512, _mm512_store_ps)
CHAINS(bf16_256_12, BF16, 12, 8, __m256, BF16_256, _mm256_load_ps, DOT_256, _mm256_store_ps)

static const struct bm_fma_kernel kernels[] = {
    {"i8_dot", BM_FORM_AVX512_VNNI, 512, 12, 12 * 16, i8_512_12},
    {"i8_dot", BM_FORM_AVX512_VNNI, 512, 16, 16 * 16, i8_512_16},
    {"i8_dot", BM_FORM_AVX512_VNNI, 512, 24, 24 * 16, i8_512_24},
    {"i8_dot", BM_FORM_AVX512_VNNI, 256, 12, 12 * 8, i8_256_12},
    {"i8_dot", BM_FORM_AVX_VNNI, 256, 12, 12 * 8, i8_vex_12},
    {"bf16_dot", BM_FORM_AVX512_BF16, 512, 12, 12 * 16, bf16_512_12},
    {"bf16_dot", BM_FORM_AVX512_BF16, 512, 16, 16 * 16, bf16_512_16},
    {"bf16_dot", BM_FORM_AVX512_BF16, 512, 24, 24 * 16, bf16_512_24},
    {"bf16_dot", BM_FORM_AVX512_BF16, 256, 12, 12 * 8, bf16_256_12},
};
const struct bm_fma_kernels bm_fma_dots = {kernels, BM_COUNT_OF(kernels)};
#else
const struct bm_fma_kernels bm_fma_dots = {NULL, 0};
#endif
