/* Trials of kernels on the first OpenCL device: a case with some kernel parameters must agree with its
 * reference, or show a planted fault. For plain programs, as a simulator and a device's threads do not go
 * with forked tests. */
#ifndef TRIAL_H
#define TRIAL_H

#include "harness.h"

/* Kernel parameters that have the form of a CPU's, of a GPU's, and odd ones. */
struct tuning {
    /* Runs under Oclgrind too. Such a case adds the elements of no vector wider than 4: Oclgrind 21.10 takes
     * what a shuffle to a narrower vector yields for uninitialised. */
    bool small;
    bool is_gpu;
    const char *text; /* "NAME=VALUE ..." on top of the safe ones */
};

extern struct harness trial_harness; /* open while families run */

/* Counts and prints what goes wrong. A case that no kernel serves for its format is passed over, unless the
 * format is f32 or f16. */
void trial_run(const struct bm_case *c, const struct tuning *tuning, const struct harness_fault *fault);

/* The reference of some outputs must be NaN or infinite. */
void trial_run_special(const struct bm_case *c, const struct tuning *tuning);

/* With tensors that are parts of wider rows, and, where tensors have heads, a second time with the heads'
 * order and the rows' exchanged. So many tensors of the plan must have pitches. */
void trial_run_wide(const struct bm_case *c, const struct tuning *tuning, unsigned pitched);

struct trial_family {
    const char *name;
    void (*run)(bool small); /* small: few and tiny cases, for Oclgrind */
};
/* `all|small [FAMILY]...` of the command line. Returns the program's exit status, 77 without a device. */
int trial_main(int argc, char **argv, const struct trial_family *families, size_t count);

#endif
