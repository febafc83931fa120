/* Kernels with a mistake planted: verification must find each, and name it. The mistakes are planted into
 * copies of the program's own kernels, so that what is tested is what runs. */
#include "cases.h"
#include "endpoints.h"

#include "../data/fixture.h"

static void begin(void) {
    fixture_begin();
    endpoints_begin_compiling();
}

static void end(void) {
    endpoints_end();
    fixture_end();
}

TestSuite(planted, .init = begin, .fini = end);

/* Copies a kernel, every occurrence of `old` replaced. */
static void plant(const char *file, const char *old, const char *by) {
    char name[64], path[512], *source;
    struct bm_text changed = {0};
    size_t size, found = 0;
    snprintf(name, sizeof name, "kernels/%s", file);
    cr_assert_eq(bm_data_path(name, path, sizeof path, NULL), BM_OK);
    cr_assert_eq(bm_file_read(path, 1 << 20, &source, &size, NULL), BM_OK);
    const char *at = source;
    for (const char *next; (next = strstr(at, old)) != NULL; at = next + strlen(old), found++) {
        bm_text_append_bytes(&changed, at, (size_t)(next - at));
        bm_text_append(&changed, "%s", by);
    }
    cr_assert_gt(found, 0, "%s lacks '%s'", file, old);
    bm_text_append(&changed, "%s", at);
    fixture_write(file, changed.data, changed.length);
    bm_text_fini(&changed);
    free(source);
}

static void verify_on(const struct bm_endpoint *endpoint, const struct bm_case *the_case,
                      struct bm_verification *verification) {
    struct bm_session *session = session_open(endpoint, 1 << 20, 1, fixture_folder);
    struct bm_prepared *prepared = session_prepare(endpoint, session, the_case);
    struct bm_error error = {0};
    cr_assert_eq(endpoint->backend->verify(prepared, 5, verification, &error), BM_OK,
                 "a wrong result is no error: %s", error.message);
    endpoint->backend->discard(prepared);
    endpoint->backend->close(session);
}

struct mistake {
    const char *what, *file, *old, *by, *problem;
};

static void expect_found(const struct mistake *mistake, const struct bm_case *the_case) {
    for (size_t e = 0; endpoints_get(e) != NULL; e++) {
        struct bm_verification verification;
        plant(mistake->file, mistake->old, mistake->by);
        verify_on(endpoints_get(e), the_case, &verification);
        cr_expect_eq(verification.status, BM_VERIFICATION_FAILED, "%s is not found on %s", mistake->what,
                     endpoints_get(e)->id);
        cr_expect_not_null(strstr(verification.problem, mistake->problem), "%s: '%s' lacks '%s'",
                           mistake->what, verification.problem, mistake->problem);
        cr_expect_gt(verification.checked, 0);
    }
}

Test(planted, the_copies_are_right_before) {
    struct bm_case cases[CASES_MAX];
    static const char *const files[] = {"gemm.cl",    "gemv.cl", "attention.cl", "attention_group.cl",
                                        "stream.cl",  "fma.cl",  "norm.cl",      "rope.cl",
                                        "softmax.cl", "topk.cl", "gather.cl",    "elementwise.cl",
                                        "launch.cl"};
    for (size_t i = 0; i < BM_COUNT_OF(files); i++)
        plant(files[i], "kernel", "kernel");
    size_t count = cases_all(cases);
    for (size_t e = 0; endpoints_get(e) != NULL; e++)
        for (size_t i = 0; i < count; i += 7) {
            struct bm_verification verification;
            verify_on(endpoints_get(e), &cases[i], &verification);
            cr_expect_eq(verification.status, BM_VERIFICATION_PASSED, "%s", verification.problem);
        }
}

