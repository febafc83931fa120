/* stream.cl - how fast memory and caches move data. OpenCL C 1.2; NONTEMPORAL needs a compiler that has
 * clang's __builtin_nontemporal_store.
 *
 * Arrays are cut into blocks of BLOCK elements, whatever the tunables are: whole ones, then `rest` elements.
 * A group of LANES work-items handles STREAMS ranges of CHUNK neighbouring blocks at once, VEC elements a
 * load. `stream_read` writes the sum of each block, so that nothing can be left out and every element shows
 * in a result. Range: {LANES x groups of STREAMS x CHUNK blocks}.
 *
 * `cache_read` reads one small set over and over, see there. */
#ifndef BLOCK
#define BLOCK 16384
#endif
#ifndef STREAMS
#define STREAMS 4
#endif
#ifndef CHUNK
#define CHUNK 1
#endif
#ifndef VEC
#define VEC 16
#endif
#ifndef LANES
#define LANES 1
#endif
#ifndef PREFETCH /* bytes ahead of each stream that stream_read calls for; 0: nothing */
#define PREFETCH 0
#endif
#ifndef NONTEMPORAL /* 1: stores that do not read the line they write first */
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
#else
typedef JOIN(float, VEC) floatv;
#endif
#define SPAN (BLOCK / VEC) /* vectors of a block */

#if NONTEMPORAL
#define STORE(v, p) __builtin_nontemporal_store(v, p)
#else
#define STORE(v, p) (*(p) = (v))
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

