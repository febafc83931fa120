/* Taking results files in: the figures of each as one line of a table. */
#include "merge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bm/saved.h"
#include "json_reader.h"

const char *const bm_merge_row_fields[] = {"utilization.roofline_efficiency",
                                           "utilization.compute_of_ceiling",
                                           "utilization.compute_of_device",
                                           "utilization.memory_of_ceiling",
                                           "utilization.compute_of_datasheet",
                                           "utilization.memory_of_datasheet",
                                           "energy.joules",
                                           NULL};
const char *const bm_merge_ceiling_fields[] = {"value", "burst", "steady", NULL};

static size_t count_of(const char *const *fields) {
    size_t count = 0;
    while (fields[count] != NULL)
        count++;
    return count;
}

size_t bm_merge_row_slots(void) {
    return BM_MERGE_FIELDS + count_of(bm_merge_row_fields);
}

size_t bm_merge_ceiling_slots(void) {
    return count_of(bm_merge_ceiling_fields);
}

json_t *bm_merge_member(const json_t *object, const char *path) {
    const char *dot = strchr(path, '.');
    char outer[32];
    if (dot == NULL)
        return json_object_get(object, path);
    bm_string_set(outer, (size_t)(dot - path) + 1, path);
    return json_object_get(json_object_get(object, outer), dot + 1);
}

