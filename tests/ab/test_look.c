/* The plan of looks, and what they promise over invented rounds. Seeds are fixed: the figures are always the
 * same. */
#include <criterion/criterion.h>
#include <math.h>

#include "bm/ab.h"
#include "noise.h"

enum { ROWS = 20, ROUNDS = BM_AB_ROUNDS };
#ifdef __SANITIZE_ADDRESS__
enum { SUITES = 100 }; /* there it is about memory */
#else
enum { SUITES = 1200 };
#endif

Test(look, plan) {
    struct bm_ab_plan plan;
    bm_ab_plan_of(40, &plan);
    cr_expect(plan.rounds[0] == 12 && plan.rounds[1] == 20 && plan.rounds[2] == 40);
    cr_expect_float_eq(plan.shares[0] + plan.shares[1] + plan.shares[2], 1, 1e-12);
    bm_ab_plan_of(10, &plan);
    cr_expect(plan.rounds[0] == 3 && plan.rounds[1] == 5 && plan.rounds[2] == 10);
    bm_ab_plan_of(1, &plan);
    cr_expect(plan.rounds[0] == 1 && plan.rounds[2] == 1);
}

/* 2^(1 - n), two-sided, is the rarest that n signs can be. */
Test(look, least_rounds) {
    cr_expect_eq(bm_ab_least_rounds(1, 0.05), 6);
    cr_expect_eq(bm_ab_least_rounds(20, 0.05), 10);
    cr_expect_eq(bm_ab_least_rounds(20, 0.01), 12, "the first look, with a fifth of alpha");
    cr_expect_eq(bm_ab_least_rounds(1, 0.25), 3, "exactly");
    cr_expect_eq(bm_ab_least_rounds(0, 0.05), 6);
    double up[12];
    for (size_t i = 0; i < 12; i++)
        up[i] = 0.5 + 0.001 * (double)i;
    for (size_t n = 4; n <= 12; n++) {
        struct bm_ab_series series[20] = {{.differences = up, .count = n}};
        for (size_t i = 1; i < 20; i++)
            series[i] = (struct bm_ab_series){.differences = up, .count = 0};
        cr_assert_eq(bm_ab_look(series, 20, 0.01, 0.05, 1, false, NULL), BM_OK);
        cr_expect_eq(series[0].verdict == BM_VERDICT_REGRESSED, n >= bm_ab_least_rounds(20, 0.05), "%zu", n);
    }
}

Test(look, rows_with_a_verdict_drop_out) {
    double clear[12], open[12];
    for (size_t i = 0; i < 12; i++) {
        clear[i] = 0.2 + 0.001 * (double)i;
        open[i] = 0.1 * cos(3.0 * (double)i);
    }
    struct bm_ab_series series[2] = {{.differences = clear, .count = 12}, {.differences = open, .count = 12}};
    cr_assert_eq(bm_ab_look(series, 2, 0.01, 0.05, 0.2, false, NULL), BM_OK);
    cr_expect(series[0].decided);
    cr_expect_eq(series[0].verdict, BM_VERDICT_REGRESSED);
    cr_expect_float_eq(series[0].p, exp2(-10) / 0.2, 1e-12, "2 x 2^-12, of two rows, at a fifth of alpha");
    cr_expect_not(series[1].decided);
    double before = series[0].evidence.change;
    series[0].differences = open; /* it must not be looked at again */
    cr_assert_eq(bm_ab_look(series, 2, 0.01, 0.05, 0.8, true, NULL), BM_OK);
    cr_expect_eq(series[0].evidence.change, before);
    cr_expect_eq(series[0].verdict, BM_VERDICT_REGRESSED);
    cr_expect(series[1].decided);
    cr_expect_eq(series[1].verdict, BM_VERDICT_INCONCLUSIVE);
}

/* Six pairs are 2 / 2^6 = 0.031 at best: enough at 0.05 for one row, not for one of two. In Holm's family
 * rows that were found to have changed leave their part to the others, those that have not keep it. */
Test(look, what_was_decided_stays_in_the_family) {
    double up[6];
    for (size_t i = 0; i < 6; i++)
        up[i] = 0.5 + 0.001 * (double)i;
    const enum bm_verdict before[] = {BM_VERDICT_REGRESSED, BM_VERDICT_IMPROVED, BM_VERDICT_UNCHANGED};
    for (size_t i = 0; i < BM_COUNT_OF(before); i++) {
        struct bm_ab_series series[2] = {{.decided = true, .verdict = before[i]},
                                         {.differences = up, .count = 6}};
        cr_assert_eq(bm_ab_look(series, 2, 0.01, 0.05, 1, true, NULL), BM_OK);
        cr_expect_eq(series[0].verdict, before[i]);
        cr_expect_eq(series[1].verdict,
                     before[i] == BM_VERDICT_UNCHANGED ? BM_VERDICT_INCONCLUSIVE : BM_VERDICT_REGRESSED);
    }
}

