/* Threads that stay on their places and work side by side. */
#ifndef BM_TEAM_H
#define BM_TEAM_H

#include "bm/topology.h"

struct bm_team; /* opaque */

/* What each of `count` threads does at once; `thread` counts from 0. */
typedef void bm_team_work(void *context, unsigned thread, unsigned count);

/* One thread for each place, bound to it where the system lets it. */
enum bm_status bm_team_create(const struct bm_places *places, struct bm_team **team,
                              struct bm_error *error) BM_CHECK_RESULT;
void bm_team_destroy(struct bm_team *team);
/* Runs work on threads first to first + count - 1. They begin together: *start_ns (bm_clock_monotonic) is
 * when all were ready, *ns what passed until the last one had ended. */
void bm_team_run(struct bm_team *team, unsigned first, unsigned count, bm_team_work *work, void *context,
                 uint64_t *start_ns, uint64_t *ns);

#endif
