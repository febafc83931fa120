/* attention_group.cl - softmax(scale Q K^T) V without writing the scores (online softmax, f32), by work-groups
 * with local memory: for GPUs. attention.cl is for CPUs. OpenCL C 1.2, no extension.
 *
 * Queries [b, tokens, heads, HEAD_DIM], keys [b, kv_heads, context, HEAD_DIM], values [b, kv_heads, context,
 * V_DIM], outputs [b, tokens, heads, V_DIM]; of an int8 cache a scale for each row, [b, kv_heads, context].
 * Query head h reads KV head h / (heads / kv_heads). `scale` holds log2(e): weights are powers of two. Sinks
 * [heads] are logits as they are, to which `sink_shift` is added in base 2.
 * A group of LANES work-items attends with ROWS queries to blocks of KEY_TILE keys. Prefill: the rows are
 * consecutive tokens of one head, masked causally, each seeing the last `window` keys. Decode: the rows are heads that share a KV head, so that K and V are
 * read once; the context is split among groups, which leave (sum, maximum, weight) for `attention_merge`.
 * Work-items take ROW_TILE x KEY_STEP scores at a time; of the outputs each owns LANE_ROWS rows and every
 * LANES_D-th vector. Ranges: prefill {LANES x query tiles, heads, b}, decode {LANES x splits, kv_heads x head
 * tiles, b}, merge {b x heads x V_DIM}. */
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
#ifndef ROWS /* a multiple of ROW_TILE x LANES / LANES_D */
#define ROWS 16
#endif
#ifndef KEY_TILE /* a multiple of 4 */
#define KEY_TILE 64
#endif
#ifndef VEC /* divides HEAD_DIM and V_DIM */
#define VEC 4
#endif
#ifndef LANES
#define LANES 32
#endif
#ifndef LANES_D /* lanes side by side along V_DIM */
#define LANES_D 32
#endif
#ifndef ROW_TILE
#define ROW_TILE 4
#endif
#ifndef SINKS /* query heads, each with a sink; 0: no head has one */
#define SINKS 0
#endif
#ifndef COLUMN_TILE /* output vectors held in registers; divides those that a work-item owns */
#define COLUMN_TILE 1
#endif

#define KEY_STEP     4
#define K_VECTORS    (HEAD_DIM / VEC)
#define V_VECTORS    (V_DIM / VEC)
#define LANE_ROWS    (ROWS / (LANES / LANES_D))
#define LANE_VECTORS ((V_VECTORS + LANES_D - 1) / LANES_D)
#define ROW_GROUPS   (ROWS / ROW_TILE) /* tiles of scores, whose rows and keys lie so far apart: */
#define KEY_GROUPS   (KEY_TILE / KEY_STEP)
#define STRIDE       (HEAD_DIM + VEC) /* then neighbours in local memory lie in different banks */
#define SCORE_STRIDE (KEY_TILE + 4)
#define SYNC()       barrier(CLK_LOCAL_MEM_FENCE)
/* Of what takes a work-item's sums: called, they would have to lie in memory. */
#define INLINE       static inline __attribute__((always_inline)) void
/* Below every score, and still a number: a difference of two of them is no NaN. */
#define LOWEST -0x1p126f

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#if VEC == 1
#define VECTOR(type)       type
#define CONVERT(type, v)   JOIN(convert_, type)(v)
#define LOAD_HALVES(p)     vload_half(0, p)
#define STORE_HALVES(v, p) vstore_half(v, 0, p)
#define VSTORE(v, p)       (*(p) = (v))
#define AS_FLOATS(v)       as_float(v)
#else
#define VECTOR(type)       JOIN(type, VEC)
#define CONVERT(type, v)   JOIN(JOIN(convert_, type), VEC)(v)
#define LOAD_HALVES(p)     JOIN(vloada_half, VEC)(0, p)
#define STORE_HALVES(v, p) JOIN(vstorea_half, VEC)(v, 0, p)
#define VSTORE(v, p)       JOIN(vstore, VEC)(v, 0, p)
#define AS_FLOATS(v)       JOIN(as_float, VEC)(v)
#endif
typedef VECTOR(float) floatv;

