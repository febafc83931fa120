/* The kernels of AMX, on every x86 CPU: where it has no tiles, or the system does not give them, tiles.c does
 * the work of their instructions. */
#include "endpoints.h"

#include <stdlib.h>

#include "native.h"
#include "tiles.h"

#if BM_NATIVE_X86
#include <immintrin.h>

static struct bm_topology *topology;
static struct bm_places here;
static struct bm_endpoint endpoint;
static struct bm_session *session;

/* A session that takes the CPU for one with AMX. */
static void begin(void) {
    struct bm_error error = {0};
    struct bm_endpoint *listed = NULL;
    size_t count = 0, capacity = 0;
    cr_assert_eq(bm_topology_open(NULL, &topology, &error), BM_OK, "%s", error.message);
    cr_assert_eq(bm_topology_places(topology, BM_CORES_ALL, 0, &here, &error), BM_OK, "%s", error.message);
    const struct bm_backend_options options = {.cpus = true, .places = &here};
    for (size_t i = 0; bm_backend_get(i) != NULL; i++)
        if (strcmp(bm_backend_get(i)->name, "native") == 0)
            cr_assert_eq(bm_backend_get(i)->list(&options, &listed, &count, &capacity, NULL), BM_OK);
    cr_assert_eq(count, 1);
    endpoint = listed[0];
    free(listed);
    session = session_open(&endpoint, 1 << 20, 1, NULL);
    if (!session->amx_given)
        tiles_emulate();
    session->cpu.amx_bf16 = session->cpu.amx_int8 = session->amx_given = true;
}

static void end(void) {
    cr_expect_str_eq(tiles_problem(), "");
    endpoint.backend->close(session);
    bm_places_fini(&here);
    bm_topology_close(topology);
}

TestSuite(tiles, .init = begin, .fini = end, .timeout = 60);

static struct bm_case matrix(const char *pipe) {
    struct bm_case the_case = {.workload = bm_workload_find("fma"), .model = "-", .n = 5000, .k = 10};
    bm_string_set(the_case.op, sizeof the_case.op, pipe);
    return the_case;
}

static const char *const pipes[] = {"bf16_matrix", "i8_matrix"};

/* Results of each kernel of the table against the reference: what it was configured with, where its tiles lie
 * in memory, how deep a step is. */
Test(tiles, kernels_compute_what_they_say) {
    for (size_t p = 0; p < BM_COUNT_OF(pipes); p++) {
        struct bm_case the_case = matrix(pipes[p]);
        struct bm_parameters candidates[8];
        cr_assert_eq(endpoint.backend->reserve(session, &the_case, NULL, NULL), BM_OK);
        const size_t count = endpoint.backend->candidates(session, &the_case, candidates, 8);
        cr_expect_eq(count, 2, "%s: %zu kernels", pipes[p], count);
        for (size_t c = 0; c < count; c++) {
            struct bm_prepared *prepared;
            struct bm_prepared_info info;
            struct bm_verification verification;
            struct bm_block block;
            cr_assert_eq(endpoint.backend->prepare(session, &the_case, &candidates[c], &prepared, NULL),
                         BM_OK);
            endpoint.backend->info(prepared, &info);
            cr_expect_str_eq(info.pipe, pipes[p]);
            cr_assert_eq(endpoint.backend->verify(prepared, 1, &verification, NULL), BM_OK);
            cr_expect_eq(verification.status, BM_VERIFICATION_PASSED, "%s: %s", pipes[p],
                         verification.problem);
            cr_expect_eq(verification.max_relative_error, 0, "whole numbers are exact");
            cr_expect_eq(endpoint.backend->run(prepared, 1, &block, NULL), BM_OK);
            cr_expect_str_eq(tiles_problem(), "");
            endpoint.backend->discard(prepared);
        }
    }
}

static const struct bm_fma_kernel *honest;

static void too_short(float *lanes, uint64_t steps, const struct bm_dot_operands *operands) {
    honest->run(lanes, steps - 2, operands);
}

static void lazy_tile(float *lanes, uint64_t steps, const struct bm_dot_operands *operands) {
    float last[256];
    memcpy(last, lanes + honest->lanes - 256, sizeof last);
    honest->run(lanes, steps, operands);
    memcpy(lanes + honest->lanes - 256, last, sizeof last);
}

Test(tiles, wrong_kernels_fail_verification) {
    void (*const wrongs[])(float *, uint64_t, const struct bm_dot_operands *) = {too_short, lazy_tile};
    for (size_t p = 0; p < BM_COUNT_OF(pipes); p++)
        for (size_t w = 0; w < BM_COUNT_OF(wrongs); w++) {
            struct bm_case the_case = matrix(pipes[p]);
            struct bm_prepared *prepared = session_prepare(&endpoint, session, &the_case);
            struct bm_fma_kernel wrong = *prepared->fma;
            struct bm_verification verification;
            honest = prepared->fma;
            wrong.run = wrongs[w];
            prepared->fma = &wrong;
            cr_assert_eq(endpoint.backend->verify(prepared, 1, &verification, NULL), BM_OK);
            cr_expect_eq(verification.status, BM_VERIFICATION_FAILED, "%s, %zu", pipes[p], w);
            endpoint.backend->discard(prepared);
        }
}

/* ---- what stands in for the CPU: the same on one that has AMX ---- */

