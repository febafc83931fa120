/* From evidence to verdicts. */
#include <math.h>
#include <stdlib.h>

#include "bm/compare.h"
#include "bm/gate.h"
#include "bm/stats.h"

static const struct {
    const char *name, *meaning;
} verdicts[BM_VERDICTS] = {
    [BM_VERDICT_REGRESSED] = {"regressed", "slower by more than the margin"},
    [BM_VERDICT_UNVERIFIED] = {"unverified", "has no figure any more: failed, invalid or skipped"},
    [BM_VERDICT_MISSING] = {"missing", "in the latest baseline, not in the new results"},
    [BM_VERDICT_INCOMPARABLE] = {"incomparable",
                                 "measured on other hardware, system or driver, or of other work"},
    [BM_VERDICT_THROTTLED] = {"throttled", "the system limited clock or power meanwhile"},
    [BM_VERDICT_INCONCLUSIVE] = {"inconclusive", "neither a change nor its absence is shown"},
    [BM_VERDICT_IMPROVED] = {"improved", "faster by more than the margin"},
    [BM_VERDICT_ADDED] = {"added", "no baseline has it"},
    [BM_VERDICT_UNCHANGED] = {"unchanged", "shown to lie within 3 %"},
};

const char *bm_verdict_name(enum bm_verdict verdict) {
    return verdicts[verdict].name;
}

const char *bm_verdict_meaning(enum bm_verdict verdict) {
    return verdicts[verdict].meaning;
}

static double equivalence_bound(double margin) {
    return fmax(log1p(BM_GATE_EQUIVALENCE), margin); /* a wider margin says that more does not matter */
}

/* Of a two-sided test at alpha, shared by all rows: what Holm asks of the smallest p. */
static double first_quantile(double alpha, size_t rows, double freedom) {
    return -bm_stats_t_quantile(alpha / 2 / (double)(rows > 0 ? rows : 1), freedom);
}

/* ---- runs ---- */

static double mean_square(const double *values, size_t count) {
    double sum = 0;
    size_t known = 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(values[i])) {
            sum += values[i] * values[i];
            known++;
        }
    return known > 0 ? sum / (double)known : 0;
}

void bm_gate_weigh_runs(const struct bm_history *history, const struct bm_runs *old,
                        const struct bm_runs *new_runs, double margin, double alpha, size_t rows,
                        struct bm_evidence *evidence) {
    const double between = history->deviation * history->deviation;
    double old_within = mean_square(old->deviations + history->first, old->count - history->first);
    double new_within = mean_square(new_runs->deviations, new_runs->count);
    double runs = (double)history->count, again = (double)new_runs->count;
    /* The scatter of the history holds what its runs are uncertain by themselves; an assumed one does not.
     * New runs may be shorter, and less certain. */
    double variance = history->assumed ? (between + old_within) / runs + (between + new_within) / again
                                       : fmax(between, old_within) / runs +
                                             fmax(fmax(between, old_within), new_within) / again;
    double error = fmax(1e-9, sqrt(variance)), freedom = history->freedom;
    double change = bm_stats_mean(new_runs->values, new_runs->count) - history->center;
    double half = -bm_stats_t_quantile((1 - BM_COMPARE_CONFIDENCE) / 2, freedom) * error;
    double inside = -bm_stats_t_quantile(BM_GATE_ALPHA, freedom) * error; /* two one-sided tests */
    double bound = equivalence_bound(margin);
    *evidence = (struct bm_evidence){
        .change = change,
        .low = change - half,
        .high = change + half,
        .p_slower = bm_stats_t_cdf((margin - change) / error, freedom),
        .p_faster = bm_stats_t_cdf((margin + change) / error, freedom),
        .equivalent = change - inside > -bound && change + inside < bound,
        .detectable =
            margin +
            (first_quantile(alpha, rows, freedom) + bm_stats_t_quantile(BM_GATE_POWER, freedom)) * error,
    };
}

