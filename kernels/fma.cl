/* fma.cl - how fast the arithmetic of one pipe is. OpenCL C 1.2; some pipes need an extension.
 *
 * Every lane repeats a step of one multiply and one add. A work-item runs CHAINS vectors of VEC lanes at
 * once, enough independent ones to hide the latency of a step. Range: {work-items}, item i of I holding the
 * lanes ((c * I + i) * VEC + v), c < CHAINS, v < VEC. Seeds and results are f32 whatever the pipe. */
#define F32         0
#define F64         1
#define F16         2
#define I32         3
#define I8_DOT      4
#define F16_MATRIX  5
#define BF16_MATRIX 6
#define I8_MATRIX   7

#ifndef PIPE
#define PIPE F32
#endif
#ifndef CHAINS
#define CHAINS 12
#endif
#ifndef VEC
#define VEC 16
#endif
#ifndef GROUP /* work-items in a group */
#define GROUP 1
#endif
#ifndef DOT /* how four 8-bit products are added: 0 cl_khr_integer_dot_product, 1 NVIDIA's, 2 in plain C */
#define DOT 0
#endif

#ifndef MATRIX_UNIT /* of the matrix pipes: 1: none, emulated in plain C, to check the rest; 2: mma.sync of  \
                       NVIDIA */
#define MATRIX_UNIT 1
#endif

/* Compilers for x86 split vectors of 512 bits in two unless a function asks for them. */
#if defined(__clang__) && defined(__has_attribute)
#if __has_attribute(min_vector_width)
#define WIDE_VECTORS __attribute__((min_vector_width(512)))
#endif
#endif
#ifndef WIDE_VECTORS
#define WIDE_VECTORS
#endif

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#if VEC == 1
#define VECTOR(type) type
#define VLOAD(p)     (*(p))
#define VSTORE(v, p) (*(p) = (v))
#else
#define VECTOR(type) JOIN(type, VEC)
#define VLOAD(p)     JOIN(vload, VEC)(0, p)
#define VSTORE(v, p) JOIN(vstore, VEC)(v, 0, p)
#endif
typedef VECTOR(float) floatv;
typedef VECTOR(uint) uintv;
#define AS_UINT(v)     JOIN(as_, VECTOR(uint))(v)
#define TO(type, v)    JOIN(convert_, VECTOR(type))(v)
#define TOP_24_BITS(x) TO(float, (x) >> 8) /* exact in f32 */

#pragma OPENCL FP_CONTRACT ON

/* For each pipe: the type of a lane, its start from a seed, a step, and the result. */
#if PIPE == F32 || PIPE == F64
/* FACTOR is just above -1: x swings around 1/2, neither grows nor dies out, and remembers its start, so that
 * a missing step shows. -(1 - 2^-12) */
#if PIPE == F32
#define LANE   float
#define FACTOR (-0x1.FFEp-1f)
#define ADDEND 1.0f
#else
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#define LANE   double
#define FACTOR (-0x1.FFEp-1)
#define ADDEND 1.0
#endif
#define START(seed) TO(LANE, seed)
#define STEP(x)     ((x)*FACTOR + ADDEND)
#define RESULT(x)   TO(float, x)

#elif PIPE == F16
/* Whole numbers below 2048 are exact: two steps turn the sign twice and add 1. */
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#define LANE        half
#define AT_ONCE     2
#define START(seed) TO(half, fmin(fmax(rint((seed)*256.0f), -512.0f), 511.0f) - 1024.0f)
#define STEP(x)     (-(half)multiplier * (-(half)multiplier * (x) - (half)addend) - (half)other_addend)
#define RESULT(x)   TO(float, x)

#elif PIPE == I32
/* A linear congruential generator modulo 2^32. */
#define LANE        uint
#define START(seed) AS_UINT(seed)
#define STEP(x)     ((x)*multiplier + addend)
#define RESULT(x)   TOP_24_BITS(x)

#elif PIPE == I8_DOT
/* x += its four signed bytes x those of WEIGHTS: four multiply-adds. Four starts, so that the reference is
 * quick. */
#define LANE        uint
#define WEIGHTS     0x6DB34F9Bu /* 109, -77, 79, -101 */
#define START(seed) (((AS_UINT(seed) >> 8 & 3u) + 1u) * 0x9E3779B9u)
#define STEP(x)     dot_add(x)
#define RESULT(x)   TOP_24_BITS(x)

