/* Transfer ceilings: copies between the host's memory and the device's, of half of `working_set` bytes (0:
 * DEFAULT_BYTES), the other half being the copy; at most MOST_BYTES. The host's part is memory from which the
 * driver can copy directly. B = the bytes copied, counted once; F = 0. */
#include <string.h>

#include "internal.h"

enum { SOURCE, DESTINATION };
enum { MINIMUM_BYTES = 4096 };
#define DEFAULT_BYTES (UINT64_C(128) << 20)
#define MOST_BYTES    (UINT64_C(256) << 20)

static bool is_upload(const struct bm_case *c) {
    return !strcmp(c->op, "to_device");
}

static uint64_t element_count(const struct bm_case *c) {
    const uint64_t bytes = (c->working_set ? c->working_set : DEFAULT_BYTES) / 2;
    return (bytes < MOST_BYTES ? bytes : MOST_BYTES) / sizeof(float);
}

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    if (!is_upload(c) && strcmp(c->op, "from_device") != 0)
        return bm_fail(error, BM_INVALID, "transfer has no op '%s', only to_device and from_device", c->op);
    if (c->working_set && c->working_set < MINIMUM_BYTES)
        return bm_fail(error, BM_INVALID, "transfer: a working set of %llu bytes, must be at least %d",
                       (unsigned long long)c->working_set, MINIMUM_BYTES);
    return BM_OK;
}

static void shape(const struct bm_case *c, struct bm_text *text) {
    (void)c;
    bm_text_append(text, "-");
}

static double flops(const struct bm_case *c) {
    (void)c;
    return 0;
}

static double bytes(const struct bm_case *c) {
    return sizeof(float) * (double)element_count(c);
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    (void)c;
    (void)target;
    *parameters = (struct bm_parameters){0};
}

static enum bm_status plan_transfer(const struct bm_case *c, const struct bm_target *target,
                                    const struct bm_parameters *given, struct bm_plan *plan,
                                    struct bm_error *error) {
    const struct bm_parameters none = {0};
    struct bm_parameters parameters;

    *plan = (struct bm_plan){0};
    enum bm_status status = validate(c, error);
    if (!status)
        status = bm_tunables_resolve("transfer", NULL, 0, &none, given, &parameters, error);
    if (status)
        return status;
    bm_plan_begin(plan, NULL, is_upload(c) ? "pinned_to_device" : "device_to_pinned", "-", &parameters);
    bm_plan_tensor(plan, "source", BM_ELEMENT_F32, BM_ROLE_HOT, element_count(c));
    bm_plan_tensor(plan, "destination", BM_ELEMENT_F32, BM_ROLE_OUTPUT, element_count(c));
    plan->tensors[is_upload(c) ? SOURCE : DESTINATION].on_host = true;
    struct bm_launch *launch = bm_plan_launch(plan, NULL, 1);
    bm_launch_tensor(launch, plan, SOURCE);
    bm_launch_tensor(launch, plan, DESTINATION);
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    (void)plan;
    return bm_ceil_div(element_count(c), BM_CHECK_OUTPUTS);
}

static enum bm_status check_transfer(const struct bm_case *c, const struct bm_plan *plan,
                                     const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                     struct bm_check *check, struct bm_error *error) {
    (void)seed;
    enum bm_status status = bm_check_begin(check, index, check_count(c, plan), error);
    if (status)
        return status;
    const uint64_t left = element_count(c) - index * BM_CHECK_OUTPUTS;
    check->first = index * BM_CHECK_OUTPUTS;
    check->count = (unsigned)(left < BM_CHECK_OUTPUTS ? left : BM_CHECK_OUTPUTS);
    bm_values_gather(operands->values[SOURCE], operands->start[SOURCE] + check->first, 1, check->count,
                     check->expected);
    return BM_OK;
}

static double tolerance(const struct bm_case *c) {
    (void)c;
    return 0;
}

const struct bm_workload bm_workload_transfer = {
    .name = "transfer",
    .summary = "ceiling: copies between host and device",
    .is_ceiling = true,
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .safe_parameters = safe_parameters,
    .plan = plan_transfer,
    .check_count = check_count,
    .check = check_transfer,
    .tolerance = tolerance,
};
