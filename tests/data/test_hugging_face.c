/* config.json of models on Hugging Face: their shapes, against our own files of the same models. */
#include "bm/data.h"
#include "fixture.h"

#include <limits.h>

TestSuite(hugging_face, .init = fixture_begin, .fini = fixture_end);

/* The shape-defining keys of the published files, among some that say nothing of shapes. */
static const char llama2[] =
    "{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\", \"bos_token_id\": 1,"
    "\"hidden_act\": \"silu\", \"hidden_size\": 4096, \"intermediate_size\": 11008,"
    "\"max_position_embeddings\": 4096, \"num_attention_heads\": 32, \"num_hidden_layers\": 32,"
    "\"num_key_value_heads\": 32, \"rope_scaling\": null, \"rms_norm_eps\": 1e-05,"
    "\"tie_word_embeddings\": false, \"torch_dtype\": \"float16\", \"vocab_size\": 32000}";
static const char qwen25[] =
    "{\"architectures\": [\"Qwen2ForCausalLM\"], \"hidden_size\": 3584, \"intermediate_size\": 18944,"
    "\"max_position_embeddings\": 131072, \"num_attention_heads\": 28, \"num_hidden_layers\": 28,"
    "\"num_key_value_heads\": 4, \"sliding_window\": 131072, \"use_sliding_window\": false,"
    "\"tie_word_embeddings\": false, \"vocab_size\": 152064}";
static const char qwen3_moe[] =
    "{\"model_type\": \"qwen3_moe\", \"hidden_size\": 2048, \"intermediate_size\": 6144, \"head_dim\": 128,"
    "\"max_position_embeddings\": 40960, \"num_attention_heads\": 32, \"num_hidden_layers\": 48,"
    "\"num_key_value_heads\": 4, \"num_experts\": 128, \"num_experts_per_tok\": 8, \"decoder_sparse_step\": "
    "1,"
    "\"mlp_only_layers\": [], \"moe_intermediate_size\": 768, \"norm_topk_prob\": true, \"vocab_size\": "
    "151936}";
static const char mixtral[] =
    "{\"architectures\": [\"MixtralForCausalLM\"], \"hidden_size\": 4096, \"intermediate_size\": 14336,"
    "\"max_position_embeddings\": 32768, \"num_attention_heads\": 32, \"num_hidden_layers\": 32,"
    "\"num_key_value_heads\": 8, \"num_local_experts\": 8, \"num_experts_per_tok\": 2, \"sliding_window\": "
    "null,"
    "\"vocab_size\": 32000}";
static const char deepseek[] =
    "{\"architectures\": [\"DeepseekV3ForCausalLM\"], \"hidden_size\": 7168, \"intermediate_size\": 18432,"
    "\"kv_lora_rank\": 512, \"q_lora_rank\": 1536, \"qk_nope_head_dim\": 128, \"qk_rope_head_dim\": 64,"
    "\"v_head_dim\": 128, \"max_position_embeddings\": 163840, \"num_attention_heads\": 128, "
    "\"num_hidden_layers\": 61,"
    "\"num_key_value_heads\": 128, \"n_routed_experts\": 256, \"n_shared_experts\": 1, "
    "\"num_experts_per_tok\": 8,"
    "\"moe_intermediate_size\": 2048, \"moe_layer_freq\": 1, \"first_k_dense_replace\": 3, \"n_group\": 8,"
    "\"topk_group\": 4, \"topk_method\": \"noaux_tc\", \"num_nextn_predict_layers\": 1, "
    "\"quantization_config\": {},"
    "\"vocab_size\": 129280}";

