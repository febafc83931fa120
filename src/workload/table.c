/* The workloads, listed once. */
#include <string.h>

#include "internal.h"

static const struct bm_workload *const workloads[] = {
    &bm_workload_gemm,      &bm_workload_gemv,       &bm_workload_grouped,    &bm_workload_attention,
    &bm_workload_mla,       &bm_workload_mamba_conv, &bm_workload_mamba_scan, &bm_workload_rmsnorm,
    &bm_workload_layernorm, &bm_workload_swiglu,     &bm_workload_gelu,       &bm_workload_residual,
    &bm_workload_rope,      &bm_workload_softmax,    &bm_workload_topk,       &bm_workload_combine,
    &bm_workload_embedding, &bm_workload_kv_write,   &bm_workload_kv_expand,  &bm_workload_layer,
    &bm_workload_stream,    &bm_workload_cache,      &bm_workload_fma,        &bm_workload_launch,
    &bm_workload_transfer,
};

const struct bm_workload *bm_workload_find(const char *name) {
    for (size_t i = 0; i < BM_COUNT_OF(workloads); i++)
        if (!strcmp(workloads[i]->name, name))
            return workloads[i];
    return NULL;
}

const struct bm_workload *bm_workload_get(size_t index) {
    return index < BM_COUNT_OF(workloads) ? workloads[index] : NULL;
}
