/* Ceilings without a device: sizes, formulas, candidates, references against plain loops. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bm/workload.h"

static const struct bm_target cpu = {.compute_units = 8,
                                     .max_group_items = 4096,
                                     .local_bytes = 65536,
                                     .max_allocation_bytes = UINT64_C(16) << 30,
                                     .has_fp16 = true,
                                     .has_fp64 = true,
                                     .has_integer_dot = true,
                                     .has_nvidia_mma = true};
static const struct bm_target gpu = {.is_gpu = true,
                                     .compute_units = 132,
                                     .max_group_items = 1024,
                                     .local_bytes = 49152,
                                     .max_allocation_bytes = UINT64_C(16) << 30,
                                     .has_fp16 = true,
                                     .has_fp64 = true,
                                     .has_integer_dot = true,
                                     .has_nvidia_mma = true};

static struct bm_case ceiling(const char *workload, const char *op) {
    struct bm_case c = {.workload = bm_workload_find(workload), .model = "-"};
    cr_assert_not_null(c.workload, "%s", workload);
    bm_string_set(c.op, sizeof c.op, op);
    return c;
}

static struct bm_case cache(uint64_t bytes, uint64_t parts, uint64_t groups, uint64_t passes) {
    struct bm_case c = ceiling("cache", "llc_read");
    c.working_set = bytes;
    c.m = parts;
    c.n = groups;
    c.k = passes;
    c.hot = true;
    return c;
}

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

/* ---- references against plain loops ---- */

static struct bm_values values;
static struct bm_operands operands;

static void make_operands(void) {
    cr_assert_eq(bm_values_init(&values, BM_ELEMENT_F32, 3, NULL), BM_OK);
    for (unsigned t = 0; t < BM_COUNT_OF(operands.values); t++) {
        operands.values[t] = &values;
        operands.start[t] = values.period - 1000 + t; /* wraps around soon */
    }
}

static void free_operands(void) {
    bm_values_fini(&values);
}

static double element(unsigned tensor, uint64_t index) {
    return (double)values.values[(operands.start[tensor] + index) % values.period];
}

static void compare_plan(const struct bm_case *c, const struct bm_plan *plan, const double *truth,
                         uint64_t outputs, double error_allowed) {
    static struct bm_check check;
    uint64_t seen = 0;
    const uint64_t count = c->workload->check_count(c, plan);
    for (uint64_t i = 0; i < count; i++) {
        cr_assert_eq(c->workload->check(c, plan, &operands, 5, i, &check, NULL), BM_OK);
        cr_assert(check.first == seen && check.count > 0 && check.scale > 0);
        for (unsigned j = 0; j < check.count; j++) {
            const double expected = truth[check.first + j];
            cr_assert(fabs(check.expected[j] - expected) <= error_allowed * fmax(fabs(expected), check.scale),
                      "%s %s, output %llu: %.17g, should be %.17g", c->workload->name, c->op,
                      (unsigned long long)(check.first + j), check.expected[j], expected);
        }
        seen += check.count;
    }
    cr_assert_eq(seen, outputs, "everything is checked");
    cr_assert_eq(c->workload->check(c, plan, &operands, 5, count, &check, NULL), BM_INTERNAL);
}

static void compare_plain(const struct bm_case *c, const double *truth, uint64_t outputs,
                          double error_allowed) {
    struct bm_plan plan;
    cr_assert_eq(c->workload->plain(c, &plan, NULL), BM_OK);
    cr_expect(plan.plain && plan.launch_count == 0 && plan.source == NULL);
    compare_plan(c, &plan, truth, outputs, error_allowed);
}

/* Whoever runs it, the answer is the same; but for dot products and matrices, which OpenCL's kernels do
 * otherwise. */
static void compare(const struct bm_case *c, const double *truth, uint64_t outputs, double error_allowed) {
    struct bm_plan plan;
    cr_assert_eq(c->workload->plan(c, &gpu, NULL, &plan, NULL), BM_OK);
    compare_plan(c, &plan, truth, outputs, error_allowed);
    if (c->workload->plain != NULL && strcmp(c->op, "i8_dot") != 0 && strstr(c->op, "_matrix") == NULL)
        compare_plain(c, truth, outputs, error_allowed);
}

