#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "simulation.h"

static struct sim sim;

/* Runs one item, made by `change`, over several seeds; returns in how many of them the flag is set. */
static unsigned times_flagged(unsigned flag, void (*change)(struct sim_item *item), unsigned seeds) {
    unsigned flagged = 0;
    for (unsigned seed = 1; seed <= seeds; seed++) {
        struct bm_series series[1] = {0};
        sim_init(&sim, seed);
        change(&sim.items[0]);
        cr_assert_eq(sim_run(&sim, &bm_sampler_defaults, series, 1), BM_OK);
        flagged += (series[0].flags & flag) != 0;
        sim_free(series, 1);
    }
    return flagged;
}

static void make_quiet(struct sim_item *item) {
    item->noise = 0.02;
}
static void make_unstable(struct sim_item *item) {
    item->noise = 0.3;
}
static void make_drifting(struct sim_item *item) {
    item->noise = 0.02;
    item->drift = 0.5;
}
static void make_bimodal(struct sim_item *item) {
    item->noise = 0.01;
    item->second_level = 0.4;
}
static void make_settling(struct sim_item *item) {
    item->noise = 0.001;
    item->launch_ns = 4e8; /* the share of warm-up ends while it still falls */
    item->settle = 2;
}

Test(flags, unstable_is_a_wide_spread) {
    cr_expect_eq(times_flagged(BM_FLAG_UNSTABLE, make_unstable, 40), 40);
    cr_expect_eq(times_flagged(BM_FLAG_UNSTABLE, make_quiet, 200), 0);
}

Test(flags, drift_is_a_trend_over_the_run) {
    cr_expect_geq(times_flagged(BM_FLAG_DRIFT, make_drifting, 40), 38);
    cr_expect_leq(times_flagged(BM_FLAG_DRIFT, make_quiet, 200), 2);
}

Test(flags, bimodal_is_two_levels) {
    cr_expect_geq(times_flagged(BM_FLAG_BIMODAL, make_bimodal, 40), 38);
    cr_expect_leq(times_flagged(BM_FLAG_BIMODAL, make_quiet, 200), 2);
    cr_expect_leq(times_flagged(BM_FLAG_BIMODAL, make_unstable, 200), 10);
}

/* Some rounds around 1 ms, the first `others` of them longer by a third. */
static unsigned flags_of_levels(size_t count, size_t others) {
    struct bm_round rounds[96] = {0};
    for (size_t i = 0; i < count; i++) {
        const size_t at = i * 7 % count; /* not side by side: that would be drift */
        rounds[at] =
            (struct bm_round){.ns = (i < others ? 1333000 : 1000000) + i * 7 % 5 * 1000, .launches = 1};
    }
    const struct bm_series series = {.rounds = rounds, .count = count};
    return bm_series_flags(&series);
}

Test(flags, a_few_outliers_of_one_height_are_no_level) {
    cr_expect_eq(flags_of_levels(16, 2), 0);
    cr_expect_eq(flags_of_levels(16, 3), 0);
    cr_expect_eq(flags_of_levels(16, 4), BM_FLAG_BIMODAL);
    cr_expect_eq(flags_of_levels(24, 3), 0);
    cr_expect_eq(flags_of_levels(96, 9), 0);
    cr_expect_eq(flags_of_levels(96, 10), BM_FLAG_BIMODAL);
}

Test(flags, not_steady_is_a_warm_up_that_still_moves) {
    cr_expect_geq(times_flagged(BM_FLAG_NOT_STEADY, make_settling, 40), 38);
    cr_expect_leq(times_flagged(BM_FLAG_NOT_STEADY, make_quiet, 200), 4);
}

