/* The native backend's own parts: ceilings of the CPU by its own instructions, on threads of our own. */
#ifndef BM_NATIVE_H
#define BM_NATIVE_H

#include "bm/backend.h"
#include "kernels.h"
#include "team.h"
#include "verification.h"

enum { BM_NATIVE_TENSORS = 3, BM_NATIVE_MEMORIES = 64 };

/* Memory that cases of equal size share: inputs, filled once and never written, and outputs between guard
 * zones. Its pages lie near the threads that use them: each touched its part first. */
struct bm_native_memory {
    /* What it was reserved as. */
    uint64_t count; /* of f32 elements */
    unsigned tensor;
    bool written, small_pages;
    /* NULL until it is needed. */
    uint8_t *mapped; /* whole pages, released with the session */
    size_t mapped_bytes;
    float *data;
};

struct bm_session {
    const struct bm_endpoint *endpoint;
    struct bm_session_options options;
    struct bm_target target;
    struct bm_cpu cpu; /* under the endpoint's cap */
    bool amx_given;    /* by the kernel, on request */
    struct bm_team *team;
    struct bm_values values;
    struct bm_native_memory memories[BM_NATIVE_MEMORIES];
    unsigned memory_count;
};

/* Threads first to first + count - 1, which lie beside each other. */
struct bm_native_span {
    unsigned first, count;
};

struct bm_prepared {
    struct bm_session *session;
    struct bm_case the_case;
    struct bm_plan plan;
    struct bm_native_span span;
    struct bm_operands operands;
    float *data[BM_NATIVE_TENSORS]; /* where each tensor begins */
    const char *parameters_from;
    struct bm_parameters parameters;
    const struct bm_stream_kernel *stream; /* of a memory or cache ceiling */
    const struct bm_fma_kernel *fma;       /* of an arithmetic one */
};

/* ---- memory.c ---- */

/* Whether the system makes pages larger on request. */
bool bm_native_has_huge_pages(void);
/* Adds memory of the plan's tensors to what the session will hold; BM_NO_MEMORY when it does not fit. Cases
 * on a part of the threads take their part of the memory of them all. */
enum bm_status bm_native_reserve(struct bm_session *session, const struct bm_case *the_case,
                                 const struct bm_parameters *parameters, struct bm_error *error);
/* Gives prepared its tensors; BM_INTERNAL when they were not reserved. */
enum bm_status bm_native_take_memory(struct bm_prepared *prepared, struct bm_error *error) BM_CHECK_RESULT;
void bm_native_memory_fini(struct bm_session *session);
/* The threads that a case is for. */
struct bm_native_span bm_native_span(const struct bm_places *places, const struct bm_case *the_case);

/* ---- choice.c: kernels of a case ---- */

/* BM_UNSUPPORTED: the CPU or the cap has none for it. */
enum bm_status bm_native_check(const struct bm_session *session, const struct bm_case *the_case,
                               struct bm_error *error) BM_CHECK_RESULT;
size_t bm_native_candidates(const struct bm_session *session, const struct bm_case *the_case,
                            struct bm_parameters *candidates, size_t capacity);
/* Sets kernel, parameters and variant. parameters NULL: the first candidate. BM_INVALID: there is no such
 * kernel. */
enum bm_status bm_native_choose(struct bm_prepared *prepared, const struct bm_parameters *parameters,
                                struct bm_error *error) BM_CHECK_RESULT;

/* ---- ceilings.c ---- */
size_t bm_native_ceilings(const struct bm_endpoint *endpoint, const struct bm_ceiling_wish *wish,
                          struct bm_case *cases, size_t capacity);

/* ---- run.c ---- */
enum bm_status bm_native_verify(struct bm_prepared *prepared, uint64_t seed,
                                struct bm_verification *verification, struct bm_error *error);
enum bm_status bm_native_run(struct bm_prepared *prepared, uint64_t launches, struct bm_block *block,
                             struct bm_error *error);

/* Part `index` of `count` of so many things, as even as can be. */
static inline uint64_t bm_native_share(uint64_t things, unsigned index, unsigned count) {
    return things / count * index + things % count * index / count;
}

#endif
