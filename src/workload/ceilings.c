/* Which ceilings a run measures, and how large each is on one device. */
#include "internal.h"

struct list {
    struct bm_case *cases;
    size_t count, capacity;
};

static void add(struct list *list, const struct bm_workload *workload, const char *op, struct bm_case sizes) {
    if (list->count < list->capacity) {
        struct bm_case *the_case = &list->cases[list->count];
        *the_case = sizes;
        the_case->workload = workload;
        bm_string_set(the_case->model, sizeof(the_case->model), "-");
        bm_string_set(the_case->op, sizeof(the_case->op), op);
    }
    list->count++;
}

static void add_streams(struct list *list, const char *const *ops, size_t count, uint64_t working_set) {
    for (size_t i = 0; i < count; i++)
        add(list, &bm_workload_stream, ops[i], (struct bm_case){.working_set = working_set});
}

static const char *const judging_streams[] = {"read", "copy"}, *const other_streams[] = {"write", "triad"};

size_t bm_ceiling_cases(uint64_t working_set, struct bm_case *cases, size_t capacity) {
    struct list list = {.cases = cases, .capacity = capacity};
    add_streams(&list, judging_streams, BM_COUNT_OF(judging_streams), working_set);
    add(&list, &bm_workload_fma, "f32_vector", (struct bm_case){0});
    return list.count;
}

/* ---- sizes ---- */

static uint64_t at_least(uint64_t value, uint64_t least) {
    return value > least ? value : least;
}

/* Lanes for a launch of some milliseconds: a CPU's cores do 60 to 150 GFLOP/s each, a GPU's units some
 * hundred. A multiple of 3 x 2^16, so that chains of 8, 12 and 16 vectors divide it. */
static uint64_t lanes_for(const struct bm_ceiling_sizes *sizes) {
    const uint64_t lanes = (UINT64_C(3) << 16) * sizes->compute_units;
    return lanes < BM_DIMENSION_MAX ? lanes : 0;
}

/* The cache that all share is read in parts, each group passing over the whole of it; LLC_PASSES parts a
 * group, and groups enough to keep every unit busy. Half of what the cache holds, so that code, stacks and
 * whatever else is there fit beside it. */
static void add_llc(struct list *list, const struct bm_ceiling_sizes *sizes) {
    enum { PART_BYTES = 65536, PASSES = 16, GROUPS_PER_UNIT = 8, GROUPS = 256 };
    const uint64_t parts = sizes->llc_bytes / 2 / PART_BYTES;
    const uint64_t groups = at_least((uint64_t)sizes->compute_units * GROUPS_PER_UNIT, GROUPS);
    if (parts > 0)
        add(list, &bm_workload_cache, "llc_read",
            (struct bm_case){.working_set = parts * PART_BYTES,
                             .m = parts,
                             .n = bm_ceil_div(groups, parts) * parts,
                             .k = PASSES,
                             .hot = true});
}

/* The caches of one core: every group reads the same set, which each core then has for itself. */
static void add_inner(struct list *list, const char *op, uint64_t cache_bytes,
                      const struct bm_ceiling_sizes *sizes) {
    enum { GRAIN = 8192, PASSES_LEAST = 16, PASSES_MOST = 256 };
    const uint64_t group_bytes = UINT64_C(16) << 20, unit_bytes = UINT64_C(512) << 20; /* read by each */
    const uint64_t set = cache_bytes / 2 / GRAIN * GRAIN;
    if (set == 0)
        return;
    uint64_t passes = at_least(group_bytes / set, PASSES_LEAST);
    passes = passes < PASSES_MOST ? passes : PASSES_MOST;
    add(list, &bm_workload_cache, op,
        (struct bm_case){.working_set = set,
                         .n = bm_ceil_div(unit_bytes, passes * set) * at_least(sizes->compute_units, 1),
                         .k = passes,
                         .hot = true});
}

size_t bm_ceiling_cases_sized(const struct bm_ceiling_sizes *sizes, bool inner, bool all,
                              struct bm_case *cases, size_t capacity) {
    static const char *const pipes[] = {"f64_vector", "f16_vector", "i32_vector", "i8_dot"};
    static const char *const matrix_pipes[] = {"f16_matrix", "bf16_matrix", "i8_matrix"};
    static const char *const launches[] = {"empty", "wait"};
    static const char *const transfers[] = {"to_device", "from_device"};
    const struct bm_case lanes = {.n = lanes_for(sizes)};
    struct list list = {.cases = cases, .capacity = capacity};

    add_streams(&list, judging_streams, BM_COUNT_OF(judging_streams), sizes->cold_bytes);
    if (all)
        add_streams(&list, other_streams, BM_COUNT_OF(other_streams), sizes->cold_bytes);
    add_llc(&list, sizes);
    if (inner || all) {
        add_inner(&list, "l2_read", sizes->l2_bytes, sizes);
        add_inner(&list, "l1_read", sizes->l1_bytes, sizes);
    }
    add(&list, &bm_workload_fma, "f32_vector", lanes);
    for (size_t i = 0; all && i < BM_COUNT_OF(pipes); i++)
        add(&list, &bm_workload_fma, pipes[i], lanes);
    for (size_t i = 0; (all || sizes->is_gpu) && i < BM_COUNT_OF(matrix_pipes); i++)
        add(&list, &bm_workload_fma, matrix_pipes[i], lanes);
    for (size_t i = 0; all && i < BM_COUNT_OF(launches); i++)
        add(&list, &bm_workload_launch, launches[i], (struct bm_case){0});
    for (size_t i = 0; all && i < BM_COUNT_OF(transfers); i++)
        add(&list, &bm_workload_transfer, transfers[i], (struct bm_case){.working_set = sizes->cold_bytes});
    return list.count;
}
