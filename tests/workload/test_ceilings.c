/* Ceilings without a device: sizes, formulas, plans, candidates. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ceiling_cases.h"

static const struct bm_target cpu = {.compute_units = 8,
                                     .max_group_items = 4096,
                                     .local_bytes = 65536,
                                     .max_allocation_bytes = UINT64_C(16) << 30,
                                     .has_fp16 = true,
                                     .has_fp64 = true,
                                     .has_integer_dot = true,
                                     .has_nvidia_mma = true};
/* ---- which, and how large ---- */

static const struct bm_ceiling_sizes epyc = {.cold_bytes = UINT64_C(256) << 20,
                                             .l1_bytes = 48 << 10,
                                             .l2_bytes = 1 << 20,
                                             .llc_bytes = 32 << 20,
                                             .compute_units = 2};

static size_t list(const struct bm_ceiling_sizes *sizes, bool inner, bool all, struct bm_case *cases) {
    const size_t count = bm_ceiling_cases_sized(sizes, inner, all, cases, BM_MAX_CEILINGS);
    cr_assert_leq(count, BM_MAX_CEILINGS);
    for (size_t i = 0; i < count; i++) {
        struct bm_error error = {0};
        cr_assert(cases[i].workload->is_ceiling);
        cr_assert_eq(cases[i].workload->validate(&cases[i], &error), BM_OK, "%s", error.message);
        for (size_t j = 0; j < i; j++)
            cr_assert_not(bm_case_same_work(&cases[i], &cases[j]), "%s stands twice", cases[i].op);
    }
    return count;
}

static void expect_ops(const struct bm_case *cases, size_t count, const char *expected) {
    struct bm_text ops = {0};
    for (size_t i = 0; i < count; i++)
        bm_text_append(&ops, "%s%s", i > 0 ? " " : "", cases[i].op);
    cr_expect_str_eq(ops.data, expected);
    bm_text_fini(&ops);
}

Test(list, holds_what_is_asked_for) {
    struct bm_case cases[BM_MAX_CEILINGS];
    expect_ops(cases, list(&epyc, false, false, cases), "read copy llc_read f32_vector");
    expect_ops(cases, list(&epyc, true, false, cases), "read copy llc_read l2_read l1_read f32_vector");
    expect_ops(cases, list(&epyc, false, true, cases),
               "read copy write triad llc_read l2_read l1_read f32_vector f64_vector f16_vector i32_vector "
               "i8_dot f16_matrix bf16_matrix i8_matrix empty wait to_device from_device");
    struct bm_ceiling_sizes of_gpu = epyc;
    of_gpu.is_gpu = true;
    expect_ops(cases, list(&of_gpu, false, false, cases),
               "read copy llc_read f32_vector f16_matrix bf16_matrix i8_matrix");
    struct bm_ceiling_sizes unknown = {.cold_bytes = 1 << 20};
    expect_ops(cases, list(&unknown, true, false, cases), "read copy f32_vector");
    cr_expect_eq(bm_ceiling_cases_sized(&epyc, true, true, cases, 2), 19, "how many there are");
}

Test(list, sizes_follow_the_device) {
    struct bm_case cases[BM_MAX_CEILINGS];
    list(&epyc, true, false, cases);
    cr_expect_eq(cases[0].working_set, epyc.cold_bytes);
    cr_expect_eq(cases[2].working_set, 16 << 20, "half of the cache that all share");
    cr_expect_eq(cases[3].working_set, 512 << 10);
    cr_expect_eq(cases[4].working_set, 24 << 10);
    for (size_t i = 2; i < 5; i++) {
        cr_expect(cases[i].hot, "%s", cases[i].op);
        cr_expect_geq(cases[i].n, 8 * epyc.compute_units, "%s: enough groups to balance", cases[i].op);
        cr_expect_geq(cases[i].workload->bytes(&cases[i]), 256e6, "%s: long enough", cases[i].op);
        cr_expect_leq(cases[i].workload->bytes(&cases[i]), 2e9, "%s: not too long", cases[i].op);
    }
    cr_expect_eq(cases[2].n % cases[2].m, 0, "every part is read as often");
    struct bm_ceiling_sizes large = epyc;
    large.compute_units = 192;
    struct bm_case wide[BM_MAX_CEILINGS];
    list(&large, true, true, wide);
    cr_expect_eq(wide[7].n, 96 * cases[5].n, "as much arithmetic for each unit");
    cr_expect_geq(wide[4].n, 8 * 192);
}