Test(planted, wrong_results) {
    static const struct mistake sign = {"a wrong sign", "gemv.cl", "sum[r] += LOAD_INPUTS",
                                        "sum[r] -= LOAD_INPUTS", "output 0 differs"},
                                bound = {"a lost last term", "gemm.cl", "+ i] = value;",
                                         "+ i] = k0 + j + 1 < k ? value : 0;", "differs"},
                                scale = {"a factor of two", "stream.cl",
                                         "destination[i] = ", "destination[i] = 2 * ", "output 0 differs"},
                                step = {"a lost step", "fma.cl", "step < steps", "step + 1 < steps",
                                        "output 0 differs"};
    struct bm_case gemv = case_gemv("f32", 37, 64), gemm = case_gemm("f16", 13, 70, 37);
    struct bm_case copy = {
        .workload = bm_workload_find("stream"), .model = "-", .op = "copy", .working_set = 4096};
    struct bm_case fma = {
        .workload = bm_workload_find("fma"), .model = "-", .op = "f32_vector", .n = 1000, .k = 64};
    expect_found(&sign, &gemv);
    expect_found(&bound, &gemm);
    expect_found(&scale, &copy);
    expect_found(&step, &fma);
}

/* The error of one wrong output among many, however small its place. */
Test(planted, one_wrong_output) {
    static const struct mistake mistake = {"a wrong row", "gemv.cl", "store_one(LANE_TOTAL(r) *",
                                           "store_one((group + r * groups == 23 ? 0.0f : LANE_TOTAL(r)) *",
                                           "output 23 differs"};
    struct bm_case the_case = case_gemv("f32", 37, 64);
    for (size_t e = 0; endpoints_get(e) != NULL; e++)
        if (endpoints_get(e)->is_gpu)
            cr_skip_test("the line is that of one work-item a row");
    expect_found(&mistake, &the_case);
}

Test(planted, not_a_number) {
    static const struct mistake mistake = {"a NaN", "gemv.cl", "sum[r] = 0.0f", "sum[r] = NAN",
                                           "output 0 differs"};
    struct bm_case the_case = case_gemv("f32", 37, 64);
    struct bm_verification verification;
    expect_found(&mistake, &the_case);
    verify_on(endpoints_get(0), &the_case, &verification);
    cr_expect(verification.max_relative_error > 1e308, "and counts as an infinite error");
}

Test(planted, outputs_left_out) {
    static const struct mistake mistake = {"a missing last output", "gemv.cl", "group + r * groups < n",
                                           "group + r * groups + 1 < n", "output 36 was never written"};
    struct bm_case f32 = case_gemv("f32", 37, 64), f16 = case_gemv("f16", 37, 64);
    expect_found(&mistake, &f32);
    expect_found(&mistake, &f16);
}

Test(planted, outputs_too_many) {
    static const struct mistake mistake = {"one output too many", "gemv.cl", "group + r * groups < n",
                                           "group + r * groups <= n",
                                           "output 36 is followed by bytes that the kernel must not write"};
    struct bm_case f32 = case_gemv("f32", 37, 64), f16 = case_gemv("f16", 37, 64);
    expect_found(&mistake, &f32);
    expect_found(&mistake, &f16);
}

Test(planted, outputs_shifted_down) {
    static const struct mistake mistake = {"outputs one place early", "gemv.cl",
                                           "outputs + group + r * groups", "outputs + group + r * groups - 1",
                                           "output 0 is preceded by bytes that the kernel must not write"};
    struct bm_case the_case = case_gemv("f32", 37, 64);
    expect_found(&mistake, &the_case);
}

/* A kernel that always reads the first slot would be measured in cache: another slot than the first is
 * verified. */
Test(planted, the_slot_ignored) {
    static const struct mistake mistake = {"an ignored offset", "gemv.cl",
                                           "weights + weights_offset / (WEIGHT == I4 ? 2 : 1)", "weights",
                                           "output 0 differs"};
    struct bm_case the_case = case_gemv("f32", 37, 64);
    expect_found(&mistake, &the_case);
}

/* Outputs that rotate: likewise, and what lies behind a slot is the next one, which must stay as it is. */
Test(planted, the_slots_of_outputs) {
    static const struct mistake ignored = {"an ignored offset", "elementwise.cl", "outputs + outputs_offset",
                                           "outputs", "output 0 was never written"};
    static const struct mistake beyond = {"a vector too many", "elementwise.cl",
                                          "(CHUNK * LANES * WIDTH), n)", "(CHUNK * LANES * WIDTH), n + VEC)",
                                          "is followed by bytes that the kernel must not write"};
    struct bm_case the_case = case_gemm("f32", 12, 64, 0);
    the_case.workload = bm_workload_find("residual");
    expect_found(&ignored, &the_case);
    expect_found(&beyond, &the_case);
}

/* Of attention's sinks: left out, one for all heads, one that each split counts, in the wrong base, of a row
 * of heads beside its own. */
