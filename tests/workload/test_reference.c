/* The references against brute force that materialises every operand and computes every output. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bm/workload.h"
#include "grouped.h"

enum { PERIOD = 1009 };

static struct bm_values values;
static struct bm_operands operands;

/* A short prime period, so that every operand wraps around many times. */
static void make_values(void) {
    struct bm_random random;
    bm_random_init(&random, 3);
    values = (struct bm_values){.period = PERIOD, .values = calloc(PERIOD, sizeof(float))};
    for (size_t i = 0; i < PERIOD; i++)
        values.values[i] = (float)bm_random_normal(&random);
    for (unsigned t = 0; t < BM_COUNT_OF(operands.values); t++) {
        operands.values[t] = &values;
        operands.start[t] = UINT64_C(64) * (3 + 17 * t);
    }
}

static double element(unsigned tensor, uint64_t index) {
    return (double)values.values[(operands.start[tensor] + index) % PERIOD];
}

/* Rows of activations as the device sees them. */
static double *activations_of(const struct bm_case *c) {
    double *x = calloc(c->m * c->k, sizeof(*x));
    for (uint64_t i = 0; i < c->m; i++) {
        float largest = 0;
        for (uint64_t k = 0; k < c->k; k++) {
            x[i * c->k + k] = element(1, i * c->k + k);
            largest = fmaxf(largest, fabsf((float)x[i * c->k + k]));
        }
        for (uint64_t k = 0; k < c->k && c->dtype->quantised_activations; k++) {
            const float step = largest / 127;
            x[i * c->k + k] = (double)(rintf((float)x[i * c->k + k] / step)) * (double)step;
        }
    }
    return x;
}

static double *gemm_by_force(const struct bm_case *c, const struct bm_plan *plan) {
    const uint64_t panel_n = (uint64_t)bm_parameters_get(&plan->parameters, "PANEL_N", 0);
    const bool nibbles = c->dtype->weight == BM_ELEMENT_I4;
    const uint64_t k_stored = nibbles ? (c->k + 31) / 32 * 32 : c->k;
    double *out = calloc(c->m * c->n, sizeof(*out)), *x = activations_of(c);
    for (uint64_t m = 0; m < c->m; m++)
        for (uint64_t n = 0; n < c->n; n++)
            for (uint64_t k = 0; k < c->k; k++) {
                const uint64_t panel = n / panel_n, column = n % panel_n;
                double weight;
                if (nibbles)
                    weight =
                        element(0, panel * panel_n * k_stored + k / 2 * 2 * panel_n + 2 * column + k % 2) *
                        element(plan->tensor_count - 1,
                                (panel * (k_stored / 32) + k / 32) * panel_n + column);
                else
                    weight = element(0, panel * panel_n * k_stored + k * panel_n + column);
                if (c->dtype->weight == BM_ELEMENT_I8)
                    weight *= element(plan->tensor_count - 1, n);
                out[m * c->n + n] += x[m * c->k + k] * weight;
            }
    free(x);
    return out;
}

/* The weight that PTX ISA 9.7.14.5.8 and .10 give work-item 4 g + t of a warp: word j of its two is, of
 * column g, that of k from 4 (t + 4 j) bytes on. Here warps follow column by column of 8, unit by unit of 32
 * bytes. */
static double *gemm_matrix_by_force(const struct bm_case *c, uint64_t panel_n) {
    const uint64_t bytes = c->dtype->weight == BM_ELEMENT_I8 ? 1 : 2, units = (c->k * bytes + 31) / 32;
    double *out = calloc(c->m * c->n, sizeof(*out)), *x = activations_of(c);
    for (uint64_t at = 0; at < (c->n + panel_n - 1) / panel_n * panel_n * units * 32 / bytes; at++) {
        const uint64_t byte = at * bytes, word = byte / 4, j = word % 2, mate = word / 2 % 32;
        const uint64_t eighth = word / 64 % (panel_n / 8), unit = word / 64 / (panel_n / 8) % units;
        const uint64_t n = word / 64 / (panel_n / 8) / units * panel_n + eighth * 8 + mate / 4;
        const uint64_t k = (unit * 32 + 4 * (mate % 4 + 4 * j) + byte % 4) / bytes;
        for (uint64_t m = 0; n < c->n && k < c->k && m < c->m; m++)
            out[m * c->n + n] += x[m * c->k + k] * element(0, at) * (bytes == 1 ? element(5, n) : 1);
    }
    free(x);
    return out;
}

