/* The join as a pure function: machines and drivers that this one does not have. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "machines.h"

Test(cpu, equal_packages_and_two_platforms_are_one_device) {
    const struct bm_package packages[] = {xeon, xeon_other};
    const struct bm_endpoint endpoints[] = {
        cpu_endpoint("opencl/pocl", "pthread-skylake-avx512", 64),
        cpu_endpoint("opencl/intel-cpu", "Intel(R) Xeon(R) Gold 6226R", 64)};
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(packages, 2, NULL, 0, endpoints, 2, devices), 1);
    cr_assert_str_eq(devices[0].id, "cpu0");
    cr_assert_not(devices[0].is_gpu);
    cr_assert_str_eq(devices[0].name, xeon.model);
    cr_assert_str_eq(devices[0].vendor, "Intel");
    cr_assert_eq(devices[0].package_count, 2);
    cr_assert_eq(devices[0].compute_units, 32, "cores, not hardware threads");
    cr_assert_eq(devices[0].clock_mhz, 2900);
    cr_assert_eq(devices[0].memory_bytes, 192 * GIB);
    cr_assert_eq(devices[0].llc_bytes, 2 * (22 << 20));
    cr_assert_not(devices[0].has_pci);
    cr_assert_eq(devices[0].numa_count, 2);
    cr_assert_eq(devices[0].numa[1], 1);
    cr_assert_eq(devices[0].endpoint_count, 2);
    cr_assert_eq(devices[0].endpoints[0], &endpoints[0]);
    cr_assert_eq(devices[0].endpoints[1], &endpoints[1]);
    cr_assert_str_eq(devices[0].missing, "");
    cr_assert_eq(strlen(devices[0].fingerprint), 64);
}

Test(cpu, different_packages_are_devices_of_their_own) {
    const struct bm_package packages[] = {xeon, epyc};
    struct bm_endpoint endpoint = cpu_endpoint("opencl/pocl", "pthread-AMD EPYC 7713 64-Core Processor", 160);
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(packages, 2, NULL, 0, &endpoint, 1, devices), 2);
    cr_assert_str_eq(devices[0].id, "cpu0");
    cr_assert_str_eq(devices[1].id, "cpu1");
    cr_assert_str_eq(devices[1].name, epyc.model);
    cr_assert_str_eq(devices[1].vendor, "AMD");
    cr_assert_eq(devices[0].package_count, 1);
    cr_assert_eq(devices[0].endpoint_count, 0, "by name");
    cr_assert_eq(devices[1].endpoint_count, 1);

    bm_string_set(endpoint.name, sizeof endpoint.name, "pthread");
    endpoint.compute_units = 128;
    cr_assert_eq(join(packages, 2, NULL, 0, &endpoint, 1, devices), 2);
    cr_assert_eq(devices[1].endpoint_count, 1, "by size");

    endpoint.compute_units = 160;
    cr_assert_eq(join(packages, 2, NULL, 0, &endpoint, 1, devices), 2);
    cr_assert_eq(devices[0].endpoint_count, 1, "else the first");
    cr_assert_str_eq(devices[1].missing, "OpenCL shows all packages as one device, cpu0");
}

Test(cpu, without_an_endpoint_names_the_package_to_install) {
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(&xeon, 1, NULL, 0, NULL, 0, devices), 1);
    cr_assert_eq(devices[0].endpoint_count, 0);
    cr_assert_str_eq(devices[0].missing, "apt-get install pocl-opencl-icd");
}

/* Matrix products alone leave attention to a driver that is not there. */
Test(cpu, with_products_alone_names_the_package_to_install) {
    struct bm_endpoint onednn = cpu_endpoint("onednn", "Xeon", 16);
    struct bm_device devices[CAPACITY];
    onednn.only_products = true;
    cr_assert_eq(join(&xeon, 1, NULL, 0, &onednn, 1, devices), 1);
    cr_assert_str_eq(devices[0].missing, "apt-get install pocl-opencl-icd");
}

