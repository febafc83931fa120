/* Attention: softmax(Q K^T / sqrt(d_qk)) V, b sequences, H query heads, H_kv KV heads (query head h reads KV
 * head h / (H / H_kv)), head sizes d_qk and d_v, e bytes an element (DESIGN "Formulas").
 *
 * Prefill of T new tokens after P, causal: A = T P + T (T + 1) / 2 query-key pairs; F = 2 b H A (d_qk + d_v);
 * B = b (d_qk + d_v) (T H e + (P + T) H_kv e_kv).
 * Decode of one token over S keys, its own included: F = 2 b H S (d_qk + d_v); B = b S H_kv (d_qk + d_v) e_kv
 * + b H (d_qk + d_v) e. The softmax is not counted. Case fields: T tokens, P context (prefill) or S context
 * (decode).
 *
 * Layouts: queries [b, T, H, d_qk] and outputs [b, T, H, d_v] hot, keys [b, H_kv, P + T or S, d_qk] and
 * values [b, H_kv, P + T or S, d_v] cold. */
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
    return BM_OK;
}

static void shape(const struct bm_case *c, struct bm_text *text) {
    bm_text_append(text, "b%uh%ukv%ud%u", c->batch, c->heads, c->kv_heads, c->head_dim);
    if (c->v_dim != c->head_dim)
        bm_text_append(text, "dv%u", c->v_dim);
    if (c->phase == BM_PHASE_PREFILL)
        bm_text_append(text, "t%u", c->tokens);
    if (c->context)
        bm_text_append(text, "c%u", c->context);
    if (c->phase == BM_PHASE_DECODE && c->dtype)
        bm_text_append(text, "/kv%s", bm_element_name(c->dtype->kv));
}

static double flops(const struct bm_case *c) {
    const double tokens = (double)bm_attention_tokens(c), context = (double)c->context;
    const double pairs = c->phase == BM_PHASE_DECODE ? context : tokens * context + tokens * (tokens + 1) / 2;
    return 2.0 * (double)c->batch * (double)c->heads * pairs * (double)(c->head_dim + c->v_dim);
}

static double bytes(const struct bm_case *c) {
    const double b = (double)c->batch, dims = (double)(c->head_dim + c->v_dim);
    const double io = (double)bm_attention_tokens(c) * (double)c->heads *
                      ((double)c->head_dim * bm_element_bytes_each(c->dtype->activation) +
                       (double)c->v_dim * bm_element_bytes_each(c->dtype->output));
    const double kv =
        (double)bm_attention_context(c) * (double)c->kv_heads * dims * bm_element_bytes_each(c->dtype->kv);
    return b * (io + kv);
}

/* Scores are dot products of d_qk unit normals over sqrt(d_qk): as for gemm they err by 0.41 u sqrt(d_qk),
 * and so, relatively, do the weights that are their exponentials; the subtraction of the maximum and exp2 add
 * a few u. Errors of different keys are independent, so the output errs by that much of its own scale
 * sqrt(sum of squared weights). Adding S weighted values errs by 0.41 u sqrt(S) of it. The factor 8 as for
 * gemm; an f16 output adds half a unit in its last place. */
static double tolerance(const struct bm_case *c) {
    return 8 * BM_F32_ROUNDOFF * (sqrt((double)c->head_dim) + sqrt((double)bm_attention_context(c)) + 8) +
           (c->dtype->output == BM_ELEMENT_F16 ? BM_F16_ROUNDOFF : 0);
}

const struct bm_workload bm_workload_attention = {
    .name = "attention",
    .summary = "softmax(Q K^T) V: causal prefill, decode over a KV cache",
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .safe_parameters = bm_attention_safe_parameters,
    .tunables = bm_attention_tunables,
    .tunable_count = BM_ATTENTION_TUNABLES,
    .plan = bm_attention_plan,
    .check_count = bm_attention_check_count,
    .check = bm_attention_check,
    .tolerance = tolerance,
};
