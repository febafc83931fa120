/* Memory ceilings over `working_set` bytes (0: 256 MiB), F = 0 but for triad.
 *
 * read: B = working_set. The source is cut into blocks of BLOCK elements and the sum of each is written.
 * write: B = working_set, element i becomes i modulo BLOCK. copy: half of the working set is copied onto the
 * other half; B = bytes read + bytes written. triad: a = b + SCALE c, a third each; B = bytes read + bytes
 * written, F = 2 an element (STREAM, https://www.cs.virginia.edu/stream/ref.html). Lines that a store reads
 * before it writes them are not counted: avoiding them is part of the best pattern. */
#include <math.h>
#include <string.h>

#include "internal.h"

enum { BLOCK = BM_STREAM_BLOCK, MINIMUM_BYTES = 4096 };
#define DEFAULT_BYTES (UINT64_C(256) << 20)
#define MAXIMUM_BYTES (UINT64_C(1) << 44)
#define SCALE         BM_STREAM_SCALE

/* What sets the kinds of stream apart. */
struct kind {
    const char *op, *variant, *kernel;
    unsigned sources;
    bool writes; /* an array, rather than a sum of each block */
};
static const struct kind kinds[] = {
    {"read", "read_streams", "stream_read", 1, false},
    {"copy", "copy_streams", "stream_copy", 1, true},
    {"write", "write_streams", "stream_write", 0, true},
    {"triad", "triad_streams", "stream_triad", 2, true},
};
enum { SOURCE, RESULT, SECOND_SOURCE }; /* tensors; of write the result alone */

static const struct bm_tunable tunables[] = {
    {"STREAMS", 1, 16, false}, {"VEC", 1, 16, true},         {"LANES", 1, 1024, true},
    {"CHUNK", 1, 64, false},   {"NONTEMPORAL", 0, 1, false}, {"PREFETCH", 0, 16384, false},
};

static const struct kind *find_kind(const char *op) {
    for (size_t i = 0; i < BM_COUNT_OF(kinds); i++)
        if (!strcmp(kinds[i].op, op))
            return &kinds[i];
    return NULL;
}

/* Of a valid case. */
static const struct kind *kind_of(const struct bm_case *c) {
    const struct kind *kind = find_kind(c->op);
    return kind ? kind : &kinds[0];
}

/* Bytes moved for an element of one array. */
static uint64_t bytes_per_element(const struct bm_case *c) {
    return 4 * (kind_of(c)->sources + (kind_of(c)->writes ? 1u : 0u));
}

/* f32 elements of one array. */
static uint64_t element_count(const struct bm_case *c) {
    return (c->working_set ? c->working_set : DEFAULT_BYTES) / bytes_per_element(c);
}

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    if (!find_kind(c->op))
        return bm_fail(error, BM_INVALID, "stream has no op '%s', only read, write, copy and triad", c->op);
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
    return kind_of(c)->sources == 2 ? 2.0 * (double)element_count(c) : 0;
}

static double bytes(const struct bm_case *c) {
    return (double)(element_count(c) * bytes_per_element(c));
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 64 && target->local_bytes >= 2048;
    (void)c;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "STREAMS", grouped ? 2 : 4);
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "LANES", grouped ? 64 : 1);
    bm_parameters_set(parameters, "CHUNK", 1);
    bm_parameters_set(parameters, "NONTEMPORAL", 0);
    bm_parameters_set(parameters, "PREFETCH", 0);
}

/* Which pattern is fastest differs between processors, and from day to day on a shared machine. Stores that
 * bypass the caches are tried where something is stored; a compiler without them refuses, and they fall out.
 */
