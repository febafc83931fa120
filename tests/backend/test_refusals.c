/* What a backend says when a case cannot run: its status decides whether a row is skipped or failed, its
 * message is what the user reads. */
#include "cases.h"
#include "endpoints.h"

#include "../data/fixture.h"

#include <unistd.h>

enum { COLD_BYTES = 1 << 20 };

static void begin(void) {
    fixture_begin();
    endpoints_begin_rows();
}

static void end(void) {
    endpoints_end();
    fixture_end();
}

TestSuite(refusals, .init = begin, .fini = end);

/* A single line that names all the words. */
static void expect_told(const struct bm_error *error, enum bm_status status, const char *const words[3]) {
    cr_expect_eq(error->status, status, "%s: %s", bm_status_name(error->status), error->message);
    cr_expect_null(strchr(error->message, '\n'), "%s", error->message);
    for (size_t i = 0; i < 3 && words[i] != NULL; i++)
        cr_expect_not_null(strstr(error->message, words[i]), "'%s' lacks '%s'", error->message, words[i]);
}

/* A refusal leaves nothing behind: a small case then runs. */
static void expect_usable(const struct bm_endpoint *endpoint, struct bm_session *session) {
    struct bm_case small = case_gemv("f32", 37, 29);
    struct bm_prepared *prepared = session_prepare(endpoint, session, &small);
    struct bm_verification verification;
    cr_assert_eq(endpoint->backend->verify(prepared, 1, &verification, NULL), BM_OK);
    cr_expect_eq(verification.status, BM_VERIFICATION_PASSED, "%s", verification.problem);
    endpoint->backend->discard(prepared);
}

static bool can_run(const struct bm_endpoint *endpoint, const struct bm_case *the_case) {
    struct bm_session *session = session_open(endpoint, COLD_BYTES, 1, NULL);
    enum bm_status status = endpoint->backend->reserve(session, the_case, NULL, NULL);
    cr_assert(status == BM_OK || (status == BM_UNSUPPORTED && !endpoint_compiles(endpoint)));
    endpoint->backend->close(session);
    return status == BM_OK;
}

static void expect_not_reserved(const struct bm_endpoint *endpoint, const struct bm_case *reserved,
                                const struct bm_case *the_case) {
    static const char *const words[3] = {"not reserved"};
    struct bm_session *session = session_open(endpoint, COLD_BYTES, 1, NULL);
    struct bm_prepared *prepared = (struct bm_prepared *)1;
    struct bm_error error = {0};
    if (!can_run(endpoint, the_case)) { /* no f16, say */
        endpoint->backend->close(session);
        return;
    }
    if (reserved != NULL)
        cr_assert_eq(endpoint->backend->reserve(session, reserved, NULL, NULL), BM_OK);
    cr_expect_eq(endpoint->backend->prepare(session, the_case, NULL, &prepared, &error), BM_INTERNAL);
    cr_expect_null(prepared, "outputs are cleared");
    expect_told(&error, BM_INTERNAL, words);
    expect_usable(endpoint, session);
    endpoint->backend->close(session);
}

/* Its kernels would leave buffers that were sized without it. */
Test(refusals, prepare_needs_reserve) {
    struct bm_case small = case_gemv("f32", 64, 64), wide = case_gemv("f32", 16, 128),
                   tall = case_gemv("f32", 128, 16), other = case_gemv("f16", 64, 64),
                   large = case_gemv("f32", 512, 4096);
    for (size_t e = 0; endpoints_get(e) != NULL; e++) {
        expect_not_reserved(endpoints_get(e), NULL, &small);
        expect_not_reserved(endpoints_get(e), &small, &wide);  /* longer activations */
        expect_not_reserved(endpoints_get(e), &small, &tall);  /* more outputs */
        expect_not_reserved(endpoints_get(e), &small, &other); /* another format */
        expect_not_reserved(endpoints_get(e), &small, &large); /* weights larger than the whole arena */
    }
}

