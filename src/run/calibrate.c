#include "run.h"

enum { CANDIDATES = 32, BLOCKS = 4, BLOCK_NS = 20000000, BUDGET_BLOCKS = 1000 };

/* The shortest time of a launch over a few blocks: here only the order of the candidates matters. */
static uint64_t time_launch(const struct bm_backend *backend, struct bm_prepared *prepared,
                            uint64_t block_ns) {
    uint64_t launches = 1, best = UINT64_MAX, spent_ns = 0;
    /* The second block is the first that counts; a budget that slow launches have used up ends it there. */
    for (int block = 0; block < BLOCKS && (block < 2 || spent_ns < BLOCKS * block_ns); block++) {
        struct bm_block timing;
        if (backend->run(prepared, launches, &timing, NULL) != BM_OK || timing.host_ns == 0)
            return UINT64_MAX;
        spent_ns += timing.host_ns;
        uint64_t one = timing.host_ns / launches;
        if (block > 0 && one < best) /* the first one compiles and touches pages */
            best = one;
        launches = timing.host_ns >= block_ns ? launches : launches * (block_ns / timing.host_ns + 1);
    }
    return best;
}

bool bm_run_calibrate(const struct bm_backend *backend, struct bm_session *session,
                      const struct bm_case *the_case, double budget_s, struct bm_parameters *best) {
    struct bm_parameters candidates[CANDIDATES];
    uint64_t least = UINT64_MAX, block_ns = (uint64_t)(budget_s * 1e9 / BUDGET_BLOCKS);
    if (the_case->workload->candidates == NULL)
        return false;
    size_t count = the_case->workload->candidates(the_case, backend->target(session), candidates, CANDIDATES);
    for (size_t i = 0; i < count && i < CANDIDATES; i++) {
        struct bm_prepared *prepared;
        if (backend->prepare(session, the_case, &candidates[i], &prepared, NULL) != BM_OK)
            continue; /* one that does not suit this device */
        uint64_t ns = time_launch(backend, prepared, block_ns < BLOCK_NS ? block_ns : BLOCK_NS);
        if (ns < least) {
            least = ns;
            *best = candidates[i];
        }
        backend->discard(prepared);
    }
    return least != UINT64_MAX;
}
