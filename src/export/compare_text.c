/* A comparison for the terminal. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bm/measure.h"
#include "compare.h"
#include "format.h"
#include "wrap.h"

struct report {
    const struct bm_comparison *comparison;
    const struct bm_compare_line *line;
    const struct bm_export_options *options;
    struct bm_text *text;
    struct bm_error *error;
};

static const struct bm_compare_column *column_at(const struct report *report, size_t index) {
    return &report->comparison->columns[report->line->columns[index]];
}

static enum bm_status append_columns(const struct report *report) {
    static const struct bm_column columns[] = {{"#", BM_ALIGN_LEFT},
                                               {"RELEASED", BM_ALIGN_LEFT},
                                               {"BACKEND", BM_ALIGN_LEFT},
                                               {"DEVICE (FILE)", BM_ALIGN_WRAP}};
    struct bm_table *table;
    enum bm_status status =
        bm_table_create(columns, BM_COUNT_OF(columns), report->options, &table, report->error);
    for (size_t i = 0; status == BM_OK && i < report->line->column_count; i++) {
        const struct bm_compare_column *column = column_at(report, i);
        const struct bm_compare_file *file = &report->comparison->files[column->file];
        struct bm_text about = {0};
        char label[8];
        bm_column_label(i, label);
        bm_text_append(&about, "%s: %s (%s)", column->device, column->name, file->path);
        const char *cells[] = {label, column->released[0] != '\0' ? column->released : "-",
                               column->backend[0] != '\0' ? column->backend : "-",
                               about.data != NULL ? about.data : ""};
        bm_table_add(table, cells);
        bm_text_fini(&about);
    }
    if (status == BM_OK)
        status = bm_table_render(table, report->text, report->error);
    bm_table_destroy(table);
    return status;
}

/* ---- ceilings ---- */

struct ceilings {
    const struct report *report;
    struct bm_table *table;
    bool any;
};

static void add_ceiling_kind(void *context, const struct bm_compare_ceiling *kind) {
    struct ceilings *ceilings = context;
    const struct report *report = ceilings->report;
    const struct bm_compare_column *oldest = column_at(report, 0);
    const struct bm_compare_ceiling *first = bm_best_ceiling(oldest, kind->resource, kind->pipe);
    char name[80];
    snprintf(name, sizeof name, "%s%s%s", kind->resource, kind->pipe[0] != '\0' ? " " : "", kind->pipe);
    for (size_t i = 0; i < report->line->column_count; i++) {
        const struct bm_compare_column *column = column_at(report, i);
        const struct bm_compare_ceiling *ceiling = bm_best_ceiling(column, kind->resource, kind->pipe);
        char label[8], rate[BM_QUANTITY_SIZE], share[BM_QUANTITY_SIZE], ratio[BM_QUANTITY_SIZE] = "-",
                                                                        width[BM_QUANTITY_SIZE] = "-";
        bm_column_label(i, label);
        bm_quantity_number(rate, ceiling != NULL ? ceiling->value : (double)NAN);
        bm_quantity_percent(share, ceiling != NULL ? ceiling->of_datasheet : (double)NAN);
        if (i > 0 && ceiling != NULL && first != NULL) {
            struct bm_factor factor =
                bm_compare_ceiling_ratio(report->comparison, oldest, column, first, ceiling);
            bm_quantity_number(ratio, factor.value);
            bm_quantity_interval(width, &factor);
        }
        const char *cells[] = {i == 0 ? name : "", label, rate, kind->unit, share, ratio, width};
        bm_table_add(ceilings->table, cells);
        ceilings->any = true;
    }
}

