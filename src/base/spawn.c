#include "bm/base.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The child's descriptors; this process's own are none of this module's business. */
enum { CHILD_INPUT = 0, CHILD_OUTPUT = 1, CHILD_ERRORS = 2 };
enum { POLL_NS = 2000000, GRACE_NS = 2000000000 };

static void pause_briefly(void) {
    const struct timespec time = {.tv_nsec = POLL_NS};
    nanosleep(&time, NULL);
}

/* Own process group: a terminal's interrupt reaches only the parent, which then ends the child and all that
 * it started. */
static enum bm_status start(const struct bm_spawn *spawn, pid_t *child, struct bm_error *error) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    const char *output = spawn->output != NULL ? spawn->output : "/dev/null";
    const int flags = O_WRONLY | O_CREAT | O_TRUNC;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGTERM);
    sigaddset(&defaults, SIGPIPE);
    int code = posix_spawn_file_actions_init(&actions);
    if (code != 0)
        return bm_fail_native(error, BM_NO_MEMORY, code, "posix_spawn", "%s: %s", spawn->words[0],
                              strerror(code));
    code = posix_spawnattr_init(&attributes);
    if (code != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return bm_fail_native(error, BM_NO_MEMORY, code, "posix_spawn", "%s: %s", spawn->words[0],
                              strerror(code));
    }
    posix_spawn_file_actions_addopen(&actions, CHILD_INPUT, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, CHILD_OUTPUT, output, flags, 0666);
    if (spawn->errors != NULL)
        posix_spawn_file_actions_addopen(&actions, CHILD_ERRORS, spawn->errors, flags, 0666);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    code = posix_spawnp(child, spawn->words[0], &actions, &attributes, (char *const *)spawn->words, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (code == 0)
        return BM_OK;
    return bm_fail_native(error, code == ENOENT ? BM_NOT_FOUND : BM_IO, code, "posix_spawn", "%s: %s",
                          spawn->words[0], strerror(code));
}

/* Whether the child has ended; *state is waitpid's. */
static bool has_ended(pid_t child, int *state) {
    pid_t got;
    do
        got = waitpid(child, state, WNOHANG);
    while (got < 0 && errno == EINTR);
    return got != 0;
}

/* Asks all of the group to end, and does not wait for ever. */
static void end_group(pid_t child, int *state) {
    uint64_t begun = bm_clock_now(&bm_clock_monotonic);
    kill(-child, SIGTERM);
    while (!has_ended(child, state)) {
        if (bm_clock_now(&bm_clock_monotonic) - begun > GRACE_NS) {
            kill(-child, SIGKILL);
            while (waitpid(child, state, 0) < 0 && errno == EINTR) {
            }
            break;
        }
        pause_briefly();
    }
    kill(-child, SIGKILL); /* what the child left behind */
}

enum bm_status bm_spawn_run(const struct bm_spawn *spawn, struct bm_spawn_end *end, struct bm_error *error) {
    pid_t child;
    int state = 0;
    *end = (struct bm_spawn_end){0};
    enum bm_status status = start(spawn, &child, error);
    if (status != BM_OK)
        return status;
    uint64_t begun = bm_clock_now(&bm_clock_monotonic);
    while (!has_ended(child, &state)) {
        bool late = spawn->timeout_s > 0 &&
                    (double)(bm_clock_now(&bm_clock_monotonic) - begun) > spawn->timeout_s * 1e9;
        bool stopped = !late && spawn->stop_requested != NULL && spawn->stop_requested(spawn->context);
        if (late || stopped) {
            end_group(child, &state);
            end->timed_out = late;
            end->stopped = stopped;
            break;
        }
        pause_briefly();
    }
    end->seconds = (double)(bm_clock_now(&bm_clock_monotonic) - begun) / 1e9;
    end->exit_code = WIFEXITED(state) ? WEXITSTATUS(state) : -1;
    end->signal = WIFSIGNALED(state) ? WTERMSIG(state) : 0;
    return BM_OK;
}
