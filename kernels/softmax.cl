/* softmax.cl - softmax of long rows, such as the vocabulary's, in two launches: a row is cut into parts, so
 * that one alone fills a device too. OpenCL C 1.2, no extension.
 *
 * Inputs [m, n], outputs [m, n] in f32, n a multiple of VEC. `softmax_parts` leaves the maximum of each part
 * of CHUNK x LANES vectors and the sum of the exponentials relative to it, [m, parts, 2]; `softmax` reads all
 * of its row's. Range of both: {LANES x parts, m}. */
#ifndef STORED /* 0: f32, 1: f16, 2: bf16 */
#define STORED 0
#endif
#ifndef CHUNK
#define CHUNK 256
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
#define LOAD_HALF(p)    vload_half(0, p)
#else
typedef JOIN(float, VEC) floatv;
typedef JOIN(uint, VEC) uintv;
typedef JOIN(ushort, VEC) ushortv;
#define CONVERT_UINT(v) JOIN(convert_uint, VEC)(v)
#define AS_FLOAT(v)     JOIN(as_float, VEC)(v)
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
#if STORED == 0
typedef float stored;
static floatv load(global const stored *p) {
    return *(global const floatv *)p;
}
#elif STORED == 1
typedef half stored;
static floatv load(global const stored *p) {
    return LOAD_HALF(p);
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

/* The group's vectors, in elements of a row. */
#define FOR_EACH(i, n)                                                                                       \
    for (uint i = (get_group_id(0) * (CHUNK * LANES) + get_local_id(0)) * VEC,                               \
              end = min((uint)(get_group_id(0) + 1) * (CHUNK * LANES * VEC), n);                             \
         i < end; i += LANES * VEC)

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
softmax_parts(global const stored *restrict inputs, const ulong inputs_offset, global float *restrict parts,
              const uint n) {
    global const stored *from = inputs + inputs_offset + get_group_id(1) * n;
    const uint lane = get_local_id(0);
    floatv most = -INFINITY, sums = 0.0f;
#if LANES > 1
    local float part[LANES];
#endif

    FOR_EACH(i, n)
    most = max(most, load(from + i));
    float maximum = maximum_of(most);
    COMBINE(maximum, part, lane, max)
    const float shift = maximum == -INFINITY ? 0.0f : maximum; /* a part of such alone adds nothing */
    FOR_EACH(i, n)
    sums += exp(load(from + i) - shift);
    float sum = sum_of(sums);
    COMBINE(sum, part, lane, ADD)
    if (lane == 0) {
        global float *to = parts + (get_group_id(1) * get_num_groups(0) + get_group_id(0)) * 2;
        to[0] = maximum;
        to[1] = sum;
    }
}

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
softmax(global float *restrict outputs, const ulong outputs_offset, global const stored *restrict inputs,
        const ulong inputs_offset, global const float *restrict parts, const uint n) {
    global const stored *from = inputs + inputs_offset + get_group_id(1) * n;
    global float *to = outputs + outputs_offset + get_group_id(1) * n;
    const uint count = get_num_groups(0);
    float maximum = -INFINITY, sum = 0.0f;

    parts += get_group_id(1) * count * 2;
    for (uint p = 0; p < count; p++)
        maximum = max(maximum, parts[2 * p]);
    for (uint p = 0; p < count; p++)
        sum += exp(parts[2 * p] - maximum) * parts[2 * p + 1];
    FOR_EACH(i, n)
    PUT(exp(load(from + i) - maximum) / sum, (global floatv *)(to + i));
}
