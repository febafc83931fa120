/* softmax.cl - softmax of long rows, such as the vocabulary's. OpenCL C 1.2, no extension.
 *
 * Inputs [m, n], outputs [m, n] in f32, n a multiple of STREAMS x VEC. Where rows are few, two launches cut
 * them into parts of CHUNK x LANES x STREAMS vectors: `softmax_parts` leaves the maximum of each and the sum
 * of the exponentials relative to it, [m, parts, 2]; `softmax` reads all of its row's. Range of both: {LANES
 * x parts, m}. Where rows fill the device, `softmax_rows` goes through the parts of one after the other, and
 * then writes it while a cache still holds it. Range: {LANES x m}. */
#ifndef FORMAT /* 0: f32, 1: f16, 2: bf16 */
#define FORMAT 0
#endif
#ifndef CHUNK
#define CHUNK 64
#endif
#ifndef STREAMS
#define STREAMS 1
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
#define CONVERT_UINT(v) ((uint)(v))
#define AS_FLOAT(v)     as_float(v)
#define AS_UINT(v)      as_uint(v)
#define IS_NAN(v)       ((uint)isnan(v))
#define LOAD_HALF(p)    vload_half(0, p)
#else
typedef JOIN(float, VEC) floatv;
typedef JOIN(uint, VEC) uintv;
typedef JOIN(ushort, VEC) ushortv;
#define CONVERT_UINT(v) JOIN(convert_uint, VEC)(v)
#define AS_FLOAT(v)     JOIN(as_float, VEC)(v)
#define AS_UINT(v)      JOIN(as_uint, VEC)(v)
#define IS_NAN(v)       AS_UINT(isnan(v))
#define LOAD_HALF(p)    JOIN(vloada_half, VEC)(0, p)
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
#if FORMAT == 0
typedef float stored;
static floatv load(global const stored *p) {
    return *(global const floatv *)p;
}
#elif FORMAT == 1
typedef half stored;
static floatv load(global const stored *p) {
#if LANES > 1 /* whole, where a GPU's driver might load one half after the other */
    const ushortv bits = *(global const ushortv *)p;
    return LOAD_HALF((const half *)&bits);
#else
    return LOAD_HALF(p);
#endif
}
#else
typedef ushort stored;
static floatv load(global const stored *p) {
    return AS_FLOAT(CONVERT_UINT(*(global const ushortv *)p) << 16);
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

static float maximum_of(const floatv v) {
#if VEC == 1
    return v;
#elif VEC == 2
    return max(v.x, v.y);
#elif VEC == 4
    return max(max(v.x, v.y), max(v.z, v.w));
#else
#if VEC == 16
    const float8 a = max(v.lo, v.hi);
#else
    const float8 a = v;
#endif
    const float4 b = max(a.lo, a.hi);
    return max(max(b.x, b.y), max(b.z, b.w));
#endif
}

/* `value` becomes what the lanes' values combine to, in every lane. */
#if LANES == 1
#define COMBINE(value, part, lane, combine)
#else
#define COMBINE(value, part, lane, combine)                                                                  \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                            \
    part[lane] = value;                                                                                      \
    for (uint half_lanes = LANES / 2; half_lanes > 0; half_lanes /= 2) {                                     \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                        \
        if (lane < half_lanes)                                                                               \
            part[lane] = combine(part[lane], part[lane + half_lanes]);                                       \
    }                                                                                                        \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                            \
    value = part[0];
#endif
#define ADD(a, b) ((a) + (b))

/* Vectors of a part, in elements of a row: STREAMS x VEC of them at a time, which divide n. */
#define WIDTH                   (STREAMS * VEC)
#define PART                    (CHUNK * LANES * WIDTH)
#define FOR_EACH(i, start, end) for (uint i = (start) + lane * WIDTH; i < (end); i += LANES * WIDTH)
#define EACH                    _Pragma("unroll") for (uint s = 0; s < STREAMS; s++)

/* x becomes e^x, x <= 0, within a few units in the last place: 2^f, |f| <= 1/2, by a polynomial of degree 5
 * (relative error 1e-7). Below -87 it is 0; NaN stays NaN. All vectors take each step together: one alone
 * would wait for its own results. */
static void exponentials(floatv x[STREAMS]) {
    const float round_bits = 12582912.0f, log2_e = 1.44269504f; /* adding 1.5 x 2^23 rounds to an integer */
    floatv within[STREAMS], rounded[STREAMS], f[STREAMS], power[STREAMS];
    EACH within[s] = max(x[s], -87.0f);
    EACH rounded[s] = within[s] * log2_e + round_bits;
    EACH f[s] = within[s] * log2_e - (rounded[s] - round_bits);
    EACH power[s] = 0.00132764725f * f[s] + 0.00967554189f;
    EACH power[s] = power[s] * f[s] + 0.0555071309f;
    EACH power[s] = power[s] * f[s] + 0.240221202f;
    EACH power[s] = power[s] * f[s] + 0.693146944f;
    EACH power[s] = power[s] * f[s] + 1.00000012f;
    EACH power[s] = AS_FLOAT(AS_UINT(power[s]) + (AS_UINT(rounded[s]) << 23));
    EACH power[s] = select(power[s], (floatv)0.0f, x[s] < -87.0f);
    EACH x[s] = select(power[s], x[s], IS_NAN(x[s]));
}

/* Adds elements [start, end) of a row to the sum of its exponentials relative to its maximum. All lanes must
 * be here, and all have the same at the end. */
static void add_part(float *maximum, float *sum, global const stored *row, const uint start, const uint end,
                     local float *part, const uint lane) {
    floatv most[STREAMS], sums[STREAMS];

    (void)part;
    EACH most[s] = -INFINITY;
    EACH sums[s] = 0.0f;
    FOR_EACH(i, start, end)
    EACH most[s] = max(most[s], load(row + i + s * VEC));
    float own = maximum_of(most[0]);
    for (uint s = 1; s < STREAMS; s++)
        own = max(own, maximum_of(most[s]));
    COMBINE(own, part, lane, max)
    own = max(own, *maximum);
    const float shift = own == -INFINITY ? 0.0f : own; /* such elements alone add nothing */
    FOR_EACH(i, start, end) {
        floatv x[STREAMS];
        EACH x[s] = load(row + i + s * VEC) - shift;
        exponentials(x);
        EACH sums[s] += x[s];
    }
    for (uint s = 1; s < STREAMS; s++)
        sums[0] += sums[s];
    float added = sum_of(sums[0]);
    COMBINE(added, part, lane, ADD)
    *sum = *sum * exp(*maximum - shift) + added;
    *maximum = own;
}

static void write_part(global float *to, global const stored *row, const uint start, const uint end,
                       const float maximum, const float sum, const uint lane) {
    const float share = 1.0f / sum;
    FOR_EACH(i, start, end) {
        floatv x[STREAMS];
        EACH x[s] = load(row + i + s * VEC) - maximum;
        exponentials(x);
        EACH PUT(x[s] * share, (global floatv *)(to + i + s * VEC));
    }
}

#if LANES == 1
#define LOCAL_PART local float *const part = 0;
#else
#define LOCAL_PART local float part[LANES];
#endif

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
softmax_parts(global const stored *restrict inputs, const ulong inputs_offset, global float *restrict parts,
              const uint n) {
    LOCAL_PART
    const uint lane = get_local_id(0), start = get_group_id(0) * PART, end = min(start + PART, n);
    float maximum = -INFINITY, sum = 0.0f;

    add_part(&maximum, &sum, inputs + inputs_offset + get_group_id(1) * n, start, end, part, lane);
    if (lane == 0) {
        global float *to = parts + (get_group_id(1) * get_num_groups(0) + get_group_id(0)) * 2;
        to[0] = maximum;
        to[1] = sum;
    }
}

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
softmax(global float *restrict outputs, const ulong outputs_offset, global const stored *restrict inputs,
        const ulong inputs_offset, global const float *restrict parts, const uint n) {
    const uint lane = get_local_id(0), start = get_group_id(0) * PART, end = min(start + PART, n);
    const uint count = get_num_groups(0);
    float maximum = -INFINITY, sum = 0.0f;

    parts += get_group_id(1) * count * 2;
    for (uint p = 0; p < count; p++)
        maximum = max(maximum, parts[2 * p]);
    for (uint p = 0; p < count; p++)
        sum += exp(parts[2 * p] - maximum) * parts[2 * p + 1];
    write_part(outputs + outputs_offset + get_group_id(1) * n, inputs + inputs_offset + get_group_id(1) * n,
               start, end, maximum, sum, lane);
}

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
softmax_rows(global float *restrict outputs, const ulong outputs_offset, global const stored *restrict inputs,
             const ulong inputs_offset, const uint n) {
    LOCAL_PART
    const uint lane = get_local_id(0);
    const ulong row = get_group_id(0) * (ulong)n;
    float maximum = -INFINITY, sum = 0.0f;

    for (uint start = 0; start < n; start += PART)
        add_part(&maximum, &sum, inputs + inputs_offset + row, start, min(start + PART, n), part, lane);
    write_part(outputs + outputs_offset + row, inputs + inputs_offset + row, 0, n, maximum, sum, lane);
}
