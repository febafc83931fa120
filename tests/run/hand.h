/* hand.h - an execution made by hand: a CPU with two backends, a GPU with one, and rows as if they had been
 * measured. No device is touched. */
#ifndef TESTS_RUN_HAND_H
#define TESTS_RUN_HAND_H

#include "run.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { HAND_POCL, HAND_INTEL, HAND_NVIDIA, HAND_ENDPOINTS }; /* the first two are of cpu0, the last of gpu0 */
enum { HAND_CPU, HAND_GPU, HAND_DEVICES };
enum { HAND_ITEMS = 16, HAND_ROUNDS = 8, HAND_LAUNCHES = 1000000 };

extern struct bm_run hand;
extern struct bm_run_plan hand_plan;
extern struct bm_run_options hand_options;
extern struct bm_inventory hand_inventory;
void hand_begin(void);
void hand_end(void);

struct bm_case hand_gemm(const char *op, const char *dtype, uint64_t m, uint64_t n, uint64_t k);
struct bm_case hand_ceiling(const char *workload, const char *op, uint64_t working_set);
/* Adds a verified item with its kernel; returns its index. It is not measured yet. */
size_t hand_add(int endpoint, const struct bm_case *the_case);
#define HAND_PASS_NS UINT64_C(1000000000000000) /* longer than all that is timed in a pass */
/* Times it: HAND_ROUNDS rounds of HAND_LAUNCHES launches, one a pass, ns a launch, spread evenly by +/-
 * spread (relative). Items are timed in the order of their addition. */
void hand_time(size_t item, double ns, double spread);
/* memory_read and f32 fma of the endpoint at these rates, in GB/s and GFLOP/s. */
void hand_ceilings(int endpoint, double gbs, double gflops);
/* Rows, ceilings, utilization and summaries, in the order of a real run. */
void hand_fill(void);

/* Equal to nine digits: rounds are whole nanoseconds. */
#define expect_near(value, expected)                                                                         \
    do {                                                                                                     \
        double left_ = (value), right_ = (expected);                                                         \
        cr_expect(fabs(left_ - right_) <= 1e-9 * fabs(right_), "%s: %.15g, not %.15g", #value, left_,        \
                  right_);                                                                                   \
    } while (0)
#define expect_unknown(value) cr_expect(isnan(value), "%s: %g", #value, value)

#endif
