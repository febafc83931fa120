/* From evidence to verdicts. */
#include <criterion/criterion.h>
#include <math.h>

#include "bm/compare.h"
#include "bm/gate.h"
#include "bm/stats.h"

static const double margin = 0.01;

static struct bm_evidence weigh(const double *old, size_t old_count, const double *again, size_t again_count,
                                double within, size_t rows) {
    double deviations[64];
    for (size_t i = 0; i < 64; i++)
        deviations[i] = within;
    struct bm_runs before = {old, deviations, old_count}, after = {again, deviations, again_count};
    struct bm_history history;
    struct bm_evidence evidence;
    bm_history_of(&before, &history);
    bm_gate_weigh_runs(&history, &before, &after, margin, BM_GATE_ALPHA, rows, &evidence);
    return evidence;
}

static enum bm_verdict verdict_of(const struct bm_evidence *evidence, bool unstable) {
    enum bm_verdict verdict;
    double adjusted;
    cr_assert_eq(bm_gate_decide(evidence, &unstable, 1, BM_GATE_ALPHA, &verdict, &adjusted, NULL), BM_OK);
    return verdict;
}

/* One baseline: sqrt(2) x 2.7 % is all that is known, so 11 % is found and 8 % is not. */
Test(judge, one_baseline) {
    const double old = 1, slower = 1.11, little = 1.07, faster = 0.8;
    struct bm_evidence evidence = weigh(&old, 1, &slower, 1, 0, 1);
    double error = BM_COMPARE_BETWEEN_RUNS * sqrt(2);
    cr_expect_float_eq(evidence.change, 0.11, 1e-12);
    cr_expect_float_eq(evidence.high - evidence.low, 2 * 1.959963984540054 * error, 1e-9);
    cr_expect_float_eq(evidence.detectable, margin + (1.959963984540054 + 0.8416212335729143) * error, 1e-9);
    cr_expect_eq(verdict_of(&evidence, false), BM_VERDICT_REGRESSED);
    evidence = weigh(&old, 1, &little, 1, 0, 1);
    cr_expect_eq(verdict_of(&evidence, false), BM_VERDICT_INCONCLUSIVE);
    evidence = weigh(&old, 1, &old, 1, 0, 1);
    cr_expect_eq(verdict_of(&evidence, false), BM_VERDICT_INCONCLUSIVE,
                 "even an equal figure shows no equality");
    evidence = weigh(&old, 1, &faster, 1, 0, 1);
    cr_expect_eq(verdict_of(&evidence, false), BM_VERDICT_IMPROVED);
}

/* A row twice as slow whose share of the ceilings stayed is as the machine is; a share that fell alone is a
 * ceiling's. */
Test(judge, a_change_shows_in_time_and_in_share) {
    const double before = 1, same = 1.01, changes[] = {1.5, 0.5};
    const enum bm_verdict own[] = {BM_VERDICT_REGRESSED, BM_VERDICT_IMPROVED};
    for (size_t i = 0; i < 2; i++) {
        struct bm_evidence time = weigh(&before, 1, &changes[i], 1, 0, 1), share = time;
        const struct bm_evidence steady = weigh(&before, 1, &same, 1, 0.5, 1);
        bm_gate_require_both(&time, &share);
        cr_expect_eq(verdict_of(&time, false), own[i]);
        bm_gate_require_both(&time, &steady);
        cr_expect_eq(verdict_of(&time, false), BM_VERDICT_INCONCLUSIVE);
        cr_expect_float_eq(time.change, changes[i] - before, 1e-12, "it stays the time's");
        cr_expect_eq(time.detectable, steady.detectable, "of the less certain");
        time = steady;
        bm_gate_require_both(&time, &share);
        cr_expect_eq(verdict_of(&time, false), BM_VERDICT_INCONCLUSIVE);
        const struct bm_evidence opposite = weigh(&before, 1, &changes[1 - i], 1, 0, 1);
        bm_gate_require_both(&share, &opposite);
        cr_expect_eq(verdict_of(&share, false), BM_VERDICT_INCONCLUSIVE);
    }
}

