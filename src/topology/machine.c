/* Packages, cores, caches and memory. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* CPU names come with padding ("Intel(R) Xeon(R) CPU           X5650  @ 2.67GHz"): one blank between words.
 */
static void set_words(char *destination, size_t size, const char *source) {
    size_t length = 0;
    for (const char *at = source != NULL ? source : ""; *at != '\0' && length + 1 < size; at++)
        if (*at != ' ' || (length > 0 && destination[length - 1] != ' '))
            destination[length++] = *at;
    while (length > 0 && destination[length - 1] == ' ')
        length--;
    destination[length] = '\0';
}

static const char *info(hwloc_topology_t hwloc, hwloc_obj_t package, const char *key) {
    const char *value = hwloc_obj_get_info_by_name(package, key);
    /* Where the processors of a machine are alike, some systems tell it once for all. */
    return value != NULL ? value : hwloc_obj_get_info_by_name(hwloc_get_root_obj(hwloc), key);
}

static unsigned count_usable(const struct bm_topology *topology, hwloc_const_cpuset_t inside,
                             hwloc_obj_type_t type) {
    unsigned count = 0;
    for (hwloc_obj_t object = NULL;
         (object = hwloc_get_next_obj_by_type(topology->hwloc, type, object)) != NULL;)
        if (hwloc_bitmap_isincluded(object->cpuset, inside) &&
            hwloc_bitmap_intersects(object->cpuset, topology->usable))
            count++;
    return count;
}

static unsigned count_cores(const struct bm_topology *topology, hwloc_const_cpuset_t inside) {
    /* Without cores (some virtual machines) a hardware thread is the best guess at one. */
    bool has_cores = hwloc_get_nbobjs_by_type(topology->hwloc, HWLOC_OBJ_CORE) > 0;
    return count_usable(topology, inside, has_cores ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU);
}

/* The caches of the highest level that lie in the package. */
static uint64_t last_level_bytes(const struct bm_topology *topology, hwloc_const_cpuset_t inside) {
    for (int type = HWLOC_OBJ_L5CACHE; type >= HWLOC_OBJ_L1CACHE; type--) {
        uint64_t bytes = 0;
        for (hwloc_obj_t cache = NULL;
             (cache = hwloc_get_next_obj_by_type(topology->hwloc, (hwloc_obj_type_t)type, cache)) != NULL;)
            if (hwloc_bitmap_isincluded(cache->cpuset, inside) &&
                hwloc_bitmap_intersects(cache->cpuset, topology->usable))
                bytes += cache->attr->cache.size;
        if (bytes > 0)
            return bytes;
    }
    return 0;
}

static uint64_t memory_bytes(const struct bm_topology *topology, hwloc_const_nodeset_t nodes) {
    uint64_t bytes = 0;
    for (hwloc_obj_t node = NULL;
         (node = hwloc_get_next_obj_by_type(topology->hwloc, HWLOC_OBJ_NUMANODE, node)) != NULL;)
        if (hwloc_bitmap_isset(nodes, node->os_index))
            bytes += node->attr->numanode.local_memory;
    return bytes;
}

static void read_package(const struct bm_topology *topology, hwloc_obj_t object, struct bm_package *package) {
    set_words(package->model, sizeof package->model, info(topology->hwloc, object, "CPUModel"));
    set_words(package->vendor, sizeof package->vendor, info(topology->hwloc, object, "CPUVendor"));
    package->cores = count_cores(topology, object->cpuset);
    package->threads = count_usable(topology, object->cpuset, HWLOC_OBJ_PU);
    package->llc_bytes = last_level_bytes(topology, object->cpuset);
    package->memory_bytes = memory_bytes(topology, object->nodeset);
    package->numa_count = bm_topology_numa_list(object->nodeset, package->numa);
}

static void read_caches(struct bm_topology *topology) {
    struct bm_machine *machine = &topology->machine;
    for (int type = HWLOC_OBJ_L1CACHE; type <= HWLOC_OBJ_L5CACHE; type++) {
        struct bm_cache_summary summary = {.level = (unsigned)(type - HWLOC_OBJ_L1CACHE) + 1};
        for (hwloc_obj_t cache = NULL;
             (cache = hwloc_get_next_obj_by_type(topology->hwloc, (hwloc_obj_type_t)type, cache)) != NULL;) {
            if (!hwloc_bitmap_intersects(cache->cpuset, topology->usable))
                continue;
            summary.count++;
            if (cache->attr->cache.size > summary.bytes) /* cores of two kinds: the larger cache */
                summary.bytes = cache->attr->cache.size;
            if (summary.line_bytes == 0)
                summary.line_bytes = cache->attr->cache.linesize;
        }
        if (summary.count > 0 && machine->cache_count < BM_COUNT_OF(machine->caches))
            machine->caches[machine->cache_count++] = summary;
    }
}

/* A container's share of memory and CPUs, where control groups version 2 set one. */
static void apply_container_limits(struct bm_machine *machine) {
    char *membership = NULL;
    size_t size = 0;
    if (bm_file_read("/proc/self/cgroup", (size_t)64 << 10, &membership, &size, NULL) != BM_OK)
        return;
    uint64_t limit = bm_memory_limit("/sys/fs/cgroup", membership);
    if (limit < machine->memory_bytes)
        machine->memory_bytes = limit;
    machine->cpu_limit = bm_cpu_limit("/sys/fs/cgroup", membership);
    free(membership);
}

enum bm_status bm_topology_read_packages(struct bm_topology *topology, struct bm_error *error) {
    struct bm_machine *machine = &topology->machine;
    hwloc_obj_t root = hwloc_get_root_obj(topology->hwloc);
    int found = hwloc_get_nbobjs_by_type(topology->hwloc, HWLOC_OBJ_PACKAGE);
    size_t count = found > 0 ? (size_t)found : 1;
    topology->packages = bm_alloc(count, sizeof *topology->packages);
    if (topology->packages == NULL)
        return bm_fail(error, BM_NO_MEMORY, "no memory for %zu CPU packages", count);
    for (size_t i = 0; i < count; i++) {
        /* Some virtual machines tell of no package: the whole machine is one. */
        hwloc_obj_t object =
            found > 0 ? hwloc_get_obj_by_type(topology->hwloc, HWLOC_OBJ_PACKAGE, (unsigned)i) : root;
        if (!hwloc_bitmap_intersects(object->cpuset, topology->usable))
            continue; /* taskset keeps this process off it */
        read_package(topology, object, &topology->packages[machine->package_count++]);
    }
    machine->packages = topology->packages;
    machine->cores = count_cores(topology, root->cpuset);
    machine->threads = count_usable(topology, root->cpuset, HWLOC_OBJ_PU);
    machine->numa_nodes = (unsigned)hwloc_get_nbobjs_by_type(topology->hwloc, HWLOC_OBJ_NUMANODE);
    machine->memory_bytes = root->total_memory;
    if (machine->is_this_machine) {
        /* A virtual machine whose memory is plugged in on demand lists only part of it under its NUMA nodes.
         */
        uint64_t physical = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
        if (physical > machine->memory_bytes) {
            machine->memory_bytes = physical;
            if (machine->package_count == 1)
                topology->packages[0].memory_bytes = physical;
        }
        apply_container_limits(machine);
    }
    read_caches(topology);
    bm_topology_read_kinds(topology);
    return BM_OK;
}
