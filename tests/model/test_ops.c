/* The ops of passes against lists made by hand, and what is refused. */
#include "ops_list.h"

TestSuite(ops);

static void expect_matmul(const char *name, double times, const char *workload, uint64_t m, uint64_t n,
                          uint64_t k) {
    const struct bm_op *op = find(name);
    cr_assert_not_null(op, "%s", name);
    cr_assert(op->has_case, "%s", name);
    cr_expect_float_eq(op->count, times, 1e-9, "%s: %g", name, op->count);
    cr_expect_str_eq(op->the_case.workload->name, workload, "%s", name);
    cr_expect_str_eq(op->the_case.op, name);
    cr_expect_str_eq(op->the_case.model, model.id);
    cr_expect(op->the_case.m == m && op->the_case.n == n && op->the_case.k == k, "%s: %llu %llu %llu", name,
              (unsigned long long)op->the_case.m, (unsigned long long)op->the_case.n,
              (unsigned long long)op->the_case.k);
    cr_expect_eq(op->the_case.tokens * op->the_case.batch, m, "%s", name);
}

/* m rows of n under the contract of the activations. */
static const struct bm_op *expect_rows(const char *name, double times, const char *workload, uint64_t m,
                                       uint64_t n) {
    const struct bm_op *op = find(name);
    cr_assert_not_null(op, "%s", name);
    cr_assert(op->has_case, "%s", name);
    cr_expect_float_eq(op->count, times, 1e-9, "%s: %g", name, op->count);
    cr_expect_str_eq(op->the_case.workload->name, workload, "%s", name);
    cr_expect_str_eq(op->the_case.op, name);
    cr_expect(op->the_case.m == m && op->the_case.n == n, "%s: %llu %llu", name,
              (unsigned long long)op->the_case.m, (unsigned long long)op->the_case.n);
    return op;
}

static void expect_heads(const char *name, double times, const char *workload, uint32_t heads,
                         uint32_t kv_heads, uint32_t head_dim, uint32_t v_dim) {
    const struct bm_op *op = expect_rows(name, times, workload, 0, 0);
    cr_expect(op->the_case.heads == heads && op->the_case.kv_heads == kv_heads, "%s: %u %u", name,
              op->the_case.heads, op->the_case.kv_heads);
    cr_expect(op->the_case.head_dim == head_dim && op->the_case.v_dim == v_dim, "%s: %u %u", name,
              op->the_case.head_dim, op->the_case.v_dim);
}

static void expect_attention(const char *name, double times, uint32_t tokens, uint32_t context) {
    const struct bm_op *op = find(name);
    cr_assert_not_null(op, "%s", name);
    cr_assert(op->has_case, "%s", name);
    cr_expect_float_eq(op->count, times, 1e-9, "%s: %g", name, op->count);
    cr_expect_str_eq(op->the_case.workload->name, "attention");
    cr_expect_eq(op->the_case.tokens, tokens);
    cr_expect_eq(op->the_case.context, context);
    cr_expect_eq(op->the_case.heads, model.heads);
    cr_expect_eq(op->the_case.kv_heads, model.kv_heads);
    cr_expect_eq(op->the_case.head_dim, model.head_dim);
    cr_expect_eq(op->the_case.v_dim, model.head_dim);
}

/* Weights that are quantised change nothing of what has none: one measurement serves all such contracts. */
Test(ops, what_has_no_weights_runs_in_the_format_of_the_activations) {
    static const char *const dtypes[][2] = {{"f32", "f32"},      {"bf16", "bf16"},    {"int8", "f32"},
                                            {"int8af16", "f16"}, {"int4af32", "f32"}, {"int4af16", "f16"}};
    for (size_t i = 0; i < BM_COUNT_OF(dtypes); i++) {
        list("llama2-7b", BM_PHASE_DECODE, dtypes[i][0], 1, 1000);
        cr_expect_str_eq(find("qkv")->the_case.dtype->name, dtypes[i][0]);
        cr_expect_str_eq(find("attn")->the_case.dtype->name, dtypes[i][1]);
        cr_expect_str_eq(find("norm")->the_case.dtype->name, dtypes[i][1]);
        cr_expect_str_eq(find("kv_write")->the_case.dtype->name, dtypes[i][1]);
    }
}

/* ---- dense models, by hand ---- */

