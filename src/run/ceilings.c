/* The ceilings of this run: the rows of ceiling cases as rates of a resource. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "run.h"

struct bm_results_device *bm_run_device_of(const struct bm_run *run, const struct bm_results_row *row) {
    for (size_t d = 0; d < run->results.device_count; d++)
        if (strcmp(run->results.devices[d].id, row->device) == 0)
            return &run->results.devices[d];
    return NULL;
}

static void describe_how(const struct bm_results_row *row, char how[160]) {
    int length = snprintf(how, 160, "%s", row->kernel.variant);
    for (unsigned i = 0; i < row->kernel.parameters.count && length > 0 && length < 160; i++)
        length +=
            snprintf(how + length, 160 - (size_t)length, " %s=%lld", row->kernel.parameters.items[i].name,
                     (long long)row->kernel.parameters.items[i].value);
}

/* What a ceiling's workload and op stand for. */
struct meaning {
    const char *workload, *op; /* op NULL: any, and it names the pipe */
    const char *resource, *unit;
};

static const struct meaning *meaning_of(const struct bm_results_row *row) {
    static const struct meaning meanings[] = {
        {"stream", "read", "memory_read", "GB/s"},
        {"stream", "write", "memory_write", "GB/s"},
        {"stream", "copy", "memory_copy", "GB/s"},
        {"stream", "triad", "memory_triad", "GB/s"},
        {"cache", "llc_read", "llc_read", "GB/s"},
        {"cache", "l2_read", "l2_read", "GB/s"},
        {"cache", "l1_read", "l1_read", "GB/s"},
        {"fma", "i32_vector", "fma", "GOP/s"},
        {"fma", "i8_dot", "fma", "GOP/s"},
        {"fma", "i8_matrix", "fma", "GOP/s"},
        {"fma", NULL, "fma", "GFLOP/s"},
        {"launch", "empty", "launch_latency", "us"},
        {"launch", "wait", "wait_latency", "us"},
        {"transfer", "to_device", "transfer_to_device", "GB/s"},
        {"transfer", "from_device", "transfer_from_device", "GB/s"},
    };
    for (size_t i = 0; i < BM_COUNT_OF(meanings); i++)
        if (strcmp(meanings[i].workload, row->the_case.workload) == 0 &&
            (meanings[i].op == NULL || strcmp(meanings[i].op, row->the_case.op) == 0))
            return &meanings[i];
    return NULL;
}

/* In the ceiling's unit: work per time, or the time itself. */
static double in_unit(const struct meaning *meaning, const struct bm_results_row *row, double ns) {
    if (strcmp(meaning->unit, "us") == 0)
        return ns / 1000;
    return (strcmp(meaning->unit, "GB/s") == 0 ? row->bytes : row->flops) / ns;
}

/* What a ceiling of a part of the device is of. */
static void name_part(const struct bm_case *the_case, char part[24]) {
    if (the_case->threads != 0)
        snprintf(part, 24, "%u thread%s", the_case->threads, the_case->threads > 1 ? "s" : "");
    else if (the_case->node != 0)
        snprintf(part, 24, "node %u", the_case->node - 1);
    else
        bm_string_set(part, 24, the_case->small_pages ? "small pages" : "");
}

static void make_ceiling(const struct bm_case *the_case, const struct bm_results_row *row,
                         const struct meaning *meaning, double steady_ns,
                         struct bm_results_ceiling *ceiling) {
    const double one = in_unit(meaning, row, row->time.low), other = in_unit(meaning, row, row->time.high);
    *ceiling = (struct bm_results_ceiling){
        .resource = meaning->resource,
        .threads = row->threads,
        .value = in_unit(meaning, row, row->time.median),
        .low = fmin(one, other),
        .high = fmax(one, other),
        .burst = in_unit(meaning, row, row->time.min),
        .steady = steady_ns > 0 ? in_unit(meaning, row, steady_ns) : (double)NAN,
        .confidence = row->time.confidence,
        .unit = meaning->unit,
        .flags = row->flags,
    };
    if (strcmp(meaning->resource, "fma") == 0)
        bm_string_set(ceiling->pipe, sizeof ceiling->pipe, row->the_case.op);
    name_part(the_case, ceiling->part);
    bm_string_set(ceiling->backend, sizeof ceiling->backend, row->backend);
    describe_how(row, ceiling->how);
}

enum bm_status bm_run_fill_ceilings(struct bm_run *run, struct bm_error *error) {
    for (size_t d = 0; d < run->results.device_count; d++)
        run->results.devices[d].ceiling_count = 0;
    for (size_t i = 0; i < run->results.row_count; i++) {
        const struct bm_results_row *row = &run->results.rows[i];
        struct bm_results_device *device = bm_run_device_of(run, row);
        const struct meaning *meaning = meaning_of(row);
        if (!run->plan->items[i].is_ceiling || meaning == NULL || row->status != BM_ROW_OK ||
            !isfinite(row->time.median))
            continue;
        enum bm_status status = bm_grow(&device->ceilings, &device->ceiling_capacity,
                                        device->ceiling_count + 1, sizeof *device->ceilings, error);
        if (status != BM_OK)
            return status;
        make_ceiling(&run->plan->items[i].the_case, row, meaning, run->steady_ns[i],
                     &device->ceilings[device->ceiling_count]);
        device->ceilings[device->ceiling_count++].row = i;
    }
    return BM_OK;
}

const struct bm_results_ceiling *bm_run_ceiling(const struct bm_results_device *device, const char *resource,
                                                const char *pipe) {
    const struct bm_results_ceiling *best = NULL;
    for (size_t i = 0; i < device->ceiling_count; i++) {
        const struct bm_results_ceiling *ceiling = &device->ceilings[i];
        if (strcmp(ceiling->resource, resource) != 0 || (pipe != NULL && strcmp(ceiling->pipe, pipe) != 0))
            continue;
        if (best == NULL || ceiling->value > best->value)
            best = ceiling;
    }
    return best;
}

const struct bm_results_ceiling *bm_run_best_pipe(const struct bm_results_device *device,
                                                  const struct bm_dtype *dtype) {
    const struct bm_results_ceiling *best = NULL;
    for (const char *const *pipe = dtype->pipes; *pipe != NULL; pipe++) {
        const struct bm_results_ceiling *ceiling = bm_run_ceiling(device, "fma", *pipe);
        if (ceiling != NULL && (best == NULL || ceiling->value > best->value))
            best = ceiling;
    }
    return best;
}

void bm_run_name_ceiling(const struct bm_results_ceiling *ceiling, char name[96]) {
    if (ceiling != NULL)
        snprintf(name, 96, "%s%s%s/%s", ceiling->resource, ceiling->pipe[0] != '\0' ? "/" : "", ceiling->pipe,
                 ceiling->backend);
}

bool bm_run_judges(const struct bm_run *run, size_t ceiling_item, const struct bm_results_row *row) {
    const struct bm_results_row *own = &run->results.rows[ceiling_item];
    const struct meaning *meaning = meaning_of(own);
    struct bm_results_ceiling ceiling;
    char name[96] = "";
    if (!run->plan->items[ceiling_item].is_ceiling || meaning == NULL ||
        strcmp(own->device, row->device) != 0)
        return false;
    make_ceiling(&run->plan->items[ceiling_item].the_case, own, meaning, 0, &ceiling);
    bm_run_name_ceiling(&ceiling, name);
    return strcmp(own->the_case.workload, "cache") == 0 ||
           strcmp(name, row->utilization.compute_ceiling) == 0 ||
           strcmp(name, row->utilization.memory_ceiling) == 0;
}
