/* models.c - bench/models: the shapes of language models, with how far each is known. */
#include "bm/data.h"

#include "hugging_face.h"
#include "json_reader.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The file's content: what the program uses, and what is kept for the reader of the file. */
struct model_file {
    struct bm_model model;
    uint32_t mamba_version;
    unsigned seen_count;
    char weights_dtype[48], published[16], published_active[16];
};

#define AT(member)   offsetof(struct model_file, member)
#define SIZE(member) sizeof(((struct model_file *)0)->member)
#define COUNT_FIELD(name, needed, member, low, high)                                                         \
    {                                                                                                        \
        .key = name, .kind = BM_JSON_U32, .required = needed, .offset = AT(member), .minimum = low,          \
        .maximum = high                                                                                      \
    }
#define TEXT_FIELD(name, needed, member)                                                                     \
    { .key = name, .kind = BM_JSON_TEXT, .required = needed, .offset = AT(member), .size = SIZE(member) }
#define PART(name, table)                                                                                    \
    { .key = name, .kind = BM_JSON_OBJECT, .fields = table, .field_count = BM_COUNT_OF(table) }

/* Bounds are far above any model, and keep every product of three sizes within 64 bits. */
#define MAX_LAYERS  1000
#define MAX_HEADS   4096
#define MAX_DIM     4096
#define MAX_WIDTH   1048576
#define MAX_CONTEXT 268435456

static const char *const attention_words[] = {"mha", "gqa", "mla", NULL};
static const char *const ffn_words[] = {"swiglu", "gelu", NULL};
static const char *const qk_norm_words[] = {"none", "before_rope", "after_rope", NULL};

static const struct bm_json_field moe_fields[] = {
    COUNT_FIELD("experts", true, model.experts, 2, 65536),
    COUNT_FIELD("experts_per_token", true, model.experts_per_token, 1, 65536),
    COUNT_FIELD("shared_experts", true, model.shared_experts, 0, 256),
    COUNT_FIELD("intermediate", true, model.expert_intermediate, 1, MAX_WIDTH),
    COUNT_FIELD("dense_layers", true, model.dense_layers, 0, MAX_LAYERS),
    COUNT_FIELD("groups", false, model.expert_groups, 1, 65536),
    COUNT_FIELD("groups_used", false, model.expert_groups_used, 1, 65536),
};
static const struct bm_json_field mla_fields[] = {
    COUNT_FIELD("q_lora", false, model.q_lora, 1, MAX_WIDTH),
    COUNT_FIELD("kv_lora", true, model.kv_lora, 1, MAX_WIDTH),
    COUNT_FIELD("qk_nope_dim", true, model.qk_nope_dim, 1, MAX_DIM),
    COUNT_FIELD("qk_rope_dim", true, model.qk_rope_dim, 1, MAX_DIM),
    COUNT_FIELD("v_dim", true, model.v_dim, 1, MAX_DIM),
};
static const struct bm_json_field hybrid_fields[] = {
    COUNT_FIELD("attention_layers", true, model.attention_layers, 1, MAX_LAYERS),
    COUNT_FIELD("mamba_layers", true, model.mamba_layers, 1, MAX_LAYERS),
    COUNT_FIELD("ffn_layers", true, model.ffn_layers, 1, MAX_LAYERS),
};
static const struct bm_json_field mamba_fields[] = {
    COUNT_FIELD("version", true, mamba_version, 2, 2),
    COUNT_FIELD("state", true, model.mamba_state, 1, MAX_DIM),
    COUNT_FIELD("heads", true, model.mamba_heads, 1, MAX_HEADS),
    COUNT_FIELD("head_dim", true, model.mamba_head_dim, 1, MAX_DIM),
    COUNT_FIELD("groups", true, model.mamba_groups, 1, MAX_HEADS),
    COUNT_FIELD("chunk", true, model.mamba_chunk, 1, 65536),
    COUNT_FIELD("conv", true, model.mamba_conv, 1, 64),
};
static const struct bm_json_field alias_item = {.kind = BM_JSON_ID, .size = BM_ID_SIZE};
static const struct bm_json_field seen_in_item = {.kind = BM_JSON_CUSTOM, .read = bm_json_check_text};

static enum bm_status read_status(const struct bm_json *at, void *field, struct bm_error *error);

