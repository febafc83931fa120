/* The contracts. A KV cache is f16 (DESIGN "Number formats"), except in f32. Ops without weights run under
 * the contract of the activations (bm_dtype_of_activations), so that kv says what theirs does. */
#include <string.h>

#include "internal.h"

static const struct bm_dtype dtypes[] = {
    {.name = "f32",
     .summary = "f32 throughout",
     .weight = BM_ELEMENT_F32,
     .activation = BM_ELEMENT_F32,
     .output = BM_ELEMENT_F32,
     .kv = BM_ELEMENT_F32,
     .pipes = {"f32_vector"}},
    {.name = "f16",
     .summary = "stored as f16, accumulated in f32",
     .weight = BM_ELEMENT_F16,
     .activation = BM_ELEMENT_F16,
     .output = BM_ELEMENT_F16,
     .kv = BM_ELEMENT_F16,
     .pipes = {"f16_matrix", "f32_vector"}},
    {.name = "bf16",
     .summary = "stored as bf16, accumulated in f32; f16 KV cache",
     .weight = BM_ELEMENT_BF16,
     .activation = BM_ELEMENT_BF16,
     .output = BM_ELEMENT_BF16,
     .kv = BM_ELEMENT_F16,
     .pipes = {"bf16_matrix", "bf16_dot", "f32_vector"}},
    {.name = "int8",
     .summary = "W8A8: int8 weights, one f32 scale a channel; f32 activations quantised to int8 row by row",
     .weight = BM_ELEMENT_I8,
     .activation = BM_ELEMENT_F32,
     .output = BM_ELEMENT_F32,
     .kv = BM_ELEMENT_F32,
     .scale = BM_ELEMENT_F32,
     .scale_group = BM_SCALE_CHANNEL,
     .quantised_activations = true,
     .pipes = {"i8_matrix", "i8_dot", "f32_vector", "i32_vector"}},
    {.name = "int8af32",
     .summary = "int8 weights, one f32 scale a channel; f32 activations",
     .weight = BM_ELEMENT_I8,
     .activation = BM_ELEMENT_F32,
     .output = BM_ELEMENT_F32,
     .kv = BM_ELEMENT_F32,
     .scale = BM_ELEMENT_F32,
     .scale_group = BM_SCALE_CHANNEL,
     .pipes = {"f32_vector"}},
    {.name = "int8af16",
     .summary = "int8 weights, one f32 scale a channel; f16 activations",
     .weight = BM_ELEMENT_I8,
     .activation = BM_ELEMENT_F16,
     .output = BM_ELEMENT_F16,
     .kv = BM_ELEMENT_F16,
     .scale = BM_ELEMENT_F32,
     .scale_group = BM_SCALE_CHANNEL,
     .pipes = {"f16_matrix", "f32_vector"}},
    {.name = "int4af32",
     .summary = "int4 weights in groups of 32 with an f16 scale; f32 activations",
     .weight = BM_ELEMENT_I4,
     .activation = BM_ELEMENT_F32,
     .output = BM_ELEMENT_F32,
     .kv = BM_ELEMENT_F32,
     .scale = BM_ELEMENT_F16,
     .scale_group = 32,
     .pipes = {"f32_vector"}},
    {.name = "int4af16",
     .summary = "int4 weights in groups of 32 with an f16 scale; f16 activations",
     .weight = BM_ELEMENT_I4,
     .activation = BM_ELEMENT_F16,
     .output = BM_ELEMENT_F16,
     .kv = BM_ELEMENT_F16,
     .scale = BM_ELEMENT_F16,
     .scale_group = 32,
     .pipes = {"f16_matrix", "f32_vector"}},
};

const struct bm_dtype *bm_dtype_find(const char *name) {
    for (size_t i = 0; i < BM_COUNT_OF(dtypes); i++)
        if (!strcmp(dtypes[i].name, name))
            return &dtypes[i];
    return NULL;
}

const struct bm_dtype *bm_dtype_get(size_t index) {
    return index < BM_COUNT_OF(dtypes) ? &dtypes[index] : NULL;
}

const char *bm_dtype_names(void) {
    return "f32, f16, bf16, int8, int8af32, int8af16, int4af32 or int4af16";
}

const struct bm_dtype *bm_dtype_of_activations(const struct bm_dtype *dtype) {
    return bm_dtype_find(bm_element_name(dtype->activation));
}

uint64_t bm_dtype_scale_count(const struct bm_dtype *dtype, uint64_t n, uint64_t k) {
    if (!dtype->scale_group)
        return 0;
    return dtype->scale_group == BM_SCALE_CHANNEL ? n : n * bm_ceil_div(k, dtype->scale_group);
}

double bm_dtype_weight_bytes(const struct bm_dtype *dtype, uint64_t n, uint64_t k) {
    return (double)n * (double)k * bm_element_bytes_each(dtype->weight) +
           (double)bm_dtype_scale_count(dtype, n, k) * bm_element_bytes_each(dtype->scale);
}

enum bm_status bm_dtype_check_plain(const char *workload, const struct bm_dtype *dtype, enum bm_element last,
                                    struct bm_error *error) {
    if (dtype->weight == dtype->activation && dtype->activation <= last)
        return BM_OK;
    return bm_fail(error, BM_UNSUPPORTED, "%s has no kernel for %s", workload, dtype->name);
}
