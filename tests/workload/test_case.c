/* What a case is called, which class it falls into, what is the same work and what makes no sense. */
#include <criterion/criterion.h>
#include <string.h>

#include "cases.h"

Test(key, says_everything_in_a_fixed_order) {
    struct bm_case c = gemm("f16", 512, 4096, 11008);
    assert_key(&c, "gemm/llama2-7b/prefill/ffn_down/f16/m512n4096k11008");
    c.hot = true;
    assert_key(&c, "gemm/llama2-7b/prefill/ffn_down/f16/m512n4096k11008/hot");
    c = gemm("f32", 1, 4096, 11008);
    assert_key(&c, "gemv/llama2-7b/decode/ffn_down/f32/m1n4096k11008");
    c = attention("f16", BM_PHASE_DECODE, 1, 32, 8, 1, 8192);
    assert_key(&c, "attention/llama3.1-8b/decode/attn/f16/b1h32kv8d128c8192/kvf16");
    c.kv = BM_KV_F16; /* the same, told twice */
    assert_key(&c, "attention/llama3.1-8b/decode/attn/f16/b1h32kv8d128c8192/kvf16");
    c.kv = BM_KV_INT8;
    assert_key(&c, "attention/llama3.1-8b/decode/attn/f16/b1h32kv8d128c8192/kvint8");
    c = attention("f32", BM_PHASE_PREFILL, 1, 32, 32, 128, 0);
    assert_key(&c, "attention/llama3.1-8b/prefill/attn/f32/b1h32kv32d128t128");
    c = gemm("f16", 512, 28672, 4096);
    c.workload = bm_workload_find("grouped_gemm");
    c.experts = 8;
    c.top_k = 2;
    assert_key(&c, "grouped_gemm/llama2-7b/prefill/ffn_down/f16/m512n28672k4096e8t2/uniform");
    c.routing = BM_ROUTING_ZIPF;
    c.groups = 4;
    c.groups_used = 2;
    c.row_per_pair = true;
    assert_key(&c, "grouped_gemm/llama2-7b/prefill/ffn_down/f16/m512n28672k4096e8t2g4u2/zipf/pairs");
    c = attention("f32", BM_PHASE_PREFILL, 1, 32, 32, 128, 0);
    c.head_dim = 192;
    c.context = 64;
    assert_key(&c, "attention/llama3.1-8b/prefill/attn/f32/b1h32kv32d192dv128t128c64");
    c.window = 100;
    assert_key(&c, "attention/llama3.1-8b/prefill/attn/f32/b1h32kv32d192dv128t128c64w100");
    c.window = 192; /* holds everything */
    c.kv = BM_KV_INT8;
    assert_key(&c, "attention/llama3.1-8b/prefill/attn/f32/b1h32kv32d192dv128t128c64/kvint8");
    c.sinks = true;
    assert_key(&c, "attention/llama3.1-8b/prefill/attn/f32/b1h32kv32d192dv128t128c64/kvint8/sinks");
    assert_class(c, "prefill/d192/kvint8"); /* tiles suit both */
}

Test(shape_class, of_matrix_products) {
    assert_class(gemm("f32", 2, 4096, 4096), "m2-8/n4096k4096");
    assert_class(gemm("f16", 8, 4096, 4096), "m2-8/n4096k4096");
    assert_class(gemm("f16", 9, 16383, 4095), "m9-32/n4096k1024");
    assert_class(gemm("f16", 32, 16384, 11008), "m9-32/n16384k4096");
    assert_class(gemm("f16", 33, 256, 255), "m33-128/n256k1");
    assert_class(gemm("f16", 128, 1, 1), "m33-128/n1k1");
    assert_class(gemm("f16", 129, 4096, 4096), "m129-512/n4096k4096");
    assert_class(gemm("f16", 512, 4096, 4096), "m129-512/n4096k4096");
    assert_class(gemm("f16", 513, 4096, 4096), "m513+/n4096k4096");
    assert_class(gemm("f16", UINT64_C(1) << 28, UINT64_C(1) << 28, UINT64_C(1) << 28),
                 "m513+/n268435456k268435456");
    assert_class(gemm("f16", 1, 128256, 4096), "n65536k4096");
    struct bm_case norm = gemm("f16", 2, 4096, 0);
    norm.workload = bm_workload_find("rmsnorm");
    assert_class(norm, "m2-8/n4096");
    norm.m = 1;
    assert_class(norm, "m1/n4096");
}

