/* Order statistics of one sample. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

int bm_double_compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum bm_status bm_observations_check(const char *name, const double *values, size_t n, size_t minimum,
                                     struct bm_error *error) {
    if (n < minimum)
        return bm_fail(error, BM_INVALID, "%s: %zu values, at least %zu are needed", name, n, minimum);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return bm_fail(error, BM_INVALID, "%s: value %zu of %zu is %g, not a finite number", name, i + 1,
                           n, values[i]);
    return BM_OK;
}

enum bm_status bm_confidence_check(const char *name, double confidence, struct bm_error *error) {
    if (!(confidence > 0 && confidence < 1))
        return bm_fail(error, BM_INVALID, "%s: confidence %g is not between 0 and 1", name, confidence);
    return BM_OK;
}

enum bm_status bm_observations_sort(const double *values, size_t n, double **sorted, struct bm_error *error) {
    *sorted = bm_alloc(n, sizeof **sorted);
    if (*sorted == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory: a copy of %zu values", n);
    memcpy(*sorted, values, n * sizeof *values);
    qsort(*sorted, n, sizeof **sorted, bm_double_compare);
    return BM_OK;
}

/* A copy to reorder, of values without NaN: the rounds of a case fit on the stack. */
struct copy {
    double *values; /* NULL: empty, NaN among the values, or no memory */
    double few[64];
};

static void copy_init(struct copy *copy, const double *values, size_t n) {
    copy->values = NULL;
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        if (isnan(values[i]))
            return;
    copy->values = n <= BM_COUNT_OF(copy->few) ? copy->few : bm_alloc(n, sizeof *values);
    if (copy->values != NULL)
        memcpy(copy->values, values, n * sizeof *values);
}

static void copy_fini(struct copy *copy) {
    if (copy->values != copy->few)
        free(copy->values);
}

/* Hoare's FIND (CACM 4 (1961) 321): returns the k-th smallest, k from 0; afterwards it is v[k], none before
 * it is larger, none after it smaller. Partitions that keep failing to shrink the range end in a sort. */
static double select_rank(double *v, size_t n, size_t k) {
    ptrdiff_t low = 0, high = (ptrdiff_t)n - 1, rank = (ptrdiff_t)k;
    int patience = 8;
    for (size_t size = n; size > 1; size /= 2)
        patience += 2;
    while (low < high) {
        if (patience-- == 0) {
            qsort(v + low, (size_t)(high - low + 1), sizeof *v, bm_double_compare);
            break;
        }
        double pivot = v[rank];
        ptrdiff_t i = low, j = high;
        do {
            while (v[i] < pivot)
                i++;
            while (pivot < v[j])
                j--;
            if (i <= j) {
                double moved = v[i];
                v[i++] = v[j];
                v[j--] = moved;
            }
        } while (i <= j);
        if (j < rank)
            low = i;
        if (rank < i)
            high = j;
    }
    return v[k];
}

static double interpolate(double a, double b, double weight) {
    if (weight == 0 || a == b) /* also keeps infinities from making NaN */
        return a;
    return weight == 1 ? b : (1 - weight) * a + weight * b;
}

static double median_in_place(double *v, size_t n) {
    double upper = select_rank(v, n, n / 2), lower = upper;
    if (n % 2 == 0) {
        lower = v[0];
        for (size_t i = 1; i < n / 2; i++)
            lower = fmax(lower, v[i]);
    }
    return interpolate(lower, upper, 0.5);
}

double bm_stats_median(const double *values, size_t n) {
    struct copy copy;
    copy_init(&copy, values, n);
    double median = copy.values == NULL ? BM_NAN : median_in_place(copy.values, n);
    copy_fini(&copy);
    return median;
}

double bm_stats_mad(const double *values, size_t n) {
    struct copy copy;
    copy_init(&copy, values, n);
    double mad = BM_NAN;
    if (copy.values != NULL) {
        double median = median_in_place(copy.values, n);
        for (size_t i = 0; i < n; i++) /* equal infinities deviate by nothing */
            copy.values[i] = copy.values[i] == median ? 0 : fabs(copy.values[i] - median);
        if (!isnan(median))
            mad = median_in_place(copy.values, n);
    }
    copy_fini(&copy);
    return mad;
}

double bm_sorted_percentile(const double *sorted, size_t n, double p) {
    double place = p * (double)(n - 1), whole = floor(place);
    size_t i = (size_t)whole;
    return i + 1 < n ? interpolate(sorted[i], sorted[i + 1], place - whole) : sorted[n - 1];
}

double bm_stats_percentile(const double *values, size_t n, double p) {
    struct copy copy;
    copy_init(&copy, values, n);
    double percentile = BM_NAN;
    if (copy.values != NULL && p >= 0 && p <= 1) {
        double place = p * (double)(n - 1), whole = floor(place);
        size_t i = (size_t)whole;
        double lower = select_rank(copy.values, n, i), upper = lower;
        if (i + 1 < n) {
            upper = copy.values[i + 1];
            for (size_t j = i + 2; j < n; j++)
                upper = fmin(upper, copy.values[j]);
        }
        percentile = interpolate(lower, upper, place - whole);
    }
    copy_fini(&copy);
    return percentile;
}

double bm_stats_mean(const double *values, size_t n) {
    if (n == 0)
        return BM_NAN;
    double sum = 0, rest = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    double mean = sum / (double)n;
    if (!isfinite(mean))
        return mean;
    for (size_t i = 0; i < n; i++) /* the second pass takes back the rounding of the first */
        rest += values[i] - mean;
    return mean + rest / (double)n;
}

/* The largest k with P(X < k) <= alpha / 2, X the count of values below the median: x_(k) and x_(n+1-k) then
 * enclose the median with confidence 1 - 2 P(X < k) >= 1 - alpha. 0 where even k = 1 does not. */
static size_t sign_test_rank(size_t n, double alpha) {
    size_t low = 0, high = n / 2;
    while (low < high) {
        size_t k = low + (high - low + 1) / 2;
        if (bm_stats_binomial_cdf(k - 1, n, 0.5) <= alpha / 2)
            low = k;
        else
            high = k - 1;
    }
    return low;
}

struct bm_interval bm_stats_median_interval(const double *values, size_t n, double confidence) {
    struct bm_interval interval = {BM_NAN, BM_NAN, BM_NAN};
    struct copy copy;
    copy_init(&copy, values, n);
    if (copy.values != NULL && confidence > 0 && confidence < 1) {
        double *x = copy.values;
        qsort(x, n, sizeof *x, bm_double_compare);
        size_t k = sign_test_rank(n, 1 - confidence);
        if (k == 0) {
            interval = (struct bm_interval){x[0], x[n - 1], 1 - exp2(1 - (double)n)};
        } else {
            double outer = 1 - 2 * bm_stats_binomial_cdf(k - 1, n, 0.5);
            interval = (struct bm_interval){x[k - 1], x[n - k], outer};
            if (2 * k < n) { /* between this pair and the next inner one */
                double inner = 1 - 2 * bm_stats_binomial_cdf(k, n, 0.5);
                double part = fmax(0, (outer - confidence) / (outer - inner));
                double rank = (double)k, others = (double)(n - k);
                double lambda = others * part / (rank + (others - rank) * part);
                interval.low = interpolate(x[k - 1], x[k], lambda);
                interval.high = interpolate(x[n - k], x[n - k - 1], lambda);
                interval.confidence = confidence;
            }
        }
    }
    copy_fini(&copy);
    return interval;
}
