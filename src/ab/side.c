/* A command: its words, its processes, and what they say when they fail. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bm/measure.h"
#include "internal.h"

const char *const ab_side_names[AB_SIDES] = {[AB_OLD] = "old", [AB_NEW] = "new"};

/* ---- words ---- */

static bool is_assignment(const char *word) {
    const char *sign = strchr(word, '=');
    return sign != NULL && sign != word && word[0] != '-';
}

/* The program's word: the first, or the first behind `env` and its assignments. */
static size_t program_word(char *const *words) {
    size_t at = 0;
    if (strcmp(words[0], "env") == 0)
        for (at = 1; words[at] != NULL && is_assignment(words[at]);)
            at++;
    return words[at] != NULL ? at : 0;
}

static bool is_in_path(const char *name) {
    const char *path = getenv("PATH");
    char file[AB_PATH];
    for (size_t length; path != NULL; path = path[length] != '\0' ? path + length + 1 : NULL) {
        length = strcspn(path, ":");
        snprintf(file, sizeof file, "%.*s/%s", (int)length, path, name);
        if (access(file, X_OK) == 0)
            return true;
    }
    return false;
}

static enum bm_status check_words(const struct ab_side *side, char *const *words, struct bm_error *error) {
    for (size_t i = 0; words[i] != NULL; i++)
        if (strcmp(words[i], "--output") == 0 || strncmp(words[i], "--output=", 9) == 0 ||
            strcmp(words[i], "--dry-run") == 0 || strcmp(words[i], "--resume") == 0 ||
            strncmp(words[i], "--resume=", 9) == 0)
            return bm_fail(error, BM_INVALID,
                           "ab: %s in the %s command: leave it out, every process is a fresh run with an "
                           "--output of its own",
                           words[i], side->name);
    return BM_OK;
}

static bool name_file(char path[AB_PATH], const char *folder, const char *side, const char *ending) {
    return snprintf(path, AB_PATH, "%s/%s%s", folder, side, ending) < AB_PATH;
}

/* A folder is named, not the files in it: what lies there is not replaced. */
static enum bm_status name_files(struct ab_side *side, const char *folder, struct bm_error *error) {
    if (!name_file(side->output, folder, side->name, ".process.json") ||
        !name_file(side->errors, folder, side->name, ".process.log") ||
        !name_file(side->merged, folder, side->name, ".json"))
        return bm_fail(error, BM_INVALID, "ab: --output: the path is longer than %d bytes", AB_PATH - 32);
    if (bm_file_exists(side->merged))
        return bm_fail(error, BM_INVALID, "ab: --output: %s is there already: name another folder",
                       side->merged);
    return BM_OK;
}

/* ---- figures of a side, for the file of all its processes ---- */

static void estimate(const double *figures, size_t count, struct bm_results_time *time, unsigned *flags) {
    struct bm_estimate found;
    bm_estimate_of(figures, count, &found);
    *time = bm_results_time_of(&found);
    *flags = found.flags;
    if (!(found.half_width <= bm_sampler_defaults.target_half_width))
        *flags |= BM_FLAG_NOT_CONVERGED;
}

enum bm_status ab_side_init(const struct bm_ab_options *options, int side, const char *ab_id,
                            struct ab_side *own, struct bm_error *error) {
    static const char quiet[] = "--quiet", output[] = "--output";
    char *const *words = options->commands[side];
    const struct bm_merge_options merge = {
        .ab_id = ab_id,
        .side = ab_side_names[side],
        .estimate = estimate,
        .flag_name = bm_flag_name,
        .round_flags =
            BM_FLAG_CONTAMINATED | BM_FLAG_THROTTLED | BM_FLAG_RESOLUTION_LIMITED | BM_FLAG_TIMER_DISAGREES,
        .words_added = AB_WORDS_ADDED,
    };
    size_t count = 0;
    *own = (struct ab_side){.name = ab_side_names[side]};
    enum bm_status status = check_words(own, words, error);
    if (status != BM_OK)
        return status;
    while (words[count] != NULL)
        count++;
    status = name_files(own, options->folder, error);
    if (status != BM_OK)
        return status;
    own->words = bm_alloc(count + AB_WORDS_ADDED + 1, sizeof *own->words);
    if (own->words == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++)
        own->words[i] = words[i];
    const size_t program = program_word(words);
    if (options->program != NULL && strcmp(words[program], "benchmark") == 0 && !is_in_path("benchmark"))
        own->words[program] = options->program;
    own->words[count] = quiet;
    own->words[count + 1] = output;
    own->words[count + 2] = own->output;
    return bm_merge_create(&merge, &own->merge, error);
}

