/* The rows of all columns, each key once. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* Open addressing; a slot holds a row's index plus 1. */
struct bm_compare_index {
    size_t *slots;
    size_t slot_count, used;
};

enum bm_status bm_compare_index_create(struct bm_compare_index **index, struct bm_error *error) {
    *index = bm_alloc(1, sizeof **index);
    return *index != NULL ? BM_OK : bm_fail(error, BM_NO_MEMORY, "out of memory");
}

void bm_compare_index_destroy(struct bm_compare_index *index) {
    if (index == NULL)
        return;
    free(index->slots);
    free(index);
}

static size_t *slot_of(const struct bm_comparison *comparison, const char *key) {
    const struct bm_compare_index *index = comparison->index;
    size_t at = (size_t)bm_hash(key, strlen(key), 0) & (index->slot_count - 1);
    while (index->slots[at] != 0 && strcmp(comparison->rows[index->slots[at] - 1].key, key) != 0)
        at = (at + 1) & (index->slot_count - 1);
    return &index->slots[at];
}

static enum bm_status make_room(struct bm_comparison *comparison, struct bm_error *error) {
    struct bm_compare_index *index = comparison->index;
    if (2 * index->used < index->slot_count)
        return BM_OK;
    size_t count = index->slot_count > 0 ? 2 * index->slot_count : 256;
    size_t *slots = bm_alloc(count, sizeof *slots);
    if (slots == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu rows", index->used);
    free(index->slots);
    index->slots = slots;
    index->slot_count = count;
    for (size_t i = 0; i < comparison->row_count; i++)
        *slot_of(comparison, comparison->rows[i].key) = i + 1;
    return BM_OK;
}

size_t bm_compare_row_find(const struct bm_comparison *comparison, const char *key) {
    return comparison->index->slot_count > 0 ? *slot_of(comparison, key) - 1 : SIZE_MAX; /* 0 - 1: SIZE_MAX */
}

/* The part of the key behind the dtype: "m128n4096k4096", with extras and /hot. */
static const char *shape_of(const char *key) {
    for (int slash = 0; slash < 5 && key != NULL; slash++) {
        key = strchr(key, '/');
        key = key != NULL ? key + 1 : NULL;
    }
    return key != NULL ? key : "";
}

enum bm_status bm_compare_row_intern(struct bm_comparison *comparison, const struct bm_saved_row *saved,
                                     size_t *row, struct bm_error *error) {
    enum bm_status status = make_room(comparison, error);
    if (status != BM_OK)
        return status;
    size_t *slot = slot_of(comparison, saved->key);
    if (*slot == 0) {
        status = bm_grow(&comparison->rows, &comparison->row_capacity, comparison->row_count + 1,
                         sizeof *comparison->rows, error);
        if (status != BM_OK)
            return status;
        struct bm_compare_row *added = &comparison->rows[comparison->row_count++];
        *added = (struct bm_compare_row){.batch = saved->the_case.batch,
                                         .tokens = saved->the_case.tokens,
                                         .context = saved->the_case.context,
                                         .hot = saved->the_case.hot};
        bm_string_set(added->key, sizeof added->key, saved->key);
        bm_string_set(added->workload, sizeof added->workload, saved->the_case.workload);
        bm_string_set(added->model, sizeof added->model, saved->the_case.model);
        bm_string_set(added->phase, sizeof added->phase, saved->the_case.phase);
        bm_string_set(added->op, sizeof added->op, saved->the_case.op);
        bm_string_set(added->dtype, sizeof added->dtype, saved->the_case.dtype);
        bm_string_set(added->shape, sizeof added->shape, shape_of(saved->key));
        *slot = comparison->row_count;
        comparison->index->used++;
    }
    *row = *slot - 1;
    return BM_OK;
}
