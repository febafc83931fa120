/* A comparison as JSON: results/comparison.schema.json. */
#include <math.h>
#include <string.h>

#include "bm/measure.h"
#include "compare.h"
#include "emit.h"
#include "format.h"

static void put_factor(struct bm_emitter *emitter, const char *key, const struct bm_factor *factor) {
    if (!isfinite(factor->value)) {
        bm_emit_null(emitter, key);
        return;
    }
    bm_emit_open(emitter, key, '{');
    bm_emit_real(emitter, "value", factor->value);
    bm_emit_interval(emitter, "ci", factor->low, factor->high);
    bm_emit_close(emitter, '}');
}

static void put_ratio(struct bm_emitter *emitter, const struct bm_compare_ratio *ratio) {
    if (!isfinite(ratio->speedup.value)) {
        bm_emit_null(emitter, "against_first");
        bm_emit_text(emitter, "why", ratio->why);
        return;
    }
    bm_emit_open(emitter, "against_first", '{');
    put_factor(emitter, "speedup", &ratio->speedup);
    put_factor(emitter, "roofline", &ratio->roofline);
    put_factor(emitter, "utilization", &ratio->utilization);
    put_factor(emitter, "compute", &ratio->compute);
    put_factor(emitter, "bandwidth", &ratio->bandwidth);
    put_factor(emitter, "datasheet", &ratio->datasheet);
    put_factor(emitter, "delivered", &ratio->delivered);
    bm_emit_bool(emitter, "paired", ratio->paired);
    bm_emit_bool(emitter, "changed", ratio->changed);
    bm_emit_close(emitter, '}');
    bm_emit_null(emitter, "why");
}

static void put_files(struct bm_emitter *emitter, const struct bm_comparison *comparison) {
    bm_emit_open(emitter, "files", '[');
    for (size_t i = 0; i < comparison->file_count; i++) {
        const struct bm_compare_file *file = &comparison->files[i];
        bm_emit_open(emitter, NULL, '{');
        bm_emit_text(emitter, "path", file->path);
        bm_emit_text(emitter, "id", file->id);
        bm_emit_text(emitter, "created", file->created);
        bm_emit_bool(emitter, "complete", file->complete);
        bm_emit_text(emitter, "ab_id", file->ab_id);
        bm_emit_text(emitter, "ab_side", file->ab_side);
        bm_emit_text(emitter, "version", file->version);
        bm_emit_text(emitter, "commit", file->commit);
        bm_emit_text(emitter, "kernels_sha256", file->kernels_sha256);
        bm_emit_text(emitter, "suite", file->suite);
        bm_emit_text(emitter, "cache", file->cache);
        bm_emit_close(emitter, '}');
    }
    bm_emit_close(emitter, ']');
}

struct emission {
    struct bm_emitter *emitter;
    const struct bm_comparison *comparison;
    const struct bm_compare_line *line;
};

static const struct bm_compare_column *column_at(const struct emission *emission, size_t index) {
    return &emission->comparison->columns[emission->line->columns[index]];
}

static void put_columns(const struct emission *emission) {
    struct bm_emitter *emitter = emission->emitter;
    bm_emit_open(emitter, "columns", '[');
    for (size_t i = 0; i < emission->line->column_count; i++) {
        const struct bm_compare_column *column = column_at(emission, i);
        char label[8];
        bm_column_label(i, label);
        bm_emit_open(emitter, NULL, '{');
        bm_emit_text(emitter, "label", label);
        bm_emit_count(emitter, "file", column->file);
        bm_emit_text(emitter, "device", column->device);
        bm_emit_text(emitter, "kind", column->kind);
        bm_emit_text(emitter, "name", column->name);
        bm_emit_text(emitter, "fingerprint", column->fingerprint);
        bm_emit_text(emitter, "datasheet", column->datasheet);
        bm_emit_text(emitter, "released", column->released);
        bm_emit_text(emitter, "backend", column->backend);
        bm_emit_real(emitter, "tdp_watts", column->tdp_watts);
        bm_emit_real(emitter, "price_usd", column->price_usd);
        bm_emit_close(emitter, '}');
    }
    bm_emit_close(emitter, ']');
}

