/* Ratios of paired rounds: which rounds are a pair, and what pairing is worth on a machine that changes. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "simulation.h"

/* Rounds of 10 ns from these starts. */
static struct bm_series series_at(const uint64_t *starts, size_t count, struct bm_round *rounds) {
    for (size_t i = 0; i < count; i++)
        rounds[i] = (struct bm_round){.start_ns = starts[i], .ns = 10, .launches = 1};
    return (struct bm_series){.rounds = rounds, .count = count};
}

Test(pairs, the_nearest_by_its_middle) {
    static const uint64_t starts[] = {100, 200, 400};
    struct bm_round rounds[3];
    const struct bm_series series = series_at(starts, 3, rounds);
    static const struct {
        uint64_t start, ns;
        int nearest; /* -1: none */
    } cases[] = {
        {195, 20, 1},  {100, 10, 0}, {100, 110, 0}, /* half way: the earlier one */
        {100, 112, 1}, {290, 10, 1}, {301, 10, 2},
    };
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
        const struct bm_round round = {.start_ns = cases[i].start, .ns = cases[i].ns, .launches = 1};
        cr_expect_eq(bm_series_nearest(&series, &round), &rounds[cases[i].nearest], "case %zu", i);
    }
}

/* What was measured before or after it, by more than twice its longest pause, saw another machine. */
Test(pairs, nothing_is_near_what_was_not_there) {
    static const uint64_t starts[] = {1000, 1100, 1300};
    struct bm_round rounds[3];
    const struct bm_series series = series_at(starts, 3, rounds), one = series_at(starts, 1, rounds),
                           none = {.rounds = rounds};
    struct bm_round round = {.start_ns = 600, .ns = 10, .launches = 1};
    cr_expect_eq(bm_series_nearest(&series, &round), &rounds[0]);
    cr_expect_null(bm_series_nearest(&one, &round));
    cr_expect_null(bm_series_nearest(&none, &round));
    round.start_ns = 599;
    cr_expect_null(bm_series_nearest(&series, &round));
    round.start_ns = 1700;
    cr_expect_eq(bm_series_nearest(&series, &round), &rounds[2]);
    round.start_ns = 1701;
    cr_expect_null(bm_series_nearest(&series, &round));
    round.start_ns = 1000;
    cr_expect_eq(bm_series_nearest(&one, &round), &rounds[0]);
}

/* ---- on a machine that changes ---- */

enum { ROW, REFERENCE, RUNS = 300 };

struct outcome {
    double paired_error, apart_error; /* root mean square, of logarithms */
    double paired_width, apart_width; /* mean half-widths, likewise */
    double held;                      /* share of the intervals of pairs that hold the truth */
};

static void estimate_pairs(const struct bm_series *row, const struct bm_series *reference,
                           struct bm_estimate *estimate) {
    double *ratios = malloc(row->count * sizeof *ratios);
    size_t n = 0;
    for (size_t i = 0; i < row->count; i++) {
        const struct bm_round *a = &row->rounds[i], *b = bm_series_nearest(reference, a);
        if (b != NULL)
            ratios[n++] = (double)b->ns / (double)b->launches / ((double)a->ns / (double)a->launches);
    }
    cr_expect_eq(n, row->count);
    bm_estimate_of(ratios, n, estimate);
    free(ratios);
}

static struct outcome measure(double levels, double level_s, double drift) {
    struct outcome outcome = {0};
    static struct sim sim;
    for (unsigned seed = 1; seed <= RUNS; seed++) {
        struct bm_series series[SIM_ITEMS] = {[REFERENCE] = {.reference = true}};
        struct bm_estimate row, reference, pairs;
        struct bm_sampler_options options = bm_sampler_defaults;
        options.seed = seed;
        options.target_half_width = 1e-9; /* never tight: 96 rounds in some 20 s */
        sim_init(&sim, seed);
        sim.levels = levels;
        sim.level_s = level_s;
        sim.level_seed = seed;
        for (size_t i = 0; i < SIM_ITEMS; i++) {
            sim.items[i].noise = 0.01;
            sim.items[i].drift = drift;
        }
        cr_assert_eq(sim_run(&sim, &options, series, SIM_ITEMS), BM_OK);
        const double truth = log(sim.items[REFERENCE].launch_ns / sim.items[ROW].launch_ns);
        bm_series_estimate(&series[ROW], 0, &row);
        bm_series_estimate(&series[REFERENCE], 0, &reference);
        estimate_pairs(&series[ROW], &series[REFERENCE], &pairs);
        outcome.paired_error += pow(log(pairs.median_ns) - truth, 2) / RUNS;
        outcome.apart_error += pow(log(reference.median_ns / row.median_ns) - truth, 2) / RUNS;
        outcome.paired_width += pairs.half_width / RUNS;
        outcome.apart_width += hypot(row.half_width, reference.half_width) / RUNS;
        outcome.held +=
            (log(pairs.interval.low) <= truth && truth <= log(pairs.interval.high)) / (double)RUNS;
        sim_free(series, SIM_ITEMS);
    }
    outcome.paired_error = sqrt(outcome.paired_error);
    outcome.apart_error = sqrt(outcome.apart_error);
    cr_log_info("levels %g every %g s, drift %g/s: held %.3f, errors %.4f and %.4f, widths %.4f and %.4f",
                levels, level_s, drift, outcome.held, outcome.paired_error, outcome.apart_error,
                outcome.paired_width, outcome.apart_width);
    return outcome;
}

/* A virtual machine that its host moves: memory gives 50 GB/s, or 80. */
Test(pairs, levels_cancel) {
    const struct outcome outcome = measure(0.6, 3, 0);
    cr_expect_geq(outcome.held, 0.93, "%.3f", outcome.held);
    cr_expect_lt(outcome.paired_error, outcome.apart_error / 10, "%g, %g", outcome.paired_error,
                 outcome.apart_error);
    cr_expect_lt(outcome.paired_width, outcome.apart_width / 10, "%g, %g", outcome.paired_width,
                 outcome.apart_width);
}

Test(pairs, drift_cancels) {
    const struct outcome outcome = measure(0, 0, 0.005);
    cr_expect_geq(outcome.held, 0.93, "%.3f", outcome.held);
    cr_expect_lt(outcome.paired_width, outcome.apart_width / 2, "%g, %g", outcome.paired_width,
                 outcome.apart_width);
}

/* Where nothing changes, pairs cost a little. */
Test(pairs, of_a_steady_machine_they_are_as_good) {
    const struct outcome outcome = measure(0, 0, 0);
    cr_expect_geq(outcome.held, 0.93, "%.3f", outcome.held);
    cr_expect_lt(outcome.paired_error, 1.2 * outcome.apart_error, "%g, %g", outcome.paired_error,
                 outcome.apart_error);
    cr_expect_lt(outcome.paired_width, 1.2 * outcome.apart_width, "%g, %g", outcome.paired_width,
                 outcome.apart_width);
}
