/* Which tokens go to which experts. */
#include <math.h>
#include <stdlib.h>

#include "grouped.h"

const char *bm_routing_name(enum bm_routing routing) {
    return routing == BM_ROUTING_ZIPF ? "zipf" : "uniform";
}

/* ---- one token ---- */

/* What choosing needs, an element for each expert or group: `size` doubles in all. */
struct router {
    const struct bm_case *c;
    struct bm_random random;
    double *weight;   /* of an expert's popularity; NULL: all alike */
    double *affinity; /* of the token at hand */
    double *group;
};

/* The r-th most popular expert has a weight of 1 / r; which one that is depends on the seed alone, so that an
 * expert is as popular in one draw as in the next. */
static enum bm_status router_init(struct router *router, const struct bm_case *c, uint64_t seed,
                                  uint64_t draw, struct bm_error *error) {
    const uint64_t words[2] = {seed, draw};
    size_t *ranks = bm_alloc(c->experts, sizeof(*ranks));
    double *block = bm_alloc(3 * (size_t)c->experts, sizeof(*block));

    *router = (struct router){.c = c};
    if (!ranks || !block) {
        free(ranks);
        free(block);
        return bm_fail(error, BM_NO_MEMORY, "no memory to route to %u experts", c->experts);
    }
    router->affinity = block;
    router->group = block + c->experts;
    if (c->routing == BM_ROUTING_ZIPF) {
        router->weight = block + 2 * (size_t)c->experts;
        for (size_t e = 0; e < c->experts; e++)
            ranks[e] = e;
        bm_random_init(&router->random, seed);
        bm_random_shuffle(&router->random, ranks, c->experts);
        for (size_t e = 0; e < c->experts; e++)
            router->weight[e] = 1 / (double)(ranks[e] + 1);
    }
    bm_random_init(&router->random, bm_hash(words, sizeof(words), 0));
    free(ranks);
    return BM_OK;
}

static void router_fini(struct router *router) {
    free(router->affinity); /* the block of all three */
}

/* Index of the largest of count values, which then is taken. */
static uint32_t take_largest(double *values, uint32_t count) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++)
        if (values[i] > values[best])
            best = i;
    values[best] = -(double)INFINITY;
    return best;
}

/* Experts outside the best groups are out. A group is as good as its two best experts together, as in
 * DeepSeek-V3 (arXiv 2412.19437, section 2.1.2, and its published inference code). */
static void drop_groups(struct router *router) {
    const struct bm_case *c = router->c;
    const uint32_t size = c->experts / c->groups;
    double *affinity = router->affinity;

    for (uint32_t g = 0; g < c->groups; g++) {
        double first = -(double)INFINITY, second = -(double)INFINITY;
        for (uint32_t e = g * size; e < (g + 1) * size; e++) {
            second = affinity[e] > first ? first : fmax(second, affinity[e]);
            first = fmax(first, affinity[e]);
        }
        router->group[g] = size > 1 ? first + second : first;
    }
    for (uint32_t used = 0; used < c->groups_used; used++)
        take_largest(router->group, c->groups);
    for (uint32_t e = 0; e < c->experts; e++)
        if (!isinf(router->group[e / size]))
            affinity[e] = -(double)INFINITY;
}

/* Weighted choice without replacement: of keys log(u) / weight the largest win, as if one expert after the
 * other were drawn by its weight among those left (Efraimidis and Spirakis, Information Processing Letters
 * 97, 2006). */
static void choose(struct router *router, uint32_t *chosen) {
    const struct bm_case *c = router->c;
    for (uint32_t e = 0; e < c->experts; e++) {
        const double u = 1 - bm_random_unit(&router->random);
        router->affinity[e] = router->weight ? log(u) / router->weight[e] : u;
    }
    if (c->groups)
        drop_groups(router);
    for (uint32_t i = 0; i < c->top_k; i++)
        chosen[i] = take_largest(router->affinity, c->experts);
}

/* ---- all of a case ---- */

enum bm_status bm_route(const struct bm_case *c, uint64_t seed, uint64_t draw, uint32_t *chosen,
                        struct bm_error *error) {
    struct router router;
    enum bm_status status = router_init(&router, c, seed, draw, error);
    if (status)
        return status;
    for (uint64_t token = 0; token < c->m; token++)
        choose(&router, chosen + token * c->top_k);
    router_fini(&router);
    return BM_OK;
}

