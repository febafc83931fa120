/* The search over invented devices: what it finds, when it ends, what it never keeps. */
#include "surface.h"

#include <math.h>
#include <string.h>

static const struct bm_tunable tunables[] = {
    {"PANEL", 1, 256, true}, {"TILE", 1, 128, true}, {"ROWS", 1, 32, false}, {"UNROLL", 1, 16, true}};
enum { COUNT = BM_COUNT_OF(tunables) };

static struct bm_parameters set(int64_t panel, int64_t tile, int64_t rows, int64_t unroll) {
    struct bm_parameters parameters = {0};
    bm_parameters_set(&parameters, "PANEL", panel);
    bm_parameters_set(&parameters, "TILE", tile);
    bm_parameters_set(&parameters, "ROWS", rows);
    bm_parameters_set(&parameters, "UNROLL", unroll);
    return parameters;
}

static double value(const struct bm_parameters *parameters, const char *name) {
    return (double)bm_parameters_get(parameters, name, -1);
}

/* Steps from the best value, in powers of two. */
static double away(const struct bm_parameters *parameters, const char *name, double best) {
    return fabs(log2(value(parameters, name) / best));
}

/* A bowl: each parameter for itself. */
static double bowl(const struct bm_parameters *p) {
    return 1e6 * (1 + 0.3 * away(p, "PANEL", 64) + 0.2 * away(p, "TILE", 32) + 0.4 * away(p, "ROWS", 12) +
                  0.1 * away(p, "UNROLL", 4));
}

/* As in a matrix product: panels are whole tiles, a tile that leaves the registers is slow. */
static bool whole_tiles(const struct bm_parameters *p) {
    return fmod(value(p, "PANEL"), value(p, "TILE")) == 0;
}

static double registers(const struct bm_parameters *p) {
    double used = value(p, "TILE") / 16 * (value(p, "ROWS") + 1);
    double reuse = 1 / value(p, "TILE") + 1 / value(p, "ROWS");
    double spill = used > 30 ? used / 30 : 1;
    return 1e6 * (0.5 + 8 * reuse) * spill * (1 + 0.05 * away(p, "PANEL", 64)) *
           (1 + 0.02 * away(p, "UNROLL", 8));
}

/* Of everything that may be tried. */
static double best_of_all(const struct surface *surface) {
    double best = (double)INFINITY;
    for (int64_t panel = 1; panel <= 256; panel *= 2)
        for (int64_t tile = 1; tile <= 128; tile *= 2)
            for (int64_t rows = 1; rows <= 32; rows++)
                for (int64_t unroll = 1; unroll <= 16; unroll *= 2) {
                    struct bm_parameters p = set(panel, tile, rows, unroll);
                    bool counts = (surface->suits == NULL || surface->suits(&p)) &&
                                  (surface->builds == NULL || surface->builds(&p)) &&
                                  (surface->is_right == NULL || surface->is_right(&p));
                    if (counts && surface->cost_ns(&p) < best)
                        best = surface->cost_ns(&p);
                }
    return best;
}

Test(search, finds_the_best_of_a_bowl_from_anywhere) {
    const struct bm_parameters seeds[] = {set(64, 32, 12, 4), set(1, 1, 1, 1), set(256, 128, 32, 16),
                                          set(8, 64, 3, 16)};
    for (size_t i = 0; i < BM_COUNT_OF(seeds); i++)
        for (uint64_t seed = 0; seed < 8; seed++) {
            struct surface surface = {.cost_ns = bowl};
            struct tune_search_result result;
            cr_assert_eq(surface_search(&surface, tunables, COUNT, &seeds[i], 1, seed, 1000, &result), BM_OK);
            cr_assert(result.found && result.first_runs);
            cr_expect_float_eq(bowl(&result.best), best_of_all(&surface), 1, "seed %zu", i);
            cr_expect_float_eq(result.best_ns, bowl(&result.best), 1);
            cr_expect_float_eq(result.first_ns, bowl(&seeds[i]), 1);
            cr_expect(result.exhausted, "it ends by itself");
            cr_expect_lt(result.tried, 300, "of 9 x 8 x 32 x 5");
        }
}

