/* Which tokens go to which experts, and the table that a kernel reads of it. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "grouped.h"

static struct bm_case experts(uint64_t m, uint32_t count, uint32_t top_k, enum bm_routing routing) {
    return (struct bm_case){.workload = bm_workload_find("grouped_gemm"),
                            .model = "-",
                            .op = "test",
                            .phase = BM_PHASE_PREFILL,
                            .dtype = bm_dtype_find("f16"),
                            .m = m,
                            .n = 64,
                            .k = 32,
                            .experts = count,
                            .top_k = top_k,
                            .routing = routing};
}

static uint32_t *route(const struct bm_case *c, uint64_t seed, uint64_t draw) {
    uint32_t *chosen = calloc(c->m * c->top_k, sizeof(*chosen));
    cr_assert_eq(bm_route(c, seed, draw, chosen, NULL), BM_OK);
    return chosen;
}

Test(routing, a_token_has_different_experts_and_every_draw_its_own) {
    for (int zipf = 0; zipf < 2; zipf++) {
        const struct bm_case c = experts(100, 16, 4, zipf ? BM_ROUTING_ZIPF : BM_ROUTING_UNIFORM);
        const size_t bytes = 100 * 4 * sizeof(uint32_t);
        uint32_t *chosen = route(&c, 1, 0), *again = route(&c, 1, 0), *next = route(&c, 1, 1),
                 *other = route(&c, 2, 0);
        for (size_t t = 0; t < 100; t++)
            for (size_t i = 0; i < 4; i++) {
                cr_assert_lt(chosen[4 * t + i], 16);
                for (size_t j = 0; j < i; j++)
                    cr_assert_neq(chosen[4 * t + i], chosen[4 * t + j]);
            }
        cr_assert_eq(memcmp(chosen, again, bytes), 0);
        cr_assert_neq(memcmp(chosen, next, bytes), 0);
        cr_assert_neq(memcmp(chosen, other, bytes), 0);
        free(chosen), free(again), free(next), free(other);
    }
}

/* Counts of one choice a token against the chances that define the distribution, within five standard
 * deviations; an expert's popularity stays the same from draw to draw. */
Test(routing, experts_are_as_popular_as_the_distribution_says) {
    enum { TOKENS = 40000, EXPERTS = 8 };
    for (int zipf = 0; zipf < 2; zipf++) {
        const struct bm_case c = experts(TOKENS, EXPERTS, 1, zipf ? BM_ROUTING_ZIPF : BM_ROUTING_UNIFORM);
        double counts[2][EXPERTS] = {0}, weights = 0;
        for (uint64_t draw = 0; draw < 2; draw++) {
            uint32_t *chosen = route(&c, 4, draw);
            for (size_t t = 0; t < TOKENS; t++)
                counts[draw][chosen[t]]++;
            free(chosen);
        }
        for (unsigned r = 1; r <= EXPERTS; r++)
            weights += zipf ? 1.0 / r : 1;
        for (unsigned e = 0; e < EXPERTS; e++) {
            unsigned rank = 1; /* by the first draw; the second must agree */
            for (unsigned i = 0; i < EXPERTS; i++)
                rank += counts[0][i] > counts[0][e];
            const double p = (zipf ? 1.0 / rank : 1) / weights;
            for (unsigned draw = 0; draw < 2; draw++)
                cr_expect(fabs(counts[draw][e] - p * TOKENS) < 5 * sqrt(TOKENS * p * (1 - p)),
                          "%s, rank %u: %g of %d, should be %g", bm_routing_name(c.routing), rank,
                          counts[draw][e], TOKENS, p * TOKENS);
        }
    }
}

/* DeepSeek-V3: 8 of 256 experts within 4 of 8 groups; all alike, so each expert has 8 / 256 of the tokens. */
Test(routing, groups_limit_the_choice) {
    struct bm_case c = experts(4000, 256, 8, BM_ROUTING_UNIFORM);
    double counts[256] = {0};
    bool all_four = false;
    c.groups = 8;
    c.groups_used = 4;
    uint32_t *chosen = route(&c, 1, 0);
    for (size_t t = 0; t < c.m; t++) {
        unsigned used = 0, groups = 0;
        for (size_t i = 0; i < 8; i++) {
            used |= 1u << chosen[8 * t + i] / 32;
            counts[chosen[8 * t + i]]++;
        }
        for (unsigned g = 0; g < 8; g++)
            groups += used >> g & 1;
        cr_assert_leq(groups, 4);
        all_four |= groups == 4;
    }
    cr_expect(all_four);
    for (size_t e = 0; e < 256; e++)
        cr_expect(fabs(counts[e] - 125) < 6 * sqrt(125), "expert %zu: %g", e, counts[e]);
    free(chosen);
}

