/* fma.cl - how fast f32 multiplies and adds are. OpenCL C 1.2, no extension.
 *
 * Every lane repeats x = FACTOR * x + ADDEND. FACTOR is just above -1: x swings around 1/2, neither grows nor
 * dies out, and remembers its start, so that a missing step shows. A work-item runs CHAINS vectors of VEC
 * lanes at once, enough independent ones to hide the latency of an FMA. Range: {work-items}, item i of I
 * holding the lanes
 * ((c * I + i) * VEC + v), c < CHAINS, v < VEC. */
#ifndef CHAINS
#define CHAINS 12
#endif
#ifndef VEC
#define VEC 16
#endif
#ifndef GROUP /* work-items in a group */
#define GROUP 1
#endif

#define FACTOR (-0x1.FFEp-1f) /* -(1 - 2^-12) */
#define ADDEND 1.0f

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

#pragma OPENCL FP_CONTRACT ON

kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void fma_chains(global const float *restrict seeds,
                                                                          global float *restrict results,
                                                                          const uint lanes,
                                                                          const uint steps) {
    const uint item = get_global_id(0), items = get_global_size(0);
    floatv x[CHAINS];

#pragma unroll
    for (uint c = 0; c < CHAINS; c++) {
        const uint first = (c * items + item) * VEC;
        floatv seed = 0.5f;
        if (first + VEC <= lanes)
            seed = VLOAD(seeds + first);
        else
            for (uint v = 0; first + v < lanes; v++)
                ((float *)&seed)[v] = seeds[first + v];
        x[c] = seed;
    }
    for (uint step = 0; step < steps; step++)
#pragma unroll
        for (uint c = 0; c < CHAINS; c++)
            x[c] = x[c] * FACTOR + ADDEND;
#pragma unroll
    for (uint c = 0; c < CHAINS; c++) {
        const uint first = (c * items + item) * VEC;
        const floatv result = x[c];
        if (first + VEC <= lanes)
            VSTORE(result, results + first);
        else
            for (uint v = 0; first + v < lanes; v++)
                results[first + v] = ((const float *)&result)[v];
    }
}
