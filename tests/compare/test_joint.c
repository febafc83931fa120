/* The decomposition of a speed-up and its intervals. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "internal.h"

enum { OLD_TIME, NEW_TIME, OLD_COMPUTE, NEW_COMPUTE, OLD_MEMORY, NEW_MEMORY, FIGURES };

static const double z95 = 1.959963984540054;
static double *normals;

static void begin(void) {
    normals = bm_joint_normals();
    cr_assert_not_null(normals);
}

static void end(void) {
    free(normals);
}

TestSuite(joint, .init = begin, .fini = end);

static struct bm_spread spread(double value, double relative) {
    return (struct bm_spread){log(value), relative, relative};
}

static struct bm_joint_term term_of(double flops, double bytes) {
    return (struct bm_joint_term){.count = 1,
                                  .ln_flops = log(flops),
                                  .ln_bytes = log(bytes),
                                  .time = {OLD_TIME, NEW_TIME},
                                  .compute = {OLD_COMPUTE, NEW_COMPUTE},
                                  .memory = {OLD_MEMORY, NEW_MEMORY},
                                  .ln_datasheet = {(double)NAN, (double)NAN}};
}

static struct bm_compare_ratio evaluate(const struct bm_joint_term *terms, size_t count,
                                        const struct bm_spread *figures, size_t figure_count) {
    struct bm_joint joint = {.terms = terms,
                             .term_count = count,
                             .figures = figures,
                             .figure_count = figure_count,
                             .has_roofline = true};
    struct bm_compare_ratio ratio = {0};
    cr_assert(bm_joint_evaluate(&joint, normals, &ratio));
    return ratio;
}

static void expect_factor(const char *name, const struct bm_factor *factor, double value, double half) {
    cr_expect_float_eq(factor->value, value, 1e-9 * value, "%s is %g, not %g", name, factor->value, value);
    cr_expect_float_eq(factor->low, value * exp(-half), 1e-6 * value, "%s: low %g", name, factor->low);
    cr_expect_float_eq(factor->high, value * exp(half), 1e-6 * value, "%s: high %g", name, factor->high);
}

/* 1 GFLOP and 1 MB: R is 10 ms by 100 GFLOP/s on the old, 2.5 ms by 400 on the new; memory takes
 * microseconds. */
Test(joint, a_row_bound_by_compute_on_both) {
    const struct bm_spread figures[FIGURES] = {
        [OLD_TIME] = spread(20e6, 0.01),    [NEW_TIME] = spread(4e6, 0.02),
        [OLD_COMPUTE] = spread(100, 0.03),  [NEW_COMPUTE] = spread(400, 0.04),
        [OLD_MEMORY] = spread(1000, 0.001), [NEW_MEMORY] = spread(5000, 0.001)};
    struct bm_joint_term term = term_of(1e9, 1e6);
    term.ln_datasheet[0] = log(1e9 / 200);
    term.ln_datasheet[1] = log(1e9 / 1000);
    struct bm_compare_ratio ratio = evaluate(&term, 1, figures, FIGURES);
    expect_factor("speedup", &ratio.speedup, 5, z95 * hypot(0.01, 0.02));
    expect_factor("roofline", &ratio.roofline, 4, z95 * 0.05);
    expect_factor("utilization", &ratio.utilization, 1.25,
                  z95 * sqrt(0.01 * 0.01 + 0.02 * 0.02 + 0.05 * 0.05));
    expect_factor("compute", &ratio.compute, 4, z95 * 0.05);
    expect_factor("bandwidth", &ratio.bandwidth, 1, 0);
    cr_expect_float_eq(ratio.datasheet.value, 5, 1e-9);
    cr_expect(isnan(ratio.datasheet.low), "a datasheet has no interval");
    expect_factor("delivered", &ratio.delivered, 0.8, z95 * 0.05);
}

