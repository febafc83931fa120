/* Rows of the new files: with a verdict where that needs no figures, else with their figures. */
#include "gate_candidates.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bm/measure.h"
#include "bm/stats.h"
#include "internal.h"

static const double unknown = (double)NAN;

static bool make_series(const struct bm_gate_sample *samples, size_t count, bool shares,
                        struct bm_gate_series *series) {
    *series = (struct bm_gate_series){.values = bm_alloc(2 * count, sizeof *series->values)};
    if (series->values == NULL)
        return false;
    series->deviations = series->values + count;
    for (size_t i = 0; i < count; i++) {
        const struct bm_gate_figure *figure = shares ? &samples[i].share : &samples[i].time;
        if ((samples[i].flags & BM_FLAG_THROTTLED) != 0 || !isfinite(figure->value))
            continue;
        series->values[series->count] = figure->value;
        series->deviations[series->count++] = figure->deviation;
    }
    return true;
}

struct bm_runs bm_gate_runs_of(const struct bm_gate_series *series) {
    return (struct bm_runs){series->values, series->deviations, series->count};
}

static bool make_view(const struct bm_gate_entry *entry, bool shares, struct bm_gate_view *view) {
    if (!make_series(entry->old, entry->old_count, shares, &view->old) ||
        !make_series(entry->again, entry->again_count, shares, &view->again))
        return false;
    const struct bm_runs old = bm_gate_runs_of(&view->old);
    if (view->old.count > 0)
        bm_history_of(&old, &view->history);
    return true;
}

bool bm_gate_view_is_known(const struct bm_gate_view *view) {
    return view->old.count > 0 && view->again.count > 0;
}

static void free_view(struct bm_gate_view *view) {
    free(view->old.values);
    free(view->again.values);
}

enum bm_status bm_gate_candidates_init(struct bm_gate_candidates *candidates, size_t capacity,
                                       struct bm_error *error) {
    *candidates = (struct bm_gate_candidates){.items = bm_alloc(capacity, sizeof *candidates->items)};
    return candidates->items != NULL ? BM_OK
                                     : bm_fail(error, BM_NO_MEMORY, "out of memory for %zu rows", capacity);
}

void bm_gate_candidates_fini(struct bm_gate_candidates *candidates) {
    for (size_t i = 0; i < candidates->count; i++) {
        free_view(&candidates->items[i].time);
        free_view(&candidates->items[i].share);
    }
    free(candidates->items);
}

static bool equal_work(const struct bm_gate_entry *entry) {
    return entry->is_ceiling || (bm_equal_amounts(entry->old_flops, entry->new_flops) &&
                                 bm_equal_amounts(entry->old_bytes, entry->new_bytes));
}

/* The same row on the same backend under another fingerprint or with other threads, of the latest baseline.
 */
static const struct bm_gate_entry *find_elsewhere(const struct bm_gate *gate,
                                                  const struct bm_gate_entry *like) {
    const struct bm_gate_entry *found = NULL;
    for (size_t i = 0; i < gate->store->entry_count; i++) {
        const struct bm_gate_entry *entry = &gate->store->entries[i];
        if (entry->old_count > 0 && entry != like && bm_gate_is_same_row(entry, like) &&
            (found == NULL || bm_gate_is_before(gate, found->last_old_file, entry->last_old_file)))
            found = entry;
    }
    return found;
}

/* What a row that is not judged shows. */
static double typical_ns(const struct bm_gate_sample *samples, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += samples[i].time.value;
    return count > 0 ? exp(sum / (double)count) : unknown;
}

struct bm_gate_row *bm_gate_row_begin(struct bm_gate *gate, const struct bm_gate_entry *entry,
                                      enum bm_verdict verdict, const char *why) {
    struct bm_gate_row *row = bm_gate_row_add(gate);
    const struct bm_gate_device *device = bm_gate_device_find(gate->store, entry->fingerprint);
    if (row == NULL)
        return NULL;
    bm_string_set(row->key, sizeof row->key, entry->key);
    bm_string_set(row->device, sizeof row->device, entry->device);
    bm_string_set(row->device_name, sizeof row->device_name, device != NULL ? device->name : "");
    bm_string_set(row->backend, sizeof row->backend, entry->backend);
    bm_string_set(row->why, sizeof row->why, why);
    row->threads = entry->threads;
    row->verdict = verdict;
    row->is_ceiling = entry->is_ceiling;
    row->old_runs = entry->old_count;
    row->new_runs = entry->again_count;
    for (size_t i = 0; i < entry->again_count; i++)
        row->flags |= entry->again[i].flags;
    row->old_ns = typical_ns(entry->old, entry->old_count);
    row->new_ns = typical_ns(entry->again, entry->again_count);
    return row;
}

/* A verdict that needs no figures, or BM_VERDICTS where figures decide. *skip: the row is none of the gate's.
 */
