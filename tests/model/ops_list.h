/* The ops of one pass of a model, as the last list() made them. */
#ifndef TESTS_MODEL_OPS_LIST_H
#define TESTS_MODEL_OPS_LIST_H

#include "bm/model.h"

#include <criterion/criterion.h>
#include <string.h>

static struct bm_op ops[BM_MAX_OPS];
static size_t count;
static struct bm_model model;

static inline void list(const char *name, enum bm_phase phase, const char *dtype, uint32_t batch,
                        uint32_t length) {
    struct bm_error error = {0};
    struct bm_request request = {.phase = phase, .dtype = bm_dtype_find(dtype), .batch = batch};
    if (phase == BM_PHASE_PREFILL)
        request.tokens = length;
    else
        request.context = length;
    cr_assert_not_null(request.dtype);
    cr_assert_eq(bm_model_load(name, &model, &error), BM_OK, "%s", error.message);
    cr_assert_eq(bm_model_ops(&model, &request, ops, &count, &error), BM_OK, "%s", error.message);
}

static inline const struct bm_op *find(const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(ops[i].name, name) == 0)
            return &ops[i];
    return NULL;
}

#endif
