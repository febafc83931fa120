/* flow_latent.c - what flows through multi-head latent attention: a prompt expands latents into keys and
 * values of every head, a decode step takes queries into the latents' own space instead (src/model/ops.c). */
#include "flow.h"

/* Rows that norms and rotations change where they are: queries [heads, nope + rope], latents [kv_lora +
 * rope]. */
struct latent {
    uint64_t queries, nope,
        latent; /* elements: of all queries of a token, of a head before what is rotated, cached */
    unsigned query_rows, latent_rows;
};

static void normalise_latent(struct bm_flow_build *build, const char *name, unsigned from, unsigned to,
                             uint64_t pitch, uint64_t n) {
    struct bm_flow_node *node = bm_flow_add(build, name);
    bm_flow_link_part(node, "inputs", from, 0, pitch, 0);
    bm_flow_link_part(node, "outputs", to, 0, pitch, 0);
    bm_flow_link(node, "weights", bm_flow_gains(build, n));
}

static void project_latents(struct bm_flow_build *build, unsigned input, struct latent *of) {
    const struct bm_model *model = build->model;
    if (model->q_lora > 0) {
        const unsigned low = bm_flow_matmul(build, "q_a", input);
        const unsigned normalised =
            bm_flow_value(build, "q_a_norm", bm_flow_element(build), build->m * model->q_lora);
        normalise_latent(build, "q_a_norm", low, normalised, 0, model->q_lora);
        of->query_rows = bm_flow_matmul(build, "q_b", normalised);
    } else {
        of->query_rows = bm_flow_matmul(build, "q", input);
    }
    of->latent_rows = bm_flow_matmul(build, "kv_a", input);
    normalise_latent(build, "kv_a_norm", of->latent_rows, of->latent_rows, of->latent, model->kv_lora);
}

/* Tails of queries go to `to`, whose heads are `wide` and begin with `before` other elements. */
static void rotate_latents(struct bm_flow_build *build, const struct latent *of, unsigned to, uint64_t before,
                           uint64_t wide) {
    const struct bm_model *model = build->model;
    const unsigned table = bm_flow_angles(build, model->qk_rope_dim);
    struct bm_flow_node *node = bm_flow_add(build, "rope");
    bm_flow_link_part(node, "inputs", of->query_rows, of->nope, of->queries, model->head_dim);
    bm_flow_link_part(node, "outputs", to, before, model->heads * wide, wide);
    bm_flow_link(node, "angles", table);
    node = bm_flow_add(build, "k_rope");
    bm_flow_link_part(node, "inputs", of->latent_rows, model->kv_lora, of->latent, 0);
    bm_flow_link_part(node, "outputs", of->latent_rows, model->kv_lora, of->latent, 0);
    bm_flow_link(node, "angles", table);
}

/* The format of the cache that an op reads or writes; of one that nothing runs any will do. */
static enum bm_element cached_by(const struct bm_flow_build *build, const char *name) {
    const struct bm_op *op = bm_flow_op(build, name);
    return op != NULL && op->has_case ? bm_case_kv(&op->the_case) : bm_flow_element(build);
}

static unsigned write_latents(struct bm_flow_build *build, const struct latent *of) {
    build->mixer++;
    const unsigned latents =
        bm_flow_cache(build, "latents", cached_by(build, "kv_write"), 1, (uint32_t)of->latent);
    const unsigned gains = bm_flow_gains(build, build->model->kv_lora);
    struct bm_flow_node *node = bm_flow_add(build, "kv_write");
    bm_flow_link(node, "inputs", of->latent_rows);
    bm_flow_link_part(node, "keys", latents, build->position * of->latent, build->capacity * of->latent, 0);
    if (build->status == BM_OK) /* as large as what is written beside it */
        build->flow->values[latents].amplitude = build->flow->values[gains].amplitude;
    return latents;
}

