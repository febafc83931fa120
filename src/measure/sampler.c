#include "sampler.h"

#include <stdlib.h>

const struct bm_sampler_options bm_sampler_defaults = {
    .budget_s = 45,
    .target_half_width = 0.01,
    .timer_resolution_ns = 1,
    .minimum_block_ns = 20000000,
    .minimum_rounds = 8,
    .maximum_rounds = 48,
};

static bool is_tight(const struct bm_sampler *sampler, const struct bm_series *series) {
    struct bm_estimate estimate;
    bm_series_estimate(series, &estimate);
    double half_width = (estimate.interval.high - estimate.interval.low) / 2;
    return estimate.interval.confidence >= 0.95 &&
           half_width <= sampler->options->target_half_width * estimate.median_ns;
}

static enum bm_status take_round(struct bm_sampler *sampler, size_t item, struct bm_error *error) {
    struct bm_series *series = &sampler->series[item];
    struct bm_round round;
    /* Room first: a round that was measured must not be lost. */
    enum bm_status status =
        bm_grow(&series->rounds, &series->capacity, series->count + 1, sizeof *series->rounds, error);
    if (status != BM_OK)
        return status;
    status = bm_sampler_block(sampler, item, series->launches_per_block, &round, error);
    if (round.launches == 0)
        return status;
    series->rounds[series->count++] = round;
    series->flags |= round.flags;
    if (series->count >= sampler->options->minimum_rounds && is_tight(sampler, series))
        series->done = true;
    else if (series->count >= sampler->options->maximum_rounds)
        series->done = true;
    return status;
}

static enum bm_status warm_up_all(struct bm_sampler *sampler, struct bm_error *error) {
    /* A quarter of the budget at most, in equal shares. */
    double share = sampler->options->budget_s * 1e9 / 4 / (double)sampler->item_count;
    for (size_t i = 0; i < sampler->item_count; i++) {
        enum bm_status status =
            sampler->series[i].done ? BM_OK : bm_sampler_warm_up(sampler, i, (uint64_t)share, error);
        if (status != BM_OK)
            return status;
    }
    return BM_OK;
}

/* One round of every unfinished item in a fresh random order. The first pass is complete whatever the budget.
 */
static enum bm_status pass_over(struct bm_sampler *sampler, size_t *order, bool *finished,
                                struct bm_error *error) {
    size_t open = 0;
    for (size_t i = 0; i < sampler->item_count; i++)
        if (!sampler->series[i].done)
            order[open++] = i;
    *finished = open == 0;
    bm_random_shuffle(&sampler->random, order, open);
    for (size_t i = 0; i < open; i++) {
        if (sampler->pass > 1 && bm_sampler_seconds_left(sampler) <= 0) {
            *finished = true;
            return BM_OK;
        }
        enum bm_status status = take_round(sampler, order[i], error);
        if (status != BM_OK)
            return status;
    }
    return BM_OK;
}

static void flag_unconverged(struct bm_sampler *sampler) {
    for (size_t i = 0; i < sampler->item_count; i++) {
        struct bm_series *series = &sampler->series[i];
        if (!series->failed && !is_tight(sampler, series))
            series->flags |= BM_FLAG_NOT_CONVERGED;
    }
}

enum bm_status bm_sampler_run(const struct bm_sampler_options *options, const struct bm_clock *clock,
                              const struct bm_work *work, const struct bm_observer *observer,
                              struct bm_series *series, size_t item_count, struct bm_error *error) {
    uint64_t now = bm_clock_now(clock);
    struct bm_sampler sampler = {
        .options = options,
        .clock = clock,
        .work = work,
        .observer = observer,
        .series = series,
        .item_count = item_count,
        .start_ns = now,
        .end_ns = now + (uint64_t)(options->budget_s * 1e9),
    };
    if (item_count == 0)
        return BM_OK;
    size_t *order = bm_alloc(item_count, sizeof *order);
    if (order == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu cases", item_count);
    bm_random_init(&sampler.random, options->seed);
    enum bm_status status = warm_up_all(&sampler, error);
    bool finished = false;
    while (status == BM_OK && !finished) {
        sampler.pass++;
        status = pass_over(&sampler, order, &finished, error);
    }
    flag_unconverged(&sampler);
    free(order);
    return status;
}
