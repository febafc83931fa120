/* What lies in a session's buffers is what references are computed from, in every number format, in every
 * slot.
 */
#include "endpoints.h"

#include <stdio.h>
#include <stdlib.h>

TestSuite(arenas, .init = endpoints_begin_compiling, .fini = endpoints_end);

enum { FIRST = 1001, SECOND = 37, HOT = 77, ALL = FIRST + SECOND + HOT }; /* odd: half bytes are left over */
static enum bm_element element;

static struct bm_tensor tensor(const char *name, enum bm_element format, enum bm_role role, uint64_t count) {
    return (struct bm_tensor){.name = name, .element = format, .role = role, .count = count};
}

static enum bm_status plan_readback(const struct bm_case *the_case, const struct bm_target *target,
                                    const struct bm_parameters *parameters, struct bm_plan *plan,
                                    struct bm_error *error) {
    static const enum bm_argument_kind buffer = BM_ARGUMENT_BUFFER, offset = BM_ARGUMENT_OFFSET,
                                       number = BM_ARGUMENT_UINT;
    (void)the_case, (void)target, (void)parameters, (void)error;
    *plan = (struct bm_plan){.source = "readback.cl", .pipe = "-", .tensor_count = 4, .launch_count = 1};
    plan->tensors[0] = tensor("first", element, BM_ROLE_COLD, FIRST);
    plan->tensors[1] = tensor("second", element, BM_ROLE_COLD, SECOND);
    plan->tensors[2] = tensor("hot", element, BM_ROLE_HOT, HOT);
    plan->tensors[3] = tensor("outputs", BM_ELEMENT_F32, BM_ROLE_OUTPUT, ALL);
    plan->launches[0] = (struct bm_launch){.kernel = "readback",
                                           .dimensions = 1,
                                           .global = {ALL, 1, 1},
                                           .argument_count = 8,
                                           .arguments = {{buffer, 0, 0, 0},
                                                         {offset, 0, 0, 0},
                                                         {buffer, 1, 0, 0},
                                                         {offset, 1, 0, 0},
                                                         {buffer, 2, 0, 0},
                                                         {buffer, 3, 0, 0},
                                                         {number, 0, FIRST, 0},
                                                         {number, 0, SECOND, 0}}};
    bm_parameters_set(&plan->defines, "ELEMENT", element);
    return BM_OK;
}

static void no_parameters(const struct bm_case *the_case, const struct bm_target *target,
                          struct bm_parameters *parameters) {
    (void)the_case, (void)target;
    *parameters = (struct bm_parameters){0};
}

static uint64_t one_a_tensor(const struct bm_case *the_case, const struct bm_plan *plan) {
    (void)the_case, (void)plan;
    return 3;
}

static enum bm_status check(const struct bm_case *the_case, const struct bm_plan *plan,
                            const struct bm_operands *operands, uint64_t seed, uint64_t index,
                            struct bm_check *out, struct bm_error *error) {
    static const uint64_t starts[] = {0, FIRST, FIRST + SECOND};
    (void)the_case, (void)seed, (void)error;
    cr_expect_eq(operands->values[index]->element, element);
    out->first = starts[index];
    out->count = (unsigned)plan->tensors[index].count;
    out->scale = 0;
    bm_values_gather(operands->values[index], operands->start[index], 1, out->count, out->expected);
    return BM_OK;
}

static double exact(const struct bm_case *the_case) {
    (void)the_case;
    return 0;
}

static const struct bm_workload readback = {.name = "readback",
                                            .reference = "float64",
                                            .safe_parameters = no_parameters,
                                            .plan = plan_readback,
                                            .check_count = one_a_tensor,
                                            .check = check,
                                            .tolerance = exact};

/* More cold bytes than one period of values, so that the arena holds its seams too. */
enum { COLD_BYTES = 20 << 20 };

Test(arenas, hold_the_values_of_every_format) {
    const struct bm_case the_case = {.workload = &readback, .model = "-", .op = "test"};
    char kernels[512];
    cr_assert_not_null(getenv("BM_SOURCE_DIR"));
    snprintf(kernels, sizeof kernels, "%s/tests/backend", getenv("BM_SOURCE_DIR"));
    for (size_t e = 0; endpoints_get(e) != NULL; e++) {
        const struct bm_endpoint *endpoint = endpoints_get(e);
        struct bm_session *session = session_open(endpoint, COLD_BYTES, 1, kernels);
        for (unsigned format = 0; format < BM_ELEMENT_COUNT; format++) {
            struct bm_prepared_info info;
            element = (enum bm_element)format;
            struct bm_prepared *prepared = session_prepare(endpoint, session, &the_case);
            endpoint->backend->info(prepared, &info);
            cr_expect(info.cold_bytes >= COLD_BYTES && info.cold_bytes < COLD_BYTES + (1 << 16),
                      "%s: %llu bytes", bm_element_name(element), (unsigned long long)info.cold_bytes);
            /* The seed chooses the slot; around the first seam, and anywhere. */
            const uint64_t slot_elements = (FIRST + 127) / 128 * 128 + (SECOND + 127) / 128 * 128;
            const uint64_t slots = info.cold_bytes / bm_element_size(element, slot_elements);
            const uint64_t seam = 4194301 / slot_elements;
            for (uint64_t i = 0; i < 40; i++) {
                const uint64_t slot = i < 4    ? seam - 1 + i
                                      : i == 4 ? slots - 1
                                      : i == 5 ? 2 * seam
                                               : i * 7919;
                struct bm_verification verification;
                struct bm_error error = {0};
                cr_assert_eq(endpoint->backend->verify(prepared, slot, &verification, &error), BM_OK, "%s",
                             error.message);
                cr_expect_eq(verification.status, BM_VERIFICATION_PASSED, "%s, slot %llu: %s, by %g",
                             bm_element_name(element), (unsigned long long)(slot % slots),
                             verification.problem, verification.max_relative_error);
                cr_expect_eq(verification.checked, ALL);
            }
            endpoint->backend->discard(prepared);
        }
        endpoint->backend->close(session);
    }
}
