#include "simulation.h"

#include <math.h>

void sim_init(struct sim *sim, uint64_t seed) {
    *sim = (struct sim){.now_ns = 1000000, .step_ns = 25, .grain_ns = 1};
    bm_random_init(&sim->random, seed);
    for (size_t i = 0; i < SIM_ITEMS; i++)
        sim->items[i] = (struct sim_item){.launch_ns = 1e6 * (double)(i + 1), .noise = 0.005};
}

static uint64_t now(void *context) {
    struct sim *sim = context;
    if (sim->stopped)
        return 42;
    sim->now_ns += sim->step_ns;
    return sim->backwards ? UINT64_MAX / 2 - sim->now_ns : sim->now_ns / sim->grain_ns * sim->grain_ns;
}

struct bm_clock sim_clock(struct sim *sim) {
    return (struct bm_clock){.now_ns = now, .context = sim};
}

/* A coin of its own for each piece of time, whoever runs in it. */
static bool is_slow(const struct sim *sim) {
    struct bm_random coin;
    bm_random_init(&coin, 1000 * sim->level_seed + (uint64_t)((double)sim->now_ns / (1e9 * sim->level_s)));
    return bm_random_unit(&coin) < 0.5;
}

static double play_by_time(const struct sim *sim, const struct sim_item *item) {
    const unsigned first = item->trace_ms[0], length = item->trace_ms[item->trace_count - 1] - first + 1;
    const unsigned at = first + (unsigned)(sim->now_ns / 1000000 + item->trace_at) % length;
    size_t last = 0; /* the round that had begun by then */
    while (last + 1 < item->trace_count && item->trace_ms[last + 1] <= at)
        last++;
    return item->trace[last];
}

static double round_factor(struct sim *sim, struct sim_item *item) {
    if (item->trace != NULL && item->trace_ms != NULL)
        return play_by_time(sim, item);
    if (item->trace != NULL)
        return item->trace[item->trace_at++ % item->trace_count];
    item->state = item->rho * item->state + sqrt(1 - item->rho * item->rho) * bm_random_normal(&sim->random);
    double factor = exp(item->noise * item->state);
    factor *= 1 + item->drift * (double)sim->now_ns / 1e9;
    factor *= 1 + (sim->levels > 0 && is_slow(sim) ? sim->levels : 0);
    factor *= 1 + item->settle * pow(0.5, (double)item->blocks / 10);
    if (item->second_level != 0 && bm_random_unit(&sim->random) < 0.5)
        factor *= 1 + item->second_level;
    if (item->spikes > 0 && bm_random_unit(&sim->random) < item->spikes)
        factor *= 1.5;
    if (item->first_factor > 0 && item->blocks == 1)
        factor *= item->first_factor;
    return factor;
}

static enum bm_status run(void *context, size_t index, uint64_t launches, struct bm_timing *timing,
                          struct bm_error *error) {
    struct sim *sim = context;
    struct sim_item *item = &sim->items[index];
    item->blocks++;
    sim->blocks++;
    if (item->blocks == item->fail_at)
        return bm_fail(error, BM_DEVICE, "CL_OUT_OF_RESOURCES: planted");
    double ns = item->launch_ns * (double)launches * round_factor(sim, item);
    uint64_t start = now(sim);
    sim->now_ns += (uint64_t)ns;
    sim->passed_ns += (uint64_t)ns;
    sim->longest_ns = (uint64_t)ns > sim->longest_ns ? (uint64_t)ns : sim->longest_ns;
    if (sim->blocks == sim->jump_at)
        sim->now_ns -= sim->jump_ns;
    *timing = (struct bm_timing){.start_ns = start, .host_ns = now(sim) - start};
    if (sim->device_timer)
        timing->device_ns = (uint64_t)ns;
    const bool hit = item->blocks >= item->contaminate_from && item->blocks <= item->contaminate_to;
    if (hit || (item->contaminate_every > 0 && item->blocks % item->contaminate_every == 0))
        sim->pending_flags = BM_FLAG_CONTAMINATED;
    return BM_OK;
}

struct bm_work sim_work(struct sim *sim) {
    return (struct bm_work){.run = run, .context = sim};
}

static unsigned end(void *context) {
    struct sim *sim = context;
    unsigned flags = sim->pending_flags;
    sim->pending_flags = 0;
    return flags;
}

static void pass(void *context) {
    ((struct sim *)context)->passes++;
}

struct bm_monitor sim_monitor(struct sim *sim) {
    return (struct bm_monitor){.end = end, .pass = pass, .context = sim};
}

static bool progress(void *context, size_t item, size_t pass_number, double seconds_left) {
    struct sim *sim = context;
    (void)seconds_left;
    sim->last_pass = pass_number;
    if (pass_number > 0 && sim->order_count < sizeof sim->order / sizeof sim->order[0])
        sim->order[sim->order_count++] = item;
    return sim->stop_after == 0 || sim->blocks < sim->stop_after;
}

struct bm_observer sim_observer(struct sim *sim) {
    return (struct bm_observer){.progress = progress, .context = sim};
}

enum bm_status sim_run(struct sim *sim, const struct bm_sampler_options *options, struct bm_series *series,
                       size_t count) {
    struct bm_clock clock = sim_clock(sim);
    struct bm_work work = sim_work(sim);
    struct bm_monitor monitor = sim_monitor(sim);
    struct bm_observer observer = sim_observer(sim);
    return bm_sampler_run(options, &clock, &work, &monitor, &observer, series, count, NULL);
}

void sim_free(struct bm_series *series, size_t count) {
    for (size_t i = 0; i < count; i++)
        bm_series_fini(&series[i]);
}
