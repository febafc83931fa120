#include "cases.h"

#include <criterion/criterion.h>
#include <string.h>

static struct bm_case begin(const char *workload, const char *op, const char *dtype) {
    struct bm_case the_case = {.workload = bm_workload_find(workload),
                               .dtype = dtype != NULL ? bm_dtype_find(dtype) : NULL,
                               .batch = 1};
    cr_assert_not_null(the_case.workload, "%s", workload);
    cr_assert(dtype == NULL || the_case.dtype != NULL, "%s", dtype);
    bm_string_set(the_case.model, sizeof the_case.model, dtype != NULL ? "test" : "-");
    bm_string_set(the_case.op, sizeof the_case.op, op);
    return the_case;
}

struct bm_case case_gemm(const char *dtype, uint64_t m, uint64_t n, uint64_t k) {
    struct bm_case the_case = begin("gemm", "ffn_down", dtype);
    the_case.phase = BM_PHASE_PREFILL;
    the_case.tokens = (uint32_t)m;
    the_case.m = m;
    the_case.n = n;
    the_case.k = k;
    return the_case;
}

struct bm_case case_gemv(const char *dtype, uint64_t n, uint64_t k) {
    struct bm_case the_case = begin("gemv", "qkv", dtype);
    the_case.phase = BM_PHASE_DECODE;
    the_case.tokens = 1;
    the_case.m = 1;
    the_case.n = n;
    the_case.k = k;
    return the_case;
}

static struct bm_case case_grouped(const char *dtype, uint64_t m, uint32_t experts, uint32_t top_k,
                                   bool row_per_pair) {
    struct bm_case the_case = begin("grouped_gemm", "experts_down", dtype);
    the_case.phase = m == 1 ? BM_PHASE_DECODE : BM_PHASE_PREFILL;
    the_case.tokens = (uint32_t)m;
    the_case.m = m;
    the_case.n = 70;
    the_case.k = 37;
    the_case.experts = experts;
    the_case.top_k = top_k;
    the_case.row_per_pair = row_per_pair;
    return the_case;
}

static struct bm_case case_combine(const char *dtype, uint64_t m, bool shared) {
    struct bm_case the_case = case_grouped(dtype, m, 8, 2, false);
    the_case.workload = bm_workload_find("combine");
    the_case.k = shared;
    return the_case;
}

/* Query heads, KV heads, size of keys, size of values. */
static struct bm_case case_attention(const char *dtype, uint32_t batch, uint32_t tokens, uint32_t context,
                                     const uint32_t heads[4]) {
    struct bm_case the_case = begin("attention", "attn", dtype);
    the_case.phase = tokens > 0 ? BM_PHASE_PREFILL : BM_PHASE_DECODE;
    the_case.batch = batch;
    the_case.tokens = tokens > 0 ? tokens : 1;
    the_case.context = context;
    the_case.heads = heads[0];
    the_case.kv_heads = heads[1];
    the_case.head_dim = heads[2];
    the_case.v_dim = heads[3];
    return the_case;
}

/* Heads of queries and keys of m tokens. */
static struct bm_case case_head_norm(const char *dtype, uint64_t m, uint64_t n) {
    struct bm_case the_case = begin("rmsnorm", "qk_norm", dtype);
    the_case.phase = BM_PHASE_PREFILL;
    the_case.tokens = (uint32_t)m;
    the_case.m = 6 * m;
    the_case.n = n;
    the_case.heads = 4;
    the_case.kv_heads = 2;
    return the_case;
}

/* An op without weights on m rows of n; those of heads have m tokens of six heads of 64. */
static struct bm_case case_rows(const char *workload, const char *dtype, uint64_t m, uint64_t n) {
    struct bm_case the_case = begin(workload, "norm", dtype);
    the_case.phase = BM_PHASE_PREFILL;
    the_case.tokens = (uint32_t)m;
    the_case.m = m;
    the_case.n = n;
    the_case.k = 4;
    if (strcmp(workload, "rmsnorm") == 0)
        return the_case;
    the_case.heads = 4;
    the_case.kv_heads = 2;
    the_case.head_dim = the_case.v_dim = 64;
    return the_case;
}

static struct bm_case case_ceiling(const char *workload, const char *op, uint64_t bytes, uint64_t n,
                                   uint64_t k) {
    struct bm_case the_case = begin(workload, op, NULL);
    the_case.working_set = bytes;
    the_case.n = n;
    the_case.k = k;
    return the_case;
}

