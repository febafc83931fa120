/* Results files of many processes as one. */
#include <jansson.h>
#include <math.h>

#include "bm/merge.h"
#include "bm/saved.h"
#include "fixture.h"

enum { FLAG_A = 1, FLAG_B = 2, FLAG_SHAPE = 4 };

static const char *flag_name(unsigned bit) {
    return bit == FLAG_A ? "a" : bit == FLAG_B ? "b" : bit == FLAG_SHAPE ? "shape" : NULL;
}

/* The mean, and the range with the confidence that it has, are enough here: what is merged is none of the
 * statistics' business. */
static void mean(const double *figures, size_t count, struct bm_results_time *time, unsigned *flags) {
    double sum = 0, low = figures[0], high = figures[0];
    for (size_t i = 0; i < count; i++) {
        sum += figures[i];
        low = fmin(low, figures[i]);
        high = fmax(high, figures[i]);
    }
    *time = (struct bm_results_time){.median = sum / (double)count,
                                     .low = low,
                                     .high = high,
                                     .confidence = 1 - pow(2, 1 - (double)count),
                                     .min = low,
                                     .p5 = low,
                                     .p95 = high};
    *flags = count > 2 ? FLAG_SHAPE : 0;
}

static struct bm_merge *merge;
static struct bm_saved saved;
static struct bm_error error;

static void begin(void) {
    fixture_begin();
    const struct bm_merge_options options = {.ab_id = "8f14e45f-ceea-467f-9e6d-2b0e3a2b6c1d",
                                             .side = "old",
                                             .estimate = mean,
                                             .flag_name = flag_name,
                                             .round_flags = FLAG_A | FLAG_B,
                                             .words_added = 2};
    error = (struct bm_error){0};
    cr_assert_eq(bm_merge_create(&options, &merge, NULL), BM_OK);
}

static void end(void) {
    bm_merge_destroy(merge);
    bm_saved_fini(&saved);
    fixture_end();
}

TestSuite(merge, .init = begin, .fini = end);

/* A row of 1000 FLOPs; ns 0: status is not ok. */
static void append_row(struct bm_text *text, const char *key, double ns, const char *status,
                       const char *flags) {
    bm_text_append(
        text,
        "%s{\"key\": \"%s\", \"device\": \"cpu0\", \"backend\": \"b\", \"threads\": 2, \"status\": "
        "\"%s\", \"reason\": \"because\", \"case\": {\"dtype\": \"f32\"}, \"verification\": "
        "{\"status\": \"%s\"}, ",
        text->data[text->length - 1] == '}' ? ", " : "", key, status, ns > 0 ? "passed" : "not_run");
    if (ns > 0)
        bm_text_append(text,
                       "\"time_ns\": {\"median\": %g, \"ci\": [%g, %g], \"confidence\": 0.95}, \"rounds\": "
                       "[{\"ns\": %g, \"launches\": 3, \"start_ns\": 0, \"flags\": []}, {\"ns\": %g, "
                       "\"launches\": 2, \"start_ns\": 9, \"flags\": []}], \"flops\": 1000, \"bytes\": 100, "
                       "\"gflops\": %.17g, \"gbytes_per_s\": %.17g, \"tokens_per_s\": null, \"utilization\": "
                       "{\"bound\": \"compute\", \"roofline_efficiency\": %.17g, \"roofline_efficiency_ci\": "
                       "[0.1, 9], \"memory_of_ceiling\": null}, ",
                       ns, ns, ns, 3 * ns, 2 * ns, 1000 / ns, 100 / ns, 10 / ns);
    else
        bm_text_append(text, "\"time_ns\": null, \"rounds\": [], \"flops\": 1000, \"gflops\": null, "
                             "\"utilization\": null, ");
    bm_text_append(text, "\"flags\": [%s]}", flags);
}

/* One process: times of its rows x and y, 0: that row failed. */
static void add_with(double x, double y, const char *x_status, const char *flags, double ceiling) {
    struct bm_text text = {0};
    bm_text_append(
        &text,
        "{\"schema_version\": \"1.0\", \"id\": \"i\", \"created\": \"c\", \"complete\": true, \"ab\": "
        "null, \"settings\": {\"command\": [\"benchmark\", \"run\", \"--output\", \"x\"]}, "
        "\"devices\": [{\"id\": \"cpu0\", \"ceilings\": [{\"resource\": \"fma\", \"pipe\": \"p\", "
        "\"backend\": \"b\", \"threads\": 2, \"value\": %g, \"ci\": [1, 2], \"burst\": %g, \"steady\": "
        "null}], \"summary\": [{\"backend\": \"b\", \"model\": \"m\", \"phase\": \"prefill\", \"dtype\": "
        "\"f32\", \"tokens_per_s\": %.17g, \"mfu\": 0.5, \"mbu\": "
        "null, \"roofline_efficiency\": 0.1, \"rows\": [{\"key\": \"x\", \"count\": 2}, {\"key\": "
        "\"y\", \"count\": 1}]}]}], \"results\": [",
        ceiling, 2 * ceiling, 1e9 / (2 * x + y));
    append_row(&text, "x", x, x_status, flags);
    append_row(&text, "y", y, y > 0 ? "ok" : "failed", "");
    bm_text_append(&text, "]}");
    const char *path = fixture_write("process.json", text.data, SIZE_MAX);
    cr_assert_eq(bm_merge_add(merge, path, 7, &error), BM_OK, "%s", error.message);
    bm_text_fini(&text);
}

