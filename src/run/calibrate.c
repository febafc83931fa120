#include "run.h"

/* A trial block: as long as a block of the measurement. */
enum { BLOCK_NS = 20000000, ROUNDS = 3, LAUNCHES_MOST = 1 << 20, LEAST_BUDGET_S = 10 };

/* One candidate on trial. */
struct trial {
    const struct bm_parameters *parameters;
    struct bm_prepared *prepared; /* NULL: does not suit this device, or is out of the race */
    uint64_t launches;
    double best_ns; /* per launch, 0: not timed yet */
};

static void drop(const struct bm_backend *backend, struct trial *trial) {
    backend->discard(trial->prepared);
    trial->prepared = NULL;
}

/* Every candidate gets a block; the shortest time per launch over the rounds counts, as foreign work only
 * adds to it. */
static void time_round(const struct bm_backend *backend, struct trial *trials, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct trial *trial = &trials[i];
        struct bm_block block;
        if (trial->prepared == NULL)
            continue;
        if (backend->run(trial->prepared, trial->launches, &block, NULL) != BM_OK || block.host_ns == 0) {
            drop(backend, trial);
            continue;
        }
        double ns = (double)block.host_ns / (double)trial->launches;
        if (trial->best_ns == 0 || ns < trial->best_ns)
            trial->best_ns = ns;
        if (block.host_ns < BLOCK_NS && trial->launches < LAUNCHES_MOST)
            trial->launches *= BLOCK_NS / block.host_ns + 1;
    }
}

static struct trial *fastest(struct trial *trials, size_t count) {
    struct trial *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (trials[i].prepared != NULL && (best == NULL || trials[i].best_ns < best->best_ns))
            best = &trials[i];
    return best;
}

/* Leaves the faster half in the race. */
static void halve(const struct bm_backend *backend, struct trial *trials, size_t count) {
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        left += trials[i].prepared != NULL;
    for (size_t keep = (left + 1) / 2; left > keep; left--) {
        struct trial *slowest = NULL;
        for (size_t i = 0; i < count; i++)
            if (trials[i].prepared != NULL && (slowest == NULL || trials[i].best_ns > slowest->best_ns))
                slowest = &trials[i];
        drop(backend, slowest);
    }
}

bool bm_run_calibrate(const struct bm_backend *backend, struct bm_session *session,
                      const struct bm_case *the_case, double budget_s, struct bm_parameters *best) {
    struct bm_parameters candidates[BM_RUN_CANDIDATES];
    struct trial trials[BM_RUN_CANDIDATES] = {0};
    const struct bm_workload *workload = the_case->workload;
    if (workload->candidates == NULL || budget_s < LEAST_BUDGET_S)
        return false;
    size_t count = workload->candidates(the_case, backend->target(session), candidates, BM_RUN_CANDIDATES);
    count = count < BM_RUN_CANDIDATES ? count : BM_RUN_CANDIDATES;
    for (size_t i = 0; i < count; i++) {
        trials[i] = (struct trial){.parameters = &candidates[i], .launches = 1};
        if (backend->prepare(session, the_case, &candidates[i], &trials[i].prepared, NULL) != BM_OK)
            trials[i].prepared = NULL;
    }
    time_round(backend, trials, count); /* compiles, touches pages and finds the length of a block */
    for (size_t i = 0; i < count; i++)
        trials[i].best_ns = 0;
    for (int round = 0; round < ROUNDS; round++) {
        time_round(backend, trials, count);
        if (round == 0)
            halve(backend, trials, count);
    }
    const struct trial *winner = fastest(trials, count);
    if (winner != NULL)
        *best = *winner->parameters;
    for (size_t i = 0; i < count; i++)
        backend->discard(trials[i].prepared);
    return winner != NULL;
}
