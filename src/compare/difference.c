/* What two columns without work in common do not share. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* An axis of a case, as text. */
struct axis {
    const char *name;
    void (*write)(const struct bm_compare_row *row, char text[64]);
};

static void write_model(const struct bm_compare_row *row, char text[64]) {
    bm_string_set(text, 64, row->model);
}

static void write_phase(const struct bm_compare_row *row, char text[64]) {
    bm_string_set(text, 64, row->phase);
}

static void write_dtype(const struct bm_compare_row *row, char text[64]) {
    bm_string_set(text, 64, row->dtype);
}

static void write_batch(const struct bm_compare_row *row, char text[64]) {
    snprintf(text, 64, "%" PRIu32, row->batch);
}

static void write_tokens(const struct bm_compare_row *row, char text[64]) {
    snprintf(text, 64, "%" PRIu32, row->tokens);
}

static void write_context(const struct bm_compare_row *row, char text[64]) {
    snprintf(text, 64, "%" PRIu32, row->context);
}

static void write_workload(const struct bm_compare_row *row, char text[64]) {
    bm_string_set(text, 64, row->workload);
}

static void write_cache(const struct bm_compare_row *row, char text[64]) {
    bm_string_set(text, 64, row->hot ? "hot" : "cold");
}

static bool is_listed(const struct bm_text *values, const char *value) {
    char word[80];
    snprintf(word, sizeof word, " %s ", value);
    return values->data != NULL && strstr(values->data, word) != NULL;
}

/* The distinct values of a column, each with a blank before and behind: " f32  f16 ". */
static void list(const struct bm_comparison *comparison, const struct bm_compare_column *column,
                 const struct axis *axis, struct bm_text *values) {
    for (size_t i = 0; i < column->cell_count; i++) {
        char value[64];
        axis->write(&comparison->rows[column->cells[i].row], value);
        if (!is_listed(values, value))
            bm_text_append(values, " %s ", value);
    }
}

static bool is_disjoint(const struct bm_comparison *comparison, const struct bm_compare_column *a,
                        const struct bm_text *values, const struct axis *axis) {
    for (size_t i = 0; i < a->cell_count; i++) {
        char value[64];
        axis->write(&comparison->rows[a->cells[i].row], value);
        if (is_listed(values, value))
            return false;
    }
    return true;
}

/* "f32 f16", of many values the first. */
static void show(const struct bm_text *values, char text[80]) {
    size_t used = 0;
    text[0] = '\0';
    for (const char *at = values->data; at != NULL && *(at += strspn(at, " ")) != '\0';) {
        const size_t length = strcspn(at, " ");
        if (used + length + 6 > 80) {
            snprintf(text + used, 80 - used, " ...");
            return;
        }
        used += (size_t)snprintf(text + used, 80 - used, "%s%.*s", used > 0 ? " " : "", (int)length, at);
        at += length;
    }
}

void bm_compare_difference(const struct bm_comparison *comparison, const struct bm_compare_column *old,
                           const struct bm_compare_column *new_column, char text[200]) {
    static const struct axis axes[] = {
        {"--model", write_model},       {"--phase", write_phase},   {"--dtype", write_dtype},
        {"--batch", write_batch},       {"--tokens", write_tokens}, {"--context", write_context},
        {"--workload", write_workload}, {"--cache", write_cache},
    };
    snprintf(text, 200, "every shape differs");
    for (size_t i = 0, found = 0; found == 0 && i < BM_COUNT_OF(axes); i++) {
        struct bm_text values[2] = {{0}, {0}};
        char shown[2][80];
        list(comparison, old, &axes[i], &values[0]);
        list(comparison, new_column, &axes[i], &values[1]);
        found = !values[0].failed && !values[1].failed && is_disjoint(comparison, old, &values[1], &axes[i]);
        show(&values[0], shown[0]);
        show(&values[1], shown[1]);
        if (found > 0)
            snprintf(text, 200, "%s %s against %s", axes[i].name, shown[0], shown[1]);
        bm_text_fini(&values[0]);
        bm_text_fini(&values[1]);
    }
}
