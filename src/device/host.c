/* What the host does for work on a device. */
#include "bm/device.h"

uint64_t bm_device_cold_bytes(const struct bm_device *device, const struct bm_endpoint *endpoint) {
    uint64_t cache = device->llc_bytes > endpoint->cache_bytes ? device->llc_bytes : endpoint->cache_bytes;
    uint64_t bytes = 8 * cache, limit = endpoint->max_allocation_bytes / 2;
    if (limit > endpoint->memory_bytes / 8)
        limit = endpoint->memory_bytes / 8;
    if (bytes < (uint64_t)64 << 20)
        bytes = (uint64_t)64 << 20;
    return bytes < limit ? bytes : limit;
}

void bm_device_bind_near(const struct bm_inventory *inventory, const struct bm_device *device) {
    struct bm_error error = {0};
    enum bm_status status = BM_OK;
    if (!device->is_gpu && inventory->places.chosen)
        status = bm_places_bind(&inventory->places, &error);
    else if (device->numa_count > 0)
        status = bm_topology_bind_near(inventory->topology, device->numa, device->numa_count, &error);
    if (status != BM_OK)
        bm_log(BM_LOG_INFO, "host threads are not bound near %s: %s", device->id, error.message);
}
