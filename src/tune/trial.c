/* Candidates on a device: built, verified, timed in short blocks. */
#include <stdlib.h>
#include <string.h>

#include "tune.h"

/* Half a block of the measurement: the shortest of several counts here. */
enum { BLOCK_NS = 10000000, LAUNCHES_MOST = 1 << 16, WARNINGS_MOST = 3 };

struct candidate {
    struct bm_prepared *prepared;
    uint64_t launches; /* of a block */
};

static bool plan_case(const struct tune_trial *trial, const struct bm_parameters *parameters,
                      struct bm_plan *plan, uint64_t *bytes) {
    const struct bm_target *target = trial->backend->target(trial->session);
    *bytes = 0;
    if (trial->the_case->workload->plan(trial->the_case, target, parameters, plan, NULL) != BM_OK)
        return false;
    for (unsigned t = 0; t < plan->tensor_count; t++)
        *bytes += bm_element_size(plan->tensors[t].element, plan->tensors[t].count);
    return true;
}

void tune_trial_init(struct tune_trial *trial, struct tune_run *run, struct bm_tune_class *the_class,
                     const struct bm_case *the_case, const struct bm_parameters *known) {
    struct bm_plan plan;
    *trial = (struct tune_trial){.run = run,
                                 .the_class = the_class,
                                 .backend = tune_endpoint(run, the_class)->backend,
                                 .session = *tune_session(run, the_class),
                                 .the_case = the_case};
    trial->most_bytes =
        plan_case(trial, known, &plan, &trial->most_bytes) ? 2 * trial->most_bytes : UINT64_MAX;
}

static bool has_variant(const struct tune_trial *trial, const char *variant) {
    for (unsigned i = 0; i < trial->variant_count; i++)
        if (strcmp(trial->variants[i], variant) == 0)
            return true;
    return false;
}

void tune_trial_keep_variants(struct tune_trial *trial, const struct bm_parameters *seeds, size_t count) {
    struct bm_plan plan;
    uint64_t bytes;
    for (size_t i = 0; i < count && trial->variant_count < TUNE_VARIANTS; i++)
        if (plan_case(trial, &seeds[i], &plan, &bytes) && !has_variant(trial, plan.variant))
            bm_string_set(trial->variants[trial->variant_count++], sizeof trial->variants[0], plan.variant);
}

bool tune_trial_fit(void *context, const struct bm_parameters *wanted, struct bm_parameters *fitted) {
    const struct tune_trial *trial = context;
    struct bm_plan plan;
    uint64_t bytes;
    if (!plan_case(trial, wanted, &plan, &bytes) || bytes > trial->most_bytes ||
        (trial->variant_count > 0 && !has_variant(trial, plan.variant)))
        return false;
    *fitted = plan.parameters;
    return true;
}

static void discard(void *context, void *thing) {
    struct tune_trial *trial = context;
    struct candidate *candidate = thing;
    if (candidate != NULL)
        trial->backend->discard(candidate->prepared);
    free(candidate);
}

/* One block; the next is longer where this one was too short. */
static enum bm_status time_block(void *context, void *thing, double *ns, struct bm_error *error) {
    const struct tune_trial *trial = context;
    struct candidate *candidate = thing;
    struct bm_block block;
    *ns = 0;
    enum bm_status status = trial->backend->run(candidate->prepared, candidate->launches, &block, error);
    if (status != BM_OK)
        return status;
    *ns = (double)block.host_ns / (double)candidate->launches;
    if (block.host_ns < BLOCK_NS / 2) {
        uint64_t times = BLOCK_NS / (block.host_ns > 0 ? block.host_ns : 1) + 1;
        candidate->launches =
            times < LAUNCHES_MOST / candidate->launches ? times * candidate->launches : LAUNCHES_MOST;
    }
    return BM_OK;
}

/* A kernel that computes wrongly is worth a line: it is a mistake in the kernel or in the driver. */
static void tell_wrong(struct tune_trial *trial, const struct bm_parameters *parameters,
                       const char *problem) {
    struct bm_text text = {0};
    if (trial->told_wrong++ >= WARNINGS_MOST)
        return;
    for (unsigned i = 0; i < parameters->count; i++)
        bm_text_append(&text, " %s=%lld", parameters->items[i].name, (long long)parameters->items[i].value);
    bm_log(BM_LOG_WARNING, "%s %s %s: not used, its results are wrong (%s):%s",
           trial->the_class->workload->name, trial->the_class->dtype->name, trial->the_class->shape_class,
           problem, text.failed || text.data == NULL ? "" : text.data);
    bm_text_fini(&text);
}

static enum tune_admission check(struct tune_trial *trial, struct candidate *candidate,
                                 const struct bm_parameters *parameters) {
    struct bm_verification verification;
    double ns;
    if (trial->backend->verify(candidate->prepared, trial->run->options->seed, &verification,
                               &trial->problem) != BM_OK)
        return TUNE_UNBUILT;
    if (verification.status != BM_VERIFICATION_PASSED) {
        bm_fail(&trial->problem, BM_INVALID, "verification failed: %s", verification.problem);
        tell_wrong(trial, parameters, verification.problem);
        return TUNE_WRONG;
    }
    /* The first block finds its length; it is no sample. */
    return time_block(trial, candidate, &ns, &trial->problem) == BM_OK ? TUNE_ADMITTED : TUNE_UNBUILT;
}

static enum tune_admission admit(void *context, const struct bm_parameters *fitted, void **thing) {
    struct tune_trial *trial = context;
    struct candidate *candidate = bm_alloc(1, sizeof *candidate);
    *thing = NULL;
    trial->problem = (struct bm_error){0};
    if (candidate == NULL) {
        bm_fail(&trial->problem, BM_NO_MEMORY, "out of memory for a candidate");
        return TUNE_REFUSED;
    }
    candidate->launches = 1;
    enum bm_status status = trial->backend->prepare(trial->session, trial->the_case, fitted,
                                                    &candidate->prepared, &trial->problem);
    enum tune_admission admission = status == BM_OK       ? check(trial, candidate, fitted)
                                    : status == BM_DEVICE ? TUNE_UNBUILT
                                                          : TUNE_REFUSED;
    if (admission == TUNE_ADMITTED)
        *thing = candidate;
    else
        discard(trial, candidate);
    return admission;
}

static bool stop(void *context) {
    const struct tune_trial *trial = context;
    return tune_stop_requested(trial->run);
}

static void progress(void *context, unsigned tried, double first_ns, double best_ns) {
    const struct tune_trial *trial = context;
    trial->the_class->tried = tried;
    tune_tell(trial->run, trial->the_class, first_ns > 0 && best_ns > 0 ? first_ns / best_ns - 1 : 0);
}

struct tune_work tune_trial_work(struct tune_trial *trial) {
    return (struct tune_work){.fit = tune_trial_fit,
                              .admit = admit,
                              .time = time_block,
                              .discard = discard,
                              .stop = stop,
                              .progress = progress,
                              .context = trial};
}
