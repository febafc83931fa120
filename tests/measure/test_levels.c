/* Levels of a machine: which of them a round saw, and what enters a figure then. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "bm/measure.h"

enum { ROUNDS = 96, PASS_NS = 1000000000, BLOCK_NS = 20000000 };

/* A series as a machine makes it: slow in the passes from `from` up to `to`. */
struct machine {
    unsigned from, to;
    double step;    /* of the logarithm */
    double scatter; /* standard deviation of a round */
};

static void measure(const struct machine *machine, unsigned seed, uint64_t after_ns, struct bm_round *rounds,
                    size_t count, struct bm_series *series) {
    struct bm_random random;
    bm_random_init(&random, seed);
    for (size_t i = 0; i < count; i++) {
        const uint64_t pass = i * ROUNDS / count;
        const bool slow = pass >= machine->from && pass < machine->to;
        const double ns =
            BLOCK_NS * exp((slow ? machine->step : 0) + machine->scatter * bm_random_normal(&random));
        rounds[i] =
            (struct bm_round){.start_ns = pass * PASS_NS + after_ns, .ns = (uint64_t)ns, .launches = 1};
    }
    *series = (struct bm_series){.rounds = rounds, .count = count};
}

static struct bm_levels levels_of(const struct machine *machine) {
    static struct bm_round rounds[2][ROUNDS];
    struct bm_series series[2];
    const struct bm_series *references[] = {&series[0], &series[1]};
    struct bm_levels levels;
    measure(machine, 1, 0, rounds[0], ROUNDS, &series[0]);
    measure(machine, 2, PASS_NS / 2, rounds[1], ROUNDS, &series[1]);
    bm_levels_find(references, 2, &levels);
    return levels;
}

Test(levels, two_are_found_with_the_share_of_the_main_one) {
    static const struct {
        struct machine machine;
        bool main_is_slow;
        double main_share;
    } cases[] = {
        {{72, 96, 0.45, 0.03}, false, 0.75},
        {{0, 72, 0.45, 0.03}, true, 0.75},
        {{40, 50, 0.25, 0.02}, false, 86 / 96.0},
        {{30, 34, 0.45, 0.03}, false, 92 / 96.0},
    };
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
        struct bm_levels levels = levels_of(&cases[i].machine);
        cr_expect_eq(levels.count, (size_t)2 * ROUNDS, "case %zu", i);
        cr_expect_eq(levels.main_is_slow, cases[i].main_is_slow, "case %zu", i);
        cr_expect_float_eq(levels.main_share, cases[i].main_share, 1e-12, "case %zu: %g", i,
                           levels.main_share);
        bm_levels_fini(&levels);
        cr_expect_eq(levels.count, 0u);
    }
}

Test(levels, one_level_is_one) {
    static const struct machine machines[] = {
        {0, 0, 0, 0},         {0, 0, 0, 0.01}, {0, 0, 0, 0.1}, {72, 96, 0.15, 0.02}, /* too near: drift */
        {48, 51, 0.45, 0.03},                                                        /* too short */
    };
    for (size_t i = 0; i < BM_COUNT_OF(machines); i++) {
        struct bm_levels levels = levels_of(&machines[i]);
        cr_expect_eq(levels.count, 0u, "machine %zu", i);
        cr_expect_eq(levels.main_share, 1.0);
        cr_expect_null(levels.marks);
    }
}

static size_t marks_of(struct bm_round *rounds, size_t count) {
    const struct bm_series series = {.rounds = rounds, .count = count}, *reference = &series;
    struct bm_levels levels;
    bm_levels_find(&reference, 1, &levels);
    const size_t found = levels.count;
    bm_levels_fini(&levels);
    return found;
}

Test(levels, what_goes_to_and_fro_is_no_place) {
    struct bm_round rounds[40];
    for (unsigned dwell = 1; dwell <= 4; dwell++) {
        for (unsigned i = 0; i < BM_COUNT_OF(rounds); i++)
            rounds[i] = (struct bm_round){
                .start_ns = i * UINT64_C(1000), .ns = i / dwell % 2 ? 150 : 100, .launches = 1};
        cr_expect_eq(marks_of(rounds, BM_COUNT_OF(rounds)), dwell >= 2 ? 40u : 0u, "%u in a row", dwell);
    }
}

Test(levels, a_slope_and_outliers_are_none) {
    struct bm_round rounds[40];
    for (unsigned i = 0; i < BM_COUNT_OF(rounds); i++)
        rounds[i] = (struct bm_round){.start_ns = i * UINT64_C(1000), .ns = 1000 + 40 * i, .launches = 1};
    cr_expect_eq(marks_of(rounds, BM_COUNT_OF(rounds)), 0u, "from 1000 to 2560 without a gap");
    for (unsigned i = 0; i < BM_COUNT_OF(rounds); i++)
        rounds[i].ns = i >= 20 && i < 23 ? 2000 : 1000 + i;
    cr_expect_eq(marks_of(rounds, BM_COUNT_OF(rounds)), 0u, "three slow rounds");
    for (unsigned i = 20; i < 23; i++)
        rounds[i].ns = 500;
    cr_expect_eq(marks_of(rounds, BM_COUNT_OF(rounds)), 0u, "three fast rounds");
    for (unsigned i = 0; i < BM_COUNT_OF(rounds); i++) {
        rounds[i].ns = i >= 20 && i < 30 ? 2000 : 1000;
        rounds[i].flags = rounds[i].ns == 2000 ? BM_FLAG_CONTAMINATED : 0;
    }
    cr_expect_eq(marks_of(rounds, BM_COUNT_OF(rounds)), 0u, "a neighbour");
    cr_expect_eq(marks_of(rounds, 7), 0u);
    cr_expect_eq(marks_of(rounds, 0), 0u);
}

