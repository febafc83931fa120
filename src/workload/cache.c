/* Cache ceilings: a set of `working_set` bytes is read over and over within one launch.
 *
 * The set is cut into m parts (0: 1) and read by n groups (0: GROUPS) of work-items, k parts each (0:
 * PASSES), m / k apart, so that a group comes back to a part only after the whole set: m = 1 for the caches
 * of one core, where each finds what it read before, many parts for the cache that all share. B = 4 n k x
 * elements of a part; F = 0. */
#include <math.h>
#include <string.h>

#include "internal.h"

enum { SOURCE, SUMS };
enum { GROUPS = 16, PASSES = 64, PASSES_MAX = 4096, PART_BYTES = 8192 };
#define MAXIMUM_BYTES (UINT64_C(1) << 34)

static const char *const ops[] = {"llc_read", "l2_read", "l1_read"};

static const struct bm_tunable tunables[] = {
    {"STREAMS", 1, 16, true},
    {"VEC", 1, 16, true},
    {"LANES", 1, 1024, true},
};

static uint64_t groups_of(const struct bm_case *c) {
    return c->n ? c->n : GROUPS;
}

static uint64_t passes_of(const struct bm_case *c) {
    return c->k ? c->k : PASSES;
}

static uint64_t parts_of(const struct bm_case *c) {
    return c->m ? c->m : 1;
}

static uint64_t part_elements(const struct bm_case *c) {
    return c->working_set / parts_of(c) / sizeof(float);
}

static uint64_t step_of(const struct bm_case *c) {
    const uint64_t step = parts_of(c) / passes_of(c);
    return step ? step : 1;
}

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    bool known = false;
    for (size_t i = 0; i < BM_COUNT_OF(ops); i++)
        known |= !strcmp(c->op, ops[i]);
    if (!known)
        return bm_fail(error, BM_INVALID, "cache has no op '%s', only llc_read, l2_read and l1_read", c->op);
    if (!c->hot)
        return bm_fail(error, BM_INVALID, "cache: what a cache holds is hot");
    if (c->m > BM_DIMENSION_MAX || c->n > BM_DIMENSION_MAX || passes_of(c) > PASSES_MAX)
        return bm_fail(error, BM_INVALID, "cache: at most %llu parts and groups, and %d passes",
                       (unsigned long long)BM_DIMENSION_MAX, PASSES_MAX);
    if (!c->working_set || c->working_set > MAXIMUM_BYTES || c->working_set % (parts_of(c) * PART_BYTES))
        return bm_fail(error, BM_INVALID,
                       "cache: a working set of %llu bytes, must be a multiple of %d for each part, "
                       "at most %llu",
                       (unsigned long long)c->working_set, PART_BYTES, (unsigned long long)MAXIMUM_BYTES);
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
    return sizeof(float) * (double)groups_of(c) * (double)passes_of(c) * (double)part_elements(c);
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 64 && target->local_bytes >= 256;
    (void)c;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "STREAMS", grouped ? 4 : 8);
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "LANES", grouped ? 64 : 1);
}

static size_t candidates(const struct bm_case *c, const struct bm_target *target, struct bm_parameters *out,
                         size_t capacity) {
    static const int64_t cpu[][BM_COUNT_OF(tunables)] = {{8, 16, 1}, {16, 16, 1}, {16, 8, 1}, {16, 4, 1}};
    static const int64_t gpu[][BM_COUNT_OF(tunables)] = {{1, 4, 256}, {2, 4, 256}, {4, 4, 64}, {8, 1, 256}};
    (void)c;
    if (!target->is_gpu)
        return bm_tunables_candidates(tunables, BM_COUNT_OF(tunables), cpu[0], BM_COUNT_OF(cpu), out,
                                      capacity);
    if (target->max_group_items < 256 || target->local_bytes < 1024)
        return 0;
    return bm_tunables_candidates(tunables, BM_COUNT_OF(tunables), gpu[0], BM_COUNT_OF(gpu), out, capacity);
}

