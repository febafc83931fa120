/* Flags of devices, from all rounds that were timed on them. */
#include <string.h>

#include "run.h"

/* One round or a row of them says little of a device; more than a quarter of all, rows and ceilings alike,
 * do. That it was moved any round tells. */
static unsigned flags_of(const struct bm_run *run, const char *id) {
    unsigned flags = 0;
    for (unsigned bit = 1; bit <= BM_FLAG_LAST; bit <<= 1) {
        size_t with = 0, count = 0;
        for (size_t s = 0; s < run->timed_count; s++) {
            const struct bm_series *series = &run->series[s];
            if (strcmp(run->inventory->devices[run->plan->items[run->timed[s]].device].id, id) != 0)
                continue;
            count += series->count;
            for (size_t i = 0; i < series->count; i++)
                with += (series->rounds[i].flags & bit) != 0;
        }
        const bool says_so = bit == BM_FLAG_MOVED ? with > 0 : 4 * with > count;
        flags |= says_so ? bit : 0;
    }
    return flags;
}

void bm_run_flag_devices(struct bm_run *run) {
    for (size_t d = 0; d < run->results.device_count; d++)
        run->results.devices[d].flags = flags_of(run, run->results.devices[d].id);
}
