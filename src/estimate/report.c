/* report.c - every device, backend and number format that the files tell of. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum bm_status bm_serving_report_create(const struct bm_serving_options *options,
                                        struct bm_serving_report **report_out, struct bm_error *error) {
    struct bm_serving_report *report = bm_alloc(1, sizeof *report);
    *report_out = NULL;
    if (report != NULL)
        report->store = bm_alloc(1, sizeof *report->store);
    if (report == NULL || report->store == NULL) {
        free(report);
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    }
    report->options = *options;
    *report_out = report;
    return BM_OK;
}

void bm_serving_report_destroy(struct bm_serving_report *report) {
    if (report == NULL)
        return;
    for (size_t i = 0; i < report->serving_count; i++) {
        struct bm_serving *serving = &report->servings[i];
        for (size_t p = 0; p < serving->point_count; p++)
            bm_point_fini(&serving->points[p]);
        free(serving->points);
        free(serving->files);
        free(serving->commands);
    }
    free(report->servings);
    bm_store_destroy(report->store);
    free(report);
}

bool bm_serving_report_incomplete(const struct bm_serving_report *report) {
    for (size_t i = 0; i < report->serving_count; i++)
        for (size_t p = 0; p < report->servings[i].point_count; p++)
            if (report->servings[i].points[p].missing_count > 0)
                return true;
    return false;
}

/* ---- what is asked for ---- */

static bool selects_device(const struct bm_names *selectors, const struct bm_measured_device *device) {
    for (size_t i = 0; i < selectors->count; i++)
        if (strcmp(selectors->items[i], device->id) == 0 || strcmp(selectors->items[i], device->kind) == 0 ||
            bm_string_contains(device->name, selectors->items[i]))
            return true;
    return selectors->count == 0;
}

/* "opencl/pocl", or its first word. */
static bool selects_backend(const struct bm_names *selectors, const char *backend) {
    for (size_t i = 0; i < selectors->count; i++) {
        const size_t length = strlen(selectors->items[i]);
        if (strncmp(selectors->items[i], backend, length) == 0 &&
            (backend[length] == '\0' || backend[length] == '/' || backend[length] == ' '))
            return true;
    }
    return selectors->count == 0;
}

static bool has_dtype(const struct bm_measured_set *set, const char *dtype) {
    char part[24];
    snprintf(part, sizeof part, "/%s/", dtype);
    for (size_t i = 0; i < set->count; i++)
        if (strncmp(set->rows[i].work, "gem", 3) == 0 && strstr(set->rows[i].work, part) != NULL)
            return true;
    return false;
}

/* Those that are named, else those that a matrix product was measured in. */
static bool selects_dtype(const struct bm_serving_options *options, const struct bm_measured_set *set,
                          const char *dtype) {
    for (size_t i = 0; i < options->dtypes.count; i++)
        if (strcmp(options->dtypes.items[i], dtype) == 0)
            return true;
    return options->dtypes.count == 0 && has_dtype(set, dtype);
}

static enum bm_status check_options(const struct bm_serving_options *options, struct bm_model *share,
                                    struct bm_error *error) {
    const struct bm_model *model = &options->model;
    const uint64_t longest = (uint64_t)options->prompt + options->generate - 1;
    if (longest > model->max_context)
        return bm_fail(error, BM_INVALID,
                       "%s: --prompt %u and --generate %u exceed the model's maximum context, %u", model->id,
                       options->prompt, options->generate, model->max_context);
    for (size_t i = 0; i < options->dtypes.count; i++)
        if (bm_dtype_find(options->dtypes.items[i]) == NULL)
            return bm_fail(error, BM_INVALID, "dtype '%s' is unknown: use %s", options->dtypes.items[i],
                           bm_dtype_names());
    return bm_model_shard(model, options->count, share, error);
}

/* ---- what comes of it ---- */

/* The best pipe that may serve the contract. */
static double peak_of(const struct bm_measured_device *device, const struct bm_dtype *dtype) {
    double best = (double)NAN;
    for (const char *const *pipe = dtype->pipes; *pipe != NULL; pipe++)
        for (size_t i = 0; i < device->peak_count; i++)
            if (strcmp(device->peaks[i].pipe, *pipe) == 0)
                best = fmax(best, device->peaks[i].gflops);
    return best;
}

