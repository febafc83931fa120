/* mla.cl - decode attention over a latent that all heads share (multi-head latent attention, absorbed):
 * softmax(scale Q C^T) C[:, :V_DIM] in the online form, f32. OpenCL C 1.2, no extension.
 *
 * Queries [b, heads, K_DIM], cache [b, context, K_DIM], whose first V_DIM elements are the values too, outputs
 * [b, heads, V_DIM]. A row of the cache meets every head, so this is two matrix products a block of KEY_TILE
 * rows with the softmax between them. A group of LANES work-items takes HEAD_TILE heads through a part of the
 * context and leaves sums, maximum and weight for `mla_merge`.
 *
 * Scores come as vectors of VEC heads, ROW_VECTORS of them by KEY_STEP keys in registers, so that the softmax
 * has no sums across lanes; outputs as vectors along the latent, ROW_TILE heads by COLUMN_TILE vectors, of
 * which a work-item owns every LANES-th. Ranges: {LANES x head tiles, splits, b}, merge {LANES x heads, b}. */
#ifndef K_DIM
#define K_DIM 576
#endif
#ifndef V_DIM
#define V_DIM 512
#endif
#ifndef HEAD_TILE /* a multiple of VEC x ROW_VECTORS and of ROW_TILE */
#define HEAD_TILE 16
#endif
#ifndef KEY_TILE /* a multiple of KEY_STEP */
#define KEY_TILE 64
#endif
#ifndef KEY_STEP /* no more than the context */
#define KEY_STEP 16
#endif
#ifndef VEC /* divides K_DIM and V_DIM */
#define VEC 16
#endif
#ifndef ROW_VECTORS
#define ROW_VECTORS 1
#endif
#ifndef ROW_TILE /* divides VEC, or a multiple of it */
#define ROW_TILE 1
#endif
#ifndef COLUMN_TILE /* divides the vectors that a work-item owns */
#define COLUMN_TILE 1
#endif
#ifndef LANES
#define LANES 1
#endif
#ifndef SLICES /* parts of a score's sum, for as many work-items; divides K_DIM */
#define SLICES 1
#endif
#ifndef STAGE /* 1: a block as f32 beside the work-items; 0: from the cache at every use */
#define STAGE 0
#endif
#ifndef AHEAD /* of the next block, in every 4 steps: lines called for; vectors staged, at least 1 */
#define AHEAD 2
#endif
#ifndef PREFETCH /* bytes before what is staged that are called for, where the compiler can; 0: nothing */
#define PREFETCH 0
#endif
#ifndef STORED_F16 /* queries and outputs */
#define STORED_F16 0
#endif
#ifndef KV_F16
#define KV_F16 0
#endif

/* A single element of the cache is an operand as it lies there only in f32 and on one work-item. */
#define STAGED       (STAGE || KV_F16 || LANES > 1)
#define K_VECTORS    (K_DIM / VEC)
#define V_VECTORS    (V_DIM / VEC)
#define LANE_VECTORS ((V_VECTORS + LANES - 1) / LANES)
#define ROW_GROUPS   (HEAD_TILE / VEC)
#define SLICE        (K_DIM / SLICES)
#define STEPS        (SLICE % 4 ? 1 : 4)
#define CACHE_LINE   64
#define LOG2_E       1.44269504088896340736f

/* Compilers that know wider vectors but avoid them would halve the rate. */
#ifdef __has_attribute
#if __has_attribute(min_vector_width)
#define WIDE_VECTORS __attribute__((min_vector_width(512)))
#endif
#endif
#ifndef WIDE_VECTORS
#define WIDE_VECTORS
#endif

#if LANES == 1
#define SHARED private
#define SYNC()
#else
#define SHARED local
#define SYNC() barrier(CLK_LOCAL_MEM_FENCE)
#endif

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#if VEC == 1
typedef float floatv;
typedef uint uintv;
typedef ushort ushortv;
#define VLOAD(p)        (*(p))
#define VSTORE(v, p)    (*(p) = (v))
#define AS_FLOAT(v)     as_float(v)
#define AS_UINT(v)      as_uint(v)
#define LOAD_F16(p)     vload_half(0, p)
#define STORE_F16(v, p) vstore_half(v, 0, p)
#else
typedef JOIN(float, VEC) floatv;
typedef JOIN(uint, VEC) uintv;
typedef JOIN(ushort, VEC) ushortv;
#define VLOAD(p)        JOIN(vload, VEC)(0, p)
#define VSTORE(v, p)    JOIN(vstore, VEC)(v, 0, p)
#define AS_FLOAT(v)     JOIN(as_float, VEC)(v)
#define AS_UINT(v)      JOIN(as_uint, VEC)(v)
#define LOAD_F16(p)     JOIN(vloada_half, VEC)(0, p)
#define STORE_F16(v, p) JOIN(vstorea_half, VEC)(v, 0, p)
#endif