void bm_gate_require_both(struct bm_evidence *time, const struct bm_evidence *share) {
    time->p_slower = fmax(time->p_slower, share->p_slower);
    time->p_faster = fmax(time->p_faster, share->p_faster);
    time->detectable = fmax(time->detectable, share->detectable);
}

double bm_gate_margin(const double *deviations, size_t count) {
    double ordinary = count > 0 ? bm_stats_percentile(deviations, count, 0.95) : 0;
    return log1p(fmin(BM_GATE_EQUIVALENCE, fmax(BM_GATE_MARGIN, expm1(ordinary))));
}

/* ---- pairs ---- */

/* Of the signed-rank test with the shift taken off, that the differences lie above it. */
static enum bm_status p_above(const double *differences, size_t count, double sign, double shift,
                              double *shifted, double *p, struct bm_error *error) {
    struct bm_rank_test test;
    for (size_t i = 0; i < count; i++)
        shifted[i] = sign * differences[i] - shift;
    enum bm_status status = bm_stats_signed_rank(shifted, count, BM_GREATER, &test, error);
    *p = status == BM_OK ? test.p : 1;
    return status;
}

enum bm_status bm_gate_weigh_pairs(const double *differences, size_t count, double margin, double alpha,
                                   size_t rows, struct bm_evidence *evidence, struct bm_error *error) {
    struct bm_location whole, inside;
    *evidence = (struct bm_evidence){.p_slower = 1, .p_faster = 1, .detectable = (double)INFINITY};
    double *shifted = bm_alloc(count, sizeof *shifted);
    if (shifted == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu rounds", count);
    enum bm_status status = bm_stats_hodges_lehmann(differences, count, BM_COMPARE_CONFIDENCE, &whole, error);
    if (status == BM_OK)
        status = bm_stats_hodges_lehmann(differences, count, 1 - 2 * alpha, &inside, error);
    if (status == BM_OK)
        status = p_above(differences, count, 1, margin, shifted, &evidence->p_slower, error);
    if (status == BM_OK)
        status = p_above(differences, count, -1, margin, shifted, &evidence->p_faster, error);
    free(shifted);
    if (status != BM_OK)
        return status;
    const double bound = equivalence_bound(margin), size = (double)count;
    evidence->change = whole.estimate;
    evidence->low = whole.interval.low;
    evidence->high = whole.interval.high;
    evidence->equivalent = inside.interval.confidence >= 1 - 2 * alpha && inside.interval.low > -bound &&
                           inside.interval.high < bound;
    /* The estimate's error as its interval tells; below a count even the extreme ranks are not rare enough
     * for Holm. */
    double z = bm_stats_normal_quantile((1 + whole.interval.confidence) / 2);
    double deviation = (whole.interval.high - whole.interval.low) / 2 / z;
    bool possible = exp2(1 - size) <= alpha / (double)(rows > 0 ? rows : 1);
    if (possible && isfinite(deviation))
        evidence->detectable = margin + (first_quantile(alpha, rows, (double)INFINITY) +
                                         bm_stats_normal_quantile(BM_GATE_POWER)) *
                                            deviation;
    return BM_OK;
}

/* ---- all rows ---- */

enum bm_status bm_gate_decide(const struct bm_evidence *evidence, const bool *unstable, size_t count,
                              double alpha, enum bm_verdict *verdict, double *adjusted,
                              struct bm_error *error) {
    for (size_t i = 0; i < count; i++)
        adjusted[i] = fmin(1, 2 * fmin(evidence[i].p_slower, evidence[i].p_faster));
    enum bm_status status = bm_stats_holm(adjusted, count, adjusted, error);
    for (size_t i = 0; status == BM_OK && i < count; i++) {
        bool slower = evidence[i].p_slower < evidence[i].p_faster;
        if (adjusted[i] <= alpha)
            verdict[i] = slower ? BM_VERDICT_REGRESSED : BM_VERDICT_IMPROVED;
        else
            verdict[i] =
                evidence[i].equivalent && !unstable[i] ? BM_VERDICT_UNCHANGED : BM_VERDICT_INCONCLUSIVE;
    }
    return status;
}
