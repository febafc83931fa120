#include <math.h>

#include "results.h"

const char *bm_row_status_name(enum bm_row_status status) {
    static const char *const names[] = {[BM_ROW_OK] = "ok",
                                        [BM_ROW_SKIPPED] = "skipped",
                                        [BM_ROW_FAILED] = "failed",
                                        [BM_ROW_INVALID] = "invalid"};
    return names[status];
}

json_t *bm_results_parameters_json(struct bm_json_writer *writer, const struct bm_parameters *parameters) {
    json_t *object = bm_json_object(writer);
    for (unsigned i = 0; i < parameters->count; i++)
        bm_json_put(writer, object, parameters->items[i].name, json_integer(parameters->items[i].value));
    return object;
}

static json_t *case_json(struct bm_json_writer *writer, const struct bm_results_row *row) {
    json_t *object = bm_json_object(writer);
    bm_json_put_text(writer, object, "workload", row->the_case.workload);
    bm_json_put_text(writer, object, "model", row->the_case.model);
    bm_json_put_text(writer, object, "phase", row->the_case.phase);
    bm_json_put_text(writer, object, "op", row->the_case.op);
    bm_json_put_text(writer, object, "dtype", row->the_case.dtype);
    bm_json_put_count(writer, object, "batch", row->the_case.batch);
    bm_json_put_count(writer, object, "tokens", row->the_case.tokens);
    bm_json_put_count(writer, object, "context", row->the_case.context);
    bm_json_put_count(writer, object, "m", row->the_case.m);
    bm_json_put_count(writer, object, "n", row->the_case.n);
    bm_json_put_count(writer, object, "k", row->the_case.k);
    bm_json_put_count(writer, object, "heads", row->the_case.heads);
    bm_json_put_count(writer, object, "kv_heads", row->the_case.kv_heads);
    bm_json_put_count(writer, object, "head_dim", row->the_case.head_dim);
    bm_json_put_count(writer, object, "v_dim", row->the_case.v_dim);
    bm_json_put_count(writer, object, "groups", row->the_case.groups);
    bm_json_put_count(writer, object, "groups_used", row->the_case.groups_used);
    bm_json_put_text(writer, object, "kv", row->the_case.kv);
    bm_json_put_count(writer, object, "window", row->the_case.window);
    if (row->the_case.sinks)
        bm_json_put_bool(writer, object, "sinks", true);
    bm_json_put_bool(writer, object, "hot", row->the_case.hot);
    return object;
}

static json_t *verification_json(struct bm_json_writer *writer, const struct bm_results_row *row) {
    static const char *const names[] = {[BM_ROW_NOT_VERIFIED] = "not_run",
                                        [BM_ROW_PASSED_VERIFICATION] = "passed",
                                        [BM_ROW_FAILED_VERIFICATION] = "failed"};
    bool run = row->verification.status != BM_ROW_NOT_VERIFIED;
    double unknown = (double)NAN;
    json_t *object = bm_json_object(writer);
    bm_json_put_text(writer, object, "status", names[row->verification.status]);
    bm_json_put_text(writer, object, "reference", run ? row->verification.reference : NULL);
    bm_json_put_real(writer, object, "max_relative_error",
                     run ? row->verification.max_relative_error : unknown);
    bm_json_put_real(writer, object, "tolerance", run ? row->verification.tolerance : unknown);
    bm_json_put_number(writer, object, "checked", row->verification.checked);
    return object;
}

static json_t *kernel_json(struct bm_json_writer *writer, const struct bm_results_row *row) {
    if (row->kernel.parameters_from == NULL)
        return json_null();
    json_t *object = bm_json_object(writer);
    bm_json_put_text(writer, object, "variant", row->kernel.variant);
    bm_json_put(writer, object, "parameters", bm_results_parameters_json(writer, &row->kernel.parameters));
    bm_json_put_text(writer, object, "parameters_from", row->kernel.parameters_from);
    bm_json_put_text(writer, object, "pipe", row->kernel.pipe);
    if (row->kernel.launches > 0)
        bm_json_put_number(writer, object, "launches", row->kernel.launches);
    return object;
}

static json_t *rounds_json(struct bm_json_writer *writer, const struct bm_results *results,
                           const struct bm_results_row *row) {
    json_t *rounds = bm_json_array(writer);
    for (size_t i = 0; i < row->round_count; i++) {
        json_t *round = bm_json_object(writer);
        bm_json_put_number(writer, round, "start_ns", row->rounds[i].start_ns);
        bm_json_put_number(writer, round, "ns", row->rounds[i].ns);
        bm_json_put_number(writer, round, "launches", row->rounds[i].launches);
        bm_json_put_flags(writer, round, "flags", row->rounds[i].flags, results->flag_name);
        bm_json_append(writer, rounds, round);
    }
    return rounds;
}

