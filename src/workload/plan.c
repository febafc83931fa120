/* Putting plans together. */
#include <assert.h>

#include "internal.h"

void bm_plan_begin(struct bm_plan *plan, const char *source, const char *variant, const char *pipe,
                   const struct bm_parameters *parameters) {
    *plan =
        (struct bm_plan){.source = source, .pipe = pipe, .parameters = *parameters, .defines = *parameters};
    bm_string_set(plan->variant, sizeof(plan->variant), variant);
}

unsigned bm_plan_tensor(struct bm_plan *plan, const char *name, enum bm_element element, enum bm_role role,
                        uint64_t count) {
    assert(plan->tensor_count < BM_COUNT_OF(plan->tensors));
    plan->tensors[plan->tensor_count] =
        (struct bm_tensor){.name = name, .element = element, .role = role, .count = count};
    return plan->tensor_count++;
}

unsigned bm_plan_rotating_output(struct bm_plan *plan, const char *name, enum bm_element element,
                                 uint64_t count) {
    const unsigned t = bm_plan_tensor(plan, name, element, BM_ROLE_OUTPUT, count);
    plan->tensors[t].rotates = true;
    return t;
}

struct bm_launch *bm_plan_launch(struct bm_plan *plan, const char *kernel, unsigned dimensions) {
    assert(plan->launch_count < BM_COUNT_OF(plan->launches));
    struct bm_launch *launch = &plan->launches[plan->launch_count++];
    *launch = (struct bm_launch){.kernel = kernel, .dimensions = dimensions};
    for (unsigned i = 0; i < BM_COUNT_OF(launch->global); i++)
        launch->global[i] = launch->local[i] = 1;
    return launch;
}

static void append(struct bm_launch *launch, struct bm_argument argument) {
    assert(launch->argument_count < BM_COUNT_OF(launch->arguments));
    launch->arguments[launch->argument_count++] = argument;
}

void bm_launch_tensor(struct bm_launch *launch, const struct bm_plan *plan, unsigned tensor) {
    append(launch, (struct bm_argument){.kind = BM_ARGUMENT_BUFFER, .index = tensor});
    const struct bm_tensor *of = &plan->tensors[tensor];
    if (of->role == BM_ROLE_COLD || of->role == BM_ROLE_TABLE || of->rotates)
        append(launch, (struct bm_argument){.kind = BM_ARGUMENT_OFFSET, .index = tensor});
}

void bm_launch_uint(struct bm_launch *launch, uint64_t value) {
    assert(value <= UINT32_MAX);
    append(launch, (struct bm_argument){.kind = BM_ARGUMENT_UINT, .value = value});
}

static void append_pitch(struct bm_launch *launch, enum bm_argument_kind kind, unsigned tensor,
                         uint64_t elements) {
    append(launch, (struct bm_argument){.kind = kind, .index = tensor, .value = elements});
}

void bm_launch_pitch(struct bm_launch *launch, unsigned tensor, uint64_t elements) {
    append_pitch(launch, BM_ARGUMENT_PITCH, tensor, elements);
}

void bm_launch_head_pitch(struct bm_launch *launch, unsigned tensor, uint64_t elements) {
    append_pitch(launch, BM_ARGUMENT_HEAD_PITCH, tensor, elements);
}

void bm_launch_float(struct bm_launch *launch, float value) {
    append(launch, (struct bm_argument){.kind = BM_ARGUMENT_FLOAT, .real = value});
}

static enum bm_status check_bytes(const char *what, uint64_t bytes, const struct bm_target *target,
                                  struct bm_error *error) {
    const double gib = 0x1p30;
    if (bytes <= target->max_allocation_bytes)
        return BM_OK;
    return bm_fail(error, BM_UNSUPPORTED, "%s need %.2f GiB, the device allocates at most %.2f GiB at once",
                   what, (double)bytes / gib, (double)target->max_allocation_bytes / gib);
}

enum bm_status bm_plan_fits(const struct bm_plan *plan, const struct bm_target *target,
                            struct bm_error *error) {
    enum bm_status status = BM_OK;

    for (unsigned e = 0; !status && e < BM_ELEMENT_COUNT; e++) {
        const enum bm_element element = (enum bm_element)e;
        struct bm_text names = {0};
        uint64_t cold = 0;
        for (unsigned i = 0; !status && i < plan->tensor_count; i++) {
            const struct bm_tensor *tensor = &plan->tensors[i];
            const uint64_t bytes = bm_element_size(element, tensor->count);
            if (tensor->element != element)
                continue;
            if (tensor->role == BM_ROLE_COLD) {
                bm_text_append(&names, "%s%s", cold ? " and " : "", tensor->name);
                cold += bytes;
            } else
                status = check_bytes(tensor->name, bytes, target, error);
        }
        if (!status && cold)
            status = check_bytes(names.failed ? "inputs" : names.data, cold, target, error);
        bm_text_fini(&names);
    }
    return status;
}
