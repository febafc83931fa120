#include "bm/data.h"

#include "device_names.h"
#include "fixture.h"

#define GIB (1024.0 * 1024.0 * 1024.0)

static struct bm_datasheets *sheets;

static void begin(void) {
    struct bm_error error = {0};
    cr_assert_eq(bm_datasheets_open(&sheets, &error), BM_OK, "%s", error.message);
}

static void end(void) {
    bm_datasheets_close(sheets);
}

TestSuite(datasheets, .init = begin, .fini = end);

static const char *match(const struct bm_datasheet_query *query) {
    const struct bm_datasheet *found = bm_datasheets_match(sheets, query);
    return found != NULL ? found->id : "none";
}

Test(datasheets, every_reported_name_finds_its_sheet) {
    cr_assert_eq(BM_COUNT_OF(device_names), 92);
    for (size_t i = 0; i < BM_COUNT_OF(device_names); i++) {
        const struct device_name *row = &device_names[i];
        struct bm_datasheet_query query = {.name = row->name,
                                           .compute_units = row->compute_units,
                                           .memory_bytes = (uint64_t)(row->memory_gib * GIB)};
        cr_expect_str_eq(match(&query), row->expected != NULL ? row->expected : "none", "%s", row->name);
    }
}

Test(datasheets, all_files_load_in_the_order_of_their_names) {
    size_t cpus = 0;
    cr_assert_eq(bm_datasheets_count(sheets), 94);
    for (size_t i = 0; i < bm_datasheets_count(sheets); i++) {
        const struct bm_datasheet *sheet = bm_datasheets_get(sheets, i);
        cpus += sheet->is_cpu;
        cr_expect_gt(sheet->bandwidth_gbs, 0.0, "%s", sheet->id);
        cr_expect_neq(sheet->bandwidth_status, BM_FACT_UNKNOWN, "%s", sheet->id);
        cr_expect_eq(strlen(sheet->released), 7, "%s", sheet->id);
        cr_expect(sheet->peak_count > 0 || sheet->per_cycle_count > 0, "%s", sheet->id);
        for (unsigned j = 0; j < sheet->peak_count; j++)
            cr_expect_neq(sheet->peaks[j].status, BM_FACT_UNKNOWN, "%s", sheet->id);
    }
    cr_expect_eq(cpus, 5);
    cr_expect_null(bm_datasheets_get(sheets, bm_datasheets_count(sheets)));
}

static const struct bm_peak *find_peak(const struct bm_datasheet *sheet, const char *pipe) {
    for (unsigned i = 0; i < sheet->peak_count; i++)
        if (strcmp(sheet->peaks[i].pipe, pipe) == 0)
            return &sheet->peaks[i];
    return NULL;
}

Test(datasheets, figures_keep_unit_pipe_and_status) {
    const struct bm_datasheet *sheet =
        bm_datasheets_match(sheets, &(struct bm_datasheet_query){.name = "NVIDIA A40"});
    cr_assert_not_null(sheet);
    cr_expect_str_eq(sheet->vendor, "NVIDIA");
    cr_expect_str_eq(sheet->released, "2020-10");
    cr_expect_eq(sheet->compute_units, 84);
    cr_expect_eq(sheet->boost_mhz, 1740);
    cr_expect_float_eq(sheet->memory_gb, 48.0, 1e-9);
    cr_expect_float_eq(sheet->bandwidth_gbs, 696.0, 1e-9);
    cr_expect_eq(sheet->bandwidth_status, BM_FACT_VERIFIED);
    cr_assert_not_null(find_peak(sheet, "f32_vector"));
    cr_expect_float_eq(find_peak(sheet, "f32_vector")->gflops, 37400.0, 1e-6);
    cr_expect_float_eq(find_peak(sheet, "f16_matrix")->gflops, 149700.0, 1e-6);
    cr_expect_eq(find_peak(sheet, "f16_matrix")->status, BM_FACT_VERIFIED);
}