static json_t *time_json(struct bm_json_writer *writer, const struct bm_results_time *time) {
    if (!isfinite(time->median))
        return json_null();
    json_t *object = bm_json_object(writer);
    bm_json_put_real(writer, object, "median", time->median);
    bm_json_put_interval(writer, object, "ci", time->low, time->high);
    bm_json_put_real(writer, object, "confidence", time->confidence);
    bm_json_put_real(writer, object, "min", time->min);
    bm_json_put_real(writer, object, "p5", time->p5);
    bm_json_put_real(writer, object, "p95", time->p95);
    bm_json_put_real(writer, object, "mad", time->mad);
    return object;
}

static json_t *utilization_json(struct bm_json_writer *writer, const struct bm_results *results,
                                const struct bm_results_row *row) {
    if (row->utilization.bound == NULL)
        return json_null();
    json_t *object = bm_json_object(writer);
    bm_json_put_text(writer, object, "bound", row->utilization.bound);
    bm_json_put_real(writer, object, "roofline_efficiency", row->utilization.roofline_efficiency);
    bm_json_put_interval(writer, object, "roofline_efficiency_ci", row->utilization.efficiency_low,
                         row->utilization.efficiency_high);
    bm_json_put_flags(writer, object, "roofline_efficiency_flags", row->utilization.efficiency_flags,
                      results->flag_name);
    bm_json_put_text(writer, object, "compute_ceiling", row->utilization.compute_ceiling);
    bm_json_put_text(writer, object, "memory_ceiling", row->utilization.memory_ceiling);
    bm_json_put_real(writer, object, "compute_of_ceiling", row->utilization.compute_of_ceiling);
    bm_json_put_real(writer, object, "compute_of_device", row->utilization.compute_of_device);
    bm_json_put_real(writer, object, "memory_of_ceiling", row->utilization.memory_of_ceiling);
    bm_json_put_real(writer, object, "compute_of_datasheet", row->utilization.compute_of_datasheet);
    bm_json_put_real(writer, object, "memory_of_datasheet", row->utilization.memory_of_datasheet);
    return object;
}

static json_t *energy_json(struct bm_json_writer *writer) {
    json_t *object = bm_json_object(writer);
    bm_json_put(writer, object, "joules", json_null());
    bm_json_put(writer, object, "source", json_null());
    bm_json_put_text(writer, object, "reason", "no energy counter is read");
    return object;
}

static json_t *routing_json(struct bm_json_writer *writer, const struct bm_results_row *row) {
    json_t *object = bm_json_object(writer);
    bm_json_put_text(writer, object, "kind", row->routing.kind);
    bm_json_put_count(writer, object, "experts", row->routing.experts);
    bm_json_put_count(writer, object, "experts_per_token", row->routing.experts_per_token);
    bm_json_put_count(writer, object, "groups", row->routing.groups);
    bm_json_put_count(writer, object, "groups_used", row->routing.groups_used);
    bm_json_put_real(writer, object, "experts_expected", row->routing.expected);
    bm_json_put_real(writer, object, "experts_occurred", row->routing.occurred);
    return object;
}

json_t *bm_results_row_json(struct bm_json_writer *writer, const struct bm_results *results,
                            const struct bm_results_row *row) {
    json_t *object = bm_json_object(writer);
    bm_json_put_text(writer, object, "key", row->key);
    bm_json_put_text(writer, object, "device", row->device);
    bm_json_put_text(writer, object, "backend", row->backend);
    bm_json_put_count(writer, object, "threads", row->threads);
    bm_json_put_text(writer, object, "measured_as", row->measured_as);
    bm_json_put(writer, object, "case", case_json(writer, row));
    if (row->routing.kind != NULL)
        bm_json_put(writer, object, "routing", routing_json(writer, row));
    bm_json_put_text(writer, object, "status", bm_row_status_name(row->status));
    bm_json_put_text(writer, object, "reason", row->reason);
    bm_json_put(writer, object, "verification", verification_json(writer, row));
    bm_json_put(writer, object, "kernel", kernel_json(writer, row));
    bm_json_put(writer, object, "rounds", rounds_json(writer, results, row));
    bm_json_put(writer, object, "time_ns", time_json(writer, &row->time));
    bm_json_put(writer, object, "time_ns_uncontaminated", time_json(writer, &row->time_uncontaminated));
    bm_json_put_real(writer, object, "flops", row->flops);
    bm_json_put_real(writer, object, "bytes", row->bytes);
    bm_json_put_real(writer, object, "gflops", row->gflops);
    bm_json_put_real(writer, object, "gbytes_per_s", row->gbytes_per_s);
    bm_json_put_real(writer, object, "tokens_per_s", row->tokens_per_s);
    bm_json_put(writer, object, "utilization", utilization_json(writer, results, row));
    bm_json_put(writer, object, "energy", energy_json(writer));
    bm_json_put_flags(writer, object, "flags", row->flags, results->flag_name);
    return object;
}
