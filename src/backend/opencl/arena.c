#include <stdlib.h>

#include "session.h"

/* Elements: every slot and every tensor in it starts on a cache line of 64 bytes, whatever the format, and so
 * on a whole byte. */
enum { REGION_ALIGNMENT = 128 };

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

uint64_t bm_opencl_output_stride(const struct bm_tensor *tensor) {
    return align(tensor->count);
}

enum bm_status bm_opencl_values_get(struct bm_session *session, enum bm_element element,
                                    const struct bm_values **values, struct bm_error *error) {
    struct bm_values *own = &session->arenas[element].values;
    *values = own;
    return own->values != NULL ? BM_OK : bm_values_init(own, element, session->options.seed, error);
}

void *bm_opencl_pack(const struct bm_values *values, uint64_t start, uint64_t count) {
    void *packed = bm_alloc((size_t)bm_element_size(values->element, count), 1);
    if (packed == NULL)
        return NULL;
    size_t at = (size_t)(start % values->period);
    for (uint64_t i = 0; i < count; i++) {
        bm_element_store(values->element, packed, i, values->values[at]);
        at = at + 1 == values->period ? 0 : at + 1;
    }
    return packed;
}

static enum bm_status fill(struct bm_session *session, struct bm_arena *arena, struct bm_error *error) {
    enum bm_element element = arena->values.element;
    uint64_t chunk = 2 * arena->values.period; /* the period is odd: two of them end on a whole byte */
    void *packed = bm_opencl_pack(&arena->values, 0, chunk);
    if (packed == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for input values");
    enum bm_status status = BM_OK;
    for (uint64_t at = 0; status == BM_OK && at < arena->elements; at += chunk) {
        uint64_t count = arena->elements - at < chunk ? arena->elements - at : chunk;
        status = bm_cl_buffer_write(&session->queue, arena->buffer, bm_element_size(element, at), packed,
                                    bm_element_size(element, count), error);
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
    uint64_t limit = bm_element_fit(element, session->target.max_allocation_bytes);
    arena->elements = align(bm_element_fit(element, session->options.cold_bytes)) + arena->largest;
    if (arena->elements > limit)
        arena->elements = limit;
    status = bm_cl_buffer_create(&session->queue, bm_element_size(element, arena->elements), &arena->buffer,
                                 error);
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
