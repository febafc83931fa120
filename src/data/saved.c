/* A results file read back. */
#include "bm/saved.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bm/results.h"
#include "saved_tables.h"

enum { MAX_DEVICES = 256, MAX_ROWS = 100000 };

static enum bm_status add_word(struct bm_stream *stream, void *target, const char *key) {
    char *command = target, word[256];
    const size_t size = SIZE_OF(struct bm_saved, settings.command);
    size_t used = strlen(command), length;
    (void)key;
    enum bm_status status = bm_stream_text(stream, word, sizeof word, &length);
    if (status == BM_OK && used + 1 < size)
        snprintf(command + used, size - used, "%s%.*s", used > 0 ? " " : "", (int)(size - used) - 2, word);
    return status;
}

static enum bm_status read_command(struct bm_stream *stream, void *target) {
    return bm_stream_peek(stream) == 'n' ? bm_stream_skip(stream)
                                         : bm_stream_each(stream, '[', add_word, target);
}

static const struct bm_stream_field ab_fields[] = {
    NEEDED(TEXT, struct bm_saved, "id", ab.id),
    NEEDED(PROSE, struct bm_saved, "side", ab.side),
};
static const struct bm_stream_field tool_fields[] = {
    FIELD(PROSE, struct bm_saved, "version", tool.version),
    FIELD(PROSE, struct bm_saved, "commit", tool.commit),
    FIELD(TEXT, struct bm_saved, "kernels_sha256", tool.kernels_sha256),
};
static const struct bm_stream_field topology_fields[] = {
    FIELD(COUNT, struct bm_saved, "packages", host.packages),
};
static const struct bm_stream_field host_fields[] = {
    FIELD(PROSE, struct bm_saved, "hostname", host.hostname),
    FIELD(PROSE, struct bm_saved, "os", host.os),
    FIELD(PROSE, struct bm_saved, "kernel", host.kernel),
    FIELD(PROSE, struct bm_saved, "cpu_model", host.cpu_model),
    OBJECT("topology", topology_fields),
};
static const struct bm_stream_field settings_fields[] = {
    FIELD(PROSE, struct bm_saved, "suite", settings.suite),
    FIELD(TEXT, struct bm_saved, "cache", settings.cache),
    FIELD(COUNT, struct bm_saved, "seed", settings.seed),
    FIELD(NUMBER, struct bm_saved, "budget_s", settings.budget_s),
    CUSTOM(struct bm_saved, "command", settings.command, read_command),
};
static const struct bm_stream_field root_fields[] = {
    NEEDED(TEXT, struct bm_saved, "schema_version", schema_version),
    FIELD(TEXT, struct bm_saved, "id", id),
    NEEDED(TEXT, struct bm_saved, "created", created),
    FIELD(BOOL, struct bm_saved, "complete", complete),
    OBJECT("ab", ab_fields),
    OBJECT("tool", tool_fields),
    OBJECT("host", host_fields),
    OBJECT("settings", settings_fields),
    {.key = "devices",
     .kind = BM_STREAM_LIST,
     .required = true,
     .offset = offsetof(struct bm_saved, devices),
     .size = sizeof(struct bm_saved_device),
     .item = &bm_saved_device_item,
     .limit = MAX_DEVICES,
     .count_offset = offsetof(struct bm_saved, device_count),
     .capacity_offset = offsetof(struct bm_saved, device_capacity)},
    {.key = "results",
     .kind = BM_STREAM_LIST,
     .required = true,
     .offset = offsetof(struct bm_saved, rows),
     .size = sizeof(struct bm_saved_row),
     .item = &bm_saved_row_item,
     .limit = MAX_ROWS,
     .count_offset = offsetof(struct bm_saved, row_count),
     .capacity_offset = offsetof(struct bm_saved, row_capacity)},
};

/* ---- the version, before anything else: of another one nothing is known ---- */

static const struct bm_stream_field version_fields[] = {
    {.key = "schema_version", .kind = BM_STREAM_TEXT, .offset = 0, .size = sizeof(char[16])},
};

