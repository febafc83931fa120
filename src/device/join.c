/* The join: packages, PCI GPUs and endpoints become devices. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

struct bm_device *bm_join_add(struct bm_join *join, bool is_gpu) {
    if (join->count == join->capacity) {
        bm_log(BM_LOG_WARNING, "more than %zu devices: the rest is left out", join->capacity);
        return NULL;
    }
    struct bm_device *device = &join->devices[join->count++];
    *device = (struct bm_device){.is_gpu = is_gpu, .package_count = 1};
    return device;
}

bool bm_device_attach(struct bm_device *device, const struct bm_endpoint *endpoint) {
    if (device->endpoint_count == BM_COUNT_OF(device->endpoints)) {
        bm_log(BM_LOG_WARNING, "%s: more than %zu ways to one device; this one is left out", endpoint->id,
               BM_COUNT_OF(device->endpoints));
        return false;
    }
    device->endpoints[device->endpoint_count++] = endpoint;
    return true;
}

const struct bm_endpoint *bm_device_endpoint(const struct bm_device *device, const char *id) {
    for (unsigned i = 0; i < device->endpoint_count; i++)
        if (strcmp(device->endpoints[i]->id, id) == 0)
            return device->endpoints[i];
    return NULL;
}

/* Endpoints that are there but cannot run anything: their reason is what is missing. */
static void explain_unusable(struct bm_device *device) {
    for (unsigned i = 0; i < device->endpoint_count; i++)
        if (device->endpoints[i]->usable)
            return;
    if (device->endpoint_count > 0)
        snprintf(device->missing, sizeof device->missing, "%s cannot be used: %s", device->endpoints[0]->id,
                 device->endpoints[0]->unusable_reason);
}

size_t bm_device_join(const struct bm_machine *machine, const struct bm_endpoint *endpoints,
                      size_t endpoint_count, const struct bm_datasheets *sheets, struct bm_device *devices,
                      size_t capacity) {
    struct bm_join join = {machine, endpoints, endpoint_count, sheets, devices, 0, capacity};
    unsigned numbers[2] = {0};
    bm_join_cpus(&join);
    bm_join_gpus(&join);
    for (size_t i = 0; i < join.count; i++) {
        struct bm_device *device = &devices[i];
        snprintf(device->id, sizeof device->id, "%s%u", device->is_gpu ? "gpu" : "cpu",
                 numbers[device->is_gpu]++);
        if (device->datasheet != NULL)
            bm_string_set(device->architecture, sizeof device->architecture, device->datasheet->architecture);
        explain_unusable(device);
        bm_device_fingerprint(device, bm_join_pci_gpu(machine, device), device->fingerprint);
    }
    return join.count;
}
