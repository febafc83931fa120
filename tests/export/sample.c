#include "sample.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double unknown = (double)NAN;

static struct bm_datasheet sheet = {
    .id = "cpu-test",
    .name = "Test CPU",
    .released = "2023-03",
    .bandwidth_gbs = 200,
    .bandwidth_status = BM_FACT_VERIFIED,
    .peak_count = 1,
    .peaks = {{"f32_vector", 2000, BM_FACT_DERIVED}},
};

static const char *flag_name(unsigned bit) {
    return bit == 1 ? "not_converged" : bit == 2 ? "unstable" : NULL;
}

void sample_begin(void) {
    cr_assert_not_null(setlocale(LC_CTYPE, "C.UTF-8"));
}

static void describe_devices(struct bm_results *results) {
    struct bm_results_device *cpu = &results->devices[0], *gpu = &results->devices[1];
    *cpu = (struct bm_results_device){
        .id = "cpu0",
        .hardware = "cpu0",
        .name = "Prüf-CPU ½",
        .vendor = "Intel",
        .fingerprint = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        .compute_units = 8,
        .memory_bytes = (uint64_t)32 << 30,
        .numa = {0},
        .numa_count = 1,
        .datasheet = &sheet,
        .packages = 1,
        .backends = {{.id = "opencl/pocl", .name = "pthread-test", .driver = "3.1", .compute_units = 8}},
        .backend_count = 1,
        .ceilings = calloc(3, sizeof *cpu->ceilings),
        .ceiling_count = 3,
        .summaries = calloc(2, sizeof *cpu->summaries),
        .summary_count = 2,
    };
    cpu->ceilings[0] = (struct bm_results_ceiling){.resource = "memory_read",
                                                   .backend = "opencl/pocl",
                                                   .threads = 8,
                                                   .value = 100,
                                                   .low = 99,
                                                   .high = 101,
                                                   .burst = 104,
                                                   .confidence = 0.95,
                                                   .unit = "GB/s",
                                                   .how = "read_streams STREAMS=4"};
    cpu->ceilings[1] = (struct bm_results_ceiling){.resource = "memory_copy",
                                                   .backend = "opencl/pocl",
                                                   .threads = 8,
                                                   .value = 80,
                                                   .low = 78,
                                                   .high = 82,
                                                   .burst = 81.5,
                                                   .confidence = 0.95,
                                                   .unit = "GB/s",
                                                   .how = "copy_streams",
                                                   .flags = 1};
    cpu->ceilings[2] = (struct bm_results_ceiling){.resource = "fma",
                                                   .pipe = "f32_vector",
                                                   .backend = "opencl/pocl",
                                                   .threads = 8,
                                                   .value = 1234.5,
                                                   .low = 1230,
                                                   .high = 1240,
                                                   .burst = 1250,
                                                   .confidence = 0.95,
                                                   .unit = "GFLOP/s",
                                                   .how = "chains CHAINS=12"};
    cpu->summaries[0] = (struct bm_results_summary){.backend = "opencl/pocl",
                                                    .model = "llama2-7b",
                                                    .phase = "prefill",
                                                    .dtype = "f16",
                                                    .batch = 1,
                                                    .tokens = 128,
                                                    .tokens_per_s = 12.345,
                                                    .mfu = 0.25,
                                                    .mbu = 0.0421,
                                                    .roofline_efficiency = 0.5,
                                                    .ops = {"qkv", "attn"},
                                                    .op_count = 2,
                                                    .missing = {"norm", "rope", "residual"},
                                                    .missing_count = 3};
    cpu->summaries[1] = (struct bm_results_summary){.backend = "opencl/pocl",
                                                    .model = "llama2-7b",
                                                    .phase = "decode",
                                                    .dtype = "f16",
                                                    .batch = 8,
                                                    .tokens = 1,
                                                    .context = 1024,
                                                    .tokens_per_s = unknown,
                                                    .mfu = unknown,
                                                    .mbu = unknown,
                                                    .roofline_efficiency = unknown,
                                                    .missing = {"qkv"},
                                                    .missing_count = 1,
                                                    .lacking = {"qkv"},
                                                    .lacking_count = 1};
    *gpu = (struct bm_results_device){
        .id = "gpu0",
        .hardware = "gpu0",
        .name = "显卡 X",
        .is_gpu = true,
        .packages = 1,
        .backends = {{.id = "opencl/test", .name = "test"}},
        .backend_count = 1,
    };
}

