#include <math.h>

#include "sampler.h"

enum { WINDOWS = 3, LAUNCHES_LIMIT = 1 << 20 };
static const double steady = 0.01; /* how far the last windows may lie apart */

/* Launches for a block of the wanted length; a tenth more, so that noise does not fall below it. */
static uint64_t launches_for(const struct bm_sampler *sampler, const struct bm_round *seen) {
    const struct bm_sampler_options *options = sampler->options;
    uint64_t wanted = options->minimum_block_ns;
    if (wanted < 1000 * options->timer_resolution_ns)
        wanted = 1000 * options->timer_resolution_ns;
    double one = (double)seen->ns / (double)seen->launches;
    double launches = one > 0 ? ceil(1.1 * (double)wanted / one) : 2.0 * (double)seen->launches;
    if (seen->ns >= wanted && launches > (double)seen->launches)
        launches = (double)seen->launches;
    /* A first figure is rough (compilation, first touch): grow in steps of at most 16. */
    if (launches > 16.0 * (double)seen->launches)
        launches = 16.0 * (double)seen->launches;
    return launches < 1 ? 1 : launches > LAUNCHES_LIMIT ? LAUNCHES_LIMIT : (uint64_t)launches;
}

static bool is_steady(const double window[WINDOWS]) {
    double low = fmin(fmin(window[0], window[1]), window[2]),
           high = fmax(fmax(window[0], window[1]), window[2]);
    return low > 0 && high - low <= steady * low;
}

enum bm_status bm_sampler_warm_up(struct bm_sampler *sampler, size_t item, uint64_t share_ns,
                                  struct bm_error *error) {
    struct bm_series *series = &sampler->series[item];
    double window[WINDOWS] = {0};
    uint64_t start = bm_clock_now(sampler->clock);
    series->launches_per_block = 1;
    for (size_t blocks = 0;; blocks++) {
        struct bm_round round;
        enum bm_status status = bm_sampler_block(sampler, item, series->launches_per_block, &round, error);
        if (status != BM_OK || series->failed)
            return status;
        uint64_t launches = launches_for(sampler, &round);
        bool resized =
            launches > series->launches_per_block || (blocks == 0 && launches < series->launches_per_block);
        series->launches_per_block = resized ? launches : series->launches_per_block;
        window[blocks % WINDOWS] = resized ? 0 : (double)round.ns / (double)round.launches;
        if (is_steady(window))
            return BM_OK;
        if (bm_clock_now(sampler->clock) - start >= share_ns && !resized) {
            series->flags |= BM_FLAG_NOT_STEADY;
            return BM_OK;
        }
    }
}
