/* Search for the fastest parameters: seeds, then steps along one parameter, then along several. */
#include "search.h"

#include <stdlib.h>
#include <string.h>

/* Kicks that bring nothing new, or nothing faster, before the search gives up. */
enum { IDLE_KICKS = 2000, LOST_KICKS = 40, MAX_KICKED = 3 };
/* How far a value that does not suit is followed. */
enum { REPAIRS = 3, REPAIR_STEPS = 8 };

enum outcome {
    SKIPPED, /* does not suit, or was tried before */
    LOST,
    WON,
    ENDED /* no time, a signal, or the device is gone */
};

struct search {
    const struct tune_search_options *options;
    const struct tune_work *work;
    struct tune_search_result *result;
    struct bm_random random;
    struct bm_parameters *visited;
    size_t visited_count, visited_capacity;
    size_t *order;   /* of the tunables */
    void *incumbent; /* NULL: none yet */
    uint64_t start_ns;
    enum bm_status status;
    struct bm_error *error;
};

/* The spacing of values near `value`, of those below it when going down. */
static int64_t step_at(int64_t value, bool up, bool coarse) {
    int64_t step = 1, first = coarse ? 2 : 16; /* the last value before steps double */
    for (; value > first || (up && value == first); first *= 2)
        step *= coarse && first == 2 ? 1 : 2;
    return step;
}

bool tune_next_value(const struct bm_tunable *tunable, int64_t value, bool up, bool coarse, int64_t *next) {
    int64_t step = step_at(value, up, coarse);
    if (tunable->power_of_two)
        *next = up ? (value > 0 ? value * 2 : 1) : value / 2;
    else
        *next = up ? (value / step + 1) * step : (value - 1) / step * step;
    if (*next > tunable->maximum && value < tunable->maximum && !tunable->power_of_two)
        *next = tunable->maximum;
    return *next >= tunable->minimum && *next <= tunable->maximum && *next != value;
}

static bool equal(const struct bm_parameters *a, const struct bm_parameters *b) {
    bool same = a->count == b->count;
    for (unsigned i = 0; same && i < a->count; i++)
        same = a->items[i].value == b->items[i].value && strcmp(a->items[i].name, b->items[i].name) == 0;
    return same;
}

static bool is_visited(const struct search *s, const struct bm_parameters *parameters) {
    for (size_t i = 0; i < s->visited_count; i++)
        if (equal(&s->visited[i], parameters))
            return true;
    return false;
}

static bool remember(struct search *s, const struct bm_parameters *parameters) {
    s->status =
        bm_grow(&s->visited, &s->visited_capacity, s->visited_count + 1, sizeof *s->visited, s->error);
    if (s->status == BM_OK)
        s->visited[s->visited_count++] = *parameters;
    return s->status == BM_OK;
}

/* A candidate takes as long as the average one so far. The first are tried in any case: without them nothing
 * is known. */
static bool is_over(const struct search *s) {
    if (s->status != BM_OK || s->work->stop(s->work->context))
        return true;
    uint64_t now = bm_clock_now(s->options->clock);
    uint64_t each = s->result->tried > 0 ? (now - s->start_ns) / s->result->tried : 0;
    return s->result->tried > 0 && now + each > s->options->deadline_ns;
}

static void take_over(struct search *s, void *candidate, const struct bm_parameters *parameters, double ns) {
    if (s->incumbent != NULL)
        s->work->discard(s->work->context, s->incumbent);
    s->incumbent = candidate;
    s->result->best = *parameters;
    s->result->best_ns = ns;
    s->result->found = true;
}

/* The first that runs is the incumbent once it has a time. */
static enum outcome enthrone(struct search *s, void *candidate, const struct bm_parameters *parameters) {
    double ns = 0;
    if (s->work->time(s->work->context, candidate, &ns, NULL) != BM_OK || ns <= 0) {
        s->work->discard(s->work->context, candidate);
        s->result->unbuilt++;
        return LOST;
    }
    take_over(s, candidate, parameters, ns);
    return WON;
}

