#include "internal.h"

#include <criterion/criterion.h>
#include <math.h>

TestSuite(sum);

static struct bm_measured rows[3] = {{.ns = 100, .below = 0.01, .above = 0.02},
                                     {.ns = 1000, .below = 0.03, .above = 0.03, .compute_bound = true},
                                     {.ns = 7, .below = 0, .above = 0}};
static struct bm_measured_set set = {.rows = rows,
                                     .count = 3,
                                     .issue = {.ns = 10, .below = 0.1, .above = 0.1},
                                     .wait = {.ns = 50, .below = 0.2, .above = 0.2}};
static struct bm_sum sum;

static void begin(void) {
    cr_assert_eq(bm_sum_init(&sum, &set, NULL), BM_OK);
    sum.weights[0] = 5;
    sum.weights[1] = 2;
    sum.launches = 9;
}
static void end(void) {
    bm_sum_fini(&sum);
}

Test(sum, adds_what_rows_take, .init = begin, .fini = end) {
    cr_expect_float_eq(bm_sum_ns(&sum), 2500, 1e-9);
    cr_expect_float_eq(bm_sum_compute_ns(&sum), 2000, 1e-9);
}

/* sd: 5 x 100 x 0.01 = 5, 2 x 1000 x 0.03 = 60, the wait 50 x 0.2 = 10; above 10, 60 and 10. */
Test(sum, intervals_add_in_squares, .init = begin, .fini = end) {
    bool issue_bound = true;
    struct bm_serving_figure figure = bm_sum_figure(&sum, 1, 450, &issue_bound);
    cr_expect_not(issue_bound);
    cr_expect_float_eq(figure.value, 3000, 1e-9);
    cr_expect_float_eq(figure.low, 3000 * exp(-1.959964 * sqrt(25 + 3600 + 100) / 3000), 1e-4);
    cr_expect_float_eq(figure.high, 3000 * exp(1.959964 * sqrt(100 + 3600 + 100) / 3000), 1e-4);
}

/* One row many times is one measurement: its error does not average out. */
Test(sum, one_row_keeps_its_relative_interval, .init = begin, .fini = end) {
    bool issue_bound;
    sum.weights[0] = 0;
    sum.weights[1] = 1000;
    struct bm_serving_figure figure = bm_sum_figure(&sum, 0, 0, &issue_bound);
    cr_expect_float_eq(log(figure.high / figure.value), 1.959964 * 0.03, 1e-6);
    cr_expect_float_eq(log(figure.value / figure.low), 1.959964 * 0.03, 1e-6);
}

Test(sum, many_launches_of_next_to_nothing_are_bound_by_issuing_them, .init = begin, .fini = end) {
    bool issue_bound = false;
    sum.launches = 400;
    struct bm_serving_figure figure = bm_sum_figure(&sum, 2, 0, &issue_bound);
    cr_expect(issue_bound);
    cr_expect_float_eq(figure.value, 4000 + 2 * 50, 1e-9);
    cr_expect_float_eq(figure.high, 4100 * exp(1.959964 * sqrt(400.0 * 400 + 20.0 * 20) / 4100), 1e-3);
}

Test(sum, an_unknown_interval_makes_the_sums_unknown, .init = begin, .fini = end) {
    bool issue_bound;
    sum.weights[2] = 1;
    rows[2].below = rows[2].above = (double)NAN;
    struct bm_serving_figure figure = bm_sum_figure(&sum, 1, 0, &issue_bound);
    cr_expect_float_eq(figure.value, 2557, 1e-9);
    cr_expect(isnan(figure.low) && isnan(figure.high));
}

Test(sum, what_it_does_not_hold_leaves_it_known, .init = begin, .fini = end) {
    bool issue_bound;
    rows[2].below = rows[2].above = (double)NAN;
    struct bm_serving_figure figure = bm_sum_figure(&sum, 1, 450, &issue_bound);
    cr_expect_float_eq(figure.low, 3000 * exp(-1.959964 * sqrt(25 + 3600 + 100) / 3000), 1e-4);
    cr_expect(isfinite(figure.high));
}

Test(sum, a_rate_turns_its_interval_around) {
    const struct bm_serving_figure time = {200, 100, 400}, rate = bm_figure_rate(1000, &time);
    cr_expect_float_eq(rate.value, 5, 1e-12);
    cr_expect_float_eq(rate.low, 2.5, 1e-12);
    cr_expect_float_eq(rate.high, 10, 1e-12);
}

Test(sum, work_is_the_key_without_model_phase_and_op) {
    char work[BM_KEY_SIZE];
    bm_work_of_key("gemm/llama2-7b/prefill/ffn_down/f16/m512n4096k11008", work);
    cr_expect_str_eq(work, "gemm/f16/m512n4096k11008");
    bm_work_of_key("attention/x/decode/attn/f16/b1h32kv8d128c8192/kvf16", work);
    cr_expect_str_eq(work, "attention/f16/b1h32kv8d128c8192/kvf16");
    bm_work_of_key("launch/-/-/empty/-/-", work);
    cr_expect_str_eq(work, "launch/-/-");
    bm_work_of_key("broken", work); /* of a file that somebody wrote */
    cr_expect_str_eq(work, "broken");
    bm_work_of_key("", work);
    cr_expect_str_eq(work, "");
}
