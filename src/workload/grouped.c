/* Grouped GEMM, the routed experts of a mixture: each of m tokens goes to top_k of `experts` matrices [n, k].
 * The outputs [m top_k, n] lie by expert, within one by token; so do activations [m top_k, k] with a row for
 * each pair of token and expert (experts_down); else there are [m, k], one for each token, and gathering them
 * is part of the work (experts_gate_up).
 *
 * Products of heads are the same with every expert for every token; there activations and outputs lie by
 * token, [m, experts, k] and [m, experts, n]. Rows of either may lie further apart.
 *
 * F = 2 m top_k n k; B = D (n k e_w + scales) + activations + m top_k n e_o, unpadded, D the experts that
 * are expected to occur: the sum of 1 - (1 - p_e)^m, p_e the chance of an expert to be among those of one
 * token (DESIGN "Formulas"). Packing and quantising activations is part of the work; the routing table is
 * made beforehand. All experts are resident. */
#include "grouped.h"

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    if (!c->dtype)
        return bm_fail(error, BM_INVALID, "grouped_gemm needs a dtype");
    if (!c->m || !c->n || !c->k)
        return bm_fail(error, BM_INVALID, "grouped_gemm needs m, n and k of at least 1");
    if (c->n > BM_DIMENSION_MAX || c->k > BM_DIMENSION_MAX)
        return bm_fail(error, BM_INVALID, "grouped_gemm: n and k must be at most %llu",
                       (unsigned long long)BM_DIMENSION_MAX);
    enum bm_status status = bm_routing_validate(c, error);
    if (!status && c->rows_by_token && (!c->row_per_pair || c->top_k < c->experts))
        status =
            bm_fail(error, BM_INVALID, "grouped_gemm: rows lie by token where each has one of every expert");
    return status;
}

/* "m512n28672k4096e256t8g8u4/uniform", with a row for each pair "/pairs" after it. */
static void shape(const struct bm_case *c, struct bm_text *text) {
    bm_text_append(text, "m%llun%lluk%llue%ut%u", (unsigned long long)c->m, (unsigned long long)c->n,
                   (unsigned long long)c->k, c->experts, c->top_k);
    if (c->groups)
        bm_text_append(text, "g%uu%u", c->groups, c->groups_used);
    bm_text_append(text, "/%s%s", bm_routing_name(c->routing), c->row_per_pair ? "/pairs" : "");
}

static double flops(const struct bm_case *c) {
    return 2.0 * (double)bm_routed_pairs(c) * (double)c->n * (double)c->k;
}

static double bytes(const struct bm_case *c) {
    const double pairs = (double)bm_routed_pairs(c), rows = c->row_per_pair ? pairs : (double)c->m;
    return bm_case_experts_expected(c) * bm_dtype_weight_bytes(c->dtype, c->n, c->k) +
           rows * (double)c->k * bm_element_bytes_each(c->dtype->activation) +
           pairs * (double)c->n * bm_element_bytes_each(c->dtype->output);
}

const struct bm_workload bm_workload_grouped = {
    .name = "grouped_gemm",
    .is_essential = true,
    .summary = "rows times the matrices of their experts, as in mixtures of experts",
    .like = "gemm",
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .safe_parameters = bm_gemm_safe_parameters,
    .tunables = bm_gemm_tunables,
    .tunable_count = BM_GEMM_TUNABLE_COUNT,
    .plan = bm_grouped_plan,
    .fill = bm_grouped_fill,
    .check_count = bm_grouped_check_count,
    .check = bm_grouped_check,
    .tolerance = bm_matmul_tolerance,
};
