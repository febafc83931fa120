#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bm/export.h"
#include "wrap.h"

static void add_row(const struct bm_results_row *row, struct bm_table *table, struct bm_notes *notes) {
    char error[32] = "-", tolerance[32] = "-", checked[32] = "-";
    bool run = row->verification.status != BM_ROW_NOT_VERIFIED;
    if (run) {
        snprintf(error, sizeof error, "%.1e", row->verification.max_relative_error);
        snprintf(tolerance, sizeof tolerance, "%.1e", row->verification.tolerance);
        snprintf(checked, sizeof checked, "%llu", (unsigned long long)row->verification.checked);
    }
    const char *status = row->status == BM_ROW_OK ? "passed" : bm_row_status_name(row->status);
    const char *cells[] = {row->key, status, error, tolerance, checked};
    if (row->status == BM_ROW_FAILED)
        bm_table_add_alarm(table, cells);
    else
        bm_table_add(table, cells);
    if (row->reason[0] != '\0')
        bm_notes_add(notes, row->key, row->reason);
}

static bool same_group(const struct bm_results_row *a, const struct bm_results_row *b) {
    return strcmp(a->device, b->device) == 0 && strcmp(a->backend, b->backend) == 0;
}

enum bm_status bm_export_verification(const struct bm_results *results,
                                      const struct bm_export_options *options, struct bm_text *text,
                                      struct bm_error *error) {
    static const struct bm_column columns[] = {{"CASE", BM_ALIGN_WRAP},
                                               {"STATUS", BM_ALIGN_LEFT},
                                               {"ERROR", BM_ALIGN_RIGHT},
                                               {"TOLERANCE", BM_ALIGN_RIGHT},
                                               {"CHECKED", BM_ALIGN_RIGHT}};
    size_t counts[BM_ROW_INVALID + 1] = {0};
    enum bm_status status = BM_OK;
    for (size_t i = 0; status == BM_OK && i < results->row_count;) {
        const struct bm_results_row *first = &results->rows[i];
        struct bm_table *table;
        struct bm_notes notes = {0};
        bm_text_append(text, "%s, %s\n", first->device, first->backend);
        status = bm_table_create(columns, BM_COUNT_OF(columns), options, &table, error);
        for (; status == BM_OK && i < results->row_count && same_group(first, &results->rows[i]); i++) {
            add_row(&results->rows[i], table, &notes);
            counts[results->rows[i].status]++;
        }
        if (status == BM_OK)
            status = bm_table_render(table, text, error);
        bm_table_destroy(table);
        enum bm_status noted = bm_notes_append(&notes, options->width, text, error);
        status = status == BM_OK ? noted : status;
        bm_text_append(text, "\n");
    }
    bm_text_append(text, "%zu passed, %zu failed, %zu skipped\n", counts[BM_ROW_OK], counts[BM_ROW_FAILED],
                   counts[BM_ROW_SKIPPED]);
    return status;
}
