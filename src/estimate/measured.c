/* measured.c - rows of results files by the work that they are, those of one device together. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bm/measure.h"
#include "bm/saved.h"
#include "bm/stats.h"
#include "internal.h"

void bm_work_of_key(const char *key, char work[BM_KEY_SIZE]) {
    const char *rest = key;
    size_t length = strcspn(key, "/");
    for (int part = 0; part < 4 && rest != NULL; part++)
        rest = strchr(rest, '/') != NULL ? strchr(rest, '/') + 1 : NULL;
    bm_string_set(work, length + 1 < BM_KEY_SIZE ? length + 1 : BM_KEY_SIZE, key);
    if (rest != NULL && length + 1 < BM_KEY_SIZE) {
        work[length] = '/';
        bm_string_set(work + length + 1, BM_KEY_SIZE - length - 1, rest);
    }
}

void bm_work_of_case(const struct bm_case *the_case, char work[BM_KEY_SIZE]) {
    char key[BM_KEY_SIZE];
    bm_case_key(the_case, key);
    bm_work_of_key(key, work);
}

/* ---- taking rows ---- */

static bool is_trusted(const char *fact_status) {
    return strcmp(fact_status, "verified") == 0 || strcmp(fact_status, "derived") == 0;
}

static void describe(const struct bm_saved *saved, const struct bm_saved_device *from,
                     struct bm_measured_device *device) {
    const double packages = bm_saved_packages(saved, from);
    bm_string_set(device->fingerprint, sizeof device->fingerprint, from->fingerprint);
    bm_string_set(device->id, sizeof device->id, from->id);
    bm_string_set(device->kind, sizeof device->kind, from->kind);
    bm_string_set(device->name, sizeof device->name, from->name);
    device->memory_bytes = from->memory_bytes > 0 ? (double)from->memory_bytes : (double)NAN;
    device->bandwidth_gbs =
        is_trusted(from->datasheet.bandwidth_status) ? from->datasheet.bandwidth_gbs * packages : (double)NAN;
    for (size_t i = 0; i < from->datasheet.peak_count && device->peak_count < BM_COUNT_OF(device->peaks); i++)
        if (is_trusted(from->datasheet.peaks[i].status)) {
            struct bm_measured_peak *peak = &device->peaks[device->peak_count++];
            bm_string_set(peak->pipe, sizeof peak->pipe, from->datasheet.peaks[i].pipe);
            peak->gflops = from->datasheet.peaks[i].gflops * packages;
        }
}

static enum bm_status add_path(struct bm_measured_device *device, const char *path, struct bm_error *error) {
    struct bm_text text = {0};
    bm_text_append(&text, "%s%s%s", device->files != NULL ? device->files : "",
                   device->files != NULL ? ", " : "", path);
    if (text.failed) {
        bm_text_fini(&text);
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    }
    free(device->files);
    device->files = text.data;
    return BM_OK;
}

/* Equal hardware, system and driver: what is measured of one in two files is of the same thing. */
static enum bm_status take_device(struct bm_serving_store *store, const struct bm_saved *saved,
                                  const struct bm_saved_device *from, const char *path, size_t *index,
                                  struct bm_error *error) {
    for (*index = 0; *index < store->device_count; ++*index) {
        const struct bm_measured_device *device = &store->devices[*index];
        if (strcmp(device->fingerprint, from->fingerprint) == 0 && strcmp(device->id, from->id) == 0 &&
            strcmp(device->name, from->name) == 0)
            return add_path(&store->devices[*index], path, error);
    }
    enum bm_status status = bm_grow(&store->devices, &store->device_capacity, store->device_count + 1,
                                    sizeof *store->devices, error);
    if (status != BM_OK)
        return status;
    struct bm_measured_device *device = &store->devices[store->device_count++];
    *device = (struct bm_measured_device){0};
    describe(saved, from, device);
    return add_path(device, path, error);
}

