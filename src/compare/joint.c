/* Joint intervals of a speed-up and of its parts. */
#include "internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bm/stats.h"

/* Logarithms. The datasheet's ratio is none of them: it has no spread. */
enum statistic { SPEEDUP, ROOFLINE, UTILIZATION, COMPUTE, BANDWIDTH, STATISTICS };

double *bm_joint_normals(void) {
    enum { COUNT = BM_JOINT_DRAWS * BM_JOINT_LANES };
    double *normals = bm_alloc(COUNT, sizeof *normals);
    struct bm_random random;
    bm_random_init(&random, 20090);
    for (size_t i = 0; normals != NULL && i < COUNT; i++)
        normals[i] = bm_random_normal(&random);
    return normals;
}

/* The logarithm of the sum of count x exp(ln) over terms; of one term without going through exp. */
struct sum {
    double largest, rest; /* largest + ln(rest) */
};

static void add(struct sum *sum, double count, double ln) {
    ln += log(count);
    if (sum->rest == 0 || ln > sum->largest) {
        sum->rest = sum->rest * exp(sum->largest - ln) + 1;
        sum->largest = ln;
    } else {
        sum->rest += exp(ln - sum->largest);
    }
}

static double total(const struct sum *sum) {
    return sum->largest + log(sum->rest);
}

/* FLOPs / compute ceiling and bytes / memory ceiling, with the ceilings of two sides, each as it was beside
 * the row's rounds. */
static double compute_ns(const struct bm_joint_term *term, const double *values, int side) {
    return term->ln_flops - values[term->compute[side]] + term->ln_beside[side];
}

static double memory_ns(const struct bm_joint_term *term, const double *values, int side) {
    return term->ln_bytes - values[term->memory[side]] + term->ln_beside[side];
}

static double roofline_ns(const struct bm_joint_term *term, const double *values, int compute, int memory) {
    return fmax(compute_ns(term, values, compute), memory_ns(term, values, memory));
}

static double sum_rooflines(const struct bm_joint *joint, const double *values, int compute, int memory) {
    struct sum sum = {(double)-INFINITY, 0};
    if (joint->term_count == 1)
        return roofline_ns(joint->terms, values, compute, memory);
    for (size_t i = 0; i < joint->term_count; i++)
        add(&sum, joint->terms[i].count, roofline_ns(&joint->terms[i], values, compute, memory));
    return total(&sum);
}

static double sum_times(const struct bm_joint *joint, const double *values, int side) {
    struct sum sum = {(double)-INFINITY, 0};
    if (joint->term_count == 1)
        return values[joint->terms[0].time[side]];
    for (size_t i = 0; i < joint->term_count; i++)
        add(&sum, joint->terms[i].count, values[joint->terms[i].time[side]]);
    return total(&sum);
}

static void evaluate(const struct bm_joint *joint, const double *values, double out[STATISTICS]) {
    const double unknown = (double)NAN;
    for (int i = 0; i < STATISTICS; i++)
        out[i] = unknown;
    out[SPEEDUP] = sum_times(joint, values, 0) - sum_times(joint, values, 1);
    if (!joint->has_roofline)
        return;
    double old = sum_rooflines(joint, values, 0, 0), new_one = sum_rooflines(joint, values, 1, 1);
    double new_compute = sum_rooflines(joint, values, 1, 0), new_memory = sum_rooflines(joint, values, 0, 1);
    out[ROOFLINE] = old - new_one; /* factors of these sums again in add_gradient */
    out[UTILIZATION] = out[SPEEDUP] - out[ROOFLINE];
    /* Shapley: the mean of changing compute first and of changing it last. */
    out[COMPUTE] = 0.5 * (old - new_compute + new_memory - new_one);
    out[BANDWIDTH] = 0.5 * (old - new_memory + new_compute - new_one);
}

/* Whether every bound stays as it is within four deviations of the ceilings, and the deviations are so small
 * that sums of a few rows are as good as linear in the logarithms. */
static bool is_linear(const struct bm_joint *joint) {
    const double small = 0.1;
    for (size_t i = 0; joint->term_count > 1 && i < joint->figure_count; i++)
        if (joint->figures[i].below > small || joint->figures[i].above > small)
            return false;
    for (size_t i = 0; joint->has_roofline && i < joint->term_count; i++)
        for (int sides = 0; sides < 4; sides++) {
            const struct bm_joint_term *term = &joint->terms[i];
            const struct bm_spread *compute = &joint->figures[term->compute[sides & 1]],
                                   *memory = &joint->figures[term->memory[sides >> 1]];
            double distance = term->ln_flops - compute->value + term->ln_beside[sides & 1] -
                              (term->ln_bytes - memory->value + term->ln_beside[sides >> 1]);
            double deviation =
                hypot(fmax(compute->below, compute->above), fmax(memory->below, memory->above));
            if (!(fabs(distance) > 4 * deviation))
                return false;
        }
    return true;
}

