#include <math.h>
#include <stdio.h>
#include <string.h>

#include "run.h"

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

static double share(double value, const struct bm_results_ceiling *ceiling) {
    return ceiling != NULL ? value / ceiling->value : (double)NAN;
}

/* ---- which memory a row reads from ---- */

/* A set that is not at least this many times as large as a cache may be found there in part. */
enum { COLD_FACTOR = 8 };

/* The ceiling of the innermost cache that holds `bytes`, or of memory. NULL: it was not measured. */
static const struct bm_results_ceiling *ceiling_of_set(const struct bm_run *run, size_t item, double bytes,
                                                       const struct bm_results_device *results) {
    const struct bm_run_item *planned = &run->plan->items[item];
    const struct bm_device *device = &run->inventory->devices[planned->device];
    struct bm_run_cache caches[BM_RUN_CACHES];
    size_t count = bm_run_caches(run->inventory, device, bm_run_endpoint(run, planned), caches);
    for (size_t i = 0; i < count; i++)
        if (bytes < (double)caches[i].total_bytes)
            return bm_run_ceiling(results, caches[i].resource, NULL);
    return bm_run_ceiling(results, "memory_read", NULL);
}

/* ---- memory that is written too ---- */

/* The rate of moving bytes of which `pairs` are half read and half written, the rest one or the other. */
static double mixed_rate(double pairs, double copy, double rest, double other) {
    return (pairs + rest) / (pairs / copy + rest / other);
}

/* The ceiling of memory for a row that writes: as much as it reads at the rate of a copy, what is left at the
 * rate of reading or writing (of a copy, where writing was not measured). false: no copy was measured. */
static bool mix(const struct bm_results_device *device, double bytes, double written,
                struct bm_run_memory *memory) {
    const struct bm_results_ceiling *copy = bm_run_ceiling(device, "memory_copy", NULL);
    const bool reads_more = 2 * written <= bytes;
    const struct bm_results_ceiling *other =
        bm_run_ceiling(device, reads_more ? "memory_read" : "memory_write", NULL);
    const double pairs = 2 * (reads_more ? written : bytes - written), rest = bytes - pairs;
    if (copy == NULL)
        return false;
    if (other == NULL)
        other = copy;
    *memory =
        (struct bm_run_memory){.of = {copy, other}, .bytes = {pairs, rest}, .count = 2, .together = *copy};
    struct bm_results_ceiling *mixed = &memory->together;
    mixed->value = mixed_rate(pairs, copy->value, rest, other->value);
    mixed->low = mixed_rate(pairs, copy->low, rest, other->low);
    mixed->high = mixed_rate(pairs, copy->high, rest, other->high);
    mixed->confidence = fmin(copy->confidence, other->confidence);
    return true;
}

static bool use_one(const struct bm_results_ceiling *ceiling, double bytes, struct bm_run_memory *memory) {
    if (ceiling == NULL)
        return false;
    *memory = (struct bm_run_memory){.of = {ceiling}, .bytes = {bytes}, .count = 1, .together = *ceiling};
    return true;
}

/* What memory, or a cache, allows a row whose launches touch `set` bytes. The ceilings of caches are of
 * reading: a row that also writes there stays the farther below them. false: it was not measured. */
static bool memory_of(const struct bm_run *run, size_t item, double set,
                      const struct bm_results_device *device, struct bm_run_memory *memory) {
    const struct bm_case *the_case = &run->plan->items[item].the_case;
    const struct bm_results_ceiling *ceiling = ceiling_of_set(run, item, set, device);
    if (the_case->workload->written != NULL && ceiling != NULL &&
        strcmp(ceiling->resource, "memory_read") == 0 &&
        mix(device, the_case->workload->bytes(the_case), the_case->workload->written(the_case), memory))
        return true;
    return use_one(ceiling, run->results.rows[item].bytes, memory);
}

/* What one launch reads before an address repeats: what the rotation covers, or all that a hot case has. */
static double working_set(const struct bm_run *run, size_t item, const struct bm_results_row *row) {
    uint64_t rotated = bm_run_state_of(run, item)->info.cold_bytes;
    return rotated > 0 ? (double)rotated : row->bytes;
}