static enum bm_status plan_cache(const struct bm_case *c, const struct bm_target *target,
                                 const struct bm_parameters *given, struct bm_plan *plan,
                                 struct bm_error *error) {
    struct bm_parameters safe, parameters;

    *plan = (struct bm_plan){0};
    enum bm_status status = validate(c, error);
    if (status)
        return status;
    safe_parameters(c, target, &safe);
    status = bm_tunables_resolve("cache", tunables, BM_COUNT_OF(tunables), &safe, given, &parameters, error);
    if (status)
        return status;
    const uint64_t streams = (uint64_t)bm_parameters_get(&parameters, "STREAMS", 0);
    const uint64_t vec = (uint64_t)bm_parameters_get(&parameters, "VEC", 0);
    const uint64_t lanes = (uint64_t)bm_parameters_get(&parameters, "LANES", 0);
    status = bm_tunables_check_group("cache", (int64_t)lanes, target, error);
    if (!status && lanes > 1)
        status = bm_tunables_check_local("cache", lanes * sizeof(float), target, error);
    if (!status && part_elements(c) % (streams * vec * lanes))
        status = bm_fail(error, BM_INVALID,
                         "cache: STREAMS x VEC x LANES = %llu does not divide a part of %llu elements",
                         (unsigned long long)(streams * vec * lanes), (unsigned long long)part_elements(c));
    if (status)
        return status;

    bm_plan_begin(plan, "stream.cl", "read_again", "-", &parameters);
    bm_plan_tensor(plan, "set", BM_ELEMENT_F32, BM_ROLE_COLD, part_elements(c) * parts_of(c));
    bm_plan_tensor(plan, "sums", BM_ELEMENT_F32, BM_ROLE_OUTPUT, groups_of(c));
    struct bm_launch *launch = bm_plan_launch(plan, "cache_read", 1);
    launch->local[0] = lanes;
    launch->global[0] = groups_of(c) * lanes;
    bm_launch_tensor(launch, plan, SOURCE);
    bm_launch_tensor(launch, plan, SUMS);
    bm_launch_uint(launch, part_elements(c));
    bm_launch_uint(launch, parts_of(c));
    bm_launch_uint(launch, step_of(c));
    bm_launch_uint(launch, passes_of(c));
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

/* The tensors alone: the set, and a sum for each group. */
static enum bm_status plain_cache(const struct bm_case *c, struct bm_plan *plan, struct bm_error *error) {
    const struct bm_parameters none = {0};
    *plan = (struct bm_plan){0};
    enum bm_status status = validate(c, error);
    if (status)
        return status;
    bm_plan_begin(plan, NULL, "plain", "-", &none);
    plan->plain = true;
    bm_plan_tensor(plan, "set", BM_ELEMENT_F32, BM_ROLE_COLD, part_elements(c) * parts_of(c));
    bm_plan_tensor(plan, "sums", BM_ELEMENT_F32, BM_ROLE_OUTPUT, groups_of(c));
    return BM_OK;
}

void bm_cache_reading(const struct bm_case *c, struct bm_cache_reading *reading) {
    *reading = (struct bm_cache_reading){.part_elements = part_elements(c),
                                         .parts = parts_of(c),
                                         .step = step_of(c),
                                         .groups = groups_of(c),
                                         .passes = passes_of(c)};
}

/* All sums are checked, as many at a time as are quickly computed. */
enum { GROUPS_PER_CHECK = 16 };

static uint64_t run_length(const struct bm_case *c) {
    return parts_of(c) == 1 ? BM_CHECK_OUTPUTS : GROUPS_PER_CHECK;
}

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    (void)plan;
    return bm_ceil_div(groups_of(c), run_length(c));
}

/* Pass r counts r + 1 times. */
static double sum_of_group(const struct bm_case *c, const struct bm_operands *operands, uint64_t group) {
    const uint64_t parts = parts_of(c), elements = part_elements(c);
    const double passes = (double)passes_of(c);
    double sum = 0;
    if (parts == 1)
        return passes * (passes + 1) / 2 * bm_values_sum(operands, SOURCE, 0, (size_t)elements);
    for (uint64_t pass = 0; pass < passes_of(c); pass++)
        sum +=
            (double)(pass + 1) *
            bm_values_sum(operands, SOURCE, (group + pass * step_of(c)) % parts * elements, (size_t)elements);
    return sum;
}

static enum bm_status check_cache(const struct bm_case *c, const struct bm_plan *plan,
                                  const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                  struct bm_check *check, struct bm_error *error) {
    const double passes = (double)passes_of(c);
    (void)seed;
    enum bm_status status = bm_check_begin(check, index, check_count(c, plan), error);
    if (status)
        return status;
    check->first = index * run_length(c);
    const uint64_t left = groups_of(c) - check->first;
    check->count = (unsigned)(left < run_length(c) ? left : run_length(c));
    for (unsigned i = 0; i < check->count; i++)
        check->expected[i] =
            i > 0 && parts_of(c) == 1 ? check->expected[0] : sum_of_group(c, operands, check->first + i);
    /* With one part its sum counts passes^2 / 2 times, with many their sums add up independently. */
    check->scale = sqrt((double)part_elements(c)) *
                   (parts_of(c) == 1 ? passes * (passes + 1) / 2 : sqrt(passes * passes * passes / 3));
    return BM_OK;
}

/* k x elements terms in at least 16 partial sums; each rounds by u of a sum that grows with the passes. The
 * factor is that of a dot product (see gemm), and four for equal passes, whose errors are alike. */
static double tolerance(const struct bm_case *c) {
    return 32 * BM_F32_ROUNDOFF * sqrt((double)passes_of(c) * (double)part_elements(c) / 16);
}

const struct bm_workload bm_workload_cache = {
    .name = "cache",
    .summary = "ceiling: reading what a cache holds",
    .is_ceiling = true,
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .safe_parameters = safe_parameters,
    .candidates = candidates,
    .plan = plan_cache,
    .plain = plain_cache,
    .check_count = check_count,
    .check = check_cache,
    .tolerance = tolerance,
};
