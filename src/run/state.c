#include "run.h"

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

unsigned bm_run_threads(const struct bm_run *run, size_t item) {
    const struct bm_run_state *state = bm_run_state_of(run, item);
    const struct bm_endpoint *endpoint = bm_run_endpoint(run, &run->plan->items[item]);
    if (state->prepared != NULL && state->info.threads != 0)
        return state->info.threads;
    return endpoint->is_gpu ? 0 : endpoint->compute_units;
}

bool bm_run_stop_requested(const struct bm_run *run) {
    return run->observer != NULL && run->observer->stop_requested(run->observer->context);
}

double bm_run_seconds_since(uint64_t start_ns) {
    return (double)(bm_clock_now(&bm_clock_monotonic) - start_ns) / 1e9;
}
