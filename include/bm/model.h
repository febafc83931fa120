/* bm/model.h - floor 4: a model's shapes -> the operations of one forward pass, with counts. */
#ifndef BM_MODEL_H
#define BM_MODEL_H

#include "bm/data.h"
#include "bm/workload.h"

/* One forward pass of a request. prefill: batch sequences of `tokens` new tokens on an empty past.
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
 * sequence that the operation sees (1 for lm_head and in decode); its context is 0 but for attention in
 * decode, where windowed layers (`attn_window`) have the window's length; in prefill they have a window.
 * BM_INVALID: a request that the model cannot serve, above its max_context or with more than 2^44 elements in
 * one matrix. */
enum bm_status bm_model_ops(const struct bm_model *model, const struct bm_request *request,
                            struct bm_op ops[BM_MAX_OPS], size_t *count,
                            struct bm_error *error) BM_CHECK_RESULT;

#endif
