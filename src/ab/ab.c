/* Rounds in turn, until every row has a verdict. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

struct comparison {
    const struct bm_ab_options *options;
    const struct bm_ab_observer *observer;
    struct ab_side sides[AB_SIDES];
    struct ab_rows rows;
    struct bm_ab_plan plan;
    unsigned next_look;
    double unspent; /* share of alpha of the looks so far that were not worth taking */
    double margin;
    char id[37];
    uint64_t start_ns;
    double longest_round_s;
    struct bm_random random;
    bool new_first;                 /* in the first of a pair of rounds */
    struct bm_saved last[AB_SIDES]; /* of the last round that both sides ended */
};

static double seconds(const struct comparison *comparison) {
    return (double)(bm_clock_now(&bm_clock_monotonic) - comparison->start_ns) / 1e9;
}

static double seconds_left(const struct comparison *comparison) {
    return comparison->options->budget_s - seconds(comparison);
}

static void show_progress(const struct comparison *comparison) {
    const struct bm_ab_observer *observer = comparison->observer;
    const struct bm_ab_progress progress = {
        .rounds = (unsigned)comparison->rows.rounds,
        .most_rounds = comparison->options->rounds,
        .rows = ab_rows_judged(&comparison->rows),
        .decided = ab_rows_decided(&comparison->rows),
        .seconds_left = seconds_left(comparison),
    };
    if (observer->progress != NULL)
        observer->progress(observer->context, &progress);
}

static void forget(struct bm_saved saved[AB_SIDES]) {
    for (int side = 0; side < AB_SIDES; side++)
        bm_saved_fini(&saved[side]);
    memset(saved, 0, AB_SIDES * sizeof *saved);
}

/* Both sides once; *late: the budget ended meanwhile. */
static enum bm_status run_both(struct comparison *comparison, unsigned round, bool new_first, bool *late,
                               struct bm_error *error) {
    struct bm_saved saved[AB_SIDES] = {0};
    enum bm_status status = BM_OK;
    *late = false;
    for (int turn = 0; status == BM_OK && !*late && turn < AB_SIDES; turn++) {
        const int side = new_first == (turn == 0) ? AB_NEW : AB_OLD;
        const struct ab_limits limits = {.left_s = seconds_left(comparison),
                                         .stop_requested = comparison->observer->stop_requested,
                                         .context = comparison->observer->context};
        status = ab_side_run(&comparison->sides[side], round, &limits, &saved[side], late, error);
    }
    if (status == BM_OK && !*late) {
        forget(comparison->last);
        memcpy(comparison->last, saved, sizeof saved);
    } else
        forget(saved);
    return status;
}

/* ---- the folder ---- */

/* Pairs stay pairs: a round without a figure on one side has none on the other. */
static void omit_single(struct comparison *comparison) {
    for (size_t i = 0; i < comparison->rows.count; i++) {
        const struct ab_row *row = &comparison->rows.items[i];
        for (size_t k = 0; row->series.count > 0 && k < comparison->rows.rounds; k++)
            for (int side = 0; side < AB_SIDES; side++)
                if (isnan(row->cells[1 - side].ns[k]))
                    bm_merge_omit(comparison->sides[side].merge, k, row->key, row->cells[side].device,
                                  row->cells[side].backend, row->cells[side].threads);
    }
}

static enum bm_status add_files(struct comparison *comparison, uint64_t begun_ns, struct bm_error *error) {
    enum bm_status status = BM_OK;
    for (int side = 0; status == BM_OK && side < AB_SIDES; side++)
        status = bm_merge_add(comparison->sides[side].merge, comparison->sides[side].output, begun_ns, error);
    return status;
}

static enum bm_status write_files(struct comparison *comparison, bool complete, struct bm_error *error) {
    enum bm_status status = BM_OK;
    omit_single(comparison);
    for (int side = 0; status == BM_OK && side < AB_SIDES; side++)
        status =
            bm_merge_write(comparison->sides[side].merge, comparison->sides[side].merged, complete, error);
    return status;
}

