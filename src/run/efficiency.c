/* Roofline efficiency from paired rounds: each round of a row beside those of its ceilings that are nearest
 * in time, so that what the machine did at that time is in both. */
#include <math.h>
#include <stdlib.h>

#include "run.h"

/* What is wrong with rounds is so with their pairs; their shape may be another one. */
enum {
    OF_ROUNDS = BM_FLAG_CONTAMINATED | BM_FLAG_THROTTLED | BM_FLAG_RESOLUTION_LIMITED |
                BM_FLAG_TIMER_DISAGREES | BM_FLAG_MOVED,
    OF_SHAPE = BM_FLAG_UNSTABLE | BM_FLAG_DRIFT | BM_FLAG_BIMODAL
};

/* With fewer pairs no order statistics reach 95 %. */
enum { LEAST_PAIRS = 6 };

/* ns that `amount` FLOPs or bytes take at the rate that a ceiling had beside a round; NaN: it had none. */
static double ns_beside(const struct bm_run *run, const struct bm_results_ceiling *ceiling, bool of_memory,
                        double amount, const struct bm_round *round) {
    const struct bm_series *series = bm_run_series_of(run, ceiling->row);
    const struct bm_results_row *row = &run->results.rows[ceiling->row];
    const struct bm_round *near = series != NULL ? bm_series_nearest(series, round) : NULL;
    if (near == NULL)
        return (double)NAN;
    return amount / (of_memory ? row->bytes : row->flops) * (double)near->ns / (double)near->launches;
}

/* The roofline time beside a round. */
static double roofline_beside(const struct bm_run *run, const struct bm_results_row *row,
                              const struct bm_results_ceiling *compute, const struct bm_run_memory *memory,
                              const struct bm_round *round) {
    double compute_ns = ns_beside(run, compute, false, row->flops, round), memory_ns = 0;
    for (size_t i = 0; i < memory->count; i++)
        memory_ns += ns_beside(run, memory->of[i], true, memory->bytes[i], round);
    return isnan(compute_ns) || isnan(memory_ns) ? (double)NAN : fmax(compute_ns, memory_ns);
}

bool bm_run_pair_rounds(const struct bm_run *run, size_t item, const struct bm_results_ceiling *compute,
                        const struct bm_run_memory *memory, struct bm_estimate *efficiency) {
    const struct bm_series *series = bm_run_series_of(run, item);
    const struct bm_results_row *row = &run->results.rows[item];
    double *shares = series != NULL ? bm_alloc(series->count, sizeof *shares) : NULL;
    const unsigned without = series != NULL ? bm_series_left_out(series) : 0;
    size_t pairs = 0, rounds = 0;
    for (size_t i = 0; shares != NULL && i < series->count; i++) {
        const struct bm_round *round = &series->rounds[i];
        if ((round->flags & without) != 0)
            continue;
        rounds++;
        double ns = roofline_beside(run, row, compute, memory, round);
        if (ns > 0)
            shares[pairs++] = ns * (double)round->launches / (double)round->ns;
    }
    /* A part of the rounds that is not the most of them says little of the whole. */
    const bool enough = pairs >= LEAST_PAIRS && 2 * pairs > rounds;
    if (enough) {
        bm_estimate_of(shares, pairs, efficiency);
        efficiency->flags = (efficiency->flags & OF_SHAPE) | (row->flags & OF_ROUNDS);
        /* of two figures, each as wide as the target */
        if (efficiency->half_width > sqrt(2) * run->plan->target_half_width)
            efficiency->flags |= BM_FLAG_NOT_CONVERGED;
    }
    free(shares);
    return enough;
}
