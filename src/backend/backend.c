#include "backends.h"

#include <stdlib.h>
#include <string.h>

static const struct bm_backend *const backends[] = {&bm_backend_opencl, &bm_backend_native,
                                                    &bm_backend_onednn};

const struct bm_backend *bm_backend_get(size_t index) {
    return index < BM_COUNT_OF(backends) ? backends[index] : NULL;
}

bool bm_backend_admitted(const char *name) {
    const char *list = getenv("BENCHMARK_BACKENDS");
    const size_t length = strlen(name);
    if (list == NULL || list[0] == '\0')
        return true;
    for (const char *word = list;; word += strcspn(word, ",") + 1) {
        if (strcspn(word, ",") == length && strncmp(word, name, length) == 0)
            return true;
        if (word[strcspn(word, ",")] == '\0')
            return false;
    }
}

/* A misspelt word admits nothing, and nobody would know why. */
static void warn_of_unknown_backends(void) {
    const char *list = getenv("BENCHMARK_BACKENDS");
    for (size_t length; list != NULL && list[0] != '\0'; list += length + (list[length] == ',')) {
        bool known = false;
        length = strcspn(list, ",");
        for (size_t i = 0; i < BM_COUNT_OF(backends); i++)
            known |= strncmp(list, backends[i]->name, length) == 0 && backends[i]->name[length] == '\0';
        if (!known)
            bm_log(BM_LOG_WARNING, "BENCHMARK_BACKENDS: '%.*s' is no backend: use opencl, native or onednn",
                   (int)(length < 40 ? length : 40), list);
    }
}

/* What one backend cannot list the others may. */
static enum bm_status list_all(const struct bm_backend_options *options, struct bm_endpoint **endpoints,
                               size_t *count, size_t *capacity, struct bm_error *error) {
    for (size_t i = 0; i < BM_COUNT_OF(backends); i++) {
        struct bm_error failure = {0};
        if (!bm_backend_admitted(backends[i]->name))
            continue;
        if (backends[i]->list(options, endpoints, count, capacity, &failure) == BM_OK)
            continue;
        if (failure.status == BM_NO_MEMORY)
            return bm_fail(error, failure.status, "%s", failure.message);
        bm_log(BM_LOG_WARNING, "backend %s lists no devices: %s", backends[i]->name, failure.message);
    }
    return BM_OK;
}

enum bm_status bm_endpoints_list(const struct bm_places *places, const enum bm_isa *caps, size_t cap_count,
                                 struct bm_endpoint **endpoints, size_t *count, struct bm_error *error) {
    struct bm_backend_options options = {.cpus = cap_count == 0, .gpus = true, .places = places};
    size_t capacity = 0;
    *endpoints = NULL;
    *count = 0;
    warn_of_unknown_backends();
    enum bm_status status = list_all(&options, endpoints, count, &capacity, error);
    options = (struct bm_backend_options){.cpus = true, .places = places};
    for (size_t i = 0; status == BM_OK && i < cap_count; i++) {
        const size_t before = *count;
        options.isa = caps[i];
        status = list_all(&options, endpoints, count, &capacity, error);
        for (size_t e = before; e < *count;
             e++) { /* all entries share one memory, and are measured at once */
            (*endpoints)[e].memory_bytes /= cap_count;
            (*endpoints)[e].max_allocation_bytes /= cap_count;
        }
    }
    if (status != BM_OK) {
        bm_endpoints_free(*endpoints, *count);
        *endpoints = NULL;
        *count = 0;
    }
    return status;
}

bool bm_endpoint_lacks(const struct bm_endpoint *endpoint, const struct bm_dtype *dtype) {
    const struct bm_dtype *one;
    for (size_t i = 0; (one = bm_dtype_get(i)) != NULL; i++)
        if (one == dtype)
            return (endpoint->lacks_dtypes & (uint32_t)1 << i) != 0;
    return false;
}

bool bm_endpoint_offers(const struct bm_endpoint *endpoint, const struct bm_case *the_case) {
    const char *workload = the_case->workload->name;
    if (endpoint->only_products && strcmp(workload, "gemm") != 0 && strcmp(workload, "gemv") != 0)
        return false;
    return !bm_endpoint_lacks(endpoint, the_case->dtype);
}

void bm_endpoints_free(struct bm_endpoint *endpoints, size_t count) {
    for (size_t i = 0; i < count; i++)
        endpoints[i].backend->release(&endpoints[i]);
    free(endpoints);
}
