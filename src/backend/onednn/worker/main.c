/* benchmark-onednn: runs oneDNN for `benchmark`, which starts it and talks to it through a socket
 * (worker/protocol.h). Ends when the socket does. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "session.h"
#include "worker/protocol.h"

static void open_session(const struct bm_worker_request *request, struct bm_session **session,
                         struct bm_worker_reply *reply) {
    reply->status = *session != NULL
                        ? bm_fail(&reply->error, BM_INTERNAL, "a worker has one session")
                        : bm_onednn_open(request->isa, request->cold_bytes, request->session_seed,
                                         request->memory_bytes, session, &reply->error);
    if (reply->status == BM_OK)
        bm_library_describe(reply->library.version, reply->library.isa);
    if (reply->status == BM_OK)
        reply->library.lacks_dtypes = bm_onednn_lacks(*session);
}

static const struct bm_parameters *parameters_of(const struct bm_worker_request *request) {
    return request->has_parameters ? &request->parameters : NULL;
}

static void prepare(struct bm_session *session, const struct bm_case *the_case,
                    const struct bm_worker_request *request, struct bm_worker_reply *reply) {
    struct bm_prepared *prepared;
    reply->status = bm_onednn_prepare(session, the_case, parameters_of(request), &prepared, &reply->error);
    if (reply->status != BM_OK)
        return;
    reply->prepared = (uint64_t)(uintptr_t)prepared;
    bm_string_set(reply->variant, sizeof reply->variant, bm_library_matmul_name(prepared->matmul));
    bm_string_set(reply->pipe, sizeof reply->pipe, prepared->pipe);
    bm_string_set(reply->parameters_from, sizeof reply->parameters_from,
                  request->has_parameters ? "tuned" : "shipped");
    reply->parameters = prepared->parameters;
    if (prepared->slots > 1)
        reply->cold_bytes = prepared->slots * prepared->apart;
}

/* Those that need a session, and a case. */
static void serve_session(const struct bm_worker_request *request, struct bm_session *session,
                          struct bm_worker_reply *reply) {
    struct bm_prepared *prepared = (struct bm_prepared *)(uintptr_t)request->prepared;
    struct bm_case the_case;
    const bool has_case = bm_worker_case_unpack(&request->wanted, &the_case);
    switch (request->call) {
    case BM_WORKER_RESERVE:
    case BM_WORKER_PREPARE:
        if (!has_case || the_case.dtype == NULL)
            reply->status = bm_fail(&reply->error, BM_UNSUPPORTED, "onednn runs matrix products alone, no %s",
                                    request->wanted.workload);
        else if (request->call == BM_WORKER_PREPARE)
            prepare(session, &the_case, request, reply);
        else
            reply->status = bm_onednn_reserve(session, &the_case, parameters_of(request), &reply->error);
        break;
    case BM_WORKER_VERIFY:
        reply->status = bm_onednn_verify(prepared, request->seed, &reply->verification, &reply->error);
        break;
    case BM_WORKER_RUN:
        reply->status = bm_onednn_run(prepared, request->launches, &reply->block, &reply->error);
        break;
    case BM_WORKER_DISCARD:
        bm_onednn_discard(prepared);
        break;
    case BM_WORKER_OPEN:
        break;
    }
}

int main(void) {
    static struct bm_worker_request request;
    static struct bm_worker_reply reply;
    struct bm_session *session = NULL;
    signal(SIGINT, SIG_IGN); /* the program decides */
    while (bm_worker_receive(BM_WORKER_SOCKET, &request, sizeof request)) {
        memset(&reply, 0, sizeof reply);
        if (request.build != bm_worker_build())
            reply.status = bm_fail(&reply.error, BM_INTERNAL, "benchmark-onednn is of another build");
        else if (request.call == BM_WORKER_OPEN)
            open_session(&request, &session, &reply);
        else if (session == NULL)
            reply.status = bm_fail(&reply.error, BM_INTERNAL, "no session is open");
        else
            serve_session(&request, session, &reply);
        if (!bm_worker_send(BM_WORKER_SOCKET, &reply, sizeof reply))
            break;
    }
    bm_onednn_close(session);
    return 0;
}
