/* contexts.c - the time of an op over contexts between those that were measured. */
#include <string.h>

#include "internal.h"

enum { LEAST = 3 }; /* measured contexts: two tell nothing of a bend between them */

static size_t position(const uint32_t *contexts, size_t count, uint32_t context) {
    size_t i = 0;
    while (i < count && contexts[i] < context)
        i++;
    return i;
}

bool bm_context_weights(const uint32_t *contexts, size_t count, uint32_t first, uint32_t last,
                        double *weights) {
    const double share = 1.0 / ((double)last - first + 1);
    memset(weights, 0, count * sizeof *weights);
    if (count == 0 || first > last || first < contexts[0] || last > contexts[count - 1])
        return false;
    size_t right = position(contexts, count, first);
    for (uint64_t context = first; context <= last; context++) {
        while (contexts[right] < context)
            right++;
        if (contexts[right] == context) {
            weights[right] += share;
            continue;
        }
        if (count < LEAST)
            return false;
        const double left = contexts[right - 1], along = ((double)context - left) / (contexts[right] - left);
        weights[right - 1] += share * (1 - along);
        weights[right] += share * along;
    }
    return true;
}