TestSuite(reference, .init = make_operands, .fini = free_operands);

Test(reference, of_writes_and_triads) {
    enum { COUNT = 50000 };
    static double truth[COUNT];
    struct bm_case c = ceiling("stream", "write");
    c.working_set = 4 * COUNT;
    for (uint64_t i = 0; i < COUNT; i++)
        truth[i] = (double)(i % 16384);
    compare(&c, truth, COUNT, 0);
    strcpy(c.op, "triad");
    c.working_set = 12 * COUNT;
    for (uint64_t i = 0; i < COUNT; i++)
        truth[i] = element(0, i) + 3 * element(2, i);
    compare(&c, truth, COUNT, 0);
}

/* Group g reads parts g, g + step, ...; pass r counts r + 1 times. */
Test(reference, of_caches) {
    static const uint64_t shapes[][4] = {
        {8192, 1, 3, 5}, {65536, 1, 1500, 64}, {65536, 8, 24, 4}, {65536, 8, 16, 16}, {24576, 3, 7, 1}};
    for (size_t s = 0; s < BM_COUNT_OF(shapes); s++) {
        const struct bm_case c = cache(shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3]);
        const uint64_t elements = c.working_set / c.m / 4, step = c.m / c.k > 0 ? c.m / c.k : 1;
        double *truth = calloc(c.n, sizeof *truth), *part = calloc(c.m, sizeof *part);
        for (uint64_t i = 0; i < elements * c.m; i++)
            part[i / elements] += element(0, i);
        for (uint64_t g = 0; g < c.n; g++)
            for (uint64_t pass = 0; pass < c.k; pass++)
                truth[g] += (double)(pass + 1) * part[(g + pass * step) % c.m];
        compare(&c, truth, c.n, 1e-12);
        free(part);
        free(truth);
    }
}