static enum bm_status find_version(struct bm_stream *stream, void *target, const char *key) {
    char *version = target;
    if (strcmp(key, "schema_version") != 0)
        return bm_stream_skip(stream);
    enum bm_status status = bm_stream_read_value(stream, &version_fields[0], version);
    return status != BM_OK ? status : BM_INTERRUPTED; /* found: the rest is read later */
}

static enum bm_status check_version(struct bm_stream *stream) {
    char version[16] = "";
    static const char own[] = BM_SCHEMA_VERSION;
    enum bm_status status = bm_stream_each(stream, '{', find_version, version);
    if (status == BM_OK)
        return bm_stream_fail(stream, "is no results file of `benchmark run`: it has no schema_version");
    if (status != BM_INTERRUPTED)
        return status;
    unsigned long major = strtoul(version, NULL, 10), known = strtoul(own, NULL, 10);
    size_t digits = strspn(version, "0123456789");
    struct bm_stream_place place = {.key = "schema_version"};
    stream->place = &place;
    status = BM_OK;
    if (digits == 0 || version[digits] != '.')
        status = bm_stream_fail(stream, "is no version such as %s", own);
    else if (major > known)
        status = bm_stream_fail(
            stream, "is %s, newer than the %s that this program reads: use a newer benchmark", version, own);
    else if (major < known)
        status = bm_stream_fail(stream, "is %s, older than the %s that this program reads: measure again",
                                version, own);
    stream->place = NULL;
    return status;
}

/* ---- the whole ---- */

/* At $.LIST[index].KEY, or .OBJECT.KEY. */
static enum bm_status fail_item(struct bm_stream *stream, const char *list, size_t index, const char *object,
                                const char *key, const char *message) {
    struct bm_stream_place of_list = {.key = list}, of_item = {.parent = &of_list, .index = index},
                           of_object = {.parent = &of_item, .key = object},
                           place = {.parent = object != NULL ? &of_object : &of_item, .key = key};
    stream->place = &place;
    enum bm_status status = bm_stream_fail(stream, "%s", message);
    stream->place = NULL;
    return status;
}

static size_t find_device(const struct bm_saved *saved, const char *id) {
    size_t found = 0;
    while (found < saved->device_count && strcmp(saved->devices[found].id, id) != 0)
        found++;
    return found;
}

/* Intervals are written with fewer digits than numbers have. */
static bool lies_in(double value, const double interval[2]) {
    const double slack = 1e-6 * value;
    return !(value > 0) || !(interval[1] > 0) ||
           (value >= interval[0] - slack && value <= interval[1] + slack);
}

static int compare_rows(const void *a, const void *b) {
    const struct bm_saved_row *x = *(const struct bm_saved_row *const *)a;
    const struct bm_saved_row *y = *(const struct bm_saved_row *const *)b;
    int order = strcmp(x->key, y->key);
    if (order == 0)
        order = strcmp(x->device, y->device);
    if (order == 0)
        order = strcmp(x->backend, y->backend);
    return order != 0 ? order : (x->threads > y->threads) - (x->threads < y->threads);
}

/* A row is unique by device, backend, threads and key: of two that differ nobody could tell which holds. */
static enum bm_status check_unique(struct bm_stream *stream, const struct bm_saved *saved) {
    char message[96];
    const struct bm_saved_row **sorted = bm_alloc(saved->row_count + 1, sizeof *sorted);
    enum bm_status status = BM_OK;
    if (sorted == NULL)
        return bm_stream_fail(stream, "out of memory");
    for (size_t i = 0; i < saved->row_count; i++)
        sorted[i] = &saved->rows[i];
    qsort(sorted, saved->row_count, sizeof *sorted, compare_rows);
    for (size_t i = 1; status == BM_OK && i < saved->row_count; i++) {
        const struct bm_saved_row *one = sorted[i - 1], *other = sorted[i];
        if (compare_rows(&sorted[i - 1], &sorted[i]) != 0)
            continue;
        const struct bm_saved_row *first = one < other ? one : other, *second = one < other ? other : one;
        snprintf(message, sizeof message,
                 "is that of $.results[%zu] on the same device and backend: keep one",
                 (size_t)(first - saved->rows));
        status = fail_item(stream, "results", (size_t)(second - saved->rows), NULL, "key", message);
    }
    free(sorted);
    return status;
}

