/* What every backend must do on every endpoint that it says is usable: the whole way of a case, for every
 * workload and number format. A new backend is walked through by being in the table. */
#include "cases.h"
#include "endpoints.h"

TestSuite(conformance, .init = endpoints_begin, .fini = endpoints_end);

enum { COLD_BYTES = 4 << 20 };

Test(table, is_complete) {
    size_t count = 0;
    for (; bm_backend_get(count) != NULL; count++) {
        const struct bm_backend *backend = bm_backend_get(count);
        cr_expect(backend->name[0] != '\0' && strchr(backend->name, '/') == NULL, "%s", backend->name);
        cr_expect_neq(backend->summary[0], '\0', "%s", backend->name);
        cr_expect(backend->list != NULL && backend->release != NULL && backend->open != NULL &&
                      backend->close != NULL && backend->reserve != NULL && backend->prepare != NULL &&
                      backend->target != NULL && backend->info != NULL && backend->verify != NULL &&
                      backend->run != NULL && backend->discard != NULL,
                  "%s has every door", backend->name);
        for (size_t i = 0; i < count; i++)
            cr_expect_str_neq(bm_backend_get(i)->name, backend->name);
        backend->discard(NULL);
        backend->close(NULL);
    }
    cr_assert_gt(count, 0);
    cr_assert_null(bm_backend_get(count + 1));
}

Test(conformance, endpoints_describe_themselves) {
    for (size_t e = 0; endpoints_get(e) != NULL; e++) {
        const struct bm_endpoint *endpoint = endpoints_get(e);
        size_t length = strlen(endpoint->backend->name);
        cr_expect_eq(strncmp(endpoint->id, endpoint->backend->name, length), 0, "%s", endpoint->id);
        cr_expect(endpoint->id[length] == '\0' || endpoint->id[length] == '/', "%s", endpoint->id);
        cr_expect_neq(endpoint->name[0], '\0');
        cr_expect_str_eq(endpoint->unusable_reason, "");
        cr_expect_gt(endpoint->compute_units, 0);
        cr_expect_gt(endpoint->max_group_items, 0);
        cr_expect_gt(endpoint->max_allocation_bytes, 0);
        cr_expect_geq(endpoint->memory_bytes, endpoint->max_allocation_bytes);
    }
}

static void expect_described(const struct bm_endpoint *endpoint, const struct bm_prepared *prepared,
                             const struct bm_case *the_case, const char *key) {
    struct bm_prepared_info info;
    endpoint->backend->info(prepared, &info);
    cr_expect_neq(info.variant[0], '\0', "%s", key);
    cr_expect(strcmp(info.pipe, "-") == 0 || strstr(info.pipe, "_") != NULL, "%s: pipe '%s'", key, info.pipe);
    const char *workload = the_case->workload->name;
    bool fixed = strcmp(workload, "launch") == 0 || strcmp(workload, "transfer") == 0;
    if (endpoint_compiles(endpoint))
        cr_expect_eq(info.parameters->count == 0, fixed, "%s", key);
    cr_expect(strcmp(info.parameters_from, "tuned") == 0 || strcmp(info.parameters_from, "shipped") == 0 ||
                  strcmp(info.parameters_from, "safe") == 0,
              "%s: '%s'", key, info.parameters_from);
    if (the_case->dtype == NULL)
        return;
    bool eligible = false; /* the contract's own list of units */
    for (const char *const *pipe = the_case->dtype->pipes; *pipe != NULL; pipe++)
        eligible |= strcmp(*pipe, info.pipe) == 0;
    eligible |=
        the_case->workload->flops(the_case) == 0 && strcmp(info.pipe, "-") == 0; /* it only moves data */
    cr_expect(eligible, "%s: %s may not serve %s", key, info.pipe, the_case->dtype->name);
    cr_expect_geq(info.cold_bytes, COLD_BYTES, "%s rotates over %llu bytes", key,
                  (unsigned long long)info.cold_bytes);
}

static void expect_correct(const struct bm_endpoint *endpoint, struct bm_prepared *prepared,
                           const struct bm_case *the_case, uint64_t seed, const char *key) {
    struct bm_verification verification;
    struct bm_error error = {0};
    cr_assert_eq(endpoint->backend->verify(prepared, seed, &verification, &error), BM_OK, "%s: %s", key,
                 error.message);
    cr_expect_eq(verification.status, BM_VERIFICATION_PASSED, "%s, seed %llu: %s", key,
                 (unsigned long long)seed, verification.problem);
    cr_expect_gt(verification.checked, 0, "%s", key);
    cr_expect_eq(verification.tolerance, the_case->workload->tolerance(the_case), "%s", key);
    cr_expect_leq(verification.max_relative_error, verification.tolerance, "%s: %g", key,
                  verification.max_relative_error);
    cr_expect_str_eq(verification.reference, the_case->workload->reference, "%s", key);
}

