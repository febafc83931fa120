/* Levels of a machine: a host that moves a virtual one, or a clock that falls back, shows in its ceilings. */
#include <math.h>
#include <stdlib.h>

#include "bm/measure.h"

/* A level: so many rounds at least, and a step of 20 %. Less is drift, or noise. */
enum { LEAST_MARKS = 4 };
static const double least_step = 0.1823;

struct bm_level_mark {
    uint64_t at_ns;
    bool is_slow;
};

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int by_time(const void *a, const void *b) {
    const uint64_t x = ((const struct bm_level_mark *)a)->at_ns, y = ((const struct bm_level_mark *)b)->at_ns;
    return (x > y) - (x < y);
}

static double log_time(const struct bm_round *round) {
    return log((double)round->ns / (double)round->launches);
}

/* Between the two parts of sorted values that leave the least variance within them (Otsu, IEEE Transactions
 * on Systems, Man, and Cybernetics 9 (1979) 62). */
static size_t split_of(const double *sorted, size_t count) {
    double sum = 0, head = 0, most = -1;
    size_t best = LEAST_MARKS;
    for (size_t i = 0; i < count; i++)
        sum += sorted[i];
    for (size_t i = 1; i + LEAST_MARKS <= count; i++) {
        head += sorted[i - 1];
        const double before = (double)i, after = (double)(count - i);
        const double apart = head / before - (sum - head) / after, between = before * after * apart * apart;
        if (i >= LEAST_MARKS && between > most) {
            most = between;
            best = i;
        }
    }
    return best;
}

/* The bound between two levels; false: there is one. Few values lie between two levels. */
static bool find_bound(double *values, size_t count, double *bound) {
    if (count < 2 * LEAST_MARKS)
        return false;
    qsort(values, count, sizeof *values, ascending);
    const size_t split = split_of(values, count);
    const double fast = bm_stats_median(values, split), slow = bm_stats_median(values + split, count - split);
    size_t between = 0, faster = 0;
    *bound = (fast + slow) / 2;
    for (size_t i = 0; i < count; i++) {
        faster += values[i] < *bound;
        between += fabs(values[i] - *bound) < (slow - fast) / 6;
    }
    return slow - fast > least_step && 10 * between <= count && faster >= LEAST_MARKS &&
           count - faster >= LEAST_MARKS;
}

/* A machine stays where it is for a while; what goes to and fro from round to round is the work's own. */
static bool stays(const struct bm_level_mark *marks, size_t count) {
    size_t changes = 0, slow = 0;
    for (size_t i = 0; i < count; i++) {
        slow += marks[i].is_slow;
        changes += i > 0 && marks[i].is_slow != marks[i - 1].is_slow;
    }
    return changes <= (2 * slow < count ? slow : count - slow);
}

/* What foreign work did to a round is no level. */
static bool add_marks(const struct bm_series *series, struct bm_levels *levels) {
    double bound, *values = bm_alloc(series->count, sizeof *values);
    struct bm_level_mark *marks =
        realloc(levels->marks, (levels->count + series->count + 1) * sizeof *levels->marks);
    size_t count = 0;
    if (marks != NULL)
        levels->marks = marks;
    if (marks == NULL || values == NULL) {
        free(values);
        return false;
    }
    for (size_t i = 0; i < series->count; i++)
        if ((series->rounds[i].flags & BM_FLAG_CONTAMINATED) == 0)
            values[count++] = log_time(&series->rounds[i]);
    if (find_bound(values, count, &bound)) {
        struct bm_level_mark *own = marks + levels->count;
        count = 0;
        for (size_t i = 0; i < series->count; i++)
            if ((series->rounds[i].flags & BM_FLAG_CONTAMINATED) == 0)
                own[count++] = (struct bm_level_mark){bm_round_middle(&series->rounds[i]),
                                                      log_time(&series->rounds[i]) > bound};
        levels->count += stays(own, count) ? count : 0;
    }
    free(values);
    return true;
}

void bm_levels_find(const struct bm_series *const *references, size_t count, struct bm_levels *levels) {
    size_t slow = 0;
    bool known = true;
    *levels = (struct bm_levels){.main_share = 1};
    for (size_t i = 0; known && i < count; i++)
        known = add_marks(references[i], levels);
    if (!known || levels->count == 0) {
        bm_levels_fini(levels);
        return;
    }
    qsort(levels->marks, levels->count, sizeof *levels->marks, by_time);
    for (size_t i = 0; i < levels->count; i++)
        slow += levels->marks[i].is_slow;
    levels->main_is_slow = 2 * slow > levels->count;
    levels->main_share = (double)(levels->main_is_slow ? slow : levels->count - slow) / (double)levels->count;
}

void bm_levels_fini(struct bm_levels *levels) {
    free(levels->marks);
    *levels = (struct bm_levels){.main_share = 1};
}

/* Between the last mark before it and the first one after it; where these differ nobody knows. */
static bool is_on_main(const struct bm_levels *levels, uint64_t at_ns) {
    size_t after = 0;
    while (after < levels->count && levels->marks[after].at_ns < at_ns)
        after++;
    const bool is_first = after == 0, is_last = after == levels->count;
    return (is_first || levels->marks[after - 1].is_slow == levels->main_is_slow) &&
           (is_last || levels->marks[after].is_slow == levels->main_is_slow);
}

void bm_levels_tag(const struct bm_levels *levels, double target_half_width, struct bm_series *series) {
    enum {
        OF_MEASURING =
            BM_FLAG_NOT_CONVERGED | BM_FLAG_NOT_STEADY | BM_FLAG_RESOLUTION_LIMITED | BM_FLAG_TIMER_DISAGREES
    };
    const bool is_settled = levels->main_share >= BM_LEVELS_MAIN_SHARE;
    bool any = false;
    for (size_t i = 0; i < series->count; i++) {
        struct bm_round *round = &series->rounds[i];
        any |= (round->flags & BM_FLAG_MOVED) != 0; /* by an earlier run */
        round->flags &= ~(unsigned)BM_FLAG_MOVED;
        if (is_settled && !is_on_main(levels, bm_round_middle(round)))
            round->flags |= BM_FLAG_MOVED;
        any |= (round->flags & BM_FLAG_MOVED) != 0;
    }
    if (!any)
        return;
    series->flags &= OF_MEASURING;
    if (bm_series_left_out(series) != 0) {
        struct bm_estimate estimate;
        bm_series_estimate(series, BM_FLAG_MOVED, &estimate);
        series->flags &= ~(unsigned)BM_FLAG_NOT_CONVERGED;
        if (!(estimate.half_width <= target_half_width))
            series->flags |= BM_FLAG_NOT_CONVERGED;
    }
    series->flags = bm_series_flags(series);
}
