/* Threads that were ready and had to wait for a CPU: somebody else was on it. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"

/* ---- own threads: /proc/self/task/TID/schedstat ---- */

/* More threads than this cost more than 1 % of a short block; of many, evenly spaced ones are read. */
enum { THREADS = 64 };

struct schedule {
    uint64_t ran_ns, waited_ns, turns; /* its three fields: a turn is one stay on a CPU */
};
struct thread {
    int fd;
    struct schedule before;
};
struct run_delay {
    DIR *tasks;
    nlink_t links; /* of the folder when it was listed: they change with the number of threads */
    struct thread caller, others[THREADS];
    unsigned count;
    uint64_t judged_ran_ns; /* what the caller had run when the block before was judged */
};

static bool read_schedule(int fd, struct schedule *schedule) {
    char line[128];
    const char *at = line;
    return bm_counter_read(fd, line, sizeof line) && bm_system_number(at, &schedule->ran_ns, &at) &&
           bm_system_number(at, &schedule->waited_ns, &at) && bm_system_number(at, &schedule->turns, &at);
}

static int open_thread(const struct run_delay *state, const char *id) {
    char name[64];
    struct schedule schedule;
    snprintf(name, sizeof name, "%.32s/schedstat", id);
    int fd = openat(dirfd(state->tasks), name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && !read_schedule(fd, &schedule)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void forget_others(struct run_delay *state) {
    for (unsigned i = 0; i < state->count; i++)
        close(state->others[i].fd);
    state->count = 0;
}

static void list_others(struct run_delay *state) {
    char caller[16];
    unsigned found = 0, i = 0;
    snprintf(caller, sizeof caller, "%d", (int)gettid());
    forget_others(state);
    rewinddir(state->tasks);
    while (readdir(state->tasks) != NULL)
        found++;
    rewinddir(state->tasks);
    for (struct dirent *entry; state->count < THREADS && (entry = readdir(state->tasks)) != NULL;) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, caller) == 0 || i++ % (found / THREADS + 1) != 0)
            continue;
        int fd = open_thread(state, entry->d_name);
        if (fd >= 0)
            state->others[state->count++].fd = fd;
    }
}

static void run_delay_close(void *context) {
    struct run_delay *state = context;
    forget_others(state);
    if (state->caller.fd >= 0)
        close(state->caller.fd);
    closedir(state->tasks);
    free(state);
}

static void *run_delay_open(const struct bm_control_options *options, char detail[BM_DETAIL_SIZE]) {
    char path[PATH_MAX], caller[16];
    struct run_delay *state = bm_alloc(1, sizeof *state);
    if (state == NULL || !bm_system_path(options->root, "/proc/self/task", path) ||
        (state->tasks = opendir(path)) == NULL) {
        bm_string_set(detail, BM_DETAIL_SIZE, "no /proc/self/task");
        free(state);
        return NULL;
    }
    snprintf(caller, sizeof caller, "%d", (int)gettid());
    state->caller.fd = open_thread(state, caller);
    if (state->caller.fd >= 0)
        return state;
    bm_string_set(detail, BM_DETAIL_SIZE, "the kernel does not count it (CONFIG_SCHED_INFO)");
    run_delay_close(state);
    return NULL;
}

static void run_delay_pass(void *context) {
    list_others(context);
}

static void run_delay_begin(void *context) {
    struct run_delay *state = context;
    struct stat folder;
    if (fstat(dirfd(state->tasks), &folder) == 0 && folder.st_nlink != state->links) {
        list_others(state);
        state->links = folder.st_nlink;
    }
    for (unsigned i = 0; i < state->count; i++)
        if (!read_schedule(state->others[i].fd, &state->others[i].before))
            state->others[i].before.waited_ns = UINT64_MAX; /* it ended: no wait */
    if (!read_schedule(state->caller.fd, &state->caller.before))
        state->caller.before.waited_ns = UINT64_MAX;
}

/* What a thread ran and, above the cost of waking it up, waited since the block began. */
static void since_begin(const struct thread *thread, uint64_t *ran_ns, uint64_t *waited_ns) {
    const uint64_t wake_up_ns = 50000;
    struct schedule now;
    *ran_ns = *waited_ns = 0;
    if (!read_schedule(thread->fd, &now) || thread->before.waited_ns == UINT64_MAX)
        return;
    *ran_ns = bm_counter_delta(thread->before.ran_ns, now.ran_ns);
    uint64_t turns = bm_counter_delta(thread->before.turns, now.turns);
    uint64_t waking_ns = turns < UINT64_MAX / wake_up_ns ? turns * wake_up_ns : UINT64_MAX;
    *waited_ns = bm_counter_delta(waking_ns, bm_counter_delta(thread->before.waited_ns, now.waited_ns));
}

/* How long the caller may have kept a worker waiting: while it ran, also before the block, as a wait is
 * counted when it ends. No wait outlasts the few ms of a turn. */
static uint64_t caller_in_the_way(struct run_delay *state, uint64_t ran_ns) {
    const uint64_t turn_ns = 4000000;
    struct schedule now;
    uint64_t before_ns = 0;
    if (!read_schedule(state->caller.fd, &now))
        return ran_ns;
    if (state->judged_ran_ns > 0)
        before_ns = bm_counter_delta(state->judged_ran_ns, state->caller.before.ran_ns);
    state->judged_ran_ns = now.ran_ns;
    return ran_ns + (before_ns < turn_ns ? before_ns : turn_ns);
}

/* A caller that only submits takes its turns between those of its workers: its own waits are for them. */
static bool run_delay_judge(void *context, const struct bm_control_block *block) {
    struct run_delay *state = context;
    uint64_t caller_ran, caller_waited, most_ran = 0, most_waited = 0;
    since_begin(&state->caller, &caller_ran, &caller_waited);
    for (unsigned i = 0; i < state->count; i++) {
        uint64_t ran, waited;
        since_begin(&state->others[i], &ran, &waited);
        most_ran = ran > most_ran ? ran : most_ran;
        most_waited = waited > most_waited ? waited : most_waited;
    }
    uint64_t own = caller_in_the_way(state, caller_ran);
    if (caller_ran < most_ran / 2)
        most_waited = bm_counter_delta(own, most_waited);
    else if (caller_waited > most_waited)
        most_waited = caller_waited;
    return most_waited > block->ns / 50;
}

const struct bm_sensor bm_sensor_run_delay = {
    .name = "run_delay",
    .flag = BM_FLAG_CONTAMINATED,
    .cpu = true,
    .gpu = true,
    .open = run_delay_open,
    .pass = run_delay_pass,
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
