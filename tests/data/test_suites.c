#include "bm/data.h"

#include "fixture.h"

TestSuite(suites);

Test(suites, are_listed_from_the_shortest) {
    struct bm_suite *suites = NULL;
    struct bm_error error = {0};
    size_t count = 0;
    cr_assert_eq(bm_suite_list(&suites, &count, &error), BM_OK, "%s", error.message);
    cr_assert_eq(count, 4);
    cr_expect_str_eq(suites[0].name, "gate");
    cr_expect_eq(suites[0].ceilings, BM_CEILINGS_NONE);
    cr_expect_str_eq(suites[1].name, "quick");
    cr_expect_str_eq(suites[2].name, "standard");
    cr_expect_str_eq(suites[3].name, "full");
    free(suites);
}

Test(suites, quick_is_the_documented_one) {
    struct bm_suite suite;
    struct bm_error error = {0};
    cr_assert_eq(bm_suite_load("quick", &suite, &error), BM_OK, "%s", error.message);
    cr_expect_float_eq(suite.budget_s, 90.0, 1e-9);
    cr_expect_eq(suite.ceilings, BM_CEILINGS_JUDGING, "its time belongs to the rows");
    cr_assert_eq(suite.entry_count, 1);
    const struct bm_suite_entry *entry = &suite.entries[0];
    cr_assert_eq(entry->model_count, 1);
    cr_expect_str_eq(entry->models[0], "llama2-7b");
    cr_assert_eq(entry->phase_count, 2);
    cr_expect_str_eq(entry->phases[0], "prefill");
    cr_expect_str_eq(entry->phases[1], "decode");
    cr_assert_eq(entry->dtype_count, 2);
    cr_expect_str_eq(entry->dtypes[0], "f32");
    cr_expect_str_eq(entry->dtypes[1], "f16");
    cr_assert(entry->batch_count == 1 && entry->token_count == 1 && entry->context_count == 1);
    cr_expect_eq(entry->batches[0], 1);
    cr_expect_eq(entry->tokens[0], 128);
    cr_expect_eq(entry->contexts[0], 1024);
}

/* Every model of every suite is known, and goes as far as the suite asks. */
Test(suites, ask_nothing_that_a_model_cannot_serve) {
    struct bm_suite *suites = NULL;
    size_t count = 0;
    cr_assert_eq(bm_suite_list(&suites, &count, NULL), BM_OK);
    for (size_t i = 0; i < count; i++)
        for (unsigned j = 0; j < suites[i].entry_count; j++) {
            const struct bm_suite_entry *entry = &suites[i].entries[j];
            for (unsigned k = 0; k < entry->model_count; k++) {
                struct bm_model model;
                struct bm_error error = {0};
                cr_assert_eq(bm_model_load(entry->models[k], &model, &error), BM_OK, "%s", error.message);
                for (unsigned t = 0; t < entry->token_count; t++)
                    cr_expect_leq(entry->tokens[t], model.max_context, "%s in %s", model.id, suites[i].name);
                for (unsigned t = 0; t < entry->context_count; t++)
                    cr_expect_leq(entry->contexts[t], model.max_context, "%s in %s", model.id,
                                  suites[i].name);
            }
        }
    free(suites);
}

Test(suites, full_measures_every_model) {
    struct bm_suite suite;
    struct bm_model *models = NULL;
    size_t count = 0;
    cr_assert_eq(bm_suite_load("full", &suite, NULL), BM_OK);
    cr_assert_eq(bm_model_list(&models, &count, NULL), BM_OK);
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        for (unsigned j = 0; j < suite.entry_count; j++)
            for (unsigned k = 0; k < suite.entries[j].model_count; k++)
                found = found || strcmp(suite.entries[j].models[k], models[i].id) == 0;
        cr_expect(found, "%s", models[i].id);
    }
    free(models);
}

Test(suites, an_unknown_name_offers_the_nearest) {
    struct bm_suite suite = {.entry_count = 1};
    struct bm_error error = {0};
    cr_expect_eq(bm_suite_load("quik", &suite, &error), BM_NOT_FOUND);
    cr_expect_str_eq(error.message,
                     "unknown suite 'quik': did you mean 'quick'? `benchmark suites` lists all");
    cr_expect_eq(suite.entry_count, 0);
}

/* ---- broken suites ---- */

static const char suite_text[] =
    "{\"name\": \"mine\", \"description\": \"d\", \"budget_s\": 10, \"entries\": [\n"
    " {\"models\": [\"llama2-7b\", \"./my model.json\"], \"phases\": [\"prefill\"],\n"
    "  \"dtypes\": [\"f16\"], \"batches\": [1, 2], \"tokens\": [128]}]}\n";

