/* Ratios of rows, of whole-model requests and of ceilings between two columns. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bm/stats.h"
#include "internal.h"

static const struct bm_factor unknown_factor = {(double)NAN, (double)NAN, (double)NAN};

static void clear(struct bm_compare_ratio *ratio) {
    *ratio = (struct bm_compare_ratio){.speedup = unknown_factor,
                                       .roofline = unknown_factor,
                                       .utilization = unknown_factor,
                                       .compute = unknown_factor,
                                       .bandwidth = unknown_factor,
                                       .datasheet = unknown_factor,
                                       .delivered = unknown_factor};
}

const char *bm_compare_cell_state_name(enum bm_compare_cell_state state) {
    static const char *const names[] = {[BM_CELL_MEASURED] = "measured",
                                        [BM_CELL_FAILED] = "failed",
                                        [BM_CELL_SKIPPED] = "skipped",
                                        [BM_CELL_INVALID] = "invalid"};
    return names[state];
}

/* The two sides of one A/B comparison were measured in turn, so what differs between runs is in both. */
static bool are_sides(const struct bm_comparison *comparison, const struct bm_compare_column *old,
                      const struct bm_compare_column *new_column) {
    const struct bm_compare_file *a = &comparison->files[old->file],
                                 *b = &comparison->files[new_column->file];
    return a->ab_id[0] != '\0' && strcmp(a->ab_id, b->ab_id) == 0 && strcmp(a->ab_side, b->ab_side) != 0;
}

