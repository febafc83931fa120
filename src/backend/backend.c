#include "backends.h"

#include <stdlib.h>

static const struct bm_backend *const backends[] = {&bm_backend_opencl};

const struct bm_backend *bm_backend_get(size_t index) {
    return index < BM_COUNT_OF(backends) ? backends[index] : NULL;
}

enum bm_status bm_endpoints_list(struct bm_endpoint **endpoints, size_t *count, struct bm_error *error) {
    size_t capacity = 0;
    *endpoints = NULL;
    *count = 0;
    for (size_t i = 0; i < BM_COUNT_OF(backends); i++) {
        struct bm_error failure = {0};
        if (backends[i]->list(endpoints, count, &capacity, &failure) == BM_OK)
            continue;
        if (failure.status == BM_NO_MEMORY) {
            bm_endpoints_free(*endpoints, *count);
            *endpoints = NULL;
            *count = 0;
            return bm_fail(error, failure.status, "%s", failure.message);
        }
        bm_log(BM_LOG_WARNING, "backend %s lists no devices: %s", backends[i]->name, failure.message);
    }
    return BM_OK;
}

void bm_endpoints_free(struct bm_endpoint *endpoints, size_t count) {
    for (size_t i = 0; i < count; i++)
        endpoints[i].backend->release(&endpoints[i]);
    free(endpoints);
}
