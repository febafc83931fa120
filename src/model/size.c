/* size.c - what a model weighs: parameters, weight bytes, cache, and the part of one device among several. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bm/model.h"

/* Matrices [n, k], or vectors (k = 1), that a model has `total` of, `active` of them used for a token. */
struct part {
    enum { MATRIX, VECTOR, EMBEDDING, HEAD } kind;
    double n, k, total, active;
};
struct parts {
    struct part items[48];
    size_t count;
};

static void add_experts(struct parts *parts, int kind, double n, double k, double total, double active) {
    if (total > 0 && n > 0)
        parts->items[parts->count++] = (struct part){kind, n, k, total, active};
}

static void add(struct parts *parts, int kind, double n, double k, double total) {
    add_experts(parts, kind, n, k, total, total);
}

static bool has_bias(const struct bm_model *model, const char *where) {
    return strcmp(model->biases, "all") == 0 || strstr(model->biases, where) != NULL;
}

/* Layers whose keys and values are cached, and those that reuse another one's (cross-layer attention). */
struct attention_layers {
    double all, with_kv;
};

static struct attention_layers attention_of(const struct bm_model *model) {
    const double all = model->mamba_layers > 0 ? model->attention_layers : model->layers;
    const double shared = model->kv_shared_layers > 1 ? model->kv_shared_layers : 1;
    return (struct attention_layers){all, ceil(all / shared)};
}

static void add_latent_attention(const struct bm_model *model, double layers, struct parts *parts) {
    const double wide = (double)model->heads * model->head_dim;
    const double expanded = (double)model->heads * ((double)model->qk_nope_dim + model->v_dim);
    if (model->q_lora > 0) {
        add(parts, MATRIX, model->q_lora, model->hidden, layers);
        add(parts, VECTOR, model->q_lora, 1, layers);
    }
    add(parts, MATRIX, wide, model->q_lora > 0 ? model->q_lora : model->hidden, layers);
    add(parts, MATRIX, (double)model->kv_lora + model->qk_rope_dim, model->hidden, layers);
    add(parts, VECTOR, model->kv_lora, 1, layers);
    add(parts, MATRIX, expanded, model->kv_lora, layers);
    add(parts, MATRIX, model->hidden, (double)model->heads * model->v_dim, layers);
}

static void add_attention(const struct bm_model *model, struct parts *parts) {
    const struct attention_layers layers = attention_of(model);
    const double wide = (double)model->heads * model->head_dim,
                 kv = 2.0 * (double)model->kv_heads * model->head_dim;
    if (model->attention == BM_ATTENTION_MLA) {
        add_latent_attention(model, layers.all, parts);
        return;
    }
    add(parts, MATRIX, wide + kv, model->hidden, layers.with_kv);
    add(parts, MATRIX, wide, model->hidden, layers.all - layers.with_kv);
    add(parts, MATRIX, model->hidden, wide, layers.all);
    if (has_bias(model, "qkv")) {
        add(parts, VECTOR, wide + kv, 1, layers.with_kv);
        add(parts, VECTOR, wide, 1, layers.all - layers.with_kv);
    }
    if (has_bias(model, "qkvo"))
        add(parts, VECTOR, model->hidden, 1, layers.all);
    if (model->qk_norm != BM_QK_NORM_NONE)
        add(parts, VECTOR, 2.0 * model->head_dim, 1, layers.all);
    if (model->attention_sinks)
        add(parts, VECTOR, model->heads, 1, layers.all);
}

/* Mamba-2 (arXiv 2405.21060): the convolution over x, B and C with its bias; a decay, a skip and a bias of
 * the step for each head; a gated norm. */
static void add_mamba(const struct bm_model *model, struct parts *parts) {
    const double layers = model->mamba_layers, inner = (double)model->mamba_heads * model->mamba_head_dim;
    const double channels = inner + 2.0 * (double)model->mamba_groups * model->mamba_state;
    add(parts, MATRIX, inner + channels + model->mamba_heads, model->hidden, layers);
    add(parts, VECTOR, channels * (model->mamba_conv + 1.0) + 3.0 * model->mamba_heads + inner, 1, layers);
    add(parts, MATRIX, model->hidden, inner, layers);
}