Test(datasheets, eight_bit_rates_of_parts_without_matrix_units_are_dot_products) {
    const struct bm_datasheet *p40 =
        bm_datasheets_match(sheets, &(struct bm_datasheet_query){.name = "Tesla P40"});
    cr_assert_not_null(p40);
    cr_expect_null(find_peak(p40, "i8_matrix"));
    cr_assert_not_null(find_peak(p40, "i8_dot"));
    cr_expect_eq(find_peak(p40, "i8_dot")->status, BM_FACT_RECALLED);
}

Test(datasheets, a_name_shared_by_unlike_products_needs_the_sizes_to_agree) {
    const struct {
        const char *name;
        unsigned units;
        double gib;
        const char *expected;
    } rows[] = {
        {"NVIDIA GeForce RTX 3080", 68, 9.77, "nvidia-rtx-3080"},
        {"NVIDIA GeForce RTX 3080", 70, 11.76, "none"}, /* the 12 GB card */
        {"NVIDIA H20", 78, 95.1, "nvidia-h20-96gb"},
        {"NVIDIA H20", 78, 139.8, "none"},
        {"NVIDIA H100 80GB HBM3", 132, 79.1, "nvidia-h100-sxm5-80gb"},
        {"NVIDIA H100 80GB HBM3 MIG 3g.40gb", 60, 39.5, "none"},
        {"NVIDIA A100-SXM4-40GB MIG 1g.5gb", 0, 0, "none"},
        {"AMD Instinct MI50/MI60", 0, 0, "none"}, /* two sheets, nothing to tell them apart */
        {"AMD Instinct MI50/MI60", 64, 31.98, "amd-mi60"},
        {"gfx90a:sramecc+:xnack-", 110, 63.98, "amd-mi250x-gcd"},
        {"gfx90a:sramecc+:xnack-", 104, 63.98, "none"}, /* MI210 or MI250 */
        {"gfx1201", 0, 15.9, "none"},                   /* a chip alone is not a board */
        {"gfx1201", 28, 15.9, "none"},                  /* RX 9070 */
        {"gfx1", 32, 15.9, "none"},
        {"AMD Radeon RX 6800 XT (radeonsi, navi21, LLVM 15.0.6, DRM 3.49, 6.1.0-13-amd64)", 72, 15.98,
         "amd-rx-6800-xt"},                                     /* Rusticl counts compute units */
        {"AMD Radeon RX 6800 XT", 36, 15.98, "amd-rx-6800-xt"}, /* others work-group processors */
        {"Apple M1 (rusticl)", 8, 0, "apple-m1"},
        {"Apple M1 Ultra", 0, 0, "none"},
        {"Intel(R) Data Center GPU Max 1550", 512, 64.0, "none"}, /* one of its two stacks */
        {"NVIDIA GeForce RTX 4090 D", 114, 23.6, "none"},
        {"nvidia geforce rtx 4090", 128, 23.6, "nvidia-rtx-4090"},
        {"NVIDIA GeForce RTX 4070 Ti SUPER", 66, 15.7, "nvidia-rtx-4070-ti-super"},
        {"", 0, 0, "none"},
    };
    for (size_t i = 0; i < BM_COUNT_OF(rows); i++) {
        struct bm_datasheet_query query = {.name = rows[i].name,
                                           .compute_units = rows[i].units,
                                           .memory_bytes = (uint64_t)(rows[i].gib * GIB)};
        cr_expect_str_eq(match(&query), rows[i].expected, "%s, %u units", rows[i].name, rows[i].units);
    }
}

Test(datasheets, the_board_name_decides_where_there_is_one) {
    const uint64_t memory = (uint64_t)(63.98 * GIB);
    struct bm_datasheet_query query = {.name = "gfx90a:sramecc+:xnack-",
                                       .board_name = "AMD Instinct MI210",
                                       .compute_units = 104,
                                       .memory_bytes = memory};
    cr_expect_str_eq(match(&query), "amd-mi210");
    query.board_name = "AMD Instinct MI250";
    cr_expect_str_eq(match(&query), "amd-mi250-gcd");
    /* RX 6950 XT: chip, units and memory of an RX 6900 XT, but another board. */
    query = (struct bm_datasheet_query){.name = "gfx1030",
                                        .board_name = "AMD Radeon RX 6950 XT",
                                        .compute_units = 40,
                                        .memory_bytes = (uint64_t)(15.98 * GIB)};
    cr_expect_str_eq(match(&query), "none");
    query.board_name = "";
    cr_expect_str_eq(match(&query), "amd-rx-6900-xt");
}

