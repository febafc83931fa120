/* tuned_cache.c - the user's file of tuned parameters, one for each device as a driver shows it. */
#include "json_writer.h"
#include "tuned_read.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { FILE_VERSION = 1, MAX_ENTRIES = 1024, NAME_SHOWN = 48, DIGEST_SHOWN = 12, KERNEL_LIMIT = 1 << 20 };
static const size_t file_limit = (size_t)4 << 20;

/* ---- its name ---- */

static enum bm_status cache_folder(char *path, size_t size, struct bm_error *error) {
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length;
    /* The XDG Base Directory Specification has relative paths ignored. */
    if (base != NULL && base[0] == '/')
        length = snprintf(path, size, "%s/benchmark/tuned", base);
    else if (home != NULL && home[0] == '/')
        length = snprintf(path, size, "%s/.cache/benchmark/tuned", home);
    else
        return bm_fail(error, BM_NOT_FOUND,
                       "there is no folder for tuned parameters: set XDG_CACHE_HOME or HOME");
    return length >= 0 && (size_t)length < size
               ? BM_OK
               : bm_fail(error, BM_IO, "the folder for tuned parameters: the path is too long");
}

/* Readable by its beginning, told apart by its end. */
static void name_file(const struct bm_tuned_device *device, char name[NAME_SHOWN + DIGEST_SHOWN + 8]) {
    char units[16], hex[65];
    size_t length = 0;
    snprintf(units, sizeof units, "%u", device->compute_units);
    const struct bm_bytes pieces[] = {{device->backend, strlen(device->backend) + 1},
                                      {device->name, strlen(device->name) + 1},
                                      {device->driver, strlen(device->driver) + 1},
                                      {units, strlen(units)}};
    bm_sha256(pieces, BM_COUNT_OF(pieces), hex);
    for (const char *c = device->name; *c != '\0' && length < NAME_SHOWN; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9');
        bool upper = *c >= 'A' && *c <= 'Z';
        if (plain || upper)
            name[length++] = (char)(upper ? *c - 'A' + 'a' : *c);
        else if (length > 0 && name[length - 1] != '-')
            name[length++] = '-';
    }
    snprintf(name + length, DIGEST_SHOWN + 8, "%s%.*s.json", length > 0 && name[length - 1] != '-' ? "-" : "",
             DIGEST_SHOWN, hex);
}

enum bm_status bm_tuned_cache_path(const struct bm_tuned_device *device, char *path, size_t size,
                                   struct bm_error *error) {
    char folder[PATH_MAX], name[NAME_SHOWN + DIGEST_SHOWN + 8];
    path[0] = '\0';
    enum bm_status status = cache_folder(folder, sizeof folder, error);
    if (status != BM_OK)
        return status;
    name_file(device, name);
    if ((size_t)snprintf(path, size, "%s/%s", folder, name) < size)
        return BM_OK;
    path[0] = '\0';
    return bm_fail(error, BM_IO, "%s: the path is too long", name);
}

/* ---- reading ---- */

#define FIELD(name, of_kind, member)                                                                         \
    .key = (name), .kind = (of_kind), .required = true, .offset = offsetof(struct bm_tuned_entry, member),   \
    .size = sizeof(((struct bm_tuned_entry *)0)->member)

static enum bm_status read_class(const struct bm_json *at, void *target, struct bm_error *error) {
    enum bm_status status = bm_json_want(at, JSON_STRING, error);
    if (status != BM_OK)
        return status;
    const char *name = json_string_value(at->value);
    if (strlen(name) >= BM_CLASS_SIZE || !bm_tuned_is_class(name))
        return bm_json_fail(at, error, "must be a class of shapes, as in \"m33-128/n4096k4096\"");
    bm_string_set(target, BM_CLASS_SIZE, name);
    return BM_OK;
}