/* The old is bound by compute (10 against 5), the new by memory (1 against 0.5). R: old 10, new compute alone
 * 5, new memory alone 10, new 1. compute = sqrt(10/5 x 10/1 / ...) by hand: exp(1/2 (ln 10 - ln 5 + ln 10 -
 * ln 1)) = sqrt(20); bandwidth: exp(1/2 (ln 10 - ln 10 + ln 5 - ln 1)) = sqrt(5). */
Test(joint, a_bound_that_flips) {
    const struct bm_spread figures[FIGURES] = {
        [OLD_TIME] = spread(20, 0.01),    [NEW_TIME] = spread(2, 0.01),   [OLD_COMPUTE] = spread(1, 0.01),
        [NEW_COMPUTE] = spread(20, 0.01), [OLD_MEMORY] = spread(1, 0.01), [NEW_MEMORY] = spread(5, 0.01)};
    struct bm_joint_term term = term_of(10, 5);
    struct bm_compare_ratio ratio = evaluate(&term, 1, figures, FIGURES);
    cr_expect_float_eq(ratio.roofline.value, 10, 1e-9);
    cr_expect_float_eq(ratio.compute.value, sqrt(20), 1e-9);
    cr_expect_float_eq(ratio.bandwidth.value, sqrt(5), 1e-9);
    cr_expect_float_eq(ratio.speedup.value, 10, 1e-9);
    cr_expect_float_eq(ratio.utilization.value, 1, 1e-9);
    /* ln compute = 1/2 (ln P_n - ln P_o + ... ): the new memory ceiling and both compute ceilings take part
     * by halves */
    cr_expect_float_eq(log(ratio.roofline.high / ratio.roofline.value), z95 * 0.01 * sqrt(2), 1e-6);
}

/* ---- paired rounds ---- */

/* R by the ceilings' medians is 10 ms and 2.5 ms; beside the rows' rounds it was 10 % and 20 % longer. */
Test(joint, paired_rounds_tell_of_use) {
    enum { OLD_USE = FIGURES, NEW_USE, ALL };
    const struct bm_spread figures[ALL] = {
        [OLD_TIME] = spread(20e6, 0.05),   [NEW_TIME] = spread(4e6, 0.07), [OLD_COMPUTE] = spread(100, 0.05),
        [NEW_COMPUTE] = spread(400, 0.07), [OLD_MEMORY] = spread(1000, 0), [NEW_MEMORY] = spread(5000, 0),
        [OLD_USE] = spread(0.55, 0.01),    [NEW_USE] = spread(0.75, 0.02)};
    struct bm_joint_term term = term_of(1e9, 1e6);
    term.ln_beside[0] = log(1.1);
    term.ln_beside[1] = log(1.2);
    term.efficiency[0] = OLD_USE;
    term.efficiency[1] = NEW_USE;
    const struct bm_joint joint = {.terms = &term,
                                   .term_count = 1,
                                   .figures = figures,
                                   .figure_count = ALL,
                                   .has_roofline = true,
                                   .has_pairs = true};
    struct bm_compare_ratio ratio = {0};
    cr_assert(bm_joint_evaluate(&joint, normals, &ratio));
    expect_factor("speedup", &ratio.speedup, 5, z95 * hypot(0.05, 0.07));
    expect_factor("utilization", &ratio.utilization, 0.75 / 0.55, z95 * hypot(0.01, 0.02));
    expect_factor("roofline", &ratio.roofline, 4 * 1.1 / 1.2, z95 * hypot(0.05, 0.07));
    expect_factor("compute", &ratio.compute, 4 * 1.1 / 1.2, z95 * hypot(0.05, 0.07));
    expect_factor("bandwidth", &ratio.bandwidth, 1, 0);
}

/* Two rows of 20 and 10 ms, at 0.5 and 0.8 of R, on either side: R is 10 and 8. A relative change of the
 * first efficiency is 10/18 of the whole's; of the first time, whose R goes with it, 10/18 - 20/30. */