Test(datasheets, a_cpu_is_matched_whole_and_never_with_a_gpu) {
    const struct {
        const char *name;
        unsigned units;
        const char *expected;
    } rows[] = {
        {"Intel(R) Xeon(R) Platinum 8480+", 0, "cpu-xeon-platinum-8480+"},
        {"Intel(R) Xeon(R) Platinum 8480+", 224,
         "cpu-xeon-platinum-8480+"},                    /* two packages, two threads a core */
        {"Intel(R) Xeon(R) Platinum 8480+", 2, "none"}, /* a slice of one */
        {"Intel(R) Xeon(R) Platinum 8380 CPU @ 2.30GHz", 40, "cpu-xeon-platinum-8380"},
        {"AMD EPYC 7713 64-Core Processor", 128, "cpu-epyc-7713"},
        {"AMD EPYC 9654 96-Core Processor", 96, "cpu-epyc-9654"},
        {"Neoverse-V2", 72, "cpu-gh200-neoverse-v2"},
        {"Neoverse-V2", 96, "none"}, /* another maker's 96-core part */
        {"NVIDIA A40", 0, "none"},
    };
    for (size_t i = 0; i < BM_COUNT_OF(rows); i++) {
        struct bm_datasheet_query query = {
            .is_cpu = true, .name = rows[i].name, .compute_units = rows[i].units};
        cr_expect_str_eq(match(&query), rows[i].expected, "%s, %u units", rows[i].name, rows[i].units);
    }
    cr_expect_str_eq(match(&(struct bm_datasheet_query){.name = "AMD EPYC 9654 96-Core Processor"}), "none");
    cr_expect_str_eq(match(&(struct bm_datasheet_query){0}), "none");
}

Test(datasheets, a_cpu_has_rates_per_cycle_and_no_invented_peak) {
    struct bm_datasheet_query query = {.is_cpu = true, .name = "AMD EPYC 9654 96-Core Processor"};
    const struct bm_datasheet *sheet = bm_datasheets_match(sheets, &query);
    cr_assert_not_null(sheet);
    cr_expect_eq(sheet->peak_count, 0);
    bool found = false;
    for (unsigned i = 0; i < sheet->per_cycle_count; i++)
        if (strcmp(sheet->per_cycle[i].pipe, "f32_vector") == 0) {
            found = true;
            cr_expect_float_eq(sheet->per_cycle[i].gflops, 32.0, 1e-9);
            cr_expect_eq(sheet->per_cycle[i].status, BM_FACT_VERIFIED);
        }
    cr_expect(found);
}

Test(fact_status, has_a_name_each) {
    cr_expect_str_eq(bm_fact_status_name(BM_FACT_VERIFIED), "verified");
    cr_expect_str_eq(bm_fact_status_name(BM_FACT_DERIVED), "derived");
    cr_expect_str_eq(bm_fact_status_name(BM_FACT_RECALLED), "recalled");
    cr_expect_str_eq(bm_fact_status_name(BM_FACT_UNKNOWN), "unknown");
    cr_expect_str_eq(bm_fact_status_name((enum bm_fact_status)99), "unknown");
}

/* ---- broken sheets ---- */

static const char sheet_text[] =
    "{\"id\": \"x\", \"name\": \"X\", \"kind\": \"gpu\", \"vendor\": \"V\", \"architecture\": \"A\",\n"
    " \"released\": {\"value\": \"2024-01\", \"status\": \"recalled\"},\n"
    " \"match\": {\"names\": [\"^X1$\"], \"exclude\": [\"Ti\"], \"compute_units\": 4, \"memory_gib\": [7, 8],"
    " \"names_seen\": [\"X1\"]},\n"
    " \"figures\": {\"compute_units\": {\"value\": 4, \"status\": \"derived\"},"
    " \"bandwidth_gbs\": {\"value\": 10, \"status\": \"verified\", \"seen_in\": [\"S\"]}},\n"
    " \"peaks_tflops\": {\"f32_vector\": {\"value\": 1.5, \"status\": \"recalled\"}},\n"
    " \"conflicts\": [{\"figure\": \"bandwidth_gbs\", \"value\": 11, \"source\": \"S\"}],\n"
    " \"source\": \"a sheet\", \"sources\": {\"S\": \"a table\"}}\n";

