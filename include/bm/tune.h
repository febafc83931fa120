/* bm/tune.h - floor 7: `benchmark tune`: searches the kernel parameters of classes of shapes on each device,
 * every candidate verified before it is timed, and keeps the best where every run finds them (bm/tuned.h). */
#ifndef BM_TUNE_H
#define BM_TUNE_H

#include "bm/device.h"
#include "bm/workload.h"

/* One case that is to become faster on one endpoint. */
struct bm_tune_item {
    size_t device, endpoint; /* indices into inventory->devices and its endpoints */
    struct bm_case the_case;
};

struct bm_tune_options {
    double budget_s;            /* 0: up to 5 s for each class, by its parameters, at least 60 s */
    uint64_t seed;              /* of inputs and of the order of trials */
    const char *kernels_folder; /* NULL: the program's own */
};

#define BM_TUNE_CASES 4
enum bm_tune_status {
    BM_TUNE_PENDING,  /* no time was left for it */
    BM_TUNE_IMPROVED, /* something faster was found and is kept */
    BM_TUNE_UNCHANGED,
    BM_TUNE_SKIPPED, /* cannot run on this device; reason */
    BM_TUNE_FAILED   /* should have; reason */
};
const char *bm_tune_status_name(enum bm_tune_status status); /* "pending", "improved", ... */

/* Cases of one endpoint that share their parameters. */
struct bm_tune_class {
    size_t device, endpoint;
    const struct bm_workload *workload;
    const struct bm_dtype *dtype;
    char shape_class[BM_CLASS_SIZE];
    /* Distinct works from the least to the most, evenly picked where there are more. The first is searched,
     * and what wins there has to win over all of them. */
    struct bm_case cases[BM_TUNE_CASES];
    unsigned case_count;

    enum bm_tune_status status;
    char reason[256];
    const char *before_from;            /* "tuned", "shipped", "safe"; NULL: not known yet */
    struct bm_parameters before, after; /* after: where improved, else as before */
    double before_ns[BM_TUNE_CASES], after_ns[BM_TUNE_CASES]; /* per launch, 0: not timed */
    unsigned tried, refused, unbuilt, wrong; /* candidates; the last three in which it ended there */
    bool exhausted;                          /* nothing near the best was left to try */
};
struct bm_tune_plan {
    struct bm_tune_class *classes;
    size_t count;
    double budget_s;
};
/* Sorts the items into classes; those without tunables are left out. Deterministic. Free with
 * bm_tune_plan_fini. */
enum bm_status bm_tune_plan_create(const struct bm_tune_options *options, const struct bm_tune_item *items,
                                   size_t item_count, struct bm_tune_plan *plan,
                                   struct bm_error *error) BM_CHECK_RESULT;
void bm_tune_plan_fini(struct bm_tune_plan *plan);
/* Times of one launch of each case that was timed, together; 0: none, or those before did not run. */
double bm_tune_before_ns(const struct bm_tune_class *the_class);
double bm_tune_after_ns(const struct bm_tune_class *the_class);

struct bm_tune_progress {
    size_t done, total;                  /* classes */
    const struct bm_tune_class *current; /* its tried is up to date */
    double gain;         /* of the best so far over what was known before: 0.1 for 10 % faster */
    double seconds_left; /* of the budget */
};
struct bm_tune_observer {
    void (*progress)(void *context, const struct bm_tune_progress *progress);
    bool (*stop_requested)(void *context); /* asked between blocks */
    void *context;
};

/* Searches the classes one after the other, each with an equal share of the time that is left, and saves each
 * that improved. Fills in plan. BM_INTERRUPTED: what was found until then is saved. Other errors: parameters
 * could not be saved; what a device cannot do is told in its classes. observer may be NULL. */
enum bm_status bm_tune_execute(const struct bm_tune_options *options, const struct bm_inventory *inventory,
                               const struct bm_tune_observer *observer, struct bm_tune_plan *plan,
                               struct bm_error *error) BM_CHECK_RESULT;
/* What bm_tuned_cache_path is asked for. */
struct bm_tuned_device bm_tune_device(const struct bm_endpoint *endpoint);

#endif
