/* Lists what the host would build for a GPU that is not here: each program with its options once, as
 * `benchmark run` plans it with the parameters shipped for such a device. Of the suite "full" models that
 * have every op between them, then products and attention in every number format; the ceilings with all of
 * their candidates. usage: gpu-builds nvidia|nvidia-mma|amd A line: source, 1 if the compiler may lack what
 * it needs, "kernel:work-items of a group" by commas (0: the driver chooses), options, key of the first case;
 * parted by tabs. Exit 1: no plan. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bm/run.h"
#include "session.h"

static const struct {
    const char *word, *name, *backend;
    unsigned units;
    uint64_t local_bytes;
    size_t group_items;
    bool has_mma;
} kinds[] = {
    {"nvidia", "Tesla T4", "opencl/nvidia", 40, 49152, 1024, false},
    {"nvidia-mma", "NVIDIA H100 80GB HBM3", "opencl/nvidia", 132, 49152, 1024, true},
    {"amd", "gfx90a:sramecc+:xnack-", "opencl/amd", 104, 65536, 256, false},
};

struct lines {
    char **items;
    size_t count, capacity;
};

static bool seen(const struct lines *lines, const char *line) {
    for (size_t i = 0; i < lines->count; i++)
        if (strcmp(lines->items[i], line) == 0)
            return true;
    return false;
}

static void append_build(const struct bm_plan *plan, struct bm_text *line) {
    bm_text_append(line, "%s\t%d\t", plan->source, plan->feature != NULL);
    for (unsigned l = 0; l < plan->launch_count; l++) {
        const struct bm_launch *launch = &plan->launches[l];
        size_t items = 1;
        for (unsigned d = 0; d < launch->dimensions; d++)
            items *= d == 0 || launch->local[d] > 0 ? launch->local[d] : 1;
        if (launch->kernel != NULL)
            bm_text_append(line, "%s%s:%zu", l > 0 ? "," : "", launch->kernel, items);
    }
    for (unsigned i = 0; i < plan->defines.count; i++)
        bm_text_append(line, "%s-D%s=%lld", i > 0 ? " " : "\t", plan->defines.items[i].name,
                       (long long)plan->defines.items[i].value);
    if (plan->defines.count == 0)
        bm_text_append(line, "\t");
}

/* What cannot be planned for the device is no build. */
static enum bm_status list_case(const struct bm_session *session, const struct bm_case *the_case,
                                const struct bm_parameters *parameters, struct lines *lines,
                                struct bm_error *error) {
    struct bm_plan plan = {0};
    struct bm_text line = {0};
    const char *from;
    char key[BM_KEY_SIZE];
    if (the_case->workload->is_sequence ||
        bm_opencl_plan(session, the_case, parameters, &plan, &from, NULL) != BM_OK || plan.source == NULL)
        return BM_OK;
    append_build(&plan, &line);
    if (line.failed)
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    if (seen(lines, line.data)) {
        bm_text_fini(&line);
        return BM_OK;
    }
    enum bm_status status =
        bm_grow(&lines->items, &lines->capacity, lines->count + 1, sizeof *lines->items, error);
    if (status != BM_OK) {
        bm_text_fini(&line);
        return status;
    }
    lines->items[lines->count++] = line.data;
    bm_case_key(the_case, key);
    printf("%s\t%s\n", line.data, key);
    return BM_OK;
}

static enum bm_status list_item(const struct bm_session *session, const struct bm_run_item *item,
                                struct lines *lines, struct bm_error *error) {
    enum { CANDIDATES = 64 };
    struct bm_parameters candidates[CANDIDATES];
    const struct bm_workload *workload = item->the_case.workload;
    size_t count = 0;
    enum bm_status status = list_case(session, &item->the_case, NULL, lines, error);
    if (item->is_ceiling && workload->candidates != NULL)
        count = workload->candidates(&item->the_case, &session->target, candidates, CANDIDATES);
    for (size_t i = 0; status == BM_OK && i < count && i < CANDIDATES; i++)
        status = list_case(session, &item->the_case, &candidates[i], lines, error);
    return status;
}

