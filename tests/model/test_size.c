/* What models weigh, against the counts of released checkpoints and of published tables. */
#include "bm/model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

TestSuite(size);

static struct bm_model load(const char *name) {
    struct bm_model model;
    struct bm_error error = {0};
    cr_assert_eq(bm_model_load(name, &model, &error), BM_OK, "%s", error.message);
    return model;
}

static const struct bm_dtype *dtype(const char *name) {
    cr_assert_not_null(bm_dtype_find(name));
    return bm_dtype_find(name);
}

/* Parameters of the checkpoint (to four digits of it where only a label is published) and KV elements of a
 * token, by the shapes in the sources that the model files name. */
static const struct known {
    const char *id;
    double parameters, kv_elements;
} known[] = {
    {"deepseek-r1-distill-qwen-7b", 7615616512, 28672},
    {"deepseek-v3", 671026419200, 35136},
    {"gpt-oss-120b", 116829156672, 36864},
    {"gpt-oss-20b", 20914757184, 24576},
    {"gpt3-175b", 174604259328, 2359296},
    {"hunyuan-7b", 7504924672, 65536},
    {"hunyuan-a13b", 80393183232, 65536},
    {"hunyuan-large", 388701405440, 40960},
    {"hunyuan-turbos", 559700108064, 8960},
    {"llama2-13b", 13015864320, 409600},
    {"llama2-70b", 68976648192, 163840},
    {"llama2-7b", 6738415616, 262144},
    {"llama3.1-405b", 405853388800, 258048},
    {"llama3.1-70b", 70553706496, 163840},
    {"llama3.1-8b", 8030261248, 65536},
    {"mixtral-8x7b", 46702792704, 65536},
    {"qwen2.5-32b", 32763876352, 131072},
    {"qwen2.5-7b", 7615616512, 28672},
    {"qwen3-30b-a3b", 30532122624, 49152},
    {"qwen3-8b", 8190735360, 73728},
    {"tinyllama-1.1b", 1100048384, 11264},
};

/* Nothing is left out of these: the count of their checkpoints' index, down to a sink for each of 64 heads.
 */
Test(size, gpt_oss_to_the_last_parameter) {
    static const char *const ids[] = {"gpt-oss-20b", "gpt-oss-120b"};
    for (size_t i = 0; i < BM_COUNT_OF(ids); i++) {
        struct bm_model model;
        struct bm_model_size size;
        cr_assert_eq(bm_model_load(ids[i], &model, NULL), BM_OK);
        bm_model_size(&model, &size);
        cr_expect_eq(size.parameters, model.parameters, "%s: %.0f", ids[i], size.parameters);
    }
}

Test(size, parameters_and_cache_of_every_model) {
    struct bm_model *models = NULL;
    size_t count = 0;
    cr_assert_eq(bm_model_list(&models, &count, NULL), BM_OK);
    cr_assert_eq(count, BM_COUNT_OF(known), "a new model needs its figures here");
    for (size_t i = 0; i < count; i++) {
        struct bm_model_size size;
        cr_assert_str_eq(models[i].id, known[i].id);
        bm_model_size(&models[i], &size);
        cr_expect_lt(fabs(size.parameters / known[i].parameters - 1), 1e-4, "%s: %.0f, not %.0f", known[i].id,
                     size.parameters, known[i].parameters);
        cr_expect_float_eq(size.kv_elements, known[i].kv_elements, 0.5, "%s: %.0f", known[i].id,
                           size.kv_elements);
        /* The published figures, which are rounded by their publishers. */
        cr_expect_lt(fabs(size.parameters / models[i].parameters - 1), 0.02, "%s", known[i].id);
        cr_expect_lt(fabs(size.active[size.convention] / models[i].active_parameters - 1), 0.02,
                     "%s: %.0f active, published %.0f", known[i].id, size.active[size.convention],
                     models[i].active_parameters);
    }
    free(models);
}

/* By hand from the shapes of the DeepSeek-V3 report. */
Test(size, active_parameters_by_three_conventions) {
    struct bm_model model = load("deepseek-v3");
    struct bm_model_size size;
    bm_model_size(&model, &size);
    const double vocabulary = 129280.0 * 7168;
    cr_expect_lt(fabs(size.active[BM_ACTIVE_CORE] / 35698924544.0 - 1), 1e-5);
    cr_expect_float_eq(size.active[BM_ACTIVE_HEAD] - size.active[BM_ACTIVE_CORE], vocabulary, 0.5);
    cr_expect_float_eq(size.active[BM_ACTIVE_ALL] - size.active[BM_ACTIVE_HEAD], vocabulary, 0.5);
    cr_expect_eq(size.convention, BM_ACTIVE_HEAD);
    model = load("mixtral-8x7b");
    bm_model_size(&model, &size);
    cr_expect_eq(size.convention, BM_ACTIVE_ALL);
    cr_expect_lt(fabs(size.active[BM_ACTIVE_ALL] / 12879925248.0 - 1), 1e-9);
    model = load("hunyuan-large"); /* the embedding is the head */
    bm_model_size(&model, &size);
    cr_expect_float_eq(size.active[BM_ACTIVE_ALL], size.active[BM_ACTIVE_HEAD], 0.5);
    cr_expect_str_eq(bm_active_name(BM_ACTIVE_HEAD), "core + head");
}

