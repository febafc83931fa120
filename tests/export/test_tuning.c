/* The reports of `benchmark tune`: every kind of class, as text and as JSON. */
#include "sample.h"

#include <jansson.h>

static struct bm_tune_class classes[6];
static struct bm_tune_plan plan = {.classes = classes, .count = 6, .budget_s = 60};
static struct bm_text text;
static struct bm_error error;

static struct bm_case gemm(uint64_t m, uint64_t n) {
    struct bm_case c = {.workload = bm_workload_find("gemm"),
                        .model = "m",
                        .op = "qkv",
                        .phase = BM_PHASE_PREFILL,
                        .dtype = bm_dtype_find("f32"),
                        .m = m,
                        .n = n,
                        .k = 4096};
    return c;
}

static void begin(void) {
    sample_begin();
    for (size_t i = 0; i < BM_COUNT_OF(classes); i++) {
        classes[i] = (struct bm_tune_class){.device = i < 5 ? 0 : 1,
                                            .workload = bm_workload_find("gemm"),
                                            .dtype = bm_dtype_find("f32"),
                                            .case_count = 1,
                                            .cases = {gemm(4 << (2 * i), 4096)}};
        bm_case_class(&classes[i].cases[0], classes[i].shape_class);
        bm_parameters_set(&classes[i].before, "TILE_M", 12);
        classes[i].after = classes[i].before;
        classes[i].before_from = "shipped";
    }
    struct bm_tune_class *improved = &classes[0], *unchanged = &classes[1], *failed = &classes[2],
                         *skipped = &classes[3], *never_ran = &classes[5];
    improved->status = BM_TUNE_IMPROVED;
    improved->case_count = 3;
    improved->cases[1] = gemm(4, 8192);
    improved->cases[2] = gemm(4, 12288);
    improved->before_ns[0] = 2e6, improved->after_ns[0] = 1e6;
    improved->before_ns[1] = 4e6, improved->after_ns[1] = 3e6; /* the third was not timed */
    bm_parameters_set(&improved->after, "TILE_M", 4);
    bm_parameters_set(&improved->after, "VEC", 16);
    improved->tried = 17;
    improved->unbuilt = 2;
    improved->wrong = 1;
    unchanged->status = BM_TUNE_UNCHANGED;
    unchanged->before_from = "tuned";
    unchanged->before_ns[0] = 3e6, unchanged->after_ns[0] = 3e6;
    unchanged->tried = 5;
    failed->status = BM_TUNE_FAILED;
    failed->tried = 3;
    failed->wrong = 3;
    strcpy(failed->reason, "verification failed: output 0 is 1, not 2");
    skipped->status = BM_TUNE_SKIPPED;
    skipped->before = skipped->after = (struct bm_parameters){0};
    skipped->before_from = NULL;
    strcpy(skipped->reason, "needs 3.00 GiB in all");
    never_ran->status = BM_TUNE_IMPROVED;
    never_ran->tried = 4;
    never_ran->after_ns[0] = 5e3;
}

static void end(void) {
    bm_text_fini(&text);
}

TestSuite(tuning, .init = begin, .fini = end);

static void write_report(bool json, unsigned width) {
    struct bm_export_options options = {.width = width};
    bm_text_fini(&text);
    cr_assert_eq(bm_export_tuning(&plan, sample_inventory(), json, &options, &text, &error), BM_OK, "%s",
                 error.message);
}

