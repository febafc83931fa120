/* The join as a pure function: machines and drivers that this one does not have. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "bm/device.h"

#define GIB (UINT64_C(1) << 30)
enum { CAPACITY = 16 };

static const struct bm_package xeon = {.model = "Intel(R) Xeon(R) Gold 6226R CPU @ 2.90GHz",
                                       .vendor = "GenuineIntel",
                                       .cores = 16,
                                       .threads = 32,
                                       .llc_bytes = 22 << 20,
                                       .memory_bytes = 96 * GIB,
                                       .numa_count = 1,
                                       .numa = {0}};
static const struct bm_package xeon_other = {.model = "Intel(R) Xeon(R) Gold 6226R CPU @ 2.90GHz",
                                             .vendor = "GenuineIntel",
                                             .cores = 16,
                                             .threads = 32,
                                             .llc_bytes = 22 << 20,
                                             .memory_bytes = 96 * GIB,
                                             .numa_count = 1,
                                             .numa = {1}};
static const struct bm_package epyc = {.model = "AMD EPYC 7713 64-Core Processor",
                                       .vendor = "AuthenticAMD",
                                       .cores = 64,
                                       .threads = 128,
                                       .llc_bytes = 256 << 20,
                                       .memory_bytes = 512 * GIB,
                                       .numa_count = 1,
                                       .numa = {1}};

static struct bm_pci_gpu pci_gpu(unsigned bus, unsigned vendor, unsigned device, unsigned numa) {
    return (struct bm_pci_gpu){.address = {.bus = (uint8_t)bus},
                               .vendor_id = (uint16_t)vendor,
                               .device_id = (uint16_t)device,
                               .numa_count = 1,
                               .numa = {numa}};
}

static struct bm_endpoint cpu_endpoint(const char *id, const char *name, unsigned units) {
    struct bm_endpoint endpoint = {
        .compute_units = units, .clock_mhz = 2900, .memory_bytes = 64 * GIB, .usable = true};
    bm_string_set(endpoint.id, sizeof endpoint.id, id);
    bm_string_set(endpoint.name, sizeof endpoint.name, name);
    bm_string_set(endpoint.vendor, sizeof endpoint.vendor, "GenuineIntel");
    bm_string_set(endpoint.driver, sizeof endpoint.driver, "3.1");
    return endpoint;
}

static struct bm_endpoint gpu_endpoint(const char *id, const char *vendor, const char *name, unsigned bus) {
    struct bm_endpoint endpoint = {.is_gpu = true,
                                   .compute_units = 80,
                                   .clock_mhz = 1700,
                                   .memory_bytes = 16 * GIB,
                                   .cache_bytes = 4 << 20,
                                   .usable = true,
                                   .has_pci = bus != 0,
                                   .pci = {.bus = (uint8_t)bus}};
    bm_string_set(endpoint.id, sizeof endpoint.id, id);
    bm_string_set(endpoint.name, sizeof endpoint.name, name);
    bm_string_set(endpoint.vendor, sizeof endpoint.vendor, vendor);
    bm_string_set(endpoint.driver, sizeof endpoint.driver, "535.1");
    return endpoint;
}

static const char nvidia[] = "NVIDIA Corporation", amd[] = "Advanced Micro Devices, Inc.";

static size_t join(const struct bm_package *packages, size_t package_count, const struct bm_pci_gpu *gpus,
                   size_t gpu_count, const struct bm_endpoint *endpoints, size_t endpoint_count,
                   struct bm_device *devices) {
    struct bm_machine machine = {
        .packages = packages, .package_count = package_count, .gpus = gpus, .gpu_count = gpu_count};
    for (size_t i = 0; i < package_count; i++)
        machine.memory_bytes += packages[i].memory_bytes;
    return bm_device_join(&machine, endpoints, endpoint_count, NULL, devices, CAPACITY);
}

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

static void fingerprint(const struct bm_package *package, const struct bm_endpoint *endpoints, size_t count,
                        char hex[65]) {
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(package, 1, NULL, 0, endpoints, count, devices), 1);
    memcpy(hex, devices[0].fingerprint, 65);
}

Test(fingerprint, changes_with_hardware_and_drivers_alone) {
    struct bm_package package = xeon;
    struct bm_endpoint endpoints[] = {cpu_endpoint("opencl/pocl", "pthread", 32),
                                      cpu_endpoint("opencl/intel-cpu", "xeon", 32)};
    const struct bm_endpoint swapped[] = {endpoints[1], endpoints[0]};
    char first[65], other[65];
    fingerprint(&package, endpoints, 2, first);

    fingerprint(&package, swapped, 2, other);
    cr_expect_str_eq(first, other, "the order of platforms");
    package.memory_bytes += 100 << 20;
    fingerprint(&package, endpoints, 2, other);
    cr_expect_str_eq(first, other, "a kernel that keeps some MiB for itself");
    package.numa[0] = 5;
    fingerprint(&package, endpoints, 2, other);
    cr_expect_str_eq(first, other, "the place");

    package.memory_bytes *= 2;
    fingerprint(&package, endpoints, 2, other);
    cr_expect_str_neq(first, other, "memory");
    package = xeon;
    package.cores = 8;
    fingerprint(&package, endpoints, 2, other);
    cr_expect_str_neq(first, other, "cores");
    package = xeon;
    package.model[0] = 'i';
    fingerprint(&package, endpoints, 2, other);
    cr_expect_str_neq(first, other, "model");
    package = xeon;
    fingerprint(&package, endpoints, 1, other);
    cr_expect_str_neq(first, other, "a platform less");
    bm_string_set(endpoints[1].driver, sizeof endpoints[1].driver, "3.2");
    fingerprint(&package, endpoints, 2, other);
    cr_expect_str_neq(first, other, "driver");
    endpoints[1] = swapped[0];
    bm_string_set(endpoints[1].version, sizeof endpoints[1].version, "OpenCL 2.0");
    fingerprint(&package, endpoints, 2, other);
    cr_expect_str_neq(first, other, "version");
}

Test(fingerprint, tells_gpus_apart_by_their_pci_ids) {
    const struct bm_pci_gpu gpus[] = {pci_gpu(0x05, 0x10de, 0x20b5, 0), pci_gpu(0x06, 0x10de, 0x20b6, 0)};
    const struct bm_endpoint endpoints[] = {gpu_endpoint("opencl/nvidia", nvidia, "A100", 0x05),
                                            gpu_endpoint("opencl/nvidia", nvidia, "A100", 0x06)};
    struct bm_device devices[CAPACITY];
    cr_assert_eq(join(NULL, 0, gpus, 2, endpoints, 2, devices), 2);
    cr_assert_str_neq(devices[0].fingerprint, devices[1].fingerprint);
}

/* ---- selectors ---- */