struct configuration {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

enum { M = 5, N = 7, DEPTH = 24, STRIDE = 80 };

__attribute__((target("amx-tile,amx-int8,amx-bf16"))) static void
multiply(const struct configuration *configuration, int kind, const void *left, const void *right,
         void *sums) {
    _tile_loadconfig(configuration);
    _tile_zero(0);
    _tile_loadd(1, left, STRIDE);
    _tile_loadd(2, right, STRIDE);
    switch (kind) {
    case 0:
        _tile_dpbuud(0, 1, 2);
        break;
    case 1:
        _tile_dpbusd(0, 1, 2);
        break;
    case 2:
        _tile_dpbsud(0, 1, 2);
        break;
    case 3:
        _tile_dpbssd(0, 1, 2);
        break;
    default:
        _tile_dpbf16ps(0, 1, 2);
        break;
    }
    _tile_stored(0, sums, STRIDE);
    _tile_release();
}

Test(tiles, products_of_every_kind_in_parts_of_tiles) {
    static volatile struct configuration configuration; /* volatile: stored before it is loaded */
    static uint8_t left[M * STRIDE], right[DEPTH / 4 * STRIDE], sums[M * STRIDE];
    struct bm_random random;
    const uint64_t before = tiles_instructions();
    struct bm_cpu cpu;
    bm_cpu_detect(&cpu);
    bm_random_init(&random, 3);
    configuration.palette = 1;
    configuration.rows[0] = configuration.rows[1] = M;
    configuration.rows[2] = DEPTH / 4;
    configuration.row_bytes[0] = configuration.row_bytes[2] = 4 * N;
    configuration.row_bytes[1] = DEPTH;
    for (size_t i = 0; i < sizeof left; i++)
        left[i] = (uint8_t)bm_random_u64(&random);
    for (size_t i = 0; i < sizeof right; i++)
        right[i] = (uint8_t)bm_random_u64(&random);
    for (int kind = 0; kind < 4; kind++) {
        memset(sums, 0x55, sizeof sums);
        multiply((const struct configuration *)(uintptr_t)&configuration, kind, left, right, sums);
        for (int m = 0; m < M; m++)
            for (int n = 0; n < N; n++) {
                int32_t got, expected = 0;
                memcpy(&got, &sums[m * STRIDE + 4 * n], sizeof got);
                for (int k = 0; k < DEPTH; k++) {
                    const uint8_t a = left[m * STRIDE + k], b = right[k / 4 * STRIDE + 4 * n + k % 4];
                    expected += (kind >= 2 ? (int8_t)a : a) * (kind % 2 != 0 ? (int8_t)b : b);
                }
                cr_assert_eq(got, expected, "kind %d, %d %d: %d, not %d", kind, m, n, got, expected);
            }
        cr_expect_eq(sums[4 * N], 0x55, "what lies beside the rows stays");
    }
    for (size_t i = 0; i < sizeof left; i += 2) { /* small whole numbers in bf16 */
        const uint16_t value = bm_bfloat_from_float((float)(i % 7) - 3);
        memcpy(left + i, &value, 2);
    }
    for (size_t i = 0; i < sizeof right; i += 2) {
        const uint16_t value = bm_bfloat_from_float((float)(i % 11) - 5);
        memcpy(right + i, &value, 2);
    }
    multiply((const struct configuration *)(uintptr_t)&configuration, 4, left, right, sums);
    for (int m = 0; m < M; m++)
        for (int n = 0; n < N; n++) {
            float got, expected = 0;
            memcpy(&got, &sums[m * STRIDE + 4 * n], sizeof got);
            for (int k = 0; k < DEPTH / 2; k++) {
                const int a = (m * STRIDE + 2 * k) % 7 - 3, b = (k / 2 * STRIDE + 4 * n + k % 2 * 2) % 11 - 5;
                expected += (float)(a * b);
            }
            cr_assert_eq(got, expected, "%d %d: %g, not %g", m, n, (double)got, (double)expected);
        }
    cr_expect_eq(tiles_instructions() - before, cpu.amx_bf16 && bm_cpu_request_amx() ? 0 : 5 * 7);
}

/* What a CPU would fault at is told, so that a kernel cannot pass by luck. */
Test(tiles, misuse_is_told) {
    static struct configuration configuration = {.palette = 1, .rows = {2, 2, 3}, .row_bytes = {8, 8, 8}};
    static uint8_t memory[16 * STRIDE];
    struct bm_cpu cpu;
    bm_cpu_detect(&cpu);
    if (cpu.amx_bf16)
        cr_skip("this CPU faults itself");
    multiply(&configuration, 3, memory, memory, memory);
    cr_expect_str_eq(tiles_problem(), "the shapes of the tiles of a product do not fit");
    configuration.rows[2] = 0;
    multiply(&configuration, 3, memory, memory, memory);
    cr_expect_str_eq(tiles_problem(), "LDTILECFG: a tile has rows or columns alone");
    configuration.row_bytes[2] = 0;
    multiply(&configuration, 3, memory, memory, memory);
    cr_expect_str_eq(tiles_problem(), "a tile is used that is not configured");
    configuration.reserved[3] = 1;
    multiply(&configuration, 3, memory, memory, memory);
    cr_expect_str_eq(tiles_problem(), "LDTILECFG: a reserved byte is not 0");
}
#else
Test(tiles, none) {
    cr_skip("the compiler knows no tiles");
}
#endif