Test(tuning, as_text) {
    write_report(false, 0);
    expect_text(
        &text,
        "cpu0, opencl/pocl\n"
        "WORKLOAD  DTYPE  CLASS                 BEFORE    AFTER  GAIN  PARAMETERS\n"
        "gemm      f32    m2-8/n4096k4096      6.00 ms  4.00 ms  50 %  TILE_M=4 VEC=16\n"
        "gemm      f32    m9-32/n4096k4096     3.00 ms        -     -  as tuned\n"
        "gemm      f32    m33-128/n4096k4096         -        -     -  failed\n"
        "gemm      f32    m129-512/n4096k4096        -        -     -  skipped\n"
        "gemm      f32    m513+/n4096k4096           -        -     -  pending\n"
        "results of some candidates are wrong (gemm f32 m2-8/n4096k4096, gemm f32 m33-128/n4096k4096)\n"
        "failed: verification failed: output 0 is 1, not 2 (gemm f32 m33-128/n4096k4096)\n"
        "skipped: needs 3.00 GiB in all (gemm f32 m129-512/n4096k4096)\n"
        "not searched: no time was left (gemm f32 m513+/n4096k4096)\n"
        "\n"
        "gpu0, opencl/test\n"
        "WORKLOAD  DTYPE  CLASS             BEFORE    AFTER  GAIN  PARAMETERS\n"
        "gemm      f32    m513+/n4096k4096       -  5.00 us     -  TILE_M=12\n"
        "\n"
        "2 of 6 classes improved; 29 candidates tried, 2 did not build or run, 4 wrong\n");
    write_report(false, 80);
    cr_expect_leq(longest_line(text.data), 90, "%s",
                  text.data); /* where the last column has its least width */
    write_report(false, 100);
    cr_expect_leq(longest_line(text.data), 100, "%s", text.data);
}

Test(tuning, as_json) {
    write_report(true, 80);
    json_t *root = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, NULL);
    cr_assert_not_null(root, "%s", text.data);
    json_t *list = json_object_get(root, "classes");
    cr_assert_eq(json_array_size(list), plan.count);
    cr_expect_eq(json_number_value(json_object_get(root, "budget_s")), 60);
    json_t *first = json_array_get(list, 0), *last = json_array_get(list, 5);
    cr_expect_str_eq(json_string_value(json_object_get(first, "status")), "improved");
    cr_expect_str_eq(json_string_value(json_object_get(first, "class")), "m2-8/n4096k4096");
    cr_expect_float_eq(json_number_value(json_object_get(first, "gain")), 0.5, 1e-12);
    cr_expect_eq(json_integer_value(json_object_get(json_object_get(first, "before"), "TILE_M")), 12);
    cr_expect_eq(json_integer_value(json_object_get(json_object_get(first, "after"), "VEC")), 16);
    json_t *cases = json_object_get(first, "cases"), *untimed = json_array_get(cases, 2);
    cr_assert_eq(json_array_size(cases), 3);
    cr_expect_str_eq(json_string_value(json_object_get(untimed, "key")),
                     "gemm/m/prefill/qkv/f32/m4n12288k4096");
    cr_expect(json_is_null(json_object_get(untimed, "before_ns")) &&
                  json_is_null(json_object_get(untimed, "after_ns")),
              "unknown is null");
    cr_expect(json_is_null(json_object_get(first, "reason")));
    cr_expect(json_is_null(json_object_get(last, "gain")), "nothing to compare with");
    cr_expect_eq(
        json_number_value(json_object_get(json_array_get(json_object_get(last, "cases"), 0), "after_ns")),
        5e3);
    json_t *skipped = json_array_get(list, 3);
    cr_expect(json_is_null(json_object_get(skipped, "before")) &&
              json_is_null(json_object_get(skipped, "before_from")));
    cr_expect_str_eq(json_string_value(json_object_get(skipped, "reason")), "needs 3.00 GiB in all");
    json_decref(root);
}

Test(tuning, what_would_be_searched) {
    struct bm_export_options options = {0};
    plan.count = 1;
    cr_assert_eq(bm_export_tune_plan(&plan, sample_inventory(), false, &options, &text, &error), BM_OK, "%s",
                 error.message);
    expect_text(&text, "cpu0, opencl/pocl\n"
                       "WORKLOAD  DTYPE  CLASS            CASES\n"
                       "gemm      f32    m2-8/n4096k4096  gemm/m/prefill/qkv/f32/m4n4096k4096 "
                       "gemm/m/prefill/qkv/f32/m4n8192k4096 gemm/m/prefill/qkv/f32/m4n12288k4096\n"
                       "\n"
                       "1 class, budget 60 s\n");
}
