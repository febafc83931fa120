/* The native backend: its threads, its choice of kernels under caps, parts of a machine that is not this one.
 */
#include "endpoints.h"

#include "native.h"

#include <stdatomic.h>
#include <stdlib.h>

/* ---- threads ---- */

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

TestSuite(team, .init = begin, .fini = end, .timeout = 60);
TestSuite(native, .init = begin, .fini = end, .timeout = 60);

/* Four threads, whatever the machine has: several may share a place. */
enum { THREADS = 4 };
static struct bm_place crowd[THREADS];

static struct bm_places crowded(void) {
    for (unsigned i = 0; i < THREADS; i++)
        crowd[i] = here.items[i % here.count];
    return (struct bm_places){.items = crowd, .count = THREADS};
}

struct tally {
    atomic_uint calls[THREADS], counts;
};

static void tally_up(void *context, unsigned thread, unsigned count) {
    struct tally *tally = context;
    atomic_fetch_add(&tally->calls[thread], 1);
    atomic_fetch_add(&tally->counts, count);
}

Test(team, every_thread_works_once) {
    struct bm_places places = crowded();
    struct bm_team *team;
    cr_assert_eq(bm_team_create(&places, &team, NULL), BM_OK);
    for (unsigned first = 0; first < THREADS; first++)
        for (unsigned count = 1; first + count <= THREADS; count++)
            for (int again = 0; again < 20; again++) {
                struct tally tally = {0};
                uint64_t before = bm_clock_now(&bm_clock_monotonic), start, ns;
                bm_team_run(team, first, count, tally_up, &tally, &start, &ns);
                for (unsigned i = 0; i < THREADS; i++)
                    cr_assert_eq(tally.calls[i], i < count, "thread %u of %u", i, count);
                cr_assert_eq(tally.counts, count * count, "each was told how many there are");
                cr_assert(start >= before && start + ns <= bm_clock_now(&bm_clock_monotonic));
            }
    bm_team_destroy(team);
    bm_team_destroy(NULL);
}

Test(team, shares_cover_everything_once) {
    for (uint64_t things = 0; things < 40; things++)
        for (unsigned count = 1; count < 9; count++) {
            cr_assert_eq(bm_native_share(things, 0, count), 0);
            cr_assert_eq(bm_native_share(things, count, count), things);
            for (unsigned i = 0; i < count; i++) {
                uint64_t own = bm_native_share(things, i + 1, count) - bm_native_share(things, i, count);
                cr_assert(own == things / count || own == things / count + 1);
            }
        }
}

/* ---- sessions on endpoints made by hand ---- */

static struct bm_endpoint endpoint_of(const struct bm_places *places, enum bm_isa isa) {
    struct bm_endpoint *listed = NULL, found = {0};
    size_t count = 0, capacity = 0;
    const struct bm_backend *native = NULL;
    const struct bm_backend_options options = {.cpus = true, .places = places, .isa = isa};
    for (size_t i = 0; bm_backend_get(i) != NULL; i++)
        if (strcmp(bm_backend_get(i)->name, "native") == 0)
            native = bm_backend_get(i);
    cr_assert_not_null(native);
    cr_assert_eq(native->list(&options, &listed, &count, &capacity, NULL), BM_OK);
    if (count > 0)
        found = listed[0];
    cr_assert_leq(count, 1);
    free(listed);
    return found;
}

static struct bm_case ceiling(const char *workload, const char *op, uint64_t bytes) {
    struct bm_case the_case = {
        .workload = bm_workload_find(workload), .model = "-", .working_set = bytes, .n = 0, .k = 0};
    bm_string_set(the_case.op, sizeof the_case.op, op);
    if (strcmp(workload, "fma") == 0) {
        the_case.n = 5000;
        the_case.k = 10;
    }
    return the_case;
}

static void expect_passes(const struct bm_endpoint *endpoint, struct bm_session *session,
                          const struct bm_case *the_case, unsigned threads) {
    struct bm_prepared *prepared = session_prepare(endpoint, session, the_case);
    struct bm_prepared_info info;
    struct bm_verification verification;
    struct bm_block block;
    struct bm_error error = {0};
    char key[BM_KEY_SIZE];
    bm_case_key(the_case, key);
    endpoint->backend->info(prepared, &info);
    cr_expect_eq(info.threads, threads, "%s: %u threads", key, info.threads);
    for (int again = 0; again < 2; again++) {
        cr_assert_eq(endpoint->backend->verify(prepared, 1, &verification, &error), BM_OK, "%s: %s", key,
                     error.message);
        cr_expect_eq(verification.status, BM_VERIFICATION_PASSED, "%s: %s", key, verification.problem);
        cr_assert_eq(endpoint->backend->run(prepared, 3, &block, &error), BM_OK);
    }
    endpoint->backend->discard(prepared);
}