TestSuite(broken_sheets, .init = fixture_begin, .fini = fixture_end);

Test(broken_sheets, name_the_file_and_the_place) {
    const struct {
        const char *old, *by, *expected;
    } rows[] = {
        {"\"^X1$\"", "\"X1(\"", "$.match.names[0]: is no regular expression: "},
        {"\"names_seen\": [\"X1\"]", "\"names_seen\": [\"X1\", \"X10\"]",
         "$.match.names_seen[1]: is not matched"},
        {"\"names_seen\": [\"X1\"]", "\"names_seen\": [\"X1\", \"X1 Ti\"]",
         "$.match.names_seen[1]: is not matched"},
        {"[7, 8]", "[8, 7]", "$.match.memory_gib: must be the least and the most"},
        {"[7, 8]", "[7]", "$.match.memory_gib: must be the least and the most"},
        {"\"seen_in\": [\"S\"]", "\"seen_in\": [\"T\"]",
         "$.figures.bandwidth_gbs.seen_in[0]: names no source"},
        {", \"seen_in\": [\"S\"]", "", "$.figures.bandwidth_gbs: is \"verified\" without \"seen_in\""},
        {"f32_vector", "f32_vektor", "$.peaks_tflops.f32_vektor: unknown pipe; did you mean 'f32_vector'?"},
        {"1.5", "-1.5", "$.peaks_tflops.f32_vector.value: must be a number from 1e-06 to 1e+09 (is -1.5)"},
        {"\"derived\"", "\"guessed\"", "$.figures.compute_units.status: must be one of unknown, verified"},
        {"\"gpu\"", "\"tpu\"", "$.kind: must be one of gpu, cpu (is \"tpu\")"},
        {"\"figure\": \"bandwidth_gbs\"", "\"figure\": \"clock\"", "$.conflicts[0]: names no figure"},
        {"\"id\": \"x\"", "\"id\": \"y\"", "$.id: must be the file's name without .json"},
        {"\"source\": \"a sheet\", ", "", "$.source: is missing"},
        {"\"sources\": {\"S\"", "\"sources\": {\"Q\"", "names no source"},
        {"\"a table\"", "7", "$.sources.S: must be text (is 7)"},
    };
    fixture_use_as_data();
    for (size_t i = 0; i < BM_COUNT_OF(rows); i++) {
        struct bm_datasheets *opened = (struct bm_datasheets *)&rows;
        struct bm_error error = {0};
        char *text = fixture_replace(sheet_text, rows[i].old, rows[i].by);
        fixture_write("bench/devices/x.json", text, SIZE_MAX);
        cr_expect_eq(bm_datasheets_open(&opened, &error), BM_INVALID, "%s", rows[i].by);
        cr_expect_null(opened);
        fixture_check_message(&error, BM_INVALID, "bench/devices/x.json: ", rows[i].expected);
        free(text);
    }
}

Test(broken_sheets, the_unbroken_one_loads) {
    struct bm_datasheets *opened = NULL;
    struct bm_error error = {0};
    fixture_use_as_data();
    fixture_write("bench/devices/x.json", sheet_text, SIZE_MAX);
    cr_assert_eq(bm_datasheets_open(&opened, &error), BM_OK, "%s", error.message);
    cr_expect_eq(bm_datasheets_count(opened), 1);
    cr_expect_not_null(bm_datasheets_match(opened, &(struct bm_datasheet_query){.name = "x1"}));
    bm_datasheets_close(opened);
}

Test(broken_sheets, a_missing_folder_is_named) {
    struct bm_datasheets *opened = NULL;
    struct bm_error error = {0};
    fixture_use_as_data();
    cr_expect_eq(bm_datasheets_open(&opened, &error), BM_NOT_FOUND);
    cr_expect_not_null(strstr(error.message, "bench/devices"), "%s", error.message);
    bm_datasheets_close(NULL);
}
