#include "endpoints.h"

static struct bm_endpoint *all;
static size_t count;

void endpoints_begin(void) {
    struct bm_error error = {0};
    cr_assert_eq(bm_endpoints_list(&all, &count, &error), BM_OK, "%s", error.message);
    cr_assert_not_null(endpoints_get(0), "no usable endpoint among %zu: install pocl-opencl-icd", count);
}

void endpoints_end(void) {
    bm_endpoints_free(all, count);
    all = NULL;
    count = 0;
}

const struct bm_endpoint *endpoints_get(size_t index) {
    for (size_t i = 0; i < count; i++)
        if (all[i].usable && index-- == 0)
            return &all[i];
    return NULL;
}

struct bm_session *session_open(const struct bm_endpoint *endpoint, uint64_t cold_bytes, uint64_t seed,
                                const char *kernels) {
    struct bm_session_options options = {.cold_bytes = cold_bytes, .seed = seed, .kernels_folder = kernels};
    struct bm_session *session;
    struct bm_error error = {0};
    cr_assert_eq(endpoint->backend->open(endpoint, &options, &session, &error), BM_OK, "%s: %s", endpoint->id,
                 error.message);
    cr_assert_not_null(session);
    return session;
}

struct bm_prepared *session_prepare(const struct bm_endpoint *endpoint, struct bm_session *session,
                                    const struct bm_case *the_case) {
    struct bm_prepared *prepared;
    struct bm_error error = {0};
    cr_assert_eq(endpoint->backend->reserve(session, the_case, NULL, &error), BM_OK, "%s: %s", endpoint->id,
                 error.message);
    cr_assert_eq(endpoint->backend->prepare(session, the_case, NULL, &prepared, &error), BM_OK, "%s: %s",
                 endpoint->id, error.message);
    cr_assert_not_null(prepared);
    return prepared;
}
