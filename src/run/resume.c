#include <string.h>

#include "run.h"

static enum bm_status check_same(const struct bm_run *run, const struct bm_saved *saved,
                                 struct bm_error *error) {
    const char *path = run->options->resume;
    const bool hot = strcmp(saved->settings.cache, "hot") == 0;
    if (hot != run->options->hot)
        return bm_fail(error, BM_INVALID, "%s: $.settings.cache: was measured with --cache %s: give the same",
                       path, hot ? "hot" : "cold");
    if (strcmp(saved->tool.kernels_sha256, run->results.tool.kernels_sha256) != 0)
        return bm_fail(error, BM_INVALID,
                       "%s: $.tool.kernels_sha256: other kernels were measured: start a new run", path);
    for (size_t d = 0; d < run->results.device_count; d++)
        for (size_t s = 0; s < saved->device_count; s++)
            if (strcmp(saved->devices[s].id, run->results.devices[d].id) == 0 &&
                strcmp(saved->devices[s].fingerprint, run->results.devices[d].fingerprint) != 0)
                return bm_fail(error, BM_INVALID,
                               "%s: $.devices[%zu].fingerprint: %s was other hardware, system or driver: "
                               "start a new run",
                               path, s, saved->devices[s].id);
    return BM_OK;
}

/* key: the item's. */
static bool is_row_of(const struct bm_run *run, const struct bm_run_item *item, const char *key,
                      const struct bm_saved_row *row) {
    return strcmp(row->key, key) == 0 && strcmp(row->backend, bm_run_endpoint(run, item)->id) == 0 &&
           strcmp(row->device, run->inventory->devices[item->device].id) == 0;
}

static bool is_planned(const struct bm_run *run, const struct bm_saved_row *row) {
    for (size_t i = 0; i < run->plan->item_count; i++) {
        char key[BM_KEY_SIZE];
        bm_case_key(&run->plan->items[i].the_case, key);
        if (is_row_of(run, &run->plan->items[i], key, row))
            return true;
    }
    return false;
}

/* What is not planned again would be gone when the file is rewritten. Ceilings follow from the rows. */
static enum bm_status check_rows(const struct bm_run *run, const struct bm_saved *saved,
                                 struct bm_error *error) {
    for (size_t i = 0; i < saved->row_count; i++) {
        const struct bm_saved_row *row = &saved->rows[i];
        const bool is_ceiling = row->the_case.dtype[0] == '\0';
        if (row->round_count > 0 && row->measured_as[0] == '\0' && !is_ceiling && !is_planned(run, row))
            return bm_fail(error, BM_INVALID,
                           "%s: $.results[%zu]: %s (%s, %s) is not in this run and would be lost: give all "
                           "options of the interrupted run again",
                           run->options->resume, i, row->key, row->device, row->backend);
    }
    return BM_OK;
}

static enum bm_status take_rounds(const struct bm_saved_row *row, struct bm_series *series,
                                  uint64_t *elapsed_ns, struct bm_error *error) {
    enum bm_status status =
        bm_grow(&series->rounds, &series->capacity, row->round_count, sizeof *series->rounds, error);
    if (status != BM_OK)
        return status;
    for (size_t i = 0; i < row->round_count; i++) {
        const struct bm_saved_round *round = &row->rounds[i];
        series->rounds[i] = (struct bm_round){
            .start_ns = round->start_ns, .ns = round->ns, .launches = round->launches, .flags = round->flags};
        if (round->start_ns + round->ns > *elapsed_ns)
            *elapsed_ns = round->start_ns + round->ns;
        series->visits += (round->flags & BM_FLAG_CONTAMINATED) == 0;
    }
    series->count = row->round_count;
    return BM_OK;
}

enum bm_status bm_run_resume_open(struct bm_run *run, struct bm_error *error) {
    const struct bm_saved_options options = {.flag_name = bm_flag_name, .rounds = true};
    enum bm_status status = bm_saved_load(run->options->resume, &options, &run->saved, error);
    if (status == BM_OK)
        status = check_same(run, &run->saved, error);
    return status == BM_OK ? check_rows(run, &run->saved, error) : status;
}

enum bm_status bm_run_resume_rounds(struct bm_run *run, uint64_t *elapsed_ns, struct bm_error *error) {
    enum bm_status status = BM_OK;
    size_t other = 0;
    *elapsed_ns = 0;
    for (size_t i = 0; status == BM_OK && i < run->timed_count; i++) {
        const struct bm_run_item *item = &run->plan->items[run->timed[i]];
        const uint64_t hash = bm_parameters_hash(run->states[run->timed[i]].info.parameters);
        char key[BM_KEY_SIZE];
        bm_case_key(&item->the_case, key);
        for (size_t s = 0; status == BM_OK && s < run->saved.row_count; s++) {
            const struct bm_saved_row *row = &run->saved.rows[s];
            if (!is_row_of(run, item, key, row))
                continue;
            /* Ceilings choose anew in each run; `benchmark tune` may have been run between the two. */
            if (row->kernel.parameters_hash == hash && row->threads == bm_run_threads(run, run->timed[i]))
                status = take_rounds(row, &run->series[i], elapsed_ns, error);
            else
                other += !item->is_ceiling;
            break;
        }
    }
    if (other > 0)
        bm_log(BM_LOG_WARNING,
               "%s: %zu rows were measured with other kernel parameters or threads and start anew",
               run->options->resume, other);
    return status;
}
