/* The canaries: a piece of work takes one step of the invented clock, so the step is its speed. */
#include <criterion/criterion.h>

#include "system.h"

TestSuite(canary, .init = system_begin, .fini = system_end);

enum { BLOCK_NS = 20000000, PIECE_NS = 12500, PASS_NS = 300000000 };

/* Steps that vary by a relative spread, the same for every piece of one block. */
static unsigned noisy_block(struct bm_control *control, struct bm_random *random, double factor,
                            double spread) {
    system_clock.step_ns = (uint64_t)(PIECE_NS * factor * (1 + spread * bm_random_normal(random)));
    return system_block(control, BLOCK_NS, NULL);
}

static unsigned tagged_of(struct bm_control *control, struct bm_random *random, unsigned blocks,
                          double factor, double spread) {
    unsigned tagged = 0;
    for (unsigned i = 0; i < blocks; i++)
        tagged += noisy_block(control, random, factor, spread) != 0;
    return tagged;
}

Test(canary, slow_arithmetic_tags_a_block) {
    struct bm_random random;
    bm_random_init(&random, 1);
    struct bm_control *control = system_control(NULL);
    cr_expect_eq(tagged_of(control, &random, 3000, 1, 0.003), 0u, "quiet");
    cr_expect_eq(tagged_of(control, &random, 100, 1.03, 0.003), 0u, "3 %% may be the clock's");
    cr_expect_eq(tagged_of(control, &random, 100, 1.07, 0.003), 100u);
    cr_expect_eq(tagged_of(control, &random, 100, 0.8, 0.003), 0u, "fast is no disturbance");
    cr_expect_eq(system_report(control, "arithmetic").checked, 3300u);
    cr_expect_eq(system_report(control, "arithmetic").tagged, 100u);
    bm_control_destroy(control);
}

Test(canary, its_own_spread_is_no_disturbance) {
    struct bm_random random;
    bm_random_init(&random, 2);
    struct bm_control *control = system_control(NULL);
    cr_expect_leq(tagged_of(control, &random, 1000, 1, 0.05), 10u, "a machine whose clock varies by 5 %%");
    cr_expect_eq(tagged_of(control, &random, 50, 1.7, 0.05), 50u);
    bm_control_destroy(control);
}

/* Of less than eight values no median is known: four blocks have two each. */
Test(canary, few_values_tag_nothing) {
    struct bm_control *control = system_control(NULL);
    for (int i = 0; i < 4; i++) {
        system_clock.step_ns = i == 2 ? 3 * PIECE_NS : PIECE_NS;
        cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u, "block %d", i);
    }
    system_clock.step_ns = 3 * PIECE_NS;
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), (unsigned)BM_FLAG_CONTAMINATED);
    bm_control_destroy(control);
}

static void slow_down(void) {
    system_clock.step_ns = 2 * PIECE_NS;
}

Test(canary, it_looks_before_and_after_the_block) {
    struct bm_control *control = system_control(NULL);
    for (int i = 0; i < 10; i++)
        cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u);
    cr_expect_eq(system_block(control, BLOCK_NS, slow_down), (unsigned)BM_FLAG_CONTAMINATED, "after");
    struct bm_monitor monitor = bm_control_monitor(control);
    monitor.begin(monitor.context); /* still slow */
    system_clock.step_ns = PIECE_NS;
    cr_expect_eq(monitor.end(monitor.context), (unsigned)BM_FLAG_CONTAMINATED, "before");
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u);
    bm_control_destroy(control);
}

/* One interrupt in a canary lengthens one of its pieces. */
static uint64_t readings;
static uint64_t interrupted(void *context) {
    (void)context;
    system_clock.now_ns += ++readings % 16 == 0 ? 100 * PIECE_NS : PIECE_NS;
    return system_clock.now_ns;
}

Test(canary, an_interrupt_is_no_disturbance) {
    struct bm_clock clock = {.now_ns = interrupted};
    struct bm_control_options options = {.root = system_root, .clock = &clock, .nvml = "/nonexistent"};
    struct bm_control *control;
    cr_assert_eq(bm_control_create(&options, &control, NULL), BM_OK);
    for (int i = 0; i < 200; i++)
        cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u);
    bm_control_destroy(control);
}

/* ---- bandwidth ---- */

static void pass(struct bm_control *control, uint64_t step_ns) {
    struct bm_monitor monitor = bm_control_monitor(control);
    system_clock.now_ns += PASS_NS;
    system_clock.step_ns = step_ns;
    monitor.pass(monitor.context);
    system_clock.step_ns = PIECE_NS;
}

Test(canary, slow_memory_tags_the_rounds_of_a_pass) {
    struct bm_control *control = system_control(NULL);
    for (int i = 0; i < 10; i++) {
        pass(control, 100000 + 100 * (uint64_t)i);
        cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u);
    }
    pass(control, 110000);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u, "10 %% slower");
    pass(control, 130000);
    cr_expect_eq(system_block(control, 1000, NULL), (unsigned)BM_FLAG_CONTAMINATED);
    cr_expect_eq(system_block(control, 1000, NULL), (unsigned)BM_FLAG_CONTAMINATED);
    system_clock.now_ns += PASS_NS;
    cr_expect_eq(system_block(control, 1000, NULL), 0u, "taken again, as it was slow");
    cr_expect_eq(system_report(control, "bandwidth").tagged, 2u);
    bm_control_destroy(control);
}

Test(canary, short_passes_do_not_repeat_it) {
    struct bm_control *control = system_control(NULL);
    struct bm_monitor monitor = bm_control_monitor(control);
    for (int i = 0; i < 10; i++)
        pass(control, 100000);
    system_clock.step_ns = 300000;
    monitor.pass(monitor.context); /* right after: not taken */
    system_clock.step_ns = PIECE_NS;
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u);
    bm_control_destroy(control);
}

Test(canary, bandwidth_gathers_its_history_during_warm_up) {
    struct bm_control *control = system_control(NULL);
    struct bm_monitor monitor = bm_control_monitor(control);
    for (int i = 0; i < 8; i++) {
        system_clock.now_ns += PASS_NS;
        system_block(control, BLOCK_NS, NULL);
    }
    pass(control, 2 * PIECE_NS);
    cr_expect_eq(monitor.end(monitor.context), (unsigned)BM_FLAG_CONTAMINATED);
    bm_control_destroy(control);
}
