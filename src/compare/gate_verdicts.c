/* From the figures of rows to their verdicts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bm/measure.h"
#include "bm/stats.h"
#include "gate_candidates.h"

static void weigh(const struct bm_gate *gate, const struct bm_gate_view *view, size_t rows,
                  struct bm_evidence *evidence) {
    const struct bm_runs old = bm_gate_runs_of(&view->old), again = bm_gate_runs_of(&view->again);
    bm_gate_weigh_runs(&view->history, &old, &again, gate->margin, gate->alpha, rows, evidence);
}

/* What is the machine's own is none of a row's. A ceiling is the machine's by definition: without a history
 * nothing is known of how much it varies, on a host that moves its guests by half. */
static void leave_out_the_machine(const struct bm_gate *gate, const struct bm_gate_candidate *candidate,
                                  size_t rows, struct bm_evidence *evidence) {
    struct bm_evidence share;
    if (gate->rows[candidate->row].is_ceiling && candidate->time.history.assumed) {
        evidence->p_slower = evidence->p_faster = 1;
        evidence->detectable = (double)INFINITY;
    } else if (bm_gate_view_is_known(&candidate->share)) {
        weigh(gate, &candidate->share, rows, &share);
        bm_gate_require_both(evidence, &share);
    }
}

/* Why a row is inconclusive. by_time: the verdict that its time alone would have had. */
static void explain(const struct bm_gate *gate, const struct bm_gate_candidate *candidate,
                    enum bm_verdict by_time, const struct bm_evidence *evidence, bool unstable) {
    struct bm_gate_row *row = &gate->rows[candidate->row];
    const bool slower = by_time == BM_VERDICT_REGRESSED, faster = by_time == BM_VERDICT_IMPROVED;
    const double p = slower ? evidence->p_slower : evidence->p_faster;
    if (unstable && evidence->equivalent)
        snprintf(row->why, sizeof row->why, "its rounds are unstable: it cannot be called unchanged");
    row->with_machine = (slower || faster) && 2 * p > gate->alpha;
    if (row->with_machine && row->is_ceiling)
        snprintf(row->why, sizeof row->why, "the machine is %s: %d baselines would tell whether it often is",
                 slower ? "slower" : "faster", BM_GATE_HISTORY);
    else if (row->with_machine)
        snprintf(row->why, sizeof row->why, "%s with the machine: its share of what that delivers did not %s",
                 slower ? "slower" : "faster", slower ? "fall" : "rise");
}

enum bm_status bm_gate_candidates_judge(struct bm_gate *gate, const struct bm_gate_candidates *candidates,
                                        struct bm_error *error) {
    const struct bm_gate_candidate *items = candidates->items;
    const size_t count = candidates->count;
    struct bm_evidence *evidence = bm_alloc(count, sizeof *evidence);
    bool *unstable = bm_alloc(count, sizeof *unstable);
    enum bm_verdict *verdicts = bm_alloc(count, sizeof *verdicts),
                    *by_time = bm_alloc(count, sizeof *by_time);
    double *adjusted = bm_alloc(count, sizeof *adjusted);
    enum bm_status status =
        evidence != NULL && unstable != NULL && verdicts != NULL && by_time != NULL && adjusted != NULL
            ? BM_OK
            : bm_fail(error, BM_NO_MEMORY, "out of memory for %zu rows", count);
    for (size_t i = 0; status == BM_OK && i < count; i++) {
        weigh(gate, &items[i].time, count, &evidence[i]);
        unstable[i] = (gate->rows[items[i].row].flags & (BM_FLAG_UNSTABLE | BM_FLAG_BIMODAL)) != 0;
    }
    if (status == BM_OK)
        status = bm_gate_decide(evidence, unstable, count, gate->alpha, by_time, adjusted, error);
    for (size_t i = 0; status == BM_OK && i < count; i++)
        leave_out_the_machine(gate, &items[i], count, &evidence[i]);
    if (status == BM_OK)
        status = bm_gate_decide(evidence, unstable, count, gate->alpha, verdicts, adjusted, error);
    for (size_t i = 0; status == BM_OK && i < count; i++) {
        struct bm_gate_row *row = &gate->rows[items[i].row];
        row->verdict = verdicts[i];
        row->change = evidence[i].change;
        row->low = evidence[i].low;
        row->high = evidence[i].high;
        row->detectable = evidence[i].detectable;
        row->p = adjusted[i];
        if (row->verdict == BM_VERDICT_INCONCLUSIVE)
            explain(gate, &items[i], by_time[i], &evidence[i], unstable[i]);
    }
    free(evidence);
    free(unstable);
    free(verdicts);
    free(by_time);
    free(adjusted);
    return status;
}
