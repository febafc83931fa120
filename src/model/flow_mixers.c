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

/* ---- latent attention ---- */

/* Queries as [m, heads, head_dim], of which all but the last qk_rope_dim stay as they are. */
static unsigned latent_queries(struct bm_flow_build *build, unsigned input) {
    if (build->model->q_lora == 0)
        return bm_flow_matmul(build, "q", input);
    const unsigned latents = bm_flow_matmul(build, "q_a", input);
    struct bm_flow_node *node = bm_flow_add(build, "q_a_norm");
    bm_flow_link(node, "inputs", latents);
    bm_flow_link(node, "outputs", latents);
    bm_flow_link(node, "weights", bm_flow_gains(build, build->model->q_lora));
    return bm_flow_matmul(build, "q_b", latents);
}

/* Rows [latent | rotated part of every key], both as they are cached. */
static unsigned latent_rows(struct bm_flow_build *build, unsigned input) {
    const uint32_t latent = build->model->kv_lora, rotated = build->model->qk_rope_dim;
    const unsigned rows = bm_flow_matmul(build, "kv_a", input);
    struct bm_flow_node *node = bm_flow_add(build, "kv_a_norm");
    bm_flow_link_part(node, "inputs", rows, 0, latent + rotated, 0);
    bm_flow_link_part(node, "outputs", rows, 0, latent + rotated, 0);
    bm_flow_link(node, "weights", bm_flow_gains(build, latent));
    node = bm_flow_add(build, "k_rope");
    bm_flow_link_part(node, "inputs", rows, latent, latent + rotated, 0);
    bm_flow_link_part(node, "outputs", rows, latent, latent + rotated, 0);
    bm_flow_link(node, "angles", angles(build, rotated));
    return rows;
}

/* The ends of the queries' heads, to the ends of `to`'s, which are `width` apart. */
static void rotate_ends(struct bm_flow_build *build, unsigned queries, unsigned to, uint64_t width) {
    const struct bm_model *model = build->model;
    const uint64_t d = model->head_dim, rotated = model->qk_rope_dim;
    struct bm_flow_node *node = bm_flow_add(build, "rope");
    bm_flow_link_part(node, "inputs", queries, d - rotated, model->heads * d, d);
    bm_flow_link_part(node, "outputs", to, width - rotated, model->heads * width, width);
    bm_flow_link(node, "angles", angles(build, model->qk_rope_dim));
}

/* Every head's keys or values of the tokens so far: a layer is done with them before the next one. */
static unsigned expanded(struct bm_flow_build *build, const char *name, uint32_t size) {
    const struct bm_op *op = bm_flow_op(build, "kv_expand");
    const enum bm_element kv = op != NULL ? bm_case_kv(&op->the_case) : BM_ELEMENT_F32;
    const unsigned index = bm_flow_value(
        build, name, kv, (uint64_t)build->request->batch * build->model->heads * build->capacity * size);
    if (build->status == BM_OK && build->position > 0)
        build->flow->values[index].content = BM_FLOW_SEEDED;
    return index;
}

static void attend_expanded(struct bm_flow_build *build, unsigned queries, unsigned rows, unsigned attended) {
    const struct bm_model *model = build->model;
    const uint64_t width = (uint64_t)model->kv_lora + model->qk_rope_dim, d = model->head_dim;
    const uint64_t k_line = build->capacity * d, v_line = (uint64_t)build->capacity * model->v_dim;
    const unsigned keys = expanded(build, "expanded keys", model->head_dim),
                   values = expanded(build, "expanded values", model->v_dim);
    const unsigned parts =
        bm_flow_value(build, "kv_b", build->request->dtype->output,
                      build->m * model->heads * ((uint64_t)model->qk_nope_dim + model->v_dim));
    struct bm_flow_node *node = bm_flow_add(build, "kv_b");
    bm_flow_link_part(node, "activations", rows, 0, build->m > 1 ? width : 0, 0);
    bm_flow_link(node, "outputs", parts);
    node = bm_flow_add(build, "kv_expand");
    bm_flow_link(node, "inputs", parts);
    bm_flow_link_part(node, "shared", rows, model->kv_lora, width, 0);
    bm_flow_link_part(node, "keys", keys, build->position * d, k_line, 0);
    bm_flow_link_part(node, "values", values, (uint64_t)build->position * model->v_dim, v_line, 0);
    node = bm_flow_add(build, "attn");
    bm_flow_link(node, "queries", queries);
    bm_flow_link_part(node, "keys", keys, 0, k_line, 0);
    bm_flow_link_part(node, "values", values, 0, v_line, 0);
    bm_flow_link(node, "outputs", attended);
}

/* The projection into the latent goes into the queries, that out of it onto what was attended. */
static void attend_latents(struct bm_flow_build *build, unsigned queries, unsigned absorbed, unsigned latents,
                           unsigned attended) {
    const struct bm_model *model = build->model;
    const uint64_t width = (uint64_t)model->kv_lora + model->qk_rope_dim;
    const unsigned sums = bm_flow_value(build, "attended latents", bm_flow_element(build),
                                        build->m * model->heads * model->kv_lora);
    struct bm_flow_node *node = bm_flow_add(build, "kv_b_queries");
    bm_flow_link_part(node, "activations", queries, 0, model->head_dim, 0);
    bm_flow_link_part(node, "outputs", absorbed, 0, width, 0);
    node = bm_flow_add(build, "attn");
    bm_flow_link(node, "queries", absorbed);
    bm_flow_link_part(node, "cache", latents, 0, build->capacity * width, 0);
    bm_flow_link(node, "outputs", sums);
    node = bm_flow_add(build, "kv_b_values");
    bm_flow_link(node, "activations", sums);
    bm_flow_link(node, "outputs", attended);
}

unsigned bm_flow_latent_attention(struct bm_flow_build *build, unsigned input) {
    const struct bm_model *model = build->model;
    const bool prefill = build->request->phase == BM_PHASE_PREFILL;
    const uint32_t width = model->kv_lora + model->qk_rope_dim;
    const struct bm_op *op = bm_flow_op(build, "kv_write");
    const unsigned queries = latent_queries(build, input), rows = latent_rows(build, input);
    if (op == NULL || !op->has_case || build->status != BM_OK) {
        bm_flow_add(build, "kv_write");
        return 0;
    }
    build->mixer++;
    const unsigned latents = cache(build, "latents", bm_case_kv(&op->the_case), 1, width);
    const unsigned gains = bm_flow_gains(build, model->kv_lora); /* past rows went through the same norm */
    if (build->status == BM_OK)
        build->flow->values[latents].amplitude = build->flow->values[gains].amplitude;
    struct bm_flow_node *node = bm_flow_add(build, "kv_write");
    bm_flow_link(node, "inputs", rows);
    bm_flow_link_part(node, "keys", latents, (uint64_t)build->position * width,
                      (uint64_t)build->capacity * width, 0);
    const unsigned attended =
        bm_flow_value(build, "attended", bm_flow_element(build), build->m * model->heads * model->v_dim);
    if (prefill) {
        rotate_ends(build, queries, queries, model->head_dim);
        attend_expanded(build, queries, rows, attended);
    } else {
        const unsigned absorbed =
            bm_flow_value(build, "absorbed queries", bm_flow_element(build), build->m * model->heads * width);
        rotate_ends(build, queries, absorbed, width);
        attend_latents(build, queries, absorbed, latents, attended);
    }
    return bm_flow_matmul(build, "attn_out", attended);
}

/* ---- Mamba-2 ---- */

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