/* Ceilings alone make no device that work can run on. */
Test(cpu, with_ceilings_alone_names_the_package_to_install) {
    struct bm_endpoint native = cpu_endpoint("native", "Xeon", 16);
    struct bm_device devices[CAPACITY];
    native.only_ceilings = true;
    cr_assert_eq(join(&xeon, 1, NULL, 0, &native, 1, devices), 1);
    cr_assert_eq(devices[0].endpoint_count, 1);
    cr_assert_str_eq(devices[0].missing, "apt-get install pocl-opencl-icd");
    struct bm_endpoint both[] = {native, cpu_endpoint("onednn", "Xeon", 16)};
    both[1].usable = false;
    bm_string_set(both[1].unusable_reason, sizeof both[1].unusable_reason, "no library");
    cr_assert_eq(join(&xeon, 1, NULL, 0, both, 2, devices), 1);
    cr_assert_str_eq(devices[0].missing, "onednn cannot be used: no library");
}

/* Each cap is an entry of its own on the same hardware; without one the CPU is then not in the list. */
Test(cpu, caps_are_entries_on_the_same_hardware) {
    struct bm_endpoint endpoints[] = {cpu_endpoint("native", "Xeon", 16), cpu_endpoint("onednn", "Xeon", 16),
                                      cpu_endpoint("native", "Xeon", 16), cpu_endpoint("onednn", "Xeon", 16),
                                      gpu_endpoint("opencl/nvidia", nvidia, "Tesla T4", 0x3b)};
    const struct bm_pci_gpu gpus[] = {pci_gpu(0x3b, 0x10de, 0x1eb8, 0)};
    struct bm_device devices[CAPACITY];
    for (size_t i = 0; i < 4; i++)
        endpoints[i].isa = i < 2 ? BM_ISA_AVX512 : BM_ISA_AVX2;
    cr_assert_eq(join(&xeon, 1, gpus, 1, endpoints, 5, devices), 3);
    static const char *const ids[] = {"cpu0@avx512", "cpu0@avx2", "gpu0"};
    for (size_t i = 0; i < 3; i++)
        cr_expect_str_eq(devices[i].id, ids[i]);
    for (size_t i = 0; i < 2; i++) {
        cr_expect_str_eq(devices[i].hardware, "cpu0");
        cr_expect_eq(devices[i].isa, endpoints[2 * i].isa);
        cr_expect_str_eq(devices[i].name, xeon.model);
        cr_expect_eq(devices[i].compute_units, 16);
        cr_assert_eq(devices[i].endpoint_count, 2);
        cr_expect_eq(devices[i].endpoints[0], &endpoints[2 * i]);
        cr_expect_eq(devices[i].endpoints[1], &endpoints[2 * i + 1]);
        cr_expect(bm_device_matches(&devices[i], "cpu0") && bm_device_matches(&devices[i], "cpu") &&
                  bm_device_matches(&devices[i], ids[i]));
    }
    cr_expect_not(bm_device_matches(&devices[0], "cpu0@avx2"));
    cr_expect_not(bm_device_matches(&devices[2], "cpu0"));
    cr_expect_str_neq(devices[0].fingerprint, devices[1].fingerprint);
}

Test(cpu, what_the_system_does_not_tell_comes_from_the_driver) {
    const struct bm_package silent = {.cores = 4, .threads = 4};
    struct bm_endpoint endpoint = cpu_endpoint("opencl/pocl", "cortex-a72", 4);
    endpoint.cache_bytes = 1 << 20;
    bm_string_set(endpoint.vendor, sizeof endpoint.vendor, "ARM");
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(&silent, 1, NULL, 0, &endpoint, 1, devices), 1);
    cr_assert_str_eq(devices[0].name, "cortex-a72");
    cr_assert_str_eq(devices[0].vendor, "ARM");
    cr_assert_eq(devices[0].compute_units, 4);
    cr_assert_eq(devices[0].llc_bytes, 1 << 20);
    cr_assert_eq(devices[0].memory_bytes, 64 * GIB);
    cr_assert_eq(join(&silent, 1, NULL, 0, NULL, 0, devices), 1);
    cr_assert_str_eq(devices[0].name, "unknown CPU");
}

