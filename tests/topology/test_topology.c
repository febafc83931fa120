/* Synthetic and recorded topologies, and this machine's own. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "bm/topology.h"

#define GIB (UINT64_C(1) << 30)

static struct bm_topology *open_topology(const char *source) {
    struct bm_topology *topology;
    struct bm_error error = {0};
    cr_assert_eq(bm_topology_open(source, &topology, &error), BM_OK, "%s", error.message);
    return topology;
}

static struct bm_topology *open_recorded(const char *file) {
    char source[4096];
    snprintf(source, sizeof source, "xml:%s/tests/topology/%s", getenv("BM_SOURCE_DIR"), file);
    return open_topology(source);
}

Test(synthetic, tells_packages_caches_and_memory) {
    struct bm_topology *topology = open_topology("package:2 [numa(memory=68719476736)] l3:2(size=33554432) "
                                                 "l2:4(size=1048576) l1d:1(size=49152) core:1 pu:2");
    const struct bm_machine *machine = bm_topology_machine_get(topology);
    cr_assert_not(machine->is_this_machine);
    cr_assert_eq(machine->package_count, 2);
    cr_assert_eq(machine->cores, 16);
    cr_assert_eq(machine->threads, 32);
    cr_assert_eq(machine->numa_nodes, 2);
    cr_assert_eq(machine->memory_bytes, 128 * GIB);
    for (unsigned i = 0; i < 2; i++) {
        const struct bm_package *package = &machine->packages[i];
        cr_assert_str_eq(package->model, "");
        cr_assert_eq(package->cores, 8);
        cr_assert_eq(package->threads, 16);
        cr_assert_eq(package->llc_bytes, 2 * 33554432);
        cr_assert_eq(package->memory_bytes, 64 * GIB);
        cr_assert_eq(package->numa_count, 1);
        cr_assert_eq(package->numa[0], i);
    }
    cr_assert_eq(machine->cache_count, 3);
    static const struct bm_cache_summary expected[] = {
        {1, 16, 49152, 64}, {2, 16, 1048576, 64}, {3, 4, 33554432, 64}};
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(machine->caches[i].level, expected[i].level);
        cr_assert_eq(machine->caches[i].count, expected[i].count);
        cr_assert_eq(machine->caches[i].bytes, expected[i].bytes);
        cr_assert_eq(machine->caches[i].line_bytes, expected[i].line_bytes);
    }
    cr_assert_eq(machine->gpu_count, 0);
    bm_topology_close(topology);
}

Test(synthetic, without_packages_cores_or_last_level_cache_is_one_package) {
    struct bm_topology *topology = open_topology("numa:2(memory=1073741824) l2:2(size=1048576) pu:2");
    const struct bm_machine *machine = bm_topology_machine_get(topology);
    cr_assert_eq(machine->package_count, 1);
    cr_assert_eq(machine->packages[0].cores, 8);
    cr_assert_eq(machine->packages[0].threads, 8);
    cr_assert_eq(machine->packages[0].llc_bytes, 4 * 1048576);
    cr_assert_eq(machine->packages[0].numa_count, 2);
    cr_assert_eq(machine->packages[0].memory_bytes, 2 * GIB);
    bm_topology_close(topology);
}

Test(synthetic, cannot_bind) {
    struct bm_topology *topology = open_topology("package:1 core:2 pu:1");
    struct bm_error error = {0};
    cr_assert_eq(bm_topology_bind_near(topology, NULL, 0, &error), BM_UNSUPPORTED);
    cr_assert(bm_string_contains(error.message, "synthetic"));
    bm_topology_close(topology);
}

Test(recorded, gpus_know_their_address_and_numa_node) {
    struct bm_topology *topology = open_recorded("two-packages-two-gpus.xml");
    const struct bm_machine *machine = bm_topology_machine_get(topology);
    cr_assert_not(machine->is_this_machine);
    cr_assert_eq(machine->package_count, 2);
    cr_assert_str_eq(machine->packages[1].model, "Intel(R) Xeon(R) Platinum 8380 CPU @ 2.30GHz");
    cr_assert_str_eq(machine->packages[1].vendor, "GenuineIntel");
    cr_assert_eq(machine->gpu_count, 2);
    static const char *const addresses[] = {"0000:3b:00.0", "0000:af:00.0"};
    for (unsigned i = 0; i < 2; i++) {
        char text[16];
        bm_pci_format(&machine->gpus[i].address, text);
        cr_assert_str_eq(text, addresses[i]);
        cr_assert_eq(machine->gpus[i].vendor_id, 0x10de);
        cr_assert_eq(machine->gpus[i].device_id, 0x20b5);
        cr_assert_str_eq(machine->gpus[i].vendor, "NVIDIA Corporation");
        cr_assert_str_eq(machine->gpus[i].name, "GA100 [A100 PCIe 80GB]");
        cr_assert_eq(machine->gpus[i].numa_count, 1);
        cr_assert_eq(machine->gpus[i].numa[0], i);
    }
    bm_topology_close(topology);
}

/* Two management controllers, a network card, a virtual VGA and a GPU's sound function are none. */
Test(recorded, only_gpus_to_measure_are_listed) {
    struct bm_topology *topology = open_recorded("mixed.xml");
    const struct bm_machine *machine = bm_topology_machine_get(topology);
    static const struct {
        const char *address;
        unsigned vendor, numa_count, numa;
    } expected[] = {
        {"0000:04:00.0", 0x1da3, 1, 0}, /* a processing accelerator */
        {"0000:c1:00.0", 0x8086, 0, 0}, /* on a bus whose place is unknown */
        {"0001:41:00.0", 0x1002, 1, 1}, /* another domain: last */
    };
    cr_assert_eq(machine->gpu_count, BM_COUNT_OF(expected));
    for (unsigned i = 0; i < BM_COUNT_OF(expected); i++) {
        char text[16];
        bm_pci_format(&machine->gpus[i].address, text);
        cr_assert_str_eq(text, expected[i].address);
        cr_assert_eq(machine->gpus[i].vendor_id, expected[i].vendor);
        cr_assert_eq(machine->gpus[i].numa_count, expected[i].numa_count);
        if (expected[i].numa_count > 0)
            cr_assert_eq(machine->gpus[i].numa[0], expected[i].numa);
    }
    cr_assert_str_eq(machine->packages[0].model, "Intel(R) Xeon(R) CPU X5650 @ 2.67GHz",
                     "blanks are not collapsed");
    cr_assert_str_eq(machine->packages[1].vendor, "AuthenticAMD");
    bm_topology_close(topology);
}

