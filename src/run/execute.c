#include <stdlib.h>

#include "run.h"

enum { RESERVE_BYTES = 1 << 20 };

const struct bm_endpoint *bm_run_endpoint(const struct bm_run *run, const struct bm_run_item *item) {
    return run->inventory->devices[item->device].endpoints[item->endpoint];
}

const struct bm_run_state *bm_run_state_of(const struct bm_run *run, size_t item) {
    return &run->states[run->plan->items[item].measured_as];
}

const struct bm_series *bm_run_series_of(const struct bm_run *run, size_t item) {
    size_t measured = run->plan->items[item].measured_as;
    for (size_t i = 0; i < run->timed_count; i++)
        if (run->timed[i] == measured)
            return &run->series[i];
    return NULL;
}

static struct bm_session **session_of(const struct bm_run *run, const struct bm_run_item *item) {
    return &run->sessions[bm_run_endpoint(run, item) - run->inventory->endpoints];
}

bool bm_run_stop_requested(const struct bm_run *run) {
    return run->observer != NULL && run->observer->stop_requested(run->observer->context);
}

double bm_run_seconds_since(uint64_t start_ns) {
    return (double)(bm_clock_now(&bm_clock_monotonic) - start_ns) / 1e9;
}

/* ---- the results file ---- */

enum bm_status bm_run_refresh(struct bm_run *run, struct bm_error *error) {
    if (run->control != NULL)
        bm_control_report(run->control, &run->results.host.environment);
    enum bm_status status = bm_run_fill_rows(run, error);
    if (status == BM_OK)
        status = bm_run_fill_ceilings(run, error);
    if (status != BM_OK)
        return status;
    bm_run_fill_utilization(run);
    return bm_run_fill_summaries(run, error);
}

enum bm_status bm_run_write(struct bm_run *run, struct bm_error *error) {
    struct bm_text text = {0};
    enum bm_status status = bm_run_refresh(run, error);
    if (status == BM_OK && run->options->output != NULL) {
        status = bm_results_format(&run->results, &text, error);
        if (status == BM_OK)
            status = bm_file_write_atomic(run->options->output, text.data, text.length, error);
        bm_text_fini(&text);
    }
    run->last_write_ns = bm_clock_now(&bm_clock_monotonic);
    return status;
}

/* ---- before timing: sessions, buffers, verification ---- */

static void open_sessions(struct bm_run *run) {
    for (size_t i = 0; i < run->plan->item_count; i++) {
        const struct bm_run_item *item = &run->plan->items[i];
        const struct bm_endpoint *endpoint = bm_run_endpoint(run, item);
        size_t index = (size_t)(endpoint - run->inventory->endpoints);
        if (run->sessions[index] != NULL || run->session_error[index].status != BM_OK)
            continue;
        struct bm_session_options options = {
            .cold_bytes = bm_run_cold_bytes(&run->inventory->devices[item->device], endpoint),
            .seed = run->options->seed,
            .kernels_folder = run->options->kernels_folder,
        };
        (void)!endpoint->backend->open(endpoint, &options, &run->sessions[index], &run->session_error[index]);
    }
}

/* What the device cannot hold or do is skipped; anything else that goes wrong is a failure. */
static void give_up(struct bm_run_state *state) {
    bool cannot = state->error.status == BM_UNSUPPORTED || state->error.status == BM_NO_MEMORY;
    state->status = cannot ? BM_ROW_SKIPPED : BM_ROW_FAILED;
}

static void reserve_items(struct bm_run *run) {
    for (size_t i = 0; i < run->plan->item_count; i++) {
        const struct bm_run_item *item = &run->plan->items[i];
        const struct bm_endpoint *endpoint = bm_run_endpoint(run, item);
        struct bm_run_state *state = &run->states[i];
        struct bm_session *session = *session_of(run, item);
        if (item->measured_as != i)
            continue;
        if (session == NULL)
            state->error = run->session_error[endpoint - run->inventory->endpoints];
        else if (endpoint->backend->reserve(session, &item->the_case, &state->error) == BM_OK)
            continue;
        give_up(state);
    }
}

static void prepare_item(struct bm_run *run, size_t i) {
    const struct bm_run_item *item = &run->plan->items[i];
    const struct bm_backend *backend = bm_run_endpoint(run, item)->backend;
    struct bm_session *session = *session_of(run, item);
    struct bm_run_state *state = &run->states[i];
    struct bm_parameters best;
    const struct bm_parameters *parameters = NULL;
    if (item->is_ceiling && !run->options->verify_only &&
        bm_run_calibrate(backend, session, &item->the_case, run->plan->budget_s, &best))
        parameters = &best;
    enum bm_status status =
        backend->prepare(session, &item->the_case, parameters, &state->prepared, &state->error);
    if (status == BM_OK) {
        backend->info(state->prepared, &state->info);
        status =
            backend->verify(state->prepared, run->options->seed + i, &state->verification, &state->error);
    }
    if (status != BM_OK) {
        give_up(state);
    } else if (state->verification.status == BM_VERIFICATION_FAILED) {
        state->status = BM_ROW_FAILED;
        bm_fail(&state->error, BM_INVALID, "verification failed: %s", state->verification.problem);
    }
}

static enum bm_status prepare_items(struct bm_run *run, struct bm_error *error) {
    size_t total = run->plan->item_count;
    for (size_t i = 0; i < total; i++) {
        struct bm_run_state *state = &run->states[i];
        if (bm_run_stop_requested(run))
            return bm_fail(error, BM_INTERRUPTED, "interrupted");
        if (run->plan->items[i].measured_as == i && state->status == BM_ROW_OK)
            prepare_item(run, i);
        if (run->observer == NULL)
            continue;
        char key[BM_KEY_SIZE];
        bm_case_key(&run->plan->items[i].the_case, key);
        struct bm_run_progress progress = {
            .stage = BM_STAGE_VERIFY,
            .done = i + 1,
            .total = total,
            .key = key,
            .seconds_left = run->plan->budget_s - bm_run_seconds_since(run->start_ns),
        };
        run->observer->progress(run->observer->context, &progress);
    }
    return BM_OK;
}

/* ---- the whole ---- */

/* Host threads stay near the one device that is used; several devices share the whole machine. */
static void bind_near(const struct bm_run *run) {
    const struct bm_device *only = &run->inventory->devices[run->plan->items[0].device];
    struct bm_error error = {0};
    for (size_t i = 1; i < run->plan->item_count; i++)
        if (run->plan->items[i].device != run->plan->items[0].device)
            return;
    if (only->numa_count > 0 &&
        bm_topology_bind_near(run->inventory->topology, only->numa, only->numa_count, &error) != BM_OK)
        bm_log(BM_LOG_INFO, "host threads are not bound near %s: %s", only->id, error.message);
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
    open_sessions(run);
    reserve_items(run);
    status = prepare_items(run, error);
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
    bm_saved_run_fini(&run->saved);
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