#define ALTERNATING "\"sliding_attention\", \"full_attention\""
#define FULL        "\"full_attention\", \"full_attention\""
#define THREE(x)    x ", " x ", " x
#define TWELVE(x)   THREE(x) ", " THREE(x) ", " THREE(x) ", " THREE(x)
#define LAYER_TYPES "\"layer_types\": [" TWELVE(ALTERNATING) "]"
static const char gpt_oss[] =
    "{\"architectures\": [\"GptOssForCausalLM\"], \"attention_bias\": true, \"experts_per_token\": 4,"
    "\"head_dim\": 64, \"hidden_size\": 2880, \"initial_context_length\": 4096, \"intermediate_size\": 2880,"
    "\"max_position_embeddings\": 131072, \"num_attention_heads\": 64, \"num_experts_per_tok\": 4,"
    "\"num_hidden_layers\": 24, \"num_key_value_heads\": 8, \"num_local_experts\": 32,"
    "\"quantization_config\": {\"quant_method\": \"mxfp4\"}, \"rope_scaling\": {\"rope_type\": \"yarn\"},"
    "\"sliding_window\": 128, \"swiglu_limit\": 7.0, \"tie_word_embeddings\": false, \"vocab_size\": "
    "201088, " LAYER_TYPES "}";
static const char hunyuan[] =
    "{\"architectures\": [\"HunYuanDenseV1ForCausalLM\"], \"hidden_size\": 4096, \"intermediate_size\": "
    "14336,"
    "\"max_position_embeddings\": 262144, \"num_attention_heads\": 32, \"num_hidden_layers\": 32,"
    "\"num_key_value_heads\": 8, \"use_qk_norm\": true, \"use_cla\": false, \"tie_word_embeddings\": true,"
    "\"vocab_size\": 128167}";
/* Lists have a number for each of the 32 layers. */
#define FOUR(x) #x ", " #x ", " #x ", " #x
#define OF_LAYERS(x)                                                                                         \
    "[" FOUR(x) ", " FOUR(x) ", " FOUR(x) ", " FOUR(x) ", " FOUR(x) ", " FOUR(x) ", " FOUR(x) ", " FOUR(x) "]"
static const char hunyuan_moe[] =
    "{\"architectures\": [\"HunYuanMoEV1ForCausalLM\"], \"model_type\": \"hunyuan\", \"attention_head_dim\": "
    "128,"
    "\"cla_share_factor\": 2, \"group_limited_greedy\": false, \"hidden_size\": 4096, \"intermediate_size\": "
    "3072,"
    "\"kv_lora_rank\": null, \"max_position_embeddings\": 32768, \"mlp_bias\": false,"
    "\"moe_intermediate_size\": " OF_LAYERS(3072) ", \"moe_layer_num_skipped\": 0, \"moe_topk\": " OF_LAYERS(
        8) ","
           "\"n_group\": null, \"num_attention_heads\": 32, \"num_experts\": 64, \"num_hidden_layers\": 32,"
           "\"num_key_value_heads\": 8, \"num_shared_expert\": " OF_LAYERS(
               1) ", \"tie_word_embeddings\": true,"
                  "\"use_cla\": false, \"use_mixed_mlp_moe\": true, \"use_mla\": false, \"use_qk_norm\": "
                  "true,"
                  "\"vocab_size\": 128167}";

static struct bm_model load(const char *name, const char *text) {
    struct bm_model model;
    struct bm_error error = {0};
    cr_assert_eq(bm_model_load(fixture_write(name, text, SIZE_MAX), &model, &error), BM_OK, "%s",
                 error.message);
    return model;
}

static struct bm_model load_known(const char *id) {
    char path[PATH_MAX];
    struct bm_model model;
    struct bm_error error = {0};
    snprintf(path, sizeof path, "%s/bench/models/%s.json", getenv("BM_SOURCE_DIR"), id);
    cr_assert_eq(bm_model_load(path, &model, &error), BM_OK, "%s", error.message);
    return model;
}

