/* gemm.cl - outputs[m,n] = activations[m,k] x weights[k,n], accumulated in f32, or in i32 where weights and
 * activations are int8. OpenCL C 1.2, no extension.
 *
 * Weights lie in column panels of PANEL_N columns: element (n, k) is number
 * n / PANEL_N * PANEL_N * K + k * PANEL_N + n % PANEL_N, the last panel padded. Of int4, K is k rounded up to
 * 32 and two neighbours of k share a byte: k / 2 * 2 * PANEL_N + n % PANEL_N * 2 + k % 2 within the panel.
 *
 * Rows of activations and of outputs lie pitches apart. pack_activations copies the activations aside as f32
 * in tiles of PACK_M rows, so that the multiplication reads them one after the other: blocks of BLOCK_K
 * columns, of each all tiles, of each column the rows.
 * int8 x int8 takes the f32 pipe too: products are below 2^14, so sums of up to 1024 of them are exact; they
 * go over into i32 block by block.
 *
 * GROUPED 0, for CPUs: a work-item takes BLOCK_M rows of one panel through, BLOCK_K columns at a time. A
 * block of weights stays in its first caches while all tiles of TILE_M x TILE_N pass it, and the next one is
 * called for meanwhile. Range: {panels} x {m blocks}, so that neighbours share activations. GROUPED 1, for
 * GPUs: a work-group computes BLOCK_M x PANEL_N from local memory, double-buffered; a work-item TILE_M x
 * TILE_N of it, in sub-tiles of VEC x VEC. Range: {items x panels} x {m blocks}. */
#define F32  0
#define F16  1
#define BF16 2
#define I8   3
#define I4   4

#ifndef WEIGHT /* formats: one of the above */
#define WEIGHT F32
#endif
#ifndef ACTIVATION /* and of the outputs */
#define ACTIVATION F32
#endif
#ifndef QUANTISE /* activations to int8, a scale for each row */
#define QUANTISE 0
#endif
#ifndef GROUPED
#define GROUPED 0
#endif
#ifndef PANEL_N
#define PANEL_N 32
#endif
#ifndef TILE_N
#define TILE_N 32
#endif
#ifndef TILE_M
#define TILE_M 8
#endif
#ifndef BLOCK_M
#define BLOCK_M 128
#endif
#ifndef BLOCK_K
#define BLOCK_K 256
#endif
#ifndef VEC /* columns of one vector */
#define VEC 16
#endif
#ifndef STAGE /* convert a block of weights once, before its tiles; 0: at every use */
#define STAGE 0
#endif
#ifndef PREFETCH /* cache lines of the next block called for every 4 columns */
#define PREFETCH 0
#endif
#ifndef ROUTED /* each row to an expert's weights, by a routing table; see below */
#define ROUTED 0
#endif
#ifndef PACK_LANES /* work-items that pack one block of one tile */
#define PACK_LANES 1
#endif

#define SCALED_GROUPS (WEIGHT == I4) /* an f16 scale for every 32 k of a column */
#define SCALED_COLUMN (WEIGHT == I8) /* an f32 scale for every column */
#define GROUP_K       32
#define PACK_M        (GROUPED ? BLOCK_M : TILE_M)
#define CACHE_LINE    64

/* Compilers that know wider vectors but avoid them would halve the rate. */
#ifdef __has_attribute
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
#define VECTOR(type)       type
#define VLOAD(p)           (*(p))
#define VSTORE(v, p)       (*(p) = (v))
#define CONVERT(type, v)   JOIN(convert_, type)(v)
#define LOAD_HALVES(p)     vload_half(0, p)
#define STORE_HALVES(v, p) vstore_half(v, 0, p)
#define AS_FLOATS(v)       as_float(v)
#define AS_UINTS(v)        as_uint(v)
#else
#define VECTOR(type)       JOIN(type, VEC)
#define VLOAD(p)           JOIN(vload, VEC)(0, p)
#define VSTORE(v, p)       JOIN(vstore, VEC)(v, 0, p)
#define CONVERT(type, v)   JOIN(JOIN(convert_, type), VEC)(v)
#define LOAD_HALVES(p)     JOIN(vloada_half, VEC)(0, p)
#define STORE_HALVES(v, p) JOIN(vstore_half, VEC)(v, 0, p)
#define AS_FLOATS(v)       JOIN(as_float, VEC)(v)
#define AS_UINTS(v)        JOIN(as_uint, VEC)(v)
#endif
typedef VECTOR(float) floatv;
typedef VECTOR(int) intv;
typedef VECTOR(uint) uintv;