static const struct bm_json_field model_fields[] = {
    {.key = "id", .kind = BM_JSON_ID, .required = true, .offset = AT(model.id), .size = SIZE(model.id)},
    TEXT_FIELD("name", true, model.name),
    TEXT_FIELD("family", false, model.family),
    {.key = "aliases",
     .kind = BM_JSON_LIST,
     .offset = AT(model.aliases),
     .size = BM_ID_SIZE,
     .item = &alias_item,
     .capacity = 4,
     .count_offset = AT(model.alias_count)},
    TEXT_FIELD("released", false, model.released),
    COUNT_FIELD("layers", true, model.layers, 1, MAX_LAYERS),
    COUNT_FIELD("hidden", true, model.hidden, 1, MAX_WIDTH),
    COUNT_FIELD("heads", true, model.heads, 1, MAX_HEADS),
    COUNT_FIELD("kv_heads", true, model.kv_heads, 1, MAX_HEADS),
    COUNT_FIELD("head_dim", true, model.head_dim, 1, MAX_DIM),
    {.key = "attention",
     .kind = BM_JSON_WORD,
     .required = true,
     .offset = AT(model.attention),
     .words = attention_words},
    {.key = "ffn", .kind = BM_JSON_WORD, .required = true, .offset = AT(model.ffn), .words = ffn_words},
    COUNT_FIELD("intermediate", true, model.intermediate, 1, MAX_WIDTH),
    COUNT_FIELD("vocabulary", true, model.vocabulary, 1, 16777216),
    COUNT_FIELD("max_context", true, model.max_context, 1, MAX_CONTEXT),
    {.key = "tied_embeddings", .kind = BM_JSON_BOOL, .required = true, .offset = AT(model.tied_embeddings)},
    COUNT_FIELD("learned_positions", false, model.learned_positions, 1, MAX_CONTEXT),
    COUNT_FIELD("kv_shared_layers", false, model.kv_shared_layers, 2, MAX_LAYERS),
    COUNT_FIELD("sliding_window", false, model.sliding_window, 1, MAX_CONTEXT),
    {.key = "attention_sinks", .kind = BM_JSON_BOOL, .offset = AT(model.attention_sinks)},
    {.key = "qk_norm", .kind = BM_JSON_WORD, .offset = AT(model.qk_norm), .words = qk_norm_words},
    TEXT_FIELD("biases", false, model.biases),
    TEXT_FIELD("weights_dtype", false, weights_dtype),
    PART("moe", moe_fields),
    PART("mla", mla_fields),
    PART("hybrid", hybrid_fields),
    PART("mamba", mamba_fields),
    {.key = "parameters",
     .kind = BM_JSON_NUMBER,
     .offset = AT(model.parameters),
     .minimum = 1,
     .maximum = 1e15},
    {.key = "active_parameters",
     .kind = BM_JSON_NUMBER,
     .offset = AT(model.active_parameters),
     .minimum = 1,
     .maximum = 1e15},
    TEXT_FIELD("published_parameters", false, published),
    TEXT_FIELD("published_active_parameters", false, published_active),
    TEXT_FIELD("source", false, model.source),
    {.key = "seen_in",
     .kind = BM_JSON_LIST,
     .item = &seen_in_item,
     .capacity = 16,
     .count_offset = AT(seen_count)},
    {.key = "status", .kind = BM_JSON_CUSTOM, .offset = AT(model.shapes_verified), .read = read_status},
    TEXT_FIELD("note", false, model.note),
};

/* ---- how far the fields are known ---- */

/* Follows "moe.experts" from the root; .value is NULL where the file has no such field. */
static json_t *find_named(const json_t *root, const char *name) {
    const char *dot = strchr(name, '.');
    char part[32];
    if (dot == NULL)
        return json_object_get(root, name);
    snprintf(part, sizeof part, "%.*s", (int)(dot - name), name);
    return json_object_get(json_object_get(root, part), dot + 1);
}

static bool lists(const json_t *list, const char *name) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), name) == 0)
            return true;
    return false;
}

/* Every size that an operation's shape is made of was read in a source, or computed from such. */
static bool shapes_are_verified(const json_t *root, const json_t *status) {
    static const char *const shapes[] = {
        "layers",
        "hidden",
        "heads",
        "kv_heads",
        "head_dim",
        "attention",
        "ffn",
        "intermediate",
        "vocabulary",
        "moe.experts",
        "moe.intermediate",
        "moe.experts_per_token",
        "mla.q_lora",
        "mla.kv_lora",
        "mla.qk_nope_dim",
        "mla.qk_rope_dim",
        "mla.v_dim",
        "hybrid.attention_layers",
        "mamba.state",
        "mamba.heads",
        "hybrid.mamba_layers",
        "mamba.groups",
        "mamba.head_dim",
        "hybrid.ffn_layers",
        "mamba.chunk",
        "mamba.conv",
        "kv_shared_layers",
        "sliding_window",
        "attention_sinks",
    };
    for (size_t i = 0; i < BM_COUNT_OF(shapes); i++)
        if (find_named(root, shapes[i]) != NULL && !lists(json_object_get(status, "verified"), shapes[i]) &&
            !lists(json_object_get(status, "derived"), shapes[i]))
            return false;
    return true;
}

