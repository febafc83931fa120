/* Long blocks of the two main ceilings: what remains of them under power and heat limits. */
#include <math.h>
#include <string.h>

#include "run.h"

/* Ten seconds, of which the second half counts; a sixth of the budget at most, so from 120 s for one device.
 * Pieces of a quarter of a second leave room for a signal, and the device no time to cool. */
enum { HOLD_S = 10, BUDGET_SHARE = 6, PIECE_NS = 250000000, LAUNCHES_MOST = 1 << 20 };

static bool is_held(const struct bm_run *run, size_t item) {
    const struct bm_case *the_case = &run->plan->items[item].the_case;
    const char *workload = the_case->workload->name;
    if (the_case->threads != 0 || the_case->node != 0 || the_case->small_pages)
        return false;
    return run->plan->items[item].is_ceiling &&
           ((strcmp(workload, "stream") == 0 && strcmp(the_case->op, "read") == 0) ||
            (strcmp(workload, "fma") == 0 && strcmp(the_case->op, "f32_vector") == 0));
}

double bm_run_hold_seconds(const struct bm_run *run) {
    double seconds = 0;
    for (size_t i = 0; i < run->timed_count; i++)
        seconds += is_held(run, run->timed[i]) ? HOLD_S : 0;
    return BUDGET_SHARE * seconds <= run->plan->budget_s ? seconds : 0;
}

static void tell(const struct bm_run *run, size_t item, double seconds_left) {
    char key[BM_KEY_SIZE];
    if (run->observer == NULL)
        return;
    bm_case_key(&run->plan->items[item].the_case, key);
    struct bm_run_progress progress = {.stage = BM_STAGE_MEASURE,
                                       .done = run->timed_count,
                                       .total = run->timed_count,
                                       .key = key,
                                       .seconds_left = seconds_left};
    run->observer->progress(run->observer->context, &progress);
}

/* A failing block leaves the figure unknown: the ceiling itself was measured before. */
static enum bm_status hold(struct bm_run *run, const struct bm_clock *clock, size_t item,
                           const struct bm_series *series, struct bm_error *error) {
    const struct bm_backend *backend = bm_run_endpoint(run, &run->plan->items[item])->backend;
    const uint64_t start = bm_clock_now(clock);
    struct bm_estimate estimate;
    uint64_t ns = 0, total = 0;
    bm_series_estimate(series, 0, &estimate);
    uint64_t launches = (uint64_t)fmin(fmax(PIECE_NS / estimate.median_ns, 1), LAUNCHES_MOST);
    double seconds = 0;
    while (seconds < HOLD_S) {
        struct bm_block block;
        if (bm_run_stop_requested(run))
            return bm_fail(error, BM_INTERRUPTED, "interrupted");
        tell(run, item, HOLD_S - seconds);
        if (backend->run(run->states[item].prepared, launches, &block, NULL) != BM_OK)
            return BM_OK;
        if (seconds >= HOLD_S / 2.0) {
            ns += block.host_ns;
            total += launches;
        }
        seconds = (double)(bm_clock_now(clock) - start) / 1e9;
    }
    run->steady_ns[item] = total > 0 ? (double)ns / (double)total : 0;
    return BM_OK;
}

enum bm_status bm_run_hold(struct bm_run *run, const struct bm_clock *clock, struct bm_error *error) {
    enum bm_status status = BM_OK;
    if (bm_run_hold_seconds(run) == 0)
        return BM_OK;
    for (size_t i = 0; status == BM_OK && i < run->timed_count; i++)
        if (is_held(run, run->timed[i]) && !run->series[i].failed && run->series[i].count > 0)
            status = hold(run, clock, run->timed[i], &run->series[i], error);
    return status;
}