static const double calm[] = {1.000, 1.004, 0.997, 1.002, 0.996, 1.003, 0.999, 1.001, 0.998, 1.000};

Test(judge, a_history) {
    const double same = 1.002, slower = 1.04, slightly = 1.012;
    struct bm_evidence evidence = weigh(calm, 10, &same, 1, 0, 20);
    cr_expect_eq(verdict_of(&evidence, false), BM_VERDICT_UNCHANGED);
    cr_expect_eq(verdict_of(&evidence, true), BM_VERDICT_INCONCLUSIVE, "unstable rows are never unchanged");
    cr_expect_lt(evidence.detectable, 0.03);
    evidence = weigh(calm, 10, &slower, 1, 0, 20);
    cr_expect_eq(verdict_of(&evidence, true), BM_VERDICT_REGRESSED, "but they may be slower");
    evidence = weigh(calm, 10, &slightly, 1, 0, 20);
    cr_expect_eq(verdict_of(&evidence, false), BM_VERDICT_UNCHANGED,
                 "above the margin, but not by enough to tell");
}

Test(judge, a_new_run_that_is_uncertain_by_itself) {
    const double slower = 1.04;
    struct bm_evidence sure = weigh(calm, 10, &slower, 1, 0.001, 20),
                       unsure = weigh(calm, 10, &slower, 1, 0.03, 20);
    cr_expect_lt(sure.high - sure.low, 0.02);
    cr_expect_gt(unsure.high - unsure.low, 0.1);
    cr_expect_eq(verdict_of(&unsure, false), BM_VERDICT_INCONCLUSIVE);
}

/* The variance of a change: of the mean of the baselines and of that of the new runs, each with what its own
 * rounds leave open. */
static double error_of(const struct bm_evidence *evidence, double freedom) {
    return (evidence->high - evidence->low) / 2 / -bm_stats_t_quantile(0.025, freedom);
}

Test(judge, each_side_brings_its_own_uncertainty) {
    const double old[] = {1, 1, 1}, again[] = {1, 1}, wide[] = {0.06, 0.06, 0.06}, narrow[] = {0.02, 0.02},
                 s = BM_COMPARE_BETWEEN_RUNS;
    struct bm_runs before = {old, wide, 3}, after = {again, narrow, 2};
    struct bm_history history;
    struct bm_evidence evidence;
    bm_history_of(&before, &history);
    cr_assert(history.assumed);
    bm_gate_weigh_runs(&history, &before, &after, margin, 0.05, 1, &evidence);
    cr_expect_float_eq(error_of(&evidence, (double)INFINITY),
                       sqrt((s * s + 0.06 * 0.06) / 3 + (s * s + 0.02 * 0.02) / 2), 1e-9);
    /* of a history its scatter holds that of its runs; what is not known of a run is none */
    const double unknown = (double)NAN, few[] = {0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01},
                 open[] = {0.03, 0.04, unknown};
    const double again3[] = {1, 1, 1};
    before = (struct bm_runs){calm, few, 10};
    after = (struct bm_runs){again3, open, 3};
    bm_history_of(&before, &history);
    cr_assert_lt(history.deviation, 0.01);
    bm_gate_weigh_runs(&history, &before, &after, margin, 0.05, 1, &evidence);
    double new_variance = (0.03 * 0.03 + 0.04 * 0.04) / 2;
    cr_expect_float_eq(error_of(&evidence, 9), sqrt(0.01 * 0.01 / 10 + new_variance / 3), 1e-9);
}

/* What baselines before the last change left open is not asked for. */
Test(judge, baselines_before_a_change_are_left_out_whole) {
    double values[20], deviations[20];
    for (size_t i = 0; i < 20; i++) {
        values[i] = calm[i % 10] + (i < 10 ? 0.2 : 0);
        deviations[i] = i < 10 ? 0.5 : 0.001;
    }
    const double again = 1, within = 0.001;
    struct bm_runs before = {values, deviations, 20}, after = {&again, &within, 1};
    struct bm_history history;
    struct bm_evidence evidence;
    bm_history_of(&before, &history);
    cr_assert_eq(history.first, 10);
    bm_gate_weigh_runs(&history, &before, &after, margin, 0.05, 1, &evidence);
    cr_expect_lt(evidence.high - evidence.low, 0.02);
}

