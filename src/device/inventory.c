/* This machine's devices. */
#include "internal.h"

#include <stdlib.h>

enum bm_status bm_inventory_open(const char *topology_source, struct bm_inventory *inventory,
                                 struct bm_error *error) {
    enum bm_status status;
    *inventory = (struct bm_inventory){0};
    if ((status = bm_topology_open(topology_source, &inventory->topology, error)) != BM_OK ||
        (status = bm_datasheets_open(&inventory->datasheets, error)) != BM_OK ||
        (status = bm_endpoints_list(&inventory->endpoints, &inventory->endpoint_count, error)) != BM_OK)
        goto out;
    const struct bm_machine *machine = bm_topology_machine_get(inventory->topology);
    size_t capacity = machine->package_count + machine->gpu_count + inventory->endpoint_count;
    inventory->devices = bm_alloc(capacity, sizeof *inventory->devices);
    if (inventory->devices == NULL) {
        status = bm_fail(error, BM_NO_MEMORY, "no memory for %zu devices", capacity);
        goto out;
    }
    inventory->count = bm_device_join(machine, inventory->endpoints, inventory->endpoint_count,
                                      inventory->datasheets, inventory->devices, capacity);
out:
    if (status != BM_OK)
        bm_inventory_close(inventory);
    return status;
}

void bm_inventory_close(struct bm_inventory *inventory) {
    if (inventory == NULL)
        return;
    free(inventory->devices);
    bm_endpoints_free(inventory->endpoints, inventory->endpoint_count);
    bm_datasheets_close(inventory->datasheets);
    bm_topology_close(inventory->topology);
    *inventory = (struct bm_inventory){0};
}
