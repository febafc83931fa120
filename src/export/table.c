#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include "bm/export.h"
#include "wrap.h"

enum { NO_COLUMN = -1, LEAST_WRAPPED = 12 };

struct bm_table {
    struct libscols_table *lines;
    size_t columns;
    unsigned width;
    int wrapped; /* the column that is broken over lines, or NO_COLUMN */
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
    table->width = options->width;
    table->wrapped = NO_COLUMN;
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
        struct libscols_column *column =
            scols_table_new_column(table->lines, columns[i].title, 0, flags[columns[i].align]);
        if (column == NULL)
            goto out;
        if (columns[i].align != BM_ALIGN_WRAP || options->width == 0)
            continue;
        /* The library breaks words: cells get their newlines here, and it breaks at those. */
        if (scols_column_set_safechars(column, "\n") != 0 ||
            scols_column_set_wrapfunc(column, scols_wrapnl_chunksize, scols_wrapnl_nextchunk, NULL) != 0)
            goto out;
        table->wrapped = (int)i;
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

static const char *cell_at(const struct bm_table *table, size_t row, size_t column) {
    struct libscols_line *line = scols_table_get_line(table->lines, row);
    const char *data = scols_cell_get_data(scols_line_get_cell(line, column));
    return data != NULL ? data : "";
}

static size_t columns_of(const char *text) {
    return bm_wrap_columns(text, strlen(text));
}

/* What the other columns and the gaps of two leave of the terminal. */
static size_t room_of_wrapped(const struct bm_table *table) {
    size_t used = 2 * (table->columns - 1);
    for (size_t c = 0; c < table->columns; c++) {
        struct libscols_column *column = scols_table_get_column(table->lines, c);
        size_t widest = columns_of(scols_cell_get_data(scols_column_get_header(column)));
        for (size_t r = 0; r < scols_table_get_nlines(table->lines); r++)
            if (columns_of(cell_at(table, r, c)) > widest)
                widest = columns_of(cell_at(table, r, c));
        used += (int)c == table->wrapped ? 0 : widest;
    }
    return table->width > used + LEAST_WRAPPED ? table->width - used : LEAST_WRAPPED;
}

static void wrap_cells(struct bm_table *table) {
    size_t room = room_of_wrapped(table);
    for (size_t r = 0; r < scols_table_get_nlines(table->lines); r++) {
        struct bm_text broken = {0};
        for (const char *at = cell_at(table, r, (size_t)table->wrapped); *at != '\0';) {
            size_t take = bm_wrap_take(at, room);
            bm_text_append_bytes(&broken, "\n", broken.length > 0);
            bm_text_append_bytes(&broken, at, take);
            at += take;
            at += strspn(at, " \n");
        }
        if (broken.data != NULL)
            table->failed |= broken.failed || scols_line_set_data(scols_table_get_line(table->lines, r),
                                                                  (size_t)table->wrapped, broken.data) != 0;
        bm_text_fini(&broken);
    }
}

/* Empty cells at the end of a line leave blanks behind. */
static void append_lines(struct bm_text *text, const char *lines) {
    for (;;) {
        size_t length = strcspn(lines, "\n"), kept = length;
        while (kept > 0 && lines[kept - 1] == ' ')
            kept--;
        bm_text_append_bytes(text, lines, kept);
        bm_text_append(text, "\n");
        if (lines[length] == '\0')
            return;
        lines += length + 1;
    }
}

enum bm_status bm_table_render(struct bm_table *table, struct bm_text *text, struct bm_error *error) {
    char *rendered = NULL;
    if (scols_table_get_nlines(table->lines) == 0 && !table->failed)
        return BM_OK;
    if (table->wrapped != NO_COLUMN && !table->failed)
        wrap_cells(table);
    if (table->failed || scols_print_table_to_string(table->lines, &rendered) != 0)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for a table");
    append_lines(text, rendered);
    free(rendered);
    return text->failed ? bm_fail(error, BM_NO_MEMORY, "out of memory for a table") : BM_OK;
}

void bm_table_destroy(struct bm_table *table) {
    if (table == NULL)
        return;
    scols_unref_table(table->lines);
    free(table);
}
