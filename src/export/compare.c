#include "compare.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void bm_column_label(size_t index, char label[8]) {
    char reversed[8];
    size_t length = 0;
    for (size_t left = index + 1; left > 0 && length < 7; left = (left - 1) / 26)
        reversed[length++] = (char)('A' + (left - 1) % 26);
    for (size_t i = 0; i < length; i++)
        label[i] = reversed[length - 1 - i];
    label[length] = '\0';
}

void bm_quantity_interval(char text[BM_QUANTITY_SIZE], const struct bm_factor *factor) {
    double half = 100 * (sqrt(factor->high / factor->low) - 1);
    if (isfinite(half))
        snprintf(text, BM_QUANTITY_SIZE, "%.1f", half);
    else
        snprintf(text, BM_QUANTITY_SIZE, "-");
}

const char *bm_bound_change(const struct bm_compare_cell *old, const struct bm_compare_cell *new_one) {
    if (old == NULL || new_one == NULL || old->compute_ceiling < 0 || new_one->compute_ceiling < 0)
        return "-";
    if (old->is_compute_bound)
        return new_one->is_compute_bound ? "compute" : "comp>mem";
    return new_one->is_compute_bound ? "mem>comp" : "memory";
}

void bm_request_name(const struct bm_compare_request *request, char name[160]) {
    const bool decode = request->context > 0;
    snprintf(name, 160, "%s %s %s%s%s, batch %" PRIu32 ", %s %" PRIu32, request->model, request->phase,
             request->dtype, request->kv[0] != '\0' ? ", KV cache " : "", request->kv, request->batch,
             decode ? "context" : "tokens", decode ? request->context : request->tokens);
}

double bm_tokens_per_watt(const struct bm_compare_column *column, const struct bm_compare_summary *summary) {
    return summary->tokens_per_s / column->tdp_watts;
}

double bm_tokens_per_usd(const struct bm_compare_column *column, const struct bm_compare_summary *summary) {
    return summary->tokens_per_s / column->price_usd;
}

const struct bm_compare_ceiling *bm_best_ceiling(const struct bm_compare_column *column, const char *resource,
                                                 const char *pipe) {
    const struct bm_compare_ceiling *best = NULL;
    for (size_t i = 0; i < column->ceiling_count; i++) {
        const struct bm_compare_ceiling *ceiling = &column->ceilings[i];
        if (strcmp(ceiling->resource, resource) != 0 || strcmp(ceiling->pipe, pipe) != 0)
            continue;
        bool is_time = strcmp(ceiling->unit, "us") == 0;
        if (best == NULL || (is_time ? ceiling->value < best->value : ceiling->value > best->value))
            best = ceiling;
    }
    return best;
}

void bm_each_ceiling_kind(const struct bm_comparison *comparison, const struct bm_compare_line *line,
                          void (*each)(void *context, const struct bm_compare_ceiling *kind), void *context) {
    for (size_t i = 0; i < line->column_count; i++) {
        const struct bm_compare_column *column = &comparison->columns[line->columns[i]];
        for (size_t k = 0; k < column->ceiling_count; k++) {
            const struct bm_compare_ceiling *ceiling = &column->ceilings[k];
            bool seen = ceiling != bm_best_ceiling(column, ceiling->resource, ceiling->pipe);
            for (size_t before = 0; before < i && !seen; before++)
                seen = bm_best_ceiling(&comparison->columns[line->columns[before]], ceiling->resource,
                                       ceiling->pipe) != NULL;
            if (!seen)
                each(context, ceiling);
        }
    }
}
