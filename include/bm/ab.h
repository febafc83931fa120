/* bm/ab.h - floor 8: `benchmark ab`: two commands in turn, in fresh processes, until their difference is
 * known. */
#ifndef BM_AB_H
#define BM_AB_H

#include "bm/gate.h"

/* ---- deciding, as rounds come in: pure functions ---- */

#define BM_AB_ROUNDS 40
#define BM_AB_LOOKS  3

/* After which rounds the rows are looked at, and what share of alpha each look may spend: the shares sum up
 * to 1, so that looking several times does not raise the chance of an alarm. */
struct bm_ab_plan {
    unsigned rounds[BM_AB_LOOKS];
    double shares[BM_AB_LOOKS];
};
/* 12, 20 and 40 of 40 rounds, with shares of .2, .3 and .5. */
void bm_ab_plan_of(unsigned rounds, struct bm_ab_plan *plan);
/* The fewest rounds after which a change can show among so many rows: those of which even the extreme signed
 * rank, all differences on one side, is rare enough for Holm. */
unsigned bm_ab_least_rounds(size_t rows, double alpha);

/* One row: ln(new / old) of the rounds that have both, in order. */
struct bm_ab_series {
    const double *differences;
    size_t count;
    bool unstable;
    bool decided; /* it has a verdict and drops out */
    enum bm_verdict verdict;
    struct bm_evidence evidence; /* of the last look */
    double p;                    /* adjusted for rows and looks */
};
/* Looks at the rows without a verdict, spending share of alpha: Holm over all rows. Of rows decided before,
 * those that changed leave the family and those that did not stay in it. is_last: who is open stays
 * inconclusive. */
enum bm_status bm_ab_look(struct bm_ab_series *series, size_t count, double margin, double alpha,
                          double share, bool is_last, struct bm_error *error) BM_CHECK_RESULT;

/* ---- the whole ---- */

struct bm_ab_options {
    /* `benchmark run` lines, old and new, NULL-terminated; --quiet and --output are added at their end */
    char *const *commands[2];
    const char *program; /* what the word `benchmark` means where PATH has none; NULL: nothing */
    const char *folder;  /* gets old.json and new.json, which must not be there */
    double budget_s;
    unsigned rounds; /* at most */
    double margin;   /* ln; NaN: BM_GATE_MARGIN */
    double alpha;
};
struct bm_ab_progress {
    unsigned rounds, most_rounds; /* done; 0: the first processes, which may compile kernels */
    size_t rows, decided;         /* that are judged; that have a verdict */
    double seconds_left;
};
struct bm_ab_observer {
    void (*progress)(void *context, const struct bm_ab_progress *progress); /* at every round; may be NULL */
    bool (*stop_requested)(void *context);                                  /* may be NULL */
    void *context;
};
/* Runs each command once to see that it works and to fill its kernel cache, and then both in every round, in
 * ABBA or BAAB order by coin; looks as planned, and stops when every row has a verdict, after the last round,
 * or when another round would not end within the budget. Rows are matched by device, backend, threads and
 * key, then by hardware, backend and key, then by hardware and key: driver, cap and options may differ.
 * BM_INVALID: a command is wrong or fails (its own message is in the error), the two have no row in common,
 * or budget or rounds do not suffice for a verdict. BM_UNSUPPORTED: a command found no usable device. Then
 * *gate is NULL, and the rounds before are in the folder. BM_INTERRUPTED: *gate has the rounds so far, NULL
 * where there are none. */
enum bm_status bm_ab_run(const struct bm_ab_options *options, const struct bm_ab_observer *observer,
                         struct bm_gate **gate, struct bm_error *error) BM_CHECK_RESULT;

#endif
