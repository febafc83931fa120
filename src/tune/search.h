/* Private to the tune module: the search itself. What is tried, checked and timed is injected, and so is the
 * clock: a test drives it over an invented device. */
#ifndef BM_TUNE_SEARCH_H
#define BM_TUNE_SEARCH_H

#include "bm/workload.h"

/* What became of a candidate before it was timed. */
enum tune_admission {
    TUNE_ADMITTED, /* built and verified */
    TUNE_REFUSED,  /* the device has no room for it, or lacks what it needs */
    TUNE_UNBUILT,  /* did not build or run */
    TUNE_WRONG,    /* its results are wrong */
};

struct tune_work {
    /* The parameters as the kernel would run with them; false: they do not suit it. Cheap. */
    bool (*fit)(void *context, const struct bm_parameters *wanted, struct bm_parameters *fitted);
    /* Builds, verifies and warms up. *candidate is for time() and discard() alone; NULL unless admitted. */
    enum tune_admission (*admit)(void *context, const struct bm_parameters *fitted, void **candidate);
    /* Nanoseconds a launch in one short block. */
    enum bm_status (*time)(void *context, void *candidate, double *ns, struct bm_error *error);
    void (*discard)(void *context, void *candidate);
    bool (*stop)(void *context);
    /* After each candidate that was admitted or not. May be NULL. */
    void (*progress)(void *context, unsigned tried, double first_ns, double best_ns);
    void *context;
};

/* One block of the challenger and one of the incumbent, in turn; the shortest of a heat counts, as foreign
 * work only adds to it. A challenger has to win two heats by this margin: equal ones do not change places. */
enum { TUNE_HEATS = 2, TUNE_BLOCKS = 3 };
#define TUNE_MARGIN 0.015

struct tune_search_options {
    const struct bm_tunable *tunables;
    size_t tunable_count;
    const struct bm_parameters *seeds; /* the first is what is to be beaten */
    size_t seed_count;
    uint64_t seed;        /* of the order in which neighbours are tried */
    uint64_t deadline_ns; /* of the clock; a candidate that would likely outlast it is not begun */
    const struct bm_clock *clock;
};

struct tune_search_result {
    bool found;      /* best was admitted and timed */
    bool first_runs; /* seeds[0] was */
    struct bm_parameters best;
    double best_ns, first_ns; /* per launch when they last met; 0: unknown */
    unsigned tried;           /* candidates that were built, whatever came of them */
    unsigned refused, unbuilt, wrong;
    bool exhausted; /* nothing near the best is left to try */
};

/* Seeds first; then from the best one parameter by parameter, as long as one step makes it faster; then two
 * or three at once, until the deadline or until nothing new comes of it. BM_DEVICE: not even the incumbent
 * runs any more; *result still tells what was found. A stop is no error. */
enum bm_status tune_search(const struct tune_search_options *options, const struct tune_work *work,
                           struct tune_search_result *result, struct bm_error *error) BM_CHECK_RESULT;

/* The next value of a tunable beyond `value`, up or down; false: there is none. Powers of two; else whole
 * numbers, coarse: 1, 2, 3, 4, 6, 8, 12, 16, ...; else above 16 in steps of a sixteenth to an eighth. */
bool tune_next_value(const struct bm_tunable *tunable, int64_t value, bool up, bool coarse, int64_t *next);

/* Whether the challenger wins its heats. *challenger_ns and *incumbent_ns: their shortest blocks, also of a
 * match that was lost. An error is the incumbent's; a challenger that fails loses. */
enum bm_status tune_match(const struct tune_work *work, void *challenger, void *incumbent, bool *wins,
                          double *challenger_ns, double *incumbent_ns,
                          struct bm_error *error) BM_CHECK_RESULT;

#endif
