/* The caches of a device, as far as they have a ceiling of their own. */
#include "run.h"

static size_t last_level(const struct bm_device *device, const struct bm_endpoint *endpoint,
                         struct bm_run_cache caches[BM_RUN_CACHES]) {
    uint64_t bytes = endpoint->cache_bytes > 0 ? endpoint->cache_bytes : device->llc_bytes;
    caches[0] = (struct bm_run_cache){.resource = "llc_read", .bytes = bytes, .total_bytes = bytes};
    return bytes > 0 ? 1 : 0;
}

/* Innermost first; the outermost is the last level, whatever its number. */
size_t bm_run_caches(const struct bm_inventory *inventory, const struct bm_device *device,
                     const struct bm_endpoint *endpoint, struct bm_run_cache caches[BM_RUN_CACHES]) {
    static const char *const resources[] = {"l1_read", "l2_read"};
    const struct bm_machine *machine =
        inventory->topology != NULL ? bm_topology_machine_get(inventory->topology) : NULL;
    size_t count = 0;
    if (device->is_gpu || machine == NULL || machine->cache_count == 0)
        return last_level(device, endpoint, caches);
    for (size_t i = 0; i < machine->cache_count && count < BM_RUN_CACHES; i++) {
        const struct bm_cache_summary *cache = &machine->caches[i];
        bool is_last = i + 1 == machine->cache_count;
        if (!is_last && (cache->level < 1 || cache->level > BM_COUNT_OF(resources)))
            continue;
        caches[count] = (struct bm_run_cache){.resource = is_last ? "llc_read" : resources[cache->level - 1],
                                              .bytes = cache->bytes,
                                              .total_bytes = cache->bytes * cache->count};
        count++;
    }
    return count;
}
