/* Arithmetic ceilings, one per pipe: n lanes (0: LANES) repeat a step of one multiply and one add k times (0:
 * STEPS); in dot products of several each, on matrix units of 16 (f16, bf16) or 32 (int8).
 *
 * F = 2 n k (i8_dot: 8 n k, bf16_dot: 4 n k, matrix units: 32 n k or 64 n k), operations on integers counted
 * like those on reals; B = 8 n: a seed read and a result written. kernels/fma.cl has the steps; those of
 * plain plans are the same for the vector pipes, and in fma_dot.c for the others. */
#include <math.h>
#include <string.h>

#include "gemm.h"

enum { SEEDS, RESULTS };
/* 13 GFLOP: tens of milliseconds on a few CPU cores. LANES is 3 x 2^19, so that it divides into 12 chains of
 * 16 as into 8 of 1. */
#define LANES  (UINT64_C(3) << 19)
#define STEPS  4096
#define FACTOR (-(1 - 0x1p-12))
#define ADDEND 1.0
/* f16: two steps make x of it, -x - F16_ADDEND, then x + F16_ADDEND - F16_OTHER; exact, as all are whole
 * numbers below 2048. */
enum { F16_ADDEND = 1, F16_OTHER = 0, F16_LOW = -512, F16_HIGH = 511, F16_CENTRE = -1024 };
/* i32: a generator modulo 2^32 (Numerical Recipes, 3rd edition, 7.1.2). */
#define I32_FACTOR UINT32_C(1664525)
#define I32_ADDEND UINT32_C(1013904223)
/* i8_dot: one of four starts, so that the reference is quick. */
enum { I8_STARTS = 4 };
#define I8_START     UINT32_C(0x9E3779B9)
#define MATRIX_UNITS "NVIDIA's mma.sync"
#define I8_FEATURE   "dot product of 8-bit integers (cl_khr_integer_dot_product)"
static const int32_t i8_weights[4] = {-101, 79, -77, 109};

enum pipe {
    F32,
    F64,
    F16,
    I32,
    I8_DOT,
    F16_MATRIX,
    BF16_MATRIX,
    I8_MATRIX,
    BF16_DOT /* of a backend's own kernels alone */
};           /* as kernels/fma.cl numbers them */
/* Sums that a work-item of a matrix unit has, work-items that share one instruction, rows and columns of it.
 */