/* Two one-sided tests at 5 %: the interval of 90 % lies inside the bounds. */
Test(judge, equality_is_shown_by_an_interval_of_90_percent) {
    const double old = 1, within = 0;
    struct bm_runs before = {&old, &within, 1};
    struct bm_history history;
    bm_history_of(&before, &history);
    history.deviation = 0.01;
    const double error = 0.01 * sqrt(2), reach = log1p(0.03) - 1.6448536269514722 * error;
    for (int inside = 0; inside < 2; inside++)
        for (int side = -1; side <= 1; side += 2) {
            const double new_value = 1 + side * (reach + (inside ? -1e-4 : 1e-4));
            struct bm_runs after = {&new_value, &within, 1};
            struct bm_evidence evidence;
            bm_gate_weigh_runs(&history, &before, &after, margin, 0.05, 1, &evidence);
            cr_expect_eq(evidence.equivalent, inside == 1, "%d %d", inside, side);
        }
}

Test(judge, several_new_runs_tell_more) {
    const double again[] = {1.035, 1.04, 1.045, 1.04};
    struct bm_evidence one = weigh(calm, 10, again + 1, 1, 0, 20), four = weigh(calm, 10, again, 4, 0, 20);
    cr_expect_lt(four.high - four.low, 0.8 * (one.high - one.low));
}

Test(judge, more_rows_ask_for_more) {
    const double old = 1, slower = 1.11;
    struct bm_evidence evidence[20];
    bool unstable[20] = {false};
    enum bm_verdict verdicts[20];
    double adjusted[20];
    for (size_t i = 0; i < 20; i++)
        evidence[i] = weigh(&old, 1, i == 7 ? &slower : &old, 1, 0, 20);
    cr_assert_eq(bm_gate_decide(evidence, unstable, 20, BM_GATE_ALPHA, verdicts, adjusted, NULL), BM_OK);
    cr_expect_eq(verdicts[7], BM_VERDICT_INCONCLUSIVE, "p = %g", adjusted[7]);
    double much = 1.16;
    evidence[7] = weigh(&old, 1, &much, 1, 0, 20);
    cr_assert_eq(bm_gate_decide(evidence, unstable, 20, BM_GATE_ALPHA, verdicts, adjusted, NULL), BM_OK);
    cr_expect_eq(verdicts[7], BM_VERDICT_REGRESSED);
    cr_expect_eq(verdicts[6], BM_VERDICT_INCONCLUSIVE);
}

Test(judge, the_margin_follows_the_history_within_bounds) {
    double ordinary[100] = {0};
    cr_expect_float_eq(bm_gate_margin(ordinary, 0), log1p(0.01), 1e-12);
    for (size_t i = 0; i < 100; i++)
        ordinary[i] = 0.001;
    cr_expect_float_eq(bm_gate_margin(ordinary, 100), log1p(0.01), 1e-12);
    for (size_t i = 0; i < 100; i++)
        ordinary[i] = log1p(0.02);
    cr_expect_float_eq(bm_gate_margin(ordinary, 100), log1p(0.02), 1e-12);
    for (size_t i = 0; i < 100; i++)
        ordinary[i] = 0.2;
    cr_expect_float_eq(bm_gate_margin(ordinary, 100), log1p(0.03), 1e-12);
    for (size_t i = 0; i < 100; i++)
        ordinary[i] = i < 90 ? 0.001 : log1p(0.02);
    cr_expect_float_eq(bm_gate_margin(ordinary, 100), log1p(0.02), 1e-12, "one in ten is not rare");
    for (size_t i = 0; i < 100; i++)
        ordinary[i] = i < 96 ? 0.001 : 0.2;
    cr_expect_float_eq(bm_gate_margin(ordinary, 100), log1p(0.01), 1e-12, "one in twenty-five is");
}

