/* From the entries of a suite to requests, and from those to cases. */
#include <string.h>

#include "plan.h"

static bool is_planned(const struct bm_planner *planner, const struct bm_model *model,
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

/* Cases that this backend has no kernel for and another one that is planned has: as rows they would say
 * what `benchmark devices` says of the backend. One that --backend names is taken at its word. */
static bool is_left_to_others(const struct bm_planner *planner, const struct bm_case *the_case) {
    const struct bm_device *device = &planner->inventory->devices[planner->device];
    if (planner->options->backends.count > 0 ||
        bm_endpoint_offers(device->endpoints[planner->endpoint], the_case))
        return false;
    for (unsigned e = 0; e < device->endpoint_count; e++)
        if (device->endpoints[e]->usable && !device->endpoints[e]->only_ceilings &&
            bm_endpoint_offers(device->endpoints[e], the_case))
            return true;
    return false;
}

/* After the ops that it is made of. */
static enum bm_status add_sequence(struct bm_planner *planner, const struct bm_model *model,
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
    if (is_left_to_others(planner, &the_case)) {
        plan->left_count++;
        return BM_OK;
    }
    enum bm_status status = bm_planner_add(planner, &the_case, false, &item, error);
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

static enum bm_status add_request(struct bm_planner *planner, const struct bm_model *model,
                                  const struct bm_request *request, struct bm_error *error) {
    struct bm_run_plan *plan = planner->plan;
    struct bm_op ops[BM_MAX_OPS];
    size_t op_count, left = 0, first_use = plan->use_count;
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
        const bool selected = ops[i].has_case && bm_planner_selects(planner, the_case.workload->name);
        const bool leave = selected && is_left_to_others(planner, &the_case);
        left += leave;
        plan->left_count += leave;
        if (!selected || leave) {
            entry->is_lacking[entry->missing_count] = !ops[i].has_case || the_case.workload->is_essential;
            bm_string_set(entry->missing[entry->missing_count++], sizeof entry->missing[0], ops[i].name);
            continue;
        }
        size_t item;
        the_case.hot = planner->options->hot;
        status = bm_planner_add(planner, &the_case, false, &item, error);
        if (status == BM_OK)
            status =
                bm_grow(&plan->uses, &plan->use_capacity, plan->use_count + 1, sizeof *plan->uses, error);
        if (status == BM_OK)
            plan->uses[plan->use_count++] = (struct bm_run_use){.item = item, .count = ops[i].count};
    }
    if (status == BM_OK && left > 0 && plan->use_count == first_use) /* nothing of it is this backend's */
        return BM_OK;
    if (status == BM_OK) {
        entry->use_count = plan->use_count - first_use;
        plan->request_count++;
    }
    return status == BM_OK && bm_planner_wants_sequence(planner)
               ? add_sequence(planner, model, request, 1, error)
               : status;
}

/* The numbers of an axis: the option's where given, else the suite's. */
static const uint32_t *axis(const struct bm_run_numbers *given, const uint32_t *suite, unsigned suite_count,
                            unsigned *count) {
    *count = given->count > 0 ? given->count : suite_count;
    return given->count > 0 ? given->items : suite;
}

/* The KV caches of a decode step: as the dtype says where nothing else is asked for. */
static unsigned kvs_of(const struct bm_planner *planner, enum bm_phase phase, const struct bm_dtype *dtype,
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
static enum bm_status add_steps(struct bm_planner *planner, const struct bm_model *model,
                                struct bm_request request, const uint32_t *contexts, unsigned context_count,
                                struct bm_error *error) {
    const struct bm_run_numbers *steps = &planner->options->generates;
    if (request.phase != BM_PHASE_DECODE || steps->count == 0 || steps->items[0] < 2 ||
        !bm_planner_wants_sequence(planner))
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

static enum bm_status add_phase(struct bm_planner *planner, const struct bm_suite_entry *entry,
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

static enum bm_status add_dtypes(struct bm_planner *planner, const struct bm_suite_entry *entry,
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

static enum bm_status add_model(struct bm_planner *planner, const struct bm_suite_entry *entry,
                                const char *name, struct bm_error *error) {
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
        if (in_entry && bm_names_select(&planner->options->phases, phases[p].name))
            status = add_dtypes(planner, entry, &model, phases[p].phase, error);
    }
    return status;
}

enum bm_status bm_planner_add_suite(struct bm_planner *planner, const struct bm_suite *suite,
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
