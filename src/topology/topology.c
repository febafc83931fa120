/* Opening a topology: this machine, a recorded one or a synthetic one. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static enum bm_status set_source(hwloc_topology_t hwloc, const char *source, struct bm_error *error) {
    static const char xml[] = "xml:";
    if (source == NULL)
        return BM_OK;
    if (strncmp(source, xml, sizeof xml - 1) != 0) {
        if (hwloc_topology_set_synthetic(hwloc, source) != 0)
            return bm_fail(error, BM_INVALID,
                           "topology \"%s\": not a synthetic description; write for example "
                           "\"package:2 numa:1 l3:1 core:4 pu:2\", or xml:PATH for a recorded one",
                           source);
        return BM_OK;
    }
    const char *path = source + sizeof xml - 1;
    if (!bm_file_exists(path))
        return bm_fail(error, BM_NOT_FOUND, "%s: no such topology; record one with: lstopo %s", path,
                       *path != '\0' ? path : "FILE.xml");
    if (hwloc_topology_set_xml(hwloc, path) != 0)
        return bm_fail(error, BM_INVALID, "%s: not an hwloc topology; record one with: lstopo %s", path,
                       path);
    return BM_OK;
}

/* hwloc leaves out what control groups forbid; the process's own affinity (taskset) is taken out here. */
static enum bm_status read_usable(struct bm_topology *topology, struct bm_error *error) {
    topology->usable = hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(topology->hwloc));
    hwloc_bitmap_t bound = hwloc_bitmap_alloc();
    if (topology->usable == NULL || bound == NULL) {
        hwloc_bitmap_free(bound);
        return bm_fail(error, BM_NO_MEMORY, "no memory for the topology's hardware threads");
    }
    if (topology->machine.is_this_machine &&
        hwloc_get_cpubind(topology->hwloc, bound, HWLOC_CPUBIND_PROCESS) == 0 &&
        hwloc_bitmap_intersects(topology->usable, bound))
        hwloc_bitmap_and(topology->usable, topology->usable, bound);
    hwloc_bitmap_free(bound);
    return BM_OK;
}

enum bm_status bm_topology_open(const char *source, struct bm_topology **topology, struct bm_error *error) {
    enum bm_status status;
    *topology = NULL;
    struct bm_topology *opened = bm_alloc(1, sizeof *opened);
    if (opened == NULL)
        return bm_fail(error, BM_NO_MEMORY, "no memory for the topology");
    if (hwloc_topology_init(&opened->hwloc) != 0) {
        free(opened);
        return bm_fail(error, BM_NO_MEMORY, "hwloc cannot start: %s", strerror(errno));
    }
    if ((status = set_source(opened->hwloc, source, error)) != BM_OK)
        goto out;
    /* hwloc leaves PCI out unless asked. */
    if (hwloc_topology_set_type_filter(opened->hwloc, HWLOC_OBJ_PCI_DEVICE, HWLOC_TYPE_FILTER_KEEP_ALL) !=
            0 ||
        hwloc_topology_set_type_filter(opened->hwloc, HWLOC_OBJ_BRIDGE, HWLOC_TYPE_FILTER_KEEP_IMPORTANT) !=
            0) {
        status = bm_fail(error, BM_INTERNAL, "hwloc refuses to look for PCI devices: %s", strerror(errno));
        goto out;
    }
    if (hwloc_topology_load(opened->hwloc) != 0) {
        status = source == NULL ? bm_fail(error, BM_UNSUPPORTED,
                                          "hwloc cannot read this machine's topology: %s", strerror(errno))
                                : bm_fail(error, BM_INVALID, "topology \"%s\": hwloc cannot load it", source);
        goto out;
    }
    opened->machine.is_this_machine = hwloc_topology_is_thissystem(opened->hwloc) != 0;
    if ((status = read_usable(opened, error)) != BM_OK ||
        (status = bm_topology_read_packages(opened, error)) != BM_OK ||
        (status = bm_topology_read_gpus(opened, error)) != BM_OK)
        goto out;
    *topology = opened;
out:
    if (status != BM_OK)
        bm_topology_close(opened);
    return status;
}

void bm_topology_close(struct bm_topology *topology) {
    if (topology == NULL)
        return;
    hwloc_bitmap_free(topology->usable);
    hwloc_topology_destroy(topology->hwloc);
    free(topology->packages);
    free(topology->gpus);
    free(topology);
}

const struct bm_machine *bm_topology_machine_get(const struct bm_topology *topology) {
    return &topology->machine;
}

unsigned bm_topology_numa_list(hwloc_const_nodeset_t nodeset, unsigned numa[BM_MAX_NUMA]) {
    unsigned count = 0;
    for (int index = hwloc_bitmap_first(nodeset); index >= 0 && count < BM_MAX_NUMA;
         index = hwloc_bitmap_next(nodeset, index))
        numa[count++] = (unsigned)index;
    return count;
}