#if STORED == F16 || CACHED == F16
/* Whole, where a driver might load one half after the other. */
static floatv load_halves(global const half *p) {
    const VECTOR(ushort) bits = *(global const VECTOR(ushort) *)p;
    return LOAD_HALVES((const half *)&bits);
}
#endif

/* Rows of Q, K and V begin at multiples of VEC elements. */
#if STORED == F32
typedef float stored;
#define LOAD_STORED(p) (*(global const floatv *)(p))
#define STORE(v, p)    (*(global floatv *)(p) = (v))
#elif STORED == F16
typedef half stored;
#define LOAD_STORED(p) load_halves(p)
#define STORE(v, p)    STORE_HALVES(v, p)
#else
typedef ushort stored;
#define LOAD_STORED(p) AS_FLOATS(CONVERT(uint, *(global const VECTOR(ushort) *)(p)) << 16)
#endif
static void store_one(const float value, global stored *to) {
#if STORED == F32
    *to = value;
#elif STORED == F16
    vstore_half(value, 0, to);
#else /* round to nearest even; a NaN stays one */
    const uint bits = as_uint(value);
    *to = isnan(value) ? (ushort)(bits >> 16 | 0x40) : (ushort)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
#endif
}
#if STORED == BF16
static void STORE(const floatv value, global stored *to) {
    for (uint i = 0; i < VEC; i++)
        store_one(((const float *)&value)[i], to + i);
}
#endif

#if CACHED == F32
typedef float cached;
#define LOAD_CACHED(p) (*(global const floatv *)(p))
#elif CACHED == F16
typedef half cached;
#define LOAD_CACHED(p) load_halves(p)
#else
typedef char cached;
#define LOAD_CACHED(p) CONVERT(float, *(global const VECTOR(char) *)(p))
#endif
/* An element is what is stored times its row's scale. */
#if CACHED == I8
#define SCALES(name)          global const float *restrict name, const ulong name##_offset,
#define SCALE_PITCHES         , const ulong key_scale_pitch, const ulong value_scale_pitch
#define SCALE(p, i)           ((p)[i])
#define ROW_SCALES(name, row) (name + name##_offset + (row))
#else
#define SCALES(name)
#define SCALE_PITCHES
#define SCALE(p, i)           1.0f
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

#pragma OPENCL FP_CONTRACT ON

/* The sums over the lanes of four vectors. */
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

struct softmax_state {
    floatv query[ROWS * STRIDE / VEC]; /* times scale and log2(e): weights are powers of two */
    floatv key[KEY_TILE * STRIDE / VEC];
    float4 score[ROWS * SCORE_STRIDE / 4];
    float maximum[ROWS], weight[ROWS], factor[ROWS];
};

/* What a group attends to: rows of one KV head, of which it reads keys [first, end); row r sees those from
 * `low` + r x step on, below `high` + r x step. */
struct cache {
    global const cached *keys, *values;
    global const float *key_scales, *value_scales;
    uint first, end;
    int low, high, step;
};

