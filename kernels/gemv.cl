/* gemv.cl - outputs[n] = weights[n,k] x activations[k], accumulated in f32, or in i32 where weights and
 * activations are int8. OpenCL C 1.2, no extension.
 *
 * Weights are row-major, rows `stride` elements apart, so that every row is aligned. Of int4 the 32 elements
 * of a group lie in 16 bytes: element i < 16 in the low nibble of byte i, element 16 + i in its high one; its
 * f16 scales are row-major too, rows padded to 16. A group of LANES work-items reads ROWS rows at once, the
 * number of groups apart: groups that follow each other go on where the last one's streams ended. The lanes'
 * sums meet in local memory. Narrow formats take more instructions a byte, so that a core looks less far
 * ahead: PREFETCH calls for what follows.
 * int8 x int8 takes the f32 pipe: products are below 2^14, so sums of up to 1024 of them are exact.
 * Range: {LANES x groups of ROWS rows}. */
#define F32  0
#define F16  1
#define BF16 2
#define I8   3
#define I4   4

#ifndef WEIGHT /* formats: one of the above */
#define WEIGHT F32
#endif
#ifndef ACTIVATION /* and of the outputs */
#define ACTIVATION F32
#endif
#ifndef QUANTISE /* activations to int8 */
#define QUANTISE 0
#endif
#ifndef ROWS
#define ROWS 4
#endif
#ifndef VEC /* elements of one vector; of int4 at most 16 */
#define VEC 16
#endif
#ifndef STRIPS /* vectors, of int4 groups of 32, of a row at once: unrolled */
#define STRIPS 1
#endif
#ifndef LANES
#define LANES 1
#endif
#ifndef PREFETCH /* bytes ahead of each stream that are called for; 0: nothing */
#define PREFETCH 0
#endif
#ifndef PACK_LANES /* work-items that prepare the activations */
#define PACK_LANES 1
#endif

#define GROUP_K       32
#define SCALED_GROUPS (WEIGHT == I4) /* an f16 scale for every 32 k of a row */
#define SCALED_ROW    (WEIGHT == I8) /* an f32 scale for every row */
#define STRIP         (SCALED_GROUPS ? GROUP_K : VEC)
#define STEP          (STRIP * STRIPS)
#define STORED_OF(k)  (WEIGHT == I4 ? (k) / 2 : (k)) /* a row's first k elements, in weight_t */
#define CACHE_LINE    64

/* Compilers that know wider vectors but avoid them would halve the rate. */
#ifdef __has_attribute
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
#define VECTOR(type)     type
#define CONVERT(type, v) JOIN(convert_, type)(v)
#define LOAD_HALVES(p)   vload_half(0, p)
#define AS_FLOATS(v)     as_float(v)
#else
#define VECTOR(type)     JOIN(type, VEC)
#define CONVERT(type, v) JOIN(JOIN(convert_, type), VEC)(v)
#define LOAD_HALVES(p)   JOIN(vloada_half, VEC)(0, p)
#define AS_FLOATS(v)     JOIN(as_float, VEC)(v)
#endif
typedef VECTOR(float) floatv;
typedef VECTOR(uint) uintv;

/* VEC elements of one and of two bytes. Compilers for GPUs load four of them at once, but of words four as well; and a
 * driver might load one half after the other. Taken word by word, a vector of words stays one. */
#if LANES == 1 || VEC < 8
#define LOAD_CHARS(p)   (*(global const VECTOR(char) *)(p))
#define LOAD_UCHARS(p)  (*(global const VECTOR(uchar) *)(p))
#define LOAD_USHORTS(p) (*(global const VECTOR(ushort) *)(p))
#else
#if VEC == 8
#define LOAD_UCHARS(p)  bytes_of(*(global const uint2 *)(p))
#define LOAD_USHORTS(p) shorts_of(*(global const uint4 *)(p))
static uchar8 bytes_of(const uint2 w) {
    return (uchar8)(as_uchar4(w.x), as_uchar4(w.y));
}
static ushort8 shorts_of(const uint4 w) {
    return (ushort8)(as_ushort2(w.x), as_ushort2(w.y), as_ushort2(w.z), as_ushort2(w.w));
}
#else
#define LOAD_UCHARS(p)  bytes_of(*(global const uint4 *)(p))
#define LOAD_USHORTS(p) shorts_of(*(global const uint8 *)(p))
static uchar16 bytes_of(const uint4 w) {
    return (uchar16)(as_uchar4(w.x), as_uchar4(w.y), as_uchar4(w.z), as_uchar4(w.w));
}
static ushort16 shorts_of(const uint8 w) {
    return (ushort16)(as_ushort2(w.s0), as_ushort2(w.s1), as_ushort2(w.s2), as_ushort2(w.s3), as_ushort2(w.s4),
                      as_ushort2(w.s5), as_ushort2(w.s6), as_ushort2(w.s7));
}
#endif
#define LOAD_CHARS(p) JOIN(as_char, VEC)(LOAD_UCHARS(p))
#endif

