#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "simulation.h"

static struct sim sim; /* large: not on the stack */

Test(sampler, quiet_items_converge_to_the_truth) {
    struct bm_series series[SIM_ITEMS] = {0};
    struct bm_sampler_options options = bm_sampler_defaults;
    sim_init(&sim, 1);
    cr_assert_eq(sim_run(&sim, &options, series, SIM_ITEMS), BM_OK);
    for (size_t i = 0; i < SIM_ITEMS; i++) {
        struct bm_estimate estimate;
        bm_series_estimate(&series[i], 0, &estimate);
        cr_expect(series[i].done);
        cr_expect_eq(series[i].flags, 0, "item %zu: flags %#x", i, series[i].flags);
        cr_expect_geq(series[i].count, 8);
        cr_expect_leq(estimate.half_width, options.target_half_width);
        cr_expect_float_eq(estimate.median_ns / sim.items[i].launch_ns, 1, 0.01);
        cr_expect_geq(series[i].rounds[0].ns, options.minimum_block_ns * 95 / 100);
    }
    sim_free(series, SIM_ITEMS);
}

Test(sampler, looks_only_at_the_fixed_counts) {
    static const size_t looks[] = {8, 12, 16, 24, 32, 48, 64, 96};
    struct bm_sampler_options options = bm_sampler_defaults;
    options.budget_s = 1000;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct bm_series series[SIM_ITEMS] = {0};
        sim_init(&sim, seed);
        for (size_t i = 0; i < SIM_ITEMS; i++)
            sim.items[i].noise = 0.004 * (double)(i + 1);
        cr_assert_eq(sim_run(&sim, &options, series, SIM_ITEMS), BM_OK);
        for (size_t i = 0; i < SIM_ITEMS; i++) {
            bool known = false;
            for (size_t l = 0; l < BM_COUNT_OF(looks); l++)
                known |= series[i].count == looks[l];
            cr_expect(known, "stopped after %zu rounds", series[i].count);
        }
        sim_free(series, SIM_ITEMS);
    }
}

Test(sampler, never_calls_a_wide_interval_converged) {
    struct bm_sampler_options options = bm_sampler_defaults;
    size_t converged = 0, open = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct bm_series series[SIM_ITEMS] = {0};
        sim_init(&sim, seed);
        for (size_t i = 0; i < SIM_ITEMS; i++) {
            sim.items[i].noise = 0.01 * (double)i;
            sim.items[i].rho = i % 2 ? 0.6 : 0;
        }
        cr_assert_eq(sim_run(&sim, &options, series, SIM_ITEMS), BM_OK);
        for (size_t i = 0; i < SIM_ITEMS; i++) {
            struct bm_estimate estimate;
            bm_series_estimate(&series[i], 0, &estimate);
            bool tight = estimate.half_width <= options.target_half_width;
            cr_expect_eq((series[i].flags & BM_FLAG_NOT_CONVERGED) == 0, tight);
            converged += tight;
            open += !tight;
        }
        sim_free(series, SIM_ITEMS);
    }
    cr_expect_gt(converged, 50); /* both kinds occurred: the test can fail */
    cr_expect_gt(open, 50);
}

Test(sampler, keeps_the_budget_and_shares_it) {
    static const double budgets[] = {1, 5, 30, 120};
    for (size_t b = 0; b < BM_COUNT_OF(budgets); b++) {
        struct bm_series series[SIM_ITEMS] = {0};
        struct bm_sampler_options options = bm_sampler_defaults;
        options.budget_s = budgets[b];
        sim_init(&sim, 7);
        for (size_t i = 0; i < SIM_ITEMS; i++)
            sim.items[i].noise = 0.3; /* never tight */
        sim.items[0].launch_ns = 1e8; /* one expensive item must not starve the others */
        uint64_t start = sim.now_ns;
        cr_assert_eq(sim_run(&sim, &options, series, SIM_ITEMS), BM_OK);
        double took = (double)(sim.now_ns - start) / 1e9;
        cr_expect_leq(took, 1.1 * budgets[b] + 0.2, "budget %g took %g", budgets[b], took);
        for (size_t i = 0; i < SIM_ITEMS; i++) {
            cr_expect_geq(series[i].count, 1, "item %zu has no round", i);
            cr_expect(series[i].flags & BM_FLAG_NOT_CONVERGED);
        }
        if (budgets[b] >= 30)
            cr_expect_geq(series[SIM_ITEMS - 1].count, 24);
        sim_free(series, SIM_ITEMS);
    }
}