Test(search, comes_near_the_best_where_parameters_depend_on_each_other) {
    const struct bm_parameters first = set(16, 16, 4, 1);
    double worst = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct surface surface = {.cost_ns = registers, .suits = whole_tiles};
        struct tune_search_result result;
        cr_assert_eq(surface_search(&surface, tunables, COUNT, &first, 1, seed, 60, &result), BM_OK);
        worst = fmax(worst, registers(&result.best) / best_of_all(&surface));
    }
    cr_expect_leq(worst, 1.05, "%.3f of the best", worst);
}

/* The tile is the panel, and seven others are of no matter. */
static bool one_tile(const struct bm_parameters *p) {
    return value(p, "PANEL") == value(p, "TILE");
}

static double larger_is_better(const struct bm_parameters *p) {
    return 1e6 * (1 + away(p, "PANEL", 128));
}

/* At random it would take hundreds of trials to move these two and nothing else. */
Test(search, follows_a_parameter_that_suits_only_with_another) {
    static const struct bm_tunable nine[] = {
        {"PANEL", 1, 256, true}, {"TILE", 1, 128, true}, {"A", 0, 64, true},
        {"B", 0, 64, true},      {"C", 0, 64, true},     {"D", 0, 64, true},
        {"E", 0, 64, true},      {"F", 0, 64, true},     {"G", 0, 64, true}};
    struct bm_parameters first = {0};
    for (size_t i = 0; i < BM_COUNT_OF(nine); i++)
        bm_parameters_set(&first, nine[i].name, 8);
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct surface surface = {.cost_ns = larger_is_better, .suits = one_tile};
        struct tune_search_result result;
        cr_assert_eq(surface_search(&surface, nine, BM_COUNT_OF(nine), &first, 1, seed, 40, &result), BM_OK);
        cr_expect_eq(value(&result.best, "TILE"), 128, "seed %d: %g after %u", (int)seed,
                     value(&result.best, "TILE"), result.tried);
    }
}

Test(search, a_good_seed_saves_the_way) {
    const struct bm_parameters seeds[] = {set(1, 1, 1, 1), set(256, 1, 1, 1), set(64, 32, 12, 8)};
    struct surface far = {.cost_ns = bowl}, near = far;
    struct tune_search_result from_far, from_near;
    cr_assert_eq(surface_search(&far, tunables, COUNT, seeds, 1, 1, 5, &from_far), BM_OK);
    cr_assert_eq(surface_search(&near, tunables, COUNT, seeds, 3, 1, 5, &from_near), BM_OK);
    cr_expect_lt(bowl(&from_near.best), bowl(&from_far.best));
    cr_expect_float_eq(from_near.first_ns, bowl(&seeds[0]), 1, "gains are told against what is in use");
}

/* ---- what is never kept ---- */

static bool no_wide_tiles(const struct bm_parameters *p) {
    return value(p, "TILE") < 32;
}

Test(search, what_is_wrong_is_never_timed_nor_kept) {
    const struct bm_parameters first = set(64, 16, 12, 4);
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct surface surface = {.cost_ns = bowl, .is_right = no_wide_tiles};
        struct tune_search_result result;
        cr_assert_eq(surface_search(&surface, tunables, COUNT, &first, 1, seed, 100, &result), BM_OK);
        cr_expect_gt(result.wrong, 0, "the fastest ones are wrong, and were tried");
        cr_expect_float_eq(bowl(&result.best), best_of_all(&surface), 1);
        cr_expect_eq(surface.admitted + result.wrong, result.tried);
    }
}

Test(search, what_does_not_build_is_passed_over) {
    const struct bm_parameters first = set(64, 16, 12, 4);
    struct surface surface = {.cost_ns = bowl, .builds = no_wide_tiles};
    struct tune_search_result result;
    cr_assert_eq(surface_search(&surface, tunables, COUNT, &first, 1, 1, 100, &result), BM_OK);
    cr_expect_gt(result.unbuilt, 0);
    cr_expect_eq(result.wrong, 0);
    cr_expect_float_eq(bowl(&result.best), best_of_all(&surface), 1);
}

