/* From cases to classes. */
#include "bm/tune.h"

#include <criterion/criterion.h>
#include <string.h>

static struct bm_tune_plan plan;
static struct bm_error error;

static void end(void) {
    bm_tune_plan_fini(&plan);
}

TestSuite(tune_plan, .fini = end);

static struct bm_tune_item item(size_t device, const char *workload, const char *dtype, uint64_t m,
                                uint64_t n, uint64_t k) {
    struct bm_tune_item made = {.device = device,
                                .the_case = {.workload = bm_workload_find(workload),
                                             .phase = m > 1 ? BM_PHASE_PREFILL : BM_PHASE_DECODE,
                                             .dtype = bm_dtype_find(dtype),
                                             .m = m,
                                             .n = n,
                                             .k = k}};
    strcpy(made.the_case.model, "test");
    strcpy(made.the_case.op, "qkv");
    return made;
}

static void create(const struct bm_tune_item *items, size_t count, double budget_s) {
    const struct bm_tune_options options = {.budget_s = budget_s};
    bm_tune_plan_fini(&plan);
    cr_assert_eq(bm_tune_plan_create(&options, items, count, &plan, &error), BM_OK, "%s", error.message);
}

Test(tune_plan, cases_that_share_parameters_make_a_class) {
    const struct bm_tune_item items[] = {
        item(0, "gemm", "f32", 128, 12288, 4096), item(0, "gemm", "f32", 100, 4096, 4096),
        item(0, "gemm", "f32", 128, 4096, 11008), item(0, "gemm", "f32", 129, 4096, 4096),
        item(0, "gemm", "f16", 128, 4096, 4096),  item(1, "gemm", "f32", 128, 4096, 4096),
        item(0, "gemv", "f32", 1, 4096, 4096),    item(0, "gemm", "f32", 128, 4096, 11008),
    };
    create(items, BM_COUNT_OF(items), 0);
    cr_assert_eq(plan.count, 5);
    cr_expect_eq(plan.classes[0].case_count, 3, "the last one repeats another");
    cr_expect_str_eq(plan.classes[0].shape_class, "m33-128/n4096k4096");
    cr_expect_str_eq(plan.classes[1].shape_class, "m129-512/n4096k4096");
    cr_expect_str_eq(plan.classes[2].dtype->name, "f16");
    cr_expect_eq(plan.classes[3].device, 1);
    cr_expect_str_eq(plan.classes[4].shape_class, "n4096k4096");
    for (size_t i = 0; i < plan.count; i++)
        cr_expect(plan.classes[i].status == BM_TUNE_PENDING && plan.classes[i].tried == 0);
    /* the search is for the case that takes the least time, the others confirm */
    cr_expect(plan.classes[0].cases[0].m == 100 && plan.classes[0].cases[1].k == 11008 &&
              plan.classes[0].cases[2].n == 12288);
}

Test(tune_plan, many_cases_are_stood_for_by_some) {
    struct bm_tune_item items[40];
    for (size_t i = 0; i < BM_COUNT_OF(items); i++)
        items[i] = item(0, "gemv", "f16", 1, 4096 + 64 * ((7 * i) % 40), 4096);
    create(items, BM_COUNT_OF(items), 0);
    cr_assert_eq(plan.count, 1);
    cr_assert_eq(plan.classes[0].case_count, BM_TUNE_CASES);
    cr_expect_eq(plan.classes[0].cases[0].n, 4096, "the least");
    cr_expect_eq(plan.classes[0].cases[BM_TUNE_CASES - 1].n, 4096 + 64 * 39, "the most");
    for (unsigned i = 1; i < BM_TUNE_CASES; i++)
        cr_expect_lt(plan.classes[0].cases[i - 1].n, plan.classes[0].cases[i].n);
}

Test(tune_plan, the_budget_grows_with_the_classes_and_their_parameters) {
    struct bm_tune_item items[40];
    const double of_gemv = 0.5 * (double)bm_workload_find("gemv")->tunable_count;
    for (size_t i = 0; i < BM_COUNT_OF(items); i++)
        items[i] = item(i, "gemv", "f16", 1, 4096, 4096);
    create(items, 1, 0);
    cr_expect_eq(plan.budget_s, 60);
    create(items, 40, 0);
    cr_expect_eq(plan.budget_s, 40 * of_gemv);
    create(items, 40, 7.5);
    cr_expect_eq(plan.budget_s, 7.5);
    for (size_t i = 0; i < BM_COUNT_OF(items); i++)
        items[i] = item(i, "gemm", "f16", 128, 4096, 4096);
    cr_assert_geq(items[0].the_case.workload->tunable_count, 10);
    create(items, 40, 0);
    cr_expect_eq(plan.budget_s, 40 * 5);
}

Test(tune_plan, ceilings_choose_for_themselves) {
    struct bm_tune_item items[1] = {{.the_case = {.workload = bm_workload_find("stream"), .model = "-"}}};
    const struct bm_tune_options options = {0};
    strcpy(items[0].the_case.op, "read");
    cr_expect_eq(bm_tune_plan_create(&options, items, 1, &plan, &error), BM_INVALID);
    cr_expect_not_null(strstr(error.message, "nothing to tune"), "%s", error.message);
    cr_expect(plan.count == 0 && plan.classes == NULL);
}

Test(tune_plan, times_are_summed_where_both_are_known) {
    struct bm_tune_class c = {.before_ns = {100, 200, 0}, .after_ns = {90, 150, 80}};
    cr_expect_eq(bm_tune_before_ns(&c), 300);
    cr_expect_eq(bm_tune_after_ns(&c), 240, "the third has nothing to be compared with");
    struct bm_tune_class never_ran = {.after_ns = {90, 150}};
    cr_expect_eq(bm_tune_before_ns(&never_ran), 0);
    cr_expect_eq(bm_tune_after_ns(&never_ran), 240);
}

Test(tune_plan, every_workload_that_models_use_has_tunables) {
    for (size_t i = 0; bm_workload_get(i) != NULL; i++) {
        const struct bm_workload *workload = bm_workload_get(i);
        if (workload->is_ceiling || workload->is_sequence)
            continue;
        cr_assert_gt(workload->tunable_count, 0, "%s", workload->name);
        for (size_t t = 0; t < workload->tunable_count; t++) {
            const struct bm_tunable *tunable = &workload->tunables[t];
            cr_expect(tunable->minimum >= 0 && tunable->minimum < tunable->maximum, "%s", tunable->name);
        }
    }
}
