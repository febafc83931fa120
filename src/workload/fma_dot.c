/* The steps of dot and matrix pipes in plain plans: x += sum over j < depth of left(row, j) x right(j,
 * column), the same small whole numbers at every step, so that every result is exact in f32 and in 32 bits.
 *
 * Lanes are the elements of matrices of 16 x 16, row by row: of lane i, column i % 16 and row i / 16 % 16. A
 * dot product of two vectors (depth 2 and 4; of matrices 16 and 32) has row = column = i % 8, so that vectors
 * of every width take the same operands. x starts as rint(256 seed), within -512 to 511. */
#include <math.h>

#include "internal.h"

enum { SIDE = 16, DOT_LANES = 8, DOT_DEPTH_MAX = 4 };

static int sum_of_products(unsigned row, unsigned column, unsigned depth) {
    int sum = 0;
    for (unsigned j = 0; j < depth; j++)
        sum += bm_dot_left(row, j) * bm_dot_right(j, column);
    return sum;
}

void bm_fma_expect_dot(unsigned depth, uint64_t steps, struct bm_check *check) {
    for (unsigned i = 0; i < check->count; i++) {
        const uint64_t lane = check->first + i;
        unsigned row = (unsigned)(lane / SIDE % SIDE), column = (unsigned)(lane % SIDE);
        if (depth <= DOT_DEPTH_MAX)
            row = column = (unsigned)(lane % DOT_LANES);
        const double start = fmin(fmax(rint(check->expected[i] * 256), -512), 511);
        check->expected[i] = start + (double)steps * sum_of_products(row, column, depth);
    }
}
