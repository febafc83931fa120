/* Transfers between host and device. The host's memory comes from the driver, mapped once: drivers copy
 * directly from and to memory that they allocated themselves. */
#include <stdlib.h>
#include <string.h>

#include "session.h"

enum bm_status bm_opencl_staging_get(struct bm_session *session, uint8_t **memory, struct bm_error *error) {
    struct bm_pool *pool = &session->staging;
    size_t bytes = (size_t)pool->largest + 2 * BM_GUARD_BYTES;
    cl_int code = CL_SUCCESS;
    *memory = session->staging_memory;
    if (session->staging_memory != NULL)
        return BM_OK;
    pool->buffer =
        clCreateBuffer(session->queue.context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes, NULL, &code);
    if (code != CL_SUCCESS)
        return bm_cl_fail(error, code, "clCreateBuffer");
    session->staging_memory = clEnqueueMapBuffer(session->queue.queue, pool->buffer, CL_TRUE,
                                                 CL_MAP_READ | CL_MAP_WRITE, 0, bytes, 0, NULL, NULL, &code);
    if (code != CL_SUCCESS) {
        bm_opencl_staging_fini(session);
        return bm_cl_fail(error, code, "clEnqueueMapBuffer");
    }
    *memory = session->staging_memory;
    return BM_OK;
}

void bm_opencl_staging_fini(struct bm_session *session) {
    struct bm_pool *pool = &session->staging;
    if (session->staging_memory != NULL &&
        clEnqueueUnmapMemObject(session->queue.queue, pool->buffer, session->staging_memory, 0, NULL, NULL) ==
            CL_SUCCESS)
        clFinish(session->queue.queue);
    session->staging_memory = NULL;
    if (pool->buffer != NULL)
        clReleaseMemObject(pool->buffer);
    pool->buffer = NULL;
}

enum bm_status bm_opencl_staging_fill(struct bm_prepared *prepared, unsigned t, struct bm_error *error) {
    const struct bm_tensor *tensor = &prepared->plan.tensors[t];
    const struct bm_operands *operands = &prepared->operands;
    uint8_t *memory;
    enum bm_status status = bm_opencl_staging_get(prepared->session, &memory, error);
    if (status != BM_OK)
        return status;
    void *packed = bm_opencl_pack(operands->values[t], operands->start[t], tensor->count);
    if (packed == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for input values");
    memcpy(memory + BM_GUARD_BYTES, packed, bm_element_size(tensor->element, tensor->count));
    free(packed);
    return BM_OK;
}

enum bm_status bm_opencl_enqueue_transfer(struct bm_prepared *prepared, unsigned l, const cl_event *gate,
                                          cl_event *event, struct bm_error *error) {
    const struct bm_plan *plan = &prepared->plan;
    const unsigned source = plan->launches[l].arguments[0].index, to = plan->launches[l].arguments[1].index;
    const size_t bytes = bm_element_size(plan->tensors[source].element, plan->tensors[source].count);
    cl_command_queue queue = prepared->session->queue.queue;
    uint8_t *memory = prepared->session->staging_memory + BM_GUARD_BYTES;
    cl_uint waits = gate != NULL ? 1 : 0;
    if (plan->tensors[source].on_host) {
        cl_int code = clEnqueueWriteBuffer(queue, prepared->buffers[to], CL_FALSE, 0, bytes, memory, waits,
                                           gate, event);
        return code == CL_SUCCESS ? BM_OK : bm_cl_fail(error, code, "clEnqueueWriteBuffer");
    }
    cl_int code =
        clEnqueueReadBuffer(queue, prepared->buffers[source], CL_FALSE, 0, bytes, memory, waits, gate, event);
    return code == CL_SUCCESS ? BM_OK : bm_cl_fail(error, code, "clEnqueueReadBuffer");
}
