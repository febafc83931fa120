/* The scan of Mamba-2 (Dao and Gu 2024, arXiv 2405.21060), the state space of b sequences with H heads of P
 * elements and a state of N, G groups of heads that share B and C:
 *
 *   h_t = exp(dt_t A) h_(t-1) + dt_t B_t x_t^T,   y_t = C_t h_t + D x_t,   dt = softplus(raw + bias), A =
 * -exp(a)
 *
 * Decode, one token from a state in memory: F = 5 b H P N (two products and a sum for h, a product and a sum
 * for y); B = 8 b H P N + io: the state, in f32, is read and written. Prefill of T tokens from an empty past,
 * chunk by chunk (the paper's section 6): F = b T [Q N G + Q H P + 4 H P N], Q the model's chunk: products C
 * B^T and with x within a chunk, half of each masked away, and B^T x and C h across chunks. A kernel's own
 * chunk may be another, of fewer operations; they do not count. B = b [T io + 4 H P N]: the last state is
 * written. io = e (2 H P + 2 G N + H) a token (DESIGN "Formulas"). Case fields: heads H, head_dim P, n N,
 * groups G, k Q.
 *
 * Layouts: rows [b, T, H P + 2 G N], as the convolution leaves them, hot; raw steps [b, T, H], the end of the
 * input projection's rows, cold; a, D and biases [3, H] in f32 hot; outputs [b, T, H, P]; of these but the
 * third the tokens' rows may lie further apart. States [b, H, N, P] in f32, cold where they are read, and
 * rotating where they are written: beside, not over, the one that is read, so that it can be read again. */
#include "scan.h"

#include <math.h>

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    if (!c->dtype)
        return bm_fail(error, BM_INVALID, "mamba_scan needs a dtype");
    if (c->phase != BM_PHASE_PREFILL && c->phase != BM_PHASE_DECODE)
        return bm_fail(error, BM_INVALID, "mamba_scan needs a phase, prefill or decode");
    if (!c->batch || c->batch > BM_BATCH_MAX)
        return bm_fail(error, BM_INVALID, "mamba_scan: batch is %u, must be 1 to %u", c->batch, BM_BATCH_MAX);
    if (!c->heads || c->heads > BM_HEADS_MAX || !c->groups || c->heads % c->groups)
        return bm_fail(error, BM_INVALID, "mamba_scan: %u heads must be a multiple of %u groups, at most %u",
                       c->heads, c->groups, BM_HEADS_MAX);
    if (!c->head_dim || c->head_dim > BM_HEAD_DIM_MAX || !c->n || c->n % 4 || c->n > BM_HEAD_DIM_MAX)
        return bm_fail(error, BM_INVALID,
                       "mamba_scan: head size %u must be 1 to %u, and the state %llu, a multiple of 4, too",
                       c->head_dim, BM_HEAD_DIM_MAX, (unsigned long long)c->n);
    if (!c->k || c->k > BM_TOKENS_MAX)
        return bm_fail(error, BM_INVALID, "mamba_scan: the model's chunk is %llu, must be 1 to %u",
                       (unsigned long long)c->k, BM_TOKENS_MAX);
    if (c->phase == BM_PHASE_PREFILL && (!c->tokens || c->tokens > BM_TOKENS_MAX))
        return bm_fail(error, BM_INVALID, "mamba_scan: tokens is %u, must be 1 to %u", c->tokens,
                       BM_TOKENS_MAX);
    return BM_OK;
}

/* "b1h64d80n128g16t2048q128"; a single step knows no chunk. */
static void shape(const struct bm_case *c, struct bm_text *text) {
    bm_text_append(text, "b%uh%ud%un%llug%u", c->batch, c->heads, c->head_dim, (unsigned long long)c->n,
                   c->groups);
    if (c->phase == BM_PHASE_PREFILL)
        bm_text_append(text, "t%uq%llu", c->tokens, (unsigned long long)c->k);
}

/* H P N. */
static double state_size(const struct bm_case *c) {
    return (double)c->heads * c->head_dim * (double)c->n;
}

static double flops(const struct bm_case *c) {
    const double q = (double)c->k, b = c->batch;
    if (c->phase == BM_PHASE_DECODE)
        return 5 * b * state_size(c);
    return b * c->tokens *
           (q * (double)c->n * c->groups + q * (double)c->heads * c->head_dim + 4 * state_size(c));
}

static double outputs_bytes(const struct bm_case *c) {
    return (double)c->batch * (double)bm_scan_tokens(c) * c->heads * c->head_dim *
           bm_element_bytes_each(c->dtype->output);
}

static double written(const struct bm_case *c) {
    return 4.0 * c->batch * state_size(c) + outputs_bytes(c);
}

static double bytes(const struct bm_case *c) {
    const double rows = (double)c->batch * (double)bm_scan_tokens(c) * ((double)bm_scan_width(c) + c->heads) *
                        bm_element_bytes_each(c->dtype->activation);
    const double before = c->phase == BM_PHASE_DECODE ? 4.0 * c->batch * state_size(c) : 0;
    return rows + before + written(c);
}

/* Sums of N and of up to T terms err as those of a gemm, and so does what is left of a state after each of
 * the chunks between: by 3 u each, independently. An output of fewer bits adds half a unit in its last place.
 */
static double tolerance(const struct bm_case *c) {
    return 8 * BM_F32_ROUNDOFF * (sqrt((double)c->n) + 2 * sqrt((double)bm_scan_tokens(c)) + 16) +
           bm_output_roundoff(c->dtype->output);
}

const struct bm_workload bm_workload_mamba_scan = {
    .name = "mamba_scan",
    .is_essential = true,
    .summary = "Mamba-2's state space: chunked scan in prefill, a step of the state in decode",
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .written = written,
    .safe_parameters = bm_scan_safe_parameters,
    .tunables = bm_scan_tunables,
    .tunable_count = BM_SCAN_TUNABLES,
    .plan = bm_scan_plan,
    .check_count = bm_scan_check_count,
    .check = bm_scan_check,
    .tolerance = tolerance,
};
