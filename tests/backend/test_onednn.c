/* The onednn backend: shapes with tails in every format, under caps and with several threads, and workers
 * that die. Skipped where the library was not there when this was built. */
#include "endpoints.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>

#include "onednn/worker/quantise.h"
#include "worker/process.h"

static struct bm_topology *topology;
static struct bm_places here;

static void begin(void) {
    struct bm_error error = {0};
    cr_assert_eq(bm_topology_open(NULL, &topology, &error), BM_OK, "%s", error.message);
    cr_assert_eq(bm_topology_places(topology, BM_CORES_ALL, 0, &here, &error), BM_OK, "%s", error.message);
}

static void end(void) {
    bm_places_fini(&here);
    bm_topology_close(topology);
}

TestSuite(onednn, .init = begin, .fini = end, .timeout = 100);

static struct bm_endpoint endpoint_of(const struct bm_places *places, enum bm_isa isa) {
    struct bm_endpoint *listed = NULL, found = {0};
    size_t count = 0, capacity = 0;
    const struct bm_backend *onednn = NULL;
    const struct bm_backend_options options = {.cpus = true, .places = places, .isa = isa};
    for (size_t i = 0; bm_backend_get(i) != NULL; i++)
        if (strcmp(bm_backend_get(i)->name, "onednn") == 0)
            onednn = bm_backend_get(i);
    cr_assert_not_null(onednn);
    cr_assert_eq(onednn->list(&options, &listed, &count, &capacity, NULL), BM_OK);
    cr_assert_leq(count, 1);
    if (count > 0)
        found = listed[0];
    free(listed);
    return found;
}

static struct bm_case matmul(const char *dtype, uint64_t m, uint64_t n, uint64_t k) {
    return (struct bm_case){.workload = bm_workload_find(m > 1 ? "gemm" : "gemv"),
                            .model = "test",
                            .op = "qkv",
                            .phase = BM_PHASE_PREFILL,
                            .dtype = bm_dtype_find(dtype),
                            .batch = 1,
                            .tokens = (uint32_t)m,
                            .m = m,
                            .n = n,
                            .k = k};
}

static const uint64_t shapes[][3] = {{1, 1, 1},    {1, 3, 2},    {1, 70, 129},  {1, 257, 64},
                                     {2, 1, 1},    {2, 16, 31},  {5, 3, 7},     {17, 65, 33},
                                     {16, 48, 64}, {33, 130, 5}, {64, 96, 256}, {7, 1000, 40}};

/* Passes all shapes of a format, or is refused for all of them; returns which. */
static bool expect_all_shapes(const struct bm_endpoint *endpoint, const char *dtype, char pipe[24]) {
    struct bm_session *session = session_open(endpoint, 1 << 20, 1, NULL);
    size_t taken = 0;
    for (size_t s = 0; s < BM_COUNT_OF(shapes); s++) {
        struct bm_case the_case = matmul(dtype, shapes[s][0], shapes[s][1], shapes[s][2]);
        struct bm_error error = {0};
        enum bm_status status = endpoint->backend->reserve(session, &the_case, NULL, &error);
        cr_assert(status == BM_OK || status == BM_UNSUPPORTED, "%s", error.message);
        cr_expect(status == BM_OK || strstr(error.message, "oneDNN") != NULL, "%s", error.message);
        taken += status == BM_OK;
    }
    cr_expect(taken == 0 || taken == BM_COUNT_OF(shapes), "%s: %zu shapes", dtype, taken);
    for (size_t s = 0; taken > 0 && s < BM_COUNT_OF(shapes); s++) {
        struct bm_case the_case = matmul(dtype, shapes[s][0], shapes[s][1], shapes[s][2]);
        struct bm_prepared *prepared = session_prepare(endpoint, session, &the_case);
        struct bm_prepared_info info;
        struct bm_block block;
        char key[BM_KEY_SIZE];
        bm_case_key(&the_case, key);
        endpoint->backend->info(prepared, &info);
        bm_string_set(pipe, 24, info.pipe);
        for (uint64_t seed = 0; seed < 3; seed++) { /* other slots, and again after timing */
            struct bm_verification verification;
            struct bm_error error = {0};
            cr_assert_eq(endpoint->backend->verify(prepared, seed * 1000, &verification, &error), BM_OK,
                         "%s: %s", key, error.message);
            cr_expect_eq(verification.status, BM_VERIFICATION_PASSED, "%s %s %s: %s, error %g of %g",
                         bm_isa_name(endpoint->isa), key, info.variant, verification.problem,
                         verification.max_relative_error, verification.tolerance);
            cr_assert_eq(endpoint->backend->run(prepared, 3, &block, &error), BM_OK);
            cr_expect_gt(block.host_ns, 0);
        }
        endpoint->backend->discard(prepared);
    }
    endpoint->backend->close(session);
    return taken > 0;
}

