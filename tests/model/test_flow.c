/* What flows between the ops of a pass. */
#include "bm/model.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(flow);

static struct bm_flow flow;
static enum bm_kv kv;

static enum bm_status build(const struct bm_model *model, enum bm_phase phase, const char *dtype,
                            uint32_t length, uint32_t steps) {
    struct bm_error error = {0};
    struct bm_request request = {
        .phase = phase, .dtype = bm_dtype_find(dtype), .batch = 2, .tokens = 1, .kv = kv};
    if (phase == BM_PHASE_PREFILL)
        request.tokens = length;
    else
        request.context = length;
    return bm_model_flow(model, &request, steps, &flow, &error);
}

static const struct bm_model small = {.id = "small",
                                      .layers = 2,
                                      .hidden = 256,
                                      .heads = 4,
                                      .kv_heads = 2,
                                      .head_dim = 64,
                                      .ffn = BM_FFN_SWIGLU,
                                      .attention = BM_ATTENTION_GQA,
                                      .intermediate = 512,
                                      .vocabulary = 1000,
                                      .max_context = 4096};

/* "op: tensor=value+offset/pitch/head_pitch ...", what is 0 left out. */
static void expect_node(size_t index, const char *expected) {
    char text[512];
    cr_assert_lt(index, flow.node_count);
    const struct bm_flow_node *node = &flow.nodes[index];
    int length = snprintf(text, sizeof text, "%s:", flow.cases[node->case_index].op);
    for (unsigned i = 0; i < node->link_count; i++) {
        const struct bm_flow_link *link = &node->links[i];
        length += snprintf(text + length, sizeof text - (size_t)length, " %s=%s", link->tensor,
                           flow.values[link->value].name);
        if (link->offset > 0)
            length += snprintf(text + length, sizeof text - (size_t)length, "+%llu",
                               (unsigned long long)link->offset);
        if (link->pitch > 0)
            length += snprintf(text + length, sizeof text - (size_t)length, "/%llu",
                               (unsigned long long)link->pitch);
        if (link->head_pitch > 0)
            length += snprintf(text + length, sizeof text - (size_t)length, "/%llu",
                               (unsigned long long)link->head_pitch);
    }
    cr_expect_str_eq(text, expected, "node %zu: %s", index, text);
}

/* Rows of qkv are 4 x 64 of queries, 2 x 64 of keys and as many values: 512. Two sequences of 3 tokens. */
Test(flow, of_a_prompt_by_hand) {
    cr_assert_eq(build(&small, BM_PHASE_PREFILL, "f32", 3, 1), BM_OK);
    cr_assert_eq(flow.node_count, 1 + 2 * 12 + 3);
    expect_node(0, "embedding: outputs=stream");
    expect_node(1, "norm: inputs=stream outputs=normalised weights=gains of 256");
    expect_node(2, "qkv: activations=normalised outputs=qkv");
    expect_node(3, "rope: inputs=qkv/512/64 outputs=qkv/512/64 angles=angles 0 of 64");
    expect_node(4, "kv_write: inputs=qkv/512 keys=keys 1/192 values=values 1/192");
    expect_node(5, "attn: queries=qkv/512 keys=keys 1/192 values=values 1/192 outputs=attended");
    expect_node(6, "attn_out: activations=attended outputs=attn_out");
    expect_node(7, "residual: inputs=stream added=attn_out outputs=next stream");
    expect_node(8, "norm: inputs=next stream outputs=normalised weights=gains of 256");
    expect_node(9, "ffn_gate_up: activations=normalised outputs=ffn_gate_up");
    expect_node(10, "act: gates=ffn_gate_up/1024 ups=ffn_gate_up+512/1024 outputs=act");
    expect_node(11, "ffn_down: activations=act outputs=ffn_down");
    expect_node(12, "residual: inputs=next stream added=ffn_down outputs=stream");
    expect_node(16, "kv_write: inputs=qkv/512 keys=keys 2/192 values=values 2/192");
    /* The last of each sequence's three tokens. */
    expect_node(25, "final_norm: inputs=stream+512/768 outputs=last weights=gains of 256");
    expect_node(26, "lm_head: activations=last outputs=lm_head");
    expect_node(27, "softmax: inputs=lm_head outputs=probabilities");
    cr_assert_lt(flow.result, flow.value_count);
    cr_expect_str_eq(flow.values[flow.result].name, "lm_head");
    bm_flow_fini(&flow);
}

