/* The cells of a column: its rows in a results file. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* name: resource[/pipe]/backend, as rows name it. */
static int find_ceiling(const struct bm_compare_column *column, const char *name) {
    for (size_t i = 0; i < column->ceiling_count; i++) {
        const struct bm_compare_ceiling *ceiling = &column->ceilings[i];
        char own[128];
        snprintf(own, sizeof own, "%s%s%s/%s", ceiling->resource, ceiling->pipe[0] != '\0' ? "/" : "",
                 ceiling->pipe, ceiling->backend);
        if (strcmp(own, name) == 0)
            return (int)i;
    }
    return -1;
}

static enum bm_compare_cell_state state_of(const struct bm_saved_row *row) {
    if (row->status == BM_SAVED_INVALID)
        return BM_CELL_INVALID;
    if (row->status == BM_SAVED_FAILED)
        return BM_CELL_FAILED;
    bool measured = row->status == BM_SAVED_OK && row->verified && row->time.median > 0;
    return measured ? BM_CELL_MEASURED : BM_CELL_SKIPPED;
}

static enum bm_status take_rounds(const struct bm_saved_row *row, struct bm_compare_cell *cell,
                                  struct bm_error *error) {
    if (row->round_count == 0)
        return BM_OK;
    cell->rounds = bm_alloc(row->round_count, sizeof *cell->rounds);
    if (cell->rounds == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu rounds", row->round_count);
    cell->round_count = row->round_count;
    for (size_t i = 0; i < row->round_count; i++)
        cell->rounds[i] = log((double)row->rounds[i].ns / (double)row->rounds[i].launches);
    return BM_OK;
}

static enum bm_status take_row(const struct bm_saved_row *row, size_t index, struct bm_compare_column *column,
                               struct bm_error *error) {
    enum bm_status status =
        bm_grow(&column->cells, &column->cell_capacity, column->cell_count + 1, sizeof *column->cells, error);
    if (status != BM_OK)
        return status;
    struct bm_compare_cell *cell = &column->cells[column->cell_count++];
    *cell = (struct bm_compare_cell){
        .row = index,
        .measured_as = index,
        .state = state_of(row),
        .flags = row->flags,
        .median_ns = row->time.median,
        .roofline_efficiency = row->utilization.roofline_efficiency,
        .time = bm_spread_of(row->time.median, row->time.interval, row->time.confidence),
        .efficiency = bm_spread_of(row->utilization.roofline_efficiency, row->utilization.efficiency_interval,
                                   BM_COMPARE_CONFIDENCE),
        .flops = row->flops,
        .bytes = row->bytes,
        .compute_ceiling = find_ceiling(column, row->utilization.compute_ceiling),
        .memory_ceiling = find_ceiling(column, row->utilization.memory_ceiling),
        .is_compute_bound = strcmp(row->utilization.bound, "compute") == 0,
        .datasheet_gflops = row->gflops / row->utilization.compute_of_datasheet,
        .datasheet_gbs = row->gbytes_per_s / row->utilization.memory_of_datasheet,
    };
    bm_string_set(cell->backend, sizeof cell->backend, row->backend);
    if (row->reason[0] != '\0')
        cell->reason = strdup(row->reason); /* without memory a reason less is told */
    return cell->state == BM_CELL_MEASURED ? take_rounds(row, cell, error) : BM_OK;
}

/* By row; the best of its backends first. */
static int compare_cells(const void *a, const void *b) {
    const struct bm_compare_cell *x = a, *y = b;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    if (x->state != y->state)
        return x->state < y->state ? -1 : 1;
    if (x->median_ns != y->median_ns && x->state == BM_CELL_MEASURED)
        return x->median_ns < y->median_ns ? -1 : 1;
    return strcmp(x->backend, y->backend);
}

enum bm_status bm_column_take_rows(struct bm_comparison *comparison, const struct bm_saved *saved,
                                   const struct bm_saved_device *device, struct bm_compare_column *column,
                                   struct bm_error *error) {
    const struct bm_compare_filter *filter = &comparison->options.filter;
    enum bm_status status = BM_OK;
    for (size_t i = 0; status == BM_OK && i < saved->row_count; i++) {
        const struct bm_saved_row *row = &saved->rows[i];
        size_t index;
        /* a row without a number format is a ceiling's: the device tells of those */
        if (strcmp(row->device, device->id) != 0 || row->the_case.dtype[0] == '\0' ||
            !bm_filter_has_row(filter, row))
            continue;
        status = bm_compare_row_intern(comparison, row, &index, error);
        if (status == BM_OK)
            status = take_row(row, index, column, error);
    }
    size_t taken = 0;
    for (size_t i = 0; status == BM_OK && i < saved->row_count && taken < column->cell_count; i++) {
        const struct bm_saved_row *row = &saved->rows[i];
        if (strcmp(row->device, device->id) != 0 || row->the_case.dtype[0] == '\0' ||
            !bm_filter_has_row(filter, row))
            continue;
        size_t shared =
            row->measured_as[0] != '\0' ? bm_compare_row_find(comparison, row->measured_as) : SIZE_MAX;
        if (shared != SIZE_MAX)
            column->cells[taken].measured_as = shared;
        taken++;
    }
    if (column->cell_count > 0)
        qsort(column->cells, column->cell_count, sizeof *column->cells, compare_cells);
    return status;
}

const struct bm_compare_cell *bm_compare_cell_find(const struct bm_compare_column *column, size_t row) {
    size_t low = 0, high = column->cell_count;
    while (low < high) { /* the first with at least this row */
        size_t middle = low + (high - low) / 2;
        if (column->cells[middle].row < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low < column->cell_count && column->cells[low].row == row ? &column->cells[low] : NULL;
}

void bm_column_name_backend(struct bm_compare_column *column) {
    size_t most = 0;
    const size_t looked_at = column->cell_count < 64 ? column->cell_count : 64; /* backends are few */
    for (size_t i = 0; i < looked_at; i++) {
        size_t count = 0;
        for (size_t k = 0; k < column->cell_count; k++) {
            bool best = k == 0 || column->cells[k].row != column->cells[k - 1].row;
            count += best && column->cells[k].state == BM_CELL_MEASURED &&
                     strcmp(column->cells[k].backend, column->cells[i].backend) == 0;
        }
        if (count > most) {
            most = count;
            bm_string_set(column->backend, sizeof column->backend, column->cells[i].backend);
        }
        if (2 * most > column->cell_count)
            return;
    }
}
