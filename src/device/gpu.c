/* GPUs: endpoints meet the PCI bus by address, else by vendor and order where that leaves no doubt. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

const struct bm_pci_gpu *bm_join_pci_gpu(const struct bm_machine *machine, const struct bm_device *device) {
    for (size_t i = 0; device->has_pci && i < machine->gpu_count; i++)
        if (bm_pci_equal(&machine->gpus[i].address, &device->pci))
            return &machine->gpus[i];
    return NULL;
}

static uint16_t endpoint_vendor(const struct bm_endpoint *endpoint) {
    uint16_t id = bm_vendor_id(endpoint->vendor);
    return id != 0 ? id : bm_vendor_id(endpoint->name);
}

static uint16_t device_vendor(const struct bm_join *join, const struct bm_device *device) {
    const struct bm_pci_gpu *gpu = bm_join_pci_gpu(join->machine, device);
    if (gpu != NULL)
        return gpu->vendor_id;
    return device->endpoint_count > 0 ? endpoint_vendor(device->endpoints[0]) : 0;
}

static void add_pci_gpus(struct bm_join *join) {
    for (size_t i = 0; i < join->machine->gpu_count; i++) {
        const struct bm_pci_gpu *gpu = &join->machine->gpus[i];
        struct bm_device *device = bm_join_add(join, true);
        if (device == NULL)
            return;
        device->has_pci = true;
        device->pci = gpu->address;
        device->numa_count = gpu->numa_count;
        memcpy(device->numa, gpu->numa, sizeof device->numa);
    }
}

/* Also for addresses that the bus does not show, as in a container without sysfs. Two endpoints of one
 * backend at one address are partitions of a GPU, each a device of its own. */
static void attach_by_address(struct bm_join *join, const struct bm_endpoint *endpoint) {
    for (size_t i = 0; i < join->count; i++) {
        struct bm_device *device = &join->devices[i];
        if (device->is_gpu && device->has_pci && bm_pci_equal(&device->pci, &endpoint->pci) &&
            bm_device_endpoint(device, endpoint->id) == NULL) {
            bm_device_attach(device, endpoint);
            return;
        }
    }
    struct bm_device *device = bm_join_add(join, true);
    if (device == NULL)
        return;
    device->has_pci = true;
    device->pci = endpoint->pci;
    for (size_t i = 0; i + 1 < join->count; i++) /* a partition is where the whole is */
        if (join->devices[i].has_pci && bm_pci_equal(&join->devices[i].pci, &endpoint->pci)) {
            device->numa_count = join->devices[i].numa_count;
            memcpy(device->numa, join->devices[i].numa, sizeof device->numa);
            break;
        }
    bm_device_attach(device, endpoint);
}

static bool is_alike(const struct bm_join *join, const struct bm_device *a, const struct bm_device *b) {
    const struct bm_pci_gpu *gpu_a = bm_join_pci_gpu(join->machine, a);
    const struct bm_pci_gpu *gpu_b = bm_join_pci_gpu(join->machine, b);
    if (gpu_a != NULL && gpu_b != NULL)
        return gpu_a->device_id == gpu_b->device_id;
    return a->endpoint_count > 0 && b->endpoint_count > 0 &&
           strcmp(a->endpoints[0]->name, b->endpoints[0]->name) == 0;
}

/* A device that an endpoint without an address might be: of its vendor, and new to its backend. */
static bool is_candidate(const struct bm_join *join, const struct bm_device *device,
                         const struct bm_endpoint *endpoint) {
    return device->is_gpu && device_vendor(join, device) == endpoint_vendor(endpoint) &&
           bm_device_endpoint(device, endpoint->id) == NULL;
}

static bool is_same_group(const struct bm_endpoint *endpoint, const struct bm_endpoint *first) {
    return endpoint->is_gpu && !endpoint->has_pci && strcmp(endpoint->id, first->id) == 0 &&
           endpoint_vendor(endpoint) == endpoint_vendor(first);
}

/* Places a backend's endpoints of one vendor that tell no address; first is the first of them. */
static void attach_by_order(struct bm_join *join, const struct bm_endpoint *first) {
    const struct bm_endpoint *end = join->endpoints + join->endpoint_count;
    struct bm_device *sample = NULL;
    size_t endpoints = 0, candidates = 0, existing = join->count;
    bool alike = true;
    for (const struct bm_endpoint *endpoint = first; endpoint < end; endpoint++)
        endpoints += is_same_group(endpoint, first);
    for (size_t i = 0; i < existing; i++)
        if (is_candidate(join, &join->devices[i], first)) {
            if (sample == NULL)
                sample = &join->devices[i];
            alike &= candidates == 0 || is_alike(join, sample, &join->devices[i]);
            candidates++;
        }
    bool certain = endpoint_vendor(first) != 0 && endpoints == candidates && alike;
    for (const struct bm_endpoint *endpoint = first; endpoint < end; endpoint++) {
        if (!is_same_group(endpoint, first))
            continue;
        struct bm_device *device = NULL;
        for (size_t i = 0; certain && device == NULL && i < existing; i++)
            if (is_candidate(join, &join->devices[i], endpoint))
                device = &join->devices[i];
        if (device == NULL)
            device = bm_join_add(join, true);
        if (device != NULL)
            bm_device_attach(device, endpoint);
    }
}

