/* pass.c - the ops of a forward pass, looked up among measured rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct adding {
    const struct bm_sum_pass *pass;
    struct bm_sum *sum;
    struct bm_serving_point *point;
    size_t place; /* in the point's ops, of the next one: passes share most of their ops */
    struct bm_error *error;
};

static bool is_logits(const char *name) {
    return strcmp(name, "final_norm") == 0 || strcmp(name, "lm_head") == 0 || strcmp(name, "softmax") == 0;
}

static enum bm_status add_missing(struct adding *to, const struct bm_op *op, const char *why) {
    struct bm_serving_point *point = to->point;
    char key[BM_KEY_SIZE] = "";
    if (op->has_case)
        bm_case_key(&op->the_case, key);
    for (size_t i = 0; i < point->missing_count; i++) /* of several chunks or contexts: once */
        if (point->missing[i].phase == to->pass->request.phase &&
            strcmp(point->missing[i].op, op->name) == 0 && strcmp(point->missing[i].key, key) == 0)
            return BM_OK;
    enum bm_status status = bm_grow(&point->missing, &point->missing_capacity, point->missing_count + 1,
                                    sizeof *point->missing, to->error);
    if (status != BM_OK)
        return status;
    struct bm_serving_missing *missing = &point->missing[point->missing_count++];
    *missing = (struct bm_serving_missing){.phase = to->pass->request.phase};
    bm_string_set(missing->op, sizeof missing->op, op->name);
    bm_string_set(missing->key, sizeof missing->key, key);
    bm_string_set(missing->why, sizeof missing->why, why);
    return BM_OK;
}

static enum bm_status op_of_point(struct adding *to, const char *name, struct bm_serving_op **op) {
    struct bm_serving_point *point = to->point;
    for (size_t i = 0; i < point->op_count; i++)
        if (strcmp(point->ops[i].name, name) == 0) {
            *op = &point->ops[i];
            to->place = i + 1;
            return BM_OK;
        }
    enum bm_status status =
        bm_grow(&point->ops, &point->op_capacity, point->op_count + 1, sizeof *point->ops, to->error);
    if (status != BM_OK)
        return status;
    *op = &point->ops[to->place];
    memmove(*op + 1, *op, (point->op_count - to->place) * sizeof **op);
    point->op_count++;
    to->place++;
    **op = (struct bm_serving_op){0};
    bm_string_set((*op)->name, sizeof(*op)->name, name);
    return BM_OK;
}

/* executions of an op, of which `weight` fall on this row. */
static void add_row(struct adding *to, const struct bm_measured *row, double executions,
                    struct bm_serving_op *op) {
    to->sum->weights[row - to->sum->set->rows] += executions;
    to->sum->launches += executions * row->launches;
    if (to->pass->request.phase == BM_PHASE_PREFILL)
        op->prefill_ns += executions * row->ns;
    else
        op->decode_ns += executions * row->ns;
}

/* Work is linear in the context: that of the mean context is the mean work. */
static void add_work(struct adding *to, const struct bm_case *first, uint32_t last, double executions) {
    struct bm_case end = *first;
    end.context = last;
    to->sum->flops += executions * (first->workload->flops(first) + first->workload->flops(&end)) / 2;
    to->sum->bytes += executions * (first->workload->bytes(first) + first->workload->bytes(&end)) / 2;
}

/* An op whose context grows, or lies between those that were measured. */
static enum bm_status add_over_contexts(struct adding *to, const struct bm_op *op, uint32_t last,
                                        double executions, struct bm_serving_op *own) {
    const struct bm_measured_set *set = to->sum->set;
    const size_t capacity = set->context_count;
    const struct bm_measured **rows = bm_alloc(capacity, sizeof *rows);
    uint32_t *contexts = bm_alloc(capacity, sizeof *contexts);
    double *weights = bm_alloc(capacity, sizeof *weights);
    size_t count = 0;
    char why[96] = "not measured";
    enum bm_status status = rows != NULL && contexts != NULL && weights != NULL
                                ? BM_OK
                                : bm_fail(to->error, BM_NO_MEMORY, "out of memory for contexts");
    if (status != BM_OK)
        goto out;
    for (size_t i = 0; i < capacity; i++) {
        struct bm_case at = op->the_case;
        at.context = contexts[count] = set->contexts[i];
        rows[count] = bm_set_find(set, &at);
        count += rows[count] != NULL;
    }
    if (bm_context_weights(contexts, count, op->the_case.context, last, weights)) {
        for (size_t i = 0; i < count; i++)
            if (weights[i] > 0)
                add_row(to, rows[i], executions * weights[i], own);
        add_work(to, &op->the_case, last, executions);
    } else {
        if (count > 0 && op->the_case.context >= contexts[0] && last <= contexts[count - 1])
            snprintf(why, sizeof why, "measured at %zu of at least 3 contexts", count);
        else if (count == 1)
            snprintf(why, sizeof why, "measured at context %u alone, needed from %u to %u", contexts[0],
                     op->the_case.context, last);
        else if (count > 0)
            snprintf(why, sizeof why, "measured at contexts of %u to %u, needed from %u to %u", contexts[0],
                     contexts[count - 1], op->the_case.context, last);
        status = add_missing(to, op, why);
    }
out:
    free(rows);
    free(contexts);
    free(weights);
    return status;
}

static enum bm_status add_op(struct adding *to, const struct bm_op *op) {
    const struct bm_request *request = &to->pass->request;
    const double executions = op->count * to->pass->times;
    struct bm_serving_op *own;
    enum bm_status status = op_of_point(to, op->name, &own);
    if (status != BM_OK)
        return status;
    if (!op->has_case)
        return add_missing(to, op, "nothing measures it yet");
    const bool grows = request->context > 0 && op->the_case.context == request->context;
    if (grows)
        return add_over_contexts(to, op,
                                 request->phase == BM_PHASE_DECODE ? to->pass->mean_to : request->context,
                                 executions, own);
    const struct bm_measured *row = bm_set_find(to->sum->set, &op->the_case);
    if (row == NULL)
        return add_missing(to, op, "not measured");
    add_row(to, row, executions, own);
    add_work(to, &op->the_case, op->the_case.context, executions);
    return BM_OK;
}

enum bm_status bm_sum_add_pass(const struct bm_model *model, const struct bm_sum_pass *pass,
                               struct bm_sum *sum, struct bm_serving_point *point, struct bm_error *error) {
    struct adding to = {pass, sum, point, 0, error};
    struct bm_op ops[BM_MAX_OPS];
    size_t count;
    enum bm_status status = bm_model_ops(model, &pass->request, ops, &count, error);
    for (size_t i = 0; status == BM_OK && i < count; i++)
        if (!pass->skip_logits || !is_logits(ops[i].name))
            status = add_op(&to, &ops[i]);
    return status;
}