static enum bm_status take_set(struct bm_serving_store *store, size_t device, const char *backend,
                               struct bm_measured_set **set, struct bm_error *error) {
    for (size_t i = 0; i < store->set_count; i++)
        if (store->sets[i].device == device && strcmp(store->sets[i].backend, backend) == 0) {
            *set = &store->sets[i];
            return BM_OK;
        }
    enum bm_status status =
        bm_grow(&store->sets, &store->set_capacity, store->set_count + 1, sizeof *store->sets, error);
    if (status != BM_OK)
        return status;
    *set = &store->sets[store->set_count++];
    **set = (struct bm_measured_set){.device = device};
    bm_string_set((*set)->backend, sizeof(*set)->backend, backend);
    return BM_OK;
}

/* Standard deviations of a logarithm from an interval; an unknown interval leaves them unknown. Of two rounds
 * it is their range, at 50 %; of one it is no interval. */
static void set_spread(struct bm_measured *row, const double interval[2], double confidence) {
    row->below = row->above = (double)NAN;
    if (!(interval[0] > 0 && interval[1] > 0 && confidence >= 0.5 && confidence < 1))
        return;
    const double z = bm_stats_normal_quantile((1 + confidence) / 2);
    row->below = fmax(log(row->ns / interval[0]), 0) / z;
    row->above = fmax(log(interval[1] / row->ns), 0) / z;
}

static enum bm_status take_row(struct bm_measured_set *set, const struct bm_saved_row *from, size_t file,
                               struct bm_error *error) {
    enum bm_status status = bm_grow(&set->rows, &set->capacity, set->count + 1, sizeof *set->rows, error);
    if (status != BM_OK)
        return status;
    struct bm_measured *row = &set->rows[set->count++];
    *row = (struct bm_measured){.ns = from->time.median,
                                .compute_bound = strcmp(from->utilization.bound, "compute") == 0,
                                .launches = from->kernel.launches > 0 ? from->kernel.launches : 1,
                                .context = from->the_case.context,
                                .file = file};
    bm_work_of_key(from->key, row->work);
    set_spread(row, from->time.interval, from->time.confidence);
    return BM_OK;
}

static bool is_measured(const struct bm_saved_row *row) {
    return row->status == BM_SAVED_OK && row->verified && row->time.median > 0 &&
           row->the_case.dtype[0] != '\0' && !row->the_case.hot;
}

/* Of several files that of the newest; of equal age the one that was named last. */
static void take_latency(const struct bm_serving_store *store, const struct bm_saved_ceiling *from,
                         struct bm_measured *latency, size_t file) {
    const bool is_known = latency->ns > 0;
    if (!(from->value > 0) ||
        (is_known && strcmp(store->files[file].created, store->files[latency->file].created) < 0))
        return;
    const double interval[2] = {1000 * from->interval[0], 1000 * from->interval[1]};
    *latency = (struct bm_measured){.ns = 1000 * from->value, .file = file};
    set_spread(latency, interval, 0.95);
}

static enum bm_status take_rows(struct bm_serving_store *store, const struct bm_saved *saved,
                                const struct bm_saved_device *from, size_t device, struct bm_error *error) {
    const size_t file = store->file_count - 1;
    struct bm_measured_set *set;
    enum bm_status status = BM_OK;
    for (size_t i = 0; status == BM_OK && i < saved->row_count; i++) {
        const struct bm_saved_row *row = &saved->rows[i];
        if (strcmp(row->device, from->id) != 0 || !is_measured(row))
            continue;
        status = take_set(store, device, row->backend, &set, error);
        if (status == BM_OK)
            status = take_row(set, row, file, error);
    }
    for (size_t i = 0; status == BM_OK && i < from->ceiling_count; i++) {
        const struct bm_saved_ceiling *ceiling = &from->ceilings[i];
        const bool issue = strcmp(ceiling->resource, "launch_latency") == 0;
        if (!issue && strcmp(ceiling->resource, "wait_latency") != 0)
            continue;
        status = take_set(store, device, ceiling->backend, &set, error);
        if (status == BM_OK)
            take_latency(store, ceiling, issue ? &set->issue : &set->wait, file);
    }
    return status;
}