Test(cpu, memory_is_no_more_than_the_machines) {
    struct bm_machine machine = {.packages = &xeon, .package_count = 1, .memory_bytes = 4 * GIB};
    struct bm_device devices[CAPACITY];
    cr_assert_eq(bm_device_join(&machine, NULL, 0, NULL, devices, CAPACITY), 1);
    cr_assert_eq(devices[0].memory_bytes, 4 * GIB);
}

Test(cpu, a_platform_that_shows_it_twice_is_used_once) {
    const struct bm_endpoint endpoints[] = {cpu_endpoint("opencl/pocl", "basic", 1),
                                            cpu_endpoint("opencl/pocl", "pthread", 32)};
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(&xeon, 1, NULL, 0, endpoints, 2, devices), 1);
    cr_assert_eq(devices[0].endpoint_count, 1);
    cr_assert_eq(devices[0].endpoints[0], &endpoints[1], "the larger one");
}

Test(cpu, that_cannot_compile_says_why) {
    struct bm_endpoint endpoint = cpu_endpoint("opencl/pocl", "pthread", 32);
    endpoint.usable = false;
    bm_string_set(endpoint.unusable_reason, sizeof endpoint.unusable_reason, "no compiler");
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(&xeon, 1, NULL, 0, &endpoint, 1, devices), 1);
    cr_assert_str_eq(devices[0].missing, "opencl/pocl cannot be used: no compiler");
}

Test(gpu, joins_its_bus_address_and_so_its_numa_node) {
    const struct bm_pci_gpu gpus[] = {pci_gpu(0x3b, 0x10de, 0x1db4, 0), pci_gpu(0xaf, 0x10de, 0x1db4, 1)};
    const struct bm_endpoint endpoints[] = {
        gpu_endpoint("opencl/nvidia", nvidia, "Tesla V100-PCIE-16GB", 0xaf),
        cpu_endpoint("opencl/pocl", "pthread", 32),
        gpu_endpoint("opencl/nvidia", nvidia, "Tesla V100-PCIE-16GB", 0x3b)};
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(&xeon, 1, gpus, 2, endpoints, 3, devices), 3);
    cr_assert_str_eq(devices[0].id, "cpu0");
    cr_assert_str_eq(devices[1].id, "gpu0");
    cr_assert_str_eq(devices[2].id, "gpu1");
    cr_assert(devices[1].is_gpu && devices[2].is_gpu);
    cr_assert_eq(devices[1].endpoints[0], &endpoints[2], "the bus orders them, not the driver");
    cr_assert_eq(devices[2].endpoints[0], &endpoints[0]);
    cr_assert_str_eq(devices[2].name, "Tesla V100-PCIE-16GB");
    cr_assert_str_eq(devices[2].vendor, "NVIDIA");
    cr_assert_eq(devices[2].numa_count, 1);
    cr_assert_eq(devices[2].numa[0], 1);
    cr_assert_eq(devices[2].compute_units, 80);
    cr_assert_eq(devices[2].clock_mhz, 1700);
    cr_assert_eq(devices[2].memory_bytes, 16 * GIB);
    cr_assert_eq(devices[2].llc_bytes, 4 << 20);
    cr_assert_eq(devices[2].package_count, 1);
    cr_assert_str_eq(devices[2].missing, "");
}

