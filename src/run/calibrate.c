#include <math.h>

#include "run.h"

/* A trial block is as long as one of the measurement. Trials of all ceilings together end at a share of the
 * budget; a fortieth for each is enough. */
enum {
    BLOCK_NS = 20000000,
    ROUNDS = 3,
    LAUNCHES_MOST = 1 << 20,
    LEAST_BUDGET_S = 10,
    BUDGET_SHARE = 10,
    FEW = 4
};

/* One candidate on trial. */
struct trial {
    const struct bm_parameters *parameters;
    struct bm_prepared *prepared; /* NULL: does not suit this device, or is out of the race */
    uint64_t launches;
    double best_ns; /* per launch, 0: not timed yet */
};

struct race {
    const struct bm_backend *backend;
    struct trial trials[BM_RUN_CANDIDATES];
    size_t count;
    double left_ns; /* of the time for trials */
};

static void drop(struct race *race, struct trial *trial) {
    race->backend->discard(trial->prepared);
    trial->prepared = NULL;
}

/* Every candidate gets a block; the shortest time per launch over the rounds counts, as foreign work only
 * adds to it. */
static void time_round(struct race *race) {
    for (size_t i = 0; i < race->count && race->left_ns > 0; i++) {
        struct trial *trial = &race->trials[i];
        struct bm_block block;
        if (trial->prepared == NULL)
            continue;
        if (race->backend->run(trial->prepared, trial->launches, &block, NULL) != BM_OK ||
            block.host_ns == 0) {
            drop(race, trial);
            continue;
        }
        double ns = (double)block.host_ns / (double)trial->launches;
        if (trial->best_ns == 0 || ns < trial->best_ns)
            trial->best_ns = ns;
        if (block.host_ns < BLOCK_NS && trial->launches < LAUNCHES_MOST)
            trial->launches *= BLOCK_NS / block.host_ns + 1;
        race->left_ns -= (double)block.host_ns;
    }
}

static bool is_timed(const struct trial *trial) {
    return trial->prepared != NULL && trial->best_ns > 0;
}

static struct trial *fastest(struct race *race) {
    struct trial *best = NULL;
    for (size_t i = 0; i < race->count; i++)
        if (is_timed(&race->trials[i]) && (best == NULL || race->trials[i].best_ns < best->best_ns))
            best = &race->trials[i];
    return best;
}

/* Leaves the faster half in the race. */
static void halve(struct race *race) {
    size_t left = 0;
    for (size_t i = 0; i < race->count; i++)
        left += is_timed(&race->trials[i]);
    for (size_t keep = (left + 1) / 2; left > keep; left--) {
        struct trial *slowest = NULL;
        for (size_t i = 0; i < race->count; i++)
            if (is_timed(&race->trials[i]) && (slowest == NULL || race->trials[i].best_ns > slowest->best_ns))
                slowest = &race->trials[i];
        drop(race, slowest);
    }
}

static void run_race(struct race *race) {
    double time_for_trials = race->left_ns;
    race->left_ns = (double)INFINITY;
    time_round(race); /* compiles, touches pages and finds the length of a block: none of the trials' time */
    race->left_ns = time_for_trials;
    for (int round = 0; round < ROUNDS && race->left_ns > 0; round++) {
        time_round(race);
        if (round == 0)
            halve(race);
    }
}

bool bm_run_calibrate(const struct bm_backend *backend, struct bm_session *session,
                      const struct bm_case *the_case, double budget_s, size_t ceilings,
                      struct bm_parameters *best) {
    struct bm_parameters candidates[BM_RUN_CANDIDATES];
    const double shares = BUDGET_SHARE * (double)(ceilings > FEW ? ceilings : FEW);
    struct race race = {.backend = backend, .left_ns = budget_s * 1e9 / shares};
    const struct bm_workload *workload = the_case->workload;
    if (budget_s < LEAST_BUDGET_S)
        return false;
    if (backend->candidates != NULL)
        race.count = backend->candidates(session, the_case, candidates, BM_RUN_CANDIDATES);
    else if (workload->candidates != NULL)
        race.count = workload->candidates(the_case, backend->target(session), candidates, BM_RUN_CANDIDATES);
    race.count = race.count < BM_RUN_CANDIDATES ? race.count : BM_RUN_CANDIDATES;
    for (size_t i = 0; i < race.count; i++) {
        race.trials[i] = (struct trial){.parameters = &candidates[i], .launches = 1};
        if (backend->prepare(session, the_case, &candidates[i], &race.trials[i].prepared, NULL) != BM_OK)
            race.trials[i].prepared = NULL;
    }
    run_race(&race);
    const struct trial *winner = fastest(&race);
    if (winner != NULL)
        *best = *winner->parameters;
    for (size_t i = 0; i < race.count; i++)
        backend->discard(race.trials[i].prepared);
    return winner != NULL;
}