static enum bm_status append_ceilings(const struct report *report) {
    static const struct bm_column columns[] = {{"CEILING", BM_ALIGN_LEFT},       {"#", BM_ALIGN_LEFT},
                                               {"RATE", BM_ALIGN_RIGHT},         {"UNIT", BM_ALIGN_LEFT},
                                               {"OF DATASHEET", BM_ALIGN_RIGHT}, {"RATIO", BM_ALIGN_RIGHT},
                                               {"+/- %", BM_ALIGN_RIGHT}};
    struct ceilings ceilings = {.report = report};
    enum bm_status status =
        bm_table_create(columns, BM_COUNT_OF(columns), report->options, &ceilings.table, report->error);
    if (status == BM_OK)
        bm_each_ceiling_kind(report->comparison, report->line, add_ceiling_kind, &ceilings);
    if (ceilings.any)
        bm_text_append(report->text, "\n");
    if (status == BM_OK)
        status = bm_table_render(ceilings.table, report->text, report->error);
    bm_table_destroy(ceilings.table);
    return status;
}

/* ---- whole models: what each column delivers ---- */

static bool any_price(const struct report *report) {
    for (size_t i = 0; i < report->line->column_count; i++)
        if (isfinite(column_at(report, i)->price_usd))
            return true;
    return false;
}

static bool has_word(const char *words, const char *word, size_t length) {
    for (size_t own; *words != '\0'; words += own + (words[own] != '\0')) {
        own = strcspn(words, " ");
        if (own == length && strncmp(words, word, length) == 0)
            return true;
    }
    return false;
}

/* The names, words with blanks between, but those among others. */
static void note_missing(struct bm_notes *notes, const char *label, const char *title, const char *names,
                         const char *others) {
    struct bm_text text = {0};
    for (size_t length; *names != '\0'; names += length + (names[length] != '\0')) {
        length = strcspn(names, " ");
        if (!has_word(others, names, length))
            bm_text_append(&text, "%s%.*s", text.length > 0 ? " " : title, (int)length, names);
    }
    if (text.length > 0)
        bm_notes_add(notes, label, text.data);
    notes->failed |= text.failed;
    bm_text_fini(&text);
}

static enum bm_status append_request(const struct report *report, size_t request) {
    static const struct bm_column columns[] = {{"#", BM_ALIGN_LEFT},
                                               {"TOKENS/s", BM_ALIGN_RIGHT},
                                               {"ROOFLINE", BM_ALIGN_RIGHT},
                                               {"MFU", BM_ALIGN_RIGHT},
                                               {"MBU", BM_ALIGN_RIGHT},
                                               {"TOKENS/J, AT LEAST", BM_ALIGN_RIGHT},
                                               {"TOKENS/s PER 1000 USD", BM_ALIGN_RIGHT}};
    struct bm_table *table;
    struct bm_notes notes = {0};
    char name[160];
    bm_request_name(&report->comparison->requests[request], name);
    bm_text_append(report->text, "\n%s\n", name);
    enum bm_status status = bm_table_create(columns, BM_COUNT_OF(columns) - (any_price(report) ? 0 : 1),
                                            report->options, &table, report->error);
    for (size_t i = 0; status == BM_OK && i < report->line->column_count; i++) {
        const struct bm_compare_column *column = column_at(report, i);
        const struct bm_compare_summary *summary = bm_compare_summary_find(column, request);
        char label[8], rate[BM_QUANTITY_SIZE], efficiency[BM_QUANTITY_SIZE], mfu[BM_QUANTITY_SIZE],
            mbu[BM_QUANTITY_SIZE], watt[BM_QUANTITY_SIZE], usd[BM_QUANTITY_SIZE];
        bm_column_label(i, label);
        if (summary == NULL)
            continue;
        bm_quantity_number(rate, summary->tokens_per_s);
        bm_quantity_percent(efficiency, summary->roofline_efficiency);
        bm_quantity_percent(mfu, summary->mfu);
        bm_quantity_percent(mbu, summary->mbu);
        bm_quantity_number(watt, bm_tokens_per_watt(column, summary));
        bm_quantity_number(usd, 1000 * bm_tokens_per_usd(column, summary));
        const char *cells[] = {label, rate, efficiency, mfu, mbu, watt, usd};
        bm_table_add(table, cells);
        note_missing(&notes, label, "no figure of the pass without ", summary->lacking, "");
        note_missing(&notes, label, "not counted: ", summary->missing, summary->lacking);
    }
    notes.rows = report->line->column_count;
    if (status == BM_OK)
        status = bm_table_render(table, report->text, report->error);
    bm_table_destroy(table);
    enum bm_status noted = bm_notes_append(&notes, report->options->width, report->text, report->error);
    return status == BM_OK ? noted : status;
}

