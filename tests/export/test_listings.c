/* `benchmark models`, `suites`, `workloads` and `run --dry-run`: their structure, for the data grows. */
#include "sample.h"

#include <jansson.h>
#include <stdlib.h>

static struct bm_text text;
static struct bm_error error;

static void end(void) {
    bm_text_fini(&text);
}

TestSuite(listings, .init = sample_begin, .fini = end);

typedef enum bm_status (*listing)(bool json, const struct bm_export_options *options, struct bm_text *text,
                                  struct bm_error *error);

static void write_listing(listing list, bool json, unsigned width) {
    struct bm_export_options options = {.width = width};
    bm_text_fini(&text);
    cr_assert_eq(list(json, &options, &text, &error), BM_OK, "%s", error.message);
}

static size_t count_lines(void) {
    size_t lines = 0;
    for (const char *at = text.data; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    return lines;
}

/* The array of the listing's JSON; *root is to be freed. */
static json_t *parse(const char *key, json_t **root) {
    *root = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, NULL);
    cr_assert_not_null(*root, "%s", text.data);
    cr_assert(json_is_array(json_object_get(*root, key)), "%s", key);
    return json_object_get(*root, key);
}

static const char *text_at(json_t *object, const char *key) {
    cr_assert(json_is_string(json_object_get(object, key)), "%s", key);
    return json_string_value(json_object_get(object, key));
}

/* A line that begins with the word. */
static bool has_line(const char *word) {
    char start[96];
    snprintf(start, sizeof start, "\n%s ", word);
    return strstr(text.data, start) != NULL;
}

Test(listings, models) {
    struct bm_model *models;
    size_t count;
    json_t *root;
    cr_assert_eq(bm_model_list(&models, &count, &error), BM_OK, "%s", error.message);
    write_listing(bm_export_models, false, 0);
    cr_expect_eq(count_lines(), count + 1);
    cr_expect_eq(strncmp(text.data, "MODEL ", 6), 0);
    for (size_t i = 0; i < count; i++)
        cr_expect(has_line(models[i].id), "%s", models[i].id);
    cr_expect_not_null(strstr(text.data, "MLA, experts"));
    cr_expect_not_null(strstr(text.data, "deepseek-v3                   671 G  36.6 G  +head"), "%s",
                       text.data);
    cr_expect_not_null(strstr(text.data, "llama2-7b                    6.74 G  6.74 G  all      512 KiB"),
                       "%s", text.data);
    write_listing(bm_export_models, false, 80);
    cr_expect_leq(longest_line(text.data), 80, "%s", text.data);
    write_listing(bm_export_models, true, 80);
    json_t *list = parse("models", &root);
    cr_assert_eq(json_array_size(list), count);
    for (size_t i = 0; i < count; i++) {
        json_t *model = json_array_get(list, i);
        cr_expect_str_eq(text_at(model, "id"), models[i].id);
        cr_expect_str_eq(text_at(model, "name"), models[i].name);
        cr_expect_eq(json_integer_value(json_object_get(model, "layers")), models[i].layers);
        cr_expect_eq(json_real_value(json_object_get(model, "published_parameters")), models[i].parameters);
        cr_expect_float_eq(json_real_value(json_object_get(model, "parameters")) / models[i].parameters, 1.0,
                           0.02);
        cr_expect_eq(json_object_size(json_object_get(model, "active_parameters")), 3);
        cr_expect_gt(json_real_value(json_object_get(model, "kv_bytes_per_token")), 0);
        cr_expect_eq(json_is_true(json_object_get(model, "shapes_verified")), models[i].shapes_verified);
        cr_expect_eq(json_array_size(json_object_get(model, "aliases")), models[i].alias_count);
    }
    json_decref(root);
    free(models);
}

Test(listings, suites) {
    struct bm_suite *suites;
    size_t count;
    json_t *root;
    cr_assert_eq(bm_suite_list(&suites, &count, &error), BM_OK, "%s", error.message);
    write_listing(bm_export_suites, false, 0);
    cr_expect_eq(count_lines(), count + 1);
    cr_expect(has_line("quick") && has_line("standard") && has_line("full"), "%s", text.data);
    write_listing(bm_export_suites, false, 60);
    cr_expect_leq(longest_line(text.data), 60, "%s", text.data);
    write_listing(bm_export_suites, true, 0);
    json_t *list = parse("suites", &root);
    cr_assert_eq(json_array_size(list), count);
    for (size_t i = 0; i < count; i++) {
        cr_expect_str_eq(text_at(json_array_get(list, i), "name"), suites[i].name);
        cr_expect_str_eq(text_at(json_array_get(list, i), "description"), suites[i].description);
        cr_expect_eq(json_real_value(json_object_get(json_array_get(list, i), "budget_s")),
                     suites[i].budget_s);
    }
    json_decref(root);
    free(suites);
}

