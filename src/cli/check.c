#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"

struct collection {
    struct bm_gate *gate;
    size_t added, broken;
};

/* A broken file is told and left out; other errors end the check. */
static enum bm_status add_file(struct collection *collection, const char *path, bool is_baseline,
                               struct bm_error *error) {
    struct bm_error wrong = {0};
    enum bm_status status = bm_gate_add(collection->gate, path, is_baseline, &wrong);
    if (status != BM_OK && status != BM_INVALID && status != BM_NOT_FOUND && status != BM_IO)
        return bm_fail(error, status, "%s", wrong.message);
    if (status != BM_OK)
        report_error(&wrong);
    collection->added += status == BM_OK;
    collection->broken += status != BM_OK;
    return BM_OK;
}

/* A baseline: neither the new results, which may lie in the folder too, nor a pipe, which would be waited
 * for. What cannot be looked at is told when it is read. */
static bool is_baseline(const char *path) {
    struct stat info;
    return !command_names_file(&settings.files, path) && (stat(path, &info) != 0 || S_ISREG(info.st_mode));
}

static enum bm_status add_folder(struct collection *collection, const char *folder, struct bm_error *error) {
    struct bm_names names;
    enum bm_status status = bm_folder_list(folder, ".json", &names, error);
    for (size_t i = 0; status == BM_OK && i < names.count; i++) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s/%s", folder, names.items[i]) >= (int)sizeof path)
            status = bm_fail(error, BM_INVALID, "%s: the path is too long", names.items[i]);
        else if (is_baseline(path))
            status = add_file(collection, path, true, error);
    }
    bm_names_fini(&names);
    return status;
}

static enum bm_status add_baselines(struct collection *collection, struct bm_error *error) {
    enum bm_status status = BM_OK;
    for (size_t i = 0; status == BM_OK && i < settings.baselines.count; i++) {
        const char *path = settings.baselines.items[i];
        struct stat info;
        const size_t before = collection->added + collection->broken;
        if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
            status = add_folder(collection, path, error);
            if (status == BM_OK && collection->added + collection->broken == before)
                status = bm_fail(
                    error, BM_INVALID,
                    "--baseline: %.200s holds no results to compare with (*.json): put there what `benchmark "
                    "run --output` wrote",
                    path);
        } else {
            status = add_file(collection, path, true, error);
        }
    }
    return status;
}

static enum bm_status collect(struct collection *collection, struct bm_error *error) {
    if (settings.baselines.count == 0)
        return bm_fail(error, BM_INVALID,
                       "check: --baseline FILE|DIR is needed: what the new results are held against");
    if (settings.files.count == 0)
        return bm_fail(error, BM_INVALID,
                       "check: name the new results: benchmark check --baseline OLD.json NEW.json");
    enum bm_status status = add_baselines(collection, error);
    if (status == BM_OK && collection->added == 0) /* each was told */
        return BM_OK;
    size_t baselines = collection->added;
    for (size_t i = 0; status == BM_OK && i < settings.files.count; i++)
        status = add_file(collection, settings.files.items[i], false, error);
    if (status == BM_OK && collection->added == baselines)
        collection->added = 0;
    return status;
}

enum exit_code command_check(void) {
    struct bm_error error = {0};
    struct bm_gate_options options;
    const struct bm_export_format *format = NULL;
    struct collection collection = {0};
    enum exit_code code;
    enum bm_status status = command_format(FORMAT_OF_GATE, &format, &error);
    if (status == BM_OK)
        status = command_gate_options(&options, &error);
    if (status == BM_OK)
        status = command_spare_inputs(&error);
    if (status == BM_OK)
        status = bm_gate_create(&options, &collection.gate, &error);
    if (status == BM_OK)
        status = collect(&collection, &error);
    if (status == BM_OK && collection.added > 0)
        status = bm_gate_finish(collection.gate, &error);
    if (status != BM_OK || collection.added == 0)
        code = status != BM_OK ? command_end(status, &error) : EXIT_USAGE;
    else
        code = command_end_gate(collection.gate, format, collection.broken > 0);
    bm_gate_destroy(collection.gate);
    return code;
}