/* ---- ratios ---- */

static const struct bm_column factor_columns[] = {{"CASE", BM_ALIGN_WRAP},   {"SPEED-UP", BM_ALIGN_RIGHT},
                                                  {"+/- %", BM_ALIGN_RIGHT}, {"ROOFLINE", BM_ALIGN_RIGHT},
                                                  {"+/- %", BM_ALIGN_RIGHT}, {"USE", BM_ALIGN_RIGHT},
                                                  {"+/- %", BM_ALIGN_RIGHT}, {"BOUND", BM_ALIGN_LEFT}};
static const struct bm_column part_columns[] = {
    {"OF THE ROOFLINE", BM_ALIGN_WRAP}, {"COMPUTE", BM_ALIGN_RIGHT}, {"+/- %", BM_ALIGN_RIGHT},
    {"BANDWIDTH", BM_ALIGN_RIGHT},      {"+/- %", BM_ALIGN_RIGHT},   {"DATASHEET", BM_ALIGN_RIGHT},
    {"DELIVERED", BM_ALIGN_RIGHT},      {"+/- %", BM_ALIGN_RIGHT}};

/* The two tables of one group of rows, and what is said beneath them. */
struct group {
    struct bm_table *factors, *parts;
    struct bm_notes notes;
    size_t part_count;
};

static void add_ratio(struct group *group, const char *name, const char *bound,
                      const struct bm_compare_ratio *ratio) {
    enum { SPEEDUP, ROOFLINE, UTILIZATION, COMPUTE, BANDWIDTH, DATASHEET, DELIVERED, COUNT };
    const struct bm_factor *const factors[COUNT] = {
        [SPEEDUP] = &ratio->speedup,     [ROOFLINE] = &ratio->roofline,   [UTILIZATION] = &ratio->utilization,
        [COMPUTE] = &ratio->compute,     [BANDWIDTH] = &ratio->bandwidth, [DATASHEET] = &ratio->datasheet,
        [DELIVERED] = &ratio->delivered,
    };
    char value[COUNT][BM_QUANTITY_SIZE], width[COUNT][BM_QUANTITY_SIZE];
    for (int i = 0; i < COUNT; i++) {
        bm_quantity_number(value[i], factors[i]->value);
        bm_quantity_interval(width[i], factors[i]);
    }
    const char *cells[] = {name,
                           value[SPEEDUP],
                           width[SPEEDUP],
                           value[ROOFLINE],
                           width[ROOFLINE],
                           value[UTILIZATION],
                           width[UTILIZATION],
                           bound};
    if (ratio->changed && ratio->speedup.value < 1)
        bm_table_add_alarm(group->factors, cells);
    else
        bm_table_add(group->factors, cells);
    group->notes.rows++;
    if (ratio->why[0] != '\0')
        bm_notes_add(&group->notes, name, ratio->why);
    if (!isfinite(ratio->compute.value))
        return;
    const char *parts[] = {name,
                           value[COMPUTE],
                           width[COMPUTE],
                           value[BANDWIDTH],
                           width[BANDWIDTH],
                           value[DATASHEET],
                           value[DELIVERED],
                           width[DELIVERED]};
    bm_table_add(group->parts, parts);
    group->part_count++;
}

static void note_flags(struct group *group, const struct bm_compare_cell *cell, size_t column,
                       const char *name) {
    char label[8], about[176];
    bm_column_label(column, label);
    snprintf(about, sizeof about, "%s %s", label, name);
    /* that a row has not converged is what its interval says */
    for (unsigned bit = 1; cell != NULL && bit <= BM_FLAG_LAST; bit <<= 1)
        if ((cell->flags & bit) != 0 && bit != BM_FLAG_NOT_CONVERGED)
            bm_notes_add(&group->notes, about, bm_flag_name(bit));
}