static enum bm_status read_entry(const struct bm_json *at, struct bm_tuned_entry *entry,
                                 struct bm_error *error) {
    static const struct bm_json_field fields[] = {
        {FIELD("workload", BM_JSON_TEXT, workload)},
        {FIELD("dtype", BM_JSON_TEXT, dtype)},
        {FIELD("class", BM_JSON_CUSTOM, shape_class), .read = read_class},
        {FIELD("parameters", BM_JSON_CUSTOM, parameters), .read = bm_tuned_read_parameters},
        {FIELD("ns", BM_JSON_NUMBER, ns), .maximum = 1e15},
        {.key = "before_ns",
         .kind = BM_JSON_NUMBER,
         .offset = offsetof(struct bm_tuned_entry, before_ns),
         .maximum = 1e15},
        {FIELD("source", BM_JSON_TEXT, source)},
        {FIELD("sha256", BM_JSON_TEXT, sha256)},
        {FIELD("created", BM_JSON_TEXT, created)},
    };
    *entry = (struct bm_tuned_entry){0};
    return bm_json_read(at, fields, BM_COUNT_OF(fields), entry, error);
}

static enum bm_status check_device(const struct bm_json *at, const struct bm_tuned_device *device,
                                   struct bm_error *error) {
    const struct {
        const char *key, *value;
    } texts[] = {{"backend", device->backend}, {"name", device->name}, {"driver", device->driver}};
    enum bm_status status = bm_json_want(at, JSON_OBJECT, error);
    for (size_t i = 0; status == BM_OK && i < BM_COUNT_OF(texts); i++) {
        struct bm_json member = bm_json_member(at, texts[i].key);
        const char *text = json_string_value(member.value);
        if (text == NULL || strcmp(text, texts[i].value) != 0)
            status = bm_json_fail(&member, error, "is not that of this device ('%.80s')", texts[i].value);
    }
    struct bm_json units = bm_json_member(at, "compute_units");
    if (status == BM_OK && json_integer_value(units.value) != (json_int_t)device->compute_units)
        status = bm_json_fail(&units, error, "is not that of this device (%u)", device->compute_units);
    return status;
}

static enum bm_status read_root(const struct bm_json *root, const struct bm_tuned_device *device,
                                struct bm_tuned_list *list, struct bm_error *error) {
    enum bm_status status = bm_json_want(root, JSON_OBJECT, error);
    if (status != BM_OK)
        return status;
    struct bm_json version = bm_json_member(root, "version"), of_device = bm_json_member(root, "device"),
                   entries = bm_json_member(root, "entries");
    if (!json_is_integer(version.value) || json_integer_value(version.value) != FILE_VERSION)
        return bm_json_fail(&version, error,
                            "must be %d: the file is of another version or no file of tuned parameters",
                            FILE_VERSION);
    if (of_device.value == NULL || entries.value == NULL)
        return bm_json_fail(root, error, "lacks \"device\" or \"entries\"");
    status = check_device(&of_device, device, error);
    if (status == BM_OK)
        status = bm_json_want(&entries, JSON_ARRAY, error);
    if (status == BM_OK && json_array_size(entries.value) > MAX_ENTRIES)
        return bm_json_fail(&entries, error, "must have at most %d entries", MAX_ENTRIES);
    for (size_t i = 0; status == BM_OK && i < json_array_size(entries.value); i++) {
        struct bm_json element = bm_json_element(&entries, i);
        struct bm_tuned_entry entry;
        status = read_entry(&element, &entry, error);
        if (status == BM_OK)
            status = bm_tuned_list_add(list, &entry, error);
    }
    return status;
}