Test(search, parameters_in_use_that_do_not_run_are_replaced) {
    const struct bm_parameters seeds[] = {set(64, 64, 12, 4), set(4, 4, 4, 4)};
    struct surface surface = {.cost_ns = bowl, .is_right = no_wide_tiles};
    struct tune_search_result result;
    cr_assert_eq(surface_search(&surface, tunables, COUNT, seeds, 2, 1, 100, &result), BM_OK);
    cr_expect(result.found && !result.first_runs);
    cr_expect_eq(result.first_ns, 0, "unknown");
    cr_expect_float_eq(bowl(&result.best), best_of_all(&surface), 1);
}

static bool nothing(const struct bm_parameters *p) {
    (void)p;
    return false;
}

Test(search, nothing_that_runs) {
    const struct bm_parameters seeds[] = {set(64, 64, 12, 4), set(4, 4, 4, 4)};
    struct surface wrong = {.cost_ns = bowl, .is_right = nothing},
                   unsuitable = {.cost_ns = bowl, .suits = nothing};
    struct tune_search_result result;
    cr_assert_eq(surface_search(&wrong, tunables, COUNT, seeds, 2, 1, 100, &result), BM_OK);
    cr_expect(!result.found && result.wrong == 2 && result.tried == 2);
    cr_assert_eq(surface_search(&unsuitable, tunables, COUNT, seeds, 2, 1, 100, &result), BM_OK);
    cr_expect(!result.found && result.tried == 0);
}

/* ---- noise ---- */

static double flat(const struct bm_parameters *p) {
    (void)p;
    return 1e6;
}

/* A margin and a second heat: on a noisy machine equal candidates hardly ever change places: in one match of
 * hundreds. */
Test(search, equal_candidates_keep_their_places) {
    const struct bm_parameters first = set(64, 32, 12, 4);
    unsigned tried = 0, swapped = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct surface surface = {.cost_ns = flat, .noise = 0.02};
        struct tune_search_result result;
        cr_assert_eq(surface_search(&surface, tunables, COUNT, &first, 1, seed, 30, &result), BM_OK);
        tried += result.tried;
        swapped += memcmp(&result.best, &first, sizeof first) != 0;
    }
    cr_expect_gt(tried, 1000);
    cr_expect_leq(swapped, 3, "%u searches of 50 swapped equal candidates", swapped);
}

Test(search, finds_its_way_through_noise) {
    const struct bm_parameters first = set(16, 8, 4, 1);
    double sum = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct surface surface = {.cost_ns = registers, .suits = whole_tiles, .noise = 0.02};
        struct tune_search_result result;
        cr_assert_eq(surface_search(&surface, tunables, COUNT, &first, 1, seed, 60, &result), BM_OK);
        sum += registers(&result.best) / best_of_all(&surface);
    }
    cr_expect_leq(sum / 20, 1.05, "%.3f of the best in the mean", sum / 20);
}

/* ---- its end ---- */

Test(search, obeys_its_budget) {
    const struct bm_parameters first = set(1, 1, 1, 1);
    const double budgets[] = {0, 0.1, 1, 3, 10, 30};
    double last = (double)INFINITY;
    for (size_t i = 0; i < BM_COUNT_OF(budgets); i++) {
        struct surface surface = {.cost_ns = registers, .suits = whole_tiles, .now_ns = 12345};
        struct tune_search_result result;
        cr_assert_eq(surface_search(&surface, tunables, COUNT, &first, 1, 3, budgets[i], &result), BM_OK);
        double seconds = (double)(surface.now_ns - 12345) / 1e9;
        cr_expect_lt(seconds, budgets[i] + 0.8, "%g s of %g: one candidate too many", seconds, budgets[i]);
        if (budgets[i] >= 3) /* so long that it is known what a candidate takes */
            cr_expect_lt(seconds, budgets[i] + 0.1, "%g s of %g", seconds, budgets[i]);
        cr_expect_geq(result.tried, 1, "what is in use is timed in any case");
        cr_expect_not(result.exhausted, "it was the time");
        cr_expect_leq(registers(&result.best), last, "more time finds no less");
        last = registers(&result.best);
    }
}

