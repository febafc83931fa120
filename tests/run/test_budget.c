/* What is left out when the budget ends. The backend is invented; what it takes is moved out of the run's
 * past, so that no test waits. */
#include "hand.h"

enum { ROWS = 6, READ = ROWS, FMA, ITEMS };

struct bm_prepared {
    size_t item;
};

static struct bm_prepared prepared[ITEMS];
static uint64_t verify_s, block_s; /* that each takes */
static size_t verified, ran[ITEMS];
static struct bm_session *sessions[HAND_ENDPOINTS];

static void pass(uint64_t seconds) {
    hand.start_ns -= seconds * 1000000000;
}

static enum bm_status prepare(struct bm_session *session, const struct bm_case *the_case,
                              const struct bm_parameters *parameters, struct bm_prepared **prepared_out,
                              struct bm_error *error) {
    (void)session, (void)parameters, (void)error;
    *prepared_out = &prepared[the_case->workload->is_ceiling ? READ : 0];
    return BM_OK;
}
static void get_info(const struct bm_prepared *of, struct bm_prepared_info *info) {
    (void)of;
    *info = hand.states[0].info;
}
static enum bm_status verify(struct bm_prepared *of, uint64_t seed, struct bm_verification *verification,
                             struct bm_error *error) {
    (void)of, (void)seed, (void)error;
    *verification = (struct bm_verification){.status = BM_VERIFICATION_PASSED};
    verified++;
    pass(verify_s);
    return BM_OK;
}
static enum bm_status run_block(struct bm_prepared *of, uint64_t launches, struct bm_block *block,
                                struct bm_error *error) {
    (void)error;
    ran[of->item]++;
    pass(block_s);
    *block = (struct bm_block){.start_ns = bm_clock_now(&bm_clock_monotonic), .host_ns = 30000 * launches};
    return BM_OK;
}
static size_t no_candidates(const struct bm_session *session, const struct bm_case *the_case,
                            struct bm_parameters *candidates, size_t capacity) {
    (void)session, (void)the_case, (void)candidates, (void)capacity;
    return 0;
}
static const struct bm_backend invented = {.name = "invented",
                                           .candidates = no_candidates,
                                           .prepare = prepare,
                                           .info = get_info,
                                           .verify = verify,
                                           .run = run_block};

/* The ceilings come last in the plan. */
static void begin(void) {
    hand_begin();
    hand_inventory.endpoints[HAND_POCL].backend = &invented;
    hand_plan.target_half_width = 0.01;
    hand.sessions = sessions;
    verify_s = block_s = verified = 0;
    memset(ran, 0, sizeof ran);
    for (size_t i = 0; i < ITEMS; i++) {
        struct bm_case the_case = i == READ  ? hand_ceiling("stream", "read", 1 << 20)
                                  : i == FMA ? hand_ceiling("fma", "f32_vector", 0)
                                             : hand_gemm("op", "f32", 64, 256, 384 + i);
        hand_add(HAND_POCL, &the_case);
        prepared[i].item = i;
        hand.states[i].prepared = &prepared[i];
    }
    hand.start_ns = bm_clock_now(&bm_clock_monotonic);
}

static void end(void) {
    bm_control_destroy(hand.control);
    hand.control = NULL;
    hand.sessions = NULL;
    hand_options.verify_only = false;
    hand_end();
}

TestSuite(budget, .init = begin, .fini = end);

static void expect_left_out(size_t item, const char *reason) {
    cr_expect_eq(hand.results.rows[item].status, BM_ROW_SKIPPED);
    cr_expect_str_eq(hand.results.rows[item].reason, reason);
    expect_unknown(hand.results.rows[item].gflops);
}

static size_t count_verified(double budget_s) {
    hand_plan.budget_s = budget_s;
    cr_assert_eq(bm_run_prepare_items(&hand, NULL), BM_OK);
    return verified;
}

/* At 0, 4, 8 and 12 s; the ceilings before any row. */
Test(budget, verifying_takes_half_of_it) {
    verify_s = 4;
    cr_expect_eq(count_verified(30), 4);
    hand_fill();
    for (size_t i = 0; i < ITEMS; i++) {
        if (i < 2 || i == READ || i == FMA)
            cr_expect_eq(hand.states[i].status, BM_ROW_OK, "%zu", i);
        else
            expect_left_out(i, "the budget of 30 s ended before it was verified");
    }
}

Test(budget, of_less_than_ten_seconds_leaves_nothing_out) {
    verify_s = 4;
    cr_expect_eq(count_verified(9.9), ITEMS);
}

Test(budget, of_verifying_alone_there_is_none) {
    verify_s = 100;
    hand_options.verify_only = true;
    cr_expect_eq(count_verified(30), ITEMS);
}

static void time_all(double budget_s) {
    hand_plan.budget_s = budget_s;
    cr_assert_eq(bm_run_time(&hand, NULL), BM_OK);
    cr_assert_eq(bm_run_refresh(&hand, NULL), BM_OK);
}

static double most_left;
static void see_time_left(void *context, const struct bm_run_progress *progress) {
    (void)context;
    most_left = fmax(most_left, progress->seconds_left);
}
static bool go_on(void *context) {
    (void)context;
    return false;
}

/* What verifying took is taken off it. */
Test(budget, is_for_the_whole_run) {
    const struct bm_run_observer observer = {.progress = see_time_left, .stop_requested = go_on};
    hand.observer = &observer;
    most_left = 0;
    pass(20);
    time_all(30);
    cr_expect_leq(most_left, 10, "%g", most_left);
    cr_expect_gt(most_left, 0);
}

Test(budget, what_it_does_not_reach_is_skipped_not_failed) {
    pass(31);
    time_all(30);
    for (size_t i = 0; i < ITEMS; i++) {
        cr_expect_eq(ran[i], 0);
        expect_left_out(i, "the budget of 30 s ended before it was measured");
        cr_expect_eq(hand.results.rows[i].flags, 0);
    }
}

/* Warm-up begins at 20 s; each block takes 3 s of the 30. */
Test(budget, nothing_begins_behind_it) {
    size_t blocks = 0;
    block_s = 3;
    pass(20);
    time_all(30);
    for (size_t i = 0; i < ITEMS; i++)
        blocks += ran[i];
    cr_expect_eq(blocks, 4, "%zu", blocks);
    expect_left_out(ROWS - 1, "the budget of 30 s ended before it was measured");
}

Test(budget, of_seconds_measures_each_once) {
    pass(31);
    time_all(9.9);
    for (size_t i = 0; i < ITEMS; i++) {
        cr_expect_eq(hand.results.rows[i].status, BM_ROW_OK, "%s", hand.results.rows[i].reason);
        cr_expect_geq(hand.results.rows[i].round_count, 1);
    }
}

/* Rounds of an earlier run, or of this one, are not thrown away. */
Test(budget, what_has_rounds_is_kept) {
    hand_time(0, 30000, 0);
    hand.timed_count = 0; /* it is timed anew, onto these rounds */
    hand.series[0].done = false;
    pass(31);
    time_all(30);
    cr_expect_eq(hand.results.rows[0].status, BM_ROW_OK, "%s", hand.results.rows[0].reason);
    cr_expect_geq(hand.results.rows[0].round_count, HAND_ROUNDS);
    expect_left_out(1, "the budget of 30 s ended before it was measured");
}