#if WEIGHT == F32
typedef float weight_t;
#elif WEIGHT == F16
typedef half weight_t;
#elif WEIGHT == BF16
typedef ushort weight_t;
#elif WEIGHT == I8
typedef char weight_t;
#else
typedef uchar weight_t;
#endif
#if SCALED_GROUPS
typedef half scale_t;
#else
typedef float scale_t;
#endif

#if ACTIVATION == F32
typedef float activation_t;
#define LOAD_ACTIVATION(p) (*(p))
#elif ACTIVATION == F16
typedef half activation_t;
#define LOAD_ACTIVATION(p) vload_half(0, p)
#else
typedef ushort activation_t;
#define LOAD_ACTIVATION(p) as_float((uint) * (p) << 16)
#endif

#pragma OPENCL FP_CONTRACT ON

#if ACTIVATION == BF16
/* Round to nearest even; a NaN stays one. */
static ushort bf16_from(const float value) {
    const uint bits = as_uint(value);
    return isnan(value) ? (ushort)(bits >> 16 | 0x40) : (ushort)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
#endif

static void store_one(const float value, global activation_t *to) {
#if ACTIVATION == F32
    *to = value;
#elif ACTIVATION == F16
    vstore_half(value, 0, to);
#else
    *to = bf16_from(value);
#endif
}

static void store_outputs(const floatv value, global activation_t *to, const uint count) {
    if (count < VEC) {
#if GROUPED /* by index, a vector would have to lie in memory */
#pragma unroll
#endif
        for (uint i = 0; i < VEC; i++)
            if (i < count)
                store_one(((const float *)&value)[i], to + i);
        return;
    }
#if ACTIVATION == F32
    VSTORE(value, to);
#elif ACTIVATION == F16
    STORE_HALVES(value, to);
#else
    const uintv bits = AS_UINTS(value), rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    VSTORE(CONVERT(ushort, isnan(value) ? (bits >> 16 | 0x40) : rounded), to);
#endif
}

#if WEIGHT == I4
static floatv from_nibbles(const uintv pair, const uint j) {
    /* 2^23 + x has the integer x in its mantissa. */
    return AS_FLOATS((j % 2 ? pair >> 4 : pair & 15) | 0x4b000000) - (0x1p23f + 8);
}
#endif

#if !GROUPED
/* VEC weights of one k as they are stored, of int4 without their scales. `w` is the first of a run that
 * starts at an even k; j counts from there. */
static floatv load_weights(global const weight_t *w, const uint j, const uint column) {
#if WEIGHT == F32
    return *(global const floatv *)(w + j * PANEL_N + column);
#elif WEIGHT == F16
    return LOAD_HALVES(w + j * PANEL_N + column);
#elif WEIGHT == BF16
    return AS_FLOATS(CONVERT(uint, *(global const VECTOR(ushort) *)(w + j * PANEL_N + column)) << 16);
#elif WEIGHT == I8
    return CONVERT(float, CONVERT(int, *(global const VECTOR(char) *)(w + j * PANEL_N + column)));
#else
    return from_nibbles(CONVERT(uint, *(global const VECTOR(uchar) *)(w + j / 2 * PANEL_N + column)), j);
#endif
}
#endif

#if SCALED_COLUMN || (SCALED_GROUPS && !GROUPED)
static floatv load_scales(global const scale_t *p) {
#if SCALED_GROUPS
    return LOAD_HALVES(p);
#else
    return *(global const floatv *)p;
#endif
}
#endif

#if GROUPED
/* Loads in two steps: converted at once, weights would have to have come before anything else is done. Between
 * the steps they are whole words, so that narrow formats take few registers. Zero bits, with a scale of zero bits,
 * are a weight of 0. */
#if VEC == 1
typedef uchar bytes_v;
typedef ushort shorts_v;
#elif VEC == 2
typedef ushort bytes_v;
typedef uint shorts_v;
#elif VEC == 4
typedef uint bytes_v;
typedef uint2 shorts_v;
#elif VEC == 8
typedef uint2 bytes_v;
typedef uint4 shorts_v;
#else
typedef uint4 bytes_v;
typedef uint8 shorts_v;
#endif
#if VEC == 1
#define AS_VECTOR(type, v) JOIN(as_, type)(v)
#else
#define AS_VECTOR(type, v) JOIN(JOIN(as_, type), VEC)(v)
#endif
#if WEIGHT == F32
typedef floatv raw_weights;
#elif WEIGHT == F16 || WEIGHT == BF16
typedef shorts_v raw_weights;
#else
typedef bytes_v raw_weights;
#endif

static raw_weights load_raw(global const weight_t *w, const uint j, const uint column) {
    return *(global const raw_weights *)(w + (WEIGHT == I4 ? j / 2 : j) * PANEL_N + column);
}

static floatv from_raw(const raw_weights raw, const shorts_v scales, const uint j) {
    (void)scales, (void)j;
#if WEIGHT == F32
    return raw;
#elif WEIGHT == F16
    return LOAD_HALVES((const half *)&raw); /* from registers */
#elif WEIGHT == BF16
    return AS_FLOATS(CONVERT(uint, AS_VECTOR(ushort, raw)) << 16);
#elif WEIGHT == I8
    return CONVERT(float, CONVERT(int, AS_VECTOR(char, raw)));
#else
    return from_nibbles(CONVERT(uint, AS_VECTOR(uchar, raw)), j) * LOAD_HALVES((const half *)&scales);
#endif
}
#endif

/* Stored elements of `rows` rows of a panel, and of a whole one. */
#if WEIGHT == I4
#define ELEMENTS_STORED   2 /* in a weight_t; offsets count elements */
#define ROWS_STORED(rows) ((rows) / 2 * PANEL_N)
#define PANEL_STORED      ((ulong)((k + GROUP_K - 1) / GROUP_K) * (GROUP_K / 2) * PANEL_N)
#else
#define ELEMENTS_STORED   1
#define ROWS_STORED(rows) ((rows)*PANEL_N)
#define PANEL_STORED      ((ulong)k * PANEL_N)
#endif

#define PANEL_SCALES ((k + GROUP_K - 1) / GROUP_K * PANEL_N) /* of int4 */

/* Sums over blocks: of int8 x int8 in i32, else in f32 from the first to the last column. */
#define EXACT_SUM 1024
#if QUANTISE
#define ROW_SCALES                 global const float *restrict row_scales,
#define TOTAL                      intv
#define ROW_SCALE(row)             row_scales[row]
#define AS_RESULT(total)           CONVERT(float, total)
#define START(is_first, before)    0.0f
#define ADD(is_first, before, sum) ((is_first) ? CONVERT(int, sum) : (before) + CONVERT(int, sum))
#else
#define ROW_SCALES
#define TOTAL                      floatv
#define ROW_SCALE(row)             1.0f
#define AS_RESULT(total)           (total)
#define START(is_first, before)    ((is_first) ? (floatv)0.0f : (before))
#define ADD(is_first, before, sum) (sum)
#endif

/* ROUTED: the weights are those of all experts, one after the other. Tiles of rows belong to one expert each;
 * there may be more of them than there are rows for. The routing table tells, m being the rows of all tiles,
 * of each of them the row of the activations (the first of an unused tile: -1; further rows of a tile repeat
 * one) and the row of the outputs (-1: none), and of each block of tiles the expert (-1: no block), the first
 * tile and their number. */
#if ROUTED
#define ROUTING         global const int *restrict routing, const ulong routing_offset,
#define SOURCE_ROW(row) routing[routing_offset + (row)]
#define OUTPUT_ROW(row) routing[routing_offset + m + (row)]
#define BLOCK(index)    (routing + routing_offset + 2 * (ulong)m + 3 * (index))
#define EXPERT(matrix)  ((ulong)expert * get_num_groups(0) * (matrix))
#else
#define ROUTING
#define SOURCE_ROW(row) min(row, m - 1)
#define OUTPUT_ROW(row) ((row) < m ? (int)(row) : -1)
#define EXPERT(matrix)  0
#endif

/* row_scales[i] = max |activations of row i| / 127, for rows up to a whole tile. */
kernel __attribute__((reqd_work_group_size(PACK_LANES, 1, 1))) void
scale_rows(global const activation_t *restrict activations, ROUTING global float *restrict row_scales,
           const ulong pitch, const uint m, const uint k) {
    const uint row = get_group_id(0), lane = get_local_id(0);
    const int source = SOURCE_ROW(row);
    if (source < 0)
        return;
    global const activation_t *from = activations + source * pitch;
    float largest = 0;
    for (uint j = lane; j < k; j += PACK_LANES)
        largest = fmax(largest, fabs(LOAD_ACTIVATION(from + j)));
#if PACK_LANES > 1
    local float lanes[PACK_LANES];
    lanes[lane] = largest;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint i = 0; i < PACK_LANES; i++)
        largest = fmax(largest, lanes[i]);
    if (lane == 0)
#endif
        row_scales[row] = largest / 127;
}