struct bounds {
    double low[STATISTICS], high[STATISTICS];
};

/* Adds scale x the gradient of sum_rooflines. */
static void add_roofline_gradient(const struct bm_joint *joint, const double *values, int compute, int memory,
                                  double scale, double *gradient) {
    const double sum = sum_rooflines(joint, values, compute, memory);
    for (size_t i = 0; i < joint->term_count; i++) {
        const struct bm_joint_term *term = &joint->terms[i];
        const size_t c = term->compute[compute], m = term->memory[memory];
        double ln = roofline_ns(term, values, compute, memory);
        double weight = joint->term_count == 1 ? 1 : term->count * exp(ln - sum);
        const bool by_compute = compute_ns(term, values, compute) >= memory_ns(term, values, memory);
        gradient[by_compute ? c : m] -= scale * weight;
    }
}

static void add_time_gradient(const struct bm_joint *joint, const double *values, int side, double scale,
                              double *gradient) {
    const double sum = sum_times(joint, values, side);
    for (size_t i = 0; i < joint->term_count; i++) {
        const size_t t = joint->terms[i].time[side];
        gradient[t] += scale * (joint->term_count == 1 ? 1 : joint->terms[i].count * exp(values[t] - sum));
    }
}

/* gradient[figure_count], zeroed. */
static void add_gradient(const struct bm_joint *joint, const double *values, enum statistic statistic,
                         double *gradient) {
    /* factors of the times (old, new) and of the rooflines (old, new compute alone, new memory alone, new) */
    static const double factors[STATISTICS][6] = {[SPEEDUP] = {1, -1, 0, 0, 0, 0},
                                                  [ROOFLINE] = {0, 0, 1, 0, 0, -1},
                                                  [UTILIZATION] = {1, -1, -1, 0, 0, 1},
                                                  [COMPUTE] = {0, 0, 0.5, -0.5, 0.5, -0.5},
                                                  [BANDWIDTH] = {0, 0, 0.5, 0.5, -0.5, -0.5}};
    for (int side = 0; side < 2; side++)
        if (factors[statistic][side] != 0)
            add_time_gradient(joint, values, side, factors[statistic][side], gradient);
    for (int sides = 0; sides < 4; sides++)
        if (factors[statistic][2 + sides] != 0)
            add_roofline_gradient(joint, values, sides & 1, sides >> 1, factors[statistic][2 + sides],
                                  gradient);
}

/* The half-widths to both sides that the figures give a statistic of this gradient. */
static void sum_squares(const struct bm_joint *joint, const double *gradient, double *below, double *above) {
    const double z = bm_stats_normal_quantile((1 + BM_COMPARE_CONFIDENCE) / 2);
    double squares[2] = {0, 0};
    for (size_t i = 0; i < joint->figure_count; i++) {
        const struct bm_spread *figure = &joint->figures[i];
        if (gradient[i] == 0)
            continue;
        squares[0] += pow(gradient[i] * (gradient[i] > 0 ? figure->below : figure->above), 2);
        squares[1] += pow(gradient[i] * (gradient[i] > 0 ? figure->above : figure->below), 2);
    }
    *below = z * sqrt(squares[0]);
    *above = z * sqrt(squares[1]);
}

/* gradient: room for figure_count. */
static void add_squares(const struct bm_joint *joint, const double *values, const double estimate[STATISTICS],
                        double *gradient, struct bounds *bounds) {
    for (int s = 0; s < STATISTICS; s++) {
        double below, above;
        memset(gradient, 0, joint->figure_count * sizeof *gradient);
        if (s == SPEEDUP || joint->has_roofline)
            add_gradient(joint, values, (enum statistic)s, gradient);
        sum_squares(joint, gradient, &below, &above);
        bounds->low[s] = estimate[s] - below;
        bounds->high[s] = estimate[s] + above;
    }
}

/* Of paired rounds the efficiencies are figures of their own, in which what moved times and ceilings alike
 * has cancelled: R of a row is efficiency x time, and the utilization sum R / sum time. */