/* Keys and values of every head, out of the latents of the prompt; those of earlier tokens are there. */
static unsigned attend_expanded(struct bm_flow_build *build, const struct latent *of) {
    const struct bm_model *model = build->model;
    const enum bm_element element = cached_by(build, "attn");
    const uint64_t lines = (uint64_t)build->request->batch * model->heads * build->capacity;
    const unsigned expanded = bm_flow_value(build, "kv_b", build->request->dtype->output,
                                            build->m * model->heads * (of->nope + model->v_dim));
    const unsigned keys = bm_flow_value(build, "expanded keys", element, lines * model->head_dim);
    const unsigned values = bm_flow_value(build, "expanded values", element, lines * model->v_dim);
    const unsigned attended =
        bm_flow_value(build, "attended", bm_flow_element(build), build->m * model->heads * model->v_dim);
    struct bm_flow_node *node = bm_flow_add(build, "kv_b");
    bm_flow_link_part(node, "activations", of->latent_rows, 0, build->m > 1 ? of->latent : 0, 0);
    bm_flow_link(node, "outputs", expanded);
    node = bm_flow_add(build, "kv_expand");
    bm_flow_link(node, "inputs", expanded);
    bm_flow_link_part(node, "shared", of->latent_rows, model->kv_lora, of->latent, 0);
    bm_flow_link_part(node, "keys", keys, (uint64_t)build->position * model->head_dim,
                      (uint64_t)build->capacity * model->head_dim, 0);
    bm_flow_link_part(node, "values", values, (uint64_t)build->position * model->v_dim,
                      (uint64_t)build->capacity * model->v_dim, 0);
    node = bm_flow_add(build, "attn");
    bm_flow_link(node, "queries", of->query_rows);
    bm_flow_link(node, "keys", keys);
    bm_flow_link(node, "values", values);
    bm_flow_link(node, "outputs", attended);
    if (build->status == BM_OK && build->position > 0)
        build->flow->values[keys].content = build->flow->values[values].content = BM_FLOW_SEEDED;
    return attended;
}

/* Queries and outputs head by head in the latents' own space, where all heads share the cache. */
static unsigned attend_absorbed(struct bm_flow_build *build, const struct latent *of, unsigned queries,
                                unsigned latents) {
    const struct bm_model *model = build->model;
    const enum bm_element output = build->request->dtype->output;
    const unsigned attended =
        bm_flow_value(build, "latent outputs", output, build->m * model->heads * model->kv_lora);
    const unsigned values =
        bm_flow_value(build, "kv_b_values", output, build->m * model->heads * model->v_dim);
    struct bm_flow_node *node = bm_flow_add(build, "kv_b_queries");
    bm_flow_link_part(node, "activations", of->query_rows, 0, model->head_dim, 0);
    bm_flow_link_part(node, "outputs", queries, 0, of->latent, 0);
    node = bm_flow_add(build, "attn");
    bm_flow_link(node, "queries", queries);
    bm_flow_link_part(node, "cache", latents, 0, build->capacity * of->latent, 0);
    bm_flow_link(node, "outputs", attended);
    node = bm_flow_add(build, "kv_b_values");
    bm_flow_link(node, "activations", attended);
    bm_flow_link(node, "outputs", values);
    return values;
}

unsigned bm_flow_latent_attention(struct bm_flow_build *build, unsigned input) {
    const struct bm_model *model = build->model;
    const bool prefill = build->request->phase == BM_PHASE_PREFILL;
    struct latent of = {.queries = (uint64_t)model->heads * model->head_dim,
                        .nope = model->qk_nope_dim,
                        .latent = (uint64_t)model->kv_lora + model->qk_rope_dim};
    project_latents(build, input, &of);
    if (prefill) {
        rotate_latents(build, &of, of.query_rows, of.nope, model->head_dim);
        write_latents(build, &of);
        return bm_flow_matmul(build, "attn_out", attend_expanded(build, &of));
    }
    const unsigned queries =
        bm_flow_value(build, "latent queries", bm_flow_element(build), build->m * model->heads * of.latent);
    rotate_latents(build, &of, queries, model->kv_lora, of.latent);
    const unsigned latents = write_latents(build, &of);
    return bm_flow_matmul(build, "attn_out", attend_absorbed(build, &of, queries, latents));
}
