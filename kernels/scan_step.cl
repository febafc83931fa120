/* scan_step.cl - Mamba-2's selective state space (Dao and Gu 2024, arXiv 2405.21060), one token; scan.cl is for many.
 * OpenCL C 1.2, no extension.
 *
 * Of each head: h' = exp(dt A) h + dt B x^T, y = C h' + D x, with dt = softplus(raw + bias), A = -exp(a). Rows
 * [b, WIDTH] hold x [heads, HEAD_DIM], then B and C [groups, STATE] each; raw steps are [b, heads]; a, D and biases
 * [3, heads] in f32; outputs [b, heads, HEAD_DIM]; states [b, heads, STATE, HEAD_DIM] in f32. The rows of tokens lie
 * pitches apart. VEC divides HEAD_DIM, STATE and all pitches but that of the steps; everything is a vector along
 * HEAD_DIM.
 *
 * A group takes one head; STREAMS ranges of STATE at once. GROUPED 0: on one work-item; 1: a work-item has one vector
 * of the head and every SLICES-th row of the state. Range: {items x heads, b}. */
#ifndef HEAD_DIM
#define HEAD_DIM 80
#endif
#ifndef STATE
#define STATE 128
#endif
#ifndef FORMAT /* 0: f32, 1: f16, 2: bf16 */
#define FORMAT 0
#endif
#ifndef VEC
#define VEC 16
#endif
#ifndef STREAMS /* divides STATE */
#define STREAMS 1
#endif
#ifndef GROUPED
#define GROUPED 0
#endif
#ifndef SLICES /* divides STATE / STREAMS */
#define SLICES 1
#endif
#ifndef NONTEMPORAL /* 1: stores that do not read the line they write first, where the compiler has such */
#define NONTEMPORAL 0
#endif

#define P_VECTORS (HEAD_DIM / VEC)
#define LOG2_E    1.44269504088896340736f

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
#define VSTORE(v, p)      (*(p) = (v))
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
#define VSTORE(v, p)      JOIN(vstore, VEC)(v, 0, p)
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
#if GROUPED /* whole, where a GPU's driver might load one half after the other */
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

static float load_one(global const stored *p) {
#if FORMAT == 0
    return *p;
#elif FORMAT == 1
    return vload_half(0, p);
#else
    return as_float((uint)*p << 16);
#endif
}

/* 2^x for x <= 0, to 1e-7 of itself; below -126 that of -126: there is nothing left of a state by then. */
static floatv power_of_two(const floatv x) {
    const float round_bits = 12582912.0f; /* adding 1.5 x 2^23 rounds to an integer */
    const floatv within = min(max(x, -126.0f), 0.0f), rounded = within + round_bits;
    const floatv f = within - (rounded - round_bits);
    floatv power = 0.00132764725f * f + 0.00967554189f;
    power = power * f + 0.0555071309f;
    power = power * f + 0.240221202f;
    power = power * f + 0.693146944f;
    power = power * f + 1.00000012f;
    return AS_FLOAT(AS_UINT(power) + (AS_UINT(rounded) << 23));
}

/* log(1 + e^x) = max(x, 0) + log(1 + z), z = e^-|x|; the logarithm is 2 artanh(z / (2 + z)), of at most 1/3, by
 * its series. */
static floatv softplus(const floatv x) {
    const floatv z = power_of_two(-fabs(x) * LOG2_E), s = z / (2.0f + z), t = s * s;
    floatv sum = 1.0f / 13 * t + 1.0f / 11;
    sum = sum * t + 1.0f / 9;
    sum = sum * t + 1.0f / 7;
    sum = sum * t + 1.0f / 5;
    sum = sum * t + 1.0f / 3;
    return max(x, 0.0f) + 2.0f * (sum * t * s + s);
}

static float first_of(const floatv v) {
#if VEC == 1
    return v;
#else
    return v.s0;
#endif
}

#if GROUPED
#define ITEMS (P_VECTORS * SLICES)
#define OWN   1
#else
#define ITEMS 1
#define OWN   P_VECTORS
#undef SLICES
#define SLICES 1
#endif
#define RANGE (STATE / STREAMS)

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
scan_step(global stored *restrict outputs, global float *restrict states, const ulong states_offset,
          global const stored *restrict rows, global const stored *restrict steps, const ulong steps_offset,
          global const float *restrict head_values, global const float *restrict before, const ulong before_offset,
          const ulong outputs_pitch, const ulong rows_pitch, const ulong steps_pitch, const uint heads,
          const uint groups) {
    const uint head = get_group_id(0), batch = get_group_id(1);
    const uint own = GROUPED ? get_local_id(0) % P_VECTORS : 0, slice = GROUPED ? get_local_id(0) / P_VECTORS : 0;
    const ulong head_index = (ulong)batch * heads + head;
    global const stored *row = rows + batch * rows_pitch;
    global const stored *in = row + heads * HEAD_DIM + head / (heads / groups) * STATE, *out = in + groups * STATE;
    const ulong at = head_index * (STATE * HEAD_DIM) + own * VEC;
    global const float *from = before + before_offset + at;
    global float *to = states + states_offset + at;
    floatv x[OWN], y[STREAMS][OWN];

    const float raw = load_one(steps + steps_offset + batch * steps_pitch + head);
    const float step = first_of(softplus(raw + head_values[2 * heads + head]));
    const float decay = exp2(-step * LOG2_E * exp(head_values[head]));
#if !GROUPED
    float b[STATE], c[STATE];
    for (uint i = 0; i < STATE; i += VEC) {
        VSTORE(load(in + i) * step, b + i);
        VSTORE(load(out + i), c + i);
    }
#define B(n) b[n]
#define C(n) c[n]
#else
#define B(n) (load_one(in + (n)) * step)
#define C(n) load_one(out + (n))
#endif
#pragma unroll
    for (uint v = 0; v < OWN; v++) {
        x[v] = load(row + head * HEAD_DIM + (own + v) * VEC);
#pragma unroll
        for (uint s = 0; s < STREAMS; s++)
            y[s][v] = 0.0f;
    }
    for (uint n = slice; n < RANGE; n += SLICES) {
#pragma unroll
        for (uint s = 0; s < STREAMS; s++)
#pragma unroll
            for (uint v = 0; v < OWN; v++) {
                const uint element = (s * RANGE + n) * HEAD_DIM + v * VEC;
                const floatv h =
                    *(global const floatv *)(from + element) * decay + B(s * RANGE + n) * x[v];
                PUT(h, (global floatv *)(to + element));
                y[s][v] += C(s * RANGE + n) * h;
            }
    }
#pragma unroll
    for (uint v = 0; v < OWN; v++)
#pragma unroll
        for (uint s = 1; s < STREAMS; s++)
            y[0][v] += y[s][v];
#if GROUPED
    local floatv part[ITEMS];
    part[get_local_id(0)] = y[0][0];
    barrier(CLK_LOCAL_MEM_FENCE);
    if (slice > 0)
        return;
    for (uint i = 1; i < SLICES; i++)
        y[0][0] += part[i * P_VECTORS + own];
#endif
#pragma unroll
    for (uint v = 0; v < OWN; v++)
        store(y[0][v] + head_values[heads + head] * x[v],
              outputs + batch * outputs_pitch + head * HEAD_DIM + (own + v) * VEC);
}
