/* sum.c - times that are linear in those of rows, with intervals. */
#include <math.h>
#include <stdlib.h>

#include "bm/stats.h"
#include "internal.h"

enum bm_status bm_sum_init(struct bm_sum *sum, const struct bm_measured_set *set, struct bm_error *error) {
    *sum = (struct bm_sum){.set = set, .weights = bm_alloc(set->count + 1, sizeof *sum->weights)};
    return sum->weights != NULL ? BM_OK : bm_fail(error, BM_NO_MEMORY, "out of memory for a sum");
}

void bm_sum_fini(struct bm_sum *sum) {
    free(sum->weights);
    *sum = (struct bm_sum){0};
}

double bm_sum_ns(const struct bm_sum *sum) {
    double ns = 0;
    for (size_t i = 0; i < sum->set->count; i++)
        ns += sum->weights[i] * sum->set->rows[i].ns;
    return ns;
}

double bm_sum_compute_ns(const struct bm_sum *sum) {
    double ns = 0;
    for (size_t i = 0; i < sum->set->count; i++)
        ns += sum->set->rows[i].compute_bound ? sum->weights[i] * sum->set->rows[i].ns : 0;
    return ns;
}

/* Squares of the standard deviations, in ns, on either side. */
struct squares {
    double below, above;
};

static void add_square(struct squares *squares, double weight, const struct bm_measured *row) {
    if (weight == 0) /* what is unknown of it is none of the sum's */
        return;
    squares->below += pow(weight * row->ns * row->below, 2);
    squares->above += pow(weight * row->ns * row->above, 2);
}

static struct bm_serving_figure with_interval(double value, const struct squares *squares) {
    const double z = bm_stats_normal_quantile(0.975);
    return (struct bm_serving_figure){value, value * exp(-z * sqrt(squares->below) / value),
                                      value * exp(z * sqrt(squares->above) / value)};
}

struct bm_serving_figure bm_sum_figure(const struct bm_sum *sum, double steps, double known_ns,
                                       bool *issue_bound) {
    const struct bm_measured_set *set = sum->set;
    const double device = bm_sum_ns(sum), issue = sum->launches * set->issue.ns;
    struct squares squares = {0};
    *issue_bound = issue > device;
    if (*issue_bound)
        add_square(&squares, sum->launches, &set->issue);
    for (size_t i = 0; !*issue_bound && i < set->count; i++)
        add_square(&squares, sum->weights[i], &set->rows[i]);
    add_square(&squares, steps, &set->wait);
    return with_interval(fmax(device, issue) + steps * set->wait.ns + known_ns, &squares);
}

struct bm_serving_figure bm_figure_rate(double numerator, const struct bm_serving_figure *figure) {
    return (struct bm_serving_figure){numerator / figure->value, numerator / figure->high,
                                      numerator / figure->low};
}