Test(shape_class, of_attention_and_ceilings) {
    struct bm_case ceilings[3], c = attention("f16", BM_PHASE_PREFILL, 1, 32, 8, 128, 0);
    assert_class(c, "prefill/d128");
    c.tokens = 4096;
    assert_class(c, "prefill/d128");
    assert_class(attention("f16", BM_PHASE_DECODE, 1, 32, 8, 1, 8192), "decode/d128/g4");
    assert_class(attention("f16", BM_PHASE_DECODE, 8, 32, 32, 1, 128), "decode/d128/g1");
    c = attention("f16", BM_PHASE_DECODE, 1, 32, 8, 1, 8192);
    c.kv = BM_KV_INT8;
    assert_class(c, "decode/d128/g4/kvint8");
    cr_assert_eq(bm_ceiling_cases(1 << 20, ceilings, 3), 3);
    for (size_t i = 0; i < 3; i++)
        assert_class(ceilings[i], "");
}

Test(key, of_a_layers_other_ops) {
    struct bm_case c = gemm("bf16", 512, 4096, 0);
    c.workload = bm_workload_find("rmsnorm");
    bm_string_set(c.op, sizeof(c.op), "norm");
    assert_key(&c, "rmsnorm/llama2-7b/prefill/norm/bf16/m512n4096");
    struct bm_case heads = c;
    heads.m = 20480;
    heads.n = 128;
    heads.heads = 32;
    heads.kv_heads = 8;
    assert_key(&heads, "rmsnorm/llama2-7b/prefill/norm/bf16/m20480n128h32kv8");
    assert_class(heads, "m513+/n1");
    /* Two vectors of weights beside what is read and written; four operations an element. */
    cr_expect_eq(heads.workload->bytes(&heads), 2.0 * (2 * 20480 + 2) * 128);
    cr_expect_eq(heads.workload->flops(&heads), 4.0 * 20480 * 128);
    cr_expect_eq(heads.workload->validate(&heads, NULL), BM_OK);
    heads.m--;
    cr_expect_eq(heads.workload->validate(&heads, NULL), BM_INVALID, "a token has all of its heads");
    heads.m = 4096;
    heads.heads = 0;
    cr_expect_eq(heads.workload->validate(&heads, NULL), BM_INVALID, "keys alone are rows like any");
    c.workload = bm_workload_find("topk");
    c.n = 256;
    c.k = 8;
    assert_key(&c, "topk/llama2-7b/prefill/norm/bf16/m512n256k8");
    c.groups = 8;
    c.groups_used = 4;
    assert_key(&c, "topk/llama2-7b/prefill/norm/bf16/m512n256k8g8u4");
    c.workload = bm_workload_find("combine");
    c.n = 7168;
    c.k = 1;
    c.experts = 256;
    c.top_k = 8;
    assert_key(&c, "combine/llama2-7b/prefill/norm/bf16/m512n7168e256t8g8u4/uniform/shared");
    c.k = c.groups = c.groups_used = 0;
    c.routing = BM_ROUTING_ZIPF;
    assert_key(&c, "combine/llama2-7b/prefill/norm/bf16/m512n7168e256t8/zipf");
    c = attention("f16", BM_PHASE_PREFILL, 2, 32, 8, 100, 0);
    c.workload = bm_workload_find("kv_write");
    assert_key(&c, "kv_write/llama3.1-8b/prefill/attn/f16/b2t100h32kv8d128/kvf16");
    /* 200 tokens of 8 heads of 128 + 128 elements, read in f16; int8 has two scales more. */
    cr_expect_eq(c.workload->bytes(&c), 200 * 8 * 256 * (2.0 + 2));
    c.kv = BM_KV_INT8;
    cr_expect_eq(c.workload->bytes(&c), 200 * 8 * (256 * (2.0 + 1) + 2 * 4));
    cr_expect_eq(c.workload->written(&c), 200 * 8 * (256 + 2 * 4.0));
    c.kv = BM_KV_DTYPE;
    c.kv_heads = 1;
    c.heads = 0;
    c.head_dim = 576;
    c.v_dim = 0;
    assert_key(&c, "kv_write/llama3.1-8b/prefill/attn/f16/b2t100h0kv1d576dv0/kvf16");
    c.workload = bm_workload_find("kv_expand");
    c.heads = 128;
    c.head_dim = 192;
    c.v_dim = 128;
    c.k = 64;
    assert_key(&c, "kv_expand/llama3.1-8b/prefill/attn/f16/b2t100h128d192dv128k64/kvf16");
    /* Of 200 tokens 128 heads of 128 + 128 elements and 64, to heads of 192 and 128. */
    cr_expect_eq(c.workload->bytes(&c), 2.0 * 200 * (128 * 256 + 64 + 128 * 320));
    cr_expect_eq(c.workload->written(&c), 2.0 * 200 * 128 * 320);
    cr_expect_eq(c.workload->validate(&c, NULL), BM_OK);
    c.k = 192;
    cr_expect_eq(c.workload->validate(&c, NULL), BM_INVALID, "nothing is a head's own");
    c.workload = bm_workload_find("rope");
    c.k = 0;
    c.heads = 129;
    c.head_dim = 64;
    assert_key(&c, "rope/llama3.1-8b/prefill/attn/f16/b2t100h129d64");
}