Test(search, tries_nothing_twice) {
    const struct bm_parameters seeds[] = {set(16, 8, 4, 1), set(16, 8, 4, 1), set(16, 8, 4, 1)};
    struct surface surface = {.cost_ns = registers, .suits = whole_tiles, .noise = 0.02};
    struct tune_search_result result;
    cr_assert_eq(surface_search(&surface, tunables, COUNT, seeds, 3, 5, 100, &result), BM_OK);
    for (unsigned i = 0; i < surface.history_count; i++)
        for (unsigned k = 0; k < i; k++)
            cr_expect(memcmp(&surface.history[i], &surface.history[k], sizeof surface.history[i]) != 0,
                      "%u and %u", k, i);
}

Test(search, the_same_seed_tries_the_same) {
    const struct bm_parameters first = set(16, 8, 4, 1);
    struct surface surfaces[3];
    struct tune_search_result results[3];
    for (uint64_t i = 0; i < 3; i++) {
        surfaces[i] = (struct surface){.cost_ns = registers, .suits = whole_tiles, .noise = 0.02};
        cr_assert_eq(surface_search(&surfaces[i], tunables, COUNT, &first, 1, i / 2, 20, &results[i]), BM_OK);
    }
    cr_expect_eq(surfaces[0].history_count, surfaces[1].history_count);
    cr_expect_eq(memcmp(surfaces[0].history, surfaces[1].history, sizeof surfaces[0].history), 0);
    cr_expect_neq(memcmp(surfaces[0].history, surfaces[2].history, sizeof surfaces[0].history), 0,
                  "another seed takes another way");
}

Test(search, a_stop_keeps_what_was_found) {
    const struct bm_parameters first = set(1, 1, 1, 1);
    for (unsigned after = 1; after < 12; after++) {
        struct surface surface = {.cost_ns = bowl, .stop_after = after};
        struct tune_search_result result;
        cr_assert_eq(surface_search(&surface, tunables, COUNT, &first, 1, 1, 1000, &result), BM_OK);
        cr_expect_eq(surface.history_count, after);
        cr_expect_eq(result.found, after > 1, "the one that the signal met counts for nothing");
        cr_expect_not(result.exhausted);
    }
}

Test(search, a_device_that_is_gone_is_told_and_what_was_found_stays) {
    const struct bm_parameters first = set(1, 1, 1, 1);
    struct surface surface = {.cost_ns = bowl, .break_after = 30};
    struct tune_search_result result;
    cr_assert_eq(surface_search(&surface, tunables, COUNT, &first, 1, 1, 1000, &result), BM_DEVICE);
    cr_expect(result.found);
    cr_expect_lt(bowl(&result.best), bowl(&first));
}

/* ---- parts ---- */

