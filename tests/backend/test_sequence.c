/* Flows on devices: what is refused, what verification finds, and copies that take turns. */
#include "endpoints.h"

TestSuite(sequences, .init = endpoints_begin_compiling, .fini = endpoints_end);

enum { M = 3, N = 64, COLD_BYTES = 1 << 20 };

static struct bm_case cases[2];
static struct bm_flow_value values[4];
static struct bm_flow_node nodes[3];
static struct bm_flow flow;

/* norm(seeded) -> normalised, residual(normalised, cache) -> sum, all [M, N] in f32. */
static void make(void) {
    const struct bm_case rows = {.op = "norm",
                                 .workload = bm_workload_find("rmsnorm"),
                                 .phase = BM_PHASE_PREFILL,
                                 .dtype = bm_dtype_find("f32"),
                                 .batch = 1,
                                 .tokens = M,
                                 .m = M,
                                 .n = N};
    cases[0] = cases[1] = rows;
    cases[1].workload = bm_workload_find("residual");
    bm_string_set(cases[1].op, sizeof cases[1].op, "residual");
    values[0] =
        (struct bm_flow_value){.name = "input", .count = M * N, .content = BM_FLOW_SEEDED, .amplitude = 2};
    values[1] = (struct bm_flow_value){.name = "normalised", .count = M * N};
    values[2] = (struct bm_flow_value){
        .name = "cache", .count = M * N, .content = BM_FLOW_SEEDED, .amplitude = 1, .rotates = true};
    values[3] = (struct bm_flow_value){.name = "sum", .count = M * N};
    nodes[0] =
        (struct bm_flow_node){.case_index = 0,
                              .link_count = 2,
                              .links = {{.tensor = "inputs", .value = 0}, {.tensor = "outputs", .value = 1}}};
    nodes[1] = (struct bm_flow_node){.case_index = 1,
                                     .link_count = 3,
                                     .links = {{.tensor = "inputs", .value = 1},
                                               {.tensor = "added", .value = 2},
                                               {.tensor = "outputs", .value = 3}}};
    nodes[2] = nodes[1];
    flow = (struct bm_flow){.cases = cases,
                            .case_count = 2,
                            .values = values,
                            .value_count = 4,
                            .nodes = nodes,
                            .node_count = 2,
                            .result = 3};
}

static enum bm_status prepare(const struct bm_endpoint *endpoint, struct bm_session **session,
                              struct bm_prepared **prepared, struct bm_error *error) {
    *error = (struct bm_error){0};
    *session = session_open(endpoint, COLD_BYTES, 1, NULL);
    for (size_t i = 0; i < flow.case_count; i++)
        cr_assert_eq(endpoint->backend->reserve(*session, &flow.cases[i], NULL, error), BM_OK, "%s",
                     error->message);
    return endpoint->backend->sequence(*session, &flow, prepared, error);
}

static void expect_refused(enum bm_status expected, const char *word) {
    for (size_t e = 0; endpoints_get(e) != NULL; e++) {
        const struct bm_endpoint *endpoint = endpoints_get(e);
        struct bm_session *session;
        struct bm_prepared *prepared;
        struct bm_error error;
        cr_expect_eq(prepare(endpoint, &session, &prepared, &error), expected, "%s", error.message);
        cr_expect_null(prepared);
        cr_expect_not_null(strstr(error.message, word), "'%s' lacks '%s'", error.message, word);
        endpoint->backend->close(session);
    }
}

static void verify(enum bm_verification_status expected, const char *word, double *error_out) {
    for (size_t e = 0; endpoints_get(e) != NULL; e++) {
        const struct bm_endpoint *endpoint = endpoints_get(e);
        struct bm_session *session;
        struct bm_prepared *prepared;
        struct bm_error error;
        struct bm_block block;
        struct bm_verification verification;
        cr_assert_eq(prepare(endpoint, &session, &prepared, &error), BM_OK, "%s", error.message);
        for (unsigned i = 0; i < 5; i++) { /* each time another copy */
            cr_assert_eq(endpoint->backend->verify(prepared, i, &verification, &error), BM_OK, "%s",
                         error.message);
            cr_expect_eq(verification.status, expected, "%s", verification.problem);
            cr_expect_not_null(strstr(verification.problem, word), "'%s' lacks '%s'", verification.problem,
                               word);
            cr_assert_eq(endpoint->backend->run(prepared, 3, &block, &error), BM_OK, "%s", error.message);
            cr_expect_gt(block.host_ns, 0);
        }
        if (error_out != NULL)
            *error_out = verification.max_relative_error;
        if (expected == BM_VERIFICATION_PASSED)
            cr_expect_str_eq(verification.reference, flow.result < flow.value_count
                                                         ? "float64, op by op and whole"
                                                         : "float64, op by op");
        endpoint->backend->discard(prepared);
        endpoint->backend->close(session);
    }
}

Test(sequences, data_flows_and_copies_take_turns) {
    double error;
    make();
    verify(BM_VERIFICATION_PASSED, "", &error);
    cr_expect_gt(error, 0);
    cr_expect_lt(error, 1e-5);
    flow.result = SIZE_MAX;
    verify(BM_VERIFICATION_PASSED, "", NULL);
}

Test(sequences, may_write_where_they_read) {
    make();
    nodes[1].links[2].value = 1; /* residual over its own input, once more on what came of it */
    nodes[2] = nodes[1];
    flow.node_count = 3;
    flow.result = 1;
    verify(BM_VERIFICATION_PASSED, "", NULL);
}

/* Rows of the norm lie in others twice as wide; the residual reads what lies between them too. */
Test(sequences, rows_within_wider_ones) {
    make();
    values[1].count = 2 * M * N;
    nodes[0].links[1].pitch = 2 * N;
    nodes[1].links[0].offset = N;
    verify(BM_VERIFICATION_FAILED, "residual (number 1): residual reads inputs that nothing wrote", NULL);
}

Test(sequences, reading_what_nothing_wrote_is_found) {
    make();
    nodes[0].link_count = 1; /* the norm writes to memory of its own */
    verify(BM_VERIFICATION_FAILED, "nothing wrote", NULL);
}

Test(sequences, unlinked_ops_run_on_inputs_of_their_own) {
    make();
    nodes[0].link_count = nodes[1].link_count = 0;
    flow.result = SIZE_MAX;
    verify(BM_VERIFICATION_PASSED, "", NULL);
}

Test(sequences, refusals) {
    make();
    flow.node_count = 0;
    expect_refused(BM_INVALID, "no cases");
    make();
    nodes[0].links[0].tensor = "nothing";
    expect_refused(BM_INTERNAL, "rmsnorm has no tensor nothing");
    make();
    values[0].element = BM_ELEMENT_F16;
    expect_refused(BM_INTERNAL, "inputs is f32, input is f16");
    make();
    nodes[0].links[0].offset = 16;
    expect_refused(BM_INTERNAL, "inputs ends past input");
    make();
    values[0].count += 1;
    nodes[0].links[0].offset = 1;
    expect_refused(BM_UNSUPPORTED, "between vectors");
    make();
    nodes[1].links[0].head_pitch = 2 * N;
    expect_refused(BM_UNSUPPORTED, "residual cannot have its inputs within wider rows");
}