static void add(double x, double y) {
    add_with(x, y, x > 0 ? "ok" : "skipped", "", 100);
}

static json_t *written(bool complete) {
    char path[256];
    snprintf(path, sizeof path, "%s/merged.json", fixture_folder);
    cr_assert_eq(bm_merge_write(merge, path, complete, &error), BM_OK, "%s", error.message);
    const struct bm_saved_options options = {.flag_name = flag_name, .rounds = true};
    bm_saved_fini(&saved);
    cr_assert_eq(bm_saved_load(path, &options, &saved, &error), BM_OK, "%s", error.message);
    json_t *root = json_load_file(path, 0, NULL);
    cr_assert_not_null(root);
    return root;
}

Test(merge, rounds_are_processes) {
    add(10, 20);
    add(14, 20);
    json_decref(written(true));
    cr_assert_eq(saved.row_count, 2);
    const struct bm_saved_row *x = &saved.rows[0];
    cr_assert_eq(x->round_count, 2);
    cr_expect_eq(x->rounds[0].launches, 5, "those of the process's own rounds");
    cr_expect_eq(x->rounds[0].ns, 50);
    cr_expect_eq(x->rounds[1].ns, 70);
    cr_expect_eq(x->rounds[1].start_ns, 7);
    cr_expect_float_eq(x->time.median, 12, 1e-9);
    cr_expect_float_eq(x->gflops, 1000 / 12.0, 1e-6, "the rate of the merged time");
    cr_expect_float_eq(x->utilization.roofline_efficiency, (10 / 10.0 + 10 / 14.0) / 2, 1e-6);
    cr_expect(isnan(x->utilization.efficiency_interval[0]), "of two processes there is none");
    cr_expect(isnan(x->tokens_per_s), "null stays null");
    cr_expect_str_eq(saved.ab.side, "old");
    cr_expect(saved.complete);
    cr_expect_str_eq(saved.settings.command, "benchmark run", "without the words that were added");
    cr_expect_str_neq(saved.id, "i", "a file of its own");
}

/* Of the processes, as the interval of the time: what a process says of itself is in neither. */
Test(merge, an_interval_of_efficiencies) {
    static const double times[] = {10, 11, 12, 13, 14, 15, 16, 17};
    for (size_t i = 0; i < BM_COUNT_OF(times); i++)
        add(times[i], i == 0 ? 0 : 20);
    json_decref(written(true));
    const struct bm_saved_row *x = &saved.rows[0], *y = &saved.rows[1];
    cr_expect_float_eq(x->utilization.efficiency_interval[0], 10 / x->time.interval[1], 1e-6);
    cr_expect_float_eq(x->utilization.efficiency_interval[1], 10 / x->time.interval[0], 1e-6);
    cr_expect(isnan(y->utilization.efficiency_interval[0]), "it failed");
}

Test(merge, flags_of_more_than_a_quarter) {
    add_with(10, 20, "ok", "\"a\", \"shape\"", 100);
    add_with(10, 20, "ok", "\"a\", \"b\"", 100);
    add(10, 20);
    add(10, 20);
    json_decref(written(false));
    cr_expect_eq(saved.rows[0].flags, FLAG_A | FLAG_SHAPE, "b: one of four; shape: the estimate's");
    cr_expect_eq(saved.rows[0].rounds[0].flags, FLAG_A,
                 "what tells of rounds within the process is left out");
    cr_expect_eq(saved.rows[0].rounds[1].flags, FLAG_A | FLAG_B);
    cr_expect_not(saved.complete);
}