Test(ops, prefill_of_llama2_7b) {
    const char *const order[] = {"embedding", "norm",       "qkv",         "rope",   "kv_write",
                                 "attn",      "attn_out",   "ffn_gate_up", "act",    "ffn_down",
                                 "residual",  "final_norm", "lm_head",     "softmax"};
    list("llama2-7b", BM_PHASE_PREFILL, "f16", 1, 128);
    cr_assert_eq(count, BM_COUNT_OF(order));
    for (size_t i = 0; i < count; i++)
        cr_expect_str_eq(ops[i].name, order[i]);
    expect_rows("embedding", 1, "embedding", 128, 4096);
    expect_rows("norm", 64, "rmsnorm", 128, 4096);
    expect_rows("final_norm", 1, "rmsnorm", 1, 4096);
    expect_matmul("qkv", 32, "gemm", 128, 12288, 4096);
    expect_heads("rope", 32, "rope", 64, 0, 128, 0);
    expect_heads("kv_write", 32, "kv_write", 32, 32, 128, 128);
    cr_expect_eq(find("kv_write")->the_case.tokens, 128);
    expect_attention("attn", 32, 128, 0);
    expect_matmul("attn_out", 32, "gemm", 128, 4096, 4096);
    expect_matmul("ffn_gate_up", 32, "gemm", 128, 22016, 4096);
    expect_rows("act", 32, "swiglu", 128, 11008);
    expect_matmul("ffn_down", 32, "gemm", 128, 4096, 11008);
    expect_rows("residual", 64, "residual", 128, 4096);
    expect_matmul("lm_head", 1, "gemv", 1, 32000, 4096); /* the last token alone */
    expect_rows("softmax", 1, "softmax", 1, 32000);
    cr_expect_eq(find("softmax")->the_case.tokens, 1, "of the last token");
    cr_expect_eq(find("norm")->the_case.tokens, 128);
}

Test(ops, decode_of_llama2_7b) {
    list("llama2-7b", BM_PHASE_DECODE, "f32", 1, 1024);
    expect_matmul("qkv", 32, "gemv", 1, 12288, 4096);
    expect_attention("attn", 32, 1, 1024);
    expect_matmul("attn_out", 32, "gemv", 1, 4096, 4096);
    expect_matmul("ffn_gate_up", 32, "gemv", 1, 22016, 4096);
    expect_matmul("ffn_down", 32, "gemv", 1, 4096, 11008);
    expect_matmul("lm_head", 1, "gemv", 1, 32000, 4096);
}

Test(ops, keys_are_those_of_the_design) {
    char key[BM_KEY_SIZE];
    list("llama3.1-8b", BM_PHASE_DECODE, "f16", 1, 8192);
    bm_case_key(&find("attn")->the_case, key);
    cr_expect_str_eq(key, "attention/llama3.1-8b/decode/attn/f16/b1h32kv8d128c8192/kvf16");
    list("llama2-7b", BM_PHASE_PREFILL, "f16", 1, 512);
    bm_case_key(&find("ffn_down")->the_case, key);
    cr_expect_str_eq(key, "gemm/llama2-7b/prefill/ffn_down/f16/m512n4096k11008");
    list("mixtral-8x7b", BM_PHASE_DECODE, "f16", 1, 512);
    bm_case_key(&find("experts_gate_up")->the_case, key);
    cr_expect_str_eq(key, "grouped_gemm/mixtral-8x7b/decode/experts_gate_up/f16/m1n28672k4096e8t2/uniform");
}

Test(ops, rows_are_batch_times_tokens) {
    list("llama3.1-8b", BM_PHASE_PREFILL, "f16", 4, 512);
    expect_matmul("qkv", 32, "gemm", 2048, 6144, 4096);
    expect_matmul("lm_head", 1, "gemm", 4, 128256, 4096);
    expect_rows("norm", 64, "rmsnorm", 2048, 4096);
    expect_rows("softmax", 1, "softmax", 4, 128256);
    cr_expect_eq(find("rope")->the_case.batch, 4);
    cr_expect_eq(find("rope")->the_case.tokens, 512);
    cr_expect_eq(find("attn")->the_case.batch, 4);
    list("llama3.1-8b", BM_PHASE_DECODE, "f16", 8, 4096);
    expect_matmul("qkv", 32, "gemm", 8, 6144, 4096);
    list("llama3.1-8b", BM_PHASE_PREFILL, "f16", 1, 1);
    expect_matmul("qkv", 32, "gemv", 1, 6144, 4096);
}