static void add(struct bm_case cases[CASES_MAX], size_t *count, struct bm_case the_case) {
    static const struct bm_target target = {
        .compute_units = 1, .max_group_items = 1024, .local_bytes = 32768, .max_allocation_bytes = 1 << 30};
    struct bm_plan plan;
    struct bm_error error = {0};
    cr_assert_lt(*count, CASES_MAX);
    enum bm_status status = the_case.workload->plan(&the_case, &target, NULL, &plan, &error);
    if (status == BM_UNSUPPORTED && the_case.dtype->weight != BM_ELEMENT_F32 &&
        the_case.dtype->weight != BM_ELEMENT_F16)
        return;
    cr_assert_eq(status, BM_OK, "%s", error.message);
    cases[(*count)++] = the_case;
}

size_t cases_all(struct bm_case cases[CASES_MAX]) {
    static const uint32_t grouped[4] = {8, 2, 64, 64}, odd[4] = {3, 3, 40, 24}, large[4] = {4, 1, 128, 128};
    static const char *const of_rows[] = {"rmsnorm",   "layernorm", "swiglu",   "gelu",
                                          "residual",  "softmax",   "topk",     "rope",
                                          "embedding", "kv_write",  "kv_expand"};
    size_t count = 0;
    for (size_t d = 0; bm_dtype_get(d) != NULL; d++) {
        const char *dtype = bm_dtype_get(d)->name;
        add(cases, &count, case_gemm(dtype, 2, 1, 1));
        add(cases, &count, case_gemm(dtype, 13, 70, 37));
        add(cases, &count, case_gemm(dtype, 64, 256, 384));
        add(cases, &count, case_grouped(dtype, 1, 8, 2, false));
        add(cases, &count, case_grouped(dtype, 29, 8, 2, true));
        add(cases, &count, case_combine(dtype, 1, true));
        add(cases, &count, case_combine(dtype, 29, false));
        add(cases, &count, case_gemv(dtype, 1, 1));
        add(cases, &count, case_gemv(dtype, 37, 29));
        add(cases, &count, case_gemv(dtype, 512, 1024));
        add(cases, &count, case_attention(dtype, 1, 40, 0, grouped));
        add(cases, &count, case_attention(dtype, 2, 7, 21, odd));
        add(cases, &count, case_attention(dtype, 1, 1, 0, odd));
        add(cases, &count, case_attention(dtype, 1, 0, 1, odd));
        add(cases, &count, case_attention(dtype, 2, 0, 300, grouped));
        add(cases, &count, case_attention(dtype, 1, 0, 1025, large));
        struct bm_case sinks = case_attention(dtype, 2, d % 2 ? 29 : 0, 300, grouped);
        sinks.sinks = true;
        sinks.kv = d % 3 ? BM_KV_DTYPE : BM_KV_INT8;
        add(cases, &count, sinks);
        for (size_t r = 0; r < BM_COUNT_OF(of_rows); r++)
            add(cases, &count, case_rows(of_rows[r], dtype, d % 2 ? 37 : 64, d % 2 ? 208 : 1000));
        add(cases, &count, case_head_norm(dtype, 29, 80));
        struct bm_case quantised = case_rows("kv_write", dtype, 29, 0);
        quantised.kv = BM_KV_INT8;
        add(cases, &count, quantised);
    }
    cases[count++] = case_ceiling("stream", "read", 4096, 0, 0);
    cases[count++] = case_ceiling("stream", "read", 3 * 65536 + 40, 0, 0);
    cases[count++] = case_ceiling("stream", "copy", 4096, 0, 0);
    cases[count++] = case_ceiling("stream", "copy", 10 * 65536 + 8, 0, 0);
    cases[count++] = case_ceiling("stream", "write", 5 * 65536 + 4, 0, 0);
    cases[count++] = case_ceiling("stream", "triad", 10 * 65536 + 12, 0, 0);
    for (size_t level = 0; level < 3; level++) {
        static const char *const ops[] = {"llc_read", "l2_read", "l1_read"};
        cases[count] = case_ceiling("cache", ops[level], 65536, 7, 5);
        cases[count].m = level == 0 ? 8 : 1;
        cases[count++].hot = true;
    }
    cases[count++] = case_ceiling("fma", "i32_vector", 0, 1000, 77);
    cases[count++] = case_ceiling("launch", "empty", 0, 0, 0);
    cases[count++] = case_ceiling("launch", "wait", 0, 0, 0);
    cases[count++] = case_ceiling("transfer", "to_device", 4096, 0, 0);
    cases[count++] = case_ceiling("transfer", "from_device", 3 * 65536 + 8, 0, 0);
    cases[count++] = case_ceiling("transfer", "to_device", 100004, 0, 0);
    cases[count++] = case_ceiling("fma", "f32_vector", 0, 1000, 64);
    cases[count++] = case_ceiling("fma", "f32_vector", 0, 1 << 16, 4096);
    cr_assert_leq(count, CASES_MAX);
    return count;
}