Test(merge, ceilings_and_summaries) {
    add_with(10, 20, "ok", "", 100);
    add_with(14, 20, "ok", "", 110);
    json_t *root = written(true);
    double value, burst, tokens, mfu, efficiency;
    json_t *steady, *mbu;
    cr_assert_eq(json_unpack(root, "{s[{s[{sf,sf,so}],s[{sf,sf,so,sf}]}]}", "devices", "ceilings", "value",
                             &value, "burst", &burst, "steady", &steady, "summary", "tokens_per_s", &tokens,
                             "mfu", &mfu, "mbu", &mbu, "roofline_efficiency", &efficiency),
                 0);
    cr_expect_float_eq(value, 105, 1e-9);
    cr_expect_float_eq(burst, 210, 1e-9);
    cr_expect(json_is_null(steady) && json_is_null(mbu));
    cr_expect_float_eq(tokens, 1e9 / (2 * 12 + 20), 1, "what the merged rows add up to");
    cr_expect_float_eq(mfu, 0.5 * 40 / 44, 1e-9);
    double eta = (10 / 10.0 + 10 / 14.0) / 2;
    cr_expect_float_eq(efficiency, (2 * 12 * eta + 20 * 0.5) / 44, 1e-6);
    json_decref(root);
}

Test(merge, a_row_that_failed_once_has_failed) {
    add(10, 20);
    add(10, 0);
    add(10, 20);
    json_t *root = written(true);
    cr_expect_eq(saved.rows[1].status, BM_SAVED_FAILED);
    cr_expect(isnan(saved.rows[1].time.median));
    cr_expect_eq(saved.rows[1].round_count, 0);
    cr_expect_str_eq(saved.rows[1].reason, "because");
    cr_expect_eq(saved.rows[0].round_count, 3);
    cr_expect_eq(saved.devices[0].summary_count, 0, "a pass without it is another pass");
    json_decref(root);
}

Test(merge, a_row_that_was_not_always_measured) {
    add(10, 20);
    add(0, 20);
    add(12, 20);
    json_decref(written(true));
    cr_expect_eq(saved.rows[0].status, BM_SAVED_OK);
    cr_expect_eq(saved.rows[0].round_count, 2);
    cr_expect_float_eq(saved.rows[0].time.median, 11, 1e-9);
    add(0, 20);
    add(0, 20);
    json_decref(written(true));
    cr_expect_eq(saved.rows[0].status, BM_SAVED_SKIPPED, "less than half of the processes measured it");
    cr_expect_eq(saved.rows[0].round_count, 0);
    cr_expect_eq(saved.rows[1].round_count, 5);
}

Test(merge, a_round_without_a_partner_is_taken_back) {
    add(10, 20);
    add(14, 20);
    bm_merge_omit(merge, 1, "x", "cpu0", "b", 2);
    bm_merge_omit(merge, 0, "x", "cpu1", "b", 2);
    bm_merge_omit(merge, 0, "z", "cpu0", "b", 2);
    bm_merge_omit(merge, 5, "x", "cpu0", "b", 2);
    json_decref(written(true));
    cr_expect_eq(saved.rows[0].round_count, 1);
    cr_expect_float_eq(saved.rows[0].time.median, 10, 1e-9);
    cr_expect_eq(saved.rows[1].round_count, 2);
}

Test(merge, files_that_are_no_results_leave_all_as_it_was) {
    add(10, 20);
    static const char *const texts[] = {"", "[]", "{}", "{\"results\": 3}", "{\"results\": [", "null"};
    for (size_t i = 0; i < BM_COUNT_OF(texts); i++) {
        error = (struct bm_error){0};
        cr_expect_eq(bm_merge_add(merge, fixture_write("bad.json", texts[i], SIZE_MAX), 0, &error),
                     BM_INVALID, "%s", texts[i]);
        cr_expect_not_null(strstr(error.message, "bad.json"));
    }
    cr_expect_eq(bm_merge_add(merge, "/nowhere.json", 0, NULL), BM_NOT_FOUND);
    error = (struct bm_error){0};
    json_decref(written(true));
    cr_expect_eq(saved.rows[0].round_count, 1);
}

/* Another plan in a later process: what is not there is not measured. */
Test(merge, rows_that_a_later_process_lacks) {
    add(10, 20);
    static const char *const texts[] = {"{\"results\": [], \"devices\": []}",
                                        "{\"results\": [3, {\"key\": 7}], \"devices\": 4}"};
    for (size_t i = 0; i < BM_COUNT_OF(texts); i++)
        cr_expect_eq(bm_merge_add(merge, fixture_write("odd.json", texts[i], SIZE_MAX), 0, &error), BM_OK,
                     "%s", error.message);
    json_decref(written(true));
    cr_expect_eq(saved.rows[1].status, BM_SAVED_OK, "nothing tells that it was not");
    cr_expect_eq(saved.rows[1].round_count, 1);
}

Test(merge, nothing_to_write) {
    char path[256];
    snprintf(path, sizeof path, "%s/merged.json", fixture_folder);
    cr_expect_eq(bm_merge_write(merge, path, true, NULL), BM_INTERNAL);
    cr_expect_not(bm_file_exists(path));
}
