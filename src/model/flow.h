/* flow.h - a flow under construction, private to src/model. */
#ifndef BM_MODEL_FLOW_H
#define BM_MODEL_FLOW_H

#include "bm/model.h"

/* A flow while its nodes are listed. The first failure stays in status; later calls do nothing. */
struct bm_flow_build {
    const struct bm_model *model;
    const struct bm_request *request; /* of the step that is being added */
    struct bm_flow *flow;
    const struct bm_op *ops; /* of that step */
    size_t op_count;
    uint64_t m;             /* rows of activations */
    uint32_t tokens;        /* new ones of a sequence */
    uint32_t position;      /* of the first new one */
    uint32_t capacity;      /* tokens that a sequence's cache has room for */
    uint32_t mixer;         /* layers so far that keep a cache: whose it is */
    unsigned hidden, other; /* values: the residual stream, and where its next state goes */
    struct bm_error *error;
    enum bm_status status;
};

/* The operation of that name, or NULL. */
const struct bm_op *bm_flow_op(const struct bm_flow_build *build, const char *name);
/* Appends its execution; BM_UNSUPPORTED when nothing runs it. Never NULL: after a failure a node of no
 * effect. The node is valid until the next one. */
struct bm_flow_node *bm_flow_add(struct bm_flow_build *build, const char *name);
/* The value of that name, made when it is first asked for, and as large as it ever is. */
unsigned bm_flow_value(struct bm_flow_build *build, const char *name, enum bm_element element,
                       uint64_t count);
/* Where rows are as dense as they stand alone. */
void bm_flow_link(struct bm_flow_node *node, const char *tensor, unsigned value);
void bm_flow_link_part(struct bm_flow_node *node, const char *tensor, unsigned value, uint64_t offset,
                       uint64_t pitch, uint64_t head_pitch);
/* Of the activations. */
enum bm_element bm_flow_element(const struct bm_flow_build *build);

/* What a mixer or FFN reads: the normalised residual stream, as a value. */
unsigned bm_flow_norm(struct bm_flow_build *build);
/* Factors of a normalisation to n elements, so small that products of n of them with weights are as large as
 * the weights' inputs would be: as a value. */
unsigned bm_flow_gains(struct bm_flow_build *build, uint64_t n);
/* Adds what a mixer or FFN gave to the residual stream. */
void bm_flow_residual(struct bm_flow_build *build, unsigned value);
/* op's product of `input`, [m, k], as a value [m, n]. */
unsigned bm_flow_matmul(struct bm_flow_build *build, const char *name, unsigned input);
/* Cosines and sines of the step's positions, [tokens, width], the same for every layer: as a value. */
unsigned bm_flow_angles(struct bm_flow_build *build, uint32_t width);
/* What mixer number build->mixer keeps of tokens, [batch, KV heads, capacity, size], those before the step
 * from the start: as a value. */
unsigned bm_flow_cache(struct bm_flow_build *build, const char *of, enum bm_element element,
                       uint32_t kv_heads, uint32_t size);
/* A mixer between norm and residual: each returns its output as a value. */
unsigned bm_flow_attention(struct bm_flow_build *build, uint32_t layer, unsigned input);
unsigned bm_flow_latent_attention(struct bm_flow_build *build, unsigned input);
unsigned bm_flow_mamba(struct bm_flow_build *build, unsigned input);
unsigned bm_flow_experts(struct bm_flow_build *build, unsigned input);
unsigned bm_flow_dense(struct bm_flow_build *build, unsigned input);

#endif
