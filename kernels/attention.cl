/* attention.cl - softmax(scale Q K^T) V without writing the scores (online softmax, f32), a work-item on its
 * own: for CPUs. attention_group.cl is for GPUs. OpenCL C 1.2, no extension.
 *
 * Queries [b, tokens, heads, HEAD_DIM], keys [b, kv_heads, context, HEAD_DIM], values [b, kv_heads, context,
 * V_DIM], outputs [b, tokens, heads, V_DIM]; of an int8 cache a scale for each row, [b, kv_heads, context].
 * Query head h reads KV head h / (heads / kv_heads). `scale` holds log2(e): weights are powers of two. Sinks
 * [heads] are logits as they are, to which `sink_shift` is added in base 2.
 *
 * Prefill: the rows of a KV head are the queries of all its heads, token by token; a work-item attends with
 * ROWS of them, KEY_TILE keys at a time, and never with keys that none of a tile's rows sees. Both products
 * run as gemm.cl's: a panel of COLUMN_TILE vectors, keys transposed, is packed into a core's first cache, and
 * all tiles of ROW_TILE rows pass it; scores and sums stay in the second one. Range: {blocks of rows,
 * kv_heads, b}.
 * Decode: the rows are the heads that share a KV head, up to ROWS, so that a key is read once for all of them.
 * The context is split among work-items, which leave (sums, maximum, weight) for `attention_merge`; each reads
 * keys and values as two streams and calls for what comes next in them. Range: {splits, kv_heads x head tiles,
 * b}, of the merge {b x heads}. */
#define F32  0
#define F16  1
#define BF16 2
#define I8   3

#ifndef STORED /* format of queries and outputs: F32, F16 or BF16 */
#define STORED F32
#endif
#ifndef CACHED /* of keys and values: F32, F16 or I8 */
#define CACHED F32
#endif
#ifndef HEAD_DIM
#define HEAD_DIM 128
#endif
#ifndef V_DIM
#define V_DIM 128
#endif
#ifndef ROWS /* a multiple of ROW_TILE */
#define ROWS 64
#endif
#ifndef KEY_TILE /* a multiple of VEC x COLUMN_TILE, and of 4 */
#define KEY_TILE 128
#endif
#ifndef VEC /* divides HEAD_DIM and V_DIM */
#define VEC 16
#endif
#ifndef ROW_TILE /* rows in registers */
#define ROW_TILE 8
#endif
#ifndef COLUMN_TILE /* vectors of keys in registers */
#define COLUMN_TILE 2
#endif
#ifndef V_TILE /* vectors of values in registers; divides V_DIM / VEC */
#define V_TILE 2
#endif
#ifndef SINKS /* query heads, each with a sink; 0: no head has one */
#define SINKS 0
#endif
#ifndef PREFETCH /* decode: bytes ahead of keys and values that are called for; 0: nothing */
#define PREFETCH 0
#endif

#define KEY_STEP    4 /* decode: keys at a time */
#define K_VECTORS   (HEAD_DIM / VEC)
#define V_VECTORS   (V_DIM / VEC)
#define KEY_VECTORS (KEY_TILE / VEC)
#define PANEL       (COLUMN_TILE * VEC)
#define KEY_PANEL   (HEAD_DIM * COLUMN_TILE)
#define VALUE_PANEL (KEY_TILE * V_TILE)
#define CACHE_LINE  64
/* Below every score, and still a number: a difference of two of them is no NaN. */
#define LOWEST -0x1p126f

