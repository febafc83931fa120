/* Files that are broken, huge or meant to do harm: each gives one line with the file and the place. */
#include "bm/data.h"

#include "fixture.h"

#include <sys/stat.h>

TestSuite(hostile, .init = fixture_begin, .fini = fixture_end);

static const char model_text[] =
    "{\n  \"id\": \"x\", \"name\": \"X\",\n"
    "  \"layers\": 32, \"hidden\": 4096, \"heads\": 32, \"kv_heads\": 8, \"head_dim\": 128,\n"
    "  \"attention\": \"gqa\", \"ffn\": \"swiglu\", \"intermediate\": 11008, \"vocabulary\": 32000,\n"
    "  \"max_context\": 4096, \"tied_embeddings\": false, \"parameters\": 7e9\n}\n";

static void expect_refused(const char *path, const char *expected) {
    static struct bm_model zero;
    struct bm_model model;
    struct bm_error error = {0};
    memset(&model, 1, sizeof model);
    const char *name = strrchr(path, '/') + 1;
    cr_expect_eq(bm_model_load(path, &model, &error), BM_INVALID, "%s", expected);
    fixture_check_message(&error, BM_INVALID, name, expected);
    cr_expect_eq(memcmp(&model, &zero, sizeof model), 0, "the output is cleared");
}

static void expect_text_refused(const char *text, size_t size, const char *expected) {
    expect_refused(fixture_write("m.json", text, size), expected);
}

Test(hostile, the_unbroken_model_loads) {
    struct bm_model model;
    struct bm_error error = {0};
    const char *path = fixture_write("any-name.json", model_text, SIZE_MAX);
    cr_assert_eq(bm_model_load(path, &model, &error), BM_OK, "%s", error.message);
    cr_expect_eq(model.layers, 32);
    cr_expect_not(model.shapes_verified, "no status, so nothing is verified");
}

Test(hostile, syntax_errors_have_line_and_column) {
    const struct {
        const char *text, *expected;
    } rows[] = {
        {"", "m.json:1:0: not valid JSON: '[' or '{' expected near end of file"},
        {"   \n\n", "not valid JSON"},
        {"{", "m.json:1:1: not valid JSON"},
        {"{\n \"id\": ", "m.json:2:"},
        {"{\"id\": \"x\"", "not valid JSON"},
        {"{\"id\": \"x\"} trailing", "not valid JSON: end of file expected"},
        {"{\"layers\": NaN}", "not valid JSON: invalid token near 'NaN'"},
        {"{\"layers\": Infinity}", "not valid JSON: invalid token"},
        {"{\"layers\": 1e400}", "not valid JSON: real number overflow"},
        {"{\"layers\": 9223372036854775808}", "not valid JSON: too big integer"},
        {"{\"layers\": -9223372036854775809}", "not valid JSON: too big negative integer"},
        {"{\"layers\": 99999999999999999999999999999999}", "not valid JSON: too big integer"},
        {"{\"layers\": 32,\n \"layers\": 33}", "m.json:2:9: not valid JSON: duplicate object key"},
        {"{\"layers\": 032}", "not valid JSON"},
        {"{\"id\": \"a\\u0000b\"}", "not valid JSON: \\u0000 is not allowed"},
        {"{\"id\": \"\xff\xfe\"}", "not valid JSON: unable to decode byte"},
        {"{\"id\": \"\xed\xa0\x80\"}", "not valid JSON: unable to decode byte"},
        {"{\"id\": \"a\nb\"}", "not valid JSON"},
        {"\xef\xbb\xbf{}", "m.json:1:1: not valid JSON: begins with a byte order mark"},
        {"// comment\n{}", "not valid JSON"},
        {"'x'", "not valid JSON"},
    };
    for (size_t i = 0; i < BM_COUNT_OF(rows); i++)
        expect_text_refused(rows[i].text, SIZE_MAX, rows[i].expected);
}

/* Cut anywhere, a file is an error and never a crash. */
Test(hostile, every_truncation_is_refused) {
    for (size_t size = 0; size + 2 < sizeof model_text - 1; size++)
        expect_text_refused(model_text, size, "m.json:");
}

Test(hostile, every_damaged_byte_is_read_or_refused) {
    for (size_t i = 0; i < sizeof model_text - 1; i++) {
        const char damages[] = {'\0', '"', '}', '9', '-', '\x80'};
        for (size_t j = 0; j < sizeof damages; j++) {
            char text[sizeof model_text];
            struct bm_model model;
            struct bm_error error = {0};
            memcpy(text, model_text, sizeof text);
            text[i] = damages[j];
            const char *path = fixture_write("m.json", text, sizeof text - 1);
            if (bm_model_load(path, &model, &error) != BM_OK)
                fixture_check_message(&error, BM_INVALID, "m.json", ":");
        }
    }
}