/* Matrices and bytes a weight, by hand: norms are 65 x 4096 and the embedding 32000 x 4096, in f16 always. */
Test(size, weight_bytes_of_llama2_7b) {
    const struct bm_model model = load("llama2-7b");
    const double matrices = 32 * (4.0 * 4096 * 4096 + 3.0 * 4096 * 11008) + 32000.0 * 4096,
                 rest = 65.0 * 4096 + 32000.0 * 4096;
    cr_expect_float_eq(bm_model_weight_bytes(&model, dtype("f32")), 4 * (matrices + rest), 0.5);
    cr_expect_float_eq(bm_model_weight_bytes(&model, dtype("f16")), 2 * (matrices + rest), 0.5);
    cr_expect_float_eq(bm_model_weight_bytes(&model, dtype("int4af16")), 0.5625 * matrices + 2 * rest, 0.5);
    /* f16 scales for each output channel */
    const double channels = 32 * (3 * 4096 + 4096 + 2 * 11008 + 4096) + 32000,
                 scale = bm_element_bytes_each(dtype("int8af16")->scale);
    cr_expect_float_eq(bm_model_weight_bytes(&model, dtype("int8af16")),
                       matrices + scale * channels + 2 * rest, 0.5);
}

Test(size, tied_embeddings_are_stored_once_in_one_format) {
    const struct bm_model model = load("hunyuan-7b");
    struct bm_model untied = model;
    const double vocabulary = (double)model.vocabulary * model.hidden;
    untied.tied_embeddings = false;
    cr_assert(model.tied_embeddings);
    cr_expect_float_eq(bm_model_weight_bytes(&untied, dtype("f16")) -
                           bm_model_weight_bytes(&model, dtype("f16")),
                       2 * vocabulary, 0.5);
    cr_expect_float_eq(bm_model_weight_bytes(&untied, dtype("int4af16")),
                       bm_model_weight_bytes(&model, dtype("int4af16")), 0.5);
}

Test(size, cache_of_a_sequence) {
    struct bm_model model = load("llama2-7b");
    cr_expect_float_eq(bm_model_cache_bytes(&model, dtype("f16"), BM_KV_DTYPE, 4096), 0x1p31, 0.5,
                       "512 KiB a token");
    cr_expect_float_eq(bm_model_cache_bytes(&model, dtype("f32"), BM_KV_F16, 4096), 0x1p31, 0.5);
    cr_expect_float_eq(bm_model_cache_bytes(&model, dtype("int4af16"), BM_KV_DTYPE, 4096), 0x1p31, 0.5);
    /* and two scales of 4 bytes for each of 32 layers and heads */
    cr_expect_float_eq(bm_model_cache_bytes(&model, dtype("f16"), BM_KV_INT8, 4096),
                       0x1p30 + 4096.0 * 32 * 32 * 8, 0.5);
    model = load("deepseek-v3");
    cr_expect_float_eq(bm_model_cache_bytes(&model, dtype("f16"), BM_KV_DTYPE, 1000), 61.0 * 576 * 2 * 1000,
                       0.5);
    model = load("gpt-oss-20b"); /* 12 of 24 layers see 128 tokens */
    cr_expect_float_eq(bm_model_cache_bytes(&model, dtype("f16"), BM_KV_DTYPE, 128), 24576.0 * 2 * 128, 0.5);
    cr_expect_float_eq(bm_model_cache_bytes(&model, dtype("f16"), BM_KV_DTYPE, 1128),
                       24576.0 * 2 * 128 + 12288.0 * 2000, 0.5);
    model = load("hunyuan-turbos"); /* a state that does not grow */
    const double state = 57 * (64.0 * 80 * 128 * 4 + 3 * (64.0 * 80 + 2 * 16 * 128) * 2);
    cr_expect_float_eq(bm_model_cache_bytes(&model, dtype("f16"), BM_KV_DTYPE, 0), state, 0.5);
    cr_expect_float_eq(bm_model_cache_bytes(&model, dtype("f16"), BM_KV_DTYPE, 100), state + 8960.0 * 2 * 100,
                       0.5);
}

