/* Tables for the terminal. */
#include "sample.h"

static const struct bm_column columns[] = {
    {"NAME", BM_ALIGN_LEFT}, {"VALUE", BM_ALIGN_RIGHT}, {"DESCRIPTION", BM_ALIGN_WRAP}, {"X", BM_ALIGN_LEFT}};

static void render(unsigned width, bool color, const char *const rows[][4], size_t count, size_t alarm,
                   struct bm_text *text) {
    struct bm_export_options options = {.width = width, .color = color};
    struct bm_table *table;
    struct bm_error error = {0};
    sample_begin();
    cr_assert_eq(bm_table_create(columns, BM_COUNT_OF(columns), &options, &table, &error), BM_OK);
    for (size_t i = 0; i < count; i++)
        if (i == alarm)
            bm_table_add_alarm(table, rows[i]);
        else
            bm_table_add(table, rows[i]);
    cr_assert_eq(bm_table_render(table, text, &error), BM_OK, "%s", error.message);
    bm_table_destroy(table);
}

static const char *const plain[][4] = {
    {"a", "1", "short", "x"}, {"ünicode", "1234567", "", NULL}, {"", NULL, "only", ""}};

Test(table, aligns) {
    struct bm_text text = {0};
    render(0, false, plain, 3, SIZE_MAX, &text);
    expect_text(&text, "NAME       VALUE  DESCRIPTION  X\n"
                       "a              1  short        x\n"
                       "ünicode  1234567\n"
                       "                  only\n");
    bm_text_fini(&text);
}

Test(table, without_rows_is_nothing) {
    struct bm_text text = {0};
    render(80, true, NULL, 0, SIZE_MAX, &text);
    cr_assert_eq(text.length, 0);
    bm_table_destroy(NULL);
    bm_text_fini(&text);
}

static const char *const wordy[][4] = {
    {"first", "1", "words that go on for longer than the line has room for", "x"},
    {"second", "22", "gemm/llama2-7b/prefill/ffn_gate_up/f16/m128n22016k4096", "y"},
    {"third", "3", "short", "z"},
};

Test(table, breaks_one_column_at_words) {
    struct bm_text text = {0};
    render(45, false, wordy, 3, SIZE_MAX, &text);
    expect_text(&text, "NAME    VALUE  DESCRIPTION                  X\n"
                       "first       1  words that go on for longer  x\n"
                       "               than the line has room for\n"
                       "second     22  gemm/llama2-7b/prefill/      y\n"
                       "               ffn_gate_up/f16/\n"
                       "               m128n22016k4096\n"
                       "third       3  short                        z\n");
    bm_text_fini(&text);
    render(0, false, wordy, 3, SIZE_MAX, &text);
    cr_assert_not_null(strstr(text.data, "words that go on for longer than the line has room for  x\n"),
                       "no terminal, no breaks:\n%s", text.data);
    bm_text_fini(&text);
}

Test(table, narrow_terminals_leave_the_column_readable) {
    struct bm_text text = {0};
    render(10, false, wordy, 3, SIZE_MAX, &text);
    cr_assert_not_null(strstr(text.data, "words that"), "12 columns at least:\n%s", text.data);
    bm_text_fini(&text);
}

Test(table, colours_alarms_alone) {
    struct bm_text text = {0};
    render(80, true, plain, 2, 0, &text);
    const char *red = strstr(text.data, "\033[31m"), *name = strstr(text.data, "a  ");
    cr_assert(red != NULL && name != NULL && red < name, "%s", text.data);
    cr_assert_not_null(strstr(red, "\033["), "and ends the colour");
    cr_assert_null(strstr(strstr(text.data, "ünicode"), "\033[31m"));
    bm_text_fini(&text);
    render(80, false, plain, 2, 0, &text);
    cr_assert_null(strchr(text.data, '\033'), "no colour unless asked for");
    bm_text_fini(&text);
}

Test(table, control_characters_are_not_passed_on) {
    static const char *const hostile[][4] = {{"a\033[2Jb", "1", "c\033]0;title\007d", "\t"}};
    struct bm_text text = {0};
    render(80, false, hostile, 1, SIZE_MAX, &text);
    for (const char *at = text.data; *at != '\0'; at++)
        cr_assert((unsigned char)*at >= 0x20 || *at == '\n', "byte %d in\n%s", *at, text.data);
    bm_text_fini(&text);
}