static double *gemv_by_force(const struct bm_case *c, const struct bm_plan *plan) {
    const bool nibbles = c->dtype->weight == BM_ELEMENT_I4;
    const uint64_t stride = nibbles ? (c->k + 31) / 32 * 32 : (c->k + 15) / 16 * 16;
    double *out = calloc(c->n, sizeof(*out)), *x = activations_of(c);
    for (uint64_t n = 0; n < c->n; n++)
        for (uint64_t k = 0; k < c->k; k++) {
            const uint64_t g = k / 32, i = k % 32;
            double weight = element(0, n * stride + (nibbles ? g * 32 + i % 16 * 2 + i / 16 : k));
            if (nibbles)
                weight *= element(plan->tensor_count - 1, n * ((stride / 32 + 15) / 16 * 16) + g);
            else if (c->dtype->scale_group)
                weight *= element(plan->tensor_count - 1, n);
            out[n] += x[k] * weight;
        }
    free(x);
    return out;
}

static double *plain_by_force(const struct bm_case *c) {
    double *out = calloc(c->m * c->n, sizeof(*out)), *x = activations_of(c);
    const uint64_t group = c->dtype->scale_group < c->k ? c->dtype->scale_group : c->k;
    for (uint64_t m = 0; m < c->m; m++)
        for (uint64_t n = 0; n < c->n; n++)
            for (uint64_t k = 0; k < c->k; k++) {
                double weight = element(0, n * c->k + k);
                if (group > 0)
                    weight *= element(3, n * ((c->k + group - 1) / group) + k / group);
                out[m * c->n + n] += x[m * c->k + k] * weight;
            }
    free(x);
    return out;
}

/* softmax without tricks: exp of the scores themselves */
static double *attention_by_force(const struct bm_case *c) {
    const bool decode = c->phase == BM_PHASE_DECODE, int8 = c->kv == BM_KV_INT8;
    const uint64_t tokens = decode ? 1 : c->tokens, context = decode ? c->context : c->context + c->tokens;
    double *out = calloc((size_t)(c->batch * tokens * c->heads * c->v_dim), sizeof(*out));
    for (uint64_t b = 0; b < c->batch; b++)
        for (uint64_t t = 0; t < tokens; t++)
            for (uint64_t h = 0; h < c->heads; h++) {
                const uint64_t kv = b * c->kv_heads + h * c->kv_heads / c->heads,
                               row = (b * tokens + t) * c->heads + h;
                double total = 0;
                for (uint64_t j = 0; j < context; j++) {
                    if (!decode && (j > c->context + t || (c->window && j + c->window <= c->context + t)))
                        continue;
                    double score = 0;
                    const double key_scale = int8 ? element(4, kv * context + j) / 32 : 1;
                    const double value_scale = int8 ? element(5, kv * context + j) : 1;
                    for (uint64_t d = 0; d < c->head_dim; d++)
                        score += element(0, row * c->head_dim + d) *
                                 element(1, (kv * context + j) * c->head_dim + d);
                    const double weight = exp(score * key_scale / sqrt(c->head_dim));
                    total += weight;
                    for (uint64_t d = 0; d < c->v_dim; d++)
                        out[row * c->v_dim + d] +=
                            weight * value_scale * element(2, (kv * context + j) * c->v_dim + d);
                }
                for (uint64_t d = 0; d < c->v_dim; d++)
                    out[row * c->v_dim + d] /= total;
            }
    return out;
}

/* Compares every check with the truth; marks what was touched. */
static void compare(const struct bm_case *c, const struct bm_plan *plan, const double *truth,
                    uint64_t outputs, uint64_t seed, unsigned char *touched) {
    static struct bm_check check, again;
    struct bm_error error = {0};
    const uint64_t count = c->workload->check_count(c, plan);
    for (uint64_t i = 0; i < count; i++) {
        cr_assert_eq(c->workload->check(c, plan, &operands, seed, i, &check, &error), BM_OK, "%s",
                     error.message);
        cr_assert(check.count >= 1 && check.count <= BM_CHECK_OUTPUTS);
        cr_assert(check.first + check.count <= outputs, "%s check %llu", c->workload->name,
                  (unsigned long long)i);
        cr_assert(check.scale > 0 && isfinite(check.scale));
        for (unsigned j = 0; j < check.count; j++) {
            const double expected = truth[check.first + j];
            cr_assert(fabs(check.expected[j] - expected) <= 1e-11 * fmax(fabs(expected), check.scale),
                      "%s output %llu: %.17g, should be %.17g", c->workload->name,
                      (unsigned long long)(check.first + j), check.expected[j], expected);
            touched[check.first + j] = 1;
        }
        cr_assert_eq(c->workload->check(c, plan, &operands, seed, i, &again, &error), BM_OK);
        cr_assert_eq(again.first, check.first, "the sample depends on seed and index alone");
    }
    cr_assert_eq(c->workload->check(c, plan, &operands, seed, count, &check, NULL), BM_INTERNAL);
}