/* Compilers that know wider vectors but avoid them would halve the rate. */
#ifdef __has_attribute
#if __has_attribute(min_vector_width)
#define WIDE_VECTORS __attribute__((min_vector_width(512)))
#endif
#endif
#ifndef WIDE_VECTORS
#define WIDE_VECTORS
#endif
#define INLINE static inline __attribute__((always_inline))

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#if VEC == 1
#define VECTOR(type)       type
#define CONVERT(type, v)   JOIN(convert_, type)(v)
#define LOAD_HALVES(p)     vload_half(0, p)
#define STORE_HALVES(v, p) vstore_half(v, 0, p)
#define VLOAD(p)           (*(p))
#define VSTORE(v, p)       (*(p) = (v))
#define AS_FLOATS(v)       as_float(v)
#define AS_INTS(v)         as_int(v)
#define AS_UINTS(v)        as_uint(v)
#define FIRST(v)           (v)
#define INDICES            0
#else
#define VECTOR(type)       JOIN(type, VEC)
#define CONVERT(type, v)   JOIN(JOIN(convert_, type), VEC)(v)
#define STORE_HALVES(v, p) JOIN(vstorea_half, VEC)(v, 0, p)
#define VLOAD(p)           JOIN(vload, VEC)(0, p)
#define VSTORE(v, p)       JOIN(vstore, VEC)(v, 0, p)
#define AS_FLOATS(v)       JOIN(as_float, VEC)(v)
#define AS_INTS(v)         JOIN(as_int, VEC)(v)
#define AS_UINTS(v)        JOIN(as_uint, VEC)(v)
#define FIRST(v)           ((v).s0)
#if VEC == 2
#define INDICES (int2)(0, 1)
#elif VEC == 4
#define INDICES (int4)(0, 1, 2, 3)
#elif VEC == 8
#define INDICES (int8)(0, 1, 2, 3, 4, 5, 6, 7)
#else
#define INDICES (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#endif
#endif
typedef VECTOR(float) floatv;
typedef VECTOR(int) intv;
typedef VECTOR(uint) uintv;
#if VEC > 1
/* PoCL's vloada_half16 converts halves of the vector and joins them: three instructions where one does it. */
#if defined(__clang__) && defined(__x86_64__) && defined(__has_builtin)
#if __has_builtin(__builtin_convertvector)
typedef half halfv __attribute__((ext_vector_type(VEC)));
#define LOAD_HALVES(p) __builtin_convertvector(*(global const halfv *)(p), floatv)
#endif
#endif
#ifndef LOAD_HALVES
#define LOAD_HALVES(p) JOIN(vloada_half, VEC)(0, p)
#endif
#endif

#pragma OPENCL FP_CONTRACT ON

/* Rows of Q, K and V begin at multiples of VEC elements. */
#if STORED == F32
typedef float stored;
#define LOAD_STORED(p) (*(global const floatv *)(p))
#elif STORED == F16
typedef half stored;
#define LOAD_STORED(p) LOAD_HALVES(p)
#else
typedef ushort stored;
#define LOAD_STORED(p) AS_FLOATS(CONVERT(uint, *(global const VECTOR(ushort) *)(p)) << 16)
#endif

static void store(const floatv value, global stored *to) {
#if STORED == F32
    *(global floatv *)to = value;
#elif STORED == F16
    STORE_HALVES(value, to);
#else /* round to nearest even; a NaN stays one */
    const uintv bits = AS_UINTS(value);
    const uintv rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    *(global VECTOR(ushort) *)to = CONVERT(ushort, isnan(value) ? (bits >> 16 | 0x40) : rounded);
#endif
}

#if CACHED == F32
typedef float cached;
#define LOAD_CACHED(p) (*(global const floatv *)(p))
#elif CACHED == F16
typedef half cached;
#define LOAD_CACHED(p) LOAD_HALVES(p)
#else
typedef char cached;
#define LOAD_CACHED(p) CONVERT(float, CONVERT(int, *(global const VECTOR(char) *)(p)))
#endif
/* An element is what is stored times its row's scale. */
#if CACHED == I8
#define SCALES(name) global const float *restrict name, const ulong name##_offset,
#define SCALE_PITCHES , const ulong key_scale_pitch, const ulong value_scale_pitch
#define SCALE(p, i)  ((p)[i])
#define ROW_SCALES(name, row) (name + name##_offset + (row))
#else
#define SCALES(name)
#define SCALE_PITCHES
#define SCALE(p, i)  1.0f
#define ROW_SCALES(name, row) 0
#endif
#define CACHE                                                                                                \
    global const cached *restrict keys, const ulong keys_offset, SCALES(key_scales)                          \
    global const cached *restrict values, const ulong values_offset, SCALES(value_scales)