/* One that takes a second each time gets three fair shares of the budget, then what the others leave. */
Test(sampler, an_expensive_item_waits_for_the_others) {
    struct bm_series series[SIM_ITEMS] = {0};
    struct bm_sampler_options options = bm_sampler_defaults;
    options.budget_s = 60;
    sim_init(&sim, 7);
    for (size_t i = 0; i < SIM_ITEMS; i++)
        sim.items[i].noise = 0.3; /* never tight */
    sim.items[0].launch_ns = 1e9;
    cr_assert_eq(sim_run(&sim, &options, series, SIM_ITEMS), BM_OK);
    for (size_t i = 1; i < SIM_ITEMS; i++)
        cr_expect_geq(series[i].count, 70, "item %zu: %zu", i, series[i].count);
    cr_expect_gt(series[0].count, 8);
    sim_free(series, SIM_ITEMS);
}

Test(sampler, no_budget_still_gives_one_round_each) {
    struct bm_series series[SIM_ITEMS] = {0};
    struct bm_sampler_options options = bm_sampler_defaults;
    options.budget_s = 0;
    sim_init(&sim, 3);
    cr_assert_eq(sim_run(&sim, &options, series, SIM_ITEMS), BM_OK);
    for (size_t i = 0; i < SIM_ITEMS; i++)
        cr_expect_eq(series[i].count, 1);
    sim_free(series, SIM_ITEMS);
}

Test(sampler, interleaves_in_fresh_order_by_seed) {
    struct bm_sampler_options options = bm_sampler_defaults;
    size_t first[64];
    for (int repeat = 0; repeat < 3; repeat++) {
        struct bm_series series[SIM_ITEMS] = {0};
        sim_init(&sim, 5);
        options.seed = repeat < 2 ? 11 : 12;
        cr_assert_eq(sim_run(&sim, &options, series, SIM_ITEMS), BM_OK);
        cr_assert_geq(sim.order_count, 64);
        for (size_t pass = 0; pass < 8; pass++) {
            unsigned seen = 0;
            for (size_t i = 0; i < SIM_ITEMS; i++)
                seen |= 1u << sim.order[pass * SIM_ITEMS + i];
            cr_expect_eq(seen, (1u << SIM_ITEMS) - 1, "pass %zu does not hold every item once", pass);
        }
        cr_expect_neq(memcmp(sim.order, sim.order + SIM_ITEMS, SIM_ITEMS * sizeof sim.order[0]), 0);
        bool same = memcmp(first, sim.order, sizeof first) == 0;
        if (repeat == 0)
            memcpy(first, sim.order, sizeof first);
        else
            cr_expect_eq(same, repeat == 1);
        sim_free(series, SIM_ITEMS);
    }
}

Test(sampler, a_failing_item_costs_only_itself) {
    struct bm_series series[SIM_ITEMS] = {0};
    struct bm_sampler_options options = bm_sampler_defaults;
    sim_init(&sim, 9);
    sim.items[2].fail_at = 1;  /* in warm-up */
    sim.items[5].fail_at = 14; /* in the passes */
    cr_assert_eq(sim_run(&sim, &options, series, SIM_ITEMS), BM_OK);
    for (size_t i = 0; i < SIM_ITEMS; i++) {
        cr_expect_eq(series[i].failed, i == 2 || i == 5);
        cr_expect_geq(series[i].count, i == 2 ? 0 : i == 5 ? 1 : 8);
    }
    cr_expect_eq(series[5].error.status, BM_DEVICE);
    cr_expect_not_null(strstr(series[5].error.message, "CL_OUT_OF_RESOURCES"));
    sim_free(series, SIM_ITEMS);
}

Test(sampler, an_interrupt_keeps_what_was_measured) {
    for (size_t stop = 1; stop < 120; stop += 17) {
        struct bm_series series[SIM_ITEMS] = {0};
        struct bm_sampler_options options = bm_sampler_defaults;
        sim_init(&sim, 4);
        sim.stop_after = stop;
        cr_assert_eq(sim_run(&sim, &options, series, SIM_ITEMS), BM_INTERRUPTED);
        cr_expect_eq(sim.blocks, stop);
        size_t rounds = 0;
        for (size_t i = 0; i < SIM_ITEMS; i++)
            rounds += series[i].count;
        /* The block that was under way when the signal came is measured, and kept. */
        cr_expect_eq(rounds, sim.order_count);
        sim_free(series, SIM_ITEMS);
    }
}

