/* flow.c - what flows between the operations of a pass, layer after layer.
 *
 * Random weights would make numbers grow from product to product until no format holds them, so the factors
 * of each normalisation are 1 / sqrt(n) where n is what the products that follow sum over: as those of a
 * trained network, products are then about as large as what was normalised. Which experts a token goes to
 * does not follow from its router's logits, which say nothing with random weights, but is drawn (DESIGN
 * "Formulas"); all arithmetic on the way is done. */
#include "flow.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- nodes and values ---- */

const struct bm_op *bm_flow_op(const struct bm_flow_build *build, const char *name) {
    for (size_t i = 0; i < build->op_count; i++)
        if (strcmp(build->ops[i].name, name) == 0)
            return &build->ops[i];
    return NULL;
}

static unsigned case_index(struct bm_flow_build *build, const struct bm_case *the_case) {
    struct bm_flow *flow = build->flow;
    for (size_t i = 0; i < flow->case_count; i++)
        if (strcmp(flow->cases[i].op, the_case->op) == 0 && bm_case_same_work(&flow->cases[i], the_case))
            return (unsigned)i;
    build->status =
        bm_grow(&flow->cases, &flow->case_capacity, flow->case_count + 1, sizeof *flow->cases, build->error);
    if (build->status != BM_OK)
        return 0;
    flow->cases[flow->case_count] = *the_case;
    return (unsigned)flow->case_count++;
}

struct bm_flow_node *bm_flow_add(struct bm_flow_build *build, const char *name) {
    static _Thread_local struct bm_flow_node nowhere;
    struct bm_flow *flow = build->flow;
    const struct bm_op *op = bm_flow_op(build, name);
    nowhere = (struct bm_flow_node){0};
    if (build->status != BM_OK)
        return &nowhere;
    if (op == NULL)
        build->status = bm_fail(build->error, BM_INTERNAL, "%s has no %s", build->model->id, name);
    else if (!op->has_case)
        build->status =
            bm_fail(build->error, BM_UNSUPPORTED, "nothing runs %s yet, so the whole cannot be run", name);
    else
        build->status = bm_grow(&flow->nodes, &flow->node_capacity, flow->node_count + 1, sizeof *flow->nodes,
                                build->error);
    if (build->status != BM_OK)
        return &nowhere;
    const unsigned index = case_index(build, &op->the_case);
    if (build->status != BM_OK)
        return &nowhere;
    struct bm_flow_node *node = &flow->nodes[flow->node_count++];
    *node = (struct bm_flow_node){.case_index = index};
    return node;
}

void bm_flow_link_part(struct bm_flow_node *node, const char *tensor, unsigned value, uint64_t offset,
                       uint64_t pitch, uint64_t head_pitch) {
    if (node->link_count == BM_FLOW_LINKS) /* a node of no effect: none of ours has so many */
        return;
    node->links[node->link_count++] = (struct bm_flow_link){
        .tensor = tensor, .value = value, .offset = offset, .pitch = pitch, .head_pitch = head_pitch};
}

void bm_flow_link(struct bm_flow_node *node, const char *tensor, unsigned value) {
    bm_flow_link_part(node, tensor, value, 0, 0, 0);
}

unsigned bm_flow_value(struct bm_flow_build *build, const char *name, enum bm_element element,
                       uint64_t count) {
    struct bm_flow *flow = build->flow;
    if (build->status != BM_OK)
        return 0;
    for (size_t i = 0; i < flow->value_count; i++)
        if (strcmp(flow->values[i].name, name) == 0 && flow->values[i].element == element) {
            if (flow->values[i].count < count)
                flow->values[i].count = count;
            return (unsigned)i;
        }
    build->status = bm_grow(&flow->values, &flow->value_capacity, flow->value_count + 1, sizeof *flow->values,
                            build->error);
    if (build->status != BM_OK)
        return 0;
    struct bm_flow_value *value = &flow->values[flow->value_count];
    *value = (struct bm_flow_value){.element = element, .count = count, .amplitude = 1};
    bm_string_set(value->name, sizeof value->name, name);
    return (unsigned)flow->value_count++;
}

enum bm_element bm_flow_element(const struct bm_flow_build *build) {
    return build->request->dtype->activation;
}

/* ---- what all layers have ---- */

unsigned bm_flow_gains(struct bm_flow_build *build, uint64_t n) {
    const struct bm_dtype *dtype = build->request->dtype;
    const double weight = bm_dtype_weight_deviation(dtype);
    char name[32];
    snprintf(name, sizeof name, "gains of %llu", (unsigned long long)n);
    const unsigned index = bm_flow_value(build, name, bm_flow_element(build), n);
    if (build->status != BM_OK)
        return 0;
    struct bm_flow_value *value = &build->flow->values[index];
    value->content = BM_FLOW_SEEDED;
    value->amplitude = (float)(1 / (sqrt((double)n) * weight));
    if (dtype->activation == BM_ELEMENT_F16 &&
        weight > 8) /* further down weights act on their own: f16 ends at 65504 */
        value->amplitude *= (float)(8 / weight);
    return index;
}

