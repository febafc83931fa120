#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

/* What is being planned: one endpoint of one device. */
struct planner {
    const struct bm_run_options *options;
    const struct bm_inventory *inventory;
    struct bm_run_plan *plan;
    size_t device, endpoint;
    const char *suite; /* its file or name, and the entry in hand, for messages */
    unsigned entry;
    const struct bm_suite_entry *axes; /* what it lists */
};

static bool listed(const struct bm_names *names, const char *word) {
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], word) == 0)
            return true;
    return names->count == 0;
}

/* Whole passes are run where they are asked for by name. */
static bool wants_sequence(const struct planner *planner) {
    const struct bm_suite_entry *axes = planner->axes;
    bool named = planner->options->workloads.count > 0 && listed(&planner->options->workloads, "layer");
    for (unsigned i = 0; planner->options->workloads.count == 0 && i < axes->workload_count; i++)
        named |= strcmp(axes->workloads[i], "layer") == 0;
    return named;
}

/* The option's workloads where there are some, else those that the suite's entry names, else all; all too
 * where a whole pass is asked for. */
static bool selects_workload(const struct planner *planner, const char *workload) {
    const struct bm_suite_entry *axes = planner->axes;
    bool named = axes->workload_count == 0;
    if (wants_sequence(planner))
        return true;
    if (planner->options->workloads.count > 0)
        return listed(&planner->options->workloads, workload);
    for (unsigned i = 0; i < axes->workload_count; i++)
        named |= strcmp(axes->workloads[i], workload) == 0;
    return named;
}