/* DESIGN "Formulas": uniform 256/8: m = 1 -> 8, 8 -> 57, 32 -> 163, 64 -> 222. */
Test(routing, experts_expected_are_those_of_the_design) {
    static const double expected[][2] = {{1, 8}, {8, 57}, {32, 163}, {64, 222}};
    for (size_t i = 0; i < BM_COUNT_OF(expected); i++) {
        const struct bm_case c = experts((uint64_t)expected[i][0], 256, 8, BM_ROUTING_UNIFORM);
        cr_expect_eq(round(bm_case_experts_expected(&c)), expected[i][1]);
    }
    const struct bm_case dense = {.workload = bm_workload_find("gemm")};
    cr_expect_eq(bm_case_experts_expected(&dense), 0);
}

/* The mean over many draws comes to what is expected. */
Test(routing, experts_occur_as_often_as_expected) {
    for (int zipf = 0; zipf < 2; zipf++)
        for (uint64_t m = 1; m <= 64; m *= 8) {
            const struct bm_case c = experts(m, 64, 4, zipf ? BM_ROUTING_ZIPF : BM_ROUTING_UNIFORM);
            double mean = 0;
            for (uint64_t draw = 0; draw < 400; draw++) {
                uint64_t occurred;
                cr_assert_eq(bm_case_experts_drawn(&c, 1, draw, &occurred, NULL), BM_OK);
                mean += (double)occurred / 400;
            }
            cr_expect(fabs(mean / bm_case_experts_expected(&c) - 1) < 0.03, "%s %llu: %g of %g",
                      bm_routing_name(c.routing), (unsigned long long)m, mean, bm_case_experts_expected(&c));
        }
}

/* Every pair has one row of its expert's tiles, wherever tiles and blocks end; what is left is unused. */
Test(routing, tables_hold_every_pair_once) {
    static const struct bm_target target = {.compute_units = 2,
                                            .max_group_items = 1024,
                                            .local_bytes = 65536,
                                            .max_allocation_bytes = UINT64_C(1) << 40};
    static const uint32_t shapes[][3] = {{1, 1, 1},  {1, 8, 2},   {5, 64, 4},
                                         {33, 8, 2}, {100, 4, 4}, {64, 5, 1}};
    for (size_t s = 0; s < BM_COUNT_OF(shapes); s++)
        for (int64_t tile = 1; tile <= 8; tile *= 2)
            for (unsigned kind = 0; kind < 4; kind++) {
                struct bm_case c = experts(shapes[s][0], shapes[s][1], shapes[s][2],
                                           kind % 2 ? BM_ROUTING_ZIPF : BM_ROUTING_UNIFORM);
                struct bm_parameters parameters = {0};
                struct bm_plan plan;
                c.row_per_pair = kind / 2;
                bm_parameters_set(&parameters, "TILE_M", tile);
                bm_parameters_set(&parameters, "BLOCK_M", 2 * tile);
                cr_assert_eq(bm_grouped_plan(&c, &target, &parameters, &plan, NULL), BM_OK);
                const struct bm_grouped_cut cut = bm_grouped_cut(&c, &plan.parameters);
                const uint64_t pairs = c.m * c.top_k, rows = bm_grouped_rows(&cut);
                int32_t *table = calloc(bm_grouped_table(&cut), sizeof(*table));
                uint32_t *chosen = route(&c, 6, 3);
                unsigned char *seen = calloc(pairs, 1);
                cr_assert_eq(plan.tensors[BM_GROUPED_ROUTING].count, bm_grouped_table(&cut));
                cr_assert_eq(bm_grouped_fill(&c, &plan, BM_GROUPED_ROUTING, 6, 3, table, NULL), BM_OK);
                for (uint64_t b = 0; b < cut.blocks; b++) {
                    const int32_t *block = table + 2 * rows + BM_BLOCK_FIELDS * b;
                    if (block[BM_BLOCK_EXPERT] < 0)
                        continue;
                    cr_assert(block[BM_BLOCK_TILES] >= 1 && block[BM_BLOCK_TILES] <= (int)cut.block_tiles);
                    const uint64_t first = (uint64_t)block[BM_BLOCK_FIRST_TILE] * cut.tile_rows;
                    for (uint64_t i = 0; i < (uint64_t)block[BM_BLOCK_TILES] * cut.tile_rows; i++) {
                        const int32_t source = table[first + i], output = table[rows + first + i];
                        cr_assert(source >= 0 && source < (int32_t)(c.row_per_pair ? pairs : c.m));
                        if (output < 0)
                            continue;
                        cr_assert_lt(output, (int32_t)pairs);
                        cr_assert_eq(seen[output]++, 0);
                        bool sent = c.row_per_pair ? source == output : false;
                        for (uint64_t j = 0; !c.row_per_pair && j < c.top_k; j++)
                            sent |=
                                chosen[(uint64_t)source * c.top_k + j] == (uint32_t)block[BM_BLOCK_EXPERT];
                        cr_assert(sent);
                    }
                }
                for (uint64_t i = 0; i < pairs; i++)
                    cr_assert(seen[i], "pair %llu", (unsigned long long)i);
                free(seen), free(chosen), free(table);
            }
}

