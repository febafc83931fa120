/* GEMM, m >= 2: outputs[m,n] = activations[m,k] x weights[k,n].
 *
 * F = 2 m n k; B = n k e_w + scales + m k e_a + m n e_o, unpadded, e bytes an element (DESIGN "Formulas").
 * Activations enter and leave row-major; packing and quantising them is part of the work, packing weights is
 * not. */
#include "gemm.h"

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    if (!c->dtype)
        return bm_fail(error, BM_INVALID, "gemm needs a dtype");
    if (c->m < 2)
        return bm_fail(error, BM_INVALID, "gemm needs m >= 2, m is %llu: one row is a gemv",
                       (unsigned long long)c->m);
    if (!c->n || !c->k)
        return bm_fail(error, BM_INVALID, "gemm needs n >= 1 and k >= 1");
    if (c->m > BM_DIMENSION_MAX || c->n > BM_DIMENSION_MAX || c->k > BM_DIMENSION_MAX)
        return bm_fail(error, BM_INVALID, "gemm: m, n and k must be at most %llu",
                       (unsigned long long)BM_DIMENSION_MAX);
    return BM_OK;
}

static void shape(const struct bm_case *c, struct bm_text *text) {
    bm_text_append(text, "m%llun%lluk%llu", (unsigned long long)c->m, (unsigned long long)c->n,
                   (unsigned long long)c->k);
}

static double flops(const struct bm_case *c) {
    return 2.0 * (double)c->m * (double)c->n * (double)c->k;
}

static double bytes(const struct bm_case *c) {
    const double m = (double)c->m, n = (double)c->n, k = (double)c->k;
    return bm_dtype_weight_bytes(c->dtype, c->n, c->k) + m * k * bm_element_bytes_each(c->dtype->activation) +
           m * n * bm_element_bytes_each(c->dtype->output);
}

static enum bm_status plain(const struct bm_case *c, struct bm_plan *plan, struct bm_error *error) {
    *plan = (struct bm_plan){0};
    enum bm_status status = validate(c, error);
    if (!status)
        bm_matmul_plain(c, plan);
    return status;
}

static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    return plan->plain ? bm_matmul_plain_check_count(c) : bm_gemm_check_count(c, plan);
}

static enum bm_status check_gemm(const struct bm_case *c, const struct bm_plan *plan,
                                 const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                 struct bm_check *check, struct bm_error *error) {
    return plan->plain ? bm_matmul_plain_check(c, operands, seed, index, check, error)
                       : bm_gemm_check(c, plan, operands, seed, index, check, error);
}

const struct bm_workload bm_workload_gemm = {
    .name = "gemm",
    .is_essential = true,
    .summary = "matrix times matrix, as in prefill (m >= 2)",
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .safe_parameters = bm_gemm_safe_parameters,
    .tunables = bm_gemm_tunables,
    .tunable_count = BM_GEMM_TUNABLE_COUNT,
    .plan = bm_gemm_plan,
    .plain = plain,
    .check_count = check_count,
    .check = check_gemm,
    .tolerance = bm_matmul_tolerance,
};
