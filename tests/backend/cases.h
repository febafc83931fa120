/* cases.h - small cases of every workload and number format. */
#ifndef TESTS_BACKEND_CASES_H
#define TESTS_BACKEND_CASES_H

#include "bm/workload.h"

struct bm_case case_gemm(const char *dtype, uint64_t m, uint64_t n, uint64_t k);
struct bm_case case_gemv(const char *dtype, uint64_t n, uint64_t k);

enum { CASES_MAX = 160 };
/* Odd and even shapes of every workload x dtype that it has kernels for (f32 and f16 at least), and the
 * ceilings in small. Returns how many there are. */
size_t cases_all(struct bm_case cases[CASES_MAX]);

#endif
