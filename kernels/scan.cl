/* scan.cl - Mamba-2's selective state space (Dao and Gu 2024, arXiv 2405.21060) over many tokens; scan_step.cl is
 * for one. OpenCL C 1.2, no extension.
 *
 * Of each head: h' = exp(dt A) h + dt B x^T, y = C h' + D x, with dt = softplus(raw + bias), A = -exp(a). Rows
 * [b, tokens, WIDTH] hold x [heads, HEAD_DIM], then B and C [groups, STATE] each; raw steps are [b, tokens,
 * heads]; a, D and biases [3, heads] in f32; outputs [b, tokens, heads, HEAD_DIM]; states [b, heads, STATE,
 * HEAD_DIM] in f32. The rows of tokens lie pitches apart. VEC divides HEAD_DIM, STATE and all pitches but that of the
 * steps; everything is a vector along HEAD_DIM but for C B^T.
 *
 * scan_chunks, from a state of zeros: a group of LANES work-items takes HEADS heads of a group, PART_DIM of each,
 * chunk after chunk of CHUNK_T tokens. Within a chunk y is a masked product, (C B^T * decay) x, and C h of the state
 * before it; then h is decayed and B^T x added (the paper's section 6). Blocks of BLOCK_N rows of the state meet
 * both products while they lie in the first cache. Range: {LANES x parts, heads / HEADS, b}. */
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
#ifndef NONTEMPORAL /* 1: stores that do not read the line they write first, where the compiler has such */
#define NONTEMPORAL 0
#endif
#ifndef CHUNK_T /* a multiple of VEC and of 4 */
#define CHUNK_T 32
#endif
#ifndef HEADS /* that share B and C */
#define HEADS 1
#endif
#ifndef PART_DIM /* a divisor of HEAD_DIM, of whole vectors */
#define PART_DIM HEAD_DIM
#endif
#ifndef COLUMN_TILE /* divides PART_DIM / VEC */
#define COLUMN_TILE 1
#endif
#ifndef BLOCK_N /* divides STATE; a multiple of 4 */
#define BLOCK_N STATE
#endif
#ifndef LANES
#define LANES 1
#endif

#define TILE      4 /* tokens, or rows of the state, by COLUMN_TILE vectors in registers */
#define N_VECTORS (STATE / VEC)
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
#define VLOAD(p)          (*(p))
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
#define VLOAD(p)          JOIN(vload, VEC)(0, p)
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

#if LANES == 1
#define SHARED private
#define SYNC()
#else
#define SHARED local
#define SYNC() barrier(CLK_LOCAL_MEM_FENCE)
#endif

#define PART_VECTORS (PART_DIM / VEC)
#define T_VECTORS    (CHUNK_T / VEC)
#define COLUMNS      (PART_VECTORS / COLUMN_TILE)

struct scan_state {
    floatv b[CHUNK_T * N_VECTORS], c[CHUNK_T * N_VECTORS];
    floatv x[CHUNK_T * PART_VECTORS], weighted_x[CHUNK_T * PART_VECTORS], y[CHUNK_T * PART_VECTORS];
    floatv product[CHUNK_T * T_VECTORS]; /* C B^T */
    floatv mask[CHUNK_T * T_VECTORS];    /* times what is left of a token, and its step */
    /* Of each token: its step; the logarithm (base 2) of what is left of the state before the chunk; that itself;
     * the token's share of the state after the chunk. */
    floatv step[T_VECTORS], left[T_VECTORS], decay[T_VECTORS], share[T_VECTORS];
    floatv h[HEADS * STATE * PART_VECTORS];
};
#define FLOATS(field) ((SHARED float *)(field))

static float4 sums_of(const floatv a, const floatv b, const floatv c, const floatv d) {
#if VEC == 1
    return (float4)(a, b, c, d);
#elif VEC == 2
    return (float4)(a.x, b.x, c.x, d.x) + (float4)(a.y, b.y, c.y, d.y);
#else
#if VEC == 16
    const float8 a8 = a.lo + a.hi, b8 = b.lo + b.hi, c8 = c.lo + c.hi, d8 = d.lo + d.hi;
    const float4 p = a8.lo + a8.hi, q = b8.lo + b8.hi, r = c8.lo + c8.hi, s = d8.lo + d8.hi;
#elif VEC == 8
    const float4 p = a.lo + a.hi, q = b.lo + b.hi, r = c.lo + c.hi, s = d.lo + d.hi;
#else
    const float4 p = a, q = b, r = c, s = d;
#endif
    return (float4)(p.x, q.x, r.x, s.x) + (float4)(p.y, q.y, r.y, s.y) +
           ((float4)(p.z, q.z, r.z, s.z) + (float4)(p.w, q.w, r.w, s.w));
#endif
}