Test(joint, paired_rounds_of_several_rows) {
    enum { FIRST_USE = 8, SECOND_USE = 10, ALL = 12 };
    struct bm_spread figures[ALL] = {spread(1, 0), spread(1, 0), spread(1e3, 0), spread(1e3, 0)};
    struct bm_joint_term terms[2];
    const double times[] = {20, 10}, uses[] = {0.5, 0.8};
    for (size_t i = 0; i < 2; i++) {
        terms[i] = (struct bm_joint_term){.count = 1,
                                          .ln_flops = log(times[i] * uses[i]),
                                          .ln_bytes = 0,
                                          .compute = {0, 1},
                                          .memory = {2, 3},
                                          .time = {4 + 2 * i, 5 + 2 * i},
                                          .efficiency = {FIRST_USE + 2 * i, FIRST_USE + 2 * i + 1}};
        for (size_t side = 0; side < 2; side++) {
            figures[4 + 2 * i + side] = spread(times[i], 0.02 * (double)(1 - side));
            figures[FIRST_USE + 2 * i + side] = spread(uses[i], i == 0 ? 0.01 : 0);
        }
    }
    const struct bm_joint joint = {.terms = terms,
                                   .term_count = 2,
                                   .figures = figures,
                                   .figure_count = ALL,
                                   .has_roofline = true,
                                   .has_pairs = true};
    struct bm_compare_ratio ratio = {0};
    cr_assert(bm_joint_evaluate(&joint, normals, &ratio));
    const double of_uses = 0.01 * 10 / 18 * sqrt(2), of_times = 0.02 * (20 / 30.0 - 10 / 18.0) * sqrt(2);
    expect_factor("utilization", &ratio.utilization, 1, z95 * hypot(of_uses, of_times));
}

static double uniform(struct bm_random *random, double low, double high) {
    return low + (high - low) * bm_random_unit(random);
}

/* Whatever the figures, the products hold exactly. */
Test(joint, products) {
    enum { TRIALS = 300, MOST_TERMS = 6 };
    struct bm_random random;
    bm_random_init(&random, 1);
    for (size_t trial = 0; trial < TRIALS; trial++) {
        struct bm_spread figures[4 + 2 * MOST_TERMS];
        struct bm_joint_term terms[MOST_TERMS];
        size_t count = 1 + bm_random_below(&random, MOST_TERMS);
        for (size_t i = 0; i < 4 + 2 * count; i++)
            figures[i] = (struct bm_spread){uniform(&random, -3, 3), uniform(&random, 0, 0.2),
                                            uniform(&random, 0, 0.2)};
        for (size_t i = 0; i < count; i++)
            terms[i] =
                (struct bm_joint_term){.count = uniform(&random, 1, 64),
                                       .ln_flops = uniform(&random, -4, 4),
                                       .ln_bytes = uniform(&random, -4, 4),
                                       .compute = {0, 1},
                                       .memory = {2, 3},
                                       .time = {4 + 2 * i, 5 + 2 * i},
                                       .ln_beside = {uniform(&random, -1, 1), uniform(&random, -1, 1)},
                                       .ln_datasheet = {uniform(&random, -4, 4), uniform(&random, -4, 4)}};
        struct bm_compare_ratio ratio = evaluate(terms, count, figures, 4 + 2 * count);
        double product = ratio.roofline.value * ratio.utilization.value;
        cr_expect_float_eq(ratio.speedup.value, product, 1e-9 * product);
        product = ratio.compute.value * ratio.bandwidth.value;
        cr_expect_float_eq(ratio.roofline.value, product, 1e-9 * product);
        product = ratio.datasheet.value * ratio.delivered.value;
        cr_expect_float_eq(ratio.roofline.value, product, 1e-9 * product);
        const struct bm_factor *const factors[] = {&ratio.speedup, &ratio.roofline,  &ratio.utilization,
                                                   &ratio.compute, &ratio.bandwidth, &ratio.delivered};
        for (size_t i = 0; i < BM_COUNT_OF(factors); i++)
            cr_expect(factors[i]->low <= factors[i]->high, "%zu: %g..%g", i, factors[i]->low,
                      factors[i]->high);
    }
}