#if STORED_F16 || KV_F16
static floatv load_halves(global const half *p) {
#if LANES > 1 /* whole, where a GPU's driver might load one half after the other */
    const ushortv bits = *(global const ushortv *)p;
    return LOAD_F16((const half *)&bits);
#else
    return LOAD_F16(p);
#endif
}
#endif

/* Rows begin at multiples of VEC elements. */
#if STORED_F16
typedef half stored;
#define LOAD_STORED(p) load_halves(p)
#define STORE(v, p)    STORE_F16(v, p)
#else
typedef float stored;
#define LOAD_STORED(p) (*(global const floatv *)(p))
#define STORE(v, p)    (*(global floatv *)(p) = (v))
#endif
#if KV_F16
typedef half cached;
#define LOAD_CACHED(p) load_halves(p)
#else
typedef float cached;
#define LOAD_CACHED(p) (*(global const floatv *)(p))
#endif

/* Rows of a block as both products read them. */
#if STAGED
#define BLOCK      SHARED const float *
#define ROW_STRIDE (LANES > 1 ? K_DIM + VEC : K_DIM) /* in local memory neighbours lie in different banks */
#else
#define BLOCK      global const float *
#define ROW_STRIDE K_DIM
#endif

#pragma OPENCL FP_CONTRACT ON

/* Before loops over all sums of a work-item. A group's lie in registers; those of one work-item on its own, up to
 * thousands of vectors, do not, and unrolling them would only cost seconds of compilation. */
#if LANES > 1
#define UNROLL_SUMS _Pragma("unroll")
#else
#define UNROLL_SUMS
#endif

#define BUFFERS (LANES == 1 ? 2 : 1) /* one work-item stages the next block while it computes */
struct mla_state {
    floatv query[ROW_GROUPS * K_DIM]; /* times scale and log2(e): weights are powers of two */
    floatv score[SLICES * ROW_GROUPS * KEY_TILE];
    floatv maximum[ROW_GROUPS], weight[ROW_GROUPS], factor[ROW_GROUPS];
#if STAGED
    float row[BUFFERS * KEY_TILE * ROW_STRIDE];
#endif
};

/* What comes after the block at hand, a little of it at a time, so that memory is never idle and conversion
 * fills the gaps between multiplications. */
struct ahead {
    global const cached *next, *end;
#if STAGED && LANES == 1
    float *to;
#endif
};
#if defined(__clang__) && (STAGED ? PREFETCH : AHEAD)
#define CALL_FOR(p) __builtin_prefetch((const void *)(ulong)(p), 0, 2)
#else
#define CALL_FOR(p)
#endif
#if STAGED && LANES == 1
#define GO_AHEAD(ahead)                                                                                      \
    _Pragma("unroll") for (uint i_ = 0; i_ < (AHEAD ? AHEAD : 1); i_++) if ((ahead)->next < (ahead)->end) {  \
        CALL_FOR((global const char *)(ahead)->next + PREFETCH);                                             \
        VSTORE(LOAD_CACHED((ahead)->next), (ahead)->to);                                                     \
        (ahead)->next += VEC;                                                                                \
        (ahead)->to += VEC;                                                                                  \
    }
#elif LANES == 1 && AHEAD
#define GO_AHEAD(ahead)                                                                                      \
    _Pragma("unroll") for (uint i_ = 0; i_ < AHEAD; i_++) {                                                  \
        CALL_FOR((ahead)->next);                                                                             \
        (ahead)->next += (ahead)->next < (ahead)->end ? CACHE_LINE / sizeof(cached) : 0;                     \
    }
#else
#define GO_AHEAD(ahead) (void)(ahead)
#endif