static void expect_timed(const struct bm_endpoint *endpoint, struct bm_prepared *prepared, uint64_t launches,
                         const char *key) {
    struct bm_block block;
    struct bm_error error = {0};
    uint64_t before = bm_clock_now(&bm_clock_monotonic);
    cr_assert_eq(endpoint->backend->run(prepared, launches, &block, &error), BM_OK, "%s: %s", key,
                 error.message);
    uint64_t after = bm_clock_now(&bm_clock_monotonic);
    cr_expect(block.start_ns >= before && block.start_ns + block.host_ns <= after, "%s", key);
    cr_expect_gt(block.host_ns, 0, "%s", key);
}

/* Leaves the cases that the endpoint takes, in their order. What it does not take it refuses with a reason:
 * OpenCL takes all of these, every backend some. */
static size_t reserve_all(const struct bm_endpoint *endpoint, struct bm_session *session,
                          struct bm_case cases[CASES_MAX], size_t count) {
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        struct bm_error error = {0};
        enum bm_status status = endpoint->backend->reserve(session, &cases[i], NULL, &error);
        if (status == BM_OK) {
            cases[taken++] = cases[i];
            continue;
        }
        cr_assert_eq(status, BM_UNSUPPORTED, "%s: %s", endpoint->id, error.message);
        cr_expect(!endpoint_compiles(endpoint) && error.message[0] != '\0', "%s: %s", endpoint->id,
                  error.message);
    }
    cr_expect_geq(taken, 8, "%s takes %zu cases", endpoint->id, taken);
    return taken;
}

/* All cases are prepared before the first one runs, as in a real run: they share the session's buffers. */
Test(conformance, every_case_on_every_endpoint, .timeout = 300) {
    for (size_t e = 0; endpoints_get(e) != NULL; e++) {
        const struct bm_endpoint *endpoint = endpoints_get(e);
        struct bm_session *session = session_open(endpoint, COLD_BYTES, 1, NULL);
        struct bm_prepared *prepared[CASES_MAX];
        struct bm_error error = {0};
        struct bm_case cases[CASES_MAX];
        size_t count = reserve_all(endpoint, session, cases, cases_all(cases));
        /* Every case once, but neighbours in the list, often of one kind, apart. */
        const size_t step = count % 5 != 0 ? 5 : count % 7 != 0 ? 7 : 1;
        for (size_t i = 0; i < count; i++)
            cr_assert_eq(endpoint->backend->prepare(session, &cases[i], NULL, &prepared[i], &error), BM_OK,
                         "%s", error.message);
        for (size_t i = 0; i < count; i++) {
            size_t at = i * step % count;
            char key[BM_KEY_SIZE];
            bm_case_key(&cases[at], key);
            expect_described(endpoint, prepared[at], &cases[at], key);
            expect_correct(endpoint, prepared[at], &cases[at], 3, key);
            expect_timed(endpoint, prepared[at], 3, key);
            expect_correct(endpoint, prepared[at], &cases[at], UINT64_MAX - at,
                           key); /* another slot of the arena */
        }
        for (size_t i = 0; i < count; i++)
            endpoint->backend->discard(prepared[i]);
        endpoint->backend->close(session);
    }
}

/* Values, and with them every answer, come from the session's seed. */
Test(conformance, seeds_change_the_values) {
    for (size_t e = 0; endpoints_get(e) != NULL; e++) {
        const struct bm_endpoint *endpoint = endpoints_get(e);
        struct bm_case the_case = case_gemv("f32", 37, 1000);
        if (endpoint->only_ceilings)
            continue;
        double errors[4];
        for (uint64_t seed = 0; seed < 4; seed++) {
            struct bm_session *session = session_open(endpoint, COLD_BYTES, seed % 3, NULL);
            struct bm_prepared *prepared = session_prepare(endpoint, session, &the_case);
            struct bm_verification verification;
            cr_assert_eq(endpoint->backend->verify(prepared, 0, &verification, NULL), BM_OK);
            cr_expect_eq(verification.status, BM_VERIFICATION_PASSED, "%s", verification.problem);
            errors[seed] = verification.max_relative_error;
            endpoint->backend->discard(prepared);
            endpoint->backend->close(session);
        }
        cr_expect(errors[0] != errors[1] && errors[1] != errors[2], "other values round otherwise");
        cr_expect_eq(errors[0], errors[3], "equal seeds give equal values");
    }
}