Test(judge, pairs) {
    double differences[20];
    struct bm_evidence evidence;
    for (size_t i = 0; i < 20; i++)
        differences[i] = 0.05 + 0.01 * sin(3.0 * (double)i);
    cr_assert_eq(bm_gate_weigh_pairs(differences, 20, margin, 0.05, 20, &evidence, NULL), BM_OK);
    cr_expect_float_eq(evidence.change, 0.05, 0.003);
    cr_expect(evidence.low < 0.05 && evidence.high > 0.05);
    cr_expect_float_eq(evidence.p_slower, exp2(-20), 1e-12, "all differences lie above the margin");
    cr_expect_float_eq(evidence.p_faster, 1, 1e-12);
    cr_expect_not(evidence.equivalent);
    cr_expect(isfinite(evidence.detectable) && evidence.detectable < 0.03);
    for (size_t i = 0; i < 20; i++)
        differences[i] -= 0.05;
    cr_assert_eq(bm_gate_weigh_pairs(differences, 20, margin, 0.05, 20, &evidence, NULL), BM_OK);
    cr_expect(evidence.equivalent);
}

/* Of the interval's own confidence: what so few ranks reach is never exactly 95 %. */
Test(judge, what_pairs_could_have_shown) {
    double differences[12];
    struct bm_evidence evidence;
    struct bm_location location;
    for (size_t i = 0; i < 12; i++)
        differences[i] = 0.01 * sin(3.0 * (double)i);
    cr_assert_eq(bm_stats_hodges_lehmann(differences, 12, 0.95, &location, NULL), BM_OK);
    cr_assert_eq(bm_gate_weigh_pairs(differences, 12, margin, 0.05, 2, &evidence, NULL), BM_OK);
    cr_assert_gt(location.interval.confidence, 0.951);
    double deviation = (location.interval.high - location.interval.low) / 2 /
                       bm_stats_normal_quantile((1 + location.interval.confidence) / 2);
    cr_expect_float_eq(evidence.detectable,
                       margin + (-bm_stats_normal_quantile(0.05 / 2 / 2) + bm_stats_normal_quantile(0.8)) *
                                    deviation,
                       1e-12);
}

/* Five pairs reach 1 - 2 / 2^5 at best: no interval of 98 % is theirs, however narrow. */
Test(judge, too_few_pairs_show_no_equality) {
    const double differences[5] = {0.001, -0.001, 0.0005, 0, -0.0005};
    struct bm_evidence evidence;
    cr_assert_eq(bm_gate_weigh_pairs(differences, 5, margin, 0.01, 1, &evidence, NULL), BM_OK);
    cr_expect_not(evidence.equivalent);
    cr_assert_eq(bm_gate_weigh_pairs(differences, 5, margin, 0.1, 1, &evidence, NULL), BM_OK);
    cr_expect(evidence.equivalent);
}

/* The least that so many ranks can show is 2 / 2^n on both sides. */
Test(judge, pairs_find_from_a_count_on) {
    double differences[10];
    struct bm_evidence evidence;
    for (size_t i = 0; i < 10; i++)
        differences[i] = 0.5 + 0.01 * (double)i;
    cr_assert_eq(bm_gate_weigh_pairs(differences, 9, margin, 0.05, 10, &evidence, NULL), BM_OK);
    cr_expect(isfinite(evidence.detectable), "2 / 2^9 is 0.0039, 0.05 / 10 more");
    cr_assert_eq(bm_gate_weigh_pairs(differences, 8, margin, 0.05, 10, &evidence, NULL), BM_OK);
    cr_expect(isinf(evidence.detectable), "2 / 2^8 is 0.0078");
}

Test(judge, too_few_pairs_find_nothing) {
    double differences[8] = {0.5, 0.51, 0.52, 0.5, 0.53, 0.5, 0.52, 0.51};
    struct bm_evidence evidence;
    cr_assert_eq(bm_gate_weigh_pairs(differences, 8, margin, 0.05, 20, &evidence, NULL), BM_OK);
    cr_expect(isinf(evidence.detectable), "2 / 2^8 is no 0.05 / 20");
    cr_expect_eq(bm_gate_weigh_pairs(differences, 0, margin, 0.05, 20, &evidence, NULL), BM_INVALID);
}
