#include <math.h>
#include <stdio.h>

#include "bm/export.h"

static void add_row(const struct bm_results_row *row, struct bm_table *table, size_t counts[]) {
    char error[32] = "-", tolerance[32] = "-", checked[32] = "-";
    bool run = row->verification.status != BM_ROW_NOT_VERIFIED;
    if (run) {
        snprintf(error, sizeof error, "%.1e", row->verification.max_relative_error);
        snprintf(tolerance, sizeof tolerance, "%.1e", row->verification.tolerance);
        snprintf(checked, sizeof checked, "%llu", (unsigned long long)row->verification.checked);
    }
    const char *status = row->status == BM_ROW_OK ? "passed" : bm_row_status_name(row->status);
    const char *cells[] = {row->device, row->backend, row->key, status,
                           error,       tolerance,    checked,  row->reason};
    if (row->status == BM_ROW_FAILED)
        bm_table_add_alarm(table, cells);
    else
        bm_table_add(table, cells);
    counts[row->status]++;
}

enum bm_status bm_export_verification(const struct bm_results *results,
                                      const struct bm_export_options *options, struct bm_text *text,
                                      struct bm_error *error) {
    static const struct bm_column columns[] = {{"DEVICE", BM_ALIGN_LEFT},   {"BACKEND", BM_ALIGN_LEFT},
                                               {"CASE", BM_ALIGN_WRAP},     {"STATUS", BM_ALIGN_LEFT},
                                               {"ERROR", BM_ALIGN_RIGHT},   {"TOLERANCE", BM_ALIGN_RIGHT},
                                               {"CHECKED", BM_ALIGN_RIGHT}, {"", BM_ALIGN_WRAP}};
    size_t counts[BM_ROW_INVALID + 1] = {0};
    struct bm_table *table;
    enum bm_status status = bm_table_create(columns, BM_COUNT_OF(columns), options, &table, error);
    if (status != BM_OK)
        return status;
    for (size_t i = 0; i < results->row_count; i++)
        add_row(&results->rows[i], table, counts);
    status = bm_table_render(table, text, error);
    bm_table_destroy(table);
    bm_text_append(text, "\n%zu passed, %zu failed, %zu skipped\n", counts[BM_ROW_OK], counts[BM_ROW_FAILED],
                   counts[BM_ROW_SKIPPED]);
    return status;
}