static enum bm_status list_kind(size_t kind, struct bm_error *error) {
    struct bm_endpoint endpoint = {.usable = true, .is_gpu = true};
    struct bm_device device = {.id = "gpu0", .is_gpu = true, .endpoint_count = 1, .endpoints = {&endpoint}};
    const struct bm_inventory inventory = {
        .devices = &device, .count = 1, .endpoints = &endpoint, .endpoint_count = 1};
    static struct bm_session session;
    static char llama[] = "llama3.1-8b", gpt[] = "gpt3-175b", oss[] = "gpt-oss-20b",
                deepseek[] = "deepseek-v3", hunyuan[] = "hunyuan-turbos", gemm[] = "gemm", gemv[] = "gemv",
                grouped[] = "grouped_gemm", attention[] = "attention";
    char *models[] = {llama, oss, gpt, deepseek, hunyuan}, *workloads[] = {gemm, gemv, grouped, attention},
         *dtypes[16];
    struct bm_run_options options[] = {
        {.suite = "full", .models = {.items = models, .count = BM_COUNT_OF(models)}},
        {.suite = "full",
         .models = {.items = models, .count = 2},
         .workloads = {.items = workloads, .count = BM_COUNT_OF(workloads)},
         .dtypes = {.items = dtypes}},
    };
    struct lines lines = {0};

    bm_string_set(endpoint.id, sizeof endpoint.id, kinds[kind].backend);
    bm_string_set(endpoint.name, sizeof endpoint.name, kinds[kind].name);
    bm_string_set(device.name, sizeof device.name, kinds[kind].name);
    endpoint.compute_units = kinds[kind].units;
    endpoint.cache_bytes = UINT64_C(16) << 20;
    endpoint.memory_bytes = UINT64_C(1) << 40; /* every model's experts fit */
    endpoint.max_allocation_bytes = endpoint.memory_bytes / 4;
    session.endpoint = &endpoint;
    session.target = (struct bm_target){.is_gpu = true,
                                        .compute_units = kinds[kind].units,
                                        .max_group_items = kinds[kind].group_items,
                                        .local_bytes = kinds[kind].local_bytes,
                                        .max_allocation_bytes = endpoint.max_allocation_bytes,
                                        .has_fp64 = true,
                                        .has_nvidia_mma = kinds[kind].has_mma};
    struct bm_names *all = &options[1].dtypes;
    for (; all->count < BM_COUNT_OF(dtypes) && bm_dtype_get(all->count) != NULL; all->count++)
        dtypes[all->count] = (char *)(uintptr_t)bm_dtype_get(all->count)->name;
    const struct bm_tuned_device tuned = {.backend = endpoint.id,
                                          .name = endpoint.name,
                                          .driver = "1",
                                          .compute_units = endpoint.compute_units,
                                          .is_gpu = true};
    enum bm_status status = bm_tuned_shipped(&tuned, &session.shipped, error);
    for (size_t o = 0; status == BM_OK && o < BM_COUNT_OF(options); o++) {
        struct bm_run_plan plan = {0};
        status = bm_run_plan_create(&options[o], &inventory, &plan, error);
        for (size_t i = 0; status == BM_OK && i < plan.item_count; i++)
            status = list_item(&session, &plan.items[i], &lines, error);
        bm_run_plan_fini(&plan);
    }
    for (size_t i = 0; i < lines.count; i++)
        free(lines.items[i]);
    free(lines.items);
    bm_tuned_list_fini(&session.shipped);
    return status;
}

int main(int argc, char **argv) {
    struct bm_error error = {0};
    for (size_t kind = 0; argc == 2 && kind < BM_COUNT_OF(kinds); kind++)
        if (strcmp(argv[1], kinds[kind].word) == 0) {
            if (list_kind(kind, &error) == BM_OK)
                return 0;
            fprintf(stderr, "%s\n", error.message);
            return 1;
        }
    fprintf(stderr, "usage: gpu-builds nvidia|nvidia-mma|amd\n");
    return 2;
}
