/* Plans of matrix products: panels, packing, scales, matrix units. */
#include <criterion/criterion.h>
#include <string.h>

#include "targets.h"

Test(plan, gemm_packs_activations_and_takes_the_panels_in_turn) {
    const struct bm_case c = {.workload = bm_workload_find("gemm"),
                              .phase = BM_PHASE_PREFILL,
                              .dtype = bm_dtype_find("f32"),
                              .m = 128,
                              .n = 4099,
                              .k = 1021};
    struct bm_plan plan;
    cr_assert_eq(c.workload->plan(&c, &cpu, NULL, &plan, NULL), BM_OK);
    cr_assert_eq(plan.launch_count, 2);
    cr_assert_eq(plan.launches[0].global[0], 128 / 8, "a tile each");
    cr_assert_eq(plan.launches[0].global[1], (1021 + 255) / 256);
    /* dimension 0: panels; 1: blocks of rows, the slowest, as they share activations */
    cr_assert_eq(plan.launches[1].global[0], (4099 + 31) / 32);
    cr_assert_eq(plan.launches[1].global[1], 1);
    cr_assert_eq(plan.tensors[0].count, (uint64_t)129 * 32 * 1021, "padded to whole panels");
}

Test(plan, matmul_has_the_scales_and_steps_of_its_format) {
    static const struct {
        const char *dtype;
        unsigned gemm_launches, gemv_launches;
        uint64_t scales, gemv_scales;
    } expected[] = {{"f32", 2, 1, 0, 0},
                    {"bf16", 2, 1, 0, 0},
                    {"int8", 3, 2, 129 * 32, 4099},
                    {"int8af16", 2, 1, 129 * 32, 4099},
                    {"int4af32", 2, 1, 129 * 32 * 32, 4099 * 32}};
    for (size_t i = 0; i < BM_COUNT_OF(expected); i++) {
        struct bm_case c = {.workload = bm_workload_find("gemm"),
                            .phase = BM_PHASE_PREFILL,
                            .dtype = bm_dtype_find(expected[i].dtype),
                            .m = 128,
                            .n = 4099,
                            .k = 1021};
        struct bm_plan plan;
        cr_assert_eq(c.workload->plan(&c, &cpu, NULL, &plan, NULL), BM_OK);
        cr_assert_eq(plan.launch_count, expected[i].gemm_launches, "%s", expected[i].dtype);
        const struct bm_tensor *last = &plan.tensors[plan.tensor_count - 1];
        if (expected[i].scales)
            cr_assert(!strcmp(last->name, "scales") && last->count == expected[i].scales, "%s",
                      expected[i].dtype);
        if (c.dtype->weight == BM_ELEMENT_I4)
            cr_assert_eq(plan.tensors[0].count, (uint64_t)129 * 32 * 1024, "whole groups");
        c.workload = bm_workload_find("gemv");
        c.m = 1;
        cr_assert_eq(c.workload->plan(&c, &cpu, NULL, &plan, NULL), BM_OK);
        cr_assert_eq(plan.launch_count, expected[i].gemv_launches, "%s", expected[i].dtype);
        last = &plan.tensors[plan.tensor_count - 1];
        if (expected[i].gemv_scales)
            cr_assert(!strcmp(last->name, "scales") && last->count == expected[i].gemv_scales, "%s",
                      expected[i].dtype);
    }
}

/* A unit's kernel where a device has the unit, reading rows as they are where they begin at whole chunks. */
Test(plan, gemm_takes_a_matrix_unit_by_parameter) {
    static const struct {
        const char *dtype, *pipe;
        uint64_t k, k_stored;
        unsigned launches, tensors;
    } expected[] = {{"f16", "f16_matrix", 1024, 1024, 1, 3},
                    {"f16", "f16_matrix", 1000, 1008, 1, 3},
                    {"f16", "f16_matrix", 1021, 1024, 2, 4},
                    {"bf16", "bf16_matrix", 4096, 4096, 1, 3},
                    {"int8", "i8_matrix", 1021, 1024, 2, 6}};
    struct bm_target mma = gpu;
    struct bm_parameters parameters = {0};
    struct bm_plan plan;
    struct bm_error error = {0};
    mma.has_nvidia_mma = true;
    static const struct bm_parameter unit[] = {{"MATRIX_UNIT", 2}, {"PANEL_N", 128}, {"TILE_N", 32},
                                               {"TILE_M", 64},     {"BLOCK_M", 128}, {"BLOCK_K", 32},
                                               {"BUFFERS", 3}};
    for (size_t i = 0; i < BM_COUNT_OF(unit); i++)
        bm_parameters_set(&parameters, unit[i].name, unit[i].value);
    struct bm_case c = {.workload = bm_workload_find("gemm"), .phase = BM_PHASE_PREFILL, .m = 300, .n = 1000};
    for (size_t i = 0; i < BM_COUNT_OF(expected); i++) {
        c.dtype = bm_dtype_find(expected[i].dtype);
        c.k = expected[i].k;
        cr_assert_eq(c.workload->plan(&c, &mma, &parameters, &plan, &error), BM_OK, "%s", error.message);
        cr_expect_str_eq(plan.pipe, expected[i].pipe);
        cr_expect_str_eq(plan.source, "gemm_matrix.cl");
        cr_expect_str_eq(plan.variant, "matrix_tile");
        cr_expect_eq(plan.launch_count, expected[i].launches, "%s %llu", expected[i].dtype,
                     (unsigned long long)c.k);
        cr_expect_eq(plan.tensor_count, expected[i].tensors);
        cr_expect_eq(plan.tensors[0].count, 8 * 128 * expected[i].k_stored, "whole panels and units");
        const struct bm_launch *launch = &plan.launches[plan.launch_count - 1];
        cr_expect(launch->local[0] == 256 && launch->global[0] == 3 * 256 && launch->global[1] == 8);
    }
    static const struct {
        const char *name;
        int64_t value;
        const char *word;
    } refused[] = {{"MATRIX_UNIT", 1, "for tests"},  {"MATRIX_UNIT", 0, "TILE_M is 64"},
                   {"TILE_M", 8, "multiple of 16"},  {"TILE_N", 4, "TILE_N 4"},
                   {"BUFFERS", 4, "local memory"},   {"PANEL_N", 1024, "work-items"},
                   {"BLOCK_K", 8, "multiple of 16"}, {"PACK_LANES", 4096, "PACK_LANES"}};
    c.dtype = bm_dtype_find("f16");
    for (size_t i = 0; i < BM_COUNT_OF(refused); i++) {
        struct bm_parameters changed = parameters;
        bm_parameters_set(&changed, refused[i].name, refused[i].value);
        error = (struct bm_error){0};
        cr_expect_eq(c.workload->plan(&c, &mma, &changed, &plan, &error), BM_INVALID, "%s", refused[i].word);
        cr_expect_not_null(strstr(error.message, refused[i].word), "'%s' does not say %s", error.message,
                           refused[i].word);
        cr_expect_eq(plan.launch_count, 0, "outputs are cleared");
    }
    error = (struct bm_error){0};
    cr_expect_eq(c.workload->plan(&c, &gpu, &parameters, &plan, &error), BM_INVALID);
    cr_expect_not_null(strstr(error.message, "mma.sync"), "%s", error.message);
    c.dtype = bm_dtype_find("int4af16");
    error = (struct bm_error){0};
    cr_expect_eq(c.workload->plan(&c, &mma, &parameters, &plan, &error), BM_INVALID);
    cr_expect_not_null(strstr(error.message, "int4af16"), "%s", error.message);
}