/* Where a group begins, in elements; where its stream s begins, in blocks from there. */
#define GROUP_START     ((ulong)get_group_id(0) * (STREAMS * CHUNK * BLOCK))
#define STREAM_BLOCK(s) ((s)*CHUNK)

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
stream_read(global const float *restrict source, const ulong source_offset, global float *restrict sums,
            const uint whole_blocks, const uint rest) {
    const ulong count = (ulong)whole_blocks * BLOCK + rest, group_start = GROUP_START;
    const bool whole = group_start + STREAMS * CHUNK * BLOCK <= count;
    const uint lane = get_local_id(0);
#if LANES > 1
    local float part[STREAMS * LANES];
#else
    float part[STREAMS];
#endif

    for (uint block = 0; block < CHUNK; block++) {
        if (whole) {
            global const floatv *from =
                (global const floatv *)(source + source_offset + group_start) + block * SPAN;
            floatv sum[STREAMS];
#pragma unroll
            for (uint s = 0; s < STREAMS; s++)
                sum[s] = 0.0f;
#pragma unroll 4
            for (uint i = lane; i < SPAN; i += LANES)
#pragma unroll
                for (uint s = 0; s < STREAMS; s++) {
#if PREFETCH
                    __builtin_prefetch((const char *)(ulong)&from[STREAM_BLOCK(s) * SPAN + i] + PREFETCH, 0, 3);
#endif
                    sum[s] += from[STREAM_BLOCK(s) * SPAN + i];
                }
#pragma unroll
            for (uint s = 0; s < STREAMS; s++)
                part[s * LANES + lane] = sum_of(sum[s]);
        } else {
            for (uint s = 0; s < STREAMS; s++) {
                const ulong start = group_start + (STREAM_BLOCK(s) + block) * BLOCK;
                const ulong end = min(start + BLOCK, count);
                float sum = 0.0f;
                for (ulong i = start + lane; i < end; i += LANES)
                    sum += source[source_offset + i];
                part[s * LANES + lane] = sum;
            }
        }
#if LANES > 1
        for (uint half_lanes = LANES / 2; half_lanes > 0; half_lanes /= 2) {
            barrier(CLK_LOCAL_MEM_FENCE);
            if (lane < half_lanes)
                for (uint s = 0; s < STREAMS; s++)
                    part[s * LANES + lane] += part[s * LANES + lane + half_lanes];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
        for (uint s = lane; s < STREAMS; s += LANES)
            if (group_start + (STREAM_BLOCK(s) + block) * BLOCK < count)
                sums[group_start / BLOCK + STREAM_BLOCK(s) + block] = part[s * LANES];
#if LANES > 1 && CHUNK > 1
        barrier(CLK_LOCAL_MEM_FENCE); /* the next block writes over the parts */
#endif
    }
}

/* Element i becomes i modulo BLOCK: computed, so that nothing is read. */
kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
stream_write(global float *restrict destination, const uint whole_blocks, const uint rest) {
    const ulong count = (ulong)whole_blocks * BLOCK + rest, group_start = GROUP_START;
    const uint lane = get_local_id(0);

    if (group_start + STREAMS * CHUNK * BLOCK <= count) {
        global floatv *to = (global floatv *)(destination + group_start);
        floatv steps;
        for (uint v = 0; v < VEC; v++)
            ((float *)&steps)[v] = v;
        for (uint i = lane; i < CHUNK * SPAN; i += LANES) {
            const floatv value = steps + (float)(i % SPAN * VEC);
#pragma unroll
            for (uint s = 0; s < STREAMS; s++)
                STORE(value, &to[STREAM_BLOCK(s) * SPAN + i]);
        }
    } else {
        for (ulong i = group_start + lane; i < count; i += LANES)
            destination[i] = i % BLOCK;
    }
}

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
stream_copy(global const float *restrict source, const ulong source_offset,
            global float *restrict destination, const uint whole_blocks, const uint rest) {
    const ulong count = (ulong)whole_blocks * BLOCK + rest, group_start = GROUP_START;
    const uint lane = get_local_id(0);

    if (group_start + STREAMS * CHUNK * BLOCK <= count) {
        global const floatv *from = (global const floatv *)(source + source_offset + group_start);
        global floatv *to = (global floatv *)(destination + group_start);
        for (uint i = lane; i < CHUNK * SPAN; i += LANES)
#pragma unroll
            for (uint s = 0; s < STREAMS; s++)
                STORE(from[STREAM_BLOCK(s) * SPAN + i], &to[STREAM_BLOCK(s) * SPAN + i]);
    } else {
        for (ulong i = group_start + lane; i < count; i += LANES)
            destination[i] = source[source_offset + i];
    }
}

#define SCALE 3.0f
#pragma OPENCL FP_CONTRACT ON

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
stream_triad(global const float *restrict b, const ulong b_offset, global float *restrict a,
             global const float *restrict c, const ulong c_offset, const uint whole_blocks, const uint rest) {
    const ulong count = (ulong)whole_blocks * BLOCK + rest, group_start = GROUP_START;
    const uint lane = get_local_id(0);

    if (group_start + STREAMS * CHUNK * BLOCK <= count) {
        global const floatv *from_b = (global const floatv *)(b + b_offset + group_start);
        global const floatv *from_c = (global const floatv *)(c + c_offset + group_start);
        global floatv *to = (global floatv *)(a + group_start);
        for (uint i = lane; i < CHUNK * SPAN; i += LANES)
#pragma unroll
            for (uint s = 0; s < STREAMS; s++) {
                const uint at = STREAM_BLOCK(s) * SPAN + i;
                STORE(from_b[at] + SCALE * from_c[at], &to[at]);
            }
    } else {
        for (ulong i = group_start + lane; i < count; i += LANES)
            a[i] = b[b_offset + i] + SCALE * c[c_offset + i];
    }
}

/* A set of `parts` times `size` elements is read over and over: group g reads part g, g + step, g + 2 step,
 * ... (modulo parts), `passes` of them. sums[g] = sum over passes r of (r + 1) x the sum of that part: a pass
 * left out shows, and no two are the same work. size is a multiple of STREAMS x VEC x LANES.
 * Range: {LANES x groups}. */
kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
cache_read(global const float *restrict source, const ulong source_offset, global float *restrict sums,
           const uint size, const uint parts, const uint step, const uint passes) {
    const uint lane = get_local_id(0), group = get_group_id(0);
    uint at = group % parts;
    floatv sum[STREAMS];

#pragma unroll
    for (uint s = 0; s < STREAMS; s++)
        sum[s] = 0.0f;
    for (uint pass = 0; pass < passes; pass++) {
        global const floatv *from = (global const floatv *)(source + source_offset + (ulong)at * size) + lane;
        const float weight = pass + 1;
        for (uint left = size / VEC; left > 0; left -= STREAMS * LANES) {
#pragma unroll
            for (uint s = 0; s < STREAMS; s++)
                sum[s] += weight * from[s * LANES];
            from += STREAMS * LANES;
        }
        at = at + step < parts ? at + step : at + step - parts; /* step is at most parts */
    }
    floatv total = sum[0];
    for (uint s = 1; s < STREAMS; s++)
        total += sum[s];
#if LANES == 1
    sums[group] = sum_of(total);
#else
    local float part[LANES];
    part[lane] = sum_of(total);
    for (uint half_lanes = LANES / 2; half_lanes > 0; half_lanes /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lane < half_lanes)
            part[lane] += part[lane + half_lanes];
    }
    if (lane == 0)
        sums[group] = part[0];
#endif
}
