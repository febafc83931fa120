/* The gate of `benchmark check`: baselines and new files -> verdicts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bm/measure.h"
#include "bm/stats.h"
#include "gate_store.h"

static const double unknown = (double)NAN;

enum bm_status bm_gate_create(const struct bm_gate_options *options, struct bm_gate **gate_out,
                              struct bm_error *error) {
    *gate_out = NULL;
    struct bm_gate *gate = bm_alloc(1, sizeof *gate);
    struct bm_gate_store *store = bm_alloc(1, sizeof *store);
    if (gate == NULL || store == NULL) {
        free(gate);
        free(store);
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    }
    gate->store = store;
    gate->alpha = options->alpha;
    gate->margin = options->margin;
    *gate_out = gate;
    return BM_OK;
}

void bm_gate_destroy(struct bm_gate *gate) {
    if (gate == NULL)
        return;
    for (size_t i = 0; i < gate->file_count; i++)
        free(gate->files[i].path);
    bm_gate_store_destroy(gate->store);
    free(gate->files);
    free(gate->rows);
    free(gate->notes);
    free(gate);
}

enum bm_status bm_gate_add(struct bm_gate *gate, const char *path, bool is_baseline, struct bm_error *error) {
    const struct bm_saved_options options = {.flag_name = bm_flag_name};
    struct bm_saved saved;
    enum bm_status status = bm_saved_load(path, &options, &saved, error);
    if (status != BM_OK)
        return status;
    status = bm_grow(&gate->files, &gate->file_capacity, gate->file_count + 1, sizeof *gate->files, error);
    char *copy = status == BM_OK ? strdup(path) : NULL;
    if (status == BM_OK && copy == NULL)
        status = bm_fail(error, BM_NO_MEMORY, "out of memory");
    if (status == BM_OK) {
        struct bm_gate_file *file = &gate->files[gate->file_count++];
        *file = (struct bm_gate_file){.path = copy, .is_baseline = is_baseline};
        bm_string_set(file->created, sizeof file->created, saved.created);
        bm_string_set(file->commit, sizeof file->commit, saved.tool.commit);
        bm_string_set(file->version, sizeof file->version, saved.tool.version);
        bm_string_set(file->kernels_sha256, sizeof file->kernels_sha256, saved.tool.kernels_sha256);
        bm_string_set(file->suite, sizeof file->suite, saved.settings.suite);
        bm_string_set(file->cache, sizeof file->cache, saved.settings.cache);
        status = bm_gate_take(gate, &saved, gate->file_count - 1, is_baseline, error);
    }
    bm_saved_fini(&saved);
    return status;
}

/* ---- rows that are judged ---- */

/* Runs of an entry as arrays, those that were throttled left out. */
struct series {
    double *values, *deviations; /* owned, one block */
    size_t count, throttled;
};

static bool make_series(const struct bm_gate_sample *samples, size_t count, struct series *series) {
    *series = (struct series){.values = bm_alloc(2 * count, sizeof *series->values)};
    if (series->values == NULL)
        return false;
    series->deviations = series->values + count;
    for (size_t i = 0; i < count; i++) {
        if ((samples[i].flags & BM_FLAG_THROTTLED) != 0) {
            series->throttled++;
            continue;
        }
        series->values[series->count] = samples[i].value;
        series->deviations[series->count++] = samples[i].deviation;
    }
    return true;
}

static struct bm_runs runs_of(const struct series *series) {
    return (struct bm_runs){series->values, series->deviations, series->count};
}

/* A row on its way to a verdict. */
struct candidate {
    size_t row; /* index into gate->rows */
    struct series old, again;
    struct bm_history history;
};

static bool equal_work(const struct bm_gate_entry *entry) {
    return entry->is_ceiling || (fabs(entry->old_flops - entry->new_flops) <= 1e-6 * entry->old_flops &&
                                 fabs(entry->old_bytes - entry->new_bytes) <= 1e-6 * entry->old_bytes);
}

/* The same row on the same backend under another fingerprint, of the latest baseline. */
static const struct bm_gate_entry *find_elsewhere(const struct bm_gate *gate,
                                                  const struct bm_gate_entry *like) {
    const struct bm_gate_entry *found = NULL;
    for (size_t i = 0; i < gate->store->entry_count; i++) {
        const struct bm_gate_entry *entry = &gate->store->entries[i];
        if (entry->old_count > 0 && entry != like && strcmp(entry->key, like->key) == 0 &&
            strcmp(entry->backend, like->backend) == 0 && strcmp(entry->device, like->device) == 0 &&
            (found == NULL || entry->last_old_file > found->last_old_file))
            found = entry;
    }
    return found;
}