/* All entries of the file, whatever kernels they are for; none when there is no file. */
static enum bm_status read_cache(const char *path, const struct bm_tuned_device *device,
                                 struct bm_tuned_list *list, struct bm_error *error) {
    struct bm_error wrong = {0};
    json_t *value = NULL;
    *list = (struct bm_tuned_list){0};
    enum bm_status status = bm_json_load(path, file_limit, &value, &wrong);
    if (status == BM_NOT_FOUND)
        return BM_OK;
    if (status == BM_OK) {
        struct bm_json root = {.file = path, .value = value};
        status = read_root(&root, device, list, &wrong);
        json_decref(value);
    }
    if (status == BM_OK)
        return BM_OK;
    bm_tuned_list_fini(list);
    return bm_fail_native(error, status, wrong.native, wrong.call, "%s", wrong.message);
}

/* Leaves those of kernels that are still the same. */
static void keep_current(const char *kernels_folder, struct bm_tuned_list *list) {
    char source[sizeof list->items->source] = "", hex[65] = "";
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct bm_tuned_entry *entry = &list->items[i];
        if (strcmp(entry->source, source) != 0) {
            char path[PATH_MAX];
            hex[0] = '\0';
            bm_string_set(source, sizeof source, entry->source);
            if (strchr(source, '/') == NULL &&
                snprintf(path, sizeof path, "%s/%s", kernels_folder, source) < PATH_MAX &&
                bm_file_sha256(path, KERNEL_LIMIT, hex, NULL) != BM_OK)
                hex[0] = '\0';
        }
        if (hex[0] != '\0' && strcmp(entry->sha256, hex) == 0)
            list->items[kept++] = *entry;
    }
    list->count = kept;
}

enum bm_status bm_tuned_cache_load(const struct bm_tuned_device *device, const char *kernels_folder,
                                   struct bm_tuned_list *list, struct bm_error *error) {
    char path[PATH_MAX];
    *list = (struct bm_tuned_list){0};
    if (bm_tuned_cache_path(device, path, sizeof path, NULL) != BM_OK)
        return BM_OK; /* nowhere to look */
    enum bm_status status = read_cache(path, device, list, error);
    if (status == BM_OK)
        keep_current(kernels_folder, list);
    return status;
}

/* ---- writing ---- */

static bool same_key(const struct bm_tuned_entry *a, const struct bm_tuned_entry *b) {
    return strcmp(a->workload, b->workload) == 0 && strcmp(a->dtype, b->dtype) == 0 &&
           strcmp(a->shape_class, b->shape_class) == 0 && strcmp(a->source, b->source) == 0 &&
           strcmp(a->sha256, b->sha256) == 0;
}

/* Beyond the limit the oldest goes: in all likelihood of kernels that are no more. */
static void forget_oldest(struct bm_tuned_list *list) {
    while (list->count > MAX_ENTRIES) {
        size_t oldest = 0;
        for (size_t i = 1; i < list->count; i++)
            if (strcmp(list->items[i].created, list->items[oldest].created) < 0)
                oldest = i;
        list->items[oldest] = list->items[--list->count];
    }
}

static enum bm_status merge(struct bm_tuned_list *list, const struct bm_tuned_list *added,
                            struct bm_error *error) {
    enum bm_status status = BM_OK;
    for (size_t a = 0; status == BM_OK && a < added->count; a++) {
        const struct bm_tuned_entry *entry = &added->items[a];
        size_t i = 0;
        while (i < list->count && !same_key(&list->items[i], entry))
            i++;
        if (i == list->count)
            status = bm_tuned_list_add(list, entry, error);
        else if (strcmp(entry->created, list->items[i].created) >= 0)
            list->items[i] = *entry;
    }
    forget_oldest(list);
    return status;
}