/* The rows that a token's sum takes are those that grouped products write for it. */
Test(routing, a_tokens_rows_are_where_its_experts_wrote_them) {
    static const struct bm_target target = {.compute_units = 2,
                                            .max_group_items = 1024,
                                            .local_bytes = 65536,
                                            .max_allocation_bytes = UINT64_C(1) << 40};
    struct bm_case c = experts(33, 8, 2, BM_ROUTING_ZIPF), sum = c;
    struct bm_plan plan, sum_plan;
    int32_t *rows_of = calloc(c.m * c.top_k, sizeof(*rows_of));

    sum.workload = bm_workload_find("combine");
    sum.k = 0;
    cr_assert_eq(sum.workload->plan(&sum, &target, NULL, &sum_plan, NULL), BM_OK);
    cr_assert_eq(sum.workload->fill(&sum, &sum_plan, 3, 6, 3, rows_of, NULL), BM_OK);
    cr_assert_eq(bm_grouped_plan(&c, &target, NULL, &plan, NULL), BM_OK);
    const struct bm_grouped_cut cut = bm_grouped_cut(&c, &plan.parameters);
    const uint64_t rows = bm_grouped_rows(&cut);
    int32_t *table = calloc(bm_grouped_table(&cut), sizeof(*table));
    uint32_t *chosen = route(&c, 6, 3);
    cr_assert_eq(bm_grouped_fill(&c, &plan, BM_GROUPED_ROUTING, 6, 3, table, NULL), BM_OK);
    uint64_t found = 0;
    for (uint64_t b = 0; b < cut.blocks; b++) {
        const int32_t *block = table + 2 * rows + BM_BLOCK_FIELDS * b;
        for (int32_t t = 0; block[BM_BLOCK_EXPERT] >= 0 && t < block[BM_BLOCK_TILES]; t++)
            for (uint64_t i = 0; i < cut.tile_rows; i++) {
                const uint64_t row = (uint64_t)(block[BM_BLOCK_FIRST_TILE] + t) * cut.tile_rows + i;
                for (uint64_t j = 0; table[rows + row] >= 0 && j < c.top_k; j++) {
                    const uint64_t pair = (uint64_t)table[row] * c.top_k + j;
                    if (chosen[pair] == (uint32_t)block[BM_BLOCK_EXPERT]) {
                        cr_expect_eq(rows_of[pair], table[rows + row]);
                        found++;
                    }
                }
            }
    }
    cr_expect_eq(found, c.m * c.top_k);
    free(chosen), free(table), free(rows_of);
}

Test(routing, what_makes_no_sense_is_refused) {
    struct bm_error error = {0};
    struct bm_case c = experts(4, 8, 9, BM_ROUTING_UNIFORM);
    cr_expect_eq(c.workload->validate(&c, &error), BM_INVALID);
    cr_expect_not_null(strstr(error.message, "9 of 8"), "%s", error.message);
    c = experts(4, 0, 0, BM_ROUTING_UNIFORM);
    cr_expect_eq(c.workload->validate(&c, NULL), BM_INVALID);
    c = experts(0, 8, 2, BM_ROUTING_UNIFORM);
    cr_expect_eq(c.workload->validate(&c, NULL), BM_INVALID);
    c = experts(4, 8, 5, BM_ROUTING_UNIFORM);
    c.groups = 4;
    c.groups_used = 2;
    cr_expect_eq(c.workload->validate(&c, &error), BM_INVALID, "5 of the 4 experts in two groups");
    c.top_k = 4;
    cr_expect_eq(c.workload->validate(&c, &error), BM_OK);
    c.groups = 3;
    cr_expect_eq(c.workload->validate(&c, NULL), BM_INVALID);
    c = experts(4, 8, 8, BM_ROUTING_UNIFORM);
    c.rows_by_token = c.row_per_pair = true;
    cr_expect_eq(c.workload->validate(&c, NULL), BM_OK);
    c.top_k = 7;
    cr_expect_eq(c.workload->validate(&c, &error), BM_INVALID, "the rows of the eighth would be missing");
    c = experts(4, 100, 65, BM_ROUTING_UNIFORM);
    c.workload = bm_workload_find("combine");
    c.k = 1;
    cr_expect_eq(c.workload->validate(&c, &error), BM_INVALID);
    c.top_k = 64;
    cr_expect_eq(c.workload->validate(&c, NULL), BM_OK);
    c.k = 2;
    cr_expect_eq(c.workload->validate(&c, NULL), BM_INVALID, "two shared rows");
    c.k = 0;
    c.experts = 63;
    cr_expect_eq(c.workload->validate(&c, NULL), BM_INVALID, "64 of 63");
}

Test(routing, experts_that_do_not_fit_are_told) {
    static const struct bm_target small = {.compute_units = 2,
                                           .max_group_items = 1024,
                                           .local_bytes = 65536,
                                           .max_allocation_bytes = 16 * 64 * 32 * 2 - 1};
    const struct bm_case c = experts(4, 16, 2, BM_ROUTING_UNIFORM);
    struct bm_error error = {0};
    struct bm_plan plan;
    cr_expect_eq(bm_grouped_plan(&c, &small, NULL, &plan, &error), BM_UNSUPPORTED);
    cr_expect_not_null(strstr(error.message, "all 16 experts"), "%s", error.message);
}