Test(listings, workloads) {
    json_t *root;
    size_t count = 0;
    write_listing(bm_export_workloads, false, 0);
    for (; bm_workload_get(count) != NULL; count++)
        cr_expect(has_line(bm_workload_get(count)->name), "%s", bm_workload_get(count)->name);
    size_t dtypes = 0;
    for (; bm_dtype_get(dtypes) != NULL; dtypes++)
        cr_expect(has_line(bm_dtype_get(dtypes)->name), "%s", bm_dtype_get(dtypes)->name);
    cr_expect_eq(count_lines(), count + 1 + 1 + dtypes + 1);
    write_listing(bm_export_workloads, true, 0);
    json_t *list = parse("workloads", &root);
    json_t *formats = json_object_get(root, "dtypes");
    cr_assert_eq(json_array_size(formats), dtypes);
    for (size_t i = 0; i < dtypes; i++) {
        cr_expect_str_eq(text_at(json_array_get(formats, i), "name"), bm_dtype_get(i)->name);
        cr_expect_str_eq(text_at(json_array_get(formats, i), "description"), bm_dtype_get(i)->summary);
    }
    cr_assert_eq(json_array_size(list), count);
    for (size_t i = 0; i < count; i++) {
        json_t *item = json_array_get(list, i);
        cr_expect_str_eq(text_at(item, "name"), bm_workload_get(i)->name);
        cr_expect_str_eq(text_at(item, "kind"), bm_workload_get(i)->is_ceiling ? "ceiling" : "operation");
        cr_expect_str_eq(text_at(item, "description"), bm_workload_get(i)->summary);
    }
    json_decref(root);
}

static struct bm_run_plan the_plan(struct bm_run_item items[3]) {
    struct bm_run_plan plan = {.items = items, .item_count = 3, .suite = "quick", .budget_s = 45};
    struct bm_case gemm = {.workload = bm_workload_find("gemm"),
                           .model = "llama2-13b",
                           .op = "ffn_gate_up",
                           .phase = BM_PHASE_PREFILL,
                           .dtype = bm_dtype_find("f16"),
                           .batch = 1,
                           .tokens = 128,
                           .m = 128,
                           .n = 22016,
                           .k = 4096};
    memset(items, 0, 3 * sizeof *items);
    cr_assert_leq(bm_ceiling_cases(1 << 20, &items[0].the_case, 1), 3);
    items[0].is_ceiling = true;
    items[1] = (struct bm_run_item){.the_case = gemm, .measured_as = 1};
    bm_string_set(gemm.model, sizeof gemm.model, "llama2-7b");
    items[2] = (struct bm_run_item){.the_case = gemm, .measured_as = 1};
    return plan;
}

Test(listings, plan) {
    struct bm_run_item items[3];
    struct bm_run_plan plan = the_plan(items);
    struct bm_export_options options = {0};
    cr_assert_eq(bm_export_plan(&plan, sample_inventory(), false, &options, &text, &error), BM_OK);
    expect_text(
        &text,
        "DEVICE  BACKEND      CASE                                                       FLOP     BYTES\n"
        "cpu0    opencl/pocl  stream/-/-/read/-/-                                           0  1.00 MiB\n"
        "cpu0    opencl/pocl  gemm/llama2-13b/prefill/ffn_gate_up/f16/m128n22016k4096  23.1 G   178 MiB\n"
        "cpu0    opencl/pocl  gemm/llama2-7b/prefill/ffn_gate_up/f16/m128n22016k4096   23.1 G   178 MiB\n"
        "\n"
        "suite quick: 3 cases, 2 to measure, budget 45 s\n");
    bm_text_fini(&text);
    options.width = 80;
    cr_assert_eq(bm_export_plan(&plan, sample_inventory(), false, &options, &text, &error), BM_OK);
    cr_expect_leq(longest_line(text.data), 80, "%s", text.data);
}

Test(listings, plan_as_json) {
    struct bm_run_item items[3];
    struct bm_run_plan plan = the_plan(items);
    struct bm_export_options options = {0};
    json_t *root;
    cr_assert_eq(bm_export_plan(&plan, sample_inventory(), true, &options, &text, &error), BM_OK);
    json_t *cases = parse("cases", &root);
    cr_assert_eq(json_array_size(cases), 3);
    cr_expect_str_eq(text_at(root, "suite"), "quick");
    json_t *first = json_array_get(cases, 1), *second = json_array_get(cases, 2);
    cr_expect_str_eq(text_at(first, "key"), "gemm/llama2-13b/prefill/ffn_gate_up/f16/m128n22016k4096");
    cr_expect_str_eq(text_at(first, "device"), "cpu0");
    cr_expect_str_eq(text_at(first, "backend"), "opencl/pocl");
    cr_expect(json_is_null(json_object_get(first, "measured_as")));
    cr_expect_str_eq(text_at(second, "measured_as"), text_at(first, "key"));
    cr_expect_eq(json_real_value(json_object_get(first, "flops")), 2.0 * 128 * 22016 * 4096);
    json_decref(root);
}

/* A broken data file is told, not listed around. */
Test(listings, tell_what_is_wrong) {
    static const listing all[] = {bm_export_models, bm_export_suites};
    struct bm_export_options options = {0};
    setenv("BENCHMARK_DATA_DIR", "/nowhere", 1);
    for (size_t i = 0; i < BM_COUNT_OF(all); i++)
        for (int json = 0; json < 2; json++) {
            error = (struct bm_error){0};
            cr_expect_neq(all[i](json, &options, &text, &error), BM_OK);
            cr_expect_not_null(strstr(error.message, "/nowhere/bench"), "%s", error.message);
            cr_expect_eq(text.length, 0);
        }
}
