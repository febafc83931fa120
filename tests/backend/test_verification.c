/* Comparing guarded outputs with a reference: buffers made by hand, and a workload that expects what it is
 * told to. */
#include "verification.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 40 };

/* What the workload below expects, in groups of `group` outputs from `first` on. */
static struct {
    double values[MOST];
    unsigned count, group;
    uint64_t first, seed;
    double scale, rounding, tolerance;
    uint64_t failing_group;
} expected;

static uint64_t check_count(const struct bm_case *the_case, const struct bm_plan *plan) {
    (void)the_case, (void)plan;
    return (expected.count + expected.group - 1) / expected.group;
}

static enum bm_status check(const struct bm_case *the_case, const struct bm_plan *plan,
                            const struct bm_operands *operands, uint64_t seed, uint64_t index,
                            struct bm_check *out, struct bm_error *error) {
    (void)the_case, (void)plan, (void)operands;
    expected.seed = seed;
    if (index == expected.failing_group)
        return bm_fail(error, BM_NO_MEMORY, "no memory for group %d", (int)index);
    out->first = expected.first + index * expected.group;
    out->count = 0;
    out->scale = expected.scale;
    out->rounding = expected.rounding;
    for (uint64_t i = index * expected.group; i < expected.count && out->count < expected.group; i++)
        out->expected[out->count++] = expected.values[i];
    return BM_OK;
}

static double tolerance(const struct bm_case *the_case) {
    (void)the_case;
    return expected.tolerance;
}

static const struct bm_workload told = {.name = "told",
                                        .reference = "float64",
                                        .check_count = check_count,
                                        .check = check,
                                        .tolerance = tolerance};

static struct bm_plan plan;
static struct bm_error error;
static struct bm_verification verification;
static uint8_t *guarded;
static size_t guarded_bytes;

/* Poison around `count` poisoned outputs of the format; all of them are expected to be 1. */
static void begin(enum bm_element element, unsigned count) {
    plan = (struct bm_plan){.tensor_count = 3};
    plan.tensors[0] = (struct bm_tensor){.name = "in", .element = element, .role = BM_ROLE_HOT, .count = 99};
    plan.tensors[1] =
        (struct bm_tensor){.name = "out", .element = element, .role = BM_ROLE_OUTPUT, .count = count};
    plan.tensors[2] =
        (struct bm_tensor){.name = "tmp", .element = element, .role = BM_ROLE_SCRATCH, .count = 5};
    guarded_bytes = bm_element_size(element, count) + 2 * BM_GUARD_BYTES;
    guarded = malloc(guarded_bytes); /* exactly: a sanitizer sees what is read past it */
    memset(guarded, BM_POISON, guarded_bytes);
    memset(&expected, 0, sizeof expected);
    expected.count = count;
    expected.group = MOST;
    expected.scale = 1;
    expected.tolerance = 0.125;
    expected.failing_group = UINT64_MAX;
    for (unsigned i = 0; i < count; i++)
        expected.values[i] = 1;
}

static void put(unsigned index, float value) {
    bm_element_store(plan.tensors[1].element, guarded + BM_GUARD_BYTES, index, value);
}

static enum bm_status compare(void) {
    struct bm_case the_case = {.workload = &told};
    struct bm_operands operands = {0};
    error = (struct bm_error){0};
    memset(&verification, 0x55, sizeof verification);
    return bm_verification_compare(&the_case, &plan, &operands, 42, guarded, &verification, &error);
}

static void expect_passed(double worst) {
    cr_assert_eq(compare(), BM_OK, "%s", error.message);
    cr_expect_eq(verification.status, BM_VERIFICATION_PASSED, "%s", verification.problem);
    cr_expect_str_eq(verification.problem, "");
    cr_expect(verification.max_relative_error == worst, "largest error %g", verification.max_relative_error);
    cr_expect_eq(verification.checked, expected.count);
}

static void expect_failed(double worst, const char *problem) {
    cr_assert_eq(compare(), BM_OK, "a wrong result is no error of the comparison: %s", error.message);
    cr_expect_eq(verification.status, BM_VERIFICATION_FAILED);
    cr_expect_str_eq(verification.problem, problem);
    cr_expect(verification.max_relative_error == worst, "largest error %g", verification.max_relative_error);
    cr_expect_eq(verification.checked, expected.count, "all are compared, so that the largest error is told");
}