Test(key, of_ceilings) {
    struct bm_case cases[8];
    cr_assert_eq(bm_ceiling_cases(1 << 20, cases, 1), 3);
    cr_assert_eq(bm_ceiling_cases(1 << 20, cases, 8), 3);
    assert_key(&cases[0], "stream/-/-/read/-/-");
    assert_key(&cases[1], "stream/-/-/copy/-/-");
    assert_key(&cases[2], "fma/-/-/f32_vector/-/-");
    for (size_t i = 0; i < 3; i++) {
        cr_assert(cases[i].workload->is_ceiling);
        cr_assert_eq(cases[i].workload->validate(&cases[i], NULL), BM_OK);
    }
    cr_assert_eq(cases[0].working_set, 1 << 20);
}

Test(key, of_parts_of_a_device) {
    struct bm_case c = {.workload = bm_workload_find("stream"), .model = "-", .op = "read"}, other = c;
    char key[BM_KEY_SIZE];
    c.threads = 4;
    bm_case_key(&c, key);
    cr_expect_str_eq(key, "stream/-/-/read/-/-/threads4");
    cr_expect_not(bm_case_same_work(&c, &other));
    c.threads = 0;
    c.node = 1;
    bm_case_key(&c, key);
    cr_expect_str_eq(key, "stream/-/-/read/-/-/node0");
    cr_expect_not(bm_case_same_work(&c, &other));
    c.node = 0;
    c.small_pages = true;
    bm_case_key(&c, key);
    cr_expect_str_eq(key, "stream/-/-/read/-/-/small_pages");
    cr_expect_not(bm_case_same_work(&c, &other));
}

Test(key, fits_even_where_every_field_is_long) {
    struct bm_case c = attention("f32", BM_PHASE_DECODE, 4096, 4096, 2048, 1, 1 << 24);
    memset(c.model, 'm', sizeof(c.model) - 1);
    memset(c.op, 'o', sizeof(c.op) - 1);
    char key[BM_KEY_SIZE];
    bm_case_key(&c, key);
    cr_assert_str_eq(key + strlen(key) - 6, "/kvf32");
}

Test(same_work, ignores_model_phase_and_op_alone) {
    struct bm_case a = gemm("f16", 512, 4096, 4096), b = a;
    strcpy(b.model, "mistral-7b");
    strcpy(b.op, "attn_out");
    b.phase = BM_PHASE_DECODE;
    cr_assert(bm_case_same_work(&a, &b));
    b.n++;
    cr_assert_not(bm_case_same_work(&a, &b));
    b = a;
    b.dtype = bm_dtype_find("f32");
    cr_assert_not(bm_case_same_work(&a, &b));
    b = a;
    b.hot = true;
    cr_assert_not(bm_case_same_work(&a, &b));
    a = attention("f16", BM_PHASE_DECODE, 1, 32, 8, 1, 64);
    b = attention("f16", BM_PHASE_PREFILL, 1, 32, 8, 1, 64);
    cr_assert_not(bm_case_same_work(&a, &b), "attention's phases are different work");
    struct bm_case ceilings[3];
    cr_assert_eq(bm_ceiling_cases(0, ceilings, 3), 3);
    cr_assert_not(bm_case_same_work(&ceilings[0], &ceilings[1]), "the op of a ceiling is its work");
    cr_assert_not(bm_case_same_work(&ceilings[0], &a));
    b = ceilings[0];
    cr_assert(bm_case_same_work(&ceilings[0], &b));
    b.working_set = 1 << 20;
    cr_assert_not(bm_case_same_work(&ceilings[0], &b));
}

