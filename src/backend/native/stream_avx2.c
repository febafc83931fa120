/* Memory and caches by vectors of 256 bits. */
#include "stream_kernels.h"

#if BM_NATIVE_X86
#include <immintrin.h>

#define TARGET       __attribute__((target("avx2,fma")))
#define VECTOR       __m256
#define LANES        8
#define ZERO()       _mm256_setzero_ps()
#define SET1(x)      _mm256_set1_ps(x)
#define IOTA()       _mm256_set_ps(7, 6, 5, 4, 3, 2, 1, 0)
#define LOAD(p)      _mm256_load_ps(p)
#define ADD(a, b)    _mm256_add_ps(a, b)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define SUM(v)       sum_of_lanes(v)
#define STORE(p, v)  _mm256_store_ps(p, v)
#define STREAM(p, v) _mm256_stream_ps(p, v)
#define FENCE()      _mm_sfence()

TARGET static float sum_of_lanes(__m256 v) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

READ_KERNEL(read_1, 1, 8, 0)
READ_KERNEL(read_2, 2, 4, 0)
READ_KERNEL(read_4, 4, 2, 0)
READ_KERNEL(read_8, 8, 1, 0)
READ_KERNEL(ahead_2, 2, 4, 2048)
READ_KERNEL(ahead_4, 4, 2, 2048)
WRITE_KERNELS(stored_1, 1, STORE)
WRITE_KERNELS(streamed_1, 1, STREAM)
WRITE_KERNELS(streamed_2, 2, STREAM)
WRITE_KERNELS(streamed_4, 4, STREAM)
AGAIN_KERNEL(again_8, 8)

static const struct bm_stream_kernel kernels[] = {
    {BM_FORM_AVX2, 256, 1, false, 0, read_1, stored_1_write, stored_1_copy, stored_1_triad, NULL},
    {BM_FORM_AVX2, 256, 2, false, 0, read_2, NULL, NULL, NULL, NULL},
    {BM_FORM_AVX2, 256, 4, false, 0, read_4, NULL, NULL, NULL, NULL},
    {BM_FORM_AVX2, 256, 8, false, 0, read_8, NULL, NULL, NULL, again_8},
    {BM_FORM_AVX2, 256, 2, false, 2048, ahead_2, NULL, NULL, NULL, NULL},
    {BM_FORM_AVX2, 256, 4, false, 2048, ahead_4, NULL, NULL, NULL, NULL},
    {BM_FORM_AVX2, 256, 1, true, 0, NULL, streamed_1_write, streamed_1_copy, streamed_1_triad, NULL},
    {BM_FORM_AVX2, 256, 2, true, 0, NULL, streamed_2_write, streamed_2_copy, streamed_2_triad, NULL},
    {BM_FORM_AVX2, 256, 4, true, 0, NULL, streamed_4_write, streamed_4_copy, streamed_4_triad, NULL},
};
const struct bm_stream_kernels bm_stream_avx2 = {kernels, BM_COUNT_OF(kernels)};
#else
const struct bm_stream_kernels bm_stream_avx2 = {NULL, 0};
#endif
