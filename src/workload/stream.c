/* Memory ceilings over `working_set` bytes (0: 256 MiB).
 *
 * read: B = working_set; F = 0. The source is cut into blocks of BLOCK elements and the sum of each is
 * written. copy: half of the working set is copied onto the other half; B = bytes read + bytes written; F =
 * 0. */
#include <math.h>
#include <string.h>

#include "internal.h"

enum { SOURCE, RESULT };
enum { BLOCK = 16384, MINIMUM_BYTES = 4096 };
#define DEFAULT_BYTES (UINT64_C(256) << 20)
#define MAXIMUM_BYTES (UINT64_C(1) << 44)

static const struct bm_tunable tunables[] = {
    {"STREAMS", 1, 16, false},
    {"VEC", 1, 16, true},
    {"LANES", 1, 1024, true},
};

static bool is_copy(const struct bm_case *c) {
    return !strcmp(c->op, "copy");
}

/* f32 elements of the source. */
static uint64_t source_count(const struct bm_case *c) {
    const uint64_t bytes = c->working_set ? c->working_set : DEFAULT_BYTES;
    return bytes / (is_copy(c) ? 8 : 4);
}

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    if (strcmp(c->op, "read") != 0 && !is_copy(c))
        return bm_fail(error, BM_INVALID, "stream has no op '%s', only read and copy", c->op);
    if (c->working_set && (c->working_set < MINIMUM_BYTES || c->working_set > MAXIMUM_BYTES))
        return bm_fail(error, BM_INVALID, "stream: a working set of %llu bytes, must be %d to %llu",
                       (unsigned long long)c->working_set, MINIMUM_BYTES, (unsigned long long)MAXIMUM_BYTES);
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
    return (double)source_count(c) * (is_copy(c) ? 8 : 4);
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 64 && target->local_bytes >= 2048;
    (void)c;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "STREAMS", grouped ? 2 : 4);
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "LANES", grouped ? 64 : 1);
}

/* The best number of streams differs between processors, between reading and copying, and from day to day on
 * a shared machine. */
static size_t candidates(const struct bm_case *c, const struct bm_target *target, struct bm_parameters *out,
                         size_t capacity) {
    static const int64_t cpu[][BM_COUNT_OF(tunables)] = {{1, 16, 1}, {2, 16, 1}, {4, 16, 1}, {8, 16, 1}};
    static const int64_t gpu[][BM_COUNT_OF(tunables)] = {
        {1, 4, 256}, {2, 4, 256}, {4, 4, 256}, {2, 4, 64}, {4, 1, 256}};
    (void)c;
    if (!target->is_gpu)
        return bm_tunables_candidates(tunables, BM_COUNT_OF(tunables), cpu[0], BM_COUNT_OF(cpu), out,
                                      capacity);
    if (target->max_group_items >= 256 && target->local_bytes >= 4096)
        return bm_tunables_candidates(tunables, BM_COUNT_OF(tunables), gpu[0], BM_COUNT_OF(gpu), out,
                                      capacity);
    return 0;
}

