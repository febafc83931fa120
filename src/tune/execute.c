/* The classes one after the other. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tune.h"

/* Of a class's time; the rest is for confirming what was found. */
#define SEARCH_SHARE 0.8
/* With a minute for a class a kernel that takes a third of it to compile may be worth a try. */
#define VARIANTS_FROM_NS UINT64_C(60000000000)
enum { KERNEL_LIMIT = 1 << 20 };

const struct bm_endpoint *tune_endpoint(const struct tune_run *run, const struct bm_tune_class *the_class) {
    return run->inventory->devices[the_class->device].endpoints[the_class->endpoint];
}

struct bm_session **tune_session(const struct tune_run *run, const struct bm_tune_class *the_class) {
    return &run->sessions[tune_endpoint(run, the_class) - run->inventory->endpoints];
}

static double seconds_left(const struct tune_run *run) {
    return ((double)run->deadline_ns - (double)bm_clock_now(&bm_clock_monotonic)) / 1e9;
}

bool tune_stop_requested(const struct tune_run *run) {
    return run->observer != NULL && run->observer->stop_requested != NULL &&
           run->observer->stop_requested(run->observer->context);
}

void tune_tell(const struct tune_run *run, const struct bm_tune_class *the_class, double gain) {
    if (run->observer == NULL || run->observer->progress == NULL)
        return;
    const struct bm_tune_progress progress = {.done = run->done,
                                              .total = run->plan->count,
                                              .current = the_class,
                                              .gain = gain,
                                              .seconds_left = seconds_left(run)};
    run->observer->progress(run->observer->context, &progress);
}

struct bm_tuned_device bm_tune_device(const struct bm_endpoint *endpoint) {
    return (struct bm_tuned_device){.backend = endpoint->id,
                                    .name = endpoint->name,
                                    .driver = endpoint->driver,
                                    .compute_units = endpoint->compute_units,
                                    .is_gpu = endpoint->is_gpu};
}

void tune_give_up(struct bm_tune_class *the_class, enum bm_status status, const char *reason) {
    bool cannot = status == BM_UNSUPPORTED || status == BM_NO_MEMORY;
    the_class->status = cannot ? BM_TUNE_SKIPPED : BM_TUNE_FAILED;
    bm_string_set(the_class->reason, sizeof the_class->reason, reason);
}

/* ---- sessions ---- */

/* Opens the endpoint of a class and reserves for all of its classes from there on. */
static void open_session(struct tune_run *run, size_t first) {
    const struct bm_endpoint *endpoint = tune_endpoint(run, &run->plan->classes[first]);
    struct bm_session **session = tune_session(run, &run->plan->classes[first]);
    struct bm_session_options options = {
        .cold_bytes =
            bm_device_cold_bytes(&run->inventory->devices[run->plan->classes[first].device], endpoint),
        .seed = run->options->seed,
        .kernels_folder = run->options->kernels_folder,
    };
    struct bm_error error = {0};
    enum bm_status status = endpoint->backend->open(endpoint, &options, session, &error);
    for (int step = 0; step < 2; step++)
        for (size_t c = first; c < run->plan->count; c++) {
            struct bm_tune_class *the_class = &run->plan->classes[c];
            if (tune_endpoint(run, the_class) != endpoint || the_class->status != BM_TUNE_PENDING)
                continue;
            if (status != BM_OK)
                tune_give_up(the_class, status, error.message);
            else if (step == 0)
                tune_reserve_known(run, the_class);
            else
                tune_reserve_space(run, the_class);
        }
}

static void close_session(struct tune_run *run, const struct bm_tune_class *the_class) {
    struct bm_session **session = tune_session(run, the_class);
    tune_endpoint(run, the_class)->backend->close(*session);
    *session = NULL;
}

/* ---- what is kept ---- */

