/* Whether a sequence computes what it should: each node on what flowed to it, and, where that takes seconds,
 * the whole.
 *
 * The whole in float64 is the same checks, of every output, on the references' own outputs, which are rounded
 * to f32 between nodes, far finer than any tolerance. What flows is not rounded to its format then: the
 * tolerance of the whole is what the nodes' own errors, independent of each other, make of it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

/* Operations that a reference of the whole may take, some seconds. */
#define WHOLE_LIMIT 0x1p34
/* Errors of nodes grow by less on the way to the end: softmax and gates have slopes of about one. */
static const double growth = 6;
/* Beyond this a tolerance of the whole says nothing. */
static const double most_tolerance = 0.5;
/* Checks of a node whose case another one has shown to be right: enough to see that it has its own inputs. */
enum { REPEATED_CHECKS = 32 };

/* A tensor's elements as the reference takes them. */
struct gathered {
    struct bm_values values[BM_MAX_TENSORS];
    void *outputs[BM_MAX_TENSORS]; /* by number of the output, packed */
};

static void free_gathered(struct gathered *gathered) {
    for (unsigned t = 0; t < BM_MAX_TENSORS; t++) {
        free(gathered->values[t].values);
        free(gathered->outputs[t]);
    }
    *gathered = (struct gathered){0};
}

static bool is_input(const struct bm_tensor *tensor) {
    return tensor->role == BM_ROLE_HOT || tensor->role == BM_ROLE_COLD;
}