static enum bm_status check_field_name(const struct bm_json *at, void *unused, struct bm_error *error) {
    const struct bm_json *root = at;
    enum bm_status status = bm_json_check_text(at, unused, error);
    if (status != BM_OK)
        return status;
    while (root->parent != NULL)
        root = root->parent;
    if (find_named(root->value, json_string_value(at->value)) == NULL)
        return bm_json_fail(at, error, "names no field of this file (is \"%.40s\")",
                            json_string_value(at->value));
    return BM_OK;
}

static enum bm_status read_status(const struct bm_json *at, void *field, struct bm_error *error) {
    struct counts {
        unsigned verified, derived, inferred, recalled;
    } counts = {0};
    static const struct bm_json_field name_item = {.kind = BM_JSON_CUSTOM, .read = check_field_name};
#define NAMES(word)                                                                                          \
    {                                                                                                        \
        .key = #word, .kind = BM_JSON_LIST, .item = &name_item, .capacity = 64,                              \
        .count_offset = offsetof(struct counts, word)                                                        \
    }
    static const struct bm_json_field fields[] = {NAMES(verified), NAMES(derived), NAMES(inferred),
                                                  NAMES(recalled)};
#undef NAMES
    enum bm_status status = bm_json_read(at, fields, BM_COUNT_OF(fields), &counts, error);
    *(bool *)field = status == BM_OK && shapes_are_verified(at->parent->value, at->value);
    return status;
}

/* ---- what the fields say together ---- */

static enum bm_status fail_at(const struct bm_json *root, const char *object, const char *key,
                              struct bm_error *error, const char *message, uint32_t a, uint32_t b) {
    struct bm_json outer = object != NULL ? bm_json_member(root, object) : *root;
    struct bm_json at = bm_json_member(&outer, key);
    return bm_json_fail(&at, error, "%s (%u and %u)", message, a, b);
}

static enum bm_status check_attention(const struct bm_json *root, const struct bm_model *m,
                                      struct bm_error *error) {
    struct bm_json mla = bm_json_member(root, "mla");
    if (m->kv_heads > m->heads || m->heads % m->kv_heads != 0)
        return fail_at(root, NULL, "kv_heads", error, "must divide $.heads", m->kv_heads, m->heads);
    if (m->attention == BM_ATTENTION_MHA && m->kv_heads != m->heads)
        return fail_at(root, NULL, "kv_heads", error, "must equal $.heads when $.attention is \"mha\"",
                       m->kv_heads, m->heads);
    if ((m->attention == BM_ATTENTION_MLA) != (mla.value != NULL))
        return bm_json_fail(&mla, error,
                            mla.value != NULL ? "is for $.attention \"mla\" only; remove it"
                                              : "is missing: $.attention is \"mla\"");
    if (mla.value != NULL && m->head_dim != m->qk_nope_dim + m->qk_rope_dim)
        return fail_at(root, NULL, "head_dim", error, "must be $.mla.qk_nope_dim + $.mla.qk_rope_dim",
                       m->head_dim, m->qk_nope_dim + m->qk_rope_dim);
    if (m->kv_shared_layers > m->layers)
        return fail_at(root, NULL, "kv_shared_layers", error, "must not exceed $.layers", m->kv_shared_layers,
                       m->layers);
    if (m->sliding_window > m->max_context)
        return fail_at(root, NULL, "sliding_window", error, "must not exceed $.max_context",
                       m->sliding_window, m->max_context);
    if (m->attention_sinks && m->attention == BM_ATTENTION_MLA) {
        const struct bm_json at = bm_json_member(root, "attention_sinks");
        return bm_json_fail(&at, error, "is not for $.attention \"mla\"; remove it");
    }
    return BM_OK;
}

static enum bm_status check_experts(const struct bm_json *root, const struct bm_model *m,
                                    struct bm_error *error) {
    if (m->experts == 0)
        return BM_OK;
    if (m->experts_per_token > m->experts)
        return fail_at(root, "moe", "experts_per_token", error, "must not exceed $.moe.experts",
                       m->experts_per_token, m->experts);
    if (m->dense_layers >= (m->ffn_layers > 0 ? m->ffn_layers : m->layers))
        return fail_at(root, "moe", "dense_layers", error, "must leave at least one layer with experts",
                       m->dense_layers, m->layers);
    if ((m->expert_groups > 0 && m->experts % m->expert_groups != 0) || m->expert_groups > m->experts)
        return fail_at(root, "moe", "groups", error, "must divide $.moe.experts", m->expert_groups,
                       m->experts);
    if (m->expert_groups_used > m->expert_groups)
        return fail_at(root, "moe", "groups_used", error, "must not exceed $.moe.groups",
                       m->expert_groups_used, m->expert_groups);
    return BM_OK;
}

