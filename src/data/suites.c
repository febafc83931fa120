/* suites.c - bench/suites: what a run measures. */
#include "bm/data.h"

#include "json_reader.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ENTRY(member) offsetof(struct bm_suite_entry, member)
#define SUITE(member) offsetof(struct bm_suite, member)

static const struct bm_json_field model_item = {.kind = BM_JSON_TEXT, .size = 256};
static const struct bm_json_field word_item = {.kind = BM_JSON_ID, .size = 16};
static const struct bm_json_field batch_item = {.kind = BM_JSON_U32, .minimum = 1, .maximum = 65536};
static const struct bm_json_field length_item = {.kind = BM_JSON_U32, .minimum = 1, .maximum = 268435456};

#define AXIS(name, needed, list, number, items, bytes)                                                       \
    {                                                                                                        \
        .key = name, .kind = BM_JSON_LIST, .required = needed, .offset = ENTRY(list), .size = bytes,         \
        .item = &items, .capacity = BM_SUITE_AXIS, .count_offset = ENTRY(number)                             \
    }

static const struct bm_json_field entry_fields[] = {
    AXIS("models", true, models, model_count, model_item, 256),
    {.key = "phases",
     .kind = BM_JSON_LIST,
     .required = true,
     .offset = ENTRY(phases),
     .size = 16,
     .item = &word_item,
     .capacity = 2,
     .count_offset = ENTRY(phase_count)},
    AXIS("dtypes", true, dtypes, dtype_count, word_item, 16),
    AXIS("workloads", false, workloads, workload_count, word_item, 16),
    {.key = "kv",
     .kind = BM_JSON_LIST,
     .offset = ENTRY(kvs),
     .size = 16,
     .item = &word_item,
     .capacity = 2,
     .count_offset = ENTRY(kv_count)},
    AXIS("batches", true, batches, batch_count, batch_item, sizeof(uint32_t)),
    AXIS("tokens", false, tokens, token_count, length_item, sizeof(uint32_t)),
    AXIS("contexts", false, contexts, context_count, length_item, sizeof(uint32_t)),
};

/* A value listed twice would be planned twice. */
static enum bm_status check_repeats(const struct bm_json *at, struct bm_error *error) {
    const char *key;
    json_t *list;
    json_object_foreach(at->value, key, list) {
        struct bm_json axis = bm_json_member(at, key);
        for (size_t i = 1; i < json_array_size(list); i++)
            for (size_t j = 0; j < i; j++)
                if (json_equal(json_array_get(list, i), json_array_get(list, j))) {
                    struct bm_json again = bm_json_element(&axis, i);
                    return bm_json_fail(&again, error, "repeats item %zu; remove one", j);
                }
    }
    return BM_OK;
}

static bool has_phase(const struct bm_suite_entry *entry, const char *phase) {
    for (unsigned i = 0; i < entry->phase_count; i++)
        if (strcmp(entry->phases[i], phase) == 0)
            return true;
    return false;
}

/* A phase needs its axis, and an axis without its phase would say something that is not done. */
static enum bm_status check_axis(const struct bm_json *at, const struct bm_suite_entry *entry,
                                 const char *phase, const char *axis, struct bm_error *error) {
    struct bm_json lengths = bm_json_member(at, axis);
    if (has_phase(entry, phase) == (lengths.value != NULL))
        return BM_OK;
    return bm_json_fail(&lengths, error,
                        lengths.value != NULL ? "is for the phase \"%s\", which $.phases does not list"
                                              : "is missing: the phase \"%s\" needs it",
                        phase);
}

static enum bm_status read_entry(const struct bm_json *at, void *field, struct bm_error *error) {
    struct bm_suite_entry *entry = field;
    struct bm_json phases = bm_json_member(at, "phases");
    enum bm_status status = bm_json_read(at, entry_fields, BM_COUNT_OF(entry_fields), entry, error);
    if (status == BM_OK)
        status = check_repeats(at, error);
    for (unsigned i = 0; i < entry->phase_count && status == BM_OK; i++) {
        struct bm_json phase = bm_json_element(&phases, i);
        if (strcmp(entry->phases[i], "prefill") != 0 && strcmp(entry->phases[i], "decode") != 0)
            status = bm_json_fail(&phase, error, "must be \"prefill\" or \"decode\" (is \"%s\")",
                                  entry->phases[i]);
    }
    struct bm_json kvs = bm_json_member(at, "kv");
    for (unsigned i = 0; i < entry->kv_count && status == BM_OK; i++) {
        struct bm_json kv = bm_json_element(&kvs, i);
        if (strcmp(entry->kvs[i], "f16") != 0 && strcmp(entry->kvs[i], "int8") != 0)
            status = bm_json_fail(&kv, error, "must be \"f16\" or \"int8\" (is \"%s\")", entry->kvs[i]);
    }
    if (status == BM_OK && entry->kv_count > 0 && !has_phase(entry, "decode"))
        status = bm_json_fail(&kvs, error, "is for the phase \"decode\", which $.phases does not list");
    if (status == BM_OK)
        status = check_axis(at, entry, "prefill", "tokens", error);
    if (status == BM_OK)
        status = check_axis(at, entry, "decode", "contexts", error);
    return status;
}

