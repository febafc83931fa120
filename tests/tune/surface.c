#include "surface.h"

#include <stdlib.h>

struct model {
    struct bm_parameters parameters;
};

static uint64_t now(void *context) {
    const struct surface *surface = context;
    return surface->now_ns;
}

struct bm_clock surface_clock(struct surface *surface) {
    return (struct bm_clock){.now_ns = now, .context = surface};
}

static bool fit(void *context, const struct bm_parameters *wanted, struct bm_parameters *fitted) {
    const struct surface *surface = context;
    *fitted = *wanted;
    return surface->suits == NULL || surface->suits(wanted);
}

static enum tune_admission admit(void *context, const struct bm_parameters *fitted, void **candidate) {
    struct surface *surface = context;
    *candidate = NULL;
    cr_assert(surface->suits == NULL || surface->suits(fitted), "what does not suit is never built");
    cr_assert_lt(surface->history_count, BM_COUNT_OF(surface->history));
    surface->history[surface->history_count++] = *fitted;
    surface->last_begun_ns = surface->now_ns;
    surface->now_ns += SURFACE_BUILD_NS;
    if (surface->builds != NULL && !surface->builds(fitted))
        return TUNE_UNBUILT;
    surface->now_ns += SURFACE_VERIFY_NS;
    if (surface->is_right != NULL && !surface->is_right(fitted))
        return TUNE_WRONG;
    struct model *model = malloc(sizeof *model);
    model->parameters = *fitted;
    *candidate = model;
    surface->admitted++;
    surface->alive++;
    return TUNE_ADMITTED;
}

static enum bm_status time_block(void *context, void *candidate, double *ns, struct bm_error *error) {
    struct surface *surface = context;
    const struct model *model = candidate;
    double cost = surface->cost_ns(&model->parameters);
    cr_assert(surface->is_right == NULL || surface->is_right(&model->parameters),
              "only verified ones are timed");
    surface->now_ns += cost > SURFACE_BLOCK_NS ? (uint64_t)cost : SURFACE_BLOCK_NS;
    if (surface->break_after > 0 && surface->blocks >= surface->break_after)
        return bm_fail(error, BM_DEVICE, "the device is gone");
    surface->blocks++;
    double share = bm_random_unit(&surface->random);
    if (bm_random_below(&surface->random, 5) == 0)
        share *= 10;
    *ns = cost * (1 + surface->noise * share);
    return BM_OK;
}

static void discard(void *context, void *candidate) {
    struct surface *surface = context;
    surface->alive -= candidate != NULL;
    free(candidate);
}

static bool stop(void *context) {
    const struct surface *surface = context;
    return surface->stop_after > 0 && surface->history_count >= surface->stop_after;
}

struct tune_work surface_work(struct surface *surface) {
    return (struct tune_work){
        .fit = fit, .admit = admit, .time = time_block, .discard = discard, .stop = stop, .context = surface};
}

enum bm_status surface_search(struct surface *surface, const struct bm_tunable *tunables,
                              size_t tunable_count, const struct bm_parameters *seeds, size_t seed_count,
                              uint64_t seed, double budget_s, struct tune_search_result *result) {
    const struct tune_work work = surface_work(surface);
    const struct bm_clock clock = surface_clock(surface);
    const uint64_t deadline_ns = surface->now_ns + (uint64_t)(budget_s * 1e9);
    const struct tune_search_options options = {.tunables = tunables,
                                                .tunable_count = tunable_count,
                                                .seeds = seeds,
                                                .seed_count = seed_count,
                                                .seed = seed,
                                                .deadline_ns = deadline_ns,
                                                .clock = &clock};
    struct bm_error error = {0};
    bm_random_init(&surface->random, seed);
    enum bm_status status = tune_search(&options, &work, result, &error);
    cr_expect_eq(status, error.status);
    cr_expect_eq(surface->alive, 0, "%u candidates were not discarded", surface->alive);
    cr_expect_leq(result->tried, surface->history_count);
    if (surface->history_count > 1)
        cr_expect_lt(surface->last_begun_ns, deadline_ns, "begun after the deadline");
    if (result->found) {
        cr_expect(surface->suits == NULL || surface->suits(&result->best));
        cr_expect(surface->is_right == NULL || surface->is_right(&result->best), "a wrong one was kept");
        cr_expect(surface->builds == NULL || surface->builds(&result->best));
    }
    return status;
}