/* Swapping old and new inverts everything. */
Test(joint, the_way_back) {
    const struct bm_spread figures[FIGURES] = {
        [OLD_TIME] = spread(20, 0.01),    [NEW_TIME] = spread(2, 0.03),   [OLD_COMPUTE] = spread(1, 0.01),
        [NEW_COMPUTE] = spread(20, 0.02), [OLD_MEMORY] = spread(1, 0.01), [NEW_MEMORY] = spread(5, 0.01)};
    const struct bm_spread swapped[FIGURES] = {figures[1], figures[0], figures[3],
                                               figures[2], figures[5], figures[4]};
    struct bm_joint_term term = term_of(10, 5);
    struct bm_compare_ratio there = evaluate(&term, 1, figures, FIGURES),
                            back = evaluate(&term, 1, swapped, FIGURES);
    cr_expect_float_eq(there.speedup.value * back.speedup.value, 1, 1e-9);
    cr_expect_float_eq(there.compute.value * back.compute.value, 1, 1e-9);
    cr_expect_float_eq(there.bandwidth.value * back.bandwidth.value, 1, 1e-9);
    cr_expect_float_eq(there.speedup.low * back.speedup.high, 1, 1e-6);
}

/* A row that hardly counts, but whose bound is anybody's, makes the same sum a matter of draws: the intervals
 * agree as far as draws go. */
Test(joint, draws_and_their_limit_agree) {
    const struct bm_spread figures[FIGURES] = {
        [OLD_TIME] = spread(20e6, 0.01),    [NEW_TIME] = spread(4e6, 0.02),
        [OLD_COMPUTE] = spread(100, 0.03),  [NEW_COMPUTE] = spread(400, 0.04),
        [OLD_MEMORY] = spread(1000, 0.001), [NEW_MEMORY] = spread(5000, 0.001)};
    struct bm_joint_term terms[3] = {term_of(1e9, 1e6), term_of(2e9, 1e6), term_of(1e6, 1e7)};
    terms[2].count = 1e-9;
    struct bm_compare_ratio summed = evaluate(terms, 2, figures, FIGURES),
                            drawn = evaluate(terms, 3, figures, FIGURES);
    const struct bm_factor *const pairs[][2] = {{&summed.speedup, &drawn.speedup},
                                                {&summed.roofline, &drawn.roofline},
                                                {&summed.utilization, &drawn.utilization}};
    for (size_t i = 0; i < BM_COUNT_OF(pairs); i++) {
        cr_expect_float_eq(pairs[i][0]->value, pairs[i][1]->value, 1e-6);
        double limit = log(pairs[i][0]->high / pairs[i][0]->low),
               width = log(pairs[i][1]->high / pairs[i][1]->low);
        cr_expect(fabs(width / limit - 1) < 0.08, "%zu: %g against %g", i, width, limit);
        cr_expect_neq(width, limit, "%zu was drawn", i);
    }
}

Test(joint, without_spreads_there_is_no_interval) {
    struct bm_spread figures[FIGURES] = {[OLD_TIME] = spread(20, 0.01),   [NEW_TIME] = spread(2, (double)NAN),
                                         [OLD_COMPUTE] = spread(1, 0.01), [NEW_COMPUTE] = spread(20, 0.02),
                                         [OLD_MEMORY] = spread(1, 0.01),  [NEW_MEMORY] = spread(5, 0.01)};
    struct bm_joint_term term = term_of(10, 5);
    struct bm_compare_ratio ratio = evaluate(&term, 1, figures, FIGURES);
    cr_expect_float_eq(ratio.speedup.value, 10, 1e-9);
    cr_expect(isnan(ratio.speedup.low) && isnan(ratio.speedup.high));
    cr_expect(isfinite(ratio.roofline.low), "the ceilings are known all the same");
}