Test(bad_input, is_refused_with_the_place_and_the_mend) {
    char broken[4096], truncated[4096], folder[] = "/tmp/bm-topology-XXXXXX";
    cr_assert_not_null(mkdtemp(folder));
    snprintf(broken, sizeof broken, "xml:%s/broken.xml", folder);
    snprintf(truncated, sizeof truncated, "xml:%s/truncated.xml", folder);
    struct bm_error ignored = {0};
    cr_assert_eq(bm_file_write_atomic(broken + 4, "{}", 2, &ignored), BM_OK);
    static const char start[] =
        "<?xml version=\"1.0\"?>\n<topology version=\"2.0\"><object type=\"Machine\" os_";
    cr_assert_eq(bm_file_write_atomic(truncated + 4, start, sizeof start - 1, &ignored), BM_OK);
    const struct {
        const char *source;
        enum bm_status status;
        const char *said;
    } cases[] = {
        {"", BM_INVALID, "synthetic"},
        {"packages please", BM_INVALID, "package:2 numa:1"},
        {"package:2 core:0 pu:1", BM_INVALID, "synthetic"},
        {"xml:", BM_NOT_FOUND, "lstopo"},
        {"xml:/nowhere/topology.xml", BM_NOT_FOUND, "/nowhere/topology.xml"},
        {broken, BM_INVALID, "broken.xml"},
        {truncated, BM_INVALID, "truncated.xml"},
    };
    for (unsigned i = 0; i < BM_COUNT_OF(cases); i++) {
        struct bm_topology *topology = (struct bm_topology *)1;
        struct bm_error error = {0};
        cr_expect_eq(bm_topology_open(cases[i].source, &topology, &error), cases[i].status, "%s",
                     cases[i].source);
        cr_expect_null(topology);
        cr_expect(bm_string_contains(error.message, cases[i].said), "'%s': %s", cases[i].source,
                  error.message);
        cr_expect_null(strchr(error.message, '\n'));
    }
    remove(broken + 4);
    remove(truncated + 4);
    remove(folder);
}

Test(this_machine, tells_what_the_process_may_use) {
    struct bm_topology *topology = open_topology(NULL);
    const struct bm_machine *machine = bm_topology_machine_get(topology);
    cpu_set_t allowed;
    cr_assert_eq(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    cr_assert(machine->is_this_machine);
    cr_assert_geq(machine->package_count, 1);
    cr_assert_eq(machine->threads, (unsigned)CPU_COUNT(&allowed));
    cr_assert_leq(machine->cores, machine->threads);
    cr_assert_gt(machine->memory_bytes, 0);
    cr_assert_geq(machine->numa_nodes, 1);
    unsigned threads = 0;
    for (size_t i = 0; i < machine->package_count; i++)
        threads += machine->packages[i].threads;
    cr_assert_eq(threads, machine->threads);
    bm_topology_close(topology);
}

/* A process of one thread that is bound to one hardware thread, as under taskset. */
static int check_bound(int cpu) {
    struct bm_topology *topology;
    cpu_set_t one, bound;
    const unsigned absent = 4000;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0 || bm_topology_open(NULL, &topology, NULL) != BM_OK)
        return 1;
    const struct bm_machine *machine = bm_topology_machine_get(topology);
    int failed = 0;
    if (machine->threads != 1 || machine->cores != 1 || machine->package_count != 1)
        failed = 2;
    else if (bm_topology_bind_near(topology, NULL, 0, NULL) != BM_OK)
        failed = 3;
    else if (bm_topology_bind_near(topology, machine->packages[0].numa, machine->packages[0].numa_count,
                                   NULL) != BM_OK)
        failed = 4;
    else if (sched_getaffinity(0, sizeof bound, &bound) != 0 || !CPU_EQUAL(&bound, &one))
        failed = 5;
    else if (bm_topology_bind_near(topology, &absent, 1, NULL) != BM_NOT_FOUND)
        failed = 6;
    bm_topology_close(topology);
    return failed;
}

Test(this_machine, binds_within_what_the_process_may_use) {
    cpu_set_t allowed;
    int cpu = CPU_SETSIZE - 1, result;
    cr_assert_eq(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    while (!CPU_ISSET(cpu, &allowed))
        cpu--;
    pid_t child = fork(); /* Criterion's own process has more threads than one */
    if (child == 0)
        _exit(check_bound(cpu));
    cr_assert_eq(waitpid(child, &result, 0), child);
    cr_assert(WIFEXITED(result) && WEXITSTATUS(result) == 0, "check %d failed", WEXITSTATUS(result));
}

Test(close, takes_null) {
    bm_topology_close(NULL);
}