static void add_ffn(const struct bm_model *model, double width, double layers, struct parts *parts) {
    const double up = (model->ffn == BM_FFN_SWIGLU ? 2 : 1) * width;
    add(parts, MATRIX, up, model->hidden, layers);
    add(parts, MATRIX, model->hidden, width, layers);
    if (strcmp(model->biases, "all") == 0)
        add(parts, VECTOR, up + model->hidden, 1, width > 0 ? layers : 0);
}

static void add_routed(const struct bm_model *model, double layers, struct parts *parts) {
    const double all = layers * model->experts, active = layers * model->experts_per_token;
    const double up = 2.0 * model->expert_intermediate;
    add(parts, MATRIX, model->experts, model->hidden, layers);
    if (has_bias(model, "router") || model->expert_groups > 0) /* of groups: the bias that balances them */
        add(parts, VECTOR, model->experts, 1, layers);
    add_experts(parts, MATRIX, up, model->hidden, all, active);
    add_experts(parts, MATRIX, model->hidden, model->expert_intermediate, all, active);
    if (has_bias(model, "experts"))
        add_experts(parts, VECTOR, up + model->hidden, 1, all, active);
    add_ffn(model, (double)model->shared_experts * model->expert_intermediate,
            model->shared_experts > 0 ? layers : 0, parts);
}

static void list_parts(const struct bm_model *model, struct parts *parts) {
    const struct attention_layers layers = attention_of(model);
    const double ffn = model->mamba_layers > 0 ? model->ffn_layers : model->layers;
    const double routed = model->experts > 0 ? ffn - model->dense_layers : 0;
    const double norms = layers.all + model->mamba_layers + ffn + 1;
    *parts = (struct parts){0};
    add(parts, EMBEDDING, model->vocabulary, model->hidden, 1);
    add(parts, VECTOR, (double)model->learned_positions * model->hidden, 1, 1);
    add_attention(model, parts);
    add_mamba(model, parts);
    add_ffn(model, model->intermediate, ffn - routed, parts);
    add_routed(model, routed, parts);
    /* A LayerNorm has biases beside its weights. */
    add(parts, VECTOR, (model->ffn == BM_FFN_GELU ? 2.0 : 1.0) * model->hidden, 1, norms);
    add(parts, HEAD, model->vocabulary, model->hidden, 1);
}

const char *bm_active_name(enum bm_active convention) {
    static const char *const names[] = {"core", "core + head", "core + head + embedding"};
    return names[convention];
}

void bm_model_size(const struct bm_model *model, struct bm_model_size *size) {
    struct parts parts;
    double core = 0, all = 0, vocabulary = (double)model->vocabulary * model->hidden;
    list_parts(model, &parts);
    for (size_t i = 0; i < parts.count; i++) {
        const struct part *part = &parts.items[i];
        if (part->kind == EMBEDDING || part->kind == HEAD)
            continue;
        core += part->active * part->n * part->k;
        all += part->total * part->n * part->k;
    }
    *size = (struct bm_model_size){
        .parameters = all + vocabulary * (model->tied_embeddings ? 1 : 2),
        .active = {core, core + vocabulary, core + vocabulary * (model->tied_embeddings ? 1 : 2)},
        .convention = BM_ACTIVE_ALL};
    for (int i = BM_ACTIVE_COUNT - 1; i >= 0 && model->active_parameters > 0; i--)
        if (fabs(size->active[i] - model->active_parameters) <
            fabs(size->active[size->convention] - model->active_parameters))
            size->convention = (enum bm_active)i;
    size->kv_elements = attention_of(model).with_kv * (model->attention == BM_ATTENTION_MLA
                                                           ? (double)model->kv_lora + model->qk_rope_dim
                                                           : 2.0 * (double)model->kv_heads * model->head_dim);
}

double bm_model_weight_bytes(const struct bm_model *model, const struct bm_dtype *dtype) {
    const double each = bm_element_bytes_each(dtype->activation);
    const bool one_format = dtype->weight == dtype->activation;
    struct parts parts;
    double bytes = 0;
    list_parts(model, &parts);
    for (size_t i = 0; i < parts.count; i++) {
        const struct part *part = &parts.items[i];
        if (part->kind == HEAD && model->tied_embeddings && one_format)
            continue;
        bytes += part->total * (part->kind == MATRIX || part->kind == HEAD
                                    ? bm_dtype_weight_bytes(dtype, (uint64_t)part->n, (uint64_t)part->k)
                                    : part->n * part->k * each);
    }
    return bytes;
}

/* Bytes of a cached element, with its part of the two f32 scales that an int8 cache has for each token and KV
 * head. */
