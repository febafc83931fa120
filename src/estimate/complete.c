/* complete.c - a backend that runs some kinds of work alone, such as a library of matrix products, beside
 * another one of the same device that runs the rest. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* Whether any row is of this workload. */
static bool runs(const struct bm_measured_set *set, const char *workload) {
    const size_t length = strlen(workload);
    for (size_t i = 0; i < set->count; i++)
        if (strncmp(set->rows[i].work, workload, length) == 0 && set->rows[i].work[length] == '/')
            return true;
    return false;
}

/* The part of a key that names the workload. */
static void workload_of(const struct bm_measured *row, char workload[BM_KEY_SIZE]) {
    bm_string_set(workload, BM_KEY_SIZE, row->work);
    workload[strcspn(workload, "/")] = '\0';
}

/* Rows of the workloads that the set has none of: of what it runs itself, a missing shape stays missing. */
static enum bm_status take_rest(struct bm_measured_set *set, const struct bm_measured_set *from,
                                struct bm_error *error) {
    const struct bm_measured_set own = *set;
    enum bm_status status =
        bm_grow(&set->rows, &set->capacity, set->count + from->count, sizeof *set->rows, error);
    for (size_t i = 0; status == BM_OK && i < from->count; i++) {
        char workload[BM_KEY_SIZE];
        workload_of(&from->rows[i], workload);
        if (!runs(&(struct bm_measured_set){.rows = set->rows, .count = own.count}, workload))
            set->rows[set->count++] = from->rows[i];
    }
    if (!isfinite(set->issue.ns))
        set->issue = from->issue;
    if (!isfinite(set->wait.ns))
        set->wait = from->wait;
    return status;
}

enum bm_status bm_store_complete(struct bm_serving_store *store, struct bm_error *error) {
    enum bm_status status = BM_OK;
    for (size_t i = 0; status == BM_OK && i < store->set_count; i++) {
        struct bm_measured_set *set = &store->sets[i];
        if (set->count == 0 || runs(set, "attention") || runs(set, "rmsnorm"))
            continue;
        for (size_t k = 0; status == BM_OK && k < store->set_count; k++) {
            const struct bm_measured_set *other = &store->sets[k];
            if (k == i || other->device != set->device || !runs(other, "attention"))
                continue;
            char name[sizeof set->backend];
            bm_string_set(name, sizeof name, set->backend);
            if (strlen(name) + 3 + strlen(other->backend) < sizeof set->backend)
                snprintf(set->backend, sizeof set->backend, "%.20s + %.20s", name, other->backend);
            status = take_rest(set, other, error);
            bm_set_sort(store, set);
            break;
        }
    }
    return status;
}