/* Parts as the plan sizes them: each is read as often by one launch, and by neighbours at different times. */
Test(list, every_part_of_the_last_level_is_read_as_often) {
    struct bm_case cases[BM_MAX_CEILINGS];
    list(&epyc, false, false, cases);
    const struct bm_case *c = &cases[2];
    uint64_t *reads = calloc(c->m, sizeof *reads);
    for (uint64_t g = 0; g < c->n; g++)
        for (uint64_t pass = 0; pass < c->k; pass++)
            reads[(g + pass * (c->m / c->k)) % c->m]++;
    for (uint64_t part = 0; part < c->m; part++)
        cr_assert_eq(reads[part], c->n * c->k / c->m);
    free(reads);
}

/* ---- formulas ---- */

static void expect_work(const struct bm_case *c, double flops, double bytes) {
    cr_expect_eq(c->workload->flops(c), flops, "%s %s: %.0f FLOP", c->workload->name, c->op,
                 c->workload->flops(c));
    cr_expect_eq(c->workload->bytes(c), bytes, "%s %s: %.0f bytes", c->workload->name, c->op,
                 c->workload->bytes(c));
}

Test(formulas, of_streams_caches_and_pipes) {
    struct bm_case c = ceiling("stream", "write");
    c.working_set = 1000000;
    expect_work(&c, 0, 1000000);
    strcpy(c.op, "triad");
    c.working_set = 1200000;
    expect_work(&c, 200000, 1200000);
    c = cache(65536, 8, 24, 16);
    expect_work(&c, 0, 24.0 * 16 * 8192);
    static const struct {
        const char *op;
        double operations;
    } pipes[] = {{"f64_vector", 2},  {"f16_vector", 2},   {"i32_vector", 2}, {"i8_dot", 8},
                 {"f16_matrix", 32}, {"bf16_matrix", 32}, {"i8_matrix", 64}, {"bf16_dot", 4}};
    for (size_t i = 0; i < BM_COUNT_OF(pipes); i++) {
        c = ceiling("fma", pipes[i].op);
        c.n = 1000;
        c.k = 64;
        expect_work(&c, pipes[i].operations * 64000, 8000);
    }
    c = ceiling("launch", "empty");
    expect_work(&c, 0, 4);
    c = ceiling("transfer", "to_device");
    c.working_set = 8192;
    expect_work(&c, 0, 4096);
    c.working_set = UINT64_C(1) << 40;
    expect_work(&c, 0, 256.0 * 1048576);
}

/* ---- validation and what a device lacks ---- */

static void expect_refused(const struct bm_case *c, const struct bm_target *target,
                           const struct bm_parameters *parameters, enum bm_status status, const char *part) {
    struct bm_plan plan;
    struct bm_error error = {0};
    cr_expect_eq(c->workload->plan(c, target, parameters, &plan, &error), status, "%s: %s", part,
                 error.message);
    cr_expect(strstr(error.message, part) != NULL, "'%s' lacks '%s'", error.message, part);
    cr_expect_eq(plan.tensor_count, 0);
}

Test(plan, what_makes_no_sense_or_is_not_there) {
    struct bm_case c = cache(65536, 3, 1, 1);
    struct bm_parameters parameters = {0};
    expect_refused(&c, &cpu, NULL, BM_INVALID, "multiple");
    c = cache(0, 1, 1, 1);
    expect_refused(&c, &cpu, NULL, BM_INVALID, "working set");
    c = cache(65536, 8, 1, 5000);
    expect_refused(&c, &cpu, NULL, BM_INVALID, "passes");
    c.k = 1;
    c.hot = false;
    expect_refused(&c, &cpu, NULL, BM_INVALID, "hot");
    c.hot = true;
    bm_parameters_set(&parameters, "LANES", 1024);
    expect_refused(&c, &cpu, &parameters, BM_INVALID, "does not divide");
    strcpy(c.op, "l4_read");
    expect_refused(&c, &cpu, NULL, BM_INVALID, "l4_read");
    c = ceiling("transfer", "sideways");
    expect_refused(&c, &cpu, NULL, BM_INVALID, "sideways");
    strcpy(c.op, "to_device");
    c.working_set = 100;
    expect_refused(&c, &cpu, NULL, BM_INVALID, "working set");
    c = ceiling("launch", "full");
    expect_refused(&c, &cpu, NULL, BM_INVALID, "full");
    c = ceiling("fma", "f16_vector");
    c.k = 7;
    expect_refused(&c, &cpu, NULL, BM_INVALID, "even");
    struct bm_target plain = cpu;
    plain.has_fp16 = plain.has_fp64 = plain.has_integer_dot = plain.has_nvidia_mma = false;
    c.k = 0;
    expect_refused(&c, &plain, NULL, BM_UNSUPPORTED, "cl_khr_fp16");
    c = ceiling("fma", "f64_vector");
    expect_refused(&c, &plain, NULL, BM_UNSUPPORTED, "cl_khr_fp64");
    c = ceiling("fma", "i8_dot");
    expect_refused(&c, &plain, NULL, BM_UNSUPPORTED, "cl_khr_integer_dot_product");
    c = ceiling("fma", "bf16_matrix");
    expect_refused(&c, &plain, NULL, BM_UNSUPPORTED, "mma.sync");
    struct bm_parameters emulated = {0};
    bm_parameters_set(&emulated, "MATRIX_UNIT", 1);
    expect_refused(&c, &gpu, &emulated, BM_INVALID, "MATRIX_UNIT 1");
    c = ceiling("fma", "f32_vector");
    expect_refused(&c, &gpu, &emulated, BM_INVALID, "f32_vector");
    c = ceiling("fma", "bf16_dot");
    expect_refused(&c, &cpu, NULL, BM_UNSUPPORTED, "no instruction");
    expect_refused(&c, &gpu, NULL, BM_UNSUPPORTED, "bf16_dot");
}

