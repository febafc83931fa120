/* gemv.cl - outputs[n] = weights[n,k] x activations[k], accumulated in f32. OpenCL C 1.2, no extension.
 *
 * Weights are row-major, rows `stride` elements apart (k rounded up to 16, so that every row is aligned). A
 * group of LANES work-items reads ROWS rows at once, each a stream of its own, VEC elements a load; the
 * lanes' sums meet in local memory. Range: {LANES x blocks of ROWS rows}. */
#ifndef ROWS
#define ROWS 4
#endif
#ifndef VEC
#define VEC 16
#endif
#ifndef LANES
#define LANES 1
#endif
#ifndef STORED_F16
#define STORED_F16 0
#endif

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#if VEC == 1
typedef float floatv;
#else
typedef JOIN(float, VEC) floatv;
#endif
#if STORED_F16
typedef half stored;
#if VEC == 1
#define LOAD(p) vload_half(0, p)
#else
#define LOAD(p) JOIN(vloada_half, VEC)(0, p)
#endif
#define LOAD_ONE(p)     vload_half(0, p)
#define STORE_ONE(v, p) vstore_half(v, 0, p)
#else
typedef float stored;
#define LOAD(p)         (*(global const floatv *)(p))
#define LOAD_ONE(p)     (*(p))
#define STORE_ONE(v, p) (*(p) = (v))
#endif

#pragma OPENCL FP_CONTRACT ON

static float sum_of(const floatv v) {
#if VEC == 1
    return v;
#elif VEC == 2
    return v.x + v.y;
#elif VEC == 4
    return v.x + v.y + (v.z + v.w);
#else
#if VEC == 16
    const float8 a = v.lo + v.hi;
#else
    const float8 a = v;
#endif
    const float4 b = a.lo + a.hi;
    return b.x + b.y + (b.z + b.w);
#endif
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
gemv(global const stored *restrict weights, const ulong weights_offset,
     global const stored *restrict activations, global stored *restrict outputs, const uint n, const uint k,
     const uint stride) {
    const uint lane = get_local_id(0);
    const uint first_row = get_group_id(0) * ROWS;
    global const stored *row[ROWS];
    floatv sum[ROWS];
    float total[ROWS];

#pragma unroll
    for (uint r = 0; r < ROWS; r++) {
        /* Rows past the last repeat it; their outputs are dropped. */
        row[r] = weights + weights_offset + (ulong)min(first_row + r, n - 1) * stride;
        sum[r] = 0.0f;
    }
    const uint whole = k / VEC * VEC;
    for (uint j = lane * VEC; j < whole; j += LANES * VEC) {
        const floatv activation = LOAD(activations + j);
#pragma unroll
        for (uint r = 0; r < ROWS; r++)
            sum[r] += activation * LOAD(row[r] + j);
    }
#pragma unroll
    for (uint r = 0; r < ROWS; r++)
        total[r] = sum_of(sum[r]);
    for (uint j = whole + lane; j < k; j += LANES) {
        const float activation = LOAD_ONE(activations + j);
#pragma unroll
        for (uint r = 0; r < ROWS; r++)
            total[r] += activation * LOAD_ONE(row[r] + j);
    }

#if LANES == 1
#pragma unroll
    for (uint r = 0; r < ROWS; r++)
        if (first_row + r < n)
            STORE_ONE(total[r], outputs + first_row + r);
#else
    local float part[ROWS * LANES];
#pragma unroll
    for (uint r = 0; r < ROWS; r++)
        part[r * LANES + lane] = total[r];
    for (uint half_lanes = LANES / 2; half_lanes > 0; half_lanes /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lane < half_lanes)
            for (uint r = 0; r < ROWS; r++)
                part[r * LANES + lane] += part[r * LANES + lane + half_lanes];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint r = lane; r < ROWS && first_row + r < n; r += LANES)
        STORE_ONE(part[r * LANES], outputs + first_row + r);
#endif
}
