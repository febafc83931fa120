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

/* Heads of rows of a projection, normalised where they are. Their weights are about 1, and none follow: what
 * is next are scores, of the heads' own size. */
static void normalise(struct bm_flow_build *build, bool has_kv, unsigned rows, uint64_t width) {
    const uint64_t head_pitch =
        has_kv ? build->model->head_dim : 0; /* rows of queries alone are just heads */
    struct bm_flow_node *node = bm_flow_add(build, has_kv ? "qk_norm" : "q_norm");
    bm_flow_link_part(node, "inputs", rows, 0, has_kv ? width : 0, head_pitch);
    bm_flow_link_part(node, "outputs", rows, 0, has_kv ? width : 0, head_pitch);
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

/* Keys and values of the mixer's cache from token `first` on, and of an int8 cache their scales. */
static void link_cache(struct bm_flow_build *build, struct bm_flow_node *node, enum bm_element kv,
                       uint32_t first) {
    static const struct {
        const char *tensor;
        bool scales;
    } parts[] = {{"keys", false}, {"values", false}, {"key scales", true}, {"value scales", true}};
    for (size_t i = 0; i < BM_COUNT_OF(parts); i++) {
        const uint32_t size = parts[i].scales ? 1 : build->model->head_dim;
        if (parts[i].scales && kv != BM_ELEMENT_I8)
            continue;
        const unsigned lines = bm_flow_cache(build, parts[i].tensor, parts[i].scales ? BM_ELEMENT_F32 : kv,
                                             build->model->kv_heads, size);
        bm_flow_link_part(node, parts[i].tensor, lines, (uint64_t)first * size,
                          (uint64_t)build->capacity * size, 0);
    }
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
    const unsigned rows = bm_flow_matmul(build, has_kv ? "qkv" : "q", input);
    if (model->qk_norm == BM_QK_NORM_BEFORE_ROPE)
        normalise(build, has_kv, rows, width);
    if (model->learned_positions == 0)
        rotate(build, has_kv ? "rope" : "q_rope", rows, width);
    if (model->qk_norm == BM_QK_NORM_AFTER_ROPE)
        normalise(build, has_kv, rows, width);
    if (has_kv) {
        build->mixer++;
        struct bm_flow_node *node = bm_flow_add(build, "kv_write");
        bm_flow_link_part(node, "inputs", rows, 0, width, 0);
        link_cache(build, node, kv, build->position);
    }
    /* Of what is cached the case sees the last tokens; in prefill it knows its window. */
    const uint32_t seen =
        op->the_case.context + (build->request->phase == BM_PHASE_PREFILL ? build->tokens : 0);
    const unsigned attended = bm_flow_value(build, "attended", bm_flow_element(build), build->m * queries);
    struct bm_flow_node *node = bm_flow_add(build, op->name);
    bm_flow_link_part(node, "queries", rows, 0, width, 0);
    link_cache(build, node, kv, build->position + build->tokens - seen);
    bm_flow_link(node, "outputs", attended);
    return bm_flow_matmul(build, "attn_out", attended);
}
