#include "sampler.h"

#include <stdlib.h>

const struct bm_sampler_options bm_sampler_defaults = {
    .budget_s = 45,
    .target_half_width = 0.01,
    .timer_resolution_ns = 1,
    .minimum_block_ns = 20000000,
};

/* Looking after every round would stop too early by luck: the interval is valid at few, fixed counts. */
static const size_t looks[] = {8, 12, 16, 24, 32, 48, 64, 96};
enum { VISITS_LIMIT = 96, REPEATS_LIMIT = 2, FAIR_SHARES = 3 };
/* A few rounds in a row see one mood of the machine: an interval that is tight then says nothing of the next
 * one, however tight it is. So rounds are spread: an item is looked at when this part of the budget has
 * passed, not before. */
static const double spread_share = 2.0 / 3;

static bool is_look(size_t visits) {
    for (size_t i = 0; i < BM_COUNT_OF(looks); i++)
        if (looks[i] == visits)
            return true;
    return false;
}

static bool is_tight(const struct bm_sampler *sampler, const struct bm_series *series) {
    struct bm_estimate estimate;
    bm_series_estimate(series, 0, &estimate);
    return estimate.rounds >= looks[0] && estimate.half_width <= sampler->options->target_half_width;
}

/* A visit that met foreign work three times leaves no clean round. At the first looks as many clean ones as a
 * look wants are waited for, so that one such visit flags no row; behind them they may never come. */
enum { PATIENCE = 16 };
static bool is_clean(const struct bm_series *series) {
    size_t clean = 0;
    for (size_t i = 0; i < series->count; i++)
        clean += (series->rounds[i].flags & BM_FLAG_CONTAMINATED) == 0;
    return clean >= looks[0] || series->visits > PATIENCE;
}

static enum bm_status take_block(struct bm_sampler *sampler, size_t item, bool *again,
                                 struct bm_error *error) {
    struct bm_series *series = &sampler->series[item];
    struct bm_round round;
    *again = false;
    /* Room first: a round that was measured must not be lost. */
    enum bm_status status =
        bm_grow(&series->rounds, &series->capacity, series->count + 1, sizeof *series->rounds, error);
    if (status == BM_OK)
        status = bm_sampler_block(sampler, item, series->launches_per_block, &round, error);
    else
        round.launches = 0;
    if (round.launches > 0) { /* also when a signal came meanwhile */
        series->rounds[series->count++] = round;
        *again = (round.flags & BM_FLAG_CONTAMINATED) != 0;
    }
    return status;
}

static void look(const struct bm_sampler *sampler, struct bm_series *series) {
    series->done |= is_tight(sampler, series) && is_clean(series);
}

