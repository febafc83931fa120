/* fit.c - whether weights and caches fit, and what devices that share a model tell one another. */
#include "internal.h"

double bm_serving_all_reduce_ns(uint32_t count, double bytes, double gbs, double latency_us) {
    const double others = count > 0 ? count - 1.0 : 0;
    return others == 0 ? 0 : 2 * others / count * bytes / gbs + 2 * others * latency_us * 1000;
}

uint64_t bm_serving_tokens(const struct bm_serving_options *options) {
    return (uint64_t)options->prompt + options->generate - 1;
}

static bool holds(const struct bm_serving_options *options, const struct bm_model *share,
                  const struct bm_dtype *dtype, uint32_t batch, double memory_bytes) {
    return bm_model_weight_bytes(share, dtype) +
               batch * bm_model_cache_bytes(share, dtype, options->kv, bm_serving_tokens(options)) <=
           memory_bytes;
}

uint32_t bm_devices_needed(const struct bm_serving_options *options, const struct bm_dtype *dtype,
                           uint32_t batch, double memory_bytes) {
    enum { MOST = 1024 };
    for (uint32_t count = 1; count <= MOST; count++) {
        struct bm_model share;
        if (bm_model_shard(&options->model, count, &share, NULL) == BM_OK &&
            holds(options, &share, dtype, batch, memory_bytes))
            return count;
    }
    return 0;
}