Test(gpu, two_platforms_at_one_address_are_two_ways_to_one_device) {
    const struct bm_pci_gpu gpu = pci_gpu(0x03, 0x1002, 0x73bf, 0);
    struct bm_endpoint endpoints[] = {
        gpu_endpoint("opencl/amd", amd, "gfx1030", 0x03),
        gpu_endpoint("opencl/rusticl", "AMD", "AMD Radeon RX 6800 (radeonsi)", 0x03)};
    bm_string_set(endpoints[0].board_name, sizeof endpoints[0].board_name, "AMD Radeon RX 6800");
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(NULL, 0, &gpu, 1, endpoints, 2, devices), 1);
    cr_assert_eq(devices[0].endpoint_count, 2);
    cr_assert_str_eq(devices[0].name, "AMD Radeon RX 6800", "the board's name, not the chip's");
    cr_assert_str_eq(devices[0].vendor, "AMD");
}

Test(gpu, that_no_driver_serves_is_listed_with_the_package_for_it) {
    struct bm_pci_gpu gpus[] = {pci_gpu(0x01, 0x10de, 0x20b5, 0), pci_gpu(0x02, 0x1002, 0x740f, 0),
                                pci_gpu(0x03, 0x8086, 0x56a0, 0), pci_gpu(0x04, 0x1da3, 0x1020, 0)};
    static const char *const packages[] = {
        "apt-get install nvidia-opencl-icd", "apt-get install mesa-opencl-icd",
        "apt-get install intel-opencl-icd", "an OpenCL driver of its vendor"};
    bm_string_set(gpus[0].name, sizeof gpus[0].name, "GA100 [A100 PCIe 80GB]");
    bm_string_set(gpus[3].vendor, sizeof gpus[3].vendor, "Habana Labs Ltd.");
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(NULL, 0, gpus, 4, NULL, 0, devices), 4);
    for (unsigned i = 0; i < 4; i++) {
        cr_expect(bm_string_contains(devices[i].missing, packages[i]), "%s", devices[i].missing);
        cr_expect_eq(devices[i].endpoint_count, 0);
        cr_expect(devices[i].has_pci);
    }
    cr_assert_str_eq(devices[0].name, "GA100 [A100 PCIe 80GB]");
    cr_assert_str_eq(devices[1].name, "AMD GPU 1002:740f");
    cr_assert_str_eq(devices[3].name, "unknown GPU 1da3:1020");
    cr_assert_str_eq(devices[3].vendor, "Habana Labs Ltd.");
}

/* One board, two GPUs, each with an address of its own. */
Test(gpu, a_board_of_two_is_two_devices) {
    const struct bm_pci_gpu gpus[] = {pci_gpu(0x05, 0x10de, 0x102d, 0), pci_gpu(0x06, 0x10de, 0x102d, 0)};
    const struct bm_endpoint endpoints[] = {gpu_endpoint("opencl/nvidia", nvidia, "Tesla K80", 0x05),
                                            gpu_endpoint("opencl/nvidia", nvidia, "Tesla K80", 0x06)};
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(NULL, 0, gpus, 2, endpoints, 2, devices), 2);
    cr_assert_eq(devices[0].endpoints[0], &endpoints[0]);
    cr_assert_eq(devices[1].endpoints[0], &endpoints[1]);
    cr_assert_str_eq(devices[0].fingerprint, devices[1].fingerprint, "equal hardware, whatever its slot");
}

Test(gpu, partitions_at_one_address_are_devices_of_their_own) {
    const struct bm_pci_gpu gpu = pci_gpu(0x05, 0x10de, 0x20b5, 3);
    const struct bm_endpoint endpoints[] = {gpu_endpoint("opencl/nvidia", nvidia, "A100 MIG 1g", 0x05),
                                            gpu_endpoint("opencl/nvidia", nvidia, "A100 MIG 2g", 0x05)};
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(NULL, 0, &gpu, 1, endpoints, 2, devices), 2);
    for (unsigned i = 0; i < 2; i++) {
        cr_expect_eq(devices[i].endpoint_count, 1);
        cr_expect_eq(devices[i].numa_count, 1);
        cr_expect_eq(devices[i].numa[0], 3);
    }
}