TestSuite(broken_suites, .init = fixture_begin, .fini = fixture_end);

Test(broken_suites, the_unbroken_one_loads_by_its_path) {
    struct bm_suite suite;
    struct bm_error error = {0};
    const char *path = fixture_write("other-name.json", suite_text, SIZE_MAX);
    cr_assert_eq(bm_suite_load(path, &suite, &error), BM_OK, "%s", error.message);
    cr_expect_str_eq(suite.name, "mine");
    cr_expect_str_eq(suite.entries[0].models[1], "./my model.json");
    cr_expect_eq(suite.entries[0].batches[1], 2);
    cr_expect_eq(suite.entries[0].context_count, 0);
    cr_expect_eq(suite.entries[0].workload_count, 0, "all of them");
    cr_expect_eq(suite.ceilings, BM_CEILINGS_ALL, "all of them, unless it says otherwise");
    char *text = fixture_replace(suite_text, "\"entries\"", "\"ceilings\": \"judging\", \"entries\"");
    cr_assert_eq(bm_suite_load(fixture_write("s.json", text, SIZE_MAX), &suite, &error), BM_OK, "%s",
                 error.message);
    cr_expect_eq(suite.ceilings, BM_CEILINGS_JUDGING);
    free(text);
}

Test(broken_suites, name_the_file_and_the_place) {
    const struct {
        const char *old, *by, *expected;
    } rows[] = {
        {"\"prefill\"", "\"prefil\"",
         "$.entries[0].phases[0]: must be \"prefill\" or \"decode\" (is \"prefil\")"},
        {"\"prefill\"", "\"prefill\", \"decode\"",
         "$.entries[0].contexts: is missing: the phase \"decode\" needs it"},
        {"\"prefill\"", "\"decode\"", "$.entries[0].tokens: is for the phase \"prefill\""},
        {"[1, 2]", "[1, 1]", "$.entries[0].batches[1]: repeats item 0"},
        {"[1, 2]", "[]", "$.entries[0].batches: must list 1 to 16 items (has 0)"},
        {"[1, 2]", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]", "must list 1 to 16 items (has 17)"},
        {"[1, 2]", "[0]", "$.entries[0].batches[0]: must be a whole number from 1 to 65536 (is 0)"},
        {"[128]", "[128.5]", "$.entries[0].tokens[0]: must be a whole number from 1 to 268435456 (is 128.5)"},
        {"[\"f16\"]", "[\"../f16\"]", "$.entries[0].dtypes[0]: must be of a-z"},
        {"[\"f16\"]", "[\"f16\"], \"workloads\": []",
         "$.entries[0].workloads: must list 1 to 16 items (has 0)"},
        {"[\"f16\"]", "[\"f16\"], \"workloads\": [\"gemm\", \"gemm\"]",
         "$.entries[0].workloads[1]: repeats item 0"},
        {"[\"f16\"]", "[\"f16\"], \"kv\": [\"int8\"]",
         "$.entries[0].kv: is for the phase \"decode\", which $.phases does not list"},
        {"[\"f16\"]", "[\"f16\"], \"kv\": [\"int4\"]",
         "$.entries[0].kv[0]: must be \"f16\" or \"int8\" (is \"int4\")"},
        {"\"budget_s\": 10", "\"budget_s\": -1", "$.budget_s: must be a number from 1 to 1e+06 (is -1)"},
        {"\"budget_s\"", "\"ceilings\": \"some\", \"budget_s\"", "$.ceilings: "},
        {"\"budget_s\"", "\"budgets\"", "$.budgets: unknown key; did you mean 'budget_s'?"},
        {"\"entries\": [", "\"entries\": [7, ", "$.entries[0]: must be an object (is 7)"},
        {"\"description\": \"d\", ", "", "$.description: is missing"},
    };
    for (size_t i = 0; i < BM_COUNT_OF(rows); i++) {
        struct bm_suite suite;
        struct bm_error error = {0};
        char *text = fixture_replace(suite_text, rows[i].old, rows[i].by);
        const char *path = fixture_write("s.json", text, SIZE_MAX);
        cr_expect_eq(bm_suite_load(path, &suite, &error), BM_INVALID, "%s", rows[i].by);
        fixture_check_message(&error, BM_INVALID, "s.json: ", rows[i].expected);
        cr_expect_eq(suite.entry_count, 0);
        free(text);
    }
}

/* ---- kernel parameters ---- */

TestSuite(tuned, .init = fixture_begin, .fini = fixture_end);