Test(plan, a_build_decides_about_dot_products_alone) {
    struct bm_plan plan;
    struct bm_case c = ceiling("fma", "i8_dot");
    struct bm_target plain = gpu;
    plain.has_integer_dot = false;
    cr_assert_eq(c.workload->plan(&c, &plain, NULL, &plan, NULL), BM_OK, "it may have a way of its own");
    cr_expect_not_null(plan.feature);
    cr_expect_str_eq(plan.pipe, "i8_dot");
    c = ceiling("fma", "f32_vector");
    cr_assert_eq(c.workload->plan(&c, &gpu, NULL, &plan, NULL), BM_OK);
    cr_expect_null(plan.feature);
}

Test(plan, transfers_have_one_end_on_the_host) {
    static const char *const ops[] = {"to_device", "from_device"};
    for (size_t i = 0; i < BM_COUNT_OF(ops); i++) {
        struct bm_case c = ceiling("transfer", ops[i]);
        struct bm_plan plan;
        cr_assert_eq(c.workload->plan(&c, &gpu, NULL, &plan, NULL), BM_OK);
        cr_expect_null(plan.source);
        cr_expect_null(plan.launches[0].kernel);
        cr_expect_eq(plan.tensors[0].on_host, i == 0, "the source");
        cr_expect_eq(plan.tensors[1].on_host, i == 1, "the destination");
        cr_expect_eq(plan.tensors[0].count, plan.tensors[1].count);
    }
}

/* ---- candidates ---- */

Test(candidates, are_few_different_and_can_be_planned) {
    const struct bm_target *const targets[] = {&cpu, &gpu};
    struct bm_case cases[BM_MAX_CEILINGS];
    const size_t count = list(&epyc, true, true, cases);
    for (size_t i = 0; i < count; i++)
        for (size_t t = 0; t < BM_COUNT_OF(targets); t++) {
            const struct bm_workload *workload = cases[i].workload;
            struct bm_parameters offered[16];
            if (workload->candidates == NULL)
                continue;
            const size_t offers = workload->candidates(&cases[i], targets[t], offered, BM_COUNT_OF(offered));
            cr_assert(offers >= 2 && offers <= 8, "%s: %zu", cases[i].op, offers);
            for (size_t o = 0; o < offers; o++) {
                struct bm_plan plan;
                struct bm_error error = {0};
                cr_expect_eq(workload->plan(&cases[i], targets[t], &offered[o], &plan, &error), BM_OK,
                             "%s on a %s, candidate %zu: %s", cases[i].op, t == 0 ? "CPU" : "GPU", o,
                             error.message);
                cr_expect_eq(plan.parameters.count, offered[o].count, "%s names every parameter",
                             cases[i].op);
                for (size_t p = 0; p < o; p++)
                    cr_expect_neq(memcmp(&offered[p], &offered[o], sizeof offered[p]), 0, "%s: %zu = %zu",
                                  cases[i].op, p, o);
            }
            cr_expect_eq(workload->candidates(&cases[i], targets[t], offered, 1), offers);
        }
}

Test(candidates, none_where_groups_are_small) {
    struct bm_target tiny = gpu;
    struct bm_case cases[BM_MAX_CEILINGS];
    const size_t count = list(&epyc, true, true, cases);
    tiny.max_group_items = 16;
    tiny.local_bytes = 1024;
    for (size_t i = 0; i < count; i++) {
        struct bm_parameters offered[16];
        struct bm_plan plan;
        if (cases[i].workload->candidates != NULL)
            cr_expect_eq(cases[i].workload->candidates(&cases[i], &tiny, offered, 16), 0, "%s", cases[i].op);
        const enum bm_status expected = strstr(cases[i].op, "_matrix") != NULL ? BM_UNSUPPORTED : BM_OK;
        cr_expect_eq(cases[i].workload->plan(&cases[i], &tiny, NULL, &plan, NULL), expected, "%s",
                     cases[i].op);
    }
}