Test(flags, contaminated_rounds_are_taken_again_twice_and_kept) {
    struct bm_series series[2] = {0};
    sim_init(&sim, 8);
    sim.items[0].contaminate_every = 1;
    sim.items[1].contaminate_every = 5;
    cr_assert_eq(sim_run(&sim, &bm_sampler_defaults, series, 2), BM_OK);
    cr_expect_eq(series[0].count, 3 * series[0].visits);
    cr_expect(series[0].flags & BM_FLAG_CONTAMINATED);
    cr_expect_not(series[1].flags & BM_FLAG_CONTAMINATED, "one round in five moves no median");
    struct bm_estimate all, clean;
    bm_series_estimate(&series[1], 0, &all);
    bm_series_estimate(&series[1], BM_FLAG_CONTAMINATED, &clean);
    cr_expect_eq(all.rounds, series[1].count);
    cr_expect_lt(clean.rounds, all.rounds);
    bm_series_estimate(&series[0], BM_FLAG_CONTAMINATED, &clean);
    cr_expect_eq(clean.rounds, 0);
    sim_free(series, 2);
}

/* One visit met foreign work three times: seven clean rounds of ten are too few to tell, so it goes on to the
 * next look. Where they never come it does not wait for ever. */
Test(flags, one_disturbed_visit_flags_nothing) {
    struct bm_series series[1] = {0};
    struct bm_sampler_options options = bm_sampler_defaults;
    options.budget_s = 0.5; /* looks begin after some 8 visits */
    sim_init(&sim, 5);
    sim.items[0].noise = 0.002;
    sim.items[0].contaminate_from = 12; /* behind the warm-up */
    sim.items[0].contaminate_to = 14;
    cr_assert_eq(sim_run(&sim, &options, series, 1), BM_OK);
    cr_expect_eq(series[0].flags, 0);
    cr_expect_eq(series[0].visits, 12);
    cr_expect_eq(series[0].count, 14);
    sim_free(series, 1);
    sim_init(&sim, 5);
    sim.items[0].noise = 0.002;
    sim.items[0].contaminate_every = 1;
    memset(series, 0, sizeof series);
    options.budget_s = 2;
    cr_assert_eq(sim_run(&sim, &options, series, 1), BM_OK);
    cr_expect_eq(series[0].flags, BM_FLAG_CONTAMINATED);
    cr_expect(series[0].visits > 16 && series[0].visits <= 24, "%zu", series[0].visits);
    sim_free(series, 1);
}

static struct bm_series series_of(struct bm_round *rounds, size_t count) {
    for (size_t i = 0; i < count; i++)
        rounds[i].launches = 1;
    return (struct bm_series){.rounds = rounds, .count = count};
}

/* 24 rounds around 1 ms; every third is `worse` times as long and, when a control saw it, tagged. */
static unsigned flags_of(double worse, bool seen) {
    struct bm_round rounds[24] = {0};
    for (unsigned i = 0; i < 24; i++) {
        rounds[i].ns = 1000000 + i * 7 % 5 * 1000;
        if (i % 3 == 0) {
            rounds[i].ns = (uint64_t)((double)rounds[i].ns * worse);
            rounds[i].flags = seen ? BM_FLAG_CONTAMINATED : 0;
        }
    }
    const struct bm_series series = series_of(rounds, 24);
    return bm_series_flags(&series);
}

Test(flags, what_foreign_work_did_is_no_second_level) {
    cr_expect_eq(flags_of(1.2, false), BM_FLAG_BIMODAL);
    cr_expect_eq(flags_of(1.2, true), 0, "and a third of the rounds moved no median");
}

/* Half of the rounds are longer by 20 %: the median is not what it would be alone. */
Test(flags, contamination_that_moves_the_median_is_said) {
    struct bm_round rounds[24] = {0};
    for (unsigned i = 0; i < 24; i++)
        rounds[i] = (struct bm_round){.ns = i % 2 != 0 ? 1200000 : 1000000,
                                      .flags = i % 2 != 0 ? BM_FLAG_CONTAMINATED : 0};
    const struct bm_series moved = series_of(rounds, 24);
    cr_expect_eq(bm_series_flags(&moved), BM_FLAG_CONTAMINATED);
    for (unsigned i = 0; i < 24; i++)
        rounds[i].ns = 1000000;
    const struct bm_series even = series_of(rounds, 24), few = series_of(rounds, 14);
    cr_expect_eq(bm_series_flags(&even), 0);
    cr_expect_eq(bm_series_flags(&few), BM_FLAG_CONTAMINATED, "7 clean rounds are not enough to tell");
}

