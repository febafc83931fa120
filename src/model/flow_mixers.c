/* flow_mixers.c - what flows through the mixers of a layer: attention, and Mamba-2. */
#include "flow.h"

#include <stdio.h>

/* Cosines and sines of the step's positions: [tokens, width], the same for every layer. */
static unsigned angles(struct bm_flow_build *build, uint32_t width) {
    char name[32];
    snprintf(name, sizeof name, "angles %u of %u", build->position, width);
    const unsigned index = bm_flow_value(build, name, BM_ELEMENT_F32, (uint64_t)build->tokens * width);
    if (build->status != BM_OK)
        return 0;
    struct bm_flow_value *value = &build->flow->values[index];
    value->content = BM_FLOW_ANGLES;
    value->first = build->position;
    value->width = width;
    return index;
}

/* Heads of rows of a projection, rotated where they are. */
static void rotate(struct bm_flow_build *build, const char *name, unsigned rows, uint64_t width) {
    const uint32_t head_dim = build->model->head_dim;
    struct bm_flow_node *node = bm_flow_add(build, name);
    bm_flow_link_part(node, "inputs", rows, 0, width, head_dim);
    bm_flow_link_part(node, "outputs", rows, 0, width, head_dim);
    bm_flow_link(node, "angles", angles(build, head_dim));
}

/* Keys or values of a mixer's cache, [batch, KV heads, capacity, size]. Past ones are there from the start.
 */
static unsigned cache(struct bm_flow_build *build, const char *of, enum bm_element element, uint32_t kv_heads,
                      uint32_t size) {
    char name[32];
    snprintf(name, sizeof name, "%s %u", of, build->mixer);
    const unsigned index = bm_flow_value(build, name, element,
                                         (uint64_t)build->request->batch * kv_heads * build->capacity * size);
    if (build->status != BM_OK)
        return 0;
    build->flow->values[index].content = BM_FLOW_SEEDED;
    build->flow->values[index].rotates = true;
    return index;
}

unsigned bm_flow_attention(struct bm_flow_build *build, uint32_t layer, unsigned input) {
    const struct bm_model *model = build->model;
    const uint32_t shared = model->kv_shared_layers > 1 ? model->kv_shared_layers : 1, d = model->head_dim;
    const bool has_kv = layer % shared == 0,
               windowed = layer % 2 == 0 && bm_flow_op(build, "attn_window") != NULL;
    const uint64_t queries = (uint64_t)model->heads * d;
    const uint64_t width = queries + (has_kv ? 2 * (uint64_t)model->kv_heads * d : 0);
    const struct bm_op *op = bm_flow_op(build, windowed ? "attn_window" : "attn");
    if (op == NULL || !op->has_case) {
        bm_flow_add(build, windowed ? "attn_window" : "attn");
        return 0;
    }
    const enum bm_element kv = bm_case_kv(&op->the_case);
    const uint64_t line = (uint64_t)build->capacity * d, new_ones = (uint64_t)build->position * d;
    const unsigned rows = bm_flow_matmul(build, has_kv ? "qkv" : "q", input);
    if (model->learned_positions == 0)
        rotate(build, has_kv ? "rope" : "q_rope", rows, width);
    if (has_kv)
        build->mixer++;
    const unsigned keys = cache(build, "keys", kv, model->kv_heads, d),
                   values = cache(build, "values", kv, model->kv_heads, d);
    if (has_kv) {
        struct bm_flow_node *node = bm_flow_add(build, "kv_write");
        bm_flow_link_part(node, "inputs", rows, 0, width, 0);
        bm_flow_link_part(node, "keys", keys, new_ones, line, 0);
        bm_flow_link_part(node, "values", values, new_ones, line, 0);
    }
    /* Of what is cached the case sees the last tokens; in prefill it knows its window. */
    const uint32_t seen =
        op->the_case.context + (build->request->phase == BM_PHASE_PREFILL ? build->tokens : 0);
    const uint64_t from = ((uint64_t)build->position + build->tokens - seen) * d;
    const unsigned attended = bm_flow_value(build, "attended", bm_flow_element(build), build->m * queries);
    struct bm_flow_node *node = bm_flow_add(build, op->name);
    bm_flow_link_part(node, "queries", rows, 0, width, 0);
    bm_flow_link_part(node, "keys", keys, from, line, 0);
    bm_flow_link_part(node, "values", values, from, line, 0);
    bm_flow_link(node, "outputs", attended);
    return bm_flow_matmul(build, "attn_out", attended);
}

