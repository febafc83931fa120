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

/* The distinct values of a column, "f32 f16"; those beyond the room are left out. */
static void list(const struct bm_comparison *comparison, const struct bm_compare_column *column,
                 const struct axis *axis, char text[80]) {
    text[0] = '\0';
    for (size_t i = 0; i < column->cell_count; i++) {
        char value[64], padded[96], word[80];
        axis->write(&comparison->rows[column->cells[i].row], value);
        snprintf(padded, sizeof padded, " %s ", text);
        snprintf(word, sizeof word, " %s ", value);
        if (strstr(padded, word) != NULL)
            continue;
        size_t used = strlen(text);
        if (used + strlen(value) + 2 < 80)
            snprintf(text + used, 80 - used, "%s%s", used > 0 ? " " : "", value);
    }
}

static bool is_disjoint(const struct bm_comparison *comparison, const struct bm_compare_column *a,
                        const struct bm_compare_column *b, const struct axis *axis) {
    char listed[80], padded[96];
    list(comparison, b, axis, listed);
    snprintf(padded, sizeof padded, " %s ", listed);
    for (size_t i = 0; i < a->cell_count; i++) {
        char value[64], word[80];
        axis->write(&comparison->rows[a->cells[i].row], value);
        snprintf(word, sizeof word, " %s ", value);
        if (strstr(padded, word) != NULL)
            return false;
    }
    return true;
}

void bm_compare_difference(const struct bm_comparison *comparison, const struct bm_compare_column *old,
                           const struct bm_compare_column *new_column, char text[200]) {
    static const struct axis axes[] = {
        {"--model", write_model},       {"--phase", write_phase},   {"--dtype", write_dtype},
        {"--batch", write_batch},       {"--tokens", write_tokens}, {"--context", write_context},
        {"--workload", write_workload}, {"--cache", write_cache},
    };
    for (size_t i = 0; i < BM_COUNT_OF(axes); i++) {
        char a[80], b[80];
        if (!is_disjoint(comparison, old, new_column, &axes[i]))
            continue;
        list(comparison, old, &axes[i], a);
        list(comparison, new_column, &axes[i], b);
        snprintf(text, 200, "%s %s against %s", axes[i].name, a, b);
        return;
    }
    snprintf(text, 200, "every shape differs");
}