static void end(void) {
    free(guarded);
}

TestSuite(verification, .fini = end);

Test(verification, tells_reference_tolerance_and_count) {
    begin(BM_ELEMENT_F32, 10);
    expected.group = 3;
    for (unsigned i = 0; i < 10; i++)
        put(i, 1);
    expect_passed(0);
    cr_expect_str_eq(verification.reference, "float64");
    cr_expect_eq(verification.tolerance, 0.125);
    cr_expect_eq(expected.seed, 42, "the seed is passed on");
    cr_expect_eq(bm_plan_output(&plan), 1);
}

Test(verification, the_tolerance_is_inclusive) {
    begin(BM_ELEMENT_F32, 2);
    put(0, 1.125f);
    put(1, 0.875f);
    expect_passed(0.125);
    put(1, nextafterf(0.875f, 0));
    expect_failed(0.125 + 0x1p-24, "output 1 differs from the reference");
    expected.tolerance = 0;
    put(1, 1);
    put(0, nextafterf(1, 2));
    expect_failed(0x1p-23, "output 0 differs from the reference");
    put(0, 1);
    expect_passed(0);
}

/* Errors are relative to the reference or the typical output, whichever is larger. */
Test(verification, the_scale_holds_near_zero) {
    begin(BM_ELEMENT_F32, 3);
    expected.scale = 2;
    expected.values[0] = 0;
    expected.values[1] = -8;
    put(0, -0.25f); /* 1/8 of the scale */
    put(1, -7);     /* 1/8 of the reference */
    put(2, 1.25f);
    expect_passed(0.125);
    put(1, -9.5f);
    expect_failed(0.1875, "output 1 differs from the reference");
    expected.scale = 0;
    expected.values[0] = 0;
    put(0, -0.0f);
    put(1, -8);
    put(2, 1);
    expect_passed(0);
    put(0, 0x1p-126f);
    expect_failed((double)INFINITY, "output 0 differs from the reference");
}

Test(verification, nan_only_where_the_reference_has_it) {
    begin(BM_ELEMENT_F32, 2);
    expected.values[0] = (double)NAN;
    put(0, NAN); /* a quiet NaN, which is not the poison */
    put(1, 1);
    expect_passed(0);
    put(0, 1);
    expect_failed((double)INFINITY, "output 0 differs from the reference");
    put(0, INFINITY);
    expect_failed((double)INFINITY, "output 0 differs from the reference");
    put(0, NAN);
    put(1, NAN);
    expect_failed((double)INFINITY, "output 1 differs from the reference");
}

Test(verification, infinity_only_where_the_reference_has_it) {
    begin(BM_ELEMENT_F32, 3);
    expected.values[0] = (double)INFINITY;
    expected.values[1] = -(double)INFINITY;
    put(0, INFINITY);
    put(1, -INFINITY);
    put(2, 1);
    expect_passed(0);
    put(0, -INFINITY);
    expect_failed((double)INFINITY, "output 0 differs from the reference");
    put(0, FLT_MAX);
    expect_failed((double)INFINITY, "output 0 differs from the reference");
    put(0, INFINITY);
    put(2, INFINITY);
    expect_failed((double)INFINITY, "output 2 differs from the reference");
}

Test(verification, unwritten_outputs_are_found_unsampled) {
    begin(BM_ELEMENT_F32, 9);
    for (unsigned i = 0; i < 9; i++)
        put(i, 1);
    expected.count = 2; /* the reference is known of outputs 0 and 1 alone */
    expect_passed(0);
    memset(guarded + BM_GUARD_BYTES + 4 * 7, BM_POISON, 4);
    expect_failed(0, "output 7 was never written");
    guarded[BM_GUARD_BYTES + 4 * 7 + 3] =
        0x7f; /* three bytes of poison are a NaN that may have been written */
    expect_passed(0);
    memset(guarded + BM_GUARD_BYTES + 4, BM_POISON, 4);
    expected.values[1] = (double)NAN; /* poison reads as NaN, but it was not written */
    expect_failed(0, "output 1 was never written");
}

