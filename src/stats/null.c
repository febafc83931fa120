/* Exact distributions of rank statistics where the null hypothesis holds. They only add and scale what is
 * positive, so that every tail keeps its digits. */
#include "internal.h"

#include <stdlib.h>

/* Turns n weights into cumulative chances. All distributions here are symmetric: callers read an upper tail
 * as the lower one of the mirrored value, where it has its digits. */
static void accumulate(double *weights, size_t n, double total) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += weights[i];
        weights[i] = fmin(1, sum / total);
    }
}

size_t bm_null_signed_rank(const size_t *weights, size_t n, double cdf[BM_SIGNED_RANK_SUMS]) {
    size_t total = 0;
    cdf[0] = 1;
    for (size_t i = 0; i < n; i++) { /* each weight is in the sum or not, with equal chance */
        size_t weight = weights[i];
        for (size_t s = total + 1; s <= total + weight; s++)
            cdf[s] = 0;
        total += weight;
        for (size_t s = total + 1; s-- > 0;)
            cdf[s] = 0.5 * (cdf[s] + (s >= weight ? cdf[s - weight] : 0));
    }
    accumulate(cdf, total + 1, 1);
    return total;
}

enum bm_status bm_null_mann_whitney(size_t m, size_t n, double **cdf, struct bm_error *error) {
    /* ways[i][u]: orders of i values of one sample among the first j of the other in which U is u. A pooled
     * order ends in a value of the second sample (U as before, one j fewer) or of the first (it passes all
     * j): the recurrence of Mann and Whitney. */
    size_t width = m * n + 1;
    double *ways = bm_alloc((m + 1) * width, sizeof *ways);
    *cdf = bm_alloc(width, sizeof **cdf);
    if (ways == NULL || *cdf == NULL) {
        free(ways);
        free(*cdf);
        *cdf = NULL;
        return bm_fail(error, BM_NO_MEMORY, "out of memory: Mann-Whitney distribution of %zu and %zu values",
                       m, n);
    }
    for (size_t i = 0; i <= m; i++)
        ways[i * width] = 1;
    for (size_t j = 1; j <= n; j++)
        for (size_t i = 1; i <= m; i++)
            for (size_t u = j; u <= i * j; u++)
                ways[i * width + u] += ways[(i - 1) * width + u - j];
    double total = 0;
    for (size_t u = 0; u < width; u++)
        total += (*cdf)[u] = ways[m * width + u];
    accumulate(*cdf, width, total);
    free(ways);
    return BM_OK;
}

void bm_null_inversions(size_t n, double cdf[BM_INVERSION_COUNTS]) {
    double before[BM_INVERSION_COUNTS];
    size_t most = 0; /* inversions so far */
    cdf[0] = 1;
    for (size_t j = 2; j <= n;
         j++) { /* the j-th value passes 0 .. j-1 of those before it, with equal chance */
        for (size_t k = 0; k <= most; k++)
            before[k] = cdf[k];
        for (size_t k = 0; k <= most + j - 1; k++) {
            double sum = 0;
            for (size_t passed = k > most ? k - most : 0; passed < j && passed <= k; passed++)
                sum += before[k - passed];
            cdf[k] = sum / (double)j;
        }
        most += j - 1;
    }
    accumulate(cdf, most + 1, 1);
}