Test(look, unstable_rows_are_never_unchanged) {
    double equal[12];
    for (size_t i = 0; i < 12; i++)
        equal[i] = 0.001 * cos(3.0 * (double)i);
    struct bm_ab_series series[2] = {{.differences = equal, .count = 12},
                                     {.differences = equal, .count = 12, .unstable = true}};
    cr_assert_eq(bm_ab_look(series, 2, 0.01, 0.05, 1, true, NULL), BM_OK);
    cr_expect_eq(series[0].verdict, BM_VERDICT_UNCHANGED);
    cr_expect_eq(series[1].verdict, BM_VERDICT_INCONCLUSIVE);
}

Test(look, a_row_without_pairs) {
    struct bm_ab_series series = {.count = 0};
    cr_assert_eq(bm_ab_look(&series, 1, 0.01, 0.05, 1, true, NULL), BM_OK);
    cr_expect_eq(series.verdict, BM_VERDICT_INCONCLUSIVE);
    cr_expect(isnan(series.evidence.change) && isinf(series.evidence.detectable));
}

/* ---- simulated suites ---- */

/* Fills the differences of one suite. */
typedef void (*noise)(struct bm_random *random, double differences[ROWS][ROUNDS]);

struct tally {
    size_t alarms, found, unchanged, open, held, intervals, rounds;
    double least_detectable; /* of row 0 where it stays open */
};

static void simulate(noise fill, double slowdown, size_t suites, struct tally *tally) {
    struct bm_random random;
    struct bm_ab_plan plan;
    bm_random_init(&random, 3);
    bm_ab_plan_of(ROUNDS, &plan);
    *tally = (struct tally){.least_detectable = (double)INFINITY};
    for (size_t suite = 0; suite < suites; suite++) {
        double differences[ROWS][ROUNDS];
        struct bm_ab_series series[ROWS];
        bool alarm = false, all = false;
        fill(&random, differences);
        for (size_t row = 0; row < ROWS; row++) {
            series[row] = (struct bm_ab_series){.differences = differences[row]};
            for (size_t i = 0; i < ROUNDS; i++)
                differences[row][i] += row == 0 ? slowdown : 0;
        }
        for (int look = 0; look < BM_AB_LOOKS && !all; look++) {
            for (size_t row = 0; row < ROWS; row++)
                series[row].count = plan.rounds[look];
            cr_assert_eq(
                bm_ab_look(series, ROWS, log1p(0.01), 0.05, plan.shares[look], look == BM_AB_LOOKS - 1, NULL),
                BM_OK);
            all = true;
            for (size_t row = 0; row < ROWS; row++)
                all &= series[row].decided;
            tally->rounds += all ? plan.rounds[look] : 0;
        }
        for (size_t row = 0; row < ROWS; row++) {
            double truth = row == 0 ? slowdown : 0;
            alarm |= series[row].verdict == BM_VERDICT_REGRESSED && truth == 0;
            tally->held += series[row].evidence.low <= truth && truth <= series[row].evidence.high;
            tally->intervals++;
        }
        tally->alarms += alarm;
        tally->found += series[0].verdict == BM_VERDICT_REGRESSED;
        tally->unchanged += series[0].verdict == BM_VERDICT_UNCHANGED;
        tally->open += series[0].verdict == BM_VERDICT_INCONCLUSIVE;
        if (series[0].verdict == BM_VERDICT_INCONCLUSIVE)
            tally->least_detectable = fmin(tally->least_detectable, series[0].evidence.detectable);
    }
}

static double share(size_t part, size_t whole) {
    return (double)part / (double)whole;
}

static void normal(struct bm_random *random, double differences[ROWS][ROUNDS], double deviation) {
    for (size_t row = 0; row < ROWS; row++)
        for (size_t i = 0; i < ROUNDS; i++)
            differences[row][i] = deviation * bm_random_normal(random);
}

static void normal_2(struct bm_random *random, double differences[ROWS][ROUNDS]) {
    normal(random, differences, 0.02);
}

static void normal_half(struct bm_random *random, double differences[ROWS][ROUNDS]) {
    normal(random, differences, 0.005);
}

static void normal_8(struct bm_random *random, double differences[ROWS][ROUNDS]) {
    normal(random, differences, 0.08);
}

