#include "protocol.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

uint64_t bm_worker_build(void) {
    const uint64_t sizes[] = {sizeof(struct bm_worker_request), sizeof(struct bm_worker_reply),
                              sizeof(struct bm_case), BM_ELEMENT_COUNT, BM_ISA_COUNT};
    return bm_hash(sizes, sizeof sizes, 1);
}

bool bm_worker_send(int socket, const void *data, size_t size) {
    const char *at = data;
    while (size > 0) {
        ssize_t sent = send(socket, at, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        at += sent;
        size -= (size_t)sent;
    }
    return true;
}

bool bm_worker_receive(int socket, void *data, size_t size) {
    char *at = data;
    while (size > 0) {
        ssize_t received = recv(socket, at, size, 0);
        if (received < 0 && errno == EINTR)
            continue;
        if (received <= 0)
            return false;
        at += received;
        size -= (size_t)received;
    }
    return true;
}

void bm_worker_case_pack(const struct bm_case *the_case, struct bm_worker_case *packed) {
    memset(packed, 0, sizeof *packed);
    packed->the_case = *the_case;
    packed->the_case.workload = NULL;
    packed->the_case.dtype = NULL;
    bm_string_set(packed->workload, sizeof packed->workload, the_case->workload->name);
    if (the_case->dtype != NULL)
        bm_string_set(packed->dtype, sizeof packed->dtype, the_case->dtype->name);
}

bool bm_worker_case_unpack(const struct bm_worker_case *packed, struct bm_case *the_case) {
    *the_case = packed->the_case;
    the_case->workload = bm_workload_find(packed->workload);
    the_case->dtype = packed->dtype[0] != '\0' ? bm_dtype_find(packed->dtype) : NULL;
    return the_case->workload != NULL && (the_case->dtype != NULL || packed->dtype[0] == '\0');
}