Test(refusals, reserve_comes_first) {
    static const char *const words[3] = {"reserved before"};
    struct bm_case small = case_gemv("f32", 64, 64), wide = case_gemv("f32", 16, 128);
    for (size_t e = 0; endpoints_get(e) != NULL; e++) {
        const struct bm_endpoint *endpoint = endpoints_get(e);
        struct bm_session *session = session_open(endpoint, COLD_BYTES, 1, NULL);
        struct bm_prepared *prepared = session_prepare(endpoint, session, &small);
        struct bm_error error = {0};
        cr_expect_eq(endpoint->backend->reserve(session, &wide, NULL, &error), BM_INTERNAL);
        expect_told(&error, BM_INTERNAL, words);
        cr_expect_eq(endpoint->backend->reserve(session, &small, NULL, NULL), BM_OK,
                     "what fits may be told late");
        endpoint->backend->discard(prepared);
        endpoint->backend->close(session);
    }
}

/* Nothing is allocated for these: terabytes are refused from their sizes alone. */
Test(refusals, too_large_for_one_allocation) {
    static const char *const words[3] = {"weights", "GiB", "at most"};
    struct bm_case wide = case_gemm("f32", 2, 1 << 24, 1 << 20);
    for (size_t e = 0; endpoints_get(e) != NULL; e++) {
        const struct bm_endpoint *endpoint = endpoints_get(e);
        struct bm_session *session = session_open(endpoint, COLD_BYTES, 1, NULL);
        struct bm_error error = {0};
        cr_expect_eq(endpoint->backend->reserve(session, &wide, NULL, &error), BM_UNSUPPORTED);
        expect_told(&error, BM_UNSUPPORTED, words);
        expect_usable(endpoint, session);
        endpoint->backend->close(session);
    }
}

/* Each buffer may be fine and all of them together too much. */
Test(refusals, too_large_in_all) {
    static const char *const words[3] = {"in all", "GiB"};
    struct bm_case the_case = case_gemv("f32", 1024, 4096); /* 16 MiB of weights */
    for (size_t e = 0; endpoints_get(e) != NULL; e++) {
        struct bm_endpoint small = *endpoints_get(e); /* endpoints are plain data */
        small.memory_bytes = 24 << 20;
        the_case.n = 1024;
        struct bm_session *session = session_open(&small, COLD_BYTES, 1, NULL);
        struct bm_error error = {0};
        cr_expect_eq(small.backend->reserve(session, &the_case, NULL, NULL), BM_OK, "17 of 18 MiB");
        the_case.n = 1200;
        cr_expect_eq(small.backend->reserve(session, &the_case, NULL, &error), BM_NO_MEMORY, "19 of 18 MiB");
        expect_told(&error, BM_NO_MEMORY, words);
        expect_usable(&small, session);
        small.backend->close(session);
    }
}

Test(refusals, a_case_that_makes_no_sense) {
    static const char *const words[3] = {"m >= 2"};
    struct bm_case the_case = case_gemm("f16", 1, 16, 16);
    for (size_t e = 0; endpoints_get(e) != NULL; e++) {
        const struct bm_endpoint *endpoint = endpoints_get(e);
        struct bm_session *session = session_open(endpoint, COLD_BYTES, 1, NULL);
        struct bm_error error = {0};
        cr_expect_eq(endpoint->backend->reserve(session, &the_case, NULL, &error), BM_INVALID);
        expect_told(&error, BM_INVALID, words);
        endpoint->backend->close(session);
    }
}

