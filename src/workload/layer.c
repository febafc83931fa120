/* A whole forward pass, layer after layer, as one sequence of launches in which data flows from op to op; of
 * decode `tokens` steps, one after the other on one cache, the last over `context` keys. It has no kernels of
 * its own: src/model says what it is made of and what flows (bm_model_flow), and a backend queues and
 * verifies it (bm_backend.sequence). n: layers of the model. */
#include "internal.h"

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    if (!c->dtype || (c->phase != BM_PHASE_PREFILL && c->phase != BM_PHASE_DECODE) || !c->batch || !c->n)
        return bm_fail(error, BM_INVALID, "layer needs a dtype, a phase, a batch and layers");
    return BM_OK;
}

static void shape(const struct bm_case *c, struct bm_text *text) {
    bm_text_append(text, "b%ut%u", c->batch, c->tokens);
    if (c->context)
        bm_text_append(text, "c%u", c->context);
    bm_text_append(text, "l%llu", (unsigned long long)c->n);
    if (c->kv != BM_KV_DTYPE)
        bm_text_append(text, "/kv%s", bm_kv_name(bm_case_kv(c)));
}

static double unknown_here(const struct bm_case *c) {
    (void)c;
    return 0;
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    (void)c;
    (void)target;
    *parameters = (struct bm_parameters){0};
}

static enum bm_status plan_layer(const struct bm_case *c, const struct bm_target *target,
                                 const struct bm_parameters *given, struct bm_plan *plan,
                                 struct bm_error *error) {
    (void)c;
    (void)target;
    (void)given;
    *plan = (struct bm_plan){0};
    return bm_fail(error, BM_UNSUPPORTED, "layer: its ops have kernels, the whole has none");
}

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    (void)c;
    (void)plan;
    return 0;
}

static enum bm_status check(const struct bm_case *c, const struct bm_plan *plan,
                            const struct bm_operands *operands, uint64_t seed, uint64_t index,
                            struct bm_check *found, struct bm_error *error) {
    (void)c;
    (void)plan;
    (void)operands;
    (void)seed;
    (void)index;
    *found = (struct bm_check){0};
    return bm_fail(error, BM_INVALID, "layer: only its ops are checked");
}

static double tolerance(const struct bm_case *c) {
    (void)c;
    return 0;
}

const struct bm_workload bm_workload_layer = {
    .name = "layer",
    .summary = "all ops of a pass, and the whole pass as one sequence of launches",
    .reference = "float64",
    .is_sequence = true,
    .validate = validate,
    .shape = shape,
    .flops = unknown_here,
    .bytes = unknown_here,
    .safe_parameters = safe_parameters,
    .plan = plan_layer,
    .check_count = check_count,
    .check = check,
    .tolerance = tolerance,
};
