/* The gate of `benchmark check`: baselines and new files -> rows, verdicts and notes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bm/measure.h"
#include "bm/stats.h"
#include "gate_candidates.h"

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
    if (!is_baseline && saved.row_count == 0) {
        bm_saved_fini(&saved);
        return bm_fail(error, BM_INVALID, "%s: has no rows to judge: measure with `benchmark run`", path);
    }
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
        if (!saved.complete && !is_baseline)
            bm_gate_note(gate, "%.200s was interrupted: what is missing was not measured", path);
    }
    bm_saved_fini(&saved);
    return status;
}

/* ---- from all files to rows ---- */

static void sort_by_time(const struct bm_gate *gate, struct bm_gate_sample *samples, size_t count) {
    for (size_t i = 1; i < count; i++) { /* mostly in order already: names begin with dates */
        struct bm_gate_sample moved = samples[i];
        size_t at = i;
        for (; at > 0 && bm_gate_is_before(gate, moved.file, samples[at - 1].file); at--)
            samples[at] = samples[at - 1];
        samples[at] = moved;
    }
}

/* The latest baseline that shares a row with the new files, or the latest of all. SIZE_MAX: there is none. */
static size_t latest_baseline(const struct bm_gate *gate) {
    size_t latest = SIZE_MAX;
    for (size_t i = 0; i < gate->store->entry_count; i++) {
        const struct bm_gate_entry *entry = &gate->store->entries[i];
        if (entry->new_files > 0 && entry->last_old_file != SIZE_MAX &&
            (latest == SIZE_MAX || bm_gate_is_before(gate, latest, entry->last_old_file)))
            latest = entry->last_old_file;
    }
    for (size_t i = 0, none = latest; none == SIZE_MAX && i < gate->file_count; i++)
        if (gate->files[i].is_baseline && (latest == SIZE_MAX || bm_gate_is_before(gate, latest, i)))
            latest = i;
    return latest;
}

static bool was_in(const struct bm_gate_entry *entry, size_t file) {
    for (size_t i = 0; i < entry->old_count; i++)
        if (entry->old[i].file == file)
            return true;
    return false;
}

/* Whether the new files have the row on another system, driver or number of threads: that is told there. */
static bool is_elsewhere(const struct bm_gate *gate, const struct bm_gate_entry *gone) {
    for (size_t i = 0; i < gate->store->entry_count; i++) {
        const struct bm_gate_entry *entry = &gate->store->entries[i];
        if (entry->new_files > 0 && bm_gate_is_same_row(entry, gone))
            return true;
    }
    return false;
}

static size_t newest_file(const struct bm_gate *gate) {
    size_t newest = SIZE_MAX;
    for (size_t i = 0; i < gate->file_count; i++)
        if (!gate->files[i].is_baseline && (newest == SIZE_MAX || bm_gate_is_before(gate, newest, i)))
            newest = i;
    return newest;
}

static enum bm_status take_entry(struct bm_gate *gate, struct bm_gate_entry *entry, size_t latest,
                                 struct bm_gate_candidates *candidates, struct bm_error *error) {
    sort_by_time(gate, entry->old, entry->old_count);
    sort_by_time(gate, entry->again, entry->again_count);
    if (entry->new_files == 0) {
        const bool gone = latest != SIZE_MAX && was_in(entry, latest) && !is_elsewhere(gate, entry);
        return !gone || bm_gate_row_begin(gate, entry, BM_VERDICT_MISSING, "") != NULL
                   ? BM_OK
                   : bm_fail(error, BM_NO_MEMORY, "out of memory");
    }
    return bm_gate_candidates_add(gate, entry, candidates, error);
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

static void note_machine(struct bm_gate *gate) {
    size_t moved = 0;
    for (size_t i = 0; i < gate->row_count; i++)
        moved += gate->rows[i].with_machine;
    if (moved > 0)
        bm_gate_note(gate,
                     "%zu rows are slower or faster as the machine itself is (clocks, heat, neighbours, "
                     "another host): no verdict on what runs on it; `benchmark ab` would give one",
                     moved);
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
    struct bm_gate_candidates candidates;
    enum bm_status status = bm_gate_candidates_init(&candidates, store->entry_count, error);
    for (size_t i = 0; status == BM_OK && i < store->entry_count; i++)
        status = take_entry(gate, &store->entries[i], latest, &candidates, error);
    if (status == BM_OK && isnan(gate->margin))
        status = bm_gate_candidates_calibrate(gate, &candidates, error);
    if (status == BM_OK)
        status = bm_gate_candidates_judge(gate, &candidates, error);
    if (status == BM_OK) {
        note_common_change(gate);
        note_machine(gate);
        note_history(gate, latest);
    }
    bm_gate_candidates_fini(&candidates);
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