/* Tokens 9 and 10 go to a cache of 10, behind those that are there; each step sees one more. */
Test(flow, of_two_steps_by_hand) {
    cr_assert_eq(build(&small, BM_PHASE_DECODE, "f32", 10, 2), BM_OK);
    cr_assert_eq(flow.node_count, 2 * 28);
    expect_node(3, "rope: inputs=qkv/512/64 outputs=qkv/512/64 angles=angles 8 of 64");
    expect_node(4, "kv_write: inputs=qkv/512 keys=keys 1+512/640 values=values 1+512/640");
    expect_node(5, "attn: queries=qkv/512 keys=keys 1/640 values=values 1/640 outputs=attended");
    cr_expect_eq(flow.cases[flow.nodes[5].case_index].context, 9);
    expect_node(28 + 3, "rope: inputs=qkv/512/64 outputs=qkv/512/64 angles=angles 9 of 64");
    expect_node(28 + 4, "kv_write: inputs=qkv/512 keys=keys 1+576/640 values=values 1+576/640");
    cr_expect_eq(flow.cases[flow.nodes[28 + 5].case_index].context, 10);
    bm_flow_fini(&flow);
}

/* Lines of scales are one wide. What is kept is too coarse to tell errors of the whole from. */
Test(flow, of_an_int8_cache) {
    kv = BM_KV_INT8;
    cr_assert_eq(build(&small, BM_PHASE_DECODE, "f32", 10, 2), BM_OK);
    expect_node(4, "kv_write: inputs=qkv/512 keys=keys 1+512/640 values=values 1+512/640 "
                   "key scales=key scales 1+8/10 value scales=value scales 1+8/10");
    expect_node(5, "attn: queries=qkv/512 keys=keys 1/640 values=values 1/640 key scales=key scales 1/10 "
                   "value scales=value scales 1/10 outputs=attended");
    cr_expect_eq(flow.result, SIZE_MAX);
    bm_flow_fini(&flow);
}

/* The first layer sees its window alone: of 100 cached tokens the last 16. */
Test(flow, of_a_window) {
    struct bm_model model = small;
    model.sliding_window = 16;
    cr_assert_eq(build(&model, BM_PHASE_DECODE, "f32", 100, 1), BM_OK);
    expect_node(
        5, "attn_window: queries=qkv/512 keys=keys 1+5376/6400 values=values 1+5376/6400 outputs=attended");
    expect_node(17, "attn: queries=qkv/512 keys=keys 2/6400 values=values 2/6400 outputs=attended");
    cr_expect_not(flow.cases[flow.nodes[5].case_index].sinks);
    bm_flow_fini(&flow);
    model.attention_sinks = true; /* weights, so that no value holds them */
    cr_assert_eq(build(&model, BM_PHASE_DECODE, "f32", 100, 1), BM_OK);
    for (size_t node = 5; node <= 17; node += 12)
        cr_expect(flow.cases[flow.nodes[node].case_index].sinks);
    expect_node(17, "attn: queries=qkv/512 keys=keys 2/6400 values=values 2/6400 outputs=attended");
    bm_flow_fini(&flow);
}

/* Of two layers that share a cache the second projects queries alone. */
Test(flow, of_a_shared_cache) {
    struct bm_model model = small;
    model.kv_shared_layers = 2;
    cr_assert_eq(build(&model, BM_PHASE_DECODE, "f32", 10, 1), BM_OK);
    expect_node(14, "q: activations=normalised outputs=q");
    expect_node(15, "q_rope: inputs=q/256/64 outputs=q/256/64 angles=angles 9 of 64");
    expect_node(16, "attn: queries=q/256 keys=keys 1/640 values=values 1/640 outputs=attended");
    bm_flow_fini(&flow);
}