Test(planted, attention_sinks) {
    static const struct mistake of_decode[] = {
        {"no sinks", "attention.cl", "1.0f / WITH_SINK(weight, maximum, head % SINKS)", "1.0f / weight",
         "differs"},
        {"one sink", "attention.cl", "head % SINKS", "head / SINKS", "differs"},
        {"a sink of each split", "attention.cl", "weight += factor * partial[V_DIM + 1];",
         "weight = WITH_SINK(weight + factor * partial[V_DIM + 1], maximum, head % SINKS);", "differs"},
        {"a sink among powers of two", "attention.cl", "sinks[head] * M_LOG2E_F", "sinks[head]", "differs"},
    };
    static const struct mistake of_prefill[] = {
        {"no sinks", "attention.cl", "WITH_SINK(weight[r], maximum[r], kv_head * group + row % group)",
         "weight[r]", "differs"},
        {"sinks of the first KV head", "attention.cl", "maximum[r], kv_head * group + row % group",
         "maximum[r], row % group", "differs"},
        {"sinks of a tile's other rows", "attention.cl", "maximum[r], kv_head * group + row % group",
         "maximum[r], kv_head * group + r % group", "differs"},
        {"a sink that the largest score does not scale", "attention.cl", "+ sink_shift - (maximum))",
         "+ sink_shift)", "differs"},
    };
    for (size_t e = 0; endpoints_get(e) != NULL; e++)
        if (endpoints_get(e)->is_gpu)
            cr_skip_test("the lines are those of one work-item a tile");
    struct bm_case the_case = case_gemm("f32", 0, 0, 0);
    the_case.workload = bm_workload_find("attention");
    the_case.phase = BM_PHASE_DECODE;
    the_case.batch = 2;
    the_case.tokens = 1;
    the_case.context = 300;
    the_case.heads = 6;
    the_case.kv_heads = 2;
    the_case.head_dim = the_case.v_dim = 64;
    the_case.sinks = true;
    for (size_t i = 0; i < BM_COUNT_OF(of_decode); i++)
        expect_found(&of_decode[i], &the_case);
    the_case.phase = BM_PHASE_PREFILL;
    the_case.tokens = 100;
    the_case.context = 0;
    the_case.window = 16;
    for (size_t i = 0; i < BM_COUNT_OF(of_prefill); i++)
        expect_found(&of_prefill[i], &the_case);
}

/* Of attention: a key too many or too few, sums that a new maximum does not rescale, the last value left out.
 */
Test(planted, attention) {
    static const struct mistake mistakes[] = {
        {"a look ahead", "attention.cl", "#define KEYS_TO(r)   ((int)(past + TOKEN(r) + 1))",
         "#define KEYS_TO(r)   ((int)min(past + TOKEN(r) + 2, past + tokens))", "differs"},
        {"a lost key", "attention.cl", "(index >= low) & (index < high)",
         "(index >= low) & (index + 1 < high)", "differs"},
        {"sums left as they are", "attention.cl", "return factor;", "return 1.0f;", "differs"},
        {"scores of another row", "attention.cl", "a[i * a_stride + j + step]",
         "a[(i ^ 1) * a_stride + j + step]", "differs"},
    };
    for (size_t e = 0; endpoints_get(e) != NULL; e++)
        if (endpoints_get(e)->is_gpu)
            cr_skip_test("the lines are those of one work-item a tile");
    struct bm_case the_case = case_gemm("f32", 0, 0, 0);
    the_case.workload = bm_workload_find("attention");
    the_case.phase = BM_PHASE_PREFILL;
    the_case.batch = 1;
    the_case.tokens = 600; /* more than one block of keys */
    the_case.heads = the_case.kv_heads = 2;
    the_case.head_dim = the_case.v_dim = 64;
    for (size_t i = 0; i < BM_COUNT_OF(mistakes); i++)
        expect_found(&mistakes[i], &the_case);
    static const struct mistake value = {"a lost last value", "attention.cl",
                                         "for (uint j = 0; j < count; j++) {",
                                         "for (uint j = 0; j + 1 < count; j++) {", "differs"};
    the_case.phase = BM_PHASE_DECODE;
    the_case.tokens = 1;
    the_case.context = 300;
    expect_found(&value, &the_case);
}
