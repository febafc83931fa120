/* Comma-separated values by RFC 4180, one record a row and column; unknown is empty. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare.h"
#include "escape.h"
#include "estimate.h"
#include "format.h"
#include "gate.h"

static void append_text(struct bm_text *text, const char *value) {
    bm_escape_csv(text, value);
    bm_text_append(text, ",");
}

static void append_real(struct bm_text *text, double value) {
    if (isfinite(value))
        bm_text_append(text, "%.10g,", value);
    else
        bm_text_append(text, ",");
}

static void append_count(struct bm_text *text, size_t value) {
    bm_text_append(text, "%zu,", value);
}

/* In place of the last comma. */
static void end_record(struct bm_text *text) {
    if (!text->failed && text->length > 0 && text->data[text->length - 1] == ',')
        text->length--;
    bm_text_append(text, "\r\n");
}

static void append_header(struct bm_text *text, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        append_text(text, names[i]);
    end_record(text);
}

static enum bm_status end(struct bm_text *text, struct bm_error *error) {
    return text->failed ? bm_fail(error, BM_NO_MEMORY, "out of memory for a report") : BM_OK;
}

/* ---- a gate ---- */

enum bm_status bm_export_gate_csv(const struct bm_gate *gate, const struct bm_export_options *options,
                                  struct bm_text *text, struct bm_error *error) {
    static const char *const names[] = {"verdict",          "key",       "device",
                                        "device_name",      "backend",   "threads",
                                        "old_ns",           "new_ns",    "time_ratio",
                                        "ci_low",           "ci_high",   "p",
                                        "detectable_ratio", "deviation", "deviation_assumed",
                                        "old_runs",         "new_runs",  "why"};
    (void)options;
    append_header(text, names, BM_COUNT_OF(names));
    for (size_t i = 0; i < gate->row_count; i++) {
        const struct bm_gate_row *row = &gate->rows[i];
        append_text(text, bm_verdict_name(row->verdict));
        append_text(text, row->key);
        append_text(text, row->device);
        append_text(text, row->device_name);
        append_text(text, row->backend);
        append_real(text, row->threads > 0 ? (double)row->threads : (double)NAN);
        /* of a ceiling they are for a unit of work: no time */
        append_real(text, row->is_ceiling ? (double)NAN : row->old_ns);
        append_real(text, row->is_ceiling ? (double)NAN : row->new_ns);
        append_real(text, exp(row->change));
        append_real(text, exp(row->low));
        append_real(text, exp(row->high));
        append_real(text, row->p);
        append_real(text, exp(row->detectable));
        append_real(text, row->deviation);
        append_text(text, row->assumed ? "true" : "false");
        append_count(text, row->old_runs);
        append_count(text, row->new_runs);
        append_text(text, row->why);
        end_record(text);
    }
    return end(text, error);
}

/* ---- a comparison ---- */

struct record {
    size_t line, column;
    const char *kind, *name, *backend, *state, *bound;
    double median_ns, tokens_per_s, efficiency, per_watt, per_usd;
};

static void append_record(struct bm_text *text, const struct bm_comparison *comparison,
                          const struct record *record, const struct bm_compare_ratio *ratio) {
    const struct bm_compare_line *line = &comparison->lines[record->line];
    const struct bm_compare_column *column = &comparison->columns[line->columns[record->column]];
    const struct bm_factor *const factors[] = {&ratio->speedup,  &ratio->roofline,  &ratio->utilization,
                                               &ratio->compute,  &ratio->bandwidth, &ratio->datasheet,
                                               &ratio->delivered};
    char label[8];
    bm_column_label(record->column, label);
    append_count(text, record->line);
    append_text(text, label);
    append_text(text, comparison->files[column->file].path);
    append_text(text, column->device);
    append_text(text, column->name);
    append_text(text, column->released);
    append_text(text, record->backend);
    append_text(text, record->kind);
    append_text(text, record->name);
    append_text(text, record->state);
    append_text(text, record->bound);
    append_real(text, record->median_ns);
    append_real(text, record->tokens_per_s);
    append_real(text, record->efficiency);
    append_real(text, record->per_watt);
    append_real(text, record->per_usd);
    for (size_t i = 0; i < BM_COUNT_OF(factors); i++) {
        append_real(text, factors[i]->value);
        append_real(text, factors[i]->low);
        append_real(text, factors[i]->high);
    }
    append_text(text, ratio->why);
    end_record(text);
}

