/* What the options select, and whether they can. */
#include <string.h>

#include "plan.h"

bool bm_names_select(const struct bm_names *names, const char *word) {
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], word) == 0)
            return true;
    return names->count == 0;
}

bool bm_planner_wants_sequence(const struct bm_planner *planner) {
    const struct bm_suite_entry *axes = planner->axes;
    bool named =
        planner->options->workloads.count > 0 && bm_names_select(&planner->options->workloads, "layer");
    for (unsigned i = 0; planner->options->workloads.count == 0 && i < axes->workload_count; i++)
        named |= strcmp(axes->workloads[i], "layer") == 0;
    return named;
}

bool bm_planner_selects(const struct bm_planner *planner, const char *workload) {
    const struct bm_suite_entry *axes = planner->axes;
    bool named = axes->workload_count == 0;
    if (bm_planner_wants_sequence(planner))
        return true;
    if (planner->options->workloads.count > 0)
        return bm_names_select(&planner->options->workloads, workload);
    for (unsigned i = 0; i < axes->workload_count; i++)
        named |= strcmp(axes->workloads[i], workload) == 0;
    return named;
}

bool bm_selects_device(const struct bm_run_options *options, const struct bm_device *device) {
    for (size_t i = 0; i < options->devices.count; i++)
        if (bm_device_matches(device, options->devices.items[i]))
            return true;
    return options->devices.count == 0;
}

bool bm_selects_endpoint(const struct bm_run_options *options, const struct bm_endpoint *endpoint) {
    for (size_t i = 0; i < options->backends.count; i++)
        if (bm_endpoint_matches(endpoint, options->backends.items[i]))
            return true;
    return options->backends.count == 0;
}

enum bm_status bm_check_selectors(const struct bm_run_options *options, const struct bm_inventory *inventory,
                                  struct bm_error *error) {
    for (size_t i = 0; i < options->devices.count; i++) {
        bool found = false;
        for (size_t d = 0; d < inventory->count; d++)
            found |= bm_device_matches(&inventory->devices[d], options->devices.items[i]);
        if (!found)
            return bm_fail(error, BM_INVALID, "no device matches '%s': `benchmark devices` lists them",
                           options->devices.items[i]);
    }
    for (size_t i = 0; i < options->backends.count && inventory->endpoint_count > 0; i++) {
        bool found = false;
        for (size_t e = 0; e < inventory->endpoint_count; e++)
            found |= bm_endpoint_matches(&inventory->endpoints[e], options->backends.items[i]);
        const bool capped = inventory->count > 0 && inventory->devices[0].isa != BM_ISA_ANY;
        if (!found && capped)
            return bm_fail(error, BM_INVALID,
                           "no backend matches '%s': under --isa there are native and onednn",
                           options->backends.items[i]);
        if (!found)
            return bm_fail(error, BM_INVALID, "no backend matches '%s': `benchmark devices` lists them",
                           options->backends.items[i]);
    }
    for (size_t i = 0; i < options->workloads.count; i++)
        if (bm_workload_find(options->workloads.items[i]) == NULL)
            return bm_fail(error, BM_INVALID, "workload '%s' is unknown: `benchmark workloads` lists them",
                           options->workloads.items[i]);
    for (size_t i = 0; i < options->phases.count; i++)
        if (strcmp(options->phases.items[i], "prefill") != 0 &&
            strcmp(options->phases.items[i], "decode") != 0)
            return bm_fail(error, BM_INVALID, "phase '%s' is unknown: use prefill or decode",
                           options->phases.items[i]);
    for (size_t i = 0; i < options->dtypes.count; i++)
        if (bm_dtype_find(options->dtypes.items[i]) == NULL)
            return bm_fail(error, BM_INVALID, "dtype '%s' is unknown: use %s", options->dtypes.items[i],
                           bm_dtype_names());
    if (options->generates.count > 1)
        return bm_fail(error, BM_INVALID, "--generate: give one number of steps");
    if (options->counts.count > 1)
        return bm_fail(error, BM_INVALID, "--count: give one number of devices");
    for (size_t i = 0; i < options->kvs.count; i++)
        if (strcmp(options->kvs.items[i], "f16") != 0 && strcmp(options->kvs.items[i], "int8") != 0)
            return bm_fail(error, BM_INVALID, "kv '%s' is unknown: use f16 or int8", options->kvs.items[i]);
    for (size_t i = 0; i < options->models.count; i++) {
        struct bm_model model;
        enum bm_status status = bm_model_load(options->models.items[i], &model, error);
        if (status != BM_OK)
            return status;
    }
    return BM_OK;
}
