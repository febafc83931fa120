/* Errors, the log and the clock. */
#include "bm/base.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

Test(error, records_the_first_failure_only) {
    struct bm_error error = {0};
    cr_assert_eq(bm_fail(&error, BM_INVALID, "%s: line %d", "a.json", 7), BM_INVALID);
    cr_assert_eq(bm_fail_native(&error, BM_DEVICE, -5, "clFinish", "later"), BM_DEVICE,
                 "the status is passed on whatever was recorded");
    cr_assert_eq(error.status, BM_INVALID);
    cr_assert_eq(error.native, 0);
    cr_assert_str_eq(error.call, "");
    cr_assert_str_eq(error.message, "a.json: line 7");
}

Test(error, keeps_the_call_and_its_code) {
    struct bm_error error = {0};
    cr_assert_eq(bm_fail_native(&error, BM_DEVICE, -54, "clEnqueueNDRangeKernel", "%s", "no"), BM_DEVICE);
    cr_assert_eq(error.native, -54);
    cr_assert_str_eq(error.call, "clEnqueueNDRangeKernel");
    cr_assert_str_eq(error.message, "no");
}

Test(error, tolerates_no_error_struct) {
    cr_assert_eq(bm_fail(NULL, BM_IO, "%d", 1), BM_IO);
    cr_assert_eq(bm_fail_native(NULL, BM_IO, 2, "open", "%d", 1), BM_IO);
}

/* A message ends up in JSON: half a character would make it unreadable there. */
Test(error, cuts_long_text_at_a_whole_character) {
    for (size_t lead = 505; lead < 512; lead++) {
        struct bm_error error = {0};
        char text[2048], call[256];
        memset(text, 'a', sizeof text);
        for (size_t at = lead; at + 3 < sizeof text; at += 3)
            memcpy(text + at, "\xe2\x82\xac", 3);
        text[sizeof text - 1] = '\0';
        memset(call, 'c', sizeof call - 1);
        call[sizeof call - 1] = '\0';
        bm_fail_native(&error, BM_IO, 1, call, "%s", text);
        size_t length = strlen(error.message), whole = lead + (sizeof error.message - 1 - lead) / 3 * 3;
        cr_expect_eq(length, whole, "%zu bytes before the first euro sign: %zu kept, not %zu", lead, length,
                     whole);
        cr_expect_eq(memcmp(error.message, text, length), 0);
        cr_expect_eq(strlen(error.call), sizeof error.call - 1);
    }
}

Test(error, names_every_status) {
    static const char *const names[] = {"ok",          "invalid", "io",          "no_memory", "not_found",
                                        "unsupported", "device",  "interrupted", "timed_out", "internal"};
    for (int status = BM_OK; status <= BM_INTERNAL; status++)
        cr_expect_str_eq(bm_status_name((enum bm_status)status), names[status]);
    cr_expect_str_eq(bm_status_name((enum bm_status)(BM_INTERNAL + 1)), "unknown");
}

struct heard {
    int count;
    enum bm_log_level level;
    char message[2048];
};

static void hear(void *context, enum bm_log_level level, const char *message) {
    struct heard *heard = context;
    heard->count++;
    heard->level = level;
    strncpy(heard->message, message, sizeof heard->message - 1);
}

Test(log, goes_to_the_sink_alone) {
    struct heard heard = {0};
    char text[2048];
    bm_log(BM_LOG_WARNING, "nobody listens");
    bm_log_set_sink(hear, &heard);
    bm_log(BM_LOG_INFO, "%s %d", "cpu", 0);
    cr_assert_eq(heard.count, 1);
    cr_assert_eq(heard.level, BM_LOG_INFO);
    cr_assert_str_eq(heard.message, "cpu 0");
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    bm_log(BM_LOG_DEBUG, "%s", text);
    cr_assert_eq(strspn(heard.message, "x"), 1023, "long text is cut");
    bm_log_set_sink(NULL, NULL);
    bm_log(BM_LOG_WARNING, "nobody listens");
    cr_assert_eq(heard.count, 2);
}

static uint64_t invented(void *context) {
    return *(uint64_t *)context += 5;
}

Test(clock, is_injected_or_monotonic) {
    uint64_t time = 100;
    struct bm_clock clock = {.now_ns = invented, .context = &time};
    cr_assert_eq(bm_clock_now(&clock), 105);
    cr_assert_eq(bm_clock_now(&clock), 110);
    uint64_t before = bm_clock_now(&bm_clock_monotonic), after = bm_clock_now(&bm_clock_monotonic);
    cr_assert_gt(before, 0);
    cr_assert_geq(after, before);
}

Test(clock, writes_utc_in_both_forms) {
    char text[32];
    struct tm parsed;
    setenv("TZ", "Asia/Kolkata", 1);
    tzset();
    time_t before = time(NULL);
    bm_time_utc(text, false);
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parsed);
    cr_assert(end != NULL && *end == '\0' && strlen(text) == 20, "'%s'", text);
    time_t told = timegm(&parsed);
    cr_assert(told >= before && told <= time(NULL), "'%s' is UTC, whatever the time zone", text);
    bm_time_utc(text, true);
    end = strptime(text, "%Y%m%dT%H%M%SZ", &parsed);
    cr_assert(end != NULL && *end == '\0' && strlen(text) == 16, "'%s'", text);
}