/* By expert, within one by token. */
enum bm_status bm_route_rows(const struct bm_case *c, uint64_t seed, uint64_t draw, uint64_t *first,
                             uint32_t *row_of, struct bm_error *error) {
    const uint64_t pairs = bm_routed_pairs(c);
    enum bm_status status = bm_route(c, seed, draw, row_of, error); /* the expert of each pair, for now */

    for (uint32_t e = 0; e <= c->experts; e++)
        first[e] = 0;
    if (status)
        return status;
    for (uint64_t i = 0; i < pairs; i++)
        first[row_of[i] + 1]++;
    for (uint32_t e = 0; e < c->experts; e++)
        first[e + 1] += first[e];
    for (uint64_t i = 0; i < pairs; i++)
        row_of[i] = (uint32_t)first[row_of[i]]++;
    for (uint32_t e = c->experts; e > 0; e--) /* each had moved on to where the next one begins */
        first[e] = first[e - 1];
    first[0] = 0;
    return BM_OK;
}

enum bm_status bm_case_experts_drawn(const struct bm_case *c, uint64_t seed, uint64_t draw, uint64_t *experts,
                                     struct bm_error *error) {
    *experts = 0;
    if (!c->experts)
        return BM_OK;
    uint32_t *chosen = bm_alloc((size_t)bm_routed_pairs(c), sizeof(*chosen));
    bool *seen = bm_alloc(c->experts, sizeof(*seen));
    enum bm_status status = chosen && seen ? bm_route(c, seed, draw, chosen, error)
                                           : bm_fail(error, BM_NO_MEMORY, "no memory to route %llu tokens",
                                                     (unsigned long long)c->m);
    for (uint64_t i = 0; !status && i < bm_routed_pairs(c); i++) {
        *experts += !seen[chosen[i]];
        seen[chosen[i]] = true;
    }
    free(seen);
    free(chosen);
    return status;
}

enum bm_status bm_routing_validate(const struct bm_case *c, struct bm_error *error) {
    const char *name = c->workload->name;
    if (!c->top_k || c->top_k > c->experts || c->experts > BM_EXPERTS_MAX)
        return bm_fail(error, BM_INVALID,
                       "%s needs from 1 to %u experts and as many of them a token, not %u of %u", name,
                       BM_EXPERTS_MAX, c->top_k, c->experts);
    if (c->m > BM_DIMENSION_MAX || bm_routed_pairs(c) > BM_DIMENSION_MAX)
        return bm_fail(error, BM_INVALID, "%s: m times top_k must be at most %llu", name,
                       (unsigned long long)BM_DIMENSION_MAX);
    if (c->groups && (c->experts % c->groups || !c->groups_used || c->groups_used > c->groups ||
                      c->top_k > c->experts / c->groups * c->groups_used))
        return bm_fail(error, BM_INVALID, "%s: %u of %u experts cannot be picked within %u of %u groups",
                       name, c->top_k, c->experts, c->groups_used, c->groups);
    if (c->routing != BM_ROUTING_UNIFORM && c->routing != BM_ROUTING_ZIPF)
        return bm_fail(error, BM_INVALID, "%s: no such routing", name);
    return BM_OK;
}

static double touched(double chance, uint64_t m) {
    return 1 - pow(1 - chance, (double)m);
}

/* The chances of experts that differ are those found in this many tokens, routed with a seed of their own; no
 * memory for that: as if they did not differ. */
enum { SAMPLE_TOKENS = 4096, SAMPLE_SEED = 1 };

double bm_case_experts_expected(const struct bm_case *c) {
    if (!c->experts)
        return 0;
    const double even = c->experts * touched((double)c->top_k / c->experts, c->m);
    if (c->routing == BM_ROUTING_UNIFORM)
        return even;
    struct bm_case sample = *c;
    sample.m = SAMPLE_TOKENS;
    double expected = 0;
    uint32_t *chosen = bm_alloc((size_t)bm_routed_pairs(&sample), sizeof(*chosen));
    uint32_t *times = bm_alloc(c->experts, sizeof(*times));
    const bool known = chosen && times && !bm_route(&sample, SAMPLE_SEED, 0, chosen, NULL);
    for (uint64_t i = 0; known && i < bm_routed_pairs(&sample); i++)
        times[chosen[i]]++;
    for (uint32_t e = 0; known && e < c->experts; e++)
        expected += touched((double)times[e] / SAMPLE_TOKENS, c->m);
    free(times);
    free(chosen);
    return known ? expected : even;
}

uint64_t bm_routed_rows(const struct bm_case *c) {
    const double experts = c->experts * touched((double)c->top_k / c->experts, c->m);
    return (uint64_t)ceil((double)bm_routed_pairs(c) / experts - 1e-9);
}