static size_t candidates(const struct bm_case *c, const struct bm_target *target, struct bm_parameters *out,
                         size_t capacity) {
    enum { WIDTH = BM_COUNT_OF(tunables) };
    static const int64_t cpu_read[][WIDTH] = {
        {1, 16, 1, 4, 0, 0},     {4, 16, 1, 8, 0, 0},    {8, 16, 1, 1, 0, 0}, {2, 16, 1, 16, 0, 2048},
        {4, 16, 1, 16, 0, 2048}, {8, 16, 1, 8, 0, 1024}, {4, 8, 1, 4, 0, 0}};
    static const int64_t cpu_write[][WIDTH] = {{1, 16, 1, 4, 0, 0},
                                               {2, 16, 1, 4, 0, 0},
                                               {2, 16, 1, 16, 1, 0},
                                               {4, 16, 1, 8, 1, 0},
                                               {2, 8, 1, 4, 1, 0}};
    static const int64_t gpu_read[][WIDTH] = {{1, 4, 256, 1, 0, 0},
                                              {2, 4, 256, 1, 0, 0},
                                              {4, 4, 256, 1, 0, 0},
                                              {2, 4, 64, 1, 0, 0},
                                              {4, 1, 256, 1, 0, 0}};
    static const int64_t gpu_write[][WIDTH] = {{1, 4, 256, 1, 0, 0},
                                               {2, 4, 256, 1, 0, 0},
                                               {2, 4, 64, 1, 0, 0},
                                               {4, 1, 256, 1, 0, 0},
                                               {1, 4, 256, 1, 1, 0}};
    const bool writes = kind_of(c)->writes;
    if (!target->is_gpu)
        return bm_tunables_candidates(tunables, WIDTH, writes ? cpu_write[0] : cpu_read[0],
                                      writes ? BM_COUNT_OF(cpu_write) : BM_COUNT_OF(cpu_read), out, capacity);
    if (target->max_group_items < 256 || target->local_bytes < 4096)
        return 0;
    return bm_tunables_candidates(tunables, WIDTH, writes ? gpu_write[0] : gpu_read[0],
                                  writes ? BM_COUNT_OF(gpu_write) : BM_COUNT_OF(gpu_read), out, capacity);
}

static void plan_tensors(const struct bm_case *c, struct bm_plan *plan) {
    const struct kind *kind = kind_of(c);
    const uint64_t count = element_count(c);
    if (kind->sources > 0)
        bm_plan_tensor(plan, "source", BM_ELEMENT_F32, BM_ROLE_COLD, count);
    bm_plan_tensor(plan, kind->writes ? "destination" : "sums", BM_ELEMENT_F32, BM_ROLE_OUTPUT,
                   kind->writes ? count : bm_ceil_div(count, BLOCK));
    if (kind->sources > 1)
        bm_plan_tensor(plan, "second source", BM_ELEMENT_F32, BM_ROLE_COLD, count);
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
    const uint64_t chunk = (uint64_t)bm_parameters_get(&parameters, "CHUNK", 0);
    const uint64_t lanes = (uint64_t)bm_parameters_get(&parameters, "LANES", 0);
    status = bm_tunables_check_group("stream", (int64_t)lanes, target, error);
    if (!status && lanes > 1)
        status = bm_tunables_check_local("stream", streams * lanes * sizeof(float), target, error);
    if (status)
        return status;

    const struct kind *kind = kind_of(c);
    const uint64_t count = element_count(c);
    bm_plan_begin(plan, "stream.cl", kind->variant, kind->sources == 2 ? "f32_vector" : "-", &parameters);
    bm_parameters_set(&plan->defines, "BLOCK", BLOCK);
    plan_tensors(c, plan);
    struct bm_launch *launch = bm_plan_launch(plan, kind->kernel, 1);
    launch->local[0] = lanes;
    launch->global[0] = bm_ceil_div(bm_ceil_div(count, BLOCK), streams * chunk) * lanes;
    for (unsigned t = 0; t < plan->tensor_count; t++)
        bm_launch_tensor(launch, plan, t);
    bm_launch_uint(launch, count / BLOCK);
    bm_launch_uint(launch, count % BLOCK);
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

/* The tensors alone: source(s) cold, then what is written. */
static enum bm_status plain_stream(const struct bm_case *c, struct bm_plan *plan, struct bm_error *error) {
    const struct bm_parameters none = {0};
    *plan = (struct bm_plan){0};
    enum bm_status status = validate(c, error);
    if (status)
        return status;
    bm_plan_begin(plan, NULL, "plain", kind_of(c)->sources == 2 ? "f32_vector" : "-", &none);
    plan->plain = true;
    plan_tensors(c, plan);
    return BM_OK;
}

/* Everything is checked: 16 sums or BM_CHECK_OUTPUTS elements at a time. */
enum { SUMS_PER_CHECK = 16 };

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    const uint64_t count = element_count(c);
    (void)plan;
    return kind_of(c)->writes ? bm_ceil_div(count, BM_CHECK_OUTPUTS)
                              : bm_ceil_div(bm_ceil_div(count, BLOCK), SUMS_PER_CHECK);
}

