/* fma.cl - how fast the arithmetic of one pipe is. OpenCL C 1.2; some pipes need an extension.
 *
 * Every lane repeats a step of one multiply and one add. A work-item runs CHAINS vectors of VEC lanes at
 * once, enough independent ones to hide the latency of a step. Range: {work-items}, item i of I holding the
 * lanes ((c * I + i) * VEC + v), c < CHAINS, v < VEC. Seeds and results are f32 whatever the pipe. */
#define F32    0
#define F64    1
#define F16    2
#define I32    3
#define I8_DOT 4

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

#else
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
#endif

#ifndef AT_ONCE /* what STEP counts for; a divisor of the steps */
#define AT_ONCE 1
#endif

/* Lanes from `first` that exist; the others start as 1/2 and are not written. */
static floatv load_seeds(global const float *seeds, const uint first, const uint lanes) {
    floatv seed = 0.5f;
    if (first + VEC <= lanes)
        return VLOAD(seeds + first);
    for (uint v = 0; first + v < lanes; v++)
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
            for (uint v = 0; first + v < lanes; v++)
                results[first + v] = ((const float *)&result)[v];
    }
}