/* Scores of a block of keys; those past the last key repeat it and are masked later. */
INLINE score_block(local struct softmax_state *state, const struct cache *cache, const uint first,
                   const uint lane) {
    for (uint i = lane; i < KEY_TILE * K_VECTORS; i += LANES) {
        const uint key = i / K_VECTORS, vector = i % K_VECTORS, at = min(first + key, cache->end - 1);
        state->key[key * (STRIDE / VEC) + vector] =
            LOAD_CACHED(cache->keys + (ulong)at * HEAD_DIM + vector * VEC) * SCALE(cache->key_scales, at);
    }
    SYNC();
    for (uint task = lane; task < KEY_GROUPS * ROW_GROUPS; task += LANES) {
        const uint row = task % ROW_GROUPS, key = task / ROW_GROUPS;
        local const floatv *queries = state->query + row * (STRIDE / VEC);
        local const floatv *keys = state->key + key * (STRIDE / VEC);
        local float *score = (local float *)state->score + row * SCORE_STRIDE + key;
        floatv sum[ROW_TILE][KEY_STEP];
#pragma unroll
        for (uint r = 0; r < ROW_TILE; r++)
#pragma unroll
            for (uint j = 0; j < KEY_STEP; j++)
                sum[r][j] = 0.0f;
        if (first + key < cache->end) {
            for (uint i = 0; i < K_VECTORS; i++) {
                floatv column[KEY_STEP];
#pragma unroll
                for (uint j = 0; j < KEY_STEP; j++)
                    column[j] = keys[j * KEY_GROUPS * (STRIDE / VEC) + i];
#pragma unroll
                for (uint r = 0; r < ROW_TILE; r++) {
                    const floatv query = queries[r * ROW_GROUPS * (STRIDE / VEC) + i];
#pragma unroll
                    for (uint j = 0; j < KEY_STEP; j++)
                        sum[r][j] += query * column[j];
                }
            }
        }
#pragma unroll
        for (uint r = 0; r < ROW_TILE; r++) {
            const float4 sums = sums_of(sum[r][0], sum[r][1], sum[r][2], sum[r][3]);
            local float *to = score + r * ROW_GROUPS * SCORE_STRIDE;
            to[0] = sums.x;
            to[KEY_GROUPS] = sums.y;
            to[2 * KEY_GROUPS] = sums.z;
            to[3 * KEY_GROUPS] = sums.w;
        }
    }
    SYNC();
}

/* Turns scores into weights relative to the largest so far; keys that a row does not see get none. */
INLINE weigh_block(local struct softmax_state *state, const struct cache *cache, const uint first,
                   const uint lane) {
    for (uint row = lane; row < ROWS; row += LANES) {
        local float4 *score = state->score + row * (SCORE_STRIDE / 4);
        const int low = cache->low + (int)row * cache->step - (int)first;
        const int high = min(cache->high + (int)row * cache->step, (int)cache->end) - (int)first;
        const float4 nothing = -INFINITY;
        const int4 index = (int4)(0, 1, 2, 3);
        float4 largest = nothing, weight = 0.0f;
        for (int j = 0; j < KEY_TILE; j += 4) {
            const float4 value = select(nothing, score[j / 4], (index + j >= low) & (index + j < high));
            score[j / 4] = value;
            largest = fmax(largest, value);
        }
        const float maximum =
            fmax(state->maximum[row], fmax(fmax(largest.x, largest.y), fmax(largest.z, largest.w)));
        for (int j = 0; j < KEY_TILE; j += 4) {
            const float4 value = exp2(score[j / 4] - maximum);
            score[j / 4] = value;
            weight += value;
        }
        const float factor = exp2(state->maximum[row] - maximum);
        state->factor[row] = factor;
        state->maximum[row] = maximum;
        state->weight[row] = state->weight[row] * factor + (weight.x + weight.y + (weight.z + weight.w));
    }
    SYNC();
}

