/* What a program and its worker say to each other: fixed structs over a stream socket, one reply to each
 * request. Both are of one build; the greeting checks that. */
#ifndef BM_WORKER_PROTOCOL_H
#define BM_WORKER_PROTOCOL_H

#include "bm/backend.h"

/* Where a worker finds its end of the socket. */
enum { BM_WORKER_SOCKET = 3 };

enum bm_worker_call {
    BM_WORKER_OPEN = 1, /* the session: always the first */
    BM_WORKER_RESERVE,
    BM_WORKER_PREPARE,
    BM_WORKER_VERIFY,
    BM_WORKER_RUN,
    BM_WORKER_DISCARD,
};

/* A case with names for its pointers. */
struct bm_worker_case {
    char workload[24], dtype[24]; /* "": none */
    struct bm_case the_case;
};

struct bm_worker_request {
    uint64_t build; /* bm_worker_build() */
    enum bm_worker_call call;
    /* OPEN */
    enum bm_isa isa;
    unsigned threads;
    uint64_t cold_bytes, session_seed, memory_bytes;
    /* RESERVE, PREPARE */
    struct bm_worker_case wanted;
    bool has_parameters;
    struct bm_parameters parameters;
    /* VERIFY, RUN, DISCARD */
    uint64_t prepared; /* of the reply to PREPARE */
    uint64_t seed, launches;
};

/* What there is to say of a library. */
struct bm_worker_library {
    char version[64];      /* "oneDNN 2.6.3" */
    char isa[64];          /* the instructions that it uses, in its own words */
    uint32_t lacks_dtypes; /* as of bm_endpoint */
};

struct bm_worker_reply {
    enum bm_status status;
    struct bm_error error;
    struct bm_worker_library library; /* OPEN */
    /* PREPARE */
    uint64_t prepared;
    char variant[48], pipe[24], parameters_from[16];
    struct bm_parameters parameters;
    uint64_t cold_bytes;
    struct bm_verification verification; /* VERIFY */
    struct bm_block block;               /* RUN */
};

/* Differs between builds whose structs do. */
uint64_t bm_worker_build(void);
/* Whole structs through a socket; false at its end or when it fails. */
bool bm_worker_send(int socket, const void *data, size_t size) BM_CHECK_RESULT;
bool bm_worker_receive(int socket, void *data, size_t size) BM_CHECK_RESULT;

void bm_worker_case_pack(const struct bm_case *the_case, struct bm_worker_case *packed);
/* false: it names a workload or format that is unknown. */
bool bm_worker_case_unpack(const struct bm_worker_case *packed, struct bm_case *the_case) BM_CHECK_RESULT;

#endif
