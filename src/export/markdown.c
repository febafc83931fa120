/* Markdown, for a job summary or a pull request. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare.h"
#include "escape.h"
#include "estimate.h"
#include "format.h"
#include "gate.h"

static enum bm_status end(struct bm_text *text, struct bm_error *error) {
    return text->failed ? bm_fail(error, BM_NO_MEMORY, "out of memory for a report") : BM_OK;
}

/* A title with a bar in front aligns right. */
static void append_header(struct bm_text *text, const char *const *titles, size_t count) {
    for (size_t i = 0; i < count; i++)
        bm_text_append(text, "| %s ", titles[i] + (titles[i][0] == '|'));
    bm_text_append(text, "|\n");
    for (size_t i = 0; i < count; i++)
        bm_text_append(text, "| ---%s ", titles[i][0] == '|' ? ":" : "");
    bm_text_append(text, "|\n");
}

static void append_cells(struct bm_text *text, const char *const *cells, size_t count) {
    for (size_t i = 0; i < count; i++) {
        bm_text_append(text, "| ");
        bm_escape_markdown(text, cells[i]);
        bm_text_append(text, " ");
    }
    bm_text_append(text, "|\n");
}

static void append_notes(struct bm_text *text, char (*notes)[320], size_t count) {
    for (size_t i = 0; i < count; i++) {
        bm_text_append(text, "%s- ", i == 0 ? "\n" : "");
        bm_escape_markdown(text, notes[i]);
        bm_text_append(text, "\n");
    }
}

/* "110 ms (109 ms to 111 ms)"; without a known interval the value alone. */
static void write_interval(char cell[96], double value, double low, double high,
                           void (*write)(char text[BM_QUANTITY_SIZE], double value)) {
    char texts[3][BM_QUANTITY_SIZE];
    write(texts[0], value);
    write(texts[1], low);
    write(texts[2], high);
    if (isfinite(low) && isfinite(high))
        snprintf(cell, 96, "%s (%s to %s)", texts[0], texts[1], texts[2]);
    else
        snprintf(cell, 96, "%s", texts[0]);
}

/* ---- a gate ---- */

static void append_gate_row(struct bm_text *text, const struct bm_gate_row *row) {
    char name[256], change[BM_QUANTITY_SIZE], interval[2 * BM_QUANTITY_SIZE], detectable[BM_QUANTITY_SIZE];
    bm_gate_row_name(row, name);
    bm_quantity_change(change, row->change);
    bm_quantity_change_interval(interval, row->low, row->high);
    bm_quantity_change(detectable, row->detectable);
    const char *cells[] = {bm_verdict_name(row->verdict), name, change, interval, detectable, row->why};
    append_cells(text, cells, BM_COUNT_OF(cells));
}

static void append_gate_table(struct bm_text *text, const struct bm_gate *gate, bool calm) {
    static const char *const titles[] = {"verdict", "row", "|time", "|95 % interval", "|detectable", "note"};
    bool any = false;
    for (size_t i = 0; i < gate->row_count; i++) {
        const enum bm_verdict verdict = gate->rows[i].verdict;
        if ((verdict >= BM_VERDICT_ADDED) != calm)
            continue;
        if (!any)
            append_header(text, titles, BM_COUNT_OF(titles));
        any = true;
        append_gate_row(text, &gate->rows[i]);
    }
}

enum bm_status bm_export_gate_markdown(const struct bm_gate *gate, const struct bm_export_options *options,
                                       struct bm_text *text, struct bm_error *error) {
    char line[BM_GATE_SUMMARY_SIZE];
    const size_t calm = gate->counts[BM_VERDICT_UNCHANGED] + gate->counts[BM_VERDICT_ADDED];
    (void)options;
    bm_gate_summary(gate, line);
    bm_text_append(text, "### benchmark %s: %s\n\n", gate->is_ab ? "ab" : "check", line);
    append_gate_table(text, gate, false);
    if (calm > 0) { /* what nobody need read is folded */
        bm_text_append(text, "\n<details><summary>%zu unchanged or added</summary>\n\n", calm);
        append_gate_table(text, gate, true);
        bm_text_append(text, "\n</details>\n");
    }
    bm_gate_rules(gate, line);
    bm_text_append(text, "\n%s\n", line);
    append_notes(text, gate->notes, gate->note_count);
    return end(text, error);
}

