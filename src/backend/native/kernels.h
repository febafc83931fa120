/* Kernels of the native ceilings: one table a kind of work, of which each CPU takes what it has. */
#ifndef BM_NATIVE_KERNELS_H
#define BM_NATIVE_KERNELS_H

#include "bm/topology.h"
#include "bm/workload.h"

/* Compilers that know these instructions. */
#if defined(__clang__)
#define BM_COMPILER_SINCE(gcc, clang) (__clang_major__ >= (clang))
#elif defined(__GNUC__)
#define BM_COMPILER_SINCE(gcc, clang) (__GNUC__ >= (gcc))
#else
#define BM_COMPILER_SINCE(gcc, clang) 0
#endif
#if defined(__x86_64__) && BM_COMPILER_SINCE(11, 13)
#define BM_NATIVE_X86 1
#else
#define BM_NATIVE_X86 0
#endif
#if BM_NATIVE_X86 && BM_COMPILER_SINCE(12, 15)
#define BM_NATIVE_FP16 1
#else
#define BM_NATIVE_FP16 0
#endif

/* Compilers unroll such a loop fully, so that what it works on stays in registers. */
#if defined(__clang__)
#define BM_UNROLL _Pragma("unroll")
#else
#define BM_UNROLL _Pragma("GCC unroll 64")
#endif

/* The instructions that a kernel is written in. */
enum bm_form {
    BM_FORM_PORTABLE,
    BM_FORM_AVX2,
    BM_FORM_AVX512,
    BM_FORM_AVX512_FP16,
    BM_FORM_AVX512_BF16,
    BM_FORM_AVX512_VNNI,
    BM_FORM_AVX_VNNI,
    BM_FORM_AMX_BF16,
    BM_FORM_AMX_INT8,
    BM_FORM_COUNT
};
const char *bm_form_name(enum bm_form form); /* "avx512_vnni" */
bool bm_form_allowed(enum bm_form form, const struct bm_cpu *cpu);

/* ---- memory and caches: a thread's part of the arrays ---- */

struct bm_stream_part {
    const float *source, *second;
    float *to;       /* what is written: an array, or the sum of each block */
    uint64_t blocks; /* whole blocks of BM_STREAM_BLOCK elements */
};
struct bm_stream_kernel {
    enum bm_form form;
    unsigned bits, streams;                          /* of a vector; ranges side by side */
    bool nontemporal;                                /* stores that do not read the line they write first */
    unsigned ahead;                                  /* bytes, of prefetches; 0: none */
    void (*read)(const struct bm_stream_part *part); /* each NULL where there is none of the kind */
    void (*write)(const struct bm_stream_part *part);
    void (*copy)(const struct bm_stream_part *part);
    void (*triad)(const struct bm_stream_part *part);
    /* A group of `cache`: see bm_cache_reading. A part's elements are a multiple of 16 streams. */
    float (*again)(const float *set, const struct bm_cache_reading *reading, uint64_t group);
};
/* NULL past the end. */
const struct bm_stream_kernel *bm_stream_kernel_get(size_t index);

/* ---- arithmetic: chains of vectors or tiles ---- */

/* Operands of the dot and matrix pipes; see bm_dot_left. */
struct bm_dot_operands {
    _Alignas(64) uint8_t left_u8[64]; /* lane by lane */
    _Alignas(64) int8_t right_s8[64];
    _Alignas(64) uint16_t left_bf16[32];
    _Alignas(64) uint16_t right_bf16[32];
    /* 16 rows of 64 bytes: the left ones row by row, the right ones as AMX wants them: depth in groups of 4
     * bytes, of each the 16 columns. */
    _Alignas(64) int8_t left_tile_s8[1024];
    _Alignas(64) int8_t right_tile_s8[1024];
    _Alignas(64) uint16_t left_tile_bf16[512];
    _Alignas(64) uint16_t right_tile_bf16[512];
};

enum { BM_FMA_LANES_MOST = 4096 };
/* A block of lanes in memory, aligned to 64 bytes: values of the pipe's own type where that has 32 bits
 * (i32_vector, i8_dot, i8_matrix), else floats. */
struct bm_fma_kernel {
    const char *pipe;
    enum bm_form form;
    unsigned bits, chains, lanes; /* of a vector or tile row; independent ones; lanes of a block */
    void (*run)(float *lanes, uint64_t steps, const struct bm_dot_operands *operands);
};
const struct bm_fma_kernel *bm_fma_kernel_get(size_t index); /* NULL past the end */
/* Tables of the files with kernels, put together by the getters. */
struct bm_fma_kernels {
    const struct bm_fma_kernel *items;
    size_t count;
};
extern const struct bm_fma_kernels bm_fma_portable, bm_fma_vectors, bm_fma_dots, bm_fma_tiles;
struct bm_stream_kernels {
    const struct bm_stream_kernel *items;
    size_t count;
};
extern const struct bm_stream_kernels bm_stream_portable, bm_stream_avx2, bm_stream_avx512;

/* Seeds to where the pipe's lanes begin, in place, and lanes to results: what kernels leave to C. */
void bm_fma_begin(const char *pipe, float *lanes, unsigned count);
void bm_fma_end(const char *pipe, float *lanes, unsigned count);
const struct bm_dot_operands *bm_dot_operands_get(void);

#endif
