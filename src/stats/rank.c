/* Ranks, and the tests made of them. */
#include "internal.h"

#include <stdlib.h>

static int ranked_compare(const void *a, const void *b) {
    return bm_double_compare(&((const struct bm_ranked *)a)->value, &((const struct bm_ranked *)b)->value);
}

struct bm_ties bm_rank(struct bm_ranked *items, size_t n) {
    struct bm_ties ties = {0, 0, 0};
    qsort(items, n, sizeof *items, ranked_compare);
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && items[end].value == items[first].value;)
            end++;
        for (size_t i = first; i < end; i++)
            items[i].rank = 0.5 * (double)(first + 1 + end);
        double t = (double)(end - first);
        ties.pairs += t * (t - 1) / 2;
        ties.cubes += t * (t * t - 1);
        ties.fives += t * (t - 1) * (2 * t + 5);
    }
    return ties;
}

double bm_p_value(double lower, double upper, enum bm_alternative alternative) {
    if (alternative == BM_TWO_SIDED)
        return fmin(1, 2 * fmin(lower, upper));
    return fmin(1, alternative == BM_LESS ? lower : upper);
}

double bm_p_value_normal(double deviation, double variance, enum bm_alternative alternative) {
    if (variance <= 0) /* every arrangement gives this statistic */
        return 1;
    double error = sqrt(variance);
    return bm_p_value(bm_stats_normal_cdf((deviation + 0.5) / error),
                      bm_stats_normal_cdf(-(deviation - 0.5) / error), alternative);
}

enum bm_status bm_stats_signed_rank(const double *values, size_t n, enum bm_alternative alternative,
                                    struct bm_rank_test *test, struct bm_error *error) {
    *test = (struct bm_rank_test){0};
    enum bm_status status = bm_observations_check("signed-rank test", values, n, 1, error);
    if (status != BM_OK)
        return status;
    struct bm_ranked *items = bm_alloc(n, sizeof *items);
    if (items == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory: ranks of %zu values", n);

    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (values[i] != 0)
            items[count++] = (struct bm_ranked){.value = fabs(values[i]), .index = i};
    struct bm_ties ties = bm_rank(items, count);
    double sum = 0, size = (double)count;
    for (size_t i = 0; i < count; i++)
        if (values[items[i].index] > 0)
            sum += items[i].rank;
    test->statistic = sum;
    test->exact = count <= BM_STATS_EXACT_MAX;
    if (test->exact) {
        size_t doubled[BM_STATS_EXACT_MAX]; /* mean ranks are halves */
        double cdf[BM_SIGNED_RANK_SUMS];
        for (size_t i = 0; i < count; i++)
            doubled[i] = (size_t)(2 * items[i].rank);
        size_t total = bm_null_signed_rank(doubled, count, cdf), observed = (size_t)(2 * sum);
        /* the distribution is symmetric: P(T >= t) = P(T <= total - t) */
        test->p = bm_p_value(cdf[observed], cdf[total - observed], alternative);
    } else {
        double variance = size * (size + 1) * (2 * size + 1) / 24 - ties.cubes / 48;
        test->p = bm_p_value_normal(sum - size * (size + 1) / 4, variance, alternative);
    }
    free(items);
    return BM_OK;
}

enum bm_status bm_stats_mann_whitney(const struct bm_observations *a, const struct bm_observations *b,
                                     enum bm_alternative alternative, struct bm_rank_test *test,
                                     struct bm_error *error) {
    *test = (struct bm_rank_test){0};
    struct bm_ranked *items = NULL;
    double *cdf = NULL;
    size_t m = a->count, n = b->count;
    enum bm_status status = bm_observations_check("Mann-Whitney test, first sample", a->values, m, 1, error);
    if (status == BM_OK)
        status = bm_observations_check("Mann-Whitney test, second sample", b->values, n, 1, error);
    if (status != BM_OK)
        goto out;
    items = bm_alloc(m + n, sizeof *items);
    if (items == NULL) {
        status = bm_fail(error, BM_NO_MEMORY, "out of memory: ranks of %zu values", m + n);
        goto out;
    }
    for (size_t i = 0; i < m + n; i++)
        items[i] = (struct bm_ranked){.value = i < m ? a->values[i] : b->values[i - m], .index = i};
    struct bm_ties ties = bm_rank(items, m + n);
    double sizes[] = {(double)m, (double)n}, total = sizes[0] + sizes[1], product = sizes[0] * sizes[1];
    double u = -sizes[0] * (sizes[0] + 1) / 2;
    for (size_t i = 0; i < m + n; i++)
        if (items[i].index < m)
            u += items[i].rank;

    double p;
    bool exact = ties.pairs == 0 && m <= BM_STATS_EXACT_MAX && n <= BM_STATS_EXACT_MAX;
    if (exact) {
        status = bm_null_mann_whitney(m, n, &cdf, error);
        if (status != BM_OK)
            goto out;
        size_t observed = (size_t)u;
        p = bm_p_value(cdf[observed], cdf[m * n - observed], alternative);
    } else {
        double variance = product / 12 * (total + 1 - ties.cubes / (total * (total - 1)));
        p = bm_p_value_normal(u - product / 2, variance, alternative);
    }
    *test = (struct bm_rank_test){.statistic = u, .p = p, .exact = exact};
out:
    free(cdf);
    free(items);
    return status;
}