static bool is_there(void) {
    struct bm_endpoint endpoint = endpoint_of(&here, BM_ISA_ANY);
    cr_expect(endpoint.only_rows);
    cr_expect(endpoint.usable || strstr(endpoint.unusable_reason, "oneDNN") != NULL, "%s",
              endpoint.unusable_reason);
    return endpoint.usable;
}

/* What each tier brings: the formats that it has, and the unit that does their arithmetic. */
Test(onednn, every_format_under_every_cap) {
    static const char *const dtypes[] = {"f32", "bf16", "f16", "int8", "int8af32", "int4af16"};
    struct bm_cpu cpu;
    bm_cpu_detect(&cpu);
    if (!is_there())
        cr_skip("built without oneDNN");
    for (int isa = BM_ISA_ANY; isa < BM_ISA_COUNT; isa++) {
        struct bm_endpoint endpoint = endpoint_of(&here, (enum bm_isa)isa);
        char pipes[BM_COUNT_OF(dtypes)][24] = {""};
        bool has[BM_COUNT_OF(dtypes)];
        cr_assert_eq(endpoint.usable, bm_cpu_has(&cpu, (enum bm_isa)isa), "%s", endpoint.unusable_reason);
        if (!endpoint.usable)
            continue;
        for (size_t d = 0; d < BM_COUNT_OF(dtypes); d++)
            has[d] = expect_all_shapes(&endpoint, dtypes[d], pipes[d]);
        for (size_t d = 0; d < BM_COUNT_OF(dtypes); d++) {
            struct bm_case product = {.workload = bm_workload_find("gemv"),
                                      .dtype = bm_dtype_find(dtypes[d])};
            cr_expect_eq(bm_endpoint_offers(&endpoint, &product), has[d], "%s: what is listed is what runs",
                         dtypes[d]);
            product.workload = bm_workload_find("attention");
            cr_expect_not(bm_endpoint_offers(&endpoint, &product));
        }
        cr_expect(has[0] && strcmp(pipes[0], "f32_vector") == 0);
        cr_expect(!has[4] && !has[5], "weight-only formats are not the library's");
        if (isa == BM_ISA_AVX2)
            cr_expect_not(has[1], "bf16 needs AVX-512");
        if (isa == BM_ISA_AVX512_BF16)
            cr_expect_str_eq(pipes[1], "bf16_dot");
        if (isa == BM_ISA_VNNI || isa == BM_ISA_AVX512_BF16)
            cr_expect_str_eq(pipes[3], "i8_dot");
        cr_expect_eq(has[3], isa != BM_ISA_AVX2 && isa != BM_ISA_AVX512 && bm_cpu_has(&cpu, BM_ISA_VNNI),
                     "int8 that saturates on the way is none");
        cr_expect_eq(strstr(pipes[1], "matrix") != NULL,
                     (isa == BM_ISA_ANY || isa == BM_ISA_AMX) && cpu.amx_bf16);
    }
}

