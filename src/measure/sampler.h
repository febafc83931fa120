/* Private to the sampler: one run's state, timed blocks, warm-up. */
#ifndef BM_SAMPLER_H
#define BM_SAMPLER_H

#include "bm/measure.h"

struct bm_sampler {
    const struct bm_sampler_options *options;
    const struct bm_clock *clock;
    const struct bm_work *work;
    const struct bm_monitor *monitor;
    const struct bm_observer *observer;
    struct bm_series *series;
    size_t item_count;
    uint64_t resolution_ns;    /* the coarser of the clock's and the device timer's */
    uint64_t start_ns, end_ns; /* of the budget, on the clock */
    bool fell_back;            /* the clock did, and it was said */
    struct bm_random random;
    size_t pass;    /* 0: warm-up */
    bool is_spread; /* two thirds of the budget have passed */
};

double bm_sampler_seconds_left(const struct bm_sampler *sampler);
/* Whether one more block of the item fits the budget, by what the last one took. */
bool bm_sampler_fits(const struct bm_sampler *sampler, const struct bm_series *series);
/* One timed block; *round is zeroed when the work fails, which marks the item as failed and done, or when the
 * timer gave no time. BM_INTERRUPTED when the observer says stop; BM_OK otherwise. */
enum bm_status bm_sampler_block(struct bm_sampler *sampler, size_t item, uint64_t launches,
                                struct bm_round *round, struct bm_error *error) BM_CHECK_RESULT;
/* Finds the block length of an item and runs it until its times stand still, or until share_ns are spent. */
enum bm_status bm_sampler_warm_up(struct bm_sampler *sampler, size_t item, uint64_t share_ns,
                                  struct bm_error *error) BM_CHECK_RESULT;

#endif
