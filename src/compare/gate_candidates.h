/* Private to the compare module: rows of a gate on their way to a verdict, which figures decide. */
#ifndef BM_GATE_CANDIDATES_H
#define BM_GATE_CANDIDATES_H

#include "gate_store.h"

/* Figures of an entry's runs as arrays: of those that have one and were not throttled. */
struct bm_gate_series {
    double *values, *deviations; /* owned, one block */
    size_t count;
};
struct bm_runs bm_gate_runs_of(const struct bm_gate_series *series);

/* Baselines and new runs of one figure. */
struct bm_gate_view {
    struct bm_gate_series old, again;
    struct bm_history history; /* of baselines, where there are any */
};
bool bm_gate_view_is_known(const struct bm_gate_view *view); /* runs on both sides */

struct bm_gate_candidate {
    size_t row; /* index into gate->rows */
    struct bm_gate_view time, share;
};
struct bm_gate_candidates {
    struct bm_gate_candidate *items; /* owned */
    size_t count;
};
/* For so many rows at most. */
enum bm_status bm_gate_candidates_init(struct bm_gate_candidates *candidates, size_t capacity,
                                       struct bm_error *error) BM_CHECK_RESULT;
void bm_gate_candidates_fini(struct bm_gate_candidates *candidates);

/* A row of the new files, its runs in the order of time: with a verdict where that needs no figures, else it
 * becomes a candidate. */
enum bm_status bm_gate_candidates_add(struct bm_gate *gate, const struct bm_gate_entry *entry,
                                      struct bm_gate_candidates *candidates,
                                      struct bm_error *error) BM_CHECK_RESULT;
/* The gate's margin: from how far each run of a history lies from the mean of the others. */
enum bm_status bm_gate_candidates_calibrate(struct bm_gate *gate, const struct bm_gate_candidates *candidates,
                                            struct bm_error *error) BM_CHECK_RESULT;
/* gate_verdicts.c: over all of them at once. */
enum bm_status bm_gate_candidates_judge(struct bm_gate *gate, const struct bm_gate_candidates *candidates,
                                        struct bm_error *error) BM_CHECK_RESULT;

/* A row with what is known of it before its verdict. NULL: no memory. */
struct bm_gate_row *bm_gate_row_begin(struct bm_gate *gate, const struct bm_gate_entry *entry,
                                      enum bm_verdict verdict, const char *why);

#endif