/* The experts' kernel has no such unit: tiles for one would not fit a work-item's registers. */
Test(plan, experts_do_not_take_parameters_of_the_matrix_unit) {
    struct bm_target mma = gpu;
    struct bm_parameters parameters;
    struct bm_plan plan;
    struct bm_error error = {0};
    struct bm_case c = {.workload = bm_workload_find("grouped_gemm"),
                        .phase = BM_PHASE_PREFILL,
                        .dtype = bm_dtype_find("f16"),
                        .m = 64,
                        .n = 256,
                        .k = 128,
                        .experts = 8,
                        .top_k = 2};
    mma.has_nvidia_mma = true;
    c.workload->safe_parameters(&c, &mma, &parameters);
    cr_expect_eq(c.workload->plan(&c, &mma, &parameters, &plan, &error), BM_OK, "%s", error.message);
    bm_parameters_set(&parameters, "MATRIX_UNIT", 2);
    cr_expect_eq(c.workload->plan(&c, &mma, &parameters, &plan, &error), BM_INVALID);
    cr_expect_not_null(strstr(error.message, "MATRIX_UNIT is for gemm alone"), "%s", error.message);
    cr_expect_eq(plan.launch_count, 0, "outputs are cleared");
}

/* bench/tuned/nvidia-mma.json: every set makes a plan on the unit, for names of such devices alone. */
Test(plan, shipped_parameters_of_the_matrix_unit_suit_it) {
    static const struct {
        const char *name;
        bool has;
    } devices[] = {{"NVIDIA H100 80GB HBM3", true},
                   {"A100-PCIE-40GB", true},
                   {"NVIDIA GeForce RTX 4090", true},
                   {"NVIDIA RTX A6000", true},
                   {"NVIDIA L4", true},
                   {"Tesla V100-SXM2-16GB", false},
                   {"NVIDIA GeForce RTX 2070", false},
                   {"Intel(R) Arc(TM) Pro A40 Graphics", false}};
    static const uint64_t rows[] = {4, 20, 100, 300, 4096};
    struct bm_target mma = gpu;
    mma.has_nvidia_mma = true;
    for (size_t d = 0; d < BM_COUNT_OF(devices); d++) {
        const struct bm_tuned_device device = {
            .backend = "opencl/nvidia", .name = devices[d].name, .driver = "1", .is_gpu = true};
        struct bm_tuned_list list = {0};
        struct bm_error error = {0};
        cr_assert_eq(bm_tuned_shipped(&device, &list, &error), BM_OK, "%s", error.message);
        static const char *const dtypes[] = {"f16", "bf16", "int8"};
        for (size_t i = 0; i < BM_COUNT_OF(rows) * BM_COUNT_OF(dtypes); i++) {
            const struct bm_case c = {.workload = bm_workload_find("gemm"),
                                      .phase = BM_PHASE_PREFILL,
                                      .dtype = bm_dtype_find(dtypes[i % BM_COUNT_OF(dtypes)]),
                                      .m = rows[i / BM_COUNT_OF(dtypes)],
                                      .n = 4096,
                                      .k = 4096};
            char shape_class[BM_CLASS_SIZE];
            struct bm_plan plan;
            bm_case_class(&c, shape_class);
            const struct bm_tuned_entry *entry = bm_tuned_find(&list, "gemm", c.dtype->name, shape_class);
            cr_assert_not_null(entry);
            cr_assert_eq(c.workload->plan(&c, &mma, &entry->parameters, &plan, &error), BM_OK, "%s: %s",
                         devices[d].name, error.message);
            cr_expect_str_eq(plan.variant, devices[d].has ? "matrix_tile" : "group_tile", "%s",
                             devices[d].name);
        }
        bm_tuned_list_fini(&list);
    }
}