Test(conformance, cold_inputs_rotate_and_hot_ones_stay) {
    static const uint64_t wanted[] = {0, 100000, COLD_BYTES, 3 * COLD_BYTES};
    for (size_t e = 0; endpoints_get(e) != NULL; e++)
        for (size_t w = 0; w < BM_COUNT_OF(wanted); w++) {
            const struct bm_endpoint *endpoint = endpoints_get(e);
            struct bm_case cold = case_gemv("f32", 64, 1024), hot = cold, ceiling = {0};
            const uint64_t region = 64 * 1024 * 4;
            if (endpoint->only_ceilings)
                continue;
            const size_t kinds = endpoint->only_rows ? 2 : 3;
            struct bm_session *session = session_open(endpoint, wanted[w], 1, NULL);
            hot.hot = true;
            ceiling = (struct bm_case){
                .workload = bm_workload_find("fma"), .model = "-", .op = "f32_vector", .k = 8};
            const struct bm_case *const all[] = {&cold, &hot, &ceiling};
            uint64_t rotated[3] = {0};
            for (size_t i = 0; i < kinds; i++)
                cr_assert_eq(endpoint->backend->reserve(session, all[i], NULL, NULL), BM_OK);
            for (size_t i = 0; i < kinds; i++) {
                struct bm_prepared *prepared = session_prepare(endpoint, session, all[i]);
                struct bm_prepared_info info;
                endpoint->backend->info(prepared, &info);
                rotated[i] = info.cold_bytes;
                expect_timed(endpoint, prepared, 2 * (wanted[w] / region) + 3, "around the arena and on");
                expect_correct(endpoint, prepared, all[i], 7, "after that");
                endpoint->backend->discard(prepared);
            }
            if (wanted[w] < region)
                cr_expect_eq(rotated[0], 0, "one slot: nothing rotates");
            else
                cr_expect(rotated[0] >= wanted[w] && rotated[0] <= wanted[w] + 2 * region &&
                              rotated[0] % region == 0,
                          "%llu asked for, %llu rotated over", (unsigned long long)wanted[w],
                          (unsigned long long)rotated[0]);
            cr_expect_eq(rotated[1], 0, "a hot case reads the same addresses at every launch");
            cr_expect_eq(rotated[2], 0, "fma reads nothing that rotates");
            endpoint->backend->close(session);
        }
}

/* What a run would plan, in small: the endpoint's own list where it has one. */
static size_t ceilings_of(const struct bm_endpoint *endpoint, struct bm_case ceilings[BM_MAX_CEILINGS]) {
    struct bm_ceiling_wish wish = {.sizes = {.cold_bytes = 3 << 20,
                                             .l1_bytes = 32768,
                                             .l2_bytes = 262144,
                                             .llc_bytes = 1 << 20,
                                             .compute_units = 1},
                                   .all = true};
    if (endpoint->only_rows)
        return 0;
    if (endpoint->backend->ceilings == NULL)
        return bm_ceiling_cases(1 << 20, ceilings, BM_MAX_CEILINGS);
    size_t count = endpoint->backend->ceilings(endpoint, &wish, ceilings, BM_MAX_CEILINGS);
    for (size_t i = 0; i < count; i++)
        if (strcmp(ceilings[i].workload->name, "fma") == 0) {
            ceilings[i].n = 3000; /* lanes that fill no whole number of blocks */
            ceilings[i].k = 6;
        }
    return count;
}

static size_t candidates_of(const struct bm_endpoint *endpoint, struct bm_session *session,
                            const struct bm_case *the_case, struct bm_parameters *candidates,
                            size_t capacity) {
    const struct bm_workload *workload = the_case->workload;
    if (endpoint->backend->candidates != NULL)
        return endpoint->backend->candidates(session, the_case, candidates, capacity);
    return workload->candidates == NULL
               ? 0
               : workload->candidates(the_case, endpoint->backend->target(session), candidates, capacity);
}

/* A ceiling is searched among its candidates: each of them must be right, or be refused. */
Test(conformance, candidates_are_used_as_given, .timeout = 300) {
    for (size_t e = 0; endpoints_get(e) != NULL; e++) {
        const struct bm_endpoint *endpoint = endpoints_get(e);
        struct bm_session *session = session_open(endpoint, COLD_BYTES, 1, NULL);
        struct bm_case ceilings[BM_MAX_CEILINGS];
        size_t tried = 0, step = endpoint_compiles(endpoint) ? 3 : 1;
        size_t count = ceilings_of(endpoint, ceilings);
        cr_assert_leq(count, BM_MAX_CEILINGS);
        for (size_t c = 0; c < count; c++)
            cr_assert_eq(endpoint->backend->reserve(session, &ceilings[c], NULL, NULL), BM_OK);
        for (size_t c = 0; c < count; c++) {
            struct bm_parameters candidates[32];
            size_t offered =
                candidates_of(endpoint, session, &ceilings[c], candidates, BM_COUNT_OF(candidates));
            cr_assert_leq(offered, BM_COUNT_OF(candidates));
            for (size_t i = 0; i < offered; i += step, tried++) {
                struct bm_prepared *prepared;
                struct bm_prepared_info info;
                struct bm_error error = {0};
                char key[BM_KEY_SIZE];
                bm_case_key(&ceilings[c], key);
                cr_assert_eq(
                    endpoint->backend->prepare(session, &ceilings[c], &candidates[i], &prepared, &error),
                    BM_OK, "%s: %s", key, error.message);
                endpoint->backend->info(prepared, &info);
                cr_expect_str_eq(info.parameters_from, "tuned");
                for (unsigned p = 0; p < candidates[i].count; p++)
                    cr_expect_eq(bm_parameters_get(info.parameters, candidates[i].items[p].name, -1),
                                 candidates[i].items[p].value, "%s: %s", key, candidates[i].items[p].name);
                expect_correct(endpoint, prepared, &ceilings[c], 5, key);
                endpoint->backend->discard(prepared);
            }
        }
        cr_expect(tried > 0 || endpoint->only_rows, "%s", endpoint->id);
        endpoint->backend->close(session);
    }
}
