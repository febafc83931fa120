#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "session.h"

enum { HUGE_PAGE = 2 << 20 };

enum bm_status bm_onednn_values_get(struct bm_session *session, enum bm_element element,
                                    const struct bm_values **values, struct bm_error *error) {
    struct bm_values *own = &session->values[element];
    *values = own;
    return own->values != NULL ? BM_OK : bm_values_init(own, element, session->seed, error);
}

/* Pages as the ceilings have them: huge ones where the system gives them. */
enum bm_status bm_onednn_map(struct bm_shared *shared, size_t extra, struct bm_error *error) {
    if (shared->data != NULL)
        return BM_OK;
    size_t bytes = ((size_t)shared->largest + extra + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE + HUGE_PAGE;
    uint8_t *mapped =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
        return bm_fail_native(error, BM_NO_MEMORY, errno, "mmap", "cannot map %.2f GiB: %s",
                              (double)bytes / 0x1p30, strerror(errno));
    (void)!madvise(mapped, bytes, MADV_HUGEPAGE);
    const size_t shift = (HUGE_PAGE - (uintptr_t)mapped % HUGE_PAGE) % HUGE_PAGE;
    if (shift > 0)
        munmap(mapped, shift);
    shared->data = mapped + shift;
    shared->bytes = bytes - shift;
    return BM_OK;
}

void bm_onednn_unmap(struct bm_shared *shared) {
    if (shared->data != NULL)
        munmap(shared->data, shared->bytes);
    *shared = (struct bm_shared){0};
}

/* A large page to each thread in turn: which of them will read it is the library's choice, and another one in
 * every case, so that every stretch lies on all NUMA nodes alike. */
void bm_onednn_fill(const struct bm_values *values, uint64_t start, uint64_t count, void *data) {
    const uint64_t piece = bm_element_fit(values->element, HUGE_PAGE);
    const uint64_t pieces = (count + piece - 1) / piece;
#pragma omp parallel for schedule(static, 1)
    for (uint64_t p = 0; p < pieces; p++) {
        const uint64_t first = p * piece, end = first + piece < count ? first + piece : count;
        size_t at = (size_t)((start + first) % values->period);
        for (uint64_t i = first; i < end; i++) {
            bm_element_store(values->element, data, i, values->values[at]);
            at = at + 1 == values->period ? 0 : at + 1;
        }
    }
}

enum bm_status bm_onednn_arena_get(struct bm_session *session, enum bm_element element, uint8_t **data,
                                   struct bm_error *error) {
    struct bm_shared *arena = &session->arena[element];
    const struct bm_values *values;
    const bool is_new = arena->data == NULL;
    enum bm_status status = bm_onednn_values_get(session, element, &values, error);
    if (status == BM_OK)
        status = bm_onednn_map(arena, 0, error);
    if (status == BM_OK && is_new)
        bm_onednn_fill(values, 0, bm_element_fit(element, arena->largest), arena->data);
    *data = arena->data;
    return status;
}

enum bm_status bm_onednn_hot_get(struct bm_session *session, unsigned tensor, enum bm_element element,
                                 uint8_t **data, struct bm_error *error) {
    struct bm_shared *hot = &session->hot[tensor][element];
    const struct bm_values *values;
    const bool is_new = hot->data == NULL;
    enum bm_status status = bm_onednn_values_get(session, element, &values, error);
    if (status == BM_OK)
        status = bm_onednn_map(hot, 0, error);
    if (status == BM_OK && is_new)
        bm_onednn_fill(values, bm_onednn_hot_start(tensor), bm_element_fit(element, hot->largest), hot->data);
    *data = hot->data;
    return status;
}

void bm_onednn_memory_fini(struct bm_session *session) {
    for (unsigned e = 0; e < BM_ELEMENT_COUNT; e++) {
        bm_onednn_unmap(&session->arena[e]);
        for (unsigned t = 0; t < BM_MATMUL_TENSORS; t++)
            bm_onednn_unmap(&session->hot[t][e]);
        bm_values_fini(&session->values[e]);
    }
    bm_onednn_unmap(&session->outputs);
    bm_onednn_unmap(&session->plain);
    bm_onednn_unmap(&session->scratch);
    bm_onednn_unmap(&session->quantised);
    bm_onednn_unmap(&session->row_scales);
}
