#include "endpoints.h"

static struct bm_topology *topology;
static struct bm_places places;
static struct bm_endpoint *all;
static size_t count;
static bool (*wanted)(const struct bm_endpoint *endpoint);

static void begin(bool (*those)(const struct bm_endpoint *)) {
    struct bm_error error = {0};
    wanted = those;
    cr_assert_eq(bm_topology_open(NULL, &topology, &error), BM_OK, "%s", error.message);
    cr_assert_eq(bm_topology_places(topology, BM_CORES_ALL, 0, &places, &error), BM_OK, "%s", error.message);
    cr_assert_eq(bm_endpoints_list(&places, NULL, 0, &all, &count, &error), BM_OK, "%s", error.message);
    cr_assert_not_null(endpoints_get(0), "no usable endpoint among %zu: install pocl-opencl-icd", count);
}

static bool any(const struct bm_endpoint *endpoint) {
    return endpoint->usable;
}

static bool runs_rows(const struct bm_endpoint *endpoint) {
    return endpoint->usable && !endpoint->only_ceilings;
}

bool endpoint_compiles(const struct bm_endpoint *endpoint) {
    return endpoint->usable && strcmp(endpoint->backend->name, "opencl") == 0;
}

void endpoints_begin(void) {
    begin(any);
}

void endpoints_begin_rows(void) {
    begin(runs_rows);
}

void endpoints_begin_compiling(void) {
    begin(endpoint_compiles);
}

void endpoints_end(void) {
    bm_endpoints_free(all, count);
    bm_places_fini(&places);
    bm_topology_close(topology);
    all = NULL;
    count = 0;
}

const struct bm_endpoint *endpoints_get(size_t index) {
    for (size_t i = 0; i < count; i++)
        if (wanted(&all[i]) && index-- == 0)
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
