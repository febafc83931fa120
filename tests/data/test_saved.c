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

Test(saved, a_real_file) {
    struct bm_saved saved;
    struct bm_error error = {0};
    char path[512];
    snprintf(path, sizeof path, "%s/tests/data/recorded-run.json", getenv("BM_SOURCE_DIR"));
    cr_assert_eq(bm_saved_load(path, &options, &saved, &error), BM_OK, "%s", error.message);
    cr_expect_str_eq(saved.created, "2026-11-22T08:17:38Z");
    cr_expect(saved.complete);
    cr_expect_str_eq(saved.ab.id, "");
    cr_expect_str_eq(saved.host.hostname, "", "null");
    cr_expect_eq(saved.host.packages, 1);
    cr_expect_str_eq(saved.settings.suite, "quick");
    cr_expect_eq(strncmp(saved.settings.command, "benchmark run ", 14), 0, "%s", saved.settings.command);
    cr_assert_eq(saved.device_count, 1);
    const struct bm_saved_device *device = saved.devices;
    cr_expect_str_eq(device->name, "AMD EPYC");
    cr_expect_eq(device->memory_bytes, UINT64_C(25276510208));
    cr_expect_str_eq(device->datasheet.id, "");
    cr_expect(isnan(device->datasheet.tdp_watts));
    cr_expect_str_eq(device->backends[0].id, "opencl/pocl");
    cr_assert_eq(device->ceiling_count, 4);
    cr_expect_float_eq(device->ceilings[0].value, 62.99353119, 1e-12);
    cr_expect_float_eq(device->ceilings[0].interval[1], 65.77263705, 1e-12);
    cr_expect_eq(device->ceilings[0].flags, 1);
    cr_assert_eq(device->summary_count, 4);
    cr_expect_str_eq(device->summaries[0].model, "llama2-7b");
    cr_expect_eq(device->summaries[0].tokens, 128);
    cr_expect_eq(device->summaries[0].context, 0);
    cr_expect_eq(device->summaries[0].op_count, 6);
    cr_expect_str_eq(device->summaries[0].ops[1].text, "attn");
    cr_assert_eq(saved.row_count, 28);
    const struct bm_saved_row *row = saved.rows;
    cr_expect_str_eq(row->key, "stream/-/-/read/-/-");
    cr_expect_eq(row->status, BM_SAVED_OK);
    cr_expect(row->verified);
    cr_expect_str_eq(row->kernel.parameters, "STREAMS=8 VEC=16 LANES=1 CHUNK=1 NONTEMPORAL=0");
    cr_expect_float_eq(row->time.median, 4261317.804, 1e-9);
    cr_expect_float_eq(row->time_uncontaminated.median, 4213465.666, 1e-9);
    cr_assert_eq(row->round_count, 50);
    cr_expect_eq(row->rounds[1].ns, 33122814);
    cr_expect_str_eq(row->utilization.bound, "");
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
    expect_refused("\xef\xbb\xbf{}", 5, "not valid JSON");
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
                damaged[at] = (char)bm_random_u64(&random);
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