Test(hostile, deep_nesting_is_refused_on_a_small_stack) {
    const char *const openings[] = {"[", "{\"a\":", "{\"moe\": [{\"x\": "};
    enum { DEPTH = 100000 };
    for (size_t i = 0; i < BM_COUNT_OF(openings); i++) {
        size_t one = strlen(openings[i]), size = 0;
        char *text = malloc(DEPTH * one);
        while (size + one <= 1000000 && size < DEPTH * one) { /* within the limit of the file's size */
            memcpy(text + size, openings[i], one);
            size += one;
        }
        expect_text_refused(text, size, "nested too deep");
        free(text);
    }
    /* Nested less deep than the parser refuses, and closed: the reader does not follow it. */
    char text[4096];
    size_t length = (size_t)snprintf(
        text, sizeof text, "%.*s,\n\"moe\": ", (int)(strrchr(model_text, '\n') - model_text - 2), model_text);
    memset(text + length, '[', 1500);
    memset(text + length + 1500, ']', 1500);
    text[length + 3000] = '}';
    expect_text_refused(text, length + 3001, "$.moe: must be an object (is a list)");
}

Test(hostile, fields_are_checked_with_their_place) {
    const struct {
        const char *old, *by, *expected;
    } rows[] = {
        {"\"layers\"", "\"layres\"", "m.json: $.layres: unknown key; did you mean 'layers'?"},
        {"\"name\"", "\"$comment\"", "$.$comment: unknown key; remove it"},
        {"\"layers\": 32, ", "", "$.layers: is missing"},
        {"\"layers\": 32", "\"layers\": -3", "$.layers: must be a whole number from 1 to 1000 (is -3)"},
        {"\"layers\": 32", "\"layers\": 0", "$.layers: must be a whole number from 1 to 1000 (is 0)"},
        {"\"layers\": 32", "\"layers\": 1001", "(is 1001)"},
        {"\"layers\": 32", "\"layers\": 32.0", "$.layers: must be a whole number from 1 to 1000 (is 32)"},
        {"\"layers\": 32", "\"layers\": \"32\"",
         "$.layers: must be a whole number from 1 to 1000 (is \"32\")"},
        {"\"layers\": 32", "\"layers\": null", "(is null)"},
        {"\"layers\": 32", "\"layers\": [32]", "(is a list)"},
        {"\"layers\": 32", "\"layers\": {}", "(is an object)"},
        {"\"layers\": 32", "\"layers\": true", "(is true)"},
        {"\"hidden\": 4096", "\"hidden\": 9223372036854775807", "(is 9223372036854775807)"},
        {"\"hidden\": 4096", "\"hidden\": 4294971392", "(is 4294971392)"}, /* 2^32 + 4096 */
        {"\"hidden\": 4096", "\"hidden\": -9223372036854775808", "(is -9223372036854775808)"},
        {"7e9", "-7e9", "$.parameters: must be a number from 1 to 1e+15"},
        {"7e9", "1e308", "$.parameters: must be a number from 1 to 1e+15"},
        {"false", "0", "$.tied_embeddings: must be true or false (is 0)"},
        {"\"parameters\": 7e9", "\"qk_norm\": true",
         "$.qk_norm: must be one of none, before_rope, after_rope (is true)"},
        {"\"gqa\"", "\"GQA\"", "$.attention: must be one of mha, gqa, mla (is \"GQA\")"},
        {"\"gqa\"", "7", "$.attention: must be one of mha, gqa, mla (is 7)"},
        {"\"gqa\"", "\"mha\"", "$.kv_heads: must equal $.heads when $.attention is \"mha\" (8 and 32)"},
        {"\"gqa\"", "\"mla\"", "$.mla: is missing: $.attention is \"mla\""},
        {"\"kv_heads\": 8", "\"kv_heads\": 5", "$.kv_heads: must divide $.heads (5 and 32)"},
        {"\"kv_heads\": 8", "\"kv_heads\": 64", "$.kv_heads: must divide $.heads (64 and 32)"},
        {"\"id\": \"x\"", "\"id\": \"../x\"", "$.id: must be of a-z"},
        {"\"id\": \"x\"", "\"id\": \"x/y\"", "$.id: must be of a-z"},
        {"\"id\": \"x\"", "\"id\": \"\"", "$.id: must have 1 to 47 bytes (has 0)"},
        {"\"name\": \"X\"", "\"name\": \"a\\nb\"", "$.name: must be one line without control characters"},
        {"\"name\": \"X\"", "\"name\": \"a\\u001b[31m\"",
         "$.name: must be one line without control characters"},
        {"\"name\": \"X\"", "\"name\": \"a\\u009b31m\"",
         "$.name: must be one line without control characters"},
        {"\"name\": \"X\"", "\"k\\n\\u001b\": 1", "$.k??: unknown key"},
        {"\"parameters\"", "\"aliases\": [], \"parameters\"", "$.aliases: must list 1 to 4 items (has 0)"},
        {"\"parameters\"", "\"aliases\": [\"a\", 7], \"parameters\"", "$.aliases[1]: must be text (is 7)"},
        {"\"parameters\"", "\"sliding_window\": 8192, \"parameters\"", "$.sliding_window: must not exceed"},
        {"\"parameters\"", "\"attention_sinks\": 1, \"parameters\"",
         "$.attention_sinks: must be true or false"},
        {"\"gqa\"",
         "\"mla\", \"attention_sinks\": true, \"mla\": {\"q_lora\": 1, \"kv_lora\": 1, \"qk_nope_dim\": 64,"
         " \"qk_rope_dim\": 64, \"v_dim\": 64}",
         "$.attention_sinks: is not for $.attention \"mla\"; remove it"},
        {"\"parameters\"", "\"status\": {\"verified\": [\"layer\"]}, \"parameters\"",
         "$.status.verified[0]: names no field of this file (is \"layer\")"},
        {"\"parameters\"", "\"moe\": {\"experts\": 8, \"expert\": 1}, \"parameters\"",
         "$.moe.expert: unknown key; did you mean 'experts'?"},
        {"\"parameters\"",
         "\"moe\": {\"experts\": 8, \"experts_per_token\": 9, \"shared_experts\": 0, \"intermediate\": 1,"
         " \"dense_layers\": 0}, \"parameters\"",
         "$.moe.experts_per_token: must not exceed $.moe.experts (9 and 8)"},
        {"\"parameters\"",
         "\"moe\": {\"experts\": 8, \"experts_per_token\": 2, \"shared_experts\": 0, \"intermediate\": 1,"
         " \"dense_layers\": 32}, \"parameters\"",
         "$.moe.dense_layers: must leave at least one layer with experts"},
        {"\"parameters\"",
         "\"hybrid\": {\"attention_layers\": 1, \"mamba_layers\": 1, \"ffn_layers\": 1}, \"parameters\"",
         "$.mamba: is missing"},
    };
    for (size_t i = 0; i < BM_COUNT_OF(rows); i++) {
        char *text = fixture_replace(model_text, rows[i].old, rows[i].by);
        expect_text_refused(text, SIZE_MAX, rows[i].expected);
        free(text);
    }
}