Test(selectors, of_devices) {
    const struct bm_device gpu = {.id = "gpu1", .is_gpu = true, .name = "NVIDIA A100-SXM4-80GB"};
    const struct bm_device cpu = {.id = "cpu0", .name = "CPU with a gpu0 in its name"};
    static const struct {
        const char *selector;
        bool gpu, cpu;
    } cases[] = {
        {"gpu", true, false},  {"GPU1", true, false}, {"gpu0", false, false},  {"gpu10", false, false},
        {"cpu", false, true},  {"cpu0", false, true}, {"a100", true, false},   {"sxm4-80", true, false},
        {"name", false, true}, {"", false, false},    {"A100 ", false, false}, {"cpu with", false, true},
    };
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
        cr_expect_eq(bm_device_matches(&gpu, cases[i].selector), cases[i].gpu, "gpu1, '%s'",
                     cases[i].selector);
        cr_expect_eq(bm_device_matches(&cpu, cases[i].selector), cases[i].cpu, "cpu0, '%s'",
                     cases[i].selector);
    }
}

Test(selectors, of_endpoints) {
    const struct bm_endpoint endpoint = {.id = "opencl/pocl"};
    static const struct {
        const char *selector;
        bool matches;
    } cases[] = {{"opencl/pocl", true}, {"opencl", true},     {"OpenCL", true},
                 {"opencl/", false},    {"opencl/po", false}, {"open", false},
                 {"pocl", false},       {"", false},          {"opencl/pocl-2", false}};
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++)
        cr_expect_eq(bm_endpoint_matches(&endpoint, cases[i].selector), cases[i].matches, "'%s'",
                     cases[i].selector);
    const struct bm_endpoint plain = {.id = "onednn"}, second = {.id = "opencl/pocl-2"};
    cr_assert(bm_endpoint_matches(&plain, "onednn"));
    cr_assert_not(bm_endpoint_matches(&second, "opencl/pocl"));
}