/* ---- rounds ---- */

/* AB BA or BA AB: what drifts one way over the rounds then favours neither side. */
static bool turn_of(struct comparison *comparison, unsigned round) {
    if (round % 2 == 1)
        comparison->new_first = bm_random_below(&comparison->random, 2) != 0;
    return comparison->new_first == (round % 2 == 1);
}

static enum bm_status take_round(struct comparison *comparison, bool *late, struct bm_error *error) {
    const unsigned round = (unsigned)comparison->rows.rounds + 1;
    const double begun = seconds(comparison);
    enum bm_status status = run_both(comparison, round, turn_of(comparison, round), late, error);
    if (status != BM_OK || *late)
        return status;
    status = ab_rows_add(comparison->last, &comparison->rows, error);
    if (status == BM_OK)
        status = add_files(comparison, (uint64_t)(begun * 1e9), error);
    if (status == BM_OK)
        status = write_files(comparison, false, error);
    comparison->longest_round_s = fmax(comparison->longest_round_s, seconds(comparison) - begun);
    return status;
}

static bool all_decided(const struct comparison *comparison) {
    return ab_rows_decided(&comparison->rows) == ab_rows_judged(&comparison->rows);
}

/* The looks that are due; the last one spends what the others left. A look at which no change could show is
 * not taken, and its share goes to the next: that depends on counts alone, never on what was measured. */
static enum bm_status look(struct comparison *comparison, bool is_last, struct bm_error *error) {
    const struct bm_ab_plan *plan = &comparison->plan;
    const size_t rounds = comparison->rows.rounds, rows = ab_rows_judged(&comparison->rows);
    const double alpha = comparison->options->alpha;
    bool due = is_last;
    while (comparison->next_look < BM_AB_LOOKS &&
           (is_last || plan->rounds[comparison->next_look] <= rounds)) {
        comparison->unspent += plan->shares[comparison->next_look++];
        due = true;
    }
    is_last |= comparison->next_look == BM_AB_LOOKS;
    if (!due || (!is_last && rounds < bm_ab_least_rounds(rows, alpha * comparison->unspent)) ||
        comparison->unspent <= 0)
        return BM_OK;
    const double share = comparison->unspent;
    comparison->unspent = 0;
    return ab_rows_look(&comparison->rows, comparison->margin, alpha, share, is_last, error);
}

/* What is sure to end without a verdict is not begun. */
static enum bm_status check_reach(const struct comparison *comparison, struct bm_error *error) {
    const struct bm_ab_options *options = comparison->options;
    const size_t rows = ab_rows_judged(&comparison->rows);
    const unsigned least = bm_ab_least_rounds(rows, options->alpha);
    const double needed = seconds(comparison) + comparison->longest_round_s * (least - 1);
    if (options->rounds < least)
        return bm_fail(
            error, BM_INVALID,
            "ab: --rounds %u: a change in one of %zu rows can show from %u rounds on: give at least "
            "as many, or measure fewer rows",
            options->rounds, rows, least);
    if (needed > options->budget_s)
        return bm_fail(
            error, BM_INVALID,
            "ab: --budget %g: a round takes %.1f s, and %zu rows need %u of them: give at least %.0f, "
            "or measure fewer rows",
            options->budget_s, comparison->longest_round_s, rows, least, ceil(1.1 * needed));
    return BM_OK;
}

