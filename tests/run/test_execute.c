/* Whole runs on this machine's devices: a model of toy size, real kernels, real files. No figure is judged: a
 * shared machine may measure anything. */
#include "bm/run.h"

#include "../data/fixture.h"

#include <math.h>
#include <sys/stat.h>

static struct bm_inventory inventory;
static struct bm_run_options options;
static struct bm_run_plan plan;
static struct bm_run *run;
static struct bm_error error;
static char model_path[128];

static const char model_text[] =
    "{\"id\": \"toy\", \"name\": \"Toy\", \"family\": \"Toy\", \"released\": \"2025-01\", \"layers\": 2, "
    "\"hidden\": 128,\n"
    " \"heads\": 4, \"kv_heads\": 2, \"head_dim\": 32, \"attention\": \"gqa\", \"ffn\": \"swiglu\", "
    "\"intermediate\": 352,\n"
    " \"vocabulary\": 512, \"max_context\": 256, \"tied_embeddings\": false, \"parameters\": 500000,\n"
    " \"active_parameters\": 500000, \"source\": \"made up\", \"seen_in\": [\"this test\"],\n"
    " \"status\": {\"verified\": [\"layers\"]}}\n";

static void begin(void) {
    static char model_word[128], *models[] = {model_word}, program[] = "./benchmark", word[] = "run",
                                 *command[] = {program, word, NULL};
    fixture_begin();
    strcpy(model_path, fixture_write("toy.json", model_text, SIZE_MAX));
    strcpy(model_word, model_path);
    cr_assert_eq(bm_inventory_open(NULL, &inventory, &error), BM_OK, "%s", error.message);
    options = (struct bm_run_options){
        .suite = "quick",
        .models = {.items = models, .count = 1},
        .tokens = {.items = {24}, .count = 1},
        .contexts = {.items = {100}, .count = 1},
        .budget_s = 0.5,
        .seed = 7,
        .command = command,
    };
}

static void end(void) {
    bm_run_destroy(run);
    bm_run_plan_fini(&plan);
    bm_inventory_close(&inventory);
    fixture_end();
}

TestSuite(execute, .init = begin, .fini = end, .timeout = 100);

static const struct bm_results *execute(const struct bm_run_observer *observer, enum bm_status expected) {
    cr_assert_eq(bm_run_plan_create(&options, &inventory, &plan, &error), BM_OK, "%s", error.message);
    cr_assert_eq(bm_run_execute(&options, &inventory, &plan, observer, &run, &error), expected, "%s",
                 error.message);
    return run != NULL ? bm_run_results_get(run) : NULL;
}

static void expect_described(const struct bm_results *results) {
    cr_expect_eq(results->row_count, plan.item_count);
    cr_expect_gt(results->device_count, 0);
    cr_expect_eq(strlen(results->id), 36);
    cr_expect_eq(strlen(results->tool.kernels_sha256), 64);
    cr_expect_str_eq(results->settings.suite, "quick");
    cr_expect_eq(results->settings.seed, 7);
    for (size_t i = 0; i < results->row_count; i++) {
        char key[BM_KEY_SIZE];
        bm_case_key(&plan.items[i].the_case, key);
        cr_expect_str_eq(results->rows[i].key, key);
    }
}

/* What is on disk is what a reader of results finds there. */
static void expect_saved(const char *path, const struct bm_results *results) {
    struct bm_text text = {0};
    char *data;
    size_t size;
    cr_assert_eq(bm_results_format(results, &text, NULL), BM_OK);
    cr_assert_eq(bm_file_read(path, 64 << 20, &data, &size, &error), BM_OK, "%s", error.message);
    cr_expect(size == text.length && memcmp(data, text.data, size) == 0, "the file is the results");
    bm_text_fini(&text);
    free(data);
}

static const char *output(const char *name) {
    static char path[512];
    const char *folder = getenv("BM_TEST_OUTPUT"); /* validated against the schema by another test */
    cr_assert_not_null(folder);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    remove(path);
    return path;
}

Test(execute, a_run_is_verified_measured_and_saved) {
    options.output = output("run.json");
    const struct bm_results *results = execute(NULL, BM_OK);
    expect_described(results);
    cr_expect(results->complete);
    for (size_t i = 0; i < results->row_count; i++) {
        const struct bm_results_row *row = &results->rows[i];
        cr_expect(row->status == BM_ROW_OK || row->status == BM_ROW_INVALID, "%s: %s", row->key, row->reason);
        cr_expect_eq(row->verification.status, BM_ROW_PASSED_VERIFICATION, "%s", row->key);
        cr_expect_gt(row->round_count, 0, "the first pass is complete whatever the budget: %s", row->key);
        cr_expect_gt(row->time.median, 0);
        cr_expect(row->time.low <= row->time.median && row->time.median <= row->time.high, "%s", row->key);
        cr_expect_eq(isnan(row->gflops), row->status == BM_ROW_INVALID);
        cr_expect_not_null(row->kernel.parameters_from);
        if (row->the_case.dtype[0] != '\0')
            cr_expect_not_null(row->utilization.bound, "%s has a roofline", row->key);
    }
    for (size_t d = 0; d < results->device_count; d++) {
        cr_expect_geq(results->devices[d].ceiling_count, 3);
        cr_expect_geq(results->devices[d].summary_count, 4);
        for (size_t s = 0; s < results->devices[d].summary_count; s++)
            cr_expect_str_eq(results->devices[d].summaries[s].model, "toy");
    }
    expect_saved(options.output, results);
}