static void add_row(const struct report *report, size_t column, size_t row, bool full_key,
                    struct group *group) {
    const struct bm_compare_row *about = &report->comparison->rows[row];
    const struct bm_compare_column *old = column_at(report, 0), *new_one = column_at(report, column);
    const struct bm_compare_cell *cells[2] = {bm_compare_cell_find(old, row),
                                              bm_compare_cell_find(new_one, row)};
    struct bm_compare_ratio ratio;
    char name[160];
    if (full_key)
        bm_string_set(name, sizeof name, about->key);
    else
        snprintf(name, sizeof name, "%s %s", about->op, about->shape);
    bm_compare_row_ratio(report->comparison, old, new_one, row, &ratio);
    add_ratio(group, name, bm_bound_change(cells[0], cells[1]), &ratio);
    note_flags(group, cells[0], 0, name);
    note_flags(group, cells[1], column, name);
}

static bool belongs_to(const struct bm_compare_request *request, const struct bm_compare_row *row) {
    return strcmp(request->model, row->model) == 0 && strcmp(request->phase, row->phase) == 0 &&
           strcmp(request->dtype, row->dtype) == 0 && request->batch == row->batch;
}

static void add_requests(const struct report *report, size_t column, const struct bm_compare_row *like,
                         struct group *group) {
    for (size_t i = 0; i < report->line->request_count; i++) {
        const size_t request = report->line->requests[i];
        const struct bm_compare_request *about = &report->comparison->requests[request];
        struct bm_compare_ratio ratio;
        char name[160];
        if (like != NULL && !belongs_to(about, like))
            continue;
        if (like == NULL)
            bm_request_name(about, name);
        else if (about->context > 0)
            snprintf(name, sizeof name, "model, context %u%s%s", about->context,
                     about->kv[0] != '\0' ? ", KV " : "", about->kv);
        else
            snprintf(name, sizeof name, "model, %u tokens", about->tokens);
        bm_compare_request_ratio(report->comparison, column_at(report, 0), column_at(report, column), request,
                                 &ratio);
        add_ratio(group, name, "", &ratio);
    }
}

static enum bm_status begin_group(const struct report *report, struct group *group) {
    *group = (struct group){0};
    enum bm_status status = bm_table_create(factor_columns, BM_COUNT_OF(factor_columns), report->options,
                                            &group->factors, report->error);
    if (status == BM_OK)
        status = bm_table_create(part_columns, BM_COUNT_OF(part_columns), report->options, &group->parts,
                                 report->error);
    return status;
}

static enum bm_status end_group(const struct report *report, struct group *group, enum bm_status status) {
    if (status == BM_OK)
        status = bm_table_render(group->factors, report->text, report->error);
    if (status == BM_OK && group->part_count > 0) {
        bm_text_append(report->text, "\n");
        status = bm_table_render(group->parts, report->text, report->error);
    }
    bm_table_destroy(group->factors);
    bm_table_destroy(group->parts);
    enum bm_status noted =
        bm_notes_append(&group->notes, report->options->width, report->text, report->error);
    return status == BM_OK ? noted : status;
}

static bool same_group(const struct bm_compare_row *a, const struct bm_compare_row *b) {
    return strcmp(a->model, b->model) == 0 && strcmp(a->phase, b->phase) == 0 &&
           strcmp(a->dtype, b->dtype) == 0 && a->batch == b->batch;
}

/* Sorted rows stand in one table, under their keys. */
static enum bm_status append_sorted(const struct report *report, size_t column) {
    struct group group;
    enum bm_status status = begin_group(report, &group);
    if (status == BM_OK)
        add_requests(report, column, NULL, &group);
    for (size_t i = 0; status == BM_OK && i < report->line->row_count; i++)
        add_row(report, column, report->line->rows[i], true, &group);
    return end_group(report, &group, status);
}

