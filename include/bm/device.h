/* bm/device.h - floor 5: endpoints, topology and datasheets joined into the list of devices. */
#ifndef BM_DEVICE_H
#define BM_DEVICE_H

#include "bm/backend.h"
#include "bm/data.h"
#include "bm/topology.h"

#define BM_MAX_ENDPOINTS 8

/* One piece of hardware as a user counts it: the CPU, one GPU. */
struct bm_device {
    char id[32];       /* "cpu0", "gpu0"; with a cap "cpu0@avx2" */
    char hardware[16]; /* "cpu0": entries that differ in their cap have the same */
    enum bm_isa isa;   /* the cap */
    bool is_gpu;
    char name[128]; /* the hardware's: CPU model, GPU name */
    char vendor[96];
    char architecture[64];             /* of the datasheet, "" when unknown */
    unsigned compute_units, clock_mhz; /* compute units of a CPU: cores that this process may use */
    unsigned package_count; /* of a CPU: the equal packages it sums up; a datasheet tells of one. GPUs: 1 */
    uint64_t memory_bytes, llc_bytes;
    bool has_pci;
    struct bm_pci_address pci;
    unsigned numa_count; /* 0: unknown, or not on NUMA */
    unsigned numa[BM_MAX_NUMA];
    const struct bm_datasheet *datasheet; /* borrowed from the inventory, NULL: unknown hardware */
    const struct bm_endpoint *endpoints[BM_MAX_ENDPOINTS]; /* borrowed from the inventory */
    unsigned endpoint_count;
    char missing[160];    /* what would make more of it usable: "apt-get install pocl-opencl-icd", "" */
    char fingerprint[65]; /* SHA-256 over hardware, operating system and drivers; equal for the gate */
};

/* Owns what the devices borrow. */
struct bm_inventory {
    struct bm_device *devices; /* CPUs first, then GPUs in PCI order */
    size_t count;
    struct bm_endpoint *endpoints;
    size_t endpoint_count;
    struct bm_topology *topology;
    struct bm_places places; /* where CPU backends run; none of a machine that this is not */
    struct bm_datasheets *datasheets;
};
struct bm_inventory_options {
    const char *topology_source; /* as bm_topology_open takes it; NULL: this machine */
    enum bm_core_kind cores;
    unsigned threads;               /* of CPU backends; 0: as bm_topology_places chooses */
    enum bm_isa caps[BM_ISA_COUNT]; /* the CPU stands in the list once for each, instead of uncapped */
    unsigned cap_count;
};
/* options NULL: this machine, whole. BM_INVALID: a cap that the CPU lacks, more threads than there are. */
enum bm_status bm_inventory_open(const struct bm_inventory_options *options, struct bm_inventory *inventory,
                                 struct bm_error *error) BM_CHECK_RESULT;
void bm_inventory_close(struct bm_inventory *inventory);
/* The join alone, a pure function of its parts, for tests. Fills devices[capacity]; returns how many there
 * are. */
size_t bm_device_join(const struct bm_machine *machine, const struct bm_endpoint *endpoints,
                      size_t endpoint_count, const struct bm_datasheets *sheets, struct bm_device *devices,
                      size_t capacity);
/* The cold set of rotating inputs: 8 x the last-level cache, within what the device can allocate. */
uint64_t bm_device_cold_bytes(const struct bm_device *device, const struct bm_endpoint *endpoint);
/* Keeps the host's threads on the NUMA nodes of a device, where they are known, or on the places chosen of a
 * CPU; for work on this one alone. */
void bm_device_bind_near(const struct bm_inventory *inventory, const struct bm_device *device);
/* selector: an id ("cpu0@avx2", or "cpu0" whatever its cap), a kind ("cpu", "gpu") or a case-insensitive part
 * of the name. */
bool bm_device_matches(const struct bm_device *device, const char *selector);
/* selector: "opencl/pocl" or its first word "opencl". */
bool bm_endpoint_matches(const struct bm_endpoint *endpoint, const char *selector);

#endif