static void plan_with(const struct bm_case *c, bool is_gpu, const char *name, int64_t value,
                      struct bm_plan *plan) {
    const struct bm_target target = {.is_gpu = is_gpu,
                                     .compute_units = 4,
                                     .max_group_items = 1024,
                                     .local_bytes = 65536,
                                     .max_allocation_bytes = UINT64_C(1) << 40};
    struct bm_parameters parameters = {0};
    struct bm_error error = {0};
    if (name)
        bm_parameters_set(&parameters, name, value);
    cr_assert_eq(c->workload->plan(c, &target, &parameters, plan, &error), BM_OK, "%s", error.message);
}

static const char *const formats[] = {"f32", "int8", "int8af32", "int4af16"};

/* Dense tensors in every format; something is checked in every 8 x 64 outputs, all columns of short vectors.
 */
Test(reference, matmul_in_plain_plans) {
    static const uint64_t shapes[][3] = {{1, 1, 1},    {1, 37, 101}, {1, 200, 64}, {2, 1, 1},
                                         {9, 130, 33}, {16, 64, 96}, {25, 100, 40}};
    make_values();
    for (size_t d = 0; bm_dtype_get(d) != NULL; d++)
        for (size_t s = 0; s < BM_COUNT_OF(shapes); s++) {
            const uint64_t *shape = shapes[s];
            const struct bm_case c = {.workload = bm_workload_find(shape[0] > 1 ? "gemm" : "gemv"),
                                      .phase = BM_PHASE_PREFILL,
                                      .dtype = bm_dtype_get(d),
                                      .m = shape[0],
                                      .n = shape[1],
                                      .k = shape[2]};
            struct bm_plan plan;
            unsigned char *touched = calloc(c.m * c.n, 1);
            cr_assert_eq(c.workload->plain(&c, &plan, NULL), BM_OK);
            cr_expect(plan.plain && plan.launch_count == 0);
            cr_expect_eq(plan.tensors[0].count, c.n * c.k);
            cr_expect_eq(plan.tensor_count, c.dtype->scale_group ? 4 : 3);
            double *truth = plain_by_force(&c);
            compare(&c, &plan, truth, c.m * c.n, 5, touched);
            for (uint64_t m = 0; m < c.m; m += 8)
                for (uint64_t n = 0; n < c.n; n += 64) {
                    unsigned found = 0;
                    for (uint64_t i = m; i < c.m && i < m + 8; i++)
                        for (uint64_t j = n; j < c.n && j < n + 64; j++)
                            found += touched[i * c.n + j];
                    cr_expect_geq(found, c.m == 1       ? (c.n - n < 64 ? c.n - n : 64)
                                         : c.n - n < 16 ? c.n - n
                                                        : 1);
                }
            free(truth);
            free(touched);
        }
}