static void put_ceiling_kind(void *context, const struct bm_compare_ceiling *kind) {
    const struct emission *emission = context;
    struct bm_emitter *emitter = emission->emitter;
    const struct bm_compare_column *oldest = column_at(emission, 0);
    const struct bm_compare_ceiling *first = bm_best_ceiling(oldest, kind->resource, kind->pipe);
    bm_emit_open(emitter, NULL, '{');
    bm_emit_text(emitter, "resource", kind->resource);
    bm_emit_text(emitter, "pipe", kind->pipe);
    bm_emit_text(emitter, "unit", kind->unit);
    bm_emit_open(emitter, "columns", '[');
    for (size_t i = 0; i < emission->line->column_count; i++) {
        const struct bm_compare_column *column = column_at(emission, i);
        const struct bm_compare_ceiling *ceiling = bm_best_ceiling(column, kind->resource, kind->pipe);
        if (ceiling == NULL)
            continue;
        bm_emit_open(emitter, NULL, '{');
        bm_emit_count(emitter, "column", i);
        bm_emit_text(emitter, "backend", ceiling->backend);
        bm_emit_real(emitter, "value", ceiling->value);
        bm_emit_real(emitter, "of_datasheet", ceiling->of_datasheet);
        if (i > 0 && first != NULL) {
            struct bm_factor factor =
                bm_compare_ceiling_ratio(emission->comparison, oldest, column, first, ceiling);
            put_factor(emitter, "against_first", &factor);
        } else {
            bm_emit_null(emitter, "against_first");
        }
        bm_emit_close(emitter, '}');
    }
    bm_emit_close(emitter, ']');
    bm_emit_close(emitter, '}');
}

/* Names with blanks between. */
static void put_names(struct bm_emitter *emitter, const char *key, const char *names) {
    bm_emit_open(emitter, key, '[');
    while (*names != '\0') {
        char name[48];
        size_t length = strcspn(names, " ");
        bm_string_set(name, length + 1 < sizeof name ? length + 1 : sizeof name, names);
        bm_emit_text(emitter, NULL, name);
        names += length;
        names += strspn(names, " ");
    }
    bm_emit_close(emitter, ']');
}

static void put_request(const struct emission *emission, size_t request) {
    struct bm_emitter *emitter = emission->emitter;
    const struct bm_compare_request *about = &emission->comparison->requests[request];
    bm_emit_open(emitter, NULL, '{');
    bm_emit_text(emitter, "model", about->model);
    bm_emit_text(emitter, "phase", about->phase);
    bm_emit_text(emitter, "dtype", about->dtype);
    if (about->kv[0] != '\0')
        bm_emit_text(emitter, "kv", about->kv);
    bm_emit_positive(emitter, "batch", about->batch);
    bm_emit_positive(emitter, "tokens", about->tokens);
    bm_emit_positive(emitter, "context", about->context);
    bm_emit_open(emitter, "columns", '[');
    for (size_t i = 0; i < emission->line->column_count; i++) {
        const struct bm_compare_column *column = column_at(emission, i);
        const struct bm_compare_summary *summary = bm_compare_summary_find(column, request);
        if (summary == NULL)
            continue;
        bm_emit_open(emitter, NULL, '{');
        bm_emit_count(emitter, "column", i);
        bm_emit_text(emitter, "backend", summary->backend);
        bm_emit_real(emitter, "tokens_per_s", summary->tokens_per_s);
        bm_emit_real(emitter, "roofline_efficiency", summary->roofline_efficiency);
        bm_emit_real(emitter, "mfu", summary->mfu);
        bm_emit_real(emitter, "mbu", summary->mbu);
        bm_emit_real(emitter, "tokens_per_joule_at_least", bm_tokens_per_watt(column, summary));
        bm_emit_real(emitter, "tokens_per_s_per_usd", bm_tokens_per_usd(column, summary));
        put_names(emitter, "ops", summary->ops);
        put_names(emitter, "missing", summary->missing);
        put_names(emitter, "lacking", summary->lacking);
        struct bm_compare_ratio ratio;
        if (i > 0) {
            bm_compare_request_ratio(emission->comparison, column_at(emission, 0), column, request, &ratio);
            put_ratio(emitter, &ratio);
        } else {
            bm_emit_null(emitter, "against_first");
            bm_emit_null(emitter, "why");
        }
        bm_emit_close(emitter, '}');
    }
    bm_emit_close(emitter, ']');
    bm_emit_close(emitter, '}');
}

static void put_flags(struct bm_emitter *emitter, uint32_t flags) {
    bm_emit_open(emitter, "flags", '[');
    for (unsigned bit = 1; bit <= BM_FLAG_LAST; bit <<= 1)
        if ((flags & bit) != 0)
            bm_emit_text(emitter, NULL, bm_flag_name(bit));
    bm_emit_close(emitter, ']');
}

