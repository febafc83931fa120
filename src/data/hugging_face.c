/* hugging_face.c - config.json, as the classes of the transformers library that its `architectures` names
 * read it (LlamaConfig, Qwen2MoeConfig, DeepseekV3Config, ...): keys and what they mean where one is missing.
 */
#include "hugging_face.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_LAYERS = 1000,
    MAX_HEADS = 4096,
    MAX_DIM = 4096,
    MAX_WIDTH = 1048576,
    MAX_EXPERTS = 65536,
    MAX_VOCABULARY = 16777216,
    MAX_CONTEXT = 268435456 /* as in our own files */
};

struct config {
    const struct bm_json *root;
    struct bm_model model;
    struct bm_error *error;
    enum bm_status status; /* the first failure; then nothing more is read */
};

/* The number of a key, or `fallback` (0: it must be there) where it is missing or null. */
static uint32_t number(struct config *config, const char *key, uint32_t most, int64_t fallback) {
    const struct bm_json at = bm_json_member(config->root, key);
    const struct bm_json_field field = {
        .kind = BM_JSON_U32, .minimum = fallback < 0 ? 0 : 1, .maximum = most};
    uint32_t value = 0;
    if (config->status != BM_OK)
        return 0;
    if (at.value != NULL && !json_is_null(at.value))
        config->status = bm_json_read_value(&at, &field, &value, config->error);
    else if (fallback == 0)
        config->status = bm_json_fail(&at, config->error, "is missing");
    else
        value = fallback < 0 ? 0 : (uint32_t)fallback;
    return value;
}

/* 0 where it is missing, null or 0. */
static uint32_t optional(struct config *config, const char *key, uint32_t most) {
    return number(config, key, most, -1);
}

static bool flag(struct config *config, const char *key, bool fallback) {
    const struct bm_json at = bm_json_member(config->root, key);
    static const struct bm_json_field field = {.kind = BM_JSON_BOOL};
    bool value = fallback;
    if (config->status == BM_OK && at.value != NULL && !json_is_null(at.value))
        config->status = bm_json_read_value(&at, &field, &value, config->error);
    return value;
}

static void refuse(struct config *config, const char *key, const char *why) {
    const struct bm_json at = bm_json_member(config->root, key);
    if (config->status == BM_OK)
        config->status = bm_json_fail(&at, config->error, "%s", why);
}

/* ---- what all families have ---- */

static void read_common(struct config *config) {
    struct bm_model *model = &config->model;
    model->layers = number(config, "num_hidden_layers", MAX_LAYERS, 0);
    model->hidden = number(config, "hidden_size", MAX_WIDTH, 0);
    model->heads = number(config, "num_attention_heads", MAX_HEADS, 0);
    model->vocabulary = number(config, "vocab_size", MAX_VOCABULARY, 0);
    model->max_context = number(config, "max_position_embeddings", MAX_CONTEXT, 0);
    model->tied_embeddings = flag(config, "tie_word_embeddings", false);
    model->ffn = BM_FFN_SWIGLU;
    model->intermediate = number(config, "intermediate_size", MAX_WIDTH, 0);
    if (flag(config, "mlp_bias", false))
        refuse(config, "mlp_bias", "is true, and no such model is known here");
}

static void read_heads(struct config *config) {
    struct bm_model *model = &config->model;
    model->kv_heads = number(config, "num_key_value_heads", MAX_HEADS, model->heads);
    model->head_dim = optional(config, "head_dim", MAX_DIM);
    if (model->head_dim == 0) /* Hunyuan's name of it */
        model->head_dim = optional(config, "attention_head_dim", MAX_DIM);
    if (config->status != BM_OK)
        return;
    if (model->heads % model->kv_heads != 0)
        refuse(config, "num_key_value_heads", "must divide $.num_attention_heads");
    if (model->head_dim == 0) {
        if (model->hidden % model->heads != 0 || model->hidden / model->heads > MAX_DIM)
            refuse(config, "num_attention_heads",
                   "must divide $.hidden_size into heads of at most 4096, where there is no $.head_dim");
        model->head_dim = model->hidden / model->heads;
    }
    model->attention = model->kv_heads == model->heads ? BM_ATTENTION_MHA : BM_ATTENTION_GQA;
    if (flag(config, "attention_bias", false))
        bm_string_set(model->biases, sizeof model->biases, "qkvo");
}

