#include "near.h"

Test(rank, signed_rank_matches_oracle) {
    for (size_t i = 0; i < BM_COUNT_OF(oracle_signed_rank); i++) {
        struct bm_rank_test test;
        const struct bm_observations *sample = &oracle_signed_rank[i].sample;
        cr_assert_eq(bm_stats_signed_rank(sample->values, sample->count, oracle_signed_rank[i].alternative,
                                          &test, NULL),
                     BM_OK);
        expect_value(test.statistic, oracle_signed_rank[i].statistic, i);
        expect_near(test.p, oracle_signed_rank[i].p, 1e-9, 1e-300, i);
        cr_expect(test.exact == oracle_signed_rank[i].exact, "row %zu", i);
    }
}

Test(rank, signed_rank_matches_printed_table) { /* Wilcoxon and Wilcox 1964: P(T <= t) at the 2.5 % points */
    static const struct {
        size_t n, t;
        double tail;
    } rows[] = {{6, 0, 0.0156}, {8, 3, 0.0195}, {10, 8, 0.0244}, {15, 25, 0.0240}, {20, 52, 0.0242}};
    for (size_t row = 0; row < BM_COUNT_OF(rows); row++) {
        double x[20];
        size_t left = rows[row].t;
        for (size_t rank = rows[row].n; rank > 0; rank--) { /* the largest ranks that fit are positive */
            bool positive = rank <= left;
            x[rank - 1] = positive ? (double)rank : -(double)rank;
            left -= positive ? rank : 0;
        }
        struct bm_rank_test test;
        cr_assert_eq(bm_stats_signed_rank(x, rows[row].n, BM_LESS, &test, NULL), BM_OK);
        cr_expect(test.statistic == (double)rows[row].t);
        expect_near(test.p, rows[row].tail, 0, 0.00006, row);
    }
}

Test(rank, zeros_are_dropped) {
    static const double with[] = {0, 1.5, -0.5, 0, 2, 3, 0}, without[] = {1.5, -0.5, 2, 3}, zeros[3];
    struct bm_rank_test a, b;
    cr_assert_eq(bm_stats_signed_rank(with, 7, BM_TWO_SIDED, &a, NULL), BM_OK);
    cr_assert_eq(bm_stats_signed_rank(without, 4, BM_TWO_SIDED, &b, NULL), BM_OK);
    cr_expect(a.p == b.p && a.statistic == b.statistic && a.statistic == 9);
    cr_assert_eq(bm_stats_signed_rank(zeros, 3, BM_GREATER, &a, NULL), BM_OK);
    cr_expect(a.p == 1 && a.statistic == 0);
}

Test(rank, exact_meets_normal_at_the_limit) { /* 50 values are exact, 51 approximate: no jump */
    double x[51];
    for (size_t i = 0; i < 51; i++)
        x[i] = (i % 3 == 0 ? -1.0 : 1.0) * (double)(i + 1);
    struct bm_rank_test test;
    cr_assert_eq(bm_stats_signed_rank(x, 50, BM_TWO_SIDED, &test, NULL), BM_OK);
    cr_expect(test.exact);
    double size = 50,
           z = (test.statistic - 0.5 - size * (size + 1) / 4) / sqrt(size * (size + 1) * (2 * size + 1) / 24);
    expect_near(test.p, 2 * bm_stats_normal_cdf(-z), 0.03, 0, 0);
    cr_assert_eq(bm_stats_signed_rank(x, 51, BM_TWO_SIDED, &test, NULL), BM_OK);
    cr_expect(!test.exact);
}

Test(rank, mann_whitney_matches_oracle) {
    for (size_t i = 0; i < BM_COUNT_OF(oracle_mann_whitney); i++) {
        struct bm_rank_test test;
        cr_assert_eq(bm_stats_mann_whitney(&oracle_mann_whitney[i].a, &oracle_mann_whitney[i].b,
                                           oracle_mann_whitney[i].alternative, &test, NULL),
                     BM_OK);
        expect_value(test.statistic, oracle_mann_whitney[i].statistic, i);
        expect_near(test.p, oracle_mann_whitney[i].p, 1e-9, 1e-300, i);
        cr_expect(test.exact == oracle_mann_whitney[i].exact, "row %zu", i);
    }
}

