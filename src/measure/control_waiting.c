/* Threads that were ready and had to wait for a CPU: somebody else was on it. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"

/* ---- own threads: nanoseconds of run delay, second field of /proc/self/task/TID/schedstat ---- */

/* More threads than this cost more than 1 % of a short block; of many, evenly spaced ones are read. */
enum { THREADS = 64 };

struct run_delay {
    DIR *tasks;
    uint64_t links; /* of the folder when it was listed: they change with the number of threads */
    struct {
        int fd;
        uint64_t before_ns;
    } threads[THREADS];
    unsigned count;
};

static bool read_delay(int fd, uint64_t *delay_ns) {
    char line[128];
    const char *rest;
    uint64_t executed;
    return bm_counter_read(fd, line, sizeof line) && bm_system_number(line, &executed, &rest) &&
           bm_system_number(rest, delay_ns, NULL);
}

static void forget(struct run_delay *state) {
    for (unsigned i = 0; i < state->count; i++)
        close(state->threads[i].fd);
    state->count = 0;
}

static unsigned count_tasks(DIR *tasks) {
    unsigned count = 0;
    rewinddir(tasks);
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;)
        count += entry->d_name[0] != '.';
    return count;
}

static void list_threads(struct run_delay *state) {
    unsigned step = count_tasks(state->tasks) / THREADS + 1, i = 0;
    forget(state);
    rewinddir(state->tasks);
    for (struct dirent *entry; state->count < THREADS && (entry = readdir(state->tasks)) != NULL;) {
        char name[64];
        uint64_t delay;
        if (entry->d_name[0] == '.' || i++ % step != 0)
            continue;
        snprintf(name, sizeof name, "%.32s/schedstat", entry->d_name);
        int fd = openat(dirfd(state->tasks), name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd >= 0 && read_delay(fd, &delay))
            state->threads[state->count++].fd = fd;
        else if (fd >= 0)
            close(fd);
    }
}

static void run_delay_close(void *context) {
    struct run_delay *state = context;
    forget(state);
    closedir(state->tasks);
    free(state);
}

static void *run_delay_open(const struct bm_control_options *options, char detail[BM_DETAIL_SIZE]) {
    char path[PATH_MAX];
    struct run_delay *state = bm_alloc(1, sizeof *state);
    if (state == NULL || !bm_system_path(options->root, "/proc/self/task", path) ||
        (state->tasks = opendir(path)) == NULL) {
        free(state);
        return NULL;
    }
    list_threads(state);
    if (state->count > 0)
        return state;
    bm_string_set(detail, BM_DETAIL_SIZE, "the kernel counts no run delay (CONFIG_SCHED_INFO)");
    run_delay_close(state);
    return NULL;
}

static void run_delay_begin(void *context) {
    struct run_delay *state = context;
    struct stat folder;
    if (fstat(dirfd(state->tasks), &folder) == 0 && folder.st_nlink != state->links) {
        list_threads(state);
        state->links = folder.st_nlink;
    }
    for (unsigned i = 0; i < state->count; i++)
        if (!read_delay(state->threads[i].fd, &state->threads[i].before_ns))
            state->threads[i].before_ns = UINT64_MAX; /* it ended: no delay */
}

static bool run_delay_judge(void *context, const struct bm_control_block *block) {
    const uint64_t least_ns = 1000000;
    struct run_delay *state = context;
    uint64_t worst = 0;
    uint64_t sum=0;
    for (unsigned i = 0; i < state->count; i++) {
        uint64_t after;
        uint64_t delay = read_delay(state->threads[i].fd, &after)
                             ? bm_counter_delta(state->threads[i].before_ns, after)
                             : 0;
        worst = delay > worst ? delay : worst;
        sum += delay;
    }
    if (getenv("BM_TRACE")) dprintf(2, "DELAY %lu %lu %lu %u\n", block->ns, worst, sum, state->count);
    return worst > block->ns / 50 && worst > least_ns;
}

const struct bm_sensor bm_sensor_run_delay = {
    .name = "run_delay",
    .flag = BM_FLAG_CONTAMINATED,
    .cpu = true,
    .gpu = true,
    .open = run_delay_open,
    .begin = run_delay_begin,
    .judge = run_delay_judge,
    .close = run_delay_close,
};

/* ---- the whole system: microseconds in which some thread waited, "some ... total=5" of PSI ---- */

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
    (void)detail;
    uint64_t total;
    int fd = bm_counter_open(options->root, "/proc/pressure/cpu");
    struct pressure *state = read_total(fd, &total) ? bm_alloc(1, sizeof *state) : NULL;
    if (state == NULL) {
        if (fd >= 0)
            close(fd);
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
    if (getenv("BM_TRACE")) dprintf(2, "PSI %lu %lu\n", now-state->read_ns, total-state->total_us);
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
