/* This machine's devices. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A tier above what the CPU has would silently be another one. */
static enum bm_status check_caps(const struct bm_inventory_options *options, struct bm_error *error) {
    struct bm_cpu cpu;
    char tiers[64];
    bm_cpu_detect(&cpu);
    bm_cpu_tiers(&cpu, tiers);
    for (unsigned i = 0; i < options->cap_count; i++)
        if (!bm_cpu_has(&cpu, options->caps[i]))
            return bm_fail(error, BM_INVALID, "--isa %s: this CPU has %s%s", bm_isa_name(options->caps[i]),
                           tiers[0] != '\0' ? "only " : "none of the tiers", tiers);
    return BM_OK;
}

/* Threads and their places, where this is the machine that they are on. */
static enum bm_status choose_places(const struct bm_inventory_options *options,
                                    struct bm_inventory *inventory, struct bm_error *error) {
    if (!bm_topology_machine_get(inventory->topology)->is_this_machine)
        return BM_OK;
    return bm_topology_places(inventory->topology, options->cores, options->threads, &inventory->places,
                              error);
}

/* A package that a variable hides need not be installed again. */
static void explain_missing(struct bm_device *device) {
    const char *backends = getenv("BENCHMARK_BACKENDS"), *vendors = getenv("OCL_ICD_VENDORS");
    if (strcmp(device->missing, BM_CPU_PACKAGE) != 0)
        return;
    if (!bm_backend_admitted("opencl"))
        snprintf(device->missing, sizeof device->missing,
                 "BENCHMARK_BACKENDS=%.60s leaves out opencl; with it: " BM_CPU_PACKAGE, backends);
    else if (vendors != NULL)
        snprintf(device->missing, sizeof device->missing,
                 "OCL_ICD_VENDORS=%.60s names no driver of it; without that: " BM_CPU_PACKAGE, vendors);
}

enum bm_status bm_inventory_open(const struct bm_inventory_options *options, struct bm_inventory *inventory,
                                 struct bm_error *error) {
    static const struct bm_inventory_options defaults = {0};
    enum bm_status status;
    *inventory = (struct bm_inventory){0};
    if (options == NULL)
        options = &defaults;
    if ((status = check_caps(options, error)) != BM_OK ||
        (status = bm_topology_open(options->topology_source, &inventory->topology, error)) != BM_OK ||
        (status = choose_places(options, inventory, error)) != BM_OK ||
        (status = bm_datasheets_open(&inventory->datasheets, error)) != BM_OK ||
        (status = bm_endpoints_list(inventory->places.count > 0 ? &inventory->places : NULL, options->caps,
                                    options->cap_count, &inventory->endpoints, &inventory->endpoint_count,
                                    error)) != BM_OK)
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
    for (size_t i = 0; i < inventory->count; i++)
        explain_missing(&inventory->devices[i]);
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
    bm_places_fini(&inventory->places);
    bm_topology_close(inventory->topology);
    *inventory = (struct bm_inventory){0};
}