/* Parts as the plan sizes them: each is read as often by one launch, and by neighbours at different times. */
Test(reference, every_part_of_the_last_level_is_read_as_often) {
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

static uint32_t bits_of(double seed) {
    const float value = (float)seed;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

Test(reference, of_pipes) {
    enum { LANES = 3000, STEPS = 130 };
    static double truth[LANES];
    struct bm_case c = ceiling("fma", "f64_vector");
    c.n = LANES;
    c.k = STEPS;
    for (uint64_t i = 0; i < LANES; i++) {
        truth[i] = element(0, i);
        for (int step = 0; step < STEPS; step++)
            truth[i] = truth[i] * -(1 - 0x1p-12) + 1;
    }
    compare(&c, truth, LANES, 1e-11);

    strcpy(c.op, "f16_vector");
    for (uint64_t i = 0; i < LANES; i++) {
        double x = fmin(fmax(rint(element(0, i) * 256), -512), 511) - 1024;
        for (int step = 0; step < STEPS; step++) {
            x = -x - (step % 2 == 0 ? 1 : 0);
            cr_assert_lt(fabs(x), 2048, "exact in f16");
        }
        truth[i] = x;
    }
    compare(&c, truth, LANES, 0);

    strcpy(c.op, "i32_vector");
    for (uint64_t i = 0; i < LANES; i++) {
        uint32_t x = bits_of(element(0, i));
        for (int step = 0; step < STEPS; step++)
            x = x * 1664525u + 1013904223u;
        truth[i] = x >> 8;
    }
    compare(&c, truth, LANES, 0);

    strcpy(c.op, "i8_dot");
    for (uint64_t i = 0; i < LANES; i++) {
        uint32_t x = ((bits_of(element(0, i)) >> 8 & 3) + 1) * 0x9E3779B9u;
        for (int step = 0; step < STEPS; step++) {
            int32_t sum = 0;
            for (int byte = 0; byte < 4; byte++) {
                const int a = (int8_t)(x >> 8 * byte), b = (int8_t)(0x6DB34F9Bu >> 8 * byte);
                sum += a * b;
            }
            x += (uint32_t)sum;
        }
        truth[i] = x >> 8;
    }
    compare(&c, truth, LANES, 0);
}

/* Dot products and matrices as a processor does them: operand by operand, step by step. */
Test(reference, of_dot_and_matrix_pipes_in_plain_plans) {
    static const struct {
        const char *op;
        unsigned depth;
        bool matrix;
    } pipes[] = {
        {"i8_dot", 4, false}, {"bf16_dot", 2, false}, {"bf16_matrix", 16, true}, {"i8_matrix", 32, true}};
    enum { LANES = 3000, STEPS = 13 };
    static double truth[LANES];
    for (size_t p = 0; p < BM_COUNT_OF(pipes); p++) {
        struct bm_case c = ceiling("fma", pipes[p].op);
        bool moves = false;
        c.n = LANES;
        c.k = STEPS;
        for (unsigned i = 0; i < LANES; i++) {
            const unsigned row = pipes[p].matrix ? i / 16 % 16 : i % 8,
                           column = i % (pipes[p].matrix ? 16 : 8);
            truth[i] = fmin(fmax(rint(element(0, i) * 256), -512), 511);
            const double start = truth[i];
            for (int step = 0; step < STEPS; step++)
                for (unsigned j = 0; j < pipes[p].depth; j++) {
                    const int left = bm_dot_left(row, j), right = bm_dot_right(j, column);
                    cr_assert(left >= 0 && left <= 4 && right >= -3 && right <= 3);
                    truth[i] += left * right;
                }
            moves |= truth[i] != start;
            cr_assert_lt(fabs(truth[i]) * 4096 / STEPS, 1 << 24, "exact in f32 whatever the steps");
        }
        cr_expect(moves, "%s: a step that does nothing shows nothing", pipes[p].op);
        compare_plain(&c, truth, LANES, 0);
    }
}

/* Every step adds the product of two matrices to the 16 x 8 sums that a warp's four each make. */
Test(reference, of_matrix_units) {
    enum { LANES = 1000, STEPS = 5 };
    static const struct {
        const char *op;
        int depth;
    } units[] = {{"f16_matrix", 16}, {"bf16_matrix", 16}, {"i8_matrix", 32}};
    static double truth[LANES];
    for (size_t u = 0; u < BM_COUNT_OF(units); u++) {
        struct bm_case c = ceiling("fma", units[u].op);
        c.n = LANES;
        c.k = STEPS;
        for (uint64_t i = 0; i < LANES; i++) {
            const int in_warp = (int)(i % 128), g = in_warp / 16, t = in_warp / 4 % 4;
            const int row = in_warp % 4 < 2 ? g : g + 8, column = 2 * t + in_warp % 2;
            truth[i] = rint(256 * element(0, i));
            for (int step = 0; step < STEPS; step++)
                for (int k = 0; k < units[u].depth; k++)
                    truth[i] += ((5 * row + 3 * k) % 7 - 3) * ((5 * k + 11 * column) % 7 - 3);
        }
        compare(&c, truth, LANES, 0);
    }
}

/* At the most steps a case may have, the whole numbers of f16 stay exact. */
Test(reference, f16_stays_exact_to_the_last_step) {
    const double highest = 511 - 1024 + 4096 / 2, lowest = -512 - 1024;
    cr_expect(highest < 2048 && -highest - 1 > -2048 && lowest > -2048 && -lowest < 2048);
}

Test(reference, of_launches_and_transfers) {
    static double truth[25001];
    struct bm_case c = ceiling("launch", "empty");
    truth[0] = 16777213;
    compare(&c, truth, 1, 0);
    c = ceiling("transfer", "from_device");
    c.working_set = 200008;
    for (uint64_t i = 0; i < 25001; i++)
        truth[i] = element(0, i);
    compare(&c, truth, 25001, 0);
}