/* What items say together: names that must exist, and once; a median within its interval. */
static enum bm_status check_items(struct bm_stream *stream, const struct bm_saved *saved) {
    char message[96];
    for (size_t i = 0; i < saved->device_count; i++)
        if (find_device(saved, saved->devices[i].id) != i)
            return fail_item(stream, "devices", i, NULL, "id", "stands twice: give each device its own");
    for (size_t i = 0; i < saved->row_count; i++) {
        const struct bm_saved_row *row = &saved->rows[i];
        if (find_device(saved, row->device) == saved->device_count) {
            snprintf(message, sizeof message, "'%s' is not among the devices", row->device);
            return fail_item(stream, "results", i, NULL, "device", message);
        }
        if (!lies_in(row->time.median, row->time.interval))
            return fail_item(stream, "results", i, "time_ns", "median",
                             "lies outside of its interval, ci: measure again");
    }
    return check_unique(stream, saved);
}

enum bm_status bm_saved_parse(const char *name, const char *text, size_t size,
                              const struct bm_saved_options *options, struct bm_saved *saved,
                              struct bm_error *error) {
    struct bm_stream stream;
    *saved = (struct bm_saved){0};
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        return bm_fail(error, BM_INVALID,
                       "%s:1:1: not valid JSON: begins with a byte order mark: save it as UTF-8 without one",
                       name);
    bm_stream_init(&stream, name, text, size, error);
    enum bm_status status = check_version(&stream);
    if (status != BM_OK)
        return status;
    bm_stream_init(&stream, name, text, size, error);
    stream.context = (void *)(uintptr_t)options;
    status = bm_stream_read(&stream, root_fields, BM_COUNT_OF(root_fields), saved);
    if (status == BM_OK)
        status = check_items(&stream, saved);
    if (status != BM_OK)
        bm_saved_fini(saved);
    return status;
}

enum bm_status bm_saved_load(const char *path, const struct bm_saved_options *options, struct bm_saved *saved,
                             struct bm_error *error) {
    struct bm_error reading = {0};
    const bool standard_input = strcmp(path, "-") == 0;
    char *text;
    size_t size;
    *saved = (struct bm_saved){0};
    enum bm_status status =
        bm_file_read(standard_input ? "/dev/stdin" : path, BM_SAVED_MAX_BYTES, &text, &size, &reading);
    if (status == BM_INVALID)
        return bm_fail(error, status, "%s: larger than the %zu MiB that are read of a results file", path,
                       BM_SAVED_MAX_BYTES >> 20);
    if (status != BM_OK)
        return bm_fail_native(error, status, reading.native, reading.call, "%s", reading.message);
    status = bm_saved_parse(standard_input ? "standard input" : path, text, size, options, saved, error);
    free(text);
    return status;
}

static void free_device(struct bm_saved_device *device) {
    for (size_t i = 0; i < device->summary_count; i++) {
        free(device->summaries[i].ops);
        free(device->summaries[i].missing);
        free(device->summaries[i].lacking);
        free(device->summaries[i].uses);
    }
    free(device->summaries);
    free(device->ceilings);
    free(device->backends);
    free(device->datasheet.peaks);
}

void bm_saved_fini(struct bm_saved *saved) {
    for (size_t i = 0; i < saved->device_count; i++)
        free_device(&saved->devices[i]);
    for (size_t i = 0; i < saved->row_count; i++)
        free(saved->rows[i].rounds);
    free(saved->devices);
    free(saved->rows);
    *saved = (struct bm_saved){0};
}

/* An entry under a cap is the same hardware. */
static const char *hardware_of(const struct bm_saved_device *device) {
    return device->hardware[0] != '\0' ? device->hardware : device->id;
}

double bm_saved_packages(const struct bm_saved *saved, const struct bm_saved_device *device) {
    bool is_only = strcmp(device->kind, "cpu") == 0;
    for (size_t i = 0; is_only && i < saved->device_count; i++)
        is_only = strcmp(saved->devices[i].kind, "cpu") != 0 ||
                  strcmp(hardware_of(&saved->devices[i]), hardware_of(device)) == 0;
    return is_only && saved->host.packages > 0 ? (double)saved->host.packages : 1;
}