static enum bm_status save(const struct tune_run *run, const struct bm_tune_class *the_class,
                           struct bm_error *error) {
    const struct bm_tuned_device device = bm_tune_device(tune_endpoint(run, the_class));
    const struct bm_backend *backend = tune_endpoint(run, the_class)->backend;
    const struct bm_target *target = backend->target(*tune_session(run, the_class));
    const char *folder = run->options->kernels_folder;
    char own[PATH_MAX], path[PATH_MAX];
    struct bm_plan plan;
    enum bm_status status =
        the_class->workload->plan(&the_class->cases[0], target, &the_class->after, &plan, error);
    if (status == BM_OK && folder == NULL) {
        status = bm_data_path("kernels", own, sizeof own, error);
        folder = own;
    }
    if (status != BM_OK)
        return status;
    struct bm_tuned_entry entry = {.parameters = the_class->after,
                                   .ns = bm_tune_after_ns(the_class),
                                   .before_ns = bm_tune_before_ns(the_class)};
    bm_string_set(entry.workload, sizeof entry.workload, the_class->workload->name);
    bm_string_set(entry.dtype, sizeof entry.dtype, the_class->dtype->name);
    bm_string_set(entry.shape_class, sizeof entry.shape_class, the_class->shape_class);
    bm_string_set(entry.source, sizeof entry.source, plan.source);
    bm_time_utc(entry.created, false);
    if (snprintf(path, sizeof path, "%s/%s", folder, plan.source) >= (int)sizeof path)
        return bm_fail(error, BM_IO, "%s: the path is too long", plan.source);
    status = bm_file_sha256(path, KERNEL_LIMIT, entry.sha256, error);
    const struct bm_tuned_list added = {.items = &entry, .count = 1};
    return status == BM_OK ? bm_tuned_cache_save(&device, &added, error) : status;
}

/* A disk that is full or a folder that is not ours is told before time is spent. */
static enum bm_status check_writable(const struct tune_run *run, struct bm_error *error) {
    enum bm_status status = BM_OK;
    for (size_t c = 0; status == BM_OK && c < run->plan->count; c++) {
        const struct bm_tuned_device device = bm_tune_device(tune_endpoint(run, &run->plan->classes[c]));
        char path[PATH_MAX];
        status = bm_tuned_cache_path(&device, path, sizeof path, error);
        if (status == BM_OK)
            status = bm_file_check_writable(path, 0, error);
    }
    return status;
}

/* ---- one class ---- */

static bool equal(const struct bm_parameters *a, const struct bm_parameters *b) {
    for (unsigned i = 0; i < a->count; i++)
        if (bm_parameters_get(b, a->items[i].name, INT64_MIN) != a->items[i].value)
            return false;
    return a->count == b->count;
}

static void copy_counts(const struct tune_search_result *result, struct bm_tune_class *the_class) {
    the_class->tried = result->tried;
    the_class->refused = result->refused;
    the_class->unbuilt = result->unbuilt;
    the_class->wrong = result->wrong;
    the_class->exhausted = result->exhausted;
    the_class->before_ns[0] = result->first_ns;
    the_class->after_ns[0] = result->best_ns;
}

static void tune_class(struct tune_run *run, struct bm_tune_class *the_class, uint64_t deadline_ns) {
    uint64_t now = bm_clock_now(&bm_clock_monotonic);
    struct bm_parameters seeds[TUNE_SEEDS];
    struct tune_trial trial;
    struct tune_search_result result;
    struct bm_error error = {0};
    tune_trial_init(&trial, run, the_class, &the_class->cases[0], &the_class->before);
    struct tune_work work = tune_trial_work(&trial);
    struct tune_search_options options = {
        .tunables = the_class->workload->tunables,
        .tunable_count = the_class->workload->tunable_count,
        .seeds = seeds,
        .seed_count = tune_seeds(run, the_class, seeds),
        .seed = run->options->seed,
        .deadline_ns = now + (uint64_t)(SEARCH_SHARE * (double)(deadline_ns - now)),
        .clock = &bm_clock_monotonic,
    };
    if (deadline_ns - now < VARIANTS_FROM_NS)
        tune_trial_keep_variants(&trial, seeds, options.seed_count);
    enum bm_status status = tune_search(&options, &work, &result, &error);
    copy_counts(&result, the_class);
    if (tune_stop_requested(run) && !result.found)
        return;
    if (!result.found)
        tune_give_up(the_class, BM_DEVICE, status != BM_OK ? error.message : trial.problem.message);
    else
        the_class->status = BM_TUNE_UNCHANGED;
    if (status == BM_OK && result.found && !(result.first_runs && equal(&result.best, &the_class->before)))
        tune_confirm(run, the_class, &result.best, deadline_ns);
    if (status != BM_OK) { /* a device that a candidate broke: the other classes get a fresh session */
        bm_log(BM_LOG_WARNING, "%s %s %s: the search ended early: %s", the_class->workload->name,
               the_class->dtype->name, the_class->shape_class, error.message);
        close_session(run, the_class);
    }
}

