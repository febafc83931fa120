/* p values of many tests at once. */
#include "internal.h"

#include <stdlib.h>

/* Both procedures scale each p by its place among the sorted ones, then make the result monotonic: Holm from
 * the smallest up, Benjamini and Hochberg from the largest down. */
static enum bm_status adjust(const char *name, const double *p, size_t n, bool step_up, double *adjusted,
                             struct bm_error *error) {
    struct bm_ranked *items = bm_alloc(n, sizeof *items);
    enum bm_status status = BM_OK;
    if (items == NULL)
        status = bm_fail(error, BM_NO_MEMORY, "out of memory: %zu p values", n);
    for (size_t i = 0; i < n && status == BM_OK; i++) {
        if (!(p[i] >= 0 && p[i] <= 1))
            status = bm_fail(error, BM_INVALID, "%s: p value %zu of %zu is %g, not in [0, 1]", name, i + 1, n,
                             p[i]);
        else
            items[i] = (struct bm_ranked){.value = p[i], .index = i};
    }
    if (status == BM_OK) {
        bm_rank(items, n);
        double bound = step_up ? 1 : 0;
        for (size_t k = 0; k < n; k++) {
            size_t place = step_up ? n - 1 - k : k;
            double scaled =
                items[place].value * (step_up ? (double)n / (double)(place + 1) : (double)(n - place));
            bound = step_up ? fmin(bound, scaled) : fmin(1, fmax(bound, scaled));
            adjusted[items[place].index] = bound;
        }
    } else {
        for (size_t i = 0; i < n; i++)
            adjusted[i] = 0;
    }
    free(items);
    return status;
}

enum bm_status bm_stats_holm(const double *p, size_t n, double *adjusted, struct bm_error *error) {
    return adjust("Holm", p, n, false, adjusted, error);
}

enum bm_status bm_stats_benjamini_hochberg(const double *p, size_t n, double *adjusted,
                                           struct bm_error *error) {
    return adjust("Benjamini-Hochberg", p, n, true, adjusted, error);
}