Test(refusals, parameters_that_do_not_suit) {
    static const char *const words[3] = {"gemv", "VEC"};
    struct bm_case the_case = case_gemv("f32", 64, 64);
    for (size_t e = 0; endpoints_get(e) != NULL; e++) {
        const struct bm_endpoint *endpoint = endpoints_get(e);
        struct bm_session *session = session_open(endpoint, COLD_BYTES, 1, NULL);
        struct bm_parameters parameters = {0};
        struct bm_prepared *prepared = (struct bm_prepared *)1;
        struct bm_error error = {0};
        bm_parameters_set(&parameters, "VEC", 3);
        cr_assert_eq(endpoint->backend->reserve(session, &the_case, NULL, NULL), BM_OK);
        cr_expect_eq(endpoint->backend->prepare(session, &the_case, &parameters, &prepared, &error),
                     BM_INVALID);
        cr_expect_null(prepared, "outputs are cleared");
        expect_told(&error, BM_INVALID, words);
        expect_usable(endpoint, session);
        endpoint->backend->close(session);
    }
}

Test(refusals, an_unusable_endpoint_does_not_open) {
    static const char *const words[3] = {"cannot run kernels", "its driver is a painting"};
    for (size_t e = 0; endpoints_get(e) != NULL; e++) {
        struct bm_endpoint broken = *endpoints_get(e);
        struct bm_session_options options = {.seed = 1};
        struct bm_session *session = (struct bm_session *)1;
        struct bm_error error = {0};
        broken.usable = false;
        bm_string_set(broken.unusable_reason, sizeof broken.unusable_reason, words[1]);
        cr_expect_eq(broken.backend->open(&broken, &options, &session, &error), BM_UNSUPPORTED);
        cr_expect_null(session, "outputs are cleared");
        expect_told(&error, BM_UNSUPPORTED, words);
    }
}

static void expect_no_kernel(const struct bm_endpoint *endpoint, const char *folder, enum bm_status status,
                             const char *const words[3]) {
    struct bm_case the_case = case_gemv("f32", 37, 29);
    struct bm_session *session = session_open(endpoint, COLD_BYTES, 1, folder);
    struct bm_prepared *prepared = (struct bm_prepared *)1;
    struct bm_error error = {0};
    cr_assert_eq(endpoint->backend->reserve(session, &the_case, NULL, NULL), BM_OK);
    cr_expect_eq(endpoint->backend->prepare(session, &the_case, NULL, &prepared, &error), status);
    cr_expect_null(prepared, "outputs are cleared");
    expect_told(&error, status, words);
    endpoint->backend->close(session);
}

Test(refusals, kernels_that_are_missing) {
    char folder[96], file[128];
    const char *const words[3] = {file, "No such file"};
    snprintf(folder, sizeof folder, "%s/none", fixture_folder);
    snprintf(file, sizeof file, "%s/gemv.cl", folder);
    for (size_t e = 0; endpoints_get(e) != NULL; e++)
        if (endpoint_compiles(endpoints_get(e)))
            expect_no_kernel(endpoints_get(e), folder, BM_NOT_FOUND, words);
}

/* The compiler's own words: where the mistake is and what it is. */
Test(refusals, kernels_that_do_not_compile) {
    const char *const words[3] = {"clBuildProgram", "3:", "frobnicate"};
    fixture_write("gemv.cl", "/* line 1 */\n\nfrobnicate gemv(void) { }\n", SIZE_MAX);
    for (size_t e = 0; endpoints_get(e) != NULL; e++)
        if (endpoint_compiles(endpoints_get(e)))
            expect_no_kernel(endpoints_get(e), fixture_folder, BM_DEVICE, words);
}

Test(refusals, kernels_without_their_function) {
    const char *const words[3] = {"clCreateKernel", "CL_INVALID_KERNEL_NAME"};
    fixture_write("gemv.cl", "kernel void vgem(global float *x) { x[0] = 0; }\n", SIZE_MAX);
    for (size_t e = 0; endpoints_get(e) != NULL; e++)
        if (endpoint_compiles(endpoints_get(e)))
            expect_no_kernel(endpoints_get(e), fixture_folder, BM_DEVICE, words);
}
