/* elementwise.cl - SwiGLU, GELU, the residual sum, and the sum over a token's experts. OpenCL C 1.2, no
 * extension.
 *
 * Outputs [m, n], n a multiple of VEC. A group of LANES work-items takes CHUNK x LANES neighbouring vectors
 * of ROWS rows. Range: {LANES x groups of a row, blocks of ROWS rows}. */
#ifndef FORMAT /* 0: f32, 1: f16, 2: bf16 */
#define FORMAT 0
#endif
#ifndef ROWS
#define ROWS 1
#endif
#ifndef STREAMS
#define STREAMS 2
#endif
#ifndef CHUNK
#define CHUNK 64
#endif
#ifndef VEC
#define VEC 16
#endif
#ifndef LANES
#define LANES 1
#endif
#ifndef CHOSEN /* experts of a token, of combine alone */
#define CHOSEN 0
#endif
#ifndef SHARED /* 1: their sum begins with what experts that all share gave */
#define SHARED 0
#endif
#ifndef PREFETCH /* blocks of rows ahead that are called for, where the compiler can; 0: nothing */
#define PREFETCH 0
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

#if PREFETCH && defined(__clang__)
#define CALL_FOR(p) __builtin_prefetch((const char *)(ulong)(p))
#else
#define CALL_FOR(p)
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

/* For each of the vectors that are in hand. */
#define EACH _Pragma("unroll") for (uint s = 0; s < ROWS * STREAMS; s++)

/* x becomes x / (1 + e^-t), within a few units in the last place and without a division, which would take as
 * long as all the rest: 2^f, |f| <= 1/2, by a polynomial of degree 5 (relative error 1e-7), the reciprocal by
 * Newton's iteration from a guess that is linear in the bits. Below -87 it is 0, so that -infinity gives NaN,
 * as by the definition. All vectors take each step together: one alone would wait for its own results. */
static void multiply_by_sigmoid(floatv x[ROWS * STREAMS], const floatv t[ROWS * STREAMS]) {
    const float round_bits = 12582912.0f, log2_e = 1.44269504f; /* adding 1.5 x 2^23 rounds to an integer */
    floatv within[ROWS * STREAMS], rounded[ROWS * STREAMS], f[ROWS * STREAMS], power[ROWS * STREAMS],
        d[ROWS * STREAMS], reciprocal[ROWS * STREAMS];
    EACH within[s] = min(max(t[s], -87.0f), 87.0f);
    EACH rounded[s] = round_bits - within[s] * log2_e;
    EACH f[s] = -within[s] * log2_e - (rounded[s] - round_bits);
    EACH power[s] = 0.00132764725f * f[s] + 0.00967554189f;
    EACH power[s] = power[s] * f[s] + 0.0555071309f;
    EACH power[s] = power[s] * f[s] + 0.240221202f;
    EACH power[s] = power[s] * f[s] + 0.693146944f;
    EACH power[s] = power[s] * f[s] + 1.00000012f;
    EACH d[s] = 1.0f + AS_FLOAT(AS_UINT(power[s]) + (AS_UINT(rounded[s]) << 23));
    EACH reciprocal[s] = AS_FLOAT(0x7ef311c7u - AS_UINT(d[s]));
#pragma unroll
    for (uint i = 0; i < 3; i++) {
        EACH power[s] = 2.0f - d[s] * reciprocal[s];
        EACH reciprocal[s] *= power[s];
    }
    EACH x[s] *= select(reciprocal[s], (floatv)0.0f, t[s] < -87.0f);
}

/* The vectors of a group, in elements of a row: STREAMS x VEC of them at a time, of ROWS rows. */
#define WIDTH (STREAMS * VEC)
#define FOR_EACH(i, n)                                                                                       \
    for (uint i = (get_group_id(0) * (CHUNK * LANES) + get_local_id(0)) * WIDTH,                             \
              end = min((uint)(get_group_id(0) + 1) * (CHUNK * LANES * WIDTH), n);                           \
         i < end; i += LANES * WIDTH)
/* Where vector s lies, in rows of so many elements. */
#define PLACE(s, n) ((s) / STREAMS * (ulong)(n) + (s) % STREAMS * VEC)
#define AHEAD       ((ulong)PREFETCH * ROWS) /* rows */
#define FIRST_ROW   (get_group_id(1) * ROWS)

/* silu(gate) x up, silu(x) = x / (1 + e^-x), both [m, n]; a fused projection's rows hold the gates, then what
 * they gate. Pitches are multiples of VEC. */
kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
swiglu(global stored *restrict outputs, const ulong outputs_offset, global const stored *restrict gates,
       const ulong gates_offset, global const stored *restrict ups, const ulong ups_offset, const ulong gates_pitch,
       const ulong ups_pitch, const uint n) {
    global const stored *from = gates + gates_offset + FIRST_ROW * gates_pitch;
    global const stored *gated = ups + ups_offset + FIRST_ROW * ups_pitch;
    global stored *to = outputs + outputs_offset + FIRST_ROW * n;
    FOR_EACH(i, n) {
        floatv x[ROWS * STREAMS], gate[ROWS * STREAMS];
        EACH CALL_FOR(from + i + PLACE(s, gates_pitch) + AHEAD * gates_pitch);
        EACH CALL_FOR(gated + i + PLACE(s, ups_pitch) + AHEAD * ups_pitch);
        EACH gate[s] = load(from + i + PLACE(s, gates_pitch));
        EACH x[s] = gate[s] * load(gated + i + PLACE(s, ups_pitch));
        multiply_by_sigmoid(x, gate);
        EACH store(x[s], to + i + PLACE(s, n));
    }
}

/* x / 2 (1 + tanh(u)) = x / (1 + e^(-2 u)), u = sqrt(2 / pi) (x + 0.044715 x^3). */
kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
gelu(global stored *restrict outputs, const ulong outputs_offset, global const stored *restrict inputs,
     const ulong inputs_offset, const uint n) {
    global const stored *from = inputs + inputs_offset + FIRST_ROW * n;
    global stored *to = outputs + outputs_offset + FIRST_ROW * n;
    FOR_EACH(i, n) {
        floatv x[ROWS * STREAMS], t[ROWS * STREAMS];
        EACH CALL_FOR(from + i + PLACE(s, n) + AHEAD * n);
        EACH x[s] = load(from + i + PLACE(s, n));
        EACH t[s] = x[s] * (1.5957691216057308f + 0.0713548162726f * (x[s] * x[s]));
        multiply_by_sigmoid(x, t);
        EACH store(x[s], to + i + PLACE(s, n));
    }
}

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
residual(global stored *restrict outputs, const ulong outputs_offset, global const stored *restrict inputs,
         const ulong inputs_offset, global const stored *restrict added, const ulong added_offset,
         const uint n) {
    global const stored *from = inputs + inputs_offset + FIRST_ROW * n;
    global const stored *other = added + added_offset + FIRST_ROW * n;
    global stored *to = outputs + outputs_offset + FIRST_ROW * n;
    FOR_EACH(i, n) {
        floatv x[ROWS * STREAMS];
        EACH CALL_FOR(from + i + PLACE(s, n) + AHEAD * n);
        EACH CALL_FOR(other + i + PLACE(s, n) + AHEAD * n);
        EACH x[s] = load(from + i + PLACE(s, n));
        EACH x[s] += load(other + i + PLACE(s, n));
        EACH store(x[s], to + i + PLACE(s, n));
    }
}

#if CHOSEN
/* Rows [m CHOSEN, n] lie by expert: the routing table [m, CHOSEN] tells which are a token's. They are called
 * for PREFETCH tokens ahead, as nothing else could know where they lie. ROWS is 1. */
kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
combine(global stored *restrict outputs, const ulong outputs_offset, global const stored *restrict inputs,
        const ulong inputs_offset, global const float *restrict weights, global const int *restrict routing,
        const ulong routing_offset,
#if SHARED
        global const stored *restrict shared, const ulong shared_offset,
#endif
        const ulong weights_pitch, const uint m, const uint n) {
    const uint token = get_group_id(1);
    global const int *row = routing + routing_offset + (ulong)token * CHOSEN;
    global const int *later = routing + routing_offset + (ulong)min(token + PREFETCH, m - 1) * CHOSEN;
    global stored *to = outputs + outputs_offset + (ulong)token * n;
    global const stored *from[CHOSEN], *ahead[CHOSEN];
    float weight[CHOSEN];

#pragma unroll
    for (uint e = 0; e < CHOSEN; e++) {
        from[e] = inputs + inputs_offset + (ulong)row[e] * n;
        ahead[e] = inputs + inputs_offset + (ulong)later[e] * n;
        weight[e] = weights[token * weights_pitch + e];
    }
    FOR_EACH(i, n) {
        floatv x[STREAMS];
#if SHARED
        EACH x[s] = load(shared + shared_offset + (ulong)token * n + i + s * VEC);
#else
        EACH x[s] = 0.0f;
#endif
#pragma unroll
        for (uint e = 0; e < CHOSEN; e++) {
            EACH CALL_FOR(ahead[e] + i + s * VEC);
            EACH x[s] += weight[e] * load(from[e] + i + s * VEC);
        }
        EACH store(x[s], to + i + s * VEC);
    }
}
#endif
