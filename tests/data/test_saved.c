/* Reading results files back: figures of a real one, every kind of damage, and agreement with Jansson on what
 * is JSON. */
#include "bm/saved.h"

#include <jansson.h>
#include <math.h>

#include "fixture.h"

TestSuite(saved, .init = fixture_begin, .fini = fixture_end);

static const char *flag_name(unsigned bit) {
    return bit == 1 ? "not_converged" : bit == 2 ? "contaminated" : NULL;
}
static const struct bm_saved_options options = {.flag_name = flag_name, .rounds = true};

static char *source_file(const char *name, size_t *size) {
    char path[512], *text;
    snprintf(path, sizeof path, "%s/%s", getenv("BM_SOURCE_DIR"), name);
    struct bm_error error = {0};
    cr_assert_eq(bm_file_read(path, BM_SAVED_MAX_BYTES, &text, size, &error), BM_OK, "%s", error.message);
    return text;
}

/* A text or number as Jansson reads it; null: "" and NaN. */
static const char *text_at(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static void expect_number(double value, const json_t *object, const char *key) {
    const json_t *number = json_object_get(object, key);
    if (json_is_number(number))
        cr_expect_eq(value, json_number_value(number), "%s: %.17g", key, value);
    else
        cr_expect(isnan(value), "%s: %.17g", key, value);
}

static void expect_device(const struct bm_saved_device *device, const json_t *json) {
    const json_t *ceilings = json_object_get(json, "ceilings"), *summaries = json_object_get(json, "summary");
    cr_expect_str_eq(device->id, text_at(json, "id"));
    cr_expect_str_eq(device->name, text_at(json, "name"));
    cr_expect_str_eq(device->fingerprint, text_at(json, "fingerprint"));
    cr_expect_str_eq(device->datasheet.id, text_at(json_object_get(json, "datasheet"), "id"));
    expect_number(device->datasheet.tdp_watts, json_object_get(json, "datasheet"), "tdp_watts");
    cr_assert_eq(device->ceiling_count, json_array_size(ceilings));
    for (size_t i = 0; i < device->ceiling_count; i++) {
        const json_t *ceiling = json_array_get(ceilings, i);
        cr_expect_str_eq(device->ceilings[i].resource, text_at(ceiling, "resource"));
        cr_expect_str_eq(device->ceilings[i].pipe, text_at(ceiling, "pipe"));
        expect_number(device->ceilings[i].value, ceiling, "value");
        cr_expect_eq(device->ceilings[i].interval[1],
                     json_number_value(json_array_get(json_object_get(ceiling, "ci"), 1)));
    }
    cr_assert_eq(device->summary_count, json_array_size(summaries));
    for (size_t i = 0; i < device->summary_count; i++) {
        const json_t *summary = json_array_get(summaries, i), *ops = json_object_get(summary, "ops");
        cr_expect_str_eq(device->summaries[i].model, text_at(summary, "model"));
        expect_number(device->summaries[i].tokens_per_s, summary, "tokens_per_s");
        cr_assert_eq(device->summaries[i].op_count, json_array_size(ops));
        for (size_t k = 0; k < json_array_size(ops); k++)
            cr_expect_str_eq(device->summaries[i].ops[k].text, json_string_value(json_array_get(ops, k)));
        cr_expect_eq(device->summaries[i].use_count, json_array_size(json_object_get(summary, "rows")));
    }
}

static void expect_row(const struct bm_saved_row *row, const json_t *json) {
    const json_t *rounds = json_object_get(json, "rounds"), *times = json_object_get(json, "time_ns");
    cr_expect_str_eq(row->key, text_at(json, "key"));
    cr_expect_str_eq(row->measured_as, text_at(json, "measured_as"));
    cr_expect_str_eq(bm_saved_status_name(row->status), text_at(json, "status"));
    cr_expect_str_eq(row->the_case.op, text_at(json_object_get(json, "case"), "op"));
    cr_expect_str_eq(row->utilization.bound, text_at(json_object_get(json, "utilization"), "bound"));
    cr_expect_eq(row->verified,
                 strcmp(text_at(json_object_get(json, "verification"), "status"), "passed") == 0);
    expect_number(row->time.median, times, "median");
    expect_number(row->time_uncontaminated.median, json_object_get(json, "time_ns_uncontaminated"), "median");
    expect_number(row->flops, json, "flops");
    expect_number(row->gbytes_per_s, json, "gbytes_per_s");
    cr_assert_eq(row->round_count, json_array_size(rounds));
    for (size_t i = 0; i < row->round_count; i++) {
        const json_t *round = json_array_get(rounds, i);
        cr_expect_eq(row->rounds[i].ns, (uint64_t)json_integer_value(json_object_get(round, "ns")));
        cr_expect_eq(row->rounds[i].launches,
                     (uint64_t)json_integer_value(json_object_get(round, "launches")));
    }
}

/* What another parser reads in a file that was really measured. */
Test(saved, a_real_file) {
    struct bm_saved saved;
    struct bm_error error = {0};
    char path[512];
    snprintf(path, sizeof path, "%s/tests/data/recorded-run.json", getenv("BM_SOURCE_DIR"));
    cr_assert_eq(bm_saved_load(path, &options, &saved, &error), BM_OK, "%s", error.message);
    json_t *json = json_load_file(path, 0, NULL);
    cr_assert_not_null(json);
    const json_t *devices = json_object_get(json, "devices"), *rows = json_object_get(json, "results");
    cr_expect_str_eq(saved.created, text_at(json, "created"));
    cr_expect_str_eq(saved.host.hostname, "", "anonymized");
    cr_expect_str_eq(saved.settings.suite, text_at(json_object_get(json, "settings"), "suite"));
    cr_assert_eq(saved.device_count, json_array_size(devices));
    for (size_t i = 0; i < saved.device_count; i++)
        expect_device(&saved.devices[i], json_array_get(devices, i));
    cr_assert_eq(saved.row_count, json_array_size(rows));
    cr_expect_gt(saved.row_count, 10);
    for (size_t i = 0; i < saved.row_count; i++)
        expect_row(&saved.rows[i], json_array_get(rows, i));
    json_decref(json);
    bm_saved_fini(&saved);
}

Test(saved, rounds_only_on_demand) {
    struct bm_saved saved;
    size_t size;
    char *text = source_file("tests/schema/sample.json", &size);
    const struct bm_saved_options plain = {0};
    cr_assert_eq(bm_saved_parse("x", text, size, &plain, &saved, NULL), BM_OK);
    cr_expect_eq(saved.rows[0].round_count, 0);
    cr_expect_eq(saved.rows[0].flags, 0, "no names, no flags");
    bm_saved_fini(&saved);
    cr_assert_eq(bm_saved_parse("x", text, size, &options, &saved, NULL), BM_OK);
    cr_expect_gt(saved.rows[0].round_count, 0);
    cr_expect_eq(saved.rows[0].utilization.efficiency_interval[1], 0.752);
    cr_expect(isnan(saved.rows[2].utilization.efficiency_interval[0]));
    bm_saved_fini(&saved);
    free(text);
}

/* ---- damage ---- */

static void expect_refused(const char *text, size_t size, const char *expected) {
    static const struct bm_saved zero;
    struct bm_saved saved;
    struct bm_error error = {0};
    const char *path = fixture_write("r.json", text, size);
    memset(&saved, 1, sizeof saved);
    cr_expect_eq(bm_saved_load(path, &options, &saved, &error), BM_INVALID, "%s", expected);
    fixture_check_message(&error, BM_INVALID, "r.json", expected);
    cr_expect_eq(memcmp(&saved, &zero, sizeof saved), 0, "the output is cleared");
}

static void expect_change(const char *old, const char *by, const char *expected) {
    size_t size;
    char *text = source_file("tests/schema/sample.json", &size), *changed = fixture_replace(text, old, by);
    expect_refused(changed, SIZE_MAX, expected);
    free(changed);
    free(text);
}

Test(saved, versions) {
    expect_change("\"schema_version\": \"1.0\"", "\"schema_version\": \"2.0\"",
                  "r.json: $.schema_version: is 2.0, newer than the 1.0 that this program reads: use a newer "
                  "benchmark");
    expect_change("\"schema_version\": \"1.0\"", "\"schema_version\": \"0.9\"", "measure again");
    expect_change("\"schema_version\": \"1.0\"", "\"schema_version\": \"newest\"", "is no version");
    expect_change("\"schema_version\": \"1.0\"", "\"schema_version\": 1", "$.schema_version: must be text");
    expect_change("\"schema_version\"", "\"version\"", "$: is no results file of `benchmark run`");
    expect_refused("{\"schema_version\": \"3.1\", \"devices\": 7, \"results\": \"gone\"}", SIZE_MAX,
                   "newer than"); /* of a newer one nothing else is judged */
    expect_refused("{\"devices\": [[[]]], \"schema_version\": \"3.1\"}", SIZE_MAX, "newer than");
}

Test(saved, places_of_what_is_wrong) {
    expect_change("\"results\":", "\"rows\":", "$.results: is missing");
    expect_change("\"median\":", "\"median\": \"1\", \"old\":", "time_ns.median: must be a number");
    expect_change(
        "\"launches\": ", "\"launches\": 0, \"old\": ", "rounds[0]: must have ns and launches from 1");
    expect_change("\"launches\": ", "\"launches\": -1, \"old\": ", "must be a whole number from 0");
    expect_change("\"launches\": ", "\"launches\": 1.5, \"old\": ", "(is 1.5)");
    expect_change("\"hot\": false", "\"hot\": \"no\"", "case.hot: must be true or false");
    expect_change("\"complete\": true", "\"complete\": true, \"complete\": false",
                  "$.complete: stands twice");
    expect_change("\"device\": \"cpu0\"", "\"device\": \"cpu9\"", "'cpu9' is not among the devices");
    expect_change("\"device\": \"cpu0\"", "\"device\": null", "device: must not be null");
    expect_change("\"ci\": [", "\"ci\": [1, ", "must be [low, high]");
}

Test(saved, hostile_texts) {
    size_t deep = 5000000;
    char *nested = malloc(deep);
    memset(nested, '[', deep);
    expect_refused(nested, deep, "r.json: $: must be an object");
    memcpy(nested, "{\"a\":", 5);
    expect_refused(nested, deep, "nested too deep");
    free(nested);
    char *objects = malloc(5 * 100000);
    for (size_t i = 0; i < 100000; i++)
        memcpy(objects + 5 * i, "{\"a\":", 5);
    expect_refused(objects, 5 * 100000, "nested too deep");
    free(objects);
    expect_refused("", 0, "r.json:1:1: not valid JSON: the file ends too early");
    expect_refused("null", 4, "must be an object");
    expect_refused("[]", 2, "must be an object");
    expect_refused("\xef\xbb\xbf{}", 5, "r.json:1:1: not valid JSON: begins with a byte order mark");
    expect_refused("{\"schema_version\": \"1.0\",\n \"x\": 01}", SIZE_MAX, "r.json:2:8: not valid JSON");
}

Test(saved, a_file_over_the_limit) {
    char path[128];
    snprintf(path, sizeof path, "%s/large.json", fixture_folder);
    FILE *file = fopen(path, "wb");
    cr_assert_eq(fseek(file, (long)BM_SAVED_MAX_BYTES + 1, SEEK_SET), 0);
    fputc('x', file);
    fclose(file);
    struct bm_saved saved;
    struct bm_error error = {0};
    cr_expect_eq(bm_saved_load(path, &options, &saved, &error), BM_INVALID);
    fixture_check_message(&error, BM_INVALID, "large.json", "larger than the 64 MiB");
}

Test(saved, absent_files_and_folders) {
    struct bm_saved saved;
    struct bm_error error = {0};
    cr_expect_eq(bm_saved_load("/nonexistent/x.json", &options, &saved, &error), BM_NOT_FOUND);
    struct bm_error folder = {0};
    cr_expect_eq(bm_saved_load(fixture_folder, &options, &saved, &folder), BM_IO);
    cr_expect_not_null(strstr(folder.message, "is a folder"), "%s", folder.message);
}

Test(saved, a_newer_minor_version_is_read_as_far_as_it_is_known) {
    size_t size;
    struct bm_saved saved;
    struct bm_error error = {0};
    char *text = source_file("tests/schema/sample.json", &size);
    char *newer =
        fixture_replace(text, "\"schema_version\": \"1.0\"",
                        "\"schema_version\": \"1.99\", \"weather\": {\"wind\": [1, {\"gusts\": null}]}");
    char *status = fixture_replace(newer, "\"status\": \"ok\"",
                                   "\"status\": \"estimated\", \"basis\": [true, \"\\ud83d\\ude00\"]");
    cr_assert_eq(bm_saved_parse("x", status, strlen(status), &options, &saved, &error), BM_OK, "%s",
                 error.message);
    cr_expect_eq(saved.rows[0].status, BM_SAVED_SKIPPED,
                 "a status that is not known is none to take a rate from");
    bm_saved_fini(&saved);
    free(status);
    free(newer);
    free(text);
}

Test(saved, what_could_drive_a_terminal_is_shown_as_question_marks) {
    size_t size;
    struct bm_saved saved;
    char *text = source_file("tests/schema/sample.json", &size);
    char *evil = fixture_replace(text, "\"hostname\": \"", "\"hostname\": \"\\u001b[31m\\u009bx\\n\xc2\x9b");
    cr_assert_eq(bm_saved_parse("x", evil, strlen(evil), &options, &saved, NULL), BM_OK);
    cr_expect_eq(strncmp(saved.host.hostname, "?[31m?x??", 9), 0, "%s", saved.host.hostname);
    bm_saved_fini(&saved);
    free(evil);
    free(text);
}

/* ---- the grammar, against another parser ---- */

/* Both agree: what is accepted is JSON to Jansson, and what Jansson accepts is refused for its content only.
 */
static void expect_agreement(const char *text, size_t size, size_t tallies[2]) {
    struct bm_saved saved;
    struct bm_error error = {0};
    json_error_t found;
    enum bm_status status = bm_saved_parse("r.json", text, size, &options, &saved, &error);
    bm_saved_fini(&saved);
    json_t *root = json_loadb(text, size, JSON_DECODE_ANY, &found);
    bool syntax = strstr(error.message, "not valid JSON") != NULL;
    if (status == BM_OK)
        cr_assert_not_null(root, "Jansson refuses what was read: %s\n%.*s", found.text, (int)size, text);
    if (syntax)
        cr_assert_null(root, "Jansson reads what was refused: %s\n%.*s", error.message, (int)size, text);
    tallies[status == BM_OK]++;
    json_decref(root);
}

Test(saved, values_of_every_kind_are_judged_as_jansson_does) {
    static const char *const values[] = {
        "0",
        "-0",
        "-",
        "01",
        "1.",
        ".5",
        "1.5e",
        "1e5",
        "1E+05",
        "1e-",
        "1e400",
        "-1e400",
        "1e-400",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "+1",
        "0x10",
        "NaN",
        "Infinity",
        "nul",
        "nulll",
        "true",
        "True",
        "falsey",
        "\"\"",
        "\"a",
        "\"\\",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u\x10\x11\x12\x13\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\\ud83d\\ude00\"",
        "\"\\uFFFF\"",
        "\"\x01\"",
        "\"\t\"",
        "\"\x7f\"",
        "\"\xc0\x80\"",
        "\"\xc2\"",
        "\"\xe0\x80\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf0\x80\x80\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xf5\x80\x80\x80\"",
        "\"\xf4\x8f\xbf\xbf\"",
        "\"\xff\"",
        "[",
        "[]",
        "[,]",
        "[1,]",
        "[1 2]",
        "[1]]",
        "{}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{1:1}",
        "{\"a\":1 \"b\":2}",
        "'a'",
        "/**/1",
        "1 //",
        "",
    };
    size_t tallies[2] = {0};
    for (size_t i = 0; i < BM_COUNT_OF(values); i++) {
        char text[256];
        int size = snprintf(
            text, sizeof text,
            "{\"schema_version\": \"1.0\", \"created\": \"x\", \"devices\": [], \"results\": [], \"x\": %s}",
            values[i]);
        expect_agreement(text, (size_t)size, tallies);
    }
    cr_expect_eq(tallies[1], 15, "%zu values are JSON", tallies[1]);
}

/* Random damage: bytes changed, cut out, doubled, moved. Under sanitizers this also shows that nothing is
 * read beyond the text and that nothing leaks. */
Test(saved, damaged_files_are_judged_as_jansson_does) {
    enum { TRIALS = 6000 };
    static const char bytes[] = "{}[]\",:\\u0019.eE+-ntf \n\x80\xff";
    size_t size, tallies[2] = {0};
    char *text = source_file("tests/schema/sample.json", &size), *damaged = malloc(2 * size + 1);
    struct bm_random random;
    bm_random_init(&random, 8);
    for (size_t trial = 0; trial < TRIALS; trial++) {
        size_t length = size;
        memcpy(damaged, text, size);
        for (uint64_t changes = 1 + bm_random_below(&random, 3); changes > 0; changes--) {
            size_t at = bm_random_below(&random, length), some = 1 + bm_random_below(&random, 40);
            if (at + some > length)
                some = length - at;
            switch (bm_random_below(&random, 4)) {
            case 0:
                damaged[at] = bytes[bm_random_below(&random, sizeof bytes - 1)];
                break;
            case 1:
                memmove(damaged + at, damaged + at + some, length - at - some);
                length -= some;
                break;
            case 2:
                if (length + some <= 2 * size) {
                    memmove(damaged + at + some, damaged + at, length - at);
                    length += some;
                }
                break;
            default:
                /* Jansson passes over a NUL behind a number: it takes what it put back for an empty buffer.
                 */
                damaged[at] = (char)(1 + bm_random_below(&random, 255));
            }
            if (length == 0)
                break;
        }
        damaged[length] = '\0';
        expect_agreement(damaged, length, tallies);
    }
    cr_expect_gt(tallies[0], TRIALS / 10, "%zu refused", tallies[0]);
    cr_expect_gt(tallies[1], TRIALS / 20, "%zu read", tallies[1]);
    free(damaged);
    free(text);
}

Test(saved, every_truncation_is_refused) {
    size_t size;
    char *text = source_file("tests/schema/sample.json", &size);
    while (size > 0 && text[size - 1] != '}')
        size--;
    for (size_t cut = 0; cut < size; cut++) {
        struct bm_saved saved;
        char *copy = malloc(cut + 1); /* its own memory: reading beyond it is seen */
        memcpy(copy, text, cut);
        copy[cut] = '\0';
        cr_assert_eq(bm_saved_parse("r.json", copy, cut, &options, &saved, NULL), BM_INVALID, "cut at %zu",
                     cut);
        free(copy);
    }
    free(text);
}