static enum outcome challenge(struct search *s, void *candidate, const struct bm_parameters *parameters) {
    bool wins;
    double challenger_ns, incumbent_ns;
    s->status = tune_match(s->work, candidate, s->incumbent, &wins, &challenger_ns, &incumbent_ns, s->error);
    if (s->status == BM_OK && wins) {
        take_over(s, candidate, parameters, challenger_ns);
        return WON;
    }
    s->work->discard(s->work->context, candidate);
    return s->status == BM_OK ? LOST : ENDED;
}

static enum outcome consider(struct search *s, const struct bm_parameters *wanted) {
    struct bm_parameters fitted;
    void *candidate = NULL;
    if (!s->work->fit(s->work->context, wanted, &fitted) || is_visited(s, &fitted))
        return SKIPPED;
    if (is_over(s) || !remember(s, &fitted))
        return ENDED;
    enum tune_admission admission = s->work->admit(s->work->context, &fitted, &candidate);
    if (s->work->stop(s->work->context)) { /* what fails after a signal tells nothing of the candidate */
        if (admission == TUNE_ADMITTED)
            s->work->discard(s->work->context, candidate);
        return ENDED;
    }
    s->result->tried++;
    s->result->refused += admission == TUNE_REFUSED;
    s->result->unbuilt += admission == TUNE_UNBUILT;
    s->result->wrong += admission == TUNE_WRONG;
    enum outcome outcome = admission != TUNE_ADMITTED ? LOST
                           : s->incumbent == NULL     ? enthrone(s, candidate, &fitted)
                                                      : challenge(s, candidate, &fitted);
    if (s->work->progress != NULL)
        s->work->progress(s->work->context, s->result->tried, s->result->first_ns, s->result->best_ns);
    return outcome;
}

static enum outcome try_seeds(struct search *s) {
    enum outcome outcome = SKIPPED;
    for (size_t i = 0; i < s->options->seed_count && outcome != ENDED; i++) {
        outcome = consider(s, &s->options->seeds[i]);
        if (i == 0 && outcome == WON) {
            s->result->first_runs = true;
            s->result->first_ns = s->result->best_ns;
        }
    }
    return outcome;
}

static int64_t value_of(const struct bm_parameters *parameters, const struct bm_tunable *tunable) {
    return bm_parameters_get(parameters, tunable->name, tunable->minimum - 1);
}

/* A value that does not suit alone may do so with the nearest fitting one of another parameter: a larger tile
 * with a larger panel. */
static enum outcome repair(struct search *s, size_t axis, int64_t value) {
    enum outcome outcome = SKIPPED;
    for (size_t way = 0; outcome == SKIPPED && way < 2 * s->options->tunable_count; way++) {
        const struct bm_tunable *partner = &s->options->tunables[way / 2];
        struct bm_parameters both = s->result->best, fitted;
        int64_t other = value_of(&both, partner);
        bm_parameters_set(&both, s->options->tunables[axis].name, value);
        if (way / 2 == axis || other < partner->minimum)
            continue;
        for (int step = 0; step < REPAIR_STEPS; step++) {
            if (!tune_next_value(partner, other, way % 2 == 0, false, &other))
                break;
            bm_parameters_set(&both, partner->name, other);
            if (s->work->fit(s->work->context, &both, &fitted)) {
                outcome = consider(s, &both);
                break;
            }
        }
    }
    return outcome;
}

/* One value after the other in one direction while each is faster than the last; what does not suit the
 * kernel is stepped over. Where nothing came of that, the nearest that did not suit get a second chance. */