Test(ops, gelu_has_no_gate_and_learned_positions_no_rope) {
    list("gpt3-175b", BM_PHASE_PREFILL, "f16", 1, 512);
    expect_matmul("ffn_up", 96, "gemm", 512, 49152, 12288);
    expect_matmul("ffn_down", 96, "gemm", 512, 12288, 49152);
    expect_rows("act", 96, "gelu", 512, 49152);
    expect_rows("norm", 192, "layernorm", 512, 12288);
    expect_heads("kv_write", 96, "kv_write", 96, 96, 128, 128);
    cr_expect_null(find("ffn_gate_up"));
    cr_expect_null(find("rope"));
}

/* A later chunk of a prompt attends over the earlier ones; nothing else knows of them. */
Test(ops, a_chunk_of_a_prompt) {
    struct bm_request request = {
        .phase = BM_PHASE_PREFILL, .dtype = bm_dtype_find("f16"), .batch = 1, .tokens = 512, .context = 1024};
    struct bm_op whole[BM_MAX_OPS];
    struct bm_error error = {0};
    list("llama2-7b", BM_PHASE_PREFILL, "f16", 1, 512);
    const size_t ops_before = count;
    memcpy(whole, ops, sizeof ops);
    cr_assert_eq(bm_model_ops(&model, &request, ops, &count, &error), BM_OK, "%s", error.message);
    cr_assert_eq(count, ops_before);
    for (size_t i = 0; i < count; i++)
        if (strcmp(ops[i].name, "attn") == 0)
            expect_attention("attn", 32, 512, 1024);
        else
            cr_expect(bm_case_same_work(&ops[i].the_case, &whole[i].the_case), "%s", ops[i].name);
    request.context = 4096 - 511; /* one too many */
    cr_expect_eq(bm_model_ops(&model, &request, ops, &count, &error), BM_INVALID);
    cr_expect_not_null(strstr(error.message, "--past 3585 and --tokens 512 exceed"), "%s", error.message);
    request.context = UINT32_MAX;
    cr_expect_eq(bm_model_ops(&model, &request, ops, &count, NULL), BM_INVALID);
    cr_assert_eq(bm_model_load("gpt-oss-20b", &model, NULL), BM_OK);
    request.tokens = 64;
    request.context = 100; /* past the window, though the chunk is not */
    cr_assert_eq(bm_model_ops(&model, &request, ops, &count, NULL), BM_OK);
    cr_assert_not_null(find("attn_window"));
    cr_expect_eq(find("attn_window")->the_case.window, 128);
    cr_expect_eq(find("attn_window")->the_case.context, 100);
}

/* ---- the other kinds ---- */

Test(ops, attention_may_be_wider_than_the_hidden_state) {
    list("qwen3-30b-a3b", BM_PHASE_PREFILL, "f16", 1, 256);
    expect_matmul("qkv", 48, "gemm", 256, (32 + 2 * 4) * 128, 2048);
    expect_matmul("attn_out", 48, "gemm", 256, 2048, 32 * 128);
    expect_matmul("router", 48, "gemm", 256, 128, 2048);
    expect_rows("experts_act", 48, "swiglu", 256 * 8, 768);
    cr_expect_eq(expect_rows("top_k", 48, "topk", 256, 128)->the_case.k, 8);
    cr_expect_eq(find("top_k")->the_case.groups, 0);
    cr_expect_eq(find("experts_act")->the_case.tokens, 256, "tokens are the request's, not the experts'");
    expect_matmul("experts_gate_up", 48, "grouped_gemm", 256, 2 * 768, 2048);
    expect_matmul("experts_down", 48, "grouped_gemm", 256, 2048, 768);
    cr_expect_eq(find("experts_down")->the_case.experts, 128);
    cr_expect_eq(find("experts_down")->the_case.top_k, 8);
    cr_expect_not(find("experts_gate_up")->the_case.row_per_pair, "tokens are gathered");
    cr_expect(find("experts_down")->the_case.row_per_pair);
    const struct bm_op *combine = expect_rows("experts_combine", 48, "combine", 256, 2048);
    cr_expect(combine->the_case.experts == 128 && combine->the_case.top_k == 8);
    cr_expect_eq(combine->the_case.k, 0, "no expert is shared");
    cr_expect_null(find("ffn_gate_up"), "every layer is routed");
    cr_expect_null(find("shared_gate_up"));
}

