/* The ceilings that the rows of a plan are judged by. */
#include <string.h>

#include "plan.h"

static struct bm_ceiling_sizes ceiling_sizes(const struct bm_inventory *inventory,
                                             const struct bm_device *device,
                                             const struct bm_endpoint *endpoint) {
    struct bm_ceiling_sizes sizes = {.cold_bytes = bm_device_cold_bytes(device, endpoint),
                                     .compute_units = endpoint->compute_units,
                                     .is_gpu = endpoint->is_gpu};
    struct bm_run_cache caches[BM_RUN_CACHES];
    size_t count = bm_run_caches(inventory, device, endpoint, caches);
    for (size_t i = 0; i < count; i++) {
        uint64_t *size = strcmp(caches[i].resource, "llc_read") == 0  ? &sizes.llc_bytes
                         : strcmp(caches[i].resource, "l2_read") == 0 ? &sizes.l2_bytes
                                                                      : &sizes.l1_bytes;
        *size = caches[i].bytes;
    }
    return sizes;
}

enum { RUN_PIPES = 16 };

static bool wants_dtype(const struct bm_run_options *options, const struct bm_suite *suite,
                        const char *name) {
    if (options->dtypes.count > 0)
        return bm_names_select(&options->dtypes, name);
    for (unsigned e = 0; e < suite->entry_count; e++)
        for (unsigned d = 0; d < suite->entries[e].dtype_count; d++)
            if (strcmp(suite->entries[e].dtypes[d], name) == 0)
                return true;
    return false;
}

/* The pipes that may serve the contracts of the suite or of --dtype, each once, NULL-terminated. */
static void collect_pipes(const struct bm_run_options *options, const struct bm_suite *suite,
                          const char *pipes[RUN_PIPES]) {
    size_t used = 0;
    const struct bm_dtype *dtype;
    for (size_t d = 0; (dtype = bm_dtype_get(d)) != NULL; d++) {
        if (!wants_dtype(options, suite, dtype->name))
            continue;
        for (const char *const *pipe = dtype->pipes; *pipe != NULL; pipe++) {
            bool known = used + 1 >= RUN_PIPES;
            for (size_t i = 0; i < used; i++)
                known |= strcmp(pipes[i], *pipe) == 0;
            if (!known)
                pipes[used++] = *pipe;
        }
    }
    pipes[used] = NULL;
}

/* Whether the suite, or --workload, has work that writes about as much as it reads. */
static bool has_writing(const struct bm_run_options *options, const struct bm_suite *suite) {
    const struct bm_workload *workload;
    for (size_t w = 0; (workload = bm_workload_get(w)) != NULL; w++)
        for (unsigned e = 0; workload->written != NULL && e < suite->entry_count; e++) {
            const struct bm_planner planner = {.options = options, .axes = &suite->entries[e]};
            if (bm_planner_selects(&planner, workload->name))
                return true;
        }
    return false;
}

static bool has_other_ceilings(const struct bm_device *device, const struct bm_endpoint *endpoint) {
    for (unsigned e = 0; e < device->endpoint_count; e++)
        if (device->endpoints[e] != endpoint && device->endpoints[e]->usable &&
            !device->endpoints[e]->only_rows)
            return true;
    return false;
}

/* Hot rows are judged by the inner caches too. */
enum bm_status bm_planner_add_ceilings(struct bm_planner *planner, const struct bm_device *device,
                                       const struct bm_suite *suite, struct bm_error *error) {
    const struct bm_endpoint *endpoint = device->endpoints[planner->endpoint];
    const char *pipes[RUN_PIPES];
    struct bm_ceiling_wish wish = {.sizes = ceiling_sizes(planner->inventory, device, endpoint),
                                   .inner = planner->options->hot,
                                   .all = suite->ceilings == BM_CEILINGS_ALL,
                                   .writing = has_writing(planner->options, suite),
                                   .alone = !has_other_ceilings(device, endpoint),
                                   .pipes = pipes};
    struct bm_case cases[BM_MAX_CEILINGS];
    size_t unused, count;
    enum bm_status status = BM_OK;
    collect_pipes(planner->options, suite, pipes);
    if (endpoint->backend != NULL && endpoint->backend->ceilings != NULL)
        count = endpoint->backend->ceilings(endpoint, &wish, cases, BM_MAX_CEILINGS);
    else
        count = bm_ceiling_cases_sized(&wish.sizes, wish.inner, wish.all, cases, BM_MAX_CEILINGS);
    for (size_t i = 0; status == BM_OK && i < count && i < BM_MAX_CEILINGS; i++)
        status = bm_planner_add(planner, &cases[i], true, &unused, error);
    return status;
}
