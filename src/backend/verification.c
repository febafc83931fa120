#include "verification.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

unsigned bm_plan_output(const struct bm_plan *plan) {
    unsigned t = 0;
    while (t + 1 < plan->tensor_count && plan->tensors[t].role != BM_ROLE_OUTPUT)
        t++;
    return t;
}

unsigned bm_plan_guarded(const struct bm_plan *plan, unsigned number, size_t *start) {
    const size_t alignment = 64;
    unsigned t = 0;
    *start = 0;
    for (; t < plan->tensor_count; t++) {
        const struct bm_tensor *tensor = &plan->tensors[t];
        if (tensor->role != BM_ROLE_OUTPUT)
            continue;
        if (number-- == 0)
            break;
        const size_t bytes = (size_t)bm_element_size(tensor->element, tensor->count) + 2 * BM_GUARD_BYTES;
        *start += (bytes + alignment - 1) / alignment * alignment;
    }
    return t;
}

static bool all_poison(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != BM_POISON)
            return false;
    return true;
}

/* Keeps the first problem: the others usually follow from it. */
static void mark_failed(struct bm_verification *verification, uint64_t output, const char *problem) {
    verification->status = BM_VERIFICATION_FAILED;
    if (verification->problem[0] == '\0')
        snprintf(verification->problem, sizeof verification->problem, "output %llu %s",
                 (unsigned long long)output, problem);
}

/* Bytes of poison that no result has in a row: of whole numbers one may well be the poison itself. */
static size_t unwritten_bytes(const struct bm_tensor *output) {
    enum { ROW = 16 };
    const uint64_t row = output->count < ROW ? output->count : ROW;
    return (size_t)bm_element_size(output->element, output->element == BM_ELEMENT_I8 ? row : 1);
}

static void check_written(const struct bm_tensor *output, const uint8_t *guarded,
                          struct bm_verification *verification) {
    const size_t bytes = (size_t)bm_element_size(output->element, 1), unwritten = unwritten_bytes(output);
    const uint8_t *data = guarded + BM_GUARD_BYTES, *end = data + output->count * bytes;
    if (!all_poison(guarded, BM_GUARD_BYTES))
        mark_failed(verification, 0, "is preceded by bytes that the kernel must not write");
    if (!all_poison(end, BM_GUARD_BYTES))
        mark_failed(verification, output->count - 1, "is followed by bytes that the kernel must not write");
    for (uint64_t i = 0; (i * bytes) + unwritten <= output->count * bytes; i++)
        if (data[i * bytes] == BM_POISON && all_poison(data + i * bytes, unwritten)) {
            mark_failed(verification, i, "was never written");
            break;
        }
}

/* NaN and infinity must stand where the reference has them; elsewhere the error is relative. */
static double relative_error(double got, double expected, const struct bm_check *check) {
    if (isnan(expected))
        return isnan(got) ? 0 : (double)INFINITY;
    if (isinf(expected))
        return got == expected ? 0 : (double)INFINITY;
    double reference = fmax(fabs(expected), check->scale), error = fabs(got - expected);
    if (!isfinite(error))
        return (double)INFINITY;
    error = fmax(error - check->rounding, 0);
    return error == 0 ? 0 : error / reference;
}

static double size_of(const struct bm_check *check) {
    double sum = 0;
    for (unsigned i = 0; i < check->count; i++)
        sum += check->expected[i] * check->expected[i];
    return check->count > 0 ? sqrt(sum / check->count) : 0;
}

void bm_verification_add(enum bm_element element, const void *output, const struct bm_check *check,
                         struct bm_verification *verification) {
    for (unsigned i = 0; i < check->count; i++) {
        const double got = (double)bm_element_load(element, output, check->first + i);
        const double wrong = relative_error(got, check->expected[i], check);
        if (wrong > verification->max_relative_error)
            verification->max_relative_error = wrong;
        if (wrong > verification->tolerance)
            mark_failed(verification, check->first + i, "differs from the reference");
    }
    verification->checked += check->count;
}

enum bm_status bm_verification_check(const struct bm_case *the_case, const struct bm_plan *plan,
                                     const struct bm_operands *operands, uint64_t seed,
                                     const void *const outputs[], const struct bm_verification_scope *scope,
                                     struct bm_verification *verification, struct bm_error *error) {
    const struct bm_workload *workload = the_case->workload;
    const uint64_t groups = workload->check_count(the_case, plan);
    enum bm_status status = BM_OK;
    size_t start;
    struct bm_check *check = bm_alloc(1, sizeof *check);
    if (check == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for verification");
    for (uint64_t g = scope->first; status == BM_OK && g < groups; g += scope->step) {
        status = workload->check(the_case, plan, operands, seed, g, check, error);
        if (status != BM_OK)
            break;
        if (scope->measured_scale && check->scale > 0)
            check->scale = size_of(check);
        bm_verification_add(plan->tensors[bm_plan_guarded(plan, check->output, &start)].element,
                            outputs[check->output], check, verification);
    }
    free(check);
    return status;
}

enum bm_status bm_verification_compare(const struct bm_case *the_case, const struct bm_plan *plan,
                                       const struct bm_operands *operands, uint64_t seed,
                                       const uint8_t *guarded, struct bm_verification *verification,
                                       struct bm_error *error) {
    const struct bm_workload *workload = the_case->workload;
    const struct bm_verification_scope all = {.step = 1};
    const void *outputs[BM_COUNT_OF(plan->tensors)];
    size_t start;
    *verification = (struct bm_verification){.status = BM_VERIFICATION_PASSED,
                                             .tolerance = workload->tolerance(the_case)};
    bm_string_set(verification->reference, sizeof verification->reference, workload->reference);
    for (unsigned i = 0, t; (t = bm_plan_guarded(plan, i, &start)) < plan->tensor_count; i++) {
        check_written(&plan->tensors[t], guarded + start, verification);
        outputs[i] = guarded + start + BM_GUARD_BYTES;
    }
    enum bm_status status =
        bm_verification_check(the_case, plan, operands, seed, outputs, &all, verification, error);
    if (status != BM_OK)
        *verification = (struct bm_verification){0};
    return status;
}
