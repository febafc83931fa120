/* What must be equal before two runs are compared by the gate: hardware, operating system, drivers. */
#include "internal.h"

#include <inttypes.h>
#include <string.h>
#include <sys/utsname.h>

static bool is_before(const struct bm_endpoint *a, const struct bm_endpoint *b) {
    int order = strcmp(a->id, b->id);
    return order < 0 || (order == 0 && strcmp(a->driver, b->driver) < 0);
}

void bm_device_fingerprint(const struct bm_device *device, const struct bm_pci_gpu *gpu, char hex[65]) {
    const struct bm_endpoint *sorted[BM_MAX_ENDPOINTS] = {
        NULL}; /* the loader's order is no property of the hardware */
    struct utsname system;
    struct bm_text text = {0};
    const uint64_t gib = UINT64_C(1) << 30;
    for (unsigned i = 0; i < device->endpoint_count; i++) {
        unsigned at = i;
        for (; at > 0 && is_before(device->endpoints[i], sorted[at - 1]); at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = device->endpoints[i];
    }
    bm_text_append(&text, "name %s\nunits %u\nmemory %" PRIu64 " GiB\n", device->name, device->compute_units,
                   (device->memory_bytes + gib / 2) / gib);
    if (device->isa != BM_ISA_ANY)
        bm_text_append(&text, "isa %s\n", bm_isa_name(device->isa));
    if (gpu != NULL)
        bm_text_append(&text, "pci %04x:%04x\n", gpu->vendor_id, gpu->device_id);
    if (uname(&system) == 0)
        bm_text_append(&text, "system %s %s\n", system.sysname, system.release);
    for (unsigned i = 0; i < device->endpoint_count; i++)
        bm_text_append(&text, "endpoint %s | %s | %s\n", sorted[i]->id, sorted[i]->driver,
                       sorted[i]->version);
    hex[0] = '\0'; /* no fingerprint equals no other: better than a wrong one */
    if (!text.failed)
        bm_sha256(&(struct bm_bytes){text.data, text.length}, 1, hex);
    bm_text_fini(&text);
}