Test(sampler, earlier_rounds_count) {
    struct bm_series series[SIM_ITEMS] = {0};
    struct bm_sampler_options options = bm_sampler_defaults;
    sim_init(&sim, 21);
    sim.stop_after = 140;
    cr_assert_eq(sim_run(&sim, &options, series, SIM_ITEMS), BM_INTERRUPTED);
    size_t before[SIM_ITEMS];
    for (size_t i = 0; i < SIM_ITEMS; i++)
        before[i] = series[i].count;
    sim.stop_after = 0;
    sim.order_count = 0;
    cr_assert_eq(sim_run(&sim, &options, series, SIM_ITEMS), BM_OK);
    for (size_t i = 0; i < SIM_ITEMS; i++) {
        size_t added = 0;
        for (size_t k = 0; k < sim.order_count; k++)
            added += sim.order[k] == i;
        cr_expect_eq(series[i].count, before[i] + added);
        cr_expect_eq(series[i].flags, 0);
    }
    sim_free(series, SIM_ITEMS);
}

Test(sampler, what_is_tight_already_is_not_run) {
    struct bm_series series[2] = {0};
    sim_init(&sim, 22);
    sim.items[0].noise = sim.items[1].noise = 0.0005;
    cr_assert_eq(sim_run(&sim, &bm_sampler_defaults, series, 2), BM_OK);
    const size_t blocks = sim.blocks;
    series[0].done = series[1].done = false;
    cr_assert_eq(sim_run(&sim, &bm_sampler_defaults, series, 2), BM_OK);
    cr_expect_eq(sim.blocks, blocks);
    cr_expect(series[0].done && series[1].done);
    sim_free(series, 2);
}

Test(sampler, rounds_begin_behind_those_of_an_earlier_run) {
    struct bm_series series[1] = {0};
    struct bm_sampler_options options = bm_sampler_defaults;
    sim_init(&sim, 23);
    options.elapsed_ns = UINT64_C(7000000000);
    cr_assert_eq(sim_run(&sim, &options, series, 1), BM_OK);
    cr_expect_gt(series[0].rounds[0].start_ns, options.elapsed_ns);
    cr_expect_lt(series[0].rounds[0].start_ns, options.elapsed_ns + UINT64_C(1000000000));
    sim_free(series, 1);
}

/* Blocks before the first round, of an item that is longer by `settle` at first. */
static size_t warm_up_blocks(double settle) {
    struct bm_series series[1] = {0};
    sim_init(&sim, 24);
    sim.items[0].noise = 0.0002;
    sim.items[0].settle = settle;
    cr_assert_eq(sim_run(&sim, &bm_sampler_defaults, series, 1), BM_OK);
    const size_t blocks = sim.blocks - series[0].count;
    sim_free(series, 1);
    return blocks;
}

/* Three windows of three blocks within 1 %, and no trend in them. */
Test(sampler, warms_up_until_times_stand_still) {
    cr_expect_leq(warm_up_blocks(0), 15, "%zu", warm_up_blocks(0));
    cr_expect_geq(warm_up_blocks(0), 9);
    cr_expect_geq(warm_up_blocks(0.012), 30, "%zu: within 1 %%, but falling", warm_up_blocks(0.012));
    cr_expect_geq(warm_up_blocks(1), warm_up_blocks(0.012) + 40, "%zu", warm_up_blocks(1));
}

/* What others are judged by is measured as long as they are, and no longer. */
Test(sampler, references_go_on_beside_the_others) {
    for (size_t noisy = 0; noisy < 2; noisy++) {
        struct bm_series series[3] = {[1] = {.reference = true}};
        struct bm_sampler_options options = bm_sampler_defaults;
        options.budget_s = 9; /* two thirds of it are some 80 visits of each */
        sim_init(&sim, 6);
        sim.items[0].noise = noisy ? 0.05 : 0.0005;
        sim.items[1].noise = sim.items[2].noise = 0.0005; /* done as soon as they may */
        cr_assert_eq(sim_run(&sim, &options, series, 3), BM_OK);
        const size_t quiet = series[2].count;
        cr_expect(quiet > 60 && quiet < 90, "%zu", quiet);
        cr_expect_eq(series[0].count, noisy ? 96 : quiet);
        cr_expect_eq(series[1].count, series[0].count);
        for (size_t pass = quiet; pass < series[0].count; pass++) {
            const size_t *two = sim.order + 3 * quiet + 2 * (pass - quiet);
            cr_expect(two[0] + two[1] == 1 && two[0] != two[1], "pass %zu: %zu and %zu", pass, two[0],
                      two[1]);
        }
        sim_free(series, 3);
    }
}

