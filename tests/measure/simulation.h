/* An invented machine: its clock moves only when it is read or when work runs on it. */
#ifndef BM_SIMULATION_H
#define BM_SIMULATION_H

#include "bm/measure.h"

enum { SIM_ITEMS = 8 };

struct sim_item {
    double launch_ns;    /* true time of one launch */
    double noise;        /* standard deviation of the logarithm of a round */
    double rho;          /* lag-1 autocorrelation of the noise */
    double drift;        /* relative change a second */
    double second_level; /* relative; every other round by coin */
    double settle;       /* relative excess at first, halving every 10 blocks */
    double spikes;       /* share of the rounds that take half again as long */
    double first_factor; /* of the first block; 0: as the others */
    size_t fail_at;      /* block that fails, from 1; 0: never */
    const double *trace; /* recorded times, relative to their median, instead of noise; NULL: none */
    size_t trace_count, trace_at;
    const unsigned
        *trace_ms; /* when they were taken: they are played by time, over and over; NULL: one by one */
    unsigned contaminate_every;              /* every n-th block is contaminated; 0: never */
    size_t contaminate_from, contaminate_to; /* and blocks from here to there, from 1; 0: none */
    size_t blocks;
    double state;
};

struct sim {
    uint64_t now_ns, step_ns, grain_ns; /* a reading costs step and is rounded down to grain */
    bool stopped, backwards;            /* broken clocks */
    size_t jump_at;                     /* block within which the clock falls back, from 1; 0: never */
    uint64_t jump_ns, passed_ns;        /* by so much; and what blocks really took */
    uint64_t longest_ns;                /* of the blocks */
    bool device_timer;
    /* The whole machine is slower by that part, or not, as a coin says every level_s. */
    double levels, level_s;
    uint64_t level_seed;
    struct bm_random random;
    struct sim_item items[SIM_ITEMS];
    size_t order[100000], order_count; /* items in the order they ran, warm-up excluded */
    size_t stop_after;                 /* blocks until the observer says stop; 0: never */
    size_t blocks, passes, last_pass;
    unsigned pending_flags;
};

void sim_init(struct sim *sim, uint64_t seed);
struct bm_clock sim_clock(struct sim *sim);
struct bm_work sim_work(struct sim *sim);
struct bm_monitor sim_monitor(struct sim *sim);
struct bm_observer sim_observer(struct sim *sim);
/* bm_sampler_run over `count` items with the simulation in every place; returns its status. */
enum bm_status sim_run(struct sim *sim, const struct bm_sampler_options *options, struct bm_series *series,
                       size_t count);
void sim_free(struct bm_series *series, size_t count);

#endif
