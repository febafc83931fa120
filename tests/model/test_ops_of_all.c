/* What holds of the ops of every model. */
#include "ops_list.h"

#include <stdlib.h>

Test(ops, every_model_gives_valid_cases_and_no_duplicates) {
    struct bm_model *models = NULL;
    size_t model_count = 0;
    cr_assert_eq(bm_model_list(&models, &model_count, NULL), BM_OK);
    for (size_t i = 0; i < model_count; i++)
        for (enum bm_phase phase = BM_PHASE_PREFILL; phase <= BM_PHASE_DECODE; phase++) {
            list(models[i].id, phase, "f16", 1, models[i].max_context);
            for (size_t a = 0; a < count; a++) {
                struct bm_error error = {0};
                cr_expect_gt(ops[a].count, 0.0);
                if (ops[a].has_case)
                    cr_expect_eq(ops[a].the_case.workload->validate(&ops[a].the_case, &error), BM_OK,
                                 "%s %s: %s", models[i].id, ops[a].name, error.message);
                for (size_t b = 0; b < a; b++)
                    cr_expect_str_neq(ops[a].name, ops[b].name, "%s", models[i].id);
            }
        }
    free(models);
}

static bool is_matmul(const struct bm_op *op) {
    return op->has_case && (strcmp(op->the_case.workload->name, "gemm") == 0 ||
                            strcmp(op->the_case.workload->name, "gemv") == 0 ||
                            strcmp(op->the_case.workload->name, "grouped_gemm") == 0);
}

/* A token costs 2 FLOPs a weight; the embedding is looked up, not multiplied. */
Test(ops, flops_of_a_token_are_twice_the_weights) {
    const char *const dense[] = {"llama2-7b",   "llama2-13b", "llama2-70b", "llama3.1-8b",   "llama3.1-405b",
                                 "qwen2.5-32b", "qwen3-8b",   "hunyuan-7b", "tinyllama-1.1b"};
    for (size_t i = 0; i < BM_COUNT_OF(dense); i++) {
        double flops = 0, prompt = 0, weights;
        list(dense[i], BM_PHASE_DECODE, "f16", 1, 1);
        for (size_t a = 0; a < count; a++)
            if (is_matmul(&ops[a]))
                flops += ops[a].count * ops[a].the_case.workload->flops(&ops[a].the_case);
        weights = model.parameters - (model.tied_embeddings ? 0.0 : (double)model.vocabulary * model.hidden);
        cr_expect_float_eq(flops / (2.0 * weights), 1.0, 0.02, "%s: %g", model.id, flops / (2.0 * weights));

        /* A prompt of 64 tokens does 64 times that, but for the one row of logits. */
        list(dense[i], BM_PHASE_PREFILL, "f16", 1, 64);
        for (size_t a = 0; a < count; a++)
            if (is_matmul(&ops[a]))
                prompt += ops[a].count * ops[a].the_case.workload->flops(&ops[a].the_case);
        cr_expect_float_eq(prompt, 64 * flops - 63 * 2.0 * model.vocabulary * model.hidden, 1e-9 * prompt);
    }
}

/* The shapes of one pass, with the embedding, are the whole model. */
Test(ops, weights_of_the_operations_are_the_parameters) {
    struct bm_model *models = NULL;
    size_t model_count = 0;
    cr_assert_eq(bm_model_list(&models, &model_count, NULL), BM_OK);
    for (size_t i = 0; i < model_count; i++) {
        double weights = 0, hidden = models[i].hidden;
        list(models[i].id, BM_PHASE_PREFILL, "f16", 1, 64);
        for (size_t a = 0; a < count; a++)
            if (is_matmul(&ops[a]))
                weights += ops[a].count * (double)ops[a].the_case.n * (double)ops[a].the_case.k *
                           (ops[a].the_case.experts > 0 ? ops[a].the_case.experts : 1);
        weights += models[i].tied_embeddings ? 0.0 : hidden * models[i].vocabulary;
        cr_expect_float_eq(weights / models[i].parameters, 1.0, 0.02, "%s: %.0f of %.0f", models[i].id,
                           weights, models[i].parameters);
    }
    free(models);
}
