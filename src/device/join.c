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
    if (!is_gpu) /* CPUs come first; GPUs are counted when all are known */
        snprintf(device->hardware, sizeof device->hardware, "cpu%u", (unsigned)(join->count - 1) % 1000);
    return device;
}

bool bm_device_runs_rows(const struct bm_device *device) {
    for (unsigned i = 0; i < device->endpoint_count; i++)
        if (!device->endpoints[i]->only_ceilings)
            return true;
    return false;
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
    const struct bm_endpoint *first = NULL;
    for (unsigned i = 0; i < device->endpoint_count; i++) {
        const struct bm_endpoint *endpoint = device->endpoints[i];
        if (endpoint->usable && !endpoint->only_ceilings)
            return;
        if (first == NULL && !endpoint->usable)
            first = endpoint;
    }
    if (first != NULL)
        snprintf(device->missing, sizeof device->missing, "%s cannot be used: %s", first->id,
                 first->unusable_reason);
}

size_t bm_device_join(const struct bm_machine *machine, const struct bm_endpoint *endpoints,
                      size_t endpoint_count, const struct bm_datasheets *sheets, struct bm_device *devices,
                      size_t capacity) {
    struct bm_join join = {machine, endpoints, endpoint_count, sheets, devices, 0, capacity};
    unsigned gpus = 0;
    bm_join_cpus(&join);
    bm_join_gpus(&join);
    for (size_t i = 0; i < join.count; i++) {
        struct bm_device *device = &devices[i];
        if (device->is_gpu)
            snprintf(device->hardware, sizeof device->hardware, "gpu%u", gpus++);
        snprintf(device->id, sizeof device->id, "%s%s%s", device->hardware,
                 device->isa != BM_ISA_ANY ? "@" : "", bm_isa_name(device->isa));
        if (device->datasheet != NULL)
            bm_string_set(device->architecture, sizeof device->architecture, device->datasheet->architecture);
        explain_unusable(device);
        bm_device_fingerprint(device, bm_join_pci_gpu(machine, device), device->fingerprint);
    }
    return join.count;
}