static void normalise(struct bm_flow_build *build, const char *name, unsigned to, uint64_t offset,
                      uint64_t pitch) {
    const uint64_t n = build->model->hidden;
    struct bm_flow_node *node = bm_flow_add(build, name);
    bm_flow_link_part(node, "inputs", build->hidden, offset, pitch, 0);
    bm_flow_link(node, "outputs", to);
    bm_flow_link(node, "weights", bm_flow_gains(build, n));
    if (build->model->ffn == BM_FFN_GELU) /* LayerNorm's */
        bm_flow_link(node, "biases", bm_flow_gains(build, n));
}

unsigned bm_flow_norm(struct bm_flow_build *build) {
    const unsigned to =
        bm_flow_value(build, "normalised", bm_flow_element(build), build->m * build->model->hidden);
    normalise(build, "norm", to, 0, 0);
    return to;
}

void bm_flow_residual(struct bm_flow_build *build, unsigned value) {
    struct bm_flow_node *node = bm_flow_add(build, "residual");
    bm_flow_link(node, "inputs", build->hidden);
    bm_flow_link(node, "added", value);
    bm_flow_link(node, "outputs", build->other);
    const unsigned now = build->other;
    build->other = build->hidden;
    build->hidden = now;
}

unsigned bm_flow_matmul(struct bm_flow_build *build, const char *name, unsigned input) {
    const struct bm_op *op = bm_flow_op(build, name);
    const uint64_t count = op != NULL ? op->the_case.m * op->the_case.n : 0;
    const unsigned output = bm_flow_value(build, name, build->request->dtype->output, count);
    struct bm_flow_node *node = bm_flow_add(build, name);
    bm_flow_link(node, "activations", input);
    bm_flow_link(node, "outputs", output);
    return output;
}

/* ---- feed-forward networks ---- */

/* silu(gate) x up, whose rows a projection left as [gate | up], or GELU; m rows of n outputs. */
static unsigned activate(struct bm_flow_build *build, const char *name, unsigned input, uint64_t m,
                         uint64_t n) {
    const unsigned output = bm_flow_value(build, name, bm_flow_element(build), m * n);
    struct bm_flow_node *node = bm_flow_add(build, name);
    if (build->model->ffn == BM_FFN_SWIGLU) {
        bm_flow_link_part(node, "gates", input, 0, 2 * n, 0);
        bm_flow_link_part(node, "ups", input, n, 2 * n, 0);
    } else {
        bm_flow_link(node, "inputs", input);
    }
    bm_flow_link(node, "outputs", output);
    return output;
}

unsigned bm_flow_dense(struct bm_flow_build *build, unsigned input) {
    const struct bm_model *model = build->model;
    const unsigned up = bm_flow_matmul(build, model->ffn == BM_FFN_SWIGLU ? "ffn_gate_up" : "ffn_up", input);
    return bm_flow_matmul(build, "ffn_down", activate(build, "act", up, build->m, model->intermediate));
}

unsigned bm_flow_experts(struct bm_flow_build *build, unsigned input) {
    const struct bm_model *model = build->model;
    const uint64_t pairs = build->m * model->experts_per_token;
    const unsigned logits = bm_flow_matmul(build, "router", input);
    const unsigned chosen = bm_flow_value(build, "chosen", BM_ELEMENT_F32, 2 * pairs);
    struct bm_flow_node *node = bm_flow_add(build, "top_k");
    bm_flow_link(node, "logits", logits);
    bm_flow_link(node, "outputs", chosen);
    unsigned shared = 0;
    if (model->shared_experts > 0) {
        const uint64_t width = (uint64_t)model->shared_experts * model->expert_intermediate;
        const unsigned up = bm_flow_matmul(build, "shared_gate_up", input);
        shared = bm_flow_matmul(build, "shared_down", activate(build, "shared_act", up, build->m, width));
    }
    const unsigned up = bm_flow_value(build, "experts_gate_up", build->request->dtype->output,
                                      pairs * 2 * model->expert_intermediate);
    node = bm_flow_add(build, "experts_gate_up");
    bm_flow_link(node, "activations", input);
    bm_flow_link(node, "outputs", up);
    const unsigned activated = activate(build, "experts_act", up, pairs, model->expert_intermediate);
    const unsigned down =
        bm_flow_value(build, "experts_down", build->request->dtype->output, pairs * model->hidden);
    node = bm_flow_add(build, "experts_down");
    bm_flow_link(node, "activations", activated);
    bm_flow_link(node, "outputs", down);
    const unsigned sums =
        bm_flow_value(build, "experts_combine", bm_flow_element(build), build->m * model->hidden);
    node = bm_flow_add(build, "experts_combine");
    bm_flow_link(node, "inputs", down);
    bm_flow_link_part(node, "weights", chosen, 0, 2 * (uint64_t)model->experts_per_token, 0);
    if (model->shared_experts > 0)
        bm_flow_link(node, "shared", shared);
    bm_flow_link(node, "outputs", sums);
    return sums;
}