/* ---- a comparison ---- */

static void write_factor(char cell[96], const struct bm_factor *factor) {
    write_interval(cell, factor->value, factor->low, factor->high, bm_quantity_number);
}

enum { FACTORS = 7 };

static void append_ratio(struct bm_text *text, const char *label, const char *name, const char *bound,
                         const struct bm_compare_ratio *ratio) {
    const struct bm_factor *const factors[FACTORS] = {
        &ratio->speedup,   &ratio->roofline,  &ratio->utilization, &ratio->compute,
        &ratio->bandwidth, &ratio->datasheet, &ratio->delivered};
    char values[FACTORS][96];
    for (int i = 0; i < FACTORS; i++)
        write_factor(values[i], factors[i]);
    const char *cells[] = {label,     name,      values[0], values[1], values[2], values[3],
                           values[4], values[5], values[6], bound,     ratio->why};
    append_cells(text, cells, BM_COUNT_OF(cells));
}

static const struct bm_compare_column *column_at(const struct bm_comparison *comparison,
                                                 const struct bm_compare_line *line, size_t index) {
    return &comparison->columns[line->columns[index]];
}

static void append_columns(struct bm_text *text, const struct bm_comparison *comparison,
                           const struct bm_compare_line *line) {
    static const char *const titles[] = {"", "device", "released", "backend", "file"};
    append_header(text, titles, BM_COUNT_OF(titles));
    for (size_t i = 0; i < line->column_count; i++) {
        const struct bm_compare_column *column = column_at(comparison, line, i);
        char label[8], device[192];
        bm_column_label(i, label);
        snprintf(device, sizeof device, "%s: %s", column->device, column->name);
        const char *cells[] = {label, device, column->released[0] != '\0' ? column->released : "-",
                               column->backend, comparison->files[column->file].path};
        append_cells(text, cells, BM_COUNT_OF(cells));
    }
}

struct kinds {
    struct bm_text *text;
    const struct bm_comparison *comparison;
    const struct bm_compare_line *line;
};

static void append_ceiling_kind(void *context, const struct bm_compare_ceiling *kind) {
    const struct kinds *kinds = context;
    const struct bm_compare_column *oldest = column_at(kinds->comparison, kinds->line, 0);
    const struct bm_compare_ceiling *first = bm_best_ceiling(oldest, kind->resource, kind->pipe);
    for (size_t i = 0; i < kinds->line->column_count; i++) {
        const struct bm_compare_column *column = column_at(kinds->comparison, kinds->line, i);
        const struct bm_compare_ceiling *ceiling = bm_best_ceiling(column, kind->resource, kind->pipe);
        char label[8], name[80], rate[64], share[BM_QUANTITY_SIZE], ratio[96] = "";
        if (ceiling == NULL)
            continue;
        bm_column_label(i, label);
        snprintf(name, sizeof name, "%s%s%s", kind->resource, kind->pipe[0] != '\0' ? " " : "", kind->pipe);
        bm_quantity_number(rate, ceiling->value);
        snprintf(rate + strlen(rate), sizeof rate - strlen(rate), " %s", ceiling->unit);
        bm_quantity_percent(share, ceiling->of_datasheet);
        if (i > 0 && first != NULL) {
            struct bm_factor factor =
                bm_compare_ceiling_ratio(kinds->comparison, oldest, column, first, ceiling);
            write_factor(ratio, &factor);
        }
        const char *cells[] = {label, name, rate, share, ratio};
        append_cells(kinds->text, cells, BM_COUNT_OF(cells));
    }
}

static void append_ceilings(struct bm_text *text, const struct bm_comparison *comparison,
                            const struct bm_compare_line *line) {
    static const char *const titles[] = {"", "ceiling", "|rate", "|of datasheet", "|ratio"};
    struct kinds kinds = {text, comparison, line};
    bm_text_append(text, "\n");
    append_header(text, titles, BM_COUNT_OF(titles));
    bm_each_ceiling_kind(comparison, line, append_ceiling_kind, &kinds);
}

