/* tuned.c - bench/tuned/NAME.json: kernel parameters, {workload: {"dtype" or "dtype/class": {PARAMETER: whole
 * number}}}. "match" in a file says which devices it is for; cpu.json and gpu.json are for the others of
 * their kind. */
#include "tuned_read.h"

#include <limits.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bm_parameters_set(struct bm_parameters *parameters, const char *name, int64_t value) {
    unsigned i = 0;
    while (i < parameters->count && strcmp(parameters->items[i].name, name) != 0)
        i++;
    if (i == BM_COUNT_OF(parameters->items))
        return; /* no kernel has so many */
    bm_string_set(parameters->items[i].name, sizeof parameters->items[i].name, name);
    parameters->items[i].value = value;
    if (i == parameters->count)
        parameters->count++;
}

int64_t bm_parameters_get(const struct bm_parameters *parameters, const char *name, int64_t fallback) {
    for (unsigned i = 0; i < parameters->count; i++)
        if (strcmp(parameters->items[i].name, name) == 0)
            return parameters->items[i].value;
    return fallback;
}

uint64_t bm_parameters_hash(const struct bm_parameters *parameters) {
    uint64_t sum = parameters->count;
    for (unsigned i = 0; i < parameters->count; i++) {
        const struct bm_parameter *item = &parameters->items[i];
        sum += bm_hash(&item->value, sizeof item->value, bm_hash(item->name, strlen(item->name), 0));
    }
    return sum;
}

/* A C macro: -D NAME=VALUE. */
static bool is_macro(const char *name) {
    return strlen(name) < sizeof(((struct bm_parameter *)0)->name) && name[0] >= 'A' && name[0] <= 'Z' &&
           name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == '\0';
}

enum bm_status bm_tuned_read_parameters(const struct bm_json *at, void *target, struct bm_error *error) {
    static const struct bm_json_field number = {
        .kind = BM_JSON_I64, .minimum = INT32_MIN, .maximum = INT32_MAX};
    struct bm_parameters *parameters = target;
    const char *key;
    json_t *value;
    enum bm_status status = bm_json_want(at, JSON_OBJECT, error);
    if (status != BM_OK)
        return status;
    if (json_object_size(at->value) > BM_COUNT_OF(parameters->items))
        return bm_json_fail(at, error, "must have at most %zu parameters (has %zu)",
                            BM_COUNT_OF(parameters->items), json_object_size(at->value));
    json_object_foreach(at->value, key, value) {
        struct bm_json member = bm_json_member(at, key);
        int64_t tuned = 0;
        if (!is_macro(key))
            return bm_json_fail(&member, error, "must be named like a macro: A-Z, 0-9, _; 23 bytes at most");
        status = bm_json_read_value(&member, &number, &tuned, error);
        if (status != BM_OK)
            return status;
        bm_parameters_set(parameters, key, tuned);
    }
    return BM_OK;
}

bool bm_tuned_is_class(const char *name) {
    bool level = false;
    for (const char *c = name; *c != '\0'; c++) {
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789.+-/", *c) == NULL || (*c == '/' && !level))
            return false;
        level = *c != '/';
    }
    return level || name[0] == '\0';
}

enum bm_status bm_tuned_list_add(struct bm_tuned_list *list, const struct bm_tuned_entry *entry,
                                 struct bm_error *error) {
    enum bm_status status =
        bm_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items, error);
    if (status == BM_OK)
        list->items[list->count++] = *entry;
    return status;
}

void bm_tuned_list_fini(struct bm_tuned_list *list) {
    free(list->items);
    *list = (struct bm_tuned_list){0};
}

/* Whether shape_class is the entry's class or a finer one within it. */
static bool holds(const char *entry_class, const char *shape_class) {
    size_t length = strlen(entry_class);
    return length == 0 || (strncmp(entry_class, shape_class, length) == 0 &&
                           (shape_class[length] == '\0' || shape_class[length] == '/'));
}

static const struct bm_tuned_entry *find(const struct bm_tuned_list *list, const char *workload,
                                         const char *dtype, const char *shape_class, unsigned least_rank) {
    const struct bm_tuned_entry *best = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const struct bm_tuned_entry *entry = &list->items[i];
        if (entry->rank < least_rank || strcmp(entry->workload, workload) != 0 ||
            strcmp(entry->dtype, dtype) != 0 || !holds(entry->shape_class, shape_class))
            continue;
        if (best == NULL || entry->rank < best->rank ||
            (entry->rank == best->rank && strlen(entry->shape_class) > strlen(best->shape_class)))
            best = entry;
    }
    return best;
}

const struct bm_tuned_entry *bm_tuned_find(const struct bm_tuned_list *list, const char *workload,
                                           const char *dtype, const char *shape_class) {
    return find(list, workload, dtype, shape_class, 0);
}

const struct bm_tuned_entry *bm_tuned_next(const struct bm_tuned_list *list, const char *shape_class,
                                           const struct bm_tuned_entry *entry) {
    return find(list, entry->workload, entry->dtype, shape_class, entry->rank + 1);
}

/* ---- files of bench/tuned ---- */