static void read_experts(struct config *config, const char *key) {
    struct bm_model *model = &config->model;
    model->experts = number(config, key, MAX_EXPERTS, 0);
    model->experts_per_token = number(config, "num_experts_per_tok", MAX_EXPERTS, 0);
    if (config->status != BM_OK)
        return;
    if (model->experts < 2)
        refuse(config, key, "must be at least 2");
    if (model->experts_per_token > model->experts)
        refuse(config, "num_experts_per_tok", "must not exceed the number of experts");
}

/* Layers without experts; at least one has some. */
static void set_dense(struct config *config, uint32_t dense, const char *key) {
    config->model.dense_layers = dense;
    if (config->status == BM_OK && dense >= config->model.layers)
        refuse(config, key, "must leave at least one layer with experts");
}

/* ---- families ---- */

static void read_llama(struct config *config) {
    read_heads(config);
}

/* Qwen 1.5 to 2.5: biases of queries, keys and values, whatever the file says. */
static void read_qwen2(struct config *config) {
    read_heads(config);
    bm_string_set(config->model.biases, sizeof config->model.biases, "qkv");
    if (flag(config, "use_sliding_window", false))
        refuse(config, "use_sliding_window", "is true: windows in a part of the layers cannot be described");
}

static void read_qwen3(struct config *config) {
    read_heads(config);
    config->model.qk_norm = BM_QK_NORM_BEFORE_ROPE;
    if (flag(config, "use_sliding_window", false))
        refuse(config, "use_sliding_window", "is true: windows in a part of the layers cannot be described");
}

/* Layer i has experts unless it is listed in mlp_only_layers or i + 1 is no multiple of the step. */
static void read_qwen_experts(struct config *config) {
    struct bm_model *model = &config->model;
    const struct bm_json list = bm_json_member(config->root, "mlp_only_layers");
    const uint32_t step = number(config, "decoder_sparse_step", MAX_LAYERS, 1);
    uint32_t dense = 0;
    read_experts(config, "num_experts");
    model->expert_intermediate = number(config, "moe_intermediate_size", MAX_WIDTH, 0);
    if (list.value != NULL && !json_is_null(list.value) && config->status == BM_OK)
        config->status = bm_json_want(&list, JSON_ARRAY, config->error);
    for (uint32_t i = 0; config->status == BM_OK && i < model->layers; i++) {
        bool listed = false;
        for (size_t j = 0; j < json_array_size(list.value) && j < MAX_LAYERS; j++)
            listed |= json_integer_value(json_array_get(list.value, j)) == (json_int_t)i &&
                      json_is_integer(json_array_get(list.value, j));
        dense += listed || (i + 1) % step != 0;
    }
    set_dense(config, dense, "mlp_only_layers");
}

static void read_qwen2_moe(struct config *config) {
    struct bm_model *model = &config->model;
    read_qwen2(config);
    read_qwen_experts(config);
    const uint32_t shared = number(config, "shared_expert_intermediate_size", MAX_WIDTH, 0);
    if (config->status != BM_OK)
        return;
    if (shared % model->expert_intermediate != 0)
        refuse(config, "shared_expert_intermediate_size", "must be a multiple of $.moe_intermediate_size");
    model->shared_experts = shared / model->expert_intermediate;
}

static void read_qwen3_moe(struct config *config) {
    read_qwen3(config);
    read_qwen_experts(config);
}

static void read_mixtral(struct config *config) {
    read_heads(config);
    read_experts(config, "num_local_experts");
    config->model.expert_intermediate = config->model.intermediate;
    const uint32_t window = optional(config, "sliding_window", MAX_CONTEXT);
    if (window > 0 && window < config->model.max_context)
        refuse(config, "sliding_window",
               "is shorter than $.max_position_embeddings: a window in every layer "
               "cannot be described");
}

