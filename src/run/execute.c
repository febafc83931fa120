#include <stdlib.h>

#include "run.h"

enum { RESERVE_BYTES = 1 << 20 };

/* Host threads stay near the one device that is used; several devices share the whole machine. */
static void bind_near(const struct bm_run *run) {
    for (size_t i = 1; i < run->plan->item_count; i++)
        if (run->plan->items[i].device != run->plan->items[0].device)
            return;
    bm_device_bind_near(run->inventory, &run->inventory->devices[run->plan->items[0].device]);
}

static enum bm_status allocate(struct bm_run *run, struct bm_error *error) {
    size_t items = run->plan->item_count, endpoints = run->inventory->endpoint_count;
    run->sessions = bm_alloc(endpoints, sizeof(struct bm_session *));
    run->session_error = bm_alloc(endpoints, sizeof *run->session_error);
    run->states = bm_alloc(items, sizeof *run->states);
    run->series = bm_alloc(items, sizeof *run->series);
    run->timed = bm_alloc(items, sizeof *run->timed);
    run->rounds = bm_alloc(items, sizeof *run->rounds);
    run->steady_ns = bm_alloc(items, sizeof *run->steady_ns);
    bool complete = run->sessions != NULL && run->session_error != NULL && run->states != NULL &&
                    run->series != NULL && run->timed != NULL && run->rounds != NULL &&
                    run->steady_ns != NULL;
    return complete ? BM_OK : bm_fail(error, BM_NO_MEMORY, "out of memory for %zu cases", items);
}

static enum bm_status execute(struct bm_run *run, struct bm_error *error) {
    enum bm_status status = allocate(run, error);
    if (status == BM_OK)
        status = bm_run_start_results(run, error);
    if (status == BM_OK && run->options->resume != NULL)
        status = bm_run_resume_open(run, error);
    if (status == BM_OK && run->options->output != NULL)
        status = bm_file_check_writable(run->options->output, RESERVE_BYTES, error);
    if (status != BM_OK)
        return status;
    run->measured = true;
    bind_near(run);
    bm_run_open_sessions(run);
    bm_run_reserve_items(run);
    status = bm_run_prepare_items(run, error);
    if (status == BM_OK && !run->options->verify_only)
        status = bm_run_time(run, error);
    run->results.complete = status == BM_OK;
    if (status == BM_OK || status == BM_INTERRUPTED) {
        struct bm_error write_error = {0};
        enum bm_status written = bm_run_write(run, &write_error);
        if (written != BM_OK && error != NULL)
            *error = write_error; /* also after an interrupt: the file is not what the user thinks */
        if (status == BM_OK)
            status = written;
    }
    return status;
}

enum bm_status bm_run_execute(const struct bm_run_options *options, const struct bm_inventory *inventory,
                              const struct bm_run_plan *plan, const struct bm_run_observer *observer,
                              struct bm_run **run_out, struct bm_error *error) {
    *run_out = NULL;
    struct bm_run *run = bm_alloc(1, sizeof *run);
    if (run == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    run->options = options;
    run->inventory = inventory;
    run->plan = plan;
    run->observer = observer;
    run->start_ns = run->last_write_ns = bm_clock_now(&bm_clock_monotonic);
    enum bm_status status = execute(run, error);
    if (run->measured)
        *run_out = run;
    else
        bm_run_destroy(run);
    return status;
}

const struct bm_results *bm_run_results_get(const struct bm_run *run) {
    return &run->results;
}

void bm_run_destroy(struct bm_run *run) {
    if (run == NULL)
        return;
    for (size_t i = 0; run->states != NULL && i < run->plan->item_count; i++)
        bm_run_endpoint(run, &run->plan->items[i])->backend->discard(run->states[i].prepared);
    for (size_t i = 0; run->sessions != NULL && i < run->inventory->endpoint_count; i++)
        run->inventory->endpoints[i].backend->close(run->sessions[i]);
    for (size_t i = 0; i < run->plan->item_count; i++) {
        if (run->series != NULL)
            bm_series_fini(&run->series[i]);
        if (run->rounds != NULL)
            free(run->rounds[i]);
    }
    bm_control_destroy(run->control);
    bm_results_fini(&run->results);
    bm_saved_fini(&run->saved);
    free(run->sessions);
    free(run->session_error);
    free(run->states);
    free(run->series);
    free(run->timed);
    free(run->rounds);
    free(run->steady_ns);
    free(run->command);
    free(run);
}