/* u8s8 and s8s8 are one contract: both pass, in vectors and matrices, and nothing else is taken. */
Test(onednn, activations_of_either_sign) {
    struct bm_cpu cpu;
    bm_cpu_detect(&cpu);
    if (!is_there() || !bm_cpu_has(&cpu, BM_ISA_VNNI))
        cr_skip("no int8 products");
    struct bm_endpoint endpoint = endpoint_of(&here, BM_ISA_ANY);
    const struct bm_backend *backend = endpoint.backend;
    struct bm_session *session = session_open(&endpoint, 1 << 20, 1, NULL);
    struct bm_case cases[] = {matmul("int8", 1, 257, 129), matmul("int8", 33, 70, 1000)};
    struct bm_parameters parameters = {0};
    struct bm_error error = {0};
    for (int c = 0; c < 4; c++) {
        bm_parameters_set(&parameters, "UNSIGNED", c % 2);
        cr_assert_eq(backend->reserve(session, &cases[c / 2], &parameters, &error), BM_OK, "%s",
                     error.message);
    }
    for (int c = 0; c < 4; c++) {
        struct bm_prepared *prepared;
        struct bm_prepared_info info;
        struct bm_verification verification;
        bm_parameters_set(&parameters, "UNSIGNED", c % 2);
        cr_assert_eq(backend->prepare(session, &cases[c / 2], &parameters, &prepared, &error), BM_OK, "%s",
                     error.message);
        backend->info(prepared, &info);
        cr_expect_eq(bm_parameters_get(info.parameters, "UNSIGNED", -1), c % 2);
        cr_expect_str_eq(info.parameters_from, "tuned");
        cr_assert_eq(backend->verify(prepared, 7, &verification, &error), BM_OK, "%s", error.message);
        cr_expect_eq(verification.status, BM_VERIFICATION_PASSED, "%s", verification.problem);
        backend->discard(prepared);
    }
    bm_parameters_set(&parameters, "UNSIGNED", 2);
    cr_expect_eq(backend->reserve(session, &cases[0], &parameters, &error), BM_INVALID);
    cr_expect_not_null(strstr(error.message, "no kernel parameter UNSIGNED = 2 in int8"), "%s",
                       error.message);
    bm_parameters_set(&parameters, "UNSIGNED", 1);
    cases[0].dtype = bm_dtype_find("f32");
    cr_expect_eq(backend->reserve(session, &cases[0], &parameters, NULL), BM_INVALID);
    const char *from;
    cr_assert_eq(backend->known(session, &cases[1], &parameters, &from, NULL), BM_OK);
    struct bm_prepared *prepared = session_prepare(&endpoint, session, &cases[1]);
    struct bm_prepared_info info;
    backend->info(prepared, &info);
    cr_expect_eq(bm_parameters_get(info.parameters, "UNSIGNED", -1),
                 bm_parameters_get(&parameters, "UNSIGNED", -2), "what is known is what runs");
    backend->discard(prepared);
    backend->close(session);
}

/* ---- threads ---- */

static struct bm_case large(void) {
    return matmul("f32", 64, 512, 512);
}

/* Every thread on a place of its own; more than there are processors share them. */
Test(onednn, runs_with_one_two_and_more_threads) {
    struct bm_place places[4];
    if (!is_there())
        cr_skip("built without oneDNN");
    for (unsigned count = 1; count <= 4; count *= 2) {
        for (unsigned i = 0; i < count; i++)
            places[i] = here.items[i % here.count];
        struct bm_places some = {.items = places, .count = count};
        struct bm_endpoint endpoint = endpoint_of(&some, BM_ISA_ANY);
        struct bm_case the_case = large();
        struct bm_session *session = session_open(&endpoint, 1 << 20, 1, NULL);
        struct bm_prepared *prepared = session_prepare(&endpoint, session, &the_case);
        struct bm_verification verification;
        cr_expect_eq(endpoint.compute_units, count);
        cr_assert_eq(endpoint.backend->verify(prepared, 1, &verification, NULL), BM_OK);
        cr_expect_eq(verification.status, BM_VERIFICATION_PASSED, "%u threads: %s", count,
                     verification.problem);
        endpoint.backend->discard(prepared);
        endpoint.backend->close(session);
    }
}

/* ---- a worker that dies takes its session with it, and nothing else ---- */

struct session_of_worker { /* begins as bm_session of the backend does */
    const struct bm_endpoint *endpoint;
    struct bm_target target;
    struct bm_worker worker;
};