static void read_deepseek_experts(struct config *config) {
    struct bm_model *model = &config->model;
    if (optional(config, "n_routed_experts", MAX_EXPERTS) == 0)
        return; /* a dense one */
    read_experts(config, "n_routed_experts");
    model->expert_intermediate = number(config, "moe_intermediate_size", MAX_WIDTH, 0);
    model->shared_experts = optional(config, "n_shared_experts", 256);
    if (number(config, "moe_layer_freq", MAX_LAYERS, 1) != 1)
        refuse(config, "moe_layer_freq", "must be 1: experts in every layer after the first dense ones");
    set_dense(config, optional(config, "first_k_dense_replace", MAX_LAYERS), "first_k_dense_replace");
    model->expert_groups = optional(config, "n_group", MAX_EXPERTS);
    model->expert_groups_used = optional(config, "topk_group", MAX_EXPERTS);
    if (config->status != BM_OK || model->expert_groups <= 1) {
        model->expert_groups = model->expert_groups_used = 0; /* one group is none */
        return;
    }
    if (model->experts % model->expert_groups != 0)
        refuse(config, "n_group", "must divide $.n_routed_experts");
    if (model->expert_groups_used == 0 || model->expert_groups_used > model->expert_groups)
        refuse(config, "topk_group", "must be from 1 to $.n_group");
}

static void read_deepseek(struct config *config) {
    read_heads(config);
    read_deepseek_experts(config);
}

static void read_deepseek_mla(struct config *config) {
    struct bm_model *model = &config->model;
    model->attention = BM_ATTENTION_MLA;
    model->kv_heads = model->heads;
    model->q_lora = optional(config, "q_lora_rank", MAX_WIDTH);
    model->kv_lora = number(config, "kv_lora_rank", MAX_WIDTH, 0);
    model->qk_nope_dim = number(config, "qk_nope_head_dim", MAX_DIM, 0);
    model->qk_rope_dim = number(config, "qk_rope_head_dim", MAX_DIM, 0);
    model->v_dim = number(config, "v_head_dim", MAX_DIM, 0);
    model->head_dim = model->qk_nope_dim + model->qk_rope_dim;
    read_deepseek_experts(config);
}

/* A number, or a list of one for each layer, which must be the same. */
static uint32_t number_of_layers(struct config *config, const char *key, uint32_t most, int64_t fallback) {
    const struct bm_json at = bm_json_member(config->root, key);
    const json_t *first = json_array_get(at.value, 0);
    if (config->status != BM_OK || !json_is_array(at.value))
        return number(config, key, most, fallback);
    bool same = json_array_size(at.value) >= config->model.layers && json_is_integer(first) &&
                json_integer_value(first) >= 1 && json_integer_value(first) <= most;
    for (size_t i = 0; same && i < json_array_size(at.value); i++)
        same = json_equal(json_array_get(at.value, i), first);
    if (!same)
        refuse(config, key, "must have the same whole number of at least 1 for every layer");
    return same ? (uint32_t)json_integer_value(first) : 0;
}

static void read_hunyuan_experts(struct config *config) {
    struct bm_model *model = &config->model;
    model->experts_per_token = number_of_layers(config, "moe_topk", MAX_EXPERTS, 1);
    model->expert_intermediate =
        number_of_layers(config, "moe_intermediate_size", MAX_WIDTH, model->intermediate);
    const uint32_t shared =
        flag(config, "use_mixed_mlp_moe", true) ? number_of_layers(config, "num_shared_expert", 256, 1) : 0;
    if (config->status != BM_OK || model->expert_intermediate == 0)
        return;
    if (model->experts_per_token > model->experts)
        refuse(config, "moe_topk", "must not exceed the number of experts");
    if (flag(config, "group_limited_greedy", false))
        refuse(config, "group_limited_greedy", "is true: such routing cannot be described");
    /* What is shared has the width of the dense layers. */
    const uint64_t width = (uint64_t)shared * model->intermediate;
    if (width % model->expert_intermediate != 0 || width / model->expert_intermediate > 256)
        refuse(config, "moe_intermediate_size", "must divide the width of the shared experts");
    model->shared_experts = (uint32_t)(width / model->expert_intermediate);
    set_dense(config, optional(config, "moe_layer_num_skipped", MAX_LAYERS), "moe_layer_num_skipped");
}