static enum bm_status check_hybrid(const struct bm_json *root, const struct bm_model *m,
                                   struct bm_error *error) {
    struct bm_json hybrid = bm_json_member(root, "hybrid"), mamba = bm_json_member(root, "mamba");
    uint32_t sum = m->attention_layers + m->mamba_layers + m->ffn_layers;
    if ((hybrid.value != NULL) != (mamba.value != NULL))
        return bm_json_fail(hybrid.value == NULL ? &hybrid : &mamba, error,
                            "is missing: $.hybrid and $.mamba belong together");
    if (hybrid.value != NULL && sum != m->layers)
        return fail_at(root, NULL, "layers", error, "must be the sum of the layers in $.hybrid", m->layers,
                       sum);
    if (mamba.value != NULL && m->mamba_heads % m->mamba_groups != 0)
        return fail_at(root, "mamba", "groups", error, "must divide $.mamba.heads", m->mamba_groups,
                       m->mamba_heads);
    return BM_OK;
}

static enum bm_status read_model(const char *path, struct bm_model *model, struct bm_error *error) {
    struct model_file file = {0};
    json_t *value = NULL;
    memset(model, 0, sizeof *model);
    enum bm_status status = bm_json_load(path, BM_JSON_INPUT_LIMIT, &value, error);
    if (status != BM_OK)
        return status;
    struct bm_json root = {.file = path, .value = value};
    if (bm_hugging_face_is(value)) {
        status = bm_hugging_face_read(&root, model, error);
        json_decref(value);
        return status;
    }
    status = bm_json_read(&root, model_fields, BM_COUNT_OF(model_fields), &file, error);
    if (status == BM_OK)
        status = check_attention(&root, &file.model, error);
    if (status == BM_OK)
        status = check_experts(&root, &file.model, error);
    if (status == BM_OK)
        status = check_hybrid(&root, &file.model, error);
    if (status == BM_OK)
        *model = file.model;
    json_decref(value);
    return status;
}

/* ---- all models ---- */

struct model_list {
    struct bm_model *items;
    size_t count, capacity;
};

static enum bm_status add_model(const char *path, void *context, struct bm_error *error) {
    struct model_list *list = context;
    enum bm_status status =
        bm_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items, error);
    if (status == BM_OK)
        status = read_model(path, &list->items[list->count], error);
    if (status == BM_OK)
        status = bm_json_check_file_name(path, "id", list->items[list->count].id, error);
    if (status == BM_OK)
        list->count++;
    return status;
}

static int compare_ids(const void *a, const void *b) {
    return strcmp(((const struct bm_model *)a)->id, ((const struct bm_model *)b)->id);
}

enum bm_status bm_model_list(struct bm_model **models, size_t *count, struct bm_error *error) {
    struct model_list list = {0};
    *models = NULL;
    *count = 0;
    enum bm_status status = bm_json_each_file("models", add_model, &list, error);
    if (status != BM_OK) {
        free(list.items);
        return status;
    }
    if (list.count > 0)
        qsort(list.items, list.count, sizeof *list.items, compare_ids);
    *models = list.items;
    *count = list.count;
    return BM_OK;
}

static bool is_called(const struct bm_model *model, const char *name) {
    bool found = strcasecmp(model->id, name) == 0;
    for (unsigned i = 0; i < model->alias_count; i++)
        found = found || strcasecmp(model->aliases[i], name) == 0;
    return found;
}

static enum bm_status fail_unknown_model(const char *name, const struct bm_model *models, size_t count,
                                         struct bm_error *error) {
    size_t names = 0, slots = 1 + BM_COUNT_OF(models->aliases);
    const char **candidates = bm_alloc(count * slots, sizeof *candidates);
    if (candidates == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory while looking for a model");
    for (size_t i = 0; i < count; i++) {
        candidates[names++] = models[i].id;
        for (unsigned j = 0; j < models[i].alias_count; j++)
            candidates[names++] = models[i].aliases[j];
    }
    enum bm_status status = bm_json_unknown_name("model", name, candidates, names, error);
    free(candidates);
    return status;
}

enum bm_status bm_model_load(const char *name, struct bm_model *model, struct bm_error *error) {
    struct bm_model *models = NULL;
    size_t count = 0;
    memset(model, 0, sizeof *model);
    if (bm_json_is_path(name))
        return read_model(name, model, error);
    enum bm_status status = bm_model_list(&models, &count, error);
    if (status != BM_OK)
        return status;
    for (size_t i = 0; i < count && model->id[0] == '\0'; i++)
        if (is_called(&models[i], name))
            *model = models[i];
    if (model->id[0] == '\0')
        status = fail_unknown_model(name, models, count, error);
    free(models);
    return status;
}