static enum bm_status take_rounds(struct comparison *comparison, struct bm_error *error) {
    enum bm_status status = BM_OK;
    bool late = false;
    while (status == BM_OK && !late && comparison->rows.rounds < comparison->options->rounds) {
        if (comparison->rows.rounds > 0 && comparison->longest_round_s > seconds_left(comparison))
            break;
        status = take_round(comparison, &late, error);
        if (status == BM_OK && !late && comparison->rows.rounds == 1 && ab_rows_judged(&comparison->rows) > 0)
            status = check_reach(comparison, error);
        if (status == BM_OK && !late)
            status = look(comparison, false, error);
        if (status == BM_OK && !late)
            show_progress(comparison);
        if (status == BM_OK && all_decided(comparison))
            break; /* also where there is nothing to judge */
    }
    if (status == BM_OK && comparison->rows.rounds == 0)
        return bm_fail(error, BM_INVALID, "ab: --budget %g: it ended before the first round: give more",
                       comparison->options->budget_s);
    return status;
}

/* Shows that the commands work, fills their kernel caches, and tells which rows there are. */
static enum bm_status try_commands(struct comparison *comparison, struct bm_error *error) {
    bool late;
    enum bm_status status = run_both(comparison, 0, false, &late, error);
    if (status == BM_OK && late)
        return bm_fail(error, BM_INVALID,
                       "ab: --budget %g: the commands did not end within it even once: give more",
                       comparison->options->budget_s);
    if (status == BM_OK)
        status = ab_rows_match(comparison->last, &comparison->rows, error);
    if (status == BM_OK)
        show_progress(comparison);
    return status;
}

/* ---- the report ---- */

static void note_difference(struct bm_gate *gate, const char *what, const char *old, const char *other) {
    if (strcmp(old, other) != 0)
        bm_gate_note(gate, "%s: %.100s -> %.100s", what, old[0] != '\0' ? old : "unknown",
                     other[0] != '\0' ? other : "unknown");
}

static void note_drivers(struct bm_gate *gate, const struct bm_saved last[AB_SIDES]) {
    for (size_t i = 0; i < last[AB_OLD].device_count && i < last[AB_NEW].device_count; i++) {
        const struct bm_saved_device *old = &last[AB_OLD].devices[i], *other = &last[AB_NEW].devices[i];
        for (size_t k = 0; k < old->backend_count && k < other->backend_count; k++) {
            note_difference(gate, "backend", old->backends[k].id, other->backends[k].id);
            note_difference(gate, "driver", old->backends[k].driver, other->backends[k].driver);
        }
    }
}

/* The words with blanks between; as much as a note holds. */
static void note_command(struct bm_gate *gate, const char *side, char *const *words) {
    struct bm_text line = {0};
    for (size_t i = 0; words[i] != NULL; i++)
        bm_text_append(&line, "%s%s", i > 0 ? " " : "", words[i]);
    if (!line.failed && line.data != NULL)
        bm_gate_note(gate, "%s: %s", side, line.data);
    bm_text_fini(&line);
}

static enum bm_status add_file(struct bm_gate *gate, const struct ab_side *side, const struct bm_saved *saved,
                               bool is_baseline, struct bm_error *error) {
    char *path = strdup(side->merged);
    if (path == NULL || bm_grow(&gate->files, &gate->file_capacity, gate->file_count + 1, sizeof *gate->files,
                                NULL) != BM_OK) {
        free(path);
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    }
    struct bm_gate_file *file = &gate->files[gate->file_count++];
    *file = (struct bm_gate_file){.path = path, .is_baseline = is_baseline};
    bm_string_set(file->created, sizeof file->created, saved->created);
    bm_string_set(file->commit, sizeof file->commit, saved->tool.commit);
    bm_string_set(file->kernels_sha256, sizeof file->kernels_sha256, saved->tool.kernels_sha256);
    bm_string_set(file->suite, sizeof file->suite, saved->settings.suite);
    bm_string_set(file->cache, sizeof file->cache, saved->settings.cache);
    bm_string_set(file->version, sizeof file->version, saved->tool.version);
    return BM_OK;
}