/* Warm-up left a trend behind: the rounds after it must have it too. */
Test(flags, a_warm_up_that_settled_after_all_is_forgiven) {
    struct bm_round rounds[12] = {0};
    for (unsigned i = 0; i < 12; i++)
        rounds[i].ns = 1000000 + i * 7 % 5 * 1000;
    struct bm_series series = series_of(rounds, 12);
    series.flags = BM_FLAG_NOT_STEADY;
    cr_expect_eq(bm_series_flags(&series), 0);
    for (unsigned i = 0; i < 12; i++)
        rounds[i].ns = 1000000 - i * 2000;
    cr_expect_eq(bm_series_flags(&series), BM_FLAG_NOT_STEADY);
    series.flags = 0;
    cr_expect_eq(bm_series_flags(&series), 0, "a warm-up that was steady is believed");
}

/* ---- each rule at its limit ---- */

enum { MOST = 96 };

static unsigned flags_of_times(const double *ms, size_t count) {
    struct bm_round rounds[MOST] = {0};
    for (size_t i = 0; i < count; i++)
        rounds[i].ns = (uint64_t)(1e6 * ms[i]);
    const struct bm_series series = series_of(rounds, count);
    return bm_series_flags(&series);
}

/* In the order of i * 7, which has no trend: evenly between 1 - spread and 1 + spread. */
static unsigned flags_of_spread(double spread) {
    double ms[25];
    for (size_t i = 0; i < 25; i++)
        ms[i * 7 % 25] = 1 + spread * ((double)i / 12 - 1);
    return flags_of_times(ms, 25);
}

Test(flags, unstable_is_half_the_distance_of_quartiles_above_a_tenth) {
    cr_expect_eq(flags_of_spread(0.19), 0); /* half of it lies between the quartiles */
    cr_expect_eq(flags_of_spread(0.21), BM_FLAG_UNSTABLE);
}

/* Times that rise by `step` from the middle of the first third to that of the last. */
static unsigned flags_of_ramp(double step, size_t count) {
    double ms[MOST];
    for (size_t i = 0; i < count; i++)
        ms[i] = exp(1.5 * step * (double)i / (double)count);
    return flags_of_times(ms, count);
}

Test(flags, drift_is_thirds_that_differ_by_three_percent) {
    cr_expect_eq(flags_of_ramp(0.028, 24), 0);
    cr_expect_eq(flags_of_ramp(0.032, 24), BM_FLAG_DRIFT);
    cr_expect_eq(flags_of_ramp(0.05, 15), 0, "fewer than 16 rounds");
    cr_expect_eq(flags_of_ramp(0.05, 16), BM_FLAG_DRIFT);
}

/* Slow, then fast, then in between. */
Test(flags, thirds_that_differ_without_a_trend_are_no_drift) {
    double ms[24];
    for (size_t i = 0; i < 24; i++)
        ms[i] = (i < 8 ? 1.05 : i < 16 ? 0.95 : 1) + (double)(i * 7 % 5) / 1000;
    cr_expect_eq(flags_of_times(ms, 24) & BM_FLAG_DRIFT, 0);
}

/* Two levels in turn, `apart` from edge to edge, each as wide as `spread`. */
static unsigned flags_of_two(double apart, double spread, size_t count) {
    double ms[MOST];
    for (size_t i = 0; i < count; i++)
        ms[i] = exp((i % 2 != 0 ? apart + spread : 0) +
                    spread * (double)(i / 2 * 7 % (count / 2)) / (double)(count / 2 - 1));
    return flags_of_times(ms, count);
}