#if WEIGHT == F32
typedef float weight_t;
#elif WEIGHT == F16
typedef half weight_t;
#elif WEIGHT == BF16
typedef ushort weight_t;
#elif WEIGHT == I8
typedef char weight_t;
#else
typedef uchar weight_t;
#endif
#if SCALED_GROUPS
typedef half scale_t;
#else
typedef float scale_t;
#endif
#if ACTIVATION == F32
typedef float activation_t;
#define LOAD_ACTIVATION(p) (*(p))
#elif ACTIVATION == F16
typedef half activation_t;
#define LOAD_ACTIVATION(p) vload_half(0, p)
#else
typedef ushort activation_t;
#define LOAD_ACTIVATION(p) as_float((uint) * (p) << 16)
#endif

#if WEIGHT == F16 || ACTIVATION == F16
static floatv load_halves(global const half *p) {
#if LANES == 1
    return LOAD_HALVES(p);
#else
    const VECTOR(ushort) bits = LOAD_USHORTS(p);
    return LOAD_HALVES((const half *)&bits);
#endif
}
#endif

#if QUANTISE /* a sum in whole numbers, and what it is worth */
#define TOTAL         int
#define LANE_TOTAL(r) (exact[r] + convert_int(total[r]))
#define SCALE(row)    (*activation_scale * scales[scales_offset + (row)])
#elif SCALED_ROW
#define TOTAL         float
#define LANE_TOTAL(r) total[r]
#define SCALE(row)    scales[scales_offset + (row)]
#else
#define TOTAL         float
#define LANE_TOTAL(r) total[r]
#define SCALE(row)    1.0f
#endif

#pragma OPENCL FP_CONTRACT ON

static void store_one(const float value, global activation_t *to) {
#if ACTIVATION == F32
    *to = value;
#elif ACTIVATION == F16
    vstore_half(value, 0, to);
#else
    /* Round to nearest even; a NaN stays one. */
    const uint bits = as_uint(value);
    *to = isnan(value) ? (ushort)(bits >> 16 | 0x40) : (ushort)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
#endif
}

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

#if SCALED_GROUPS
/* Rows of scales are aligned: `stride` elements have whole vectors of them. */
#define SCALE_STRIDE ((stride / GROUP_K + 15) / 16 * 16)
#if STRIPS < 2
#define SCALES             1
#define LOAD_SCALES(p, to) (*(to) = vload_half(0, p))
#else
#define SCALES             STRIPS
#define LOAD_SCALES(p, to) JOIN(vstore, STRIPS)(JOIN(vloada_half, STRIPS)(0, p), 0, to)
#endif
#endif

/* VEC weights of a row from element j on, a multiple of VEC; of int4 without their scale. */
static floatv load_weights(global const weight_t *row, const uint j) {
#if WEIGHT == F32
    return *(global const floatv *)(row + j);
#elif WEIGHT == F16
    return load_halves(row + j);
#elif WEIGHT == BF16
    return AS_FLOATS(CONVERT(uint, LOAD_USHORTS(row + j)) << 16);
#elif WEIGHT == I8
    return CONVERT(float, CONVERT(int, LOAD_CHARS(row + j)));
#else
    const uintv pair = CONVERT(uint, LOAD_UCHARS(row + j / GROUP_K * 16 + j % 16));
    /* 2^23 + x has the integer x in its mantissa. */
    return AS_FLOATS((j % GROUP_K < 16 ? pair & 15 : pair >> 4) | 0x4b000000) - (0x1p23f + 8);
#endif
}

/* One weight, likewise. */
static float load_weight(global const weight_t *row, const uint j) {
#if WEIGHT == F32
    return row[j];
#elif WEIGHT == F16
    return vload_half(j, row);
#elif WEIGHT == BF16
    return as_float((uint)row[j] << 16);
#elif WEIGHT == I8
    return row[j];
#else
    const uint pair = row[j / GROUP_K * 16 + j % 16];
    return (float)(j % GROUP_K < 16 ? pair & 15 : pair >> 4) - 8;
#endif
}

#if QUANTISE
typedef float input_t;
/* quantised[j] = activations[j] / *scale as a whole number, *scale = max |activations| / 127. One group. */
kernel __attribute__((reqd_work_group_size(PACK_LANES, 1, 1))) void
quantise(global const activation_t *restrict activations, global float *restrict quantised,
         global float *restrict scale, const uint k) {
    const uint lane = get_local_id(0);
    float largest = 0;
    for (uint j = lane; j < k; j += PACK_LANES)
        largest = fmax(largest, fabs(LOAD_ACTIVATION(activations + j)));
#if PACK_LANES > 1
    local float lanes[PACK_LANES];
    lanes[lane] = largest;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint i = 0; i < PACK_LANES; i++)
        largest = fmax(largest, lanes[i]);
