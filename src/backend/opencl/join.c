/* Prepared cases one after the other, as one. */
#include <stdlib.h>
#include <string.h>

#include "session.h"

enum bm_status bm_opencl_join(struct bm_prepared *const *parts, size_t count, struct bm_prepared **joined_out,
                              struct bm_error *error) {
    *joined_out = NULL;
    if (count == 0)
        return bm_fail(error, BM_INVALID, "a sequence of no cases");
    for (size_t i = 0; i < count; i++)
        if (parts[i]->session != parts[0]->session || parts[i]->parts != NULL)
            return bm_fail(error, BM_INVALID, "a sequence is of single cases of one session");
    struct bm_prepared *joined = bm_alloc(1, sizeof *joined);
    if (joined != NULL)
        joined->parts = bm_alloc(count, sizeof(struct bm_prepared *));
    if (joined == NULL || joined->parts == NULL) {
        free(joined);
        return bm_fail(error, BM_NO_MEMORY, "out of memory for a sequence of %zu cases", count);
    }
    memcpy(joined->parts, parts, count * sizeof *parts);
    joined->part_count = count;
    joined->session = parts[0]->session;
    joined->parameters_from = parts[0]->parameters_from;
    joined->plan.pipe = "-";
    bm_string_set(joined->plan.variant, sizeof joined->plan.variant, "sequence");
    *joined_out = joined;
    return BM_OK;
}