Test(onednn, a_dead_worker_is_told_of_by_every_call) {
    if (!is_there())
        cr_skip("built without oneDNN");
    struct bm_endpoint endpoint = endpoint_of(&here, BM_ISA_ANY);
    const struct bm_backend *backend = endpoint.backend;
    struct bm_session *session = session_open(&endpoint, 1 << 20, 1, NULL),
                      *other = session_open(&endpoint, 1 << 20, 1, NULL);
    struct bm_case the_case = large();
    struct bm_prepared *prepared = session_prepare(&endpoint, session, &the_case),
                       *alive = session_prepare(&endpoint, other, &the_case);
    struct bm_verification verification;
    struct bm_block block = {.host_ns = 7};
    struct bm_error error = {0};
    cr_assert_eq(kill(((struct session_of_worker *)(void *)session)->worker.pid, SIGKILL), 0);
    cr_expect_eq(backend->run(prepared, 1, &block, &error), BM_DEVICE);
    cr_expect_not_null(strstr(error.message, "the process that runs oneDNN died: Killed"), "%s",
                       error.message);
    cr_expect_eq(block.host_ns, 0, "outputs are cleared");
    error = (struct bm_error){0};
    cr_expect_eq(backend->verify(prepared, 1, &verification, &error), BM_DEVICE);
    cr_expect_not_null(strstr(error.message, "Killed"), "%s", error.message);
    cr_expect_eq(backend->reserve(session, &the_case, NULL, NULL), BM_DEVICE);
    cr_assert_eq(backend->verify(alive, 1, &verification, NULL), BM_OK);
    cr_expect_eq(verification.status, BM_VERIFICATION_PASSED);
    backend->discard(prepared);
    backend->discard(alive);
    backend->close(session);
    backend->close(other);
}

/* ---- the conversation ---- */

Test(onednn, workers_check_what_they_are_told) {
    char path[4096];
    char *const none[] = {NULL};
    struct bm_worker worker;
    static struct bm_worker_request request;
    static struct bm_worker_reply reply;
    struct bm_error error = {0};
    if (!is_there())
        cr_skip("built without oneDNN");
    cr_assert_eq(bm_worker_find("benchmark-onednn", path, sizeof path, &error), BM_OK, "%s", error.message);
    cr_assert_eq(bm_worker_start("test", path, none, &worker, &error), BM_OK, "%s", error.message);
    request.call = BM_WORKER_RUN;
    cr_expect_eq(bm_worker_call(&worker, &request, &reply, &error), BM_INTERNAL);
    cr_expect_not_null(strstr(error.message, "no session"), "%s", error.message);
    request.build = bm_worker_build() + 1;
    cr_assert(bm_worker_send(worker.socket, &request, sizeof request));
    cr_assert(bm_worker_receive(worker.socket, &reply, sizeof reply));
    cr_expect_eq(reply.status, BM_INTERNAL);
    cr_expect_not_null(strstr(reply.error.message, "another build"), "%s", reply.error.message);
    bm_worker_stop(&worker);
    cr_expect_eq(worker.pid, -1);
    bm_worker_stop(&worker);
}

Test(onednn, a_program_that_is_no_worker) {
    char *const none[] = {NULL};
    char path[4096];
    struct bm_worker worker;
    static struct bm_worker_request request;
    static struct bm_worker_reply reply;
    struct bm_error error = {0};
    cr_assert_eq(bm_worker_start("false", "/bin/false", none, &worker, &error), BM_OK, "%s", error.message);
    cr_expect_eq(bm_worker_call(&worker, &request, &reply, &error), BM_DEVICE);
    cr_expect_not_null(strstr(error.message, "ended with code 1"), "%s", error.message);
    bm_worker_stop(&worker);
    error = (struct bm_error){0};
    cr_expect_eq(bm_worker_start("nothing", "/nowhere/at/all", none, &worker, &error), BM_DEVICE);
    cr_expect_not_null(strstr(error.message, "/nowhere/at/all does not start"), "%s", error.message);
    error = (struct bm_error){0};
    cr_expect_eq(bm_worker_find("benchmark-of-nothing", path, sizeof path, &error), BM_NOT_FOUND);
    cr_expect_not_null(strstr(error.message, "benchmark-of-nothing"), "%s", error.message);
}

Test(onednn, cases_cross_the_socket_whole) {
    struct bm_worker_case packed;
    struct bm_case the_case = matmul("bf16", 3, 4, 5), back;
    the_case.hot = true;
    bm_worker_case_pack(&the_case, &packed);
    cr_expect(packed.the_case.workload == NULL && packed.the_case.dtype == NULL,
              "no pointer leaves a process");
    cr_assert(bm_worker_case_unpack(&packed, &back));
    char key[BM_KEY_SIZE], other[BM_KEY_SIZE];
    bm_case_key(&the_case, key);
    bm_case_key(&back, other);
    cr_expect_str_eq(key, other);
    bm_string_set(packed.dtype, sizeof packed.dtype, "f80");
    cr_expect_not(bm_worker_case_unpack(&packed, &back));
}

