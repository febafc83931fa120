/* bm/gate.h - floor 7, module compare: did something get slower? Verdicts on rows, from runs or from paired
 * rounds.
 *
 * Changes are logarithms of new time / old time: above 0 is slower. The rules are DESIGN.md's "Comparing
 * rules". */
#ifndef BM_GATE_H
#define BM_GATE_H

#include "bm/base.h"

#define BM_GATE_ALPHA       0.05
#define BM_GATE_EQUIVALENCE 0.03 /* `unchanged` is shown inside +-3 % */
#define BM_GATE_MARGIN                                                                                       \
    0.01                    /* least change that counts; up to BM_GATE_EQUIVALENCE where runs scatter more   \
                             */
#define BM_GATE_POWER   0.8 /* chance of being found that a detectable change has */
#define BM_GATE_HISTORY 5   /* runs from which on the spread is theirs, not BM_COMPARE_BETWEEN_RUNS */

enum bm_verdict {
    BM_VERDICT_REGRESSED,
    BM_VERDICT_UNVERIFIED,   /* measured before; now failed, invalid or skipped */
    BM_VERDICT_MISSING,      /* in the latest baseline, not in the new files */
    BM_VERDICT_INCOMPARABLE, /* measured on other hardware, system or driver, or of other work */
    BM_VERDICT_THROTTLED,    /* the system limited clock or power while it was measured */
    BM_VERDICT_INCONCLUSIVE, /* neither a change nor its absence is shown */
    BM_VERDICT_IMPROVED,
    BM_VERDICT_ADDED, /* no baseline has it */
    BM_VERDICT_UNCHANGED,
    BM_VERDICTS
};
/* "regressed", ...; a sentence on what it means. */
const char *bm_verdict_name(enum bm_verdict verdict);
const char *bm_verdict_meaning(enum bm_verdict verdict);

/* ---- deciding: pure functions ---- */

/* What is known of one row's change. */
struct bm_evidence {
    double change, low, high;  /* with its 95 % interval */
    double p_slower, p_faster; /* one-sided, of a change of at most the margin; 1: nothing is known */
    bool equivalent;           /* shown to lie inside the equivalence bounds */
    double detectable;         /* change that would be found with BM_GATE_POWER; infinite: none */
};

/* Runs: logarithms of medians in order of time, with the standard deviation of each as its own rounds tell
 * (NaN: unknown). */
struct bm_runs {
    const double *values, *deviations;
    size_t count;
};
struct bm_history {
    size_t first;     /* index of the first run after the last change point */
    size_t left_out;  /* of those after it: outliers by Hampel's rule */
    double center;    /* mean of the others */
    double deviation; /* between runs */
    double freedom;   /* of deviation; infinite where it is assumed */
    size_t count;     /* runs in center */
    bool assumed;
};
/* A change point splits runs into parts of at least 3 whose means differ by more than 2 %, at a level of 1 %
 * over all possible places (pooled t, Bonferroni); the later part is split again. Outliers (Hampel, JASA 69
 * (1974) 383) lie more than 5 scaled median absolute deviations, and 5 %, from the median. */
void bm_history_of(const struct bm_runs *runs, struct bm_history *history);
/* rows: over which alpha is shared when the detectable change is told. */
void bm_gate_weigh_runs(const struct bm_history *history, const struct bm_runs *old,
                        const struct bm_runs *new_runs, double margin, double alpha, size_t rows,
                        struct bm_evidence *evidence);
/* A row that changed by itself shows it in its time and in its share of what the ceilings beside it deliver;
 * what the time alone shows is the machine's, what the share alone shows is a ceiling's. share: of runs of
 * ln(1 / roofline efficiency). A verdict then needs both (intersection-union test: Berger, Technometrics 24
 * (1982) 295), change and interval stay those of the time. */
void bm_gate_require_both(struct bm_evidence *time, const struct bm_evidence *share);
/* differences: ln(new / old) of paired rounds. Hodges-Lehmann, signed rank; confidence 95 % for the interval,
 * equivalence at level alpha. BM_INVALID: none, or not finite. */
enum bm_status bm_gate_weigh_pairs(const double *differences, size_t count, double margin, double alpha,
                                   size_t rows, struct bm_evidence *evidence,
                                   struct bm_error *error) BM_CHECK_RESULT;
/* The verdict on each row: Holm over all of them at alpha, on two-sided p. A row that must not pass
 * (`unstable`) is never unchanged. adjusted[count] gets the p values. */
enum bm_status bm_gate_decide(const struct bm_evidence *evidence, const bool *unstable, size_t count,
                              double alpha, enum bm_verdict *verdicts, double *adjusted,
                              struct bm_error *error) BM_CHECK_RESULT;
/* Margin from the history itself: how far a run lies from the others (95th percentile over runs and rows),
 * within BM_GATE_MARGIN and BM_GATE_EQUIVALENCE. deviations: |run - mean of the others|. */
double bm_gate_margin(const double *deviations, size_t count);

/* ---- a gate ---- */

struct bm_gate_row {
    char key[160], device[32], device_name[128], backend[48];
    uint32_t threads; /* 0: not the host's to choose */
    enum bm_verdict verdict;
    char why[240];         /* of what was not judged, and what to know */
    double old_ns, new_ns; /* NaN: none; of ceilings ns per unit of work */
    double change, low, high;
    double p; /* adjusted over the gate */
    double detectable;
    double deviation; /* between runs (check) or of the differences (ab); NaN: not judged */
    size_t old_runs, new_runs, before_change, left_out;
    bool assumed; /* deviation is BM_COMPARE_BETWEEN_RUNS */
    bool is_ceiling;
    bool with_machine; /* its time changed, its share of the ceilings did not */
    uint32_t flags;    /* of the new runs */
};

struct bm_gate_file {
    char *path; /* owned */
    char created[32], commit[64], kernels_sha256[65], suite[64], cache[8], version[32];
    bool is_baseline;
};

struct bm_gate {
    bool is_ab;
    char ab_id[40]; /* "" of a check */
    double alpha, margin;
    bool margin_calibrated;
    struct bm_gate_row *rows; /* worst verdicts first, then as in the files */
    size_t row_count, row_capacity;
    size_t counts[BM_VERDICTS];
    struct bm_gate_file *files;
    size_t file_count, file_capacity;
    char (*notes)[320]; /* possible causes, and what to know */
    size_t note_count, note_capacity;
    struct bm_gate_store *store; /* private, until it is finished */
};

struct bm_gate_options {
    double margin; /* NaN: calibrated from the history */
    double alpha;
};

enum bm_status bm_gate_create(const struct bm_gate_options *options, struct bm_gate **gate,
                              struct bm_error *error) BM_CHECK_RESULT;
/* Reads one file. On BM_INVALID, BM_NOT_FOUND and BM_IO it is left out and others can still be added. */
enum bm_status bm_gate_add(struct bm_gate *gate, const char *path, bool is_baseline,
                           struct bm_error *error) BM_CHECK_RESULT;
enum bm_status bm_gate_finish(struct bm_gate *gate, struct bm_error *error) BM_CHECK_RESULT;
void bm_gate_destroy(struct bm_gate *gate);

/* For who fills a gate by other means (ab). The row is zeroed, its figures NaN; NULL: no memory. */
struct bm_gate_row *bm_gate_row_add(struct bm_gate *gate);
void bm_gate_note(struct bm_gate *gate, const char *format, ...) BM_PRINTF(2, 3);
/* Counts verdicts and sorts rows. */
void bm_gate_seal(struct bm_gate *gate);

#endif
