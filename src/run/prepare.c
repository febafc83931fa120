#include <math.h>
#include <stdlib.h>

#include "run.h"

static struct bm_session **session_of(const struct bm_run *run, const struct bm_run_item *item) {
    return &run->sessions[bm_run_endpoint(run, item) - run->inventory->endpoints];
}

void bm_run_open_sessions(struct bm_run *run) {
    for (size_t i = 0; i < run->plan->item_count; i++) {
        const struct bm_run_item *item = &run->plan->items[i];
        const struct bm_endpoint *endpoint = bm_run_endpoint(run, item);
        size_t index = (size_t)(endpoint - run->inventory->endpoints);
        if (run->sessions[index] != NULL || run->session_error[index].status != BM_OK)
            continue;
        struct bm_session_options options = {
            .cold_bytes = bm_device_cold_bytes(&run->inventory->devices[item->device], endpoint),
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

void bm_run_reserve_items(struct bm_run *run) {
    for (size_t i = 0; i < run->plan->item_count; i++) {
        const struct bm_run_item *item = &run->plan->items[i];
        const struct bm_endpoint *endpoint = bm_run_endpoint(run, item);
        struct bm_run_state *state = &run->states[i];
        struct bm_session *session = *session_of(run, item);
        if (item->measured_as != i)
            continue;
        if (session == NULL)
            state->error = run->session_error[endpoint - run->inventory->endpoints];
        else if (item->sequence != 0)
            bm_run_reserve_sequence(run, i, session);
        else
            (void)!endpoint->backend->reserve(session, &item->the_case, NULL, &state->error);
        if (state->error.status != BM_OK)
            give_up(state);
    }
}

/* The mean over all draws, which take turns in the launches. */
static enum bm_status count_experts(const struct bm_case *the_case, uint64_t seed, double *mean,
                                    struct bm_error *error) {
    *mean = 0;
    for (uint64_t draw = 0; the_case->experts > 0 && draw < BM_DRAWS; draw++) {
        uint64_t experts;
        enum bm_status status = bm_case_experts_drawn(the_case, seed, draw, &experts, error);
        if (status != BM_OK)
            return status;
        *mean += (double)experts / BM_DRAWS;
    }
    return BM_OK;
}

static size_t count_ceilings(const struct bm_run_plan *plan) {
    size_t count = 0;
    for (size_t i = 0; i < plan->item_count; i++)
        count += plan->items[i].is_ceiling;
    return count;
}

static void prepare_item(struct bm_run *run, size_t i) {
    const struct bm_run_item *item = &run->plan->items[i];
    const struct bm_backend *backend = bm_run_endpoint(run, item)->backend;
    struct bm_session *session = *session_of(run, item);
    struct bm_run_state *state = &run->states[i];
    struct bm_parameters best;
    const struct bm_parameters *parameters = NULL;
    if (item->is_ceiling && !run->options->verify_only &&
        bm_run_calibrate(backend, session, &item->the_case, run->plan->budget_s, count_ceilings(run->plan),
                         &best))
        parameters = &best;
    enum bm_status status =
        item->sequence != 0
            ? bm_run_prepare_sequence(run, i, session, &state->prepared, &state->error)
            : backend->prepare(session, &item->the_case, parameters, &state->prepared, &state->error);
    if (status == BM_OK) {
        backend->info(state->prepared, &state->info);
        status =
            backend->verify(state->prepared, run->options->seed + i, &state->verification, &state->error);
        if (status == BM_OK)
            status =
                count_experts(&item->the_case, run->options->seed, &state->experts_occurred, &state->error);
    }
    if (status != BM_OK && bm_run_stop_requested(run)) {
        /* A compiler that the signal met removes its own files and fails: that tells nothing of the device.
         */
        state->error = (struct bm_error){0};
    } else if (status != BM_OK) {
        give_up(state);
    } else if (state->verification.status == BM_VERIFICATION_FAILED) {
        state->status = BM_ROW_FAILED;
        bm_fail(&state->error, BM_INVALID, "verification failed: %s", state->verification.problem);
    }
}

static void tell_progress(const struct bm_run *run, size_t item, size_t done) {
    char key[BM_KEY_SIZE];
    if (run->observer == NULL)
        return;
    bm_case_key(&run->plan->items[item].the_case, key);
    struct bm_run_progress progress = {
        .stage = BM_STAGE_VERIFY,
        .done = done,
        .total = run->plan->item_count,
        .key = key,
        .seconds_left = run->options->verify_only ? (double)NAN
                                                  : run->plan->budget_s - bm_run_seconds_since(run->start_ns),
    };
    run->observer->progress(run->observer->context, &progress);
}

/* Verifying takes half of the budget at most: what it does not reach by then is left out. */
static const double verify_share = 0.5;

static void prepare_in_time(struct bm_run *run, size_t i) {
    struct bm_run_state *state = &run->states[i];
    if (run->plan->items[i].measured_as != i || state->status != BM_ROW_OK)
        return;
    if (run->options->verify_only || !bm_run_is_late(run, verify_share)) {
        prepare_item(run, i);
    } else {
        state->status = BM_ROW_SKIPPED;
        (void)!bm_run_leave_out(run, "verified", &state->error);
    }
}

static enum bm_status prepare_all(struct bm_run *run, bool ceilings, size_t *done, struct bm_error *error) {
    for (size_t i = 0; i < run->plan->item_count; i++) {
        if (run->plan->items[i].is_ceiling != ceilings)
            continue;
        if (bm_run_stop_requested(run))
            return bm_fail(error, BM_INTERRUPTED, "interrupted");
        prepare_in_time(run, i);
        tell_progress(run, i, ++*done);
    }
    return BM_OK;
}

/* Ceilings first: without them no row is judged, and a budget may end before all are prepared. */
enum bm_status bm_run_prepare_items(struct bm_run *run, struct bm_error *error) {
    size_t done = 0;
    enum bm_status status = prepare_all(run, true, &done, error);
    if (status == BM_OK)
        status = prepare_all(run, false, &done, error);
    if (status != BM_OK)
        return status;
    /* The last case too may have been left unverified by a signal: nothing may be timed then. */
    return bm_run_stop_requested(run) ? bm_fail(error, BM_INTERRUPTED, "interrupted") : BM_OK;
}
