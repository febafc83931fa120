/* The worker's session: the library, and the memory that its cases share. */
#ifndef BM_ONEDNN_SESSION_H
#define BM_ONEDNN_SESSION_H

#include "bm/backend.h"
#include "library.h"
#include "verification.h"

/* Memory of one kind, for the largest case that needs it: sizes are reserved for all cases before the first
 * is prepared, since they share it. */
struct bm_shared {
    uint64_t largest; /* bytes asked for, guard zones excluded */
    uint8_t *data;    /* NULL until it is needed */
    size_t bytes;     /* mapped */
};

/* Tensors of a plain plan of a matrix product. */
enum { BM_WEIGHTS, BM_ACTIVATIONS, BM_OUTPUTS, BM_SCALES, BM_MATMUL_TENSORS };

struct bm_session {
    struct bm_library *library;
    struct bm_cpu cpu; /* under the cap */
    uint64_t cold_bytes, seed, memory_bytes;
    struct bm_values values[BM_ELEMENT_COUNT];
    /* Packed weights of each format, rotated over. Packing permutes values: whatever part of the arena a case
     * takes for a slot holds packed weights, of other values than another case packed there. */
    struct bm_shared arena[BM_ELEMENT_COUNT];
    struct bm_shared hot[BM_MATMUL_TENSORS][BM_ELEMENT_COUNT];
    struct bm_shared outputs; /* between guard zones */
    struct bm_shared plain;   /* weights before they are packed; given back when timing begins */
    struct bm_shared scratch; /* the library's */
    struct bm_shared quantised, row_scales; /* of int8: activations as the library takes them */
};

struct bm_prepared {
    struct bm_session *session;
    struct bm_case the_case;
    struct bm_plan plan;
    struct bm_library_matmul *matmul;
    struct bm_operands operands; /* weights: of slot 0 */
    char pipe[24];
    size_t apart;          /* bytes from slot to slot */
    size_t corrections_at; /* in a slot: those of the columns, where activations are unsigned */
    uint64_t slots, next_slot;
    bool quantised, unsigned_activations;
    struct bm_parameters parameters;
};

enum bm_status bm_onednn_open(enum bm_isa cap, uint64_t cold_bytes, uint64_t seed, uint64_t memory_bytes,
                              struct bm_session **session, struct bm_error *error) BM_CHECK_RESULT;
void bm_onednn_close(struct bm_session *session);
/* As the doors of bm_backend. Products of int8 have one parameter: UNSIGNED, 1 where the library takes
 * activations as unsigned bytes (u8s8), 0 where as signed ones (s8s8). The results are the same. */
enum bm_status bm_onednn_reserve(struct bm_session *session, const struct bm_case *the_case,
                                 const struct bm_parameters *parameters,
                                 struct bm_error *error) BM_CHECK_RESULT;
enum bm_status bm_onednn_prepare(struct bm_session *session, const struct bm_case *the_case,
                                 const struct bm_parameters *parameters, struct bm_prepared **prepared,
                                 struct bm_error *error) BM_CHECK_RESULT;
void bm_onednn_discard(struct bm_prepared *prepared);
enum bm_status bm_onednn_verify(struct bm_prepared *prepared, uint64_t seed,
                                struct bm_verification *verification, struct bm_error *error) BM_CHECK_RESULT;
enum bm_status bm_onednn_run(struct bm_prepared *prepared, uint64_t launches, struct bm_block *block,
                             struct bm_error *error) BM_CHECK_RESULT;

/* The formats that it has no product of, as bm_endpoint.lacks_dtypes. */
uint32_t bm_onednn_lacks(struct bm_session *session);

/* ---- memory.c ---- */

enum bm_status bm_onednn_values_get(struct bm_session *session, enum bm_element element,
                                    const struct bm_values **values, struct bm_error *error) BM_CHECK_RESULT;
/* Fills with values from `start` on; the threads of later products touch its pages first, in turn. */
void bm_onednn_fill(const struct bm_values *values, uint64_t start, uint64_t count, void *data);
/* Maps shared memory of its size, once; `extra` bytes more. */
enum bm_status bm_onednn_map(struct bm_shared *shared, size_t extra, struct bm_error *error) BM_CHECK_RESULT;
/* The arena of a format, mapped and filled; inputs likewise. */
enum bm_status bm_onednn_arena_get(struct bm_session *session, enum bm_element element, uint8_t **data,
                                   struct bm_error *error) BM_CHECK_RESULT;
enum bm_status bm_onednn_hot_get(struct bm_session *session, unsigned tensor, enum bm_element element,
                                 uint8_t **data, struct bm_error *error) BM_CHECK_RESULT;
void bm_onednn_unmap(struct bm_shared *shared);
void bm_onednn_memory_fini(struct bm_session *session);
/* Where hot tensor t begins in its values. */
static inline uint64_t bm_onednn_hot_start(unsigned t) {
    return (uint64_t)(t + 1) * 1000003; /* those of one plan begin at different values */
}

#endif