/* ---- around the library's work ---- */

/* Every set of instructions gives what the contract says, bit by bit: ties, the largest value, rows of zeros.
 */
Test(quantise, follows_the_contract_whatever_the_instructions) {
    enum { ROWS = 5, K = 1003 };
    static float x[ROWS * K];
    static uint8_t q[ROWS * K];
    struct bm_cpu cpus[3] = {{0}};
    float scales[ROWS];
    struct bm_random random;
    bm_cpu_detect(&cpus[1]);
    cpus[2] = cpus[1];
    bm_cpu_cap(&cpus[2], BM_ISA_AVX2);
    bm_random_init(&random, 5);
    for (size_t i = 0; i < ROWS * K; i++)
        x[i] = (float)bm_random_normal(&random);
    for (size_t j = 0; j < K; j++) {
        x[3 * K + j] = 0;
        x[4 * K + j] = (float)((int)(j % 255) - 127) + (j > 500 ? 0.5f : 0);
    }
    x[4 * K] = 127;
    for (size_t c = 0; c < 6; c++) {
        const int offset = c < 3 ? 0 : BM_UNSIGNED_OFFSET;
        memset(q, 0x55, sizeof q);
        bm_quantise_rows(&cpus[c % 3], x, ROWS, K, offset, q, scales);
        for (size_t r = 0; r < ROWS; r++) {
            float largest = 0;
            for (size_t j = 0; j < K; j++)
                largest = fmaxf(largest, fabsf(x[r * K + j]));
            cr_expect_eq(scales[r], largest / 127);
            for (size_t j = 0; j < K; j++) {
                const float expected = largest > 0 ? rintf(x[r * K + j] / (largest / 127)) : 0;
                const int got = offset > 0 ? q[r * K + j] - offset : (int8_t)q[r * K + j];
                cr_assert_eq((float)got, expected, "cpu %zu, row %zu, %zu: %d, not %g", c, r, j, got,
                             (double)expected);
            }
        }
    }
}

Test(quantise, brings_sums_back_in_place) {
    enum { ROWS = 3, N = 9001 };
    static int32_t sums[ROWS * N];
    static float columns[N], values[ROWS * N];
    static int32_t corrections[N];
    const float rows[ROWS] = {0.5f, -2, 0};
    struct bm_cpu cpus[3] = {{0}};
    bm_cpu_detect(&cpus[1]);
    cpus[2] = cpus[1];
    bm_cpu_cap(&cpus[2], BM_ISA_AVX2);
    for (size_t c = 0; c < 6; c++) {
        for (size_t j = 0; j < N; j++)
            corrections[j] = c < 3 ? 0 : (int32_t)(j * 31 % 997) - 400;
        for (size_t i = 0; i < ROWS * N; i++)
            sums[i] = (int32_t)(i * 7919 % 100003) - 50000;
        for (size_t j = 0; j < N; j++)
            columns[j] = 1.0f / (float)(j + 1);
        memcpy(values, sums, sizeof values);
        bm_dequantise(&cpus[c % 3], values, ROWS, N, c < 3 ? NULL : corrections, rows, columns);
        for (size_t i = 0; i < ROWS * N; i++)
            cr_assert_eq(values[i], (float)(sums[i] - corrections[i % N]) * (rows[i / N] * columns[i % N]),
                         "%zu", i);
    }
}

/* What unsigned activations add to a product is what the corrections take away. */
Test(quantise, corrections_undo_the_offset) {
    enum { N = 5, K = 301 };
    int8_t weights[N * K];
    int32_t corrections[N];
    for (int i = 0; i < N * K; i++)
        weights[i] = (int8_t)(i < K ? -128 : i * 89 % 256 - 128);
    bm_column_corrections(weights, N, K, BM_UNSIGNED_OFFSET, corrections);
    for (int n = 0; n < N; n++) {
        int32_t as_signed = 0, as_unsigned = 0;
        for (int j = 0; j < K; j++) {
            const int q = j * 57 % 255 - 127;
            as_signed += q * weights[n * K + j];
            as_unsigned += (q + BM_UNSIGNED_OFFSET) * weights[n * K + j];
        }
        cr_expect_eq(as_unsigned - corrections[n], as_signed);
    }
}
