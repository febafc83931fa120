/* tuned.c - bench/tuned/KIND.json: kernel parameters, {workload: {dtype: {PARAMETER: whole number}}}. */
#include "bm/data.h"

#include "json_reader.h"

#include <limits.h>
#include <stdio.h>
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

/* A C macro: -D NAME=VALUE. */
static bool is_macro(const char *name) {
    return strlen(name) < sizeof(((struct bm_parameter *)0)->name) && name[0] >= 'A' && name[0] <= 'Z' &&
           name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == '\0';
}

static enum bm_status read_parameters(const struct bm_json *at, struct bm_parameters *parameters,
                                      struct bm_error *error) {
    static const struct bm_json_field number = {
        .kind = BM_JSON_I64, .minimum = INT32_MIN, .maximum = INT32_MAX};
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

enum bm_status bm_tuned_load(const char *kind, const char *workload, const char *dtype,
                             struct bm_parameters *parameters, struct bm_error *error) {
    char relative[64], path[PATH_MAX];
    const char *workload_name, *dtype_name;
    json_t *root_value = NULL, *dtypes, *value;
    bool found = false;
    *parameters = (struct bm_parameters){0};
    snprintf(relative, sizeof relative, "bench/tuned/%.32s.json", kind);
    enum bm_status status = bm_data_path(relative, path, sizeof path, error);
    if (status == BM_OK)
        status = bm_json_load(path, BM_JSON_INPUT_LIMIT, &root_value, error);
    if (status != BM_OK)
        return status;
    /* The whole file is read, so that a mistake in it shows whatever is asked for. */
    struct bm_json root = {.file = path, .value = root_value};
    status = bm_json_want(&root, JSON_OBJECT, error);
    json_object_foreach(root_value, workload_name, dtypes) {
        struct bm_json of_workload = bm_json_member(&root, workload_name);
        status = status == BM_OK ? bm_json_want(&of_workload, JSON_OBJECT, error) : status;
        json_object_foreach(dtypes, dtype_name, value) {
            struct bm_json of_dtype = bm_json_member(&of_workload, dtype_name);
            struct bm_parameters read = {0};
            if (status == BM_OK)
                status = read_parameters(&of_dtype, &read, error);
            if (status == BM_OK && strcmp(workload_name, workload) == 0 && strcmp(dtype_name, dtype) == 0) {
                *parameters = read;
                found = true;
            }
        }
    }
    json_decref(root_value);
    if (status != BM_OK)
        *parameters = (struct bm_parameters){0};
    else if (!found)
        status = bm_fail(error, BM_NOT_FOUND, "no tuned parameters for %s %s on a %s", workload, dtype, kind);
    return status;
}
