/* The rounds of a results file, for --resume. */
#include <stdlib.h>
#include <string.h>

#include "bm/results.h"
#include "json_reader.h"

enum { MAX_ROWS = 100000, MAX_ROUNDS = 10000 };
static const size_t file_limit = (size_t)64 << 20;

/* A text member of at most size - 1 bytes; null or missing is "". */
static enum bm_status read_text(const struct bm_json *at, const char *key, char *text, size_t size,
                                struct bm_error *error) {
    struct bm_json member = bm_json_member(at, key);
    text[0] = '\0';
    if (member.value == NULL || json_is_null(member.value))
        return BM_OK;
    if (!json_is_string(member.value) || json_string_length(member.value) >= size)
        return bm_json_fail(&member, error, "must be a text of at most %zu bytes", size - 1);
    bm_string_set(text, size, json_string_value(member.value));
    return BM_OK;
}

static enum bm_status read_count(const struct bm_json *at, const char *key, uint64_t minimum, uint64_t *value,
                                 struct bm_error *error) {
    struct bm_json member = bm_json_member(at, key);
    *value = 0;
    if (member.value == NULL || !json_is_integer(member.value) || json_integer_value(member.value) < 0 ||
        (uint64_t)json_integer_value(member.value) < minimum)
        return bm_json_fail(&member, error, "must be a whole number from %llu", (unsigned long long)minimum);
    *value = (uint64_t)json_integer_value(member.value);
    return BM_OK;
}

static unsigned flags_of(const json_t *names, const char *(*flag_name)(unsigned bit)) {
    unsigned flags = 0;
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *word = json_string_value(json_array_get(names, i));
        for (unsigned bit = 1; word != NULL && flag_name(bit) != NULL; bit <<= 1)
            if (strcmp(flag_name(bit), word) == 0)
                flags |= bit;
    }
    return flags;
}

static enum bm_status read_rounds(const struct bm_json *at, const char *(*flag_name)(unsigned bit),
                                  struct bm_saved_row *row, struct bm_error *error) {
    struct bm_json list = bm_json_member(at, "rounds");
    enum bm_status status = bm_json_want(&list, JSON_ARRAY, error);
    size_t count = status == BM_OK ? json_array_size(list.value) : 0;
    if (count > MAX_ROUNDS)
        return bm_json_fail(&list, error, "must hold at most %d rounds", MAX_ROUNDS);
    row->rounds = bm_alloc(count, sizeof *row->rounds);
    if (row->rounds == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu rounds", count);
    for (size_t i = 0; status == BM_OK && i < count; i++) {
        struct bm_json element = bm_json_element(&list, i);
        struct bm_results_round *round = &row->rounds[i];
        status = bm_json_want(&element, JSON_OBJECT, error);
        if (status == BM_OK)
            status = read_count(&element, "start_ns", 0, &round->start_ns, error);
        if (status == BM_OK)
            status = read_count(&element, "ns", 1, &round->ns, error);
        if (status == BM_OK)
            status = read_count(&element, "launches", 1, &round->launches, error);
        if (status == BM_OK)
            round->flags = flags_of(json_object_get(element.value, "flags"), flag_name);
    }
    row->round_count = status == BM_OK ? count : 0;
    return status;
}

/* Of values that are not as this program writes them: some hash, which then fits no kernel. */
static uint64_t hash_parameters(const struct bm_json *row) {
    struct bm_parameters parameters = {0};
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(json_object_get(row->value, "kernel"), "parameters"), name, value)
        bm_parameters_set(&parameters, name, json_integer_value(value));
    return bm_parameters_hash(&parameters);
}

static enum bm_status read_row(const struct bm_json *at, const char *(*flag_name)(unsigned bit),
                               struct bm_saved_run *saved, struct bm_error *error) {
    struct bm_saved_row *row = &saved->rows[saved->row_count];
    *row = (struct bm_saved_row){0};
    enum bm_status status = bm_json_want(at, JSON_OBJECT, error);
    if (status == BM_OK)
        status = read_text(at, "key", row->key, sizeof row->key, error);
    if (status == BM_OK)
        status = read_text(at, "device", row->device, sizeof row->device, error);
    if (status == BM_OK)
        status = read_text(at, "backend", row->backend, sizeof row->backend, error);
    if (status == BM_OK)
        status = read_rounds(at, flag_name, row, error);
    if (status == BM_OK)
        row->parameters_hash = hash_parameters(at);
    if (status == BM_OK && row->round_count > 0)
        saved->row_count++;
    else
        free(row->rounds);
    return status;
}