static enum bm_status plan_stream(const struct bm_case *c, const struct bm_target *target,
                                  const struct bm_parameters *given, struct bm_plan *plan,
                                  struct bm_error *error) {
    struct bm_parameters safe, parameters;

    *plan = (struct bm_plan){0};
    enum bm_status status = validate(c, error);
    if (status)
        return status;
    safe_parameters(c, target, &safe);
    status = bm_tunables_resolve("stream", tunables, BM_COUNT_OF(tunables), &safe, given, &parameters, error);
    if (status)
        return status;
    const uint64_t streams = (uint64_t)bm_parameters_get(&parameters, "STREAMS", 0);
    const uint64_t lanes = (uint64_t)bm_parameters_get(&parameters, "LANES", 0);
    status = bm_tunables_check_group("stream", (int64_t)lanes, target, error);
    if (!status && lanes > 1)
        status = bm_tunables_check_local("stream", streams * lanes * sizeof(float), target, error);
    if (status)
        return status;

    const uint64_t count = source_count(c), blocks = bm_ceil_div(count, BLOCK);
    bm_plan_begin(plan, "stream.cl", is_copy(c) ? "copy_streams" : "read_streams", "-", &parameters);
    bm_parameters_set(&plan->defines, "BLOCK", BLOCK);
    bm_plan_tensor(plan, "source", BM_ELEMENT_F32, BM_ROLE_COLD, count);
    bm_plan_tensor(plan, is_copy(c) ? "destination" : "sums", BM_ELEMENT_F32, BM_ROLE_OUTPUT,
                   is_copy(c) ? count : blocks);
    struct bm_launch *launch = bm_plan_launch(plan, is_copy(c) ? "stream_copy" : "stream_read", 1);
    launch->local[0] = lanes;
    launch->global[0] = bm_ceil_div(blocks, streams) * lanes;
    bm_launch_tensor(launch, plan, SOURCE);
    bm_launch_tensor(launch, plan, RESULT);
    bm_launch_uint(launch, count / BLOCK);
    bm_launch_uint(launch, count % BLOCK);
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

/* Everything is checked: 16 sums or BM_CHECK_OUTPUTS copied elements at a time. */
enum { SUMS_PER_CHECK = 16 };

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    (void)plan;
    return is_copy(c) ? bm_ceil_div(source_count(c), BM_CHECK_OUTPUTS)
                      : bm_ceil_div(bm_ceil_div(source_count(c), BLOCK), SUMS_PER_CHECK);
}

static double sum_of(const struct bm_operands *operands, uint64_t first, size_t count) {
    const struct bm_values *values = operands->values[SOURCE];
    size_t position = bm_values_position(operands, SOURCE, first);
    double sum[8] = {0};

    while (count) {
        const size_t left = values->period - position, run = count < left ? count : left;
        const float *value = values->values + position;
        size_t i = 0;
        for (; i + 8 <= run; i += 8)
            for (size_t j = 0; j < 8; j++)
                sum[j] += (double)value[i + j];
        for (; i < run; i++)
            sum[0] += (double)value[i];
        count -= run;
        position = 0;
    }
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

static enum bm_status check_stream(const struct bm_case *c, const struct bm_plan *plan,
                                   const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                   struct bm_check *check, struct bm_error *error) {
    const uint64_t count = source_count(c);
    (void)seed;
    enum bm_status status = bm_check_begin(check, index, check_count(c, plan), error);
    if (status)
        return status;
    if (is_copy(c)) {
        const uint64_t left = count - index * BM_CHECK_OUTPUTS;
        check->first = index * BM_CHECK_OUTPUTS;
        check->count = (unsigned)(left < BM_CHECK_OUTPUTS ? left : BM_CHECK_OUTPUTS);
        bm_values_gather(operands->values[SOURCE], operands->start[SOURCE] + check->first, 1, check->count,
                         check->expected);
        return BM_OK;
    }
    check->first = index * SUMS_PER_CHECK;
    for (uint64_t block = check->first; check->count < SUMS_PER_CHECK && block * BLOCK < count; block++) {
        const uint64_t left = count - block * BLOCK;
        check->expected[check->count++] =
            sum_of(operands, block * BLOCK, (size_t)(left < BLOCK ? left : BLOCK));
    }
    check->scale = sqrt((double)(count < BLOCK ? count : BLOCK));
    return BM_OK;
}

/* A sum of BLOCK unit normals added in f32 errs as a dot product of that length does (see gemm); a copy is
 * exact. */
static double tolerance(const struct bm_case *c) {
    return is_copy(c) ? 0 : 8 * BM_F32_ROUNDOFF * sqrt((double)BLOCK);
}

const struct bm_workload bm_workload_stream = {
    .name = "stream",
    .summary = "ceiling: memory read and copy",
    .is_ceiling = true,
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .safe_parameters = safe_parameters,
    .candidates = candidates,
    .plan = plan_stream,
    .check_count = check_count,
    .check = check_stream,
    .tolerance = tolerance,
};
