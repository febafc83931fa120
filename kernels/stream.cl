/* stream.cl - how fast memory is read and copied. OpenCL C 1.2, no extension.
 *
 * The source is cut into blocks of BLOCK elements, whatever the tunables are: whole ones, then `rest`
 * elements. A group of LANES work-items handles STREAMS neighbouring blocks at once, VEC elements a load.
 * `stream_read` writes the sum of each block, so that nothing can be left out and every element shows in a
 * result. Range: {LANES x groups of STREAMS blocks}. */
#ifndef BLOCK
#define BLOCK 16384
#endif
#ifndef STREAMS
#define STREAMS 4
#endif
#ifndef VEC
#define VEC 16
#endif
#ifndef LANES
#define LANES 1
#endif

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#if VEC == 1
typedef float floatv;
#else
typedef JOIN(float, VEC) floatv;
#endif

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
stream_read(global const float *restrict source, const ulong source_offset, global float *restrict sums,
            const uint whole_blocks, const uint rest) {
    const ulong count = (ulong)whole_blocks * BLOCK + rest;
    const uint lane = get_local_id(0);
    const ulong first = (ulong)get_group_id(0) * STREAMS * BLOCK;
    float total[STREAMS];

    if (first + STREAMS * BLOCK <= count) {
        global const floatv *from = (global const floatv *)(source + source_offset + first);
        floatv sum[STREAMS];
#pragma unroll
        for (uint s = 0; s < STREAMS; s++)
            sum[s] = 0.0f;
#pragma unroll 4
        for (uint i = lane; i < BLOCK / VEC; i += LANES)
#pragma unroll
            for (uint s = 0; s < STREAMS; s++)
                sum[s] += from[s * (BLOCK / VEC) + i];
#pragma unroll
        for (uint s = 0; s < STREAMS; s++)
            total[s] = sum_of(sum[s]);
    } else {
        for (uint s = 0; s < STREAMS; s++) {
            const ulong start = first + s * BLOCK, end = min(start + BLOCK, count);
            total[s] = 0.0f;
            for (ulong i = start + lane; i < end; i += LANES)
                total[s] += source[source_offset + i];
        }
    }

#if LANES == 1
    for (uint s = 0; s < STREAMS; s++)
        if (first + s * BLOCK < count)
            sums[first / BLOCK + s] = total[s];
#else
    local float part[STREAMS * LANES];
    for (uint s = 0; s < STREAMS; s++)
        part[s * LANES + lane] = total[s];
    for (uint half_lanes = LANES / 2; half_lanes > 0; half_lanes /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lane < half_lanes)
            for (uint s = 0; s < STREAMS; s++)
                part[s * LANES + lane] += part[s * LANES + lane + half_lanes];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint s = lane; s < STREAMS; s += LANES)
        if (first + s * BLOCK < count)
            sums[first / BLOCK + s] = part[s * LANES];
#endif
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
stream_copy(global const float *restrict source, const ulong source_offset,
            global float *restrict destination, const uint whole_blocks, const uint rest) {
    const ulong count = (ulong)whole_blocks * BLOCK + rest;
    const uint lane = get_local_id(0);
    const ulong first = (ulong)get_group_id(0) * STREAMS * BLOCK;

    if (first + STREAMS * BLOCK <= count) {
        global const floatv *from = (global const floatv *)(source + source_offset + first);
        global floatv *to = (global floatv *)(destination + first);
        for (uint i = lane; i < BLOCK / VEC; i += LANES)
#pragma unroll
            for (uint s = 0; s < STREAMS; s++)
                to[s * (BLOCK / VEC) + i] = from[s * (BLOCK / VEC) + i];
    } else {
        for (ulong i = first + lane; i < count; i += LANES)
            destination[i] = source[source_offset + i];
    }
}
