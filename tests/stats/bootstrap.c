#include "near.h"

/* A statistic that plays back the oracle's values, so that the interval does not depend on the generator. */
struct playback {
    const struct bm_observations *calls;
    const size_t *counts; /* of the samples */
    size_t sample_count, call, resamples;
};

static double play(void *context, const struct bm_observations *samples, size_t sample_count) {
    struct playback *playback = context;
    cr_assert(playback->call < playback->calls->count && sample_count == playback->sample_count);
    size_t left_out = 0;
    for (size_t s = 0; s < sample_count; s++)
        left_out += playback->counts[s] - samples[s].count;
    cr_expect(left_out == (playback->call > playback->resamples ? 1 : 0));
    return playback->calls->values[playback->call++];
}

Test(bootstrap, interval_matches_oracle) {
    for (size_t i = 0; i < BM_COUNT_OF(oracle_bootstrap); i++) {
        const size_t *counts = oracle_bootstrap[i].counts;
        struct bm_observations samples[] = {{sample_normal48, counts[0]}, {sample_normal50, counts[1]}};
        struct playback playback = {&oracle_bootstrap[i].calls, counts, counts[1] == 0 ? 1 : 2, 0,
                                    oracle_bootstrap[i].resamples};
        struct bm_bootstrap bootstrap = {.statistic = play,
                                         .context = &playback,
                                         .resamples = oracle_bootstrap[i].resamples,
                                         .confidence = oracle_bootstrap[i].confidence};
        struct bm_location location;
        cr_assert_eq(bm_stats_bootstrap(&bootstrap, samples, playback.sample_count, &location, NULL), BM_OK);
        cr_expect(playback.call == oracle_bootstrap[i].calls.count, "every value was asked for");
        cr_expect(location.estimate == oracle_bootstrap[i].calls.values[0]);
        expect_value(location.interval.low, oracle_bootstrap[i].low, i);
        expect_value(location.interval.high, oracle_bootstrap[i].high, i);
        cr_expect(location.interval.confidence == bootstrap.confidence);
    }
}

static double mean(void *context, const struct bm_observations *samples, size_t sample_count) {
    (void)context, (void)sample_count;
    return bm_stats_mean(samples[0].values, samples[0].count);
}

/* Pairs of equal values: none in the sample, some in every resample worth the name. */
static double repeats(void *context, const struct bm_observations *samples, size_t sample_count) {
    (void)context, (void)sample_count;
    double pairs = 0;
    for (size_t i = 0; i < samples[0].count; i++)
        for (size_t j = 0; j < i; j++)
            pairs += samples[0].values[i] == samples[0].values[j];
    return pairs;
}

/* Sums leave-one-out values: each of 1, 2, 4, 8 must be missing once, whole samples stay elsewhere. */
struct sums {
    double seen[16];
    size_t call;
};
static double sum(void *context, const struct bm_observations *samples, size_t sample_count) {
    struct sums *sums = context;
    double total = 0;
    for (size_t s = 0; s < sample_count; s++)
        for (size_t i = 0; i < samples[s].count; i++)
            total += samples[s].values[i];
    if (sums->call++ > 100)
        sums->seen[sums->call - 102] = total;
    return total;
}

Test(bootstrap, leaves_each_value_out_once) {
    static const double a[] = {1, 2, 4}, b[] = {8, 16};
    struct bm_observations samples[] = {{a, 3}, {b, 2}};
    struct sums sums = {0};
    struct bm_bootstrap bootstrap = {.statistic = sum, .context = &sums, .resamples = 100, .confidence = 0.9};
    struct bm_location location;
    cr_assert_eq(bm_stats_bootstrap(&bootstrap, samples, 2, &location, NULL), BM_OK);
    for (size_t i = 0; i < 5; i++)
        cr_expect(sums.seen[i] == 31 - (double)(1 << i), "%zu: %g", i, sums.seen[i]);
}