Test(tables, find_what_they_list) {
    size_t count = 0;
    for (; bm_workload_get(count); count++)
        cr_assert_eq(bm_workload_find(bm_workload_get(count)->name), bm_workload_get(count));
    cr_assert_eq(count, 25);
    cr_assert_null(bm_workload_find("gem"));
    for (count = 0; bm_dtype_get(count); count++) {
        cr_assert_eq(bm_dtype_find(bm_dtype_get(count)->name), bm_dtype_get(count));
        cr_assert_not_null(bm_dtype_get(count)->pipes[0]);
    }
    cr_assert_null(bm_dtype_find("f8"));
    cr_assert_str_eq(bm_phase_name(BM_PHASE_NONE), "-");
    cr_assert_str_eq(bm_phase_name(BM_PHASE_PREFILL), "prefill");
    cr_assert_str_eq(bm_phase_name(BM_PHASE_DECODE), "decode");
}

static void assert_invalid(const struct bm_case *c, const char *word) {
    struct bm_error error = {0};
    cr_assert_eq(c->workload->validate(c, &error), BM_INVALID, "accepted, want a complaint about %s", word);
    cr_assert_not_null(strstr(error.message, word), "'%s' does not say %s", error.message, word);
}

Test(validate, rejects_what_makes_no_sense) {
    struct bm_case c = gemm("f32", 512, 64, 64);
    cr_assert_eq(c.workload->validate(&c, NULL), BM_OK);
    c.m = 1;
    assert_invalid(&c, "gemv");
    c = gemm("f32", 512, 0, 64);
    assert_invalid(&c, "n >= 1");
    c = gemm("f32", 512, 64, UINT64_C(1) << 62);
    assert_invalid(&c, "at most");
    c = gemm("f32", 1, 64, 64);
    cr_assert_eq(c.workload->validate(&c, NULL), BM_OK);
    c.m = 2;
    assert_invalid(&c, "m = 1");
    c = gemm("f32", 1, 64, 0);
    assert_invalid(&c, "k >= 1");
    c.dtype = NULL;
    assert_invalid(&c, "dtype");

    c = attention("f16", BM_PHASE_DECODE, 1, 32, 8, 1, 100);
    cr_assert_eq(c.workload->validate(&c, NULL), BM_OK);
    c.kv_heads = 7;
    assert_invalid(&c, "multiple");
    c.kv_heads = 0;
    assert_invalid(&c, "multiple");
    c = attention("f16", BM_PHASE_DECODE, 1, 32, 8, 1, 0);
    assert_invalid(&c, "context");
    c = attention("f16", BM_PHASE_PREFILL, 1, 32, 8, 0, 100);
    assert_invalid(&c, "tokens");
    c = attention("f16", BM_PHASE_NONE, 1, 32, 8, 1, 100);
    assert_invalid(&c, "phase");
    c = attention("f16", BM_PHASE_DECODE, 0, 32, 8, 1, 100);
    assert_invalid(&c, "batch");
    c = attention("f16", BM_PHASE_DECODE, 1, 32, 8, 1, 100);
    c.v_dim = 4000;
    assert_invalid(&c, "head sizes");

    struct bm_case cases[3];
    cr_assert_eq(bm_ceiling_cases(100, cases, 3), 3);
    assert_invalid(&cases[0], "working set");
    cases[1].working_set = 0;
    strcpy(cases[1].op, "swap");
    assert_invalid(&cases[1], "swap");
    cases[2].k = 1 << 20;
    assert_invalid(&cases[2], "steps");
}