/* Elements from a token's queries to the next one's, and from the line of a KV head to the next head's. */
#define PITCHES const ulong query_pitch, const ulong key_pitch, const ulong value_pitch SCALE_PITCHES
/* A head's sink, a logit of no key, has a part of the softmax alone: it joins the weights of all keys, once. */
#if SINKS
#define SINKS_OF , global const float *restrict sinks, const float sink_shift
#define WITH_SINK(weight, maximum, head) ((weight) + exp2(sinks[head] * M_LOG2E_F + sink_shift - (maximum)))
#else
#define SINKS_OF
#define WITH_SINK(weight, maximum, head) (weight)
#endif

/* 2^x for x <= 0, exactly 1 for 0 and 0 below 2^-125, so that no product is denormal. Within 4 units in the
 * last place: x is split into an integer, by adding a number whose last bit counts ones, and a fraction of at
 * most a half, for which a polynomial through the Chebyshev nodes serves. */
INLINE floatv exp2_of(const floatv x) {
    const floatv shifted = x + 0x1.8p23f, f = x - (shifted - 0x1.8p23f);
    floatv p = 0.00133813021f;
    p = p * f + 0.00966636837f;
    p = p * f + 0.0555038117f;
    p = p * f + 0.240223497f;
    p = p * f + 0.693147182f;
    p = p * f + 1.0f;
    return x < -125.0f ? (floatv)0.0f : AS_FLOATS(AS_INTS(p) + (AS_INTS(shifted) << 23));
}

#if VEC == 1
#define ZIP_LOW(a, b)  (a)
#define ZIP_HIGH(a, b) (b)
#elif VEC == 2
#define ZIP_LOW(a, b)  (float2)(a.x, b.x)
#define ZIP_HIGH(a, b) (float2)(a.y, b.y)
#elif VEC == 4
#define ZIP_LOW(a, b)  (float4)(a.x, b.x, a.y, b.y)
#define ZIP_HIGH(a, b) (float4)(a.z, b.z, a.w, b.w)
#elif VEC == 8
#define ZIP_LOW(a, b)  (float8)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3)
#define ZIP_HIGH(a, b) (float8)(a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7)
#else
#define ZIP_LOW(a, b)                                                                                        \
    (float16)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3, a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7)
#define ZIP_HIGH(a, b)                                                                                       \
    (float16)(a.s8, b.s8, a.s9, b.s9, a.sa, b.sa, a.sb, b.sb, a.sc, b.sc, a.sd, b.sd, a.se, b.se, a.sf, b.sf)
#endif

INLINE float maximum_of(const floatv v) {
#if VEC == 1
    return v;
#elif VEC == 2
    return fmax(v.x, v.y);
#else
#if VEC == 16
    const float8 a = v.lo > v.hi ? v.lo : v.hi;
#elif VEC == 8
    const float8 a = v;
#endif
#if VEC == 4
    const float4 b = v;
#else
    const float4 b = a.lo > a.hi ? a.lo : a.hi;
#endif
    return fmax(fmax(b.x, b.y), fmax(b.z, b.w));
#endif
}

