#include "process.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Beside the program as installed and as built; else beside the data, which a test names. */
enum bm_status bm_worker_find(const char *program, char *path, size_t size, struct bm_error *error) {
    char own[PATH_MAX], name[128];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    if (length > 0) {
        own[length] = '\0';
        *strrchr(own, '/') = '\0';
        int written = snprintf(path, size, "%s/%s/%s", own, BM_WORKERS_FROM_PROGRAM, program);
        if (written > 0 && (size_t)written < size && access(path, X_OK) == 0)
            return BM_OK;
    }
    snprintf(name, sizeof name, "%s/%s", BM_WORKERS_FROM_DATA, program);
    enum bm_status status = bm_data_path(name, path, size, error);
    if (status == BM_OK && access(path, X_OK) != 0)
        status = bm_fail(error, BM_NOT_FOUND, "%s is not installed with this program", program);
    return status;
}

/* ---- environment: this program's, with some variables set otherwise ---- */

static bool is_set_in(char *const *variables, const char *entry) {
    size_t length = strcspn(entry, "=");
    for (; *variables != NULL; variables++)
        if (strncmp(*variables, entry, length + 1) == 0)
            return true;
    return false;
}

static char **merge(char *const *variables) {
    size_t count = 1;
    for (char *const *own = environ; *own != NULL; own++)
        count++;
    for (char *const *more = variables; *more != NULL; more++)
        count++;
    char **merged = bm_alloc(count, sizeof *merged);
    size_t at = 0;
    for (char *const *own = environ; merged != NULL && *own != NULL; own++)
        if (!is_set_in(variables, *own))
            merged[at++] = *own;
    for (char *const *more = variables; merged != NULL && *more != NULL; more++)
        merged[at++] = *more;
    return merged;
}

/* ---- life ---- */

/* Its end of the socket, and standard output as our standard error: a library's words are no result. A signal
 * from the keyboard goes to all of a terminal's processes: the program decides what becomes of the worker. */
static int spawn(const char *path, char *const *environment, int socket, int *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t blocked;
    char *arguments[] = {(char *)(uintptr_t)path, NULL};
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    int code = posix_spawn_file_actions_init(&actions);
    if (code != 0)
        return code;
    if ((code = posix_spawnattr_init(&attributes)) == 0) {
        code = posix_spawn_file_actions_adddup2(&actions, socket, BM_WORKER_SOCKET);
        if (code == 0)
            code = posix_spawn_file_actions_adddup2(&actions, 2, 1);
        if (code == 0)
            code = posix_spawnattr_setsigmask(&attributes, &blocked);
        if (code == 0)
            code = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        if (code == 0)
            code = posix_spawn(pid, path, &actions, &attributes, arguments, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

enum bm_status bm_worker_start(const char *name, const char *path, char *const *variables,
                               struct bm_worker *worker, struct bm_error *error) {
    int sockets[2];
    *worker = (struct bm_worker){.name = name, .pid = -1, .socket = -1};
    char **environment = merge(variables);
    if (environment == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory while starting %s", path);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
        free(environment);
        return bm_fail_native(error, BM_INTERNAL, errno, "socketpair", "cannot talk to a worker: %s",
                              strerror(errno));
    }
    int code = spawn(path, environment, sockets[1], &worker->pid);
    close(sockets[1]);
    free(environment);
    if (code != 0) {
        close(sockets[0]);
        *worker = (struct bm_worker){.name = name, .pid = -1, .socket = -1};
        return bm_fail_native(error, BM_DEVICE, code, "posix_spawn", "%s does not start: %s", path,
                              strerror(code));
    }
    worker->socket = sockets[0];
    return BM_OK;
}

static void bury(struct bm_worker *worker) {
    int status = 0;
    close(worker->socket);
    worker->socket = -1;
    while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR)
        ;
    worker->pid = -1;
    if (WIFSIGNALED(status))
        bm_fail(&worker->death, BM_DEVICE, "the process that runs %s died: %s", worker->name,
                strsignal(WTERMSIG(status)));
    else
        bm_fail(&worker->death, BM_DEVICE, "the process that runs %s ended with code %d", worker->name,
                WEXITSTATUS(status));
}

enum bm_status bm_worker_call(struct bm_worker *worker, struct bm_worker_request *request,
                              struct bm_worker_reply *reply, struct bm_error *error) {
    request->build = bm_worker_build();
    if (worker->pid >= 0 && (!bm_worker_send(worker->socket, request, sizeof *request) ||
                             !bm_worker_receive(worker->socket, reply, sizeof *reply)))
        bury(worker);
    if (worker->pid < 0) {
        memset(reply, 0, sizeof *reply);
        return bm_fail(error, worker->death.status, "%s", worker->death.message);
    }
    if (reply->status == BM_OK)
        return BM_OK;
    return bm_fail_native(error, reply->status, reply->error.native, reply->error.call, "%s",
                          reply->error.message);
}

void bm_worker_stop(struct bm_worker *worker) {
    if (worker->pid >= 0)
        bury(worker);
}
