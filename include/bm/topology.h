/* bm/topology.h - floor 2: what hwloc knows of this machine: packages, cores, caches, NUMA, PCI; binding.
 *
 * hwloc's own OpenCL objects are not used: they hide CPU-only platforms. */
#ifndef BM_TOPOLOGY_H
#define BM_TOPOLOGY_H

#include "bm/base.h"

struct bm_topology; /* opaque */

/* source NULL: this machine. "xml:PATH": a recorded topology (lstopo file.xml). Anything else: hwloc's
 * synthetic description ("package:2 numa:1 l3:1 core:4 pu:2"). A recorded or synthetic topology cannot bind.
 */
enum bm_status bm_topology_open(const char *source, struct bm_topology **topology,
                                struct bm_error *error) BM_CHECK_RESULT;
void bm_topology_close(struct bm_topology *topology);

#define BM_MAX_NUMA 16

struct bm_package {
    char model[96]; /* "AMD EPYC 9654", "" when unknown */
    char vendor[32];
    unsigned cores, threads; /* threads = hardware threads (PUs) this process may use */
    uint64_t llc_bytes;      /* sum of the last-level caches of the package */
    uint64_t memory_bytes;   /* of its NUMA nodes */
    unsigned numa_count;
    unsigned numa[BM_MAX_NUMA]; /* OS indices */
};

struct bm_pci_gpu {
    struct bm_pci_address address;
    uint16_t vendor_id, device_id;
    char vendor[64], name[96]; /* from the PCI database where installed, else "" */
    unsigned numa_count;
    unsigned numa[BM_MAX_NUMA]; /* the NUMA nodes near its bus */
};

struct bm_cache_summary {
    unsigned level; /* 1, 2, 3 */
    unsigned count; /* instances */
    uint64_t bytes; /* of one instance */
    unsigned line_bytes;
};

/* A flat summary, owned by the topology and valid until it is closed. */
struct bm_machine {
    const struct bm_package *packages;
    size_t package_count;
    const struct bm_pci_gpu
        *gpus; /* PCI class 03 (display) and 12 (processing accelerator), bridges excluded */
    size_t gpu_count;
    struct bm_cache_summary caches[4]; /* data and unified caches, level 1 first */
    size_t cache_count;
    unsigned cores, threads, numa_nodes;
    uint64_t memory_bytes;
    bool is_this_machine;
};
const struct bm_machine *bm_topology_machine_get(const struct bm_topology *topology);

/* Binds the calling thread (and threads it starts later) to the hardware threads near: the given NUMA nodes,
 * or every one when count is 0. BM_UNSUPPORTED where the system refuses or the topology is not this machine.
 */
enum bm_status bm_topology_bind_near(const struct bm_topology *topology, const unsigned *numa, size_t count,
                                     struct bm_error *error) BM_CHECK_RESULT;

#endif
