#include "near.h"

Test(distribution, normal_matches_oracle) {
    for (size_t i = 0; i < BM_COUNT_OF(oracle_normal_cdf); i++)
        expect_near(bm_stats_normal_cdf(oracle_normal_cdf[i].x), oracle_normal_cdf[i].cdf, 1e-11, 0, i);
    for (size_t i = 0; i < BM_COUNT_OF(oracle_normal_quantile); i++)
        expect_near(bm_stats_normal_quantile(oracle_normal_quantile[i].p), oracle_normal_quantile[i].x, 1e-13,
                    1e-15, i);
}

Test(distribution, t_matches_oracle) {
    for (size_t i = 0; i < BM_COUNT_OF(oracle_t_cdf); i++)
        expect_near(bm_stats_t_cdf(oracle_t_cdf[i].x, oracle_t_cdf[i].freedom), oracle_t_cdf[i].cdf, 1e-9,
                    1e-300, i);
    for (size_t i = 0; i < BM_COUNT_OF(oracle_t_quantile); i++)
        expect_near(bm_stats_t_quantile(oracle_t_quantile[i].p, oracle_t_quantile[i].freedom),
                    oracle_t_quantile[i].x, 1e-9, 0, i);
}

Test(distribution, t_matches_printed_table) { /* Fisher and Yates, two-sided 5 % */
    static const struct {
        double freedom, t;
    } rows[] = {{1, 12.706}, {2, 4.303}, {5, 2.571}, {10, 2.228}, {30, 2.042}, {120, 1.980}};
    for (size_t i = 0; i < BM_COUNT_OF(rows); i++)
        expect_near(bm_stats_t_quantile(0.975, rows[i].freedom), rows[i].t, 0, 0.0005, i);
    expect_value(bm_stats_t_quantile(0.975, TEST_INF), bm_stats_normal_quantile(0.975), 0);
}

Test(distribution, binomial_matches_oracle) {
    for (size_t i = 0; i < BM_COUNT_OF(oracle_binomial); i++)
        expect_value(bm_stats_binomial_cdf(oracle_binomial[i].k, oracle_binomial[i].n, oracle_binomial[i].p),
                     oracle_binomial[i].cdf, i);
}

Test(distribution, quantile_inverts_cdf) {
    static const double freedoms[] = {0.3, 1, 4, 29, 1e5, 1e9};
    for (size_t v = 0; v < BM_COUNT_OF(freedoms); v++)
        for (int i = 1; i < 200; i++) {
            double p = i / 200.0;
            expect_near(bm_stats_t_cdf(bm_stats_t_quantile(p, freedoms[v]), freedoms[v]), p, 1e-9, 0, i);
            expect_near(bm_stats_normal_cdf(bm_stats_normal_quantile(p)), p, 1e-14, 0, i);
        }
}

Test(distribution, ends_and_nonsense) {
    cr_expect(bm_stats_normal_quantile(0) == -TEST_INF && bm_stats_normal_quantile(1) == TEST_INF);
    cr_expect(bm_stats_t_quantile(0, 3) == -TEST_INF && bm_stats_t_quantile(1, 3) == TEST_INF);
    cr_expect(bm_stats_t_quantile(1e-300, 0.1) == -TEST_INF, "out of the range of double");
    cr_expect(bm_stats_t_cdf(-TEST_INF, 3) == 0 && bm_stats_t_cdf(TEST_INF, 3) == 1 &&
              bm_stats_t_cdf(0, 3) == 0.5);
    cr_expect(isnan(bm_stats_normal_quantile(-0.1)) && isnan(bm_stats_normal_quantile(TEST_NAN)));
    cr_expect(isnan(bm_stats_t_cdf(1, 0)) && isnan(bm_stats_t_cdf(TEST_NAN, 2)) &&
              isnan(bm_stats_t_quantile(2, 2)));
    cr_expect(isnan(bm_stats_binomial_cdf(1, 2, 1.5)));
}
