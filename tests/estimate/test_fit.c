#include "internal.h"

#include <criterion/criterion.h>

TestSuite(fit);

static struct bm_model load(const char *name) {
    struct bm_model model;
    struct bm_error error = {0};
    cr_assert_eq(bm_model_load(name, &model, &error), BM_OK, "%s", error.message);
    return model;
}

static uint32_t needed(const struct bm_model *model, const struct bm_dtype *dtype, uint32_t batch,
                       uint32_t tokens, double memory_bytes) {
    const struct bm_serving_options options = {.model = *model, .prompt = tokens, .generate = 1};
    return bm_devices_needed(&options, dtype, batch, memory_bytes);
}

/* By hand: 1 GB at 50 GB/s is 20 ms; among 4 devices 2 x 3/4 of it, and 6 steps of 5 us. */
Test(fit, a_ring_all_reduce) {
    cr_expect_float_eq(bm_serving_all_reduce_ns(4, 1e9, 50, 5), 30e6 + 6 * 5000, 1e-6);
    cr_expect_float_eq(bm_serving_all_reduce_ns(2, 1e9, 50, 5), 20e6 + 2 * 5000, 1e-6);
    cr_expect_float_eq(bm_serving_all_reduce_ns(1, 1e9, 50, 5), 0, 1e-12);
    cr_expect_float_eq(bm_serving_all_reduce_ns(0, 1e9, 50, 5), 0, 1e-12);
}

/* Llama 2 7B in f16: 13.48 GB of weights, 512 KiB a token. */
Test(fit, weights_and_cache_in_memory) {
    const struct bm_model model = load("llama2-7b");
    const struct bm_dtype *f16 = bm_dtype_find("f16");
    const double weights = bm_model_weight_bytes(&model, f16);
    cr_assert_float_eq(weights, 2 * 6738415616.0, 1);
    cr_expect_eq(needed(&model, f16, 1, 1024, weights + 0x1p29), 1, "just");
    cr_expect_eq(needed(&model, f16, 1, 1025, weights + 0x1p29), 2, "a token too many");
    cr_expect_eq(needed(&model, f16, 64, 4096, 24e9), 8, "128 GiB of cache, 13.5 GB of weights");
    cr_expect_eq(needed(&model, f16, 1, 1, 1), 0);
}

/* 70B in f16 is 141 GB: two devices of 80 GB hold it; 28 heads divide by 2, 4 and 7, not by 3. */
Test(fit, only_numbers_that_divide_the_heads) {
    const struct bm_model large = load("llama3.1-70b"), qwen = load("qwen2.5-7b");
    const struct bm_dtype *f16 = bm_dtype_find("f16");
    cr_expect_eq(needed(&large, f16, 1, 1024, 80e9), 2);
    cr_expect_eq(needed(&large, bm_dtype_find("int4af16"), 1, 1024, 80e9), 1);
    cr_expect_eq(needed(&qwen, f16, 1, 128, 6e9), 4, "3 would hold it, but do not divide 28 heads");
}
