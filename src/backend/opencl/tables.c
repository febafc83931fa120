/* Tables that a workload fills, such as which tokens go to which experts: a few draws of each in one buffer,
 * which take turns. */
#include <stdlib.h>

#include "session.h"

enum bm_status bm_opencl_table_create(struct bm_prepared *prepared, unsigned t, struct bm_error *error) {
    struct bm_session *session = prepared->session;
    const struct bm_case *the_case = &prepared->the_case;
    const uint64_t count = prepared->plan.tensors[t].count;
    const size_t bytes = (size_t)bm_element_size(BM_ELEMENT_I32, count * BM_DRAWS);
    int32_t *tables = bm_alloc((size_t)count * BM_DRAWS, sizeof *tables);
    enum bm_status status = BM_OK;
    if (tables == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %s: %zu bytes", prepared->plan.tensors[t].name,
                       bytes);
    prepared->tables[t] = tables;
    for (uint64_t draw = 0; status == BM_OK && draw < BM_DRAWS; draw++)
        status = the_case->workload->fill(the_case, &prepared->plan, t, session->options.seed, draw,
                                          tables + draw * count, error);
    if (status == BM_OK)
        status = bm_cl_buffer_create(&session->queue, bytes, &prepared->buffers[t], error);
    return status == BM_OK
               ? bm_cl_buffer_write(&session->queue, prepared->buffers[t], 0, tables, bytes, error)
               : status;
}

void bm_opencl_table_release(struct bm_prepared *prepared, unsigned t) {
    free(prepared->tables[t]);
    if (prepared->buffers[t] != NULL)
        clReleaseMemObject(prepared->buffers[t]);
}

struct bm_operands bm_opencl_operands_at(const struct bm_prepared *prepared, uint64_t turn) {
    struct bm_operands operands = prepared->operands;
    const uint64_t slot = turn % prepared->slots, draw = turn % BM_DRAWS;
    for (unsigned t = 0; t < prepared->plan.tensor_count; t++) {
        const struct bm_tensor *tensor = &prepared->plan.tensors[t];
        if (tensor->role == BM_ROLE_COLD)
            operands.start[t] += slot * prepared->stride[t];
        if (tensor->role == BM_ROLE_TABLE) {
            operands.start[t] = draw;
            operands.table[t] = prepared->tables[t] + draw * tensor->count;
        }
    }
    return operands;
}
