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
/* Work on m rows of n outputs, under the contract of the activations. */
void bm_pass_rows(struct bm_pass *pass, const char *name, const char *workload, uint64_t count, uint64_t m,
                  uint64_t n);
/* RMSNorm of the heads of queries and keys of m rows, all of them of the model's head_dim. */
void bm_pass_head_norm(struct bm_pass *pass, uint64_t count, uint64_t m);
/* The k best of n experts for each of m rows. */
void bm_pass_topk(struct bm_pass *pass, uint64_t count, uint64_t m);
/* Rotary embedding of the heads of queries and keys, all of them of head_dim. */
void bm_pass_rope(struct bm_pass *pass, const char *name, uint64_t count, uint32_t heads, uint32_t head_dim);
/* Keys and values of the new tokens, out of rows that begin with `heads` heads of queries. */
void bm_pass_kv_write(struct bm_pass *pass, uint64_t count, uint32_t heads, uint32_t kv_heads,
                      uint32_t head_dim, uint32_t v_dim);
/* Keys and values of the new tokens of latent attention, out of the expanded latents. */
void bm_pass_kv_expand(struct bm_pass *pass, uint64_t count);
/* The [k, n] of the experts that the model sends each of m tokens to. row_per_pair: activations have a row
 * for each token and expert. */
void bm_pass_experts(struct bm_pass *pass, const char *name, uint64_t count, uint64_t m, uint64_t n,
                     uint64_t k, bool row_per_pair);
/* The sum over the experts of each of m tokens, and over what all share where the model has such. */
void bm_pass_combine(struct bm_pass *pass, uint64_t count, uint64_t m);
/* Mamba-2's convolution over `channels`, and its scan, of the model's state. */
void bm_pass_conv(struct bm_pass *pass, uint64_t count, uint64_t m, uint64_t channels);
void bm_pass_scan(struct bm_pass *pass, uint64_t count);
/* Attention over `length` tokens a sequence: new ones in prefill, cached ones in decode, of which a prefill
 * sees the last `window` (0: all). */
struct bm_pass_heads {
    uint32_t heads, kv_heads, head_dim, v_dim;
};
void bm_pass_attention(struct bm_pass *pass, const char *name, uint64_t count,
                       const struct bm_pass_heads *heads, uint32_t length, uint32_t window);
/* Decode over the latents that all heads share. */
void bm_pass_latent_attention(struct bm_pass *pass, const char *name, uint64_t count);
/* [k, n] of every head, for its own row of each sequence: grouped products of which none is left out. */
void bm_pass_head_products(struct bm_pass *pass, const char *name, uint64_t count, uint64_t n, uint64_t k);

#endif