static enum bm_status append_groups(const struct report *report, size_t column) {
    const struct bm_compare_line *line = report->line;
    enum bm_status status = BM_OK;
    for (size_t i = 0; status == BM_OK && i < line->row_count;) {
        const struct bm_compare_row *first = &report->comparison->rows[line->rows[i]];
        struct group group;
        bm_text_append(report->text, "%s%s %s %s, batch %u\n", i > 0 ? "\n" : "", first->model, first->phase,
                       first->dtype, first->batch);
        status = begin_group(report, &group);
        if (status == BM_OK)
            add_requests(report, column, first, &group);
        for (; i < line->row_count && same_group(first, &report->comparison->rows[line->rows[i]]); i++)
            if (status == BM_OK)
                add_row(report, column, line->rows[i], false, &group);
        status = end_group(report, &group, status);
    }
    return status;
}

static enum bm_status append_pair(const struct report *report, size_t column) {
    const struct bm_compare_column *old = column_at(report, 0), *new_one = column_at(report, column);
    struct bm_text title = {0};
    char label[8];
    bm_column_label(column, label);
    bm_text_append(&title, "%s against A: %s against %s", label, new_one->name, old->name);
    bm_text_append(report->text, "\n");
    if (title.data != NULL)
        bm_wrap_append(report->text, title.data, report->options->width, 2);
    bm_text_fini(&title);
    return report->comparison->options.sort == BM_SORT_SUITE ? append_groups(report, column)
                                                             : append_sorted(report, column);
}

static enum bm_status append_line(const struct report *report) {
    enum bm_status status = append_columns(report);
    if (status == BM_OK)
        status = append_ceilings(report);
    for (size_t i = 0; status == BM_OK && i < report->line->request_count; i++)
        status = append_request(report, report->line->requests[i]);
    for (size_t i = 1; status == BM_OK && i < report->line->column_count; i++)
        status = append_pair(report, i);
    if (report->line->hidden_count > 0)
        bm_text_append(report->text, "\n%zu rows whose interval includes no change are not shown\n",
                       report->line->hidden_count);
    if (!report->line->by_release)
        bm_text_append(report->text,
                       "\nin the order of the command line: not every device's release date is known\n");
    return status;
}

/* Both columns are sides of one A/B comparison: nothing was assumed. */
static bool is_of_pairs(const struct bm_comparison *comparison, const struct bm_compare_line *line) {
    struct bm_compare_ratio ratio;
    if (line->column_count != 2 || line->row_count == 0)
        return false;
    bm_compare_row_ratio(comparison, &comparison->columns[line->columns[0]],
                         &comparison->columns[line->columns[1]], line->rows[0], &ratio);
    return ratio.paired;
}

enum bm_status bm_export_comparison_text(const struct bm_comparison *comparison,
                                         const struct bm_export_options *options, struct bm_text *text,
                                         struct bm_error *error) {
    enum bm_status status = BM_OK;
    for (size_t i = 0; status == BM_OK && i < comparison->line_count; i++) {
        const struct report report = {comparison, &comparison->lines[i], options, text, error};
        bm_text_append(text, "%s", i > 0 ? "\n" : "");
        status = append_line(&report);
    }
    bm_text_append(text, "\n");
    for (size_t i = 0; status == BM_OK && i < comparison->line_count; i++)
        if (!is_of_pairs(comparison, &comparison->lines[i])) {
            char line[120];
            snprintf(line, sizeof line,
                     "+/- %% holds a spread of %.1f %% between runs of one machine, as assumed",
                     100 * BM_COMPARE_BETWEEN_RUNS);
            bm_wrap_append(text, line, options->width, 2);
            break;
        }
    for (size_t i = 0; i < comparison->note_count; i++)
        bm_wrap_append(text, comparison->notes[i], options->width, 2);
    return status == BM_OK && text->failed ? bm_fail(error, BM_NO_MEMORY, "out of memory for a report")
                                           : status;
}