static uint dot_add_one(const uint x) {
#if DOT == 0
    return x + (uint)dot_4x8packed_ss_int(x, WEIGHTS);
#elif DOT == 1
#ifndef __NV_CL_C_VERSION
#error "DOT 1 is for NVIDIA's compiler"
#endif
    uint sum;
    __asm__("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(sum) : "r"(x), "r"(WEIGHTS), "r"(x));
    return sum;
#else
    const int4 products = convert_int4(as_char4(x)) * convert_int4(as_char4(WEIGHTS));
    return x + (uint)(products.x + products.y + products.z + products.w);
#endif
}

static uintv dot_add(const uintv x) {
#if VEC == 1
    return dot_add_one(x);
#else
    uintv sum;
#pragma unroll
    for (uint v = 0; v < VEC; v++)
        ((uint *)&sum)[v] = dot_add_one(((const uint *)&x)[v]);
    return sum;
#endif
}

#else
/* The 16 x 8 sums of a warp of 32 work-items += the same two matrices multiplied, of small whole numbers, so
 * that all sums are exact: row i of one has (5 i + 3 k) % 7 - 3, column j of the other (5 k + 11 j) % 7 - 3.
 * A work-item has VEC = 4 of the sums, work-item 4 g + t of each warp those at (g, 2t), (g, 2t + 1), (g + 8,
 * 2t), (g + 8, 2t + 1); kernels/gemm_matrix.cl tells where its words of the matrices lie, and the source. */
#define WARP 32
#if VEC != 4 || GROUP % WARP
#error "a matrix pipe takes VEC 4 and whole warps"
#endif
#if PIPE == I8_MATRIX
#define LANE   int
#define WORD_K 4
#else
#define LANE   float
#define WORD_K 2
#endif
#define START(seed) TO(LANE, rint((seed)*256.0f))
#define STEP(x)     multiply_add(x, a, b, exchange)
#define RESULT(x)   TO(float, x)

/* The bits of a whole number from -3 to 3. */
static inline uint matrix_element(const int value) {
#if PIPE == I8_MATRIX
    return (uint)value & 0xff;
#elif PIPE == BF16_MATRIX
    return as_uint((float)value) >> 16;
#else
    const uint bits = as_uint((float)value);
    return value == 0 ? 0 : (bits >> 16 & 0x8000) | ((bits >> 13 & 0x3ffff) - (112 << 10));
#endif
}

/* Word `word` of row or column `line`: WORD_K elements along k. */
static inline uint matrix_word(const uint line, const uint of_line, const uint of_k, const uint word) {
    uint bits = 0;
    for (uint i = 0; i < WORD_K; i++)
        bits |= matrix_element((int)((line * of_line + (word * WORD_K + i) * of_k) % 7) - 3)
                << 32 / WORD_K * i;
    return bits;
}

#if MATRIX_UNIT == 2
#if !defined(__NV_CL_C_VERSION) && !defined(__NVPTX__)
#error "MATRIX_UNIT 2 is for compilers that know NVIDIA's instructions"
#endif
#define EXCHANGE_WORDS 1
#if PIPE == F16_MATRIX
#define MMA     "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"
#define SUMS(x) "+f"(x[0]), "+f"(x[1]), "+f"(x[2]), "+f"(x[3])
#elif PIPE == BF16_MATRIX
#define MMA     "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"
#define SUMS(x) "+f"(x[0]), "+f"(x[1]), "+f"(x[2]), "+f"(x[3])
#else
#define MMA     "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32"
#define SUMS(x) "+r"(x[0]), "+r"(x[1]), "+r"(x[2]), "+r"(x[3])
#endif
static inline VECTOR(LANE)
    multiply_add(const VECTOR(LANE) before, const uint a[4], const uint b[2], local const uint *exchange) {
    LANE x[4] = {before.x, before.y, before.z, before.w};
    (void)exchange;
    __asm__ volatile(MMA " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                     : SUMS(x)
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    return (VECTOR(LANE))(x[0], x[1], x[2], x[3]);
}
#else
#define EXCHANGE_WORDS (6 * GROUP)
static LANE add_products(LANE sum, const uint a, const uint b) {
#if PIPE == I8_MATRIX
    const int4 products = convert_int4(as_char4(a)) * convert_int4(as_char4(b));
    return sum + products.x + products.y + products.z + products.w;
#elif PIPE == F16_MATRIX
    const half *x = (const half *)&a, *y = (const half *)&b;
    return sum + vload_half(0, x) * vload_half(0, y) + vload_half(1, x) * vload_half(1, y);
#else
    return sum + as_float(a << 16) * as_float(b << 16) +
           as_float(a & 0xffff0000u) * as_float(b & 0xffff0000u);
#endif
}

/* All work-items' words are in `exchange`. */
static VECTOR(LANE)
    multiply_add(const VECTOR(LANE) before, const uint a[4], const uint b[2], local const uint *exchange) {
    const uint item = get_local_id(0), lane = item % WARP, g = lane / 4, t = lane % 4;
    local const uint *warp = exchange + (item - lane) * 6;
    LANE x[4] = {before.x, before.y, before.z, before.w};
    (void)a, (void)b;
    for (uint i = 0; i < 4; i++)
        for (uint word = 0; word < 8; word++)
            x[i] = add_products(x[i], warp[(4 * g + word % 4) * 6 + word / 4 * 2 + i / 2],
                                warp[(4 * (2 * t + i % 2) + word % 4) * 6 + 4 + word / 4]);
    return (VECTOR(LANE))(x[0], x[1], x[2], x[3]);
}
#endif
#endif

#ifndef AT_ONCE /* what STEP counts for; a divisor of the steps */
#define AT_ONCE 1
#endif

/* By index, a GPU's vectors would have to lie in memory. */
#if GROUP > 1
#define UNROLL_LANES _Pragma("unroll")
#else
#define UNROLL_LANES
#endif

/* Lanes from `first` that exist; the others start as 1/2 and are not written. */
static floatv load_seeds(global const float *seeds, const uint first, const uint lanes) {
    floatv seed = 0.5f;
    if (first + VEC <= lanes)
        return VLOAD(seeds + first);
    UNROLL_LANES
    for (uint v = 0; v < VEC; v++)
        if (first + v < lanes)
            ((float *)&seed)[v] = seeds[first + v];
    return seed;
}

/* Some pipes take multiplier and addends as arguments, so that no compiler makes one of two steps or a
 * subtraction of them; the others leave them. */
kernel WIDE_VECTORS __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
fma_chains(global const float *restrict seeds, global float *restrict results, const uint lanes,
           const uint steps, const uint multiplier, const uint addend, const uint other_addend) {
    const uint item = get_global_id(0), items = get_global_size(0);
    VECTOR(LANE) x[CHAINS];
    (void)multiplier, (void)addend, (void)other_addend;
#if PIPE >= F16_MATRIX
    local uint exchange[EXCHANGE_WORDS];
    const uint in_warp = get_local_id(0) % WARP, g = in_warp / 4, t = in_warp % 4;
    const uint a[4] = {matrix_word(g, 5, 3, t), matrix_word(g + 8, 5, 3, t), matrix_word(g, 5, 3, t + 4),
                       matrix_word(g + 8, 5, 3, t + 4)};
    const uint b[2] = {matrix_word(g, 11, 5, t), matrix_word(g, 11, 5, t + 4)};
#if MATRIX_UNIT == 1
    for (uint i = 0; i < 4; i++)
        exchange[get_local_id(0) * 6 + i] = a[i];
    exchange[get_local_id(0) * 6 + 4] = b[0];
    exchange[get_local_id(0) * 6 + 5] = b[1];
    barrier(CLK_LOCAL_MEM_FENCE);
#endif
#endif

#pragma unroll
    for (uint c = 0; c < CHAINS; c++)
        x[c] = START(load_seeds(seeds, (c * items + item) * VEC, lanes));
    for (uint step = 0; step < steps; step += AT_ONCE)
#pragma unroll
        for (uint c = 0; c < CHAINS; c++)
            x[c] = STEP(x[c]);
#pragma unroll
    for (uint c = 0; c < CHAINS; c++) {
        const uint first = (c * items + item) * VEC;
        const floatv result = RESULT(x[c]);
        if (first + VEC <= lanes)
            VSTORE(result, results + first);
        else
            UNROLL_LANES
            for (uint v = 0; v < VEC; v++)
                if (first + v < lanes)
                    results[first + v] = ((const float *)&result)[v];
    }
}
