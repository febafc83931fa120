/* The contracts. */
#include <string.h>

#include "bm/workload.h"

static const struct bm_dtype dtypes[] = {
    {.name = "f32",
     .weight = BM_ELEMENT_F32,
     .activation = BM_ELEMENT_F32,
     .output = BM_ELEMENT_F32,
     .kv = BM_ELEMENT_F32,
     .pipes = {"f32_vector"}},
    {.name = "f16",
     .weight = BM_ELEMENT_F16,
     .activation = BM_ELEMENT_F16,
     .output = BM_ELEMENT_F16,
     .kv = BM_ELEMENT_F16,
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
