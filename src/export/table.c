#include <libsmartcols.h>
#include <stdlib.h>

#include "bm/export.h"

struct bm_table {
    struct libscols_table *lines;
    size_t columns;
    bool color, failed;
};

enum bm_status bm_table_create(const struct bm_column *columns, size_t count,
                               const struct bm_export_options *options, struct bm_table **table_out,
                               struct bm_error *error) {
    *table_out = NULL;
    struct bm_table *table = bm_alloc(1, sizeof *table);
    if (table == NULL)
        goto out;
    table->columns = count;
    table->color = options->color;
    table->lines = scols_new_table();
    if (table->lines == NULL)
        goto out;
    scols_table_enable_colors(table->lines, options->color);
    scols_table_set_column_separator(table->lines, "  ");
    scols_table_set_termforce(table->lines,
                              options->width > 0 ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
    if (options->width > 0)
        scols_table_set_termwidth(table->lines, options->width);
    for (size_t i = 0; i < count; i++) {
        static const int flags[] = {
            [BM_ALIGN_LEFT] = 0, [BM_ALIGN_RIGHT] = SCOLS_FL_RIGHT, [BM_ALIGN_WRAP] = SCOLS_FL_WRAP};
        if (scols_table_new_column(table->lines, columns[i].title, 0, flags[columns[i].align]) == NULL)
            goto out;
    }
    *table_out = table;
    return BM_OK;
out:
    bm_table_destroy(table);
    return bm_fail(error, BM_NO_MEMORY, "out of memory for a table");
}

static void add(struct bm_table *table, const char *const *cells, const char *color) {
    struct libscols_line *line = scols_table_new_line(table->lines, NULL);
    if (line == NULL) {
        table->failed = true;
        return;
    }
    for (size_t i = 0; i < table->columns; i++)
        table->failed |= scols_line_set_data(line, i, cells[i] != NULL ? cells[i] : "") != 0;
    if (color != NULL && table->color)
        table->failed |= scols_line_set_color(line, color) != 0;
}

void bm_table_add(struct bm_table *table, const char *const *cells) {
    add(table, cells, NULL);
}

void bm_table_add_alarm(struct bm_table *table, const char *const *cells) {
    add(table, cells, "red");
}

enum bm_status bm_table_render(struct bm_table *table, struct bm_text *text, struct bm_error *error) {
    char *rendered = NULL;
    if (table->failed)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for a table");
    if (scols_table_get_nlines(table->lines) == 0)
        return BM_OK;
    if (scols_print_table_to_string(table->lines, &rendered) != 0)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for a table");
    bm_text_append(text, "%s\n", rendered);
    free(rendered);
    return text->failed ? bm_fail(error, BM_NO_MEMORY, "out of memory for a table") : BM_OK;
}

void bm_table_destroy(struct bm_table *table) {
    if (table == NULL)
        return;
    scols_unref_table(table->lines);
    free(table);
}
