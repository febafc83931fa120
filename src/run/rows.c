#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

static void describe_case(const struct bm_case *the_case, struct bm_results_row *row) {
    row->the_case.workload = the_case->workload->name;
    row->the_case.phase = the_case->phase == BM_PHASE_NONE ? NULL : bm_phase_name(the_case->phase);
    bm_string_set(row->the_case.model, sizeof row->the_case.model,
                  the_case->workload->is_ceiling ? "" : the_case->model);
    bm_string_set(row->the_case.op, sizeof row->the_case.op, the_case->op);
    bm_string_set(row->the_case.dtype, sizeof row->the_case.dtype,
                  the_case->dtype != NULL ? the_case->dtype->name : "");
    row->the_case.batch = the_case->batch;
    row->the_case.tokens = the_case->tokens;
    row->the_case.context = the_case->context;
    row->the_case.m = the_case->m;
    row->the_case.n = the_case->n;
    row->the_case.k = the_case->k;
    row->the_case.heads = the_case->heads;
    row->the_case.kv_heads = the_case->kv_heads;
    row->the_case.head_dim = the_case->head_dim;
    row->the_case.v_dim = the_case->v_dim;
    row->the_case.groups = the_case->groups;
    row->the_case.groups_used = the_case->groups_used;
    row->the_case.kv = the_case->kv != BM_KV_DTYPE ? bm_kv_name(bm_case_kv(the_case)) : NULL;
    row->the_case.window = the_case->window;
    row->the_case.sinks = the_case->sinks;
    row->the_case.hot = the_case->hot;
}

static void describe_routing(const struct bm_case *the_case, const struct bm_run_state *state,
                             struct bm_results_row *row) {
    if (the_case->experts == 0)
        return;
    row->routing.kind = bm_routing_name(the_case->routing);
    row->routing.experts = the_case->experts;
    row->routing.experts_per_token = the_case->top_k;
    row->routing.groups = the_case->groups;
    row->routing.groups_used = the_case->groups_used;
    row->routing.expected = bm_case_experts_expected(the_case);
    row->routing.occurred = state->experts_occurred > 0 ? state->experts_occurred : (double)NAN;
}

static void describe_state(const struct bm_run_state *state, struct bm_results_row *row) {
    const struct bm_verification *verification = &state->verification;
    row->status = state->status;
    bm_string_set(row->reason, sizeof row->reason, state->error.message);
    row->verification.status = verification->status == BM_VERIFICATION_PASSED   ? BM_ROW_PASSED_VERIFICATION
                               : verification->status == BM_VERIFICATION_FAILED ? BM_ROW_FAILED_VERIFICATION
                                                                                : BM_ROW_NOT_VERIFIED;
    bm_string_set(row->verification.reference, sizeof row->verification.reference, verification->reference);
    row->verification.max_relative_error = verification->max_relative_error;
    row->verification.tolerance = verification->tolerance;
    row->verification.checked = verification->checked;
    if (state->prepared == NULL)
        return;
    bm_string_set(row->kernel.variant, sizeof row->kernel.variant, state->info.variant);
    if (strcmp(state->info.pipe, "-") != 0) /* a kernel that only moves data uses no pipe */
        bm_string_set(row->kernel.pipe, sizeof row->kernel.pipe, state->info.pipe);
    row->kernel.parameters_from = state->info.parameters_from;
    row->kernel.parameters = *state->info.parameters;
    row->kernel.launches = state->info.launches;
}