static const struct bm_compare_ratio no_ratio = {.speedup = {(double)NAN, (double)NAN, (double)NAN},
                                                 .roofline = {(double)NAN, (double)NAN, (double)NAN},
                                                 .utilization = {(double)NAN, (double)NAN, (double)NAN},
                                                 .compute = {(double)NAN, (double)NAN, (double)NAN},
                                                 .bandwidth = {(double)NAN, (double)NAN, (double)NAN},
                                                 .datasheet = {(double)NAN, (double)NAN, (double)NAN},
                                                 .delivered = {(double)NAN, (double)NAN, (double)NAN}};

static void append_request(struct bm_text *text, const struct bm_comparison *comparison, size_t line,
                           size_t column, size_t request) {
    const struct bm_compare_line *in = &comparison->lines[line];
    const struct bm_compare_column *of = &comparison->columns[in->columns[column]];
    const struct bm_compare_summary *summary = bm_compare_summary_find(of, request);
    struct bm_compare_ratio ratio = no_ratio;
    char name[160];
    if (summary == NULL)
        return;
    bm_request_name(&comparison->requests[request], name);
    if (column > 0)
        bm_compare_request_ratio(comparison, &comparison->columns[in->columns[0]], of, request, &ratio);
    const struct record record = {.line = line,
                                  .column = column,
                                  .kind = "model",
                                  .name = name,
                                  .backend = summary->backend,
                                  .state = summary->lacking[0] != '\0' ? "incomplete" : "measured",
                                  .bound = "",
                                  .median_ns = (double)NAN,
                                  .tokens_per_s = summary->tokens_per_s,
                                  .efficiency = summary->roofline_efficiency,
                                  .per_watt = bm_tokens_per_watt(of, summary),
                                  .per_usd = bm_tokens_per_usd(of, summary)};
    append_record(text, comparison, &record, &ratio);
}

static void append_row(struct bm_text *text, const struct bm_comparison *comparison, size_t line,
                       size_t column, size_t row) {
    const struct bm_compare_line *in = &comparison->lines[line];
    const struct bm_compare_column *of = &comparison->columns[in->columns[column]];
    const struct bm_compare_cell *cell = bm_compare_cell_find(of, row);
    const double unknown = (double)NAN;
    struct bm_compare_ratio ratio = no_ratio;
    if (cell == NULL)
        return;
    if (column > 0)
        bm_compare_row_ratio(comparison, &comparison->columns[in->columns[0]], of, row, &ratio);
    const bool measured = cell->state == BM_CELL_MEASURED;
    const bool bounded = measured && cell->compute_ceiling >= 0;
    const struct record record = {.line = line,
                                  .column = column,
                                  .kind = "row",
                                  .name = comparison->rows[row].key,
                                  .backend = cell->backend,
                                  .state = bm_compare_cell_state_name(cell->state),
                                  .bound = !bounded                 ? ""
                                           : cell->is_compute_bound ? "compute"
                                                                    : "memory",
                                  .median_ns = measured ? cell->median_ns : unknown,
                                  .tokens_per_s = unknown,
                                  .efficiency = measured ? cell->roofline_efficiency : unknown,
                                  .per_watt = unknown,
                                  .per_usd = unknown};
    append_record(text, comparison, &record, &ratio);
}

enum bm_status bm_export_comparison_csv(const struct bm_comparison *comparison,
                                        const struct bm_export_options *options, struct bm_text *text,
                                        struct bm_error *error) {
    static const char *const names[] = {"line",
                                        "column",
                                        "file",
                                        "device",
                                        "device_name",
                                        "released",
                                        "backend",
                                        "kind",
                                        "name",
                                        "state",
                                        "bound",
                                        "median_ns",
                                        "tokens_per_s",
                                        "roofline_efficiency",
                                        "tokens_per_joule_at_least",
                                        "tokens_per_s_per_usd",
                                        "speedup",
                                        "speedup_low",
                                        "speedup_high",
                                        "roofline",
                                        "roofline_low",
                                        "roofline_high",
                                        "utilization",
                                        "utilization_low",
                                        "utilization_high",
                                        "compute",
                                        "compute_low",
                                        "compute_high",
                                        "bandwidth",
                                        "bandwidth_low",
                                        "bandwidth_high",
                                        "datasheet",
                                        "datasheet_low",
                                        "datasheet_high",
                                        "delivered",
                                        "delivered_low",
                                        "delivered_high",
                                        "why"};
    (void)options;
    append_header(text, names, BM_COUNT_OF(names));
    for (size_t line = 0; line < comparison->line_count; line++) {
        const struct bm_compare_line *in = &comparison->lines[line];
        for (size_t column = 0; column < in->column_count; column++) {
            for (size_t i = 0; i < in->request_count; i++)
                append_request(text, comparison, line, column, in->requests[i]);
            for (size_t i = 0; i < in->row_count; i++)
                append_row(text, comparison, line, column, in->rows[i]);
        }
    }
    return end(text, error);
}