/* A reference that fails leaves the others alone, and one that is not tight is nobody's reason to go on. */
Test(sampler, references_are_items_like_others) {
    struct bm_series series[3] = {[1] = {.reference = true}, [2] = {.reference = true}};
    struct bm_sampler_options options = bm_sampler_defaults;
    options.budget_s = 9;
    sim_init(&sim, 8);
    sim.items[0].noise = sim.items[2].noise = 0.0005;
    sim.items[1].noise = 0.05;
    cr_assert_eq(sim_run(&sim, &options, series, 3), BM_OK);
    cr_expect(series[0].count > 60 && series[0].count < 90, "%zu", series[0].count);
    cr_expect_eq(series[1].count, 96, "it is an item of its own, to be measured well");
    cr_expect_eq(series[2].count, series[0].count);
    sim_free(series, 3);

    memset(series, 0, sizeof series);
    options.budget_s = 6.5;
    series[1].reference = true;
    sim_init(&sim, 8);
    sim.items[0].noise = 0.05;
    sim.items[1].noise = 0.0005;
    sim.items[1].fail_at = 80;
    cr_assert_eq(sim_run(&sim, &options, series, 2), BM_OK);
    cr_expect(series[1].failed);
    cr_expect(series[1].count > 40 && series[1].count < 80, "as a reference, behind its own end");
    cr_expect_eq(series[0].count, 96);
    cr_expect_not(series[0].failed);
    sim_free(series, 2);
}

/* The time of the last round of an item, as a part of the budget. */
static double end_of(const struct bm_series *series, const struct bm_sampler_options *options) {
    return (double)series->rounds[series->count - 1].start_ns / 1e9 / options->budget_s;
}

/* However tight the first rounds are: what a machine does later belongs to the figure, too. */
Test(sampler, rounds_are_spread_over_most_of_the_budget) {
    struct bm_series series[SIM_ITEMS] = {0};
    struct bm_sampler_options options = bm_sampler_defaults;
    options.budget_s = 12; /* some 20 visits of each */
    sim_init(&sim, 4);
    for (size_t i = 0; i < SIM_ITEMS; i++)
        sim.items[i].noise = i == 0 ? 0.3 : 0.001;
    cr_assert_eq(sim_run(&sim, &options, series, SIM_ITEMS), BM_OK);
    for (size_t i = 1; i < SIM_ITEMS; i++) {
        cr_expect(series[i].count >= 16 && series[i].count < 48, "%zu", series[i].count);
        cr_expect(end_of(&series[i], &options) > 0.62 && end_of(&series[i], &options) < 0.7);
    }
    cr_expect_gt(end_of(&series[0], &options), 0.75, "the rest is for what is not tight");
    cr_expect_eq(series[0].count, 96);
    sim_free(series, SIM_ITEMS);

    memset(series, 0, sizeof series);
    options.budget_s = 1000; /* nobody waits ten minutes for eight quiet items */
    sim_init(&sim, 4);
    cr_assert_eq(sim_run(&sim, &options, series, SIM_ITEMS), BM_OK);
    for (size_t i = 0; i < SIM_ITEMS; i++)
        cr_expect_eq(series[i].count, 96);
    sim_free(series, SIM_ITEMS);
}

/* Mean difference of two runs, of an item on a machine that is slower by 2 % or not every 2 s, by the rounds
 * of the first span_s. */
static double mean_difference(double span_s) {
    enum { PAIRS = 60 };
    struct bm_sampler_options options = bm_sampler_defaults;
    double sum = 0;
    for (uint64_t seed = 1; seed <= PAIRS; seed++) {
        double medians[2];
        sim_init(&sim, seed);
        sim.items[3].noise = 0.02;
        sim.items[3].rho = 0.9;
        for (unsigned run = 0; run < 2; run++) {
            struct bm_series series[SIM_ITEMS] = {0};
            struct bm_estimate estimate;
            double times[96];
            size_t n = 0;
            cr_assert_eq(sim_run(&sim, &options, series, SIM_ITEMS), BM_OK);
            for (const struct bm_round *round = series[3].rounds; n < series[3].count; round++)
                if ((double)(round->start_ns - series[3].rounds[0].start_ns) <= span_s * 1e9)
                    times[n++] = (double)round->ns / (double)round->launches;
                else
                    break;
            bm_estimate_of(times, n, &estimate);
            medians[run] = estimate.median_ns;
            sim_free(series, SIM_ITEMS);
        }
        sum += fabs(log(medians[1] / medians[0])) / PAIRS;
    }
    return sum;
}

Test(sampler, two_runs_of_spread_rounds_differ_less) {
    const double spread = mean_difference(1e9), first = mean_difference(2.5);
    cr_log_info("two runs differ by %.4f, the first 2.5 s of them by %.4f", spread, first);
    cr_expect_lt(spread, 0.75 * first);
}
