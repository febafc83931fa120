/* bm/model.h - floor 4: a model's shapes -> the operations of one forward pass, with counts. */
#ifndef BM_MODEL_H
#define BM_MODEL_H

#include "bm/data.h"
#include "bm/flow.h"

/* One forward pass of a request. prefill: batch sequences of `tokens` new tokens after `context` earlier ones
 * (0: none; else a later chunk of a long prompt).
 * decode: one new token for each of batch sequences over `context` tokens in the cache (the new one
 * included). */
struct bm_request {
    enum bm_phase phase;
    const struct bm_dtype *dtype;
    uint32_t batch, tokens, context;
    enum bm_routing routing; /* of tokens to experts */
    enum bm_kv kv; /* what a decode step's cache holds; a prefill attends to what it is about to store */
};

/* An operation as inference engines run it. */
struct bm_op {
    char name[32]; /* "qkv", "ffn_gate_up", "attn", "norm", ... */
    double count;  /* executions in one forward pass; layers usually */
    bool has_case; /* false: no workload measures it yet; `the_case` is then empty */
    struct bm_case the_case;
};
#define BM_MAX_OPS 48

/* Every operation of the pass, in execution order, equal shapes of one name merged. The logits (`lm_head`)
 * are taken of the last token of each sequence only. A case has the batch of the request and the tokens of a
 * sequence that the operation sees (1 for lm_head and in decode); its context is 0 but for attention: the
 * past in prefill, all keys in decode, where windowed layers (`attn_window`) have the window's length; in
 * prefill they have a window. BM_INVALID: a request that the model cannot serve, above its max_context or
 * with more than 2^44 elements in one matrix. */
enum bm_status bm_model_ops(const struct bm_model *model, const struct bm_request *request,
                            struct bm_op ops[BM_MAX_OPS], size_t *count,
                            struct bm_error *error) BM_CHECK_RESULT;

/* The same in order of execution, every layer by itself, with what flows between them: the residual stream
 * from the embedding on, through a KV cache that holds seeded earlier tokens and takes the new ones, to the
 * logits, the flow's result. Decode: `steps` tokens one after the other, the last of them at the request's
 * context; prefill: steps is 1. BM_UNSUPPORTED: nothing runs one of the ops. Caller: bm_flow_fini. */
enum bm_status bm_model_flow(const struct bm_model *model, const struct bm_request *request, uint32_t steps,
                             struct bm_flow *flow, struct bm_error *error) BM_CHECK_RESULT;

/* ---- what a model weighs ---- */

/* Which parameters vendors call active differs: those that one token multiplies with, alone, with the output
 * head, or with head and embedding. */
enum bm_active { BM_ACTIVE_CORE, BM_ACTIVE_HEAD, BM_ACTIVE_ALL };
enum { BM_ACTIVE_COUNT = BM_ACTIVE_ALL + 1 };
/* "core", "core + head", "core + head + embedding" */
const char *bm_active_name(enum bm_active convention);

struct bm_model_size {
    double parameters;
    double active[BM_ACTIVE_COUNT]; /* by each convention; tied embeddings count once */
    enum bm_active convention;      /* the closest to the published figure; ALL where there is none */
    double kv_elements; /* cached for a token, summed over the layers that keep a cache of their own */
};
/* Counted from the shapes, norms and biases included. */
void bm_model_size(const struct bm_model *model, struct bm_model_size *size);
/* Weights as the ops of bm_model_ops read them: matrices in the format of the weights with their scales, the
 * embedding, norms and biases in that of the activations. Tied embeddings exist twice where these differ. */
double bm_model_weight_bytes(const struct bm_model *model, const struct bm_dtype *dtype);
/* What one sequence of `tokens` keeps: keys and values (windowed layers at most their window) in the format
 * of the cache, and the state of Mamba layers: f32, with conv - 1 inputs of the convolution. */
double bm_model_cache_bytes(const struct bm_model *model, const struct bm_dtype *dtype, enum bm_kv kv,
                            uint64_t tokens);

/* One of `count` devices that share every layer (tensor parallel): heads, KV heads (at least one each), FFN
 * and expert widths, Mamba heads and the vocabulary divided, latents and routers whole; its id is
 * "ID-tpCOUNT". BM_INVALID names the size that does not divide. */
enum bm_status bm_model_shard(const struct bm_model *model, uint32_t count, struct bm_model *shard,
                              struct bm_error *error) BM_CHECK_RESULT;

#endif
