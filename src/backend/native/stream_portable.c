/* Memory and caches in plain C: LANES sums side by side, of which the compiler makes vectors. */
#include "kernels.h"

enum { LANES = 32 };

static float sum_of(const float lanes[LANES]) {
    float sum = 0;
    for (int i = 0; i < LANES; i++)
        sum += lanes[i];
    return sum;
}

static void read_blocks(const struct bm_stream_part *part) {
    for (uint64_t block = 0; block < part->blocks; block++) {
        const float *from = part->source + block * BM_STREAM_BLOCK;
        float sum[LANES] = {0};
        for (size_t at = 0; at < BM_STREAM_BLOCK; at += LANES)
            for (size_t i = 0; i < LANES; i++)
                sum[i] += from[at + i];
        part->to[block] = sum_of(sum);
    }
}

static void write_blocks(const struct bm_stream_part *part) {
    for (uint64_t i = 0; i < part->blocks * BM_STREAM_BLOCK; i++)
        part->to[i] = (float)(i % BM_STREAM_BLOCK);
}

static void copy_blocks(const struct bm_stream_part *part) {
    for (uint64_t i = 0; i < part->blocks * BM_STREAM_BLOCK; i++)
        part->to[i] = part->source[i];
}

static void triad_blocks(const struct bm_stream_part *part) {
    const float scale = (float)BM_STREAM_SCALE;
    for (uint64_t i = 0; i < part->blocks * BM_STREAM_BLOCK; i++)
        part->to[i] = part->source[i] + scale * part->second[i];
}

static float read_again(const float *set, const struct bm_cache_reading *reading, uint64_t group) {
    uint64_t part = group % reading->parts;
    float sum[LANES] = {0};
    for (uint64_t pass = 0; pass < reading->passes; pass++) {
        const float *from = set + part * reading->part_elements, weight = (float)(pass + 1);
        for (size_t at = 0; at < reading->part_elements; at += LANES)
            for (size_t i = 0; i < LANES; i++)
                sum[i] += weight * from[at + i];
        part = part + reading->step < reading->parts ? part + reading->step
                                                     : part + reading->step - reading->parts;
    }
    return sum_of(sum);
}

static const struct bm_stream_kernel kernels[] = {
    {BM_FORM_PORTABLE, 0, 1, false, 0, read_blocks, write_blocks, copy_blocks, triad_blocks, read_again},
};
const struct bm_stream_kernels bm_stream_portable = {kernels, BM_COUNT_OF(kernels)};
