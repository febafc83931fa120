/* What there is no time for. */
#include "run.h"

enum { LEAST_S = 10 };

bool bm_run_is_late(const struct bm_run *run, double share) {
    const double budget_s = run->plan->budget_s;
    return budget_s >= LEAST_S && bm_run_seconds_since(run->start_ns) >= share * budget_s;
}

enum bm_status bm_run_leave_out(const struct bm_run *run, const char *before, struct bm_error *error) {
    return bm_fail(error, BM_TIMED_OUT, "the budget of %g s ended before it was %s", run->plan->budget_s,
                   before);
}

void bm_run_tell_left_out(const struct bm_run *run) {
    size_t count = 0;
    for (size_t i = 0; i < run->plan->item_count; i++)
        count += run->plan->items[i].measured_as == i && run->states[i].error.status == BM_TIMED_OUT;
    for (size_t i = 0; i < run->timed_count; i++)
        count += run->series[i].failed && run->series[i].error.status == BM_TIMED_OUT;
    if (count > 0)
        bm_log(BM_LOG_WARNING, "%zu case%s left out: the budget of %g s ended before", count,
               count > 1 ? "s were" : " was", run->plan->budget_s);
}
