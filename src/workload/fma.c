/* Arithmetic ceilings, one per pipe: n lanes (0: LANES) repeat a step of one multiply and one add k times (0:
 * STEPS); in dot products of several each, on matrix units of 16 (f16, bf16) or 32 (int8).
 *
 * F = 2 n k (i8_dot: 8 n k, bf16_dot: 4 n k, matrix units: 32 n k or 64 n k), operations on integers counted
 * like those on reals; B = 8 n: a seed read and a result written. kernels/fma.cl has the steps; those of
 * plain plans are the same for the vector pipes, and in fma_dot.c for the others. */
#include <string.h>

#include "fma.h"
#include "gemm.h"

/* 13 GFLOP: tens of milliseconds on a few CPU cores. LANES is 3 x 2^19, so that it divides into 12 chains of
 * 16 as into 8 of 1. */
#define LANES        (UINT64_C(3) << 19)
#define STEPS        4096
#define MATRIX_UNITS "NVIDIA's mma.sync"
#define I8_FEATURE   "dot product of 8-bit integers (cl_khr_integer_dot_product)"

static const struct {
    const char *name;
    double operations;     /* of a step and lane */
    uint32_t arguments[3]; /* the kernel's multiplier and addends */
} pipes[] = {
    [BM_FMA_F32] = {"f32_vector", 2, {0}},
    [BM_FMA_F64] = {"f64_vector", 2, {0}},
    [BM_FMA_F16] = {"f16_vector", 2, {1, BM_FMA_F16_ADDEND, BM_FMA_F16_OTHER}},
    [BM_FMA_I32] = {"i32_vector", 2, {BM_FMA_I32_FACTOR, BM_FMA_I32_ADDEND}},
    [BM_FMA_I8_DOT] = {"i8_dot", 8, {0}},
    [BM_FMA_F16_MATRIX] = {"f16_matrix", 32, {0}},
    [BM_FMA_BF16_MATRIX] = {"bf16_matrix", 32, {0}},
    [BM_FMA_I8_MATRIX] = {"i8_matrix", 64, {0}},
    [BM_FMA_BF16_DOT] = {"bf16_dot", 4, {0}},
};

static const struct bm_tunable tunables[] = {
    {"CHAINS", 1, 32, false},
    {"VEC", 1, 16, true},
    {"GROUP", 1, 1024, true},
    {"DOT", 0, 2, false},
    {"MATRIX_UNIT", BM_UNIT_NONE, BM_UNIT_NVIDIA_MMA, false},
};

/* BM_COUNT_OF(pipes): none. */
static size_t find_pipe(const char *op) {
    size_t pipe = 0;
    while (pipe < BM_COUNT_OF(pipes) && strcmp(pipes[pipe].name, op) != 0)
        pipe++;
    return pipe;
}

enum bm_fma_pipe bm_fma_pipe_of(const struct bm_case *c) {
    const size_t pipe = find_pipe(c->op);
    return pipe < BM_COUNT_OF(pipes) ? (enum bm_fma_pipe)pipe : BM_FMA_F32;
}

static uint64_t lanes_of(const struct bm_case *c) {
    return c->n ? c->n : LANES;
}

static uint64_t steps_of(const struct bm_case *c) {
    return c->k ? c->k : STEPS;
}

unsigned bm_fma_depth(const struct bm_case *c) {
    return (unsigned)pipes[bm_fma_pipe_of(c)].operations / 2;
}

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    if (find_pipe(c->op) == BM_COUNT_OF(pipes))
        return bm_fail(error, BM_INVALID,
                       "fma has no op '%s', only f32_vector, f64_vector, f16_vector, i32_vector, i8_dot, "
                       "bf16_dot, f16_matrix, bf16_matrix and i8_matrix",
                       c->op);
    if (c->n > BM_DIMENSION_MAX || c->k > STEPS)
        return bm_fail(error, BM_INVALID, "fma: at most %llu lanes and %d steps",
                       (unsigned long long)BM_DIMENSION_MAX, STEPS);
    if (bm_fma_pipe_of(c) == BM_FMA_F16 && c->k % 2)
        return bm_fail(error, BM_INVALID, "fma: f16_vector takes an even number of steps");
    return BM_OK;
}

static void shape(const struct bm_case *c, struct bm_text *text) {
    (void)c;
    bm_text_append(text, "-");
}

static double flops(const struct bm_case *c) {
    return pipes[bm_fma_pipe_of(c)].operations * (double)lanes_of(c) * (double)steps_of(c);
}