static void append_requests(struct bm_text *text, const struct bm_comparison *comparison,
                            const struct bm_compare_line *line) {
    static const char *const titles[] = {"",          "whole model",         "|tokens/s",
                                         "|roofline", "|tokens/J, at least", "|tokens/s per 1000 USD"};
    if (line->request_count == 0)
        return;
    bm_text_append(text, "\n");
    append_header(text, titles, BM_COUNT_OF(titles));
    for (size_t r = 0; r < line->request_count; r++)
        for (size_t i = 0; i < line->column_count; i++) {
            const struct bm_compare_column *column = column_at(comparison, line, i);
            const struct bm_compare_summary *summary = bm_compare_summary_find(column, line->requests[r]);
            char label[8], name[160], rate[BM_QUANTITY_SIZE], efficiency[BM_QUANTITY_SIZE],
                watt[BM_QUANTITY_SIZE], usd[BM_QUANTITY_SIZE];
            if (summary == NULL)
                continue;
            bm_column_label(i, label);
            bm_request_name(&comparison->requests[line->requests[r]], name);
            bm_quantity_number(rate, summary->tokens_per_s);
            bm_quantity_percent(efficiency, summary->roofline_efficiency);
            bm_quantity_number(watt, bm_tokens_per_watt(column, summary));
            bm_quantity_number(usd, 1000 * bm_tokens_per_usd(column, summary));
            const bool whole = summary->lacking[0] == '\0';
            const char *cells[] = {label, name, whole ? rate : "incomplete", efficiency, watt, usd};
            append_cells(text, cells, BM_COUNT_OF(cells));
        }
}

static void append_ratios(struct bm_text *text, const struct bm_comparison *comparison,
                          const struct bm_compare_line *line) {
    static const char *const titles[] = {"",           "against A", "|speed-up",  "|= roofline",
                                         "|x use",     "|compute",  "|bandwidth", "|datasheet",
                                         "|delivered", "bound",     "note"};
    const struct bm_compare_column *oldest = column_at(comparison, line, 0);
    bm_text_append(text, "\n");
    append_header(text, titles, BM_COUNT_OF(titles));
    for (size_t i = 1; i < line->column_count; i++) {
        const struct bm_compare_column *column = column_at(comparison, line, i);
        char label[8], name[160];
        struct bm_compare_ratio ratio;
        bm_column_label(i, label);
        for (size_t r = 0; r < line->request_count; r++) {
            bm_request_name(&comparison->requests[line->requests[r]], name);
            bm_compare_request_ratio(comparison, oldest, column, line->requests[r], &ratio);
            append_ratio(text, label, name, "", &ratio);
        }
        for (size_t r = 0; r < line->row_count; r++) {
            const size_t row = line->rows[r];
            bm_compare_row_ratio(comparison, oldest, column, row, &ratio);
            append_ratio(
                text, label, comparison->rows[row].key,
                bm_bound_change(bm_compare_cell_find(oldest, row), bm_compare_cell_find(column, row)),
                &ratio);
        }
    }
}

enum bm_status bm_export_comparison_markdown(const struct bm_comparison *comparison,
                                             const struct bm_export_options *options, struct bm_text *text,
                                             struct bm_error *error) {
    (void)options;
    for (size_t i = 0; i < comparison->line_count; i++) {
        const struct bm_compare_line *line = &comparison->lines[i];
        bm_text_append(text, "%s", i > 0 ? "\n" : "");
        append_columns(text, comparison, line);
        append_ceilings(text, comparison, line);
        append_requests(text, comparison, line);
        append_ratios(text, comparison, line);
    }
    append_notes(text, comparison->notes, comparison->note_count);
    return end(text, error);
}

/* ---- an estimate ---- */

static void take_item(void *context, const char *sentence) {
    struct bm_text *text = context;
    text->failed |= sentence == NULL;
    bm_text_append(text, "- ");
    bm_escape_markdown(text, sentence != NULL ? sentence : "");
    bm_text_append(text, "\n");
}

static void append_heading(struct bm_text *text, const char *before, struct bm_text *heading) {
    text->failed |= heading->failed;
    bm_text_append(text, "%s", before);
    bm_escape_markdown(text, heading->data != NULL ? heading->data : "");
    bm_text_append(text, "\n\n");
    bm_text_fini(heading);
}