static void expect_refused(const struct bm_endpoint *endpoint, struct bm_session *session,
                           const struct bm_case *the_case, const char *words) {
    struct bm_error error = {0};
    cr_expect_eq(endpoint->backend->reserve(session, the_case, NULL, &error), BM_UNSUPPORTED, "%s",
                 the_case->op);
    cr_expect_not_null(strstr(error.message, words), "'%s' lacks '%s'", error.message, words);
}

/* A faked machine of two NUMA nodes with two threads each, on the threads of this one. */
Test(native, parts_of_a_machine_with_two_nodes) {
    struct bm_places places = crowded();
    for (unsigned i = 0; i < THREADS; i++)
        crowd[i].node = i < THREADS / 2 ? 3 : 7;
    struct bm_endpoint endpoint = endpoint_of(&places, BM_ISA_ANY);
    struct bm_ceiling_wish wish = {
        .sizes = {.cold_bytes = 10 << 20, .llc_bytes = 1 << 20, .compute_units = 1}, .all = true};
    struct bm_case cases[BM_MAX_CEILINGS];
    size_t count = endpoint.backend->ceilings(&endpoint, &wish, cases, BM_MAX_CEILINGS), parts = 0;
    struct bm_session *session = session_open(&endpoint, 10 << 20, 1, NULL);
    static const struct {
        const char *key;
        unsigned threads;
    } expected[] = {{"stream/-/-/read/-/-", 4},
                    {"stream/-/-/read/-/-/threads1", 1},
                    {"stream/-/-/read/-/-/threads2", 2},
                    {"stream/-/-/read/-/-/node3", 2},
                    {"stream/-/-/read/-/-/node7", 2}};
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(endpoint.backend->reserve(session, &cases[i], NULL, NULL), BM_OK);
    for (size_t i = 0; i < count; i++) {
        char key[BM_KEY_SIZE];
        bm_case_key(&cases[i], key);
        for (size_t e = 0; e < BM_COUNT_OF(expected); e++)
            if (strcmp(key, expected[e].key) == 0) {
                expect_passes(&endpoint, session, &cases[i], expected[e].threads);
                parts++;
                double share = cases[i].workload->bytes(&cases[i]) / (10 << 20);
                cr_expect(share <= expected[e].threads / 4.0 && share > expected[e].threads / 4.0 - 0.03,
                          "%s reads %g of the set", key, share);
            }
    }
    cr_expect_eq(parts, BM_COUNT_OF(expected));
    /* Reading in parts takes no memory of its own: those of the whole serve. */
    unsigned sources = 0;
    for (unsigned i = 0; i < session->memory_count; i++)
        sources += !session->memories[i].written && !session->memories[i].small_pages &&
                   session->memories[i].count == (10 << 20) / 4 / BM_STREAM_BLOCK * BM_STREAM_BLOCK;
    cr_expect_eq(sources, 1);
    endpoint.backend->close(session);
}

/* Where another backend measures ceilings as well, a short suite needs only those that may judge its rows. */
Test(native, leaves_out_what_judges_nothing) {
    static const char *const pipes[] = {"f32_vector", NULL};
    struct bm_endpoint endpoint = endpoint_of(&here, BM_ISA_ANY);
    for (int i = 0; i < 8; i++) {
        const struct bm_ceiling_wish wish = {
            .sizes = {.cold_bytes = 10 << 20, .llc_bytes = 1 << 20, .compute_units = 1},
            .inner = (i & 1) != 0,
            .writing = (i & 2) != 0,
            .alone = (i & 4) != 0,
            .pipes = pipes};
        struct bm_case cases[BM_MAX_CEILINGS];
        const size_t count = endpoint.backend->ceilings(&endpoint, &wish, cases, BM_MAX_CEILINGS);
        bool read = false, copy = false, cache = false, fma = false;
        for (size_t c = 0; c < count; c++) {
            read |= strcmp(cases[c].op, "read") == 0;
            copy |= strcmp(cases[c].op, "copy") == 0;
            cache |= strcmp(cases[c].op, "llc_read") == 0;
            fma |= strcmp(cases[c].op, "f32_vector") == 0;
        }
        cr_expect(read && fma);
        cr_expect_eq(copy, wish.writing || wish.alone);
        cr_expect_eq(cache, wish.inner || wish.alone);
    }
}