bool bm_equal_amounts(double a, double b) {
    return (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-6 * fmax(fabs(a), fabs(b));
}

/* ---- the figures of a joint bootstrap: each measured figure once ---- */

struct gathering {
    struct bm_spread *figures;
    struct {
        const void *of; /* the ceiling; or the column, of the row `row` */
        size_t row;
    } * names;
    size_t count;
    double between; /* spread between runs */
};

static size_t gather(struct gathering *gathering, const void *of, size_t row, struct bm_spread spread) {
    for (size_t i = 0; i < gathering->count; i++)
        if (gathering->names[i].of == of && gathering->names[i].row == row)
            return i;
    gathering->names[gathering->count].of = of;
    gathering->names[gathering->count].row = row;
    gathering->figures[gathering->count] = bm_spread_wider(spread, gathering->between);
    return gathering->count++;
}

struct pair {
    const struct bm_comparison *comparison;
    const struct bm_compare_column *columns[2];
};

static bool has_pairs(const struct bm_compare_cell *cell) {
    return isfinite(cell->efficiency.below) && isfinite(cell->efficiency.above);
}

static void add_ceilings(const struct pair *pair, const struct bm_compare_cell *cell, int side,
                         struct gathering *gathering, struct bm_joint_term *term) {
    const struct bm_compare_column *column = pair->columns[side];
    const struct bm_compare_ceiling *compute = &column->ceilings[cell->compute_ceiling],
                                    *memory = &column->ceilings[cell->memory_ceiling];
    term->compute[side] = gather(gathering, compute, 0, compute->spread);
    term->memory[side] = gather(gathering, memory, 0, memory->spread);
    if (!has_pairs(cell))
        return;
    /* a figure of the row's measurement, as its time: another name of the column keeps the two apart */
    term->efficiency[side] = gather(gathering, &column->cells, cell->measured_as, cell->efficiency);
    term->ln_beside[side] =
        cell->efficiency.value + cell->time.value -
        fmax(term->ln_flops - compute->spread.value, term->ln_bytes - memory->spread.value);
}

static void make_term(const struct pair *pair, const struct bm_compare_cell *const cells[2], double count,
                      struct gathering *gathering, struct bm_joint *joint, struct bm_joint_term *term) {
    *term = (struct bm_joint_term){
        .count = count, .ln_flops = log(cells[0]->flops), .ln_bytes = log(cells[0]->bytes)};
    for (int side = 0; side < 2; side++) {
        const struct bm_compare_cell *cell = cells[side];
        term->time[side] = gather(gathering, pair->columns[side], cell->measured_as, cell->time);
        joint->has_roofline &= cell->compute_ceiling >= 0 && cell->memory_ceiling >= 0;
        joint->has_pairs &= has_pairs(cell);
        term->ln_datasheet[side] =
            cell->flops / cell->datasheet_gflops > 0 && cell->bytes / cell->datasheet_gbs > 0
                ? log(fmax(cell->flops / cell->datasheet_gflops, cell->bytes / cell->datasheet_gbs))
                : (double)NAN;
        if (joint->has_roofline)
            add_ceilings(pair, cell, side, gathering, term);
    }
}

/* A row's state in both columns; false: one of them has no figure, and ratio says which and why. */
static bool find_cells(const struct pair *pair, size_t row, const char *backends[2],
                       const struct bm_compare_cell *cells[2], char why[160]) {
    for (int side = 0; side < 2; side++) {
        const struct bm_compare_column *column = pair->columns[side];
        const struct bm_compare_cell *cell = bm_compare_cell_find(column, row);
        while (cell != NULL && backends[side] != NULL && strcmp(cell->backend, backends[side]) != 0)
            cell = cell + 1 < column->cells + column->cell_count && cell[1].row == row ? cell + 1 : NULL;
        cells[side] = cell;
        if (cell == NULL || cell->state != BM_CELL_MEASURED) {
            snprintf(why, 160, "%s in the %s column%s%.100s",
                     cell == NULL ? "not there" : bm_compare_cell_state_name(cell->state),
                     side == 0 ? "old" : "new", cell != NULL && cell->reason != NULL ? ": " : "",
                     cell != NULL && cell->reason != NULL ? cell->reason : "");
            return false;
        }
    }
    if (bm_equal_amounts(cells[0]->flops, cells[1]->flops) &&
        bm_equal_amounts(cells[0]->bytes, cells[1]->bytes))
        return true;
    snprintf(why, 160, "other work: %.4g FLOP and %.4g bytes against %.4g and %.4g", cells[0]->flops,
             cells[0]->bytes, cells[1]->flops, cells[1]->bytes);
    return false;
}

/* ---- paired rounds ---- */

/* ln of the summed times of round i, old less new. */
static double paired_difference(const struct bm_compare_cell *const (*cells)[2], const double *counts,
                                size_t count, size_t round) {
    double sums[2] = {0, 0};
    for (size_t k = 0; k < count; k++)
        for (int side = 0; side < 2; side++)
            sums[side] += counts[k] * exp(cells[k][side]->rounds[round]);
    return log(sums[0]) - log(sums[1]);
}

/* Hodges-Lehmann estimate and signed-rank interval; false: the rounds are no pairs. */
static bool pair_rounds(const struct bm_compare_cell *const (*cells)[2], const double *counts, size_t count,
                        struct bm_location *location) {
    const size_t rounds = cells[0][0]->round_count;
    for (size_t k = 0; k < count; k++)
        if (cells[k][0]->round_count != rounds || cells[k][1]->round_count != rounds || rounds < 2)
            return false;
    double *differences = bm_alloc(rounds, sizeof *differences);
    for (size_t i = 0; differences != NULL && i < rounds; i++)
        differences[i] = paired_difference(cells, counts, count, i);
    bool done = differences != NULL &&
                bm_stats_hodges_lehmann(differences, rounds, BM_COMPARE_CONFIDENCE, location, NULL) == BM_OK;
    free(differences);
    return done;
}

/* The speed-up of pairs in place of that of medians. The utilization follows it; its interval too, unless it
 * has one of its own. */
static void use_pairs(const struct bm_location *location, bool own_interval, struct bm_compare_ratio *ratio) {
    const double estimate = location->estimate, ln_roofline = log(ratio->roofline.value);
    double below = hypot(estimate - location->interval.low, log(ratio->roofline.high) - ln_roofline);
    double above = hypot(location->interval.high - estimate, ln_roofline - log(ratio->roofline.low));
    if (own_interval) {
        below = log(ratio->utilization.value / ratio->utilization.low);
        above = log(ratio->utilization.high / ratio->utilization.value);
    }
    ratio->speedup = bm_factor_of(estimate, location->interval.low, location->interval.high);
    ratio->utilization =
        bm_factor_of(estimate - ln_roofline, estimate - ln_roofline - below, estimate - ln_roofline + above);
    ratio->paired = true;
}

/* ---- rows and requests ---- */

/* uses: rows and their counts; backends: of each side, NULL for the best. */
static void evaluate(const struct pair *pair, const struct bm_compare_use *uses, size_t count,
                     const char *backends[2], struct bm_compare_ratio *ratio) {
    const bool sides = are_sides(pair->comparison, pair->columns[0], pair->columns[1]);
    struct gathering gathering = {.between = sides ? 0 : BM_COMPARE_BETWEEN_RUNS};
    struct bm_joint joint = {.term_count = count, .has_roofline = true, .has_pairs = true};
    const struct bm_compare_cell *(*cells)[2] = bm_alloc(count, sizeof *cells);
    struct bm_joint_term *terms = bm_alloc(count, sizeof *terms);
    double *counts = bm_alloc(count, sizeof *counts);
    gathering.figures = bm_alloc(8 * count, sizeof *gathering.figures);
    gathering.names = bm_alloc(8 * count, sizeof *gathering.names);
    bool complete = cells != NULL && terms != NULL && counts != NULL && gathering.figures != NULL &&
                    gathering.names != NULL;
    if (!complete)
        snprintf(ratio->why, sizeof ratio->why, "out of memory");
    for (size_t i = 0; complete && i < count; i++) {
        complete = find_cells(pair, uses[i].row, backends, cells[i], ratio->why);
        counts[i] = uses[i].count;
        if (complete)
            make_term(pair, cells[i], uses[i].count, &gathering, &joint, &terms[i]);
    }
    joint.terms = terms;
    joint.figures = gathering.figures;
    joint.figure_count = gathering.count;
    struct bm_location location;
    if (complete && !bm_joint_evaluate(&joint, pair->comparison->normals, ratio))
        snprintf(ratio->why, sizeof ratio->why, "out of memory");
    else if (complete && sides &&
             pair_rounds((const struct bm_compare_cell *const(*)[2])cells, counts, count, &location))
        use_pairs(&location, joint.has_roofline && joint.has_pairs, ratio);
    ratio->changed = ratio->speedup.low > 1 || ratio->speedup.high < 1;
    free(gathering.figures);
    free(gathering.names);
    free(counts);
    free(terms);
    free(cells);
}

void bm_compare_row_ratio(const struct bm_comparison *comparison, const struct bm_compare_column *old,
                          const struct bm_compare_column *new_column, size_t row,
                          struct bm_compare_ratio *ratio) {
    const struct pair pair = {comparison, {old, new_column}};
    const struct bm_compare_use use = {row, 1};
    const char *backends[2] = {NULL, NULL};
    clear(ratio);
    evaluate(&pair, &use, 1, backends, ratio);
}

/* Without the rows the figures of the files serve, and no interval is known. */
static void use_totals(const struct bm_compare_summary *old, const struct bm_compare_summary *new_one,
                       struct bm_compare_ratio *ratio) {
    const double unknown = (double)NAN;
    ratio->speedup = (struct bm_factor){new_one->tokens_per_s / old->tokens_per_s, unknown, unknown};
    ratio->utilization =
        (struct bm_factor){new_one->roofline_efficiency / old->roofline_efficiency, unknown, unknown};
    ratio->roofline = (struct bm_factor){ratio->speedup.value / ratio->utilization.value, unknown, unknown};
}

/* false as well where either does not tell. */
static bool same_uses(const struct bm_compare_summary *a, const struct bm_compare_summary *b) {
    if (a->use_count != b->use_count || a->use_count == 0)
        return false;
    for (size_t i = 0; i < a->use_count; i++)
        if (a->uses[i].row != b->uses[i].row || a->uses[i].count != b->uses[i].count)
            return false;
    return true;
}

void bm_compare_request_ratio(const struct bm_comparison *comparison, const struct bm_compare_column *old,
                              const struct bm_compare_column *new_column, size_t request,
                              struct bm_compare_ratio *ratio) {
    const struct pair pair = {comparison, {old, new_column}};
    const struct bm_compare_summary *sides[2] = {bm_compare_summary_find(old, request),
                                                 bm_compare_summary_find(new_column, request)};
    clear(ratio);
    for (int side = 0; side < 2; side++)
        if (sides[side] == NULL) {
            snprintf(ratio->why, sizeof ratio->why, "not there in the %s column", side == 0 ? "old" : "new");
            return;
        }
    for (int side = 0; side < 2; side++)
        if (sides[side]->lacking[0] != '\0') {
            snprintf(ratio->why, sizeof ratio->why, "no figure of the pass in the %s column without %.100s",
                     side == 0 ? "old" : "new", sides[side]->lacking);
            return;
        }
    if (strcmp(sides[0]->ops, sides[1]->ops) != 0) {
        snprintf(ratio->why, sizeof ratio->why, "other operations are covered: %.60s against %.60s",
                 sides[0]->ops, sides[1]->ops);
        return;
    }
    if (!same_uses(sides[0], sides[1]) && sides[0]->use_count > 0 && sides[1]->use_count > 0) {
        snprintf(ratio->why, sizeof ratio->why,
                 "other rows make up the pass: routing, cache or shapes differ");
        return;
    }
    if (same_uses(sides[0], sides[1])) {
        const char *backends[2] = {sides[0]->backend, sides[1]->backend};
        evaluate(&pair, sides[0]->uses, sides[0]->use_count, backends, ratio);
    }
    if (isnan(ratio->speedup.value)) {
        ratio->why[0] = '\0';
        use_totals(sides[0], sides[1], ratio);
    }
}

struct bm_factor bm_compare_ceiling_ratio(const struct bm_comparison *comparison,
                                          const struct bm_compare_column *old,
                                          const struct bm_compare_column *new_column,
                                          const struct bm_compare_ceiling *old_ceiling,
                                          const struct bm_compare_ceiling *new_ceiling) {
    const double between = are_sides(comparison, old, new_column) ? 0 : BM_COMPARE_BETWEEN_RUNS;
    const double z = bm_stats_normal_quantile((1 + BM_COMPARE_CONFIDENCE) / 2);
    struct bm_spread a = bm_spread_wider(old_ceiling->spread, between),
                     b = bm_spread_wider(new_ceiling->spread, between);
    /* a latency is a time: the shorter is the better */
    const bool is_time = strcmp(old_ceiling->unit, "us") == 0;
    const struct bm_spread *up = is_time ? &a : &b, *down = is_time ? &b : &a;
    double estimate = up->value - down->value;
    return bm_factor_of(estimate, estimate - z * hypot(up->below, down->above),
                        estimate + z * hypot(up->above, down->below));
}
