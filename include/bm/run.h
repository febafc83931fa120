/* bm/run.h - floor 7: `benchmark run` and `benchmark verify`: options -> plan -> verified, measured results.
 */
#ifndef BM_RUN_H
#define BM_RUN_H

#include "bm/device.h"
#include "bm/model.h"
#include "bm/results.h"
#include "bm/workload.h"

#define BM_RUN_AXIS 32 /* values that one selector may list */

/* A repeatable numeric option; count 0: not given. */
struct bm_run_numbers {
    uint32_t items[BM_RUN_AXIS];
    unsigned count;
};

/* What to run. Empty lists select everything (devices, backends, workloads) or what the suite says (the
 * rest). */
struct bm_run_options {
    const char *suite; /* name or path, NULL: "standard" */
    struct bm_names devices, backends, models, workloads, phases, dtypes, kvs; /* kvs: "f16", "int8" */
    struct bm_run_numbers batches, tokens, contexts;
    struct bm_run_numbers pasts; /* prefill is also planned after so many tokens, beside on none */
    struct bm_run_numbers
        generates; /* workload layer: at most one, so many decode steps up to the last context */
    struct bm_run_numbers counts; /* at most one: the share of one of so many devices is planned */
    double budget_s;              /* 0: the suite's */
    uint64_t seed;
    bool hot;                   /* --cache hot: the same weights and caches at every launch */
    bool zipf;                  /* --routing zipf: few experts get most tokens; else all alike */
    const char *kernels_folder; /* NULL: the program's own */
    const char *output;         /* results file, NULL: none is written */
    const char *resume; /* results file of an interrupted run whose rounds count, NULL: start afresh */
    bool verify_only, anonymize;
    char **command; /* borrowed argv for the report, NULL-terminated */
};

/* One case on one endpoint: a row of the results. */
struct bm_run_item {
    size_t device, endpoint; /* indices into inventory->devices and its endpoints */
    struct bm_case the_case;
    size_t measured_as; /* the item whose measurement this one shares; its own index when it is measured */
    bool is_ceiling;
    size_t sequence; /* whole passes as one sequence: number sequence - 1; 0: a case of its own */
};
/* One whole-model request on one endpoint: what a summary sums up. */
struct bm_run_request {
    size_t device, endpoint;
    char model[BM_ID_SIZE];
    struct bm_request request;
    size_t first_use, use_count; /* its part of plan->uses */
    char missing[BM_MAX_OPS][32];
    unsigned missing_count;
    bool is_lacking[BM_MAX_OPS]; /* of each missing one: no figure of a pass without it */
};
struct bm_run_use {
    size_t item;
    double count; /* executions in one forward pass */
};
/* Passes of a model that are run as a whole: a prefill, or `steps` of decode, the last at the request's
 * context. */
struct bm_run_sequence {
    struct bm_model model;
    struct bm_request request;
    uint32_t steps;
    double flops, bytes; /* of all ops of all steps */
};
struct bm_run_plan {
    struct bm_run_item *items;
    size_t item_count, item_capacity;
    struct bm_run_request *requests;
    size_t request_count, request_capacity;
    struct bm_run_use *uses;
    size_t use_count, use_capacity;
    struct bm_run_sequence *sequences;
    size_t sequence_count, sequence_capacity;
    size_t left_count; /* cases not planned for a backend that has no kernel for them: another one has */
    char suite[BM_ID_SIZE];
    double budget_s;
    double target_half_width; /* of a row's 95 % interval, relative */
};

/* Deterministic: equal options, inventory and data give an equal plan. BM_INVALID names the wrong option or
 * file; BM_NOT_FOUND: no usable device matches. Free with bm_run_plan_fini. */
enum bm_status bm_run_plan_create(const struct bm_run_options *options, const struct bm_inventory *inventory,
                                  struct bm_run_plan *plan, struct bm_error *error) BM_CHECK_RESULT;
void bm_run_plan_fini(struct bm_run_plan *plan);
/* FLOPs and bytes of one execution: those of the case, or of all parts of a sequence. */
void bm_run_item_work(const struct bm_run_plan *plan, size_t item, double *flops, double *bytes);

struct bm_run_progress {
    enum bm_run_stage { BM_STAGE_VERIFY, BM_STAGE_WARM_UP, BM_STAGE_MEASURE } stage;
    size_t done, total;  /* cases */
    const char *key;     /* of the case just handled */
    double seconds_left; /* of the budget; NaN: verifying alone has none */
};
struct bm_run_observer {
    void (*progress)(void *context, const struct bm_run_progress *progress);
    bool (*stop_requested)(void *context); /* asked between blocks */
    void *context;
};

/* A finished or interrupted run. results borrows from plan, inventory and run: free it last. */
struct bm_run; /* opaque */

/* Executes the plan and writes options->output as it goes: atomically, at most every 2 s, and at the end.
 * BM_INTERRUPTED: results hold what was measured, complete is false, and the file is on disk. Other errors:
 * nothing was measured and *run is NULL, or the file could not be written and *run holds what was measured.
 * Failures of single cases are rows, not errors. */
enum bm_status bm_run_execute(const struct bm_run_options *options, const struct bm_inventory *inventory,
                              const struct bm_run_plan *plan, const struct bm_run_observer *observer,
                              struct bm_run **run, struct bm_error *error) BM_CHECK_RESULT;
const struct bm_results *bm_run_results_get(const struct bm_run *run);
void bm_run_destroy(struct bm_run *run);

/* Version, commit, compiler and build type of this program, kernels' hash of folder (NULL: the program's
 * own). */
void bm_run_tool(const char *kernels_folder, struct bm_results_tool *tool);

#endif
