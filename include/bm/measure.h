/* bm/measure.h - floor 6: the sampler: warm-up, block length, interleaved rounds, stopping. Clock, work and
 * random numbers are injected: a test drives it with invented times. */
#ifndef BM_MEASURE_H
#define BM_MEASURE_H

#include "bm/base.h"
#include "bm/results.h"
#include "bm/stats.h"

/* ---- flags: each has one rule ----
 * A series, and with it its row or ceiling, has a flag of rounds when more than a quarter of its rounds have
 * it; a device when more than a quarter of all rounds that were timed on it have it. */
enum bm_flag {
    /* series: the budget ended, or its visits, before the interval's half-width reached the target */
    BM_FLAG_NOT_CONVERGED = 1 << 0,
    /* series: warm-up hit its cap while its times still had a trend (Mann-Kendall, p < 0.01) above 1 %, and
     * the rounds have one too (thirds that differ by 1 %) */
    BM_FLAG_NOT_STEADY = 1 << 1,
    /* round: shorter than 1000 x the resolution of the timer that timed it */
    BM_FLAG_RESOLUTION_LIMITED = 1 << 2,
    /* round: device events lie outside [0.75, 1.01] of the host clock's figure, which is used instead */
    BM_FLAG_TIMER_DISAGREES = 1 << 3,
    /* round: a control (not the benchmark) saw foreign work. Series: and without those rounds fewer than 8
     * or a third are left, or the median differs by more than 1 % */
    BM_FLAG_CONTAMINATED = 1 << 4,
    /* round: the system says that it limited clock or power */
    BM_FLAG_THROTTLED = 1 << 5,
    /* series: half the distance of its quartiles is above 10 % of the median */
    BM_FLAG_UNSTABLE = 1 << 6,
    /* series of 16 rounds or more: a trend over the run (Mann-Kendall, p < 0.001) and thirds that differ by 3
       % */
    BM_FLAG_DRIFT = 1 << 7,
    /* series of 16 rounds or more: two levels. The widest gap between neighbours of the sorted rounds that
     * leaves a tenth of them, and four at least, on either side is above 3 %, and as wide as each side (its
     * 10th to 90th percentiles) */
    BM_FLAG_BIMODAL = 1 << 8,
    /* round: the machine was not on the level of its ceilings of memory on which it was mostly
     * (bm_levels_find). Such rounds enter no figure, and any of them flags the device. Series: too few others
     * are left for that (8, and half of all), so that all enter */
    BM_FLAG_MOVED = 1 << 9,
};
#define BM_FLAG_LAST BM_FLAG_MOVED
/* Name of one flag bit for reports, NULL for an unknown bit. */
const char *bm_flag_name(unsigned bit);

/* ---- what was measured ---- */

/* Relative standard deviation of what one run cannot see of itself: where its pages lie, the level at which
 * clock and memory stand in these minutes. Medians of runs right after one another differed by this much
 * beyond their intervals (tests/perf/stability.py, a 2-core virtual machine; compute-bound rows by less,
 * memory-bound rows by more). */
#define BM_BETWEEN_RUNS 0.005

/* One visit to a case: a timed block of launches. */
struct bm_round {
    uint64_t start_ns; /* since the start of the run */
    uint64_t ns;       /* of the whole block */
    uint64_t launches;
    unsigned flags;
};

/* Per launch. Median and interval are of the logarithms of the rounds, so that times and rates agree; the
 * interval is widened for the rounds' autocorrelation (bm_stats_median_interval_serial). The same figures
 * stop a case. */
struct bm_estimate {
    size_t rounds; /* that entered it; 0: every other field is NaN */
    double median_ns, min_ns, p5_ns, p95_ns, mad_ns;
    struct bm_interval interval; /* of the median */
    double half_width;           /* relative: half of log(high / low) */
    unsigned flags;              /* of the shape: unstable, drift, bimodal, not_steady (a trend of 1 %) */
};
/* As a row of results tells it. */
struct bm_results_time bm_results_time_of(const struct bm_estimate *estimate);

