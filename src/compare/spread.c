#include "internal.h"

#include <math.h>

#include "bm/stats.h"

struct bm_spread bm_spread_of(double value, const double interval[2], double confidence) {
    /* Of two rounds the interval is the range, at 50 %: below that it says nothing. */
    const double unknown = (double)NAN;
    double z = confidence >= 0.5 && confidence < 1 ? bm_stats_normal_quantile((1 + confidence) / 2) : unknown;
    struct bm_spread spread = {.value = log(value), .below = unknown, .above = unknown};
    if (interval[0] > 0 && interval[1] >= interval[0]) {
        spread.below = fmax(0, spread.value - log(interval[0])) / z;
        spread.above = fmax(0, log(interval[1]) - spread.value) / z;
    }
    return spread;
}

struct bm_spread bm_spread_wider(struct bm_spread spread, double deviation) {
    spread.below = hypot(spread.below, deviation);
    spread.above = hypot(spread.above, deviation);
    return spread;
}

struct bm_factor bm_factor_of(double estimate, double low, double high) {
    return (struct bm_factor){exp(estimate), exp(low), exp(high)};
}
