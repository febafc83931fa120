#include "sampler.h"

double bm_sampler_seconds_left(const struct bm_sampler *sampler) {
    uint64_t now = bm_clock_now(sampler->clock);
    return now < sampler->end_ns ? (double)(sampler->end_ns - now) / 1e9 : 0;
}

/* The device's own span leaves out the host's share of a block (one submission, one wake-up). It is believed
 * when the host clock confirms it: no longer than the host saw, and most of that. */
static uint64_t choose_time(const struct bm_timing *timing, unsigned *flags) {
    uint64_t device = timing->device_ns, host = timing->host_ns;
    if (device == 0)
        return host;
    if (device <= host + host / 100 && device >= host - host / 4)
        return device;
    *flags |= BM_FLAG_TIMER_DISAGREES;
    return host;
}

enum bm_status bm_sampler_block(struct bm_sampler *sampler, size_t item, uint64_t launches,
                                struct bm_round *round, struct bm_error *error) {
    struct bm_series *series = &sampler->series[item];
    struct bm_timing timing = {0};
    *round = (struct bm_round){0};
    enum bm_status status =
        sampler->work->run(sampler->work->context, item, launches, &timing, &series->error);
    if (status != BM_OK) {
        series->failed = true;
        series->done = true;
    } else {
        round->start_ns = timing.start_ns > sampler->start_ns ? timing.start_ns - sampler->start_ns : 0;
        round->launches = launches;
        round->ns = choose_time(&timing, &round->flags);
        if (round->ns < 1000 * sampler->options->timer_resolution_ns)
            round->flags |= BM_FLAG_RESOLUTION_LIMITED;
    }
    const struct bm_observer *observer = sampler->observer;
    if (observer != NULL &&
        !observer->progress(observer->context, item, sampler->pass, bm_sampler_seconds_left(sampler)))
        return bm_fail(error, BM_INTERRUPTED, "interrupted");
    return BM_OK;
}