/* Ops of which each has seeded inputs of its own, then `last`, a product that goes on. */
static unsigned apart(struct bm_flow_build *build, const char *const names[], const char *last) {
    for (size_t i = 0; names[i] != NULL; i++)
        if (bm_flow_op(build, names[i]) != NULL)
            bm_flow_add(build, names[i]);
    build->interrupted = true;
    const struct bm_op *op = bm_flow_op(build, last);
    const unsigned output = bm_flow_value(build, last, build->request->dtype->output,
                                          op != NULL ? op->the_case.m * op->the_case.n : 0);
    bm_flow_link(bm_flow_add(build, last), "outputs", output);
    return output;
}

unsigned bm_flow_latent_attention(struct bm_flow_build *build, unsigned input) {
    static const char *const names[] = {"q_a",       "q_a_norm",     "q_b",    "q",           "kv_a",
                                        "kv_a_norm", "rope",         "k_rope", "kv_write",    "kv_b",
                                        "kv_expand", "kv_b_queries", "attn",   "kv_b_values", NULL};
    (void)input;
    return apart(build, names, "attn_out");
}

/* What a step leaves for the next one: it reads one value and writes another, turn about, so that what it
 * read can be read again. */
static void link_state(struct bm_flow_build *build, struct bm_flow_node *node, const char *of,
                       enum bm_element element, uint64_t count) {
    const bool decode = build->request->phase == BM_PHASE_DECODE;
    for (unsigned written = !decode; written < 2; written++) {
        char name[32];
        snprintf(name, sizeof name, "%s %u %s", of, build->mixer,
                 (build->position + written) % 2 ? "odd" : "even");
        const unsigned index = bm_flow_value(build, name, element, count);
        if (build->status != BM_OK)
            return;
        build->flow->values[index].content = BM_FLOW_SEEDED;
        build->flow->values[index].rotates = true;
        bm_flow_link(node, written ? "states" : "states before", index);
    }
}

/* Rows of the projection in are [z | x, B, C | steps], inner + channels + heads wide, and begin where vectors
 * do. */
enum { ROW_ALIGNMENT = 64 };
unsigned bm_flow_mamba(struct bm_flow_build *build, unsigned input) {
    const struct bm_model *model = build->model;
    const uint64_t inner = (uint64_t)model->mamba_heads * model->mamba_head_dim;
    const uint64_t channels = inner + 2 * (uint64_t)model->mamba_groups * model->mamba_state;
    const uint64_t wide = inner + channels + model->mamba_heads, batch = build->request->batch;
    const uint64_t width = (wide + ROW_ALIGNMENT - 1) / ROW_ALIGNMENT * ROW_ALIGNMENT;
    const enum bm_element element = bm_flow_element(build);
    const unsigned rows = bm_flow_value(build, "in_proj", build->request->dtype->output, build->m * width);
    const unsigned convolved = bm_flow_value(build, "conv", element, build->m * channels);
    const unsigned scanned = bm_flow_value(build, "scan", build->request->dtype->output, build->m * inner);
    const unsigned gated = bm_flow_value(build, "ssm_gate", element, build->m * inner);
    const unsigned normalised = bm_flow_value(build, "ssm_norm", element, build->m * inner);
    build->mixer++;

    struct bm_flow_node *node = bm_flow_add(build, "in_proj");
    bm_flow_link(node, "activations", input);
    bm_flow_link_part(node, "outputs", rows, 0, build->m > 1 ? width : 0, 0);
    node = bm_flow_add(build, "conv");
    bm_flow_link_part(node, "inputs", rows, inner, width, 0);
    bm_flow_link(node, "outputs", convolved);
    link_state(build, node, "inputs", element, batch * (model->mamba_conv - 1) * channels);
    node = bm_flow_add(build, "scan");
    bm_flow_link(node, "rows", convolved);
    bm_flow_link_part(node, "steps", rows, inner + channels, width, 0);
    bm_flow_link(node, "outputs", scanned);
    link_state(build, node, "states", BM_ELEMENT_F32, batch * inner * model->mamba_state);
    node = bm_flow_add(build, "ssm_gate");
    bm_flow_link_part(node, "gates", rows, 0, width, 0);
    bm_flow_link(node, "ups", scanned);
    bm_flow_link(node, "outputs", gated);
    node = bm_flow_add(build, "ssm_norm");
    bm_flow_link(node, "inputs", gated);
    bm_flow_link(node, "outputs", normalised);
    bm_flow_link(node, "weights", bm_flow_gains(build, inner));
    return bm_flow_matmul(build, "out_proj", normalised);
}
