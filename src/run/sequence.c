/* Whole passes as one sequence of launches. */
#include <stdlib.h>

#include "run.h"

/* ---- work ---- */

void bm_run_sequence_work(struct bm_run_sequence *sequence) {
    struct bm_op *ops = bm_alloc(BM_MAX_OPS, sizeof *ops);
    sequence->flops = sequence->bytes = 0;
    for (uint32_t step = 0; ops != NULL && step < sequence->steps; step++) {
        struct bm_request request = sequence->request;
        size_t count;
        request.context -= step;
        if (bm_model_ops(&sequence->model, &request, ops, &count, NULL) != BM_OK)
            break;
        for (size_t i = 0; i < count; i++)
            if (ops[i].has_case) {
                sequence->flops += ops[i].count * ops[i].the_case.workload->flops(&ops[i].the_case);
                sequence->bytes += ops[i].count * ops[i].the_case.workload->bytes(&ops[i].the_case);
            }
    }
    free(ops);
}

void bm_run_item_work(const struct bm_run_plan *plan, size_t item, double *flops, double *bytes) {
    const struct bm_case *the_case = &plan->items[item].the_case;
    if (plan->items[item].sequence != 0) {
        const struct bm_run_sequence *sequence = &plan->sequences[plan->items[item].sequence - 1];
        *flops = sequence->flops;
        *bytes = sequence->bytes;
    } else {
        *flops = the_case->workload->flops(the_case);
        *bytes = the_case->workload->bytes(the_case);
    }
}

/* ---- preparing ---- */

/* The pass of a sequence, in order of execution. */
static enum bm_status make_flow(const struct bm_run *run, size_t item, struct bm_flow *flow,
                                struct bm_error *error) {
    const struct bm_run_plan *plan = run->plan;
    const struct bm_run_sequence *sequence = &plan->sequences[plan->items[item].sequence - 1];
    enum bm_status status = bm_model_flow(&sequence->model, &sequence->request, sequence->steps, flow, error);
    for (size_t i = 0; i < flow->case_count; i++)
        flow->cases[i].hot = plan->items[item].the_case.hot;
    return status;
}

void bm_run_reserve_sequence(struct bm_run *run, size_t item, struct bm_session *session) {
    const struct bm_backend *backend = bm_run_endpoint(run, &run->plan->items[item])->backend;
    struct bm_run_state *state = &run->states[item];
    struct bm_flow flow = {0};
    enum bm_status status =
        backend->sequence != NULL
            ? make_flow(run, item, &flow, &state->error)
            : bm_fail(&state->error, BM_UNSUPPORTED, "the backend cannot run cases as one sequence");
    for (size_t i = 0; status == BM_OK && i < flow.case_count; i++)
        status = backend->reserve(session, &flow.cases[i], NULL, &state->error);
    bm_flow_fini(&flow);
}

enum bm_status bm_run_prepare_sequence(const struct bm_run *run, size_t item, struct bm_session *session,
                                       struct bm_prepared **prepared, struct bm_error *error) {
    const struct bm_backend *backend = bm_run_endpoint(run, &run->plan->items[item])->backend;
    struct bm_flow flow = {0};
    enum bm_status status = make_flow(run, item, &flow, error);
    if (status == BM_OK)
        status = backend->sequence(session, &flow, prepared, error);
    bm_flow_fini(&flow);
    return status;
}
