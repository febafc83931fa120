/* Packages, buses and drivers made by hand, and their join. */
#ifndef TESTS_DEVICE_MACHINES_H
#define TESTS_DEVICE_MACHINES_H

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

static inline struct bm_pci_gpu pci_gpu(unsigned bus, unsigned vendor, unsigned device, unsigned numa) {
    return (struct bm_pci_gpu){.address = {.bus = (uint8_t)bus},
                               .vendor_id = (uint16_t)vendor,
                               .device_id = (uint16_t)device,
                               .numa_count = 1,
                               .numa = {numa}};
}

static inline struct bm_endpoint cpu_endpoint(const char *id, const char *name, unsigned units) {
    struct bm_endpoint endpoint = {
        .compute_units = units, .clock_mhz = 2900, .memory_bytes = 64 * GIB, .usable = true};
    bm_string_set(endpoint.id, sizeof endpoint.id, id);
    bm_string_set(endpoint.name, sizeof endpoint.name, name);
    bm_string_set(endpoint.vendor, sizeof endpoint.vendor, "GenuineIntel");
    bm_string_set(endpoint.driver, sizeof endpoint.driver, "3.1");
    return endpoint;
}

static inline struct bm_endpoint gpu_endpoint(const char *id, const char *vendor, const char *name,
                                              unsigned bus) {
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

static inline size_t join(const struct bm_package *packages, size_t package_count,
                          const struct bm_pci_gpu *gpus, size_t gpu_count,
                          const struct bm_endpoint *endpoints, size_t endpoint_count,
                          struct bm_device *devices) {
    struct bm_machine machine = {
        .packages = packages, .package_count = package_count, .gpus = gpus, .gpu_count = gpu_count};
    for (size_t i = 0; i < package_count; i++)
        machine.memory_bytes += packages[i].memory_bytes;
    return bm_device_join(&machine, endpoints, endpoint_count, NULL, devices, CAPACITY);
}

#endif