/* 2^x for x <= 0, to 1e-7 of itself; below -126 that of -126, which is nothing beside the largest weight, 1. */
static floatv power_of_two(const floatv x) {
    const float round_bits = 12582912.0f; /* adding 1.5 x 2^23 rounds to an integer */
    const floatv within = max(x, -126.0f), rounded = within + round_bits;
    const floatv f = within - (rounded - round_bits);
    floatv power = 0.00132764725f * f + 0.00967554189f;
    power = power * f + 0.0555071309f;
    power = power * f + 0.240221202f;
    power = power * f + 0.693146944f;
    power = power * f + 1.00000012f;
    return AS_FLOAT(AS_UINT(power) + (AS_UINT(rounded) << 23));
}

static void load_queries(SHARED struct mla_state *state, global const stored *queries, const uint first_row,
                         const uint heads, const float scale, const uint lane) {
    SHARED float *query = (SHARED float *)state->query;
    for (uint i = lane; i < HEAD_TILE * K_VECTORS; i += LANES) {
        /* Rows past the last head repeat it; they write nothing. */
        const uint row = i / K_VECTORS, column = i % K_VECTORS * VEC;
        float element[VEC];
        VSTORE(LOAD_STORED(queries + (ulong)min(first_row + row, heads - 1) * K_DIM + column) * scale,
               element);
#pragma unroll
        for (uint v = 0; v < VEC; v++)
            query[(row / VEC * K_DIM + column + v) * VEC + row % VEC] = element[v];
    }
}

/* The rows that a block computes with. A last one of less than a step begins before itself. */
struct block {
    uint base, skip, count;
};
static struct block block_at(const uint first, const uint end) {
    struct block block = {min(first, end - KEY_STEP), 0, 0};
    block.skip = first - block.base;
    block.count = min(first + KEY_TILE, end) - block.base;
    return block;
}

/* Scores of `count` rows, at least KEY_STEP, but for the first `skip`. The last step repeats rows where it
 * would reach past the end. */
static void score_block(SHARED struct mla_state *state, BLOCK rows, const uint skip, const uint count,
                        struct ahead *ahead, const uint lane) {
    const uint tiles = ROW_GROUPS / ROW_VECTORS;
    const uint tasks = (count + KEY_STEP - 1) / KEY_STEP * tiles * SLICES;
    for (uint task = lane; task < tasks; task += LANES) {
        const uint slice = task % SLICES, group = task / SLICES % tiles * ROW_VECTORS;
        const uint first = task / (SLICES * tiles) * KEY_STEP, start = min(first, count - KEY_STEP);
        SHARED const floatv *query = state->query + group * K_DIM + slice * SLICE;
        BLOCK row = rows + start * ROW_STRIDE + slice * SLICE;
        floatv sum[ROW_VECTORS][KEY_STEP];
#pragma unroll
        for (uint r = 0; r < ROW_VECTORS; r++)
#pragma unroll
            for (uint j = 0; j < KEY_STEP; j++)
                sum[r][j] = 0.0f;
        for (uint i = 0; i < SLICE; i += STEPS) {
            GO_AHEAD(ahead);
#pragma unroll
            for (uint step = 0; step < STEPS; step++)
#pragma unroll
                for (uint r = 0; r < ROW_VECTORS; r++) {
                    const floatv q = query[r * K_DIM + i + step];
#pragma unroll
                    for (uint j = 0; j < KEY_STEP; j++)
                        sum[r][j] += q * row[j * ROW_STRIDE + i + step];
                }
        }
#pragma unroll
        for (uint r = 0; r < ROW_VECTORS; r++)
#pragma unroll
            for (uint j = 0; j < KEY_STEP; j++)
                if (start + j >= max(first, skip))
                    state->score[(slice * ROW_GROUPS + group + r) * KEY_TILE + start + j] = sum[r][j];
    }
    SYNC();
}

/* Turns scores into weights relative to the largest so far. */
static void weigh_block(SHARED struct mla_state *state, const uint skip, const uint count, const uint lane) {
    for (uint group = lane; group < ROW_GROUPS; group += LANES) {
        SHARED floatv *score = state->score + group * KEY_TILE;
        floatv maximum = state->maximum[group], weight = 0.0f;
        for (uint j = skip; j < count; j++) {
#if SLICES > 1
            floatv sum = score[j];
            for (uint slice = 1; slice < SLICES; slice++)
                sum += score[slice * ROW_GROUPS * KEY_TILE + j];
            score[j] = sum;
#endif
            maximum = max(maximum, score[j]);
        }
        for (uint j = skip; j < count; j++) {
            const floatv value = power_of_two(score[j] - maximum);
            score[j] = value;
            weight += value;
        }
        const floatv factor = power_of_two(state->maximum[group] - maximum);
        state->factor[group] = factor;
        state->maximum[group] = maximum;
        state->weight[group] = state->weight[group] * factor + weight;
    }
    SYNC();
}