/* Tencent's, by its own code too: modeling_hunyuan.py beside Hunyuan-Large. */
static void read_hunyuan(struct config *config) {
    struct bm_model *model = &config->model;
    read_heads(config);
    if (flag(config, "use_mla", false))
        refuse(config, "use_mla", "is true, and no such model is known here");
    if (flag(config, "use_qk_norm", true))
        model->qk_norm = BM_QK_NORM_AFTER_ROPE;
    if (flag(config, "use_cla", false))
        model->kv_shared_layers = number(config, "cla_share_factor", MAX_LAYERS, 0);
    model->experts = number_of_layers(config, "num_experts", MAX_EXPERTS, 1);
    if (model->experts > 1)
        read_hunyuan_experts(config);
    else
        model->experts = 0;
}

/* A window in every second layer from the first, or in none, is what our models can have. */
static void read_layer_types(struct config *config, const char *key) {
    struct bm_model *model = &config->model;
    const struct bm_json list = bm_json_member(config->root, key);
    uint32_t windowed = 0, alternating = 0;
    if (config->status != BM_OK || list.value == NULL || json_is_null(list.value))
        return;
    config->status = bm_json_want(&list, JSON_ARRAY, config->error);
    for (uint32_t i = 0; config->status == BM_OK && i < model->layers; i++) {
        const char *type = json_string_value(json_array_get(list.value, i));
        const bool has_window = type != NULL && strcmp(type, "sliding_attention") == 0;
        if (!has_window && (type == NULL || strcmp(type, "full_attention") != 0))
            refuse(config, key, "must have \"sliding_attention\" or \"full_attention\" for every layer");
        windowed += has_window;
        alternating += has_window == (i % 2 == 0);
    }
    if (windowed == 0)
        model->sliding_window = 0;
    else if (alternating != model->layers)
        refuse(config, key, "must alternate, beginning with \"sliding_attention\", or have no window");
}

/* OpenAI's gpt-oss. What the file does not say is as its class has it; YaRN changes angles alone. */
static void read_gpt_oss(struct config *config) {
    struct bm_model *model = &config->model;
    read_heads(config);
    model->head_dim = number(config, "head_dim", MAX_DIM, 64);
    read_experts(config, "num_local_experts");
    model->expert_intermediate = model->intermediate;
    bm_string_set(model->biases, sizeof model->biases,
                  flag(config, "attention_bias", true) ? "qkvo+experts+router" : "experts+router");
    model->attention_sinks = true;
    model->sliding_window = number(config, "sliding_window", MAX_CONTEXT, 128);
    read_layer_types(config, "layer_types");
    if (model->sliding_window >= model->max_context) /* holds everything */
        model->sliding_window = 0;
}

static const struct family {
    const char *architecture, *type;
    void (*read)(struct config *config);
} families[] = {
    {"LlamaForCausalLM", "llama", read_llama},
    {"Qwen2ForCausalLM", "qwen2", read_qwen2},
    {"Qwen2MoeForCausalLM", "qwen2_moe", read_qwen2_moe},
    {"Qwen3ForCausalLM", "qwen3", read_qwen3},
    {"Qwen3MoeForCausalLM", "qwen3_moe", read_qwen3_moe},
    {"MixtralForCausalLM", "mixtral", read_mixtral},
    {"DeepseekForCausalLM", "deepseek", read_deepseek},
    {"DeepseekV2ForCausalLM", "deepseek_v2", read_deepseek_mla},
    {"DeepseekV3ForCausalLM", "deepseek_v3", read_deepseek_mla},
    {"GptOssForCausalLM", "gpt_oss", read_gpt_oss},
    {"HunYuanForCausalLM", "hunyuan", read_hunyuan},
    {"HunYuanDenseV1ForCausalLM", "hunyuan_v1_dense", read_hunyuan},
    {"HunYuanMoEV1ForCausalLM", "hunyuan_v1_moe", read_hunyuan},
};

