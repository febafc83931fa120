/* What names a device: its fingerprint, and the words of a user that select it. */
#include <string.h>

#include <criterion/criterion.h>

#include "machines.h"

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