Test(gpu, an_address_that_the_bus_does_not_show_is_kept) {
    const struct bm_pci_gpu other = pci_gpu(0x90, 0x10de, 0x20b5, 0);
    const struct bm_endpoint endpoint = gpu_endpoint("opencl/nvidia", nvidia, "T4", 0x05);
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(NULL, 0, &other, 1, &endpoint, 1, devices), 2);
    cr_assert_eq(devices[0].pci.bus, 0x05, "in its place on the bus");
    cr_assert(devices[0].has_pci);
    cr_assert_eq(devices[0].numa_count, 0);
    cr_assert_eq(devices[1].endpoint_count, 0);
    cr_assert_str_eq(devices[1].id, "gpu1");
}

Test(gpu, one_without_an_address_joins_the_only_one_of_its_vendor) {
    const struct bm_pci_gpu gpus[] = {pci_gpu(0x03, 0x1002, 0x73bf, 0), pci_gpu(0x05, 0x10de, 0x20b5, 1)};
    const struct bm_endpoint endpoint = gpu_endpoint("opencl/rusticl", "AMD", "AMD Radeon RX 6800", 0);
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(NULL, 0, gpus, 2, &endpoint, 1, devices), 2);
    cr_assert_eq(devices[0].endpoint_count, 1);
    cr_assert(devices[0].has_pci);
    cr_assert_eq(devices[1].endpoint_count, 0);
}

Test(gpu, equal_ones_without_an_address_join_in_order) {
    const struct bm_pci_gpu gpus[] = {pci_gpu(0x03, 0x1002, 0x73bf, 0), pci_gpu(0x83, 0x1002, 0x73bf, 1)};
    const struct bm_endpoint endpoints[] = {gpu_endpoint("opencl/rusticl", "AMD", "AMD Radeon RX 6800", 0),
                                            gpu_endpoint("opencl/rusticl", "AMD", "AMD Radeon RX 6800", 0),
                                            gpu_endpoint("opencl/clover", "AMD", "AMD Radeon RX 6800", 0),
                                            gpu_endpoint("opencl/clover", "AMD", "AMD Radeon RX 6800", 0)};
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(NULL, 0, gpus, 2, endpoints, 4, devices), 2);
    for (unsigned i = 0; i < 2; i++) {
        cr_expect_eq(devices[i].endpoint_count, 2);
        cr_expect_eq(devices[i].endpoints[0], &endpoints[i]);
        cr_expect_eq(devices[i].endpoints[1], &endpoints[2 + i]);
        cr_expect_eq(devices[i].numa[0], i);
    }
}

Test(gpu, unlike_ones_without_an_address_stand_alone) {
    const struct bm_pci_gpu gpus[] = {pci_gpu(0x03, 0x1002, 0x73bf, 0), pci_gpu(0x83, 0x1002, 0x744c, 1)};
    const struct bm_endpoint endpoints[] = {gpu_endpoint("opencl/rusticl", "AMD", "AMD Radeon RX 7900 XT", 0),
                                            gpu_endpoint("opencl/rusticl", "AMD", "AMD Radeon RX 6800", 0)};
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(NULL, 0, gpus, 2, endpoints, 2, devices), 2, "and are not listed twice");
    for (unsigned i = 0; i < 2; i++) {
        cr_expect_not(devices[i].has_pci);
        cr_expect_eq(devices[i].numa_count, 0);
        cr_expect_eq(devices[i].endpoints[0], &endpoints[i]);
        cr_expect_str_eq(devices[i].missing, "");
    }
}

Test(gpu, fewer_ways_than_gpus_leave_the_rest_unserved) {
    const struct bm_pci_gpu gpus[] = {pci_gpu(0x03, 0x1002, 0x73bf, 0), pci_gpu(0x83, 0x1002, 0x73bf, 1)};
    const struct bm_endpoint endpoint = gpu_endpoint("opencl/rusticl", "AMD", "AMD Radeon RX 6800", 0);
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(NULL, 0, gpus, 2, &endpoint, 1, devices), 2);
    cr_assert_eq(devices[0].endpoint_count, 0);
    cr_assert_str_neq(devices[0].missing, "");
    cr_assert_eq(devices[1].endpoint_count, 1);
    cr_assert_not(devices[1].has_pci);
}

