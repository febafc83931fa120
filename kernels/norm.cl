/* norm.cl - RMSNorm and LayerNorm of rows, statistics in f32. OpenCL C 1.2, no extension.
 *
 * Inputs and outputs [m, n], weights and biases [n], n a multiple of VEC. A group of LANES work-items takes
 * BLOCKS blocks of ROWS rows, one block after the other: while one is written the sums of the next are
 * formed, so that memory is read and written at once. Range: {LANES x groups}. */
#ifndef LAYER_NORM /* 0: RMSNorm, which has no mean and no biases */
#define LAYER_NORM 0
#endif
#ifndef STORED /* 0: f32, 1: f16, 2: bf16 */
#define STORED 0
#endif
#ifndef ROWS
#define ROWS 1
#endif
#ifndef BLOCKS
#define BLOCKS 1
#endif
#ifndef VEC
#define VEC 16
#endif
#ifndef LANES
#define LANES 1
#endif
#ifndef NONTEMPORAL /* 1: stores that do not read the line they write first, where the compiler has such */
#define NONTEMPORAL 0
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
typedef float floatv;
typedef uint uintv;
typedef ushort ushortv;
#define CONVERT_UINT(v)   ((uint)(v))
#define CONVERT_USHORT(v) ((ushort)(v))
#define AS_FLOAT(v)       as_float(v)
#define AS_UINT(v)        as_uint(v)
#define IS_NAN(v)         ((uint)isnan(v))
#define LOAD_HALF(p)      vload_half(0, p)
#define STORE_HALF(v, p)  vstore_half(v, 0, p)
#else
typedef JOIN(float, VEC) floatv;
typedef JOIN(uint, VEC) uintv;
typedef JOIN(ushort, VEC) ushortv;
#define CONVERT_UINT(v)   JOIN(convert_uint, VEC)(v)
#define CONVERT_USHORT(v) JOIN(convert_ushort, VEC)(v)
#define AS_FLOAT(v)       JOIN(as_float, VEC)(v)
#define AS_UINT(v)        JOIN(as_uint, VEC)(v)
#define IS_NAN(v)         AS_UINT(isnan(v))
#define LOAD_HALF(p)      JOIN(vloada_half, VEC)(0, p)
#define STORE_HALF(v, p)  JOIN(vstorea_half, VEC)(v, 0, p)
#endif

#if NONTEMPORAL && defined(__clang__) && defined(__has_builtin)
#if __has_builtin(__builtin_nontemporal_store)
#define PUT(v, p) __builtin_nontemporal_store(v, p)
#endif
#endif
#ifndef PUT
#define PUT(v, p) (*(p) = (v))
#endif

/* Rows begin at multiples of VEC elements. */
#if STORED == 0
typedef float stored;
static floatv load(global const stored *p) {
    return *(global const floatv *)p;
}
static void store(const floatv v, global stored *p) {
    PUT(v, (global floatv *)p);
}
#elif STORED == 1
typedef half stored;
static floatv load(global const stored *p) {
    return LOAD_HALF(p);
}
static void store(const floatv v, global stored *p) {
    ushortv bits;
    STORE_HALF(v, (half *)&bits);
    PUT(bits, (global ushortv *)p);
}
#else
typedef ushort stored;
static floatv load(global const stored *p) {
    return AS_FLOAT(CONVERT_UINT(*(global const ushortv *)p) << 16);
}
static void store(const floatv v, global stored *p) { /* to nearest even; a NaN stays one */
    const uintv bits = AS_UINT(v);
    const uintv rounded = bits + 0x7fffu + (bits >> 16 & 1u), quiet = bits | 0x400000u;
    PUT(CONVERT_USHORT(select(rounded, quiet, IS_NAN(v)) >> 16), (global ushortv *)p);
}
#endif

#pragma OPENCL FP_CONTRACT ON

static float sum_of(const floatv v) {
#if VEC == 1
    return v;
#elif VEC == 2
    return v.x + v.y;
#elif VEC == 4
    return v.x + v.y + (v.z + v.w);
#else
#if VEC == 16
    const float8 a = v.lo + v.hi;
#else
    const float8 a = v;
#endif
    const float4 b = a.lo + a.hi;
    return b.x + b.y + (b.z + b.w);
#endif
}

/* The sums over the group's lanes, in every lane. */
#if LANES == 1
#define SUM_LANES(sum, total, part, lane)                                                                    \
    for (uint r = 0; r < ROWS; r++)                                                                          \
        total[r] = sum_of(sum[r]);
