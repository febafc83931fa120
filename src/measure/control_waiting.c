/* Threads, of this process and of those that work for it, that were ready and had to wait for a CPU: somebody
 * else was on it. From /proc/PID/task/TID/schedstat. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"

/* More threads than this cost more than 1 % of a short block; of many, evenly spaced ones are read. */
enum { THREADS = 64, WORKERS = 15 };

struct schedule {
    uint64_t ran_ns, waited_ns, turns; /* the fields of schedstat: a turn is one stay on a CPU */
};
struct thread {
    int fd;
    struct schedule before;
};
struct run_delay {
    const char *root;
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

static int open_of_thread(DIR *tasks, const char *id, const char *file) {
    char name[64];
    snprintf(name, sizeof name, "%.32s/%s", id, file);
    return openat(dirfd(tasks), name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

static int open_schedule(DIR *tasks, const char *id) {
    struct schedule schedule;
    int fd = open_of_thread(tasks, id, "schedstat");
    if (fd >= 0 && !read_schedule(fd, &schedule)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Backends that run a library in a process of its own start it from the caller: its threads do the work. */
static unsigned open_workers(const struct run_delay *state, const char *caller, DIR *tasks[WORKERS]) {
    char children[512], path[PATH_MAX], name[64];
    unsigned count = 0;
    uint64_t pid;
    int fd = open_of_thread(state->tasks, caller, "children");
    bool any = fd >= 0 && bm_counter_read(fd, children, sizeof children);
    if (fd >= 0)
        close(fd);
    for (const char *at = children; any && count < WORKERS && bm_system_number(at, &pid, &at);) {
        snprintf(name, sizeof name, "/proc/%llu/task", (unsigned long long)pid);
        if (bm_system_path(state->root, name, path) && (tasks[count] = opendir(path)) != NULL)
            count++;
    }
    return count;
}

static unsigned count_threads(DIR *tasks) {
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;)
        count += entry->d_name[0] != '.';
    rewinddir(tasks);
    return count;
}

/* Every `every`-th thread of a process but the caller. */
static void add_threads(struct run_delay *state, DIR *tasks, const char *caller, unsigned every) {
    unsigned i = 0;
    for (struct dirent *entry; state->count < THREADS && (entry = readdir(tasks)) != NULL;) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, caller) == 0 || i++ % every != 0)
            continue;
        int fd = open_schedule(tasks, entry->d_name);
        if (fd >= 0)
            state->others[state->count++].fd = fd;
    }
    rewinddir(tasks);
}

static void forget_others(struct run_delay *state) {
    for (unsigned i = 0; i < state->count; i++)
        close(state->others[i].fd);
    state->count = 0;
}

static void list_others(struct run_delay *state) {
    DIR *workers[WORKERS];
    char caller[16];
    snprintf(caller, sizeof caller, "%d", (int)gettid());
    forget_others(state);
    rewinddir(state->tasks);
    unsigned count = open_workers(state, caller, workers), found = count_threads(state->tasks);
    for (unsigned i = 0; i < count; i++)
        found += count_threads(workers[i]);
    const unsigned every = found / THREADS + 1;
    add_threads(state, state->tasks, caller, every);
    for (unsigned i = 0; i < count; i++) {
        add_threads(state, workers[i], caller, every);
        closedir(workers[i]);
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
    state->root = options->root;
    state->caller.fd = open_schedule(state->tasks, caller);
    if (state->caller.fd >= 0) {
        int fd = open_of_thread(state->tasks, caller, "children");
        if (fd < 0)
            bm_string_set(detail, BM_DETAIL_SIZE, "of this process alone (CONFIG_PROC_CHILDREN)");
        else
            close(fd);
        return state;
    }
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
