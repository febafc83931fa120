/* The ceilings that the native backend measures: the device's memory and caches, of memory also parts of it,
 * and every pipe that the CPU has instructions for. */
#include <string.h>

#include "native.h"

struct list {
    struct bm_case *cases;
    size_t count, capacity;
};

static struct bm_case *add(struct list *list, const struct bm_case *like) {
    if (list->count >= list->capacity || list->count >= BM_MAX_CEILINGS)
        return NULL;
    list->cases[list->count] = *like;
    return &list->cases[list->count++];
}

/* ---- memory of a part of the device ---- */

static void add_part(struct list *list, const struct bm_places *places, struct bm_case part) {
    const struct bm_native_span span = bm_native_span(places, &part);
    const uint64_t block_bytes = BM_STREAM_BLOCK * sizeof(float), blocks = part.working_set / block_bytes;
    const uint64_t own = bm_native_share(blocks, span.first + span.count, places->count) -
                         bm_native_share(blocks, span.first, places->count);
    part.working_set = (own > 2 ? own - 1 : 1) * block_bytes; /* one less: whatever rounding makes of it */
    add(list, &part);
}

static unsigned count_nodes(const struct bm_places *places) {
    unsigned nodes = 1;
    for (unsigned i = 1; i < places->count; i++)
        nodes += places->items[i].node != places->items[i - 1].node;
    return nodes;
}

/* Reading with 1, 2, 4, ... threads, by each NUMA node alone where there are several, and in small pages. */
static void add_parts(struct list *list, const struct bm_places *places, const struct bm_case *whole) {
    for (unsigned threads = 1; threads < places->count; threads *= 2) {
        struct bm_case part = *whole;
        part.threads = threads;
        add_part(list, places, part);
    }
    for (unsigned i = 0; count_nodes(places) > 1 && i < places->count; i++) {
        struct bm_case part = *whole;
        part.node = places->items[i].node + 1;
        if (i == 0 || places->items[i].node != places->items[i - 1].node)
            add_part(list, places, part);
    }
    struct bm_case part = *whole;
    part.small_pages = true;
    if (bm_native_has_huge_pages())
        add(list, &part);
}

/* ---- pipes ---- */

static bool is_wanted(const struct bm_ceiling_wish *wish, const char *pipe) {
    for (const char *const *wanted = wish->pipes; wanted != NULL && *wanted != NULL; wanted++)
        if (strcmp(*wanted, pipe) == 0)
            return true;
    return wish->all;
}

static bool has_kernel(const struct bm_cpu *cpu, const char *pipe) {
    const struct bm_fma_kernel *kernel;
    for (size_t i = 0; (kernel = bm_fma_kernel_get(i)) != NULL; i++)
        if (strcmp(kernel->pipe, pipe) == 0 && bm_form_allowed(kernel->form, cpu))
            return true;
    return false;
}

/* A step of a matrix is sixteen times one of a vector and more: fewer of them take as long. */
static void add_pipes(struct list *list, const struct bm_endpoint *endpoint,
                      const struct bm_ceiling_wish *wish) {
    enum { MATRIX_STEPS = 512 };
    static const char *const pipes[] = {"f64_vector", "f16_vector",  "i32_vector", "i8_dot",
                                        "bf16_dot",   "bf16_matrix", "i8_matrix"};
    const struct bm_case *f32 = NULL;
    struct bm_cpu cpu;
    bm_cpu_detect(&cpu);
    bm_cpu_cap(&cpu, endpoint->isa);
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->cases[i].op, "f32_vector") == 0)
            f32 = &list->cases[i];
    for (size_t i = 0; f32 != NULL && i < BM_COUNT_OF(pipes); i++) {
        struct bm_case pipe = *f32;
        if (!is_wanted(wish, pipes[i]) || !has_kernel(&cpu, pipes[i]))
            continue;
        bm_string_set(pipe.op, sizeof pipe.op, pipes[i]);
        if (strstr(pipes[i], "_matrix") != NULL)
            pipe.k = MATRIX_STEPS;
        add(list, &pipe);
    }
}

/* Beside another backend's: only what may judge the rows, so that the budget is theirs. */
static bool may_judge(const struct bm_ceiling_wish *wish, const struct bm_case *ceiling) {
    if (wish->all || wish->alone)
        return true;
    if (strcmp(ceiling->workload->name, "cache") == 0)
        return wish->inner;
    return strcmp(ceiling->op, "copy") != 0 || wish->writing;
}

size_t bm_native_ceilings(const struct bm_endpoint *endpoint, const struct bm_ceiling_wish *wish,
                          struct bm_case *cases, size_t capacity) {
    struct bm_case common[BM_MAX_CEILINGS];
    struct list list = {.cases = cases, .capacity = capacity};
    size_t count = bm_ceiling_cases_sized(&wish->sizes, wish->inner, wish->all, common, BM_MAX_CEILINGS);
    for (size_t i = 0; i < count; i++) {
        const char *workload = common[i].workload->name;
        const bool stream = strcmp(workload, "stream") == 0;
        if (!stream && strcmp(workload, "cache") != 0 && strcmp(common[i].op, "f32_vector") != 0)
            continue; /* its own list of pipes follows; launches and transfers are a driver's */
        if (!may_judge(wish, &common[i]))
            continue;
        add(&list, &common[i]);
        if (wish->all && stream && strcmp(common[i].op, "read") == 0)
            add_parts(&list, endpoint->places, &common[i]);
    }
    add_pipes(&list, endpoint, wish);
    return list.count;
}