/* The most tokens a second within the limit, and where arithmetic takes over. */
static void judge_points(const struct bm_serving_options *options, struct bm_serving *serving) {
    serving->best = serving->turn = SIZE_MAX;
    for (size_t i = 0; i < serving->point_count; i++) {
        const struct bm_serving_point *point = &serving->points[i];
        if (serving->turn == SIZE_MAX && point->compute_share >= 0.5)
            serving->turn = i;
        if (point->fits && point->tpot_ns.value <= options->tpot_limit_ns &&
            (serving->best == SIZE_MAX ||
             point->decode_tokens_per_s.value > serving->points[serving->best].decode_tokens_per_s.value))
            serving->best = i;
    }
}

static enum bm_status add_serving(struct bm_serving_report *report, const struct bm_measured_set *set,
                                  const struct bm_dtype *dtype, const struct bm_model *share,
                                  struct bm_error *error) {
    const struct bm_serving_options *options = &report->options;
    const struct bm_measured_device *device = &report->store->devices[set->device];
    enum bm_status status = bm_grow(&report->servings, &report->serving_capacity, report->serving_count + 1,
                                    sizeof *report->servings, error);
    if (status != BM_OK)
        return status;
    struct bm_serving *serving = &report->servings[report->serving_count++];
    *serving = (struct bm_serving){.memory_bytes = device->memory_bytes,
                                   .weight_bytes = bm_model_weight_bytes(share, dtype),
                                   .issue_ns = set->issue.ns,
                                   .wait_ns = set->wait.ns,
                                   .datasheet_gflops = peak_of(device, dtype),
                                   .datasheet_gbs = device->bandwidth_gbs,
                                   .files = strdup(device->files),
                                   .points = bm_alloc(options->batch_count, sizeof *serving->points)};
    bm_string_set(serving->device, sizeof serving->device, device->id);
    bm_string_set(serving->name, sizeof serving->name, device->name);
    bm_string_set(serving->backend, sizeof serving->backend, set->backend);
    bm_string_set(serving->dtype, sizeof serving->dtype, dtype->name);
    if (serving->files == NULL || serving->points == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for an estimate");
    for (size_t i = 0; status == BM_OK && i < options->batch_count; i++) {
        serving->points[serving->point_count++].batch = options->batches[i];
        status = bm_point_fill(options, share, dtype, set, serving, &serving->points[i], error);
    }
    judge_points(options, serving);
    serving->commands = bm_serving_commands(options, serving);
    if (status == BM_OK && serving->commands == NULL)
        status = bm_fail(error, BM_NO_MEMORY, "out of memory for commands");
    return status;
}

/* Nothing that could be summed up, not even in part. */
static enum bm_status fail_empty(const struct bm_serving_options *options, struct bm_error *error) {
    const bool selected = options->devices.count + options->backends.count + options->dtypes.count > 0;
    return bm_fail(
        error, BM_INVALID,
        "estimate: the files have no measured matrix product%s: measure with `benchmark run --model "
        "%.200s`",
        selected ? " of what --device, --backend and --dtype select" : "", options->model_name);
}

static int compare_sets(const void *a, const void *b) {
    const struct bm_measured_set *x = a, *y = b;
    return x->device != y->device ? (x->device > y->device) - (x->device < y->device)
                                  : strcmp(x->backend, y->backend);
}

enum bm_status bm_serving_report_finish(struct bm_serving_report *report, struct bm_error *error) {
    const struct bm_serving_options *options = &report->options;
    struct bm_serving_store *store = report->store;
    struct bm_model share;
    enum bm_status status = check_options(options, &share, error);
    if (status == BM_OK)
        status = bm_store_sort(store, error);
    if (store->set_count > 0)
        qsort(store->sets, store->set_count, sizeof *store->sets, compare_sets);
    for (size_t i = 0; status == BM_OK && i < store->set_count; i++) {
        const struct bm_measured_set *set = &store->sets[i];
        if (!selects_device(&options->devices, &store->devices[set->device]) ||
            !selects_backend(&options->backends, set->backend))
            continue;
        for (size_t d = 0; status == BM_OK && bm_dtype_get(d) != NULL; d++)
            if (selects_dtype(options, set, bm_dtype_get(d)->name))
                status = add_serving(report, set, bm_dtype_get(d), &share, error);
    }
    if (status == BM_OK && report->serving_count == 0)
        status = fail_empty(options, error);
    return status;
}