Test(rank, mann_whitney_matches_its_paper) { /* Mann and Whitney 1947, table I: P(U <= u) */
    static const double a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8}, c[] = {1, 2, 3, 5}, d[] = {4, 6, 7, 8};
    struct bm_observations low = {a, 4}, high = {b, 4}, low_mixed = {c, 4}, high_mixed = {d, 4};
    struct bm_rank_test test;
    cr_assert_eq(bm_stats_mann_whitney(&low, &high, BM_LESS, &test, NULL), BM_OK);
    expect_near(test.p, 0.014, 0, 0.0005, 0);
    cr_assert_eq(bm_stats_mann_whitney(&low_mixed, &high_mixed, BM_LESS, &test, NULL), BM_OK);
    cr_expect(test.statistic == 1);
    expect_near(test.p, 0.029, 0, 0.0005, 1);
}

Test(rank, swapping_samples_swaps_the_alternatives) {
    struct bm_observations a = SAMPLE(ties), b = SAMPLE(tied80);
    struct bm_rank_test less, greater;
    cr_assert_eq(bm_stats_mann_whitney(&a, &b, BM_LESS, &less, NULL), BM_OK);
    cr_assert_eq(bm_stats_mann_whitney(&b, &a, BM_GREATER, &greater, NULL), BM_OK);
    expect_value(less.p, greater.p, 0);
    expect_value(less.statistic + greater.statistic, 12 * 80, 0);
}

Test(rank, bad_input_is_refused) {
    static const double x[] = {1, 2};
    double bad[] = {TEST_NAN};
    struct bm_observations good = {x, 2}, broken = {bad, 1}, empty = {x, 0};
    struct bm_rank_test test = {.p = 0.3};
    struct bm_error error = {0};
    cr_expect(bm_stats_mann_whitney(&good, &broken, BM_LESS, &test, &error) == BM_INVALID && test.p == 0);
    cr_expect_str_eq(error.message,
                     "Mann-Whitney test, second sample: value 1 of 1 is nan, not a finite number");
    cr_expect(bm_stats_mann_whitney(&empty, &good, BM_LESS, &test, NULL) == BM_INVALID);
    cr_expect(bm_stats_signed_rank(x, 0, BM_LESS, &test, NULL) == BM_INVALID);
    cr_expect(bm_stats_signed_rank(bad, 1, BM_LESS, &test, NULL) == BM_INVALID);
}

/* ---- many tests at once ---- */

Test(multiple, matches_oracle) {
    enum { N = BM_COUNT_OF(oracle_adjusted) };
    double p[N], adjusted[N];
    for (size_t i = 0; i < N; i++)
        p[i] = oracle_adjusted[i].p;
    cr_assert_eq(bm_stats_holm(p, N, adjusted, NULL), BM_OK);
    for (size_t i = 0; i < N; i++)
        expect_value(adjusted[i], oracle_adjusted[i].holm, i);
    cr_assert_eq(bm_stats_benjamini_hochberg(p, N, p, NULL), BM_OK); /* in place */
    for (size_t i = 0; i < N; i++)
        expect_value(p[i], oracle_adjusted[i].benjamini_hochberg, i);
}

Test(multiple,
     matches_the_example_of_benjamini_and_hochberg) { /* 1995, section 3.2: four rejections, Holm three */
    static const double p[] = {0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
                               0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000};
    double holm[15], rate[15];
    cr_assert_eq(bm_stats_holm(p, 15, holm, NULL), BM_OK);
    cr_assert_eq(bm_stats_benjamini_hochberg(p, 15, rate, NULL), BM_OK);
    for (size_t i = 0; i < 15; i++) {
        cr_expect((holm[i] <= 0.05) == (i < 3), "%zu: %g", i, holm[i]);
        cr_expect((rate[i] <= 0.05) == (i < 4), "%zu: %g", i, rate[i]);
    }
}

Test(multiple, ends_and_bad_input) {
    double p[] = {0.2, 1.5}, adjusted[] = {9, 9};
    struct bm_error error = {0};
    cr_expect(bm_stats_holm(p, 2, adjusted, &error) == BM_INVALID && adjusted[0] == 0 && adjusted[1] == 0);
    cr_expect_str_eq(error.message, "Holm: p value 2 of 2 is 1.5, not in [0, 1]");
    p[1] = TEST_NAN;
    cr_expect(bm_stats_benjamini_hochberg(p, 2, adjusted, NULL) == BM_INVALID);
    cr_expect(bm_stats_holm(p, 0, adjusted, NULL) == BM_OK);
    cr_expect(bm_stats_holm(p, 1, adjusted, NULL) == BM_OK && adjusted[0] == 0.2);
}
