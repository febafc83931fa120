/* The tensors of a plan on the first OpenCL device, for tests: where their elements lie, guard zones around
 * what a kernel writes, poison in it, and planted faults. */
#ifndef BUFFERS_H
#define BUFFERS_H

#include "harness.h"

#define GUARD_BYTES ((size_t)4096)

#define TRY(call_name, code)                                                                                 \
    do {                                                                                                     \
        const cl_int code_ = (code);                                                                         \
        if (code_ != CL_SUCCESS) {                                                                           \
            status =                                                                                         \
                bm_fail_native(error, BM_DEVICE, code_, call_name, "%s failed with %d", call_name, code_);   \
            goto out;                                                                                        \
        }                                                                                                    \
    } while (0)

/* Where the elements of a tensor lie: those of the compact layout in runs of run[1] within runs of run[0],
 * which begin pitch[1] and pitch[0] apart; run 0: not cut. */
struct placing {
    uint64_t run[2], pitch[2];
    uint64_t extent; /* elements from the first to the last */
};

struct buffers {
    struct placing placing[8];
    cl_mem parent[8], buffer[8], arena[BM_ELEMENT_COUNT];
    uint64_t offset[8];
    int32_t *tables[8];
    struct bm_operands operands;
};

/* Inputs, tables, and room for what is written; buffers_destroy frees them, on failure too. */
enum bm_status buffers_create(struct harness *h, const struct bm_case *c, const struct bm_plan *plan,
                              const struct harness_fault *fault, struct buffers *b, struct bm_error *error);
void buffers_destroy(struct buffers *b);

/* The pitch of a tensor's rows or heads whose compact one is `value`. */
uint64_t buffers_pitch(const struct placing *p, uint64_t value);

/* What was written to a tensor, in its compact layout after GUARD_BYTES. *intact becomes false where
 * something was written around it or between its rows. The caller frees *data, on failure too. */
enum bm_status buffers_read(struct harness *h, const struct bm_plan *plan, const struct buffers *b,
                            unsigned t, unsigned char **data, bool *intact, struct bm_error *error);

#endif
