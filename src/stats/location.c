/* Hodges-Lehmann estimates and the intervals of the rank tests that belong to them. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* All pairs of sorted values: Walsh averages of one sample (from == NULL), or differences to - from. Rounding
 * is monotonic, so the rows and columns of the matrix of pairs are sorted as computed, and counting those <=
 * a bound takes one walk along its staircase. */
struct pairs {
    const double *from, *to;
    size_t from_count, to_count;
};

static double pair_count(const struct pairs *pairs) {
    double n = (double)pairs->to_count;
    return pairs->from == NULL ? n * (n + 1) / 2 : n * (double)pairs->from_count;
}

static uint64_t count_up_to(const struct pairs *pairs, double bound) {
    uint64_t count = 0;
    if (pairs->from == NULL) {
        size_t end = pairs->to_count;
        for (size_t i = 0; i < end; i++) {
            while (end > i && 0.5 * pairs->to[i] + 0.5 * pairs->to[end - 1] > bound)
                end--;
            count += end - i;
        }
    } else {
        size_t end = 0;
        for (size_t i = 0; i < pairs->from_count; i++) {
            while (end < pairs->to_count && pairs->to[end] - pairs->from[i] <= bound)
                end++;
            count += end;
        }
    }
    return count;
}

/* Doubles in their order as integers, so that halving an interval of them ends after 64 steps on the exact
 * value. */
static uint64_t key_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double value_of(uint64_t key) {
    uint64_t bits = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The rank-th smallest pair, rank from 1. */
static double select_pair(const struct pairs *pairs, uint64_t rank) {
    const double *to = pairs->to;
    double least = to[0], most = to[pairs->to_count - 1];
    if (pairs->from != NULL) {
        least -= pairs->from[pairs->from_count - 1];
        most -= pairs->from[0];
    }
    uint64_t low = key_of(least), high = key_of(most);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (count_up_to(pairs, value_of(middle)) >= rank)
            high = middle;
        else
            low = middle + 1;
    }
    return value_of(low) + 0.0; /* no -0 */
}

static double median_pair(const struct pairs *pairs) {
    uint64_t count = (uint64_t)pair_count(pairs);
    double upper = select_pair(pairs, count / 2 + 1);
    return count % 2 == 1 ? upper : 0.5 * select_pair(pairs, count / 2) + 0.5 * upper;
}

/* The interval from the c-th smallest to the c-th largest pair, c the largest with P(statistic <= c - 1) <=
 * alpha / 2, at least 1: from the exact distribution (cdf), or from the normal one with this variance where
 * cdf is NULL. */
static struct bm_interval invert_test(const struct pairs *pairs, const double *cdf, double variance,
                                      double confidence) {
    double count = pair_count(pairs), half_alpha = (1 - confidence) / 2, deviation = sqrt(variance), tail;
    uint64_t c = 1;
    if (cdf != NULL) {
        while (2 * (double)c < count && cdf[c] <= half_alpha)
            c++;
        tail = cdf[c - 1];
    } else {
        double rank = floor(count / 2 + 0.5 + bm_stats_normal_quantile(half_alpha) * deviation);
        c = (uint64_t)fmax(1, rank);
        tail = bm_stats_normal_cdf(((double)c - 0.5 - count / 2) / deviation);
    }
    return (struct bm_interval){.low = select_pair(pairs, c),
                                .high = select_pair(pairs, (uint64_t)count + 1 - c),
                                .confidence = fmax(0, 1 - 2 * tail)};
}

enum bm_status bm_stats_hodges_lehmann(const double *values, size_t n, double confidence,
                                       struct bm_location *location, struct bm_error *error) {
    *location = (struct bm_location){0};
    enum bm_status status = bm_observations_check("Hodges-Lehmann estimate", values, n, 1, error);
    if (status == BM_OK)
        status = bm_confidence_check("Hodges-Lehmann interval", confidence, error);
    double *sorted = NULL;
    if (status == BM_OK)
        status = bm_observations_sort(values, n, &sorted, error);
    if (status != BM_OK)
        return status;

    struct pairs pairs = {.to = sorted, .to_count = n};
    double cdf[BM_SIGNED_RANK_SUMS], size = (double)n;
    bool exact = n <= BM_STATS_EXACT_MAX;
    if (exact) {
        size_t ranks[BM_STATS_EXACT_MAX];
        for (size_t i = 0; i < n; i++)
            ranks[i] = i + 1;
        bm_null_signed_rank(ranks, n, cdf);
    }
    location->estimate = median_pair(&pairs);
    location->interval =
        invert_test(&pairs, exact ? cdf : NULL, size * (size + 1) * (2 * size + 1) / 24, confidence);
    free(sorted);
    return BM_OK;
}

enum bm_status bm_stats_shift(const struct bm_observations *from, const struct bm_observations *to,
                              double confidence, struct bm_location *location, struct bm_error *error) {
    *location = (struct bm_location){0};
    double *sorted_from = NULL, *sorted_to = NULL, *cdf = NULL;
    size_t m = from->count, n = to->count;
    enum bm_status status = bm_observations_check("shift, first sample", from->values, m, 1, error);
    if (status == BM_OK)
        status = bm_observations_check("shift, second sample", to->values, n, 1, error);
    if (status == BM_OK)
        status = bm_confidence_check("shift", confidence, error);
    if (status == BM_OK)
        status = bm_observations_sort(from->values, m, &sorted_from, error);
    if (status == BM_OK)
        status = bm_observations_sort(to->values, n, &sorted_to, error);
    if (status == BM_OK && m <= BM_STATS_EXACT_MAX && n <= BM_STATS_EXACT_MAX)
        status = bm_null_mann_whitney(m, n, &cdf, error);
    if (status != BM_OK)
        goto out;

    struct pairs pairs = {.from = sorted_from, .from_count = m, .to = sorted_to, .to_count = n};
    location->estimate = median_pair(&pairs);
    location->interval =
        invert_test(&pairs, cdf, (double)m * (double)n * (double)(m + n + 1) / 12, confidence);
out:
    free(cdf);
    free(sorted_to);
    free(sorted_from);
    return status;
}