#endif
    const float step = largest / 127;
    if (lane == 0)
        *scale = step;
    for (uint j = lane; j < k; j += PACK_LANES)
        quantised[j] = step > 0 ? rint(LOAD_ACTIVATION(activations + j) / step) : 0;
}
#define LOAD_INPUT(p)  (*(p))
#define LOAD_INPUTS(p) (*(global const floatv *)(p))
#else
typedef activation_t input_t;
#define LOAD_INPUT(p) LOAD_ACTIVATION(p)
#if ACTIVATION == F32
#define LOAD_INPUTS(p) (*(global const floatv *)(p))
#elif ACTIVATION == F16
#define LOAD_INPUTS(p) load_halves(p)
#else
#define LOAD_INPUTS(p) AS_FLOATS(CONVERT(uint, LOAD_USHORTS(p)) << 16)
#endif
#endif

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
gemv(global const weight_t *restrict weights, const ulong weights_offset,
#if SCALED_GROUPS || SCALED_ROW
     global const scale_t *restrict scales, const ulong scales_offset,
#endif
     global const input_t *restrict activations,
#if QUANTISE
     global const float *restrict activation_scale,
#endif
     global activation_t *restrict outputs, const uint n, const uint k, const uint stride) {
    const uint lane = get_local_id(0), whole = k / STEP * STEP;
    const uint groups = get_num_groups(0), group = get_group_id(0);
    global const weight_t *row[ROWS];
    floatv sum[ROWS];
    float total[ROWS];
#if SCALED_GROUPS
    global const scale_t *scale[ROWS];
#endif
#if QUANTISE
    int exact[ROWS];
    uint steps = 0;
#endif

#pragma unroll
    for (uint r = 0; r < ROWS; r++) {
        /* Rows past the last repeat it; their outputs are dropped. */
        const ulong from = min(group + r * groups, n - 1);
        row[r] = weights + weights_offset / (WEIGHT == I4 ? 2 : 1) + from * STORED_OF(stride);
        sum[r] = 0.0f;
#if SCALED_GROUPS
        scale[r] = scales + scales_offset + from * SCALE_STRIDE;
#endif
#if QUANTISE
        exact[r] = 0;
#endif
    }
    for (uint j = lane * STEP; j < whole; j += LANES * STEP) {
#pragma unroll
        for (uint r = 0; r < ROWS; r++) {
#if PREFETCH
#pragma unroll
            for (uint byte = 0; byte < STORED_OF(STEP) * sizeof(weight_t); byte += CACHE_LINE)
                __builtin_prefetch((const char *)(ulong)(row[r] + STORED_OF(j)) + PREFETCH + byte, 0, 3);
#endif
#if SCALED_GROUPS
            float factor[STRIPS];
#pragma unroll
            for (uint strip = 0; strip < STRIPS; strip += SCALES)
                LOAD_SCALES(scale[r] + j / GROUP_K + strip, factor + strip);
#endif
#pragma unroll
            for (uint strip = 0; strip < STRIPS; strip++) {
                const uint at = j + strip * STRIP;
#if SCALED_GROUPS
                floatv part = LOAD_INPUTS(activations + at) * load_weights(row[r], at);
#pragma unroll
                for (uint i = VEC; i < STRIP; i += VEC)
                    part += LOAD_INPUTS(activations + at + i) * load_weights(row[r], at + i);
                sum[r] += factor[strip] * part;
#else
                sum[r] += LOAD_INPUTS(activations + at) * load_weights(row[r], at);
#endif
            }
        }
#if QUANTISE
        if (++steps % (1024 / VEC / STRIPS) == 0) {
#pragma unroll
            for (uint r = 0; r < ROWS; r++) {
                exact[r] += convert_int(sum_of(sum[r]));
                sum[r] = 0.0f;
            }
        }
#endif
    }
#pragma unroll
    for (uint r = 0; r < ROWS; r++)
        total[r] = sum_of(sum[r]);
    for (uint j = whole + lane; j < k; j += LANES) {
        const float activation = LOAD_INPUT(activations + j);
#pragma unroll
        for (uint r = 0; r < ROWS; r++) {
            float weight = load_weight(row[r], j);
#if SCALED_GROUPS
            weight *= vload_half(j / GROUP_K, scale[r]);
#endif
            total[r] += activation * weight;
        }
    }

#if LANES > 1
    local TOTAL part[ROWS * LANES];
#pragma unroll
    for (uint r = 0; r < ROWS; r++)
        part[r * LANES + lane] = LANE_TOTAL(r);
    for (uint half_lanes = LANES / 2; half_lanes > 0; half_lanes /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lane < half_lanes)
            for (uint r = 0; r < ROWS; r++)
                part[r * LANES + lane] += part[r * LANES + lane + half_lanes];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint r = lane; r < ROWS && group + r * groups < n; r += LANES)
        store_one(part[r * LANES] * SCALE(group + r * groups), outputs + group + r * groups);
#else
#pragma unroll
    for (uint r = 0; r < ROWS; r++)
        if (group + r * groups < n)
            store_one(LANE_TOTAL(r) * SCALE(group + r * groups), outputs + group + r * groups);
#endif
}
