/* What the tests of references share: operands of which every element is known, and the comparison of all
 * checks with a truth that brute force finds: it materialises every operand and computes every output. */
#ifndef FORCE_H
#define FORCE_H

#include "bm/workload.h"

extern struct bm_values force_values; /* of a short prime period: every operand wraps around many times */
extern struct bm_operands force_operands;
extern const char *const force_formats[4]; /* one of each layout of weights and scales */

void force_begin(void); /* makes both, in each test */
double force_element(unsigned tensor, uint64_t index);
/* Rows of activations, tensor 1, as the device sees them: [m, k]. The caller frees them. */
double *force_activations(const struct bm_case *c);

/* The plan on a small CPU or GPU, with one parameter of its own where `name` is one. */
void force_plan(const struct bm_case *c, bool is_gpu, const char *name, int64_t value, struct bm_plan *plan);
/* Compares every check with the truth of so many outputs; marks what was touched. */
void force_compare(const struct bm_case *c, const struct bm_plan *plan, const double *truth, uint64_t outputs,
                   uint64_t seed, unsigned char *touched);

#endif
