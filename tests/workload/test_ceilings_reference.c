/* The references of ceilings, against plain loops. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ceiling_cases.h"

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