Test(hostile, huge_texts_are_refused_by_their_size) {
    const size_t size = 900000;
    char *huge = malloc(size + 3), *text;
    memset(huge, 'a', size + 2);
    huge[0] = '"';
    strcpy(huge + size, "\"");
    text = fixture_replace(model_text, "\"X\"", huge);
    expect_text_refused(text, SIZE_MAX, "$.name: must have 1 to 79 bytes (has 899999)");
    free(text);
    text = fixture_replace(model_text, "\"name\"", huge); /* as a key */
    expect_text_refused(text, SIZE_MAX, "aaa...: unknown key");
    free(text);
    text = fixture_replace(model_text, "\"gqa\"", huge); /* as a word */
    expect_text_refused(text, SIZE_MAX, "$.attention: must be one of mha, gqa, mla (is \"aaa");
    free(text);
    free(huge);
}

Test(hostile, a_file_above_the_limit_is_not_parsed) {
    const size_t size = 3 << 20;
    char *text = malloc(size);
    memset(text, ' ', size);
    expect_text_refused(text, size, "larger than the limit of 1048576 bytes");
    free(text);
}

Test(hostile, a_folder_is_no_file) {
    char path[128];
    snprintf(path, sizeof path, "%s/folder.json", fixture_folder);
    cr_assert_eq(mkdir(path, 0700), 0);
    expect_refused(path, "is a folder; name a JSON file");
}

Test(hostile, a_missing_file_is_not_found) {
    struct bm_model model;
    struct bm_error error = {0};
    cr_expect_eq(bm_model_load("./missing.json", &model, &error), BM_NOT_FOUND);
    cr_expect_str_eq(error.message, "./missing.json: No such file or directory");
}

Test(hostile, a_broken_file_among_the_shipped_ones_is_named) {
    struct bm_model model;
    struct bm_error error = {0};
    fixture_use_as_data();
    fixture_write("bench/models/x.json", model_text, SIZE_MAX);
    cr_expect_eq(bm_model_load("x", &model, &error), BM_OK, "%s", error.message);
    fixture_write("bench/models/y.json", model_text, SIZE_MAX);
    cr_expect_eq(bm_model_load("x", &model, &error), BM_INVALID);
    fixture_check_message(&error, BM_INVALID,
                          "bench/models/y.json: ", "$.id: must be the file's name without .json (is \"x\")");
}

Test(hostile, a_long_path_keeps_the_place_in_the_message) {
    char folder[400] = "", path[600];
    struct bm_model model;
    struct bm_error error = {0};
    for (int i = 0; i < 12; i++)
        strcat(folder, "a-rather-long-folder/");
    snprintf(path, sizeof path, "%slast.json", folder);
    char *text = fixture_replace(model_text, "\"layers\": 32", "\"layers\": -3");
    struct bm_error written = {0};
    char full[700];
    snprintf(full, sizeof full, "%s/%s", fixture_folder, path);
    cr_assert_eq(bm_file_check_writable(full, 0, &written), BM_OK, "%s", written.message);
    cr_assert_eq(bm_file_write_atomic(full, text, strlen(text), &written), BM_OK, "%s", written.message);
    cr_expect_eq(bm_model_load(full, &model, &error), BM_INVALID);
    fixture_check_message(&error, BM_INVALID,
                          "last.json: ", "$.layers: must be a whole number from 1 to 1000 (is -3)");
    free(text);
}