/* tile += weights of ROW_TILE heads x a row's vectors, COLUMN_TILE of them LANES apart. Lanes past the last
 * vector repeat it; they write nothing. */
static inline __attribute__((always_inline)) void
add_row(floatv tile[ROW_TILE][COLUMN_TILE], BLOCK row, SHARED const float *weights, const uint v,
        const uint lane) {
    floatv value[COLUMN_TILE];
#pragma unroll
    for (uint c = 0; c < COLUMN_TILE; c++) {
        const uint vector = LANES == 1 ? c : min((v + c) * LANES + lane, (uint)(V_VECTORS - 1));
#if STAGED
        value[c] = VLOAD(row + vector * VEC);
#else
        value[c] = *(global const floatv *)(row + vector * VEC);
#endif
    }
#pragma unroll
    for (uint i = 0; i < ROW_TILE; i++) {
        const float weight = weights[i / VEC * (KEY_TILE * VEC) + i % VEC];
#pragma unroll
        for (uint c = 0; c < COLUMN_TILE; c++)
            tile[i][c] += weight * value[c];
    }
}

/* sum = sum * factor + weights x rows, for the vectors that this work-item owns. */
static void add_block(SHARED struct mla_state *state, floatv sum[HEAD_TILE][LANE_VECTORS], BLOCK rows,
                      const uint skip, const uint count, struct ahead *ahead, const uint lane) {
    SHARED const float *factor = (SHARED const float *)state->factor;
    for (uint v = 0; v < LANE_VECTORS; v += COLUMN_TILE)
        for (uint r = 0; r < HEAD_TILE; r += ROW_TILE) {
            floatv tile[ROW_TILE][COLUMN_TILE];
#pragma unroll
            for (uint i = 0; i < ROW_TILE; i++)
#pragma unroll
                for (uint c = 0; c < COLUMN_TILE; c++)
                    tile[i][c] = sum[r + i][v + c] * factor[r + i];
            BLOCK row = rows + skip * ROW_STRIDE + (LANES == 1 ? v * VEC : 0);
            SHARED const float *weights =
                (SHARED const float *)(state->score + r / VEC * KEY_TILE + skip) + r % VEC;
            uint left = count - skip;
            for (; left >= 4; left -= 4, row += 4 * ROW_STRIDE, weights += 4 * VEC) {
                GO_AHEAD(ahead);
#pragma unroll
                for (uint step = 0; step < 4; step++)
                    add_row(tile, row + step * ROW_STRIDE, weights + step * VEC, v, lane);
            }
            for (; left > 0; left--, row += ROW_STRIDE, weights += VEC)
                add_row(tile, row, weights, v, lane);
#pragma unroll
            for (uint i = 0; i < ROW_TILE; i++)
#pragma unroll
                for (uint c = 0; c < COLUMN_TILE; c++)
                    sum[r + i][v + c] = tile[i][c];
        }
    SYNC();
}

