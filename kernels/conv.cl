/* conv.cl - the causal depthwise convolution of Mamba-2, with SiLU: y_t = silu(bias + sum over j < TAPS of w_j
 * x_(t - TAPS + 1 + j)), channel by channel. OpenCL C 1.2, no extension.
 *
 * Inputs and outputs [b, tokens, n], their rows pitches apart, weights [TAPS + 1, n], the last row the bias, n and
 * pitches multiples of VEC; the last TAPS - 1 inputs [b, TAPS - 1, n] are the state, which is zeros before the first
 * token unless PAST. A group of LANES work-items takes CHUNK x LANES neighbouring vectors of RUN tokens, TILE tokens
 * at a time, so that an input is read from memory once. Range: {LANES x groups of a row, runs, b}. */
#ifndef TAPS
#define TAPS 4
#endif
#ifndef PAST
#define PAST 0
#endif
#ifndef FORMAT /* 0: f32, 1: f16, 2: bf16 */
#define FORMAT 0
#endif
#ifndef TILE
#define TILE 4
#endif
#ifndef RUN /* a multiple of TILE */
#define RUN 64
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
#ifndef PREFETCH /* tiles ahead that are called for, where the compiler can; 0: nothing */
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

#define INPUT_ROWS (TILE + TAPS - 1)
#define EACH_TILE  _Pragma("unroll") for (uint i = 0; i < TILE; i++)

/* x / (1 + e^-x), as elementwise.cl has it: no division, all tokens step by step together. */
static void silu(floatv x[TILE]) {
    const float round_bits = 12582912.0f, log2_e = 1.44269504f;
    floatv within[TILE], rounded[TILE], f[TILE], power[TILE], d[TILE], reciprocal[TILE];
    EACH_TILE within[i] = min(max(x[i], -87.0f), 87.0f);
    EACH_TILE rounded[i] = round_bits - within[i] * log2_e;
    EACH_TILE f[i] = -within[i] * log2_e - (rounded[i] - round_bits);
    EACH_TILE power[i] = 0.00132764725f * f[i] + 0.00967554189f;
    EACH_TILE power[i] = power[i] * f[i] + 0.0555071309f;
    EACH_TILE power[i] = power[i] * f[i] + 0.240221202f;
    EACH_TILE power[i] = power[i] * f[i] + 0.693146944f;
    EACH_TILE power[i] = power[i] * f[i] + 1.00000012f;
    EACH_TILE d[i] = 1.0f + AS_FLOAT(AS_UINT(power[i]) + (AS_UINT(rounded[i]) << 23));
    EACH_TILE reciprocal[i] = AS_FLOAT(0x7ef311c7u - AS_UINT(d[i]));
#pragma unroll
    for (uint step = 0; step < 3; step++) {
        EACH_TILE power[i] = 2.0f - d[i] * reciprocal[i];
        EACH_TILE reciprocal[i] *= power[i];
    }
    EACH_TILE x[i] *= select(reciprocal[i], (floatv)0.0f, x[i] < -87.0f);
}

/* Input `row` of a sequence at a channel; those before the first are the state. */
static floatv input(global const stored *inputs, const ulong pitch, global const stored *before, const int row,
                    const uint n) {
    if (row >= 0)
        return load(inputs + row * pitch);
#if PAST
    return load(before + (ulong)(row + TAPS - 1) * n);
#else
    (void)before, (void)n;
    return 0.0f;
#endif
}

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
conv(global stored *restrict outputs, const ulong outputs_offset, global stored *restrict states,
     const ulong states_offset, global const stored *restrict inputs, const ulong inputs_offset,
     global const stored *restrict weights, const ulong weights_offset,
#if PAST
     global const stored *restrict before, const ulong before_offset,
#endif
     const ulong outputs_pitch, const ulong inputs_pitch, const uint tokens, const uint n) {
    const uint batch = get_group_id(2), start = (get_group_id(0) * (CHUNK * LANES) + get_local_id(0)) * VEC;
    const uint end = min((uint)(get_group_id(0) + 1) * (CHUNK * LANES * VEC), n);
    const uint first = get_group_id(1) * RUN, last = min(first + RUN, tokens);
    global const stored *from = inputs + inputs_offset + (ulong)batch * tokens * inputs_pitch;
    global stored *to = outputs + outputs_offset + (ulong)batch * tokens * outputs_pitch;
    global const stored *weight = weights + weights_offset;
#if PAST
    global const stored *past = before + before_offset + (ulong)batch * (TAPS - 1) * n;
#else
    global const stored *past = 0;
#endif

    for (uint t = first; t < last; t += TILE) {
        for (uint channel = start; channel < end; channel += LANES * VEC) {
            floatv x[INPUT_ROWS], y[TILE];
            EACH_TILE CALL_FOR(from + (t + PREFETCH * TILE + i) * inputs_pitch + channel);
            if (t + 1 >= TAPS && t + TILE <= last) {
#pragma unroll
                for (uint i = 0; i < INPUT_ROWS; i++)
                    x[i] = load(from + (t + 1 - TAPS + i) * inputs_pitch + channel);
            } else {
                /* Tokens past the last repeat it; they are not stored. */
#pragma unroll
                for (uint i = 0; i < INPUT_ROWS; i++)
                    x[i] = input(from + channel, inputs_pitch, past + channel,
                                 min((int)(t + i), (int)(last + TAPS - 2)) - (TAPS - 1), n);
            }
            EACH_TILE y[i] = load(weight + TAPS * n + channel);
#pragma unroll
            for (uint j = 0; j < TAPS; j++) {
                const floatv w = load(weight + j * n + channel);
                EACH_TILE y[i] += w * x[i + j];
            }
            silu(y);
            EACH_TILE if (t + i < last) store(y[i], to + (t + i) * outputs_pitch + channel);
        }
    }
    if (last == tokens) {
        global stored *state = states + states_offset + (ulong)batch * (TAPS - 1) * n;
        for (uint channel = start; channel < end; channel += LANES * VEC)
#pragma unroll
            for (uint j = 0; j + 1 < TAPS; j++)
                store(input(from + channel, inputs_pitch, past + channel, (int)(tokens + j) - (TAPS - 1), n),
                      state + (ulong)j * n + channel);
    }
}