static enum bm_status fill_gate(const struct comparison *comparison, struct bm_gate *gate,
                                struct bm_error *error) {
    enum bm_status status = ab_rows_report(&comparison->rows, gate, error);
    gate->is_ab = true;
    gate->margin = comparison->margin;
    bm_string_set(gate->ab_id, sizeof gate->ab_id, comparison->id);
    for (int side = 0; status == BM_OK && side < AB_SIDES; side++) {
        status = add_file(gate, &comparison->sides[side], &comparison->last[side], side == AB_OLD, error);
        note_command(gate, ab_side_names[side], comparison->options->commands[side]);
    }
    if (status == BM_OK) {
        note_difference(gate, "commit", gate->files[0].commit, gate->files[1].commit);
        note_difference(gate, "version", gate->files[0].version, gate->files[1].version);
        note_difference(gate, "suite", gate->files[0].suite, gate->files[1].suite);
        note_difference(gate, "cache", gate->files[0].cache, gate->files[1].cache);
        if (strcmp(gate->files[0].kernels_sha256, gate->files[1].kernels_sha256) != 0)
            bm_gate_note(gate, "the sides differ in their kernels' sources");
        note_drivers(gate, comparison->last);
    }
    if (comparison->rows.shared > 0)
        bm_gate_note(gate, "%zu rows share another row's measurement and are judged there",
                     comparison->rows.shared);
    bm_gate_seal(gate);
    return status;
}

static enum bm_status report(struct comparison *comparison, struct bm_gate **gate, struct bm_error *error) {
    const struct bm_gate_options options = {.margin = comparison->margin,
                                            .alpha = comparison->options->alpha};
    enum bm_status status = look(comparison, true, error);
    if (status == BM_OK)
        status = bm_gate_create(&options, gate, error);
    if (status == BM_OK)
        status = fill_gate(comparison, *gate, error);
    if (status != BM_OK) {
        bm_gate_destroy(*gate);
        *gate = NULL;
    }
    return status;
}

/* ---- the whole ---- */

static enum bm_status prepare(struct comparison *comparison, struct bm_error *error) {
    const struct bm_ab_options *options = comparison->options;
    enum bm_status status = BM_OK;
    comparison->start_ns = bm_clock_now(&bm_clock_monotonic);
    comparison->margin = isnan(options->margin) ? log1p(BM_GATE_MARGIN) : options->margin;
    bm_uuid(comparison->id);
    bm_random_init(&comparison->random, bm_hash(comparison->id, strlen(comparison->id), 0));
    bm_ab_plan_of(options->rounds, &comparison->plan);
    for (int side = 0; status == BM_OK && side < AB_SIDES; side++)
        status = ab_side_init(options, side, comparison->id, &comparison->sides[side], error);
    for (int side = 0; status == BM_OK && side < AB_SIDES; side++)
        status = bm_file_check_writable(comparison->sides[side].merged, 0, error);
    return status;
}

enum bm_status bm_ab_run(const struct bm_ab_options *options, const struct bm_ab_observer *observer,
                         struct bm_gate **gate, struct bm_error *error) {
    struct comparison comparison = {.options = options, .observer = observer};
    const bool is_new_folder = access(options->folder, F_OK) != 0;
    *gate = NULL;
    enum bm_status status = prepare(&comparison, error);
    if (status == BM_OK)
        status = try_commands(&comparison, error);
    if (status == BM_OK)
        status = take_rounds(&comparison, error);
    if (status == BM_OK)
        status = write_files(&comparison, true, error);
    if (status == BM_OK)
        status = report(&comparison, gate, error);
    else if (status == BM_INTERRUPTED && comparison.rows.rounds > 0) {
        struct bm_error unreported = {0};
        (void)!report(&comparison, gate, &unreported); /* without memory none is shown */
    }
    for (int side = 0; side < AB_SIDES; side++) {
        if (comparison.sides[side].words != NULL)
            unlink(comparison.sides[side].output);
        ab_side_fini(&comparison.sides[side]);
    }
    if (is_new_folder && comparison.rows.rounds == 0)
        rmdir(options->folder); /* nothing came of it */
    ab_rows_fini(&comparison.rows);
    forget(comparison.last);
    return status;
}
