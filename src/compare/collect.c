/* From a results file to columns: what a comparison needs of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bm/measure.h"
#include "internal.h"

static const double unknown = (double)NAN;

static bool is_trusted(const char *fact_status) {
    return strcmp(fact_status, "verified") == 0 || strcmp(fact_status, "derived") == 0;
}

/* ---- ceilings ---- */

static double datasheet_figure(const struct bm_saved_device *device, const struct bm_saved_ceiling *ceiling) {
    if (strncmp(ceiling->resource, "memory_", 7) == 0)
        return is_trusted(device->datasheet.bandwidth_status) ? device->datasheet.bandwidth_gbs : unknown;
    for (size_t i = 0; strcmp(ceiling->resource, "fma") == 0 && i < device->datasheet.peak_count; i++)
        if (strcmp(device->datasheet.peaks[i].pipe, ceiling->pipe) == 0 &&
            is_trusted(device->datasheet.peaks[i].status))
            return device->datasheet.peaks[i].gflops;
    return unknown;
}

static enum bm_status take_ceilings(const struct bm_saved *saved, const struct bm_saved_device *device,
                                    struct bm_compare_column *column, struct bm_error *error) {
    column->ceilings = bm_alloc(device->ceiling_count, sizeof *column->ceilings);
    if (column->ceilings == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu ceilings", device->ceiling_count);
    for (size_t i = 0; i < device->ceiling_count; i++) {
        const struct bm_saved_ceiling *from = &device->ceilings[i];
        struct bm_compare_ceiling *ceiling = &column->ceilings[column->ceiling_count];
        if (!(from->value > 0))
            continue;
        column->ceiling_count++;
        bm_string_set(ceiling->resource, sizeof ceiling->resource, from->resource);
        bm_string_set(ceiling->pipe, sizeof ceiling->pipe, from->pipe);
        bm_string_set(ceiling->backend, sizeof ceiling->backend, from->backend);
        bm_string_set(ceiling->unit, sizeof ceiling->unit, from->unit);
        ceiling->value = from->value;
        ceiling->spread = bm_spread_of(from->value, from->interval, BM_COMPARE_CONFIDENCE);
        ceiling->of_datasheet =
            from->value / (datasheet_figure(device, from) * bm_saved_packages(saved, device));
    }
    return BM_OK;
}

/* ---- columns and files ---- */

static void free_column(struct bm_compare_column *column) {
    for (size_t i = 0; i < column->cell_count; i++) {
        free(column->cells[i].rounds);
        free(column->cells[i].reason);
    }
    for (size_t i = 0; i < column->summary_count; i++)
        bm_summary_fini(&column->summaries[i]);
    free(column->cells);
    free(column->summaries);
    free(column->ceilings);
}

static enum bm_status take_device(struct bm_comparison *comparison, struct bm_saved *saved,
                                  struct bm_saved_device *device, struct bm_error *error) {
    enum bm_status status = bm_grow(&comparison->columns, &comparison->column_capacity,
                                    comparison->column_count + 1, sizeof *comparison->columns, error);
    if (status != BM_OK)
        return status;
    struct bm_compare_column *column = &comparison->columns[comparison->column_count++];
    const double packages = bm_saved_packages(saved, device);
    *column = (struct bm_compare_column){.file = comparison->file_count - 1,
                                         .tdp_watts = device->datasheet.tdp_watts * packages,
                                         .price_usd = unknown};
    bm_string_set(column->device, sizeof column->device, device->id);
    bm_string_set(column->kind, sizeof column->kind, device->kind);
    bm_string_set(column->name, sizeof column->name, device->name);
    bm_string_set(column->fingerprint, sizeof column->fingerprint, device->fingerprint);
    bm_string_set(column->datasheet, sizeof column->datasheet, device->datasheet.id);
    bm_string_set(column->released, sizeof column->released, device->datasheet.released);
    status = take_ceilings(saved, device, column, error);
    if (status == BM_OK)
        status = bm_column_take_rows(comparison, saved, device, column, error);
    if (status == BM_OK)
        status = bm_column_take_summaries(comparison, device, column, error);
    bm_column_name_backend(column);
    if (status == BM_OK && column->cell_count == 0) { /* nothing was asked of it */
        free_column(column);
        comparison->column_count--;
    }
    return status;
}

static enum bm_status take_file(struct bm_comparison *comparison, const char *path,
                                const struct bm_saved *saved, struct bm_error *error) {
    enum bm_status status = bm_grow(&comparison->files, &comparison->file_capacity,
                                    comparison->file_count + 1, sizeof *comparison->files, error);
    char *copy = status == BM_OK ? strdup(path) : NULL;
    if (copy == NULL)
        return status == BM_OK ? bm_fail(error, BM_NO_MEMORY, "out of memory") : status;
    struct bm_compare_file *file = &comparison->files[comparison->file_count++];
    *file = (struct bm_compare_file){.path = copy, .complete = saved->complete};
    bm_string_set(file->id, sizeof file->id, saved->id);
    bm_string_set(file->created, sizeof file->created, saved->created);
    bm_string_set(file->ab_id, sizeof file->ab_id, saved->ab.id);
    bm_string_set(file->ab_side, sizeof file->ab_side, saved->ab.side);
    bm_string_set(file->commit, sizeof file->commit, saved->tool.commit);
    bm_string_set(file->version, sizeof file->version, saved->tool.version);
    bm_string_set(file->kernels_sha256, sizeof file->kernels_sha256, saved->tool.kernels_sha256);
    bm_string_set(file->suite, sizeof file->suite, saved->settings.suite);
    bm_string_set(file->cache, sizeof file->cache, saved->settings.cache);
    bm_string_set(file->command, sizeof file->command, saved->settings.command);
    bm_string_set(file->hostname, sizeof file->hostname, saved->host.hostname);
    return BM_OK;
}

enum bm_status bm_comparison_add(struct bm_comparison *comparison, const char *path, struct bm_error *error) {
    struct bm_saved_options options = {.flag_name = bm_flag_name};
    struct bm_saved saved;
    enum bm_status status = bm_saved_load(path, &options, &saved, error);
    if (status == BM_OK && saved.ab.id[0] != '\0') { /* its rounds are pairs */
        bm_saved_fini(&saved);
        options.rounds = true;
        status = bm_saved_load(path, &options, &saved, error);
    }
    if (status != BM_OK)
        return status;
    status = take_file(comparison, path, &saved, error);
    for (size_t i = 0; status == BM_OK && i < saved.device_count; i++)
        if (bm_filter_has_device(&comparison->options.filter, &saved.devices[i]))
            status = take_device(comparison, &saved, &saved.devices[i], error);
    bm_saved_fini(&saved);
    return status;
}

enum bm_status bm_comparison_create(const struct bm_compare_options *options,
                                    struct bm_comparison **comparison_out, struct bm_error *error) {
    *comparison_out = NULL;
    struct bm_comparison *comparison = bm_alloc(1, sizeof *comparison);
    if (comparison == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    comparison->options = *options;
    comparison->normals = bm_joint_normals();
    enum bm_status status = bm_compare_index_create(&comparison->index, error);
    if (status == BM_OK && comparison->normals == NULL)
        status = bm_fail(error, BM_NO_MEMORY, "out of memory");
    if (status == BM_OK)
        *comparison_out = comparison;
    else
        bm_comparison_destroy(comparison);
    return status;
}

void bm_comparison_destroy(struct bm_comparison *comparison) {
    if (comparison == NULL)
        return;
    for (size_t i = 0; i < comparison->file_count; i++)
        free(comparison->files[i].path);
    for (size_t i = 0; i < comparison->column_count; i++)
        free_column(&comparison->columns[i]);
    for (size_t i = 0; i < comparison->line_count; i++) {
        free(comparison->lines[i].columns);
        free(comparison->lines[i].rows);
        free(comparison->lines[i].requests);
    }
    free(comparison->files);
    free(comparison->columns);
    free(comparison->rows);
    free(comparison->requests);
    free(comparison->lines);
    free(comparison->notes);
    free(comparison->normals);
    bm_compare_index_destroy(comparison->index);
    free(comparison);
}