void ab_side_fini(struct ab_side *side) {
    bm_merge_destroy(side->merge);
    free(side->words);
    *side = (struct ab_side){0};
}

/* ---- processes ---- */

/* The last line that the process said, without our own name in front of it. */
static void last_words(const char *path, char line[256]) {
    enum { MOST = 1 << 20 };
    static const char own_name[] = "benchmark: ";
    char *text;
    size_t size;
    line[0] = '\0';
    if (bm_file_read(path, MOST, &text, &size, NULL) != BM_OK)
        return;
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        text[--size] = '\0';
    const char *start = strrchr(text, '\n');
    start = start != NULL ? start + 1 : text;
    if (strncmp(start, own_name, sizeof own_name - 1) == 0)
        start += sizeof own_name - 1;
    bm_string_set(line, 256, start);
    free(text);
}

static void say_when(char when[32], unsigned round) {
    snprintf(when, 32, round > 0 ? " in round %u" : "", round);
}

/* Exit codes of `benchmark run`: 0 done, 1 rows failed (they are judged as such), 5 no usable device. */
static enum bm_status judge_end(const struct ab_side *side, unsigned round, const struct bm_spawn_end *end,
                                struct bm_error *error) {
    char when[32], said[256];
    say_when(when, round);
    last_words(side->errors, said);
    if (end->signal != 0)
        return bm_fail(error, BM_INVALID,
                       "ab: the %s command was ended by signal %d (%s)%s: run it by itself", side->name,
                       end->signal, strsignal(end->signal), when);
    if (end->exit_code != 0 && end->exit_code != 1)
        return bm_fail(error, end->exit_code == 5 ? BM_UNSUPPORTED : BM_INVALID,
                       "ab: the %s command failed with exit code %d%s: %s", side->name, end->exit_code, when,
                       said[0] != '\0' ? said : "it does not say why, run it by itself");
    if (bm_file_exists(side->output))
        return BM_OK;
    return bm_fail(error, BM_INVALID,
                   "ab: the %s command wrote no results file%s%s%s: it must be `benchmark run ...`",
                   side->name, when, said[0] != '\0' ? ": " : "", said);
}

static enum bm_status load(const struct ab_side *side, struct bm_saved *saved, struct bm_error *error) {
    struct bm_error wrong = {0};
    const struct bm_saved_options options = {.flag_name = bm_flag_name};
    enum bm_status status = bm_saved_load(side->output, &options, saved, &wrong);
    if (status != BM_OK)
        return bm_fail(error, status, "ab: the %s command's results: %s", side->name, wrong.message);
    if (saved->complete)
        return BM_OK;
    bm_saved_fini(saved);
    return bm_fail(error, BM_INVALID, "ab: the %s command was interrupted, and its results are not complete",
                   side->name);
}

enum bm_status ab_side_run(const struct ab_side *side, unsigned round, const struct ab_limits *limits,
                           struct bm_saved *saved, bool *late, struct bm_error *error) {
    const struct bm_spawn spawn = {.words = side->words,
                                   .errors = side->errors,
                                   .timeout_s = limits->left_s,
                                   .stop_requested = limits->stop_requested,
                                   .context = limits->context};
    struct bm_spawn_end end;
    struct bm_error wrong = {0};
    enum bm_status status;
    *saved = (struct bm_saved){0};
    unlink(side->output);
    *late = !(limits->left_s > 0);
    if (*late)
        return BM_OK;
    status = bm_spawn_run(&spawn, &end, &wrong);
    if (status == BM_NOT_FOUND)
        status = bm_fail(error, status, "ab: the %s command: %s: give a path, or a program that is in PATH",
                         side->name, wrong.message);
    else if (status != BM_OK)
        status = bm_fail(error, status, "ab: the %s command: %s", side->name, wrong.message);
    else if (end.stopped)
        status = bm_fail(error, BM_INTERRUPTED, "interrupted");
    else if (end.timed_out)
        *late = true;
    else
        status = judge_end(side, round, &end, error);
    if (status == BM_OK && !*late)
        status = load(side, saved, error);
    unlink(side->errors);
    return status;
}