/* The sums over the lanes of four vectors. */
INLINE float4 sums_of(const floatv a, const floatv b, const floatv c, const floatv d) {
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

#if VEC == 16
/* Within each quarter of the vectors, as shuffles across are slower. */
#define UNPACK_LOW(a, b)                                                                                     \
    (float16)(a.s0, b.s0, a.s1, b.s1, a.s4, b.s4, a.s5, b.s5, a.s8, b.s8, a.s9, b.s9, a.sc, b.sc, a.sd, b.sd)
#define UNPACK_HIGH(a, b)                                                                                    \
    (float16)(a.s2, b.s2, a.s3, b.s3, a.s6, b.s6, a.s7, b.s7, a.sa, b.sa, a.sb, b.sb, a.se, b.se, a.sf, b.sf)

/* The sums over the lanes of 4 x 4 vectors, row by row. Two rounds add what lies in a quarter of a vector,
 * two more the quarters: v[row + 4 column] are added to those of the next columns. */
INLINE floatv sums_of_tile(const floatv tile[16]) {
    floatv v[16];
#pragma unroll
    for (uint i = 0; i < 16; i++)
        v[i] = tile[i % 4 * 4 + i / 4];
#pragma unroll
    for (uint i = 0; i < 8; i++)
        v[i] = UNPACK_LOW(v[i], v[i + 8]) + UNPACK_HIGH(v[i], v[i + 8]);
#pragma unroll
    for (uint i = 0; i < 4; i++)
        v[i] = UNPACK_LOW(v[i], v[i + 4]) + UNPACK_HIGH(v[i], v[i + 4]);
    const floatv a = (floatv)(v[0].lo, v[1].lo) + (floatv)(v[0].hi, v[1].hi);
    const floatv b = (floatv)(v[2].lo, v[3].lo) + (floatv)(v[2].hi, v[3].hi);
    return (floatv)(a.s0123, a.s89ab, b.s0123, b.s89ab) + (floatv)(a.s4567, a.scdef, b.s4567, b.scdef);
}
#endif

INLINE float sum_of(const floatv v) {
    return sums_of(v, v, v, v).x;
}

/* Makes weights, relative to the largest score so far, of the scores of a row in the vectors [first, end).
 * Keys outside [low, high) get none. Returns the factor that sums so far take. */
INLINE float weigh(floatv *score, const uint first, const uint end, const int low, const int high,
                   float *maximum, float *weight) {
    floatv largest = *maximum, sum = 0.0f;
    for (uint v = first; v < end; v++) {
        floatv value = score[v];
        const int at = v * VEC;
        if (at < low || at + VEC > high) {
            const intv index = INDICES + at;
            value = ((index >= low) & (index < high)) ? value : (floatv)-INFINITY;
            score[v] = value;
        }
        largest = value > largest ? value : largest;
    }
    const float top = maximum_of(largest);
    for (uint v = first; v < end; v++) {
        const floatv value = exp2_of(score[v] - top);
        score[v] = value;
        sum += value;
    }
    const float factor = FIRST(exp2_of((floatv)(*maximum - top)));
    *maximum = top;
    *weight = *weight * factor + sum_of(sum);
    return factor;
}

INLINE void load_query(floatv *query, global const stored *from, const float scale) {
    for (uint i = 0; i < K_VECTORS; i++)
        query[i] = LOAD_STORED(from + i * VEC) * scale;
}

/* ---- prefill ---- */

/* Each round moves the first bit of (row, column) to the end. */
INLINE void transpose(floatv row[VEC]) {
#pragma unroll
    for (uint round = 1; round < VEC; round *= 2) {
        floatv next[VEC];
#pragma unroll
        for (uint r = 0; r < VEC / 2; r++) {
            next[2 * r] = ZIP_LOW(row[r], row[r + VEC / 2]);
            next[2 * r + 1] = ZIP_HIGH(row[r], row[r + VEC / 2]);
        }
#pragma unroll
        for (uint r = 0; r < VEC; r++)
            row[r] = next[r];
    }
}

/* Keys from `first` on as columns: panel[i][key]. Those past the last one repeat it; they are masked later. */
static void pack_keys(floatv *panel, global const cached *keys, global const float *scales, const uint first,
                      const uint end) {
    (void)scales;
    for (uint n = 0; n < COLUMN_TILE; n++)
        for (uint i = 0; i < K_VECTORS; i++) {
            floatv row[VEC];
#pragma unroll
            for (uint r = 0; r < VEC; r++) {
                const uint key = min(first + n * VEC + r, end - 1);
                row[r] = LOAD_CACHED(keys + (ulong)key * HEAD_DIM + i * VEC);
                row[r] *= SCALE(scales, key);
            }
            transpose(row);
#pragma unroll
            for (uint r = 0; r < VEC; r++)
                panel[(i * VEC + r) * COLUMN_TILE + n] = row[r];
        }
}

/* Vectors `column` and the V_TILE - 1 after it of so many values: panel[key][vector]. */
static void pack_values(floatv *panel, global const cached *values, global const float *scales,
                        const uint count, const uint column) {
    (void)scales;
    for (uint j = 0; j < count; j++)
#pragma unroll
        for (uint v = 0; v < V_TILE; v++)
            panel[j * V_TILE + v] =
                LOAD_CACHED(values + (ulong)j * V_DIM + (column + v) * VEC) * SCALE(scales, j);
}

/* sum[i][v] += a[i][j] x b[j][v], j from `first` to `end`. */
INLINE void multiply(floatv *sum, const uint columns, const float *a, const uint a_stride, const floatv *b,
                     const uint first, const uint end) {
    uint j = first;
    for (; j + 4 <= end; j += 4)
#pragma unroll
        for (uint step = 0; step < 4; step++)
#pragma unroll
            for (uint i = 0; i < ROW_TILE; i++)
#pragma unroll
                for (uint v = 0; v < columns; v++)
                    sum[i * columns + v] += a[i * a_stride + j + step] * b[(j + step) * columns + v];
    for (; j < end; j++)
#pragma unroll
        for (uint i = 0; i < ROW_TILE; i++)
#pragma unroll
            for (uint v = 0; v < columns; v++)
                sum[i * columns + v] += a[i * a_stride + j] * b[j * columns + v];
}

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(1, 1, 1))) void
attention_prefill(global const stored *restrict queries, CACHE global stored *restrict outputs,
                  const uint heads, const uint kv_heads, const uint tokens, const uint past,
                  const uint window, const float scale, PITCHES SINKS_OF) {
    floatv query[ROWS * K_VECTORS], score[ROWS * KEY_VECTORS], sum[ROWS * V_VECTORS];
    floatv panel[KEY_PANEL > VALUE_PANEL ? KEY_PANEL : VALUE_PANEL];
    float maximum[ROWS], weight[ROWS], factor[ROWS];
    const uint group = heads / kv_heads, rows = tokens * group;
    /* The longest rows first, so that nobody is left alone with them at the end. */
    const uint first_row = (get_num_groups(0) - 1 - get_group_id(0)) * ROWS;
    const uint tiles = (min((uint)ROWS, rows - first_row) + ROW_TILE - 1) / ROW_TILE;
    const uint kv_head = get_group_id(1), batch = get_group_id(2);
    const ulong kv = (ulong)batch * kv_heads + kv_head;

    keys += keys_offset + kv * key_pitch;
    values += values_offset + kv * value_pitch;
    for (uint r = 0; r < tiles * ROW_TILE; r++) {
        const uint row = min(first_row + r, rows - 1); /* rows past the last repeat it; they write nothing */
        const ulong token = (ulong)batch * tokens + row / group;
        load_query(query + r * K_VECTORS,
                   queries + token * query_pitch + (kv_head * group + row % group) * HEAD_DIM, scale);
        maximum[r] = LOWEST;
        weight[r] = 0.0f;
        for (uint v = 0; v < V_VECTORS; v++)
            sum[r * V_VECTORS + v] = 0.0f;
    }

#define TOKEN(r)     (min(first_row + (r), rows - 1) / group)
#define KEYS_FROM(r) ((int)max(past + TOKEN(r) + 1, window) - (int)window) /* that row r sees */
#define KEYS_TO(r)   ((int)(past + TOKEN(r) + 1))
    const uint end = KEYS_TO(tiles * ROW_TILE - 1);
    for (uint block = KEYS_FROM(0) / PANEL * PANEL; block < end; block += KEY_TILE) {
        const uint count = min((uint)KEY_TILE, end - block);
        for (uint n = 0; n < count; n += PANEL) {
            pack_keys(panel, keys, ROW_SCALES(key_scales, kv * key_scale_pitch), block + n, end);
            for (uint t = 0; t < tiles; t++) {
                const int from = KEYS_FROM(t * ROW_TILE), to = KEYS_TO(t * ROW_TILE + ROW_TILE - 1);
                floatv tile[ROW_TILE * COLUMN_TILE];
                if (to <= (int)(block + n) || from >= (int)(block + n + PANEL))
                    continue;
#pragma unroll
                for (uint i = 0; i < ROW_TILE * COLUMN_TILE; i++)
                    tile[i] = 0.0f;
                multiply(tile, COLUMN_TILE, (const float *)(query + t * ROW_TILE * K_VECTORS), HEAD_DIM,
                         panel, 0, HEAD_DIM);
#pragma unroll
                for (uint i = 0; i < ROW_TILE; i++)
#pragma unroll
                    for (uint v = 0; v < COLUMN_TILE; v++)
                        score[(t * ROW_TILE + i) * KEY_VECTORS + n / VEC + v] = tile[i * COLUMN_TILE + v];
            }
        }
        /* Where a tile's rows see keys of this block: [LOW, HIGH). */
#define LOW(t)  max(KEYS_FROM((t)*ROW_TILE) - (int)block, 0)
#define HIGH(t) min(KEYS_TO((t)*ROW_TILE + ROW_TILE - 1) - (int)block, (int)count)
        for (uint t = 0; t < tiles; t++)
            for (uint r = t * ROW_TILE; r < (t + 1) * ROW_TILE && LOW(t) < HIGH(t); r++)
                factor[r] = weigh(score + r * KEY_VECTORS, LOW(t) / VEC, (HIGH(t) + VEC - 1) / VEC,
                                  KEYS_FROM(r) - (int)block, KEYS_TO(r) - (int)block, maximum + r, weight + r);
        for (uint c = 0; c < V_VECTORS; c += V_TILE) {
            pack_values(panel, values + (ulong)block * V_DIM, ROW_SCALES(value_scales, kv * value_scale_pitch + block),
                        count, c);
            for (uint t = 0; t < tiles; t++) {
                const int low = LOW(t), high = HIGH(t);
                floatv tile[ROW_TILE * V_TILE], *from = sum + t * ROW_TILE * V_VECTORS + c;
                if (low >= high)
                    continue;
#pragma unroll
                for (uint i = 0; i < ROW_TILE; i++)
#pragma unroll
                    for (uint v = 0; v < V_TILE; v++)
                        tile[i * V_TILE + v] = from[i * V_VECTORS + v] * factor[t * ROW_TILE + i];
                multiply(tile, V_TILE, (const float *)(score + t * ROW_TILE * KEY_VECTORS), KEY_TILE, panel,
                         low / VEC * VEC, high);
#pragma unroll
                for (uint i = 0; i < ROW_TILE; i++)
#pragma unroll
                    for (uint v = 0; v < V_TILE; v++)
                        from[i * V_VECTORS + v] = tile[i * V_TILE + v];
            }
        }
    }
    for (uint r = 0; r < ROWS && first_row + r < rows; r++) {
        const uint row = first_row + r;
        const ulong head = ((ulong)batch * tokens + row / group) * heads + kv_head * group + row % group;
        const float share = 1.0f / WITH_SINK(weight[r], maximum[r], kv_head * group + row % group);
        for (uint v = 0; v < V_VECTORS; v++)
            store(sum[r * V_VECTORS + v] * share, outputs + head * V_DIM + v * VEC);
    }
}

