/* Launch ceilings: what the shortest kernel takes, one launch after the other in a queue of many (empty), and
 * when the host waits for each (wait): the difference is a synchronisation. It writes one number, to show
 * that it ran. B = 4; F = 0. */
#include <string.h>

#include "internal.h"

static const double written = 16777213; /* exact in f32, and no poison */

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    if (strcmp(c->op, "empty") != 0 && strcmp(c->op, "wait") != 0)
        return bm_fail(error, BM_INVALID, "launch has no op '%s', only empty and wait", c->op);
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
    (void)c;
    return sizeof(float);
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    (void)c;
    (void)target;
    *parameters = (struct bm_parameters){0};
}

static enum bm_status plan_launch(const struct bm_case *c, const struct bm_target *target,
                                  const struct bm_parameters *given, struct bm_plan *plan,
                                  struct bm_error *error) {
    const struct bm_parameters none = {0};
    struct bm_parameters parameters;

    *plan = (struct bm_plan){0};
    enum bm_status status = validate(c, error);
    if (!status)
        status = bm_tunables_resolve("launch", NULL, 0, &none, given, &parameters, error);
    if (status)
        return status;
    bm_plan_begin(plan, "launch.cl", "one_item", "-", &parameters);
    bm_plan_tensor(plan, "result", BM_ELEMENT_F32, BM_ROLE_OUTPUT, 1);
    struct bm_launch *launch = bm_plan_launch(plan, "launch", 1);
    bm_launch_tensor(launch, plan, 0);
    bm_launch_uint(launch, (uint64_t)written);
    plan->waits = strcmp(c->op, "wait") == 0;
    return bm_plan_fits(plan, target, error);
}

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    (void)c;
    (void)plan;
    return 1;
}

static enum bm_status check_launch(const struct bm_case *c, const struct bm_plan *plan,
                                   const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                   struct bm_check *check, struct bm_error *error) {
    (void)operands;
    (void)seed;
    enum bm_status status = bm_check_begin(check, index, check_count(c, plan), error);
    if (status)
        return status;
    check->count = 1;
    check->expected[0] = written;
    return BM_OK;
}

static double tolerance(const struct bm_case *c) {
    (void)c;
    return 0;
}

const struct bm_workload bm_workload_launch = {
    .name = "launch",
    .summary = "ceiling: launches of a kernel that does next to nothing",
    .is_ceiling = true,
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .safe_parameters = safe_parameters,
    .plan = plan_launch,
    .check_count = check_count,
    .check = check_launch,
    .tolerance = tolerance,
};
