/* Arithmetic ceiling: n lanes (0: LANES) repeat x = FACTOR x + ADDEND k times (0: STEPS).
 *
 * F = 2 n k, all of them the multiplies and adds of the recurrence; B = 8 n: a seed read and a result
 * written. */
#include <math.h>
#include <string.h>

#include "internal.h"

enum { SEEDS, RESULTS };
/* 13 GFLOP: tens of milliseconds on a few CPU cores, some tenths of one on a large GPU. LANES is 3 x 2^19, so
 * that it divides into 12 chains of 16 as into 8 of 1. */
#define LANES  (UINT64_C(3) << 19)
#define STEPS  4096
#define FACTOR (-(1 - 0x1p-12))
#define ADDEND 1.0

static const struct bm_tunable tunables[] = {
    {"CHAINS", 1, 32, false},
    {"VEC", 1, 16, true},
    {"GROUP", 1, 1024, true},
};

static uint64_t lanes_of(const struct bm_case *c) {
    return c->n ? c->n : LANES;
}

static uint64_t steps_of(const struct bm_case *c) {
    return c->k ? c->k : STEPS;
}

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    if (strcmp(c->op, "f32_vector") != 0)
        return bm_fail(error, BM_INVALID, "fma has no op '%s', only f32_vector", c->op);
    if (c->n > BM_DIMENSION_MAX || c->k > STEPS)
        return bm_fail(error, BM_INVALID, "fma: at most %llu lanes and %d steps",
                       (unsigned long long)BM_DIMENSION_MAX, STEPS);
    return BM_OK;
}

static void shape(const struct bm_case *c, struct bm_text *text) {
    (void)c;
    bm_text_append(text, "-");
}

static double flops(const struct bm_case *c) {
    return 2.0 * (double)lanes_of(c) * (double)steps_of(c);
}

static double bytes(const struct bm_case *c) {
    return 8.0 * (double)lanes_of(c);
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 64;
    (void)c;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "CHAINS", grouped ? 8 : 12);
    bm_parameters_set(parameters, "VEC", grouped ? 1 : 16);
    bm_parameters_set(parameters, "GROUP", grouped ? 64 : 1);
}

/* Chains must hide the latency of an FMA on every pipe and still fit the registers: 32 of 16 floats
 * (AVX-512), 16 of 8 (AVX2), 32 of 4 (NEON), a few hundred of 1 on a GPU. */
static size_t candidates(const struct bm_case *c, const struct bm_target *target, struct bm_parameters *out,
                         size_t capacity) {
    static const int64_t cpu[][BM_COUNT_OF(tunables)] = {{12, 16, 1}, {24, 16, 1}, {12, 8, 1}, {24, 4, 1}};
    static const int64_t gpu[][BM_COUNT_OF(tunables)] = {{8, 1, 256}, {16, 1, 256}, {4, 4, 256}, {4, 1, 256}};
    (void)c;
    if (!target->is_gpu)
        return bm_tunables_candidates(tunables, BM_COUNT_OF(tunables), cpu[0], BM_COUNT_OF(cpu), out,
                                      capacity);
    if (target->max_group_items >= 256)
        return bm_tunables_candidates(tunables, BM_COUNT_OF(tunables), gpu[0], BM_COUNT_OF(gpu), out,
                                      capacity);
    return 0;
}

static enum bm_status plan_fma(const struct bm_case *c, const struct bm_target *target,
                               const struct bm_parameters *given, struct bm_plan *plan,
                               struct bm_error *error) {
    struct bm_parameters safe, parameters;

    *plan = (struct bm_plan){0};
    enum bm_status status = validate(c, error);
    if (status)
        return status;
    safe_parameters(c, target, &safe);
    status = bm_tunables_resolve("fma", tunables, BM_COUNT_OF(tunables), &safe, given, &parameters, error);
    if (status)
        return status;
    const uint64_t chains = (uint64_t)bm_parameters_get(&parameters, "CHAINS", 0);
    const uint64_t vec = (uint64_t)bm_parameters_get(&parameters, "VEC", 0);
    const uint64_t group = (uint64_t)bm_parameters_get(&parameters, "GROUP", 0);
    status = bm_tunables_check_group("fma", (int64_t)group, target, error);
    if (status)
        return status;

    bm_plan_begin(plan, "fma.cl", "chains", "f32_vector", &parameters);
    bm_plan_tensor(plan, "seeds", BM_ELEMENT_F32, BM_ROLE_HOT, lanes_of(c));
    bm_plan_tensor(plan, "results", BM_ELEMENT_F32, BM_ROLE_OUTPUT, lanes_of(c));
    struct bm_launch *launch = bm_plan_launch(plan, "fma_chains", 1);
    launch->local[0] = group;
    launch->global[0] = bm_ceil_div(lanes_of(c), chains * vec * group) * group;
    bm_launch_tensor(launch, plan, SEEDS);
    bm_launch_tensor(launch, plan, RESULTS);
    bm_launch_uint(launch, lanes_of(c));
    bm_launch_uint(launch, steps_of(c));
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    (void)plan;
    return bm_ceil_div(lanes_of(c), BM_CHECK_OUTPUTS);
}

/* The recurrence in closed form: it swings around f = ADDEND / (1 - FACTOR), x_k = f + FACTOR^k (x_0 - f). */
static enum bm_status check_fma(const struct bm_case *c, const struct bm_plan *plan,
                                const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                struct bm_check *check, struct bm_error *error) {
    (void)seed;
    enum bm_status status = bm_check_begin(check, index, check_count(c, plan), error);
    if (status)
        return status;
    const double fixed = ADDEND / (1 - FACTOR), factor = pow(FACTOR, (double)steps_of(c));
    const uint64_t left = lanes_of(c) - index * BM_CHECK_OUTPUTS;
    check->first = index * BM_CHECK_OUTPUTS;
    check->count = (unsigned)(left < BM_CHECK_OUTPUTS ? left : BM_CHECK_OUTPUTS);
    bm_values_gather(operands->values[SEEDS], operands->start[SEEDS] + check->first, 1, check->count,
                     check->expected);
    for (unsigned i = 0; i < check->count; i++)
        check->expected[i] = fixed + factor * (check->expected[i] - fixed);
    return BM_OK;
}

/* |FACTOR| < 1, so a rounding error never grows: k of them, each up to u of a value of size 1, add to u
 * sqrt(k) when independent. They are not quite, as every second step rounds alike: ten times that was seen,
 * and devices that round the product too may show twice as much. One missing step changes a result by about
 * its own size, ten by a thousandth of it; both are seen. */
static double tolerance(const struct bm_case *c) {
    return 40 * BM_F32_ROUNDOFF * (sqrt((double)steps_of(c)) + 1);
}

const struct bm_workload bm_workload_fma = {
    .name = "fma",
    .summary = "ceiling: f32 multiply-add",
    .is_ceiling = true,
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .safe_parameters = safe_parameters,
    .candidates = candidates,
    .plan = plan_fma,
    .check_count = check_count,
    .check = check_fma,
    .tolerance = tolerance,
};
