/* Rounds of two series that saw the same machine. */
#include "bm/measure.h"

uint64_t bm_round_middle(const struct bm_round *round) {
    return round->start_ns + round->ns / 2;
}

static uint64_t distance(uint64_t a, uint64_t b) {
    return a > b ? a - b : b - a;
}

static uint64_t longest_pause(const struct bm_series *series) {
    uint64_t longest = 0;
    for (size_t i = 1; i < series->count; i++) {
        uint64_t pause =
            distance(bm_round_middle(&series->rounds[i]), bm_round_middle(&series->rounds[i - 1]));
        longest = pause > longest ? pause : longest;
    }
    return longest;
}

const struct bm_round *bm_series_nearest(const struct bm_series *series, const struct bm_round *round) {
    const uint64_t at = bm_round_middle(round);
    const struct bm_round *nearest = NULL;
    for (size_t i = 0; i < series->count; i++) /* few enough to look at each */
        if (nearest == NULL ||
            distance(bm_round_middle(&series->rounds[i]), at) < distance(bm_round_middle(nearest), at))
            nearest = &series->rounds[i];
    if (nearest == NULL)
        return NULL;
    const bool inside = at >= bm_round_middle(&series->rounds[0]) &&
                        at <= bm_round_middle(&series->rounds[series->count - 1]);
    return inside || distance(bm_round_middle(nearest), at) <= 2 * longest_pause(series) ? nearest : NULL;
}