/* A contaminated round is kept and taken again, at most twice. */
static enum bm_status visit(struct bm_sampler *sampler, size_t item, struct bm_error *error) {
    struct bm_series *series = &sampler->series[item];
    bool again = true;
    enum bm_status status = BM_OK;
    for (int attempt = 0; attempt <= REPEATS_LIMIT && again && status == BM_OK && !series->failed &&
                          (attempt == 0 || bm_sampler_fits(sampler, series));
         attempt++)
        status = take_block(sampler, item, &again, error);
    series->visits++;
    if (series->visits >= VISITS_LIMIT)
        series->done = true;
    else if (sampler->is_spread && is_look(series->visits))
        look(sampler, series);
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

/* What is done and still wanted beside the others. */
static bool goes_on(const struct bm_series *series) {
    return series->reference && series->done && !series->failed;
}

/* Unfinished items, and the references that they are judged by, in fresh random order. One that has had three
 * fair shares of the budget waits while others that have not can still use the time. */
static size_t choose(struct bm_sampler *sampler, size_t *order) {
    double fair = FAIR_SHARES * sampler->options->budget_s * 1e9 / (double)sampler->item_count;
    size_t count = 0, waiting = 0;
    for (size_t i = 0; i < sampler->item_count; i++) {
        const struct bm_series *series = &sampler->series[i];
        if (series->done)
            continue;
        if (sampler->pass > 1 && series->count >= looks[0] && (double)series->spent_ns > fair)
            waiting++;
        else
            order[count++] = i;
    }
    if (count == 0 && waiting > 0)
        for (size_t i = 0; i < sampler->item_count; i++)
            if (!sampler->series[i].done)
                order[count++] = i;
    bool judged = false;
    for (size_t i = 0; i < count; i++)
        judged |= !sampler->series[order[i]].reference;
    for (size_t i = 0; judged && i < sampler->item_count; i++)
        if (goes_on(&sampler->series[i]))
            order[count++] = i;
    bm_random_shuffle(&sampler->random, order, count);
    return count;
}

/* When is a matter of time alone, not of what was measured: everything may be looked at then. */
static void look_when_spread(struct bm_sampler *sampler) {
    const double rest_s = (1 - spread_share) * sampler->options->budget_s;
    if (sampler->is_spread || bm_sampler_seconds_left(sampler) > rest_s)
        return;
    sampler->is_spread = true;
    for (size_t i = 0; i < sampler->item_count; i++)
        if (!sampler->series[i].done)
            look(sampler, &sampler->series[i]);
}

/* The first pass is complete whatever the budget: a row without a round says nothing. */
static enum bm_status pass_over(struct bm_sampler *sampler, size_t *order, bool *finished,
                                struct bm_error *error) {
    const struct bm_monitor *monitor = sampler->monitor;
    look_when_spread(sampler);
    size_t count = choose(sampler, order), taken = 0;
    if (count > 0 && monitor != NULL && monitor->pass != NULL)
        monitor->pass(monitor->context);
    for (size_t i = 0; i < count; i++) {
        if (sampler->pass > 1 && !bm_sampler_fits(sampler, &sampler->series[order[i]]))
            continue;
        taken += !sampler->series[order[i]].done; /* references alone are no reason for another pass */
        enum bm_status status = visit(sampler, order[i], error);
        if (status != BM_OK)
            return status;
    }
    *finished = taken == 0;
    return BM_OK;
}

static void flag_series(const struct bm_sampler *sampler, struct bm_series *series) {
    series->flags = bm_series_flags(series);
    if (!series->failed && !is_tight(sampler, series))
        series->flags |= BM_FLAG_NOT_CONVERGED;
}

/* Rounds of an earlier run: it spent a quarter of its budget on warm-up at most. */
static bool was_spread(const struct bm_sampler *sampler, const struct bm_series *series) {
    const struct bm_round *rounds = series->rounds;
    const double least_ns = (spread_share - 0.25) * 1e9 * sampler->options->budget_s;
    return series->visits >= VISITS_LIMIT ||
           (series->count > 0 &&
            (double)(rounds[series->count - 1].start_ns - rounds[0].start_ns) >= least_ns);
}

enum bm_status bm_sampler_run(const struct bm_sampler_options *options, const struct bm_clock *clock,
                              const struct bm_work *work, const struct bm_monitor *monitor,
                              const struct bm_observer *observer, struct bm_series *series, size_t item_count,
                              struct bm_error *error) {
    if (item_count == 0)
        return BM_OK;
    uint64_t resolution = bm_clock_resolution(clock), now = bm_clock_now(clock);
    struct bm_sampler sampler = {
        .options = options,
        .clock = clock,
        .work = work,
        .monitor = monitor,
        .observer = observer,
        .series = series,
        .item_count = item_count,
        .resolution_ns = resolution == 0 || resolution > options->timer_resolution_ns
                             ? resolution
                             : options->timer_resolution_ns,
        .start_ns = now,
        .end_ns = now + (uint64_t)(options->budget_s * 1e9),
    };
    size_t *order = bm_alloc(item_count, sizeof *order);
    if (order == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu cases", item_count);
    bm_random_init(&sampler.random, options->seed);
    for (size_t i = 0; i < item_count; i++) { /* rounds of an earlier run may do; flags are found anew */
        series[i].flags = series[i].done ? series[i].flags : 0;
        series[i].done |= was_spread(&sampler, &series[i]) && is_tight(&sampler, &series[i]);
    }
    enum bm_status status = warm_up_all(&sampler, error);
    bool finished = false;
    while (status == BM_OK && !finished) {
        sampler.pass++;
        status = pass_over(&sampler, order, &finished, error);
    }
    for (size_t i = 0; i < item_count; i++)
        flag_series(&sampler, &series[i]);
    free(order);
    return status;
}
