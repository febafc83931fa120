#include "bm/data.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(models);

static struct bm_model load(const char *name) {
    struct bm_model model;
    struct bm_error error = {0};
    cr_assert_eq(bm_model_load(name, &model, &error), BM_OK, "%s", error.message);
    return model;
}

Test(models, all_files_load_sorted_by_id) {
    struct bm_model *models = NULL;
    struct bm_error error = {0};
    size_t count = 0;
    cr_assert_eq(bm_model_list(&models, &count, &error), BM_OK, "%s", error.message);
    cr_assert_eq(count, 21);
    for (size_t i = 0; i < count; i++) {
        cr_expect(i == 0 || strcmp(models[i - 1].id, models[i].id) < 0, "%s", models[i].id);
        cr_expect_gt(models[i].parameters, 1e9, "%s", models[i].id);
        cr_expect_leq(models[i].active_parameters, models[i].parameters * 1.001, "%s", models[i].id);
        cr_expect_gt(strlen(models[i].source), 0, "%s", models[i].id);
        cr_expect_eq(strlen(models[i].released), 7, "%s", models[i].id);
    }
    free(models);
}

/* An alias must lead to one model. */
Test(models, names_are_unique) {
    struct bm_model *models = NULL;
    size_t count = 0;
    cr_assert_eq(bm_model_list(&models, &count, NULL), BM_OK);
    for (size_t i = 0; i < count; i++)
        for (unsigned a = 0; a < models[i].alias_count; a++)
            for (size_t j = 0; j < count; j++) {
                cr_expect_str_neq(models[i].aliases[a], models[j].id);
                for (unsigned b = 0; b < models[j].alias_count; b++)
                    cr_expect(strcmp(models[i].aliases[a], models[j].aliases[b]) != 0 || (i == j && a == b),
                              "%s", models[i].aliases[a]);
            }
    free(models);
}

Test(models, fields_arrive) {
    struct bm_model model = load("llama3.1-8b");
    cr_expect_str_eq(model.id, "llama3.1-8b");
    cr_expect_str_eq(model.name, "Llama 3.1 8B");
    cr_expect_str_eq(model.released, "2024-07");
    cr_expect_eq(model.layers, 32);
    cr_expect_eq(model.hidden, 4096);
    cr_expect_eq(model.heads, 32);
    cr_expect_eq(model.kv_heads, 8);
    cr_expect_eq(model.head_dim, 128);
    cr_expect_eq(model.attention, BM_ATTENTION_GQA);
    cr_expect_eq(model.ffn, BM_FFN_SWIGLU);
    cr_expect_eq(model.intermediate, 14336);
    cr_expect_eq(model.vocabulary, 128256);
    cr_expect_eq(model.max_context, 131072);
    cr_expect_not(model.tied_embeddings);
    cr_expect(model.shapes_verified);
    cr_expect_float_eq(model.parameters, 8030261248.0, 0.5);
}

Test(models, special_kinds_arrive) {
    struct bm_model deepseek = load("deepseek-v3"), turbos = load("hunyuan-turbos"),
                    large = load("hunyuan-large");
    struct bm_model oss = load("gpt-oss-20b"), gpt3 = load("gpt3-175b");
    cr_expect_eq(deepseek.attention, BM_ATTENTION_MLA);
    cr_expect_eq(deepseek.q_lora, 1536);
    cr_expect_eq(deepseek.kv_lora, 512);
    cr_expect_eq(deepseek.v_dim, 128);
    cr_expect_eq(deepseek.experts, 256);
    cr_expect_eq(deepseek.experts_per_token, 8);
    cr_expect_eq(deepseek.expert_intermediate, 2048);
    cr_expect_eq(deepseek.dense_layers, 3);
    cr_expect_eq(deepseek.expert_groups, 8);
    cr_expect_eq(deepseek.expert_groups_used, 4);
    cr_expect(deepseek.shapes_verified);
    cr_expect_eq(turbos.attention_layers + turbos.mamba_layers + turbos.ffn_layers, turbos.layers);
    cr_expect_eq(turbos.mamba_state, 128);
    cr_expect_not(turbos.shapes_verified); /* head sizes are guesses */
    cr_expect_eq(large.kv_shared_layers, 2);
    cr_expect_eq(oss.sliding_window, 128);
    cr_expect(oss.attention_sinks);
    cr_expect_not(large.attention_sinks);
    cr_expect_eq(gpt3.learned_positions, 2048);
    cr_expect_eq(gpt3.ffn, BM_FFN_GELU);
    cr_expect_not(load("hunyuan-7b").shapes_verified);
    cr_expect_eq(load("qwen3-8b").qk_norm, BM_QK_NORM_BEFORE_ROPE);
    cr_expect_eq(large.qk_norm, BM_QK_NORM_AFTER_ROPE);
    cr_expect_eq(gpt3.qk_norm, BM_QK_NORM_NONE);
}

Test(models, aliases_and_letter_case_lead_to_the_id) {
    cr_expect_str_eq(load("deepseek-r1").id, "deepseek-v3");
    cr_expect_str_eq(load("DeepSeek-R1").id, "deepseek-v3");
    cr_expect_str_eq(load("hunyuan-t1").id, "hunyuan-turbos");
    cr_expect_str_eq(load("LLAMA2-7B").id, "llama2-7b");
}

Test(models, a_path_is_read_as_a_file) {
    char path[512];
    snprintf(path, sizeof path, "%s/bench/models/llama2-7b.json", getenv("BM_SOURCE_DIR"));
    cr_expect_str_eq(load(path).id, "llama2-7b");
}

Test(models, an_unknown_name_offers_the_nearest) {
    struct bm_model model = {.layers = 1};
    struct bm_error error = {0};
    cr_expect_eq(bm_model_load("lama2-7b", &model, &error), BM_NOT_FOUND);
    cr_expect_str_eq(error.message,
                     "unknown model 'lama2-7b': did you mean 'llama2-7b'? `benchmark models` lists all");
    cr_expect_eq(model.layers, 0);
    error = (struct bm_error){0};
    cr_expect_eq(bm_model_load("zzz\n", &model, &error), BM_NOT_FOUND);
    cr_expect_null(strchr(error.message, '\n'));
    cr_expect_not_null(strstr(error.message, "benchmark models"));
    cr_expect_eq(bm_model_load("nowhere/x.json", &model, NULL), BM_NOT_FOUND);
}

/* Weights that the shapes give, for models without experts: the count of the released checkpoint within 2 %.
 */
Test(models, shapes_give_the_parameter_count) {
    struct bm_model *models = NULL;
    size_t count = 0, dense = 0;
    cr_assert_eq(bm_model_list(&models, &count, NULL), BM_OK);
    for (size_t i = 0; i < count; i++) {
        const struct bm_model *m = &models[i];
        if (m->experts > 0)
            continue;
        double wide = (double)m->heads * m->head_dim, kv = (double)m->kv_heads * m->head_dim;
        double ffn = (m->ffn == BM_FFN_SWIGLU ? 3.0 : 2.0) * m->hidden * m->intermediate;
        double layer = m->hidden * (2.0 * wide + 2.0 * kv) + ffn;
        double total = m->layers * layer + (double)m->hidden * m->learned_positions +
                       (double)m->vocabulary * m->hidden * (m->tied_embeddings ? 1 : 2);
        cr_expect_float_eq(total / m->parameters, 1.0, 0.02, "%s: %.0f of %.0f", m->id, total, m->parameters);
        dense++;
    }
    cr_expect_eq(dense, 13);
    free(models);
}
