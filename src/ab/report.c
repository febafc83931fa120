/* What is known of the rows, as rows of a gate. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bm/measure.h"
#include "bm/stats.h"
#include "internal.h"

static double typical_ns(const struct ab_cell *cell, size_t rounds) {
    double *known = bm_alloc(rounds, sizeof *known);
    struct bm_estimate estimate = {.median_ns = (double)NAN};
    size_t count = 0;
    for (size_t i = 0; known != NULL && i < rounds; i++)
        if (isfinite(cell->ns[i]))
            known[count++] = cell->ns[i];
    if (known != NULL)
        bm_estimate_of(known, count, &estimate);
    free(known);
    return estimate.median_ns;
}

static double deviation_of(const double *values, size_t count) {
    double mean = bm_stats_mean(values, count), sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (values[i] - mean) * (values[i] - mean);
    return count > 1 ? sqrt(sum / (double)(count - 1)) : (double)NAN;
}

/* The verdict on a row whose times are not to be compared; BM_VERDICTS: they are. *skip: nothing to tell. */
static enum bm_verdict sort_out(const struct ab_row *row, size_t rounds, char why[240], bool *skip) {
    const struct ab_cell *old = &row->cells[AB_OLD], *other = &row->cells[AB_NEW];
    why[0] = '\0';
    *skip = false;
    if (other->failed > 0) {
        snprintf(why, 240, "in %zu of %zu processes of the new side: %s", other->failed, rounds,
                 other->reason);
        return BM_VERDICT_UNVERIFIED;
    }
    if (!other->there) {
        *skip = old->measured == 0;
        snprintf(why, 240, "the old side has it, the new one does not");
        return BM_VERDICT_MISSING;
    }
    if (old->failed > 0 || old->measured == 0) {
        *skip = other->measured == 0;
        snprintf(why, 240, "%s%s", old->there ? "on the old side " : "the old side does not have it",
                 old->reason);
        return BM_VERDICT_ADDED;
    }
    if (other->measured == 0) {
        snprintf(why, 240, "on the new side %s", other->reason);
        return BM_VERDICT_UNVERIFIED;
    }
    if (!ab_row_equal_work(row)) {
        snprintf(why, 240, "other work: %.4g FLOP and %.4g bytes against %.4g and %.4g", old->flops,
                 old->bytes, other->flops, other->bytes);
        return BM_VERDICT_INCOMPARABLE;
    }
    if (row->series.count == 0) {
        snprintf(why, 240, "never measured on both sides of one round");
        return BM_VERDICT_INCONCLUSIVE;
    }
    return BM_VERDICTS;
}

static void put_figures(const struct ab_row *row, size_t rounds, struct bm_gate_row *shown) {
    const struct bm_ab_series *series = &row->series;
    const size_t throttled = row->cells[AB_OLD].throttled > row->cells[AB_NEW].throttled
                                 ? row->cells[AB_OLD].throttled
                                 : row->cells[AB_NEW].throttled;
    shown->verdict = series->verdict;
    shown->change = series->evidence.change;
    shown->low = series->evidence.low;
    shown->high = series->evidence.high;
    shown->detectable = series->evidence.detectable;
    shown->p = series->p;
    shown->deviation = deviation_of(row->differences, series->count);
    shown->old_runs = shown->new_runs = series->count;
    if (4 * throttled > rounds) {
        shown->verdict = BM_VERDICT_THROTTLED;
        snprintf(shown->why, sizeof shown->why, "the system limited clock or power in %zu of %zu processes",
                 throttled, rounds);
    } else if (series->verdict == BM_VERDICT_INCONCLUSIVE && series->unstable && series->evidence.equivalent)
        snprintf(shown->why, sizeof shown->why, "its times are unstable: it cannot be called unchanged");
    else if (2 * series->count < rounds)
        snprintf(shown->why, sizeof shown->why, "measured on both sides in %zu of %zu rounds", series->count,
                 rounds);
}

enum bm_status ab_rows_report(const struct ab_rows *rows, struct bm_gate *gate, struct bm_error *error) {
    for (size_t i = 0; i < rows->count; i++) {
        const struct ab_row *row = &rows->items[i];
        const struct ab_cell *old = &row->cells[AB_OLD],
                             *named = row->cells[AB_NEW].there ? &row->cells[AB_NEW] : old;
        char why[240];
        bool skip;
        enum bm_verdict verdict = sort_out(row, rows->rounds, why, &skip);
        if (skip)
            continue;
        struct bm_gate_row *shown = bm_gate_row_add(gate);
        if (shown == NULL)
            return bm_fail(error, BM_NO_MEMORY, "out of memory");
        bm_string_set(shown->key, sizeof shown->key, row->key);
        bm_string_set(shown->device, sizeof shown->device, named->device);
        bm_string_set(shown->device_name, sizeof shown->device_name, row->device_name);
        bm_string_set(shown->backend, sizeof shown->backend, named->backend);
        shown->threads = named->threads;
        shown->flags = row->cells[AB_NEW].flags & ~(uint32_t)BM_FLAG_NOT_CONVERGED;
        shown->old_ns = typical_ns(old, rows->rounds);
        shown->new_ns = typical_ns(&row->cells[AB_NEW], rows->rounds);
        shown->verdict = verdict;
        bm_string_set(shown->why, sizeof shown->why, why);
        if (verdict == BM_VERDICTS)
            put_figures(row, rows->rounds, shown);
    }
    return BM_OK;
}
