/* flow_attention.c - what flows through attention with keys and values of their own. */
#include "flow.h"

#include <stdio.h>

unsigned bm_flow_angles(struct bm_flow_build *build, uint32_t width) {
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
    bm_flow_link(node, "angles", bm_flow_angles(build, head_dim));
}

/* Keys or values of a mixer's cache, [batch, KV heads, capacity, size]. Past ones are there from the start.
 */
unsigned bm_flow_cache(struct bm_flow_build *build, const char *of, enum bm_element element,
                       uint32_t kv_heads, uint32_t size) {
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
    const unsigned keys = bm_flow_cache(build, "keys", kv, model->kv_heads, d),
                   values = bm_flow_cache(build, "values", kv, model->kv_heads, d);
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
