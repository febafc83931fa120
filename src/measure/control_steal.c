/* CPU time that the hypervisor gave to other machines: eighth field of /proc/stat's first line, in ticks. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"

/* One reading a tenth of a second: enough of them for 100 busy ticks on one CPU that is busy for a sixth. */
enum { READINGS = 64, BUSY_TICKS = 100, PERCENT = 2 };

struct reading {
    uint64_t busy, stolen; /* busy: the CPU time that was wanted, stolen included */
};

struct steal {
    int fd;
    struct reading readings[READINGS]; /* a ring */
    size_t next, count;
};

static bool read_ticks(int fd, struct reading *reading) {
    enum { USER, NICE, SYSTEM, IDLE, IO_WAIT, IRQ, SOFT_IRQ, STOLEN, FIELDS };
    char text[512];
    uint64_t fields[FIELDS];
    const char *at = text + 4;
    if (!bm_counter_read(fd, text, sizeof text) || strncmp(text, "cpu ", 4) != 0)
        return false;
    for (int i = 0; i < FIELDS; i++)
        if (!bm_system_number(at, &fields[i], &at))
            return false;
    reading->busy = 0;
    for (int i = 0; i < FIELDS; i++)
        if (i != IDLE && i != IO_WAIT)
            reading->busy += fields[i] < UINT64_MAX / FIELDS ? fields[i] : 0;
    reading->stolen = fields[STOLEN];
    return true;
}

static void *steal_open(const struct bm_control_options *options, char detail[BM_DETAIL_SIZE]) {
    struct reading first;
    int fd = bm_counter_open(options->root, "/proc/stat");
    struct steal *state = read_ticks(fd, &first) ? bm_alloc(1, sizeof *state) : NULL;
    if (state == NULL) {
        if (fd >= 0)
            close(fd);
        bm_string_set(detail, BM_DETAIL_SIZE, "no /proc/stat that tells it");
        return NULL;
    }
    *state = (struct steal){.fd = fd, .readings = {first}, .next = 1, .count = 1};
    return state;
}

/* Compares with the newest reading that lies far enough back. */
static bool steal_judge(void *context, const struct bm_control_block *block) {
    struct steal *state = context;
    struct reading now;
    bool high = false;
    (void)block;
    if (!read_ticks(state->fd, &now))
        return false;
    for (size_t back = 1; back <= state->count; back++) {
        const struct reading *then = &state->readings[(state->next + READINGS - back) % READINGS];
        uint64_t busy = bm_counter_delta(then->busy, now.busy);
        uint64_t stolen = bm_counter_delta(then->stolen, now.stolen);
        if (busy < BUSY_TICKS)
            continue;
        high = stolen > busy / (100 / PERCENT);
        break;
    }
    state->readings[state->next] = now;
    state->next = (state->next + 1) % READINGS;
    state->count += state->count < READINGS;
    return high;
}

static void steal_close(void *context) {
    struct steal *state = context;
    close(state->fd);
    free(state);
}

const struct bm_sensor bm_sensor_steal = {
    .name = "steal",
    .flag = BM_FLAG_CONTAMINATED,
    .cpu = true,
    .every_ns = 100000000, /* the whole of /proc/stat is made for each reading, slowly on large machines */
    .open = steal_open,
    .judge = steal_judge,
    .close = steal_close,
};