/* A part that is asked for alone has memory too. */
Test(native, a_part_without_the_whole) {
    struct bm_places places = crowded();
    struct bm_endpoint endpoint = endpoint_of(&places, BM_ISA_ANY);
    struct bm_session *session = session_open(&endpoint, 1 << 20, 1, NULL);
    static const char *const ops[] = {"read", "write", "copy", "triad"};
    for (size_t i = 0; i < BM_COUNT_OF(ops); i++) {
        struct bm_case part = ceiling("stream", ops[i], 3 * 65536 + 24);
        part.threads = 3;
        expect_passes(&endpoint, session, &part, 3);
    }
    endpoint.backend->close(session);
}

Test(native, caps_keep_instructions_away) {
    struct bm_cpu cpu;
    bm_cpu_detect(&cpu);
    static const char *const pipes[] = {"f32_vector", "f64_vector", "f16_vector",  "i32_vector",
                                        "i8_dot",     "bf16_dot",   "bf16_matrix", "i8_matrix"};
    for (int isa = BM_ISA_ANY + 1; isa < BM_ISA_COUNT; isa++) {
        struct bm_endpoint endpoint = endpoint_of(&here, (enum bm_isa)isa);
        cr_expect_eq(endpoint.usable, bm_cpu_has(&cpu, (enum bm_isa)isa),
                     "a cap that the CPU lacks lists nothing");
        if (!endpoint.usable)
            continue;
        struct bm_session *session = session_open(&endpoint, 1 << 20, 1, NULL);
        struct bm_cpu capped = cpu;
        bm_cpu_cap(&capped, (enum bm_isa)isa);
        for (size_t p = 0; p < BM_COUNT_OF(pipes); p++) {
            struct bm_case the_case = ceiling("fma", pipes[p], 0);
            const struct bm_fma_kernel *kernel;
            bool any = false;
            for (size_t i = 0; (kernel = bm_fma_kernel_get(i)) != NULL; i++)
                any |= strcmp(kernel->pipe, pipes[p]) == 0 && kernel->form != BM_FORM_PORTABLE &&
                       bm_form_allowed(kernel->form, &capped);
            if (any)
                expect_passes(&endpoint, session, &the_case, here.count);
            else
                expect_refused(&endpoint, session, &the_case, pipes[p]);
        }
        endpoint.backend->close(session);
    }
}

Test(native, avx2_has_no_wide_vectors_and_no_dot_products) {
    struct bm_endpoint endpoint = endpoint_of(&here, BM_ISA_AVX2);
    if (!endpoint.usable)
        return; /* not an x86 CPU, or one before 2013 */
    struct bm_session *session = session_open(&endpoint, 1 << 20, 1, NULL);
    struct bm_case dot = ceiling("fma", "i8_dot", 0), read = ceiling("stream", "read", 1 << 20),
                   fma = ceiling("fma", "f32_vector", 0);
    const struct bm_case *const all[] = {&read, &fma};
    expect_refused(&endpoint, session, &dot, "no instructions for i8_dot within the cap avx2");
    for (size_t i = 0; i < 2; i++) {
        struct bm_parameters candidates[32];
        size_t count = endpoint.backend->candidates(session, all[i], candidates, 32);
        cr_expect_gt(count, 0);
        for (size_t c = 0; c < count; c++)
            cr_expect_eq(bm_parameters_get(&candidates[c], "BITS", 0), 256);
    }
    endpoint.backend->close(session);
}

/* What neither the CPU nor the kernel of the system gives is refused, never tried. */
Test(native, matrices_need_tiles) {
    struct bm_endpoint endpoint = endpoint_of(&here, BM_ISA_ANY);
    struct bm_session *session = session_open(&endpoint, 1 << 20, 1, NULL);
    static const char *const pipes[] = {"bf16_matrix", "i8_matrix"};
    for (size_t i = 0; i < 2; i++) {
        struct bm_case the_case = ceiling("fma", pipes[i], 0);
        if (session->amx_given)
            expect_passes(&endpoint, session, &the_case, here.count);
        session->cpu.amx_bf16 = session->cpu.amx_int8 = true;
        bool given = session->amx_given;
        session->amx_given = false;
        if (BM_NATIVE_X86)
            expect_refused(&endpoint, session, &the_case, "tiles of AMX");
        session->amx_given = given;
        session->cpu.amx_bf16 = session->cpu.amx_int8 = false;
        expect_refused(&endpoint, session, &the_case, "no instructions");
    }
    endpoint.backend->close(session);
}

