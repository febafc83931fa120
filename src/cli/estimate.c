#include <stdlib.h>
#include <string.h>

#include "commands.h"

/* The one value of an option, or what it is unless given. */
static enum bm_status single(const char *name, const struct bm_run_numbers *given, uint32_t fallback,
                             uint32_t *value, struct bm_error *error) {
    *value = given->count > 0 ? given->items[0] : fallback;
    return given->count <= 1 ? BM_OK : bm_fail(error, BM_INVALID, "--%s: give one number", name);
}

static int compare_numbers(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* --batch in ascending order, each once. */
static void sort_batches(struct bm_run_numbers *batches) {
    unsigned kept = 0;
    if (batches->count == 0)
        batches->items[batches->count++] = 1;
    qsort(batches->items, batches->count, sizeof *batches->items, compare_numbers);
    for (unsigned i = 0; i < batches->count; i++)
        if (kept == 0 || batches->items[i] != batches->items[kept - 1])
            batches->items[kept++] = batches->items[i];
    batches->count = kept;
}

/* --link GB/S[,US] */
static enum bm_status read_link(const char *word, struct bm_serving_options *options,
                                struct bm_error *error) {
    char rate[48];
    struct bm_error wrong = {0};
    const size_t length = strcspn(word, ",");
    bm_string_set(rate, length + 1 < sizeof rate ? length + 1 : sizeof rate, word);
    if (bm_parse_double(rate, 1e-3, 1e6, &options->link_gbs, &wrong) == BM_OK &&
        (word[length] == '\0' ||
         bm_parse_double(word + length + 1, 0, 1e6, &options->link_us, &wrong) == BM_OK))
        return BM_OK;
    return bm_fail(error, BM_INVALID, "--link: '%.40s' is not GB/s, or GB/s,us, such as 50 or 50,5", word);
}

static enum bm_status read_kv(struct bm_serving_options *options, struct bm_error *error) {
    const struct bm_names *given = &settings.run.kvs;
    const char *word = given->count > 0 ? given->items[0] : "";
    options->kv = strcmp(word, "f16") == 0 ? BM_KV_F16 : strcmp(word, "int8") == 0 ? BM_KV_INT8 : BM_KV_DTYPE;
    if (given->count > 1)
        return bm_fail(error, BM_INVALID, "--kv: give one of f16 and int8");
    return given->count == 0 || options->kv != BM_KV_DTYPE
               ? BM_OK
               : bm_fail(error, BM_INVALID, "--kv: '%.40s' is unknown: use f16 or int8", word);
}

static enum bm_status read_options(struct bm_serving_options *options, struct bm_error *error) {
    double limit_ms = BM_SERVING_TPOT_LIMIT_MS;
    *options =
        (struct bm_serving_options){.devices = settings.run.devices,
                                    .backends = settings.run.backends,
                                    .dtypes = settings.run.dtypes,
                                    .routing = settings.run.zipf ? BM_ROUTING_ZIPF : BM_ROUTING_UNIFORM};
    if (settings.run.models.count != 1)
        return bm_fail(error, BM_INVALID, "estimate: name one model: --model ID|FILE");
    if (settings.files.count == 0)
        return bm_fail(error, BM_INVALID,
                       "estimate: name results files: benchmark estimate --model ID RESULTS.json");
    options->model_name = settings.run.models.items[0];
    enum bm_status status = bm_model_load(options->model_name, &options->model, error);
    if (status == BM_OK)
        status = single("prompt", &settings.prompts, 512, &options->prompt, error);
    if (status == BM_OK)
        status = single("generate", &settings.generated, 128, &options->generate, error);
    if (status == BM_OK)
        status = single("chunk", &settings.chunks, BM_SERVING_CHUNK, &options->chunk, error);
    if (status == BM_OK)
        status = single("count", &settings.run.counts, 1, &options->count, error);
    struct bm_error wrong = {0};
    if (status == BM_OK && settings.tpot != NULL &&
        bm_parse_double(settings.tpot, 1e-3, 1e9, &limit_ms, &wrong) != BM_OK)
        status = bm_fail(error, BM_INVALID, "--tpot: %s", wrong.message);
    if (status == BM_OK && settings.link != NULL)
        status = read_link(settings.link, options, error);
    if (status == BM_OK)
        status = read_kv(options, error);
    sort_batches(&settings.run.batches);
    options->batches = settings.run.batches.items;
    options->batch_count = settings.run.batches.count;
    options->tpot_limit_ns = 1e6 * limit_ms;
    return status;
}

static enum bm_status add_file(void *report, const char *path, struct bm_error *error) {
    return bm_serving_report_add(report, path, error);
}

static enum bm_status write_report(const struct bm_serving_report *report,
                                   const struct bm_export_format *format, struct bm_error *error) {
    struct bm_text text = {0};
    struct bm_export_options options = command_output_options();
    enum bm_status status = format->write_estimate(report, &options, &text, error);
    if (status == BM_OK)
        status = command_write(&text, error);
    bm_text_fini(&text);
    return status;
}

enum exit_code command_estimate(void) {
    struct bm_error error = {0};
    struct bm_serving_options options;
    const struct bm_export_format *format = NULL;
    struct bm_serving_report *report = NULL;
    size_t left_out = 0;
    enum bm_status status = command_format(FORMAT_OF_ESTIMATE, &format, &error);
    if (status == BM_OK)
        status = read_options(&options, &error);
    if (status == BM_OK)
        status = command_spare_inputs(&error);
    if (status == BM_OK)
        status = bm_serving_report_create(&options, &report, &error);
    if (status == BM_OK)
        status = command_add_files(add_file, report, &left_out, &error);
    if (status == BM_OK && left_out == settings.files.count) {
        bm_serving_report_destroy(report); /* all is said */
        return EXIT_USAGE;
    }
    if (status == BM_OK)
        status = bm_serving_report_finish(report, &error);
    if (status == BM_OK)
        status = write_report(report, format, &error);
    const bool incomplete = status == BM_OK && bm_serving_report_incomplete(report);
    bm_serving_report_destroy(report);
    enum exit_code code = command_end(status, &error);
    if (code == EXIT_DONE && left_out > 0)
        code = EXIT_USAGE;
    return code == EXIT_DONE && incomplete ? EXIT_INCOMPARABLE : code;
}
