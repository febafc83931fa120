/* From cases to classes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tune.h"

/* A share of the budget for each parameter of a kernel. Beyond ten, most matter little. */
#define SECONDS_PER_WEIGHT 0.5
enum { MOST_WEIGHT = 10, LEAST_SECONDS = 60 };

unsigned tune_weight(const struct bm_tune_class *the_class) {
    size_t count = the_class->workload->tunable_count;
    return count < MOST_WEIGHT ? (unsigned)count : MOST_WEIGHT;
}

/* What larger cases have more of, whether they compute or only move. */
double tune_work_of(const struct bm_case *the_case) {
    return the_case->workload->flops(the_case) + the_case->workload->bytes(the_case);
}

const char *bm_tune_status_name(enum bm_tune_status status) {
    static const char *const names[] = {"pending", "improved", "unchanged", "skipped", "failed"};
    return (unsigned)status < BM_COUNT_OF(names) ? names[status] : "unknown";
}

static bool belongs(const struct bm_tune_class *c, const struct bm_tune_item *item, const char *shape_class) {
    return c->device == item->device && c->endpoint == item->endpoint &&
           c->workload == item->the_case.workload && c->dtype == item->the_case.dtype &&
           strcmp(c->shape_class, shape_class) == 0;
}

static enum bm_status find_classes(const struct bm_tune_item *items, size_t item_count,
                                   struct bm_tune_plan *plan, struct bm_error *error) {
    size_t capacity = 0;
    for (size_t i = 0; i < item_count; i++) {
        char shape_class[BM_CLASS_SIZE];
        size_t c = 0;
        if (items[i].the_case.workload->is_ceiling || items[i].the_case.workload->tunable_count == 0)
            continue;
        bm_case_class(&items[i].the_case, shape_class);
        while (c < plan->count && !belongs(&plan->classes[c], &items[i], shape_class))
            c++;
        if (c < plan->count)
            continue;
        enum bm_status status =
            bm_grow(&plan->classes, &capacity, plan->count + 1, sizeof *plan->classes, error);
        if (status != BM_OK)
            return status;
        plan->classes[plan->count] = (struct bm_tune_class){.device = items[i].device,
                                                            .endpoint = items[i].endpoint,
                                                            .workload = items[i].the_case.workload,
                                                            .dtype = items[i].the_case.dtype};
        bm_string_set(plan->classes[plan->count++].shape_class, BM_CLASS_SIZE, shape_class);
    }
    return BM_OK;
}

static int compare_work(const void *left, const void *right) {
    const struct bm_case *a = *(const struct bm_case *const *)left,
                         *b = *(const struct bm_case *const *)right;
    double work_a = tune_work_of(a), work_b = tune_work_of(b);
    char key_a[BM_KEY_SIZE], key_b[BM_KEY_SIZE];
    if (work_a != work_b)
        return work_a < work_b ? -1 : 1;
    bm_case_key(a, key_a);
    bm_case_key(b, key_b);
    return strcmp(key_a, key_b);
}

/* The least, the most, and some between. distinct has room for every item. */
static void pick_cases(const struct bm_tune_item *items, size_t item_count, struct bm_tune_class *c,
                       const struct bm_case **distinct) {
    size_t count = 0;
    for (size_t i = 0; i < item_count; i++) {
        char shape_class[BM_CLASS_SIZE];
        bool known = false;
        bm_case_class(&items[i].the_case, shape_class);
        if (!belongs(c, &items[i], shape_class))
            continue;
        for (size_t k = 0; k < count && !known; k++)
            known = bm_case_same_work(distinct[k], &items[i].the_case);
        if (!known)
            distinct[count++] = &items[i].the_case;
    }
    qsort(distinct, count, sizeof(const struct bm_case *), compare_work);
    c->case_count = count < BM_TUNE_CASES ? (unsigned)count : BM_TUNE_CASES;
    for (unsigned i = 0; i < c->case_count; i++)
        c->cases[i] = *distinct[c->case_count > 1 ? i * (count - 1) / (c->case_count - 1) : 0];
}

enum bm_status bm_tune_plan_create(const struct bm_tune_options *options, const struct bm_tune_item *items,
                                   size_t item_count, struct bm_tune_plan *plan, struct bm_error *error) {
    *plan = (struct bm_tune_plan){0};
    const struct bm_case **distinct = bm_alloc(item_count, sizeof(const struct bm_case *));
    if (distinct == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu cases", item_count);
    enum bm_status status = find_classes(items, item_count, plan, error);
    for (size_t c = 0; status == BM_OK && c < plan->count; c++)
        pick_cases(items, item_count, &plan->classes[c], distinct);
    free(distinct);
    plan->budget_s = 0;
    for (size_t c = 0; c < plan->count; c++)
        plan->budget_s += SECONDS_PER_WEIGHT * tune_weight(&plan->classes[c]);
    plan->budget_s = options->budget_s > 0 ? options->budget_s : fmax(LEAST_SECONDS, plan->budget_s);
    if (status == BM_OK && plan->count == 0)
        status = bm_fail(
            error, BM_INVALID,
            "nothing to tune: no selected case has a kernel with parameters: see `benchmark devices`");
    if (status != BM_OK)
        bm_tune_plan_fini(plan);
    return status;
}

void bm_tune_plan_fini(struct bm_tune_plan *plan) {
    free(plan->classes);
    *plan = (struct bm_tune_plan){0};
}

/* Where one of a pair is missing the other would be compared with less work. */
static double sum(const double ns[BM_TUNE_CASES], const double other_ns[BM_TUNE_CASES]) {
    double total = 0;
    for (unsigned i = 0; i < BM_TUNE_CASES; i++)
        total += ns[i] > 0 && (other_ns == NULL || other_ns[i] > 0) ? ns[i] : 0;
    return total;
}

double bm_tune_before_ns(const struct bm_tune_class *the_class) {
    return sum(the_class->before_ns, the_class->after_ns);
}

double bm_tune_after_ns(const struct bm_tune_class *the_class) {
    return sum(the_class->after_ns, the_class->before_ns[0] > 0 ? the_class->before_ns : NULL);
}
