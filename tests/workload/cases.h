/* Cases of known models, made by hand, and what they are called. */
#ifndef CASES_H
#define CASES_H

#include <criterion/criterion.h>

#include "bm/workload.h"

static inline struct bm_case gemm(const char *dtype, uint64_t m, uint64_t n, uint64_t k) {
    return (struct bm_case){.workload = bm_workload_find(m == 1 ? "gemv" : "gemm"),
                            .model = "llama2-7b",
                            .op = "ffn_down",
                            .phase = m == 1 ? BM_PHASE_DECODE : BM_PHASE_PREFILL,
                            .dtype = bm_dtype_find(dtype),
                            .m = m,
                            .n = n,
                            .k = k};
}

static inline struct bm_case attention(const char *dtype, enum bm_phase phase, uint32_t batch, uint32_t heads,
                                       uint32_t kv_heads, uint32_t tokens, uint32_t context) {
    return (struct bm_case){.workload = bm_workload_find("attention"),
                            .model = "llama3.1-8b",
                            .op = "attn",
                            .phase = phase,
                            .dtype = bm_dtype_find(dtype),
                            .batch = batch,
                            .heads = heads,
                            .kv_heads = kv_heads,
                            .head_dim = 128,
                            .v_dim = 128,
                            .tokens = tokens,
                            .context = context};
}

static inline void assert_key(const struct bm_case *c, const char *expected) {
    char key[BM_KEY_SIZE];
    bm_case_key(c, key);
    cr_assert_str_eq(key, expected, "%s, not %s", key, expected);
}

static inline void assert_class(struct bm_case c, const char *expected) {
    char shape_class[BM_CLASS_SIZE];
    bm_case_class(&c, shape_class);
    cr_assert_str_eq(shape_class, expected, "%s, not %s", shape_class, expected);
}

#endif
