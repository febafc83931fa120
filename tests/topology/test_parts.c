/* PCI addresses and names, and control groups' memory limits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <criterion/criterion.h>

#include "../../src/topology/internal.h"

Test(pci, address_is_written_as_the_bus_tools_write_it) {
    char text[16];
    bm_pci_format(&(struct bm_pci_address){0, 0x3b, 0, 0}, text);
    cr_assert_str_eq(text, "0000:3b:00.0");
    bm_pci_format(&(struct bm_pci_address){0x10000, 0xff, 0x1f, 7}, text);
    cr_assert_str_eq(text, "10000:ff:1f.7");
    bm_pci_format(&(struct bm_pci_address){0xffffffff, 0xff, 0xff, 0xff}, text);
    cr_assert_lt(strlen(text), sizeof text);
}

Test(pci, addresses_are_equal_in_every_part) {
    const struct bm_pci_address a = {1, 2, 3, 4};
    cr_assert(bm_pci_equal(&a, &(struct bm_pci_address){1, 2, 3, 4}));
    cr_assert_not(bm_pci_equal(&a, &(struct bm_pci_address){0, 2, 3, 4}));
    cr_assert_not(bm_pci_equal(&a, &(struct bm_pci_address){1, 0, 3, 4}));
    cr_assert_not(bm_pci_equal(&a, &(struct bm_pci_address){1, 2, 0, 4}));
    cr_assert_not(bm_pci_equal(&a, &(struct bm_pci_address){1, 2, 3, 0}));
}

static const char database[] = "# a comment\n"
                               "1002  Advanced Micro Devices, Inc. [AMD/ATI]\n"
                               "\t20b5  Not this one\n"
                               "10de  NVIDIA Corporation\n"
                               "# between\n"
                               "\t1eb8  TU104GL [Tesla T4]\n"
                               "\t\t10de 12a2  Tesla T4\n"
                               "\t20b5  GA100 [A100 PCIe 80GB]\n"
                               "10df  Emulex\n"
                               "\tffff  The wrong vendor's";

Test(names, come_from_the_right_vendor) {
    struct bm_pci_gpu gpu = {.vendor_id = 0x10de, .device_id = 0x20b5};
    bm_pci_names_fill(&gpu, database);
    cr_assert_str_eq(gpu.vendor, "NVIDIA Corporation");
    cr_assert_str_eq(gpu.name, "GA100 [A100 PCIe 80GB]");
}

Test(names, of_unknown_devices_stay_empty) {
    struct bm_pci_gpu gpu = {.vendor_id = 0x10de, .device_id = 0xffff};
    bm_pci_names_fill(&gpu, database);
    cr_assert_str_eq(gpu.vendor, "NVIDIA Corporation");
    cr_assert_str_eq(gpu.name, "");
    struct bm_pci_gpu stranger = {.vendor_id = 0x1234, .device_id = 0x20b5};
    bm_pci_names_fill(&stranger, database);
    cr_assert_str_eq(stranger.vendor, "");
    bm_pci_names_fill(&stranger, "");
    cr_assert_str_eq(stranger.name, "");
}

Test(names, already_known_are_kept) {
    struct bm_pci_gpu gpu = {.vendor_id = 0x10de, .device_id = 0x20b5, .name = "mine"};
    bm_pci_names_fill(&gpu, database);
    cr_assert_str_eq(gpu.name, "mine");
}

static void write_file(const char *folder, const char *name, const char *text) {
    char path[4096];
    struct bm_error error = {0};
    mkdir(folder, 0755);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    cr_assert_eq(bm_file_write_atomic(path, text, strlen(text), &error), BM_OK, "%s", error.message);
}

static void write_limit(const char *folder, const char *text) {
    write_file(folder, "memory.max", text);
}

Test(limit, is_the_least_of_a_control_group_and_its_ancestors) {
    char root[] = "/tmp/bm-cgroup-XXXXXX", outer[64], inner[96], command[128];
    cr_assert_not_null(mkdtemp(root));
    snprintf(outer, sizeof outer, "%s/outer", root);
    snprintf(inner, sizeof inner, "%s/inner", outer);
    write_limit(outer, "1073741824\n");
    write_limit(inner, "max\n");
    cr_assert_eq(bm_memory_limit(root, "0::/outer/inner\n"), UINT64_C(1073741824));
    write_limit(inner, "1048576\n");
    cr_assert_eq(bm_memory_limit(root, "12:cpu:/x\n0::/outer/inner\n"), UINT64_C(1048576));
    cr_assert_eq(bm_memory_limit(root, "0::/outer"), UINT64_C(1073741824));
    cr_assert_eq(bm_memory_limit(root, "0::/\n"), UINT64_MAX);
    cr_assert_eq(bm_memory_limit(root, "0::/elsewhere/deep\n"), UINT64_MAX);
    cr_assert_eq(bm_memory_limit(root, "4:memory:/outer\n"), UINT64_MAX);
    cr_assert_eq(bm_memory_limit(root, ""), UINT64_MAX);
    write_limit(root, "4096\n");
    cr_assert_eq(bm_memory_limit(root, "0::/\n"), UINT64_C(4096));
    cr_assert_eq(bm_memory_limit(root, "0::/outer/inner\n"), UINT64_C(4096));
    snprintf(command, sizeof command, "rm -r %s", root);
    cr_assert_eq(system(command), 0);
}

Test(limit, of_cpus_is_quota_over_period) {
    char root[] = "/tmp/bm-cgroup-XXXXXX", outer[64], inner[96], command[128];
    cr_assert_not_null(mkdtemp(root));
    snprintf(outer, sizeof outer, "%s/outer", root);
    snprintf(inner, sizeof inner, "%s/inner", outer);
    write_file(outer, "cpu.max", "max 100000\n");
    cr_assert_eq(bm_cpu_limit(root, "0::/outer\n"), 0);
    write_file(inner, "cpu.max", "250000 100000\n");
    cr_assert_eq(bm_cpu_limit(root, "0::/outer/inner\n"), 2.5);
    write_file(outer, "cpu.max", "50000 200000\n");
    cr_assert_eq(bm_cpu_limit(root, "0::/outer/inner\n"), 0.25, "an ancestor's");
    write_file(outer, "cpu.max", "50000\n");
    cr_assert_eq(bm_cpu_limit(root, "0::/outer\n"), 0, "no period, no limit");
    write_file(outer, "cpu.max", "50000 0\n");
    cr_assert_eq(bm_cpu_limit(root, "0::/outer\n"), 0);
    cr_assert_eq(bm_cpu_limit(root, "1:cpu:/outer\n"), 0);
    snprintf(command, sizeof command, "rm -r %s", root);
    cr_assert_eq(system(command), 0);
}

/* ---- threads of a container ---- */

