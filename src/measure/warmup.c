#include <math.h>

#include "sampler.h"

enum { WINDOW = 3, WINDOWS = 3, BLOCKS = WINDOW * WINDOWS, LAUNCHES_LIMIT = 1 << 20, BLOCKS_LIMIT = 1000 };
static const double steady = 0.01; /* how far the last windows may lie apart */

/* The last blocks of the right length, oldest first. */
struct history {
    double times[BLOCKS];
    size_t count;
};

static void remember(struct history *history, double time) {
    if (history->count == BLOCKS) {
        for (size_t i = 1; i < BLOCKS; i++)
            history->times[i - 1] = history->times[i];
        history->count--;
    }
    history->times[history->count++] = time;
}

static bool has_trend(const struct history *history, double p) {
    struct bm_trend trend;
    return bm_stats_trend(history->times, history->count, &trend, NULL) == BM_OK && trend.p < p;
}

static void window_range(const struct history *history, double *low, double *high) {
    *low = (double)INFINITY;
    *high = 0;
    for (size_t w = 0; w < WINDOWS; w++) {
        double median = bm_stats_median(history->times + w * WINDOW, WINDOW);
        *low = fmin(*low, median);
        *high = fmax(*high, median);
    }
}

static bool is_steady(const struct history *history) {
    double low, high;
    if (history->count < BLOCKS)
        return false;
    window_range(history, &low, &high);
    return high - low <= steady * low && !has_trend(history, 0.05);
}

/* Noise alone is no reason to call a case unsteady: only times that still go one way are. */
static bool still_moves(const struct history *history) {
    double low, high;
    if (history->count < BLOCKS)
        return false; /* too few blocks to tell: the case is as long as its share */
    window_range(history, &low, &high);
    return high - low > steady * low && has_trend(history, 0.01);
}

/* Launches for a block of the wanted length and a tenth more, so that noise does not fall below it. */
static uint64_t launches_for(const struct bm_sampler *sampler, const struct bm_round *seen) {
    uint64_t wanted = sampler->options->minimum_block_ns;
    if (wanted / 1000 < sampler->resolution_ns)
        wanted = 1000 * sampler->resolution_ns;
    if (seen->ns >= wanted + wanted / 20)
        return seen->launches;
    double launches = ceil(1.1 * (double)wanted / (double)seen->ns * (double)seen->launches);
    /* A first figure is rough (compilation, first touch): grow in steps of at most 16. */
    launches = fmin(launches, 16.0 * (double)seen->launches);
    return (uint64_t)fmin(fmax(launches, 1), LAUNCHES_LIMIT);
}

enum bm_status bm_sampler_warm_up(struct bm_sampler *sampler, size_t item, uint64_t share_ns,
                                  struct bm_error *error) {
    struct bm_series *series = &sampler->series[item];
    struct history history = {0};
    uint64_t start = bm_clock_now(sampler->clock);
    series->launches_per_block = 1;
    for (size_t blocks = 0; blocks < BLOCKS_LIMIT; blocks++) { /* the limit: a clock may stand still */
        struct bm_round round;
        enum bm_status status = bm_sampler_block(sampler, item, series->launches_per_block, &round, error);
        if (status != BM_OK || series->failed)
            return status;
        bool shared_out = bm_clock_now(sampler->clock) - start >= share_ns;
        if (round.launches == 0) { /* no time was seen: longer blocks may show one */
            series->launches_per_block *= 2;
            continue;
        }
        uint64_t launches = launches_for(sampler, &round);
        if (blocks > 0 && launches == series->launches_per_block)
            remember(&history, (double)round.ns / (double)round.launches);
        else
            history.count = 0;
        series->launches_per_block = launches;
        if (is_steady(&history))
            return BM_OK;
        if (shared_out && (blocks > 0 || !bm_sampler_fits(sampler, series))) {
            series->flags |= still_moves(&history) ? BM_FLAG_NOT_STEADY : 0;
            return BM_OK;
        }
    }
    return BM_OK;
}
