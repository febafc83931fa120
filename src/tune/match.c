/* Two candidates against each other. */
#include <math.h>

#include "search.h"

/* So much slower in its first block that no second one would change it. */
#define HOPELESS 1.15

struct heat {
    double challenger_ns, incumbent_ns; /* shortest blocks */
};

/* *failed: the challenger's block failed. */
static enum bm_status run_pair(const struct tune_work *work, void *challenger, void *incumbent,
                               struct heat *heat, bool *failed, struct bm_error *error) {
    double challenger_ns = 0, incumbent_ns = 0;
    *failed = work->time(work->context, challenger, &challenger_ns, NULL) != BM_OK || challenger_ns <= 0;
    enum bm_status status = work->time(work->context, incumbent, &incumbent_ns, error);
    if (status != BM_OK || *failed)
        return status;
    heat->challenger_ns = fmin(heat->challenger_ns, challenger_ns);
    heat->incumbent_ns = fmin(heat->incumbent_ns, incumbent_ns);
    return BM_OK;
}

enum bm_status tune_match(const struct tune_work *work, void *challenger, void *incumbent, bool *wins,
                          double *challenger_ns, double *incumbent_ns, struct bm_error *error) {
    *wins = false;
    *challenger_ns = *incumbent_ns = (double)INFINITY;
    for (int h = 0; h < TUNE_HEATS; h++) {
        struct heat heat = {(double)INFINITY, (double)INFINITY};
        for (int b = 0; b < TUNE_BLOCKS; b++) {
            bool failed;
            enum bm_status status = run_pair(work, challenger, incumbent, &heat, &failed, error);
            if (status != BM_OK || failed)
                return status;
            *challenger_ns = fmin(*challenger_ns, heat.challenger_ns);
            *incumbent_ns = fmin(*incumbent_ns, heat.incumbent_ns);
            if (heat.challenger_ns > HOPELESS * heat.incumbent_ns)
                return BM_OK;
        }
        if (heat.challenger_ns > (1 - TUNE_MARGIN) * heat.incumbent_ns)
            return BM_OK;
    }
    *wins = true;
    return BM_OK;
}