/* ---- rows ---- */

/* A row faster than its ceiling: one of the two is wrong, and neither is a record. Told only of intervals
 * that are worth the name, and not where the rounds that are near in time say otherwise: then the machine
 * changed, and each was measured more often at one of its levels. */
static void guard(struct bm_results_row *row, double rate, const struct bm_results_ceiling *ceiling) {
    if (rate <= 1.03 * ceiling->high || row->utilization.efficiency_low <= 1.03 ||
        row->time.confidence < 0.9 || ceiling->confidence < 0.9)
        return;
    const bool beside = ((row->flags | ceiling->flags) & BM_FLAG_CONTAMINATED) != 0;
    row->status = BM_ROW_INVALID;
    snprintf(row->reason, sizeof row->reason, "%.1f %s, more than 1.03 x the ceiling %s of %.1f: %s", rate,
             ceiling->unit, ceiling->resource, ceiling->high,
             beside ? "other work ran beside them, measure again without it" : "one of the two is wrong");
    row->gflops = row->gbytes_per_s = row->tokens_per_s = (double)NAN;
}

/* R / time by pairs of rounds; of medians, without an interval, where there are too few. */
static void judge_by_both(const struct bm_run *run, size_t item, const struct bm_results_ceiling *compute,
                          const struct bm_run_memory *memory, struct bm_results_row *row) {
    const double compute_ns = row->flops / compute->value, memory_ns = row->bytes / memory->together.value;
    struct bm_estimate pairs;
    row->utilization.bound = compute_ns >= memory_ns ? "compute" : "memory";
    row->utilization.roofline_efficiency = fmax(compute_ns, memory_ns) / row->time.median;
    if (bm_run_pair_rounds(run, item, compute, memory, &pairs)) {
        row->utilization.roofline_efficiency = pairs.median_ns;
        row->utilization.efficiency_low = pairs.interval.low;
        row->utilization.efficiency_high = pairs.interval.high;
        row->utilization.efficiency_flags = pairs.flags;
    }
    bm_run_name_ceiling(compute, row->utilization.compute_ceiling);
    bm_run_name_ceiling(&memory->together, row->utilization.memory_ceiling);
}

static void judge(const struct bm_run *run, size_t item, const struct bm_results_device *device,
                  struct bm_results_row *row) {
    const struct bm_dtype *dtype = run->plan->items[item].the_case.dtype;
    const double set = working_set(run, item, row);
    struct bm_run_memory memory, likely;
    const struct bm_results_ceiling *compute = bm_run_best_pipe(device, dtype);
    /* without that cache's ceiling memory's serves, as far as it does */
    const bool is_known = memory_of(run, item, set, device, &memory) ||
                          use_one(bm_run_ceiling(device, "memory_read", NULL), row->bytes, &memory);
    row->utilization.compute_of_ceiling = share(row->gflops, bm_run_ceiling(device, "fma", row->kernel.pipe));
    row->utilization.compute_of_device = share(row->gflops, compute);
    row->utilization.memory_of_ceiling = share(row->gbytes_per_s, is_known ? &memory.together : NULL);
    row->utilization.compute_of_datasheet = row->gflops / bm_run_datasheet_gflops(device, dtype);
    row->utilization.memory_of_datasheet = row->gbytes_per_s / bm_run_datasheet_gbs(device);
    row->utilization.roofline_efficiency = (double)NAN;
    if (compute == NULL || !is_known)
        return;
    judge_by_both(run, item, compute, &memory, row);
    if (strcmp(row->utilization.bound, "compute") == 0)
        guard(row, row->flops / row->time.high, compute);
    else if (memory_of(run, item, set / COLD_FACTOR, device, &likely))
        guard(row, row->bytes / row->time.high, &likely.together);
}

void bm_run_fill_utilization(struct bm_run *run) {
    for (size_t i = 0; i < run->results.row_count; i++) {
        struct bm_results_row *row = &run->results.rows[i];
        const struct bm_dtype *dtype = run->plan->items[i].the_case.dtype;
        if (dtype != NULL && row->status == BM_ROW_OK && isfinite(row->time.median))
            judge(run, i, bm_run_device_of(run, row), row);
    }
}
