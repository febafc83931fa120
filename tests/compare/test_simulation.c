/* What the rules of `check` promise, over invented machines: alarms without a cause, slowdowns missed,
 * intervals that do not hold the truth. Seeds are fixed, so the figures are always the same. */
#include <criterion/criterion.h>
#include <math.h>

#include "bm/compare.h"
#include "bm/gate.h"

enum { ROWS = 20 };

struct machine {
    double between;  /* spread between runs, of a row by itself */
    double together; /* of all rows at once: a hot day */
    size_t history;
    double moved; /* all rows of the new run, by another host; their shares of the ceilings stay */
};

struct tally {
    size_t suites, alarms; /* suites with a regressed row that is none */
    size_t found, missed_as_unchanged, slow_rows;
    size_t held, intervals;
};

static void weigh(const double *values, const double *again, size_t history_count,
                  struct bm_evidence *evidence) {
    static const double deviations[64];
    const struct bm_runs old = {values, deviations, history_count}, new_runs = {again, deviations, 1};
    struct bm_history history;
    bm_history_of(&old, &history);
    bm_gate_weigh_runs(&history, &old, &new_runs, log1p(0.01), BM_GATE_ALPHA, ROWS, evidence);
}

/* Row 0 is slower by `slowdown`; the others are as they were. */
static void simulate(const struct machine *machine, double slowdown, size_t suites, struct tally *tally) {
    struct bm_random random;
    bm_random_init(&random, 5);
    *tally = (struct tally){.suites = suites};
    for (size_t suite = 0; suite < suites; suite++) {
        double values[ROWS][64], shares[64], days[64], again[ROWS], adjusted[ROWS];
        struct bm_evidence evidence[ROWS];
        enum bm_verdict verdicts[ROWS];
        bool unstable[ROWS] = {false}, alarm = false;
        for (size_t run = 0; run <= machine->history; run++)
            days[run] = machine->together * bm_random_normal(&random);
        for (size_t row = 0; row < ROWS; row++) {
            for (size_t run = 0; run < machine->history; run++)
                values[row][run] = 10 + days[run] + machine->between * bm_random_normal(&random);
            again[row] = 10 + days[machine->history] + machine->between * bm_random_normal(&random) +
                         (row == 0 ? slowdown : 0);
        }
        for (size_t row = 0; row < ROWS; row++) {
            const double truth = (row == 0 ? slowdown : 0) + machine->moved;
            again[row] += machine->moved;
            weigh(values[row], &again[row], machine->history, &evidence[row]);
            if (machine->moved != 0) {
                struct bm_evidence share;
                for (size_t run = 0; run < machine->history; run++)
                    shares[run] = machine->between * bm_random_normal(&random);
                double share_again = machine->between * bm_random_normal(&random) + (row == 0 ? slowdown : 0);
                weigh(shares, &share_again, machine->history, &share);
                bm_gate_require_both(&evidence[row], &share);
            }
            tally->intervals++;
            tally->held += evidence[row].low <= truth && truth <= evidence[row].high;
        }
        cr_assert_eq(bm_gate_decide(evidence, unstable, ROWS, BM_GATE_ALPHA, verdicts, adjusted, NULL),
                     BM_OK);
        for (size_t row = 0; row < ROWS; row++)
            alarm |= verdicts[row] == BM_VERDICT_REGRESSED && (row > 0 || slowdown == 0);
        tally->alarms += alarm;
        tally->slow_rows += slowdown > 0;
        tally->found += slowdown > 0 && verdicts[0] == BM_VERDICT_REGRESSED;
        tally->missed_as_unchanged += slowdown > 0 && verdicts[0] == BM_VERDICT_UNCHANGED;
    }
}

static double share(size_t part, size_t whole) {
    return (double)part / (double)whole;
}

/* Machines that scatter little or much, row by row or all together, with few and many baselines. */
static const struct machine machines[] = {
    {0.027, 0, 1, 0},  {0.005, 0.025, 1, 0}, {0.01, 0, 3, 0},     {0.005, 0, 6, 0},    {0.02, 0.01, 8, 0},
    {0.027, 0, 12, 0}, {0.01, 0.01, 30, 0},  {0.027, 0, 1, 0.45}, {0.01, 0, 12, 0.45}, {0.01, 0, 12, -0.3},
};