/* Weights are the nodes' own. What comes second sees what the first left. */
Test(flow, of_normalised_heads) {
    struct bm_model model = small;
    model.qk_norm = BM_QK_NORM_BEFORE_ROPE;
    cr_assert_eq(build(&model, BM_PHASE_PREFILL, "f32", 3, 1), BM_OK);
    expect_node(3, "qk_norm: inputs=qkv/512/64 outputs=qkv/512/64");
    expect_node(4, "rope: inputs=qkv/512/64 outputs=qkv/512/64 angles=angles 0 of 64");
    expect_node(5, "kv_write: inputs=qkv/512 keys=keys 1/192 values=values 1/192");
    bm_flow_fini(&flow);
    model.qk_norm = BM_QK_NORM_AFTER_ROPE;
    model.kv_shared_layers = 2;
    cr_assert_eq(build(&model, BM_PHASE_DECODE, "f32", 10, 1), BM_OK);
    expect_node(3, "rope: inputs=qkv/512/64 outputs=qkv/512/64 angles=angles 9 of 64");
    expect_node(4, "qk_norm: inputs=qkv/512/64 outputs=qkv/512/64");
    expect_node(15, "q: activations=normalised outputs=q");
    expect_node(16, "q_rope: inputs=q/256/64 outputs=q/256/64 angles=angles 9 of 64");
    expect_node(17, "q_norm: inputs=q outputs=q");
    expect_node(18, "attn: queries=q/256 keys=keys 1/640 values=values 1/640 outputs=attended");
    bm_flow_fini(&flow);
}

/* Queries are 4 heads of 64 + 32, cached rows 128 + 32; of two sequences token 10 is new. */
Test(flow, of_latents_by_hand) {
    struct bm_model model = small;
    model.attention = BM_ATTENTION_MLA;
    model.head_dim = 96;
    model.kv_lora = 128;
    model.qk_nope_dim = 64;
    model.qk_rope_dim = 32;
    model.v_dim = 64;
    cr_assert_eq(build(&model, BM_PHASE_DECODE, "f32", 10, 1), BM_OK);
    expect_node(2, "q: activations=normalised outputs=q");
    expect_node(3, "kv_a: activations=normalised outputs=kv_a");
    expect_node(4, "kv_a_norm: inputs=kv_a/160 outputs=kv_a/160 weights=gains of 128");
    expect_node(5, "rope: inputs=q+64/384/96 outputs=latent queries+128/640/160 angles=angles 9 of 32");
    expect_node(6, "k_rope: inputs=kv_a+128/160 outputs=kv_a+128/160 angles=angles 9 of 32");
    expect_node(7, "kv_write: inputs=kv_a keys=latents 1+1440/1600");
    expect_node(8, "kv_b_queries: activations=q/96 outputs=latent queries/160");
    expect_node(9, "attn: queries=latent queries cache=latents 1/1600 outputs=latent outputs");
    expect_node(10, "kv_b_values: activations=latent outputs outputs=kv_b_values");
    expect_node(11, "attn_out: activations=kv_b_values outputs=attn_out");
    bm_flow_fini(&flow);
    cr_assert_eq(build(&model, BM_PHASE_PREFILL, "f32", 10, 1), BM_OK);
    expect_node(5, "rope: inputs=q+64/384/96 outputs=q+64/384/96 angles=angles 0 of 32");
    expect_node(8, "kv_b: activations=kv_a/160 outputs=kv_b");
    expect_node(
        9, "kv_expand: inputs=kv_b shared=kv_a+128/160 keys=expanded keys/960 values=expanded values/640");
    expect_node(10, "attn: queries=q keys=expanded keys values=expanded values outputs=attended");
    bm_flow_fini(&flow);
}