/* ---- a pass ---- */

/* Of `total` places in a row, whether number `index` is one of `share` that are spread evenly. */
static bool is_spread(uint64_t index, uint64_t share, uint64_t total) {
    return (index + 1) * share / total > index * share / total;
}

static void add_mixer(struct bm_flow_build *build, uint32_t *attention, bool is_attention) {
    const unsigned input = bm_flow_norm(build);
    unsigned output;
    if (!is_attention)
        output = bm_flow_mamba(build, input);
    else if (build->model->attention == BM_ATTENTION_MLA)
        output = bm_flow_latent_attention(build, input);
    else
        output = bm_flow_attention(build, (*attention)++, input);
    bm_flow_residual(build, output);
}

static void add_ffn(struct bm_flow_build *build, uint32_t *ffns) {
    const unsigned input = bm_flow_norm(build);
    const bool routed = build->model->experts > 0 && *ffns >= build->model->dense_layers;
    (*ffns)++;
    bm_flow_residual(build, routed ? bm_flow_experts(build, input) : bm_flow_dense(build, input));
}

static void add_layers(struct bm_flow_build *build) {
    const struct bm_model *model = build->model;
    const bool hybrid = model->mamba_layers > 0;
    const uint64_t mixers = hybrid ? (uint64_t)model->attention_layers + model->mamba_layers : model->layers;
    const uint64_t with_attention = hybrid ? model->attention_layers : mixers;
    const uint64_t with_ffn = hybrid ? model->ffn_layers : mixers;
    uint32_t attention = 0, ffns = 0;
    for (uint64_t i = 0; i < mixers && build->status == BM_OK; i++) {
        add_mixer(build, &attention, is_spread(i, with_attention, mixers));
        for (uint64_t f = i * with_ffn / mixers; f < (i + 1) * with_ffn / mixers; f++)
            add_ffn(build, &ffns);
    }
}

/* The last token of each sequence alone goes on to the vocabulary. */
static void add_head(struct bm_flow_build *build) {
    const struct bm_model *model = build->model;
    const uint64_t batch = build->request->batch, tokens = build->tokens;
    const unsigned last = bm_flow_value(build, "last", bm_flow_element(build), batch * model->hidden);
    normalise(build, "final_norm", last, (tokens - 1) * model->hidden, tokens * model->hidden);
    const unsigned logits = bm_flow_matmul(build, "lm_head", last);
    struct bm_flow_node *node = bm_flow_add(build, "softmax");
    bm_flow_link(node, "inputs", logits);
    bm_flow_link(node, "outputs",
                 bm_flow_value(build, "probabilities", BM_ELEMENT_F32, batch * model->vocabulary));
    build->flow->result = logits;
}

static void add_step(struct bm_flow_build *build) {
    const uint64_t count = build->m * build->model->hidden;
    build->hidden = bm_flow_value(build, "stream", bm_flow_element(build), count);
    build->other = bm_flow_value(build, "next stream", bm_flow_element(build), count);
    bm_flow_link(bm_flow_add(build, "embedding"), "outputs", build->hidden);
    build->mixer = 0;
    add_layers(build);
    add_head(build);
}

enum bm_status bm_model_flow(const struct bm_model *model, const struct bm_request *request, uint32_t steps,
                             struct bm_flow *flow, struct bm_error *error) {
    const bool decode = request->phase == BM_PHASE_DECODE;
    struct bm_op *ops = bm_alloc(BM_MAX_OPS, sizeof *ops);
    enum bm_status status = BM_OK;
    *flow = (struct bm_flow){0};
    if (ops == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for a pass");
    if (steps == 0 || (!decode && steps > 1) || (decode && steps > request->context))
        status = bm_fail(error, BM_INVALID, "%s: %u steps cannot end at a context of %u", model->id, steps,
                         request->context);
    for (uint32_t step = 0; status == BM_OK && step < steps; step++) {
        struct bm_request now = *request;
        struct bm_flow_build build = {
            .model = model, .request = &now, .flow = flow, .ops = ops, .error = error};
        if (decode)
            now.context = request->context - steps + 1 + step;
        status = bm_model_ops(model, &now, ops, &build.op_count, error);
        if (status != BM_OK)
            break;
        build.tokens = decode ? 1 : request->tokens;
        build.m = (uint64_t)request->batch * build.tokens;
        build.position = decode ? now.context - 1 : request->context;
        build.capacity = request->context + (decode ? 0 : request->tokens);
        add_step(&build);
        status = build.status;
    }
    if (decode && request->kv == BM_KV_INT8) /* rounds by more than errors of the whole could be told from */
        flow->result = SIZE_MAX;
    free(ops);
    if (status != BM_OK)
        bm_flow_fini(flow);
    return status;
}
