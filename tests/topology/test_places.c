/* Places for threads on machines that this one is not, and binding on this one. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "bm/topology.h"

/* Two packages with a NUMA node each. A node has two performance cores with two hardware threads (0 to 3 and
 * 8 to 11) and two efficiency cores with one (4 and 6, 12 and 14). */
static struct bm_topology *open_hybrid(void) {
    char source[4096];
    struct bm_topology *topology;
    struct bm_error error = {0};
    snprintf(source, sizeof source, "xml:%s/tests/topology/hybrid-two-nodes.xml", getenv("BM_SOURCE_DIR"));
    cr_assert_eq(bm_topology_open(source, &topology, &error), BM_OK, "%s", error.message);
    return topology;
}

static void expect_places(const struct bm_topology *topology, enum bm_core_kind kind, unsigned threads,
                          const char *expected) {
    struct bm_places places;
    struct bm_error error = {0};
    struct bm_text text = {0};
    cr_assert_eq(bm_topology_places(topology, kind, threads, &places, &error), BM_OK, "%s", error.message);
    for (unsigned i = 0; i < places.count; i++)
        bm_text_append(&text, "%s%u:%u", i > 0 ? " " : "", places.items[i].node, places.items[i].pu);
    cr_expect_str_eq(text.data, expected);
    cr_expect(threads == 0 || places.count == threads);
    bm_text_fini(&text);
    bm_places_fini(&places);
    cr_expect_null(places.items);
}

static void expect_refused(const struct bm_topology *topology, enum bm_core_kind kind, unsigned threads,
                           const char *words) {
    struct bm_places places = {.count = 7};
    struct bm_error error = {0};
    cr_expect_eq(bm_topology_places(topology, kind, threads, &places, &error), BM_INVALID);
    cr_expect_not_null(strstr(error.message, words), "%s", error.message);
    cr_expect(places.items == NULL && places.count == 0, "outputs are cleared");
}

Test(places, one_a_core_and_node_by_node) {
    struct bm_topology *topology = open_hybrid();
    expect_places(topology, BM_CORES_ALL, 0, "0:0 0:2 0:4 0:6 1:8 1:10 1:12 1:14");
    expect_places(topology, BM_CORES_ALL, 3, "0:0 0:2 0:4");
    expect_places(topology, BM_CORES_ALL, 5, "0:0 0:2 0:4 0:6 1:8");
    bm_topology_close(topology);
}

Test(places, second_hardware_threads_come_when_cores_are_used_up) {
    struct bm_topology *topology = open_hybrid();
    expect_places(topology, BM_CORES_ALL, 9, "0:0 0:2 0:4 0:6 0:1 1:8 1:10 1:12 1:14");
    expect_places(topology, BM_CORES_ALL, 12, "0:0 0:2 0:4 0:6 0:1 0:3 1:8 1:10 1:12 1:14 1:9 1:11");
    expect_refused(topology, BM_CORES_ALL, 13, "13 threads, but there are 12 hardware threads");
    bm_topology_close(topology);
}

Test(places, kinds_of_cores_are_told_apart) {
    struct bm_topology *topology = open_hybrid();
    const struct bm_machine *machine = bm_topology_machine_get(topology);
    cr_expect_eq(machine->performance_cores, 4);
    cr_expect_eq(machine->efficiency_cores, 4);
    expect_places(topology, BM_CORES_PERFORMANCE, 0, "0:0 0:2 1:8 1:10");
    expect_places(topology, BM_CORES_PERFORMANCE, 6, "0:0 0:2 0:1 0:3 1:8 1:10");
    expect_places(topology, BM_CORES_EFFICIENCY, 0, "0:4 0:6 1:12 1:14");
    expect_refused(topology, BM_CORES_EFFICIENCY, 5, "there are 4 hardware threads");
    bm_topology_close(topology);
}

Test(places, of_a_machine_with_equal_cores) {
    struct bm_topology *topology;
    cr_assert_eq(bm_topology_open("package:2 [numa] core:2 pu:2", &topology, NULL), BM_OK);
    cr_expect_eq(bm_topology_machine_get(topology)->performance_cores, 0);
    expect_places(topology, BM_CORES_ALL, 0, "0:0 0:2 1:4 1:6");
    expect_refused(topology, BM_CORES_PERFORMANCE, 0, "all of one kind");
    expect_refused(topology, BM_CORES_EFFICIENCY, 1, "all of one kind");
    bm_topology_close(topology);
}

/* In a child, as it stays bound. */
static bool bound_to(const struct bm_places *places, unsigned count) {
    pid_t child = fork();
    if (child == 0) {
        cpu_set_t set;
        const struct bm_places some = {.items = places->items, .count = count};
        bool right =
            (count == 1 ? bm_place_bind(&places->items[0], NULL) : bm_places_bind(&some, NULL)) == BM_OK &&
            sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) == (int)count;
        for (unsigned i = 0; right && i < count; i++)
            right = CPU_ISSET(places->items[i].pu, &set);
        _exit(right ? 0 : 1);
    }
    int status = -1;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

Test(places, bind_threads_of_this_machine) {
    struct bm_topology *topology;
    struct bm_places places;
    cr_assert_eq(bm_topology_open(NULL, &topology, NULL), BM_OK);
    cr_assert_eq(bm_topology_places(topology, BM_CORES_ALL, 0, &places, NULL), BM_OK);
    cr_expect_leq(places.count, bm_topology_machine_get(topology)->cores);
    cr_expect(bound_to(&places, 1));
    cr_expect(bound_to(&places, places.count));
    bm_places_fini(&places);
    bm_topology_close(topology);
}

Test(places, that_do_not_exist_cannot_be_bound) {
    struct bm_place nowhere = {.pu = 100000};
    struct bm_error error = {0};
    cr_expect_eq(bm_place_bind(&nowhere, &error), BM_UNSUPPORTED);
    cr_expect_not_null(strstr(error.message, "refuses to bind"), "%s", error.message);
}