/* A value's own copy of this execution, packed. Caller frees. */
static enum bm_status read_value(struct bm_session *session, const struct bm_sequence *sequence, size_t index,
                                 uint64_t execution, uint8_t **packed, struct bm_error *error) {
    const struct bm_flow_value *value = &sequence->flow.values[index];
    const uint64_t copy = value->rotates ? execution % sequence->copies : 0;
    const size_t bytes = (size_t)bm_element_size(value->element, value->count);
    *packed = bm_alloc(bytes, 1);
    if (*packed == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %s", value->name);
    enum bm_status status = bm_cl_buffer_read(
        &session->queue, sequence->values[index],
        (size_t)bm_element_size(value->element, copy * sequence->strides[index]), *packed, bytes, error);
    if (status != BM_OK) {
        free(*packed);
        *packed = NULL;
    }
    return status;
}

/* A tensor's elements, of so many bytes each, in its own order, from the value that they are spread in.
 * Caller frees. */
static enum bm_status gather(const struct bm_plan *plan, unsigned t, const struct bm_flow_link *link,
                             const void *value, size_t each, void **elements, struct bm_error *error) {
    const struct bm_spread spread = bm_opencl_spread(plan, t, link);
    const uint64_t count = plan->tensors[t].count;
    uint8_t *to = *elements = bm_alloc((size_t)count, each);
    if (to == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %s", plan->tensors[t].name);
    for (uint64_t i = 0; i < count; i++)
        memcpy(to + i * each, (const uint8_t *)value + bm_spread_at(&spread, i) * each, each);
    return BM_OK;
}

/* Likewise from the device's copy of this execution. */
static enum bm_status read_linked(struct bm_session *session, const struct bm_sequence *sequence,
                                  const struct bm_sequence_node *node, unsigned t, uint64_t execution,
                                  void **elements, struct bm_error *error) {
    const struct bm_plan *plan = &sequence->parts[node->part]->plan;
    const struct bm_flow_link *link = node->links[t];
    uint8_t *packed;
    *elements = NULL;
    enum bm_status status = read_value(session, sequence, link->value, execution, &packed, error);
    if (status == BM_OK)
        status = gather(plan, t, link, packed, (size_t)bm_element_size(plan->tensors[t].element, 1), elements,
                        error);
    free(packed);
    return status;
}

/* ---- node by node ---- */

/* Takes the linked inputs from the device, before the node runs: it may write over them. */
static enum bm_status gather_inputs(struct bm_session *session, const struct bm_sequence *sequence,
                                    const struct bm_sequence_node *node, uint64_t execution,
                                    struct gathered *gathered, struct bm_verification *verification,
                                    struct bm_error *error) {
    const struct bm_plan *plan = &sequence->parts[node->part]->plan;
    for (unsigned t = 0; t < plan->tensor_count; t++) {
        const struct bm_tensor *tensor = &plan->tensors[t];
        if (node->links[t] == NULL || !is_input(tensor))
            continue;
        float *values = bm_alloc((size_t)tensor->count, sizeof *values);
        if (values == NULL)
            return bm_fail(error, BM_NO_MEMORY, "out of memory for %s", tensor->name);
        gathered->values[t] =
            (struct bm_values){.element = tensor->element, .period = (size_t)tensor->count, .values = values};
        void *elements;
        enum bm_status status = read_linked(session, sequence, node, t, execution, &elements, error);
        if (status != BM_OK)
            return status;
        bool written = true;
        for (uint64_t i = 0; i < tensor->count; i++) {
            values[i] = bm_element_load(tensor->element, elements, i);
            written &= !isnan(values[i]);
        }
        free(elements);
        if (!written && verification->problem[0] == '\0') {
            verification->status = BM_VERIFICATION_FAILED;
            snprintf(verification->problem, sizeof verification->problem, "%s reads %s that nothing wrote",
                     sequence->parts[node->part]->the_case.op, tensor->name);
        }
    }
    return BM_OK;
}

/* An output in memory of its own. Caller frees. */
static enum bm_status read_own(struct bm_prepared *part, unsigned t, uint64_t turn, void **elements,
                               struct bm_error *error) {
    const struct bm_tensor *tensor = &part->plan.tensors[t];
    const uint64_t first = tensor->rotates ? turn % part->slots * part->stride[t] : 0;
    const size_t bytes = (size_t)bm_element_size(tensor->element, tensor->count);
    *elements = bm_alloc(bytes, 1);
    if (*elements == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %s", tensor->name);
    return bm_cl_buffer_read(&part->session->queue, part->buffers[t],
                             (size_t)bm_element_size(tensor->element, first), *elements, bytes, error);
}

static enum bm_status gather_outputs(const struct bm_sequence *sequence, const struct bm_sequence_node *node,
                                     uint64_t turn, uint64_t execution, struct gathered *gathered,
                                     struct bm_error *error) {
    struct bm_prepared *part = sequence->parts[node->part];
    enum bm_status status = BM_OK;
    for (unsigned t = 0, number = 0; status == BM_OK && t < part->plan.tensor_count; t++) {
        if (part->plan.tensors[t].role != BM_ROLE_OUTPUT)
            continue;
        void **output = &gathered->outputs[number++];
        status = node->links[t] == NULL
                     ? read_own(part, t, turn, output, error)
                     : read_linked(part->session, sequence, node, t, execution, output, error);
    }
    return status;
}

static struct bm_operands operands_of(const struct bm_prepared *part, uint64_t turn,
                                      const struct gathered *gathered) {
    struct bm_operands operands = bm_opencl_operands_at(part, turn);
    for (unsigned t = 0; t < part->plan.tensor_count; t++)
        if (gathered->values[t].values != NULL) {
            operands.values[t] = &gathered->values[t];
            operands.start[t] = 0;
        }
    return operands;
}

static void name_problem(const struct bm_prepared *part, uint64_t occurrence,
                         struct bm_verification *verification) {
    char problem[sizeof verification->problem];
    bm_string_set(problem, sizeof problem, verification->problem);
    snprintf(verification->problem, sizeof verification->problem, "%s (number %llu): %.100s",
             part->the_case.op, (unsigned long long)occurrence + 1, problem);
}

static enum bm_status verify_node(struct bm_prepared *prepared, uint64_t index, uint64_t execution,
                                  uint64_t seed, struct bm_verification *verification,
                                  struct bm_error *error) {
    struct bm_sequence *sequence = prepared->sequence;
    const struct bm_sequence_node *node = &sequence->nodes[index];
    struct bm_prepared *part = sequence->parts[node->part];
    struct gathered gathered = {0};
    *verification = (struct bm_verification){
        .status = BM_VERIFICATION_PASSED, .tolerance = part->the_case.workload->tolerance(&part->the_case)};
    enum bm_status status =
        gather_inputs(prepared->session, sequence, node, execution, &gathered, verification, error);
    const struct bm_turn turn = bm_opencl_turn_at(sequence, index, execution);
    if (status == BM_OK)
        status = bm_opencl_enqueue(part, turn.turn, turn.places, NULL, NULL, NULL, error);
    const cl_int code = clFinish(prepared->session->queue.queue);
    if (status == BM_OK && code != CL_SUCCESS)
        status = bm_cl_fail(error, code, "clFinish");
    if (status == BM_OK)
        status = gather_outputs(sequence, node, turn.turn, execution, &gathered, error);
    if (status == BM_OK && verification->status == BM_VERIFICATION_PASSED) {
        const struct bm_operands operands = operands_of(part, turn.turn, &gathered);
        const uint64_t checks = part->the_case.workload->check_count(&part->the_case, &part->plan);
        struct bm_verification_scope scope = {.step = 1, .measured_scale = true};
        if (node->occurrence > 0 && checks > REPEATED_CHECKS) {
            scope.step = checks / REPEATED_CHECKS;
            scope.first = index % scope.step;
        }
        status = bm_verification_check(&part->the_case, &part->plan, &operands, seed,
                                       (const void *const *)gathered.outputs, &scope, verification, error);
    }
    if (status == BM_OK && verification->status == BM_VERIFICATION_FAILED)
        name_problem(part, node->occurrence, verification);
    free_gathered(&gathered);
    return status;
}

/* ---- the whole ---- */

/* The reference's own values of an execution. */
struct chain {
    float **values;
    size_t count;
};

static void chain_fini(struct chain *chain) {
    for (size_t i = 0; chain->values != NULL && i < chain->count; i++)
        free(chain->values[i]);
    free(chain->values);
}

static enum bm_status chain_init(struct bm_session *session, const struct bm_flow *flow, struct chain *chain,
                                 struct bm_error *error) {
    chain->count = flow->value_count;
    chain->values = bm_alloc(flow->value_count, sizeof(float *));
    if (chain->values == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for a reference");
    for (size_t i = 0; i < flow->value_count; i++)
        if ((chain->values[i] = bm_opencl_value_content(session, flow, i, error)) == NULL)
            return BM_NO_MEMORY;
    return BM_OK;
}

/* Every output of the node into the chain. *covered: none was left out. */
static enum bm_status follow_node(const struct bm_sequence *sequence, const struct bm_sequence_node *node,
                                  uint64_t turn, uint64_t seed, struct chain *chain, bool *covered,
                                  struct bm_error *error) {
    const struct bm_prepared *part = sequence->parts[node->part];
    const struct bm_workload *workload = part->the_case.workload;
    struct bm_plan plan = part->plan;
    struct gathered gathered = {0};
    unsigned output_of[BM_MAX_TENSORS] = {0}, outputs = 0;
    uint64_t wanted = 0, got = 0;
    enum bm_status status = BM_OK;
    struct bm_check *check = bm_alloc(1, sizeof *check);
    if (check == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for a reference");
    plan.check_all = true;
    for (unsigned t = 0; status == BM_OK && t < plan.tensor_count; t++) {
        const struct bm_tensor *tensor = &plan.tensors[t];
        if (tensor->role == BM_ROLE_OUTPUT) {
            output_of[outputs++] = t;
            wanted += tensor->count;
        }
        if (node->links[t] == NULL || !is_input(tensor))
            continue;
        void *values;
        status = gather(&plan, t, node->links[t], chain->values[node->links[t]->value], sizeof(float),
                        &values, error);
        gathered.values[t] =
            (struct bm_values){.element = tensor->element, .period = (size_t)tensor->count, .values = values};
    }
    const struct bm_operands operands = operands_of(part, turn, &gathered);
    const uint64_t checks = workload->check_count(&part->the_case, &plan);
    for (uint64_t g = 0; status == BM_OK && g < checks; g++) {
        status = workload->check(&part->the_case, &plan, &operands, seed, g, check, error);
        const unsigned t = output_of[check->output];
        got += check->count;
        if (status != BM_OK || node->links[t] == NULL)
            continue;
        const struct bm_spread spread = bm_opencl_spread(&plan, t, node->links[t]);
        for (unsigned i = 0; i < check->count; i++)
            chain->values[node->links[t]->value][bm_spread_at(&spread, check->first + i)] =
                (float)check->expected[i];
    }
    *covered &= got == wanted;
    free_gathered(&gathered);
    free(check);
    return status;
}

/* Compares the result with the chain's. */
static enum bm_status compare_result(struct bm_prepared *prepared, const struct chain *chain,
                                     uint64_t execution, double tolerance,
                                     struct bm_verification *verification, struct bm_error *error) {
    const struct bm_sequence *sequence = prepared->sequence;
    const size_t result = sequence->flow.result;
    const struct bm_flow_value *value = &sequence->flow.values[result];
    uint8_t *packed = NULL;
    double squares = 0;
    struct bm_check *check = bm_alloc(1, sizeof *check);
    enum bm_status status = check != NULL
                                ? read_value(prepared->session, sequence, result, execution, &packed, error)
                                : bm_fail(error, BM_NO_MEMORY, "out of memory for verification");
    *verification = (struct bm_verification){.status = BM_VERIFICATION_PASSED, .tolerance = tolerance};
    for (uint64_t i = 0; status == BM_OK && i < value->count; i++)
        squares += (double)chain->values[result][i] * (double)chain->values[result][i];
    for (uint64_t at = 0; status == BM_OK && at < value->count; at += BM_CHECK_OUTPUTS) {
        const uint64_t left = value->count - at;
        *check = (struct bm_check){.first = at,
                                   .count = (unsigned)(left < BM_CHECK_OUTPUTS ? left : BM_CHECK_OUTPUTS)};
        check->scale = sqrt(squares / (double)value->count);
        for (unsigned i = 0; i < check->count; i++)
            check->expected[i] = (double)chain->values[result][at + i];
        bm_verification_add(value->element, packed, check, verification);
    }
    if (verification->status == BM_VERIFICATION_FAILED)
        snprintf(
            verification->problem, sizeof verification->problem,
            "the whole differs from its float64 reference by %.2g of its size, at most %.2g is explained",
            verification->max_relative_error, tolerance);
    free(packed);
    free(check);
    return status;
}

static double whole_tolerance(const struct bm_sequence *sequence) {
    double squares = 0;
    for (size_t i = 0; i < sequence->node_count; i++) {
        const struct bm_case *the_case = &sequence->parts[sequence->nodes[i].part]->the_case;
        const double own = the_case->workload->tolerance(the_case);
        squares += own * own;
    }
    return growth * sqrt(squares);
}

/* *done: the flow has a result, and a reference of it is affordable. */
static enum bm_status verify_whole(struct bm_prepared *prepared, uint64_t execution, uint64_t seed,
                                   bool *done, struct bm_verification *verification, struct bm_error *error) {
    struct bm_sequence *sequence = prepared->sequence;
    const double tolerance = whole_tolerance(sequence);
    struct chain chain = {0};
    *done = sequence->flow.result < sequence->flow.value_count &&
            bm_flow_flops(&sequence->flow) <= WHOLE_LIMIT && tolerance <= most_tolerance;
    if (!*done)
        return BM_OK;
    enum bm_status status = chain_init(prepared->session, &sequence->flow, &chain, error);
    for (size_t i = 0; status == BM_OK && *done && i < sequence->node_count; i++) {
        const struct bm_turn turn = bm_opencl_turn_at(sequence, i, execution);
        status = follow_node(sequence, &sequence->nodes[i], turn.turn, seed, &chain, done, error);
    }
    if (status == BM_OK && *done)
        status = compare_result(prepared, &chain, execution, tolerance, verification, error);
    chain_fini(&chain);
    return status;
}

/* How much of its tolerance an error takes. */
static double share_of(const struct bm_verification *verification) {
    if (verification->max_relative_error == 0)
        return 0;
    return verification->tolerance > 0 ? verification->max_relative_error / verification->tolerance
                                       : (double)INFINITY;
}

/* The worst stands for all. */
static void merge(const struct bm_verification *part, struct bm_verification *whole) {
    if (whole->tolerance == 0 || share_of(part) > share_of(whole)) {
        whole->max_relative_error = part->max_relative_error;
        whole->tolerance = part->tolerance;
    }
    whole->checked += part->checked;
    if (part->status != BM_VERIFICATION_PASSED && whole->status == BM_VERIFICATION_PASSED) {
        whole->status = part->status;
        bm_string_set(whole->problem, sizeof whole->problem, part->problem);
    }
}

enum bm_status bm_opencl_sequence_verify(struct bm_prepared *prepared, uint64_t seed,
                                         struct bm_verification *verification, struct bm_error *error) {
    struct bm_sequence *sequence = prepared->sequence;
    const uint64_t execution = sequence->executions++;
    struct bm_verification part, sum = {.status = BM_VERIFICATION_PASSED};
    bool whole = false;
    enum bm_status status = BM_OK;
    *verification = (struct bm_verification){0};
    for (uint64_t i = 0; status == BM_OK && i < sequence->node_count; i++) {
        status = verify_node(prepared, i, execution, seed + i, &part, error);
        if (status == BM_OK)
            merge(&part, &sum);
    }
    if (status == BM_OK && sum.status == BM_VERIFICATION_PASSED)
        status = verify_whole(prepared, execution, seed, &whole, &part, error);
    if (status != BM_OK)
        return status;
    if (whole) { /* its figures tell more than those of the op that rounds most */
        part.checked += sum.checked;
        sum = part;
    }
    bm_string_set(sum.reference, sizeof sum.reference,
                  whole ? "float64, op by op and whole" : "float64, op by op");
    *verification = sum;
    return BM_OK;
}
