/* The parts of mamba_scan: its axes and formulas (scan.c), its plan (scan_plan.c), its reference
 * (scan_check.c). */
#ifndef BM_WORKLOAD_SCAN_H
#define BM_WORKLOAD_SCAN_H

#include "internal.h"

/* Tensors of a plan; the last one in decode only. */
enum { BM_SCAN_OUT, BM_SCAN_STATES, BM_SCAN_ROWS, BM_SCAN_STEPS, BM_SCAN_HEADS, BM_SCAN_BEFORE };

/* Elements of a token's row: x of all heads, B, C. */
static inline uint64_t bm_scan_width(const struct bm_case *c) {
    return (uint64_t)c->heads * c->head_dim + 2 * (uint64_t)c->groups * c->n;
}
static inline uint64_t bm_scan_tokens(const struct bm_case *c) {
    return c->phase == BM_PHASE_DECODE ? 1 : c->tokens;
}

enum { BM_SCAN_TUNABLES = 10 };
extern const struct bm_tunable bm_scan_tunables[BM_SCAN_TUNABLES];
void bm_scan_safe_parameters(const struct bm_case *c, const struct bm_target *target,
                             struct bm_parameters *parameters);
enum bm_status bm_scan_plan(const struct bm_case *c, const struct bm_target *target,
                            const struct bm_parameters *given, struct bm_plan *plan,
                            struct bm_error *error) BM_CHECK_RESULT;
uint64_t bm_scan_check_count(const struct bm_case *c, const struct bm_plan *plan);
enum bm_status bm_scan_check(const struct bm_case *c, const struct bm_plan *plan,
                             const struct bm_operands *operands, uint64_t seed, uint64_t index,
                             struct bm_check *check, struct bm_error *error) BM_CHECK_RESULT;

#endif
