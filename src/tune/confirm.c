/* Whether what won on one case is better for its whole class. */
#include <math.h>

#include "tune.h"

/* Blocks and verifications of a case, before and after, in launches: what confirming takes. */
enum { ABOUT_LAUNCHES = 2 * (TUNE_BLOCKS + 3) };

/* The shortest of a heat's blocks, in turn. false: one of them does not run. */
static bool time_both(const struct tune_work *work, void *before, void *after, double *before_ns,
                      double *after_ns) {
    *before_ns = *after_ns = (double)INFINITY;
    for (int b = 0; b < TUNE_BLOCKS; b++) {
        double ns;
        if (before != NULL) {
            if (work->time(work->context, before, &ns, NULL) != BM_OK)
                return false;
            *before_ns = fmin(*before_ns, ns);
        }
        if (work->time(work->context, after, &ns, NULL) != BM_OK)
            return false;
        *after_ns = fmin(*after_ns, ns);
    }
    if (before == NULL)
        *before_ns = 0;
    return true;
}

/* false: `found` does not serve this case. */
static bool confirm_case(struct tune_run *run, struct bm_tune_class *the_class, unsigned i,
                         const struct bm_parameters *found) {
    struct tune_trial trial;
    struct bm_parameters before, after;
    void *old = NULL, *new = NULL;
    tune_trial_init(&trial, run, the_class, &the_class->cases[i], &the_class->before);
    struct tune_work work = tune_trial_work(&trial);
    bool serves =
        work.fit(work.context, found, &after) && work.admit(work.context, &after, &new) == TUNE_ADMITTED;
    if (serves &&
        trial.backend->known(trial.session, trial.the_case, &before, &(const char *){NULL}, NULL) == BM_OK)
        (void)!work.admit(work.context, &before, &old);
    serves = serves && time_both(&work, old, new, &the_class->before_ns[i], &the_class->after_ns[i]);
    if (!serves)
        the_class->before_ns[i] = the_class->after_ns[i] = 0;
    work.discard(work.context, old);
    work.discard(work.context, new);
    return serves;
}

void tune_confirm(struct tune_run *run, struct bm_tune_class *the_class, const struct bm_parameters *found,
                  uint64_t deadline_ns) {
    const struct bm_case *cases = the_class->cases;
    bool serves = confirm_case(run, the_class, 0, found);
    for (unsigned i = 1; serves && i < the_class->case_count && !tune_stop_requested(run); i++) {
        double times_larger = tune_work_of(&cases[i]) / tune_work_of(&cases[0]);
        double about_ns = ABOUT_LAUNCHES * times_larger * the_class->after_ns[0];
        if ((double)bm_clock_now(&bm_clock_monotonic) + about_ns > (double)deadline_ns)
            break;
        serves = confirm_case(run, the_class, i, found);
    }
    if (tune_stop_requested(run) && !serves) /* the signal's doing */
        return;
    double before_ns = bm_tune_before_ns(the_class), after_ns = bm_tune_after_ns(the_class);
    if (serves && (the_class->before_ns[0] <= 0 || after_ns < (1 - TUNE_MARGIN) * before_ns)) {
        the_class->status = BM_TUNE_IMPROVED;
        the_class->after = *found;
    }
}
