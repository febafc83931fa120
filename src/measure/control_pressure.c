/* Microseconds in which some thread of the system waited for a CPU: "some ... total=5" of PSI. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"

struct pressure {
    struct bm_clock clock;
    int fd;
    uint64_t total_us, read_ns;
};

static bool read_total(int fd, uint64_t *total_us) {
    char text[256];
    if (!bm_counter_read(fd, text, sizeof text))
        return false;
    text[strcspn(text, "\n")] = '\0';
    const char *total = strncmp(text, "some ", 5) == 0 ? strstr(text, "total=") : NULL;
    return total != NULL && bm_system_number(total + 6, total_us, NULL);
}

static void *pressure_open(const struct bm_control_options *options, char detail[BM_DETAIL_SIZE]) {
    uint64_t total;
    int fd = bm_counter_open(options->root, "/proc/pressure/cpu");
    struct pressure *state = read_total(fd, &total) ? bm_alloc(1, sizeof *state) : NULL;
    if (state == NULL) {
        if (fd >= 0)
            close(fd);
        bm_string_set(detail, BM_DETAIL_SIZE, "no /proc/pressure/cpu (CONFIG_PSI)");
        return NULL;
    }
    *state = (struct pressure){
        .clock = *options->clock, .fd = fd, .total_us = total, .read_ns = bm_clock_now(options->clock)};
    return state;
}

static bool pressure_judge(void *context, const struct bm_control_block *block) {
    struct pressure *state = context;
    uint64_t total, now = bm_clock_now(&state->clock);
    (void)block;
    if (!read_total(state->fd, &total))
        return false;
    uint64_t waited_ns = 1000 * bm_counter_delta(state->total_us, total);
    bool high = waited_ns > bm_counter_delta(state->read_ns, now) / 4;
    state->total_us = total;
    state->read_ns = now;
    return high;
}

static void pressure_close(void *context) {
    struct pressure *state = context;
    close(state->fd);
    free(state);
}

const struct bm_sensor bm_sensor_pressure = {
    .name = "pressure",
    .flag = BM_FLAG_CONTAMINATED,
    .cpu = true,
    .gpu = true,
    .every_ns = 4000000000, /* the kernel sums it up every 2 s */
    .instead_of = &bm_sensor_run_delay,
    .open = pressure_open,
    .judge = pressure_judge,
    .close = pressure_close,
};