enum { MATRIX_VEC = 4, WARP = 32, MATRIX_M = 16, MATRIX_N = 8 };
static const struct {
    const char *name;
    double operations;     /* of a step and lane */
    uint32_t arguments[3]; /* the kernel's multiplier and addends */
} pipes[] = {
    [F32] = {"f32_vector", 2, {0}},
    [F64] = {"f64_vector", 2, {0}},
    [F16] = {"f16_vector", 2, {1, F16_ADDEND, F16_OTHER}},
    [I32] = {"i32_vector", 2, {I32_FACTOR, I32_ADDEND}},
    [I8_DOT] = {"i8_dot", 8, {0}},
    [F16_MATRIX] = {"f16_matrix", 32, {0}},
    [BF16_MATRIX] = {"bf16_matrix", 32, {0}},
    [I8_MATRIX] = {"i8_matrix", 64, {0}},
    [BF16_DOT] = {"bf16_dot", 4, {0}},
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

/* Of a valid case. */
static enum pipe pipe_of(const struct bm_case *c) {
    const size_t pipe = find_pipe(c->op);
    return pipe < BM_COUNT_OF(pipes) ? (enum pipe)pipe : F32;
}

static bool is_matrix(enum pipe pipe) {
    return pipe >= F16_MATRIX && pipe <= I8_MATRIX;
}

static uint64_t lanes_of(const struct bm_case *c) {
    return c->n ? c->n : LANES;
}

static uint64_t steps_of(const struct bm_case *c) {
    return c->k ? c->k : STEPS;
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
    if (pipe_of(c) == F16 && c->k % 2)
        return bm_fail(error, BM_INVALID, "fma: f16_vector takes an even number of steps");
    return BM_OK;
}

static void shape(const struct bm_case *c, struct bm_text *text) {
    (void)c;
    bm_text_append(text, "-");
}

static double flops(const struct bm_case *c) {
    return pipes[pipe_of(c)].operations * (double)lanes_of(c) * (double)steps_of(c);
}

static double bytes(const struct bm_case *c) {
    return 8.0 * (double)lanes_of(c);
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 64;
    const int64_t vec = is_matrix(pipe_of(c)) ? MATRIX_VEC : pipe_of(c) == F16 ? 2 : 1;
    const int64_t wide = is_matrix(pipe_of(c)) ? MATRIX_VEC : pipe_of(c) == F64 ? 8 : 16;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "CHAINS", grouped ? 8 : 12);
    bm_parameters_set(parameters, "VEC", grouped ? vec : wide);
    bm_parameters_set(parameters, "GROUP", grouped ? 64 : is_matrix(pipe_of(c)) ? WARP : 1);
    bm_parameters_set(parameters, "DOT", 0);
    bm_parameters_set(parameters, "MATRIX_UNIT",
                      !is_matrix(pipe_of(c))   ? BM_UNIT_NONE
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
    static const int64_t mma[][WIDTH] = {{4, MATRIX_VEC, 256, 0, BM_UNIT_NVIDIA_MMA},
                                         {8, MATRIX_VEC, 256, 0, BM_UNIT_NVIDIA_MMA},
                                         {16, MATRIX_VEC, 256, 0, BM_UNIT_NVIDIA_MMA},
                                         {8, MATRIX_VEC, 128, 0, BM_UNIT_NVIDIA_MMA}};
    static const int64_t gpu_dot[][WIDTH] = {
        {8, 1, 256, 0, 0}, {16, 1, 256, 0, 0}, {8, 1, 256, 1, 0}, {16, 1, 256, 1, 0}};
#define OFFER(rows)                                                                                          \
    return bm_tunables_candidates(tunables, WIDTH, (rows)[0], BM_COUNT_OF(rows), out, capacity)
    const enum pipe pipe = pipe_of(c);
    if (target->is_gpu && target->max_group_items < 256)
        return 0;
    if (is_matrix(pipe))
        OFFER(mma);
    if (pipe == I8_DOT && target->is_gpu)
        OFFER(gpu_dot);
    if (pipe == F16 && target->is_gpu)
        OFFER(gpu_f16);
    if (target->is_gpu)
        OFFER(gpu);
    if (pipe == F64)
        OFFER(cpu_f64);
    OFFER(cpu);
#undef OFFER
}

static enum bm_status check_target(enum pipe pipe, const struct bm_target *target, struct bm_error *error) {
    if (pipe == BF16_DOT)
        return bm_fail(error, BM_UNSUPPORTED, "OpenCL C has no instruction for %s", pipes[pipe].name);
    if (pipe == F64 && !target->has_fp64)
        return bm_fail(error, BM_UNSUPPORTED, "the device has no double precision (cl_khr_fp64)");
    if (pipe == F16 && !target->has_fp16)
        return bm_fail(error, BM_UNSUPPORTED, "the device has no arithmetic in f16 (cl_khr_fp16)");
    /* A GPU's compiler may have its own way; whether it does, a build tells. */
    if (pipe == I8_DOT && !target->has_integer_dot && !target->is_gpu)
        return bm_fail(error, BM_UNSUPPORTED, "the device has no " I8_FEATURE);
    if (is_matrix(pipe) && target->max_group_items < WARP)
        return bm_fail(error, BM_UNSUPPORTED, "the device has no groups of %d work-items", WARP);
    if (is_matrix(pipe) && !target->has_nvidia_mma && !target->emulates_matrix_unit)
        return bm_fail(error, BM_UNSUPPORTED,
                       "the device has no matrix unit with a kernel here (" MATRIX_UNITS ")");
    return BM_OK;
}

/* A matrix pipe: a unit that is there, in the only shape it has, whatever the other pipes' parameters are. */
static enum bm_status fit_unit(enum pipe pipe, const struct bm_target *target,
                               struct bm_parameters *parameters, struct bm_error *error) {
    const int64_t unit = bm_parameters_get(parameters, "MATRIX_UNIT", BM_UNIT_NONE);
    const bool has = (unit == BM_UNIT_NVIDIA_MMA && target->has_nvidia_mma) ||
                     (unit == BM_UNIT_EMULATED && target->emulates_matrix_unit);
    if (is_matrix(pipe) ? !has : unit != BM_UNIT_NONE)
        return bm_fail(error, BM_INVALID, "fma: MATRIX_UNIT %lld does not serve %s on this device",
                       (long long)unit, pipes[pipe].name);
    if (is_matrix(pipe)) {
        bm_parameters_set(parameters, "VEC", MATRIX_VEC);
        if (bm_parameters_get(parameters, "GROUP", 0) < WARP) /* a power of two */
            bm_parameters_set(parameters, "GROUP", WARP);
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
        status = check_target(pipe_of(c), target, error);
    if (status)
        return status;
    safe_parameters(c, target, &safe);
    status = bm_tunables_resolve("fma", tunables, BM_COUNT_OF(tunables), &safe, given, &parameters, error);
    if (status)
        return status;
    status = fit_unit(pipe_of(c), target, &parameters, error);
    if (status)
        return status;
    const uint64_t chains = (uint64_t)bm_parameters_get(&parameters, "CHAINS", 0);
    const uint64_t vec = (uint64_t)bm_parameters_get(&parameters, "VEC", 0);
    const uint64_t group = (uint64_t)bm_parameters_get(&parameters, "GROUP", 0);
    status = bm_tunables_check_group("fma", (int64_t)group, target, error);
    if (status)
        return status;

    const enum pipe pipe = pipe_of(c);
    bm_plan_begin(plan, "fma.cl", "chains", pipes[pipe].name, &parameters);
    bm_parameters_set(&plan->defines, "PIPE", pipe);
    if (pipe == I8_DOT)
        plan->feature = I8_FEATURE;
    bm_plan_tensor(plan, "seeds", BM_ELEMENT_F32, BM_ROLE_HOT, lanes_of(c));
    bm_plan_tensor(plan, "results", BM_ELEMENT_F32, BM_ROLE_OUTPUT, lanes_of(c));
    struct bm_launch *launch = bm_plan_launch(plan, "fma_chains", 1);
    launch->local[0] = group;
    launch->global[0] = bm_ceil_div(lanes_of(c), chains * vec * group) * group;
    bm_launch_tensor(launch, plan, SEEDS);
    bm_launch_tensor(launch, plan, RESULTS);
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
    bm_plan_begin(plan, NULL, "plain", pipes[pipe_of(c)].name, &none);
    plan->plain = true;
    bm_plan_tensor(plan, "seeds", BM_ELEMENT_F32, BM_ROLE_HOT, lanes_of(c));
    bm_plan_tensor(plan, "results", BM_ELEMENT_F32, BM_ROLE_OUTPUT, lanes_of(c));
    return BM_OK;
}

void bm_fma_size(const struct bm_case *c, uint64_t *lanes, uint64_t *steps) {
    *lanes = lanes_of(c);
    *steps = steps_of(c);
}

/* ---- reference: each lane's steps in closed form, or simulated where there is none ---- */

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    (void)plan;
    return bm_ceil_div(lanes_of(c), BM_CHECK_OUTPUTS);
}

static uint32_t bits_of(double seed) {
    const float value = (float)seed;
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* x swings around f = ADDEND / (1 - FACTOR): x_k = f + FACTOR^k (x_0 - f). */
static void expect_real(uint64_t steps, struct bm_check *check) {
    const double fixed = ADDEND / (1 - FACTOR), factor = pow(FACTOR, (double)steps);
    for (unsigned i = 0; i < check->count; i++)
        check->expected[i] = fixed + factor * (check->expected[i] - fixed);
}

static void expect_f16(uint64_t steps, struct bm_check *check) {
    for (unsigned i = 0; i < check->count; i++) {
        double x = rint(check->expected[i] * 256);
        x = fmin(fmax(x, F16_LOW), F16_HIGH) + F16_CENTRE + (double)(steps / 2) * (F16_ADDEND - F16_OTHER);
        check->expected[i] = x;
    }
}

/* k steps are one: x_k = a x_0 + b, found by doubling. */
static void expect_i32(uint64_t steps, struct bm_check *check) {
    uint32_t a = 1, b = 0, step_a = I32_FACTOR, step_b = I32_ADDEND;
    for (uint64_t left = steps; left > 0; left /= 2) {
        if (left % 2) {
            b = step_a * b + step_b;
            a = step_a * a;
        }
        step_b = step_a * step_b + step_b;
        step_a = step_a * step_a;
    }
    for (unsigned i = 0; i < check->count; i++)
        check->expected[i] = (double)((a * bits_of(check->expected[i]) + b) >> 8);
}

static uint32_t dot_steps(uint32_t x, uint64_t steps) {
    for (uint64_t step = 0; step < steps; step++) {
        uint32_t sum = x;
        for (unsigned byte = 0; byte < 4; byte++)
            sum += (uint32_t)((int8_t)(x >> 8 * byte) * i8_weights[byte]);
        x = sum;
    }
    return x;
}

static void expect_i8_dot(uint64_t steps, struct bm_check *check) {
    double ends[I8_STARTS];
    for (uint32_t start = 0; start < I8_STARTS; start++)
        ends[start] = (double)(dot_steps((start + 1) * I8_START, steps) >> 8);
    for (unsigned i = 0; i < check->count; i++)
        check->expected[i] = ends[(bits_of(check->expected[i]) >> 8) % I8_STARTS];
}

/* Lanes 4 i to 4 i + 3 are work-item i's sums: of warp-mate 4 g + t those at rows g and g + 8, columns 2 t
 * and 2 t + 1. Each step adds the same product. */
static void expect_matrix(enum pipe pipe, uint64_t first, uint64_t steps, struct bm_check *check) {
    const int depth = pipe == I8_MATRIX ? 32 : 16;
    double product[MATRIX_M][MATRIX_N];
    for (int i = 0; i < MATRIX_M; i++)
        for (int j = 0; j < MATRIX_N; j++) {
            int sum = 0;
            for (int k = 0; k < depth; k++)
                sum += ((5 * i + 3 * k) % 7 - 3) * ((5 * k + 11 * j) % 7 - 3);
            product[i][j] = sum;
        }
    for (unsigned i = 0; i < check->count; i++) {
        const uint64_t lane = first + i, v = lane % MATRIX_VEC, mate = lane / MATRIX_VEC % WARP;
        check->expected[i] = rint(check->expected[i] * 256) +
                             (double)steps * product[mate / 4 + v / 2 * 8][mate % 4 * 2 + v % 2];
    }
}

static enum bm_status check_fma(const struct bm_case *c, const struct bm_plan *plan,
                                const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                struct bm_check *check, struct bm_error *error) {
    static void (*const expect[])(uint64_t steps, struct bm_check * check) = {[F32] = expect_real,
                                                                              [F64] = expect_real,
                                                                              [F16] = expect_f16,
                                                                              [I32] = expect_i32,
                                                                              [I8_DOT] = expect_i8_dot};
    (void)seed;
    enum bm_status status = bm_check_begin(check, index, check_count(c, plan), error);
    if (status)
        return status;
    const uint64_t left = lanes_of(c) - index * BM_CHECK_OUTPUTS;
    check->first = index * BM_CHECK_OUTPUTS;
    check->count = (unsigned)(left < BM_CHECK_OUTPUTS ? left : BM_CHECK_OUTPUTS);
    bm_values_gather(operands->values[SEEDS], operands->start[SEEDS] + check->first, 1, check->count,
                     check->expected);
    if (plan->plain && pipe_of(c) >= I8_DOT)
        bm_fma_expect_dot((unsigned)pipes[pipe_of(c)].operations / 2, steps_of(c), check);
    else if (is_matrix(pipe_of(c)))
        expect_matrix(pipe_of(c), check->first, steps_of(c), check);
    else
        expect[pipe_of(c)](steps_of(c), check);
    return BM_OK;
}

/* f32: |FACTOR| < 1, so a rounding error never grows: k of them, each up to u of a value of size 1, add to u
 * sqrt(k) when independent. They are not quite, as every second step rounds alike: ten times that was seen,
 * and devices that round the product too may show twice as much. One missing step changes a result by about
 * its own size, ten by a thousandth of it; both are seen. f64: its result is rounded to f32. The others are
 * exact. */
static double tolerance(const struct bm_case *c) {
    switch (pipe_of(c)) {
    case F32:
        return 40 * BM_F32_ROUNDOFF * (sqrt((double)steps_of(c)) + 1);
    case F64:
        return 2 * BM_F32_ROUNDOFF;
    case F16:
    case I32:
    case I8_DOT:
    case BF16_DOT:
    case F16_MATRIX:
    case BF16_MATRIX:
    case I8_MATRIX:
        break;
    }
    return 0;
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
    .check_count = check_count,
    .check = check_fma,
    .tolerance = tolerance,
};
