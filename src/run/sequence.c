/* Whole passes as one sequence of launches. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

/* ---- work ---- */

static double sum_of(const struct bm_run_plan *plan, size_t item, bool flops) {
    const struct bm_case *the_case = &plan->items[item].the_case;
    if (plan->items[item].sequence == 0)
        return flops ? the_case->workload->flops(the_case) : the_case->workload->bytes(the_case);
    const struct bm_run_request *request = &plan->requests[plan->items[item].sequence - 1];
    double sum = 0;
    for (size_t u = request->first_use; u < request->first_use + request->use_count; u++)
        sum += plan->uses[u].count * sum_of(plan, plan->uses[u].item, flops);
    return sum;
}

double bm_run_item_flops(const struct bm_run_plan *plan, size_t item) {
    return sum_of(plan, item, true);
}

double bm_run_item_bytes(const struct bm_run_plan *plan, size_t item) {
    return sum_of(plan, item, false);
}

/* ---- order ---- */

enum bm_status bm_run_sequence(const struct bm_run_plan *plan, const struct bm_run_request *request,
                               uint64_t layers, size_t **items_out, size_t *count_out,
                               struct bm_error *error) {
    const struct bm_run_use *uses = plan->uses + request->first_use;
    size_t first = 0, end = request->use_count, count = 0;
    double total = 0;
    for (size_t u = 0; u < request->use_count; u++)
        total += uses[u].count;
    size_t *items = bm_alloc((size_t)total + 1, sizeof *items);
    *items_out = NULL;
    *count_out = 0;
    if (items == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for a pass of %.0f ops", total);
    /* What is done once comes before the layers and after them. */
    while (layers > 1 && first < end && uses[first].count == 1)
        first++;
    while (layers > 1 && end > first && uses[end - 1].count == 1)
        end--;
    for (size_t u = 0; u < first; u++)
        items[count++] = uses[u].item;
    for (uint64_t l = 0; l < layers; l++)
        for (size_t u = first; u < end; u++) {
            const uint64_t times = (uint64_t)uses[u].count;
            for (uint64_t i = l * times / layers; i < (l + 1) * times / layers; i++)
                items[count++] = uses[u].item;
        }
    for (size_t u = end; u < request->use_count; u++)
        items[count++] = uses[u].item;
    *items_out = items;
    *count_out = count;
    return BM_OK;
}

/* ---- preparing ---- */

/* The worst part stands for the whole. */
static void add_verification(const struct bm_verification *part, struct bm_verification *whole) {
    const double now = whole->max_relative_error / whole->tolerance, error = part->max_relative_error;
    if (whole->checked == 0 || (error > 0 && !(error / part->tolerance <= now))) {
        whole->max_relative_error = error;
        whole->tolerance = part->tolerance;
    }
    whole->checked += part->checked;
    bm_string_set(whole->reference, sizeof whole->reference, part->reference);
}

void bm_run_prepare_sequence(struct bm_run *run, size_t item) {
    const struct bm_run_plan *plan = run->plan;
    const struct bm_run_request *request = &plan->requests[plan->items[item].sequence - 1];
    const struct bm_backend *backend = bm_run_endpoint(run, &plan->items[item])->backend;
    struct bm_run_state *state = &run->states[item];
    struct bm_prepared **parts = NULL;
    size_t *items = NULL, count = 0;
    enum bm_status status = BM_OK;
    state->verification = (struct bm_verification){.status = BM_VERIFICATION_PASSED};
    if (backend->join == NULL)
        status = bm_fail(&state->error, BM_UNSUPPORTED, "the backend cannot run cases as one sequence");
    else if (request->missing_count > 0)
        status = bm_fail(&state->error, BM_UNSUPPORTED, "nothing runs %s yet, so the whole cannot be run",
                         request->missing[0]);
    for (size_t u = request->first_use; status == BM_OK && u < request->first_use + request->use_count; u++) {
        const struct bm_run_state *part = bm_run_state_of(run, plan->uses[u].item);
        if (part->status != BM_ROW_OK || part->prepared == NULL)
            status = bm_fail(&state->error, BM_UNSUPPORTED, "%s cannot be run, so the whole cannot",
                             plan->items[plan->uses[u].item].the_case.op);
        else
            add_verification(&part->verification, &state->verification);
    }
    if (status == BM_OK)
        status = bm_run_sequence(plan, request, plan->items[item].the_case.n, &items, &count, &state->error);
    if (status == BM_OK && (parts = bm_alloc(count, sizeof(struct bm_prepared *))) == NULL)
        status = bm_fail(&state->error, BM_NO_MEMORY, "out of memory for a sequence");
    for (size_t i = 0; status == BM_OK && i < count; i++)
        parts[i] = bm_run_state_of(run, items[i])->prepared;
    if (status == BM_OK)
        status = backend->join(parts, count, &state->prepared, &state->error);
    if (status == BM_OK) {
        backend->info(state->prepared, &state->info);
    } else {
        state->verification = (struct bm_verification){0};
        state->status = status == BM_UNSUPPORTED || status == BM_NO_MEMORY ? BM_ROW_SKIPPED : BM_ROW_FAILED;
    }
    free(parts);
    free(items);
}