Test(execute, verification_alone) {
    options.output = output("verify.json");
    char program[] = "benchmark", word[] = "verify", *command[] = {program, word, NULL};
    options.verify_only = true;
    options.command = command;
    const struct bm_results *results = execute(NULL, BM_OK);
    expect_described(results);
    cr_expect(results->complete);
    for (size_t i = 0; i < results->row_count; i++) {
        cr_expect_eq(results->rows[i].status, BM_ROW_OK, "%s: %s", results->rows[i].key,
                     results->rows[i].reason);
        cr_expect_eq(results->rows[i].verification.status, BM_ROW_PASSED_VERIFICATION);
        cr_expect_eq(results->rows[i].round_count, 0);
        cr_expect(isnan(results->rows[i].gflops));
    }
    for (size_t d = 0; d < results->device_count; d++)
        cr_expect_eq(results->devices[d].ceiling_count, 0);
    expect_saved(options.output, results);
}

/* Stops after the first cases were verified, as a signal does. */
struct stopper {
    size_t verified, enough;
    bool told; /* the stage and the counts were in order */
};

static void count_progress(void *context, const struct bm_run_progress *progress) {
    struct stopper *stopper = context;
    stopper->told = progress->done <= progress->total && progress->key[0] != '\0';
    stopper->verified += progress->stage == BM_STAGE_VERIFY;
}

static bool is_enough(void *context) {
    const struct stopper *stopper = context;
    return stopper->verified >= stopper->enough;
}

Test(execute, an_interrupted_run_is_saved_too) {
    struct stopper stopper = {.enough = 4};
    struct bm_run_observer observer = {
        .progress = count_progress, .stop_requested = is_enough, .context = &stopper};
    options.output = output("interrupted.json");
    const struct bm_results *results = execute(&observer, BM_INTERRUPTED);
    cr_assert_not_null(results);
    expect_described(results);
    cr_expect_not(results->complete);
    cr_expect(stopper.told && stopper.verified == 4);
    for (size_t i = 0; i < results->row_count; i++) {
        cr_expect_eq(results->rows[i].status, BM_ROW_SKIPPED, "%s", results->rows[i].key);
        cr_expect_eq(strncmp(results->rows[i].reason, "interrupted before it was ", 26), 0);
    }
    expect_saved(options.output, results);
}

/* A wrong kernel makes failed rows, which carry no rate; the other workloads are measured. */
Test(execute, a_wrong_kernel) {
    static const char *const files[] = {"gemm.cl",   "gemv.cl", "attention.cl", "attention_group.cl",
                                        "stream.cl", "fma.cl"};
    options.output = output("wrong.json");
    options.kernels_folder = fixture_folder;
    for (size_t i = 0; i < BM_COUNT_OF(files); i++) {
        char name[64], path[512], *source;
        size_t size;
        snprintf(name, sizeof name, "kernels/%s", files[i]);
        cr_assert_eq(bm_data_path(name, path, sizeof path, NULL), BM_OK);
        cr_assert_eq(bm_file_read(path, 1 << 20, &source, &size, NULL), BM_OK);
        bool right = strcmp(files[i], "gemv.cl") != 0;
        char *copy =
            right ? source : fixture_replace(source, "sum[r] += LOAD_INPUTS", "sum[r] -= LOAD_INPUTS");
        fixture_write(files[i], copy, SIZE_MAX);
        if (!right)
            free(copy);
        free(source);
    }
    const struct bm_results *results = execute(NULL, BM_OK);
    size_t failed = 0;
    for (size_t i = 0; i < results->row_count; i++) {
        const struct bm_results_row *row = &results->rows[i];
        bool wrong = strcmp(row->the_case.workload, "gemv") == 0;
        cr_expect_eq(row->status == BM_ROW_FAILED, wrong, "%s: %s", row->key, row->reason);
        failed += wrong;
        if (!wrong)
            continue;
        cr_expect_eq(row->verification.status, BM_ROW_FAILED_VERIFICATION);
        cr_expect_eq(strncmp(row->reason, "verification failed: output ", 28), 0, "%s", row->reason);
        cr_expect(isnan(row->gflops) && isnan(row->time.median) && row->round_count == 0);
    }
    cr_expect_gt(failed, 0);
    cr_expect_str_neq(results->tool.kernels_sha256, "");
}

Test(execute, an_output_that_cannot_be_written_ends_it_before_it_begins) {
    struct stopper stopper = {.enough = 1000};
    struct bm_run_observer observer = {
        .progress = count_progress, .stop_requested = is_enough, .context = &stopper};
    char path[256];
    snprintf(path, sizeof path, "%s/out.json", model_path); /* below a file */
    options.output = path;
    cr_expect_null(execute(&observer, BM_IO));
    cr_expect_not_null(strstr(error.message, path), "%s", error.message);
    cr_expect_eq(stopper.verified, 0);
}
