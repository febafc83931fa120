/* Attention: softmax(Q K^T / sqrt(d_qk)) V, b sequences, H query heads, H_kv KV heads (query head h reads KV
 * head h / (H / H_kv)), head sizes d_qk and d_v, e bytes an element (DESIGN "Formulas").
 *
 * Prefill of T new tokens after P, causal: A = T P + T (T + 1) / 2 query-key pairs; F = 2 b H A (d_qk + d_v);
 * B = b (d_qk + d_v) (T H e + (P + T) H_kv e_kv). With a window each token sees min(w, its position + 1)
 * keys, and of the past min(P, w - 1) are read. Decode of one token over S keys, its own included: F = 2 b H
 * S (d_qk + d_v); B = b S H_kv (d_qk + d_v) e_kv
 * + b H (d_qk + d_v) e. An int8 cache has two f32 scales for each of its tokens and KV heads more. The
 * softmax is not counted. Case fields: T tokens, P context (prefill) or S context (decode).
 *
 * With sinks a head's weights are those of softmax over [its scores, sink], of which the last is dropped: the
 * sink s takes its share of the denominator, sum_j exp(score_j) + exp(s), and adds nothing to the output. One
 * logit for each query head, the same for all tokens, not divided by sqrt(d_qk): "sdpa" in
 * gpt_oss/torch/model.py of github.com/openai/gpt-oss (its model card: arXiv 2508.10925). B has 4 H bytes
 * more.
 *
 * Layouts: queries [b, T, H, d_qk] and outputs [b, T, H, d_v] hot, keys [b, H_kv, P + T or S, d_qk] and
 * values [b, H_kv, P + T or S, d_v] cold, scales of each [b, H_kv, P + T or S] cold; sinks [H], f32, hot, as
 * they are few bytes. */
#include <math.h>

#include "internal.h"

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    if (!c->dtype)
        return bm_fail(error, BM_INVALID, "attention needs a dtype");
    if (c->phase != BM_PHASE_PREFILL && c->phase != BM_PHASE_DECODE)
        return bm_fail(error, BM_INVALID, "attention needs a phase, prefill or decode");
    if (!c->batch || c->batch > BM_BATCH_MAX)
        return bm_fail(error, BM_INVALID, "attention: batch is %u, must be 1 to %u", c->batch, BM_BATCH_MAX);
    if (!c->heads || !c->kv_heads || c->heads > BM_HEADS_MAX || c->heads % c->kv_heads)
        return bm_fail(error, BM_INVALID,
                       "attention: %u query heads must be a multiple of %u KV heads, at most %u", c->heads,
                       c->kv_heads, BM_HEADS_MAX);
    if (!c->head_dim || !c->v_dim || c->head_dim > BM_HEAD_DIM_MAX || c->v_dim > BM_HEAD_DIM_MAX)
        return bm_fail(error, BM_INVALID, "attention: head sizes are %u and %u, must be 1 to %u", c->head_dim,
                       c->v_dim, BM_HEAD_DIM_MAX);
    if (c->phase == BM_PHASE_PREFILL && (!c->tokens || c->tokens > BM_TOKENS_MAX))
        return bm_fail(error, BM_INVALID, "attention: tokens is %u, must be 1 to %u", c->tokens,
                       BM_TOKENS_MAX);
    if (c->context > BM_TOKENS_MAX || (c->phase == BM_PHASE_DECODE && !c->context))
        return bm_fail(error, BM_INVALID, "attention: context is %u, must be %d to %u", c->context,
                       c->phase == BM_PHASE_DECODE, BM_TOKENS_MAX);
    if (c->window > BM_TOKENS_MAX || (c->window && c->phase == BM_PHASE_DECODE))
        return bm_fail(
            error, BM_INVALID,
            "attention: window is %u, must be 0 in decode, where the context says it, and at most %u",
            c->window, BM_TOKENS_MAX);
    return BM_OK;
}

/* A window that holds everything is none. */
static bool is_windowed(const struct bm_case *c) {
    return bm_attention_seen(c) < bm_attention_context(c);
}