/* ---- decode ---- */

/* Calls for so many bytes, PREFETCH ahead. */
#if PREFETCH
INLINE void call_ahead(global const cached *from, const uint bytes) {
#pragma unroll
    for (uint byte = 0; byte < bytes; byte += CACHE_LINE)
        __builtin_prefetch((const char *)(ulong)from + PREFETCH + byte, 0, 3);
}
#else
#define call_ahead(from, bytes)
#endif

/* Of every split of every head: V_DIM sums, the maximum (base 2) and the weight. */
kernel WIDE_VECTORS __attribute__((reqd_work_group_size(1, 1, 1))) void
attention_decode(global const stored *restrict queries, CACHE global float *restrict partials,
                 const uint heads, const uint kv_heads, const uint context, const uint split_keys,
                 const float scale, PITCHES) {
    floatv query[ROWS * K_VECTORS], score[ROWS * KEY_VECTORS], sum[ROWS * V_VECTORS];
    float maximum[ROWS], weight[ROWS], factor[ROWS];
    const uint split = get_group_id(0), splits = get_num_groups(0);
    const uint kv_head = get_group_id(1) % kv_heads, batch = get_group_id(2);
    const uint group = heads / kv_heads, first_row = get_group_id(1) / kv_heads * ROWS;
    const ulong kv = (ulong)batch * kv_heads + kv_head;
    const ulong first_head = (ulong)batch * heads + kv_head * group;
    const uint first = split * split_keys, end = min(first + split_keys, context);
    global const float *key_scale = ROW_SCALES(key_scales, kv * key_scale_pitch);
    global const float *value_scale = ROW_SCALES(value_scales, kv * value_scale_pitch);

    (void)key_scale, (void)value_scale;
    keys += keys_offset + kv * key_pitch;
    values += values_offset + kv * value_pitch;
    for (uint r = 0; r < ROWS; r++) {
        load_query(query + r * K_VECTORS,
                   queries + batch * query_pitch +
                       (kv_head * group + min(first_row + r, group - 1)) * HEAD_DIM,
                   scale);
        maximum[r] = LOWEST;
        weight[r] = 0.0f;
        for (uint v = 0; v < V_VECTORS; v++)
            sum[r * V_VECTORS + v] = 0.0f;
    }
    for (uint block = first; block < end; block += KEY_TILE) {
        const uint count = min((uint)KEY_TILE, end - block);
        for (uint key = 0; key < count; key += KEY_STEP) {
            global const cached *from[KEY_STEP];
            /* Keys past the last repeat it, and are masked below. */
#pragma unroll
            for (uint j = 0; j < KEY_STEP; j++)
                from[j] = keys + (ulong)min(block + key + j, end - 1) * HEAD_DIM;
            call_ahead(from[0], KEY_STEP * HEAD_DIM * sizeof(cached));
            for (uint row = 0; row < ROWS; row += ROW_TILE) {
                floatv tile[ROW_TILE][KEY_STEP];
#pragma unroll
                for (uint r = 0; r < ROW_TILE; r++)
#pragma unroll
                    for (uint j = 0; j < KEY_STEP; j++)
                        tile[r][j] = 0.0f;
                for (uint i = 0; i < K_VECTORS; i++) {
                    floatv column[KEY_STEP];
#pragma unroll
                    for (uint j = 0; j < KEY_STEP; j++)
                        column[j] = LOAD_CACHED(from[j] + i * VEC);
#pragma unroll
                    for (uint r = 0; r < ROW_TILE; r++)
#pragma unroll
                        for (uint j = 0; j < KEY_STEP; j++)
                            tile[r][j] += query[(row + r) * K_VECTORS + i] * column[j];
                }
#if CACHED == I8
                float4 scales;
                for (uint j = 0; j < KEY_STEP; j++)
                    ((float *)&scales)[j] = key_scale[min(block + key + j, end - 1)];
#endif
                float4 sums[ROW_TILE];
#if VEC == 16 && ROW_TILE % 4 == 0
#pragma unroll
                for (uint r = 0; r < ROW_TILE; r += 4)
                    vstore16(sums_of_tile(tile[r]), 0, (float *)(sums + r));
#else
#pragma unroll
                for (uint r = 0; r < ROW_TILE; r++)
                    sums[r] = sums_of(tile[r][0], tile[r][1], tile[r][2], tile[r][3]);
#endif
#pragma unroll
                for (uint r = 0; r < ROW_TILE; r++) {
#if CACHED == I8
                    sums[r] *= scales;
#endif
                    vstore4(sums[r], 0, (float *)(score + (row + r) * KEY_VECTORS) + key);
                }
            }
        }
        for (uint r = 0; r < ROWS; r++) {
            floatv *weights = score + r * KEY_VECTORS;
            factor[r] = weigh(weights, 0, (count + VEC - 1) / VEC, 0, count, maximum + r, weight + r);
#if CACHED == I8
            for (uint j = 0; j < count / VEC; j++)
                weights[j] *= VLOAD(value_scale + block + j * VEC);
            for (uint j = count / VEC * VEC; j < count; j++)
                ((float *)weights)[j] *= value_scale[block + j];
#endif
        }
        for (uint c = 0; c < V_VECTORS; c += V_TILE)
            for (uint row = 0; row < ROWS; row += ROW_TILE) {
                floatv tile[ROW_TILE][V_TILE];
#pragma unroll
                for (uint r = 0; r < ROW_TILE; r++)
#pragma unroll
                    for (uint v = 0; v < V_TILE; v++)
                        tile[r][v] = sum[(row + r) * V_VECTORS + c + v] * factor[row + r];
                for (uint j = 0; j < count; j++) {
                    global const cached *from = values + (ulong)(block + j) * V_DIM + c * VEC;
                    floatv value[V_TILE];
                    if (row == 0 && c == 0) /* whole rows, so that memory sees one stream */
                        call_ahead(from, V_DIM * sizeof(cached));
#pragma unroll
                    for (uint v = 0; v < V_TILE; v++)
                        value[v] = LOAD_CACHED(from + v * VEC);
#pragma unroll
                    for (uint r = 0; r < ROW_TILE; r++) {
                        const float w = ((const float *)(score + (row + r) * KEY_VECTORS))[j];
#pragma unroll
                        for (uint v = 0; v < V_TILE; v++)
                            tile[r][v] += w * value[v];
                    }
                }
#pragma unroll
                for (uint r = 0; r < ROW_TILE; r++)
#pragma unroll
                    for (uint v = 0; v < V_TILE; v++)
                        sum[(row + r) * V_VECTORS + c + v] = tile[r][v];
            }
    }
    for (uint r = 0; r < ROWS && first_row + r < group; r++) {
        global float *partial = partials + ((first_head + first_row + r) * splits + split) * (V_DIM + 2);
        for (uint v = 0; v < V_VECTORS; v++)
            VSTORE(sum[r * V_VECTORS + v], partial + v * VEC);
        partial[V_DIM] = maximum[r];
        partial[V_DIM + 1] = weight[r];
    }
}

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(1, 1, 1))) void
attention_merge(global const float *restrict partials, global stored *restrict outputs,
                const uint splits SINKS_OF) {
    const ulong head = get_group_id(0);
    floatv sum[V_VECTORS];
    float maximum = LOWEST, weight = 0.0f;

    partials += head * splits * (V_DIM + 2);
    for (uint s = 0; s < splits; s++)
        maximum = fmax(maximum, partials[s * (V_DIM + 2) + V_DIM]);
    for (uint v = 0; v < V_VECTORS; v++)
        sum[v] = 0.0f;
    for (uint s = 0; s < splits; s++) {
        global const float *partial = partials + s * (V_DIM + 2);
        const float factor = FIRST(exp2_of((floatv)(partial[V_DIM] - maximum)));
        for (uint v = 0; v < V_VECTORS; v++)
            sum[v] += factor * VLOAD(partial + v * VEC);
        weight += factor * partial[V_DIM + 1];
    }
    for (uint v = 0; v < V_VECTORS; v++)
        store(sum[v] * (1.0f / WITH_SINK(weight, maximum, head % SINKS)), outputs + head * V_DIM + v * VEC);
}