/* sum = sum * factor + weights x values, for the rows and vectors that this work-item owns. */
INLINE add_block(local struct softmax_state *state, floatv sum[LANE_ROWS][LANE_VECTORS],
                 const struct cache *cache, const uint first, const uint lane) {
    const uint keys = min((uint)KEY_TILE, cache->end - first);
    const uint own_row = lane / LANES_D * LANE_ROWS, lane_d = lane % LANES_D;
#pragma unroll
    for (uint v = 0; v < LANE_VECTORS; v += COLUMN_TILE) {
#pragma unroll
        for (uint r = 0; r < LANE_ROWS; r += ROW_TILE) {
            floatv tile[ROW_TILE][COLUMN_TILE];
#pragma unroll
            for (uint i = 0; i < ROW_TILE; i++)
#pragma unroll
                for (uint c = 0; c < COLUMN_TILE; c++)
                    tile[i][c] = sum[r + i][v + c] * state->factor[own_row + r + i];
            /* Four keys at a time; those past the last one repeat it, with the weight that masked ones have: none. */
            for (uint j = 0; j < keys; j += 4) {
                float weight[ROW_TILE][4];
#pragma unroll
                for (uint i = 0; i < ROW_TILE; i++)
                    vstore4(state->score[(own_row + r + i) * (SCORE_STRIDE / 4) + j / 4], 0, weight[i]);
#pragma unroll
                for (uint step = 0; step < 4; step++) {
                    const uint at = min(first + j + step, cache->end - 1);
                    floatv value[COLUMN_TILE];
#pragma unroll
                    for (uint c = 0; c < COLUMN_TILE; c++) {
                        /* Lanes past the last vector repeat it; they write nothing. */
                        const uint vector = min((v + c) * LANES_D + lane_d, (uint)(V_VECTORS - 1));
                        value[c] = LOAD_CACHED(cache->values + (ulong)at * V_DIM + vector * VEC) *
                                   SCALE(cache->value_scales, at);
                    }
#pragma unroll
                    for (uint i = 0; i < ROW_TILE; i++)
#pragma unroll
                        for (uint c = 0; c < COLUMN_TILE; c++)
                            tile[i][c] += weight[i][step] * value[c];
                }
            }
#pragma unroll
            for (uint i = 0; i < ROW_TILE; i++)
#pragma unroll
                for (uint c = 0; c < COLUMN_TILE; c++)
                    sum[r + i][v + c] = tile[i][c];
        }
    }
    SYNC();
}

/* Attends with the rows in state->query to the keys of the cache. */
INLINE attend(local struct softmax_state *state, floatv sum[LANE_ROWS][LANE_VECTORS],
              const struct cache *cache, const uint lane) {
    for (uint row = lane; row < ROWS; row += LANES) {
        state->maximum[row] = LOWEST;
        state->weight[row] = 0.0f;
    }
#pragma unroll
    for (uint r = 0; r < LANE_ROWS; r++)
#pragma unroll
        for (uint v = 0; v < LANE_VECTORS; v++)
            sum[r][v] = 0.0f;
    SYNC();
    for (uint block = cache->first; block < cache->end; block += KEY_TILE) {
        score_block(state, cache, block, lane);
        weigh_block(state, cache, block, lane);
        add_block(state, sum, cache, block, lane);
    }
}