static double kv_bytes_each(const struct bm_model *model, const struct bm_dtype *dtype, enum bm_kv kv) {
    switch (kv) {
    case BM_KV_F16:
        return bm_element_bytes_each(BM_ELEMENT_F16);
    case BM_KV_INT8:
        return 1 + 2 * sizeof(float) / (2.0 * model->head_dim);
    case BM_KV_DTYPE:
        break;
    }
    return bm_element_bytes_each(bm_dtype_of_activations(dtype)->kv);
}

double bm_model_cache_bytes(const struct bm_model *model, const struct bm_dtype *dtype, enum bm_kv kv,
                            uint64_t tokens) {
    struct bm_model_size size;
    const double length = (double)tokens, layers = attention_of(model).all;
    bm_model_size(model, &size);
    double cached = size.kv_elements * length;
    if (model->sliding_window > 0 && tokens > model->sliding_window) /* every second layer, the first too */
        cached -= size.kv_elements * ceil(layers / 2) / layers * (length - model->sliding_window);
    const double inner = (double)model->mamba_heads * model->mamba_head_dim;
    const double channels = inner + 2.0 * (double)model->mamba_groups * model->mamba_state;
    const double conv = model->mamba_conv > 0 ? (model->mamba_conv - 1.0) * channels : 0;
    return cached * kv_bytes_each(model, dtype, kv) +
           model->mamba_layers *
               (inner * model->mamba_state * sizeof(float) + conv * bm_element_bytes_each(dtype->activation));
}

/* ---- tensor parallel ---- */

static enum bm_status divide(const char *id, const char *what, uint32_t *value, uint32_t count,
                             struct bm_error *error) {
    if (*value % count != 0)
        return bm_fail(error, BM_INVALID, "%s: %s, %u, do not divide among --count %u", id, what, *value,
                       count);
    *value /= count;
    return BM_OK;
}

/* "llama2-70b-tp4": what is measured of it is no measurement of the whole model. */
static struct bm_model name_shard(const struct bm_model *part, uint32_t count) {
    struct bm_model named = *part;
    char suffix[16];
    snprintf(suffix, sizeof suffix, "-tp%u", count);
    bm_string_set(named.id, sizeof named.id - strlen(suffix), part->id);
    const size_t length = strlen(named.id);
    bm_string_set(named.id + length, sizeof named.id - length, suffix);
    return named;
}

enum bm_status bm_model_shard(const struct bm_model *model, uint32_t count, struct bm_model *shard,
                              struct bm_error *error) {
    struct bm_model part = *model;
    const struct {
        const char *what;
        uint32_t *value;
    } sizes[] = {{"heads", &part.heads},
                 {"columns of the FFN", &part.intermediate},
                 {"columns of an expert", &part.expert_intermediate},
                 {"Mamba heads", &part.mamba_heads}};
    enum bm_status status = BM_OK;
    *shard = (struct bm_model){0};
    if (count == 0)
        return bm_fail(error, BM_INVALID, "--count must be at least 1");
    for (size_t i = 0; status == BM_OK && i < BM_COUNT_OF(sizes); i++)
        status = divide(model->id, sizes[i].what, sizes[i].value, count, error);
    /* Fewer KV heads (or groups of a scan) than devices: each has a copy of the one that its heads read. */
    if (status == BM_OK && model->attention != BM_ATTENTION_MLA) {
        if (model->kv_heads > count)
            status = divide(model->id, "KV heads", &part.kv_heads, count, error);
        else
            part.kv_heads = 1;
        if (status == BM_OK && part.heads % part.kv_heads != 0)
            status = bm_fail(error, BM_INVALID, "%s: %u heads do not divide among %u KV heads", model->id,
                             part.heads, part.kv_heads);
    } else if (status == BM_OK) {
        part.kv_heads = part.heads; /* of MLA, whose KV heads are its heads */
    }
    if (status == BM_OK && model->mamba_groups > count)
        status = divide(model->id, "groups of Mamba", &part.mamba_groups, count, error);
    else if (model->mamba_groups > 0)
        part.mamba_groups = 1;
    part.vocabulary = (uint32_t)(((uint64_t)model->vocabulary + count - 1) / count); /* the last is padded */
    part.parameters = part.active_parameters = 0;
    if (status == BM_OK && count == 1)
        *shard = *model;
    else if (status == BM_OK)
        *shard = name_shard(&part, count);
    return status;
}