/* Partials: V_DIM sums of every split of every head, then of each its maximum (base 2) and weight. */
kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
mla_decode(global const stored *restrict queries, global const cached *restrict cache, const ulong cache_offset,
           global float *restrict partials, const ulong cache_pitch, const uint heads, const uint context,
           const uint split_keys, const float scale) {
    SHARED struct mla_state state;
    floatv sum[HEAD_TILE][LANE_VECTORS];
    const uint lane = get_local_id(0), first_row = get_group_id(0) * HEAD_TILE, batch = get_group_id(2);
    const uint split = get_group_id(1), splits = get_num_groups(1);
    const uint end = min((split + 1) * split_keys, context);
    global const cached *all = cache + cache_offset + batch * cache_pitch;

    load_queries(&state, queries + (ulong)batch * heads * K_DIM, first_row, heads, scale * LOG2_E, lane);
    for (uint group = lane; group < ROW_GROUPS; group += LANES) {
        state.maximum[group] = -INFINITY;
        state.weight[group] = 0.0f;
    }
    UNROLL_SUMS
    for (uint r = 0; r < HEAD_TILE; r++)
        UNROLL_SUMS
        for (uint v = 0; v < LANE_VECTORS; v++)
            sum[r][v] = 0.0f;
    SYNC();
    struct block block = block_at(split * split_keys, end);
#if STAGED && LANES == 1
    struct ahead ahead = {all + (ulong)block.base * K_DIM, all + (ulong)(block.base + block.count) * K_DIM,
                          state.row};
    while (ahead.next < ahead.end)
        GO_AHEAD(&ahead);
#endif
    for (uint first = split * split_keys, turn = 0; first < end; first += KEY_TILE, turn++) {
        const bool last = first + KEY_TILE >= end;
        const struct block next = last ? block : block_at(first + KEY_TILE, end);
#if !STAGED
        global const cached *rows = all + (ulong)block.base * K_DIM;
        struct ahead ahead = {rows + block.count * K_DIM, all + (ulong)(next.base + next.count) * K_DIM};
#elif LANES == 1
        const float *rows = state.row + turn % 2 * (KEY_TILE * K_DIM);
        ahead.next = all + (ulong)next.base * K_DIM;
        ahead.end = ahead.next + (last ? 0 : next.count * K_DIM);
        ahead.to = state.row + (turn + 1) % 2 * (KEY_TILE * K_DIM);
#else
        global const cached *from = all + (ulong)block.base * K_DIM;
        local const float *rows = state.row;
        struct ahead ahead = {0, 0};
        for (uint i = lane; i < block.count * K_VECTORS; i += LANES)
            VSTORE(LOAD_CACHED(from + i * VEC), state.row + i / K_VECTORS * ROW_STRIDE + i % K_VECTORS * VEC);
        SYNC();
#endif
        score_block(&state, rows, block.skip, block.count, &ahead, lane);
        weigh_block(&state, block.skip, block.count, lane);
        add_block(&state, sum, rows, block.skip, block.count, &ahead, lane);
#if STAGED && LANES == 1
        while (ahead.next < ahead.end)
            GO_AHEAD(&ahead);
#endif
        block = next;
    }

    const ulong parts = (ulong)get_num_groups(2) * heads * splits;
    SHARED const float *maximum = (SHARED const float *)state.maximum;
    SHARED const float *weight = (SHARED const float *)state.weight;
    UNROLL_SUMS
    for (uint r = 0; r < HEAD_TILE; r++) {
        const uint row = first_row + r;
        if (row >= heads)
            break;
        const ulong part = ((ulong)batch * heads + row) * splits + split;
        UNROLL_SUMS
        for (uint v = 0; v < LANE_VECTORS; v++) {
            const uint vector = v * LANES + lane;
            if (vector < V_VECTORS)
                VSTORE(sum[r][v], partials + part * V_DIM + vector * VEC);
        }
        if (lane == 0) {
            partials[parts * V_DIM + 2 * part] = maximum[r];
            partials[parts * V_DIM + 2 * part + 1] = weight[r];
        }
    }
}

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
mla_merge(global const float *restrict partials, global stored *restrict outputs, const uint splits) {
    const uint lane = get_local_id(0);
    const ulong heads = (ulong)get_num_groups(0) * get_num_groups(1);
    const ulong head = get_group_id(1) * (ulong)get_num_groups(0) + get_group_id(0);
    global const float *partial = partials + head * splits * V_DIM;
    global const float *parts = partials + heads * splits * V_DIM + 2 * head * splits;
    floatv sum[LANE_VECTORS];
    float maximum = -INFINITY, weight = 0.0f;

    for (uint s = 0; s < splits; s++)
        maximum = max(maximum, parts[2 * s]);
#pragma unroll
    for (uint v = 0; v < LANE_VECTORS; v++)
        sum[v] = 0.0f;
    for (uint s = 0; s < splits; s++) {
        const float factor = exp2(parts[2 * s] - maximum);
        weight += factor * parts[2 * s + 1];
#pragma unroll
        for (uint v = 0; v < LANE_VECTORS; v++) {
            const uint vector = min(v * LANES + lane, (uint)(V_VECTORS - 1));
            sum[v] += factor * VLOAD(partial + (ulong)s * V_DIM + vector * VEC);
        }
    }
    const float share = 1.0f / weight;
#pragma unroll
    for (uint v = 0; v < LANE_VECTORS; v++) {
        const uint vector = v * LANES + lane;
        if (vector < V_VECTORS)
            STORE(sum[v] * share, outputs + head * V_DIM + vector * VEC);
    }
}