enum bm_status bm_serving_report_add(struct bm_serving_report *report, const char *path,
                                     struct bm_error *error) {
    struct bm_serving_store *store = report->store;
    const struct bm_saved_options options = {.flag_name = bm_flag_name};
    struct bm_saved saved;
    enum bm_status status = bm_saved_load(path, &options, &saved, error);
    if (status != BM_OK)
        return status;
    status =
        bm_grow(&store->files, &store->file_capacity, store->file_count + 1, sizeof *store->files, error);
    if (status == BM_OK) {
        struct bm_serving_file *file = &store->files[store->file_count++];
        bm_string_set(file->created, sizeof file->created, saved.created);
    }
    for (size_t i = 0; status == BM_OK && i < saved.device_count; i++) {
        size_t device;
        status = take_device(store, &saved, &saved.devices[i], path, &device, error);
        if (status == BM_OK)
            status = take_rows(store, &saved, &saved.devices[i], device, error);
    }
    bm_saved_fini(&saved);
    return status;
}

/* ---- order ---- */

static const struct bm_serving_store *sorting; /* qsort has no context; one thread sorts at a time */

static int compare_age(size_t a, size_t b) {
    const int order = strcmp(sorting->files[b].created, sorting->files[a].created);
    return order != 0 ? order : (a < b) - (a > b);
}

static int compare_rows(const void *a, const void *b) {
    const struct bm_measured *x = a, *y = b;
    const int order = strcmp(x->work, y->work);
    return order != 0 ? order : compare_age(x->file, y->file);
}

static int compare_contexts(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static size_t drop_equal(uint32_t *values, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || values[i] != values[kept - 1])
            values[kept++] = values[i];
    return kept;
}

void bm_set_sort(const struct bm_serving_store *store, struct bm_measured_set *set) {
    size_t kept = 0;
    sorting = store;
    if (set->count > 0)
        qsort(set->rows, set->count, sizeof *set->rows, compare_rows);
    sorting = NULL;
    for (size_t i = 0; i < set->count; i++) /* of equal work the newest, which comes first */
        if (kept == 0 || strcmp(set->rows[i].work, set->rows[kept - 1].work) != 0)
            set->rows[kept++] = set->rows[i];
    set->count = kept;
}

/* What a wait takes beyond the launch that it waits for. */
static void settle_latencies(struct bm_measured_set *set) {
    const double round_trip = set->wait.ns, beyond = fmax(round_trip - set->issue.ns, 0);
    set->wait.below *= beyond > 0 ? round_trip / beyond : 0;
    set->wait.above *= beyond > 0 ? round_trip / beyond : 0;
    set->wait.ns = round_trip > 0 ? beyond : (double)NAN;
    if (!(set->issue.ns > 0))
        set->issue.ns = (double)NAN;
}

static enum bm_status list_contexts(struct bm_measured_set *set, struct bm_error *error) {
    set->contexts = bm_alloc(set->count + 1, sizeof *set->contexts);
    if (set->contexts == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for contexts");
    for (size_t i = 0; i < set->count; i++)
        set->contexts[i + 1] = set->rows[i].context; /* 0, an empty past, is always one */
    qsort(set->contexts, set->count + 1, sizeof *set->contexts, compare_contexts);
    set->context_count = drop_equal(set->contexts, set->count + 1);
    return BM_OK;
}

enum bm_status bm_store_sort(struct bm_serving_store *store, struct bm_error *error) {
    for (size_t i = 0; i < store->set_count; i++) {
        bm_set_sort(store, &store->sets[i]);
        settle_latencies(&store->sets[i]);
    }
    enum bm_status status = bm_store_complete(store, error);
    for (size_t i = 0; status == BM_OK && i < store->set_count; i++)
        status = list_contexts(&store->sets[i], error);
    return status;
}

const struct bm_measured *bm_set_find(const struct bm_measured_set *set, const struct bm_case *the_case) {
    char work[BM_KEY_SIZE];
    size_t low = 0, high = set->count;
    bm_work_of_case(the_case, work);
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(set->rows[middle].work, work);
        if (order == 0)
            return &set->rows[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void bm_store_destroy(struct bm_serving_store *store) {
    if (store == NULL)
        return;
    for (size_t i = 0; i < store->device_count; i++)
        free(store->devices[i].files);
    for (size_t i = 0; i < store->set_count; i++) {
        free(store->sets[i].rows);
        free(store->sets[i].contexts);
    }
    free(store->devices);
    free(store->sets);
    free(store->files);
    free(store);
}
