/* gemm.cl - outputs[m,n] = activations[m,k] x weights[k,n], accumulated in f32. OpenCL C 1.2, no extension.
 *
 * Weights lie in column panels of PANEL_N columns, element (n, k) at n / PANEL_N * PANEL_N * K + k * PANEL_N
 * + n % PANEL_N, padded to whole panels. Activations and outputs are row-major. A work-item computes TILE_M x
 * TILE_N outputs; PANEL_N / TILE_N of them side by side share a panel, GROUP_M such rows make a work-group.
 * The group copies BLOCK_K columns of its activations aside as f32, so that the inner loop reads them as
 * scalars whatever their format. Groups that follow each other share a panel: weights come from memory once.
 * Range: {1, LANES_N} x {m tiles} x {panels}. */
#ifndef PANEL_N
#define PANEL_N 32
#endif
#ifndef TILE_N /* columns of a work-item */
#define TILE_N 32
#endif
#ifndef TILE_M /* rows of a work-item */
#define TILE_M 12
#endif
#ifndef GROUP_M /* rows of work-items in a group */
#define GROUP_M 1
#endif
#ifndef BLOCK_K /* activations copied aside at once, columns */
#define BLOCK_K 128
#endif
#ifndef VEC /* columns of one load */
#define VEC 16
#endif
#ifndef STORED_F16
#define STORED_F16 0
#endif

#define LANES_N     (PANEL_N / TILE_N)
#define VECTORS     (TILE_N / VEC)
#define GROUP_ROWS  (GROUP_M * TILE_M)
#define GROUP_ITEMS (GROUP_M * LANES_N)
/* A work-item on its own keeps its copy private; the padding spreads the rows over cache sets and banks. */
#define STAGE_STRIDE (BLOCK_K + VEC)
#if GROUP_ITEMS == 1
#define SHARED
#define SYNC()
#else
#define SHARED local
#define SYNC() barrier(CLK_LOCAL_MEM_FENCE)
#endif

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#if VEC == 1
typedef float floatv;
#define VLOAD(p)     (*(p))
#define VSTORE(v, p) (*(p) = (v))
#else
typedef JOIN(float, VEC) floatv;
#define VLOAD(p)     JOIN(vload, VEC)(0, p)
#define VSTORE(v, p) JOIN(vstore, VEC)(v, 0, p)
#endif

#if STORED_F16
typedef half stored;
#if VEC == 1
#define LOAD_ALIGNED(p) vload_half(0, p)
#define STORE(v, p)     vstore_half(v, 0, p)
#else
typedef JOIN(ushort, VEC) bitsv;
#define LOAD_ALIGNED(p) JOIN(vloada_half, VEC)(0, p)
#define STORE(v, p)     JOIN(vstore_half, VEC)(v, 0, p)
#endif
#define LOAD_ONE(p)     vload_half(0, p)
#define STORE_ONE(v, p) vstore_half(v, 0, p)
#else
typedef float stored;
#define LOAD_ALIGNED(p) (*(global const floatv *)(p))
#define STORE(v, p)     VSTORE(v, p)
#define LOAD_ONE(p)     (*(p))
#define STORE_ONE(v, p) (*(p) = (v))
#endif

#pragma OPENCL FP_CONTRACT ON

static floatv load_unaligned(global const stored *p) {
#if STORED_F16 && VEC > 1
    /* Through an aligned copy of the bits: some compilers make one conversion of it where vload_half is
     * scalar code. */
    const bitsv bits = VLOAD((global const ushort *)p);
    return JOIN(vloada_half, VEC)(0, (const half *)&bits);
#elif STORED_F16
    return vload_half(0, p);
#else
    return VLOAD(p);
#endif
}

kernel __attribute__((reqd_work_group_size(LANES_N, GROUP_M, 1))) void
gemm(global const stored *restrict weights, const ulong weights_offset,
     global const stored *restrict activations, global stored *restrict outputs, const uint m, const uint n,
     const uint k) {
    SHARED float stage[GROUP_ROWS * STAGE_STRIDE];
    const uint lane = get_local_id(0);
    const uint item = get_local_id(1) * LANES_N + lane;
    const uint group_row = get_group_id(1) * GROUP_ROWS;
    const uint panel = get_group_id(2);
    global const stored *w = weights + weights_offset + (ulong)panel * PANEL_N * k + lane * VEC;
    SHARED const float *a = stage + get_local_id(1) * TILE_M * STAGE_STRIDE;
    floatv sum[TILE_M][VECTORS];

#pragma unroll
    for (uint i = 0; i < TILE_M; i++)
#pragma unroll
        for (uint v = 0; v < VECTORS; v++)
            sum[i][v] = 0.0f;

    for (uint k0 = 0; k0 < k; k0 += BLOCK_K) {
        const uint columns = min((uint)BLOCK_K, k - k0);
        SYNC();
        for (uint chunk = item; chunk < GROUP_ROWS * (BLOCK_K / VEC); chunk += GROUP_ITEMS) {
            const uint row = chunk / (BLOCK_K / VEC), column = chunk % (BLOCK_K / VEC) * VEC;
            /* Rows past the last repeat it; their outputs are dropped. */
            global const stored *from = activations + (ulong)min(group_row + row, m - 1) * k + k0 + column;
            SHARED float *to = stage + row * STAGE_STRIDE + column;
            if (column + VEC <= columns) {
                VSTORE(load_unaligned(from), to);
            } else {
                for (uint j = 0; column + j < columns; j++)
                    to[j] = LOAD_ONE(from + j);
            }
        }
        SYNC();
        for (uint j = 0; j < columns; j++) {
            floatv weight[VECTORS];
#pragma unroll
            for (uint v = 0; v < VECTORS; v++)
                weight[v] = LOAD_ALIGNED(w + v * (LANES_N * VEC));
#pragma unroll
            for (uint i = 0; i < TILE_M; i++) {
                const float activation = a[i * STAGE_STRIDE + j];
#pragma unroll
                for (uint v = 0; v < VECTORS; v++)
                    sum[i][v] += activation * weight[v];
            }
            w += PANEL_N;
        }
    }

    const uint first_row = group_row + get_local_id(1) * TILE_M;
#pragma unroll
    for (uint i = 0; i < TILE_M; i++) {
        if (first_row + i >= m)
            break;
#pragma unroll
        for (uint v = 0; v < VECTORS; v++) {
            const uint column = panel * PANEL_N + (v * LANES_N + lane) * VEC;
            global stored *to = outputs + (ulong)(first_row + i) * n + column;
            if (column + VEC <= n) {
                STORE(sum[i][v], to);
            } else {
                const floatv rest = sum[i][v];
                for (uint j = 0; column + j < n; j++)
                    STORE_ONE(((const float *)&rest)[j], to + j);
            }
        }
    }
}
