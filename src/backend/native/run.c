/* Execution: every thread does its share of each launch, one launch after the other, and meets the others at
 * the beginning and the end of the block alone. */
#include <stdlib.h>
#include <string.h>

#include "native.h"

struct job {
    const struct bm_prepared *prepared;
    uint64_t launches;
};

/* ---- memory ---- */

/* The elements after the last whole block: on the last thread, in plain C. */
static void do_rest(const struct bm_prepared *prepared, const char *op, uint64_t first, uint64_t count) {
    const bool writes_only = strcmp(op, "write") == 0;
    const float *source = writes_only ? NULL : prepared->data[0];
    float *to = prepared->data[writes_only ? 0 : 1], sum = 0;
    const float *second = prepared->plan.tensor_count > 2 ? prepared->data[2] : NULL;
    if (first == count)
        return;
    for (uint64_t i = first; i < count; i++) {
        if (strcmp(op, "read") == 0)
            sum += source[i];
        else
            to[i] = writes_only ? (float)(i % BM_STREAM_BLOCK)
                                : source[i] + (second != NULL ? (float)BM_STREAM_SCALE * second[i] : 0);
    }
    if (strcmp(op, "read") == 0)
        to[first / BM_STREAM_BLOCK] = sum;
}

static void stream_share(void *context, unsigned thread, unsigned count) {
    const struct job *job = context;
    const struct bm_prepared *prepared = job->prepared;
    const struct bm_stream_kernel *kernel = prepared->stream;
    const char *op = prepared->the_case.op;
    const bool reads = strcmp(op, "read") == 0, writes = strcmp(op, "write") == 0;
    const uint64_t elements = prepared->plan.tensors[reads || writes ? 0 : 1].count;
    const uint64_t blocks = elements / BM_STREAM_BLOCK, first = bm_native_share(blocks, thread, count);
    const uint64_t start = first * BM_STREAM_BLOCK;
    struct bm_stream_part part = {.blocks = bm_native_share(blocks, thread + 1, count) - first};
    part.to = prepared->data[writes ? 0 : 1] + (reads ? first : start);
    if (!writes)
        part.source = prepared->data[0] + start;
    if (prepared->plan.tensor_count > 2)
        part.second = prepared->data[2] + start;
    void (*run)(const struct bm_stream_part *) = reads                 ? kernel->read
                                                 : writes              ? kernel->write
                                                 : part.second != NULL ? kernel->triad
                                                                       : kernel->copy;
    for (uint64_t launch = 0; launch < job->launches; launch++) {
        run(&part);
        if (thread + 1 == count)
            do_rest(prepared, op, blocks * BM_STREAM_BLOCK, elements);
    }
}

/* ---- caches ---- */

static void cache_share(void *context, unsigned thread, unsigned count) {
    const struct job *job = context;
    const struct bm_prepared *prepared = job->prepared;
    struct bm_cache_reading reading;
    bm_cache_reading(&prepared->the_case, &reading);
    const uint64_t first = bm_native_share(reading.groups, thread, count),
                   end = bm_native_share(reading.groups, thread + 1, count);
    for (uint64_t launch = 0; launch < job->launches; launch++)
        for (uint64_t group = first; group < end; group++)
            prepared->data[1][group] = prepared->stream->again(prepared->data[0], &reading, group);
}

/* ---- arithmetic ---- */

/* Lanes that do not fill the last block begin as 1/2 and are not written. */
static void fma_block(const struct bm_prepared *prepared, uint64_t first, uint64_t lanes, uint64_t steps) {
    _Alignas(64) float block[BM_FMA_LANES_MOST];
    const struct bm_fma_kernel *kernel = prepared->fma;
    const unsigned count = lanes - first < kernel->lanes ? (unsigned)(lanes - first) : kernel->lanes;
    memcpy(block, prepared->data[0] + first, count * sizeof *block);
    for (unsigned i = count; i < kernel->lanes; i++)
        block[i] = 0.5f;
    bm_fma_begin(kernel->pipe, block, kernel->lanes);
    kernel->run(block, steps, bm_dot_operands_get());
    bm_fma_end(kernel->pipe, block, kernel->lanes);
    memcpy(prepared->data[1] + first, block, count * sizeof *block);
}

static void fma_share(void *context, unsigned thread, unsigned count) {
    const struct job *job = context;
    const struct bm_fma_kernel *kernel = job->prepared->fma;
    uint64_t lanes, steps;
    bm_fma_size(&job->prepared->the_case, &lanes, &steps);
    const uint64_t blocks = (lanes + kernel->lanes - 1) / kernel->lanes,
                   first = bm_native_share(blocks, thread, count),
                   end = bm_native_share(blocks, thread + 1, count);
    for (uint64_t launch = 0; launch < job->launches; launch++)
        for (uint64_t block = first; block < end; block++)
            fma_block(job->prepared, block * kernel->lanes, lanes, steps);
}

/* ---- doors ---- */

static void execute(struct bm_prepared *prepared, uint64_t launches, struct bm_block *block) {
    struct job job = {.prepared = prepared, .launches = launches};
    const char *workload = prepared->the_case.workload->name;
    bm_team_work *work = prepared->fma != NULL            ? fma_share
                         : strcmp(workload, "cache") == 0 ? cache_share
                                                          : stream_share;
    bm_team_run(prepared->session->team, prepared->span.first, prepared->span.count, work, &job,
                &block->start_ns, &block->host_ns);
}

enum bm_status bm_native_verify(struct bm_prepared *prepared, uint64_t seed,
                                struct bm_verification *verification, struct bm_error *error) {
    const unsigned output = bm_plan_output(&prepared->plan);
    uint8_t *guarded = (uint8_t *)prepared->data[output] - BM_GUARD_BYTES;
    struct bm_block unused = {0};
    memset(guarded, BM_POISON,
           (size_t)prepared->plan.tensors[output].count * sizeof(float) + 2 * BM_GUARD_BYTES);
    execute(prepared, 1, &unused);
    return bm_verification_compare(&prepared->the_case, &prepared->plan, &prepared->operands, seed, guarded,
                                   verification, error);
}

enum bm_status bm_native_run(struct bm_prepared *prepared, uint64_t launches, struct bm_block *block,
                             struct bm_error *error) {
    (void)error;
    *block = (struct bm_block){0};
    execute(prepared, launches, block);
    return BM_OK;
}