/* Range: {tiles of PACK_M rows x PACK_LANES} x {blocks of BLOCK_K columns}. Rows past the last repeat it;
 * their outputs are dropped. */
kernel __attribute__((reqd_work_group_size(PACK_LANES, 1, 1))) void
pack_activations(global const activation_t *restrict activations, ROUTING ROW_SCALES global float *restrict packed,
                 const ulong pitch, const uint m, const uint k) {
    const uint tile = get_group_id(0), tiles = get_num_groups(0), k0 = get_group_id(1) * BLOCK_K;
    const uint columns = min((uint)BLOCK_K, k - k0);
#if ROUTED
    if (SOURCE_ROW(tile * PACK_M) < 0)
        return;
#endif
    global float *to = packed + ((ulong)k0 * tiles + (ulong)tile * columns) * PACK_M;
#if GROUPED /* neighbours write side by side; what they read of a row's cache line serves the next columns */
    for (uint at = get_local_id(0); at < columns * PACK_M; at += PACK_LANES) {
        const uint i = at % PACK_M, j = at / PACK_M;
#else
    for (uint j = get_local_id(0); j < columns; j += PACK_LANES)
#pragma unroll
        for (uint i = 0; i < PACK_M; i++) {
#endif
            const uint row = tile * PACK_M + i;
            float value = LOAD_ACTIVATION(activations + SOURCE_ROW(row) * pitch + k0 + j);
#if QUANTISE
            value = row_scales[row] > 0 ? rint(value / row_scales[row]) : 0;
#endif
            to[j * PACK_M + i] = value;
        }
}

/* Stores VEC results of a row from `column` on, those of int8 with their scales. */
static void finish(const TOTAL total, const uint row, const uint column, const uint n,
                   global const scale_t *scales, const float row_scale, global activation_t *outputs,
                   const ulong pitch) {
    floatv value = AS_RESULT(total) * row_scale;
    (void)scales;
#if SCALED_COLUMN
    value *= load_scales(scales + column);
#endif
    if (column < n)
        store_outputs(value, outputs + row * pitch + column, min((uint)VEC, n - column));
}

#if !GROUPED
/* Columns between loads of scales. */
#define SEGMENT       (SCALED_GROUPS && !STAGE ? GROUP_K : BLOCK_K)
#define TILE_VECTORS  (TILE_N / VEC)
#define PANEL_VECTORS (PANEL_N / VEC)

/* sum += the `steps` columns of a tile from j on x weights. */
static inline __attribute__((always_inline)) void
multiply(floatv sum[TILE_M][TILE_VECTORS], global const float *a, global const weight_t *w,
         const floatv *staged, const floatv scale[TILE_VECTORS], const uint column, const uint j,
         const uint steps) {
    (void)w, (void)staged, (void)scale, (void)column;
#pragma unroll
    for (uint step = 0; step < steps; step++) {
        floatv weight[TILE_VECTORS];
#pragma unroll
        for (uint v = 0; v < TILE_VECTORS; v++) {
#if STAGE
            weight[v] = staged[(j + step) * PANEL_VECTORS + column / VEC + v];
#else
            weight[v] = load_weights(w, j + step, column + v * VEC);
#if SCALED_GROUPS
            weight[v] *= scale[v];
#endif
#endif
        }
#pragma unroll
        for (uint i = 0; i < TILE_M; i++)
#pragma unroll
            for (uint v = 0; v < TILE_VECTORS; v++)
                sum[i][v] += a[(j + step) * TILE_M + i] * weight[v];
    }
}

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(1, 1, 1))) void
gemm(global const weight_t *restrict weights, const ulong weights_offset,
#if SCALED_GROUPS || SCALED_COLUMN
     global const scale_t *restrict scales, const ulong scales_offset,
#endif
     ROUTING ROW_SCALES global const float *restrict packed, global activation_t *restrict outputs,
     const ulong outputs_pitch, const uint m, const uint n, const uint k) {
    const uint panel = get_group_id(0), tiles = (m + TILE_M - 1) / TILE_M;
#if ROUTED
    global const int *rows = BLOCK(get_group_id(1));
    const int expert = rows[0];
    const uint first_tile = rows[1], tile_count = rows[2];
    if (expert < 0)
        return;
#else
    const uint first_tile = get_group_id(1) * (BLOCK_M / TILE_M);
    const uint tile_count = min((uint)(BLOCK_M / TILE_M), tiles - first_tile);
#endif
    global const weight_t *w =
        weights + weights_offset / ELEMENTS_STORED + EXPERT(PANEL_STORED) + PANEL_STORED * panel;
#if SCALED_GROUPS
    global const scale_t *s = scales + scales_offset + EXPERT(PANEL_SCALES) + (ulong)panel * PANEL_SCALES;
#elif SCALED_COLUMN
    global const scale_t *s = scales + scales_offset + EXPERT(PANEL_N);
#else
    global const scale_t *s = 0;
#endif
    TOTAL partial[BLOCK_M * PANEL_VECTORS];
#if STAGE
    floatv staged[BLOCK_K * PANEL_VECTORS];
#else
    const floatv *staged = 0;
#endif

    for (uint k0 = 0; k0 < k; k0 += BLOCK_K) {
        const uint columns = min((uint)BLOCK_K, k - k0);
        global const weight_t *block = w + ROWS_STORED(k0);
        global const float *a = packed + ((ulong)k0 * tiles + (ulong)first_tile * columns) * TILE_M;
#if PREFETCH
        global const char *next = (global const char *)(block + ROWS_STORED(columns));
        global const char *next_end = next + ROWS_STORED(BLOCK_K) * sizeof(weight_t);
#endif
#if STAGE
        for (uint j = 0; j < columns; j++)
#pragma unroll
            for (uint v = 0; v < PANEL_VECTORS; v++) {
                floatv weight = load_weights(block, j, v * VEC);
#if SCALED_GROUPS
                weight *= load_scales(s + (k0 + j) / GROUP_K * PANEL_N + v * VEC);
#endif
                staged[j * PANEL_VECTORS + v] = weight;
            }
#endif
        for (uint t = 0; t < tile_count; t++, a += columns * TILE_M)
            for (uint column = 0; column < PANEL_N; column += TILE_N) {
                TOTAL *before = partial + t * TILE_M * PANEL_VECTORS + column / VEC;
                floatv sum[TILE_M][TILE_VECTORS], scale[TILE_VECTORS];
#pragma unroll
                for (uint i = 0; i < TILE_M; i++)
#pragma unroll
                    for (uint v = 0; v < TILE_VECTORS; v++)
                        sum[i][v] = START(k0 == 0, before[i * PANEL_VECTORS + v]);
                for (uint j0 = 0; j0 < columns; j0 += SEGMENT) {
                    const uint end = min(j0 + SEGMENT, columns);
                    uint j = j0;
#if SCALED_GROUPS && !STAGE
#pragma unroll
                    for (uint v = 0; v < TILE_VECTORS; v++)
                        scale[v] = load_scales(s + (k0 + j0) / GROUP_K * PANEL_N + column + v * VEC);
#endif
                    for (; j + 4 <= end; j += 4) {
#if PREFETCH
#pragma unroll
                        for (uint line = 0; line < PREFETCH; line++) {
                            __builtin_prefetch((const void *)(ulong)next, 0, 2);
                            next += next < next_end ? CACHE_LINE : 0;
                        }
#endif
                        multiply(sum, a, block, staged, scale, column, j, 4);
                    }
                    for (; j < end; j++)
                        multiply(sum, a, block, staged, scale, column, j, 1);
                }
#pragma unroll
                for (uint i = 0; i < TILE_M; i++)
#pragma unroll
                    for (uint v = 0; v < TILE_VECTORS; v++) {
                        const TOTAL total = ADD(k0 == 0, before[i * PANEL_VECTORS + v], sum[i][v]);
                        const uint row = (first_tile + t) * TILE_M + i;
                        if (k0 + columns < k)
                            before[i * PANEL_VECTORS + v] = total;
                        else if (OUTPUT_ROW(row) >= 0)
                            finish(total, OUTPUT_ROW(row), panel * PANEL_N + column + v * VEC, n, s,
                                   ROW_SCALE(row), outputs, outputs_pitch);
                    }
            }
    }
}

