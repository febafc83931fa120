/* The whole-model requests of a column. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static int compare_names(const void *a, const void *b) {
    return strcmp(((const struct bm_saved_name *)a)->text, ((const struct bm_saved_name *)b)->text);
}

static char *join(struct bm_saved_name *names, size_t count) {
    struct bm_text text = {0};
    if (count > 0)
        qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++)
        bm_text_append(&text, "%s%s", i > 0 ? " " : "", names[i].text);
    bm_text_append(&text, "%s", "");
    if (!text.failed)
        return text.data;
    bm_text_fini(&text);
    return NULL;
}

static enum bm_status intern_request(struct bm_comparison *comparison, const struct bm_saved_summary *saved,
                                     size_t *request, struct bm_error *error) {
    for (size_t i = 0; i < comparison->request_count; i++) {
        const struct bm_compare_request *known = &comparison->requests[i];
        *request = i;
        if (strcmp(known->model, saved->model) == 0 && strcmp(known->phase, saved->phase) == 0 &&
            strcmp(known->dtype, saved->dtype) == 0 && strcmp(known->kv, saved->kv) == 0 &&
            known->batch == saved->batch && known->tokens == saved->tokens &&
            known->context == saved->context)
            return BM_OK;
    }
    enum bm_status status = bm_grow(&comparison->requests, &comparison->request_capacity,
                                    comparison->request_count + 1, sizeof *comparison->requests, error);
    if (status != BM_OK)
        return status;
    *request = comparison->request_count;
    struct bm_compare_request *added = &comparison->requests[comparison->request_count++];
    *added = (struct bm_compare_request){
        .batch = saved->batch, .tokens = saved->tokens, .context = saved->context};
    bm_string_set(added->model, sizeof added->model, saved->model);
    bm_string_set(added->phase, sizeof added->phase, saved->phase);
    bm_string_set(added->dtype, sizeof added->dtype, saved->dtype);
    bm_string_set(added->kv, sizeof added->kv, saved->kv);
    return BM_OK;
}

void bm_summary_fini(struct bm_compare_summary *summary) {
    free(summary->ops);
    free(summary->missing);
    free(summary->lacking);
    free(summary->uses);
}

/* Uses whose rows are not all there say nothing: none are kept then. */
static void take_uses(const struct bm_comparison *comparison, const struct bm_saved_summary *saved,
                      struct bm_compare_summary *summary) {
    summary->uses = bm_alloc(saved->use_count, sizeof *summary->uses);
    for (size_t i = 0; summary->uses != NULL && i < saved->use_count; i++) {
        size_t row = bm_compare_row_find(comparison, saved->uses[i].key);
        if (row == SIZE_MAX || !(saved->uses[i].count > 0)) {
            summary->use_count = 0;
            return;
        }
        summary->uses[summary->use_count++] = (struct bm_compare_use){row, saved->uses[i].count};
    }
}

static int compare_summaries(const void *a, const void *b) {
    const struct bm_compare_summary *x = a, *y = b;
    return x->request < y->request ? -1 : x->request > y->request;
}

/* Of two backends: the one that has figures of the pass, then the one that covers more, then the faster. */
static bool is_better(const struct bm_saved_summary *saved, const struct bm_compare_summary *kept,
                      size_t covered) {
    const bool has_rate = isfinite(saved->tokens_per_s), had_rate = isfinite(kept->tokens_per_s);
    if (has_rate != had_rate)
        return has_rate;
    return saved->op_count > covered ||
           (saved->op_count == covered && saved->tokens_per_s > kept->tokens_per_s);
}

static enum bm_status take_summary(struct bm_comparison *comparison, struct bm_saved_summary *saved,
                                   struct bm_compare_column *column, size_t *covered,
                                   struct bm_error *error) {
    size_t request, at = 0;
    enum bm_status status = intern_request(comparison, saved, &request, error);
    if (status != BM_OK)
        return status;
    while (at < column->summary_count && column->summaries[at].request != request)
        at++;
    struct bm_compare_summary *summary = &column->summaries[at];
    if (at < column->summary_count) {
        if (!is_better(saved, summary, covered[at]))
            return BM_OK;
        bm_summary_fini(summary);
    } else {
        column->summary_count++;
    }
    *summary = (struct bm_compare_summary){.request = request,
                                           .tokens_per_s = saved->tokens_per_s,
                                           .mfu = saved->mfu,
                                           .mbu = saved->mbu,
                                           .roofline_efficiency = saved->roofline_efficiency,
                                           .ops = join(saved->ops, saved->op_count),
                                           .missing = join(saved->missing, saved->missing_count),
                                           .lacking = join(saved->lacking, saved->lacking_count)};
    covered[at] = saved->op_count;
    bm_string_set(summary->backend, sizeof summary->backend, saved->backend);
    take_uses(comparison, saved, summary);
    if (summary->ops == NULL || summary->missing == NULL || summary->lacking == NULL || summary->uses == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for a summary");
    return BM_OK;
}

enum bm_status bm_column_take_summaries(struct bm_comparison *comparison, struct bm_saved_device *device,
                                        struct bm_compare_column *column, struct bm_error *error) {
    enum bm_status status = BM_OK;
    size_t *covered = bm_alloc(device->summary_count, sizeof *covered);
    column->summaries = bm_alloc(device->summary_count, sizeof *column->summaries);
    if (covered == NULL || column->summaries == NULL)
        status = bm_fail(error, BM_NO_MEMORY, "out of memory for %zu summaries", device->summary_count);
    for (size_t i = 0; status == BM_OK && i < device->summary_count; i++)
        if (bm_filter_has_summary(&comparison->options.filter, &device->summaries[i]) &&
            device->summaries[i].op_count > 0)
            status = take_summary(comparison, &device->summaries[i], column, covered, error);
    free(covered);
    if (status == BM_OK && column->summary_count > 0)
        qsort(column->summaries, column->summary_count, sizeof *column->summaries, compare_summaries);
    return status;
}

const struct bm_compare_summary *bm_compare_summary_find(const struct bm_compare_column *column,
                                                         size_t request) {
    for (size_t i = 0; i < column->summary_count; i++)
        if (column->summaries[i].request == request)
            return &column->summaries[i];
    return NULL;
}
