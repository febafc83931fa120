/* The results file: what is put in comes out, unknown is null. Another test holds it against the schema. */
#include "sample.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct bm_results results;
static struct bm_text text;
static struct bm_error error;
static json_t *root;

static void begin(void) {
    sample_begin();
    sample_results(&results);
}

static void end(void) {
    json_decref(root);
    bm_text_fini(&text);
    bm_results_fini(&results);
}

TestSuite(json, .init = begin, .fini = end);

static void write_file(const char *name) {
    char path[512];
    const char *folder = getenv("BM_TEST_OUTPUT");
    cr_assert_not_null(folder);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    cr_assert_eq(bm_file_write_atomic(path, text.data, text.length, &error), BM_OK, "%s", error.message);
}

static void format(void) {
    struct bm_export_options options = {0};
    json_error_t where;
    json_decref(root);
    bm_text_fini(&text);
    cr_assert_eq(bm_export_format_find("json")->write(&results, &options, &text, &error), BM_OK, "%s",
                 error.message);
    cr_assert_eq(text.data[text.length - 1], '\n');
    root = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, &where);
    cr_assert_not_null(root, "line %d: %s", where.line, where.text);
}

/* Walks "devices/0/ceilings/1/unit". */
static json_t *at(const char *path) {
    json_t *value = root;
    char step[64];
    for (const char *rest = path; *rest != '\0';) {
        size_t length = strcspn(rest, "/");
        snprintf(step, sizeof step, "%.*s", (int)length, rest);
        value =
            json_is_array(value) ? json_array_get(value, (size_t)atoi(step)) : json_object_get(value, step);
        cr_assert_not_null(value, "%s: no %s", path, step);
        rest += length + (rest[length] == '/');
    }
    return value;
}

static void expect_string(const char *path, const char *expected) {
    cr_expect(json_is_string(at(path)) && strcmp(json_string_value(at(path)), expected) == 0, "%s", path);
}

static void expect_number(const char *path, double expected) {
    double got = json_number_value(at(path));
    cr_expect(json_is_number(at(path)) && fabs(got - expected) <= 1e-9 * fabs(expected), "%s: %.12g", path,
              got);
}

static void expect_null(const char *const *paths, size_t count) {
    for (size_t i = 0; i < count; i++)
        cr_expect(json_is_null(at(paths[i])), "%s", paths[i]);
}

Test(json, head) {
    format();
    write_file("sample.json");
    expect_string("schema_version", "1.0");
    expect_string("id", "11111111-2222-4333-8444-555555555555");
    expect_string("created", "2026-01-31T12:00:00Z");
    cr_expect(json_is_true(at("complete")));
    expect_string("tool/build/compiler", "GNU 12.2.0");
    expect_string("host/hostname", "wört");
    expect_number("host/topology/threads", 16);
    expect_number("settings/seed", 0); /* 0 is a seed */
    expect_number("settings/target_half_width", 0.01);
    expect_string("settings/cache", "cold");
    expect_string("settings/command/1", "run");
    static const char *const unknown[] = {
        "tool/commit",      "tool/kernels_sha256",      "host/kernel", "host/cpu_model", "host/governor",
        "host/virtualized", "host/topology/numa_nodes", "ab"};
    expect_null(unknown, BM_COUNT_OF(unknown));
}

Test(json, devices) {
    format();
    cr_assert_eq(json_array_size(at("devices")), 2);
    expect_string("devices/0/name", "Prüf-CPU ½");
    expect_number("devices/0/numa_nodes/0", 0);
    expect_string("devices/0/datasheet/peaks/0/status", "derived");
    expect_number("devices/0/datasheet/peaks/0/gflops", 2000);
    expect_string("devices/0/ceilings/1/resource", "memory_copy");
    expect_number("devices/0/ceilings/1/value", 80);
    expect_number("devices/0/ceilings/1/ci/0", 78);
    expect_number("devices/0/ceilings/1/ci/1", 82);
    expect_string("devices/0/ceilings/1/flags/0", "not_converged");
    expect_string("devices/0/ceilings/2/pipe", "f32_vector");
    expect_number("devices/0/summary/0/tokens_per_s", 12.345);
    expect_number("devices/0/summary/0/mbu", 0.0421);
    cr_expect_eq(json_array_size(at("devices/0/summary/0/missing")), 3);
    expect_string("devices/1/kind", "gpu");
    expect_string("devices/1/name", "显卡 X");
    static const char *const unknown[] = {
        "devices/0/clock_mhz",           "devices/0/llc_bytes",          "devices/0/pci",
        "devices/0/ceilings/0/pipe",     "devices/0/backends/0/version", "devices/0/summary/0/context",
        "devices/0/datasheet/tdp_watts", "devices/0/summary/1/mfu",      "devices/0/summary/1/tokens_per_s",
        "devices/1/compute_units",       "devices/1/memory_bytes",       "devices/1/fingerprint",
        "devices/1/datasheet",           "devices/1/backends/0/driver",  "devices/0/isa"};
    expect_null(unknown, BM_COUNT_OF(unknown));
}

