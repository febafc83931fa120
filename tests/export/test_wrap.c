/* Breaking lines, and notes beneath tables. */
#include "sample.h"
#include "wrap.h"

#include <stdio.h>

static void expect_wrapped(const char *line, unsigned width, unsigned indent, const char *expected) {
    struct bm_text text = {0};
    bm_wrap_append(&text, line, width, indent);
    expect_text(&text, expected);
    bm_text_fini(&text);
}

Test(wrap, breaks_between_words) {
    expect_wrapped("one two three four five six seven", 0, 2, "one two three four five six seven\n");
    expect_wrapped("one two three four five six seven", 33, 2, "one two three four five six seven\n");
    expect_wrapped("one two three four five six seven", 32, 2, "one two three four five six\n  seven\n");
    expect_wrapped("one two three four five six seven", 20, 2, "one two three four\n  five six seven\n");
    expect_wrapped("", 20, 2, "\n");
}

Test(wrap, breaks_after_slashes_and_anywhere_if_it_must) {
    expect_wrapped("gemm/llama2-7b/prefill/qkv", 24, 4, "gemm/llama2-7b/prefill/\n    qkv\n");
    expect_wrapped("abcdefghijklmnopqrstuvwxyz", 20, 2, "abcdefghijklmnopqrst\n  uvwxyz\n");
    expect_wrapped("too narrow to be of use at all", 3, 0,
                   "too narrow to be\nof use at all\n"); /* 16 at least */
}

Test(wrap, breaks_names_at_their_joints) {
    expect_wrapped("m131072n4096k7168e256t8g8u4", 16, 0, "m131072n4096\nk7168e256t8g8u4\n");
    expect_wrapped("deepseek-r1-distill-qwen-7b", 16, 0, "deepseek-r1-\ndistill-qwen-7b\n");
    expect_wrapped("one experts_gate_up_and_down", 16, 0,
                   "one\nexperts_gate_up_\nand_down\n"); /* blanks first */
}

Test(wrap, counts_characters_and_cuts_none) {
    cr_expect_eq(bm_wrap_columns("Prüf ½", strlen("Prüf ½")), 6);
    expect_wrapped("ääääää öööööö üüüüüü", 16, 1, "ääääää öööööö\n üüüüüü\n");
    expect_wrapped("ääääääääääääääääää", 16, 0, "ääääääääääääääää\nää\n");
}

Test(wrap, takes_up_to_a_newline) {
    cr_expect_eq(bm_wrap_take("ab\ncd", 10), 2);
    cr_expect_eq(bm_wrap_take("abcdef\ngh", 3), 3);
    cr_expect_eq(bm_wrap_take("ab cd", 2), 2);
    cr_expect_eq(bm_wrap_take("ä", 0), 2, "one character at least, so that it ends");
}

Test(notes, are_grouped) {
    struct bm_notes notes = {0};
    struct bm_text text = {0};
    bm_notes_add(&notes, "qkv m1n1k1", "unstable");
    bm_notes_add(&notes, "attn b1", "skipped: too large");
    bm_notes_add(&notes, "lm_head m1", "unstable");
    bm_notes_add(&notes, "lm_head m1", "unstable"); /* told once */
    cr_assert_eq(bm_notes_append(&notes, 0, &text, NULL), BM_OK);
    expect_text(&text, "unstable (qkv m1n1k1, lm_head m1)\nskipped: too large (attn b1)\n");
    cr_assert(notes.items == NULL && notes.count == 0);
    cr_assert_eq(bm_notes_append(&notes, 0, &text, NULL), BM_OK, "none is no error");
    bm_text_fini(&text);
}

Test(notes, are_wrapped) {
    struct bm_notes notes = {0};
    struct bm_text text = {0};
    char name[24];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "operation_%02d", i % 100);
        bm_notes_add(&notes, name, "not_converged");
    }
    cr_assert_eq(bm_notes_append(&notes, 40, &text, NULL), BM_OK);
    cr_assert_leq(longest_line(text.data), 40);
    cr_assert_not_null(
        strstr(text.data, "\n  operation_39)\n") != NULL ? text.data : strstr(text.data, "operation_39)\n"));
    bm_text_fini(&text);
}

Test(notes, one_about_every_row_says_all) {
    struct bm_text text = {0};
    struct bm_notes notes = {.rows = 3};
    bm_notes_add(&notes, "qkv", "drift");
    bm_notes_add(&notes, "attn", "drift");
    bm_notes_add(&notes, "attn", "unstable");
    bm_notes_add(&notes, "lm_head", "drift");
    cr_assert_eq(bm_notes_append(&notes, 0, &text, NULL), BM_OK);
    cr_expect_str_eq(text.data, "drift (all)\nunstable (attn)\n");
    bm_text_fini(&text);
}

/* rows: 0 where the writer counts none. */
static void expect_of_many(size_t rows, size_t subjects, const char *expected) {
    struct bm_text text = {0};
    struct bm_notes notes = {.rows = rows};
    for (size_t i = 0; i < subjects; i++) {
        char name[16];
        snprintf(name, sizeof name, "op%zu", i);
        bm_notes_add(&notes, name, "drift");
    }
    cr_assert_eq(bm_notes_append(&notes, 0, &text, NULL), BM_OK);
    cr_expect_str_eq(text.data, expected);
    bm_text_fini(&text);
}

Test(notes, one_about_most_of_many_rows_says_how_many) {
    expect_of_many(12, 9, "drift (9 of 12)\n");
    expect_of_many(12, 8, "drift (op0, op1, op2, op3, op4, op5, op6, op7)\n");
    expect_of_many(20, 9, "drift (op0, op1, op2, op3, op4, op5, op6, op7, op8)\n");
    expect_of_many(9, 9, "drift (all)\n");
}
