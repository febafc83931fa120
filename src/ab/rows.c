/* Rows of both sides: which belong together, and their figures round by round. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bm/measure.h"
#include "internal.h"

/* ---- matching ---- */

/* Ceilings have no number format: they judge rows, and are no subject here. */
static bool is_row(const struct bm_saved_row *row) {
    return row->the_case.dtype[0] != '\0';
}

static const struct bm_saved_device *device_of(const struct bm_saved *saved, const struct bm_saved_row *row) {
    for (size_t i = 0; i < saved->device_count; i++)
        if (strcmp(saved->devices[i].id, row->device) == 0)
            return &saved->devices[i];
    return NULL;
}

static const char *hardware_of(const struct bm_saved *saved, const struct bm_saved_row *row) {
    const struct bm_saved_device *device = device_of(saved, row);
    return device != NULL && device->hardware[0] != '\0' ? device->hardware : row->device;
}

/* From the strictest to the loosest. */
enum likeness { SAME_ROW, SAME_BACKEND, SAME_HARDWARE, LIKENESSES };

static bool are_alike(const struct bm_saved saved[AB_SIDES], const struct bm_saved_row *old,
                      const struct bm_saved_row *other, enum likeness likeness) {
    const bool same_backend = strcmp(old->backend, other->backend) == 0;
    if (strcmp(old->key, other->key) != 0)
        return false;
    if (likeness == SAME_ROW)
        return same_backend && strcmp(old->device, other->device) == 0 && old->threads == other->threads;
    return strcmp(hardware_of(&saved[AB_OLD], old), hardware_of(&saved[AB_NEW], other)) == 0 &&
           (same_backend || likeness == SAME_HARDWARE);
}

static void name_cell(const struct bm_saved_row *row, struct ab_cell *cell) {
    cell->there = true;
    bm_string_set(cell->device, sizeof cell->device, row->device);
    bm_string_set(cell->backend, sizeof cell->backend, row->backend);
    cell->threads = row->threads;
    cell->flops = row->flops;
    cell->bytes = row->bytes;
}

static enum bm_status add_line(const struct bm_saved saved[AB_SIDES],
                               const struct bm_saved_row *const sides[AB_SIDES], struct ab_rows *rows,
                               struct bm_error *error) {
    const struct bm_saved_row *named = sides[AB_NEW] != NULL ? sides[AB_NEW] : sides[AB_OLD];
    const struct bm_saved *from = &saved[sides[AB_NEW] != NULL ? AB_NEW : AB_OLD];
    enum bm_status status =
        bm_grow(&rows->items, &rows->capacity, rows->count + 1, sizeof *rows->items, error);
    if (status != BM_OK)
        return status;
    struct ab_row *line = &rows->items[rows->count++];
    *line = (struct ab_row){0};
    bm_string_set(line->key, sizeof line->key, named->key);
    if (device_of(from, named) != NULL)
        bm_string_set(line->device_name, sizeof line->device_name, device_of(from, named)->name);
    for (int side = 0; side < AB_SIDES; side++)
        if (sides[side] != NULL)
            name_cell(sides[side], &line->cells[side]);
    return BM_OK;
}

/* partner[old]: the index of the new row, SIZE_MAX while there is none. A partner must be the only choice on
 * both sides. */
static void find_partners(const struct bm_saved saved[AB_SIDES], enum likeness likeness, size_t *partner,
                          bool *taken) {
    for (size_t i = 0; i < saved[AB_OLD].row_count; i++) {
        const struct bm_saved_row *old = &saved[AB_OLD].rows[i];
        size_t choices = 0, choice = 0, rivals = 0;
        if (partner[i] != SIZE_MAX || !is_row(old))
            continue;
        for (size_t k = 0; k < saved[AB_NEW].row_count; k++)
            if (!taken[k] && is_row(&saved[AB_NEW].rows[k]) &&
                are_alike(saved, old, &saved[AB_NEW].rows[k], likeness)) {
                choice = k;
                choices++;
            }
        for (size_t k = 0; choices == 1 && k < saved[AB_OLD].row_count; k++)
            rivals += partner[k] == SIZE_MAX && is_row(&saved[AB_OLD].rows[k]) &&
                      are_alike(saved, &saved[AB_OLD].rows[k], &saved[AB_NEW].rows[choice], likeness);
        if (choices == 1 && rivals == 1) {
            partner[i] = choice;
            taken[choice] = true;
        }
    }
}

