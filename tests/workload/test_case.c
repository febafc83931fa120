#include <criterion/criterion.h>
#include <string.h>

#include "bm/workload.h"

static struct bm_case gemm(const char *dtype, uint64_t m, uint64_t n, uint64_t k) {
    return (struct bm_case){.workload = bm_workload_find(m == 1 ? "gemv" : "gemm"),
                            .model = "llama2-7b",
                            .op = "ffn_down",
                            .phase = m == 1 ? BM_PHASE_DECODE : BM_PHASE_PREFILL,
                            .dtype = bm_dtype_find(dtype),
                            .m = m,
                            .n = n,
                            .k = k};
}

static struct bm_case attention(const char *dtype, enum bm_phase phase, uint32_t batch, uint32_t heads,
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

static void assert_key(const struct bm_case *c, const char *expected) {
    char key[BM_KEY_SIZE];
    bm_case_key(c, key);
    cr_assert_str_eq(key, expected, "%s, not %s", key, expected);
}

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
}

static void assert_class(struct bm_case c, const char *expected) {
    char shape_class[BM_CLASS_SIZE];
    bm_case_class(&c, shape_class);
    cr_assert_str_eq(shape_class, expected, "%s, not %s", shape_class, expected);
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
    heads.m = 512 * 40;
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
    heads.m = 512 * 8;
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

static void assert_work(const struct bm_case *c, double flops, double bytes) {
    cr_assert_eq(c->workload->flops(c), flops, "%s: %.17g FLOPs", c->workload->name, c->workload->flops(c));
    cr_assert_eq(c->workload->bytes(c), bytes, "%s: %.17g bytes", c->workload->name, c->workload->bytes(c));
}

/* Every figure by hand from the formulas of DESIGN.md. */
Test(formulas, of_matrices) {
    struct bm_case c = gemm("f16", 512, 4096, 11008); /* llama2-7b ffn_down */
    assert_work(&c, 46170898432.0, 2.0 * (45088768.0 + 5636096.0 + 2097152.0));
    c = gemm("f32", 512, 4096, 11008);
    assert_work(&c, 46170898432.0, 4.0 * (45088768.0 + 5636096.0 + 2097152.0));
    c = gemm("f16", 1, 4096, 11008);
    assert_work(&c, 90177536.0, 2.0 * (45088768.0 + 11008.0 + 4096.0));
    c = gemm("f32", 2, 3, 5); /* unpadded */
    assert_work(&c, 60, 4.0 * (15 + 10 + 6));
}

static struct bm_case latent(const char *dtype, uint32_t batch, uint32_t heads, uint32_t context) {
    struct bm_case c = attention(dtype, BM_PHASE_DECODE, batch, heads, 1, 1, context);
    c.workload = bm_workload_find("mla");
    c.head_dim = 576;
    c.v_dim = 512;
    return c;
}

/* DeepSeek-V3's heads over 8192 tokens: 2 x 128 x 8192 x 1088 FLOPs, 576 halves a token read once. */
Test(formulas, of_latent_attention) {
    struct bm_case c = latent("f16", 1, 128, 8192);
    assert_key(&c, "mla/llama3.1-8b/decode/attn/f16/b1h128d576dv512c8192/kvf16");
    assert_class(c, "decode/d576/g128");
    cr_expect_float_eq(c.workload->flops(&c), 2281701376.0, 0.5);
    cr_expect_float_eq(c.workload->bytes(&c), 8192.0 * 576 * 2 + 128 * 1088 * 2, 0.5);
    c = latent("f32", 3, 16, 100);
    cr_expect_float_eq(c.workload->flops(&c), 3 * 2.0 * 16 * 100 * 1088, 0.5);
    cr_expect_float_eq(c.workload->bytes(&c), 3 * 4.0 * (100 * 576 + 16 * 1088), 0.5);
    c.phase = BM_PHASE_PREFILL;
    cr_expect_eq(c.workload->validate(&c, NULL), BM_INVALID, "prefill expands the latent");
    c = latent("f32", 1, 16, 0);
    cr_expect_eq(c.workload->validate(&c, NULL), BM_INVALID);
    c = latent("f32", 1, 16, 8);
    c.v_dim = 577;
    cr_expect_eq(c.workload->validate(&c, NULL), BM_INVALID, "values are part of a row");
}

/* TurboS: 64 heads of 80, a state of 128, 16 groups, chunks of 128. */
Test(formulas, of_mamba) {
    struct bm_case c = {.workload = bm_workload_find("mamba_scan"),
                        .model = "hunyuan-turbos",
                        .op = "scan",
                        .phase = BM_PHASE_DECODE,
                        .dtype = bm_dtype_find("f16"),
                        .batch = 3,
                        .tokens = 1,
                        .heads = 64,
                        .head_dim = 80,
                        .n = 128,
                        .k = 128,
                        .groups = 16};
    const double io = 2.0 * (2 * 5120 + 2 * 16 * 128 + 64), state = 655360;
    assert_key(&c, "mamba_scan/hunyuan-turbos/decode/scan/f16/b3h64d80n128g16");
    assert_class(c, "decode/d80");
    cr_expect_float_eq(c.workload->flops(&c), 3 * 5 * state, 0.5);
    cr_expect_float_eq(c.workload->bytes(&c), 3 * (8 * state + io), 0.5);
    cr_expect_float_eq(c.workload->written(&c), 3 * (4 * state + 2 * 5120), 0.5);
    c.phase = BM_PHASE_PREFILL;
    c.tokens = 200;
    assert_key(&c, "mamba_scan/hunyuan-turbos/prefill/scan/f16/b3h64d80n128g16t200q128");
    cr_expect_float_eq(c.workload->flops(&c), 600 * (128.0 * 128 * 16 + 128 * 5120 + 4 * state), 0.5);
    cr_expect_float_eq(c.workload->bytes(&c), 600 * io + 3 * 4 * state, 0.5);
    c.n = 126;
    cr_expect_eq(c.workload->validate(&c, NULL), BM_INVALID, "tiles are of four rows");

    c.workload = bm_workload_find("mamba_conv");
    c.head_dim = c.groups = 0;
    c.n = 9216;
    c.k = 4;
    c.m = 600;
    assert_key(&c, "mamba_conv/hunyuan-turbos/prefill/scan/f16/b3t200n9216k4");
    cr_expect_float_eq(c.workload->flops(&c), 600.0 * 9216 * 12, 0.5);
    cr_expect_float_eq(c.workload->bytes(&c), 2.0 * 9216 * (1200 + 5 + 3 * 3), 0.5);
    c.phase = BM_PHASE_DECODE;
    c.m = 3;
    cr_expect_float_eq(c.workload->bytes(&c), 2.0 * 9216 * (6 + 5 + 2 * 3 * 3), 0.5);
    c.m = 4;
    cr_expect_eq(c.workload->validate(&c, NULL), BM_INVALID, "rows are those of the sequences");
}

Test(formulas, of_attention) {
    /* llama3.1-8b: 2 x 32 x 8192 x 256 FLOPs; K and V 8 x 8192 x 256 f16, q and o 32 x 256 f16 */
    struct bm_case c = attention("f16", BM_PHASE_DECODE, 1, 32, 8, 1, 8192);
    assert_work(&c, 134217728.0, 33554432.0 + 16384.0);
    c = attention("f16", BM_PHASE_DECODE, 4, 32, 8, 1, 8192);
    assert_work(&c, 4 * 134217728.0, 4 * (33554432.0 + 16384.0));
    /* 128 x 129 / 2 = 8256 pairs a head; q, k, v, o 128 x 32 x 128 f32 each */
    c = attention("f32", BM_PHASE_PREFILL, 1, 32, 32, 128, 0);
    assert_work(&c, 2.0 * 32 * 8256 * 256, 4.0 * 4 * 524288);
    /* after 72: 128 x 72 pairs more, keys and values of 200 tokens; d_qk 192, d_v 128 */
    c = attention("f32", BM_PHASE_PREFILL, 2, 32, 8, 128, 72);
    c.head_dim = 192;
    assert_work(&c, 2.0 * 2 * 32 * (128 * 72 + 8256) * 320, 2.0 * 320 * (128 * 32 * 4 + 200 * 8 * 4));
    /* a window of 100: 28 tokens see 73 to 100 keys, 100 see 100; of the past all 72 are read */
    c.window = 100;
    assert_work(&c, 2.0 * 2 * 32 * ((73 + 100) * 28 / 2 + 100 * 100) * 320,
                2.0 * 320 * (128 * 32 * 4 + 200 * 8 * 4));
    c.window = 50; /* all see 50; of the past 49 are read */
    assert_work(&c, 2.0 * 2 * 32 * 128 * 50 * 320, 2.0 * 320 * (128 * 32 * 4 + 177 * 8 * 4));
    c.window = 200; /* holds everything */
    assert_work(&c, 2.0 * 2 * 32 * (128 * 72 + 8256) * 320, 2.0 * 320 * (128 * 32 * 4 + 200 * 8 * 4));
    /* int8: a byte an element, and two f32 scales for each key and KV head */
    c = attention("f16", BM_PHASE_DECODE, 1, 32, 8, 1, 8192);
    c.kv = BM_KV_INT8;
    assert_work(&c, 134217728.0, 16777216.0 + 8 * 8192 * 8 + 16384.0);
}

Test(formulas, of_ceilings) {
    struct bm_case cases[3];
    cr_assert_eq(bm_ceiling_cases(1000000, cases, 3), 3);
    assert_work(&cases[0], 0, 1000000);
    assert_work(&cases[1], 0, 1000000);
    cases[2].n = 100;
    cases[2].k = 7;
    assert_work(&cases[2], 1400, 800);
    cases[2].n = cases[2].k = 0;
    cr_assert(cases[2].workload->flops(&cases[2]) > 1e9);
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