/* C B^T up to the tiles of the diagonal. */
static void multiply_bc(SHARED struct scan_state *state, const uint lane) {
    const uint tiles = CHUNK_T / TILE;
    for (uint task = lane; task < tiles * tiles; task += LANES) {
        const uint t = task / tiles * TILE, s = task % tiles * TILE;
        floatv sum[TILE][TILE];
        if (s > t)
            continue;
#pragma unroll
        for (uint i = 0; i < TILE; i++)
#pragma unroll
            for (uint j = 0; j < TILE; j++)
                sum[i][j] = 0.0f;
        for (uint n = 0; n < N_VECTORS; n++) {
            floatv b[TILE];
#pragma unroll
            for (uint j = 0; j < TILE; j++)
                b[j] = state->b[(s + j) * N_VECTORS + n];
#pragma unroll
            for (uint i = 0; i < TILE; i++) {
                const floatv c = state->c[(t + i) * N_VECTORS + n];
#pragma unroll
                for (uint j = 0; j < TILE; j++)
                    sum[i][j] += c * b[j];
            }
        }
#pragma unroll
        for (uint i = 0; i < TILE; i++)
            vstore4(sums_of(sum[i][0], sum[i][1], sum[i][2], sum[i][3]), 0,
                    FLOATS(state->product) + (t + i) * CHUNK_T + s);
    }
    SYNC();
}

/* Steps and what they leave, of one head; steps of `count` tokens, 0 after them. */
static void find_decays(SHARED struct scan_state *state, global const stored *steps, const ulong pitch,
                        const uint count, const float bias, const float rate, const uint lane) {
    SHARED float *step = FLOATS(state->step), *left = FLOATS(state->left);
    for (uint t = lane; t < CHUNK_T; t += LANES)
        step[t] = load_one(steps + min(t, count - 1) * pitch) + bias;
    SYNC();
    for (uint t = lane; t < T_VECTORS; t += LANES)
        state->step[t] = softplus(state->step[t]);
    SYNC();
    if (lane == 0) {
        float sum = 0.0f;
        for (uint t = 0; t < CHUNK_T; t++) {
            step[t] = t < count ? step[t] : 0.0f;
            sum -= step[t] * rate;
            left[t] = sum;
        }
    }
    SYNC();
    for (uint t = lane; t < T_VECTORS; t += LANES) {
        state->decay[t] = power_of_two(state->left[t]);
        state->share[t] = power_of_two(left[CHUNK_T - 1] - state->left[t]) * state->step[t];
    }
    for (uint task = lane; task < CHUNK_T * T_VECTORS; task += LANES) {
        const uint t = task / T_VECTORS, first = task % T_VECTORS * VEC;
        if (first >= (t / TILE + 1) * TILE)
            continue;
        floatv weight = state->product[task] * power_of_two(left[t] - state->left[task % T_VECTORS]) *
                        state->step[task % T_VECTORS];
        float element[VEC];
        VSTORE(weight, element);
#pragma unroll
        for (uint i = 0; i < VEC; i++)
            element[i] = first + i <= t ? element[i] : 0.0f;
        state->mask[task] = VLOAD(element);
    }
    SYNC();
}

/* tile += the elements of TILE rows of `left`, `left_step` apart, `count` of them `element_step` apart, x rows of
 * vectors. */
static inline __attribute__((always_inline)) void
add_products(floatv tile[TILE][COLUMN_TILE], SHARED const float *left, const uint left_step,
             const uint element_step, SHARED const floatv *right, const uint count) {
#pragma unroll 4
    for (uint k = 0; k < count; k++, left += element_step, right += PART_VECTORS) {
        floatv value[COLUMN_TILE];
#pragma unroll
        for (uint v = 0; v < COLUMN_TILE; v++)
            value[v] = right[v];
#pragma unroll
        for (uint i = 0; i < TILE; i++)
#pragma unroll
            for (uint v = 0; v < COLUMN_TILE; v++)
                tile[i][v] += left[i * left_step] * value[v];
    }
}

#define EACH(i, v)                                                                                           \
    _Pragma("unroll") for (uint i = 0; i < TILE; i++) _Pragma("unroll") for (uint v = 0; v < COLUMN_TILE; v++)

/* y = D x + mask x, within the chunk. */
static void add_within(SHARED struct scan_state *state, const float skip, const uint lane) {
    for (uint task = lane; task < CHUNK_T / TILE * COLUMNS; task += LANES) {
        const uint t = task / COLUMNS * TILE, column = task % COLUMNS * COLUMN_TILE;
        const uint at = t * PART_VECTORS + column;
        floatv tile[TILE][COLUMN_TILE];
        EACH(i, v) tile[i][v] = skip * state->x[at + i * PART_VECTORS + v];
        add_products(tile, FLOATS(state->mask) + t * CHUNK_T, CHUNK_T, 1, state->x + column, t + TILE);
        EACH(i, v) state->y[at + i * PART_VECTORS + v] = tile[i][v];
    }
}