static enum bm_status add_item(struct planner *planner, const struct bm_case *the_case, bool is_ceiling,
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

static bool is_planned(const struct planner *planner, const struct bm_model *model,
                       const struct bm_request *request) {
    for (size_t i = 0; i < planner->plan->request_count; i++) {
        const struct bm_run_request *other = &planner->plan->requests[i];
        if (other->device == planner->device && other->endpoint == planner->endpoint &&
            strcmp(other->model, model->id) == 0 && other->request.phase == request->phase &&
            other->request.dtype == request->dtype && other->request.batch == request->batch &&
            other->request.tokens == request->tokens && other->request.context == request->context &&
            other->request.kv == request->kv)
            return true;
    }
    return false;
}

/* After the ops that it is made of. */
static enum bm_status add_sequence(struct planner *planner, const struct bm_model *model,
                                   const struct bm_request *request, uint32_t steps, struct bm_error *error) {
    struct bm_run_plan *plan = planner->plan;
    struct bm_case the_case = {.workload = bm_workload_find("layer"),
                               .op = "pass",
                               .phase = request->phase,
                               .dtype = request->dtype,
                               .batch = request->batch,
                               .tokens = request->phase == BM_PHASE_DECODE ? steps : request->tokens,
                               .context = request->context,
                               .kv = request->kv,
                               .n = model->mamba_layers > 0 ? model->ffn_layers : model->layers,
                               .hot = planner->options->hot};
    size_t item;
    bm_string_set(the_case.model, sizeof the_case.model, model->id);
    enum bm_status status = add_item(planner, &the_case, false, &item, error);
    if (status == BM_OK)
        status = bm_grow(&plan->sequences, &plan->sequence_capacity, plan->sequence_count + 1,
                         sizeof *plan->sequences, error);
    if (status != BM_OK)
        return status;
    plan->sequences[plan->sequence_count] =
        (struct bm_run_sequence){.model = *model, .request = *request, .steps = steps};
    bm_run_sequence_work(&plan->sequences[plan->sequence_count]);
    plan->items[item].sequence = ++plan->sequence_count;
    return BM_OK;
}

static enum bm_status add_request(struct planner *planner, const struct bm_model *model,
                                  const struct bm_request *request, struct bm_error *error) {
    struct bm_run_plan *plan = planner->plan;
    struct bm_op ops[BM_MAX_OPS];
    size_t op_count, first_use = plan->use_count;
    if (is_planned(planner, model, request)) /* two entries of the suite may ask for the same */
        return BM_OK;
    enum bm_status status = bm_model_ops(model, request, ops, &op_count, error);
    if (status == BM_OK)
        status = bm_grow(&plan->requests, &plan->request_capacity, plan->request_count + 1,
                         sizeof *plan->requests, error);
    if (status != BM_OK)
        return status;
    struct bm_run_request *entry = &plan->requests[plan->request_count];
    *entry = (struct bm_run_request){.device = planner->device,
                                     .endpoint = planner->endpoint,
                                     .request = *request,
                                     .first_use = first_use};
    bm_string_set(entry->model, sizeof entry->model, model->id);
    for (size_t i = 0; status == BM_OK && i < op_count; i++) {
        struct bm_case the_case = ops[i].the_case;
        if (!ops[i].has_case || !selects_workload(planner, the_case.workload->name)) {
            bm_string_set(entry->missing[entry->missing_count++], sizeof entry->missing[0], ops[i].name);
            continue;
        }
        size_t item;
        the_case.hot = planner->options->hot;
        status = add_item(planner, &the_case, false, &item, error);
        if (status == BM_OK)
            status =
                bm_grow(&plan->uses, &plan->use_capacity, plan->use_count + 1, sizeof *plan->uses, error);
        if (status == BM_OK)
            plan->uses[plan->use_count++] = (struct bm_run_use){.item = item, .count = ops[i].count};
    }
    if (status == BM_OK) {
        entry->use_count = plan->use_count - first_use;
        plan->request_count++;
    }
    return status == BM_OK && wants_sequence(planner) ? add_sequence(planner, model, request, 1, error)
                                                      : status;
}

/* The numbers of an axis: the option's where given, else the suite's. */
static const uint32_t *axis(const struct bm_run_numbers *given, const uint32_t *suite, unsigned suite_count,
                            unsigned *count) {
    *count = given->count > 0 ? given->count : suite_count;
    return given->count > 0 ? given->items : suite;
}

/* The KV caches of a decode step: as the dtype says where nothing else is asked for. */
static unsigned kvs_of(const struct planner *planner, enum bm_phase phase, const struct bm_dtype *dtype,
                       enum bm_kv kvs[2]) {
    const struct bm_names *given = &planner->options->kvs;
    const struct bm_suite_entry *entry = planner->axes;
    const size_t listed_count = given->count > 0 ? given->count : entry->kv_count;
    bool f16 = false, int8 = false;
    unsigned count = 0;
    for (size_t i = 0; phase == BM_PHASE_DECODE && i < listed_count; i++) {
        const char *name = given->count > 0 ? given->items[i] : entry->kvs[i];
        f16 |= strcmp(name, "f16") == 0;
        int8 |= strcmp(name, "int8") == 0;
    }
    if (f16 || !int8)
        kvs[count++] = f16 && bm_dtype_of_activations(dtype)->kv != BM_ELEMENT_F16 ? BM_KV_F16 : BM_KV_DTYPE;
    if (int8)
        kvs[count++] = BM_KV_INT8;
    return count;
}

/* --generate: the steps that lead to the longest context. */
static enum bm_status add_steps(struct planner *planner, const struct bm_model *model,
                                struct bm_request request, const uint32_t *contexts, unsigned context_count,
                                struct bm_error *error) {
    const struct bm_run_numbers *steps = &planner->options->generates;
    if (request.phase != BM_PHASE_DECODE || steps->count == 0 || steps->items[0] < 2 ||
        !wants_sequence(planner))
        return BM_OK;
    request.context = 0;
    for (unsigned i = 0; i < context_count; i++)
        if (contexts[i] > request.context && contexts[i] <= model->max_context)
            request.context = contexts[i];
    if (request.context < steps->items[0])
        return bm_fail(error, BM_INVALID,
                       "--generate %u: so many steps do not lead to a context of %u: raise --context",
                       steps->items[0], request.context);
    return add_sequence(planner, model, &request, steps->items[0], error);
}

static enum bm_status add_phase(struct planner *planner, const struct bm_suite_entry *entry,
                                const struct bm_model *model, enum bm_phase phase,
                                const struct bm_dtype *dtype, struct bm_error *error) {
    const struct bm_run_options *options = planner->options;
    enum bm_kv kvs[2];
    unsigned batch_count, length_count, kv_count = kvs_of(planner, phase, dtype, kvs);
    const uint32_t *batches = axis(&options->batches, entry->batches, entry->batch_count, &batch_count);
    const uint32_t *lengths =
        phase == BM_PHASE_PREFILL
            ? axis(&options->tokens, entry->tokens, entry->token_count, &length_count)
            : axis(&options->contexts, entry->contexts, entry->context_count, &length_count);
    bool suite_lengths = lengths == entry->tokens || lengths == entry->contexts;
    struct bm_request request = {.phase = phase,
                                 .dtype = dtype,
                                 .tokens = 1,
                                 .routing = options->zipf ? BM_ROUTING_ZIPF : BM_ROUTING_UNIFORM};
    enum bm_status status = BM_OK;
    const unsigned past_count = phase == BM_PHASE_PREFILL ? options->pasts.count : 0;
    for (unsigned b = 0; status == BM_OK && b < batch_count; b++)
        for (unsigned i = 0; status == BM_OK && i < length_count * (past_count + 1); i++) {
            const unsigned l = i / (past_count + 1), past = i % (past_count + 1);
            if (suite_lengths && lengths[l] > model->max_context) /* the suite was written for other models */
                continue;
            request.batch = batches[b];
            if (phase == BM_PHASE_DECODE) {
                request.context = lengths[l];
            } else {
                request.tokens = lengths[l];
                request.context = past > 0 ? options->pasts.items[past - 1] : 0;
            }
            for (unsigned k = 0; status == BM_OK && k < kv_count; k++) {
                request.kv = kvs[k];
                status = add_request(planner, model, &request, error);
            }
        }
    for (unsigned i = 0; status == BM_OK && i < batch_count * kv_count; i++) {
        request.batch = batches[i / kv_count];
        request.kv = kvs[i % kv_count];
        status = add_steps(planner, model, request, lengths, length_count, error);
    }
    return status;
}

static enum bm_status add_dtypes(struct planner *planner, const struct bm_suite_entry *entry,
                                 const struct bm_model *model, enum bm_phase phase, struct bm_error *error) {
    const struct bm_names *given = &planner->options->dtypes;
    size_t count = given->count > 0 ? given->count : entry->dtype_count;
    enum bm_status status = BM_OK;
    for (size_t d = 0; status == BM_OK && d < count; d++) {
        const char *name = given->count > 0 ? given->items[d] : entry->dtypes[d];
        const struct bm_dtype *dtype = bm_dtype_find(name);
        if (dtype == NULL) /* those of options are known to be right */
            return bm_fail(error, BM_INVALID, "%s: $.entries[%u].dtypes[%zu]: '%s' is unknown: use %s",
                           planner->suite, planner->entry, d, name, bm_dtype_names());
        status = add_phase(planner, entry, model, phase, dtype, error);
    }
    return status;
}

static enum bm_status add_model(struct planner *planner, const struct bm_suite_entry *entry, const char *name,
                                struct bm_error *error) {
    static const struct {
        const char *name;
        enum bm_phase phase;
    } phases[] = {{"prefill", BM_PHASE_PREFILL}, {"decode", BM_PHASE_DECODE}};
    struct bm_model model;
    struct bm_error wrong = {0};
    enum bm_status status = bm_model_load(name, &model, &wrong);
    if (status != BM_OK)
        return bm_fail(error, status, "%s: $.entries[%u].models: %s", planner->suite, planner->entry,
                       wrong.message);
    if (planner->options->counts.count > 0) {
        const struct bm_model whole = model;
        status = bm_model_shard(&whole, planner->options->counts.items[0], &model, error);
    }
    for (size_t p = 0; status == BM_OK && p < BM_COUNT_OF(phases); p++) {
        bool in_entry = false;
        for (unsigned i = 0; i < entry->phase_count; i++)
            in_entry |= strcmp(entry->phases[i], phases[p].name) == 0;
        if (in_entry && listed(&planner->options->phases, phases[p].name))
            status = add_dtypes(planner, entry, &model, phases[p].phase, error);
    }
    return status;
}

static enum bm_status add_suite(struct planner *planner, const struct bm_suite *suite,
                                struct bm_error *error) {
    const struct bm_names *given = &planner->options->models;
    enum bm_status status = BM_OK;
    for (unsigned e = 0; status == BM_OK && e < suite->entry_count; e++) {
        const struct bm_suite_entry *entry = &suite->entries[e];
        planner->entry = e;
        planner->axes = entry;
        for (unsigned w = 0; w < entry->workload_count; w++)
            if (bm_workload_find(entry->workloads[w]) == NULL)
                return bm_fail(
                    error, BM_INVALID,
                    "%s: $.entries[%u].workloads[%u]: '%s' is unknown: `benchmark workloads` lists them",
                    planner->suite, e, w, entry->workloads[w]);
        size_t count = given->count > 0 ? given->count : entry->model_count;
        for (size_t m = 0; status == BM_OK && m < count; m++)
            status = add_model(planner, entry, given->count > 0 ? given->items[m] : entry->models[m], error);
    }
    return status;
}

static struct bm_ceiling_sizes ceiling_sizes(const struct bm_inventory *inventory,
                                             const struct bm_device *device,
                                             const struct bm_endpoint *endpoint) {
    struct bm_ceiling_sizes sizes = {.cold_bytes = bm_device_cold_bytes(device, endpoint),
                                     .compute_units = endpoint->compute_units,
                                     .is_gpu = endpoint->is_gpu};
    struct bm_run_cache caches[BM_RUN_CACHES];
    size_t count = bm_run_caches(inventory, device, endpoint, caches);
    for (size_t i = 0; i < count; i++) {
        uint64_t *size = strcmp(caches[i].resource, "llc_read") == 0  ? &sizes.llc_bytes
                         : strcmp(caches[i].resource, "l2_read") == 0 ? &sizes.l2_bytes
                                                                      : &sizes.l1_bytes;
        *size = caches[i].bytes;
    }
    return sizes;
}

enum { RUN_PIPES = 16 };

static bool wants_dtype(const struct bm_run_options *options, const struct bm_suite *suite,
                        const char *name) {
    if (options->dtypes.count > 0)
        return listed(&options->dtypes, name);
    for (unsigned e = 0; e < suite->entry_count; e++)
        for (unsigned d = 0; d < suite->entries[e].dtype_count; d++)
            if (strcmp(suite->entries[e].dtypes[d], name) == 0)
                return true;
    return false;
}

/* The pipes that may serve the contracts of the suite or of --dtype, each once, NULL-terminated. */
static void collect_pipes(const struct bm_run_options *options, const struct bm_suite *suite,
                          const char *pipes[RUN_PIPES]) {
    size_t used = 0;
    const struct bm_dtype *dtype;
    for (size_t d = 0; (dtype = bm_dtype_get(d)) != NULL; d++) {
        if (!wants_dtype(options, suite, dtype->name))
            continue;
        for (const char *const *pipe = dtype->pipes; *pipe != NULL; pipe++) {
            bool known = used + 1 >= RUN_PIPES;
            for (size_t i = 0; i < used; i++)
                known |= strcmp(pipes[i], *pipe) == 0;
            if (!known)
                pipes[used++] = *pipe;
        }
    }
    pipes[used] = NULL;
}

/* Whether the suite, or --workload, has work that writes about as much as it reads. */
static bool has_writing(const struct bm_run_options *options, const struct bm_suite *suite) {
    const struct bm_workload *workload;
    for (size_t w = 0; (workload = bm_workload_get(w)) != NULL; w++)
        for (unsigned e = 0; workload->written != NULL && e < suite->entry_count; e++) {
            const struct planner planner = {.options = options, .axes = &suite->entries[e]};
            if (selects_workload(&planner, workload->name))
                return true;
        }
    return false;
}

static bool has_other_ceilings(const struct bm_device *device, const struct bm_endpoint *endpoint) {
    for (unsigned e = 0; e < device->endpoint_count; e++)
        if (device->endpoints[e] != endpoint && device->endpoints[e]->usable &&
            !device->endpoints[e]->only_rows)
            return true;
    return false;
}

/* Hot rows are judged by the inner caches too. */
static enum bm_status add_ceilings(struct planner *planner, const struct bm_device *device,
                                   const struct bm_suite *suite, struct bm_error *error) {
    const struct bm_endpoint *endpoint = device->endpoints[planner->endpoint];
    const char *pipes[RUN_PIPES];
    struct bm_ceiling_wish wish = {.sizes = ceiling_sizes(planner->inventory, device, endpoint),
                                   .inner = planner->options->hot,
                                   .all = suite->ceilings == BM_CEILINGS_ALL,
                                   .writing = has_writing(planner->options, suite),
                                   .alone = !has_other_ceilings(device, endpoint),
                                   .pipes = pipes};
    struct bm_case cases[BM_MAX_CEILINGS];
    size_t unused, count;
    enum bm_status status = BM_OK;
    collect_pipes(planner->options, suite, pipes);
    if (endpoint->backend != NULL && endpoint->backend->ceilings != NULL)
        count = endpoint->backend->ceilings(endpoint, &wish, cases, BM_MAX_CEILINGS);
    else
        count = bm_ceiling_cases_sized(&wish.sizes, wish.inner, wish.all, cases, BM_MAX_CEILINGS);
    for (size_t i = 0; status == BM_OK && i < count && i < BM_MAX_CEILINGS; i++)
        status = add_item(planner, &cases[i], true, &unused, error);
    return status;
}

static bool selects_device(const struct bm_run_options *options, const struct bm_device *device) {
    for (size_t i = 0; i < options->devices.count; i++)
        if (bm_device_matches(device, options->devices.items[i]))
            return true;
    return options->devices.count == 0;
}

static bool selects_endpoint(const struct bm_run_options *options, const struct bm_endpoint *endpoint) {
    for (size_t i = 0; i < options->backends.count; i++)
        if (bm_endpoint_matches(endpoint, options->backends.items[i]))
            return true;
    return options->backends.count == 0;
}

/* Somebody who selects a backend that has ceilings alone wants to see those. */
static bool wants_ceilings_alone(const struct bm_run_options *options, const struct bm_inventory *inventory) {
    bool any = false;
    for (size_t d = 0; d < inventory->count; d++)
        for (unsigned e = 0;
             selects_device(options, &inventory->devices[d]) && e < inventory->devices[d].endpoint_count;
             e++) {
            const struct bm_endpoint *endpoint = inventory->devices[d].endpoints[e];
            if (!endpoint->usable || !selects_endpoint(options, endpoint))
                continue;
            if (!endpoint->only_ceilings)
                return false;
            any = true;
        }
    return any && options->backends.count > 0;
}

/* A selector that selects nothing is a mistake to be told, not an empty run. */
static enum bm_status check_selectors(const struct bm_run_options *options,
                                      const struct bm_inventory *inventory, struct bm_error *error) {
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

enum bm_status bm_run_plan_create(const struct bm_run_options *options, const struct bm_inventory *inventory,
                                  struct bm_run_plan *plan, struct bm_error *error) {
    struct bm_suite suite;
    const char *suite_name = options->suite != NULL ? options->suite : "standard";
    *plan = (struct bm_run_plan){0};
    enum bm_status status = check_selectors(options, inventory, error);
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
        if (!selects_device(options, device))
            continue;
        bool selected = false;
        for (unsigned e = 0; e < device->endpoint_count; e++) {
            bool one = device->endpoints[e]->usable && selects_endpoint(options, device->endpoints[e]);
            selected |= one;
            runs_rows |= one && !device->endpoints[e]->only_ceilings;
        }
        /* Ceilings come from every backend of the hardware, rows from the selected ones. */
        for (unsigned e = 0; status == BM_OK && selected && e < device->endpoint_count; e++) {
            struct planner planner = {.options = options,
                                      .inventory = inventory,
                                      .plan = plan,
                                      .device = d,
                                      .endpoint = e,
                                      .suite = suite_name};
            if (!device->endpoints[e]->usable)
                continue;
            if (!device->endpoints[e]->only_rows && suite.ceilings != BM_CEILINGS_NONE)
                status = add_ceilings(&planner, device, &suite, error);
            if (status == BM_OK && !device->endpoints[e]->only_ceilings &&
                selects_endpoint(options, device->endpoints[e]))
                status = add_suite(&planner, &suite, error);
        }
    }
    const bool ceilings_alone = wants_ceilings_alone(options, inventory);
    if (status == BM_OK && (plan->item_count == 0 || (!runs_rows && !ceilings_alone)))
        status = bm_fail(error, BM_UNSUPPORTED, "no usable device: `benchmark devices` says what is missing");
    if (status == BM_OK && plan->request_count == 0 && !ceilings_alone)
        status = bm_fail(error, BM_INVALID, "the selectors leave nothing to run of suite '%s'", suite.name);
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
