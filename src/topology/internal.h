/* The topology module's own parts; hwloc stays behind this folder. */
#ifndef BM_TOPOLOGY_INTERNAL_H
#define BM_TOPOLOGY_INTERNAL_H

#include <hwloc.h>

#include "bm/topology.h"

struct bm_topology {
    hwloc_topology_t hwloc;
    hwloc_bitmap_t usable; /* hardware threads that this process may run on */
    struct bm_machine machine;
    struct bm_package *packages;
    struct bm_pci_gpu *gpus;
};

/* Each fills its part of topology->machine from the loaded hwloc topology. */
enum bm_status bm_topology_read_packages(struct bm_topology *topology,
                                         struct bm_error *error) BM_CHECK_RESULT;
void bm_topology_read_kinds(struct bm_topology *topology);
enum bm_status bm_topology_read_gpus(struct bm_topology *topology, struct bm_error *error) BM_CHECK_RESULT;

/* Writes the OS indices of the NUMA nodes in nodeset, ascending, at most BM_MAX_NUMA; returns how many. */
unsigned bm_topology_numa_list(hwloc_const_nodeset_t nodeset, unsigned numa[BM_MAX_NUMA]);

/* Fills empty vendor and device names from text in the format of pci.ids. */
void bm_pci_names_fill(struct bm_pci_gpu *gpu, const char *database);

/* The smallest memory.max of the cgroup named in membership (the text of /proc/self/cgroup) and of its
 * ancestors below root (/sys/fs/cgroup); UINT64_MAX where nothing limits. */
uint64_t bm_memory_limit(const char *root, const char *membership);
/* Likewise of cpu.max, in CPUs; 0 where nothing limits. */
double bm_cpu_limit(const char *root, const char *membership);

#endif