Test(verification, half_precision) {
    begin(BM_ELEMENT_F16, 4);
    expected.values[3] = -65504;
    put(0, 1);
    put(1, 1.125f);
    put(2, 0x1.3fcp0f); /* 0x3cff: one byte of it is the poison's */
    put(3, -65504);
    expected.tolerance = 0.25;
    expect_passed((double)0x1.3fcp0f - 1);
    put(3, -INFINITY); /* an overflow */
    expect_failed((double)INFINITY, "output 3 differs from the reference");
    memset(guarded + BM_GUARD_BYTES + 2, BM_POISON, 2);
    put(3, -65504);
    expect_failed((double)INFINITY, "output 1 was never written");
}

/* What rounding to a whole number explains is no error; what is beyond it, is relative. */
Test(verification, whole_numbers) {
    begin(BM_ELEMENT_I8, 3);
    expected.scale = 0;
    expected.rounding = 0.5;
    expected.tolerance = 0x1p-10;
    expected.values[0] = 126.5;
    expected.values[1] = -0.5;
    expected.values[2] = 64.5 + 0x1p-5;
    put(0, 127);
    put(1, -1); /* the poison itself */
    put(2, 65);
    expect_passed(0);
    expected.values[2] = 64.5 - 0x1p-5; /* that much beyond a half */
    expect_passed(0x1p-5 / (64.5 - 0x1p-5));
    put(2, 66);
    expect_failed((1 + 0x1p-5) / (64.5 - 0x1p-5), "output 2 differs from the reference");
    put(2, 64);
    put(1, 0);
    put(0, 126);
    expect_passed(0);
}

Test(verification, whole_numbers_that_were_never_written_lie_in_a_row) {
    begin(BM_ELEMENT_I8, 40);
    expected.count = 1; /* the reference is known of output 0 alone */
    for (unsigned i = 0; i < 40; i++)
        put(i, 1);
    memset(guarded + BM_GUARD_BYTES + 5, BM_POISON, 15);
    memset(guarded + BM_GUARD_BYTES + 21, BM_POISON, 15);
    expect_passed(0);
    memset(guarded + BM_GUARD_BYTES + 24, BM_POISON, 16);
    expect_failed(0, "output 21 was never written");
    begin(BM_ELEMENT_I8, 4);
    expect_failed(2, "output 0 was never written");
}

Test(verification, guards_are_watched_to_their_ends) {
    static const struct {
        bool after;
        size_t distance; /* bytes from the outputs */
    } cases[] = {{false, 1}, {false, BM_GUARD_BYTES}, {true, 0}, {true, BM_GUARD_BYTES - 1}, {true, 100}};
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
        begin(BM_ELEMENT_F32, 5);
        for (unsigned j = 0; j < 5; j++)
            put(j, 1);
        expect_passed(0);
        size_t at =
            cases[i].after ? BM_GUARD_BYTES + 4 * 5 + cases[i].distance : BM_GUARD_BYTES - cases[i].distance;
        guarded[at] = 0xfe;
        expect_failed(0, cases[i].after ? "output 4 is followed by bytes that the kernel must not write"
                                        : "output 0 is preceded by bytes that the kernel must not write");
        if (i + 1 < BM_COUNT_OF(cases))
            free(guarded);
    }
}

Test(verification, the_first_problem_is_told_and_the_largest_error_kept) {
    begin(BM_ELEMENT_F32, 6);
    for (unsigned i = 0; i < 6; i++)
        put(i, 1);
    expected.group = 2;
    put(2, 3);
    put(5, 11);
    expect_failed(10, "output 2 differs from the reference");
    guarded[0] = 0;
    expect_failed(10, "output 0 is preceded by bytes that the kernel must not write");
}

Test(verification, a_check_that_fails_is_an_error) {
    begin(BM_ELEMENT_F32, 6);
    for (unsigned i = 0; i < 6; i++)
        put(i, 2);
    expected.group = 2;
    expected.failing_group = 1;
    cr_assert_eq(compare(), BM_NO_MEMORY);
    cr_assert_str_eq(error.message, "no memory for group 1");
    cr_assert_eq(verification.status, BM_VERIFICATION_NOT_RUN);
    cr_assert(verification.checked == 0 && verification.problem[0] == '\0', "outputs are cleared");
}