static size_t index_of(const char *name) {
    const struct bm_op *op = find(name);
    cr_assert_not_null(op, "%s", name);
    return (size_t)(op - ops);
}

/* Qwen3 normalises heads and rotates them, Hunyuan the other way round. */
Test(ops, heads_of_queries_and_keys_are_normalised) {
    list("qwen3-8b", BM_PHASE_PREFILL, "int8", 2, 512);
    const struct bm_op *norm = expect_rows("qk_norm", 36, "rmsnorm", 2 * 512 * 40, 128);
    cr_expect(norm->the_case.heads == 32 && norm->the_case.kv_heads == 8);
    cr_expect(norm->the_case.batch == 2 && norm->the_case.tokens == 512);
    cr_expect_str_eq(norm->the_case.dtype->name, "f32");
    cr_expect_null(find("q_norm"));
    cr_expect(index_of("qkv") < index_of("qk_norm") && index_of("qk_norm") < index_of("rope"));
    list("qwen3-8b", BM_PHASE_DECODE, "f16", 1, 512);
    cr_expect_eq(expect_rows("qk_norm", 36, "rmsnorm", 40, 128)->the_case.tokens, 1);
    list("hunyuan-7b", BM_PHASE_DECODE, "f16", 1, 512);
    expect_rows("qk_norm", 32, "rmsnorm", 40, 128);
    cr_expect(index_of("rope") < index_of("qk_norm") && index_of("qk_norm") < index_of("kv_write"));
    list("llama3.1-8b", BM_PHASE_DECODE, "f16", 1, 512);
    cr_expect_null(find("qk_norm"));
}

Test(ops, multi_head_latent_attention) {
    list("deepseek-r1", BM_PHASE_PREFILL, "f16", 1, 256);
    expect_matmul("q_a", 61, "gemm", 256, 1536, 7168);
    expect_matmul("q_b", 61, "gemm", 256, 128 * 192, 1536);
    expect_matmul("kv_a", 61, "gemm", 256, 512 + 64, 7168);
    expect_matmul("kv_b", 61, "gemm", 256, 128 * (128 + 128), 512);
    expect_rows("q_a_norm", 61, "rmsnorm", 256, 1536);
    expect_rows("kv_a_norm", 61, "rmsnorm", 256, 512);
    expect_heads("rope", 61, "rope", 128, 0, 64, 0);
    expect_heads("k_rope", 61, "rope", 1, 0, 64, 0);
    expect_heads("kv_expand", 61, "kv_expand", 128, 0, 192, 128);
    cr_expect_eq(find("kv_expand")->the_case.k, 64);
    expect_heads("kv_write", 61, "kv_write", 0, 1, 576, 0);
    expect_heads("attn", 61, "attention", 128, 128, 192, 128);
    cr_expect_eq(find("attn")->the_case.tokens, 256);
    expect_matmul("attn_out", 61, "gemm", 256, 7168, 128 * 128);
    expect_matmul("ffn_gate_up", 3, "gemm", 256, 2 * 18432, 7168);
    expect_matmul("ffn_down", 3, "gemm", 256, 7168, 18432);
    expect_matmul("router", 58, "gemm", 256, 256, 7168);
    const struct bm_op *top_k = expect_rows("top_k", 58, "topk", 256, 256);
    cr_expect(top_k->the_case.k == 8 && top_k->the_case.groups == 8 && top_k->the_case.groups_used == 4);
    expect_rows("act", 3, "swiglu", 256, 18432);
    expect_rows("shared_act", 58, "swiglu", 256, 2048);
    expect_rows("experts_act", 58, "swiglu", 2048, 2048);
    expect_matmul("shared_gate_up", 58, "gemm", 256, 4096, 7168);
    expect_matmul("shared_down", 58, "gemm", 256, 7168, 2048);
    expect_matmul("experts_gate_up", 58, "grouped_gemm", 256, 4096, 7168);
    cr_expect_eq(find("experts_gate_up")->the_case.groups, 8);
    cr_expect_eq(find("experts_gate_up")->the_case.groups_used, 4);
    const struct bm_op *combine = expect_rows("experts_combine", 58, "combine", 256, 7168);
    cr_expect_eq(combine->the_case.k, 1, "onto what the shared expert gave");
    cr_expect(combine->the_case.groups == 8 && combine->the_case.groups_used == 4);
    cr_expect_null(find("qkv"));
    list("deepseek-v3", BM_PHASE_DECODE, "f16", 1, 4096);
    cr_expect_null(find("kv_b")); /* absorbed */
    cr_expect_null(find("kv_expand"));
    expect_heads("k_rope", 61, "rope", 1, 0, 64, 0);
    expect_matmul("kv_b_queries", 61, "grouped_gemm", 1, 512, 128);
    expect_matmul("kv_b_values", 61, "grouped_gemm", 1, 128, 512);
    cr_expect(find("kv_b_values")->the_case.experts == 128 && find("kv_b_values")->the_case.top_k == 128);
    cr_expect(find("kv_b_queries")->the_case.row_per_pair, "each head has its own row");
    expect_heads("attn", 61, "mla", 128, 1, 576, 512);
    cr_expect_eq(find("attn")->the_case.context, 4096);
    expect_matmul("q_a", 61, "gemv", 1, 1536, 7168);
}

