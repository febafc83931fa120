/* Kernel parameters: completing and checking them. */
#include <string.h>

#include "internal.h"

static const struct bm_tunable *find(const struct bm_tunable *tunables, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (!strcmp(tunables[i].name, name))
            return &tunables[i];
    return NULL;
}

enum bm_status bm_tunables_resolve(const char *workload, const struct bm_tunable *tunables, size_t count,
                                   const struct bm_parameters *safe, const struct bm_parameters *given,
                                   struct bm_parameters *resolved, struct bm_error *error) {
    *resolved = (struct bm_parameters){0};
    for (unsigned i = 0; given && i < given->count; i++)
        if (!find(tunables, count, given->items[i].name))
            return bm_fail(error, BM_INVALID, "%s has no kernel parameter %s", workload,
                           given->items[i].name);
    for (size_t i = 0; i < count; i++) {
        const struct bm_tunable *tunable = &tunables[i];
        int64_t value = bm_parameters_get(safe, tunable->name, tunable->minimum);
        if (given)
            value = bm_parameters_get(given, tunable->name, value);
        if (value < tunable->minimum || value > tunable->maximum ||
            (tunable->power_of_two && (value & (value - 1)) != 0)) {
            *resolved = (struct bm_parameters){0};
            return bm_fail(error, BM_INVALID, "%s: kernel parameter %s is %lld, must be %s%lld to %lld",
                           workload, tunable->name, (long long)value,
                           tunable->power_of_two ? "a power of two, " : "", (long long)tunable->minimum,
                           (long long)tunable->maximum);
        }
        bm_parameters_set(resolved, tunable->name, value);
    }
    return BM_OK;
}

enum bm_status bm_tunables_check_group(const char *workload, int64_t items, const struct bm_target *target,
                                       struct bm_error *error) {
    if ((uint64_t)items <= target->max_group_items)
        return BM_OK;
    return bm_fail(error, BM_INVALID,
                   "%s: the kernel parameters make groups of %lld work-items, the device allows %zu",
                   workload, (long long)items, target->max_group_items);
}

enum bm_status bm_tunables_check_local(const char *workload, uint64_t bytes, const struct bm_target *target,
                                       struct bm_error *error) {
    if (bytes <= target->local_bytes)
        return BM_OK;
    return bm_fail(error, BM_INVALID,
                   "%s: the kernel parameters need %llu bytes of local memory, the device has %llu", workload,
                   (unsigned long long)bytes, (unsigned long long)target->local_bytes);
}

size_t bm_tunables_candidates(const struct bm_tunable *tunables, size_t count, const int64_t *rows,
                              size_t row_count, struct bm_parameters *candidates, size_t capacity) {
    for (size_t r = 0; r < row_count && r < capacity; r++) {
        candidates[r] = (struct bm_parameters){0};
        for (size_t t = 0; t < count; t++)
            bm_parameters_set(&candidates[r], tunables[t].name, rows[r * count + t]);
    }
    return row_count;
}

uint64_t bm_power_of_two_divisor(uint64_t value, uint64_t limit) {
    while (limit > 1 && value % limit)
        limit /= 2;
    return limit;
}
