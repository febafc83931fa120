/* ops.c - the operations of one forward pass, as inference engines run them.
 *
 * m rows of activations (batch x tokens in prefill, batch in decode) go through every layer; the vocabulary's
 * projection sees the last row of each sequence only. What has no workload of its own is listed all the
 * same, so that a summary can name what it does not cover. */
#include "pass.h"

#include <string.h>

/* Layers by kind. A hybrid counts mixers and FFNs apart; elsewhere a layer is one of each. */
struct layers {
    uint64_t attention, mamba, ffn;
};

static struct layers layers_of(const struct bm_model *model) {
    if (model->mamba_layers > 0)
        return (struct layers){model->attention_layers, model->mamba_layers, model->ffn_layers};
    return (struct layers){model->layers, 0, model->layers};
}

static uint64_t layers_with_kv(const struct bm_model *model, uint64_t layers) {
    uint64_t shared = model->kv_shared_layers > 1 ? model->kv_shared_layers : 1;
    return (layers + shared - 1) / shared;
}

/* Queries, keys and values. Under cross-layer attention one layer in s projects keys and values, and the s -
 * 1 after it reuse its cache. */
static void add_projections(struct bm_pass *pass, uint64_t layers, uint64_t m) {
    const struct bm_model *model = pass->model;
    uint64_t with_kv = layers_with_kv(model, layers);
    uint64_t queries = (uint64_t)model->heads * model->head_dim,
             kv = (uint64_t)model->kv_heads * model->head_dim;
    bm_pass_matmul(pass, "qkv", with_kv, m, queries + 2 * kv, model->hidden);
    bm_pass_matmul(pass, "q", layers - with_kv, m, queries, model->hidden);
}

/* Of layers that reuse another one's cache queries alone: factors of their own for the keys in it can as well
 * be the queries'. */
static void add_head_norms(struct bm_pass *pass, uint64_t layers, uint64_t m) {
    const struct bm_model *model = pass->model;
    const uint64_t with_kv = layers_with_kv(model, layers);
    bm_pass_head_norm(pass, with_kv, m);
    bm_pass_rows(pass, "q_norm", "rmsnorm", layers - with_kv, m * model->heads, model->head_dim);
}

/* Layers that reuse another one's cache rotate queries alone, and write none. */
static void add_positions(struct bm_pass *pass, uint64_t layers, uint64_t m) {
    const struct bm_model *model = pass->model;
    const uint64_t with_kv = layers_with_kv(model, layers);
    if (model->qk_norm == BM_QK_NORM_BEFORE_ROPE)
        add_head_norms(pass, layers, m);
    if (model->learned_positions == 0) {
        bm_pass_rope(pass, "rope", with_kv, model->heads + model->kv_heads, model->head_dim);
        bm_pass_rope(pass, "q_rope", layers - with_kv, model->heads, model->head_dim);
    }
    if (model->qk_norm == BM_QK_NORM_AFTER_ROPE)
        add_head_norms(pass, layers, m);
    bm_pass_kv_write(pass, with_kv, model->heads, model->kv_heads, model->head_dim, model->head_dim);
}

/* A windowed layer sees `window` cached tokens in decode, and in prefill as many at every token. */
static void add_attention(struct bm_pass *pass, uint64_t layers) {
    const struct bm_model *model = pass->model;
    const struct bm_pass_heads heads = {model->heads, model->kv_heads, model->head_dim, model->head_dim};
    bool prefill = pass->request->phase == BM_PHASE_PREFILL;
    uint32_t length = prefill ? pass->request->tokens : pass->request->context;
    uint64_t seen = prefill ? (uint64_t)length + pass->request->context : length;
    bool banded = model->sliding_window > 0 && seen > model->sliding_window;
    uint64_t windowed = banded ? (layers + 1) / 2 : 0; /* the first layer is windowed, as in gpt-oss */
    bm_pass_attention(pass, "attn", layers - windowed, &heads, length, 0);
    bm_pass_attention(pass, "attn_window", windowed, &heads, prefill ? length : model->sliding_window,
                      prefill ? model->sliding_window : 0);
}

/* Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1). Prefill expands the latent into
 * keys and values of every head; decode absorbs that projection into the queries (kv_b_queries) and outputs
 * (kv_b_values), head by head. */
