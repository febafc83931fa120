#include "bm/base.h"

#include <stdio.h>

/* Defined here, wrapped for the analyzer elsewhere. */
#undef bm_fail
#undef bm_fail_native

static BM_PRINTF(5, 0) enum bm_status record(struct bm_error *error, enum bm_status status, int native,
                                             const char *call, const char *format, va_list arguments) {
    if (error != NULL && error->status == BM_OK) {
        error->status = status;
        error->native = native;
        char text[2 * sizeof error->message]; /* cut below, at a whole character */
        bm_string_set(error->call, sizeof error->call, call);
        vsnprintf(text, sizeof text, format, arguments);
        bm_string_set(error->message, sizeof error->message, text);
    }
    return status;
}

enum bm_status bm_fail(struct bm_error *error, enum bm_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    record(error, status, 0, "", format, arguments);
    va_end(arguments);
    return status;
}

enum bm_status bm_fail_native(struct bm_error *error, enum bm_status status, int native, const char *call,
                              const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    record(error, status, native, call, format, arguments);
    va_end(arguments);
    return status;
}

const char *bm_status_name(enum bm_status status) {
    static const char *const names[] = {
        [BM_OK] = "ok",
        [BM_INVALID] = "invalid",
        [BM_IO] = "io",
        [BM_NO_MEMORY] = "no_memory",
        [BM_NOT_FOUND] = "not_found",
        [BM_UNSUPPORTED] = "unsupported",
        [BM_DEVICE] = "device",
        [BM_INTERRUPTED] = "interrupted",
        [BM_TIMED_OUT] = "timed_out",
        [BM_INTERNAL] = "internal",
    };
    return (size_t)status < BM_COUNT_OF(names) ? names[status] : "unknown";
}
