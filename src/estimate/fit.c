/* fit.c - whether weights and caches fit, and what devices that share a model tell one another. */
#include "internal.h"

double bm_serving_all_reduce_ns(uint32_t count, double bytes, double gbs, double latency_us) {
    const double others = count > 0 ? count - 1.0 : 0;
    return others == 0 ? 0 : 2 * others / count * bytes / gbs + 2 * others * latency_us * 1000;
}

static bool holds(const struct bm_model *share, const struct bm_dtype *dtype, uint32_t batch, uint64_t tokens,
                  double memory_bytes) {
    return bm_model_weight_bytes(share, dtype) + batch * bm_model_cache_bytes(share, dtype, tokens) <=
           memory_bytes;
}

uint32_t bm_devices_needed(const struct bm_model *whole, const struct bm_dtype *dtype, uint32_t batch,
                           uint64_t tokens, double memory_bytes) {
    enum { MOST = 1024 };
    for (uint32_t count = 1; count <= MOST; count++) {
        struct bm_model share;
        if (bm_model_shard(whole, count, &share, NULL) == BM_OK &&
            holds(&share, dtype, batch, tokens, memory_bytes))
            return count;
    }
    return 0;
}
