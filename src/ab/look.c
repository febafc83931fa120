/* Sequential decisions on paired rounds. */
#include <math.h>
#include <stdlib.h>

#include "bm/ab.h"

void bm_ab_plan_of(unsigned rounds, struct bm_ab_plan *plan) {
    static const double parts[BM_AB_LOOKS] = {0.3, 0.5, 1}, shares[BM_AB_LOOKS] = {0.2, 0.3, 0.5};
    for (int look = 0; look < BM_AB_LOOKS; look++) {
        plan->rounds[look] = (unsigned)ceil(parts[look] * rounds - 1e-9);
        plan->shares[look] = shares[look];
    }
}

unsigned bm_ab_least_rounds(size_t rows, double alpha) {
    return (unsigned)ceil(1 + log2((double)(rows > 0 ? rows : 1) / alpha) - 1e-9);
}

/* What stands for a row in Holm's family that was decided at an earlier look. */
static struct bm_evidence evidence_of_decided(const struct bm_ab_series *series) {
    const bool changed = series->verdict == BM_VERDICT_REGRESSED || series->verdict == BM_VERDICT_IMPROVED;
    const double p = changed ? 0 : 1;
    return (struct bm_evidence){.p_slower = p, .p_faster = p};
}

static enum bm_status weigh(const struct bm_ab_series *series, size_t rows, double margin, double alpha,
                            struct bm_evidence *evidence, struct bm_error *error) {
    if (series->decided) {
        *evidence = evidence_of_decided(series);
        return BM_OK;
    }
    if (series->count == 0) {
        *evidence = (struct bm_evidence){.change = (double)NAN,
                                         .low = (double)NAN,
                                         .high = (double)NAN,
                                         .p_slower = 1,
                                         .p_faster = 1,
                                         .detectable = (double)INFINITY};
        return BM_OK;
    }
    return bm_gate_weigh_pairs(series->differences, series->count, margin, alpha, rows, evidence, error);
}

enum bm_status bm_ab_look(struct bm_ab_series *series, size_t count, double margin, double alpha,
                          double share, bool is_last, struct bm_error *error) {
    struct bm_evidence *evidence = bm_alloc(count, sizeof *evidence);
    bool *unstable = bm_alloc(count, sizeof *unstable);
    enum bm_verdict *verdicts = bm_alloc(count, sizeof *verdicts);
    double *adjusted = bm_alloc(count, sizeof *adjusted);
    enum bm_status status = BM_OK;
    if (evidence == NULL || unstable == NULL || verdicts == NULL || adjusted == NULL) {
        status = bm_fail(error, BM_NO_MEMORY, "out of memory for %zu rows", count);
        goto out;
    }
    for (size_t i = 0; status == BM_OK && i < count; i++) {
        unstable[i] = series[i].unstable;
        status = weigh(&series[i], count, margin, alpha * share, &evidence[i], error);
    }
    if (status == BM_OK)
        status = bm_gate_decide(evidence, unstable, count, alpha * share, verdicts, adjusted, error);
    for (size_t i = 0; status == BM_OK && i < count; i++) {
        struct bm_ab_series *row = &series[i];
        if (row->decided)
            continue;
        row->evidence = evidence[i];
        row->p = fmin(1, adjusted[i] / share);
        row->verdict = verdicts[i];
        row->decided = is_last || verdicts[i] != BM_VERDICT_INCONCLUSIVE;
    }
out:
    free(evidence);
    free(unstable);
    free(verdicts);
    free(adjusted);
    return status;
}
