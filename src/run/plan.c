#include <stdlib.h>
#include <string.h>

#include "plan.h"

enum bm_status bm_planner_add(struct bm_planner *planner, const struct bm_case *the_case, bool is_ceiling,
                              size_t *index, struct bm_error *error) {
    struct bm_run_plan *plan = planner->plan;
    char key[BM_KEY_SIZE], other[BM_KEY_SIZE];
    size_t shared = plan->item_count;
    bm_case_key(the_case, key);
    for (size_t i = 0; i < plan->item_count; i++) {
        struct bm_run_item *item = &plan->items[i];
        if (item->device != planner->device || item->endpoint != planner->endpoint ||
            !bm_case_same_work(&item->the_case, the_case))
            continue;
        bm_case_key(&item->the_case, other);
        if (strcmp(key, other) == 0) { /* another request uses the very same row */
            *index = i;
            return BM_OK;
        }
        if (shared == plan->item_count)
            shared = item->measured_as;
    }
    enum bm_status status =
        bm_grow(&plan->items, &plan->item_capacity, plan->item_count + 1, sizeof *plan->items, error);
    if (status != BM_OK)
        return status;
    *index = plan->item_count;
    plan->items[plan->item_count++] = (struct bm_run_item){.device = planner->device,
                                                           .endpoint = planner->endpoint,
                                                           .the_case = *the_case,
                                                           .measured_as = shared,
                                                           .is_ceiling = is_ceiling};
    return BM_OK;
}

/* Somebody who selects a backend that has ceilings alone wants to see those. */
static bool wants_ceilings_alone(const struct bm_run_options *options, const struct bm_inventory *inventory) {
    bool any = false;
    for (size_t d = 0; d < inventory->count; d++)
        for (unsigned e = 0;
             bm_selects_device(options, &inventory->devices[d]) && e < inventory->devices[d].endpoint_count;
             e++) {
            const struct bm_endpoint *endpoint = inventory->devices[d].endpoints[e];
            if (!endpoint->usable || !bm_selects_endpoint(options, endpoint))
                continue;
            if (!endpoint->only_ceilings)
                return false;
            any = true;
        }
    return any && options->backends.count > 0;
}

static enum bm_status check_kernels(const char *folder, struct bm_error *error) {
    struct bm_names names;
    if (folder == NULL)
        return BM_OK;
    enum bm_status status = bm_folder_list(folder, ".cl", &names, error);
    if (status == BM_OK && names.count == 0)
        status = bm_fail(error, BM_INVALID, "--kernels: %s holds no .cl file", folder);
    bm_names_fini(&names);
    return status;
}

/* Whether there are rows, or --workload asks for ceilings by name. */
static bool has_what_was_asked_for(const struct bm_run_plan *plan, const struct bm_names *workloads) {
    for (size_t i = 0; i < plan->item_count; i++)
        if (!plan->items[i].is_ceiling)
            return true;
    for (size_t i = 0; i < workloads->count; i++) {
        const struct bm_workload *workload = bm_workload_find(workloads->items[i]);
        if (workload != NULL && workload->is_ceiling)
            return true;
    }
    return false;
}

enum bm_status bm_run_plan_create(const struct bm_run_options *options, const struct bm_inventory *inventory,
                                  struct bm_run_plan *plan, struct bm_error *error) {
    struct bm_suite suite;
    const char *suite_name = options->suite != NULL ? options->suite : "standard";
    *plan = (struct bm_run_plan){0};
    enum bm_status status = bm_check_selectors(options, inventory, error);
    if (status == BM_OK)
        status = check_kernels(options->kernels_folder, error);
    if (status == BM_OK)
        status = bm_suite_load(suite_name, &suite, error);
    if (status != BM_OK)
        return status;
    bm_string_set(plan->suite, sizeof plan->suite, suite.name);
    plan->budget_s = options->budget_s > 0 ? options->budget_s : suite.budget_s;
    plan->target_half_width =
        suite.target_half_width > 0 ? suite.target_half_width : bm_sampler_defaults.target_half_width;
    bool runs_rows = false;
    for (size_t d = 0; status == BM_OK && d < inventory->count; d++) {
        const struct bm_device *device = &inventory->devices[d];
        if (!bm_selects_device(options, device))
            continue;
        bool selected = false;
        for (unsigned e = 0; e < device->endpoint_count; e++) {
            bool one = device->endpoints[e]->usable && bm_selects_endpoint(options, device->endpoints[e]);
            selected |= one;
            runs_rows |= one && !device->endpoints[e]->only_ceilings;
        }
        /* Ceilings come from every backend of the hardware, rows from the selected ones. */
        for (unsigned e = 0; status == BM_OK && selected && e < device->endpoint_count; e++) {
            struct bm_planner planner = {.options = options,
                                         .inventory = inventory,
                                         .plan = plan,
                                         .device = d,
                                         .endpoint = e,
                                         .suite = suite_name};
            if (!device->endpoints[e]->usable)
                continue;
            if (!device->endpoints[e]->only_rows && suite.ceilings != BM_CEILINGS_NONE)
                status = bm_planner_add_ceilings(&planner, device, &suite, error);
            if (status == BM_OK && !device->endpoints[e]->only_ceilings &&
                bm_selects_endpoint(options, device->endpoints[e]))
                status = bm_planner_add_suite(&planner, &suite, error);
        }
    }
    const bool ceilings_alone = wants_ceilings_alone(options, inventory);
    if (status == BM_OK && (plan->item_count == 0 || (!runs_rows && !ceilings_alone)))
        status = bm_fail(error, BM_UNSUPPORTED, "no usable device: `benchmark devices` says what is missing");
    if (status == BM_OK && plan->request_count == 0 && !ceilings_alone)
        status = bm_fail(error, BM_INVALID, "the selectors leave nothing to run of suite '%s'", suite.name);
    if (status == BM_OK && !ceilings_alone && !has_what_was_asked_for(plan, &options->workloads))
        status =
            bm_fail(error, BM_INVALID,
                    "the selectors leave nothing to run of suite '%s': its models, or --model, have no such "
                    "work",
                    suite.name);
    if (status == BM_OK && options->generates.count > 0 && plan->sequence_count == 0)
        status = bm_fail(error, BM_INVALID, "--generate: no whole pass is planned: add --workload layer");
    if (status != BM_OK)
        bm_run_plan_fini(plan);
    return status;
}

void bm_run_plan_fini(struct bm_run_plan *plan) {
    free(plan->items);
    free(plan->requests);
    free(plan->uses);
    free(plan->sequences);
    *plan = (struct bm_run_plan){0};
}