static void expect_threads(struct bm_topology *topology, double cpus, unsigned expected, bool chosen) {
    struct bm_places places;
    struct bm_error error = {0};
    topology->machine.cpu_limit = cpus;
    cr_assert_eq(bm_topology_places(topology, BM_CORES_ALL, 0, &places, &error), BM_OK, "%s", error.message);
    cr_expect_eq(places.count, expected, "%g CPUs: %u", cpus, places.count);
    cr_expect_eq(places.chosen, chosen, "%g CPUs", cpus);
    bm_places_fini(&places);
}

/* Eight cores. A share that busy threads would exceed throttles them all. */
Test(limit, threads_within_a_share_of_the_cpus) {
    char source[4096];
    struct bm_topology *topology;
    snprintf(source, sizeof source, "xml:%s/tests/topology/hybrid-two-nodes.xml", getenv("BM_SOURCE_DIR"));
    cr_assert_eq(bm_topology_open(source, &topology, NULL), BM_OK);
    expect_threads(topology, 0, 8, false);
    expect_threads(topology, 2.5, 2, true);
    expect_threads(topology, 0.5, 1, true);
    expect_threads(topology, 7.9, 7, true);
    expect_threads(topology, 8, 8, false);
    expect_threads(topology, 100, 8, false);
    bm_topology_close(topology);
}
