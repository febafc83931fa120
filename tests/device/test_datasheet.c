/* Datasheets in the join: the shipped ones, on machines written down here. */
#include <string.h>

#include <criterion/criterion.h>

#include "bm/device.h"

static struct bm_datasheets *sheets;

static void open_sheets(void) {
    struct bm_error error = {0};
    cr_assert_eq(bm_datasheets_open(&sheets, &error), BM_OK, "%s", error.message);
}

static void close_sheets(void) {
    bm_datasheets_close(sheets);
}

TestSuite(datasheet, .init = open_sheets, .fini = close_sheets);

static struct bm_device join_cpu(unsigned cores, size_t packages) {
    struct bm_package package[2] = {{.model = "AMD EPYC 9654 96-Core Processor", .vendor = "AuthenticAMD"}};
    package[0].cores = cores;
    package[0].threads = 2 * cores;
    package[1] = package[0];
    const struct bm_machine machine = {.packages = package, .package_count = packages};
    struct bm_device device;
    cr_assert_eq(bm_device_join(&machine, NULL, 0, sheets, &device, 1), 1);
    return device;
}

Test(datasheet, tells_of_one_package_of_a_cpu) {
    struct bm_device one = join_cpu(96, 1), two = join_cpu(96, 2);
    cr_assert_not_null(one.datasheet);
    cr_assert_str_eq(one.datasheet->id, "cpu-epyc-9654");
    cr_assert_str_eq(one.architecture, "Zen 4");
    cr_assert_eq(two.datasheet, one.datasheet);
    cr_assert_eq(two.package_count, 2);
}

Test(datasheet, tells_nothing_of_a_virtual_machines_share) {
    struct bm_device part = join_cpu(2, 1);
    cr_assert_null(part.datasheet);
    cr_assert_str_eq(part.architecture, "");
}

Test(datasheet, of_a_gpu_comes_by_whichever_endpoint_names_it) {
    const struct bm_datasheet *sheet = NULL;
    for (size_t i = 0; sheet == NULL && i < bm_datasheets_count(sheets); i++)
        if (strcmp(bm_datasheets_get(sheets, i)->id, "nvidia-a100-pcie-80gb") == 0)
            sheet = bm_datasheets_get(sheets, i);
    cr_assert_not_null(sheet);
    const struct bm_pci_gpu gpu = {.address = {.bus = 5}, .vendor_id = 0x10de, .device_id = 0x20b5};
    const struct bm_machine machine = {.gpus = &gpu, .gpu_count = 1};
    struct bm_endpoint endpoints[2] = {{.id = "opencl/other",
                                        .name = "nv170",
                                        .vendor = "Mesa",
                                        .is_gpu = true,
                                        .has_pci = true,
                                        .pci = {.bus = 5}},
                                       {.id = "opencl/nvidia",
                                        .name = "NVIDIA A100 80GB PCIe",
                                        .vendor = "NVIDIA Corporation",
                                        .is_gpu = true,
                                        .has_pci = true,
                                        .pci = {.bus = 5},
                                        .compute_units = 108,
                                        .memory_bytes = UINT64_C(85094825984)}};
    struct bm_device device;
    cr_assert_eq(bm_device_join(&machine, endpoints, 2, sheets, &device, 1), 1);
    cr_assert_eq(device.datasheet, sheet);
    cr_assert_str_eq(device.architecture, sheet->architecture);
    endpoints[1].compute_units = 14; /* a slice of it */
    cr_assert_eq(bm_device_join(&machine, endpoints, 2, sheets, &device, 1), 1);
    cr_assert_null(device.datasheet);
}