static enum bm_verdict sort_out(const struct bm_gate *gate, const struct bm_gate_entry *entry, char why[240],
                                bool *skip) {
    *skip = false;
    why[0] = '\0';
    if (entry->again_count == 0 || entry->new_failed > 0) {
        char where[64] = "";
        if (entry->new_failed > 0 && entry->new_files > 1)
            snprintf(where, sizeof where, " in %zu of %zu new files", entry->new_failed, entry->new_files);
        snprintf(why, 240, "%s%s: %s", bm_saved_status_name(entry->new_status), where, entry->new_reason);
        /* what no baseline could measure either is no change, unless it is wrong */
        *skip = entry->old_count == 0 && entry->new_failed == 0;
        return BM_VERDICT_UNVERIFIED;
    }
    if (entry->fingerprint[0] == '\0') {
        snprintf(why, 240, "the device has no fingerprint");
        return BM_VERDICT_INCOMPARABLE;
    }
    if (entry->old_count == 0) {
        const struct bm_gate_entry *other = find_elsewhere(gate, entry);
        if (other == NULL)
            return BM_VERDICT_ADDED;
        if (strcmp(other->fingerprint, entry->fingerprint) == 0) {
            snprintf(why, 240, "the baseline used %u threads, the new results %u", other->threads,
                     entry->threads);
        } else {
            char difference[200];
            bm_gate_device_difference(bm_gate_device_find(gate->store, other->fingerprint),
                                      bm_gate_device_find(gate->store, entry->fingerprint), difference);
            snprintf(why, 240, "measured elsewhere: %s", difference);
        }
        return BM_VERDICT_INCOMPARABLE;
    }
    if (!equal_work(entry)) {
        snprintf(why, 240, "other work: %.4g FLOP and %.4g bytes against %.4g and %.4g", entry->old_flops,
                 entry->old_bytes, entry->new_flops, entry->new_bytes);
        return BM_VERDICT_INCOMPARABLE;
    }
    return BM_VERDICTS;
}

static enum bm_status add_candidate(struct bm_gate *gate, const struct bm_gate_entry *entry,
                                    struct bm_gate_candidates *candidates, struct bm_error *error) {
    struct bm_gate_candidate *candidate = &candidates->items[candidates->count];
    if (bm_gate_row_begin(gate, entry, BM_VERDICT_INCONCLUSIVE, "") == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    struct bm_gate_row *row = &gate->rows[gate->row_count - 1];
    *candidate = (struct bm_gate_candidate){.row = gate->row_count - 1};
    candidates->count++;
    if (!make_view(entry, false, &candidate->time) || !make_view(entry, true, &candidate->share))
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu runs", entry->old_count);
    if (!bm_gate_view_is_known(&candidate->time)) {
        row->verdict = BM_VERDICT_THROTTLED;
        snprintf(row->why, sizeof row->why, "the system limited clock or power during %s",
                 candidate->time.again.count == 0 ? "the new runs" : "every baseline");
        free_view(&candidate->time);
        free_view(&candidate->share);
        candidates->count--;
        return BM_OK;
    }
    const struct bm_history *history = &candidate->time.history;
    const struct bm_gate_series *again = &candidate->time.again;
    row->old_runs = history->count;
    row->new_runs = again->count;
    row->before_change = history->first;
    row->left_out = history->left_out;
    row->deviation = history->deviation;
    row->assumed = history->assumed;
    row->old_ns = exp(history->center);
    row->new_ns = exp(bm_stats_mean(again->values, again->count));
    return BM_OK;
}

enum bm_status bm_gate_candidates_add(struct bm_gate *gate, const struct bm_gate_entry *entry,
                                      struct bm_gate_candidates *candidates, struct bm_error *error) {
    char why[240];
    bool skip;
    const enum bm_verdict verdict = sort_out(gate, entry, why, &skip);
    if (skip)
        return BM_OK;
    if (verdict == BM_VERDICTS)
        return add_candidate(gate, entry, candidates, error);
    return bm_gate_row_begin(gate, entry, verdict, why) != NULL
               ? BM_OK
               : bm_fail(error, BM_NO_MEMORY, "out of memory");
}

enum bm_status bm_gate_candidates_calibrate(struct bm_gate *gate, const struct bm_gate_candidates *candidates,
                                            struct bm_error *error) {
    const struct bm_gate_candidate *items = candidates->items;
    const size_t count = candidates->count;
    size_t runs = 0, taken = 0;
    for (size_t i = 0; i < count; i++)
        runs += items[i].time.old.count;
    double *distances = bm_alloc(runs, sizeof *distances);
    if (distances == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu runs", runs);
    for (size_t i = 0; i < count; i++) {
        const struct bm_history *history = &items[i].time.history;
        const struct bm_gate_series *old = &items[i].time.old;
        const double n = (double)history->count;
        for (size_t k = history->first; !history->assumed && k < old->count; k++) {
            double distance = fabs(old->values[k] - history->center) * n / (n - 1);
            if (distance < log1p(BM_GATE_EQUIVALENCE) * 4) /* outliers are no measure of the ordinary */
                distances[taken++] = distance;
        }
    }
    gate->margin = bm_gate_margin(distances, taken);
    gate->margin_calibrated = taken > 0;
    free(distances);
    return BM_OK;
}