static void check_sums(const struct bm_operands *operands, uint64_t count, struct bm_check *check) {
    for (uint64_t block = check->first; check->count < SUMS_PER_CHECK && block * BLOCK < count; block++) {
        const uint64_t left = count - block * BLOCK;
        check->expected[check->count++] =
            bm_values_sum(operands, SOURCE, block * BLOCK, (size_t)(left < BLOCK ? left : BLOCK));
    }
    check->scale = sqrt((double)(count < BLOCK ? count : BLOCK));
}

static void gather(const struct bm_operands *operands, unsigned tensor, const struct bm_check *check,
                   double out[BM_CHECK_OUTPUTS]) {
    bm_values_gather(operands->values[tensor], operands->start[tensor] + check->first, 1, check->count, out);
}

static enum bm_status check_stream(const struct bm_case *c, const struct bm_plan *plan,
                                   const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                   struct bm_check *check, struct bm_error *error) {
    const struct kind *kind = kind_of(c);
    const uint64_t count = element_count(c);
    (void)seed;
    enum bm_status status = bm_check_begin(check, index, check_count(c, plan), error);
    if (status)
        return status;
    if (!kind->writes) {
        check->first = index * SUMS_PER_CHECK;
        check_sums(operands, count, check);
        return BM_OK;
    }
    const uint64_t left = count - index * BM_CHECK_OUTPUTS;
    check->first = index * BM_CHECK_OUTPUTS;
    check->count = (unsigned)(left < BM_CHECK_OUTPUTS ? left : BM_CHECK_OUTPUTS);
    if (kind->sources == 0) {
        for (unsigned i = 0; i < check->count; i++)
            check->expected[i] = (double)((check->first + i) % BLOCK);
        return BM_OK;
    }
    gather(operands, SOURCE, check, check->expected);
    if (kind->sources == 2) {
        double second[BM_CHECK_OUTPUTS];
        gather(operands, SECOND_SOURCE, check, second);
        for (unsigned i = 0; i < check->count; i++)
            check->expected[i] += SCALE * second[i];
        check->scale = sqrt(1 + SCALE * SCALE);
    }
    return BM_OK;
}

/* A sum of BLOCK unit normals added in f32 errs as a dot product of that length does (see gemm). triad rounds
 * its sum and, unfused, its product: u (|b| + 2 x 3 |c|) with normals that stay below 6. A copy is exact. */
static double tolerance(const struct bm_case *c) {
    const struct kind *kind = kind_of(c);
    if (kind->sources == 2)
        return 42 / sqrt(1 + SCALE * SCALE) * BM_F32_ROUNDOFF;
    return kind->writes ? 0 : 8 * BM_F32_ROUNDOFF * sqrt((double)BLOCK);
}

const struct bm_workload bm_workload_stream = {
    .name = "stream",
    .summary = "ceiling: memory read, write, copy and triad",
    .is_ceiling = true,
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .safe_parameters = safe_parameters,
    .candidates = candidates,
    .plan = plan_stream,
    .plain = plain_stream,
    .check_count = check_count,
    .check = check_stream,
    .tolerance = tolerance,
};