static void add_latent_attention(struct bm_pass *pass, uint64_t layers, uint64_t m) {
    const struct bm_model *model = pass->model;
    const bool prefill = pass->request->phase == BM_PHASE_PREFILL;
    uint64_t queries = (uint64_t)model->heads * model->head_dim;
    uint64_t expanded = (uint64_t)model->heads * ((uint64_t)model->qk_nope_dim + model->v_dim);
    if (model->q_lora > 0) { /* latents are normalised before they are expanded */
        bm_pass_matmul(pass, "q_a", layers, m, model->q_lora, model->hidden);
        bm_pass_rows(pass, "q_a_norm", "rmsnorm", layers, m, model->q_lora);
        bm_pass_matmul(pass, "q_b", layers, m, queries, model->q_lora);
    } else {
        bm_pass_matmul(pass, "q", layers, m, queries, model->hidden);
    }
    bm_pass_matmul(pass, "kv_a", layers, m, (uint64_t)model->kv_lora + model->qk_rope_dim, model->hidden);
    bm_pass_rows(pass, "kv_a_norm", "rmsnorm", layers, m, model->kv_lora);
    /* Of a head of queries the end is rotated; of keys what all heads share, which is cached with the latent.
     */
    bm_pass_rope(pass, "rope", layers, model->heads, model->qk_rope_dim);
    bm_pass_rope(pass, "k_rope", layers, 1, model->qk_rope_dim);
    bm_pass_kv_write(pass, layers, 0, 1, model->kv_lora + model->qk_rope_dim, 0);
    const struct bm_pass_heads expanded_heads = {model->heads, model->heads, model->head_dim, model->v_dim};
    if (prefill) {
        bm_pass_matmul(pass, "kv_b", layers, m, expanded, model->kv_lora);
        bm_pass_kv_expand(pass, layers);
        bm_pass_attention(pass, "attn", layers, &expanded_heads, pass->request->tokens, 0);
    } else {
        bm_pass_head_products(pass, "kv_b_queries", layers, model->kv_lora, model->qk_nope_dim);
        bm_pass_latent_attention(pass, "attn", layers);
        bm_pass_head_products(pass, "kv_b_values", layers, model->v_dim, model->kv_lora);
    }
}

static void add_attention_layers(struct bm_pass *pass, uint64_t layers, uint64_t m) {
    const struct bm_model *model = pass->model;
    bool latent = model->attention == BM_ATTENTION_MLA;
    if (latent) {
        add_latent_attention(pass, layers, m);
    } else {
        add_projections(pass, layers, m);
        add_positions(pass, layers, m);
        add_attention(pass, layers);
    }
    bm_pass_matmul(pass, "attn_out", layers, m, model->hidden,
                   (uint64_t)model->heads * (latent ? model->v_dim : model->head_dim));
}

/* Mamba-2 (arXiv 2405.21060): the input projection gives z and x (inner wide), B and C (groups x state) and
 * one step size a head. */
static void add_mamba_layers(struct bm_pass *pass, uint64_t layers, uint64_t m) {
    const struct bm_model *model = pass->model;
    uint64_t inner = (uint64_t)model->mamba_heads * model->mamba_head_dim;
    uint64_t groups = (uint64_t)model->mamba_groups * model->mamba_state;
    bm_pass_matmul(pass, "in_proj", layers, m, 2 * inner + 2 * groups + model->mamba_heads, model->hidden);
    bm_pass_conv(pass, layers, m, inner + 2 * groups);
    bm_pass_scan(pass, layers);
    /* What the scan gives is gated by z and normalised. */
    bm_pass_rows(pass, "ssm_gate", "swiglu", layers, m, inner);
    bm_pass_rows(pass, "ssm_norm", "rmsnorm", layers, m, inner);
    bm_pass_matmul(pass, "out_proj", layers, m, model->hidden, inner);
}

static void add_dense_ffn(struct bm_pass *pass, uint64_t layers, uint64_t m) {
    const struct bm_model *model = pass->model;
    bool gated = model->ffn == BM_FFN_SWIGLU;
    if (gated)
        bm_pass_matmul(pass, "ffn_gate_up", layers, m, 2 * (uint64_t)model->intermediate, model->hidden);
    else
        bm_pass_matmul(pass, "ffn_up", layers, m, model->intermediate, model->hidden);
    bm_pass_rows(pass, "act", gated ? "swiglu" : "gelu", layers, m, model->intermediate);
    bm_pass_matmul(pass, "ffn_down", layers, m, model->hidden, model->intermediate);
}

/* The shared experts see every row, so they are one dense FFN; the routed ones are grouped products. */
static void add_experts(struct bm_pass *pass, uint64_t layers, uint64_t m) {
    const struct bm_model *model = pass->model;
    uint64_t shared = (uint64_t)model->shared_experts * model->expert_intermediate;
    bm_pass_matmul(pass, "router", layers, m, model->experts, model->hidden);
    bm_pass_topk(pass, layers, m);
    if (shared > 0) {
        bm_pass_matmul(pass, "shared_gate_up", layers, m, 2 * shared, model->hidden);
        bm_pass_rows(pass, "shared_act", "swiglu", layers, m, shared);
        bm_pass_matmul(pass, "shared_down", layers, m, model->hidden, shared);
    }
    bm_pass_experts(pass, "experts_gate_up", layers, m, 2 * (uint64_t)model->expert_intermediate,
                    model->hidden, false);
    bm_pass_rows(pass, "experts_act", "swiglu", layers, m * model->experts_per_token,
                 model->expert_intermediate);
    bm_pass_experts(pass, "experts_down", layers, m, model->hidden, model->expert_intermediate, true);
    bm_pass_combine(pass, layers, m);
}

