#include <stdlib.h>

#include "session.h"

static uint64_t tensor_bytes(const struct bm_tensor *tensor) {
    return bm_element_size(tensor->element, tensor->count);
}

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* Of the outputs that one slot has. */
static uint64_t rotating_bytes(const struct bm_tensor *tensor) {
    return tensor->rotates ? bm_element_size(tensor->element, bm_opencl_output_stride(tensor)) : 0;
}

/* An output or scratch tensor. One that rotates has as many slots as make inputs and outputs together cold,
 * or as fit one allocation. */
static uint64_t written_bytes(const struct bm_session *session, const struct bm_plan *plan, unsigned t,
                              bool hot) {
    const uint64_t own = rotating_bytes(&plan->tensors[t]),
                   limit = session->target.max_allocation_bytes - 2 * BM_GUARD_BYTES;
    uint64_t starts[BM_MAX_TENSORS], region[BM_ELEMENT_COUNT], slot = 0;
    if (own == 0)
        return tensor_bytes(&plan->tensors[t]);
    bm_opencl_layout(plan, starts, region);
    for (unsigned e = 0; e < BM_ELEMENT_COUNT; e++)
        slot += bm_element_size((enum bm_element)e, region[e]);
    for (unsigned i = 0; i < plan->tensor_count; i++)
        slot += rotating_bytes(&plan->tensors[i]);
    uint64_t slots = hot ? 1 : (session->options.cold_bytes + slot - 1) / slot;
    if (slots > limit / own)
        slots = limit / own;
    return own * (slots > 0 ? slots : 1);
}

/* Every byte that the session will hold if the plan joins those already reserved. */
struct need {
    uint64_t arena[BM_ELEMENT_COUNT]; /* elements of the largest region */
    uint64_t hot[BM_MAX_TENSORS][BM_ELEMENT_COUNT], written[BM_MAX_TENSORS], total;
    uint64_t tables;  /* of all cases */
    uint64_t staging; /* of the host's memory: no part of total */
};

static void add_up(const struct bm_session *session, const struct bm_plan *plan, bool hot_case,
                   struct need *need) {
    uint64_t starts[BM_MAX_TENSORS], region[BM_ELEMENT_COUNT];
    bm_opencl_layout(plan, starts, region);
    for (unsigned e = 0; e < BM_ELEMENT_COUNT; e++) {
        need->arena[e] = larger(session->arenas[e].largest, region[e]);
        if (need->arena[e] > 0)
            need->total += session->options.cold_bytes + bm_element_size((enum bm_element)e, need->arena[e]);
    }
    need->staging = session->staging.largest;
    need->tables = session->table_bytes;
    for (unsigned t = 0; t < plan->tensor_count; t++)
        need->tables +=
            plan->tensors[t].role == BM_ROLE_TABLE ? BM_DRAWS * tensor_bytes(&plan->tensors[t]) : 0;
    need->total += need->tables;
    for (unsigned t = 0; t < plan->tensor_count; t++)
        if (plan->tensors[t].on_host)
            need->staging = larger(need->staging, tensor_bytes(&plan->tensors[t]));
    for (unsigned t = 0; t < BM_MAX_TENSORS; t++) {
        const struct bm_tensor *tensor = &plan->tensors[t];
        bool used = t < plan->tensor_count && !tensor->on_host;
        bool written = used && (tensor->role == BM_ROLE_OUTPUT || tensor->role == BM_ROLE_SCRATCH);
        need->written[t] =
            larger(session->written[t].largest, written ? written_bytes(session, plan, t, hot_case) : 0);
        need->total += need->written[t];
        for (unsigned e = 0; e < BM_ELEMENT_COUNT; e++) {
            bool hot = used && tensor->role == BM_ROLE_HOT && tensor->element == e;
            need->hot[t][e] = larger(session->hot[t][e].largest, hot ? tensor_bytes(tensor) : 0);
            need->total += need->hot[t][e];
        }
    }
}

static enum bm_status check_single_allocations(const struct bm_session *session, const struct bm_plan *plan,
                                               struct bm_error *error) {
    uint64_t starts[BM_MAX_TENSORS], region[BM_ELEMENT_COUNT], limit = session->target.max_allocation_bytes;
    bm_opencl_layout(plan, starts, region);
    for (unsigned t = 0; t < plan->tensor_count; t++) {
        const struct bm_tensor *tensor = &plan->tensors[t];
        bool cold = tensor->role == BM_ROLE_COLD;
        uint64_t bytes = cold ? bm_element_size(tensor->element, region[tensor->element])
                         : tensor->role == BM_ROLE_TABLE
                             ? BM_DRAWS * tensor_bytes(tensor)
                             : larger(tensor_bytes(tensor), rotating_bytes(tensor)) + 2 * BM_GUARD_BYTES;
        if (bytes > limit)
            return bm_fail(error, BM_UNSUPPORTED,
                           "%s: %.2f GiB, but the device allocates at most %.2f GiB at once", tensor->name,
                           (double)bytes / 0x1p30, (double)limit / 0x1p30);
    }
    return BM_OK;
}

/* Whether a buffer that exists already would be too small. */
static bool outgrows(const struct bm_session *session, const struct need *need) {
    bool outgrown = session->staging.buffer != NULL && need->staging > session->staging.largest;
    for (unsigned e = 0; e < BM_ELEMENT_COUNT; e++)
        outgrown |= session->arenas[e].buffer != NULL && need->arena[e] > session->arenas[e].largest;
    for (unsigned t = 0; t < BM_MAX_TENSORS; t++) {
        outgrown |= session->written[t].buffer != NULL && need->written[t] > session->written[t].largest;
        for (unsigned e = 0; e < BM_ELEMENT_COUNT; e++)
            outgrown |= session->hot[t][e].buffer != NULL && need->hot[t][e] > session->hot[t][e].largest;
    }
    return outgrown;
}