static double bytes(const struct bm_case *c) {
    return 8.0 * (double)lanes_of(c);
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 64;
    const enum bm_fma_pipe pipe = bm_fma_pipe_of(c);
    const bool matrix = bm_fma_is_matrix(pipe);
    const int64_t vec = matrix ? BM_FMA_MATRIX_VEC : pipe == BM_FMA_F16 ? 2 : 1;
    const int64_t wide = matrix ? BM_FMA_MATRIX_VEC : pipe == BM_FMA_F64 ? 8 : 16;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "CHAINS", grouped ? 8 : 12);
    bm_parameters_set(parameters, "VEC", grouped ? vec : wide);
    bm_parameters_set(parameters, "GROUP", grouped ? 64 : matrix ? BM_FMA_WARP : 1);
    bm_parameters_set(parameters, "DOT", 0);
    bm_parameters_set(parameters, "MATRIX_UNIT",
                      !matrix                  ? BM_UNIT_NONE
                      : target->has_nvidia_mma ? BM_UNIT_NVIDIA_MMA
                                               : BM_UNIT_EMULATED);
}

/* Chains must hide the latency of a step and still fit the registers: 32 of 16 floats (AVX-512), 16 of 8
 * (AVX2), 32 of 4 (NEON), a few hundred of 1 on a GPU. DOT: the standard's way, then NVIDIA's. */
static size_t candidates(const struct bm_case *c, const struct bm_target *target, struct bm_parameters *out,
                         size_t capacity) {
    enum { WIDTH = BM_COUNT_OF(tunables) };
    static const int64_t cpu[][WIDTH] = {
        {12, 16, 1, 0, 0}, {16, 16, 1, 0, 0}, {12, 8, 1, 0, 0}, {24, 4, 1, 0, 0}};
    static const int64_t cpu_f64[][WIDTH] = {
        {12, 8, 1, 0, 0}, {16, 8, 1, 0, 0}, {12, 4, 1, 0, 0}, {24, 2, 1, 0, 0}};
    static const int64_t gpu[][WIDTH] = {
        {8, 1, 256, 0, 0}, {16, 1, 256, 0, 0}, {4, 1, 256, 0, 0}, {4, 2, 256, 0, 0}, {4, 4, 256, 0, 0}};
    static const int64_t gpu_f16[][WIDTH] = {
        {8, 2, 256, 0, 0}, {16, 2, 256, 0, 0}, {4, 2, 256, 0, 0}, {8, 1, 256, 0, 0}, {4, 4, 256, 0, 0}};
    static const int64_t mma[][WIDTH] = {{4, BM_FMA_MATRIX_VEC, 256, 0, BM_UNIT_NVIDIA_MMA},
                                         {8, BM_FMA_MATRIX_VEC, 256, 0, BM_UNIT_NVIDIA_MMA},
                                         {16, BM_FMA_MATRIX_VEC, 256, 0, BM_UNIT_NVIDIA_MMA},
                                         {8, BM_FMA_MATRIX_VEC, 128, 0, BM_UNIT_NVIDIA_MMA}};
    static const int64_t gpu_dot[][WIDTH] = {
        {8, 1, 256, 0, 0}, {16, 1, 256, 0, 0}, {8, 1, 256, 1, 0}, {16, 1, 256, 1, 0}};
#define OFFER(rows)                                                                                          \
    return bm_tunables_candidates(tunables, WIDTH, (rows)[0], BM_COUNT_OF(rows), out, capacity)
    const enum bm_fma_pipe pipe = bm_fma_pipe_of(c);
    if (target->is_gpu && target->max_group_items < 256)
        return 0;
    if (bm_fma_is_matrix(pipe))
        OFFER(mma);
    if (pipe == BM_FMA_I8_DOT && target->is_gpu)
        OFFER(gpu_dot);
    if (pipe == BM_FMA_F16 && target->is_gpu)
        OFFER(gpu_f16);
    if (target->is_gpu)
        OFFER(gpu);
    if (pipe == BM_FMA_F64)
        OFFER(cpu_f64);
    OFFER(cpu);
#undef OFFER
}

static enum bm_status check_target(enum bm_fma_pipe pipe, const struct bm_target *target,
                                   struct bm_error *error) {
    if (pipe == BM_FMA_BF16_DOT)
        return bm_fail(error, BM_UNSUPPORTED, "OpenCL C has no instruction for %s", pipes[pipe].name);
    if (pipe == BM_FMA_F64 && !target->has_fp64)
        return bm_fail(error, BM_UNSUPPORTED, "the device has no double precision (cl_khr_fp64)");
    if (pipe == BM_FMA_F16 && !target->has_fp16)
        return bm_fail(error, BM_UNSUPPORTED, "the device has no arithmetic in f16 (cl_khr_fp16)");
    /* A GPU's compiler may have its own way; whether it does, a build tells. */
    if (pipe == BM_FMA_I8_DOT && !target->has_integer_dot && !target->is_gpu)
        return bm_fail(error, BM_UNSUPPORTED, "the device has no " I8_FEATURE);
    if (bm_fma_is_matrix(pipe) && target->max_group_items < BM_FMA_WARP)
        return bm_fail(error, BM_UNSUPPORTED, "the device has no groups of %d work-items", BM_FMA_WARP);
    if (bm_fma_is_matrix(pipe) && !target->has_nvidia_mma && !target->emulates_matrix_unit)
        return bm_fail(error, BM_UNSUPPORTED,
                       "the device has no matrix unit with a kernel here (" MATRIX_UNITS ")");
    return BM_OK;
}