static enum bm_status check_length(const struct bm_model *model, const char *option, uint32_t length,
                                   struct bm_error *error) {
    if (length >= 1 && length <= model->max_context)
        return BM_OK;
    return bm_fail(error, BM_INVALID, "%s: %s must be from 1 to the model's maximum context, %u (is %u)",
                   model->id, option, model->max_context, length);
}

/* Models of GPT-3's kind, with GELU and learned positions, have LayerNorm; those since have RMSNorm. */
static const char *norm_of(const struct bm_model *model) {
    return model->ffn == BM_FFN_GELU ? "layernorm" : "rmsnorm";
}

/* What a reader of model files has checked already, for shapes that were made in memory. */
static enum bm_status check_model(const struct bm_model *model, struct bm_error *error) {
    if (model->layers == 0 || model->hidden == 0 || model->heads == 0 || model->kv_heads == 0 ||
        model->head_dim == 0 || model->vocabulary == 0)
        return bm_fail(error, BM_INVALID, "%s: a size of the model is 0", model->id);
    if (model->attention != BM_ATTENTION_MLA && model->heads % model->kv_heads != 0)
        return bm_fail(error, BM_INVALID, "%s: %u heads do not divide into %u KV heads", model->id,
                       model->heads, model->kv_heads);
    if (model->experts > 0 && model->dense_layers > layers_of(model).ffn)
        return bm_fail(error, BM_INVALID, "%s: %u dense layers of %u", model->id, model->dense_layers,
                       model->layers);
    if (model->experts < model->experts_per_token)
        return bm_fail(error, BM_INVALID, "%s: %u experts a token of %u", model->id, model->experts_per_token,
                       model->experts);
    return BM_OK;
}

static enum bm_status check_request(const struct bm_model *model, const struct bm_request *request,
                                    struct bm_error *error) {
    if (request->dtype == NULL)
        return bm_fail(error, BM_INVALID, "%s: no number format given", model->id);
    if (request->batch == 0)
        return bm_fail(error, BM_INVALID, "%s: --batch must be at least 1", model->id);
    switch (request->phase) {
    case BM_PHASE_PREFILL:
        if (request->context > model->max_context)
            return check_length(model, "--past", request->context, error);
        if (request->context > 0 && request->tokens > model->max_context - request->context)
            return bm_fail(error, BM_INVALID,
                           "%s: --past %u and --tokens %u exceed the model's maximum context, %u", model->id,
                           request->context, request->tokens, model->max_context);
        return check_length(model, "--tokens", request->tokens, error);
    case BM_PHASE_DECODE:
        return check_length(model, "--context", request->context, error);
    case BM_PHASE_NONE:
        break;
    }
    return bm_fail(error, BM_INVALID, "%s: a pass is prefill or decode", model->id);
}

enum bm_status bm_model_ops(const struct bm_model *model, const struct bm_request *request,
                            struct bm_op ops[BM_MAX_OPS], size_t *count, struct bm_error *error) {
    struct bm_pass pass = {.model = model, .request = request, .ops = ops, .error = error};
    *count = 0;
    memset(ops, 0, BM_MAX_OPS * sizeof *ops);
    enum bm_status status = check_model(model, error);
    if (status == BM_OK)
        status = check_request(model, request, error);
    if (status != BM_OK)
        return status;

    struct layers layers = layers_of(model);
    uint64_t mixers = layers.attention + layers.mamba;
    uint64_t routed = model->experts > 0 ? layers.ffn - model->dense_layers : 0;
    uint64_t m =
        request->phase == BM_PHASE_PREFILL ? (uint64_t)request->batch * request->tokens : request->batch;
    bm_pass_rows(&pass, "embedding", "embedding", 1, m, model->hidden);
    bm_pass_rows(&pass, "norm", norm_of(model), mixers + layers.ffn, m, model->hidden);
    add_attention_layers(&pass, layers.attention, m);
    add_mamba_layers(&pass, layers.mamba, m);
    add_dense_ffn(&pass, layers.ffn - routed, m);
    if (routed > 0)
        add_experts(&pass, routed, m);
    bm_pass_rows(&pass, "residual", "residual", mixers + layers.ffn, m, model->hidden);
    bm_pass_rows(&pass, "final_norm", norm_of(model), 1, request->batch, model->hidden);
    bm_pass_matmul(&pass, "lm_head", 1, request->batch, model->vocabulary, model->hidden);
    bm_pass_rows(&pass, "softmax", "softmax", 1, request->batch, model->vocabulary); /* sampling */
    if (pass.status != BM_OK) {
        memset(ops, 0, BM_MAX_OPS * sizeof *ops);
        return pass.status;
    }
    *count = pass.count;
    return BM_OK;
}