static void shape(const struct bm_case *c, struct bm_text *text) {
    bm_text_append(text, "b%uh%ukv%ud%u", c->batch, c->heads, c->kv_heads, c->head_dim);
    if (c->v_dim != c->head_dim)
        bm_text_append(text, "dv%u", c->v_dim);
    if (c->phase == BM_PHASE_PREFILL)
        bm_text_append(text, "t%u", c->tokens);
    if (c->context)
        bm_text_append(text, "c%u", c->context);
    if (is_windowed(c))
        bm_text_append(text, "w%u", c->window);
    /* A prefill reads what it is about to store, unless that is another format. */
    if (c->dtype && (c->phase == BM_PHASE_DECODE || bm_case_kv(c) != c->dtype->kv))
        bm_text_append(text, "/kv%s", bm_kv_name(bm_case_kv(c)));
    if (c->sinks)
        bm_text_append(text, "/sinks");
}

static double pairs(const struct bm_case *c) {
    const double tokens = (double)bm_attention_tokens(c), past = (double)c->context;
    if (c->phase == BM_PHASE_DECODE)
        return past;
    if (!is_windowed(c))
        return tokens * past + tokens * (tokens + 1) / 2;
    /* The first ones see less than a window. */
    const double window = (double)c->window, growing = fmin(tokens, fmax(0, window - past));
    return growing * past + growing * (growing + 1) / 2 + (tokens - growing) * window;
}

static double flops(const struct bm_case *c) {
    return 2.0 * (double)c->batch * (double)c->heads * pairs(c) * (double)(c->head_dim + c->v_dim);
}

static double bytes(const struct bm_case *c) {
    const double b = (double)c->batch, dims = (double)(c->head_dim + c->v_dim);
    const double io = (double)bm_attention_tokens(c) * (double)c->heads *
                      ((double)c->head_dim * bm_element_bytes_each(c->dtype->activation) +
                       (double)c->v_dim * bm_element_bytes_each(c->dtype->output));
    const double past =
        is_windowed(c) && c->context >= c->window ? (double)c->window - 1 : (double)c->context;
    const double keys = c->phase == BM_PHASE_DECODE ? (double)c->context : past + (double)c->tokens;
    const double scales = bm_case_kv(c) == BM_ELEMENT_I8 ? 2 * bm_element_bytes_each(BM_ELEMENT_F32) : 0;
    const double sinks = c->sinks ? (double)c->heads * bm_element_bytes_each(BM_ELEMENT_F32) : 0;
    return b * (io + keys * (double)c->kv_heads * (dims * bm_element_bytes_each(bm_case_kv(c)) + scales)) +
           sinks;
}

/* Scores are dot products of d_qk unit normals over sqrt(d_qk): as for gemm they err by 0.41 u sqrt(d_qk),
 * and so, relatively, do the weights that are their exponentials; the subtraction of the maximum and exp2 add
 * a few u. Errors of different keys are independent, so the output errs by that much of its own scale
 * sqrt(sum of squared weights). Adding S weighted values errs by 0.41 u sqrt(S) of it. The factor 8 as for
 * gemm; an output of fewer bits adds half a unit in its last place. The normal scales of an int8 cache make
 * the scores of some keys four times as large, and those are the ones that weigh. A sink is a few units of
 * which no more is lost than one u each. */
static double tolerance(const struct bm_case *c) {
    const double spread = bm_case_kv(c) == BM_ELEMENT_I8 ? 4 : 1;
    return 8 * BM_F32_ROUNDOFF *
               (spread * sqrt((double)c->head_dim) + sqrt((double)bm_attention_context(c)) + 8) +
           bm_output_roundoff(c->dtype->output);
}

double bm_attention_sink_shift(const struct bm_case *c) {
    return log((double)bm_attention_seen(c)) / 2;
}

const struct bm_workload bm_workload_attention = {
    .name = "attention",
    .is_essential = true,
    .summary = "softmax(Q K^T) V: causal prefill, decode over a KV cache; windows, sinks",
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .safe_parameters = bm_attention_safe_parameters,
    .tunables = bm_attention_tunables,
    .tunable_count = BM_ATTENTION_TUNABLES,
    .candidates = bm_attention_candidates,
    .plan = bm_attention_plan,
    .check_count = bm_attention_check_count,
    .check = bm_attention_check,
    .tolerance = tolerance,
};
