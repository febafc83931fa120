/* Where a search starts, and room for what it may come to. */
#include <string.h>

#include "tune.h"

enum { SAMPLES = 100, FAR = 3 };

static bool is_among(const struct bm_parameters *set, const struct bm_parameters *seeds, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (set->count == seeds[i].count &&
            memcmp(set->items, seeds[i].items, set->count * sizeof *set->items) == 0)
            return true;
    return false;
}

/* What classes of the same workload came to before this one is a good guess. */
size_t tune_seeds(const struct tune_run *run, const struct bm_tune_class *the_class,
                  struct bm_parameters seeds[TUNE_SEEDS]) {
    const struct bm_backend *backend = tune_endpoint(run, the_class)->backend;
    const struct bm_target *target = backend->target(*tune_session(run, the_class));
    struct bm_parameters given[TUNE_SEEDS] = {the_class->before};
    size_t count = 1, kept = 0;
    for (size_t c = run->plan->count; c-- > 0 && count < TUNE_SEEDS / 3;) {
        const struct bm_tune_class *other = &run->plan->classes[c];
        if (other->workload == the_class->workload && other->device == the_class->device &&
            other->endpoint == the_class->endpoint && other->status == BM_TUNE_IMPROVED)
            given[count++] = other->after;
    }
    the_class->workload->safe_parameters(&the_class->cases[0], target, &given[count++]);
    if (the_class->workload->candidates != NULL) {
        size_t more =
            the_class->workload->candidates(&the_class->cases[0], target, &given[count], TUNE_SEEDS - count);
        count = more < TUNE_SEEDS - count ? count + more : TUNE_SEEDS;
    }
    for (size_t i = 0; i < count; i++) {
        struct bm_plan plan;
        if (the_class->workload->plan(&the_class->cases[0], target, &given[i], &plan, NULL) == BM_OK &&
            !is_among(&plan.parameters, seeds, kept))
            seeds[kept++] = plan.parameters;
    }
    return kept;
}

/* Refusals are no matter: such a candidate is then refused when its turn comes. */
static void reserve(struct tune_trial *trial, const struct bm_parameters *wanted) {
    struct bm_parameters fitted;
    if (tune_trial_fit(trial, wanted, &fitted))
        (void)!trial->backend->reserve(trial->session, trial->the_case, &fitted, NULL);
}

/* Every value of each parameter alone, as padding grows with one of them, and some combinations. */
static void reserve_around(struct tune_trial *trial, const struct bm_parameters *seed,
                           struct bm_random *random) {
    const struct bm_workload *workload = trial->the_case->workload;
    struct bm_parameters wanted;
    reserve(trial, seed);
    for (size_t t = 0; t < workload->tunable_count; t++) {
        const struct bm_tunable *tunable = &workload->tunables[t];
        int64_t value = tunable->minimum;
        do {
            wanted = *seed;
            bm_parameters_set(&wanted, tunable->name, value);
            reserve(trial, &wanted);
        } while (tune_next_value(tunable, value, true, true, &value));
    }
    for (int i = 0; i < SAMPLES; i++) {
        wanted = *seed;
        for (int k = 0; k < FAR; k++) {
            const struct bm_tunable *tunable =
                &workload->tunables[bm_random_below(random, workload->tunable_count)];
            int64_t value = bm_parameters_get(&wanted, tunable->name, tunable->minimum);
            for (int step = 0; step < FAR && tune_next_value(tunable, value, true, true, &value); step++)
                continue;
            bm_parameters_set(&wanted, tunable->name, value);
        }
        reserve(trial, &wanted);
    }
}

void tune_reserve_known(struct tune_run *run, struct bm_tune_class *the_class) {
    const struct bm_backend *backend = tune_endpoint(run, the_class)->backend;
    struct bm_session *session = *tune_session(run, the_class);
    struct bm_error error = {0};
    enum bm_status status =
        backend->known(session, &the_class->cases[0], &the_class->before, &the_class->before_from, &error);
    if (status == BM_OK)
        status = backend->reserve(session, &the_class->cases[0], NULL, &error);
    for (unsigned i = 1; status == BM_OK && i < the_class->case_count; i++)
        (void)!backend->reserve(session, &the_class->cases[i], NULL, NULL);
    the_class->after = the_class->before;
    if (status != BM_OK)
        tune_give_up(the_class, status, error.message);
}

void tune_reserve_space(struct tune_run *run, struct bm_tune_class *the_class) {
    struct bm_parameters seeds[TUNE_SEEDS];
    struct bm_random random;
    bm_random_init(&random, run->options->seed);
    size_t count = tune_seeds(run, the_class, seeds);
    for (unsigned i = 0; i < the_class->case_count; i++) {
        struct tune_trial trial;
        tune_trial_init(&trial, run, the_class, &the_class->cases[i], &the_class->before);
        for (size_t s = 0; s < count; s++)
            reserve_around(&trial, &seeds[s], &random);
    }
}