Test(flags, bimodal_is_a_gap_of_three_percent_as_wide_as_its_sides) {
    cr_expect_eq(flags_of_two(0.028, 0.01, 24), 0);
    cr_expect_eq(flags_of_two(0.032, 0.01, 24), BM_FLAG_BIMODAL);
    cr_expect_eq(flags_of_two(0.04, 0.08, 24), 0, "wider than the gap");
    cr_expect_eq(flags_of_two(0.04, 0.01, 14), 0, "fewer than 16 rounds");
}

Test(flags, of_rounds_are_of_the_series_above_a_quarter) {
    static const unsigned flags[] = {BM_FLAG_RESOLUTION_LIMITED, BM_FLAG_TIMER_DISAGREES, BM_FLAG_THROTTLED};
    for (size_t f = 0; f < BM_COUNT_OF(flags); f++)
        for (unsigned with = 6; with <= 7; with++) {
            struct bm_round rounds[24] = {0};
            for (unsigned i = 0; i < 24; i++)
                rounds[i] = (struct bm_round){.ns = 1000000, .flags = i * 7 % 24 < with ? flags[f] : 0};
            const struct bm_series series = series_of(rounds, 24);
            cr_expect_eq(bm_series_flags(&series), with > 6 ? flags[f] : 0, "%u of 24", with);
        }
}

Test(flags, contamination_moves_the_median_by_one_percent) {
    for (unsigned percent = 0; percent < 2; percent++) {
        struct bm_round rounds[25] = {0};
        for (unsigned i = 0; i < 25; i++) /* 13 of 25: the median of all is theirs */
            rounds[i] = (struct bm_round){.ns = i % 2 == 0 ? (percent ? 1012000 : 1008000) : 1000000,
                                          .flags = i % 2 == 0 ? BM_FLAG_CONTAMINATED : 0};
        const struct bm_series series = series_of(rounds, 25);
        cr_expect_eq(bm_series_flags(&series), percent ? BM_FLAG_CONTAMINATED : 0);
    }
}

Test(flags, the_monitor_is_told_of_passes) {
    struct bm_series series[3] = {0};
    sim_init(&sim, 10);
    cr_assert_eq(sim_run(&sim, &bm_sampler_defaults, series, 3), BM_OK);
    cr_expect_eq(sim.passes, sim.last_pass);
    cr_expect_geq(sim.passes, 8);
    sim_free(series, 3);
}

Test(flags, every_bit_has_a_name_of_its_own) {
    for (unsigned a = 1; a <= BM_FLAG_LAST; a <<= 1) {
        cr_assert_not_null(bm_flag_name(a));
        for (unsigned b = 1; b < a; b <<= 1)
            cr_expect_str_neq(bm_flag_name(a), bm_flag_name(b));
    }
    cr_expect_null(bm_flag_name(BM_FLAG_LAST << 1));
    cr_expect_null(bm_flag_name(0));
    cr_expect_null(bm_flag_name(BM_FLAG_UNSTABLE | BM_FLAG_DRIFT));
}

/* Clean rounds beside a neighbour that is nearly always there are those in which it was not seen. */
Test(flags, a_neighbour_beside_most_rounds_is_beside_all) {
    struct bm_round rounds[40];
    struct bm_series series = series_of(rounds, BM_COUNT_OF(rounds));
    for (size_t tagged = 26; tagged <= 27; tagged++) {
        for (size_t i = 0; i < BM_COUNT_OF(rounds); i++)
            rounds[i] = (struct bm_round){
                .ns = 1000000 + i * 7 % 5, .launches = 1, .flags = i < tagged ? BM_FLAG_CONTAMINATED : 0};
        cr_expect_eq(bm_series_flags(&series), tagged > 26 ? BM_FLAG_CONTAMINATED : 0);
    }
}
