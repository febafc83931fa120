#include <stdlib.h>

#include "session.h"

enum { REGION_ALIGNMENT = 64 }; /* elements: every slot starts on a cache line, whatever the format */

static uint64_t align(uint64_t elements) {
    return (elements + REGION_ALIGNMENT - 1) / REGION_ALIGNMENT * REGION_ALIGNMENT;
}

void bm_opencl_layout(const struct bm_plan *plan, uint64_t starts[BM_MAX_TENSORS],
                      uint64_t region[BM_ELEMENT_COUNT]) {
    for (unsigned e = 0; e < BM_ELEMENT_COUNT; e++)
        region[e] = 0;
    for (unsigned t = 0; t < plan->tensor_count; t++) {
        const struct bm_tensor *tensor = &plan->tensors[t];
        if (tensor->role != BM_ROLE_COLD)
            continue;
        starts[t] = region[tensor->element];
        region[tensor->element] += align(tensor->count);
    }
}

enum bm_status bm_opencl_values_get(struct bm_session *session, enum bm_element element,
                                    const struct bm_values **values, struct bm_error *error) {
    struct bm_values *own = &session->arenas[element].values;
    *values = own;
    return own->values != NULL ? BM_OK : bm_values_init(own, element, session->options.seed, error);
}

void *bm_opencl_pack(const struct bm_values *values, uint64_t start, uint64_t count) {
    void *packed = bm_alloc(count, bm_element_bytes(values->element));
    if (packed == NULL)
        return NULL;
    float *f32 = packed;
    uint16_t *f16 = packed;
    size_t at = (size_t)(start % values->period);
    for (uint64_t i = 0; i < count; i++) {
        if (values->element == BM_ELEMENT_F16)
            f16[i] = bm_half_from_float(values->values[at]);
        else
            f32[i] = values->values[at];
        at = at + 1 == values->period ? 0 : at + 1;
    }
    return packed;
}

static enum bm_status fill(struct bm_session *session, struct bm_arena *arena, struct bm_error *error) {
    size_t width = bm_element_bytes(arena->values.element);
    uint64_t period = arena->values.period;
    void *packed = bm_opencl_pack(&arena->values, 0, period);
    if (packed == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for input values");
    enum bm_status status = BM_OK;
    for (uint64_t at = 0; status == BM_OK && at < arena->elements; at += period) {
        uint64_t count = arena->elements - at < period ? arena->elements - at : period;
        status = bm_cl_buffer_write(&session->queue, arena->buffer, at * width, packed, count * width, error);
    }
    free(packed);
    return status;
}

enum bm_status bm_opencl_arena_get(struct bm_session *session, enum bm_element element,
                                   const struct bm_arena **arena_out, struct bm_error *error) {
    struct bm_arena *arena = &session->arenas[element];
    const struct bm_values *values;
    *arena_out = arena;
    if (arena->buffer != NULL)
        return BM_OK;
    enum bm_status status = bm_opencl_values_get(session, element, &values, error);
    if (status != BM_OK)
        return status;
    /* One region more than the cold set: whole slots then cover at least the cold set. */
    uint64_t width = bm_element_bytes(element), limit = session->target.max_allocation_bytes / width;
    arena->elements = align(session->options.cold_bytes / width) + arena->largest;
    if (arena->elements > limit)
        arena->elements = limit;
    status = bm_cl_buffer_create(&session->queue, arena->elements * width, &arena->buffer, error);
    if (status == BM_OK)
        status = fill(session, arena, error);
    if (status != BM_OK && arena->buffer != NULL) {
        clReleaseMemObject(arena->buffer);
        arena->buffer = NULL;
    }
    return status;
}

void bm_opencl_arena_fini(struct bm_arena *arena) {
    if (arena->buffer != NULL)
        clReleaseMemObject(arena->buffer);
    bm_values_fini(&arena->values);
    *arena = (struct bm_arena){0};
}
