/* The references of matrix products, whatever the format, the layout and the tiles. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "force.h"

static double *gemm_by_force(const struct bm_case *c, const struct bm_plan *plan) {
    const uint64_t panel_n = (uint64_t)bm_parameters_get(&plan->parameters, "PANEL_N", 0);
    const bool nibbles = c->dtype->weight == BM_ELEMENT_I4;
    const uint64_t k_stored = nibbles ? (c->k + 31) / 32 * 32 : c->k;
    double *out = calloc(c->m * c->n, sizeof(*out)), *x = force_activations(c);
    for (uint64_t m = 0; m < c->m; m++)
        for (uint64_t n = 0; n < c->n; n++)
            for (uint64_t k = 0; k < c->k; k++) {
                const uint64_t panel = n / panel_n, column = n % panel_n;
                double weight;
                if (nibbles)
                    weight = force_element(0, panel * panel_n * k_stored + k / 2 * 2 * panel_n + 2 * column +
                                                  k % 2) *
                             force_element(plan->tensor_count - 1,
                                           (panel * (k_stored / 32) + k / 32) * panel_n + column);
                else
                    weight = force_element(0, panel * panel_n * k_stored + k * panel_n + column);
                if (c->dtype->weight == BM_ELEMENT_I8)
                    weight *= force_element(plan->tensor_count - 1, n);
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
    double *out = calloc(c->m * c->n, sizeof(*out)), *x = force_activations(c);
    for (uint64_t at = 0; at < (c->n + panel_n - 1) / panel_n * panel_n * units * 32 / bytes; at++) {
        const uint64_t byte = at * bytes, word = byte / 4, j = word % 2, mate = word / 2 % 32;
        const uint64_t eighth = word / 64 % (panel_n / 8), unit = word / 64 / (panel_n / 8) % units;
        const uint64_t n = word / 64 / (panel_n / 8) / units * panel_n + eighth * 8 + mate / 4;
        const uint64_t k = (unit * 32 + 4 * (mate % 4 + 4 * j) + byte % 4) / bytes;
        for (uint64_t m = 0; n < c->n && k < c->k && m < c->m; m++)
            out[m * c->n + n] +=
                x[m * c->k + k] * force_element(0, at) * (bytes == 1 ? force_element(5, n) : 1);
    }
    free(x);
    return out;
}

static double *gemv_by_force(const struct bm_case *c, const struct bm_plan *plan) {
    const bool nibbles = c->dtype->weight == BM_ELEMENT_I4;
    const uint64_t stride = nibbles ? (c->k + 31) / 32 * 32 : (c->k + 15) / 16 * 16;
    double *out = calloc(c->n, sizeof(*out)), *x = force_activations(c);
    for (uint64_t n = 0; n < c->n; n++)
        for (uint64_t k = 0; k < c->k; k++) {
            const uint64_t g = k / 32, i = k % 32;
            double weight = force_element(0, n * stride + (nibbles ? g * 32 + i % 16 * 2 + i / 16 : k));
            if (nibbles)
                weight *= force_element(plan->tensor_count - 1, n * ((stride / 32 + 15) / 16 * 16) + g);
            else if (c->dtype->scale_group)
                weight *= force_element(plan->tensor_count - 1, n);
            out[n] += x[k] * weight;
        }
    free(x);
    return out;
}

static double *plain_by_force(const struct bm_case *c) {
    double *out = calloc(c->m * c->n, sizeof(*out)), *x = force_activations(c);
    const uint64_t group = c->dtype->scale_group < c->k ? c->dtype->scale_group : c->k;
    for (uint64_t m = 0; m < c->m; m++)
        for (uint64_t n = 0; n < c->n; n++)
            for (uint64_t k = 0; k < c->k; k++) {
                double weight = force_element(0, n * c->k + k);
                if (group > 0)
                    weight *= force_element(3, n * ((c->k + group - 1) / group) + k / group);
                out[m * c->n + n] += x[m * c->k + k] * weight;
            }
    free(x);
    return out;
}

/* Dense tensors in every format; something is checked in every 8 x 64 outputs, all columns of short vectors.
 */
Test(reference, matmul_in_plain_plans) {
    static const uint64_t shapes[][3] = {{1, 1, 1},    {1, 37, 101}, {1, 200, 64}, {2, 1, 1},
                                         {9, 130, 33}, {16, 64, 96}, {25, 100, 40}};
    force_begin();
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
            force_compare(&c, &plan, truth, c.m * c.n, 5, touched);
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
    force_begin();
    for (size_t s = 0; s < BM_COUNT_OF(shapes) * BM_COUNT_OF(force_formats); s++)
        for (int is_gpu = 0; is_gpu < 2; is_gpu++)
            for (int64_t tile_m = 4; tile_m <= 8; tile_m += 4) {
                const uint64_t *shape = shapes[s % BM_COUNT_OF(shapes)];
                const struct bm_case c = {.workload = bm_workload_find("gemm"),
                                          .phase = BM_PHASE_PREFILL,
                                          .dtype = bm_dtype_find(force_formats[s / BM_COUNT_OF(shapes)]),
                                          .m = shape[0],
                                          .n = shape[1],
                                          .k = shape[2]};
                struct bm_plan plan;
                force_plan(&c, is_gpu, "TILE_M", tile_m, &plan);
                const uint64_t rows = (uint64_t)bm_parameters_get(&plan.parameters, "TILE_M", 0);
                const uint64_t tile_n = (uint64_t)bm_parameters_get(&plan.parameters, "TILE_N", 0);
                double *truth = gemm_by_force(&c, &plan);
                unsigned char *touched = calloc(c.m * c.n, 1);
                force_compare(&c, &plan, truth, c.m * c.n, 99, touched);
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
    force_begin();
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
        force_compare(&c, &plan, truth, c.m * c.n, 99, touched);
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

Test(reference, gemv) {
    static const uint64_t shapes[][2] = {{1, 1}, {5, 16}, {130, 100}, {63, 1013}};
    force_begin();
    for (size_t s = 0; s < BM_COUNT_OF(shapes) * BM_COUNT_OF(force_formats); s++) {
        const struct bm_case c = {.workload = bm_workload_find("gemv"),
                                  .dtype = bm_dtype_find(force_formats[s / BM_COUNT_OF(shapes)]),
                                  .m = 1,
                                  .n = shapes[s % BM_COUNT_OF(shapes)][0],
                                  .k = shapes[s % BM_COUNT_OF(shapes)][1]};
        struct bm_plan plan;
        force_plan(&c, false, NULL, 0, &plan);
        double *truth = gemv_by_force(&c, &plan);
        unsigned char *touched = calloc(c.n, 1);
        force_compare(&c, &plan, truth, c.n, 99, touched);
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
    force_plan(&c, false, "ROWS", 4, &plan);
    cr_assert_eq(c.workload->check_count(&c, &plan), 3);
    force_begin();
    force_values.period = 1; /* all ones: a row's sum is k */
    force_values.values[0] = 1;
    cr_assert_eq(c.workload->check(&c, &plan, &force_operands, 1, 2, &check, NULL), BM_OK);
    cr_assert(check.first < 10 && check.first % 3 == 2 && check.count == 1, "rows 2, 5 and 8 go together");
    cr_assert_eq(check.expected[0], 0x1p27);
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