double bm_merge_number(const json_t *object, const char *path) {
    const json_t *value = bm_merge_member(object, path);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static bool equal_members(const json_t *a, const json_t *b, const char *const *names) {
    for (; *names != NULL; names++)
        if (!json_equal(json_object_get(a, *names), json_object_get(b, *names)))
            return false;
    return true;
}

static const char *const row_identity[] = {"key", "device", "backend", "threads", NULL};
static const char *const ceiling_identity[] = {"resource", "pipe", "backend", "threads", NULL};
static const char *const device_identity[] = {"id", NULL};

/* The item of list that is the same thing as item: mostly the one at the same place. */
static json_t *find(const json_t *list, const json_t *item, size_t place, const char *const *identity) {
    json_t *same = json_array_get(list, place);
    if (same != NULL && equal_members(same, item, identity))
        return same;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (equal_members(json_array_get(list, i), item, identity))
            return json_array_get(list, i);
    return NULL;
}

static bool is_text(const json_t *object, const char *path, const char *text) {
    const char *value = json_string_value(bm_merge_member(object, path));
    return value != NULL && strcmp(value, text) == 0;
}

static bool is_measured(const json_t *row) {
    return is_text(row, "status", "ok") && is_text(row, "verification.status", "passed") &&
           bm_merge_number(row, "time_ns.median") > 0;
}

static double launches_of(const json_t *row) {
    double launches = 0;
    size_t i;
    json_t *round;
    json_array_foreach(json_object_get(row, "rounds"), i, round) {
        launches += fmax(0, bm_merge_number(round, "launches"));
    }
    return fmax(1, launches);
}

static unsigned flags_of(const struct bm_merge *merge, const json_t *row) {
    unsigned flags = 0;
    size_t i;
    json_t *flag;
    json_array_foreach(json_object_get(row, "flags"), i, flag) {
        const char *name = json_string_value(flag);
        for (unsigned bit = 1; name != NULL && bit != 0 && merge->options.flag_name(bit) != NULL; bit <<= 1)
            flags |= strcmp(name, merge->options.flag_name(bit)) == 0 ? bit : 0;
    }
    return flags & merge->options.round_flags;
}

static void take_fields(const json_t *object, const char *const *fields, double *values) {
    for (size_t i = 0; fields[i] != NULL; i++)
        values[i] = object != NULL ? bm_merge_number(object, fields[i]) : (double)NAN;
}

static void take_row(struct bm_merge *merge, size_t index, json_t *row, double *values) {
    values[BM_MERGE_MEDIAN] = (double)NAN;
    take_fields(NULL, bm_merge_row_fields, values + BM_MERGE_FIELDS);
    if (row == NULL)
        return;
    if (is_measured(row)) {
        values[BM_MERGE_MEDIAN] = bm_merge_number(row, "time_ns.median");
        values[BM_MERGE_LAUNCHES] = launches_of(row);
        values[BM_MERGE_FLAGS] = flags_of(merge, row);
        take_fields(row, bm_merge_row_fields, values + BM_MERGE_FIELDS);
        if (merge->rows[index].good == NULL)
            merge->rows[index].good = json_incref(row);
    } else {
        bool failed = is_text(row, "status", "failed");
        if (merge->rows[index].bad == NULL || (failed && merge->rows[index].failed == 0)) {
            json_decref(merge->rows[index].bad);
            merge->rows[index].bad = json_incref(row);
        }
        merge->rows[index].failed += failed;
    }
    json_object_del(row, "rounds"); /* they are taken; the rest of the row may be kept for long */
}

static void take_file(struct bm_merge *merge, const json_t *root, double *values) {
    const json_t *rows = json_object_get(root, "results"), *devices = json_object_get(root, "devices");
    size_t i, k;
    json_t *item, *ceiling;
    json_array_foreach(json_object_get(merge->pattern, "results"), i, item) {
        take_row(merge, i, find(rows, item, i, row_identity), values);
        values += bm_merge_row_slots();
    }
    json_array_foreach(json_object_get(merge->pattern, "devices"), i, item) {
        const json_t *device = find(devices, item, i, device_identity);
        json_array_foreach(json_object_get(item, "ceilings"), k, ceiling) {
            take_fields(find(json_object_get(device, "ceilings"), ceiling, k, ceiling_identity),
                        bm_merge_ceiling_fields, values);
            values += bm_merge_ceiling_slots();
        }
    }
}

static enum bm_status set_pattern(struct bm_merge *merge, json_t *root, struct bm_error *error) {
    size_t i;
    json_t *device;
    merge->row_count = json_array_size(json_object_get(root, "results"));
    merge->slots = merge->row_count * bm_merge_row_slots();
    json_array_foreach(json_object_get(root, "devices"), i, device) {
        merge->slots += json_array_size(json_object_get(device, "ceilings")) * bm_merge_ceiling_slots();
    }
    merge->rows = bm_alloc(merge->row_count, sizeof *merge->rows);
    if (merge->rows == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu rows", merge->row_count);
    merge->pattern = json_incref(root);
    return BM_OK;
}

enum bm_status bm_merge_add(struct bm_merge *merge, const char *path, uint64_t start_ns,
                            struct bm_error *error) {
    json_t *root;
    enum bm_status status = bm_json_load(path, BM_SAVED_MAX_BYTES, &root, error);
    if (status != BM_OK)
        return status;
    if (!json_is_array(json_object_get(root, "results")))
        status =
            bm_fail(error, BM_INVALID, "%s: is no results file: use one that `benchmark run` wrote", path);
    if (status == BM_OK && merge->pattern == NULL)
        status = set_pattern(merge, root, error);
    const size_t rounds = merge->round_count + 1;
    if (status == BM_OK)
        status = bm_grow(&merge->values, &merge->value_capacity, rounds * merge->slots, sizeof *merge->values,
                         error);
    if (status == BM_OK)
        status = bm_grow(&merge->start_ns, &merge->start_capacity, rounds, sizeof *merge->start_ns, error);
    if (status == BM_OK) {
        take_file(merge, root, merge->values + merge->round_count * merge->slots);
        merge->start_ns[merge->round_count++] = start_ns;
    }
    json_decref(root);
    return status;
}

void bm_merge_omit(struct bm_merge *merge, size_t round, const char *key, const char *device,
                   const char *backend, unsigned threads) {
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(merge->pattern, "results"), i, row) {
        const json_t *own = json_object_get(row, "threads");
        if (is_text(row, "key", key) && is_text(row, "device", device) && is_text(row, "backend", backend) &&
            (unsigned)json_integer_value(own) == threads && round < merge->round_count)
            merge->values[round * merge->slots + i * bm_merge_row_slots() + BM_MERGE_MEDIAN] = (double)NAN;
    }
}

enum bm_status bm_merge_create(const struct bm_merge_options *options, struct bm_merge **merge_out,
                               struct bm_error *error) {
    struct bm_merge *merge = *merge_out = bm_alloc(1, sizeof *merge);
    if (merge == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    merge->options = *options;
    bm_uuid(merge->id);
    return BM_OK;
}

void bm_merge_destroy(struct bm_merge *merge) {
    if (merge == NULL)
        return;
    for (size_t i = 0; merge->rows != NULL && i < merge->row_count; i++) {
        json_decref(merge->rows[i].good);
        json_decref(merge->rows[i].bad);
    }
    json_decref(merge->pattern);
    free(merge->rows);
    free(merge->values);
    free(merge->start_ns);
    free(merge);
}
