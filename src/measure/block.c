#include "sampler.h"

enum { MISSES_LIMIT = 16 };

uint64_t bm_clock_resolution(const struct bm_clock *clock) {
    enum { STEPS = 16, PATIENCE = 20000000 }; /* a clock of 1 ms shows a step within some 100,000 readings */
    uint64_t smallest = UINT64_MAX, last = bm_clock_now(clock);
    for (int step = 0, reading = 0; step < STEPS && reading < PATIENCE; reading++) {
        uint64_t now = bm_clock_now(clock);
        if (now > last) {
            smallest = now - last < smallest ? now - last : smallest;
            step++;
        }
        last = now;
    }
    return smallest == UINT64_MAX ? 0 : smallest;
}

double bm_sampler_seconds_left(const struct bm_sampler *sampler) {
    uint64_t now = bm_clock_now(sampler->clock);
    return now < sampler->end_ns ? (double)(sampler->end_ns - now) / 1e9 : 0;
}

bool bm_sampler_fits(const struct bm_sampler *sampler, const struct bm_series *series) {
    return (double)series->block_ns <= 1e9 * bm_sampler_seconds_left(sampler);
}

/* The device's own span leaves out the host's share of a block (one submission, one wake-up). It is believed
 * when the host clock confirms it: no longer than the host saw, and most of that. */
static uint64_t choose_time(const struct bm_timing *timing, unsigned *flags) {
    uint64_t device = timing->device_ns, host = timing->host_ns;
    if (device == 0)
        return host;
    if (host == 0 || (device <= host + host / 100 && device >= host - host / 4))
        return device;
    *flags |= BM_FLAG_TIMER_DISAGREES;
    return host;
}

/* A clock that fell back takes the budget and the start of the run with it, or the run would be longer by
 * that much and its later rounds begin before the earlier ones. What the block itself took is lost. */
static void follow_clock(struct bm_sampler *sampler, uint64_t back_ns) {
    if (!sampler->fell_back)
        bm_log(BM_LOG_WARNING, "the clock fell back by %.3g s: a block is left out", (double)back_ns / 1e9);
    sampler->fell_back = true;
    back_ns = back_ns < sampler->start_ns ? back_ns : sampler->start_ns;
    sampler->start_ns -= back_ns;
    sampler->end_ns -= back_ns;
}

enum bm_status bm_sampler_block(struct bm_sampler *sampler, size_t item, uint64_t launches,
                                struct bm_round *round, struct bm_error *error) {
    struct bm_series *series = &sampler->series[item];
    const struct bm_monitor *monitor = sampler->monitor;
    const struct bm_observer *observer = sampler->observer;
    struct bm_timing timing = {0};
    *round = (struct bm_round){0};
    uint64_t before = bm_clock_now(sampler->clock);
    if (monitor != NULL && monitor->begin != NULL)
        monitor->begin(monitor->context);
    enum bm_status status =
        sampler->work->run(sampler->work->context, item, launches, &timing, &series->error);
    unsigned flags = monitor != NULL && monitor->end != NULL ? monitor->end(monitor->context) : 0;
    uint64_t ns = choose_time(&timing, &flags), after = bm_clock_now(sampler->clock);
    if (after < before)
        follow_clock(sampler, before - after);
    series->block_ns = after > before ? after - before : ns;
    series->spent_ns += series->block_ns;
    if (status != BM_OK) {
        series->failed = true;
        series->done = true;
    } else if (ns == 0 || timing.host_ns > INT64_MAX || ns > INT64_MAX) {
        /* Too short to be seen, or the clock stands still or jumped back: nothing was measured. */
        series->failed = series->done = ++series->misses >= MISSES_LIMIT;
        if (series->failed)
            bm_fail(&series->error, BM_UNSUPPORTED, "no timer moved while it ran, %d times", MISSES_LIMIT);
    } else {
        *round = (struct bm_round){.ns = ns, .launches = launches, .flags = flags};
        round->start_ns = sampler->options->elapsed_ns;
        round->start_ns += timing.start_ns > sampler->start_ns ? timing.start_ns - sampler->start_ns : 0;
        if (sampler->resolution_ns == 0 || ns / 1000 < sampler->resolution_ns)
            round->flags |= BM_FLAG_RESOLUTION_LIMITED;
    }
    if (observer != NULL &&
        !observer->progress(observer->context, item, sampler->pass, bm_sampler_seconds_left(sampler)))
        return bm_fail(error, BM_INTERRUPTED, "interrupted");
    return BM_OK;
}