Test(reference, gemm) {
    static const uint64_t shapes[][3] = {{2, 1, 1}, {3, 5, 7}, {13, 37, 101}, {25, 100, 64}, {40, 130, 33}};
    make_values();
    for (size_t s = 0; s < BM_COUNT_OF(shapes) * BM_COUNT_OF(formats); s++)
        for (int is_gpu = 0; is_gpu < 2; is_gpu++)
            for (int64_t tile_m = 4; tile_m <= 8; tile_m += 4) {
                const uint64_t *shape = shapes[s % BM_COUNT_OF(shapes)];
                const struct bm_case c = {.workload = bm_workload_find("gemm"),
                                          .phase = BM_PHASE_PREFILL,
                                          .dtype = bm_dtype_find(formats[s / BM_COUNT_OF(shapes)]),
                                          .m = shape[0],
                                          .n = shape[1],
                                          .k = shape[2]};
                struct bm_plan plan;
                plan_with(&c, is_gpu, "TILE_M", tile_m, &plan);
                const uint64_t rows = (uint64_t)bm_parameters_get(&plan.parameters, "TILE_M", 0);
                const uint64_t tile_n = (uint64_t)bm_parameters_get(&plan.parameters, "TILE_N", 0);
                double *truth = gemm_by_force(&c, &plan);
                unsigned char *touched = calloc(c.m * c.n, 1);
                compare(&c, &plan, truth, c.m * c.n, 99, touched);
                for (uint64_t m0 = 0; m0 < c.m; m0 += rows)
                    for (uint64_t n0 = 0; n0 < c.n; n0 += tile_n) {
                        bool seen = false;
                        for (uint64_t m = m0; m < c.m && m < m0 + rows; m++)
                            for (uint64_t n = n0; n < c.n && n < n0 + tile_n; n++)
                                seen |= touched[m * c.n + n];
                        cr_assert(seen, "the tile at %llu, %llu was not touched", (unsigned long long)m0,
                                  (unsigned long long)n0);
                    }
                free(touched);
                free(truth);
            }
}

Test(reference, gemm_on_a_matrix_unit) {
    static const uint64_t shapes[][3] = {{2, 1, 1}, {9, 5, 7}, {17, 37, 101}, {25, 100, 64}};
    static const char *const dtypes[] = {"f16", "bf16", "int8"};
    const struct bm_target target = {.is_gpu = true,
                                     .max_group_items = 1024,
                                     .local_bytes = 65536,
                                     .max_allocation_bytes = UINT64_C(1) << 40,
                                     .has_nvidia_mma = true};
    struct bm_parameters parameters = {0};
    static const struct bm_parameter unit[] = {{"MATRIX_UNIT", 2}, {"PANEL_N", 32}, {"TILE_N", 16},
                                               {"TILE_M", 32},     {"BLOCK_M", 64}, {"BLOCK_K", 64}};
    for (size_t i = 0; i < BM_COUNT_OF(unit); i++)
        bm_parameters_set(&parameters, unit[i].name, unit[i].value);
    make_values();
    for (size_t s = 0; s < BM_COUNT_OF(shapes) * BM_COUNT_OF(dtypes); s++) {
        const uint64_t *shape = shapes[s % BM_COUNT_OF(shapes)];
        const struct bm_case c = {.workload = bm_workload_find("gemm"),
                                  .phase = BM_PHASE_PREFILL,
                                  .dtype = bm_dtype_find(dtypes[s / BM_COUNT_OF(shapes)]),
                                  .m = shape[0],
                                  .n = shape[1],
                                  .k = shape[2]};
        struct bm_plan plan;
        struct bm_error error = {0};
        cr_assert_eq(c.workload->plan(&c, &target, &parameters, &plan, &error), BM_OK, "%s", error.message);
        double *truth = gemm_matrix_by_force(&c, 32);
        unsigned char *touched = calloc(c.m * c.n, 1);
        compare(&c, &plan, truth, c.m * c.n, 99, touched);
        for (uint64_t m = 0; m < c.m; m += 8)
            for (uint64_t n = 0; n < c.n; n++) {
                bool seen = false;
                for (uint64_t i = m; i < c.m && i < m + 8; i++)
                    seen |= touched[i * c.n + n];
                cr_assert(seen, "rows from %llu of column %llu", (unsigned long long)m,
                          (unsigned long long)n);
            }
        free(touched);
        free(truth);
    }
}