static void bound_by_pairs(const struct bm_joint *joint, const double *values, double estimate,
                           double *gradient, struct bounds *bounds) {
    double below, above;
    memset(gradient, 0, joint->figure_count * sizeof *gradient);
    for (int side = 0; side < 2; side++) {
        const double sum = sum_rooflines(joint, values, side, side), sign = side == 0 ? -1 : 1;
        for (size_t i = 0; i < joint->term_count; i++) {
            const struct bm_joint_term *term = &joint->terms[i];
            double share = term->count * exp(roofline_ns(term, values, side, side) - sum);
            if (joint->term_count == 1)
                share = 1;
            gradient[term->efficiency[side]] += sign * share;
            gradient[term->time[side]] += sign * share;
        }
        add_time_gradient(joint, values, side, -sign, gradient);
    }
    sum_squares(joint, gradient, &below, &above);
    bounds->low[UTILIZATION] = estimate - below;
    bounds->high[UTILIZATION] = estimate + above;
}

/* Percentiles of the statistics over draws of all figures at once. draws: STATISTICS x BM_JOINT_DRAWS. */
static void draw(const struct bm_joint *joint, const double *normals, double *values, double *draws,
                 struct bounds *bounds) {
    for (size_t b = 0; b < BM_JOINT_DRAWS; b++) {
        double out[STATISTICS];
        for (size_t i = 0; i < joint->figure_count; i++) {
            const struct bm_spread *figure = &joint->figures[i];
            /* more figures than lanes: the lane again, at another place */
            size_t at = (b + 389 * (i / BM_JOINT_LANES)) % BM_JOINT_DRAWS;
            double z = normals[at * BM_JOINT_LANES + i % BM_JOINT_LANES];
            values[i] = figure->value + z * (z < 0 ? figure->below : figure->above);
        }
        evaluate(joint, values, out);
        for (int s = 0; s < STATISTICS; s++)
            draws[(size_t)s * BM_JOINT_DRAWS + b] = out[s];
    }
    for (int s = 0; s < STATISTICS; s++) { /* NaN for a NaN among them: an interval that is not known */
        const double *of = draws + (size_t)s * BM_JOINT_DRAWS;
        bounds->low[s] = bm_stats_percentile(of, BM_JOINT_DRAWS, (1 - BM_COMPARE_CONFIDENCE) / 2);
        bounds->high[s] = bm_stats_percentile(of, BM_JOINT_DRAWS, (1 + BM_COMPARE_CONFIDENCE) / 2);
    }
}

/* ln of the ratio of the datasheets' roofline times. */
static double datasheet_ratio(const struct bm_joint *joint) {
    struct sum sums[2] = {{(double)-INFINITY, 0}, {(double)-INFINITY, 0}};
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < joint->term_count; i++)
            add(&sums[side], joint->terms[i].count, joint->terms[i].ln_datasheet[side]);
    return total(&sums[0]) - total(&sums[1]);
}

bool bm_joint_evaluate(const struct bm_joint *joint, const double *normals, struct bm_compare_ratio *ratio) {
    struct bounds bounds;
    double estimate[STATISTICS];
    /* the figures, and behind them either a gradient or the draws */
    const size_t draws = (size_t)STATISTICS * BM_JOINT_DRAWS;
    const size_t room = joint->figure_count > draws ? joint->figure_count : draws;
    double *values = bm_alloc(joint->figure_count + room, sizeof *values);
    if (values == NULL)
        return false;
    for (size_t i = 0; i < joint->figure_count; i++)
        values[i] = joint->figures[i].value;
    evaluate(joint, values, estimate);
    if (is_linear(joint))
        add_squares(joint, values, estimate, values + joint->figure_count, &bounds);
    else
        draw(joint, normals, values, values + joint->figure_count, &bounds);
    for (size_t i = 0; i < joint->figure_count; i++)
        values[i] = joint->figures[i].value;
    if (joint->has_roofline && joint->has_pairs)
        bound_by_pairs(joint, values, estimate[UTILIZATION], values + joint->figure_count, &bounds);
    free(values);
    struct bm_factor *const factors[STATISTICS] = {[SPEEDUP] = &ratio->speedup,
                                                   [ROOFLINE] = &ratio->roofline,
                                                   [UTILIZATION] = &ratio->utilization,
                                                   [COMPUTE] = &ratio->compute,
                                                   [BANDWIDTH] = &ratio->bandwidth};
    for (int s = 0; s < STATISTICS; s++)
        *factors[s] = bm_factor_of(estimate[s], bounds.low[s], bounds.high[s]);
    const double datasheet = datasheet_ratio(joint), unknown = (double)NAN;
    ratio->datasheet = (struct bm_factor){exp(datasheet), unknown, unknown};
    ratio->delivered = bm_factor_of(estimate[ROOFLINE] - datasheet, bounds.low[ROOFLINE] - datasheet,
                                    bounds.high[ROOFLINE] - datasheet);
    return true;
}
