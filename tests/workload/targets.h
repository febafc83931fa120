/* Devices that plans are made for. */
#ifndef TARGETS_H
#define TARGETS_H

#include "bm/workload.h"

static const struct bm_target cpu = {.compute_units = 2,
                                     .max_group_items = 4096,
                                     .local_bytes = 65536,
                                     .max_allocation_bytes = UINT64_C(4) << 30};
static const struct bm_target gpu = {.is_gpu = true,
                                     .compute_units = 132,
                                     .max_group_items = 1024,
                                     .local_bytes = 49152,
                                     .max_allocation_bytes = UINT64_C(16) << 30};
static const struct bm_target tiny_gpu = {.is_gpu = true,
                                          .compute_units = 1,
                                          .max_group_items = 16,
                                          .local_bytes = 1024,
                                          .max_allocation_bytes = UINT64_C(1) << 30};

#endif