/* A GPU that an endpoint without an address may well be must not be listed a second time as unserved. */
static void drop_doubles(struct bm_join *join) {
    for (size_t own = 0; own < join->count; own++) {
        const struct bm_device *device = &join->devices[own];
        uint16_t vendor = device_vendor(join, device);
        if (!device->is_gpu || device->has_pci || vendor == 0)
            continue;
        for (size_t i = 0; i < own; i++) {
            struct bm_device *unserved = &join->devices[i];
            if (!unserved->is_gpu || unserved->endpoint_count > 0 || device_vendor(join, unserved) != vendor)
                continue;
            memmove(unserved, unserved + 1, (join->count - i - 1) * sizeof *unserved);
            join->count--;
            own--;
            break;
        }
    }
}

static bool is_before(const struct bm_device *a, const struct bm_device *b) {
    if (a->has_pci != b->has_pci)
        return a->has_pci;
    if (a->pci.domain != b->pci.domain)
        return a->pci.domain < b->pci.domain;
    if (a->pci.bus != b->pci.bus)
        return a->pci.bus < b->pci.bus;
    if (a->pci.device != b->pci.device)
        return a->pci.device < b->pci.device;
    return a->pci.function < b->pci.function;
}

/* Stable, so that devices without an address keep their drivers' order. */
static void sort_by_address(struct bm_device *devices, size_t count) {
    for (size_t i = 1; i < count; i++) {
        struct bm_device device = devices[i];
        size_t at = i;
        for (; at > 0 && is_before(&device, &devices[at - 1]); at--)
            devices[at] = devices[at - 1];
        devices[at] = device;
    }
}

static void match_datasheet(const struct bm_join *join, struct bm_device *device) {
    for (unsigned i = 0; join->sheets != NULL && device->datasheet == NULL && i < device->endpoint_count;
         i++) {
        const struct bm_endpoint *endpoint = device->endpoints[i];
        const struct bm_datasheet_query query = {
            .name = endpoint->name,
            .board_name = endpoint->board_name[0] != '\0' ? endpoint->board_name : NULL,
            .compute_units = endpoint->compute_units,
            .memory_bytes = endpoint->memory_bytes,
        };
        device->datasheet = bm_datasheets_match(join->sheets, &query);
    }
}

static void set_names(const struct bm_join *join, struct bm_device *device) {
    const struct bm_pci_gpu *gpu = bm_join_pci_gpu(join->machine, device);
    const char *vendor = bm_vendor_name(device_vendor(join, device));
    for (unsigned i = 0; device->name[0] == '\0' && i < device->endpoint_count; i++)
        bm_string_set(device->name, sizeof device->name, device->endpoints[i]->board_name);
    if (device->name[0] == '\0' && device->endpoint_count > 0)
        bm_string_set(device->name, sizeof device->name, device->endpoints[0]->name);
    else if (device->name[0] == '\0' && gpu != NULL && gpu->name[0] != '\0')
        bm_string_set(device->name, sizeof device->name, gpu->name);
    else if (device->name[0] == '\0' && gpu != NULL)
        snprintf(device->name, sizeof device->name, "%s GPU %04x:%04x", vendor != NULL ? vendor : "unknown",
                 gpu->vendor_id, gpu->device_id);
    if (vendor == NULL && gpu != NULL && gpu->vendor[0] != '\0')
        vendor = gpu->vendor;
    if (vendor == NULL && device->endpoint_count > 0)
        vendor = device->endpoints[0]->vendor;
    bm_string_set(device->vendor, sizeof device->vendor, vendor != NULL ? vendor : "");
}

static void complete(const struct bm_join *join, struct bm_device *device) {
    set_names(join, device);
    for (unsigned i = 0; i < device->endpoint_count; i++) {
        const struct bm_endpoint *endpoint = device->endpoints[i];
        if (device->compute_units == 0) /* drivers count differently: the first that tells */
            device->compute_units = endpoint->compute_units;
        if (device->clock_mhz < endpoint->clock_mhz)
            device->clock_mhz = endpoint->clock_mhz;
        if (device->memory_bytes < endpoint->memory_bytes)
            device->memory_bytes = endpoint->memory_bytes;
        if (device->llc_bytes < endpoint->cache_bytes)
            device->llc_bytes = endpoint->cache_bytes;
    }
    if (device->endpoint_count == 0)
        bm_string_set(device->missing, sizeof device->missing,
                      bm_vendor_package(device_vendor(join, device)));
    match_datasheet(join, device);
}

void bm_join_gpus(struct bm_join *join) {
    size_t first = join->count;
    add_pci_gpus(join);
    for (size_t i = 0; i < join->endpoint_count; i++)
        if (join->endpoints[i].is_gpu && join->endpoints[i].has_pci)
            attach_by_address(join, &join->endpoints[i]);
    for (size_t i = 0; i < join->endpoint_count; i++) {
        const struct bm_endpoint *endpoint = &join->endpoints[i];
        bool seen = !endpoint->is_gpu || endpoint->has_pci;
        for (size_t j = 0; !seen && j < i; j++)
            seen = is_same_group(&join->endpoints[j], endpoint);
        if (!seen)
            attach_by_order(join, endpoint);
    }
    drop_doubles(join);
    sort_by_address(join->devices + first, join->count - first);
    for (size_t i = first; i < join->count; i++)
        complete(join, &join->devices[i]);
}
