/* What ends a mixture of experts: of each of m tokens the outputs of its top_k experts are added, each times
 * its weight (Shazeer et al. 2017, arXiv 1701.06538, equation 1). The rows [m top_k, n] lie as grouped_gemm
 * leaves them, by expert, within one by token; a table tells which are a token's. k: 1 where the sum begins
 * with a row of the token's own, the output of experts that all tokens share, else 0.
 *
 * F = 2 m top_k n; B = e n m (top_k + k + 1) + 8 m top_k: of a row of n a weight in f32 and a number of the
 * table. Weights [m, top_k] are hot, and part of wider rows where routing left them; rows and what the sum
 * begins with are cold, outputs [m, n] rotate. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "grouped.h"

enum { OUTPUTS, INPUTS, WEIGHTS, ROUTING, SHARED };
enum { CHOSEN_MAX = 64 }; /* as of topk */

static const struct bm_tunable tunables[] = {
    {"STREAMS", 1, 8, true},  {"CHUNK", 1, 4096, false}, {"VEC", 1, 16, true},
    {"LANES", 1, 1024, true}, {"PREFETCH", 0, 8, false}, {"NONTEMPORAL", 0, 1, false},
};

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    enum bm_status status = bm_rows_validate(c, error);
    if (!status)
        status = bm_routing_validate(c, error);
    if (!status && (c->top_k > CHOSEN_MAX || c->k > 1))
        status =
            bm_fail(error, BM_INVALID, "combine: %u experts a token and %llu shared rows, at most %d and 1",
                    c->top_k, (unsigned long long)c->k, CHOSEN_MAX);
    return status;
}

/* "m512n4096e256t8g8u4/uniform", with a shared row "/shared" after it. */
static void shape(const struct bm_case *c, struct bm_text *text) {
    bm_text_append(text, "m%llun%llue%ut%u", (unsigned long long)c->m, (unsigned long long)c->n, c->experts,
                   c->top_k);
    if (c->groups)
        bm_text_append(text, "g%uu%u", c->groups, c->groups_used);
    bm_text_append(text, "/%s%s", bm_routing_name(c->routing), c->k ? "/shared" : "");
}

static double flops(const struct bm_case *c) {
    return 2.0 * (double)bm_routed_pairs(c) * (double)c->n;
}

static double written(const struct bm_case *c) {
    return (double)c->m * (double)c->n * bm_rows_element(c);
}

static double bytes(const struct bm_case *c) {
    return ((double)c->top_k + (double)c->k + 1) * written(c) + 8.0 * (double)bm_routed_pairs(c);
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 64;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "STREAMS", grouped ? 1 : 4);
    /* A step of decode has fewer tokens than there are units: they share one's row. */
    bm_parameters_set(parameters, "CHUNK", grouped ? 1 : c->m < target->compute_units ? 16 : 1024);
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "LANES", grouped ? 64 : 1);
    bm_parameters_set(parameters, "PREFETCH", !grouped);
    bm_parameters_set(parameters, "NONTEMPORAL", !grouped && !c->hot);
}

static void add_tensors(const struct bm_case *c, struct bm_plan *plan) {
    const enum bm_element element = c->dtype->activation;
    bm_plan_rotating_output(plan, "outputs", element, c->m * c->n);
    bm_plan_tensor(plan, "inputs", element, BM_ROLE_COLD, bm_routed_pairs(c) * c->n);
    bm_plan_tensor(plan, "weights", BM_ELEMENT_F32, BM_ROLE_HOT, bm_routed_pairs(c));
    bm_plan_tensor(plan, "routing", BM_ELEMENT_I32, BM_ROLE_TABLE, bm_routed_pairs(c));
    if (c->k)
        bm_plan_tensor(plan, "shared", element, BM_ROLE_COLD, c->m * c->n);
}