/* ---- a share of a model ---- */

Test(size, a_shard_has_its_share_of_heads_and_columns) {
    struct bm_model shard;
    struct bm_error error = {0};
    struct bm_model model = load("llama3.1-70b");
    cr_assert_eq(bm_model_shard(&model, 4, &shard, &error), BM_OK, "%s", error.message);
    cr_expect(shard.heads == 16 && shard.kv_heads == 2 && shard.intermediate == 7168);
    cr_expect(shard.hidden == 8192 && shard.head_dim == 128 && shard.layers == 80);
    cr_expect_eq(shard.vocabulary, 32064);
    cr_expect_str_eq(shard.id, "llama3.1-70b-tp4");
    cr_assert_eq(bm_model_shard(&model, 16, &shard, &error), BM_OK, "%s", error.message);
    cr_expect(shard.heads == 4 && shard.kv_heads == 1, "a copy where there are fewer KV heads");
    cr_assert_eq(bm_model_shard(&model, 1, &shard, &error), BM_OK);
    cr_expect_eq(memcmp(&shard, &model, sizeof model), 0);
    model = load("deepseek-v3");
    cr_assert_eq(bm_model_shard(&model, 8, &shard, &error), BM_OK);
    cr_expect(shard.heads == 16 && shard.kv_lora == 512 && shard.experts == 256);
    cr_expect_eq(shard.expert_intermediate, 256);
    model = load("hunyuan-turbos");
    cr_assert_eq(bm_model_shard(&model, 2, &shard, &error), BM_OK);
    cr_expect(shard.mamba_heads == 32 && shard.mamba_groups == 8);
}

Test(size, what_does_not_divide_is_named) {
    const struct bm_model model = load("qwen2.5-7b"); /* 28 heads */
    struct bm_model shard;
    struct bm_error error = {0};
    cr_expect_eq(bm_model_shard(&model, 8, &shard, &error), BM_INVALID);
    cr_expect_str_eq(error.message, "qwen2.5-7b: heads, 28, do not divide among --count 8");
    cr_expect_eq(shard.layers, 0);
    cr_expect_eq(bm_model_shard(&model, 0, &shard, NULL), BM_INVALID);
}

/* The parts of g devices hold the whole, and what is whole on each. */
Test(size, shards_add_up) {
    const struct bm_model model = load("llama2-7b");
    struct bm_model shard;
    struct bm_model_size whole, part;
    cr_assert_eq(bm_model_shard(&model, 4, &shard, NULL), BM_OK);
    bm_model_size(&model, &whole);
    bm_model_size(&shard, &part);
    cr_expect_float_eq(4 * part.parameters - whole.parameters, 3 * 65.0 * 4096, 0.5, "norms are on each");
    cr_expect_float_eq(4 * part.kv_elements, whole.kv_elements, 0.5);
}

/* ---- work ---- */

/* FLOPs of a token: twice the active parameters with the head, plus attention; by the ops of a pass. */
Test(size, flops_of_a_token_are_twice_its_parameters) {
    static const char *const names[] = {"llama2-7b",    "llama3.1-70b",  "qwen2.5-32b",
                                        "mixtral-8x7b", "qwen3-30b-a3b", "gpt3-175b"};
    for (size_t i = 0; i < BM_COUNT_OF(names); i++) {
        const struct bm_model model = load(names[i]);
        struct bm_request request = {
            .phase = BM_PHASE_DECODE, .dtype = dtype("f16"), .batch = 1, .tokens = 1, .context = 1024};
        struct bm_op ops[BM_MAX_OPS];
        struct bm_model_size size;
        size_t count;
        double flops = 0, attention = 0;
        cr_assert_eq(bm_model_ops(&model, &request, ops, &count, NULL), BM_OK);
        for (size_t o = 0; o < count; o++) {
            const char *workload = ops[o].the_case.workload->name;
            const double work = ops[o].count * ops[o].the_case.workload->flops(&ops[o].the_case);
            if (strstr(workload, "gem") != NULL)
                flops += work;
            else if (strcmp(workload, "attention") == 0)
                attention += work;
        }
        bm_model_size(&model, &size);
        const double expected = 2 * (size.active[BM_ACTIVE_HEAD]);
        cr_expect_lt(fabs(flops / expected - 1), 0.01, "%s: %g of %g", names[i], flops, expected);
        cr_expect_float_eq(attention, 4.0 * model.layers * model.heads * model.head_dim * 1024, 1, "%s",
                           names[i]);
    }
}
