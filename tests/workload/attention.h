/* Trials of attention's kernels: families of test-workload-kernels. */
#ifndef ATTENTION_H
#define ATTENTION_H

#include <stdbool.h>

/* Both phases, in all forms of heads, windows and caches. */
void attention_run(bool small);
/* Scores of some ten thousands stay finite; values that a row does not see, however large, leave no trace in
 * it, not even by a weight that is nearly 0. */
void attention_run_extremes(bool small);

#endif