Test(native, measures_no_rows) {
    struct bm_endpoint endpoint = endpoint_of(&here, BM_ISA_ANY);
    struct bm_session *session = session_open(&endpoint, 1 << 20, 1, NULL);
    struct bm_case gemm = {
        .workload = bm_workload_find("gemm"), .dtype = bm_dtype_find("f32"), .m = 4, .n = 4, .k = 4};
    struct bm_case launch = ceiling("launch", "empty", 0);
    expect_refused(&endpoint, session, &gemm, "no gemm");
    expect_refused(&endpoint, session, &launch, "no launch");
    cr_expect(endpoint.only_ceilings);
    endpoint.backend->close(session);
}

Test(native, memory_is_counted_before_it_is_taken) {
    struct bm_endpoint endpoint = endpoint_of(&here, BM_ISA_ANY);
    endpoint.memory_bytes = 16 << 20;
    struct bm_session *session = session_open(&endpoint, 1 << 20, 1, NULL);
    struct bm_case read = ceiling("stream", "read", 10 << 20), copy = ceiling("stream", "copy", 10 << 20);
    struct bm_prepared *prepared = (struct bm_prepared *)1;
    struct bm_error error = {0};
    cr_expect_eq(endpoint.backend->prepare(session, &read, NULL, &prepared, &error), BM_INTERNAL);
    cr_expect_null(prepared, "outputs are cleared");
    cr_expect_not_null(strstr(error.message, "not reserved"), "%s", error.message);
    error = (struct bm_error){0};
    cr_expect_eq(endpoint.backend->reserve(session, &read, NULL, NULL), BM_OK, "10 of 12 MiB");
    cr_expect_eq(endpoint.backend->reserve(session, &copy, NULL, &error), BM_NO_MEMORY, "20 of 12 MiB");
    cr_expect_not_null(strstr(error.message, "in all"), "%s", error.message);
    expect_passes(&endpoint, session, &read, here.count);
    endpoint.backend->close(session);
}

Test(native, parameters_that_no_kernel_has) {
    struct bm_endpoint endpoint = endpoint_of(&here, BM_ISA_ANY);
    struct bm_session *session = session_open(&endpoint, 1 << 20, 1, NULL);
    struct bm_case the_case = ceiling("stream", "read", 1 << 20);
    struct bm_parameters parameters = {0};
    struct bm_prepared *prepared = (struct bm_prepared *)1;
    struct bm_error error = {0};
    bm_parameters_set(&parameters, "STREAMS", 3);
    cr_assert_eq(endpoint.backend->reserve(session, &the_case, NULL, NULL), BM_OK);
    cr_expect_eq(endpoint.backend->prepare(session, &the_case, &parameters, &prepared, &error), BM_INVALID);
    cr_expect_null(prepared);
    cr_expect_not_null(strstr(error.message, "no kernel with these parameters"), "%s", error.message);
    endpoint.backend->close(session);
}

/* A kernel that leaves out one step, or one vector, is found out. */
static const struct bm_fma_kernel *honest;

static void too_short(float *lanes, uint64_t steps, const struct bm_dot_operands *operands) {
    honest->run(lanes, steps - 1, operands);
}

static void lazy_lane(float *lanes, uint64_t steps, const struct bm_dot_operands *operands) {
    float last[8];
    memcpy(last, lanes + honest->lanes - 8, sizeof last);
    honest->run(lanes, steps, operands);
    memcpy(lanes + honest->lanes - 8, last, sizeof last);
}

Test(native, wrong_kernels_fail_verification) {
    struct bm_endpoint endpoint = endpoint_of(&here, BM_ISA_ANY);
    struct bm_session *session = session_open(&endpoint, 1 << 20, 1, NULL);
    static const char *const pipes[] = {"f32_vector", "i32_vector", "i8_dot", "bf16_dot"};
    for (size_t p = 0; p < BM_COUNT_OF(pipes); p++) {
        struct bm_case the_case = ceiling("fma", pipes[p], 0);
        if (endpoint.backend->reserve(session, &the_case, NULL, NULL) != BM_OK)
            continue; /* not on this CPU */
        struct bm_prepared *prepared = session_prepare(&endpoint, session, &the_case);
        struct bm_fma_kernel wrong = *prepared->fma;
        struct bm_verification verification;
        honest = prepared->fma;
        prepared->fma = &wrong;
        wrong.run = too_short;
        cr_assert_eq(endpoint.backend->verify(prepared, 1, &verification, NULL), BM_OK);
        cr_expect_eq(verification.status, BM_VERIFICATION_FAILED, "%s: one step less", pipes[p]);
        wrong.run = lazy_lane;
        cr_assert_eq(endpoint.backend->verify(prepared, 1, &verification, NULL), BM_OK);
        cr_expect_eq(verification.status, BM_VERIFICATION_FAILED, "%s: a vector left out", pipes[p]);
        endpoint.backend->discard(prepared);
    }
    endpoint.backend->close(session);
}
