/* Places for threads: hardware threads in the order in which they are taken. */
#include "internal.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* Cores of the fastest and of the slowest kind; false where all are alike or the system does not tell. */
static bool find_kinds(hwloc_topology_t hwloc, hwloc_bitmap_t fastest, hwloc_bitmap_t slowest) {
    int count = hwloc_cpukinds_get_nr(hwloc, 0), efficiency;
    if (count < 2 || hwloc_cpukinds_get_info(hwloc, 0, slowest, &efficiency, NULL, NULL, 0) != 0 ||
        efficiency < 0)
        return false;
    /* hwloc orders the kinds by growing efficiency, which is its word for performance. */
    return hwloc_cpukinds_get_info(hwloc, (unsigned)count - 1, fastest, &efficiency, NULL, NULL, 0) == 0;
}

static hwloc_obj_type_t core_type(const struct bm_topology *topology) {
    /* Without cores (some virtual machines) a hardware thread is the best guess at one. */
    return hwloc_get_nbobjs_by_type(topology->hwloc, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
}

void bm_topology_read_kinds(struct bm_topology *topology) {
    hwloc_bitmap_t fastest = hwloc_bitmap_alloc(), slowest = hwloc_bitmap_alloc();
    struct bm_machine *machine = &topology->machine;
    if (fastest != NULL && slowest != NULL && find_kinds(topology->hwloc, fastest, slowest)) {
        hwloc_obj_t core = NULL;
        while ((core = hwloc_get_next_obj_by_type(topology->hwloc, core_type(topology), core)) != NULL) {
            if (!hwloc_bitmap_intersects(core->cpuset, topology->usable))
                continue;
            machine->performance_cores += hwloc_bitmap_intersects(core->cpuset, fastest) != 0;
            machine->efficiency_cores += hwloc_bitmap_intersects(core->cpuset, slowest) != 0;
        }
    }
    hwloc_bitmap_free(fastest);
    hwloc_bitmap_free(slowest);
}

/* The hardware threads of a kind of cores that this process may use. */
static enum bm_status find_usable(const struct bm_topology *topology, enum bm_core_kind kind,
                                  hwloc_bitmap_t usable, struct bm_error *error) {
    enum bm_status status = BM_OK;
    hwloc_bitmap_t fastest = hwloc_bitmap_alloc(), slowest = hwloc_bitmap_alloc();
    if (fastest == NULL || slowest == NULL || hwloc_bitmap_copy(usable, topology->usable) != 0)
        status = bm_fail(error, BM_NO_MEMORY, "no memory for places of threads");
    else if (kind != BM_CORES_ALL && !find_kinds(topology->hwloc, fastest, slowest))
        status = bm_fail(error, BM_INVALID, "the cores of this machine are all of one kind: use all");
    else if (kind != BM_CORES_ALL)
        hwloc_bitmap_and(usable, usable, kind == BM_CORES_PERFORMANCE ? fastest : slowest);
    if (status == BM_OK && hwloc_bitmap_iszero(usable))
        status = bm_fail(error, BM_INVALID, "this process may use no %s cores",
                         kind == BM_CORES_PERFORMANCE ? "performance" : "efficiency");
    hwloc_bitmap_free(fastest);
    hwloc_bitmap_free(slowest);
    return status;
}

static unsigned node_of(hwloc_const_nodeset_t nodes) {
    int node = hwloc_bitmap_first(nodes);
    return node >= 0 ? (unsigned)node : 0;
}

/* Hardware thread number `sibling` of each core, appended in the order of the cores. */
static void add_siblings(const struct bm_topology *topology, hwloc_const_bitmap_t usable, unsigned sibling,
                         unsigned wanted, struct bm_places *places) {
    hwloc_obj_t core = NULL;
    while (places->count < wanted &&
           (core = hwloc_get_next_obj_by_type(topology->hwloc, core_type(topology), core)) != NULL) {
        unsigned at = 0;
        int pu;
        hwloc_bitmap_foreach_begin(pu, core->cpuset) {
            if (!hwloc_bitmap_isset(usable, (unsigned)pu))
                continue;
            if (at++ == sibling && places->count < wanted)
                places->items[places->count++] =
                    (struct bm_place){.pu = (unsigned)pu, .node = node_of(core->nodeset)};
        }
        hwloc_bitmap_foreach_end();
    }
}

/* By node, else as they were found: first hardware threads before second ones. */
static void gather_nodes(struct bm_places *places) {
    for (unsigned i = 1; i < places->count; i++) {
        const struct bm_place place = places->items[i];
        unsigned at = i;
        for (; at > 0 && places->items[at - 1].node > place.node; at--)
            places->items[at] = places->items[at - 1];
        places->items[at] = place;
    }
}

static unsigned count_cores(const struct bm_topology *topology, hwloc_const_bitmap_t usable) {
    unsigned count = 0;
    hwloc_obj_t core = NULL;
    while ((core = hwloc_get_next_obj_by_type(topology->hwloc, core_type(topology), core)) != NULL)
        count += hwloc_bitmap_intersects(core->cpuset, usable) != 0;
    return count;
}

/* A container that may use 2.5 CPUs on average is throttled with three busy threads, not with two. */
static unsigned default_threads(const struct bm_topology *topology, hwloc_const_bitmap_t usable) {
    const unsigned cores = count_cores(topology, usable);
    const double limit = topology->machine.cpu_limit;
    if (limit <= 0 || limit >= cores)
        return cores;
    return limit < 1 ? 1 : (unsigned)limit;
}

enum bm_status bm_topology_places(const struct bm_topology *topology, enum bm_core_kind kind,
                                  unsigned threads, struct bm_places *places, struct bm_error *error) {
    *places = (struct bm_places){0};
    hwloc_bitmap_t usable = hwloc_bitmap_alloc();
    if (usable == NULL)
        return bm_fail(error, BM_NO_MEMORY, "no memory for places of threads");
    enum bm_status status = find_usable(topology, kind, usable, error);
    const int found = status == BM_OK ? hwloc_bitmap_weight(usable) : 0;
    const bool by_number = threads != 0;
    if (status == BM_OK && threads == 0)
        threads = default_threads(topology, usable);
    places->chosen =
        by_number || kind != BM_CORES_ALL || (status == BM_OK && threads < count_cores(topology, usable));
    if (status == BM_OK && (found < 0 || threads > (unsigned)found))
        status = bm_fail(error, BM_INVALID, "%u threads, but there %s %d hardware thread%s to run them on",
                         threads, found == 1 ? "is" : "are", found, found == 1 ? "" : "s");
    if (status == BM_OK && (places->items = bm_alloc(threads, sizeof *places->items)) == NULL)
        status = bm_fail(error, BM_NO_MEMORY, "no memory for %u places", threads);
    for (unsigned sibling = 0; status == BM_OK && places->count < threads; sibling++)
        add_siblings(topology, usable, sibling, threads, places);
    if (status == BM_OK)
        gather_nodes(places);
    else
        bm_places_fini(places);
    hwloc_bitmap_free(usable);
    return status;
}

void bm_places_fini(struct bm_places *places) {
    free(places->items);
    *places = (struct bm_places){0};
}

enum bm_status bm_places_bind(const struct bm_places *places, struct bm_error *error) {
    unsigned last = 0;
    for (unsigned i = 0; i < places->count; i++)
        last = places->items[i].pu > last ? places->items[i].pu : last;
    cpu_set_t *set = CPU_ALLOC(last + 1);
    if (set == NULL)
        return bm_fail(error, BM_NO_MEMORY, "no memory to bind a thread");
    const size_t size = CPU_ALLOC_SIZE(last + 1);
    CPU_ZERO_S(size, set);
    for (unsigned i = 0; i < places->count; i++)
        CPU_SET_S(places->items[i].pu, size, set);
    enum bm_status status = BM_OK;
    if (sched_setaffinity(0, size, set) != 0)
        status = bm_fail_native(error, BM_UNSUPPORTED, errno, "sched_setaffinity",
                                "the system refuses to bind a thread: %s", strerror(errno));
    CPU_FREE(set);
    return status;
}

enum bm_status bm_place_bind(const struct bm_place *place, struct bm_error *error) {
    struct bm_place copy = *place;
    return bm_places_bind(&(struct bm_places){.items = &copy, .count = 1}, error);
}