static enum bm_status plan_combine(const struct bm_case *c, const struct bm_target *target,
                                   const struct bm_parameters *given, struct bm_plan *plan,
                                   struct bm_error *error) {
    struct bm_parameters parameters;

    *plan = (struct bm_plan){0};
    uint64_t lanes;
    enum bm_status status = bm_rows_resolve(c, target, given, &parameters, &lanes, error);
    const uint64_t chunk = (uint64_t)bm_parameters_get(&parameters, "CHUNK", 0);
    if (status)
        return status;

    bm_plan_begin(plan, "elementwise.cl", lanes > 1 ? "group_chunks" : "item_chunks", "f32_vector",
                  &parameters);
    bm_rows_define(plan, c->dtype->activation, c->n);
    bm_rows_limit_streams(plan, c->n);
    const uint64_t width = (uint64_t)(bm_parameters_get(&plan->defines, "VEC", 1) *
                                      bm_parameters_get(&plan->defines, "STREAMS", 1));
    bm_parameters_set(&plan->defines, "CHOSEN", c->top_k);
    bm_parameters_set(&plan->defines, "SHARED", (int64_t)c->k);
    add_tensors(c, plan);
    struct bm_launch *launch = bm_plan_launch(plan, "combine", 2);
    launch->local[0] = lanes;
    launch->global[0] = bm_ceil_div(c->n, chunk * lanes * width) * lanes;
    launch->global[1] = c->m;
    for (unsigned t = OUTPUTS; t < plan->tensor_count; t++)
        bm_launch_tensor(launch, plan, t);
    bm_launch_pitch(launch, WEIGHTS, c->top_k);
    bm_launch_uint(launch, c->m);
    bm_launch_uint(launch, c->n);
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

static enum bm_status fill(const struct bm_case *c, const struct bm_plan *plan, unsigned t, uint64_t seed,
                           uint64_t draw, int32_t *table, struct bm_error *error) {
    uint64_t *first = bm_alloc((size_t)c->experts + 1, sizeof(*first));
    (void)plan;
    (void)t;
    if (!first)
        return bm_fail(error, BM_NO_MEMORY, "no memory to route %llu rows",
                       (unsigned long long)bm_routed_pairs(c));
    /* Numbers of rows are below 2^28. */
    const enum bm_status status = bm_route_rows(c, seed, draw, first, (uint32_t *)table, error);
    free(first);
    return status;
}

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    return bm_row_run_count(plan, c->m, c->n);
}

static enum bm_status check_combine(const struct bm_case *c, const struct bm_plan *plan,
                                    const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                    struct bm_check *check, struct bm_error *error) {
    double x[BM_CHECK_OUTPUTS], weight[CHOSEN_MAX], squares = (double)c->k;
    struct bm_row_run run;
    enum bm_status status = bm_row_run_begin(check, plan, c->m, c->n, seed, index, &run, error);
    if (status)
        return status;
    const int32_t *row_of = operands->table[ROUTING] + run.row * c->top_k;
    bm_values_gather(operands->values[WEIGHTS], operands->start[WEIGHTS] + run.row * c->top_k, 1, c->top_k,
                     weight);
    if (c->k)
        bm_values_gather(operands->values[SHARED], operands->start[SHARED] + check->first, 1, run.count,
                         check->expected);
    else
        memset(check->expected, 0, run.count * sizeof(*check->expected));
    for (uint32_t e = 0; e < c->top_k; e++) {
        bm_values_gather(operands->values[INPUTS],
                         operands->start[INPUTS] + (uint64_t)row_of[e] * c->n + run.column, 1, run.count, x);
        for (unsigned i = 0; i < run.count; i++)
            check->expected[i] += weight[e] * x[i];
        squares += weight[e] * weight[e];
    }
    check->scale = sqrt(squares); /* the standard deviation of such a sum of unit normals */
    return BM_OK;
}

/* A sum of top_k products rounds each partial sum; a lost term is far larger. */
static double tolerance(const struct bm_case *c) {
    return 8 * BM_F32_ROUNDOFF * (sqrt((double)c->top_k) + 4) + bm_output_roundoff(c->dtype->output);
}

const struct bm_workload bm_workload_combine = {
    .name = "combine",
    .summary = "weighted sum of the rows that a token's experts gave",
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .written = written,
    .safe_parameters = safe_parameters,
    .tunables = tunables,
    .tunable_count = BM_COUNT_OF(tunables),
    .plan = plan_combine,
    .fill = fill,
    .check_count = check_count,
    .check = check_combine,
    .tolerance = tolerance,
};
