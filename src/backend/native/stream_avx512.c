/* Memory and caches by vectors of 512 bits. */
#include "stream_kernels.h"

#if BM_NATIVE_X86
#include <immintrin.h>

#define TARGET       __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define VECTOR       __m512
#define LANES        16
#define ZERO()       _mm512_setzero_ps()
#define SET1(x)      _mm512_set1_ps(x)
#define IOTA()       _mm512_set_ps(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define LOAD(p)      _mm512_load_ps(p)
#define ADD(a, b)    _mm512_add_ps(a, b)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define SUM(v)       _mm512_reduce_add_ps(v)
#define STORE(p, v)  _mm512_store_ps(p, v)
#define STREAM(p, v) _mm512_stream_ps(p, v)
#define FENCE()      _mm_sfence()

READ_KERNEL(read_1, 1, 8, 0)
READ_KERNEL(read_2, 2, 4, 0)
READ_KERNEL(read_4, 4, 2, 0)
READ_KERNEL(read_8, 8, 1, 0)
READ_KERNEL(ahead_2, 2, 4, 2048)
READ_KERNEL(ahead_4, 4, 2, 2048)
WRITE_KERNELS(stored_1, 1, STORE)
WRITE_KERNELS(stored_2, 2, STORE)
WRITE_KERNELS(streamed_1, 1, STREAM)
WRITE_KERNELS(streamed_2, 2, STREAM)
WRITE_KERNELS(streamed_4, 4, STREAM)
AGAIN_KERNEL(again_8, 8)
AGAIN_KERNEL(again_16, 16)

static const struct bm_stream_kernel kernels[] = {
    {BM_FORM_AVX512, 512, 1, false, 0, read_1, stored_1_write, stored_1_copy, stored_1_triad, NULL},
    {BM_FORM_AVX512, 512, 2, false, 0, read_2, stored_2_write, stored_2_copy, stored_2_triad, NULL},
    {BM_FORM_AVX512, 512, 4, false, 0, read_4, NULL, NULL, NULL, NULL},
    {BM_FORM_AVX512, 512, 8, false, 0, read_8, NULL, NULL, NULL, again_8},
    {BM_FORM_AVX512, 512, 16, false, 0, NULL, NULL, NULL, NULL, again_16},
    {BM_FORM_AVX512, 512, 2, false, 2048, ahead_2, NULL, NULL, NULL, NULL},
    {BM_FORM_AVX512, 512, 4, false, 2048, ahead_4, NULL, NULL, NULL, NULL},
    {BM_FORM_AVX512, 512, 1, true, 0, NULL, streamed_1_write, streamed_1_copy, streamed_1_triad, NULL},
    {BM_FORM_AVX512, 512, 2, true, 0, NULL, streamed_2_write, streamed_2_copy, streamed_2_triad, NULL},
    {BM_FORM_AVX512, 512, 4, true, 0, NULL, streamed_4_write, streamed_4_copy, streamed_4_triad, NULL},
};
const struct bm_stream_kernels bm_stream_avx512 = {kernels, BM_COUNT_OF(kernels)};
#else
const struct bm_stream_kernels bm_stream_avx512 = {NULL, 0};
#endif
