#include <stdlib.h>
#include <string.h>

#include "session.h"

static size_t guarded_bytes(const struct bm_tensor *tensor) {
    return bm_element_size(tensor->element, tensor->count) + 2 * BM_GUARD_BYTES;
}

/* Where the guard zone before a slot begins in the shared buffer; 0 for what does not rotate. */
static size_t slot_start(const struct bm_prepared *prepared, unsigned t, uint64_t slot) {
    const struct bm_tensor *tensor = &prepared->plan.tensors[t];
    return tensor->rotates ? (size_t)bm_element_size(tensor->element, slot * prepared->stride[t]) : 0;
}

/* Scratch is poisoned too, so that a result left there by an earlier run cannot pass for this one's. */
static enum bm_status poison(struct bm_prepared *prepared, uint64_t slot, struct bm_error *error) {
    static const cl_uchar pattern = BM_POISON;
    for (unsigned t = 0; t < prepared->plan.tensor_count; t++) {
        const struct bm_tensor *tensor = &prepared->plan.tensors[t];
        if (tensor->on_host || (tensor->role != BM_ROLE_OUTPUT && tensor->role != BM_ROLE_SCRATCH))
            continue;
        size_t bytes = guarded_bytes(tensor);
        cl_mem shared;
        enum bm_status status = bm_opencl_written_get(prepared->session, t, &shared, error);
        if (status != BM_OK)
            return status;
        cl_int code = clEnqueueFillBuffer(prepared->session->queue.queue, shared, &pattern, sizeof pattern,
                                          slot_start(prepared, t, slot), bytes, 0, NULL, NULL);
        if (code != CL_SUCCESS)
            return bm_cl_fail(error, code, "clEnqueueFillBuffer");
    }
    return BM_OK;
}

/* The host's end of a transfer is shared: what it begins with is written before each verification. */
static enum bm_status begin_on_host(struct bm_prepared *prepared, struct bm_error *error) {
    enum bm_status status = BM_OK;
    for (unsigned t = 0; status == BM_OK && t < prepared->plan.tensor_count; t++) {
        const struct bm_tensor *tensor = &prepared->plan.tensors[t];
        uint8_t *memory;
        if (!tensor->on_host)
            continue;
        status = bm_opencl_staging_get(prepared->session, &memory, error);
        if (status == BM_OK && tensor->role == BM_ROLE_OUTPUT)
            memset(memory, BM_POISON, guarded_bytes(tensor));
        else if (status == BM_OK)
            status = bm_opencl_staging_fill(prepared, t, error);
    }
    return status;
}

static enum bm_status read_output(struct bm_prepared *prepared, unsigned output, uint64_t slot,
                                  uint8_t *guarded, struct bm_error *error) {
    struct bm_session *session = prepared->session;
    const struct bm_tensor *tensor = &prepared->plan.tensors[output];
    enum bm_status status;
    if (tensor->on_host) {
        uint8_t *memory;
        cl_int code = clFinish(session->queue.queue);
        status = code == CL_SUCCESS ? bm_opencl_staging_get(session, &memory, error)
                                    : bm_cl_fail(error, code, "clFinish");
        if (status == BM_OK)
            memcpy(guarded, memory, guarded_bytes(tensor));
        return status;
    }
    cl_mem shared;
    status = bm_opencl_written_get(session, output, &shared, error);
    return status == BM_OK ? bm_cl_buffer_read(&session->queue, shared, slot_start(prepared, output, slot),
                                               guarded, guarded_bytes(tensor), error)
                           : status;
}

enum bm_status bm_opencl_verify(struct bm_prepared *prepared, uint64_t seed,
                                struct bm_verification *verification, struct bm_error *error) {
    struct bm_session *session = prepared->session;
    size_t bytes, start;
    *verification = (struct bm_verification){0};
    if (prepared->sequence != NULL) /* which has no slots of its own */
        return bm_opencl_sequence_verify(prepared, seed, verification, error);
    const uint64_t slot = seed % prepared->slots;
    bm_plan_guarded(&prepared->plan, BM_MAX_TENSORS, &bytes);
    uint8_t *guarded = bm_alloc(bytes, 1);
    if (guarded == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for verification: %zu bytes", bytes);
    enum bm_status status = poison(prepared, slot, error);
    if (status == BM_OK)
        status = begin_on_host(prepared, error);
    if (status == BM_OK)
        status = bm_opencl_enqueue(prepared, seed, NULL, NULL, NULL, NULL, error);
    if (status != BM_OK)
        clFinish(session->queue.queue); /* what was queued must end before its buffers go */
    for (unsigned i = 0, t; status == BM_OK; i++) {
        t = bm_plan_guarded(&prepared->plan, i, &start);
        if (t == prepared->plan.tensor_count)
            break;
        status = read_output(prepared, t, slot, guarded + start, error);
    }
    if (status == BM_OK) {
        /* The reference reads the values that the device read. */
        struct bm_operands operands = bm_opencl_operands_at(prepared, seed);
        status = bm_verification_compare(&prepared->the_case, &prepared->plan, &operands, seed, guarded,
                                         verification, error);
    }
    free(guarded);
    return status;
}