/* A verified row of 10 ms that was not judged. */
static struct bm_results_row begin_row(const char *key, const char *op, const char *phase) {
    struct bm_results_row row = {
        .device = "cpu0",
        .backend = "opencl/pocl",
        .threads = 8,
        .the_case = {.workload = "gemm",
                     .phase = phase,
                     .model = "llama2-7b",
                     .dtype = "f16",
                     .batch = 1,
                     .tokens = 128},
        .verification = {BM_ROW_PASSED_VERIFICATION, "float64", 1.2e-6, 5e-6, 4096},
        .kernel = {.variant = "register_tile", .pipe = "f32_vector", .parameters_from = "shipped"},
        .time = {10e6, 9.9e6, 10.1e6, 0.953, 9.8e6, 9.85e6, 10.3e6, 1e4},
        .time_uncontaminated = {.median = unknown},
        .flops = 1e9,
        .bytes = 1e8,
        .gflops = 100,
        .gbytes_per_s = 10,
        .tokens_per_s = 12800,
        .utilization = {NULL, "", "", unknown, unknown, unknown, 0, unknown, unknown, unknown, unknown,
                        unknown},
    };
    const char *shape = strrchr(key, '/');
    bm_string_set(row.key, sizeof row.key, key);
    if (sscanf(shape, "/m%" SCNu64 "n%" SCNu64 "k%" SCNu64, &row.the_case.m, &row.the_case.n,
               &row.the_case.k) < 3)
        row.the_case.m = row.the_case.n = row.the_case.k = 0;
    bm_string_set(row.the_case.op, sizeof row.the_case.op, op);
    bm_parameters_set(&row.kernel.parameters, "TILE_M", 12);
    return row;
}

static void forget_rates(struct bm_results_row *row) {
    row->time.median = row->gflops = row->gbytes_per_s = row->tokens_per_s = unknown;
    row->kernel.parameters_from = NULL;
}

static void describe_rows(struct bm_results *results) {
    static const char *const decode_keys[] = {"gemv/llama2-13b/decode/qkv/f16/m1n12288k4096",
                                              "gemv/llama2-7b/decode/qkv/f16/m1n12288k4096"};
    static const struct bm_results_round rounds[] = {{0, 200000000, 20, 0}, {500000000, 204000000, 20, 2}};
    struct bm_results_row *row = results->rows;
    *row = begin_row("stream/-/-/read/-/-", "read", NULL);
    row->the_case.workload = "stream";
    row->the_case.model[0] = row->the_case.dtype[0] = '\0';
    row->the_case.batch = row->the_case.tokens = 0;
    row->tokens_per_s = unknown;
    row->flops = 0;
    row->gflops = unknown;
    row->kernel.pipe[0] = '\0';

    *++row = begin_row("gemm/llama2-7b/prefill/qkv/f16/m128n12288k4096", "qkv", "prefill");
    row->rounds = rounds;
    row->round_count = 2;
    row->flags = 3;
    row->utilization.bound = "compute";
    row->utilization.roofline_efficiency = 0.081;
    row->utilization.efficiency_low = 0.0802;
    row->utilization.efficiency_high = 0.0822;
    row->utilization.compute_of_ceiling = row->utilization.compute_of_device = 0.081;
    row->utilization.memory_of_ceiling = 0.1;
    bm_string_set(row->utilization.compute_ceiling, 96, "fma/f32_vector/opencl/pocl");
    bm_string_set(row->utilization.memory_ceiling, 96, "memory_read/opencl/pocl");

    *++row = begin_row("gemm/llama2-7b/prefill/attn_out/f16/m128n4096k4096", "attn_out", "prefill");
    row->status = BM_ROW_FAILED;
    forget_rates(row);
    row->verification.status = BM_ROW_FAILED_VERIFICATION;
    row->verification.max_relative_error = (double)INFINITY;
    bm_string_set(row->reason, sizeof row->reason, "verification failed: output 7 was never written");

    *++row = begin_row("gemm/llama2-7b/prefill/ffn_down/f16/m128n4096k11008", "ffn_down", "prefill");
    row->status = BM_ROW_SKIPPED;
    forget_rates(row);
    row->verification.status = BM_ROW_NOT_VERIFIED;
    row->verification.checked = 0;
    bm_string_set(row->reason, sizeof row->reason,
                  "weights need 9.00 GiB, the device allocates at most 2.00 GiB at once");

    *++row = begin_row("gemm/llama2-7b/prefill/ffn_gate_up/f16/m128n22016k4096", "ffn_gate_up", "prefill");
    row->status = BM_ROW_INVALID;
    row->gflops = row->gbytes_per_s = row->tokens_per_s = unknown;
    bm_string_set(row->reason, sizeof row->reason,
                  "1300.0 GFLOP/s, more than 1.03 x the ceiling fma of 1240.0");

    for (size_t i = 0; i < 2; i++) { /* one measurement for two models */
        *++row = begin_row(decode_keys[i], "qkv", "decode");
        row->the_case.workload = "gemv";
        row->the_case.tokens = 1;
        row->time = (struct bm_results_time){950, 940, 960, 0.6, 930, 930, 970, 0};
        row->flops = 1e5;
        row->bytes = 5e4;
        row->gflops = 1e5 / 950;
        row->gbytes_per_s = 5e4 / 950;
    }
    bm_string_set(row[-1].the_case.model, sizeof row->the_case.model, "llama2-13b");
    bm_string_set(row->measured_as, sizeof row->measured_as, decode_keys[0]);

    *++row = begin_row("gemm/llama2-7b/prefill/qkv/f16/m128n12288k4096", "qkv", "prefill");
    bm_string_set(row->device, sizeof row->device, "gpu0");
    bm_string_set(row->backend, sizeof row->backend, "opencl/test");
    row->threads = 0;
}

