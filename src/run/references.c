/* Which ceilings go on beside the rows that they may judge. */
#include <string.h>

#include "run.h"

static bool may_serve(const struct bm_dtype *dtype, const char *pipe) {
    for (const char *const *one = dtype->pipes; *one != NULL; one++)
        if (strcmp(*one, pipe) == 0)
            return true;
    return false;
}

/* By what is known before anything was measured: the best of several backends is found later, and what bounds
 * a row too. */
static bool may_judge(const struct bm_run_item *ceiling, const struct bm_run_item *row) {
    const struct bm_case *of = &ceiling->the_case, *the_case = &row->the_case;
    const char *workload = of->workload->name;
    if (ceiling->device != row->device || the_case->dtype == NULL || of->threads != 0 || of->node != 0 ||
        of->small_pages)
        return false;
    if (strcmp(workload, "fma") == 0)
        return may_serve(the_case->dtype, of->op);
    if (strcmp(workload, "cache") == 0)
        return the_case->hot;
    if (strcmp(workload, "stream") != 0 || strcmp(of->op, "triad") == 0)
        return false;
    return strcmp(of->op, "read") == 0 || the_case->workload->written != NULL;
}

void bm_run_mark_references(struct bm_run *run) {
    for (size_t c = 0; c < run->timed_count; c++) {
        const struct bm_run_item *ceiling = &run->plan->items[run->timed[c]];
        bool wanted = false;
        for (size_t i = 0; ceiling->is_ceiling && !wanted && i < run->timed_count; i++)
            wanted = !run->series[i].done && may_judge(ceiling, &run->plan->items[run->timed[i]]);
        run->series[c].reference = wanted;
    }
}
