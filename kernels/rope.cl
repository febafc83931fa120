/* rope.cl - rotary embedding of queries and keys, NeoX's pairs: element i of a head with i + HEAD_DIM / 2.
 * OpenCL C 1.2, no extension.
 *
 * Inputs and outputs [batch, tokens, heads, HEAD_DIM], angles [tokens, HEAD_DIM] in f32: the cosines of a
 * position, then its sines. VEC divides HEAD_DIM / 2. A group of LANES work-items takes CHUNK x LANES
 * neighbouring pairs of vectors of a token. Range: {LANES x groups of a token, batch x tokens}. */
#ifndef HEAD_DIM
#define HEAD_DIM 128
#endif
#ifndef FORMAT /* 0: f32, 1: f16, 2: bf16 */
#define FORMAT 0
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
#if FORMAT == 0
typedef float stored;
static floatv load(global const stored *p) {
    return *(global const floatv *)p;
}
static void store(const floatv v, global stored *p) {
    PUT(v, (global floatv *)p);
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

#define HALF         (HEAD_DIM / 2)
#define HALF_VECTORS (HALF / VEC)

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
rope(global stored *outputs, const ulong outputs_offset, global const stored *inputs,
     const ulong inputs_offset, global const float *restrict angles, const uint tokens, const uint heads,
     const ulong to_pitch, const ulong to_head_pitch, const ulong from_pitch, const ulong from_head_pitch) {
    const uint row = get_group_id(1), pairs = heads * HALF_VECTORS;
    const uint start = get_group_id(0) * (CHUNK * LANES), end = min(start + CHUNK * LANES, pairs);
    global const stored *from = inputs + inputs_offset + row * from_pitch;
    global stored *to = outputs + outputs_offset + row * to_pitch;
    global const float *cosines = angles + (ulong)(row % tokens) * HEAD_DIM;

    for (uint pair = start + get_local_id(0); pair < end; pair += LANES) {
        const uint i = pair % HALF_VECTORS * VEC, head = pair / HALF_VECTORS;
        global const stored *in = from + head * from_head_pitch + i;
        global stored *out = to + head * to_head_pitch + i;
        const floatv cosine = *(global const floatv *)(cosines + i);
        const floatv sine = *(global const floatv *)(cosines + HALF + i);
        const floatv a = load(in), b = load(in + HALF); /* before the stores: both may be one place */
        store(a * cosine - b * sine, out);
        store(b * cosine + a * sine, out + HALF);
    }
}
