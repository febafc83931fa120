#include <math.h>
#include <string.h>

#include "run.h"

/* Sums over the covered operations of one request. */
struct sums {
    double ns, roofline_ns, flops, bytes;
};

static bool is_named(char (*names)[32], unsigned count, const char *name) {
    for (unsigned i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void add_name(char (*names)[32], unsigned *count, const char *name) {
    if (!is_named(names, *count, name) && *count < BM_RESULTS_MAX_OPS)
        bm_string_set(names[(*count)++], sizeof names[0], name);
}

static bool is_measured(const struct bm_results_row *row) {
    return row->status == BM_ROW_OK && isfinite(row->time.median);
}

static void add_row(const struct bm_results_row *row, double count, struct bm_results_summary *summary,
                    struct sums *sums) {
    add_name(summary->ops, &summary->op_count, row->the_case.op);
    sums->ns += count * row->time.median;
    sums->roofline_ns += count * row->time.median * row->utilization.roofline_efficiency;
    sums->flops += count * row->flops;
    sums->bytes += count * row->bytes;
}

static bool is_essential(const struct bm_results_row *row) {
    return bm_workload_find(row->the_case.workload)->is_essential;
}

static void add_missing(struct bm_results_summary *summary, const char *op, bool is_lacking) {
    add_name(summary->missing, &summary->missing_count, op);
    if (is_lacking)
        add_name(summary->lacking, &summary->lacking_count, op);
}

/* An operation of several shapes is covered when all of them were measured, else it is missing. */
static void add_rows(const struct bm_run *run, const struct bm_run_request *request,
                     struct bm_results_summary *summary, struct sums *sums) {
    const struct bm_run_use *uses = run->plan->uses + request->first_use;
    for (size_t u = 0; u < request->use_count; u++) {
        const struct bm_results_row *row = &run->results.rows[uses[u].item];
        if (!is_measured(row))
            add_missing(summary, row->the_case.op, is_essential(row));
    }
    for (unsigned i = 0; i < request->missing_count; i++)
        add_missing(summary, request->missing[i], request->is_lacking[i]);
    for (size_t u = 0; u < request->use_count; u++) {
        const struct bm_results_row *row = &run->results.rows[uses[u].item];
        if (is_named(summary->missing, summary->missing_count, row->the_case.op))
            continue;
        add_row(row, uses[u].count, summary, sums);
        if (summary->use_count == BM_COUNT_OF(summary->uses))
            continue; /* not reached: a pass has no more operations */
        summary->uses[summary->use_count].row = uses[u].item;
        summary->uses[summary->use_count++].count = uses[u].count;
    }
}

static void summarize(const struct bm_run *run, const struct bm_run_request *request,
                      const struct bm_results_device *device, struct bm_results_summary *summary) {
    const struct bm_dtype *dtype = request->request.dtype;
    struct sums sums = {0};
    *summary = (struct bm_results_summary){.batch = request->request.batch,
                                           .tokens = request->request.tokens,
                                           .context = request->request.context};
    if (request->request.kv != BM_KV_DTYPE)
        bm_string_set(summary->kv, sizeof summary->kv, request->request.kv == BM_KV_INT8 ? "int8" : "f16");
    bm_string_set(summary->backend, sizeof summary->backend,
                  run->inventory->devices[request->device].endpoints[request->endpoint]->id);
    bm_string_set(summary->model, sizeof summary->model, request->model);
    bm_string_set(summary->phase, sizeof summary->phase, bm_phase_name(request->request.phase));
    bm_string_set(summary->dtype, sizeof summary->dtype, dtype->name);
    add_rows(run, request, summary, &sums);
    const bool measured = sums.ns > 0, whole = measured && summary->lacking_count == 0;
    const double unknown = (double)NAN, tokens = (double)summary->batch * summary->tokens;
    summary->tokens_per_s = whole ? tokens / sums.ns * 1e9 : unknown;
    summary->roofline_efficiency = measured ? sums.roofline_ns / sums.ns : unknown;
    summary->mfu = whole ? sums.flops / sums.ns / bm_run_datasheet_gflops(device, dtype) : unknown;
    summary->mbu = whole ? sums.bytes / sums.ns / bm_run_datasheet_gbs(device) : unknown;
}

enum bm_status bm_run_fill_summaries(struct bm_run *run, struct bm_error *error) {
    for (size_t d = 0; d < run->results.device_count; d++)
        run->results.devices[d].summary_count = 0;
    for (size_t i = 0; i < run->plan->request_count; i++) {
        const struct bm_run_request *request = &run->plan->requests[i];
        for (size_t d = 0; d < run->results.device_count; d++) {
            struct bm_results_device *device = &run->results.devices[d];
            if (strcmp(device->id, run->inventory->devices[request->device].id) != 0)
                continue;
            enum bm_status status = bm_grow(&device->summaries, &device->summary_capacity,
                                            device->summary_count + 1, sizeof *device->summaries, error);
            if (status != BM_OK)
                return status;
            summarize(run, request, device, &device->summaries[device->summary_count++]);
        }
    }
    return BM_OK;
}