Test(bootstrap, equal_seeds_give_equal_intervals) {
    struct bm_observations sample = SAMPLE(lognormal32);
    struct bm_bootstrap bootstrap = {.statistic = mean, .resamples = 500, .confidence = 0.95, .seed = 5};
    struct bm_location a, b, c;
    cr_assert_eq(bm_stats_bootstrap(&bootstrap, &sample, 1, &a, NULL), BM_OK);
    cr_assert_eq(bm_stats_bootstrap(&bootstrap, &sample, 1, &b, NULL), BM_OK);
    bootstrap.seed = 6;
    cr_assert_eq(bm_stats_bootstrap(&bootstrap, &sample, 1, &c, NULL), BM_OK);
    cr_expect(a.interval.low == b.interval.low && a.interval.high == b.interval.high);
    cr_expect(a.interval.low != c.interval.low && a.estimate == c.estimate);
}

Test(bootstrap, covers_the_mean_of_skewed_values) {
    enum { RUNS = 3000, N = 24 };
    struct bm_random random;
    bm_random_init(&random, 8);
    int covered = 0;
    for (int run = 0; run < RUNS; run++) {
        double x[N];
        for (size_t i = 0; i < N; i++)
            x[i] = exp(0.5 * bm_random_normal(&random));
        struct bm_observations sample = {x, N};
        struct bm_bootstrap bootstrap = {
            .statistic = mean, .resamples = 400, .confidence = 0.95, .seed = (uint64_t)run};
        struct bm_location location;
        cr_assert_eq(bm_stats_bootstrap(&bootstrap, &sample, 1, &location, NULL), BM_OK);
        covered += location.interval.low <= exp(0.125) && exp(0.125) <= location.interval.high;
    }
    cr_expect(covered >= 0.90 * RUNS && covered <= 0.975 * RUNS, "%d of %d", covered, RUNS);
}

Test(bootstrap, constant_statistics_and_extreme_shares) {
    struct bm_observations constant = SAMPLE(constant);
    struct bm_bootstrap bootstrap = {.statistic = mean, .resamples = 100, .confidence = 0.95};
    struct bm_location location;
    cr_assert_eq(bm_stats_bootstrap(&bootstrap, &constant, 1, &location, NULL), BM_OK);
    expect_value(location.interval.low, 0.1, 0);
    expect_value(location.interval.high, 0.1, 0);
    struct bm_observations sample = SAMPLE(normal24);
    bootstrap.statistic = repeats;
    cr_assert_eq(bm_stats_bootstrap(&bootstrap, &sample, 1, &location, NULL), BM_OK);
    cr_expect(location.estimate == 0 && location.interval.low > 0 &&
                  location.interval.high >= location.interval.low && location.interval.high < 8,
              "near the least of about 11.5 pairs");
}

static double nothing(void *context, const struct bm_observations *samples, size_t sample_count) {
    (void)samples, (void)sample_count;
    int *left = context;
    return (*left)-- > 0 ? 1 : TEST_NAN;
}

Test(bootstrap, bad_input_is_refused) {
    struct bm_observations sample = SAMPLE(normal8), short_sample = {sample_normal8, 1};
    struct bm_bootstrap good = {.statistic = mean, .resamples = 100, .confidence = 0.95}, bad = good;
    struct bm_location location = {.estimate = 3};
    struct bm_error error = {0};
    bad.resamples = 99;
    cr_expect(bm_stats_bootstrap(&bad, &sample, 1, &location, &error) == BM_INVALID &&
              location.estimate == 0);
    cr_expect_str_eq(error.message, "bootstrap: 99 resamples, at least 100 are needed");
    bad = good, bad.confidence = 0;
    cr_expect(bm_stats_bootstrap(&bad, &sample, 1, &location, NULL) == BM_INVALID);
    cr_expect(bm_stats_bootstrap(&good, &sample, 0, &location, NULL) == BM_INVALID);
    cr_expect(bm_stats_bootstrap(&good, &short_sample, 1, &location, NULL) == BM_INVALID);
    static const struct {
        int calls;
        const char *message;
    } rows[] = {{0, "bootstrap: the statistic of the samples is nan"},
                {1, "bootstrap: the statistic of resample 1 is nan"},
                {103, "bootstrap: the statistic without value 3 of sample 1 is nan"}};
    for (size_t i = 0; i < BM_COUNT_OF(rows); i++) {
        int left = rows[i].calls;
        bad = good, bad.statistic = nothing, bad.context = &left;
        error = (struct bm_error){0};
        cr_expect(bm_stats_bootstrap(&bad, &sample, 1, &location, &error) == BM_INVALID &&
                  location.estimate == 0);
        cr_expect_str_eq(error.message, rows[i].message);
    }
}