static void write_figure(char cell[96], const struct bm_serving_figure *figure,
                         void (*write)(char text[BM_QUANTITY_SIZE], double value)) {
    write_interval(cell, figure->value, figure->low, figure->high, write);
}

static void append_curve(struct bm_text *text, const struct bm_serving *serving) {
    static const char *const titles[] = {"|batch", "|TTFT", "|prompt tokens/s", "|MFU", "|TPOT", "|tokens/s",
                                         "|MBU",   "bound"};
    bm_text_append(text, "\n");
    append_header(text, titles, BM_COUNT_OF(titles));
    for (size_t i = 0; i < serving->point_count; i++) {
        const struct bm_serving_point *point = &serving->points[i];
        char batch[16], figures[4][96], mfu[BM_QUANTITY_SIZE], mbu[BM_QUANTITY_SIZE];
        snprintf(batch, sizeof batch, "%u", point->batch);
        write_figure(figures[0], &point->ttft_ns, bm_quantity_time);
        write_figure(figures[1], &point->prefill_tokens_per_s, bm_quantity_number);
        write_figure(figures[2], &point->tpot_ns, bm_quantity_time);
        write_figure(figures[3], &point->decode_tokens_per_s, bm_quantity_number);
        bm_quantity_percent(mfu, point->prefill_mfu);
        bm_quantity_percent(mbu, point->decode_mbu);
        const char *cells[] = {batch,      figures[0], figures[1], mfu,
                               figures[2], figures[3], mbu,        bm_serving_bound(point)};
        append_cells(text, cells, BM_COUNT_OF(cells));
    }
    bm_text_append(text, "\n");
}

static void append_ops(struct bm_text *text, const struct bm_serving_point *point) {
    static const char *const titles[] = {"op", "|prefill", "|share", "|a step", "|share"};
    const struct bm_serving_op total = bm_serving_ops_total(point);
    if (!bm_serving_has_ops(point))
        return;
    bm_text_append(text, "\n<details><summary>batch %u, by op</summary>\n\n", point->batch);
    append_header(text, titles, BM_COUNT_OF(titles));
    for (size_t i = 0; i < point->op_count; i++) {
        const struct bm_serving_op *op = &point->ops[i];
        struct bm_serving_share prefill, decode;
        bm_serving_share(op->prefill_ns, total.prefill_ns, &prefill);
        bm_serving_share(op->decode_ns, total.decode_ns, &decode);
        const char *cells[] = {op->name, prefill.time, prefill.share, decode.time, decode.share};
        append_cells(text, cells, BM_COUNT_OF(cells));
    }
    bm_text_append(text, "\n</details>\n");
}

static void append_missing(struct bm_text *text, const struct bm_serving *serving) {
    const struct bm_sentences to = {take_item, text};
    if (!bm_serving_is_incomplete(serving))
        return;
    bm_text_append(text, "\nmissing:\n\n");
    bm_serving_tell_missing(serving->points, serving->point_count, &to);
    if (serving->commands[0] != '\0') /* indented, it is code whatever is in it */
        bm_text_append(text, "\nto measure it:\n\n");
    for (const char *line = serving->commands; *line != '\0';) {
        const size_t length = strcspn(line, "\n");
        bm_text_append(text, "    %.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

enum bm_status bm_export_estimate_markdown(const struct bm_serving_report *report,
                                           const struct bm_export_options *options, struct bm_text *text,
                                           struct bm_error *error) {
    const struct bm_sentences to = {take_item, text};
    struct bm_text heading = {0};
    (void)options;
    bm_serving_title(&report->options, &heading);
    append_heading(text, "### ", &heading);
    for (size_t i = 0; i < report->serving_count; i++) {
        const struct bm_serving *serving = &report->servings[i];
        bm_serving_name(report, i, &heading);
        append_heading(text, i > 0 ? "\n#### " : "#### ", &heading);
        bm_serving_tell_memory(serving, &report->options, &to);
        if (bm_serving_has_curve(serving))
            append_curve(text, serving);
        bm_serving_tell_findings(serving, &report->options, &to);
        append_ops(text, &serving->points[0]);
        append_missing(text, serving);
    }
    return end(text, error);
}
