/* Multiply-add of vectors: chains enough to hide the latency of a step (4 cycles, two or more units) that
 * still fit the registers: 16 of 256 bits, 32 of 512. */
#include "kernels.h"

#if BM_NATIVE_X86
#include <immintrin.h>

#define AVX2   __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define FP16   __attribute__((target("avx512fp16,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))

#define FACTOR (-0x1.FFEp-1)

/* Values that compilers cannot know, so that they make nothing else of a step. */
static volatile float f32_factor = (float)FACTOR, f32_addend = 1;
static volatile double f64_factor = FACTOR, f64_addend = 1;
static volatile int i32_factor = 1664525, i32_addend = 1013904223;

/* C vectors of LANES lanes; VALUES sets the constants a step needs. */
#define CHAINS(NAME, TARGET, C, LANES, VECTOR, VALUES, LOAD, STEP, STORE)                                    \
    TARGET static void NAME(float *lanes, uint64_t steps, const struct bm_dot_operands *operands) {          \
        VECTOR x[C];                                                                                         \
        VALUES(void) operands;                                                                               \
        BM_UNROLL for (int c = 0; c < (C); c++) x[c] = LOAD(lanes + c * (LANES));                            \
        for (uint64_t step = 0; step < steps; step++)                                                        \
            BM_UNROLL for (int c = 0; c < (C); c++) x[c] = STEP(x[c]);                                       \
        BM_UNROLL for (int c = 0; c < (C); c++) STORE(lanes + c * (LANES), x[c]);                            \
    }

/* ---- f32 ---- */
#define F32_512     const __m512 factor = _mm512_set1_ps(f32_factor), addend = _mm512_set1_ps(f32_addend);
#define F32_256     const __m256 factor = _mm256_set1_ps(f32_factor), addend = _mm256_set1_ps(f32_addend);
#define STEP_512(x) _mm512_fmadd_ps(x, factor, addend)
#define STEP_256(x) _mm256_fmadd_ps(x, factor, addend)
CHAINS(f32_512_12, AVX512, 12, 16, __m512, F32_512, _mm512_load_ps, STEP_512, _mm512_store_ps)
CHAINS(f32_512_16, AVX512, 16, 16, __m512, F32_512, _mm512_load_ps, STEP_512, _mm512_store_ps)
CHAINS(f32_512_24, AVX512, 24, 16, __m512, F32_512, _mm512_load_ps, STEP_512, _mm512_store_ps)
CHAINS(f32_256_10, AVX2, 10, 8, __m256, F32_256, _mm256_load_ps, STEP_256, _mm256_store_ps)
CHAINS(f32_256_12, AVX2, 12, 8, __m256, F32_256, _mm256_load_ps, STEP_256, _mm256_store_ps)

/* ---- f64: a vector holds half as many lanes, read from and given back as f32 ---- */
#define F64_512             const __m512d factor = _mm512_set1_pd(f64_factor), addend = _mm512_set1_pd(f64_addend);
#define F64_256             const __m256d factor = _mm256_set1_pd(f64_factor), addend = _mm256_set1_pd(f64_addend);
#define LOAD_F64_512(p)     _mm512_cvtps_pd(_mm256_load_ps(p))
#define LOAD_F64_256(p)     _mm256_cvtps_pd(_mm_load_ps(p))
#define STEP_F64_512(x)     _mm512_fmadd_pd(x, factor, addend)
#define STEP_F64_256(x)     _mm256_fmadd_pd(x, factor, addend)
#define STORE_F64_512(p, x) _mm256_store_ps(p, _mm512_cvtpd_ps(x))
#define STORE_F64_256(p, x) _mm_store_ps(p, _mm256_cvtpd_ps(x))
CHAINS(f64_512_12, AVX512, 12, 8, __m512d, F64_512, LOAD_F64_512, STEP_F64_512, STORE_F64_512)
CHAINS(f64_512_16, AVX512, 16, 8, __m512d, F64_512, LOAD_F64_512, STEP_F64_512, STORE_F64_512)
CHAINS(f64_256_12, AVX2, 12, 4, __m256d, F64_256, LOAD_F64_256, STEP_F64_256, STORE_F64_256)

