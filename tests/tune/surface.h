/* surface.h - an invented device for the search: what a candidate costs, which ones do not suit, fail to
 * build or compute wrongly, and a clock that only its work moves. */
#ifndef TESTS_TUNE_SURFACE_H
#define TESTS_TUNE_SURFACE_H

#include "search.h"

#include <criterion/criterion.h>

struct surface {
    double (*cost_ns)(const struct bm_parameters *parameters); /* of a launch */
    /* NULL: every one does, builds and computes rightly */
    bool (*suits)(const struct bm_parameters *parameters);
    bool (*builds)(const struct bm_parameters *parameters);
    bool (*is_right)(const struct bm_parameters *parameters);
    double noise;         /* a block takes up to so much longer; one in five ten times that */
    unsigned stop_after;  /* candidates; 0: never */
    unsigned break_after; /* blocks, then none runs any more; 0: never */

    uint64_t now_ns;
    struct bm_random random;
    unsigned admitted, alive, blocks, matches_lost;
    uint64_t last_begun_ns; /* when the last candidate was begun */
    struct bm_parameters history[512];
    unsigned history_count;
};
enum { SURFACE_BUILD_NS = 300000000, SURFACE_VERIFY_NS = 100000000, SURFACE_BLOCK_NS = 10000000 };
struct tune_work surface_work(struct surface *surface);
struct bm_clock surface_clock(struct surface *surface);
/* A search with a budget from now on; checks what holds of every search: what was admitted is gone again, the
 * best is verified, and nothing was begun that would outlast the deadline. */
enum bm_status surface_search(struct surface *surface, const struct bm_tunable *tunables,
                              size_t tunable_count, const struct bm_parameters *seeds, size_t seed_count,
                              uint64_t seed, double budget_s, struct tune_search_result *result);

#endif