#else
#define LANES_N (PANEL_N / TILE_N)
#define LANES_M (BLOCK_M / TILE_M)
#define ITEMS   (LANES_N * LANES_M)
#define A_LOADS (BLOCK_K * BLOCK_M / VEC / ITEMS)
#define B_LOADS (BLOCK_K * PANEL_N / VEC / ITEMS)

kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
gemm(global const weight_t *restrict weights, const ulong weights_offset,
#if SCALED_GROUPS || SCALED_COLUMN
     global const scale_t *restrict scales, const ulong scales_offset,
#endif
     ROUTING ROW_SCALES global const float *restrict packed, global activation_t *restrict outputs,
     const ulong outputs_pitch, const uint m, const uint n, const uint k) {
    local floatv a_tile[2][BLOCK_K * BLOCK_M / VEC], b_tile[2][BLOCK_K * PANEL_N / VEC];
    const uint item = get_local_id(0), lane_n = item % LANES_N, lane_m = item / LANES_N;
    const uint panel = get_group_id(0), block = get_group_id(1), blocks = get_num_groups(1);
#if ROUTED
    const int expert = BLOCK(block)[0];
    if (expert < 0)
        return;
#endif
    global const weight_t *w =
        weights + weights_offset / ELEMENTS_STORED + EXPERT(PANEL_STORED) + PANEL_STORED * panel;
#if SCALED_GROUPS
    global const scale_t *s = scales + scales_offset + EXPERT(PANEL_SCALES) + (ulong)panel * PANEL_SCALES;
#elif SCALED_COLUMN
    global const scale_t *s = scales + scales_offset + EXPERT(PANEL_N);
#else
    global const scale_t *s = 0;
#endif
    floatv sum[TILE_M][TILE_N / VEC], a_next[A_LOADS];
    raw_weights b_next[B_LOADS];
    shorts_v scales_next[B_LOADS]; /* of groups */
#if QUANTISE
    TOTAL total[TILE_M][TILE_N / VEC];
#endif

#pragma unroll
    for (uint i = 0; i < TILE_M; i++)
#pragma unroll
        for (uint v = 0; v < TILE_N / VEC; v++) {
            sum[i][v] = 0.0f;
#if QUANTISE
            total[i][v] = 0;
#endif
        }
    for (uint k0 = 0, side = 0; k0 < k + BLOCK_K; k0 += BLOCK_K, side ^= 1) {
        /* The next tiles come into registers while the last ones, in local memory, are multiplied. */
        if (k0 < k) {
            const uint columns = min((uint)BLOCK_K, k - k0);
            global const float *a = packed + ((ulong)k0 * blocks + (ulong)block * columns) * BLOCK_M;
#pragma unroll
            for (uint i = 0; i < A_LOADS; i++) {
                const uint at = item + i * ITEMS;
                a_next[i] = at / (BLOCK_M / VEC) < columns ? *(global const floatv *)(a + at * VEC) : (floatv)0.0f;
            }
#pragma unroll
            for (uint i = 0; i < B_LOADS; i++) {
                const uint at = item + i * ITEMS, j = at / (PANEL_N / VEC),
                           column = at % (PANEL_N / VEC) * VEC;
                b_next[i] = 0;
                scales_next[i] = 0;
                if (j < columns) {
                    b_next[i] = load_raw(w + ROWS_STORED(k0), j, column);
#if SCALED_GROUPS
                    scales_next[i] = *(global const shorts_v *)(s + (k0 + j) / GROUP_K * PANEL_N + column);
#endif
                }
            }
        }
        if (k0 > 0) {
            local const float *a = (local const float *)a_tile[side ^ 1];
            local const floatv *b = b_tile[side ^ 1];
#pragma unroll 8 /* more would only take registers */
            for (uint j = 0; j < BLOCK_K; j++) {
                float activation[TILE_M];
                floatv weight[TILE_N / VEC];
#pragma unroll
                for (uint u = 0; u < TILE_M; u += VEC)
                    VSTORE(*(local const floatv *)(a + j * BLOCK_M + u * LANES_M + lane_m * VEC),
                           activation + u);
#pragma unroll
                for (uint v = 0; v < TILE_N / VEC; v++)
                    weight[v] = b[j * (PANEL_N / VEC) + v * LANES_N + lane_n];
#pragma unroll
                for (uint i = 0; i < TILE_M; i++)
#pragma unroll
                    for (uint v = 0; v < TILE_N / VEC; v++)
                        sum[i][v] += activation[i] * weight[v];
            }
#if QUANTISE
            if (k0 % EXACT_SUM == 0 || k0 >= k) {
#pragma unroll
                for (uint i = 0; i < TILE_M; i++)
#pragma unroll
                    for (uint v = 0; v < TILE_N / VEC; v++) {
                        total[i][v] += CONVERT(int, sum[i][v]);
                        sum[i][v] = 0.0f;
                    }
            }
#endif
        }
        if (k0 < k) {
#pragma unroll
            for (uint i = 0; i < A_LOADS; i++)
                a_tile[side][item + i * ITEMS] = a_next[i];
#pragma unroll
            for (uint i = 0; i < B_LOADS; i++)
                b_tile[side][item + i * ITEMS] =
                    from_raw(b_next[i], scales_next[i], (item + i * ITEMS) / (PANEL_N / VEC));
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#if !QUANTISE
#define total sum
#endif
#pragma unroll
    for (uint i = 0; i < TILE_M; i++) {
        const uint row = block * BLOCK_M + (i / VEC * LANES_M + lane_m) * VEC + i % VEC;
#pragma unroll
        for (uint v = 0; v < TILE_N / VEC; v++)
            if (OUTPUT_ROW(row) >= 0)
                finish(total[i][v], OUTPUT_ROW(row), panel * PANEL_N + (v * LANES_N + lane_n) * VEC, n, s,
                       ROW_SCALE(row), outputs, outputs_pitch);
    }
}
#endif
