/* A worker as the program sees it: a process that runs a library, so that each session has the library to
 * itself: its cap of instructions, its threads, its crashes. */
#ifndef BM_WORKER_PROCESS_H
#define BM_WORKER_PROCESS_H

#include "protocol.h"

struct bm_worker {
    const char *name; /* borrowed, for messages: "onednn" */
    int pid, socket;
    struct bm_error death; /* why it does not answer any more; status BM_OK: it does */
};

/* Where a worker's program lies: beside the program's data, as installed. BM_NOT_FOUND: it was not built. */
enum bm_status bm_worker_find(const char *program, char *path, size_t size,
                              struct bm_error *error) BM_CHECK_RESULT;
/* Starts path with variables ("NAME=value", NULL-terminated) over this program's environment. The worker ends
 * when its socket closes, whatever becomes of this program. */
enum bm_status bm_worker_start(const char *name, const char *path, char *const *variables,
                               struct bm_worker *worker, struct bm_error *error) BM_CHECK_RESULT;
/* Sends the request and waits for the reply. Returns the reply's status and error; BM_DEVICE when the worker
 * died, which is said of every later call too. */
enum bm_status bm_worker_call(struct bm_worker *worker, struct bm_worker_request *request,
                              struct bm_worker_reply *reply, struct bm_error *error) BM_CHECK_RESULT;
void bm_worker_stop(struct bm_worker *worker);

#endif
