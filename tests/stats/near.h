/* Comparison with the oracle, oracle.h. */
#ifndef TESTS_STATS_NEAR_H
#define TESTS_STATS_NEAR_H

#include "oracle.h"

#include <criterion/criterion.h>
#include <math.h>

#define TEST_NAN ((double)NAN)
#define TEST_INF ((double)INFINITY)

/* Both rows of a table and the place in it are named in a failure. */
#define expect_near(got, expected, relative, absolute, row)                                                  \
    do {                                                                                                     \
        double got_ = (got), expected_ = (expected);                                                         \
        cr_expect(fabs(got_ - expected_) <= fmax((absolute), (relative)*fabs(expected_)),                    \
                  "row %zu: " #got " is %.17g, expected %.17g", (size_t)(row), got_, expected_);             \
    } while (0)
/* 1e-9 of the value, or of 1 around 0. */
#define expect_value(got, expected, row) expect_near(got, expected, 1e-9, 1e-12, row)

#endif