/* ---- an estimate ---- */

static void append_bool(struct bm_text *text, bool known, bool value) {
    append_text(text, !known ? "" : value ? "true" : "false");
}

/* Value, low, high. */
static void append_figure(struct bm_text *text, const struct bm_serving_figure *figure, double scale) {
    append_real(text, scale * figure->value);
    append_real(text, scale * figure->low);
    append_real(text, scale * figure->high);
}

static void take_missing(void *context, const char *sentence) {
    struct bm_text *field = context;
    field->failed |= sentence == NULL;
    bm_text_append(field, "%s%s", field->length > 0 ? "; " : "", sentence != NULL ? sentence : "");
}

/* In one field. */
static void append_missing(struct bm_text *text, const struct bm_serving_point *point) {
    struct bm_text field = {0};
    const struct bm_sentences to = {take_missing, &field};
    bm_serving_tell_missing(point, 1, &to);
    text->failed |= field.failed;
    append_text(text, field.data != NULL ? field.data : "");
    bm_text_fini(&field);
}

static void append_point(struct bm_text *text, const struct bm_serving_options *request,
                         const struct bm_serving *serving, const struct bm_serving_point *point) {
    static const double to_ms = 1e-6;
    append_text(text, request->model.id);
    append_count(text, request->prompt);
    append_count(text, request->generate);
    append_count(text, request->chunk);
    append_count(text, request->count);
    append_text(text, bm_serving_kv(request));
    append_text(text, bm_routing_name(request->routing));
    append_text(text, serving->device);
    append_text(text, serving->name);
    append_text(text, serving->backend);
    append_text(text, serving->dtype);
    append_text(text, serving->files);
    append_count(text, point->batch);
    append_figure(text, &point->ttft_ns, to_ms);
    append_figure(text, &point->tpot_ns, to_ms);
    append_figure(text, &point->prefill_tokens_per_s, 1);
    append_figure(text, &point->decode_tokens_per_s, 1);
    append_real(text, to_ms * point->ttft_launch_free_ns);
    append_real(text, to_ms * point->tpot_launch_free_ns);
    append_bool(text, isfinite(point->ttft_ns.value), point->ttft_issue_bound);
    append_bool(text, isfinite(point->tpot_ns.value), point->tpot_issue_bound);
    append_real(text, point->prefill_mfu);
    append_real(text, point->prefill_mbu);
    append_real(text, point->decode_mfu);
    append_real(text, point->decode_mbu);
    append_real(text, point->compute_share);
    append_real(text, serving->weight_bytes);
    append_real(text, point->cache_bytes);
    append_real(text, serving->memory_bytes);
    append_bool(text, isfinite(serving->memory_bytes), point->fits);
    append_real(text, point->devices_needed > 0 ? (double)point->devices_needed : (double)NAN);
    append_missing(text, point);
    end_record(text);
}

enum bm_status bm_export_estimate_csv(const struct bm_serving_report *report,
                                      const struct bm_export_options *options, struct bm_text *text,
                                      struct bm_error *error) {
    static const char *const names[] = {"model",
                                        "prompt",
                                        "generate",
                                        "chunk",
                                        "count",
                                        "kv",
                                        "routing",
                                        "device",
                                        "device_name",
                                        "backend",
                                        "dtype",
                                        "files",
                                        "batch",
                                        "ttft_ms",
                                        "ttft_ms_low",
                                        "ttft_ms_high",
                                        "tpot_ms",
                                        "tpot_ms_low",
                                        "tpot_ms_high",
                                        "prefill_tokens_per_s",
                                        "prefill_tokens_per_s_low",
                                        "prefill_tokens_per_s_high",
                                        "decode_tokens_per_s",
                                        "decode_tokens_per_s_low",
                                        "decode_tokens_per_s_high",
                                        "ttft_launch_free_ms",
                                        "tpot_launch_free_ms",
                                        "ttft_bound_by_launches",
                                        "tpot_bound_by_launches",
                                        "prefill_mfu",
                                        "prefill_mbu",
                                        "decode_mfu",
                                        "decode_mbu",
                                        "decode_compute_share",
                                        "weight_bytes",
                                        "cache_bytes",
                                        "memory_bytes",
                                        "fits",
                                        "devices_needed",
                                        "missing"};
    (void)options;
    append_header(text, names, BM_COUNT_OF(names));
    for (size_t i = 0; i < report->serving_count; i++)
        for (size_t k = 0; k < report->servings[i].point_count; k++)
            append_point(text, &report->options, &report->servings[i], &report->servings[i].points[k]);
    return end(text, error);
}