static bool is_shared(const struct bm_saved_row *row) {
    return row == NULL || row->measured_as[0] != '\0';
}

static enum bm_status add_lines(const struct bm_saved saved[AB_SIDES], const size_t *partner,
                                const bool *taken, struct ab_rows *rows, struct bm_error *error) {
    enum bm_status status = BM_OK;
    size_t matched = 0;
    for (size_t i = 0; status == BM_OK && i < saved[AB_OLD].row_count; i++) {
        const struct bm_saved_row *sides[AB_SIDES] = {
            &saved[AB_OLD].rows[i], partner[i] != SIZE_MAX ? &saved[AB_NEW].rows[partner[i]] : NULL};
        if (!is_row(sides[AB_OLD]))
            continue;
        matched += sides[AB_NEW] != NULL;
        if (is_shared(sides[AB_OLD]) && is_shared(sides[AB_NEW]))
            rows->shared++;
        else
            status = add_line(saved, sides, rows, error);
    }
    for (size_t k = 0; status == BM_OK && k < saved[AB_NEW].row_count; k++) {
        const struct bm_saved_row *sides[AB_SIDES] = {NULL, &saved[AB_NEW].rows[k]};
        if (!taken[k] && is_row(sides[AB_NEW]) && !is_shared(sides[AB_NEW]))
            status = add_line(saved, sides, rows, error);
    }
    if (status == BM_OK && matched == 0)
        status = bm_fail(
            error, BM_INVALID,
            "ab: the commands have no row in common: the old one measures %s, the new one %s; use "
            "the same suite and selectors for both",
            saved[AB_OLD].row_count > 0 ? saved[AB_OLD].rows[saved[AB_OLD].row_count - 1].key : "nothing",
            saved[AB_NEW].row_count > 0 ? saved[AB_NEW].rows[saved[AB_NEW].row_count - 1].key : "nothing");
    return status;
}

enum bm_status ab_rows_match(const struct bm_saved saved[AB_SIDES], struct ab_rows *rows,
                             struct bm_error *error) {
    size_t *partner = bm_alloc(saved[AB_OLD].row_count, sizeof *partner);
    bool *taken = bm_alloc(saved[AB_NEW].row_count, sizeof *taken);
    enum bm_status status = BM_OK;
    *rows = (struct ab_rows){0};
    if (partner == NULL || taken == NULL) {
        status = bm_fail(error, BM_NO_MEMORY, "out of memory");
        goto out;
    }
    for (size_t i = 0; i < saved[AB_OLD].row_count; i++)
        partner[i] = SIZE_MAX;
    for (int likeness = SAME_ROW; likeness < LIKENESSES; likeness++)
        find_partners(saved, (enum likeness)likeness, partner, taken);
    status = add_lines(saved, partner, taken, rows, error);
out:
    free(partner);
    free(taken);
    if (status != BM_OK)
        ab_rows_fini(rows);
    return status;
}

void ab_rows_fini(struct ab_rows *rows) {
    for (size_t i = 0; i < rows->count; i++) {
        free(rows->items[i].differences);
        for (int side = 0; side < AB_SIDES; side++)
            free(rows->items[i].cells[side].ns);
    }
    free(rows->items);
    *rows = (struct ab_rows){0};
}

/* ---- rounds ---- */

static const struct bm_saved_row *find_row(const struct bm_saved *saved, const char *key,
                                           const struct ab_cell *cell) {
    for (size_t i = 0; i < saved->row_count; i++) {
        const struct bm_saved_row *row = &saved->rows[i];
        if (strcmp(row->key, key) == 0 && strcmp(row->device, cell->device) == 0 &&
            strcmp(row->backend, cell->backend) == 0 && row->threads == cell->threads)
            return row;
    }
    return NULL;
}

static void take_cell(const struct bm_saved *saved, const char *key, size_t round, struct ab_cell *cell) {
    const struct bm_saved_row *row = cell->there ? find_row(saved, key, cell) : NULL;
    cell->ns[round] = (double)NAN;
    if (row == NULL)
        return;
    if (row->status == BM_SAVED_OK && row->verified && row->time.median > 0) {
        cell->ns[round] = row->time.median;
        cell->flags |= row->flags;
        cell->throttled += (row->flags & BM_FLAG_THROTTLED) != 0;
        cell->measured++;
        return;
    }
    if (row->status == BM_SAVED_FAILED && cell->failed++ == 0)
        cell->reason[0] = '\0'; /* that is what to tell, whatever was told before */
    if (cell->reason[0] == '\0')
        snprintf(cell->reason, sizeof cell->reason, "%s: %.140s", bm_saved_status_name(row->status),
                 row->reason);
}

