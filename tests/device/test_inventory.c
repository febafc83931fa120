/* This machine's inventory, with the drivers that it has and with those that the fault layer shows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "bm/device.h"

static struct bm_inventory inventory;

static void open_inventory(const char *source) {
    struct bm_error error = {0};
    const struct bm_inventory_options options = {.topology_source = source};
    cr_assert_eq(bm_inventory_open(&options, &inventory, &error), BM_OK, "%s", error.message);
}

static void open_recorded(void) {
    char source[4096];
    snprintf(source, sizeof source, "xml:%s/tests/topology/two-packages-two-gpus.xml",
             getenv("BM_SOURCE_DIR"));
    open_inventory(source);
}

static const struct bm_device *device(const char *id) {
    for (size_t i = 0; i < inventory.count; i++)
        if (strcmp(inventory.devices[i].id, id) == 0)
            return &inventory.devices[i];
    return NULL;
}

Test(inventory, of_this_machine_has_a_cpu_that_works) {
    char fingerprint[65];
    open_inventory(NULL);
    const struct bm_device *cpu = device("cpu0");
    cr_assert_not_null(cpu);
    cr_assert_str_neq(cpu->name, "");
    cr_assert_gt(cpu->compute_units, 0);
    cr_assert_gt(cpu->memory_bytes, 0);
    cr_assert_geq(cpu->endpoint_count, 1, "no OpenCL device for the CPU: apt-get install pocl-opencl-icd");
    cr_assert(cpu->endpoints[0]->usable, "%s", cpu->missing);
    cr_assert(bm_device_matches(cpu, "cpu"));
    memcpy(fingerprint, cpu->fingerprint, sizeof fingerprint);
    bm_inventory_close(&inventory);
    cr_assert_null(inventory.devices);
    open_inventory(NULL);
    cr_assert_str_eq(device("cpu0")->fingerprint, fingerprint, "the same machine, the same fingerprint");
    bm_inventory_close(&inventory);
}

Test(inventory, joins_a_gpu_with_its_place) {
    setenv("BM_LAYER_TWO_PLATFORMS", "NVIDIA CUDA", 1);
    setenv("BM_LAYER_TARGET", "second", 1);
    setenv("BM_LAYER_TYPE", "gpu", 1);
    setenv("BM_LAYER_DEVICE_NAME", "Test GPU", 1);
    setenv("BM_LAYER_VENDOR", "NVIDIA Corporation", 1);
    setenv("BM_LAYER_PCI", "0000:af:00.0", 1);
    open_recorded();
    const struct bm_device *cpu = device("cpu0"), *unserved = device("gpu0"), *served = device("gpu1");
    cr_assert(cpu != NULL && unserved != NULL && served != NULL);
    cr_assert_eq(cpu->package_count, 2);
    cr_assert_eq(cpu->numa_count, 2);
    cr_assert_str_eq(cpu->name, "Intel(R) Xeon(R) Platinum 8380 CPU @ 2.30GHz");
    cr_assert_null(cpu->datasheet, "2 of its 40 cores");
    cr_assert_str_eq(served->name, "Test GPU");
    cr_assert_str_eq(served->endpoints[0]->id, "opencl/nvidia");
    cr_assert_eq(served->numa_count, 1);
    cr_assert_eq(served->numa[0], 1);
    cr_assert_eq(unserved->endpoint_count, 0);
    cr_assert_eq(unserved->numa[0], 0);
    cr_assert(bm_string_contains(unserved->missing, "nvidia-opencl-icd"));
    bm_inventory_close(&inventory);
}

/* Criterion gives each test a process, and the loader starts its layers once in each. */
Test(inventory, shows_two_platforms_of_the_cpu_as_two_ways_to_it) {
    setenv("BM_LAYER_TWO_PLATFORMS", "Second Platform", 1);
    open_inventory(NULL);
    const struct bm_device *cpu = device("cpu0");
    bool second = false;
    cr_assert_geq(cpu->endpoint_count, 2);
    for (unsigned i = 0; i < cpu->endpoint_count; i++)
        second |= bm_endpoint_matches(cpu->endpoints[i], "opencl/second-platform");
    cr_assert(second);
    cr_assert_null(device("cpu1"));
    bm_inventory_close(&inventory);
}