Test(simulation, alarms_without_a_cause) {
    for (size_t i = 0; i < BM_COUNT_OF(machines); i++) {
        struct tally tally;
        simulate(&machines[i], 0, 1200, &tally);
        cr_expect_leq(share(tally.alarms, tally.suites), 0.05, "machine %zu: %.3f", i,
                      share(tally.alarms, tally.suites));
    }
}

Test(simulation, intervals_hold_the_truth) {
    for (size_t i = 0; i < BM_COUNT_OF(machines); i++) {
        struct tally tally;
        simulate(&machines[i], 0.05, 1200, &tally);
        double held = share(tally.held, tally.intervals);
        bool assumes_more = machines[i].history < BM_GATE_HISTORY &&
                            hypot(machines[i].between, machines[i].together) < 0.9 * BM_COMPARE_BETWEEN_RUNS;
        cr_expect(held > 0.93 && (held < 0.98 || assumes_more), "machine %zu: %.3f", i, held);
    }
}

Test(simulation, a_slowdown_is_never_called_unchanged) {
    for (size_t i = 0; i < BM_COUNT_OF(machines); i++) {
        struct tally tally;
        simulate(&machines[i], log1p(0.05), 2000, &tally);
        cr_expect_leq(share(tally.missed_as_unchanged, tally.slow_rows), 0.005, "machine %zu: %.4f", i,
                      share(tally.missed_as_unchanged, tally.slow_rows));
    }
}

/* A calm machine with a history finds 5 %; without a history nobody could. */
Test(simulation, slowdowns_are_found) {
    struct tally tally;
    simulate(&(struct machine){0.005, 0, 20, 0}, log1p(0.05), 1000, &tally);
    cr_expect_geq(share(tally.found, tally.slow_rows), 0.99, "%.3f", share(tally.found, tally.slow_rows));
    simulate(&(struct machine){0.027, 0, 1, 0}, log1p(0.05), 1000, &tally);
    cr_expect_leq(share(tally.found, tally.slow_rows), 0.1);
    simulate(&(struct machine){0.027, 0, 1, 0}, log1p(0.25), 1000, &tally);
    cr_expect_geq(share(tally.found, tally.slow_rows), 0.95);
}

/* On another host everything takes longer: what is slower there by itself is found, and nothing else. */
Test(simulation, slowdowns_are_found_on_a_machine_that_moved) {
    struct tally tally;
    simulate(&(struct machine){0.005, 0, 20, 0.45}, log1p(0.05), 1000, &tally);
    cr_expect_geq(share(tally.found, tally.slow_rows), 0.99, "%.3f", share(tally.found, tally.slow_rows));
    cr_expect_leq(share(tally.alarms, tally.suites), 0.05, "%.3f", share(tally.alarms, tally.suites));
    simulate(&(struct machine){0.005, 0, 20, -0.45}, log1p(0.05), 1000, &tally);
    cr_expect_eq(tally.found, 0, "it is faster than it was");
}

/* What is told as detectable is found about as often as is said. */
Test(simulation, the_detectable_change_is_what_it_says) {
    static const struct machine known = {0.01, 0, 30, 0}, assumed = {0.027, 0, 1, 0};
    const struct machine *const both[] = {&known, &assumed};
    for (size_t i = 0; i < 2; i++) {
        const struct machine *machine = both[i];
        double value = 0, deviations[64] = {0}, values[64];
        for (size_t run = 0; run < machine->history; run++)
            values[run] =
                machine->between * sqrt(2) * sin(2.0 * M_PI * (double)run / (double)machine->history);
        struct bm_runs old = {values, deviations, machine->history}, again = {&value, deviations, 1};
        struct bm_history history;
        struct bm_evidence evidence;
        struct tally tally;
        bm_history_of(&old, &history);
        history.deviation = machine->between;
        bm_gate_weigh_runs(&history, &old, &again, log1p(0.01), BM_GATE_ALPHA, ROWS, &evidence);
        simulate(machine, evidence.detectable, 1500, &tally);
        double found = share(tally.found, tally.slow_rows);
        cr_expect(found > 0.74 && found < 0.87, "machine %zu: %.3f of changes of %.3f", i, found,
                  evidence.detectable);
    }
}