static enum bm_status copy_rounds(struct bm_run *run, size_t item, const struct bm_series *series,
                                  struct bm_results_row *row, struct bm_error *error) {
    struct bm_results_round *rounds = realloc(run->rounds[item], (series->count + 1) * sizeof *rounds);
    if (rounds == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu rounds", series->count);
    run->rounds[item] = rounds;
    for (size_t i = 0; i < series->count; i++)
        rounds[i] = (struct bm_results_round){.start_ns = series->rounds[i].start_ns,
                                              .ns = series->rounds[i].ns,
                                              .launches = series->rounds[i].launches,
                                              .flags = series->rounds[i].flags};
    row->rounds = rounds;
    row->round_count = series->count;
    return BM_OK;
}

static struct bm_results_time time_of(const struct bm_series *series, unsigned without) {
    struct bm_estimate estimate;
    bm_series_estimate(series, without, &estimate);
    return bm_results_time_of(&estimate);
}

static void describe_times(const struct bm_series *series, const struct bm_case *the_case,
                           struct bm_results_row *row) {
    bool contaminated = false;
    for (size_t i = 0; i < series->count; i++)
        contaminated |= (series->rounds[i].flags & BM_FLAG_CONTAMINATED) != 0;
    const unsigned without = bm_series_left_out(series);
    row->flags = series->flags;
    row->time = time_of(series, without);
    if (contaminated)
        row->time_uncontaminated = time_of(series, without | BM_FLAG_CONTAMINATED);
    row->gflops = row->flops / row->time.median; /* FLOP per ns = GFLOP/s */
    row->gbytes_per_s = row->bytes / row->time.median;
    if (the_case->phase != BM_PHASE_NONE)
        row->tokens_per_s = (double)the_case->batch * the_case->tokens / row->time.median * 1e9;
}

static void skip_interrupted(struct bm_results_row *row, const char *before) {
    row->status = BM_ROW_SKIPPED;
    snprintf(row->reason, sizeof row->reason, "interrupted before it was %s", before);
}

static enum bm_status fill_row(struct bm_run *run, size_t i, struct bm_error *error) {
    const struct bm_run_item *item = &run->plan->items[i];
    const struct bm_endpoint *endpoint = bm_run_endpoint(run, item);
    const struct bm_series *series = bm_run_series_of(run, i);
    struct bm_results_row *row = &run->results.rows[i];
    double unknown = (double)NAN;
    *row = (struct bm_results_row){
        .time = {.median = unknown},
        .time_uncontaminated = {.median = unknown},
        .gflops = unknown,
        .gbytes_per_s = unknown,
        .tokens_per_s = unknown,
        .utilization = {.efficiency_low = unknown, .efficiency_high = unknown},
        .threads = bm_run_threads(run, i),
    };
    bm_run_item_work(run->plan, i, &row->flops, &row->bytes);
    bm_case_key(&item->the_case, row->key);
    bm_string_set(row->device, sizeof row->device, run->inventory->devices[item->device].id);
    bm_string_set(row->backend, sizeof row->backend, endpoint->id);
    if (item->measured_as != i)
        bm_case_key(&run->plan->items[item->measured_as].the_case, row->measured_as);
    describe_case(&item->the_case, row);
    describe_routing(&item->the_case, bm_run_state_of(run, i), row);
    describe_state(bm_run_state_of(run, i), row);
    bm_run_hide_paths(run, row->reason, sizeof row->reason);
    if (row->status == BM_ROW_OK && row->verification.status != BM_ROW_PASSED_VERIFICATION)
        skip_interrupted(row, "verified");
    if (series == NULL) {
        if (row->status == BM_ROW_OK && !run->options->verify_only)
            skip_interrupted(row, "measured");
        return BM_OK;
    }
    enum bm_status status = copy_rounds(run, i, series, row, error);
    if (series->failed) {
        row->status = series->error.status == BM_TIMED_OUT ? BM_ROW_SKIPPED : BM_ROW_FAILED;
        row->flags = series->flags;
        bm_string_set(row->reason, sizeof row->reason, series->error.message);
        bm_run_hide_paths(run, row->reason, sizeof row->reason);
    } else if (series->count == 0) {
        skip_interrupted(row, "measured");
    } else {
        describe_times(series, &item->the_case, row);
    }
    return status;
}

enum bm_status bm_run_fill_rows(struct bm_run *run, struct bm_error *error) {
    run->results.row_count = run->plan->item_count;
    for (size_t i = 0; i < run->plan->item_count; i++) {
        enum bm_status status = fill_row(run, i, error);
        if (status != BM_OK)
            return status;
    }
    return BM_OK;
}

static void widen(double value, double *low, double *high) {
    const double apart = bm_stats_normal_quantile(0.975) * BM_BETWEEN_RUNS;
    *low = value * exp(-hypot(log(value / *low), apart));
    *high = value * exp(hypot(log(*high / value), apart));
}

void bm_run_widen_intervals(struct bm_run *run) {
    for (size_t i = 0; i < run->results.row_count; i++) {
        struct bm_results_row *row = &run->results.rows[i];
        widen(row->time.median, &row->time.low, &row->time.high);
        widen(row->time_uncontaminated.median, &row->time_uncontaminated.low, &row->time_uncontaminated.high);
        widen(row->utilization.roofline_efficiency, &row->utilization.efficiency_low,
              &row->utilization.efficiency_high);
    }
    for (size_t d = 0; d < run->results.device_count; d++)
        for (size_t i = 0; i < run->results.devices[d].ceiling_count; i++) {
            struct bm_results_ceiling *ceiling = &run->results.devices[d].ceilings[i];
            widen(ceiling->value, &ceiling->low, &ceiling->high);
        }
}
