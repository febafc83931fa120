/* gemm_matrix.cl - outputs[m,n] = activations[m,k] x weights[k,n] on a matrix unit: f16 and bf16 accumulated
 * in f32, int8 in i32. OpenCL C 1.2 and, by MATRIX_UNIT, the unit's own instructions.
 *
 * A work-group computes BLOCK_M x PANEL_N, each of its warps of 32 work-items TILE_M x TILE_N of that, by
 * instructions that multiply 16 rows x 32 bytes of k by 32 bytes x 8 columns. Blocks of BLOCK_K of k come
 * into BUFFERS buffers of local memory, some of them still on their way while one is multiplied. Range:
 * {items x m blocks} x {panels}, so that neighbours share weights and activations stay in a cache.
 *
 * k is taken in units of 32 bytes, UNIT_K elements, the last one padded. Weights lie as the instruction wants
 * them: a panel of PANEL_N columns unit by unit, of each its columns one after the other, and of a column the
 * words (4 bytes along k) 0 4, 1 5, 2 6, 3 7: two for each of four neighbouring work-items. Activations stay
 * row-major, as outputs are, rows pitches apart; rows that do not begin at multiples of 16 bytes are copied
 * first, int8 is quantised on the way. */
#define F16  1
#define BF16 2
#define I8   3

#ifndef WEIGHT /* formats: one of the above; activations and outputs of I8 are f32 */
#define WEIGHT F16
#endif
#ifndef MATRIX_UNIT /* 1: none, emulated in plain C, to check everything else; 2: mma.sync of NVIDIA */
#define MATRIX_UNIT 1
#endif
#ifndef PANEL_N
#define PANEL_N 128
#endif
#ifndef BLOCK_M
#define BLOCK_M 128
#endif
#ifndef BLOCK_K
#define BLOCK_K 32
#endif
#ifndef TILE_M
#define TILE_M 64
#endif
#ifndef TILE_N
#define TILE_N 32
#endif
#ifndef BUFFERS
#define BUFFERS 3
#endif
#ifndef PACK_LANES /* work-items that copy one row */
#define PACK_LANES 16
#endif

#define WARP    32
#define WARPS_N (PANEL_N / TILE_N)
#define ITEMS   (BLOCK_M / TILE_M * WARPS_N * WARP)

#if WEIGHT == I8
#define WORD_K 4 /* elements of a word */
typedef char weight_t;
typedef float activation_t;
typedef int sum_t;
#elif WEIGHT == F16
#define WORD_K 2
typedef half weight_t;
typedef half activation_t;
typedef float sum_t;
#else
#define WORD_K 2
typedef ushort weight_t;
typedef ushort activation_t;
typedef float sum_t;
#endif
#define CHUNK_K     (4 * WORD_K) /* elements of 16 bytes, the grain of all copies */
#define UNIT_K      (8 * WORD_K) /* of the 32 bytes of an instruction */
#define CHUNKS      (BLOCK_K / CHUNK_K)
#define UNITS       (BLOCK_K / UNIT_K)
#define UNIT_CHUNKS 2
#define A_CHUNKS    (BLOCK_M * CHUNKS) /* of a buffer */
#define B_CHUNKS    (PANEL_N * CHUNKS)

/* ---- the unit: fetch, load_a, multiply_add ----
 *
 * A warp's work-item L = 4 g + t holds of a 16 x 32-byte piece of activations the words (row, word of the
 * row) a = {(g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4)}; of a 32-byte x 8 piece of weights, words along
 * k, those of column g b = {t, t + 4}; of the 16 x 8 sums c = {(g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t
 * + 1)}. Source: NVIDIA, PTX ISA 8.5, 9.7.14.5.8 "Matrix Fragments for mma.m16n8k16 with floating point type"
 * and 9.7.14.5.10 "Matrix Fragments for mma.m16n8k32", which agree when counted in words; load_a is
 * what 9.7.14.5.15 says of ldmatrix: work-item 8 i + r tells where row r of 8 x 16-byte matrix i begins, and
 * work-item L gets word L % 4 of row L / 4 of each. */
#if MATRIX_UNIT == 2
#if !defined(__NV_CL_C_VERSION) && !defined(__NVPTX__)
#error "MATRIX_UNIT 2 is for compilers that know NVIDIA's instructions"
#endif
#define UNROLL _Pragma("unroll")
#define EXCHANGE
#define EXCHANGE_ARGUMENT