/* A row's rounds at both levels: its median is that of the main one, with an interval as narrow as its
 * rounds. */
Test(levels, what_moved_enters_no_figure) {
    const struct machine machine = {72, 96, 0.45, 0.01}, still = {0, 0, 0, 0.01};
    struct bm_levels levels = levels_of(&machine);
    struct bm_round rounds[32], unmoved[32];
    struct bm_series series, calm;
    struct bm_estimate estimate, truth;
    measure(&machine, 3, PASS_NS / 3, rounds, BM_COUNT_OF(rounds), &series);
    measure(&still, 3, PASS_NS / 3, unmoved, BM_COUNT_OF(unmoved), &calm);
    calm.count = 24;
    series.flags = BM_FLAG_NOT_CONVERGED | BM_FLAG_BIMODAL | BM_FLAG_DRIFT;
    bm_levels_tag(&levels, 0.02, &series);
    for (size_t i = 0; i < BM_COUNT_OF(rounds); i++)
        cr_expect_eq(rounds[i].flags, i >= 24 ? BM_FLAG_MOVED : 0, "round %zu", i);
    cr_expect_eq(series.flags, 0u, "%x: nothing is wrong with the others", series.flags);
    cr_expect_eq(bm_series_left_out(&series), (unsigned)BM_FLAG_MOVED);
    bm_series_estimate(&series, bm_series_left_out(&series), &estimate);
    bm_series_estimate(&calm, 0, &truth);
    cr_expect_eq(estimate.rounds, 24u);
    cr_expect_eq(estimate.median_ns, truth.median_ns);
    cr_expect_eq(estimate.half_width, truth.half_width);

    bm_levels_tag(&levels, estimate.half_width * 0.9, &series);
    cr_expect_eq(series.flags, (unsigned)BM_FLAG_NOT_CONVERGED, "by a narrower target");
    bm_levels_fini(&levels);
}

/* Between a mark of one level and a mark of the other nobody knows. */
Test(levels, the_time_of_a_move_is_of_no_level) {
    const struct machine machine = {72, 96, 0.45, 0.01};
    struct bm_levels levels = levels_of(&machine);
    struct bm_round rounds[20];
    struct bm_series series = {.rounds = rounds, .count = BM_COUNT_OF(rounds)};
    for (size_t i = 0; i < BM_COUNT_OF(rounds); i++)
        rounds[i] = (struct bm_round){.start_ns = i * UINT64_C(4000000000), .ns = BLOCK_NS, .launches = 1};
    rounds[18].start_ns = UINT64_C(71400000000); /* the last marks that are fast are of 71.0 and 71.5 s */
    rounds[19].start_ns = UINT64_C(71600000000);
    bm_levels_tag(&levels, 0.01, &series);
    cr_expect_eq(rounds[17].flags, 0u);
    cr_expect_eq(rounds[18].flags, 0u);
    cr_expect_eq(rounds[19].flags, (unsigned)BM_FLAG_MOVED);
    bm_levels_fini(&levels);
}

Test(levels, too_few_others_leave_all_and_flag_the_series) {
    static const struct {
        unsigned moved, count;
        bool is_left_out;
    } cases[] = {{8, 16, true}, {9, 16, false}, {1, 9, true},   {1, 8, false},
                 {2, 9, false}, {0, 16, false}, {12, 24, true}, {13, 24, false}};
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
        struct bm_round rounds[24];
        struct bm_series series = {.rounds = rounds, .count = cases[i].count};
        for (unsigned k = 0; k < cases[i].count; k++)
            rounds[k] = (struct bm_round){
                .ns = 1000000, .launches = 1, .flags = k < cases[i].moved ? BM_FLAG_MOVED : 0};
        cr_expect_eq(bm_series_left_out(&series), cases[i].is_left_out ? BM_FLAG_MOVED : 0, "case %zu", i);
        cr_expect_eq(bm_series_flags(&series),
                     cases[i].moved > 0 && !cases[i].is_left_out ? BM_FLAG_MOVED : 0, "case %zu", i);
    }
}

/* Neither level is the machine's: all rounds stay, and say so by their shape. */
Test(levels, without_a_main_one_nothing_is_left_out) {
    for (unsigned from = 60; from <= 68; from += 8) {
        const struct machine machine = {from, 96, 0.45, 0.01};
        struct bm_levels levels = levels_of(&machine);
        struct bm_round rounds[32];
        struct bm_series series;
        cr_expect_gt(levels.count, 0u);
        measure(&machine, 3, PASS_NS / 3, rounds, BM_COUNT_OF(rounds), &series);
        rounds[0].flags = BM_FLAG_MOVED; /* said by an earlier run */
        bm_levels_tag(&levels, 0.01, &series);
        const bool is_settled = from / 96.0 >= BM_LEVELS_MAIN_SHARE;
        cr_expect_eq(bm_series_left_out(&series), is_settled ? BM_FLAG_MOVED : 0, "from %u", from);
        cr_expect_eq(rounds[0].flags, 0u);
        cr_expect_eq((series.flags & BM_FLAG_BIMODAL) == 0, is_settled);
        bm_levels_fini(&levels);
    }
}