static enum bm_status read_rows(const struct bm_json *root, const char *(*flag_name)(unsigned bit),
                                struct bm_saved_run *saved, struct bm_error *error) {
    struct bm_json list = bm_json_member(root, "results");
    enum bm_status status = bm_json_want(&list, JSON_ARRAY, error);
    size_t count = status == BM_OK ? json_array_size(list.value) : 0;
    if (count > MAX_ROWS)
        return bm_json_fail(&list, error, "must hold at most %d rows", MAX_ROWS);
    saved->rows = bm_alloc(count, sizeof *saved->rows);
    if (saved->rows == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu rows", count);
    for (size_t i = 0; status == BM_OK && i < count; i++) {
        struct bm_json element = bm_json_element(&list, i);
        status = read_row(&element, flag_name, saved, error);
    }
    return status;
}

static enum bm_status read_devices(const struct bm_json *root, struct bm_saved_run *saved,
                                   struct bm_error *error) {
    struct bm_json list = bm_json_member(root, "devices");
    enum bm_status status = bm_json_want(&list, JSON_ARRAY, error);
    for (size_t i = 0; status == BM_OK && i < json_array_size(list.value); i++) {
        struct bm_json element = bm_json_element(&list, i);
        if (i == BM_COUNT_OF(saved->devices))
            return bm_json_fail(&list, error, "must hold at most %zu devices", i);
        status = bm_json_want(&element, JSON_OBJECT, error);
        if (status == BM_OK)
            status = read_text(&element, "id", saved->devices[i].id, sizeof saved->devices[i].id, error);
        if (status == BM_OK)
            status = read_text(&element, "fingerprint", saved->devices[i].fingerprint,
                               sizeof saved->devices[i].fingerprint, error);
        saved->device_count = i + 1;
    }
    return status;
}

static enum bm_status read_root(const struct bm_json *root, const char *(*flag_name)(unsigned bit),
                                struct bm_saved_run *saved, struct bm_error *error) {
    char version[16], cache[8];
    struct bm_json tool = bm_json_member(root, "tool"), settings = bm_json_member(root, "settings");
    enum bm_status status = read_text(root, "schema_version", version, sizeof version, error);
    if (status == BM_OK && strncmp(version, BM_SCHEMA_VERSION, strcspn(BM_SCHEMA_VERSION, ".") + 1) != 0) {
        struct bm_json member = bm_json_member(root, "schema_version");
        return bm_json_fail(&member, error, "'%s' is not a version that this program reads (%s)", version,
                            BM_SCHEMA_VERSION);
    }
    if (status == BM_OK)
        status = bm_json_want(&tool, JSON_OBJECT, error);
    if (status == BM_OK)
        status = bm_json_want(&settings, JSON_OBJECT, error);
    if (status == BM_OK)
        status =
            read_text(&tool, "kernels_sha256", saved->kernels_sha256, sizeof saved->kernels_sha256, error);
    if (status == BM_OK)
        status = read_text(&settings, "cache", cache, sizeof cache, error);
    if (status == BM_OK)
        status = read_devices(root, saved, error);
    if (status == BM_OK)
        status = read_rows(root, flag_name, saved, error);
    saved->hot = status == BM_OK && strcmp(cache, "hot") == 0;
    return status;
}

enum bm_status bm_saved_run_load(const char *path, const char *(*flag_name)(unsigned bit),
                                 struct bm_saved_run *saved, struct bm_error *error) {
    json_t *value;
    *saved = (struct bm_saved_run){0};
    enum bm_status status = bm_json_load(path, file_limit, &value, error);
    if (status != BM_OK)
        return status;
    struct bm_json root = {.file = path, .value = value};
    status = bm_json_want(&root, JSON_OBJECT, error);
    if (status == BM_OK)
        status = read_root(&root, flag_name, saved, error);
    json_decref(value);
    if (status != BM_OK)
        bm_saved_run_fini(saved);
    return status;
}

void bm_saved_run_fini(struct bm_saved_run *saved) {
    for (size_t i = 0; i < saved->row_count; i++)
        free(saved->rows[i].rounds);
    free(saved->rows);
    *saved = (struct bm_saved_run){0};
}