/* What the first candidate of a format would pay for, filling the arena above all, comes before the time is
 * shared out. */
static void warm_up(struct tune_run *run, struct bm_tune_class *the_class) {
    const struct bm_backend *backend = tune_endpoint(run, the_class)->backend;
    struct bm_prepared *prepared = NULL;
    if (backend->prepare(*tune_session(run, the_class), &the_class->cases[0], &the_class->before, &prepared,
                         NULL) == BM_OK)
        backend->discard(prepared);
}

/* Of the time that is left, with those that come after it. */
static double share_of(const struct tune_run *run, size_t c) {
    unsigned all = 0;
    for (size_t i = c; i < run->plan->count; i++)
        if (i == c || run->plan->classes[i].status == BM_TUNE_PENDING)
            all += tune_weight(&run->plan->classes[i]);
    return all > 0 ? (double)tune_weight(&run->plan->classes[c]) / all : 1;
}

static enum bm_status tune_classes(struct tune_run *run, struct bm_error *error) {
    const size_t count = run->plan->count;
    enum bm_status status = BM_OK;
    for (size_t c = 0; status == BM_OK && c < count; c++, run->done++) {
        struct bm_tune_class *the_class = &run->plan->classes[c];
        if (tune_stop_requested(run))
            break;
        if (the_class->status == BM_TUNE_PENDING && *tune_session(run, the_class) == NULL)
            open_session(run, c);
        if (the_class->status != BM_TUNE_PENDING || seconds_left(run) <= 0)
            continue;
        tune_tell(run, the_class, 0);
        warm_up(run, the_class);
        if (seconds_left(run) <= 0)
            continue;
        uint64_t now = bm_clock_now(&bm_clock_monotonic);
        tune_class(run, the_class, now + (uint64_t)(1e9 * seconds_left(run) * share_of(run, c)));
        if (the_class->status == BM_TUNE_IMPROVED)
            status = save(run, the_class, error);
    }
    if (status == BM_OK && tune_stop_requested(run))
        status = bm_fail(error, BM_INTERRUPTED, "interrupted");
    return status;
}

static bool is_one_device(const struct bm_tune_plan *plan) {
    for (size_t c = 1; c < plan->count; c++)
        if (plan->classes[c].device != plan->classes[0].device)
            return false;
    return plan->count > 0;
}

enum bm_status bm_tune_execute(const struct bm_tune_options *options, const struct bm_inventory *inventory,
                               const struct bm_tune_observer *observer, struct bm_tune_plan *plan,
                               struct bm_error *error) {
    struct tune_run run = {.options = options,
                           .inventory = inventory,
                           .observer = observer,
                           .plan = plan,
                           .sessions = bm_alloc(inventory->endpoint_count, sizeof(struct bm_session *))};
    if (run.sessions == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    run.deadline_ns = bm_clock_now(&bm_clock_monotonic) + (uint64_t)(plan->budget_s * 1e9);
    enum bm_status status = check_writable(&run, error);
    if (status == BM_OK) {
        if (is_one_device(plan))
            bm_device_bind_near(inventory, &inventory->devices[plan->classes[0].device]);
        status = tune_classes(&run, error);
    }
    for (size_t i = 0; i < inventory->endpoint_count; i++)
        if (run.sessions[i] != NULL)
            inventory->endpoints[i].backend->close(run.sessions[i]);
    free(run.sessions);
    return status;
}