bool bm_hugging_face_is(const json_t *root) {
    static const char *const theirs[] = {"architectures", "model_type", "num_hidden_layers", "hidden_size"};
    bool any = false;
    for (size_t i = 0; i < BM_COUNT_OF(theirs); i++)
        any |= json_object_get(root, theirs[i]) != NULL;
    return any && json_object_get(root, "id") == NULL;
}

static const struct family *find_family(const struct bm_json *root, struct bm_error *error) {
    const json_t *architectures = json_object_get(root->value, "architectures");
    const bool by_class = json_is_string(json_array_get(architectures, 0));
    const char *word = by_class ? json_string_value(json_array_get(architectures, 0))
                                : json_string_value(json_object_get(root->value, "model_type"));
    const struct bm_json at = bm_json_member(root, by_class ? "architectures" : "model_type");
    struct bm_text known = {0};
    if (at.value == NULL) {
        (void)bm_json_fail(&at, error, "is missing: it says which family's model this is");
        return NULL;
    }
    for (size_t i = 0; i < BM_COUNT_OF(families); i++) {
        const char *name = by_class ? families[i].architecture : families[i].type;
        if (word != NULL && strcmp(name, word) == 0) {
            bm_text_fini(&known);
            return &families[i];
        }
        bm_text_append(&known, "%s%s", i > 0 ? ", " : "", families[i].type);
    }
    (void)bm_json_fail(&at, error, "'%.40s' is none of the families that are understood: %s",
                       word != NULL ? word : "", known.data != NULL ? known.data : "");
    bm_text_fini(&known);
    return NULL;
}

/* .../Llama-2-7b-hf/config.json is llama-2-7b-hf; any other name is the file's own. */
static void name_model(const char *path, struct bm_model *model) {
    char copy[PATH_MAX], full[PATH_MAX];
    bm_string_set(copy, sizeof copy, realpath(path, full) != NULL ? full : path);
    char *name = strrchr(copy, '/');
    if (name != NULL && strcmp(name, "/config.json") == 0) {
        *name = '\0';
        name = strrchr(copy, '/');
    } else {
        const size_t length = strlen(copy);
        if (length > 5 && strcmp(copy + length - 5, ".json") == 0)
            copy[length - 5] = '\0';
    }
    name = name != NULL ? name + 1 : copy;
    bm_string_set(model->name, sizeof model->name, name);
    for (char *c = model->name; *c != '\0'; c++)
        *c = *c >= ' ' && *c < 127 ? *c : '?';
    bm_string_set(model->id, sizeof model->id, model->name);
    for (char *c = model->id; *c != '\0'; c++)
        *c =
            isalnum((unsigned char)*c) || strchr("._+-", *c) != NULL ? (char)tolower((unsigned char)*c) : '-';
    if (!isalnum((unsigned char)model->id[0]))
        bm_string_set(model->id, sizeof model->id, "config");
}

enum bm_status bm_hugging_face_read(const struct bm_json *root, struct bm_model *model,
                                    struct bm_error *error) {
    struct config config = {.root = root, .error = error};
    *model = (struct bm_model){0};
    config.status = bm_json_want(root, JSON_OBJECT, error);
    if (config.status != BM_OK)
        return config.status;
    const struct family *family = find_family(root, error);
    if (family == NULL)
        return BM_INVALID;
    name_model(root->file, &config.model);
    bm_string_set(config.model.family, sizeof config.model.family, family->type);
    bm_string_set(config.model.source, sizeof config.model.source, "config.json");
    read_common(&config);
    family->read(&config);
    if (config.status == BM_OK) {
        config.model.shapes_verified = true; /* it is the source */
        *model = config.model;
    }
    return config.status;
}
