/* bm/measure.h - floor 6: the sampler: warm-up, block length, interleaved rounds, stopping. Clock, work and
 * random numbers are injected: a test drives it with invented times. */
#ifndef BM_MEASURE_H
#define BM_MEASURE_H

#include "bm/base.h"
#include "bm/stats.h"

/* ---- flags: bits of rounds and series ---- */
enum bm_flag {
    BM_FLAG_NOT_CONVERGED = 1 << 0,      /* the budget ended before the interval was tight enough */
    BM_FLAG_NOT_STEADY = 1 << 1,         /* warm-up hit its cap while times still moved */
    BM_FLAG_RESOLUTION_LIMITED = 1 << 2, /* a block could not be made >= 1000 x the timer's resolution */
    BM_FLAG_TIMER_DISAGREES = 1 << 3,    /* device events and host clock differ: the host's figure is used */
};
/* Name of one flag bit for reports, NULL for an unknown bit. */
const char *bm_flag_name(unsigned bit);

/* One visit to a case: a timed block of launches. */
struct bm_round {
    uint64_t start_ns; /* since the start of the run */
    uint64_t ns;       /* of the whole block */
    uint64_t launches;
    unsigned flags;
};

struct bm_estimate {
    double median_ns, min_ns, p5_ns, p95_ns, mad_ns; /* per launch */
    struct bm_interval interval;                     /* of the median */
};

/* All that is known of one case on one endpoint. */
struct bm_series {
    struct bm_round *rounds;
    size_t count, capacity;
    uint64_t launches_per_block;
    bool done;   /* converged, or failed */
    bool failed; /* error says why; rounds taken before are kept */
    struct bm_error error;
    unsigned flags;
};
void bm_series_fini(struct bm_series *series);
/* From the rounds; NaN fields when there are none. */
void bm_series_estimate(const struct bm_series *series, struct bm_estimate *estimate);

/* What a block took, by both timers. */
struct bm_timing {
    uint64_t start_ns, host_ns, device_ns; /* device_ns 0: no device timer */
};
/* The work that is timed: executes `launches` launches of item and reports their time. */
struct bm_work {
    enum bm_status (*run)(void *context, size_t item, uint64_t launches, struct bm_timing *timing,
                          struct bm_error *error);
    void *context;
};

struct bm_sampler_options {
    uint64_t seed;
    double budget_s;          /* for all items together, warm-up included; 0: one round of each */
    double target_half_width; /* relative, of the 95 % interval: 0.01 */
    uint64_t timer_resolution_ns;
    uint64_t minimum_block_ns; /* 20 ms */
    size_t minimum_rounds, maximum_rounds;
};
extern const struct bm_sampler_options bm_sampler_defaults;

/* Called after every block, with the item just run and seconds left; returns false to stop (signal). */
struct bm_observer {
    bool (*progress)(void *context, size_t item, size_t pass, double seconds_left);
    void *context;
};

/* Warms every item up, then passes over the unfinished ones in fresh random order until each is tight enough
 * or the budget is spent. An item whose work fails is marked and passed over. BM_INTERRUPTED: the observer
 * said stop; the series hold what was measured. */
enum bm_status bm_sampler_run(const struct bm_sampler_options *options, const struct bm_clock *clock,
                              const struct bm_work *work, const struct bm_observer *observer,
                              struct bm_series *series, size_t item_count,
                              struct bm_error *error) BM_CHECK_RESULT;

#endif