/* ---- routed experts ---- */

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
    double *x = activations_of(&rows);
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
                    double weight = element(0, nibbles ? first + k / 2 * 2 * panel_n + 2 * column + k % 2
                                                       : first + k * panel_n + column);
                    if (nibbles)
                        weight *=
                            element(plan->tensor_count - 1,
                                    e * columns * groups + (panel * groups + k / 32) * panel_n + column);
                    else if (c->dtype->weight == BM_ELEMENT_I8)
                        weight *= element(plan->tensor_count - 1, e * columns + n);
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
    make_values();
    for (size_t s = 0; s < BM_COUNT_OF(routed) * BM_COUNT_OF(formats); s++)
        for (int is_gpu = 0; is_gpu < 2; is_gpu++) {
            struct bm_case c = routed[s % BM_COUNT_OF(routed)];
            struct bm_plan plan;
            uint64_t occurred, drawn;
            c.workload = bm_workload_find("grouped_gemm");
            c.dtype = bm_dtype_find(formats[s / BM_COUNT_OF(routed)]);
            plan_with(&c, is_gpu, "TILE_M", 4, &plan);
            int32_t *table = calloc(plan.tensors[BM_GROUPED_ROUTING].count, sizeof(*table));
            cr_assert_eq(c.workload->fill(&c, &plan, BM_GROUPED_ROUTING, seed, draw, table, NULL), BM_OK);
            operands.table[BM_GROUPED_ROUTING] = table;
            double *truth = grouped_by_force(&c, &plan, seed, draw, &occurred);
            cr_assert_eq(bm_case_experts_drawn(&c, seed, draw, &drawn, NULL), BM_OK);
            cr_assert_eq(drawn, occurred);
            const uint64_t pairs = c.m * c.top_k;
            unsigned char *touched = calloc(pairs * c.n, 1);
            compare(&c, &plan, truth, pairs * c.n, 99, touched);
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

Test(reference, gemv) {
    static const uint64_t shapes[][2] = {{1, 1}, {5, 16}, {130, 100}, {63, 1013}};
    make_values();
    for (size_t s = 0; s < BM_COUNT_OF(shapes) * BM_COUNT_OF(formats); s++) {
        const struct bm_case c = {.workload = bm_workload_find("gemv"),
                                  .dtype = bm_dtype_find(formats[s / BM_COUNT_OF(shapes)]),
                                  .m = 1,
                                  .n = shapes[s % BM_COUNT_OF(shapes)][0],
                                  .k = shapes[s % BM_COUNT_OF(shapes)][1]};
        struct bm_plan plan;
        plan_with(&c, false, NULL, 0, &plan);
        double *truth = gemv_by_force(&c, &plan);
        unsigned char *touched = calloc(c.n, 1);
        compare(&c, &plan, truth, c.n, 99, touched);
        for (uint64_t n = 0; n < c.n; n++)
            cr_assert(touched[n]);
        free(touched);
        free(truth);
    }
}

Test(reference, large_gemv_is_sampled_in_every_group_of_rows) {
    const struct bm_case c = {.workload = bm_workload_find("gemv"),
                              .dtype = bm_dtype_find("f32"),
                              .m = 1,
                              .n = 10,
                              .k = UINT64_C(1) << 27};
    static struct bm_check check;
    struct bm_plan plan;
    plan_with(&c, false, "ROWS", 4, &plan);
    cr_assert_eq(c.workload->check_count(&c, &plan), 3);
    make_values();
    values.period = 1; /* all ones: a row's sum is k */
    values.values[0] = 1;
    cr_assert_eq(c.workload->check(&c, &plan, &operands, 1, 2, &check, NULL), BM_OK);
    cr_assert(check.first < 10 && check.first % 3 == 2 && check.count == 1, "rows 2, 5 and 8 go together");
    cr_assert_eq(check.expected[0], 0x1p27);
}

Test(reference, attention) {
    static const struct bm_case shapes[] = {
        {.phase = BM_PHASE_PREFILL,
         .batch = 2,
         .heads = 4,
         .kv_heads = 2,
         .head_dim = 5,
         .v_dim = 3,
         .tokens = 30},
        {.phase = BM_PHASE_PREFILL,
         .batch = 1,
         .heads = 3,
         .kv_heads = 3,
         .head_dim = 8,
         .v_dim = 8,
         .tokens = 1,
         .context = 9},
        {.phase = BM_PHASE_PREFILL,
         .batch = 1,
         .heads = 2,
         .kv_heads = 1,
         .head_dim = 4,
         .v_dim = 6,
         .tokens = 13,
         .context = 40},
        {.phase = BM_PHASE_PREFILL,
         .batch = 2,
         .heads = 2,
         .kv_heads = 1,
         .head_dim = 4,
         .v_dim = 6,
         .tokens = 23,
         .context = 10,
         .window = 7},
        {.phase = BM_PHASE_PREFILL,
         .batch = 1,
         .heads = 2,
         .kv_heads = 2,
         .head_dim = 6,
         .v_dim = 5,
         .tokens = 19,
         .context = 3,
         .kv = BM_KV_INT8},
        {.phase = BM_PHASE_DECODE,
         .batch = 2,
         .heads = 6,
         .kv_heads = 3,
         .head_dim = 7,
         .v_dim = 9,
         .tokens = 1,
         .context = 57,
         .kv = BM_KV_INT8},
        {.phase = BM_PHASE_DECODE,
         .batch = 3,
         .heads = 6,
         .kv_heads = 2,
         .head_dim = 7,
         .v_dim = 9,
         .tokens = 1,
         .context = 57},
        {.phase = BM_PHASE_DECODE,
         .batch = 1,
         .heads = 5,
         .kv_heads = 1,
         .head_dim = 16,
         .v_dim = 16,
         .tokens = 1,
         .context = 1},
    };
    make_values();
    for (size_t s = 0; s < BM_COUNT_OF(shapes); s++) {
        struct bm_case c = shapes[s];
        struct bm_plan plan;
        c.workload = bm_workload_find("attention");
        c.dtype = bm_dtype_find("f32");
        plan_with(&c, false, NULL, 0, &plan);
        const bool decode = c.phase == BM_PHASE_DECODE;
        const uint64_t tokens = decode ? 1 : c.tokens, rows = c.batch * tokens * c.heads;
        double *truth = attention_by_force(&c);
        unsigned char *touched = calloc((size_t)(rows * c.v_dim), 1);
        compare(&c, &plan, truth, rows * c.v_dim, 99, touched);
        const uint64_t tile = decode ? 1 : (uint64_t)bm_parameters_get(&plan.defines, "ROW_TILE", 0);
        for (uint64_t b = 0; b < c.batch; b++)
            for (uint64_t h = 0; h < c.heads; h++)
                for (uint64_t t0 = 0; t0 < tokens; t0 += tile) {
                    bool seen = false;
                    for (uint64_t t = t0; t < tokens && t < t0 + tile; t++)
                        seen |= touched[((b * tokens + t) * c.heads + h) * c.v_dim];
                    cr_assert(seen);
                }
        free(touched);
        free(truth);
    }
}

Test(reference, long_decode_is_sampled_among_the_heads_of_a_group) {
    struct bm_case c = {.workload = bm_workload_find("attention"),
                        .phase = BM_PHASE_DECODE,
                        .dtype = bm_dtype_find("f32"),
                        .batch = 8,
                        .heads = 64,
                        .kv_heads = 8,
                        .head_dim = 128,
                        .v_dim = 128,
                        .context = 32768};
    struct bm_plan plan;
    plan_with(&c, false, "DECODE_ROWS", 4, &plan);
    cr_assert_eq(c.workload->check_count(&c, &plan), 128);
    c.context = 1024;
    plan_with(&c, false, "DECODE_ROWS", 4, &plan);
    cr_assert_eq(c.workload->check_count(&c, &plan), 512);
}

Test(reference, ceilings) {
    struct bm_case cases[3];
    struct bm_plan plan;
    make_values();
    cr_assert_eq(bm_ceiling_cases(400004, cases, 3), 3);
    cases[2].n = 3000;
    cases[2].k = 77;
    for (size_t i = 0; i < 3; i++) {
        plan_with(&cases[i], false, NULL, 0, &plan);
        const uint64_t outputs = plan.tensors[1].count;
        double *truth = calloc(outputs, sizeof(*truth));
        unsigned char *touched = calloc(outputs, 1);
        if (!strcmp(cases[i].op, "read"))
            for (uint64_t j = 0; j < 100001; j++)
                truth[j / 16384] += element(0, j);
        for (uint64_t j = 0; j < outputs; j++) {
            if (!strcmp(cases[i].op, "copy"))
                truth[j] = element(0, j);
            if (!strcmp(cases[i].workload->name, "fma")) {
                truth[j] = element(0, j);
                for (int step = 0; step < 77; step++)
                    truth[j] = truth[j] * -(1 - 0x1p-12) + 1;
            }
        }
        cr_assert_eq(outputs, !strcmp(cases[i].op, "read") ? 7 : !strcmp(cases[i].op, "copy") ? 50000 : 3000);
        compare(&cases[i], &plan, truth, outputs, 1, touched);
        for (uint64_t j = 0; j < outputs; j++)
            cr_assert(touched[j]);
        free(touched);
        free(truth);
    }
}

/* A tolerance is of use when it lies between what rounding does and what a lost term does. */
Test(tolerance, lies_between_rounding_and_a_lost_term) {
    for (uint64_t k = 16; k <= 65536; k *= 4) {
        struct bm_case c = {
            .workload = bm_workload_find("gemm"), .dtype = bm_dtype_find("f32"), .m = 2, .n = 1, .k = k};
        const double rounding = 0.41 * 0x1p-24 * sqrt((double)k), lost = 1 / sqrt((double)k);
        cr_assert(c.workload->tolerance(&c) > 10 * rounding);
        cr_assert(c.workload->tolerance(&c) < 0.1 * lost, "k %llu", (unsigned long long)k);
        c.dtype = bm_dtype_find("f16");
        cr_assert(c.workload->tolerance(&c) > 0x1p-11 + 10 * rounding);
        cr_assert(c.workload->tolerance(&c) < 0.2 * lost, "k %llu", (unsigned long long)k);
    }
}

/* The recurrence itself, token by token: outputs, then the last state. Before the first token it is zeros,
 * or, in decode, tensor 5. */
static void scan_by_force(const struct bm_case *c, double *out, double *states) {
    const uint64_t tokens = c->phase == BM_PHASE_DECODE ? 1 : c->tokens, p = c->head_dim, n = c->n;
    const uint64_t width = c->heads * p + 2 * c->groups * n;
    for (uint64_t b = 0; b < c->batch; b++)
        for (uint64_t h = 0; h < c->heads; h++) {
            double *state = states + (b * c->heads + h) * n * p;
            for (uint64_t i = 0; i < n * p; i++)
                state[i] = c->phase == BM_PHASE_DECODE ? element(5, (b * c->heads + h) * n * p + i) : 0;
            for (uint64_t t = 0; t < tokens; t++) {
                const uint64_t token = b * tokens + t, x = token * width + h * p;
                const uint64_t in = token * width + c->heads * p + h / (c->heads / c->groups) * n,
                               to = in + c->groups * n;
                const double step =
                    log(1 + exp(element(3, token * c->heads + h) + element(4, 2 * c->heads + h)));
                const double left = exp(-step * exp(element(4, h)));
                for (uint64_t i = 0; i < p; i++) {
                    double *y = &out[(token * c->heads + h) * p + i];
                    *y = element(4, c->heads + h) * element(2, x + i);
                    for (uint64_t j = 0; j < n; j++) {
                        double *s = &state[j * p + i];
                        *s = left * *s + step * element(2, in + j) * element(2, x + i);
                        *y += element(2, to + j) * *s;
                    }
                }
            }
        }
}

Test(reference, mamba_scan_is_the_recurrence) {
    static const uint32_t shapes[][2] = {{1, 0}, {3, 0}, {1, 1}, {2, 37}};
    make_values();
    for (size_t s = 0; s < BM_COUNT_OF(shapes); s++) {
        const bool decode = shapes[s][1] == 0;
        const struct bm_case c = {.workload = bm_workload_find("mamba_scan"),
                                  .phase = decode ? BM_PHASE_DECODE : BM_PHASE_PREFILL,
                                  .dtype = bm_dtype_find("f32"),
                                  .batch = shapes[s][0],
                                  .tokens = decode ? 1 : shapes[s][1],
                                  .heads = 6,
                                  .head_dim = 5,
                                  .n = 8,
                                  .k = 16,
                                  .groups = 3};
        const uint64_t outputs = (uint64_t)c.batch * c.tokens * 30, states = (uint64_t)c.batch * 240;
        double *truth[2] = {calloc(outputs, sizeof(double)), calloc(states, sizeof(double))};
        unsigned char *touched[2] = {calloc(outputs, 1), calloc(states, 1)};
        struct bm_check *check = calloc(1, sizeof(*check));
        struct bm_plan plan;
        plan_with(&c, false, NULL, 0, &plan);
        scan_by_force(&c, truth[0], truth[1]);
        for (uint64_t i = 0; i < c.workload->check_count(&c, &plan); i++) {
            cr_assert_eq(c.workload->check(&c, &plan, &operands, 1, i, check, NULL), BM_OK);
            for (unsigned j = 0; j < check->count; j++) {
                touched[check->output][check->first + j] = 1;
                cr_assert_float_eq(check->expected[j], truth[check->output][check->first + j], 1e-9);
            }
        }
        for (uint64_t i = 0; i < outputs; i++)
            cr_assert(touched[0][i]);
        for (uint64_t i = 0; i < states; i++)
            cr_assert(touched[1][i]);
        for (unsigned i = 0; i < 2; i++) {
            free(truth[i]);
            free(touched[i]);
        }
        free(check);
    }
}