/* Now and then a neighbour makes one side of a round much slower, for all rows at once. */
static void neighbours(struct bm_random *random, double differences[ROWS][ROUNDS]) {
    normal(random, differences, 0.01);
    for (size_t i = 0; i < ROUNDS; i++)
        if (bm_random_below(random, 8) == 0) {
            double hit = 0.3 * bm_random_unit(random) * (bm_random_below(random, 2) ? 1 : -1);
            for (size_t row = 0; row < ROWS; row++)
                differences[row][i] += hit;
        }
}

/* Recorded rounds, both sides the same command: whole rounds are drawn, so that what rows share stays shared,
 * in runs of four, so that what neighbours in time share does too; which side is which is anybody's. */
static void replay(struct bm_random *random, const short *recorded, size_t rounds, size_t rows,
                   double differences[ROWS][ROUNDS]) {
    for (size_t i = 0; i < ROUNDS;) {
        const size_t from = bm_random_below(random, rounds);
        const double unit = bm_random_below(random, 2) ? 1e-4 : -1e-4;
        for (size_t k = 0; k < 4 && i < ROUNDS; k++, i++)
            for (size_t row = 0; row < ROWS; row++)
                differences[row][i] = unit * recorded[(from + k) % rounds * rows + row % rows];
    }
}

/* Alone on a virtual machine of two processors. */
static void replayed_quiet(struct bm_random *random, double differences[ROWS][ROUNDS]) {
    replay(random, &quiet_rounds[0][0], QUIET_ROUNDS, QUIET_ROWS, differences);
}

/* While others compiled and measured on the same two processors. */
static void replayed_busy(struct bm_random *random, double differences[ROWS][ROUNDS]) {
    replay(random, &busy_rounds[0][0], BUSY_ROUNDS, BUSY_ROWS, differences);
}

static const noise noises[] = {normal_half, normal_2, normal_8, neighbours, replayed_quiet, replayed_busy};

Test(look, alarms_without_a_cause) {
    for (size_t i = 0; i < BM_COUNT_OF(noises); i++) {
        struct tally tally;
        simulate(noises[i], 0, SUITES, &tally);
        cr_expect_leq(share(tally.alarms, SUITES), 0.01, "noise %zu: %.4f", i, share(tally.alarms, SUITES));
    }
}

Test(look, slowdowns_are_found_at_a_deviation_of_two_percent) {
    struct tally tally;
    simulate(normal_2, log1p(0.05), SUITES, &tally);
    cr_expect_geq(share(tally.found, SUITES), 0.99, "5 %%: %.3f", share(tally.found, SUITES));
    simulate(normal_2, log1p(0.03), SUITES, &tally);
    cr_expect_geq(share(tally.found, SUITES), 0.85, "3 %%: %.3f", share(tally.found, SUITES));
}

Test(look, slowdowns_are_found_beside_neighbours) {
    struct tally tally;
    simulate(neighbours, log1p(0.05), SUITES, &tally);
    cr_expect_geq(share(tally.found, SUITES), 0.9, "%.3f", share(tally.found, SUITES));
}

/* Above that spread nothing is claimed: neither alarm nor all-clear. */
Test(look, what_cannot_be_seen_is_inconclusive) {
    struct tally tally;
    simulate(normal_8, log1p(0.03), SUITES, &tally);
    cr_expect_geq(share(tally.open, SUITES), 0.9, "%.3f", share(tally.open, SUITES));
    cr_expect_gt(tally.least_detectable, log1p(0.03), "it says that 3 %% is out of reach: %.3f",
                 tally.least_detectable);
}

Test(look, a_slowdown_is_never_called_unchanged) {
    for (size_t i = 0; i < BM_COUNT_OF(noises); i++) {
        struct tally tally;
        simulate(noises[i], log1p(0.05), SUITES, &tally);
        cr_expect_leq(share(tally.unchanged, SUITES), 0.005, "noise %zu: %.4f", i,
                      share(tally.unchanged, SUITES));
    }
}

Test(look, intervals_hold_the_truth) {
    for (size_t i = 0; i < BM_COUNT_OF(noises); i++) {
        struct tally tally;
        simulate(noises[i], log1p(0.02), SUITES / 4, &tally);
        double held = share(tally.held, tally.intervals);
        cr_expect(held > 0.93 && held < 0.98, "noise %zu: %.4f", i, held);
    }
}

/* A calm suite ends at the first look. */
Test(look, no_more_rounds_than_it_takes) {
    struct tally tally;
    simulate(normal_half, 0, SUITES / 4, &tally);
    cr_expect_lt(share(tally.rounds, SUITES / 4), 14, "%.1f rounds", share(tally.rounds, SUITES / 4));
}