Test(search, values_of_a_tunable) {
    static const struct {
        struct bm_tunable tunable;
        bool coarse;
        int64_t value, up, down; /* -1: none */
    } rows[] = {
        {{"A", 1, 64, true}, false, 1, 2, -1},    {{"A", 1, 64, true}, true, 64, -1, 32},
        {{"A", 4, 512, true}, false, 4, 8, -1},   {{"A", 1, 32, false}, false, 1, 2, -1},
        {{"A", 1, 32, false}, false, 12, 13, 11}, {{"A", 1, 32, false}, false, 16, 18, 15},
        {{"A", 1, 32, false}, false, 18, 20, 16}, {{"A", 1, 32, false}, false, 17, 18, 16},
        {{"A", 1, 32, false}, false, 32, -1, 30}, {{"A", 1, 64, false}, false, 32, 36, 30},
        {{"A", 1, 33, false}, false, 32, 33, 30}, {{"A", 1, 1024, false}, false, 1000, 1024, 960},
        {{"A", 0, 1, false}, false, 0, 1, -1},    {{"A", 0, 1, false}, true, 1, -1, 0},
        {{"A", 0, 64, false}, true, 0, 1, -1},    {{"A", 0, 64, false}, true, 2, 3, 1},
        {{"A", 0, 64, false}, true, 3, 4, 2},     {{"A", 0, 64, false}, true, 4, 6, 3},
        {{"A", 0, 64, false}, true, 5, 6, 4},     {{"A", 0, 64, false}, true, 8, 12, 6},
        {{"A", 0, 64, false}, true, 12, 16, 8},   {{"A", 0, 64, false}, true, 16, 24, 12},
        {{"A", 0, 64, false}, true, 48, 64, 32},  {{"A", 0, 50, false}, true, 48, 50, 32},
    };
    for (size_t i = 0; i < BM_COUNT_OF(rows); i++) {
        int64_t next;
        bool up = tune_next_value(&rows[i].tunable, rows[i].value, true, rows[i].coarse, &next);
        cr_expect_eq(up ? next : -1, rows[i].up, "row %zu up: %lld", i, (long long)next);
        bool down = tune_next_value(&rows[i].tunable, rows[i].value, false, rows[i].coarse, &next);
        cr_expect_eq(down ? next : -1, rows[i].down, "row %zu down: %lld", i, (long long)next);
    }
}

/* Blocks in the order in which they are asked for. */
struct script {
    const double *ns; /* challenger, incumbent, challenger, ...; 0 ends, negative fails */
    unsigned at;
};

static enum bm_status play(void *context, void *candidate, double *ns, struct bm_error *error) {
    struct script *script = context;
    (void)candidate;
    *ns = script->ns[script->at];
    cr_assert_neq(*ns, 0, "a block too many: number %u", script->at);
    script->at++;
    return *ns > 0 ? BM_OK : bm_fail(error, BM_DEVICE, "planted");
}

Test(search, a_match_takes_two_heats_by_a_margin) {
    static const struct {
        double ns[16];
        bool wins;
        enum bm_status status;
    } rows[] = {
        /* both heats, 5 % faster */
        {{95, 100, 95, 100, 95, 100, 95, 100, 95, 100, 95, 100, 0}, true, BM_OK},
        /* by less than the margin */
        {{99, 100, 99, 100, 99, 100, 0}, false, BM_OK},
        /* the first heat alone: it was luck */
        {{95, 100, 95, 100, 95, 100, 100, 100, 100, 100, 100, 100, 0}, false, BM_OK},
        /* one disturbed block of either does not count */
        {{95, 100, 300, 100, 95, 400, 95, 100, 95, 100, 95, 100, 0}, true, BM_OK},
        {{95, 100, 108, 100, 95, 400, 95, 100, 95, 100, 95, 100, 0}, true, BM_OK},
        /* hopeless: no second block */
        {{200, 100, 0}, false, BM_OK},
        /* a challenger that fails loses; an incumbent that fails is an error */
        {{-1, 100, 0}, false, BM_OK},
        {{95, 100, 95, -1, 0}, false, BM_DEVICE},
    };
    for (size_t i = 0; i < BM_COUNT_OF(rows); i++) {
        struct script script = {.ns = rows[i].ns};
        const struct tune_work work = {.time = play, .context = &script};
        double challenger_ns, incumbent_ns;
        bool wins = true;
        cr_expect_eq(tune_match(&work, NULL, NULL, &wins, &challenger_ns, &incumbent_ns, NULL),
                     rows[i].status, "row %zu", i);
        cr_expect_eq(wins, rows[i].wins, "row %zu", i);
        cr_expect_eq(rows[i].ns[script.at], 0, "row %zu: all blocks are used", i);
        if (rows[i].wins)
            cr_expect(challenger_ns == 95 && incumbent_ns == 100, "row %zu", i);
    }
}
