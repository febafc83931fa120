#include <math.h>
#include <stdio.h>
#include <string.h>

#include "run.h"

static struct bm_results_device *device_of(const struct bm_run *run, const struct bm_results_row *row) {
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

static void make_ceiling(const struct bm_results_row *row, struct bm_results_ceiling *ceiling) {
    bool memory = strcmp(row->the_case.workload, "stream") == 0;
    double work = memory ? row->bytes : row->flops;
    *ceiling = (struct bm_results_ceiling){
        .resource = !memory                                 ? "fma"
                    : strcmp(row->the_case.op, "copy") == 0 ? "memory_copy"
                                                            : "memory_read",
        .threads = row->threads,
        .value = work / row->time.median,
        .low = work / row->time.high,
        .high = work / row->time.low,
        .burst = work / row->time.min,
        .confidence = row->time.confidence,
        .unit = memory ? "GB/s" : "GFLOP/s",
        .flags = row->flags,
    };
    bm_string_set(ceiling->pipe, sizeof ceiling->pipe, memory ? "" : row->the_case.op);
    bm_string_set(ceiling->backend, sizeof ceiling->backend, row->backend);
    describe_how(row, ceiling->how);
}

enum bm_status bm_run_fill_ceilings(struct bm_run *run, struct bm_error *error) {
    for (size_t d = 0; d < run->results.device_count; d++)
        run->results.devices[d].ceiling_count = 0;
    for (size_t i = 0; i < run->results.row_count; i++) {
        const struct bm_results_row *row = &run->results.rows[i];
        struct bm_results_device *device = device_of(run, row);
        if (!run->plan->items[i].is_ceiling || row->status != BM_ROW_OK || !isfinite(row->time.median))
            continue;
        enum bm_status status = bm_grow(&device->ceilings, &device->ceiling_capacity,
                                        device->ceiling_count + 1, sizeof *device->ceilings, error);
        if (status != BM_OK)
            return status;
        make_ceiling(row, &device->ceilings[device->ceiling_count++]);
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

static bool is_trusted(enum bm_fact_status status) {
    return status == BM_FACT_VERIFIED || status == BM_FACT_DERIVED;
}

/* Of a device whose fastest eligible pipe is only recalled the share is unknown: a slower pipe as denominator
 * would make it several times too large. */
double bm_run_datasheet_gflops(const struct bm_results_device *device, const struct bm_dtype *dtype) {
    const struct bm_datasheet *sheet = device->datasheet;
    const struct bm_peak *best = NULL;
    for (const char *const *pipe = dtype->pipes; sheet != NULL && *pipe != NULL; pipe++)
        for (unsigned i = 0; i < sheet->peak_count; i++)
            if (strcmp(sheet->peaks[i].pipe, *pipe) == 0 &&
                (best == NULL || sheet->peaks[i].gflops > best->gflops))
                best = &sheet->peaks[i];
    bool known = best != NULL && best->gflops > 0 && is_trusted(best->status);
    return known ? best->gflops * device->packages : (double)NAN;
}

double bm_run_datasheet_gbs(const struct bm_results_device *device) {
    const struct bm_datasheet *sheet = device->datasheet;
    bool known = sheet != NULL && sheet->bandwidth_gbs > 0 && is_trusted(sheet->bandwidth_status);
    return known ? sheet->bandwidth_gbs * device->packages : (double)NAN;
}

static void name_ceiling(const struct bm_results_ceiling *ceiling, char name[96]) {
    if (ceiling != NULL)
        snprintf(name, 96, "%s%s%s/%s", ceiling->resource, ceiling->pipe[0] != '\0' ? "/" : "", ceiling->pipe,
                 ceiling->backend);
}

static double share(double value, const struct bm_results_ceiling *ceiling) {
    return ceiling != NULL ? value / ceiling->value : (double)NAN;
}

static void judge(const struct bm_results_device *device, const struct bm_dtype *dtype,
                  struct bm_results_row *row) {
    const struct bm_results_ceiling *memory = bm_run_ceiling(device, "memory_read", NULL);
    const struct bm_results_ceiling *compute = bm_run_best_pipe(device, dtype);
    double compute_ns = compute != NULL ? row->flops / compute->value : 0;
    double memory_ns = memory != NULL ? row->bytes / memory->value : 0;
    row->utilization.compute_of_ceiling = share(row->gflops, bm_run_ceiling(device, "fma", row->kernel.pipe));
    row->utilization.compute_of_device = share(row->gflops, compute);
    row->utilization.memory_of_ceiling = share(row->gbytes_per_s, memory);
    row->utilization.compute_of_datasheet = row->gflops / bm_run_datasheet_gflops(device, dtype);
    row->utilization.memory_of_datasheet = row->gbytes_per_s / bm_run_datasheet_gbs(device);
    row->utilization.roofline_efficiency = (double)NAN;
    if (compute == NULL || memory == NULL)
        return;
    row->utilization.bound = compute_ns >= memory_ns ? "compute" : "memory";
    row->utilization.roofline_efficiency = fmax(compute_ns, memory_ns) / row->time.median;
    name_ceiling(compute, row->utilization.compute_ceiling);
    name_ceiling(memory, row->utilization.memory_ceiling);
    /* A row faster than its ceiling: one of the two is wrong, and neither is a record. */
    const struct bm_results_ceiling *bound = compute_ns >= memory_ns ? compute : memory;
    double fastest = compute_ns >= memory_ns ? row->flops / row->time.high : row->bytes / row->time.high;
    if (fastest > 1.03 * bound->high) {
        row->status = BM_ROW_INVALID;
        snprintf(row->reason, sizeof row->reason,
                 "%.1f %s, more than 1.03 x the ceiling %s of %.1f: one of the two is wrong", fastest,
                 bound->unit, bound->resource, bound->high);
        row->gflops = row->gbytes_per_s = row->tokens_per_s = (double)NAN;
    }
}

void bm_run_fill_utilization(struct bm_run *run) {
    for (size_t i = 0; i < run->results.row_count; i++) {
        struct bm_results_row *row = &run->results.rows[i];
        const struct bm_dtype *dtype = run->plan->items[i].the_case.dtype;
        if (dtype != NULL && row->status == BM_ROW_OK && isfinite(row->time.median))
            judge(device_of(run, row), dtype, row);
    }
}
