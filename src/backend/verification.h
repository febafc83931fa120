/* Comparing an output in host memory with a workload's reference: shared by all backends. */
#ifndef BM_VERIFICATION_H
#define BM_VERIFICATION_H

#include "bm/backend.h"

/* Outputs are poisoned with this byte before the run: as f32, f16 and bf16 it reads as one certain NaN; of
 * int8, which has no value to spare, 16 in a row count as never written. */
enum { BM_POISON = 0xff, BM_GUARD_BYTES = 4096 };

/* guarded: BM_GUARD_BYTES of poison, the output tensor, BM_GUARD_BYTES of poison, as the device left it; so
 * each of several, from bm_plan_guarded() on. A wrong result is told in *verification, not by the status. */
enum bm_status bm_verification_compare(const struct bm_case *the_case, const struct bm_plan *plan,
                                       const struct bm_operands *operands, uint64_t seed,
                                       const uint8_t *guarded, struct bm_verification *verification,
                                       struct bm_error *error) BM_CHECK_RESULT;
/* Which of a case's checks are made, and by what. */
struct bm_verification_scope {
    uint64_t first, step; /* numbers first, first + step, ... */
    bool measured_scale;  /* errors are relative to the size of the outputs that are expected, not to that
                             which  seeded inputs would give: inputs came from elsewhere */
};
/* Adds checks to *verification, against its tolerance. outputs: the data of each of the plan's outputs,
 * packed. */
enum bm_status bm_verification_check(const struct bm_case *the_case, const struct bm_plan *plan,
                                     const struct bm_operands *operands, uint64_t seed,
                                     const void *const outputs[], const struct bm_verification_scope *scope,
                                     struct bm_verification *verification,
                                     struct bm_error *error) BM_CHECK_RESULT;
/* Adds one check of packed data. */
void bm_verification_add(enum bm_element element, const void *output, const struct bm_check *check,
                         struct bm_verification *verification);
/* Index of the plan's output tensor, of several the first. */
unsigned bm_plan_output(const struct bm_plan *plan);
/* That of output `number`, counted from 0, and where its first guard lies in `guarded`. Past the last one:
 * the number of tensors, and the bytes of all. */
unsigned bm_plan_guarded(const struct bm_plan *plan, unsigned number, size_t *start);

#endif
