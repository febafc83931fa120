/* What devices would serve of a model, for the terminal. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "estimate.h"
#include "format.h"
#include "wrap.h"

enum { BAR_COLUMNS = 12 };

struct terminal {
    struct bm_text *text;
    const struct bm_export_options *options;
};

static void take_line(void *context, const char *line) {
    struct terminal *terminal = context;
    if (line != NULL)
        bm_wrap_append(terminal->text, line, terminal->options->width, 2);
    terminal->text->failed |= line == NULL;
}

/* Half of the interval, in percent of the value. */
static void write_half_width(char text[BM_QUANTITY_SIZE], const struct bm_serving_figure *figure) {
    bm_quantity_number(text, 50 * (figure->high - figure->low) / figure->value);
}

static enum bm_status append_curve(const struct bm_serving *serving, const struct bm_export_options *options,
                                   struct bm_text *text, struct bm_error *error) {
    static const struct bm_column columns[] = {{"BATCH", BM_ALIGN_RIGHT}, {"TTFT", BM_ALIGN_RIGHT},
                                               {"+/- %", BM_ALIGN_RIGHT}, {"TOK/s", BM_ALIGN_RIGHT},
                                               {"MFU", BM_ALIGN_RIGHT},   {"TPOT", BM_ALIGN_RIGHT},
                                               {"+/- %", BM_ALIGN_RIGHT}, {"TOK/s", BM_ALIGN_RIGHT},
                                               {"MBU", BM_ALIGN_RIGHT},   {"BOUND", BM_ALIGN_LEFT}};
    struct bm_table *table;
    enum bm_status status = bm_table_create(columns, BM_COUNT_OF(columns), options, &table, error);
    for (size_t i = 0; status == BM_OK && i < serving->point_count; i++) {
        const struct bm_serving_point *point = &serving->points[i];
        char batch[16], cells[8][BM_QUANTITY_SIZE];
        snprintf(batch, sizeof batch, "%u", point->batch);
        bm_quantity_time(cells[0], point->ttft_ns.value);
        write_half_width(cells[1], &point->ttft_ns);
        bm_quantity_number(cells[2], point->prefill_tokens_per_s.value);
        bm_quantity_percent(cells[3], point->prefill_mfu);
        bm_quantity_time(cells[4], point->tpot_ns.value);
        write_half_width(cells[5], &point->tpot_ns);
        bm_quantity_number(cells[6], point->decode_tokens_per_s.value);
        bm_quantity_percent(cells[7], point->decode_mbu);
        const char *row[] = {batch,    cells[0], cells[1], cells[2], cells[3],
                             cells[4], cells[5], cells[6], cells[7], bm_serving_bound(point)};
        bm_table_add(table, row);
    }
    if (status == BM_OK)
        status = bm_table_render(table, text, error);
    bm_table_destroy(table);
    return status;
}

/* ---- ops ---- */

/* Without a total that is known there is no bar. */
static void write_bar(char bar[BAR_COLUMNS + 1], double ns, double total_ns, bool bars) {
    size_t length = 0;
    for (double end = BAR_COLUMNS * ns / total_ns - 0.5;
         bars && length < BAR_COLUMNS && (double)length < end;)
        bar[length++] = '#';
    bar[length] = '\0';
}

static enum bm_status append_ops(const struct bm_serving *serving, const struct bm_export_options *options,
                                 struct bm_text *text, struct bm_error *error) {
    static const struct bm_column columns[] = {{"OP", BM_ALIGN_LEFT},      {"PREFILL", BM_ALIGN_RIGHT},
                                               {"SHARE", BM_ALIGN_RIGHT},  {"", BM_ALIGN_LEFT},
                                               {"A STEP", BM_ALIGN_RIGHT}, {"SHARE", BM_ALIGN_RIGHT},
                                               {"", BM_ALIGN_LEFT}};
    const struct bm_serving_point *point = &serving->points[0];
    const struct bm_serving_op total = bm_serving_ops_total(point);
    struct bm_table *table;
    if (!bm_serving_has_ops(point))
        return BM_OK;
    bm_text_append(text, "\nbatch %u, by op\n", point->batch);
    enum bm_status status = bm_table_create(columns, BM_COUNT_OF(columns), options, &table, error);
    for (size_t i = 0; status == BM_OK && i < point->op_count; i++) {
        const struct bm_serving_op *op = &point->ops[i];
        struct bm_serving_share prefill, decode;
        char bars[2][BAR_COLUMNS + 1];
        bm_serving_share(op->prefill_ns, total.prefill_ns, &prefill);
        bm_serving_share(op->decode_ns, total.decode_ns, &decode);
        write_bar(bars[0], op->prefill_ns, total.prefill_ns, options->width > 0);
        write_bar(bars[1], op->decode_ns, total.decode_ns, options->width > 0);
        const char *cells[] = {op->name,    prefill.time, prefill.share, bars[0],
                               decode.time, decode.share, bars[1]};
        bm_table_add(table, cells);
    }
    if (status == BM_OK)
        status = bm_table_render(table, text, error);
    bm_table_destroy(table);
    return status;
}

/* ---- the whole ---- */

static void append_missing(const struct bm_serving *serving, const struct bm_sentences *to,
                           struct bm_text *text) {
    if (!bm_serving_is_incomplete(serving))
        return;
    bm_text_append(text, "\nmissing:\n");
    bm_serving_tell_missing(serving->points, serving->point_count, to);
    if (serving->commands[0] != '\0') /* as they are: to be copied */
        bm_text_append(text, "to measure it:\n%s", serving->commands);
}

static enum bm_status append_serving(const struct bm_serving_report *report, size_t index,
                                     const struct bm_export_options *options, struct bm_text *text,
                                     struct bm_error *error) {
    const struct bm_serving *serving = &report->servings[index];
    const struct bm_serving_options *request = &report->options;
    struct terminal terminal = {text, options};
    const struct bm_sentences to = {take_line, &terminal};
    struct bm_text name = {0};
    enum bm_status status = BM_OK;
    bm_serving_name(report, index, &name);
    bm_text_append(text, "\n");
    take_line(&terminal, name.failed ? NULL : name.data);
    bm_text_fini(&name);
    bm_serving_tell_memory(serving, request, &to);
    if (bm_serving_has_curve(serving))
        status = append_curve(serving, options, text, error);
    bm_serving_tell_findings(serving, request, &to);
    if (status == BM_OK)
        status = append_ops(serving, options, text, error);
    append_missing(serving, &to, text);
    return status;
}

enum bm_status bm_export_estimate_text(const struct bm_serving_report *report,
                                       const struct bm_export_options *options, struct bm_text *text,
                                       struct bm_error *error) {
    struct terminal terminal = {text, options};
    struct bm_text title = {0};
    enum bm_status status = BM_OK;
    bm_serving_title(&report->options, &title);
    take_line(&terminal, title.failed ? NULL : title.data);
    bm_text_fini(&title);
    for (size_t i = 0; status == BM_OK && i < report->serving_count; i++)
        status = append_serving(report, i, options, text, error);
    return status == BM_OK && text->failed ? bm_fail(error, BM_NO_MEMORY, "out of memory for a report")
                                           : status;
}