Test(joint, without_ceilings_there_is_a_speedup_only) {
    const struct bm_spread figures[2] = {spread(20, 0.01), spread(4, 0.01)};
    struct bm_joint_term term = term_of(10, 5);
    struct bm_joint joint = {.terms = &term, .term_count = 1, .figures = figures, .figure_count = 2};
    struct bm_compare_ratio ratio = {0};
    cr_assert(bm_joint_evaluate(&joint, normals, &ratio));
    expect_factor("speedup", &ratio.speedup, 5, z95 * 0.01 * sqrt(2));
    cr_expect(isnan(ratio.roofline.value) && isnan(ratio.compute.value) && isnan(ratio.delivered.value));
}

/* True values are known here: how often do the intervals hold them? The bound is certain in one case,
 * anybody's in the other, a sum of three rows in the third. */
static double coverage(double bytes, size_t terms_used,
                       double (*truth)(const struct bm_compare_ratio *ratio)) {
    enum { TRIALS = 1500, TERMS = 3, ALL = 4 + 2 * TERMS };
    const double deviation = 0.03;
    struct bm_random random;
    struct bm_joint_term terms[TERMS];
    struct bm_spread exact[ALL];
    size_t figures = 4 + 2 * terms_used, hits = 0;
    bm_random_init(&random, 7);
    for (size_t i = 0; i < ALL; i++)
        exact[i] = spread(i == 1 ? 8 : i == 3 ? 5 : 1 + (double)i, deviation);
    for (size_t i = 0; i < TERMS; i++) {
        terms[i] = term_of(10, bytes * (double)(i + 1));
        terms[i].compute[0] = 0, terms[i].compute[1] = 1;
        terms[i].memory[0] = 2, terms[i].memory[1] = 3;
        terms[i].time[0] = 4 + 2 * i, terms[i].time[1] = 5 + 2 * i;
    }
    struct bm_compare_ratio right = evaluate(terms, terms_used, exact, figures);
    for (size_t trial = 0; trial < TRIALS; trial++) {
        struct bm_spread measured[ALL];
        for (size_t i = 0; i < figures; i++) {
            measured[i] = exact[i];
            measured[i].value += deviation * bm_random_normal(&random);
        }
        struct bm_compare_ratio ratio = evaluate(terms, terms_used, measured, figures);
        const struct bm_factor *factor = truth == NULL ? &ratio.utilization : &ratio.compute;
        double wanted = truth == NULL ? right.utilization.value : truth(&right);
        hits += factor->low <= wanted && wanted <= factor->high;
    }
    return (double)hits / TRIALS;
}

static double compute_of(const struct bm_compare_ratio *ratio) {
    return ratio->compute.value;
}

Test(joint, coverage) {
    double certain = coverage(1, 1, NULL), uncertain = coverage(30, 1, NULL), sum = coverage(10, 3, NULL);
    cr_expect(certain > 0.93 && certain < 0.98, "certain bound: %.3f", certain);
    cr_expect(uncertain > 0.93 && uncertain < 0.98, "uncertain bound: %.3f", uncertain);
    cr_expect(sum > 0.93 && sum < 0.98, "a sum: %.3f", sum);
    double share = coverage(30, 1, compute_of);
    cr_expect(share > 0.93, "compute's share: %.3f", share);
}

/* ---- what the draws do ---- */

