#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"

/* results/<hostname>-<UTC time>.json below the current folder. */
static void name_default_output(char *path, size_t size) {
    char host[200] = "", now[32];
    bm_time_utc(now, true);
    if (settings.run.anonymize || gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')
        bm_string_set(host, sizeof host, "anonymous");
    for (char *c = host; *c != '\0'; c++)
        if (*c == '/')
            *c = '-';
    snprintf(path, size, "results/%s-%s.json", host, now);
}

static bool any_failed(const struct bm_results *results) {
    for (size_t i = 0; i < results->row_count; i++)
        if (results->rows[i].status == BM_ROW_FAILED)
            return true;
    return false;
}

static enum bm_status print_plan(const struct bm_run_plan *plan, const struct bm_inventory *inventory,
                                 bool json, struct bm_error *error) {
    struct bm_text text = {0};
    struct bm_export_options options = output_options();
    enum bm_status status = bm_export_plan(plan, inventory, json, &options, &text, error);
    if (status == BM_OK)
        status = output_write(&text, error);
    bm_text_fini(&text);
    return status;
}

static enum bm_status print_results(const struct bm_results *results, bool json, struct bm_error *error) {
    struct bm_text text = {0};
    struct bm_export_options options = output_options();
    const struct bm_export_format *format = bm_export_format_find(json ? "json" : "text");
    enum bm_status status = settings.run.verify_only && !json
                                ? bm_export_verification(results, &options, &text, error)
                                : format->write(results, &options, &text, error);
    if (status == BM_OK)
        status = output_write(&text, error);
    bm_text_fini(&text);
    return status;
}

static enum exit_code execute(const struct bm_inventory *inventory, const struct bm_run_plan *plan, bool json,
                              struct bm_error *error) {
    struct bm_run_observer observer = {.progress = progress_show, .stop_requested = signals_stop_requested};
    struct bm_run *run;
    signals_defer();
    enum bm_status status = bm_run_execute(&settings.run, inventory, plan, &observer, &run, error);
    progress_clear();
    if (run == NULL)
        return command_end(status, error);
    struct bm_error output_error = {0};
    enum exit_code code = exit_code_of(status);
    enum bm_status printed = print_results(bm_run_results_get(run), json, &output_error);
    bool written = error->status == BM_OK || error->status == BM_INTERRUPTED;
    if (!written)
        report_error(error);
    else if (settings.run.output != NULL && !settings.quiet)
        fprintf(stderr, "benchmark: %s results are in %s\n", status == BM_OK ? "the" : "interrupted: partial",
                settings.run.output);
    if (status == BM_OK)
        code = printed != BM_OK                      ? command_end(printed, &output_error)
               : any_failed(bm_run_results_get(run)) ? EXIT_FAILED_ROWS
                                                     : EXIT_DONE;
    bm_run_destroy(run);
    return code;
}

static enum exit_code run_or_verify(void) {
    struct bm_error error = {0};
    struct bm_inventory inventory = {0};
    struct bm_run_plan plan = {0};
    char path[512];
    bool json;
    enum exit_code code;
    enum bm_status status = command_wants_json(&json, &error);
    if (settings.run.output != NULL && strcmp(settings.run.output, "-") == 0) {
        json = true;
        settings.run.output = NULL;
    } else if (settings.run.output == NULL && !settings.run.verify_only && !settings.dry_run) {
        name_default_output(path, sizeof path);
        settings.run.output = settings.run.resume != NULL ? settings.run.resume : path;
    }
    struct bm_inventory_options options;
    if (status == BM_OK)
        status = command_spare_inputs(&error);
    if (status == BM_OK)
        status = cpu_options_read(&options, &error);
    if (status == BM_OK)
        status = bm_inventory_open(&options, &inventory, &error);
    if (status == BM_OK)
        status = bm_run_plan_create(&settings.run, &inventory, &plan, &error);
    if (status == BM_OK && settings.dry_run)
        status = print_plan(&plan, &inventory, json, &error);
    if (status == BM_OK && !settings.dry_run)
        code = execute(&inventory, &plan, json, &error);
    else
        code = command_end(status, &error);
    bm_run_plan_fini(&plan);
    bm_inventory_close(&inventory);
    return code;
}

enum exit_code command_run(void) {
    return run_or_verify();
}

enum exit_code command_verify(void) {
    settings.run.verify_only = true;
    return run_or_verify();
}