enum bm_status bm_opencl_reserve(struct bm_session *session, const struct bm_case *the_case,
                                 const struct bm_parameters *parameters, struct bm_error *error) {
    struct bm_plan plan = {0};
    struct need need = {0};
    const char *from;
    enum bm_status status = bm_opencl_plan(session, the_case, parameters, &plan, &from, error);
    if (status == BM_OK)
        status = check_single_allocations(session, &plan, error);
    if (status != BM_OK)
        return status;
    add_up(session, &plan, the_case->hot, &need);
    uint64_t usable = session->endpoint->memory_bytes / 4 * 3; /* the rest is the system's and the driver's */
    if (need.total > usable)
        return bm_fail(error, BM_NO_MEMORY,
                       "needs %.2f GiB in all, and %.2f of the device's %.2f GiB may be used",
                       (double)need.total / 0x1p30, (double)usable / 0x1p30,
                       (double)session->endpoint->memory_bytes / 0x1p30);
    if (outgrows(session, &need))
        return bm_fail(error, BM_INTERNAL, "every case must be reserved before the first is prepared");
    session->staging.largest = need.staging;
    session->table_bytes = need.tables;
    session->reserved_bytes = need.total;
    for (unsigned e = 0; e < BM_ELEMENT_COUNT; e++)
        session->arenas[e].largest = need.arena[e];
    for (unsigned t = 0; t < BM_MAX_TENSORS; t++) {
        session->written[t].largest = need.written[t];
        for (unsigned e = 0; e < BM_ELEMENT_COUNT; e++)
            session->hot[t][e].largest = need.hot[t][e];
    }
    return BM_OK;
}

enum bm_status bm_opencl_check_reserved(const struct bm_session *session, const struct bm_plan *plan,
                                        struct bm_error *error) {
    uint64_t starts[BM_MAX_TENSORS], region[BM_ELEMENT_COUNT];
    bool reserved = true;
    bm_opencl_layout(plan, starts, region);
    for (unsigned e = 0; e < BM_ELEMENT_COUNT; e++)
        reserved &= region[e] <= session->arenas[e].largest;
    for (unsigned t = 0; t < plan->tensor_count; t++) {
        const struct bm_tensor *tensor = &plan->tensors[t];
        if (tensor->on_host)
            reserved &= tensor_bytes(tensor) <= session->staging.largest;
        else if (tensor->role == BM_ROLE_HOT)
            reserved &= tensor_bytes(tensor) <= session->hot[t][tensor->element].largest;
        else if (tensor->role == BM_ROLE_OUTPUT || tensor->role == BM_ROLE_SCRATCH)
            reserved &= larger(tensor_bytes(tensor), rotating_bytes(tensor)) <= session->written[t].largest;
    }
    return reserved ? BM_OK : bm_fail(error, BM_INTERNAL, "the case was not reserved before it was prepared");
}

enum bm_status bm_opencl_hot_get(struct bm_session *session, const struct bm_plan *plan, unsigned t,
                                 struct bm_operands *operands, cl_mem *buffer, struct bm_error *error) {
    enum bm_element element = plan->tensors[t].element;
    struct bm_pool *pool = &session->hot[t][element];
    const size_t bytes = (size_t)pool->largest;
    enum bm_status status = bm_opencl_values_get(session, element, &operands->values[t], error);
    *buffer = NULL;
    if (status != BM_OK)
        return status;
    operands->start[t] = bm_opencl_hot_start(t);
    if (pool->buffer == NULL) {
        void *packed =
            bm_opencl_pack(operands->values[t], operands->start[t], bm_element_fit(element, bytes));
        if (packed == NULL)
            return bm_fail(error, BM_NO_MEMORY, "out of memory for input values");
        status = bm_cl_buffer_create(&session->queue, bytes, &pool->buffer, error);
        if (status == BM_OK)
            status = bm_cl_buffer_write(&session->queue, pool->buffer, 0, packed, bytes, error);
        free(packed);
        if (status != BM_OK && pool->buffer != NULL) {
            clReleaseMemObject(pool->buffer);
            pool->buffer = NULL;
        }
    }
    *buffer = pool->buffer;
    return status;
}

enum bm_status bm_opencl_written_get(struct bm_session *session, unsigned t, cl_mem *buffer,
                                     struct bm_error *error) {
    struct bm_pool *pool = &session->written[t];
    enum bm_status status = BM_OK;
    if (pool->buffer == NULL) {
        size_t bytes = pool->largest + 2 * BM_GUARD_BYTES;
        static const cl_uchar pattern = BM_POISON;
        status = bm_cl_buffer_create(&session->queue, bytes, &pool->buffer, error);
        /* Touched here, so that no launch is the first to touch a slot. */
        cl_int code = status != BM_OK ? CL_SUCCESS
                                      : clEnqueueFillBuffer(session->queue.queue, pool->buffer, &pattern,
                                                            sizeof pattern, 0, bytes, 0, NULL, NULL);
        if (code != CL_SUCCESS)
            status = bm_cl_fail(error, code, "clEnqueueFillBuffer");
    }
    *buffer = pool->buffer;
    return status;
}

void bm_opencl_pools_fini(struct bm_session *session) {
    for (unsigned t = 0; t < BM_MAX_TENSORS; t++) {
        if (session->written[t].buffer != NULL)
            clReleaseMemObject(session->written[t].buffer);
        for (unsigned e = 0; e < BM_ELEMENT_COUNT; e++)
            if (session->hot[t][e].buffer != NULL)
                clReleaseMemObject(session->hot[t][e].buffer);
    }
}
