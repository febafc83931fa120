#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "commands.h"

enum { DEFAULT_BUDGET_S = 600 };

/* This program, for commands that say `benchmark`. */
static const char *own_path(char path[PATH_MAX]) {
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (length <= 0)
        return NULL;
    path[length] = '\0';
    return path;
}

static enum bm_status check_commands(struct bm_error *error) {
    if (settings.commands[0] != NULL)
        return BM_OK;
    return bm_fail(error, BM_INVALID,
                   "ab: name the two commands: benchmark ab -- benchmark run --suite gate --vs env X=Y "
                   "benchmark run --suite gate");
}

/* The report, even of a comparison that was interrupted: it ends with the signal's code. */
static enum exit_code end(const struct bm_gate *gate, const struct bm_export_format *format,
                          enum bm_status status, const char *folder) {
    enum exit_code code = command_end_gate(gate, format, false);
    if (!settings.quiet)
        fprintf(stderr, "benchmark: %sold.json and new.json are in %s\n",
                status == BM_OK ? "" : "interrupted: partial ", folder);
    return status == BM_OK ? code : exit_code_of(status);
}

enum exit_code command_ab(void) {
    struct bm_error error = {0};
    struct bm_gate_options gate_options = {0};
    const struct bm_export_format *format = NULL;
    struct bm_gate *gate = NULL;
    char program[PATH_MAX], folder[64], now[32];
    enum exit_code code;
    bm_time_utc(now, true);
    snprintf(folder, sizeof folder, "results/ab-%s", now);
    enum bm_status status = check_commands(&error);
    if (status == BM_OK)
        status = command_format(FORMAT_OF_GATE, &format, &error);
    if (status == BM_OK)
        status = command_gate_options(&gate_options, &error);
    const struct bm_ab_options options = {
        .commands = {settings.commands[0], settings.commands[1]},
        .program = own_path(program),
        .folder = settings.folder != NULL ? settings.folder : folder,
        .budget_s = settings.run.budget_s > 0 ? settings.run.budget_s : DEFAULT_BUDGET_S,
        .rounds = settings.rounds > 0 ? settings.rounds : BM_AB_ROUNDS,
        .margin = gate_options.margin,
        .alpha = gate_options.alpha,
    };
    const struct bm_ab_observer observer = {.progress = progress_ab,
                                            .stop_requested = signals_stop_requested};
    signals_defer();
    if (status == BM_OK)
        status = bm_ab_run(&options, &observer, &gate, &error);
    progress_clear();
    if (gate != NULL)
        code = end(gate, format, status, options.folder);
    else
        code = command_end(status, &error);
    bm_gate_destroy(gate);
    return code;
}
