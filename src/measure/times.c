#include "bm/measure.h"

struct bm_results_time bm_results_time_of(const struct bm_estimate *estimate) {
    return (struct bm_results_time){.median = estimate->median_ns,
                                    .low = estimate->interval.low,
                                    .high = estimate->interval.high,
                                    .confidence = estimate->interval.confidence,
                                    .min = estimate->min_ns,
                                    .p5 = estimate->p5_ns,
                                    .p95 = estimate->p95_ns,
                                    .mad = estimate->mad_ns};
}