Test(ops, cross_layer_attention_projects_keys_in_every_second_layer) {
    list("hunyuan-large", BM_PHASE_PREFILL, "f16", 1, 128);
    expect_matmul("qkv", 32, "gemm", 128, (80 + 2 * 8) * 80, 6400);
    expect_matmul("q", 32, "gemm", 128, 80 * 80, 6400);
    expect_heads("rope", 32, "rope", 88, 0, 80, 0);
    expect_heads("q_rope", 32, "rope", 80, 0, 80, 0);
    expect_rows("qk_norm", 32, "rmsnorm", 128 * 88, 80);
    expect_rows("q_norm", 32, "rmsnorm", 128 * 80, 80);
    cr_expect_eq(find("q_norm")->the_case.kv_heads, 0, "keys are another layer's");
    expect_heads("kv_write", 32, "kv_write", 80, 8, 80, 80);
    expect_attention("attn", 64, 128, 0);
}

Test(ops, hybrids_count_their_layers_apart) {
    list("hunyuan-t1", BM_PHASE_PREFILL, "f16", 1, 128);
    expect_matmul("qkv", 7, "gemm", 128, (64 + 16) * 80, 5120);
    expect_rows("qk_norm", 7, "rmsnorm", 128 * 72, 80);
    expect_attention("attn", 7, 128, 0);
    expect_matmul("in_proj", 57, "gemm", 128, 2 * 5120 + 2 * 16 * 128 + 64, 5120);
    const struct bm_op *conv = expect_rows("conv", 57, "mamba_conv", 128, 5120 + 2 * 16 * 128);
    cr_expect(conv->the_case.k == 4 && conv->the_case.tokens == 128);
    const struct bm_op *scan = find("scan");
    cr_assert(scan && scan->has_case);
    cr_expect_str_eq(scan->the_case.workload->name, "mamba_scan");
    cr_expect(scan->the_case.heads == 64 && scan->the_case.head_dim == 80 && scan->the_case.n == 128);
    cr_expect(scan->the_case.groups == 16 && scan->the_case.k == 128 && scan->the_case.tokens == 128);
    expect_rows("ssm_gate", 57, "swiglu", 128, 5120);
    expect_rows("ssm_norm", 57, "rmsnorm", 128, 5120);
    expect_matmul("out_proj", 57, "gemm", 128, 5120, 5120);
    expect_matmul("router", 64, "gemm", 128, 32, 5120);
    expect_matmul("shared_gate_up", 64, "gemm", 128, 2 * 17024, 5120);
    expect_rows("norm", 128, "rmsnorm", 128, 5120);
}

Test(ops, windowed_layers_see_their_window_only) {
    list("gpt-oss-20b", BM_PHASE_DECODE, "f16", 1, 4096);
    expect_attention("attn", 12, 1, 4096);
    expect_attention("attn_window", 12, 1, 128);
    list("gpt-oss-20b", BM_PHASE_DECODE, "f16", 1, 128); /* the context fits the window: all layers alike */
    expect_attention("attn", 24, 1, 128);
    cr_expect_null(find("attn_window"));
    list("gpt-oss-20b", BM_PHASE_PREFILL, "f16", 1, 128);
    expect_attention("attn", 24, 128, 0);
    list("gpt-oss-20b", BM_PHASE_PREFILL, "f16", 1, 129);
    expect_attention("attn", 12, 129, 0);
    expect_attention("attn_window", 12, 129, 0);
    cr_expect(find("attn")->the_case.sinks && find("attn_window")->the_case.sinks, "in all layers");
    cr_expect_eq(find("attn")->the_case.window, 0);
    cr_expect_eq(find("attn_window")->the_case.window, 128);
    cr_expect_lt(find("attn_window")->the_case.workload->flops(&find("attn_window")->the_case),
                 find("attn")->the_case.workload->flops(&find("attn")->the_case));
}