/* A matrix pipe: a unit that is there, in the only shape it has, whatever the other pipes' parameters are. */
static enum bm_status fit_unit(enum bm_fma_pipe pipe, const struct bm_target *target,
                               struct bm_parameters *parameters, struct bm_error *error) {
    const int64_t unit = bm_parameters_get(parameters, "MATRIX_UNIT", BM_UNIT_NONE);
    const bool has = (unit == BM_UNIT_NVIDIA_MMA && target->has_nvidia_mma) ||
                     (unit == BM_UNIT_EMULATED && target->emulates_matrix_unit);
    if (bm_fma_is_matrix(pipe) ? !has : unit != BM_UNIT_NONE)
        return bm_fail(error, BM_INVALID, "fma: MATRIX_UNIT %lld does not serve %s on this device",
                       (long long)unit, pipes[pipe].name);
    if (bm_fma_is_matrix(pipe)) {
        bm_parameters_set(parameters, "VEC", BM_FMA_MATRIX_VEC);
        if (bm_parameters_get(parameters, "GROUP", 0) < BM_FMA_WARP) /* a power of two */
            bm_parameters_set(parameters, "GROUP", BM_FMA_WARP);
    }
    return BM_OK;
}

static enum bm_status plan_fma(const struct bm_case *c, const struct bm_target *target,
                               const struct bm_parameters *given, struct bm_plan *plan,
                               struct bm_error *error) {
    struct bm_parameters safe, parameters;

    *plan = (struct bm_plan){0};
    enum bm_status status = validate(c, error);
    if (!status)
        status = check_target(bm_fma_pipe_of(c), target, error);
    if (status)
        return status;
    safe_parameters(c, target, &safe);
    status = bm_tunables_resolve("fma", tunables, BM_COUNT_OF(tunables), &safe, given, &parameters, error);
    if (status)
        return status;
    status = fit_unit(bm_fma_pipe_of(c), target, &parameters, error);
    if (status)
        return status;
    const uint64_t chains = (uint64_t)bm_parameters_get(&parameters, "CHAINS", 0);
    const uint64_t vec = (uint64_t)bm_parameters_get(&parameters, "VEC", 0);
    const uint64_t group = (uint64_t)bm_parameters_get(&parameters, "GROUP", 0);
    status = bm_tunables_check_group("fma", (int64_t)group, target, error);
    if (status)
        return status;

    const enum bm_fma_pipe pipe = bm_fma_pipe_of(c);
    bm_plan_begin(plan, "fma.cl", "chains", pipes[pipe].name, &parameters);
    bm_parameters_set(&plan->defines, "PIPE", pipe);
    if (pipe == BM_FMA_I8_DOT)
        plan->feature = I8_FEATURE;
    bm_plan_tensor(plan, "seeds", BM_ELEMENT_F32, BM_ROLE_HOT, lanes_of(c));
    bm_plan_tensor(plan, "results", BM_ELEMENT_F32, BM_ROLE_OUTPUT, lanes_of(c));
    struct bm_launch *launch = bm_plan_launch(plan, "fma_chains", 1);
    launch->local[0] = group;
    launch->global[0] = bm_ceil_div(lanes_of(c), chains * vec * group) * group;
    bm_launch_tensor(launch, plan, BM_FMA_SEEDS);
    bm_launch_tensor(launch, plan, BM_FMA_RESULTS);
    bm_launch_uint(launch, lanes_of(c));
    bm_launch_uint(launch, steps_of(c));
    for (size_t i = 0; i < BM_COUNT_OF(pipes[pipe].arguments); i++)
        bm_launch_uint(launch, pipes[pipe].arguments[i]);
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

/* The tensors alone. */
static enum bm_status plain_fma(const struct bm_case *c, struct bm_plan *plan, struct bm_error *error) {
    const struct bm_parameters none = {0};
    *plan = (struct bm_plan){0};
    enum bm_status status = validate(c, error);
    if (status)
        return status;
    bm_plan_begin(plan, NULL, "plain", pipes[bm_fma_pipe_of(c)].name, &none);
    plan->plain = true;
    bm_plan_tensor(plan, "seeds", BM_ELEMENT_F32, BM_ROLE_HOT, lanes_of(c));
    bm_plan_tensor(plan, "results", BM_ELEMENT_F32, BM_ROLE_OUTPUT, lanes_of(c));
    return BM_OK;
}

void bm_fma_size(const struct bm_case *c, uint64_t *lanes, uint64_t *steps) {
    *lanes = lanes_of(c);
    *steps = steps_of(c);
}

const struct bm_workload bm_workload_fma = {
    .name = "fma",
    .summary = "ceiling: multiply-add of a pipe",
    .is_ceiling = true,
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .safe_parameters = safe_parameters,
    .candidates = candidates,
    .plan = plan_fma,
    .plain = plain_fma,
    .check_count = bm_fma_check_count,
    .check = bm_fma_check,
    .tolerance = bm_fma_tolerance,
};