static const struct bm_json_field entry_item = {.kind = BM_JSON_CUSTOM, .read = read_entry};
static const char *const ceiling_words[] = {
    [BM_CEILINGS_ALL] = "all", [BM_CEILINGS_JUDGING] = "judging", [BM_CEILINGS_NONE] = "none", NULL};
static const struct bm_json_field suite_fields[] = {
    {.key = "name", .kind = BM_JSON_ID, .required = true, .offset = SUITE(name), .size = BM_ID_SIZE},
    {.key = "description",
     .kind = BM_JSON_TEXT,
     .required = true,
     .offset = SUITE(description),
     .size = sizeof(((struct bm_suite *)0)->description)},
    {.key = "budget_s",
     .kind = BM_JSON_NUMBER,
     .required = true,
     .offset = SUITE(budget_s),
     .minimum = 1,
     .maximum = 1e6},
    {.key = "target_half_width",
     .kind = BM_JSON_NUMBER,
     .offset = SUITE(target_half_width),
     .minimum = 0.001,
     .maximum = 0.2},
    {.key = "ceilings", .kind = BM_JSON_WORD, .offset = SUITE(ceilings), .words = ceiling_words},
    {.key = "entries",
     .kind = BM_JSON_LIST,
     .required = true,
     .offset = SUITE(entries),
     .size = sizeof(struct bm_suite_entry),
     .item = &entry_item,
     .capacity = BM_COUNT_OF(((struct bm_suite *)0)->entries),
     .count_offset = SUITE(entry_count)},
};

static enum bm_status read_suite(const char *path, struct bm_suite *suite, struct bm_error *error) {
    json_t *value = NULL;
    memset(suite, 0, sizeof *suite);
    enum bm_status status = bm_json_load(path, BM_JSON_INPUT_LIMIT, &value, error);
    if (status != BM_OK)
        return status;
    struct bm_json root = {.file = path, .value = value};
    status = bm_json_read(&root, suite_fields, BM_COUNT_OF(suite_fields), suite, error);
    json_decref(value);
    if (status != BM_OK)
        memset(suite, 0, sizeof *suite);
    return status;
}

struct suite_list {
    struct bm_suite *items;
    size_t count, capacity;
};

static enum bm_status add_suite(const char *path, void *context, struct bm_error *error) {
    struct suite_list *list = context;
    enum bm_status status =
        bm_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items, error);
    if (status == BM_OK)
        status = read_suite(path, &list->items[list->count], error);
    if (status == BM_OK)
        status = bm_json_check_file_name(path, "name", list->items[list->count].name, error);
    if (status == BM_OK)
        list->count++;
    return status;
}

/* From the shortest to the longest. */
static int compare_budgets(const void *a, const void *b) {
    double first = ((const struct bm_suite *)a)->budget_s, second = ((const struct bm_suite *)b)->budget_s;
    return (first > second) - (first < second);
}

enum bm_status bm_suite_list(struct bm_suite **suites, size_t *count, struct bm_error *error) {
    struct suite_list list = {0};
    *suites = NULL;
    *count = 0;
    enum bm_status status = bm_json_each_file("suites", add_suite, &list, error);
    if (status != BM_OK) {
        free(list.items);
        return status;
    }
    if (list.count > 0)
        qsort(list.items, list.count, sizeof *list.items, compare_budgets);
    *suites = list.items;
    *count = list.count;
    return BM_OK;
}

enum bm_status bm_suite_load(const char *name, struct bm_suite *suite, struct bm_error *error) {
    struct bm_suite *suites = NULL;
    size_t count = 0;
    bool found = false;
    memset(suite, 0, sizeof *suite);
    if (bm_json_is_path(name))
        return read_suite(name, suite, error);
    enum bm_status status = bm_suite_list(&suites, &count, error);
    if (status != BM_OK)
        return status;
    const char **names = bm_alloc(count, sizeof *names);
    if (names == NULL) {
        status = bm_fail(error, BM_NO_MEMORY, "out of memory while looking for a suite");
        goto out;
    }
    for (size_t i = 0; i < count && !found; i++) {
        names[i] = suites[i].name;
        found = strcasecmp(suites[i].name, name) == 0;
        if (found)
            *suite = suites[i];
    }
    if (!found)
        status = bm_json_unknown_name("suite", name, names, count, error);
out:
    free(names);
    free(suites);
    return status;
}
