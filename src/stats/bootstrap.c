/* Bias-corrected and accelerated bootstrap intervals. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* Buffers as large as the samples, and their description as the statistic gets it. */
struct resample {
    double *values;                  /* all samples, one after another */
    struct bm_observations *samples; /* into values */
};

static double evaluate(const struct bm_bootstrap *bootstrap, const struct bm_observations *samples,
                       size_t count) {
    return bootstrap->statistic(bootstrap->context, samples, count);
}

static void draw(struct resample *resample, const struct bm_observations *samples, size_t count,
                 struct bm_random *random) {
    double *next = resample->values;
    for (size_t s = 0; s < count; s++)
        for (size_t i = 0; i < samples[s].count; i++)
            *next++ = samples[s].values[bm_random_below(random, samples[s].count)];
}

/* The acceleration: skewness of the statistic's influence values, which leaving out each value in turn
 * estimates. */
static enum bm_status jackknife(const struct bm_bootstrap *bootstrap, const struct bm_observations *samples,
                                size_t count, struct resample *resample, double *influence,
                                double *acceleration, struct bm_error *error) {
    double squares = 0, cubes = 0;
    double *place = resample->values;
    for (size_t s = 0; s < count; place += samples[s].count, s++)
        memcpy(place, samples[s].values, samples[s].count * sizeof *place);
    place = resample->values;
    for (size_t s = 0; s < count; place += samples[s].count, s++) {
        size_t n = samples[s].count;
        double size = (double)n;
        resample->samples[s].count = n - 1;
        memcpy(place, samples[s].values + 1, (n - 1) * sizeof *place);
        for (size_t hole = 0; hole < n; hole++) {
            if (hole > 0) /* the value before the hole comes back */
                place[hole - 1] = samples[s].values[hole - 1];
            influence[hole] = evaluate(bootstrap, resample->samples, count);
            if (!isfinite(influence[hole]))
                return bm_fail(error, BM_INVALID,
                               "bootstrap: the statistic without value %zu of sample %zu is %g", hole + 1,
                               s + 1, influence[hole]);
        }
        memcpy(place, samples[s].values, n * sizeof *place);
        resample->samples[s].count = n;
        double mean = bm_stats_mean(influence, n);
        for (size_t i = 0; i < n; i++) {
            double u = (mean - influence[i]) * (size - 1) / size;
            squares += u * u;
            cubes += u * u * u;
        }
    }
    *acceleration = squares > 0 ? cubes / (6 * squares * sqrt(squares)) : 0;
    return BM_OK;
}

/* Where in the bootstrap distribution the end with normal quantile z lies: Efron 1987, eq. 2.3 f. */
static double corrected_place(double bias, double acceleration, double z) {
    double moved = bias + z, shrunk = 1 - acceleration * moved;
    if (shrunk <= 0) /* the correction has passed its pole: as far out as there is */
        return moved > 0 ? 1 : 0;
    return bm_stats_normal_cdf(bias + moved / shrunk);
}

static enum bm_status check(const struct bm_bootstrap *bootstrap, const struct bm_observations *samples,
                            size_t sample_count, struct bm_error *error) {
    if (sample_count == 0)
        return bm_fail(error, BM_INVALID, "bootstrap: no samples");
    if (bootstrap->resamples < 100)
        return bm_fail(error, BM_INVALID, "bootstrap: %zu resamples, at least 100 are needed",
                       bootstrap->resamples);
    enum bm_status status = bm_confidence_check("bootstrap", bootstrap->confidence, error);
    for (size_t s = 0; s < sample_count && status == BM_OK; s++)
        status = bm_observations_check("bootstrap", samples[s].values, samples[s].count, 2, error);
    return status;
}

enum bm_status bm_stats_bootstrap(const struct bm_bootstrap *bootstrap, const struct bm_observations *samples,
                                  size_t sample_count, struct bm_location *location, struct bm_error *error) {
    *location = (struct bm_location){0};
    struct resample resample = {0};
    double *replicates = NULL, *influence = NULL;
    size_t total = 0, longest = 0, resamples = bootstrap->resamples;
    enum bm_status status = check(bootstrap, samples, sample_count, error);
    if (status != BM_OK)
        goto out;
    for (size_t s = 0; s < sample_count; s++) {
        total += samples[s].count;
        longest = samples[s].count > longest ? samples[s].count : longest;
    }
    resample.values = bm_alloc(total, sizeof *resample.values);
    resample.samples = bm_alloc(sample_count, sizeof *resample.samples);
    replicates = bm_alloc(resamples, sizeof *replicates);
    influence = bm_alloc(longest, sizeof *influence);
    if (resample.values == NULL || resample.samples == NULL || replicates == NULL || influence == NULL) {
        status = bm_fail(error, BM_NO_MEMORY, "out of memory: %zu resamples of %zu values", resamples, total);
        goto out;
    }
    for (size_t s = 0, offset = 0; s < sample_count; offset += samples[s++].count)
        resample.samples[s] = (struct bm_observations){resample.values + offset, samples[s].count};

    double estimate = evaluate(bootstrap, samples, sample_count), below = 0;
    if (!isfinite(estimate)) {
        status = bm_fail(error, BM_INVALID, "bootstrap: the statistic of the samples is %g", estimate);
        goto out;
    }
    struct bm_random random;
    bm_random_init(&random, bootstrap->seed);
    for (size_t b = 0; b < resamples; b++) {
        draw(&resample, samples, sample_count, &random);
        replicates[b] = evaluate(bootstrap, resample.samples, sample_count);
        if (!isfinite(replicates[b])) {
            status = bm_fail(error, BM_INVALID, "bootstrap: the statistic of resample %zu is %g", b + 1,
                             replicates[b]);
            goto out;
        }
        below += replicates[b] < estimate ? 1 : replicates[b] == estimate ? 0.5 : 0;
    }
    double acceleration = 0;
    status = jackknife(bootstrap, samples, sample_count, &resample, influence, &acceleration, error);
    if (status != BM_OK)
        goto out;

    /* a share of 0 or 1 would move the ends to infinity: at least half a resample lies on either side */
    double share = fmax(0.5, fmin(below, (double)resamples - 0.5)) / (double)resamples;
    double bias = bm_stats_normal_quantile(share),
           z = bm_stats_normal_quantile((1 - bootstrap->confidence) / 2);
    qsort(replicates, resamples, sizeof *replicates, bm_double_compare);
    location->estimate = estimate;
    location->interval = (struct bm_interval){
        .low = bm_sorted_percentile(replicates, resamples, corrected_place(bias, acceleration, z)),
        .high = bm_sorted_percentile(replicates, resamples, corrected_place(bias, acceleration, -z)),
        .confidence = bootstrap->confidence,
    };
out:
    free(influence);
    free(replicates);
    free(resample.samples);
    free(resample.values);
    return status;
}