/* ---- i32: a multiplication takes ten cycles ---- */
#define I32_512             const __m512i factor = _mm512_set1_epi32(i32_factor), addend = _mm512_set1_epi32(i32_addend);
#define I32_256             const __m256i factor = _mm256_set1_epi32(i32_factor), addend = _mm256_set1_epi32(i32_addend);
#define LOAD_I32_512(p)     _mm512_load_si512((const void *)(p))
#define LOAD_I32_256(p)     _mm256_load_si256((const __m256i *)(const void *)(p))
#define STEP_I32_512(x)     _mm512_add_epi32(_mm512_mullo_epi32(x, factor), addend)
#define STEP_I32_256(x)     _mm256_add_epi32(_mm256_mullo_epi32(x, factor), addend)
#define STORE_I32_512(p, x) _mm512_store_si512((void *)(p), x)
#define STORE_I32_256(p, x) _mm256_store_si256((__m256i *)(void *)(p), x)
CHAINS(i32_512_16, AVX512, 16, 16, __m512i, I32_512, LOAD_I32_512, STEP_I32_512, STORE_I32_512)
CHAINS(i32_512_24, AVX512, 24, 16, __m512i, I32_512, LOAD_I32_512, STEP_I32_512, STORE_I32_512)
CHAINS(i32_256_12, AVX2, 12, 8, __m256i, I32_256, LOAD_I32_256, STEP_I32_256, STORE_I32_256)

/* ---- f16: whole numbers below 2048 are exact; -(1 x) - 1, then -(1 x) - 0, are two steps that add 1 ---- */
#if BM_NATIVE_FP16
static volatile int16_t f16_factor = 0x3c00, f16_addend = 0x3c00, f16_other = 0; /* 1, 1 and 0 */

#define HALVES(bits) _mm512_castsi512_ph(_mm512_set1_epi16(bits))
#define F16_512                                                                                              \
    const __m512h factor = HALVES(f16_factor), addend = HALVES(f16_addend), other = HALVES(f16_other);       \
    steps /= 2;
#define HALF_512(p) _mm256_castpd_si256(_mm256_castph_pd(_mm512_cvtxps_ph(_mm512_load_ps(p))))
#define LOAD_F16_512(p)                                                                                      \
    _mm512_castsi512_ph(_mm512_inserti64x4(_mm512_castsi256_si512(HALF_512(p)), HALF_512((p) + 16), 1))
#define STEP_F16_512(x) _mm512_fnmsub_ph(_mm512_fnmsub_ph(x, factor, addend), factor, other)
#define PART_512(x, i)                                                                                       \
    _mm512_cvtxph_ps(                                                                                        \
        _mm256_castpd_ph(_mm256_castsi256_pd(_mm512_extracti64x4_epi64(_mm512_castph_si512(x), i))))
#define STORE_F16_512(p, x) (_mm512_store_ps(p, PART_512(x, 0)), _mm512_store_ps((p) + 16, PART_512(x, 1)))
CHAINS(f16_512_12, FP16, 12, 32, __m512h, F16_512, LOAD_F16_512, STEP_F16_512, STORE_F16_512)
CHAINS(f16_512_16, FP16, 16, 32, __m512h, F16_512, LOAD_F16_512, STEP_F16_512, STORE_F16_512)
#endif

static const struct bm_fma_kernel kernels[] = {
    {"f32_vector", BM_FORM_AVX512, 512, 12, 12 * 16, f32_512_12},
    {"f32_vector", BM_FORM_AVX512, 512, 16, 16 * 16, f32_512_16},
    {"f32_vector", BM_FORM_AVX512, 512, 24, 24 * 16, f32_512_24},
    {"f32_vector", BM_FORM_AVX2, 256, 10, 10 * 8, f32_256_10},
    {"f32_vector", BM_FORM_AVX2, 256, 12, 12 * 8, f32_256_12},
    {"f64_vector", BM_FORM_AVX512, 512, 12, 12 * 8, f64_512_12},
    {"f64_vector", BM_FORM_AVX512, 512, 16, 16 * 8, f64_512_16},
    {"f64_vector", BM_FORM_AVX2, 256, 12, 12 * 4, f64_256_12},
    {"i32_vector", BM_FORM_AVX512, 512, 16, 16 * 16, i32_512_16},
    {"i32_vector", BM_FORM_AVX512, 512, 24, 24 * 16, i32_512_24},
    {"i32_vector", BM_FORM_AVX2, 256, 12, 12 * 8, i32_256_12},
#if BM_NATIVE_FP16
    {"f16_vector", BM_FORM_AVX512_FP16, 512, 12, 12 * 32, f16_512_12},
    {"f16_vector", BM_FORM_AVX512_FP16, 512, 16, 16 * 32, f16_512_16},
#endif
};
const struct bm_fma_kernels bm_fma_vectors = {kernels, BM_COUNT_OF(kernels)};
#else
const struct bm_fma_kernels bm_fma_vectors = {NULL, 0};
#endif
