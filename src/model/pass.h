/* pass.h - the list of operations under construction, private to src/model. */
#ifndef BM_MODEL_PASS_H
#define BM_MODEL_PASS_H

#include "bm/model.h"

/* One forward pass while its operations are listed. The first failure stays in status; later calls do
 * nothing. */
struct bm_pass {
    const struct bm_model *model;
    const struct bm_request *request;
    struct bm_op *ops;
    size_t count;
    struct bm_error *error;
    enum bm_status status;
};

/* An operation that no workload measures yet. Nothing is added where count is 0. */
void bm_pass_add(struct bm_pass *pass, const char *name, uint64_t count);
/* [m, k] x [k, n]: gemv for one row, else gemm. */
void bm_pass_matmul(struct bm_pass *pass, const char *name, uint64_t count, uint64_t m, uint64_t n,
                    uint64_t k);
/* The [k, n] of the experts that the model sends each of m tokens to. row_per_pair: activations have a row
 * for each token and expert. */
void bm_pass_experts(struct bm_pass *pass, const char *name, uint64_t count, uint64_t m, uint64_t n,
                     uint64_t k, bool row_per_pair);
/* Attention over `length` tokens a sequence: new ones in prefill, cached ones in decode. */
void bm_pass_attention(struct bm_pass *pass, const char *name, uint64_t count, uint32_t length);

#endif