Test(gpu, without_any_bus_two_platforms_still_meet) {
    const struct bm_endpoint endpoints[] = {gpu_endpoint("opencl/arm", "ARM", "Mali-G610", 0),
                                            gpu_endpoint("opencl/rusticl", "ARM", "Mali-G610 (Panfrost)", 0)};
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(NULL, 0, NULL, 0, endpoints, 2, devices), 1);
    cr_assert_eq(devices[0].endpoint_count, 2);
    cr_assert_str_eq(devices[0].vendor, "Arm");
}

Test(gpu, of_an_unknown_vendor_are_never_guessed) {
    const struct bm_pci_gpu gpu = pci_gpu(0x03, 0x1da3, 0x1020, 0);
    const struct bm_endpoint endpoints[] = {gpu_endpoint("opencl/a", "Somebody", "X1", 0),
                                            gpu_endpoint("opencl/b", "Somebody Else", "X1", 0)};
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(NULL, 0, &gpu, 1, endpoints, 2, devices), 3);
}

static uint64_t cold_mib(uint64_t llc, uint64_t cache, uint64_t allocation, uint64_t memory) {
    const struct bm_device device = {.llc_bytes = llc << 20};
    const struct bm_endpoint endpoint = {
        .cache_bytes = cache << 20, .max_allocation_bytes = allocation << 20, .memory_bytes = memory << 20};
    return bm_device_cold_bytes(&device, &endpoint) >> 20;
}

Test(cold_set, is_eight_of_the_largest_cache_within_what_fits) {
    cr_expect_eq(cold_mib(32, 0, 8192, 16384), 256);
    cr_expect_eq(cold_mib(32, 40, 8192, 16384), 320, "the driver knows a larger one");
    cr_expect_eq(cold_mib(0, 2, 8192, 16384), 64, "at least");
    cr_expect_eq(cold_mib(0, 0, 8192, 16384), 64, "no cache is known");
    cr_expect_eq(cold_mib(105, 0, 1024, 16384), 512, "half of the largest allocation");
    cr_expect_eq(cold_mib(105, 0, 8192, 4096), 512, "an eighth of the memory");
    cr_expect_eq(cold_mib(0, 0, 8192, 256), 32);
}

Test(capacity, is_never_overrun) {
    const struct bm_pci_gpu gpus[] = {pci_gpu(0x03, 0x1002, 0x73bf, 0), pci_gpu(0x83, 0x1002, 0x744c, 1)};
    const struct bm_endpoint endpoints[] = {gpu_endpoint("opencl/nvidia", nvidia, "T4", 5),
                                            gpu_endpoint("opencl/nvidia", nvidia, "T4", 0),
                                            cpu_endpoint("opencl/pocl", "pthread", 32)};
    const struct bm_machine machine = {.packages = &xeon, .package_count = 1, .gpus = gpus, .gpu_count = 2};
    for (size_t capacity = 0; capacity <= 5; capacity++) {
        struct bm_device devices[6];
        memset(devices, 0x5a, sizeof devices);
        cr_expect_eq(bm_device_join(&machine, endpoints, 3, NULL, devices, capacity), capacity);
        cr_expect_eq(devices[capacity].id[0], 0x5a);
    }
    struct bm_endpoint many[BM_MAX_ENDPOINTS + 2];
    struct bm_device devices[CAPACITY];
    for (size_t i = 0; i < BM_COUNT_OF(many); i++) {
        char id[48];
        snprintf(id, sizeof id, "opencl/p%zu", i);
        many[i] = cpu_endpoint(id, "pthread", 32);
    }
    cr_assert_eq(join(&xeon, 1, NULL, 0, many, BM_COUNT_OF(many), devices), 1);
    cr_assert_eq(devices[0].endpoint_count, BM_MAX_ENDPOINTS);
}

/* ---- fingerprint ---- */
