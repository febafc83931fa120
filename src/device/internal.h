/* The device module's own parts: the steps of the join. */
#ifndef BM_DEVICE_INTERNAL_H
#define BM_DEVICE_INTERNAL_H

#include "bm/device.h"

/* What serves a CPU that no driver serves. */
#define BM_CPU_PACKAGE "apt-get install pocl-opencl-icd"

struct bm_join {
    const struct bm_machine *machine;
    const struct bm_endpoint *endpoints;
    size_t endpoint_count;
    const struct bm_datasheets *sheets;
    struct bm_device *devices;
    size_t count, capacity;
};

/* A new zeroed device of the kind, NULL when the capacity is used up (logged). */
struct bm_device *bm_join_add(struct bm_join *join, bool is_gpu);
/* Gives an endpoint to a device; false where it has no room left (logged). */
bool bm_device_attach(struct bm_device *device, const struct bm_endpoint *endpoint);
/* Whether some endpoint does more than measure ceilings. */
bool bm_device_runs_rows(const struct bm_device *device);
/* The device's endpoint of this backend, NULL: none. A device has at most one of each. */
const struct bm_endpoint *bm_device_endpoint(const struct bm_device *device, const char *id);

void bm_join_cpus(struct bm_join *join);
void bm_join_gpus(struct bm_join *join);
/* The PCI GPU at the device's address, NULL: none or unknown. */
const struct bm_pci_gpu *bm_join_pci_gpu(const struct bm_machine *machine, const struct bm_device *device);

/* The vendor's PCI id by any of its spellings ("Advanced Micro Devices, Inc."), 0: unknown. */
uint16_t bm_vendor_id(const char *text);
/* "NVIDIA" for 0x10de; NULL: unknown. */
const char *bm_vendor_name(uint16_t id);
/* What serves a GPU of this vendor: the package to install. Never NULL. */
const char *bm_vendor_package(uint16_t id);

void bm_device_fingerprint(const struct bm_device *device, const struct bm_pci_gpu *gpu, char hex[65]);

#endif
