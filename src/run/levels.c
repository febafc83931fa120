/* Devices that were on two levels of memory, as their ceilings of it tell. */
#include <stdlib.h>
#include <string.h>

#include "run.h"

static bool is_of(const struct bm_run *run, size_t series, size_t device) {
    return run->plan->items[run->timed[series]].device == device && !run->series[series].failed;
}

/* Every CPU that is measured has one; it goes on as long as what it judges. */
static bool is_reference(const struct bm_run *run, size_t series) {
    const struct bm_run_item *item = &run->plan->items[run->timed[series]];
    return item->is_ceiling && strcmp(item->the_case.workload->name, "stream") == 0 &&
           strcmp(item->the_case.op, "read") == 0;
}

static void find(const struct bm_run *run, size_t device, struct bm_levels *levels) {
    const struct bm_series **references = bm_alloc(run->timed_count, sizeof *references);
    size_t count = 0;
    for (size_t s = 0; references != NULL && s < run->timed_count; s++)
        if (is_of(run, s, device) && is_reference(run, s))
            references[count++] = &run->series[s];
    bm_levels_find(references, count, levels);
    free(references);
}

void bm_run_tag_levels(struct bm_run *run) {
    for (size_t d = 0; d < run->inventory->count; d++) {
        struct bm_levels levels;
        find(run, d, &levels);
        for (size_t s = 0; s < run->timed_count; s++)
            if (is_of(run, s, d))
                bm_levels_tag(&levels, run->plan->target_half_width, &run->series[s]);
        bm_levels_fini(&levels);
    }
}

void bm_run_tell_levels(const struct bm_run *run) {
    for (size_t d = 0; d < run->inventory->count; d++) {
        struct bm_levels levels;
        find(run, d, &levels);
        const char *id = run->inventory->devices[d].id;
        if (levels.count > 0 && levels.main_share >= BM_LEVELS_MAIN_SHARE)
            bm_log(BM_LOG_WARNING,
                   "%s: memory was %s for %.0f %% of the time, as if the machine had been moved: figures are "
                   "of the rest",
                   id, levels.main_is_slow ? "faster" : "slower", 100 * (1 - levels.main_share));
        else if (levels.count > 0)
            bm_log(BM_LOG_WARNING,
                   "%s: memory was on two levels, as if the machine had been moved, on neither for two "
                   "thirds of the time",
                   id);
        bm_levels_fini(&levels);
    }
}
