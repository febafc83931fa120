/* What the commands that read results files share. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"

static bool has_report(const struct bm_export_format *format, enum format_of of) {
    switch (of) {
    case FORMAT_OF_COMPARISON:
        return format->write_comparison != NULL;
    case FORMAT_OF_GATE:
        return format->write_gate != NULL;
    case FORMAT_OF_ESTIMATE:
        return format->write_estimate != NULL;
    }
    return false;
}

enum bm_status command_format(enum format_of of, const struct bm_export_format **format,
                              struct bm_error *error) {
    const char *name = settings.format != NULL ? settings.format : "text";
    struct bm_text known = {0};
    *format = bm_export_format_find(name);
    if (*format != NULL && has_report(*format, of))
        return BM_OK;
    for (size_t i = 0; bm_export_format_get(i) != NULL; i++)
        if (has_report(bm_export_format_get(i), of))
            bm_text_append(&known, "%s%s", known.length > 0 ? ", " : "", bm_export_format_get(i)->name);
    enum bm_status status = bm_fail(error, BM_INVALID, "--format: '%.40s' is unknown: use one of %s", name,
                                    known.data != NULL ? known.data : "");
    bm_text_fini(&known);
    *format = NULL;
    return status;
}

bool command_names_file(const struct bm_names *names, const char *path) {
    struct stat own, other;
    if (stat(path, &own) != 0)
        return false;
    for (size_t i = 0; i < names->count; i++)
        if (stat(names->items[i], &other) == 0 && own.st_dev == other.st_dev && own.st_ino == other.st_ino)
            return true;
    return false;
}

/* One of the results in a folder of --baseline. */
static bool is_in_baselines(const char *path) {
    char folder[PATH_MAX];
    struct stat info;
    const char *slash = strrchr(path, '/');
    bm_string_set(folder, sizeof folder, slash == path ? "/" : slash != NULL ? path : ".");
    if (slash != NULL && slash != path && (size_t)(slash - path) < sizeof folder)
        folder[slash - path] = '\0';
    return stat(path, &info) == 0 && strlen(path) > 5 && strcmp(path + strlen(path) - 5, ".json") == 0 &&
           command_names_file(&settings.baselines, folder);
}

enum bm_status command_spare_inputs(struct bm_error *error) {
    const char *output = settings.run.output;
    char *suites[] = {(char *)settings.run.suite};
    const struct bm_names suite = {.items = suites, .count = settings.run.suite != NULL};
    if (output != NULL &&
        (command_names_file(&settings.files, output) || command_names_file(&settings.baselines, output) ||
         command_names_file(&settings.run.models, output) || command_names_file(&suite, output) ||
         is_in_baselines(output)))
        return bm_fail(error, BM_INVALID, "--output: %.200s is read and would be lost: name another file",
                       output);
    return BM_OK;
}

static bool to_standard_output(void) {
    return settings.run.output == NULL || strcmp(settings.run.output, "-") == 0;
}

struct bm_export_options command_output_options(void) {
    return to_standard_output() ? output_options() : (struct bm_export_options){0};
}

enum bm_status command_write(const struct bm_text *text, struct bm_error *error) {
    if (to_standard_output())
        return output_write(text, error);
    enum bm_status status = bm_file_check_writable(settings.run.output, 0, error); /* also makes its folder */
    return status == BM_OK ? bm_file_write_atomic(settings.run.output, text->data != NULL ? text->data : "",
                                                  text->length, error)
                           : status;
}

/* ---- gates ---- */

/* A share: "0.02" or "2%". */
static enum bm_status read_share(const char *name, const char *word, double most, double *share,
                                 struct bm_error *error) {
    struct bm_error wrong = {0};
    char digits[48];
    size_t length = strlen(word);
    const bool percent = length > 0 && word[length - 1] == '%';
    bm_string_set(digits, percent && length < sizeof digits ? length : sizeof digits, word);
    if (bm_parse_double(digits, 0, percent ? 100 * most : most, share, &wrong) != BM_OK || !(*share > 0))
        return bm_fail(error, BM_INVALID,
                       "--%s: '%.40s' is no number above 0 and up to %g, such as 0.02 or 2%%", name, word,
                       most);
    *share /= percent ? 100 : 1;
    return BM_OK;
}

enum bm_status command_gate_options(struct bm_gate_options *options, struct bm_error *error) {
    enum bm_status status = BM_OK;
    double margin;
    *options = (struct bm_gate_options){.margin = (double)NAN, .alpha = BM_GATE_ALPHA};
    if (settings.margin != NULL) {
        status = read_share("margin", settings.margin, 1, &margin, error);
        options->margin = status == BM_OK ? log1p(margin) : (double)NAN;
    }
    if (status == BM_OK && settings.alpha != NULL)
        status = read_share("alpha", settings.alpha, 0.5, &options->alpha, error);
    return status;
}

static enum exit_code code_of_verdicts(const struct bm_gate *gate) {
    const size_t *counts = gate->counts;
    if (counts[BM_VERDICT_REGRESSED] > 0)
        return EXIT_REGRESSED;
    if (counts[BM_VERDICT_UNVERIFIED] + counts[BM_VERDICT_MISSING] + counts[BM_VERDICT_INCOMPARABLE] > 0)
        return EXIT_INCOMPARABLE;
    if (counts[BM_VERDICT_UNCHANGED] + counts[BM_VERDICT_IMPROVED] + counts[BM_VERDICT_INCONCLUSIVE] +
            counts[BM_VERDICT_THROTTLED] ==
        0)
        return EXIT_INCOMPARABLE; /* a gate that compared nothing has not passed */
    if (settings.fail_on_inconclusive && counts[BM_VERDICT_INCONCLUSIVE] + counts[BM_VERDICT_THROTTLED] > 0)
        return EXIT_INCONCLUSIVE;
    return EXIT_DONE;
}

enum exit_code command_end_gate(const struct bm_gate *gate, const struct bm_export_format *format,
                                bool broken_files) {
    struct bm_error error = {0};
    struct bm_text text = {0};
    struct bm_export_options options = command_output_options();
    enum bm_status status = format->write_gate(gate, &options, &text, &error);
    if (status == BM_OK)
        status = command_write(&text, &error);
    bm_text_fini(&text);
    enum exit_code code = command_end(status, &error);
    if (code != EXIT_DONE)
        return code;
    return broken_files ? EXIT_USAGE : code_of_verdicts(gate);
}

enum bm_status command_add_files(enum bm_status (*add)(void *report, const char *path,
                                                       struct bm_error *error),
                                 void *report, size_t *left_out, struct bm_error *error) {
    for (size_t i = 0; i < settings.files.count; i++) {
        struct bm_error wrong = {0};
        enum bm_status status = add(report, settings.files.items[i], &wrong);
        if (status == BM_OK)
            continue;
        if (status != BM_INVALID && status != BM_NOT_FOUND && status != BM_IO)
            return bm_fail(error, status, "%s", wrong.message);
        report_error(&wrong);
        ++*left_out;
    }
    return BM_OK;
}
