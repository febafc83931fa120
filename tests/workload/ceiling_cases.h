/* Ceilings made by hand, and a GPU that can run all of them. */
#ifndef CEILING_CASES_H
#define CEILING_CASES_H

#include <criterion/criterion.h>

#include "bm/workload.h"

static const struct bm_target gpu = {.is_gpu = true,
                                     .compute_units = 132,
                                     .max_group_items = 1024,
                                     .local_bytes = 49152,
                                     .max_allocation_bytes = UINT64_C(16) << 30,
                                     .has_fp16 = true,
                                     .has_fp64 = true,
                                     .has_integer_dot = true,
                                     .has_nvidia_mma = true};

static inline struct bm_case ceiling(const char *workload, const char *op) {
    struct bm_case c = {.workload = bm_workload_find(workload), .model = "-"};
    cr_assert_not_null(c.workload, "%s", workload);
    bm_string_set(c.op, sizeof c.op, op);
    return c;
}

static inline struct bm_case cache(uint64_t bytes, uint64_t parts, uint64_t groups, uint64_t passes) {
    struct bm_case c = ceiling("cache", "llc_read");
    c.working_set = bytes;
    c.m = parts;
    c.n = groups;
    c.k = passes;
    c.hot = true;
    return c;
}

#endif
