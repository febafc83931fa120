/* Which rows of a line are shown, and in what order. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { MAX_GROUPS = 512 }; /* of which rows are kept together; later ones follow the last */

static const char *const names[] = {[BM_SORT_SUITE] = "suite",
                                    [BM_SORT_KEY] = "key",
                                    [BM_SORT_SPEEDUP] = "speedup",
                                    [BM_SORT_ROOFLINE] = "roofline",
                                    [BM_SORT_UTILIZATION] = "utilization",
                                    [BM_SORT_TIME] = "time"};

const char *bm_compare_sort_name(enum bm_compare_sort sort) {
    return (size_t)sort < BM_COUNT_OF(names) ? names[sort] : NULL;
}

struct ranked {
    size_t row;
    double rank; /* NaN last */
    const char *key;
};

static int compare_ranked(const void *a, const void *b) {
    const struct ranked *x = a, *y = b;
    if (isnan(x->rank) != isnan(y->rank))
        return isnan(x->rank) ? 1 : -1;
    if (x->rank != y->rank && !isnan(x->rank))
        return x->rank < y->rank ? -1 : 1;
    if (x->key != NULL && strcmp(x->key, y->key) != 0)
        return strcmp(x->key, y->key);
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Whether any column's speed-up against the oldest is more than its interval allows for none. */
static bool any_changed(const struct bm_comparison *comparison, const struct bm_compare_line *line,
                        size_t row) {
    for (size_t i = 1; i < line->column_count; i++) {
        struct bm_compare_ratio ratio;
        bm_compare_row_ratio(comparison, &comparison->columns[line->columns[0]],
                             &comparison->columns[line->columns[i]], row, &ratio);
        if (ratio.changed)
            return true;
    }
    return false;
}

/* Rows of one model, phase, format and batch stand together, in the order in which such groups come first. */
static double group_of(const struct bm_comparison *comparison, size_t row, size_t *firsts, size_t *count) {
    const struct bm_compare_row *own = &comparison->rows[row];
    for (size_t i = 0; i < *count; i++) {
        const struct bm_compare_row *first = &comparison->rows[firsts[i]];
        if (strcmp(first->model, own->model) == 0 && strcmp(first->phase, own->phase) == 0 &&
            strcmp(first->dtype, own->dtype) == 0 && first->batch == own->batch)
            return (double)i;
    }
    if (*count < MAX_GROUPS)
        firsts[(*count)++] = row;
    return (double)*count - 1;
}

static double rank_of(const struct bm_comparison *comparison, const struct bm_compare_line *line, size_t row,
                      size_t *firsts, size_t *first_count) {
    const struct bm_compare_column *oldest = &comparison->columns[line->columns[0]],
                                   *newest = &comparison->columns[line->columns[line->column_count - 1]];
    const enum bm_compare_sort sort = comparison->options.sort;
    const struct bm_compare_cell *cell = bm_compare_cell_find(oldest, row);
    struct bm_compare_ratio ratio;
    if (sort == BM_SORT_SUITE)
        return group_of(comparison, row, firsts, first_count);
    if (sort == BM_SORT_KEY)
        return 0;
    if (sort == BM_SORT_TIME)
        return cell != NULL && cell->state == BM_CELL_MEASURED ? -cell->median_ns : (double)NAN;
    bm_compare_row_ratio(comparison, oldest, newest, row, &ratio);
    return sort == BM_SORT_SPEEDUP    ? ratio.speedup.value
           : sort == BM_SORT_ROOFLINE ? ratio.roofline.value
                                      : ratio.utilization.value;
}

static enum bm_status arrange_requests(struct bm_comparison *comparison, struct bm_compare_line *line,
                                       struct bm_error *error) {
    line->requests = bm_alloc(comparison->request_count, sizeof *line->requests);
    if (line->requests == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    for (size_t request = 0; request < comparison->request_count; request++)
        for (size_t i = 0; i < line->column_count; i++)
            if (bm_compare_summary_find(&comparison->columns[line->columns[i]], request) != NULL) {
                line->requests[line->request_count++] = request;
                break;
            }
    return BM_OK;
}

enum bm_status bm_compare_arrange(struct bm_comparison *comparison, struct bm_compare_line *line,
                                  struct bm_error *error) {
    bool *seen = bm_alloc(comparison->row_count, sizeof *seen);
    struct ranked *ranked = bm_alloc(comparison->row_count, sizeof *ranked);
    enum bm_status status =
        seen != NULL && ranked != NULL
            ? arrange_requests(comparison, line, error)
            : bm_fail(error, BM_NO_MEMORY, "out of memory for %zu rows", comparison->row_count);
    size_t count = 0, firsts[MAX_GROUPS], first_count = 0;
    for (size_t i = 0; status == BM_OK && i < line->column_count; i++) {
        const struct bm_compare_column *column = &comparison->columns[line->columns[i]];
        for (size_t k = 0; k < column->cell_count; k++)
            seen[column->cells[k].row] = true;
    }
    for (size_t row = 0; status == BM_OK && row < comparison->row_count; row++) {
        if (!seen[row])
            continue;
        if (comparison->options.only_changed && !any_changed(comparison, line, row)) {
            line->hidden_count++;
            continue;
        }
        ranked[count++] =
            (struct ranked){row, rank_of(comparison, line, row, firsts, &first_count),
                            comparison->options.sort == BM_SORT_KEY ? comparison->rows[row].key : NULL};
    }
    if (count > 0)
        qsort(ranked, count, sizeof *ranked, compare_ranked);
    line->rows = status == BM_OK ? bm_alloc(count, sizeof *line->rows) : NULL;
    if (status == BM_OK && line->rows == NULL)
        status = bm_fail(error, BM_NO_MEMORY, "out of memory for %zu rows", count);
    for (size_t i = 0; status == BM_OK && i < count; i++)
        line->rows[line->row_count++] = ranked[i].row;
    free(seen);
    free(ranked);
    return status;
}