enum bm_status ab_rows_add(const struct bm_saved saved[AB_SIDES], struct ab_rows *rows,
                           struct bm_error *error) {
    enum bm_status status = BM_OK;
    const size_t round = rows->rounds;
    for (size_t i = 0; status == BM_OK && i < rows->count; i++) {
        struct ab_row *row = &rows->items[i];
        status = bm_grow(&row->differences, &row->capacity, round + 1, sizeof *row->differences, error);
        for (int side = 0; status == BM_OK && side < AB_SIDES; side++)
            status = bm_grow(&row->cells[side].ns, &row->cells[side].capacity, round + 1,
                             sizeof *row->cells[side].ns, error);
    }
    for (size_t i = 0; status == BM_OK && i < rows->count; i++) {
        struct ab_row *row = &rows->items[i];
        struct ab_cell *old = &row->cells[AB_OLD], *other = &row->cells[AB_NEW];
        take_cell(&saved[AB_OLD], row->key, round, old);
        take_cell(&saved[AB_NEW], row->key, round, other);
        if (isfinite(old->ns[round]) && isfinite(other->ns[round]))
            row->differences[row->series.count++] = log(other->ns[round] / old->ns[round]);
    }
    rows->rounds += status == BM_OK;
    return status;
}

/* ---- judging ---- */

static bool equal_amounts(double a, double b) {
    return (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-6 * fmax(fabs(a), fabs(b));
}

bool ab_row_equal_work(const struct ab_row *row) {
    return equal_amounts(row->cells[AB_OLD].flops, row->cells[AB_NEW].flops) &&
           equal_amounts(row->cells[AB_OLD].bytes, row->cells[AB_NEW].bytes);
}

static bool is_judged(const struct ab_row *row) {
    return row->series.count > 0 && ab_row_equal_work(row) && row->cells[AB_OLD].failed == 0 &&
           row->cells[AB_NEW].failed == 0;
}

size_t ab_rows_judged(const struct ab_rows *rows) {
    size_t count = 0;
    for (size_t i = 0; i < rows->count; i++)
        count += is_judged(&rows->items[i]);
    return count;
}

size_t ab_rows_decided(const struct ab_rows *rows) {
    size_t count = 0;
    for (size_t i = 0; i < rows->count; i++)
        count += is_judged(&rows->items[i]) && rows->items[i].series.decided;
    return count;
}

/* A side that jumps about by itself: its pairs may agree by luck. */
static bool is_unstable(const struct ab_row *row, size_t rounds) {
    double *known = bm_alloc(rounds, sizeof *known);
    bool unstable = known == NULL;
    for (int side = 0; known != NULL && side < AB_SIDES; side++) {
        struct bm_estimate estimate;
        size_t count = 0;
        for (size_t i = 0; i < rounds; i++)
            if (isfinite(row->cells[side].ns[i]))
                known[count++] = row->cells[side].ns[i];
        bm_estimate_of(known, count, &estimate);
        unstable |= (estimate.flags & BM_FLAG_UNSTABLE) != 0;
    }
    free(known);
    return unstable;
}

enum bm_status ab_rows_look(struct ab_rows *rows, double margin, double alpha, double share, bool is_last,
                            struct bm_error *error) {
    const size_t judged = ab_rows_judged(rows);
    struct bm_ab_series *series = bm_alloc(judged, sizeof *series);
    size_t at = 0;
    if (series == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu rows", judged);
    for (size_t i = 0; i < rows->count; i++) {
        struct ab_row *row = &rows->items[i];
        if (!is_judged(row))
            continue;
        series[at] = row->series;
        series[at].differences = row->differences;
        series[at++].unstable = is_unstable(row, rows->rounds);
    }
    enum bm_status status =
        judged > 0 ? bm_ab_look(series, judged, margin, alpha, share, is_last, error) : BM_OK;
    at = 0;
    for (size_t i = 0; status == BM_OK && i < rows->count; i++)
        if (is_judged(&rows->items[i]))
            rows->items[i].series = series[at++];
    free(series);
    return status;
}
