/* Growing text, bounded copies, searching words. */
#include "bm/base.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

Test(text, grows_and_stays_terminated) {
    struct bm_text text = {0};
    for (int i = 0; i < 5000; i++) {
        bm_text_append(&text, "%04d ", i);
        cr_assert_eq(text.data[text.length], '\0');
        cr_assert_gt(text.capacity, text.length);
    }
    cr_assert_eq(text.length, 25000);
    cr_assert_eq(strncmp(text.data + 5 * 4321, "4321 ", 5), 0);
    bm_text_append(&text, "%s", "");
    cr_assert_eq(text.length, 25000);
    cr_assert_not(text.failed);
    bm_text_fini(&text);
    cr_assert(text.data == NULL && text.length == 0 && text.capacity == 0);
}

Test(text, formats_and_keeps_bytes) {
    struct bm_text text = {0};
    bm_text_append(&text, "%.3f|%-4s|%08x|%%", 0.5, "ab", 255u);
    cr_assert_str_eq(text.data, "0.500|ab  |000000ff|%");
    bm_text_append_bytes(&text, "\0x", 2);
    cr_assert_eq(text.length, 23);
    cr_assert_eq(memcmp(text.data + 21, "\0x", 3), 0);
    bm_text_append_bytes(&text, "gone", 0);
    cr_assert_eq(text.length, 23);
    bm_text_fini(&text);
}

Test(text, an_empty_append_makes_an_empty_string) {
    struct bm_text text = {0};
    bm_text_append(&text, "%s", "");
    cr_assert_str_eq(text.data, "");
    bm_text_fini(&text);
}

Test(text, a_failure_sticks) {
    struct bm_text text = {0};
    bm_text_append(&text, "a");
    size_t length = text.length;
    bm_text_append_bytes(&text, "b", SIZE_MAX - 1);
    cr_assert(text.failed, "a length that overflows");
    bm_text_append(&text, "b");
    bm_text_append_bytes(&text, "c", 1);
    cr_assert_eq(text.length, length);
    cr_assert_str_eq(text.data, "a", "what was there stays readable");
    bm_text_fini(&text);
    cr_assert_not(text.failed);
    bm_text_append(&text, "%ls", L"\x20ac"); /* no such character in the C locale */
    cr_assert(text.failed, "a format that cannot be written");
    bm_text_fini(&text);
}

Test(string, is_cut_at_whole_characters) {
    /* 1, 2, 3 and 4 bytes: boundaries at 0, 1, 3, 6, 10. */
    static const char source[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    static const size_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (size_t size = 1; size <= BM_COUNT_OF(kept); size++) {
        char copy[16];
        memset(copy, '#', sizeof copy);
        bm_string_set(copy, size, source);
        cr_expect_eq(strlen(copy), kept[size - 1], "%zu bytes keep %zu", size, strlen(copy));
        cr_expect_eq(strncmp(copy, source, kept[size - 1]), 0);
        for (size_t i = size; i < sizeof copy; i++)
            cr_expect_eq(copy[i], '#', "nothing is written past %zu bytes", size);
    }
}

Test(string, takes_odd_sources) {
    char copy[8] = "abcdefg", continuation[] = "\x80\x80\x80\x80\x80\x80\x80\x80\x80";
    char unterminated[4] = {'w', 'x', 'y', 'z'};
    bm_string_set(copy, sizeof copy, copy + 2); /* overlapping */
    cr_assert_str_eq(copy, "cdefg");
    bm_string_set(copy, sizeof copy, continuation);
    cr_assert_str_eq(copy, "", "no character begins there");
    bm_string_set(copy, 3, unterminated); /* reads no more than it needs */
    cr_assert_str_eq(copy, "wx");
    bm_string_set(copy, sizeof copy, "");
    cr_assert_str_eq(copy, "");
}

Test(string, contains_ignores_case) {
    cr_assert(bm_string_contains("NVIDIA A40", "a40"));
    cr_assert(bm_string_contains("NVIDIA A40", "vidia a"));
    cr_assert(bm_string_contains("x", ""));
    cr_assert_not(bm_string_contains("NVIDIA A40", "a400"));
    cr_assert_not(bm_string_contains("", "a"));
}

Test(string, nearest_finds_typing_errors) {
    static const char *const words[] = {"llama2-7b", "llama2-13b", "gemm", "gemv", "attention"};
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        {"llama2-7b", "llama2-7b"},
        {"lama2-7b", "llama2-7b"},
        {"llama2-7", "llama2-7b"},
        {"llama2_13b", "llama2-13b"},
        {"atention", "attention"},
        {"attentoin", "attention"},
        {"gmem", "gemm"},
        {"egmm", "gemm"},
        {"gemv", "gemv"},
        {"gem", "gemm"},
        {"gemw", "gemm"},
        {"ge", NULL},
        {"conv", NULL},
        {"", NULL},
        {"fma", NULL},
        {"ttn", NULL},
    };
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
        const char *found = bm_string_nearest(cases[i].word, words, BM_COUNT_OF(words));
        cr_expect(found == cases[i].nearest ||
                      (found != NULL && cases[i].nearest != NULL && strcmp(found, cases[i].nearest) == 0),
                  "'%s' is nearest to %s, not %s", cases[i].word,
                  cases[i].nearest ? cases[i].nearest : "nothing", found ? found : "nothing");
    }
    cr_expect_null(bm_string_nearest("gemm", words, 0));
}

Test(string, nearest_passes_over_long_words) {
    char word[200], other[200];
    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    memcpy(other, word, sizeof other);
    const char *const words[] = {other, "b"};
    cr_assert_null(bm_string_nearest(word, words, 2));
    word[64] = other[64] = '\0';
    cr_assert_eq(bm_string_nearest(word, words, 2), other, "64 bytes are still compared");
}