static json_t *write_entry(struct bm_json_writer *writer, const struct bm_tuned_entry *entry) {
    json_t *object = bm_json_object(writer), *parameters = bm_json_object(writer);
    for (unsigned i = 0; i < entry->parameters.count; i++)
        bm_json_put(writer, parameters, entry->parameters.items[i].name,
                    json_integer(entry->parameters.items[i].value));
    bm_json_put(writer, object, "workload", json_string(entry->workload));
    bm_json_put(writer, object, "dtype", json_string(entry->dtype));
    bm_json_put(writer, object, "class", json_string(entry->shape_class));
    bm_json_put(writer, object, "parameters", parameters);
    bm_json_put(writer, object, "ns", json_real(entry->ns));
    if (entry->before_ns > 0)
        bm_json_put(writer, object, "before_ns", json_real(entry->before_ns));
    bm_json_put(writer, object, "source", json_string(entry->source));
    bm_json_put(writer, object, "sha256", json_string(entry->sha256));
    bm_json_put(writer, object, "created", json_string(entry->created));
    return object;
}

static enum bm_status write_cache(const char *path, const struct bm_tuned_device *device,
                                  const struct bm_tuned_list *list, struct bm_error *error) {
    struct bm_json_writer writer = {0};
    json_t *root = bm_json_object(&writer), *about = bm_json_object(&writer),
           *entries = bm_json_array(&writer);
    bm_json_put(&writer, about, "backend", json_string(device->backend));
    bm_json_put(&writer, about, "name", json_string(device->name));
    bm_json_put(&writer, about, "driver", json_string(device->driver));
    bm_json_put(&writer, about, "compute_units", json_integer(device->compute_units));
    for (size_t i = 0; i < list->count; i++)
        bm_json_append(&writer, entries, write_entry(&writer, &list->items[i]));
    bm_json_put(&writer, root, "version", json_integer(FILE_VERSION));
    bm_json_put(&writer, root, "device", about);
    bm_json_put(&writer, root, "entries", entries);
    char *text = writer.failed ? NULL : json_dumps(root, JSON_INDENT(1));
    json_decref(root);
    if (text == NULL)
        return bm_fail(error, BM_NO_MEMORY, "%s: out of memory while writing", path);
    enum bm_status status = bm_file_write_atomic(path, text, strlen(text), error);
    free(text);
    return status;
}

/* Programs that save at the same time wait for each other on the folder; where a file system has no locks the
 * last one wins. */
static int lock_folder_of(const char *path) {
    char folder[PATH_MAX];
    bm_string_set(folder, sizeof folder, path);
    *strrchr(folder, '/') = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd >= 0 && flock(fd, LOCK_EX) != 0 && errno == EINTR)
        continue;
    return fd;
}

static enum bm_status set_aside(const char *path, const char *why, struct bm_error *error) {
    char aside[PATH_MAX], now[32];
    bm_time_utc(now, true);
    if (snprintf(aside, sizeof aside, "%s.%s-%ld", path, now, (long)getpid()) >= PATH_MAX ||
        rename(path, aside) != 0)
        return bm_fail_native(error, BM_IO, errno, "rename", "%s; it cannot be set aside: %s", why,
                              strerror(errno));
    bm_log(BM_LOG_WARNING, "%s; it is kept as %s", why, strrchr(aside, '/') + 1);
    return BM_OK;
}

enum bm_status bm_tuned_cache_save(const struct bm_tuned_device *device, const struct bm_tuned_list *added,
                                   struct bm_error *error) {
    char path[PATH_MAX];
    struct bm_tuned_list list = {0};
    struct bm_error wrong = {0};
    enum bm_status status = bm_tuned_cache_path(device, path, sizeof path, error);
    if (status == BM_OK)
        status = bm_file_check_writable(path, 0, error);
    if (status != BM_OK)
        return status;
    int lock = lock_folder_of(path);
    status = read_cache(path, device, &list, &wrong);
    if (status == BM_INVALID)
        status = set_aside(path, wrong.message, error);
    else if (status != BM_OK)
        bm_fail_native(error, status, wrong.native, wrong.call, "%s", wrong.message);
    if (status == BM_OK)
        status = merge(&list, added, error);
    if (status == BM_OK)
        status = write_cache(path, device, &list, error);
    if (lock >= 0)
        close(lock);
    bm_tuned_list_fini(&list);
    return status;
}
