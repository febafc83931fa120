#include "bm/base.h"

#include <time.h>

static uint64_t monotonic_now(void *context) {
    (void)context;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

const struct bm_clock bm_clock_monotonic = {.now_ns = monotonic_now};

uint64_t bm_clock_now(const struct bm_clock *clock) {
    return clock->now_ns(clock->context);
}

void bm_time_utc(char text[32], bool basic) {
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(text, 32, basic ? "%Y%m%dT%H%M%SZ" : "%Y-%m-%dT%H:%M:%SZ", &utc);
}