/* to = from, or zeros; done in the background. */
static inline void fetch(local uint4 *to, global const uint4 *from, const bool exists) {
    __asm__ volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                     :
                     : "r"((uint)(size_t)to), "l"((ulong)from), "r"(exists ? 16u : 0u)
                     : "memory");
}
#define CLOSE_FETCHES() __asm__ volatile("cp.async.commit_group;" : : : "memory")
#define JOIN_STRING_(n) "cp.async.wait_group " #n ";"
#define JOIN_STRING(n)  JOIN_STRING_(n)
#if BUFFERS == 2
#define FETCHES_AHEAD 0
#elif BUFFERS == 3
#define FETCHES_AHEAD 1
#elif BUFFERS == 4
#define FETCHES_AHEAD 2
#else
#define FETCHES_AHEAD 3
#endif
/* Of all but the last BUFFERS - 2 closed. */
#define AWAIT_FETCHES() __asm__ volatile(JOIN_STRING(FETCHES_AHEAD) : : : "memory")

static inline void load_a(uint a[4], local const uint4 *row) {
    __asm__ volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(a[0]), "=r"(a[1]), "=r"(a[2]), "=r"(a[3])
                     : "r"((uint)(size_t)row)
                     : "memory");
}

#if WEIGHT == F16
#define MMA     "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"
#define SUMS(x) "+f"(x[0]), "+f"(x[1]), "+f"(x[2]), "+f"(x[3])
#elif WEIGHT == BF16
#define MMA     "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"
#define SUMS(x) "+f"(x[0]), "+f"(x[1]), "+f"(x[2]), "+f"(x[3])
#else
#define MMA     "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32"
#define SUMS(x) "+r"(x[0]), "+r"(x[1]), "+r"(x[2]), "+r"(x[3])
#endif
static inline void multiply_add(sum_t c[4], const uint a[4], const uint b0, const uint b1) {
    __asm__ volatile(MMA " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                     : SUMS(c)
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

#else
#define UNROLL
#define WIRES             6 /* words that a work-item shows the others at once */
#define EXCHANGE          local uint exchange[ITEMS * WIRES];
#define EXCHANGE_ARGUMENT , exchange

static void fetch(local uint4 *to, global const uint4 *from, const bool exists) {
    uint4 value = 0;
    if (exists)
        value = *from;
    *to = value;
}
#define CLOSE_FETCHES()
#define AWAIT_FETCHES()

/* `exchange` takes the place of the wires between the work-items of a warp. */
static void load_a(uint a[4], local const uint4 *row, local uint *exchange) {
    const uint item = get_local_id(0), lane = item % WARP;
    local uint *warp = exchange + (item - lane) * WIRES;
    vstore4(*row, 0, warp + lane * 4);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint i = 0; i < 4; i++)
        a[i] = warp[(8 * i + lane / 4) * 4 + lane % 4];
    barrier(CLK_LOCAL_MEM_FENCE);
}

/* sum + the products of two words. */
static sum_t add_products(sum_t sum, const uint a, const uint b) {
#if WEIGHT == I8
    const int4 products = convert_int4(as_char4(a)) * convert_int4(as_char4(b));
    return sum + products.x + products.y + products.z + products.w;
#elif WEIGHT == F16
    const half *x = (const half *)&a, *y = (const half *)&b;
    return sum + vload_half(0, x) * vload_half(0, y) + vload_half(1, x) * vload_half(1, y);
#else
    return sum + as_float(a << 16) * as_float(b << 16) +
           as_float(a & 0xffff0000u) * as_float(b & 0xffff0000u);
#endif
}

static void multiply_add(sum_t c[4], const uint a[4], const uint b0, const uint b1, local uint *exchange) {
    const uint item = get_local_id(0), lane = item % WARP, g = lane / 4, t = lane % 4;
    local uint *warp = exchange + (item - lane) * WIRES;
    for (uint i = 0; i < 4; i++)
        warp[lane * WIRES + i] = a[i];
    warp[lane * WIRES + 4] = b0;
    warp[lane * WIRES + 5] = b1;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint i = 0; i < 4; i++) {
        const uint column = 2 * t + i % 2;
        for (uint word = 0; word < 8; word++)
            c[i] = add_products(c[i], warp[(4 * g + word % 4) * WIRES + word / 4 * 2 + i / 2],
                                warp[(4 * column + word % 4) * WIRES + 4 + word / 4]);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}
#endif

/* ---- formats ---- */

#if WEIGHT == BF16
/* Round to nearest even; a NaN stays one. */
static inline uint bf16_from(const float value) {
    const uint bits = as_uint(value);
    return isnan(value) ? (bits >> 16 | 0x40) : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
#endif

static inline void store_one(const float value, global activation_t *to) {
#if WEIGHT == F16
    vstore_half(value, 0, to);
#elif WEIGHT == BF16
    *to = (ushort)bf16_from(value);
#else
    *to = value;
#endif
}

/* Of two neighbours, at an even place in memory. */
static inline void store_two(const float2 value, global activation_t *to) {
#if WEIGHT == F16
    vstorea_half2(value, 0, to);
#elif WEIGHT == BF16
    *(global uint *)to = bf16_from(value.x) | bf16_from(value.y) << 16;
#else
    *(global float2 *)to = value;
#endif
}

/* ---- rows of activations: copied, padded with zeros to whole units ---- */

/* Range: {PACK_LANES x rows}. int8: row_scales[i] = max |activations of row i| / 127. */
kernel __attribute__((reqd_work_group_size(PACK_LANES, 1, 1))) void
pack_rows(global const activation_t *restrict activations,
#if WEIGHT == I8
          global float *restrict row_scales,
#endif
          global uint *restrict packed, const ulong activations_pitch, const ulong packed_pitch, const uint m,
          const uint k) {
    const uint row = get_group_id(0), lane = get_local_id(0);
    const uint words = (k + UNIT_K - 1) / UNIT_K * (UNIT_K / WORD_K);
    global const activation_t *from = activations + row * activations_pitch;
    global uint *to = packed + row * (packed_pitch / WORD_K);
    (void)m;
#if WEIGHT == I8
    local float lanes[PACK_LANES];
    float largest = 0;
    for (uint j = lane; j < k; j += PACK_LANES)
        largest = fmax(largest, fabs(from[j]));
    lanes[lane] = largest;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint i = 0; i < PACK_LANES; i++)
        largest = fmax(largest, lanes[i]);
    const float scale = largest / 127;
    if (lane == 0)
        row_scales[row] = scale;
#endif
    for (uint word = lane; word < words; word += PACK_LANES) {
        uint bits = 0;
        for (uint i = 0; i < WORD_K; i++) {
            const uint j = word * WORD_K + i;
            if (j < k) {
#if WEIGHT == I8
                const int value = scale > 0 ? convert_int(rint(from[j] / scale)) : 0;
                bits |= (uint)(value & 0xff) << 8 * i;
#else
                bits |= (uint)((global const ushort *)from)[j] << 16 * i;
#endif
            }
        }
        to[word] = bits;
    }
}

/* ---- the multiplication ---- */

/* Rows of a tile of activations lie CHUNKS chunks apart, chunk c of row r at c ^ TURN(r): so the eight rows
 * that load_a reads at once come from different banks. */
#if CHUNKS >= 8
#define TURN(row) ((row) % 8)
#else
#define TURN(row) ((row) / (8 / CHUNKS) % CHUNKS)
#endif

/* Block `step` of both operands into a buffer: activations from the block's `rows`, of row_chunks chunks
 * each, row_pitch chunks apart, weights of `units` units. What lies beyond is zeros. */
static inline void fetch_block(local uint4 *a, local uint4 *b, global const uint4 *rows,
                               global const uint4 *panel, const uint first_row, const uint m,
                               const ulong row_pitch, const uint row_chunks, const uint units,
                               const uint step) {
    const uint item = get_local_id(0);
    UNROLL
    for (uint i = 0; i < A_CHUNKS / ITEMS; i++) {
        const uint at = item + i * ITEMS, row = at / CHUNKS, chunk = at % CHUNKS;
        const uint k_chunk = step * CHUNKS + chunk;
        const bool exists = k_chunk < row_chunks;
        fetch(a + row * CHUNKS + (chunk ^ TURN(row)),
              rows + min(first_row + row, m - 1) * row_pitch + (exists ? k_chunk : 0), exists);
    }
    UNROLL
    for (uint i = 0; i < B_CHUNKS / ITEMS; i++) {
        const uint at = item + i * ITEMS;
        const ulong from = (ulong)step * B_CHUNKS + at;
        const bool exists = from < (ulong)units * (PANEL_N * UNIT_CHUNKS);
        fetch(b + at, panel + (exists ? from : 0), exists);
    }
}

/* row_chunks: chunks of a row in memory, which begins at a whole chunk; past them k is zeros. */
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
gemm_matrix(global const weight_t *restrict weights, const ulong weights_offset,
#if WEIGHT == I8
            global const float *restrict scales, const ulong scales_offset,
            global const float *restrict row_scales,
#endif
            global const uint4 *restrict rows, global activation_t *restrict outputs, const ulong rows_pitch,
            const ulong outputs_pitch, const uint m, const uint n, const uint k, const uint row_chunks) {
    const ulong row_pitch = rows_pitch / CHUNK_K;
    local uint4 a_tiles[BUFFERS * A_CHUNKS], b_tiles[BUFFERS * B_CHUNKS];
    EXCHANGE
    const uint item = get_local_id(0), warp = item / WARP, lane = item % WARP;
    const uint first_row = get_group_id(0) * BLOCK_M, panel_number = get_group_id(1);
    const uint warp_row = warp / WARPS_N * TILE_M, warp_column = warp % WARPS_N * TILE_N;
    const uint units = (k + UNIT_K - 1) / UNIT_K, steps = (units + UNITS - 1) / UNITS;
    global const uint4 *panel = (global const uint4 *)(weights + weights_offset) +
                                (ulong)panel_number * units * (PANEL_N * UNIT_CHUNKS);
    /* Where this work-item's row of a 16 x 32-byte piece begins, and which of its two chunks is meant. */
    const uint piece_row = warp_row + lane % 16, piece_chunk = lane / 16;
    sum_t sum[TILE_M / 16][TILE_N / 8][4];

    UNROLL
    for (uint i = 0; i < TILE_M / 16; i++)
        UNROLL
    for (uint j = 0; j < TILE_N / 8; j++)
        UNROLL
    for (uint c = 0; c < 4; c++)
        sum[i][j][c] = 0;

    for (uint step = 0; step < BUFFERS - 1; step++) {
        if (step < steps)
            fetch_block(a_tiles + step * A_CHUNKS, b_tiles + step * B_CHUNKS, rows, panel, first_row, m,
                        row_pitch, row_chunks, units, step);
        CLOSE_FETCHES();
    }
    for (uint step = 0, now = 0; step < steps; step++, now = now + 1 < BUFFERS ? now + 1 : 0) {
        const uint ahead = step + BUFFERS - 1, into = now > 0 ? now - 1 : BUFFERS - 1;
        local const uint4 *a_tile = a_tiles + now * A_CHUNKS;
        local const uint2 *b_words = (local const uint2 *)(b_tiles + now * B_CHUNKS);
        AWAIT_FETCHES();
        barrier(CLK_LOCAL_MEM_FENCE); /* this block is here, and the one before it is done with */
        if (ahead < steps)
            fetch_block(a_tiles + into * A_CHUNKS, b_tiles + into * B_CHUNKS, rows, panel, first_row, m,
                        row_pitch, row_chunks, units, ahead);
        CLOSE_FETCHES();
        UNROLL
        for (uint unit = 0; unit < UNITS; unit++) {
            uint2 b[TILE_N / 8];
            UNROLL
            for (uint j = 0; j < TILE_N / 8; j++)
                b[j] = b_words[(unit * (PANEL_N / 8) + warp_column / 8 + j) * WARP + lane];
            UNROLL
            for (uint i = 0; i < TILE_M / 16; i++) {
                const uint row = piece_row + i * 16, chunk = unit * UNIT_CHUNKS + piece_chunk;
                uint a[4];
                load_a(a, a_tile + row * CHUNKS + (chunk ^ TURN(row)) EXCHANGE_ARGUMENT);
                UNROLL
                for (uint j = 0; j < TILE_N / 8; j++)
                    multiply_add(sum[i][j], a, b[j].x, b[j].y EXCHANGE_ARGUMENT);
            }
        }
    }

    UNROLL
    for (uint i = 0; i < TILE_M / 16; i++)
        UNROLL
    for (uint half_tile = 0; half_tile < 2; half_tile++) {
        const uint row = first_row + warp_row + i * 16 + half_tile * 8 + lane / 4;
        if (row < m) {
#if WEIGHT == I8
            const float row_scale = row_scales[row];
#endif
            UNROLL
            for (uint j = 0; j < TILE_N / 8; j++) {
                const uint column = panel_number * PANEL_N + warp_column + j * 8 + lane % 4 * 2;
                global activation_t *to = outputs + row * outputs_pitch + column;
                float2 value;
                value.x = (float)sum[i][j][half_tile * 2];
                value.y = (float)sum[i][j][half_tile * 2 + 1];
#if WEIGHT == I8
                const float2 scale = *(global const float2 *)(scales + scales_offset + column);
                value *= row_scale;
                value *= scale;
#endif
                if (column + 1 < n && outputs_pitch % 2 == 0)
                    store_two(value, to);
                else {
                    if (column < n)
                        store_one(value.x, to);
                    if (column + 1 < n)
                        store_one(value.y, to + 1);
                }
            }
        }
    }
}
