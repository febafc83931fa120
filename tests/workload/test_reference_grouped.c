/* The reference of products with routed experts. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "force.h"
#include "grouped.h"

static const struct bm_case routed[] = {
    {.m = 1, .n = 5, .k = 3, .experts = 1, .top_k = 1},
    {.m = 1, .n = 40, .k = 33, .experts = 8, .top_k = 2},
    {.m = 3, .n = 33, .k = 64, .experts = 32, .top_k = 4, .row_per_pair = true},
    {.m = 40, .n = 70, .k = 29, .experts = 6, .top_k = 2, .routing = BM_ROUTING_ZIPF},
    {.m = 25, .n = 64, .k = 41, .experts = 16, .top_k = 3, .groups = 4, .groups_used = 2},
    {.m = 33, .n = 17, .k = 70, .experts = 4, .top_k = 4, .row_per_pair = true},
    {.m = 9, .n = 40, .k = 33, .experts = 5, .top_k = 5, .row_per_pair = true, .rows_by_token = true},
};

/* From the routing alone: outputs lie by expert, within one by token, or, where all are a token's, the other
 * way. Counts the experts that occur. */
static double *grouped_by_force(const struct bm_case *c, const struct bm_plan *plan, uint64_t seed,
                                uint64_t draw, uint64_t *occurred) {
    const uint64_t panel_n = (uint64_t)bm_parameters_get(&plan->parameters, "PANEL_N", 0);
    const bool nibbles = c->dtype->weight == BM_ELEMENT_I4;
    const uint64_t groups = (c->k + 31) / 32, k_stored = nibbles ? groups * 32 : c->k;
    const uint64_t columns = (c->n + panel_n - 1) / panel_n * panel_n, pairs = c->m * c->top_k;
    double *out = calloc(pairs * c->n, sizeof(*out));
    uint32_t *chosen = calloc(pairs, sizeof(*chosen));
    struct bm_case rows = *c;
    cr_assert_eq(bm_route(c, seed, draw, chosen, NULL), BM_OK);
    rows.m = c->row_per_pair ? pairs : c->m;
    double *x = force_activations(&rows);
    uint64_t at = 0;
    *occurred = 0;
    for (uint64_t e = 0; e < c->experts; e++) {
        const uint64_t before = at;
        for (uint64_t pair = 0; pair < pairs; pair++) {
            if (chosen[pair] != e)
                continue;
            const uint64_t place = c->rows_by_token ? pair / c->top_k * c->experts + e : at;
            const double *row = x + (c->row_per_pair ? place : pair / c->top_k) * c->k;
            for (uint64_t n = 0; n < c->n; n++)
                for (uint64_t k = 0; k < c->k; k++) {
                    const uint64_t panel = n / panel_n, column = n % panel_n;
                    const uint64_t first = e * columns * k_stored + panel * panel_n * k_stored;
                    double weight =
                        force_element(0, nibbles ? first + k / 2 * 2 * panel_n + 2 * column + k % 2
                                                 : first + k * panel_n + column);
                    if (nibbles)
                        weight *= force_element(plan->tensor_count - 1,
                                                e * columns * groups + (panel * groups + k / 32) * panel_n +
                                                    column);
                    else if (c->dtype->weight == BM_ELEMENT_I8)
                        weight *= force_element(plan->tensor_count - 1, e * columns + n);
                    out[place * c->n + n] += row[k] * weight;
                }
            at++;
        }
        *occurred += at > before;
    }
    cr_assert_eq(at, pairs);
    free(chosen);
    free(x);
    return out;
}

Test(reference, grouped_gemm) {
    const uint64_t seed = 8, draw = 2;
    force_begin();
    for (size_t s = 0; s < BM_COUNT_OF(routed) * BM_COUNT_OF(force_formats); s++)
        for (int is_gpu = 0; is_gpu < 2; is_gpu++) {
            struct bm_case c = routed[s % BM_COUNT_OF(routed)];
            struct bm_plan plan;
            uint64_t occurred, drawn;
            c.workload = bm_workload_find("grouped_gemm");
            c.dtype = bm_dtype_find(force_formats[s / BM_COUNT_OF(routed)]);
            force_plan(&c, is_gpu, "TILE_M", 4, &plan);
            int32_t *table = calloc(plan.tensors[BM_GROUPED_ROUTING].count, sizeof(*table));
            cr_assert_eq(c.workload->fill(&c, &plan, BM_GROUPED_ROUTING, seed, draw, table, NULL), BM_OK);
            force_operands.table[BM_GROUPED_ROUTING] = table;
            double *truth = grouped_by_force(&c, &plan, seed, draw, &occurred);
            cr_assert_eq(bm_case_experts_drawn(&c, seed, draw, &drawn, NULL), BM_OK);
            cr_assert_eq(drawn, occurred);
            const uint64_t pairs = c.m * c.top_k;
            unsigned char *touched = calloc(pairs * c.n, 1);
            force_compare(&c, &plan, truth, pairs * c.n, 99, touched);
            /* Of every expert's rows, those of each tile in each panel. */
            const struct bm_grouped_cut cut = bm_grouped_cut(&c, &plan.parameters);
            const int32_t *output = table + bm_grouped_rows(&cut);
            const uint64_t panel_n = (uint64_t)bm_parameters_get(&plan.parameters, "PANEL_N", 0);
            for (uint64_t t = 0; t < cut.tiles; t++)
                for (uint64_t n0 = 0; n0 < c.n && output[t * cut.tile_rows] >= 0; n0 += panel_n) {
                    bool seen = false;
                    for (uint64_t i = t * cut.tile_rows; i < (t + 1) * cut.tile_rows; i++)
                        for (uint64_t n = n0; output[i] >= 0 && n < c.n && n < n0 + panel_n; n++)
                            seen |= touched[(uint64_t)output[i] * c.n + n];
                    cr_assert(seen, "tile %llu was not touched", (unsigned long long)t);
                }
            free(touched);
            free(truth);
            free(table);
        }
}
