#include "gate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void bm_quantity_change(char text[BM_QUANTITY_SIZE], double ln) {
    double percent = 100 * expm1(ln);
    if (!isfinite(percent)) {
        snprintf(text, BM_QUANTITY_SIZE, "-");
        return;
    }
    int decimals = fabs(percent) < 99.95 ? 1 : 0;
    if (fabs(percent) < 0.05)
        percent = 0; /* no "-0.0" */
    snprintf(text, BM_QUANTITY_SIZE, "%+.*f %%", decimals, percent);
}

void bm_quantity_change_interval(char text[2 * BM_QUANTITY_SIZE], double low, double high) {
    char from[BM_QUANTITY_SIZE], to[BM_QUANTITY_SIZE];
    bm_quantity_change(from, low);
    bm_quantity_change(to, high);
    if (!isfinite(low) || !isfinite(high))
        snprintf(text, (size_t)2 * BM_QUANTITY_SIZE, "-");
    else
        snprintf(text, (size_t)2 * BM_QUANTITY_SIZE, "%.*s to %s", (int)strlen(from) - 2, from, to);
}

void bm_gate_summary(const struct bm_gate *gate, char text[BM_GATE_SUMMARY_SIZE]) {
    size_t used = 0;
    text[0] = '\0';
    for (int verdict = 0; verdict < BM_VERDICTS; verdict++)
        if (gate->counts[verdict] > 0)
            used +=
                (size_t)snprintf(text + used, BM_GATE_SUMMARY_SIZE - used, "%s%zu %s", used > 0 ? ", " : "",
                                 gate->counts[verdict], bm_verdict_name((enum bm_verdict)verdict));
    snprintf(text + used, BM_GATE_SUMMARY_SIZE - used, "%s%zu rows", used > 0 ? " of " : "", gate->row_count);
}

void bm_gate_rules(const struct bm_gate *gate, char text[BM_GATE_SUMMARY_SIZE]) {
    snprintf(
        text, BM_GATE_SUMMARY_SIZE,
        "a change counts above %.1f %%%s, at a level of %g over all rows; unchanged is shown within %.1f %%",
        100 * expm1(gate->margin), gate->margin_calibrated ? " (from the baselines)" : "", gate->alpha,
        100 * fmax(BM_GATE_EQUIVALENCE, expm1(gate->margin)));
}

void bm_gate_row_name(const struct bm_gate_row *row, char text[256]) {
    snprintf(text, 256, "%s (%s, %s)", row->key, row->device, row->backend);
}

void bm_gate_row_sentence(const struct bm_gate_row *row, char text[BM_GATE_SUMMARY_SIZE]) {
    char change[BM_QUANTITY_SIZE], interval[2 * BM_QUANTITY_SIZE], detectable[BM_QUANTITY_SIZE];
    if (!isfinite(row->change)) {
        snprintf(text, BM_GATE_SUMMARY_SIZE, "%s",
                 row->why[0] != '\0' ? row->why : bm_verdict_meaning(row->verdict));
        return;
    }
    bm_quantity_change(change, row->change);
    bm_quantity_change_interval(interval, row->low, row->high);
    bm_quantity_change(detectable, row->detectable);
    snprintf(text, BM_GATE_SUMMARY_SIZE, "time %s (95 %%: %s), detectable %s%s%s", change, interval,
             detectable, row->why[0] != '\0' ? "; " : "", row->why);
}

bool bm_verdict_fails(enum bm_verdict verdict) {
    return verdict == BM_VERDICT_REGRESSED || verdict == BM_VERDICT_UNVERIFIED ||
           verdict == BM_VERDICT_MISSING || verdict == BM_VERDICT_INCOMPARABLE;
}
