/* Private to the planning part of run: what its files share. */
#ifndef BM_RUN_PLAN_H
#define BM_RUN_PLAN_H

#include "run.h"

/* What is being planned: one endpoint of one device. All is borrowed. */
struct bm_planner {
    const struct bm_run_options *options;
    const struct bm_inventory *inventory;
    struct bm_run_plan *plan;
    size_t device, endpoint;
    const char *suite; /* its file or name, and the entry in hand, for messages */
    unsigned entry;
    const struct bm_suite_entry *axes; /* what it lists */
};

/* Whether an option's list names word; an empty one names all. */
bool bm_names_select(const struct bm_names *names, const char *word);
/* Whole passes are run where they are asked for by name. */
bool bm_planner_wants_sequence(const struct bm_planner *planner);
/* The option's workloads where there are some, else those that the suite's entry names, else all; all too
 * where a whole pass is asked for. */
bool bm_planner_selects(const struct bm_planner *planner, const char *workload);
bool bm_selects_device(const struct bm_run_options *options, const struct bm_device *device);
bool bm_selects_endpoint(const struct bm_run_options *options, const struct bm_endpoint *endpoint);
/* A selector that selects nothing is a mistake to be told, not an empty run. BM_INVALID names it. */
enum bm_status bm_check_selectors(const struct bm_run_options *options, const struct bm_inventory *inventory,
                                  struct bm_error *error) BM_CHECK_RESULT;

/* Adds an item, or finds the one that is planned already; one of the same work shares its measurement. */
enum bm_status bm_planner_add(struct bm_planner *planner, const struct bm_case *the_case, bool is_ceiling,
                              size_t *index, struct bm_error *error) BM_CHECK_RESULT;
/* The ceilings of the planner's endpoint that judge what the suite asks for. */
enum bm_status bm_planner_add_ceilings(struct bm_planner *planner, const struct bm_device *device,
                                       const struct bm_suite *suite, struct bm_error *error) BM_CHECK_RESULT;
/* Requests and cases of all entries on the planner's endpoint. */
enum bm_status bm_planner_add_suite(struct bm_planner *planner, const struct bm_suite *suite,
                                    struct bm_error *error) BM_CHECK_RESULT;

#endif
