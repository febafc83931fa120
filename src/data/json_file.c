/* JSON files as a whole: loading one, those of a folder of bench/, and what names them. */
#include "json_reader.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum bm_status fail_syntax(const char *path, const json_error_t *found, struct bm_error *error) {
    char file[BM_JSON_PATH_SHOWN], text[JSON_ERROR_TEXT_LENGTH];
    bm_json_shown_file(file, sizeof file, path);
    bm_json_printable(text, sizeof text, found->text);
    switch (json_error_code(found)) {
    case json_error_stack_overflow:
        return bm_fail(error, BM_INVALID,
                       "%s:%d:%d: nested too deep; no such file needs more than a few levels", file,
                       found->line, found->column);
    case json_error_out_of_memory:
        return bm_fail(error, BM_NO_MEMORY, "%s: out of memory while reading", file);
    default:
        return bm_fail(error, BM_INVALID, "%s:%d:%d: not valid JSON: %s", file, found->line, found->column,
                       text);
    }
}

enum bm_status bm_json_load(const char *path, size_t limit, json_t **root, struct bm_error *error) {
    struct bm_error reading = {0};
    json_error_t found;
    char *data = NULL;
    size_t size = 0;
    *root = NULL;
    enum bm_status status = bm_file_read(path, limit, &data, &size, &reading);
    if (status == BM_IO && reading.native == EISDIR)
        return bm_fail(error, BM_INVALID, "%s: is a folder; name a JSON file", path);
    if (status != BM_OK)
        return bm_fail_native(error, status, reading.native, reading.call, "%s", reading.message);
    if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
        free(data);
        return bm_fail(error, BM_INVALID,
                       "%s:1:1: not valid JSON: begins with a byte order mark: save it as UTF-8 without one",
                       path);
    }
    *root = json_loadb(data, size, JSON_REJECT_DUPLICATES, &found);
    free(data);
    return *root != NULL ? BM_OK : fail_syntax(path, &found, error);
}

bool bm_json_is_path(const char *name) {
    size_t length = strlen(name);
    return strchr(name, '/') != NULL || (length > 5 && strcmp(name + length - 5, ".json") == 0);
}

enum bm_status bm_json_unknown_name(const char *kind, const char *name, const char *const *candidates,
                                    size_t count, struct bm_error *error) {
    char shown[64];
    const char *nearest = bm_string_nearest(name, candidates, count);
    bm_json_printable(shown, sizeof shown, name);
    if (nearest != NULL)
        return bm_fail(error, BM_NOT_FOUND, "unknown %s '%s': did you mean '%s'? `benchmark %ss` lists all",
                       kind, shown, nearest, kind);
    return bm_fail(error, BM_NOT_FOUND,
                   "unknown %s '%s': `benchmark %ss` lists all; a file needs its path or .json", kind, shown,
                   kind);
}

enum bm_status bm_json_each_file(const char *folder,
                                 enum bm_status (*each)(const char *path, void *context,
                                                        struct bm_error *error),
                                 void *context, struct bm_error *error) {
    char base[PATH_MAX], relative[64], path[PATH_MAX];
    struct bm_names names;
    snprintf(relative, sizeof relative, "bench/%s", folder);
    enum bm_status status = bm_data_path(relative, base, sizeof base, error);
    if (status != BM_OK)
        return status;
    status = bm_folder_list(base, ".json", &names, error);
    if (status != BM_OK)
        return status;
    for (size_t i = 0; i < names.count && status == BM_OK; i++) {
        if ((size_t)snprintf(path, sizeof path, "%s/%s", base, names.items[i]) >= sizeof path)
            status = bm_fail(error, BM_IO, "%s: the path is too long", names.items[i]);
        else
            status = each(path, context, error);
    }
    bm_names_fini(&names);
    return status;
}

enum bm_status bm_json_check_file_name(const char *path, const char *key, const char *id,
                                       struct bm_error *error) {
    const struct bm_json root = {.file = path}, at = {.file = path, .parent = &root, .key = key};
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    size_t length = strlen(id);
    if (strncmp(name, id, length) == 0 && strcmp(name + length, ".json") == 0)
        return BM_OK;
    return bm_json_fail(&at, error, "must be the file's name without .json (is \"%s\")", id);
}