Test(hugging_face, shapes_are_those_of_our_own_files) {
    static const struct {
        const char *text, *id;
    } rows[] = {{llama2, "llama2-7b"},         {qwen25, "qwen2.5-7b"},    {qwen3_moe, "qwen3-30b-a3b"},
                {mixtral, "mixtral-8x7b"},     {deepseek, "deepseek-v3"}, {hunyuan, "hunyuan-7b"},
                {hunyuan_moe, "hunyuan-a13b"}, {gpt_oss, "gpt-oss-20b"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct bm_model a = load("config.json", rows[i].text), b = load_known(rows[i].id);
#define SAME(field) cr_expect_eq(a.field, b.field, "%s: " #field " %u, not %u", b.id, a.field, b.field)
        SAME(layers);
        SAME(hidden);
        SAME(heads);
        SAME(kv_heads);
        SAME(head_dim);
        SAME(attention);
        SAME(ffn);
        SAME(intermediate);
        SAME(dense_layers);
        SAME(experts);
        SAME(experts_per_token);
        SAME(shared_experts);
        SAME(expert_intermediate);
        SAME(expert_groups);
        SAME(expert_groups_used);
        SAME(vocabulary);
        SAME(tied_embeddings);
        SAME(q_lora);
        SAME(kv_lora);
        SAME(qk_nope_dim);
        SAME(qk_rope_dim);
        SAME(v_dim);
        SAME(qk_norm);
        SAME(kv_shared_layers);
        SAME(sliding_window);
        SAME(attention_sinks);
#undef SAME
        cr_expect_str_eq(a.biases, b.biases, "%s", b.id);
    }
}

Test(hugging_face, the_id_is_the_folders_name) {
    cr_expect_str_eq(load("Llama-2-7b hf/config.json", llama2).id, "llama-2-7b-hf");
    cr_expect_str_eq(load("Llama-2-7b hf/config.json", llama2).name, "Llama-2-7b hf");
    cr_expect_str_eq(load("My_Llama.json", llama2).id, "my_llama");
    cr_expect_str_eq(load("Llama-2-7b hf/config.json", llama2).family, "llama");
}

Test(hugging_face, what_is_missing_has_the_librarys_meaning) {
    char *text = fixture_replace(llama2, "\"num_key_value_heads\": 32, ", "");
    struct bm_model model = load("config.json", text);
    free(text);
    cr_expect_eq(model.kv_heads, 32);
    text = fixture_replace(qwen3_moe, "\"mlp_only_layers\": []", "\"mlp_only_layers\": [0, 5]");
    model = load("config.json", text);
    free(text);
    cr_expect_eq(model.dense_layers, 2);
    text = fixture_replace(qwen3_moe, "\"decoder_sparse_step\": 1", "\"decoder_sparse_step\": 2");
    model = load("config.json", text);
    free(text);
    cr_expect_eq(model.dense_layers, 24);
    text = fixture_replace(deepseek, "\"q_lora_rank\": 1536", "\"q_lora_rank\": null");
    model = load("config.json", text);
    free(text);
    cr_expect_eq(model.q_lora, 0);
    text = fixture_replace(hunyuan_moe, "\"use_cla\": false", "\"use_cla\": true");
    model = load("config.json", text);
    free(text);
    cr_expect_eq(model.kv_shared_layers, 2);
    text = fixture_replace(hunyuan_moe, "\"use_qk_norm\": true", "\"use_qk_norm\": false");
    model = load("config.json", text);
    free(text);
    cr_expect_eq(model.qk_norm, BM_QK_NORM_NONE);
    text = fixture_replace(hunyuan_moe, "\"intermediate_size\": 3072", "\"intermediate_size\": 6144");
    model = load("config.json", text);
    free(text);
    cr_expect_eq(model.shared_experts, 2, "as wide as two");
    text = fixture_replace(gpt_oss, "\"layer_types\"", "\"left_out\"");
    model = load("config.json", text);
    free(text);
    cr_expect_eq(model.sliding_window, 128);
    text = fixture_replace(gpt_oss, "\"head_dim\"", "\"left_out\"");
    model = load("config.json", text);
    free(text);
    cr_expect_eq(model.head_dim, 64);
    text = fixture_replace(gpt_oss, "\"attention_bias\": true", "\"attention_bias\": false");
    model = load("config.json", text);
    free(text);
    cr_expect_str_eq(model.biases, "experts+router");
    text = fixture_replace(gpt_oss, "\"layer_types\": [", "\"layer_types\": [" TWELVE(FULL) ", ");
    model = load("config.json", text);
    free(text);
    cr_expect_eq(model.sliding_window, 0, "no layer has one");
    cr_expect(model.attention_sinks);
    text = fixture_replace(deepseek, "\"n_group\": 8", "\"n_group\": 1"); /* one group is none */
    model = load("config.json", text);
    free(text);
    cr_expect_eq(model.expert_groups, 0);
    cr_expect_eq(model.expert_groups_used, 0);
}

Test(hugging_face, each_mistake_is_one_line_that_names_the_place) {
    static const struct {
        const char *text, *old, *by, *message;
    } rows[] = {
        {llama2, "LlamaForCausalLM", "GPT2LMHeadModel",
         "$.architectures: 'GPT2LMHeadModel' is none of the families that are understood: llama, qwen2, "
         "qwen2_moe, qwen3, qwen3_moe, mixtral, deepseek, deepseek_v2, deepseek_v3, gpt_oss, hunyuan, "
         "hunyuan_v1_dense, hunyuan_v1_moe"},
        {qwen3_moe, "\"qwen3_moe\"", "7", "$.model_type: '' is none of the families"},
        {llama2, "[\"LlamaForCausalLM\"], \"model_type\": \"llama\"", "[]",
         "$.model_type: is missing: it says which family's model this is"},
        {qwen3_moe, "\"model_type\": \"qwen3_moe\"", "\"family\": \"qwen3_moe\"", "$.model_type: is missing"},
        {llama2, "\"num_hidden_layers\": 32", "\"num_hidden_layers\": 0",
         "$.num_hidden_layers: must be a whole number from 1 to 1000 (is 0)"},
        {llama2, "\"num_hidden_layers\": 32", "\"num_layers\": 32", "$.num_hidden_layers: is missing"},
        {llama2, "\"num_key_value_heads\": 32", "\"num_key_value_heads\": 5",
         "$.num_key_value_heads: must divide $.num_attention_heads"},
        {llama2, "\"num_key_value_heads\": 32", "\"num_key_value_heads\": 0",
         "$.num_key_value_heads: must be a whole number from 1"},
        {llama2, "\"num_attention_heads\": 32", "\"num_attention_heads\": 96",
         "$.num_attention_heads: must divide"},
        {llama2, "\"hidden_size\": 4096", "\"hidden_size\": 9223372036854775807",
         "$.hidden_size: must be a whole number from 1 to 1048576 (is 9223372036854775807)"},
        {llama2, "\"hidden_size\": 4096", "\"hidden_size\": 92233720368547758080",
         "not valid JSON: too big integer"},
        {llama2, "\"hidden_size\": 4096", "\"hidden_size\": \"4096\"",
         "$.hidden_size: must be a whole number"},
        {llama2, "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": 0", "must be true or false"},
        {llama2, "\"bos_token_id\": 1", "\"mlp_bias\": true", "$.mlp_bias: is true"},
        {qwen25, "\"use_sliding_window\": false", "\"use_sliding_window\": true",
         "$.use_sliding_window: is true"},
        {qwen3_moe, "\"num_experts_per_tok\": 8", "\"num_experts_per_tok\": 129",
         "$.num_experts_per_tok: must not exceed the number of experts"},
        {qwen3_moe, "\"num_experts\": 128", "\"num_experts\": 1", "$.num_experts: must be at least 2"},
        {qwen3_moe, "\"decoder_sparse_step\": 1", "\"decoder_sparse_step\": 0",
         "$.decoder_sparse_step: must be"},
        {qwen3_moe, "\"decoder_sparse_step\": 1", "\"decoder_sparse_step\": 49",
         "must leave at least one layer"},
        {qwen3_moe, "[]", "{}", "$.mlp_only_layers: must be a list"},
        {mixtral, "\"sliding_window\": null", "\"sliding_window\": 4096", "$.sliding_window: is shorter"},
        {gpt_oss, "[" ALTERNATING, "[" FULL,
         "$.layer_types: must alternate, beginning with \"sliding_attention\", or have no window"},
        {gpt_oss, "[" ALTERNATING, "[\"sliding_attention\", \"linear_attention\"",
         "$.layer_types: must have \"sliding_attention\" or \"full_attention\" for every layer"},
        {gpt_oss, "\"num_hidden_layers\": 24", "\"num_hidden_layers\": 25", "$.layer_types: must have"},
        {gpt_oss, "\"layer_types\": [", "\"layer_types\": 1, \"x\": [", "$.layer_types: must be a list"},
        {gpt_oss, "\"num_local_experts\": 32", "\"num_local_experts\": 3", "$.num_experts_per_tok: must not"},
        {deepseek, "\"first_k_dense_replace\": 3", "\"first_k_dense_replace\": 61",
         "must leave at least one layer"},
        {deepseek, "\"n_group\": 8", "\"n_group\": 7", "$.n_group: must divide $.n_routed_experts"},
        {deepseek, "\"topk_group\": 4", "\"topk_group\": 9", "$.topk_group: must be from 1 to $.n_group"},
        {deepseek, "\"moe_layer_freq\": 1", "\"moe_layer_freq\": 2", "$.moe_layer_freq: must be 1"},
        {deepseek, "\"kv_lora_rank\": 512,", "", "$.kv_lora_rank: is missing"},
        {hunyuan, "\"use_cla\": false", "\"use_cla\": true", "$.cla_share_factor: is missing"},
        {hunyuan_moe, "\"moe_topk\": [8,", "\"moe_topk\": [7,", "$.moe_topk: must have the same"},
        {hunyuan_moe, "\"moe_topk\": [8,", "\"moe_topk\": [null,", "$.moe_topk: must have the same"},
        {hunyuan_moe, "\"num_experts\": 64", "\"num_experts\": 4", "$.moe_topk: must not exceed"},
        {hunyuan_moe, "\"num_experts\": 64", "\"num_experts\": [64, 64]",
         "$.num_experts: must have the same"},
        {hunyuan_moe, "\"num_experts\": 64", "\"num_experts\": []", "$.num_experts: must have the same"},
        {hunyuan_moe, "\"use_mla\": false", "\"use_mla\": true", "$.use_mla: is true"},
        {hunyuan_moe, "\"group_limited_greedy\": false", "\"group_limited_greedy\": true",
         "$.group_limited_greedy: is true"},
        {hunyuan_moe, "\"intermediate_size\": 3072", "\"intermediate_size\": 3000",
         "$.moe_intermediate_size: must divide"},
        {hunyuan_moe, "\"moe_layer_num_skipped\": 0", "\"moe_layer_num_skipped\": 32",
         "must leave at least one layer"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static const struct bm_model zero;
        struct bm_model model;
        struct bm_error error = {0};
        char *text = fixture_replace(rows[i].text, rows[i].old, rows[i].by);
        memset(&model, 1, sizeof model);
        cr_expect_eq(bm_model_load(fixture_write("config.json", text, SIZE_MAX), &model, &error), BM_INVALID,
                     "%s", rows[i].message);
        fixture_check_message(&error, BM_INVALID, "config.json", rows[i].message);
        cr_expect_eq(memcmp(&model, &zero, sizeof model), 0, "the output is cleared");
        free(text);
    }
}

/* Any file cut anywhere is refused, or the whole is there. */
Test(hugging_face, truncated_files_are_refused) {
    for (size_t size = 0; size + 1 < sizeof deepseek - 1; size++) {
        struct bm_model model;
        struct bm_error error = {0};
        cr_expect_eq(bm_model_load(fixture_write("config.json", deepseek, size), &model, &error), BM_INVALID);
        cr_expect_null(strchr(error.message, '\n'));
    }
}