Test(inventory, without_any_driver_says_what_to_install) {
    setenv("BM_LAYER_FAIL", "clGetPlatformIDs:1+:-1001", 1);
    open_recorded();
    cr_assert_eq(inventory.endpoint_count, 0);
    cr_assert_eq(inventory.count, 3);
    cr_assert_str_eq(device("cpu0")->missing, "apt-get install pocl-opencl-icd");
    bm_inventory_close(&inventory);
}

Test(inventory, of_a_bad_topology_is_refused) {
    struct bm_error error = {0};
    memset(&inventory, 0x5a, sizeof inventory);
    const struct bm_inventory_options options = {.topology_source = "xml:/nowhere.xml"};
    cr_assert_eq(bm_inventory_open(&options, &inventory, &error), BM_NOT_FOUND);
    cr_assert(bm_string_contains(error.message, "/nowhere.xml"));
    cr_assert_null(inventory.devices);
    cr_assert_null(inventory.topology);
    bm_inventory_close(&inventory);
    bm_inventory_close(NULL);
}

Test(inventory, needs_its_datasheets) {
    struct bm_error error = {0};
    setenv("BENCHMARK_DATA_DIR", "/nowhere", 1);
    cr_assert_neq(bm_inventory_open(NULL, &inventory, &error), BM_OK);
    cr_assert(bm_string_contains(error.message, "/nowhere"), "%s", error.message);
    cr_assert_null(inventory.topology);
}

/* What is used of the CPU is decided before backends are asked. */
Test(inventory, threads_and_caps_reach_the_backends) {
    struct bm_error error = {0};
    struct bm_cpu cpu;
    bm_cpu_detect(&cpu);
    struct bm_inventory_options one = {.threads = 1};
    cr_assert_eq(bm_inventory_open(&one, &inventory, &error), BM_OK, "%s", error.message);
    cr_expect_eq(inventory.places.count, 1);
    cr_expect(inventory.places.chosen);
    for (size_t e = 0; e < inventory.endpoint_count; e++)
        if (!inventory.endpoints[e].is_gpu)
            cr_expect_eq(inventory.endpoints[e].compute_units, 1, "%s", inventory.endpoints[e].id);
    bm_inventory_close(&inventory);
    cr_expect(inventory.places.items == NULL);
    if (!cpu.avx2)
        return;
    struct bm_inventory_options capped = {.caps = {BM_ISA_AVX2}, .cap_count = 1};
    cr_assert_eq(bm_inventory_open(&capped, &inventory, &error), BM_OK, "%s", error.message);
    cr_assert_not_null(device("cpu0@avx2"));
    cr_expect_null(device("cpu0"));
    for (unsigned e = 0; e < device("cpu0@avx2")->endpoint_count; e++)
        cr_expect_eq(device("cpu0@avx2")->endpoints[e]->isa, BM_ISA_AVX2);
    bm_inventory_close(&inventory);
}

Test(inventory, what_is_not_there_is_refused) {
    struct bm_cpu cpu;
    char tiers[64];
    bm_cpu_detect(&cpu);
    bm_cpu_tiers(&cpu, tiers);
    for (int isa = BM_ISA_ANY + 1; isa < BM_ISA_COUNT; isa++) {
        struct bm_inventory_options options = {.caps = {(enum bm_isa)isa}, .cap_count = 1};
        struct bm_error error = {0};
        if (bm_cpu_has(&cpu, (enum bm_isa)isa))
            continue;
        cr_expect_eq(bm_inventory_open(&options, &inventory, &error), BM_INVALID);
        cr_expect(strstr(error.message, bm_isa_name((enum bm_isa)isa)) != NULL &&
                      strstr(error.message, tiers) != NULL,
                  "%s", error.message);
    }
    struct bm_inventory_options many = {.threads = 1 << 20};
    struct bm_error error = {0};
    cr_expect_eq(bm_inventory_open(&many, &inventory, &error), BM_INVALID);
    cr_expect_not_null(strstr(error.message, "hardware threads"), "%s", error.message);
}