static void load_query(local struct softmax_state *state, const uint row, global const stored *query,
                       const uint vector, const float scale) {
    state->query[row * (STRIDE / VEC) + vector] = LOAD_STORED(query + vector * VEC) * scale;
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
attention_prefill(global const stored *restrict queries, CACHE global stored *restrict outputs,
                  const uint heads, const uint kv_heads, const uint tokens, const uint past,
                  const uint window, const float scale, PITCHES SINKS_OF) {
    local struct softmax_state state;
    floatv sum[LANE_ROWS][LANE_VECTORS];
    const uint lane = get_local_id(0), head = get_group_id(1), batch = get_group_id(2);
    /* The longest rows first, so that no group is left alone with them at the end. */
    const uint first_row = (get_num_groups(0) - 1 - get_group_id(0)) * ROWS;
    const uint context = past + tokens;
    const ulong kv = (ulong)batch * kv_heads + head / (heads / kv_heads);

    for (uint i = lane; i < ROWS * K_VECTORS; i += LANES) {
        /* Rows past the last token repeat it; they write nothing. */
        const uint token = min(first_row + i / K_VECTORS, tokens - 1);
        load_query(&state, i / K_VECTORS,
                   queries + ((ulong)batch * tokens + token) * query_pitch + head * HEAD_DIM, i % K_VECTORS,
                   scale);
    }
    const struct cache cache = {.keys = keys + keys_offset + kv * key_pitch,
                                .values = values + values_offset + kv * value_pitch,
                                .key_scales = ROW_SCALES(key_scales, kv * key_scale_pitch),
                                .value_scales = ROW_SCALES(value_scales, kv * value_scale_pitch),
                                .first = max(past + first_row + 1, window) - window,
                                .end = min(past + first_row + ROWS, context),
                                .low = (int)(past + first_row + 1) - (int)window,
                                .high = past + first_row + 1,
                                .step = 1};
    attend(&state, sum, &cache, lane);

    const uint own_row = lane / LANES_D * LANE_ROWS;
#pragma unroll
    for (uint r = 0; r < LANE_ROWS; r++) {
        const uint token = first_row + own_row + r;
        const float share = 1.0f / WITH_SINK(state.weight[own_row + r], state.maximum[own_row + r], head);
        if (token >= tokens)
            break;
#pragma unroll
        for (uint v = 0; v < LANE_VECTORS; v++) {
            const uint vector = v * LANES_D + lane % LANES_D;
            if (vector < V_VECTORS)
                STORE(sum[r][v] * share,
                      outputs + (((ulong)batch * tokens + token) * heads + head) * V_DIM + vector * VEC);
        }
    }
}

/* Of every split of every head: V_DIM sums, the maximum (base 2) and the weight. */
kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
attention_decode(global const stored *restrict queries, CACHE global float *restrict partials,
                 const uint heads, const uint kv_heads, const uint context, const uint split_keys,
                 const float scale, PITCHES) {
    local struct softmax_state state;
    floatv sum[LANE_ROWS][LANE_VECTORS];
    const uint lane = get_local_id(0), split = get_group_id(0), splits = get_num_groups(0);
    const uint kv_head = get_group_id(1) % kv_heads, batch = get_group_id(2);
    const uint group_heads = heads / kv_heads, first_row = get_group_id(1) / kv_heads * ROWS;
    const ulong kv = (ulong)batch * kv_heads + kv_head;
    const ulong first_head = (ulong)batch * heads + kv_head * group_heads;
    for (uint i = lane; i < ROWS * K_VECTORS; i += LANES)
        load_query(&state, i / K_VECTORS,
                   queries + batch * query_pitch +
                       (kv_head * group_heads + min(first_row + i / K_VECTORS, group_heads - 1)) * HEAD_DIM,
                   i % K_VECTORS, scale);
    const struct cache cache = {.keys = keys + keys_offset + kv * key_pitch,
                                .values = values + values_offset + kv * value_pitch,
                                .key_scales = ROW_SCALES(key_scales, kv * key_scale_pitch),
                                .value_scales = ROW_SCALES(value_scales, kv * value_scale_pitch),
                                .first = split * split_keys,
                                .end = min((split + 1) * split_keys, context),
                                .high = context};
    attend(&state, sum, &cache, lane);

    const uint own_row = lane / LANES_D * LANE_ROWS;
#pragma unroll
    for (uint r = 0; r < LANE_ROWS; r++) {
        const uint row = first_row + own_row + r;
        if (row >= group_heads)
            break;
        global float *partial = partials + ((first_head + row) * splits + split) * (V_DIM + 2);
#pragma unroll
        for (uint v = 0; v < LANE_VECTORS; v++) {
            const uint vector = v * LANES_D + lane % LANES_D;
            if (vector < V_VECTORS)
                VSTORE(sum[r][v], partial + vector * VEC);
        }
        if (lane % LANES_D == 0) {
            partial[V_DIM] = state.maximum[own_row + r];
            partial[V_DIM + 1] = state.weight[own_row + r];
        }
    }
}

kernel void attention_merge(global const float *restrict partials, global stored *restrict outputs,
                            const uint splits SINKS_OF) {
    const uint column = get_global_id(0) % V_DIM;
    const ulong head = get_global_id(0) / V_DIM;
    global const float *partial = partials + head * splits * (V_DIM + 2);
    float maximum = LOWEST, sum = 0.0f, weight = 0.0f;

    for (uint s = 0; s < splits; s++)
        maximum = fmax(maximum, partial[s * (V_DIM + 2) + V_DIM]);
    for (uint s = 0; s < splits; s++) {
        const float factor = exp2(partial[s * (V_DIM + 2) + V_DIM] - maximum);
        sum += factor * partial[s * (V_DIM + 2) + column];
        weight += factor * partial[s * (V_DIM + 2) + V_DIM + 1];
    }
    store_one(sum / WITH_SINK(weight, maximum, head % SINKS), outputs + head * V_DIM + column);
}