Test(ops, the_cache_of_a_decode_step) {
    static const enum bm_kv kinds[] = {BM_KV_DTYPE, BM_KV_F16, BM_KV_INT8};
    static const char *const keys[] = {"b1h32kv8d128c64/kvf32", "b1h32kv8d128c64/kvf16",
                                       "b1h32kv8d128c64/kvint8"};
    struct bm_request request = {.dtype = bm_dtype_find("f32"), .batch = 1, .tokens = 64, .context = 64};
    cr_assert_eq(bm_model_load("llama3.1-8b", &model, NULL), BM_OK);
    for (size_t i = 0; i < BM_COUNT_OF(kinds); i++) {
        char key[BM_KEY_SIZE];
        request.kv = kinds[i];
        request.phase = BM_PHASE_DECODE;
        cr_assert_eq(bm_model_ops(&model, &request, ops, &count, NULL), BM_OK);
        bm_case_key(&find("attn")->the_case, key);
        cr_expect_str_eq(strstr(key, "b1h32"), keys[i]);
        bm_case_key(&find("kv_write")->the_case, key);
        cr_expect_str_eq(strrchr(key, '/'), strrchr(keys[i], '/'), "what is read is what is written");
        request.phase = BM_PHASE_PREFILL; /* attends to what it is about to store */
        cr_assert_eq(bm_model_ops(&model, &request, ops, &count, NULL), BM_OK);
        cr_expect_eq(find("attn")->the_case.kv, BM_KV_DTYPE);
    }
}

/* ---- what cannot be served ---- */

static void expect_refused(const struct bm_model *m, struct bm_request request, const char *part) {
    struct bm_error error = {0};
    count = 7;
    cr_expect_eq(bm_model_ops(m, &request, ops, &count, &error), BM_INVALID, "%s", part);
    cr_expect_eq(count, 0);
    cr_expect_not_null(strstr(error.message, part), "'%s' lacks '%s'", error.message, part);
    cr_expect_not_null(strstr(error.message, m->id), "%s", error.message);
}

Test(ops, requests_beyond_the_model_are_refused) {
    const struct bm_dtype *f16 = bm_dtype_find("f16");
    struct bm_request prefill = {.phase = BM_PHASE_PREFILL, .dtype = f16, .batch = 1, .tokens = 128};
    struct bm_request decode = {.phase = BM_PHASE_DECODE, .dtype = f16, .batch = 1, .context = 4096};
    struct bm_request bad;
    struct bm_model broken;
    list("llama2-7b", BM_PHASE_DECODE, "f16", 1, 4096); /* the longest it takes */

    bad = prefill, bad.tokens = 4097;
    expect_refused(&model, bad, "--tokens must be from 1 to the model's maximum context, 4096 (is 4097)");
    bad = prefill, bad.tokens = 0;
    expect_refused(&model, bad, "--tokens must be from 1");
    bad = decode, bad.context = 4097;
    expect_refused(&model, bad, "--context must be from 1 to the model's maximum context, 4096 (is 4097)");
    bad = decode, bad.context = 0;
    expect_refused(&model, bad, "--context must be from 1");
    bad = decode, bad.batch = 0;
    expect_refused(&model, bad, "--batch must be at least 1");
    bad = decode, bad.dtype = NULL;
    expect_refused(&model, bad, "no number format");
    bad = decode, bad.phase = BM_PHASE_NONE;
    expect_refused(&model, bad, "prefill or decode");
    bad = prefill, bad.batch = UINT32_MAX, bad.tokens = 4096;
    expect_refused(&model, bad, "above 2^44");
    broken = model, broken.kv_heads = 5;
    expect_refused(&broken, decode, "do not divide");
    broken = model, broken.experts_per_token = 1;
    expect_refused(&broken, decode, "experts");
    broken = model, broken.hidden = 0;
    expect_refused(&broken, decode, "is 0");
}
