#include "internal.h"

#include <string.h>

static bool has_word(const struct bm_names *words, const char *word) {
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(words->items[i], word) == 0)
            return true;
    return words->count == 0;
}

static bool has_number(const struct bm_compare_numbers *numbers, uint32_t number) {
    for (size_t i = 0; i < numbers->count; i++)
        if (numbers->items[i] == number)
            return true;
    return numbers->count == 0;
}

/* "opencl/pocl", or its first word. */
static bool has_backend(const struct bm_names *selectors, const char *backend) {
    for (size_t i = 0; i < selectors->count; i++) {
        size_t length = strlen(selectors->items[i]);
        if (strncmp(selectors->items[i], backend, length) == 0 &&
            (backend[length] == '\0' || backend[length] == '/'))
            return true;
    }
    return selectors->count == 0;
}

bool bm_selector_matches(const char *selector, const char *id, const char *kind, const char *name) {
    return strcmp(selector, id) == 0 || strcmp(selector, kind) == 0 || bm_string_contains(name, selector);
}

bool bm_filter_has_device(const struct bm_compare_filter *filter, const struct bm_saved_device *device) {
    for (size_t i = 0; i < filter->devices.count; i++)
        if (bm_selector_matches(filter->devices.items[i], device->id, device->kind, device->name))
            return true;
    return filter->devices.count == 0;
}

/* The tokens of a prefill and the context of a decode select by the shapes that have them: what serves the
 * last token alone, or any context, belongs to every one. */
bool bm_filter_has_row(const struct bm_compare_filter *filter, const struct bm_saved_row *row) {
    const bool prefill = strcmp(row->the_case.phase, "prefill") == 0;
    return has_backend(&filter->backends, row->backend) && has_word(&filter->models, row->the_case.model) &&
           has_word(&filter->workloads, row->the_case.workload) &&
           has_word(&filter->phases, row->the_case.phase) && has_word(&filter->dtypes, row->the_case.dtype) &&
           has_number(&filter->batches, row->the_case.batch) &&
           (!prefill || row->the_case.tokens <= 1 || has_number(&filter->tokens, row->the_case.tokens)) &&
           (prefill || row->the_case.context == 0 || has_number(&filter->contexts, row->the_case.context));
}

bool bm_filter_has_summary(const struct bm_compare_filter *filter, const struct bm_saved_summary *summary) {
    const bool prefill = strcmp(summary->phase, "prefill") == 0;
    return filter->workloads.count == 0 && /* a sum over some workloads is no whole model */
           has_backend(&filter->backends, summary->backend) && has_word(&filter->models, summary->model) &&
           has_word(&filter->phases, summary->phase) && has_word(&filter->dtypes, summary->dtype) &&
           has_number(&filter->batches, summary->batch) &&
           (!prefill || has_number(&filter->tokens, summary->tokens)) &&
           (prefill || has_number(&filter->contexts, summary->context));
}