/* Inner 256, channels 256 + 2 x 2 x 64, 4 steps: 772 wide, which begin 832 apart. */
Test(flow, of_a_scan_by_hand) {
    struct bm_model model = small;
    model.attention_layers = model.mamba_layers = 1;
    model.ffn_layers = 2;
    model.mamba_state = model.mamba_head_dim = 64;
    model.mamba_heads = model.mamba_conv = 4;
    model.mamba_groups = 2;
    model.mamba_chunk = 128;
    cr_assert_eq(build(&model, BM_PHASE_DECODE, "f16", 10, 2), BM_OK);
    expect_node(2, "in_proj: activations=normalised outputs=in_proj/832");
    expect_node(3,
                "conv: inputs=in_proj+256/832 outputs=conv states before=inputs 1 even states=inputs 1 odd");
    expect_node(
        4,
        "scan: rows=conv steps=in_proj+768/832 outputs=scan states before=states 1 even states=states 1 odd");
    expect_node(5, "ssm_gate: gates=in_proj/832 ups=scan outputs=ssm_gate");
    expect_node(6, "ssm_norm: inputs=ssm_gate outputs=ssm_norm weights=gains of 256");
    expect_node(7, "out_proj: activations=ssm_norm outputs=out_proj");
    const size_t step = flow.node_count / 2;
    expect_node(
        step + 4,
        "scan: rows=conv steps=in_proj+768/832 outputs=scan states before=states 1 odd states=states 1 even");
    bm_flow_fini(&flow);
}

static bool is_written(const char *tensor) {
    return strcmp(tensor, "outputs") == 0 || strcmp(tensor, "keys") == 0 || strcmp(tensor, "values") == 0 ||
           strcmp(tensor, "states") == 0;
}

/* Every op as often as the summary counts it, and nothing read that nobody wrote. */
static void check_model(const struct bm_model *model, enum bm_phase phase) {
    struct bm_error error = {0};
    struct bm_request request = {.phase = phase, .dtype = bm_dtype_find("f16"), .batch = 1, .tokens = 64};
    struct bm_op ops[BM_MAX_OPS];
    size_t count;
    if (phase == BM_PHASE_DECODE) {
        request.tokens = 1;
        request.context = 200;
    }
    cr_assert_eq(bm_model_ops(model, &request, ops, &count, &error), BM_OK, "%s", error.message);
    cr_assert_eq(bm_model_flow(model, &request, 1, &flow, &error), BM_OK, "%s: %s", model->id, error.message);
    cr_assert_lt(flow.result, flow.value_count);
    double listed = 0;
    for (size_t i = 0; i < count; i++)
        listed += ops[i].count;
    cr_expect_float_eq(listed, (double)flow.node_count, 1e-9, "%s %s: %g ops, %zu nodes", model->id,
                       bm_phase_name(phase), listed, flow.node_count);
    double flops = 0;
    for (size_t i = 0; i < count; i++)
        flops += ops[i].count * ops[i].the_case.workload->flops(&ops[i].the_case);
    cr_expect_float_eq(bm_flow_flops(&flow), flops, 1e-9 * flops, "%s", model->id);
    bool *written = calloc(flow.value_count, sizeof *written);
    for (size_t n = 0; n < flow.node_count; n++)
        for (unsigned l = 0; l < flow.nodes[n].link_count; l++) {
            const struct bm_flow_link *link = &flow.nodes[n].links[l];
            const struct bm_flow_value *value = &flow.values[link->value];
            written[link->value] |= value->content != BM_FLOW_WRITTEN || is_written(link->tensor);
            cr_expect(written[link->value], "%s: %s reads %s", model->id,
                      flow.cases[flow.nodes[n].case_index].op, value->name);
            cr_expect_lt(link->offset, value->count);
        }
    free(written);
    bm_flow_fini(&flow);
}

Test(flow, of_every_model, .timeout = 60) {
    struct bm_model *models;
    size_t count;
    cr_assert_eq(bm_model_list(&models, &count, NULL), BM_OK);
    for (size_t i = 0; i < count; i++) {
        check_model(&models[i], BM_PHASE_PREFILL);
        check_model(&models[i], BM_PHASE_DECODE);
    }
    free(models);
}

Test(flow, refuses_steps_that_begin_nowhere) {
    cr_expect_eq(build(&small, BM_PHASE_DECODE, "f32", 10, 11), BM_INVALID);
    cr_expect_eq(build(&small, BM_PHASE_DECODE, "f32", 10, 0), BM_INVALID);
    cr_expect_eq(build(&small, BM_PHASE_PREFILL, "f32", 10, 2), BM_INVALID);
    cr_expect_eq(flow.node_count, 0);
}