/* What a row that is not judged shows. */
static double typical_ns(const struct bm_gate_sample *samples, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += samples[i].value;
    return count > 0 ? exp(sum / (double)count) : unknown;
}

static struct bm_gate_row *begin_row(struct bm_gate *gate, const struct bm_gate_entry *entry,
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
    if (entry->again_count == 0) {
        snprintf(why, 240, "%s: %s", bm_saved_status_name(entry->new_status), entry->new_reason);
        /* what no baseline could measure either is no change, unless it is wrong */
        *skip = entry->old_count == 0 && entry->new_status != BM_SAVED_FAILED;
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
                                    struct candidate *candidates, size_t *count, struct bm_error *error) {
    struct candidate *candidate = &candidates[*count];
    if (begin_row(gate, entry, BM_VERDICT_INCONCLUSIVE, "") == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    struct bm_gate_row *row = &gate->rows[gate->row_count - 1];
    *candidate = (struct candidate){.row = gate->row_count - 1};
    ++*count;
    if (!make_series(entry->old, entry->old_count, &candidate->old) ||
        !make_series(entry->again, entry->again_count, &candidate->again))
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu runs", entry->old_count);
    if (candidate->again.count == 0 || candidate->old.count == 0) {
        row->verdict = BM_VERDICT_THROTTLED;
        snprintf(row->why, sizeof row->why, "the system limited clock or power during %s",
                 candidate->again.count == 0 ? "the new runs" : "every baseline");
        free(candidate->old.values);
        free(candidate->again.values);
        --*count;
        return BM_OK;
    }
    const struct bm_runs old = runs_of(&candidate->old), again = runs_of(&candidate->again);
    bm_history_of(&old, &candidate->history);
    row->old_runs = candidate->history.count;
    row->new_runs = again.count;
    row->before_change = candidate->history.first;
    row->left_out = candidate->history.left_out;
    row->deviation = candidate->history.deviation;
    row->assumed = candidate->history.assumed;
    row->old_ns = exp(candidate->history.center);
    row->new_ns = exp(bm_stats_mean(again.values, again.count));
    return BM_OK;
}

/* How far each run of a history lies from the mean of the others, for the margin. */
static enum bm_status calibrate(struct bm_gate *gate, const struct candidate *candidates, size_t count,
                                struct bm_error *error) {
    size_t runs = 0, taken = 0;
    for (size_t i = 0; i < count; i++)
        runs += candidates[i].old.count;
    double *distances = bm_alloc(runs, sizeof *distances);
    if (distances == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu runs", runs);
    for (size_t i = 0; i < count; i++) {
        const struct bm_history *history = &candidates[i].history;
        const double n = (double)history->count;
        for (size_t k = history->first; !history->assumed && k < candidates[i].old.count; k++) {
            double distance = fabs(candidates[i].old.values[k] - history->center) * n / (n - 1);
            if (distance < log1p(BM_GATE_EQUIVALENCE) * 4) /* outliers are no measure of the ordinary */
                distances[taken++] = distance;
        }
    }
    gate->margin = bm_gate_margin(distances, taken);
    gate->margin_calibrated = taken > 0;
    free(distances);
    return BM_OK;
}

static enum bm_status judge(struct bm_gate *gate, const struct candidate *candidates, size_t count,
                            struct bm_error *error) {
    struct bm_evidence *evidence = bm_alloc(count, sizeof *evidence);
    bool *unstable = bm_alloc(count, sizeof *unstable);
    enum bm_verdict *verdicts = bm_alloc(count, sizeof *verdicts);
    double *adjusted = bm_alloc(count, sizeof *adjusted);
    enum bm_status status = evidence != NULL && unstable != NULL && verdicts != NULL && adjusted != NULL
                                ? BM_OK
                                : bm_fail(error, BM_NO_MEMORY, "out of memory for %zu rows", count);
    for (size_t i = 0; status == BM_OK && i < count; i++) {
        const struct bm_runs old = runs_of(&candidates[i].old), again = runs_of(&candidates[i].again);
        bm_gate_weigh_runs(&candidates[i].history, &old, &again, gate->margin, gate->alpha, count,
                           &evidence[i]);
        unstable[i] = (gate->rows[candidates[i].row].flags & (BM_FLAG_UNSTABLE | BM_FLAG_BIMODAL)) != 0;
    }
    if (status == BM_OK)
        status = bm_gate_decide(evidence, unstable, count, gate->alpha, verdicts, adjusted, error);
    for (size_t i = 0; status == BM_OK && i < count; i++) {
        struct bm_gate_row *row = &gate->rows[candidates[i].row];
        row->verdict = verdicts[i];
        row->change = evidence[i].change;
        row->low = evidence[i].low;
        row->high = evidence[i].high;
        row->detectable = evidence[i].detectable;
        row->p = adjusted[i];
        if (unstable[i] && verdicts[i] == BM_VERDICT_INCONCLUSIVE && evidence[i].equivalent)
            snprintf(row->why, sizeof row->why, "its rounds are unstable: it cannot be called unchanged");
    }
    free(evidence);
    free(unstable);
    free(verdicts);
    free(adjusted);
    return status;
}

/* ---- the whole ---- */

static bool is_before(const struct bm_gate *gate, size_t a, size_t b) {
    int order = strcmp(gate->files[a].created, gate->files[b].created);
    return order < 0 || (order == 0 && a < b);
}

static void sort_by_time(const struct bm_gate *gate, struct bm_gate_sample *samples, size_t count) {
    for (size_t i = 1; i < count; i++) { /* mostly in order already: names begin with dates */
        struct bm_gate_sample moved = samples[i];
        size_t at = i;
        for (; at > 0 && is_before(gate, moved.file, samples[at - 1].file); at--)
            samples[at] = samples[at - 1];
        samples[at] = moved;
    }
}

/* The latest baseline that shares a device with the new files, or the latest of all. SIZE_MAX: there is none.
 */
static size_t latest_baseline(const struct bm_gate *gate) {
    size_t latest = SIZE_MAX;
    for (size_t i = 0; i < gate->store->entry_count; i++) {
        const struct bm_gate_entry *entry = &gate->store->entries[i];
        if (entry->is_new && entry->last_old_file != SIZE_MAX &&
            (latest == SIZE_MAX || is_before(gate, latest, entry->last_old_file)))
            latest = entry->last_old_file;
    }
    return latest;
}

static bool was_in(const struct bm_gate_entry *entry, size_t file) {
    for (size_t i = 0; i < entry->old_count; i++)
        if (entry->old[i].file == file)
            return true;
    return false;
}

static size_t newest_file(const struct bm_gate *gate) {
    size_t newest = SIZE_MAX;
    for (size_t i = 0; i < gate->file_count; i++)
        if (!gate->files[i].is_baseline && (newest == SIZE_MAX || is_before(gate, newest, i)))
            newest = i;
    return newest;
}

static enum bm_status take_entry(struct bm_gate *gate, struct bm_gate_entry *entry, size_t latest,
                                 struct candidate *candidates, size_t *count, struct bm_error *error) {
    char why[240];
    bool skip;
    sort_by_time(gate, entry->old, entry->old_count);
    sort_by_time(gate, entry->again, entry->again_count);
    if (!entry->is_new) {
        bool gone = latest != SIZE_MAX && was_in(entry, latest);
        return !gone || begin_row(gate, entry, BM_VERDICT_MISSING, "") != NULL
                   ? BM_OK
                   : bm_fail(error, BM_NO_MEMORY, "out of memory");
    }
    enum bm_verdict verdict = sort_out(gate, entry, why, &skip);
    if (skip)
        return BM_OK;
    if (verdict == BM_VERDICTS)
        return add_candidate(gate, entry, candidates, count, error);
    return begin_row(gate, entry, verdict, why) != NULL ? BM_OK
                                                        : bm_fail(error, BM_NO_MEMORY, "out of memory");
}

/* What moves all rows at once is rarely a kernel. */
static void note_common_change(struct bm_gate *gate) {
    double *changes = bm_alloc(gate->row_count, sizeof *changes);
    size_t count = 0, along = 0;
    for (size_t i = 0; changes != NULL && i < gate->row_count; i++)
        if (isfinite(gate->rows[i].change))
            changes[count++] = gate->rows[i].change;
    double middle = changes != NULL ? bm_stats_median(changes, count) : unknown;
    for (size_t i = 0; changes != NULL && i < count; i++)
        along += changes[i] * middle > 0 && fabs(changes[i]) > fabs(middle) / 2;
    if (count >= 5 && fabs(middle) > gate->margin && 10 * along >= 9 * count)
        bm_gate_note(gate,
                     "nearly all rows moved together, by %+.1f %%: look at the machine (clocks, heat, "
                     "neighbours) first",
                     100 * expm1(middle));
    free(changes);
}

static void note_history(struct bm_gate *gate, size_t latest) {
    size_t assumed = 0, judged = 0, changed = 0, outlying = 0, newest = newest_file(gate);
    for (size_t i = 0; i < gate->row_count; i++) {
        changed += gate->rows[i].before_change > 0;
        outlying += gate->rows[i].left_out > 0;
        judged += isfinite(gate->rows[i].deviation);
        assumed += isfinite(gate->rows[i].deviation) && gate->rows[i].assumed;
    }
    if (assumed > 0)
        bm_gate_note(gate,
                     "of %zu of %zu rows there are fewer than %d baselines: a spread of 2.7 %% between runs "
                     "is assumed",
                     assumed, judged, BM_GATE_HISTORY);
    if (changed > 0)
        bm_gate_note(gate, "of %zu rows baselines before the last change in them are left out", changed);
    if (outlying > 0)
        bm_gate_note(gate, "of %zu rows outlying baselines are left out", outlying);
    if (gate->store->shared_rows > 0)
        bm_gate_note(gate, "%zu rows share another row's measurement and are judged there",
                     gate->store->shared_rows);
    if (latest != SIZE_MAX && newest != SIZE_MAX)
        bm_gate_note_causes(gate, &gate->files[latest], &gate->files[newest]);
}

enum bm_status bm_gate_finish(struct bm_gate *gate, struct bm_error *error) {
    struct bm_gate_store *store = gate->store;
    const size_t latest = latest_baseline(gate);
    struct candidate *candidates = bm_alloc(store->entry_count, sizeof *candidates);
    size_t count = 0;
    enum bm_status status =
        candidates != NULL ? BM_OK
                           : bm_fail(error, BM_NO_MEMORY, "out of memory for %zu rows", store->entry_count);
    for (size_t i = 0; status == BM_OK && i < store->entry_count; i++)
        status = take_entry(gate, &store->entries[i], latest, candidates, &count, error);
    if (status == BM_OK && isnan(gate->margin))
        status = calibrate(gate, candidates, count, error);
    if (status == BM_OK)
        status = judge(gate, candidates, count, error);
    if (status == BM_OK) {
        note_common_change(gate);
        note_history(gate, latest);
    }
    for (size_t i = 0; i < count; i++) {
        free(candidates[i].old.values);
        free(candidates[i].again.values);
    }
    free(candidates);
    bm_gate_seal(gate);
    return status;
}

/* ---- for any gate ---- */

struct bm_gate_row *bm_gate_row_add(struct bm_gate *gate) {
    if (bm_grow(&gate->rows, &gate->row_capacity, gate->row_count + 1, sizeof *gate->rows, NULL) != BM_OK)
        return NULL;
    struct bm_gate_row *row = &gate->rows[gate->row_count++];
    *row = (struct bm_gate_row){.old_ns = unknown,
                                .new_ns = unknown,
                                .change = unknown,
                                .low = unknown,
                                .high = unknown,
                                .p = unknown,
                                .detectable = unknown,
                                .deviation = unknown};
    return row;
}

void bm_gate_note(struct bm_gate *gate, const char *format, ...) {
    if (bm_grow(&gate->notes, &gate->note_capacity, gate->note_count + 1, sizeof *gate->notes, NULL) != BM_OK)
        return; /* a note less */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(gate->notes[gate->note_count++], sizeof *gate->notes, format, arguments);
    va_end(arguments);
}

void bm_gate_seal(struct bm_gate *gate) {
    struct bm_gate_row *sorted = bm_alloc(gate->row_count, sizeof *sorted);
    size_t count = 0;
    memset(gate->counts, 0, sizeof gate->counts);
    for (int verdict = 0; verdict < BM_VERDICTS; verdict++)
        for (size_t i = 0; i < gate->row_count; i++)
            if (gate->rows[i].verdict == (enum bm_verdict)verdict) {
                gate->counts[verdict]++;
                if (sorted != NULL)
                    sorted[count++] = gate->rows[i];
            }
    if (sorted != NULL && count > 0) /* without memory they stay as they are */
        memcpy(gate->rows, sorted, count * sizeof *sorted);
    free(sorted);
}
