#include <criterion/criterion.h>
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
