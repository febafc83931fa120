/* FLOPs and bytes of cases. */
#include <criterion/criterion.h>

#include "cases.h"

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
    /* sinks: an f32 logit for each of 32 heads, which all sequences share */
    c = attention("f16", BM_PHASE_DECODE, 4, 32, 8, 1, 8192);
    c.sinks = true;
    assert_work(&c, 4 * 134217728.0, 4 * (33554432.0 + 16384.0) + 128);
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