static void put_cell(const struct emission *emission, size_t index, size_t row) {
    struct bm_emitter *emitter = emission->emitter;
    const struct bm_compare_column *column = column_at(emission, index);
    const struct bm_compare_cell *cell = bm_compare_cell_find(column, row);
    if (cell == NULL)
        return;
    const bool measured = cell->state == BM_CELL_MEASURED;
    bm_emit_open(emitter, NULL, '{');
    bm_emit_count(emitter, "column", index);
    bm_emit_text(emitter, "state", bm_compare_cell_state_name(cell->state));
    bm_emit_text(emitter, "reason", cell->reason);
    bm_emit_text(emitter, "backend", cell->backend);
    bm_emit_real(emitter, "median_ns", measured ? cell->median_ns : (double)NAN);
    bm_emit_real(emitter, "roofline_efficiency", measured ? cell->roofline_efficiency : (double)NAN);
    bm_emit_text(emitter, "bound",
                 !measured || cell->compute_ceiling < 0 ? NULL
                 : cell->is_compute_bound               ? "compute"
                                                        : "memory");
    put_flags(emitter, cell->flags);
    if (index > 0) {
        struct bm_compare_ratio ratio;
        bm_compare_row_ratio(emission->comparison, column_at(emission, 0), column, row, &ratio);
        put_ratio(emitter, &ratio);
    } else {
        bm_emit_null(emitter, "against_first");
        bm_emit_null(emitter, "why");
    }
    bm_emit_close(emitter, '}');
}

static void put_row(const struct emission *emission, size_t row) {
    struct bm_emitter *emitter = emission->emitter;
    const struct bm_compare_row *about = &emission->comparison->rows[row];
    bm_emit_open(emitter, NULL, '{');
    bm_emit_text(emitter, "key", about->key);
    bm_emit_text(emitter, "workload", about->workload);
    bm_emit_text(emitter, "model", about->model);
    bm_emit_text(emitter, "phase", about->phase);
    bm_emit_text(emitter, "op", about->op);
    bm_emit_text(emitter, "dtype", about->dtype);
    bm_emit_open(emitter, "columns", '[');
    for (size_t i = 0; i < emission->line->column_count; i++)
        put_cell(emission, i, row);
    bm_emit_close(emitter, ']');
    bm_emit_close(emitter, '}');
}

static void put_line(const struct emission *emission) {
    struct bm_emitter *emitter = emission->emitter;
    const struct bm_compare_line *line = emission->line;
    bm_emit_open(emitter, NULL, '{');
    bm_emit_text(emitter, "ordered_by", line->by_release ? "release" : "command_line");
    put_columns(emission);
    bm_emit_open(emitter, "ceilings", '[');
    bm_each_ceiling_kind(emission->comparison, line, put_ceiling_kind, (void *)(uintptr_t)emission);
    bm_emit_close(emitter, ']');
    bm_emit_open(emitter, "requests", '[');
    for (size_t i = 0; i < line->request_count; i++)
        put_request(emission, line->requests[i]);
    bm_emit_close(emitter, ']');
    bm_emit_open(emitter, "rows", '[');
    for (size_t i = 0; i < line->row_count; i++)
        put_row(emission, line->rows[i]);
    bm_emit_close(emitter, ']');
    bm_emit_count(emitter, "hidden_rows", line->hidden_count);
    bm_emit_close(emitter, '}');
}

enum bm_status bm_export_comparison_json(const struct bm_comparison *comparison,
                                         const struct bm_export_options *options, struct bm_text *text,
                                         struct bm_error *error) {
    struct bm_emitter emitter = {.text = text};
    (void)options;
    bm_emit_open(&emitter, NULL, '{');
    bm_emit_text(&emitter, "schema_version", "1.0");
    bm_emit_real(&emitter, "confidence", BM_COMPARE_CONFIDENCE);
    bm_emit_real(&emitter, "between_runs", BM_COMPARE_BETWEEN_RUNS);
    put_files(&emitter, comparison);
    bm_emit_open(&emitter, "lines", '[');
    for (size_t i = 0; i < comparison->line_count; i++) {
        const struct emission emission = {&emitter, comparison, &comparison->lines[i]};
        put_line(&emission);
    }
    bm_emit_close(&emitter, ']');
    bm_emit_open(&emitter, "notes", '[');
    for (size_t i = 0; i < comparison->note_count; i++)
        bm_emit_text(&emitter, NULL, comparison->notes[i]);
    bm_emit_close(&emitter, ']');
    bm_emit_close(&emitter, '}');
    return bm_emit_end(&emitter, error);
}
