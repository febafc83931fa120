/* Binding threads near memory. */
#include "internal.h"

#include <errno.h>
#include <string.h>

/* Adds the hardware threads of one NUMA node to near. */
static enum bm_status add_node(const struct bm_topology *topology, unsigned index, hwloc_bitmap_t near,
                               struct bm_error *error) {
    hwloc_obj_t node = hwloc_get_numanode_obj_by_os_index(topology->hwloc, index);
    if (node == NULL)
        return bm_fail(error, BM_NOT_FOUND, "this machine has no NUMA node %u", index);
    hwloc_bitmap_or(near, near, node->cpuset);
    return BM_OK;
}

enum bm_status bm_topology_bind_near(const struct bm_topology *topology, const unsigned *numa, size_t count,
                                     struct bm_error *error) {
    if (!topology->machine.is_this_machine)
        return bm_fail(error, BM_UNSUPPORTED, "a recorded or synthetic topology cannot bind threads");
    enum bm_status status = BM_OK;
    hwloc_bitmap_t near = hwloc_bitmap_alloc();
    if (near == NULL)
        return bm_fail(error, BM_NO_MEMORY, "no memory to bind a thread");
    for (size_t i = 0; i < count; i++)
        if ((status = add_node(topology, numa[i], near, error)) != BM_OK)
            goto out;
    /* Nodes of memory alone, or none asked for: everywhere that this process may run. */
    if (hwloc_bitmap_intersects(near, topology->usable))
        hwloc_bitmap_and(near, near, topology->usable);
    else
        hwloc_bitmap_copy(near, topology->usable);
    if (hwloc_set_cpubind(topology->hwloc, near, HWLOC_CPUBIND_THREAD) != 0)
        status = bm_fail_native(error, BM_UNSUPPORTED, errno, "hwloc_set_cpubind",
                                "the system refuses to bind a thread: %s", strerror(errno));
out:
    hwloc_bitmap_free(near);
    return status;
}