/* y += decay C h, h = decay h + B^T weighted x: in blocks of the state's rows. */
static void add_state(SHARED struct scan_state *state, SHARED floatv *h, const uint lane) {
    SHARED const float *decay = FLOATS(state->decay);
    const float left = decay[CHUNK_T - 1];
    for (uint n = 0; n < STATE; n += BLOCK_N) {
        for (uint task = lane; task < CHUNK_T / TILE * COLUMNS; task += LANES) {
            const uint t = task / COLUMNS * TILE, column = task % COLUMNS * COLUMN_TILE;
            const uint at = t * PART_VECTORS + column;
            floatv tile[TILE][COLUMN_TILE];
            EACH(i, v) tile[i][v] = 0.0f;
            add_products(tile, FLOATS(state->c) + t * STATE + n, STATE, 1, h + n * PART_VECTORS + column,
                         BLOCK_N);
            EACH(i, v) state->y[at + i * PART_VECTORS + v] += decay[t + i] * tile[i][v];
        }
        SYNC();
        for (uint task = lane; task < BLOCK_N / TILE * COLUMNS; task += LANES) {
            const uint row = n + task / COLUMNS * TILE, column = task % COLUMNS * COLUMN_TILE;
            SHARED floatv *to = h + row * PART_VECTORS + column;
            floatv tile[TILE][COLUMN_TILE];
            EACH(i, v) tile[i][v] = left * to[i * PART_VECTORS + v];
            add_products(tile, FLOATS(state->b) + row, 1, STATE, state->weighted_x + column, CHUNK_T);
            EACH(i, v) to[i * PART_VECTORS + v] = tile[i][v];
        }
        SYNC();
    }
}

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
scan_chunks(global stored *restrict outputs, global float *restrict states, const ulong states_offset,
            global const stored *restrict rows, global const stored *restrict steps, const ulong steps_offset,
            global const float *restrict head_values, const ulong outputs_pitch, const ulong rows_pitch,
            const ulong steps_pitch, const uint tokens, const uint heads, const uint groups) {
    SHARED struct scan_state state;
    const uint lane = get_local_id(0), part = get_group_id(0) * PART_DIM, first_head = get_group_id(1) * HEADS;
    const uint batch = get_group_id(2);

    for (uint i = lane; i < HEADS * STATE * PART_VECTORS; i += LANES)
        state.h[i] = 0.0f;
    for (uint t0 = 0; t0 < tokens; t0 += CHUNK_T) {
        const uint count = min((uint)CHUNK_T, tokens - t0);
        const ulong token = (ulong)batch * tokens + t0;
        global const stored *chunk = rows + token * rows_pitch;
        global const stored *in = chunk + heads * HEAD_DIM + first_head / (heads / groups) * STATE;
        for (uint i = lane; i < CHUNK_T * N_VECTORS; i += LANES) {
            /* Tokens past the last repeat it, with a step of 0. */
            const ulong at = min(i / N_VECTORS, count - 1) * rows_pitch + i % N_VECTORS * VEC;
            state.b[i] = load(in + at);
            state.c[i] = load(in + groups * STATE + at);
        }
        SYNC();
        multiply_bc(&state, lane);
        for (uint own = 0; own < HEADS; own++) {
            const uint head = first_head + own;
            const ulong output = token * outputs_pitch + head * HEAD_DIM + part;
            find_decays(&state, steps + steps_offset + token * steps_pitch + head, steps_pitch, count,
                        head_values[2 * heads + head], exp(head_values[head]) * LOG2_E, lane);
            for (uint i = lane; i < CHUNK_T * PART_VECTORS; i += LANES) {
                const uint t = i / PART_VECTORS;
                state.x[i] = load(chunk + min(t, count - 1) * rows_pitch + head * HEAD_DIM + part +
                                  i % PART_VECTORS * VEC);
                state.weighted_x[i] = state.x[i] * FLOATS(state.share)[t];
            }
            SYNC();
            add_within(&state, head_values[heads + head], lane);
            add_state(&state, state.h + own * (STATE * PART_VECTORS), lane);
            for (uint i = lane; i < count * PART_VECTORS; i += LANES)
                store(state.y[i],
                      outputs + output + i / PART_VECTORS * outputs_pitch + i % PART_VECTORS * VEC);
            SYNC();
        }
    }
    for (uint own = 0; own < HEADS; own++) {
        global float *to = states + states_offset +
                           ((ulong)batch * heads + first_head + own) * (STATE * HEAD_DIM) + part;
        for (uint i = lane; i < STATE * PART_VECTORS; i += LANES)
            *(global floatv *)(to + i / PART_VECTORS * HEAD_DIM + i % PART_VECTORS * VEC) =
                state.h[own * (STATE * PART_VECTORS) + i];
    }
}