/* "f16" or "f16/m2-8". */
static enum bm_status read_entry(const struct bm_json *at, const char *workload, unsigned rank,
                                 struct bm_tuned_list *list, struct bm_error *error) {
    struct bm_tuned_entry entry = {.rank = rank};
    size_t length = strcspn(at->key, "/");
    const char *shape_class = at->key[length] == '/' ? at->key + length + 1 : "";
    if (length == 0 || length >= sizeof entry.dtype || strlen(workload) >= sizeof entry.workload ||
        strlen(shape_class) >= sizeof entry.shape_class || !bm_tuned_is_class(shape_class) ||
        (at->key[length] == '/' && shape_class[0] == '\0'))
        return bm_json_fail(at, error, "must be a dtype, or a dtype and a class, as in \"f16/m2-8\"");
    memcpy(entry.dtype, at->key, length);
    bm_string_set(entry.workload, sizeof entry.workload, workload);
    bm_string_set(entry.shape_class, sizeof entry.shape_class, shape_class);
    enum bm_status status = bm_tuned_read_parameters(at, &entry.parameters, error);
    return status == BM_OK ? bm_tuned_list_add(list, &entry, error) : status;
}

/* *fits: one of the patterns is found in name, in any case. Each of them must compile, whatever the name. */
static enum bm_status read_match(const struct bm_json *at, const char *name, bool *fits,
                                 struct bm_error *error) {
    enum bm_status status = bm_json_want(at, JSON_ARRAY, error);
    for (size_t i = 0; status == BM_OK && i < json_array_size(at->value); i++) {
        struct bm_json element = bm_json_element(at, i);
        regex_t compiled;
        status = bm_json_want(&element, JSON_STRING, error);
        if (status != BM_OK)
            break;
        if (regcomp(&compiled, json_string_value(element.value), REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0)
            return bm_json_fail(&element, error, "must be a POSIX extended regular expression");
        *fits |= regexec(&compiled, name, 0, NULL, 0) == 0;
        regfree(&compiled);
    }
    return status;
}

/* What a file is read for, and what came of it. */
struct reading {
    const char *kind, *name; /* "cpu" or "gpu"; name NULL: only the kind's file is read */
    struct bm_tuned_list *list;
};

/* The whole file is read, so that a mistake in it shows whatever is asked for. */
static enum bm_status read_members(const struct bm_json *root, struct reading *reading, bool of_kind,
                                   struct bm_error *error) {
    const size_t before = reading->list->count;
    const char *workload, *key;
    json_t *members, *value;
    bool fits = of_kind;
    enum bm_status status = BM_OK;
    json_object_foreach(root->value, workload, members) {
        struct bm_json of_workload = bm_json_member(root, workload);
        if (strcmp(workload, "match") == 0 && !of_kind) {
            status = read_match(&of_workload, reading->name, &fits, error);
            if (status != BM_OK)
                return status;
            continue;
        }
        status = bm_json_want(&of_workload, JSON_OBJECT, error);
        if (status != BM_OK)
            return status;
        json_object_foreach(members, key, value) {
            struct bm_json of_entry = bm_json_member(&of_workload, key);
            status = read_entry(&of_entry, workload, of_kind ? 1 : 0, reading->list, error);
            if (status != BM_OK)
                return status;
        }
    }
    if (!of_kind && json_object_get(root->value, "match") == NULL) {
        struct bm_json missing = bm_json_member(root, "match");
        return bm_json_fail(&missing, error, "is missing: only cpu.json and gpu.json are for every device");
    }
    if (!fits)
        reading->list->count = before;
    return status;
}

static enum bm_status read_file(const char *path, void *context, struct bm_error *error) {
    struct reading *reading = context;
    const char *slash = strrchr(path, '/'), *file = slash != NULL ? slash + 1 : path;
    const bool is_cpu = strcmp(file, "cpu.json") == 0, is_gpu = strcmp(file, "gpu.json") == 0;
    json_t *value = NULL;
    if ((is_cpu || is_gpu) && strncmp(file, reading->kind, 3) != 0)
        return BM_OK;
    enum bm_status status = bm_json_load(path, BM_JSON_INPUT_LIMIT, &value, error);
    if (status != BM_OK)
        return status;
    struct bm_json root = {.file = path, .value = value};
    status = bm_json_want(&root, JSON_OBJECT, error);
    if (status == BM_OK)
        status = read_members(&root, reading, is_cpu || is_gpu, error);
    json_decref(value);
    return status;
}

enum bm_status bm_tuned_shipped(const struct bm_tuned_device *device, struct bm_tuned_list *list,
                                struct bm_error *error) {
    struct reading reading = {.kind = device->is_gpu ? "gpu" : "cpu", .name = device->name, .list = list};
    *list = (struct bm_tuned_list){0};
    enum bm_status status = bm_json_each_file("tuned", read_file, &reading, error);
    if (status != BM_OK)
        bm_tuned_list_fini(list);
    return status;
}

enum bm_status bm_tuned_load(const char *kind, const char *workload, const char *dtype,
                             struct bm_parameters *parameters, struct bm_error *error) {
    struct bm_tuned_list list = {0};
    struct reading reading = {.kind = kind, .list = &list};
    char relative[64], path[PATH_MAX];
    *parameters = (struct bm_parameters){0};
    snprintf(relative, sizeof relative, "bench/tuned/%.32s.json", kind);
    enum bm_status status = bm_data_path(relative, path, sizeof path, error);
    if (status == BM_OK)
        status = read_file(path, &reading, error);
    if (status == BM_OK) {
        const struct bm_tuned_entry *entry = bm_tuned_find(&list, workload, dtype, "");
        if (entry != NULL)
            *parameters = entry->parameters;
        else
            status =
                bm_fail(error, BM_NOT_FOUND, "no tuned parameters for %s %s on a %s", workload, dtype, kind);
    }
    bm_tuned_list_fini(&list);
    return status;
}