/* All that is known of one case on one endpoint. */
struct bm_series {
    struct bm_round *rounds;
    size_t count, capacity;
    uint64_t launches_per_block;
    uint64_t block_ns; /* what such a block took last */
    uint64_t spent_ns; /* warm-up included */
    bool reference;    /* others are judged by it: once done it goes on beside those that are not */
    bool done;         /* converged, out of budget, or failed */
    bool failed;       /* error says why; rounds taken before are kept */
    struct bm_error error;
    unsigned visits; /* passes that reached it; contaminated rounds are taken again within one visit */
    unsigned misses; /* blocks in which no timer moved */
    unsigned flags;
};
void bm_series_fini(struct bm_series *series);
/* Of figures above 0 in order of time: ns, or any other unit. */
void bm_estimate_of(const double *times, size_t n, struct bm_estimate *estimate);
/* What a series' figures leave out: BM_FLAG_MOVED, or 0. */
unsigned bm_series_left_out(const struct bm_series *series);
/* Rounds that carry a flag of `without` are left out: 0 for all, BM_FLAG_CONTAMINATED for the clean ones. */
void bm_series_estimate(const struct bm_series *series, unsigned without, struct bm_estimate *estimate);
/* When a round was: half of it. */
uint64_t bm_round_middle(const struct bm_round *round);
/* The round of a series that lies nearest in time to one of another series (middle to middle; the earlier of
 * two that are as near), so that what a machine did to both at that time cancels in their ratio. NULL: round
 * lies before or behind the series by more than twice the longest pause between two of its rounds, which is
 * more than random orders of passes do, or it has none. Of visits in random order each is about as often the
 * nearest as any other (tests/measure/test_pairs.c has coverage and errors under drift). */
const struct bm_round *bm_series_nearest(const struct bm_series *series, const struct bm_round *round);
/* The flags of a series whose rounds are complete, by the rules of enum bm_flag: those set so far (not_steady
 * only while the rounds bear it out), those of its rounds, and those of its shape, judged without
 * contaminated rounds where 8 or more are left, and without what is left out. */
unsigned bm_series_flags(const struct bm_series *series);

/* ---- levels of a machine ---- */

/* A host may move a virtual machine to other processors in the middle of a run, to where memory is half as
 * fast; a clock may fall back. Figures of both levels together are of no machine. */
struct bm_levels {
    struct bm_level_mark *marks; /* owned; when a reference saw which level, in order of time */
    size_t count;                /* 0: there is one level */
    bool main_is_slow;
    double main_share; /* of the marks, on the level that most of them saw */
};
/* From ceilings of memory, which are measured throughout a run. Two levels: times of a reference lie in two
 * parts of 4 at least whose medians are 20 % apart, a tenth at most between them, and it does not go to and
 * fro from round to round. Free with bm_levels_fini. */
void bm_levels_find(const struct bm_series *const *references, size_t count, struct bm_levels *levels);
void bm_levels_fini(struct bm_levels *levels);
/* Share from which on a level is the machine's: on less, rounds of both are kept. */
#define BM_LEVELS_MAIN_SHARE (2 / 3.0)
/* Tags a series' rounds anew with BM_FLAG_MOVED, and finds its flags anew. target_half_width: of
 * bm_sampler_options. */
void bm_levels_tag(const struct bm_levels *levels, double target_half_width, struct bm_series *series);

/* ---- what is injected ---- */

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
/* The control beside the work: called around each block and before each pass. Members may be NULL. */
struct bm_monitor {
    void (*begin)(void *context);
    unsigned (*end)(void *context); /* the block's flags: contaminated, throttled */
    void (*pass)(void *context);
    void *context;
};
/* Called after every block, with the item just run and seconds left; returns false to stop (signal). */
struct bm_observer {
    bool (*progress)(void *context, size_t item, size_t pass, double seconds_left);
    void *context;
};

/* ---- the sampler ---- */

struct bm_sampler_options {
    uint64_t seed;
    double budget_s;              /* for all items together, warm-up included; 0: one round of each */
    double target_half_width;     /* relative, of the 95 % interval: 0.01 */
    uint64_t timer_resolution_ns; /* of the device's timer; the clock's own is found by the sampler */
    uint64_t minimum_block_ns;    /* 20 ms */
    uint64_t elapsed_ns;          /* added to the start of every round: what an earlier run took */
};
extern const struct bm_sampler_options bm_sampler_defaults;

/* Smallest step that the clock shows, in ns; 0: it stands still. */
uint64_t bm_clock_resolution(const struct bm_clock *clock);

/* Warms every item up, then passes over the unfinished ones in fresh random order. An item is looked at when
 * two thirds of the budget have passed, and later after 8, 12, 16, 24, 32, 48, 64 and 96 visits: rounds that
 * lie close together see one mood of the machine, and are tight whatever comes next. It is done when its
 * half-width is at most the target (and, up to 16 visits, 8 of its rounds are clean), after 96 visits, or
 * when the budget is spent; a contaminated round is kept and taken again at most twice, while that fits. An
 * item that used up three fair shares of the budget waits for the others. Series may hold rounds of an
 * earlier run (--resume): one that those spread so far, and tight, is done. An item whose work fails is
 * marked and passed over. BM_INTERRUPTED: the observer said stop; the series hold what was measured. monitor
 * and observer may be NULL. */
enum bm_status bm_sampler_run(const struct bm_sampler_options *options, const struct bm_clock *clock,
                              const struct bm_work *work, const struct bm_monitor *monitor,
                              const struct bm_observer *observer, struct bm_series *series, size_t item_count,
                              struct bm_error *error) BM_CHECK_RESULT;

#endif