static enum outcome walk(struct search *s, size_t axis, bool up, bool coarse) {
    const struct bm_tunable *tunable = &s->options->tunables[axis];
    int64_t value = value_of(&s->result->best, tunable), unsuitable[REPAIRS];
    unsigned count = 0;
    enum outcome last = SKIPPED, outcome = SKIPPED;
    while (value >= tunable->minimum && outcome != LOST &&
           tune_next_value(tunable, value, up, coarse, &value)) {
        struct bm_parameters wanted = s->result->best, fitted;
        bm_parameters_set(&wanted, tunable->name, value);
        outcome = consider(s, &wanted);
        if (outcome == ENDED)
            return ENDED;
        if (outcome == SKIPPED && count < REPAIRS && !s->work->fit(s->work->context, &wanted, &fitted))
            unsuitable[count++] = value;
        last = outcome == WON ? WON : last;
    }
    for (unsigned i = 0; i < count && last != WON; i++) {
        outcome = repair(s, axis, unsuitable[i]);
        if (outcome == WON || outcome == ENDED)
            return outcome;
    }
    return last;
}

/* Along every parameter, both ways, in random order. WON: something is faster, so it is worth another pass.
 */
static enum outcome pass_over_axes(struct search *s, bool coarse) {
    enum outcome result = LOST;
    bm_random_shuffle(&s->random, s->order, s->options->tunable_count);
    for (size_t i = 0; i < s->options->tunable_count; i++) {
        bool up_first = bm_random_below(&s->random, 2) == 0;
        for (int way = 0; way < 2; way++) {
            enum outcome outcome = walk(s, s->order[i], (way == 0) == up_first, coarse);
            if (outcome == ENDED)
                return ENDED;
            if (outcome == WON) {
                result = WON;
                break; /* the other way leads back */
            }
        }
    }
    return result;
}

/* One or two steps, small or large, along each of two or three parameters. */
static void kick(struct search *s, struct bm_parameters *wanted) {
    const size_t count = s->options->tunable_count;
    uint64_t axes = 2 + bm_random_below(&s->random, MAX_KICKED - 1);
    *wanted = s->result->best;
    for (uint64_t i = 0; i < axes; i++) {
        const struct bm_tunable *tunable = &s->options->tunables[bm_random_below(&s->random, count)];
        bool up = bm_random_below(&s->random, 2) == 0;
        bool coarse = bm_random_below(&s->random, 2) == 0;
        uint64_t steps = 1 + bm_random_below(&s->random, 2);
        int64_t value = value_of(wanted, tunable), next;
        if (value < tunable->minimum)
            continue;
        while (steps-- > 0 && tune_next_value(tunable, value, up, coarse, &next))
            value = next;
        bm_parameters_set(wanted, tunable->name, value);
    }
}

/* SKIPPED: nothing new is near. */
static enum outcome kick_around(struct search *s) {
    unsigned idle = 0, lost = 0;
    while (idle < IDLE_KICKS && lost < LOST_KICKS) {
        struct bm_parameters wanted;
        kick(s, &wanted);
        enum outcome outcome = consider(s, &wanted);
        if (outcome == WON || outcome == ENDED)
            return outcome;
        idle = outcome == SKIPPED ? idle + 1 : 0;
        lost += outcome == LOST;
    }
    return SKIPPED;
}

/* Long steps first: they tell more. */
static void descend(struct search *s) {
    enum outcome outcome = WON;
    while (outcome == WON) {
        do
            outcome = pass_over_axes(s, true);
        while (outcome == WON);
        if (outcome == LOST)
            outcome = pass_over_axes(s, false);
        if (outcome == LOST)
            outcome = kick_around(s);
    }
    s->result->exhausted = outcome != ENDED;
}

enum bm_status tune_search(const struct tune_search_options *options, const struct tune_work *work,
                           struct tune_search_result *result, struct bm_error *error) {
    struct search s = {.options = options, .work = work, .result = result, .error = error};
    s.order = bm_alloc(options->tunable_count, sizeof *s.order);
    *result = (struct tune_search_result){0};
    if (s.order == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for a search");
    for (size_t i = 0; i < options->tunable_count; i++)
        s.order[i] = i;
    bm_random_init(&s.random, options->seed);
    s.start_ns = bm_clock_now(options->clock);
    if (try_seeds(&s) != ENDED && s.incumbent != NULL && options->tunable_count > 0)
        descend(&s);
    if (s.incumbent != NULL)
        work->discard(work->context, s.incumbent);
    free(s.order);
    free(s.visited);
    return s.status;
}
