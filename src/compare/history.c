/* What earlier runs of a row tell of the next one. */
#include <math.h>
#include <stdlib.h>

#include "bm/compare.h"
#include "bm/gate.h"
#include "bm/stats.h"

enum { LEAST_PART = 3 };

/* The most significant split of values[count], 0: none at the level. */
static size_t find_split(const double *values, size_t count) {
    const double level = 0.01, least = log1p(0.02), middle = bm_stats_mean(values, count);
    double sum = 0, squares = 0, head = 0, smallest = level;
    size_t best = 0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i] - middle;
        squares += (values[i] - middle) * (values[i] - middle);
    }
    for (size_t k = 1; k + LEAST_PART <= count; k++) {
        head += values[k - 1] - middle;
        if (k < LEAST_PART)
            continue;
        double before = (double)k, after = (double)(count - k), freedom = (double)count - 2;
        double distance = fabs((sum - head) / after - head / before);
        double within = fmax(0, squares - head * head / before - (sum - head) * (sum - head) / after);
        double error = fmax(1e-12, sqrt(within / freedom * (1 / before + 1 / after)));
        double places = (double)(count - (size_t)2 * LEAST_PART + 1);
        double p = 2 * places * bm_stats_t_cdf(-distance / error, freedom);
        if (distance > least && p < smallest) {
            smallest = p;
            best = k;
        }
    }
    return best;
}

static size_t last_change(const double *values, size_t count) {
    size_t first = 0;
    for (size_t split; (split = find_split(values + first, count - first)) > 0;)
        first += split;
    return first;
}

void bm_history_of(const struct bm_runs *runs, struct bm_history *history) {
    const double *values = runs->values;
    *history = (struct bm_history){.first = last_change(values, runs->count)};
    const size_t count = runs->count - history->first;
    values += history->first;
    double median = bm_stats_median(values, count), scale = 1.4826 * bm_stats_mad(values, count);
    double limit = count >= BM_GATE_HISTORY ? fmax(5 * scale, log1p(0.05)) : (double)INFINITY;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        if (fabs(values[i] - median) > limit) {
            history->left_out++;
            continue;
        }
        sum += values[i];
        history->count++;
    }
    history->center = sum / (double)history->count;
    for (size_t i = 0; i < count; i++)
        if (fabs(values[i] - median) <= limit)
            squares += (values[i] - history->center) * (values[i] - history->center);
    history->freedom = (double)history->count - 1;
    history->deviation = history->count > 1 ? sqrt(squares / history->freedom) : 0;
    if (history->count < BM_GATE_HISTORY) {
        history->assumed = true;
        history->deviation = fmax(history->deviation, BM_COMPARE_BETWEEN_RUNS);
        history->freedom = (double)INFINITY;
    }
}
