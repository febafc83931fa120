/* Softmax of m rows of n logits, as before sampling from a vocabulary: p = e^(x - max) / sum of them. Outputs
 * are f32 whatever the logits are: one of 128000 equal probabilities is no normal number of f16.
 *
 * F = 4 m n: a difference, an exponential, a sum, a product. B = m n (e + 4): each logit is read from memory
 * once; what is read again, for the maximum before the sum and for the output after it, lies in a cache.
 * Inputs are cold, and outputs rotate. */
#include <math.h>
#include <stdlib.h>

#include "internal.h"

enum { OUTPUTS, INPUTS, PARTS };

static const struct bm_tunable tunables[] = {{"CHUNK", 1, 4096, false}, {"STREAMS", 1, 8, true},
                                             {"WHOLE", 0, 1, false},    {"VEC", 1, 16, true},
                                             {"LANES", 1, 1024, true},  {"NONTEMPORAL", 0, 1, false}};

static double flops(const struct bm_case *c) {
    return 4.0 * (double)c->m * (double)c->n;
}

static double written(const struct bm_case *c) {
    return sizeof(float) * (double)c->m * (double)c->n;
}

static double bytes(const struct bm_case *c) {
    return (bm_rows_element(c) + sizeof(float)) * (double)c->m * (double)c->n;
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 256 && target->local_bytes >= 2048;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "CHUNK", grouped ? 4 : 64);
    bm_parameters_set(parameters, "STREAMS", grouped ? 1 : 4);
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "LANES", grouped ? 256 : 1);
    bm_parameters_set(parameters, "WHOLE", c->m >= UINT64_C(4) * target->compute_units);
    bm_parameters_set(parameters, "NONTEMPORAL", !grouped && !c->hot);
}

static enum bm_status plan_softmax(const struct bm_case *c, const struct bm_target *target,
                                   const struct bm_parameters *given, struct bm_plan *plan,
                                   struct bm_error *error) {
    struct bm_parameters parameters;

    *plan = (struct bm_plan){0};
    uint64_t lanes;
    enum bm_status status = bm_rows_resolve(c, target, given, &parameters, &lanes, error);
    const uint64_t chunk = (uint64_t)bm_parameters_get(&parameters, "CHUNK", 0);
    const bool whole = bm_parameters_get(&parameters, "WHOLE", 0) != 0;
    if (!status && lanes > 1)
        status = bm_tunables_check_local("softmax", lanes * sizeof(float), target, error);
    if (status)
        return status;

    bm_plan_begin(plan, "softmax.cl",
                  whole       ? (lanes > 1 ? "group_rows" : "item_rows")
                  : lanes > 1 ? "group_parts"
                              : "item_parts",
                  "f32_vector", &parameters);
    bm_rows_define(plan, c->dtype->activation, c->n);
    bm_rows_limit_streams(plan, c->n);
    const uint64_t width = (uint64_t)(bm_parameters_get(&plan->defines, "VEC", 1) *
                                      bm_parameters_get(&plan->defines, "STREAMS", 1));
    const uint64_t parts = bm_ceil_div(c->n, chunk * lanes * width);
    bm_plan_rotating_output(plan, "outputs", BM_ELEMENT_F32, c->m * c->n);
    bm_plan_tensor(plan, "inputs", c->dtype->activation, BM_ROLE_COLD, c->m * c->n);
    if (whole) {
        struct bm_launch *launch = bm_plan_launch(plan, "softmax_rows", 1);
        launch->global[0] = c->m * lanes;
        bm_launch_tensor(launch, plan, OUTPUTS);
        bm_launch_tensor(launch, plan, INPUTS);
    } else {
        bm_plan_tensor(plan, "parts", BM_ELEMENT_F32, BM_ROLE_SCRATCH, c->m * parts * 2);
        struct bm_launch *reduce = bm_plan_launch(plan, "softmax_parts", 2);
        bm_launch_tensor(reduce, plan, INPUTS);
        bm_launch_tensor(reduce, plan, PARTS);
        struct bm_launch *finish = bm_plan_launch(plan, "softmax", 2);
        for (unsigned t = OUTPUTS; t <= PARTS; t++)
            bm_launch_tensor(finish, plan, t);
        for (unsigned l = 0; l < plan->launch_count; l++) {
            plan->launches[l].global[0] = parts * lanes;
            plan->launches[l].global[1] = c->m;
        }
    }
    for (unsigned l = 0; l < plan->launch_count; l++) {
        plan->launches[l].local[0] = lanes;
        bm_launch_uint(&plan->launches[l], c->n);
    }
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    return bm_row_run_count(plan, c->m, c->n);
}

static enum bm_status check_softmax(const struct bm_case *c, const struct bm_plan *plan,
                                    const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                    struct bm_check *check, struct bm_error *error) {
    struct bm_row_run run;
    double maximum = -(double)INFINITY, sum = 0;
    enum bm_status status = bm_row_run_begin(check, plan, c->m, c->n, seed, index, &run, error);
    if (status)
        return status;
    double *x = bm_alloc((size_t)c->n, sizeof(*x));
    if (!x)
        return bm_fail(error, BM_NO_MEMORY, "no memory to check %llu logits", (unsigned long long)c->n);
    bm_values_gather(operands->values[INPUTS], operands->start[INPUTS] + run.row * c->n, 1, (size_t)c->n, x);
    for (uint64_t i = 0; i < c->n; i++)
        maximum = fmax(maximum, x[i]);
    for (uint64_t i = 0; i < c->n; i++)
        sum += exp(x[i] - maximum);
    for (unsigned i = 0; i < run.count; i++)
        check->expected[i] = exp(x[run.column + i] - maximum) / sum;
    check->scale = 1 / (double)c->n;
    free(x);
    return BM_OK;
}

/* A sum of positive terms errs by 0.3 u times the root of its longest chain of additions, that of one
 * work-item, a fraction of n; an exponential by 3 ulp, and by the rounding of its argument, a few units. */
static double tolerance(const struct bm_case *c) {
    return BM_F32_ROUNDOFF * (64 + sqrt((double)c->n) / 8);
}

const struct bm_workload bm_workload_softmax = {
    .name = "softmax",
    .summary = "softmax of rows, such as the vocabulary's",
    .reference = "float64",
    .validate = bm_rows_validate,
    .shape = bm_rows_shape,
    .flops = flops,
    .bytes = bytes,
    .written = written,
    .safe_parameters = safe_parameters,
    .tunables = tunables,
    .tunable_count = BM_COUNT_OF(tunables),
    .plan = plan_softmax,
    .check_count = check_count,
    .check = check_softmax,
    .tolerance = tolerance,
};
