/* `benchmark devices`. */
#include "sample.h"

#include <jansson.h>

static struct bm_text text;
static struct bm_error error;

static void end(void) {
    bm_text_fini(&text);
}

TestSuite(devices, .init = sample_begin, .fini = end);

static void write_devices(const struct bm_inventory *inventory, bool json, unsigned width) {
    struct bm_export_options options = {.width = width};
    bm_text_fini(&text);
    cr_assert_eq(bm_export_devices(inventory, json, &options, &text, &error), BM_OK, "%s", error.message);
}

static const char listing[] =
    "cpu0: Prüf-CPU ½\n"
    "  hardware   8 cores, memory 32.0 GiB, last-level cache 36.0 MiB, NUMA node 0,2\n"
    "  datasheet  cpu-test (Test CPU, 2023-03)\n"
    "  backend    opencl/pocl, driver 3.1, 24.0 GiB (8.00 GiB at once)\n"
    "gpu0: 显卡 X\n"
    "  hardware   20 compute units, memory -, last-level cache -, PCI 0000:3b:00.0\n"
    "  datasheet  none matches: no utilization of datasheet figures\n"
    "  backend    opencl/test, driver 1.0, - (- at once), not usable: its driver has no compiler\n"
    "  missing    opencl/test cannot be used: its driver has no compiler\n"
    "gpu1: unknown GPU\n"
    "  hardware   NVIDIA\n"
    "  datasheet  none matches: no utilization of datasheet figures\n"
    "  missing    apt-get install nvidia-opencl-icd\n";

Test(devices, as_text) {
    write_devices(sample_inventory(), false, 0);
    expect_text(&text, listing);
}

Test(devices, within_a_terminal) {
    write_devices(sample_inventory(), false, 80);
    cr_expect_leq(longest_line(text.data), 80);
    cr_expect_not_null(
        strstr(text.data, "  backend    opencl/test, driver 1.0, - (- at once), not usable: its driver has\n"
                          "             no compiler\n"),
        "%s", text.data);
}

static const char *text_at(json_t *object, const char *key) {
    cr_assert_not_null(json_object_get(object, key), "%s", key);
    return json_string_value(json_object_get(object, key));
}

static json_int_t number_at(json_t *object, const char *key) {
    cr_assert(json_is_integer(json_object_get(object, key)), "%s", key);
    return json_integer_value(json_object_get(object, key));
}

Test(devices, as_json) {
    write_devices(sample_inventory(), true, 80);
    json_t *root = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, NULL);
    json_t *list = json_object_get(root, "devices");
    cr_assert_eq(json_array_size(list), 3);
    cr_expect(json_is_array(json_object_get(root, "warnings")));
    cr_expect_eq(json_array_size(json_object_get(root, "warnings")), 0,
                 "of a machine that is only described");
    json_t *cpu = json_array_get(list, 0), *gpu = json_array_get(list, 1), *other = json_array_get(list, 2);
    cr_expect_str_eq(text_at(cpu, "id"), "cpu0");
    cr_expect_str_eq(text_at(cpu, "kind"), "cpu");
    cr_expect_str_eq(text_at(cpu, "name"), "Prüf-CPU ½");
    cr_expect_str_eq(text_at(cpu, "datasheet"), "cpu-test");
    cr_expect_eq(number_at(cpu, "compute_units"), 8);
    cr_expect_eq(number_at(cpu, "memory_bytes"), (json_int_t)32 << 30);
    cr_expect_eq(json_integer_value(json_array_get(json_object_get(cpu, "numa_nodes"), 1)), 2);
    json_t *backend = json_array_get(json_object_get(cpu, "backends"), 0);
    cr_expect_str_eq(text_at(backend, "id"), "opencl/pocl");
    cr_expect(json_is_true(json_object_get(backend, "usable")));
    cr_expect(json_is_null(json_object_get(backend, "reason")));
    cr_expect(json_is_null(json_object_get(cpu, "missing")) && json_is_null(json_object_get(cpu, "pci")));
    cr_expect_str_eq(text_at(gpu, "pci"), "0000:3b:00.0");
    backend = json_array_get(json_object_get(gpu, "backends"), 0);
    cr_expect(json_is_false(json_object_get(backend, "usable")));
    cr_expect_str_eq(text_at(backend, "reason"), "its driver has no compiler");
    cr_expect(json_is_null(json_object_get(gpu, "datasheet")));
    /* Unknown is null, never 0. */
    static const char *const unknown[] = {"compute_units", "clock_mhz", "memory_bytes", "llc_bytes"};
    for (size_t i = 0; i < BM_COUNT_OF(unknown); i++)
        cr_expect(json_is_null(json_object_get(other, unknown[i])), "%s", unknown[i]);
    cr_expect(json_is_null(json_object_get(backend, "memory_bytes")));
    cr_expect_str_eq(text_at(other, "missing"), "apt-get install nvidia-opencl-icd");
    json_decref(root);
}

/* Drivers have been seen to report names that are not text. */
Test(devices, names_that_are_not_utf8) {
    struct bm_device device = {.id = "gpu0", .is_gpu = true, .name = "bad \xff name"};
    struct bm_inventory inventory = {.devices = &device, .count = 1};
    write_devices(&inventory, true, 0);
    json_t *root = json_loadb(text.data, text.length, 0, NULL);
    cr_assert_not_null(root);
    cr_expect(json_is_null(json_object_get(json_array_get(json_object_get(root, "devices"), 0), "name")));
    json_decref(root);
}

Test(devices, none) {
    struct bm_inventory inventory = {0};
    write_devices(&inventory, false, 80);
    cr_expect_eq(text.length, 0);
    write_devices(&inventory, true, 80);
    expect_text(&text, "{\n \"devices\": [],\n \"warnings\": []\n}\n");
}
