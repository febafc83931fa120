/* A gate's verdicts for the terminal. */
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "gate.h"
#include "wrap.h"

/* Rows of one device and backend go without them. */
static bool is_single(const struct bm_gate *gate) {
    for (size_t i = 1; i < gate->row_count; i++)
        if (strcmp(gate->rows[i].device, gate->rows[0].device) != 0 ||
            strcmp(gate->rows[i].backend, gate->rows[0].backend) != 0)
            return false;
    return gate->row_count > 0;
}

static void add_row(const struct bm_gate *gate, const struct bm_gate_row *row, bool single,
                    struct bm_table *table, struct bm_notes *notes) {
    char name[256], change[BM_QUANTITY_SIZE], interval[2 * BM_QUANTITY_SIZE], detectable[BM_QUANTITY_SIZE],
        runs[48];
    if (single)
        bm_string_set(name, sizeof name, row->key);
    else
        bm_gate_row_name(row, name);
    bm_quantity_change(change, row->change);
    bm_quantity_change_interval(interval, row->low, row->high);
    bm_quantity_change(detectable, row->detectable);
    if (gate->is_ab) /* pairs */
        snprintf(runs, sizeof runs, "%zu", row->new_runs);
    else
        snprintf(runs, sizeof runs, "%zu+%zu", row->old_runs, row->new_runs);
    const char *cells[] = {bm_verdict_name(row->verdict), change, interval, detectable, runs, name};
    if (bm_verdict_fails(row->verdict))
        bm_table_add_alarm(table, cells);
    else
        bm_table_add(table, cells);
    notes->rows++;
    if (row->why[0] != '\0')
        bm_notes_add(notes, name, row->why);
}

static void append_line(struct bm_text *text, const struct bm_export_options *options, const char *line) {
    bm_wrap_append(text, line, options->width, 2);
}

enum bm_status bm_export_gate_text(const struct bm_gate *gate, const struct bm_export_options *options,
                                   struct bm_text *text, struct bm_error *error) {
    const struct bm_column columns[] = {{"VERDICT", BM_ALIGN_LEFT},
                                        {"TIME", BM_ALIGN_RIGHT},
                                        {"95 % INTERVAL", BM_ALIGN_RIGHT},
                                        {"DETECTABLE", BM_ALIGN_RIGHT},
                                        {gate->is_ab ? "ROUNDS" : "RUNS", BM_ALIGN_RIGHT},
                                        {"ROW", BM_ALIGN_WRAP}};
    char line[BM_GATE_SUMMARY_SIZE];
    struct bm_table *table;
    struct bm_notes notes = {0};
    const bool single = is_single(gate);
    enum bm_status status = bm_table_create(columns, BM_COUNT_OF(columns), options, &table, error);
    if (single) {
        snprintf(line, sizeof line, "%s: %s, %s", gate->rows[0].device, gate->rows[0].device_name,
                 gate->rows[0].backend);
        append_line(text, options, line);
    }
    for (size_t i = 0; status == BM_OK && i < gate->row_count; i++)
        add_row(gate, &gate->rows[i], single, table, &notes);
    if (status == BM_OK)
        status = bm_table_render(table, text, error);
    bm_table_destroy(table);
    enum bm_status noted = bm_notes_append(&notes, options->width, text, error);
    bm_text_append(text, "%s", gate->row_count > 0 ? "\n" : "");
    bm_gate_summary(gate, line);
    append_line(text, options, line);
    bm_gate_rules(gate, line);
    append_line(text, options, line);
    for (size_t i = 0; i < gate->note_count; i++)
        append_line(text, options, gate->notes[i]);
    if (status == BM_OK)
        status = noted;
    return status == BM_OK && text->failed ? bm_fail(error, BM_NO_MEMORY, "out of memory for a report")
                                           : status;
}
