/* Numbers from text. */
#include "bm/base.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define OK(TEXT, VALUE)                                                                                      \
    { TEXT, true, VALUE }
#define BAD(TEXT)                                                                                            \
    { TEXT, false, 0 }

Test(number, whole_numbers) {
    static const struct {
        const char *text;
        bool good;
        uint64_t value;
    } cases[] = {
        OK("0", 0),
        OK("7", 7),
        OK("007", 7),
        OK("18446744073709551615", UINT64_MAX),
        BAD(""),
        BAD(" "),
        BAD(" 1"),
        BAD("1 "),
        BAD("\t1"),
        BAD("+1"),
        BAD("-1"),
        BAD("-0"),
        BAD("1e3"),
        BAD("1.0"),
        BAD("0x10"),
        BAD("1x"),
        BAD("1,000"),
        BAD("1\n"),
        BAD("18446744073709551616"),
        BAD("99999999999999999999999"),
        BAD("one"),
        BAD("\xd9\xa1"), /* a digit, but an Arabic one */
    };
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
        struct bm_error error = {0};
        uint64_t value = 42;
        enum bm_status status = bm_parse_u64(cases[i].text, 0, UINT64_MAX, &value, &error);
        cr_expect_eq(status, cases[i].good ? BM_OK : BM_INVALID, "'%s'", cases[i].text);
        cr_expect_eq(value, cases[i].value, "'%s' gives %llu", cases[i].text, (unsigned long long)value);
        cr_expect_eq(error.status, status);
    }
}

Test(number, bounds_are_inclusive_and_told) {
    struct bm_error error = {0};
    uint64_t value;
    double real;
    cr_assert_eq(bm_parse_u64("2", 2, 9, &value, NULL), BM_OK);
    cr_assert_eq(bm_parse_u64("9", 2, 9, &value, NULL), BM_OK);
    cr_assert_eq(bm_parse_u64("1", 2, 9, &value, NULL), BM_INVALID);
    cr_assert_eq(bm_parse_u64("10", 2, 9, &value, &error), BM_INVALID);
    cr_assert_str_eq(error.message, "'10' is not a whole number from 2 to 9");
    cr_assert_eq(bm_parse_double("0.5", 0.5, 2, &real, NULL), BM_OK);
    cr_assert_eq(bm_parse_double("2", 0.5, 2, &real, NULL), BM_OK);
    cr_assert_eq(bm_parse_double("0.4999", 0.5, 2, &real, NULL), BM_INVALID);
    error = (struct bm_error){0};
    cr_assert_eq(bm_parse_double("2.001", 0.5, 2, &real, &error), BM_INVALID);
    cr_assert_str_eq(error.message, "'2.001' is not a number from 0.5 to 2");
}

Test(number, long_text_is_quoted_in_part) {
    struct bm_error error = {0};
    char text[4000];
    uint64_t value;
    memset(text, '7', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    cr_assert_eq(bm_parse_u64(text, 0, 9, &value, &error), BM_INVALID);
    cr_assert_eq(strspn(error.message + 1, "7"), 40);
    cr_assert_not_null(strstr(error.message, "from 0 to 9"));
}

Test(number, real_numbers) {
    static const struct {
        const char *text;
        bool good;
        double value;
    } cases[] = {
        OK("0", 0),   OK("1.5", 1.5),  OK("-1.5", -1.5), OK("1e3", 1000), OK("1E-3", 0.001), OK(".5", 0.5),
        OK("5.", 5),  OK("1e-400", 0), BAD(""),          BAD(" 1"),       BAD("1 "),         BAD("\n1"),
        BAD("+1"),    BAD("--1"),      BAD("-"),         BAD("."),        BAD("e3"),         BAD("1e"),
        BAD("1,5"),   BAD("1.5s"),     BAD("1.5.2"),     BAD("0x10"),     BAD("0X1p3"),      BAD("-0x1"),
        BAD("1e400"), BAD("-1e400"),   BAD("nan"),       BAD("NaN"),      BAD("-nan"),       BAD("nan(1)"),
        BAD("inf"),   BAD("-inf"),     BAD("infinity"),  BAD("half"),
    };
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
        struct bm_error error = {0};
        double value = 42;
        enum bm_status status = bm_parse_double(cases[i].text, -1e9, 1e9, &value, &error);
        cr_expect_eq(status, cases[i].good ? BM_OK : BM_INVALID, "'%s'", cases[i].text);
        cr_expect(fabs(value - cases[i].value) <= 0x1p-52 * fabs(cases[i].value), "'%s' gives %g",
                  cases[i].text, value);
        cr_expect_eq(error.status, status);
    }
}