Test(json, rows) {
    format();
    cr_assert_eq(json_array_size(at("results")), 8);
    expect_string("results/1/key", "gemm/llama2-7b/prefill/qkv/f16/m128n12288k4096");
    expect_string("results/1/status", "ok");
    expect_number("results/1/case/n", 12288);
    expect_string("results/1/verification/status", "passed");
    expect_number("results/1/verification/max_relative_error", 1.2e-6);
    expect_number("results/1/kernel/parameters/TILE_M", 12);
    cr_assert_eq(json_array_size(at("results/1/rounds")), 2);
    expect_number("results/1/rounds/0/start_ns", 0); /* 0 is a time */
    expect_number("results/1/rounds/1/ns", 204000000);
    expect_string("results/1/rounds/1/flags/0", "unstable");
    expect_number("results/1/time_ns/ci/1", 10.1e6);
    expect_number("results/1/gflops", 100);
    expect_string("results/1/utilization/bound", "compute");
    cr_expect_eq(json_array_size(at("results/1/flags")), 2);
    expect_string("results/2/status", "failed");
    expect_string("results/2/reason", "verification failed: output 7 was never written");
    expect_string("results/2/verification/status", "failed");
    expect_string("results/3/status", "skipped");
    expect_string("results/3/verification/status", "not_run");
    expect_number("results/3/verification/checked", 0);
    expect_string("results/4/status", "invalid");
    expect_number("results/4/time_ns/median", 10e6);
    expect_string("results/6/measured_as", "gemv/llama2-13b/decode/qkv/f16/m1n12288k4096");
    expect_number("results/6/time_ns/mad", 0); /* 0 is a spread */
    static const char *const unknown[] = {"results/0/case/model",
                                          "results/0/case/dtype",
                                          "results/0/case/phase",
                                          "results/0/gflops",
                                          "results/0/kernel/pipe",
                                          "results/1/reason",
                                          "results/1/measured_as",
                                          "results/1/utilization/compute_of_datasheet",
                                          "results/1/time_ns_uncontaminated",
                                          "results/2/verification/max_relative_error",
                                          "results/2/gflops",
                                          "results/2/time_ns",
                                          "results/2/kernel",
                                          "results/3/verification/tolerance",
                                          "results/4/gflops",
                                          "results/4/tokens_per_s",
                                          "results/4/utilization",
                                          "results/7/threads",
                                          "results/1/energy/joules"};
    expect_null(unknown, BM_COUNT_OF(unknown));
}

Test(json, nothing) {
    bm_results_fini(&results);
    sample_results(&results);
    results.device_count = results.row_count = 0; /* what is owned is freed with the rest below */
    struct bm_results_device *devices = results.devices;
    format();
    write_file("empty.json");
    cr_expect_eq(json_array_size(at("devices")), 0);
    cr_expect_eq(json_array_size(at("results")), 0);
    results.device_count = 2;
    cr_expect_eq(results.devices, devices);
}

/* Whatever the numbers and names are, the file is JSON. */
Test(json, hostile_values) {
    struct bm_results_row *row = &results.rows[1];
    row->gflops = -(double)INFINITY;
    row->time.low = (double)NAN;
    row->verification.max_relative_error = (double)INFINITY;
    bm_string_set(row->reason, sizeof row->reason, "\"quoted\"\n\t\\ \x01 \xff\xfe");
    bm_string_set(results.devices[1].name, sizeof results.devices[1].name, "\xc3(");
    results.settings.seed = UINT64_MAX >> 1;
    row->flags = 0x80000001u;
    format();
    static const char *const unknown[] = {"results/1/gflops", "results/1/time_ns/ci",
                                          "results/1/verification/max_relative_error", "results/1/reason",
                                          "devices/1/name"};
    expect_null(unknown, BM_COUNT_OF(unknown));
    cr_expect_eq(json_integer_value(at("settings/seed")), INT64_MAX);
    cr_expect_eq(json_array_size(at("results/1/flags")), 1, "a bit without a name is not written");
}