void sample_results(struct bm_results *results) {
    static char program[] = "benchmark", run[] = "run", *command[] = {program, run, NULL};
    *results = (struct bm_results){
        .id = "11111111-2222-4333-8444-555555555555",
        .created = "2026-01-31T12:00:00Z",
        .complete = true,
        .tool = {.version = "0.1.0", .compiler = "GNU 12.2.0", .build_type = "Release"},
        .host = {.hostname = "wört",
                 .memory_bytes = (uint64_t)32 << 30,
                 .os = "Debian GNU/Linux 12",
                 .packages = 1,
                 .cores = 8,
                 .threads = 16},
        .settings =
            {.suite = "quick", .seed = 0, .budget_s = 45, .target_half_width = 0.01, .command = command},
        .devices = calloc(2, sizeof *results->devices),
        .device_count = 2,
        .rows = calloc(8, sizeof *results->rows),
        .row_count = 8,
        .flag_name = flag_name,
    };
    describe_devices(results);
    describe_rows(results);
}

const struct bm_inventory *sample_inventory(void) {
    static struct bm_endpoint endpoints[] = {
        {.id = "opencl/pocl",
         .name = "pthread-test",
         .driver = "3.1",
         .memory_bytes = (uint64_t)24 << 30,
         .max_allocation_bytes = (uint64_t)8 << 30,
         .usable = true},
        {.id = "opencl/test",
         .driver = "1.0",
         .usable = false,
         .unusable_reason = "its driver has no compiler"},
    };
    static struct bm_device devices[] = {
        {.id = "cpu0",
         .name = "Prüf-CPU ½",
         .vendor = "Intel",
         .compute_units = 8,
         .memory_bytes = (uint64_t)32 << 30,
         .llc_bytes = 36 << 20,
         .numa_count = 2,
         .numa = {0, 2},
         .datasheet = &sheet,
         .endpoint_count = 1,
         .endpoints = {&endpoints[0]},
         .package_count = 1,
         .fingerprint = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
        {.id = "gpu0",
         .is_gpu = true,
         .name = "显卡 X",
         .compute_units = 20,
         .has_pci = true,
         .pci = {0, 0x3b, 0, 0},
         .endpoint_count = 1,
         .endpoints = {&endpoints[1]},
         .package_count = 1,
         .missing = "opencl/test cannot be used: its driver has no compiler"},
        {.id = "gpu1",
         .is_gpu = true,
         .name = "unknown GPU",
         .vendor = "NVIDIA",
         .package_count = 1,
         .missing = "apt-get install nvidia-opencl-icd"},
    };
    static const struct bm_inventory inventory = {
        .devices = devices, .count = BM_COUNT_OF(devices), .endpoints = endpoints, .endpoint_count = 2};
    return &inventory;
}

void expect_text(const struct bm_text *text, const char *expected) {
    cr_assert_not(text->failed);
    const char *got = text->data != NULL ? text->data : "";
    for (int line = 1;; line++) {
        size_t a = strcspn(got, "\n"), b = strcspn(expected, "\n");
        cr_assert(a == b && memcmp(got, expected, a) == 0, "line %d is\n'%.*s', not\n'%.*s'\nin\n%s", line,
                  (int)a, got, (int)b, expected, text->data);
        got += a;
        expected += b;
        cr_assert_eq(*got, *expected, "line %d is the last", line);
        if (*got == '\0')
            return;
        got++;
        expected++;
    }
}

size_t longest_line(const char *text) {
    size_t longest = 0, length = 0;
    for (; *text != '\0'; text++) {
        length = *text == '\n' ? 0 : length + (((unsigned char)*text & 0xc0) != 0x80);
        longest = length > longest ? length : longest;
    }
    return longest;
}