#else
#define SUM_LANES(sum, total, part, lane)                                                                    \
    barrier(CLK_LOCAL_MEM_FENCE); /* whoever still reads the last sums */                                    \
    for (uint r = 0; r < ROWS; r++)                                                                          \
        part[r * LANES + lane] = sum_of(sum[r]);                                                             \
    for (uint half_lanes = LANES / 2; half_lanes > 0; half_lanes /= 2) {                                     \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                        \
        if (lane < half_lanes)                                                                               \
            for (uint r = 0; r < ROWS; r++)                                                                  \
                part[r * LANES + lane] += part[r * LANES + lane + half_lanes];                               \
    }                                                                                                        \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                            \
    for (uint r = 0; r < ROWS; r++)                                                                          \
        total[r] = part[r * LANES];
#endif

/* The vectors of a lane, in elements of a row. All lanes go round as often: PoCL 3.1 lets those that should
 * not go round at all do so once. */
#define FOR_EACH(i, n)                                                                                       \
    for (uint start = 0, i = lane * VEC; start < n; start += LANES * VEC, i += LANES * VEC)                  \
        if (LANES == 1 || i < n)

#if LAYER_NORM
#define ADD_TERM(sum, v)                         ((sum) += (v))
#define NORMALISE(v, mean, factor, weight, bias) (((v) - (mean)) * (factor) * (weight) + (bias))
#else
#define ADD_TERM(sum, v)                         ((sum) += (v) * (v))
#define NORMALISE(v, mean, factor, weight, bias) ((v) * (factor) * (weight))
#endif

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
norm(global stored *restrict outputs, const ulong outputs_offset, global const stored *restrict inputs,
     const ulong inputs_offset, global const stored *restrict weights, const ulong weights_offset,
#if LAYER_NORM
     global const stored *restrict biases, const ulong biases_offset,
#endif
     const uint m, const uint n, const float epsilon) {
    const uint lane = get_local_id(0);
    const uint first = (uint)get_group_id(0) * (ROWS * BLOCKS), end = min(first + ROWS * BLOCKS, m);
    global const stored *from[ROWS], *next[ROWS];
    global stored *to[ROWS];
    floatv sum[ROWS];
    float total[ROWS], factor[ROWS];
#if LAYER_NORM
    float mean[ROWS];
#endif
#if LANES > 1
    local float part[ROWS * LANES];
#endif

    inputs += inputs_offset;
    outputs += outputs_offset;
    weights += weights_offset;
#if LAYER_NORM
    biases += biases_offset;
#endif
#pragma unroll
    for (uint r = 0; r < ROWS; r++) { /* a block past the last row repeats it */
        next[r] = inputs + (ulong)min(first + r, end - 1) * n;
        sum[r] = 0.0f;
    }
    FOR_EACH(i, n)
#pragma unroll
    for (uint r = 0; r < ROWS; r++)
        ADD_TERM(sum[r], load(next[r] + i));
    for (uint row = first; row < end; row += ROWS) {
        SUM_LANES(sum, total, part, lane)
#if LAYER_NORM
        /* The variance about the mean, from rows that a cache holds by now. */
#pragma unroll
        for (uint r = 0; r < ROWS; r++) {
            mean[r] = total[r] / n;
            sum[r] = 0.0f;
        }
        FOR_EACH(i, n)
#pragma unroll
        for (uint r = 0; r < ROWS; r++) {
            const floatv deviation = load(next[r] + i) - mean[r];
            sum[r] += deviation * deviation;
        }
        SUM_LANES(sum, total, part, lane)
#endif
#pragma unroll
        for (uint r = 0; r < ROWS; r++) {
            factor[r] = 1.0f / sqrt(total[r] / n + epsilon);
            from[r] = next[r];
            to[r] = outputs + (ulong)min(row + r, end - 1) * n;
            next[r] = inputs + (ulong)min(row + ROWS + r, end - 1) * n;
            sum[r] = 0.0f;
        }
        if (row + ROWS < end) {
            FOR_EACH(i, n) {
                const floatv weight = load(weights + i);
#if LAYER_NORM
                const floatv bias = load(biases + i);
#endif
#pragma unroll
                for (uint r = 0; r < ROWS; r++) {
                    ADD_TERM(sum[r], load(next[r] + i));
                    store(NORMALISE(load(from[r] + i), mean[r], factor[r], weight, bias), to[r] + i);
                }
            }
        } else {
            FOR_EACH(i, n) {
                const floatv weight = load(weights + i);
#if LAYER_NORM
                const floatv bias = load(biases + i);
#endif
#pragma unroll
                for (uint r = 0; r < ROWS; r++)
                    store(NORMALISE(load(from[r] + i), mean[r], factor[r], weight, bias), to[r] + i);
            }
        }
    }
}