/* Bound by both at once, so drawn. The old time may be 10 % less or 30 % more. */
Test(joint, sides_of_a_drawn_figure_keep_their_widths) {
    struct bm_spread figures[FIGURES] = {
        [OLD_TIME] = {log(20), 0.1, 0.3}, [NEW_TIME] = spread(10, 0),  [OLD_COMPUTE] = spread(1, 0),
        [NEW_COMPUTE] = spread(2, 0),     [OLD_MEMORY] = spread(1, 0), [NEW_MEMORY] = spread(2, 0)};
    struct bm_joint_term term = term_of(10, 10);
    struct bm_compare_ratio ratio = evaluate(&term, 1, figures, FIGURES);
    cr_expect_float_eq(log(2 / ratio.speedup.low), z95 * 0.1, 0.03);
    cr_expect_float_eq(log(ratio.speedup.high / 2), z95 * 0.3, 0.09);
}

/* A sum of two that may each be twice or half as much is more often much above than much below. */
Test(joint, wide_sums_are_not_taken_for_linear) {
    struct bm_spread figures[FIGURES + 1] = {
        [OLD_TIME] = spread(10, 0.5), [NEW_TIME] = spread(10, 0),     [OLD_COMPUTE] = spread(1, 0),
        [NEW_COMPUTE] = spread(1, 0), [OLD_MEMORY] = spread(1000, 0), [NEW_MEMORY] = spread(1000, 0),
        [FIGURES] = spread(10, 0.5)};
    struct bm_joint_term terms[2] = {term_of(10, 1), term_of(10, 1)};
    terms[1].time[0] = FIGURES;
    struct bm_compare_ratio ratio = evaluate(terms, 2, figures, FIGURES + 1);
    cr_expect_float_eq(ratio.speedup.value, 1, 1e-9);
    cr_expect_gt(log(ratio.speedup.high) + log(ratio.speedup.low), 0.05);
}

/* 130 figures of their own are not two or three times the same 64. */
Test(joint, figures_beyond_the_lanes_are_drawn_for_themselves) {
    enum { TERMS = 130, ALL = FIGURES + TERMS };
    struct bm_spread figures[ALL] = {[NEW_TIME] = spread(10, 0),
                                     [OLD_COMPUTE] = spread(1, 0),
                                     [NEW_COMPUTE] = spread(1, 0),
                                     [OLD_MEMORY] = spread(1, 0),
                                     [NEW_MEMORY] = spread(1, 0)};
    struct bm_joint_term terms[TERMS];
    for (size_t i = 0; i < TERMS; i++) {
        figures[FIGURES + i] = spread(10, 0.2);
        terms[i] = term_of(10, 1);
        terms[i].time[0] = FIGURES + i;
    }
    struct bm_compare_ratio ratio = evaluate(terms, TERMS, figures, ALL);
    double half = log(ratio.speedup.high / ratio.speedup.low) / 2, expected = z95 * 0.2 / sqrt(TERMS);
    cr_expect(fabs(half / expected - 1) < 0.15, "%g against %g", half, expected);
}

/* Once the first and three times the second: (1 x 2 + 3 x 10) / (1 x 1 + 3 x 2). */
Test(joint, datasheets_count_what_is_executed_often) {
    const struct bm_spread figures[FIGURES] = {
        [OLD_TIME] = spread(20, 0),   [NEW_TIME] = spread(10, 0),     [OLD_COMPUTE] = spread(1, 0),
        [NEW_COMPUTE] = spread(2, 0), [OLD_MEMORY] = spread(1000, 0), [NEW_MEMORY] = spread(1000, 0)};
    struct bm_joint_term terms[2] = {term_of(10, 1), term_of(10, 1)};
    const double sheets[2][2] = {{2, 1}, {10, 2}};
    for (size_t i = 0; i < 2; i++)
        for (size_t side = 0; side < 2; side++)
            terms[i].ln_datasheet[side] = log(sheets[i][side]);
    terms[1].count = 3;
    struct bm_compare_ratio ratio = evaluate(terms, 2, figures, FIGURES);
    cr_expect_float_eq(ratio.datasheet.value, 32.0 / 7, 1e-9);
    cr_expect_float_eq(ratio.delivered.value, 2 / (32.0 / 7), 1e-9);
}