Test(tuned, parameters_are_set_replaced_and_bounded) {
    struct bm_parameters parameters = {0};
    char name[16];
    bm_parameters_set(&parameters, "TILE_M", 4);
    bm_parameters_set(&parameters, "TILE_M", 8);
    cr_expect_eq(parameters.count, 1);
    cr_expect_eq(bm_parameters_get(&parameters, "TILE_M", 1), 8);
    cr_expect_eq(bm_parameters_get(&parameters, "TILE", 7), 7);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "P%d", i);
        bm_parameters_set(&parameters, name, i);
    }
    cr_expect_eq(parameters.count, BM_COUNT_OF(parameters.items));
}

Test(tuned, a_hash_tells_parameters_apart) {
    struct bm_parameters a = {0}, b = {0}, none = {0};
    bm_parameters_set(&a, "TILE_M", 4);
    bm_parameters_set(&a, "TILE_N", 8);
    bm_parameters_set(&b, "TILE_N", 8);
    bm_parameters_set(&b, "TILE_M", 4);
    cr_expect_eq(bm_parameters_hash(&a), bm_parameters_hash(&b), "in any order");
    cr_expect_neq(bm_parameters_hash(&a), bm_parameters_hash(&none));
    bm_parameters_set(&b, "TILE_N", 4);
    bm_parameters_set(&b, "TILE_M", 8);
    cr_expect_neq(bm_parameters_hash(&a), bm_parameters_hash(&b), "values exchanged");
}

Test(tuned, the_shipped_files_are_sound) {
    for (int i = 0; i < 2; i++) {
        struct bm_parameters parameters = {.count = 3};
        struct bm_error error = {0};
        cr_expect_eq(bm_tuned_load(i ? "gpu" : "cpu", "no such workload", "f32", &parameters, &error),
                     BM_NOT_FOUND);
        cr_expect_not_null(strstr(error.message, "no tuned parameters for no such workload f32 on a"), "%s",
                           error.message);
        cr_expect_eq(parameters.count, 0);
    }
}

Test(tuned, values_are_found_by_workload_and_dtype) {
    struct bm_parameters parameters;
    struct bm_error error = {0};
    fixture_use_as_data();
    fixture_write(
        "bench/tuned/cpu.json",
        "{\"gemm\": {\"f32\": {\"TILE_M\": 12, \"UNROLL\": -1}, \"f16\": {\"TILE_M\": 6}}, \"gemv\": {}}",
        SIZE_MAX);
    cr_assert_eq(bm_tuned_load("cpu", "gemm", "f32", &parameters, &error), BM_OK, "%s", error.message);
    cr_expect_eq(parameters.count, 2);
    cr_expect_eq(bm_parameters_get(&parameters, "TILE_M", 0), 12);
    cr_expect_eq(bm_parameters_get(&parameters, "UNROLL", 0), -1);
    cr_expect_eq(bm_tuned_load("cpu", "gemv", "f32", &parameters, NULL), BM_NOT_FOUND);
    cr_expect_eq(bm_tuned_load("gpu", "gemm", "f32", &parameters, NULL), BM_NOT_FOUND);
}

Test(tuned, a_mistake_shows_whatever_is_asked_for) {
    const struct {
        const char *text, *expected;
    } rows[] = {
        {"[]", "$: must be an object (is a list)"},
        {"{\"gemm\": 3}", "$.gemm: must be an object (is 3)"},
        {"{\"gemm\": {\"f32\": []}}", "$.gemm.f32: must be an object (is a list)"},
        {"{\"gemm\": {\"f32\": {\"TILE_M\": 1.5}}}", "$.gemm.f32.TILE_M: must be a whole number"},
        {"{\"gemm\": {\"f32\": {\"TILE_M\": 4294967296}}}", "$.gemm.f32.TILE_M: must be a whole number"},
        {"{\"gemm\": {\"f32\": {\"tile m\": 1}}}", "$.gemm.f32.tile m: must be named like a macro"},
        {"{\"gemm\": {\"f32\": {\"A23456789012345678901234\": 1}}}", "must be named like a macro"},
    };
    fixture_use_as_data();
    for (size_t i = 0; i < BM_COUNT_OF(rows); i++) {
        struct bm_parameters parameters = {.count = 1};
        struct bm_error error = {0};
        fixture_write("bench/tuned/gpu.json", rows[i].text, SIZE_MAX);
        cr_expect_eq(bm_tuned_load("gpu", "stream", "-", &parameters, &error), BM_INVALID, "%s",
                     rows[i].text);
        fixture_check_message(&error, BM_INVALID, "bench/tuned/gpu.json: ", rows[i].expected);
        cr_expect_eq(parameters.count, 0);
    }
}
