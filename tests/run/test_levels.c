/* A CPU that its host moved in the middle of a run. */
#include "hand.h"

enum { ROUNDS = 24, MOVED_FROM = 18 };

/* Times an item in ROUNDS passes, from MOVED_FROM on `slower` times as long. */
static void measure(size_t item, double ns, double slower) {
    hand_time(item, ns, 0);
    struct bm_series *series = &hand.series[hand.timed_count - 1];
    cr_assert_eq(bm_grow(&series->rounds, &series->capacity, ROUNDS, sizeof *series->rounds, NULL), BM_OK);
    for (size_t r = series->count; r < ROUNDS; r++) {
        series->rounds[r] = series->rounds[0];
        series->rounds[r].start_ns = HAND_PASS_NS * r;
        if (r >= MOVED_FROM)
            series->rounds[r].ns = (uint64_t)((double)series->rounds[0].ns * slower);
    }
    series->count = ROUNDS;
}

static void measure_ceilings(int endpoint, double gbs, double slower) {
    const struct bm_case read = hand_ceiling("stream", "read", 1 << 20),
                         fma = hand_ceiling("fma", "f32_vector", 0);
    measure(hand_add(endpoint, &read), read.workload->bytes(&read) / gbs, slower);
    measure(hand_add(endpoint, &fma), fma.workload->flops(&fma) / 1000, 1);
}

static size_t measure_row(int endpoint, double ns, double slower) {
    const struct bm_case the_case = hand_gemm("qkv", "f32", 8, 4096, 4096);
    const size_t item = hand_add(endpoint, &the_case);
    measure(item, ns, slower);
    hand.series[hand.timed_count - 1].flags =
        BM_FLAG_BIMODAL | BM_FLAG_NOT_CONVERGED; /* as the sampler saw it */
    return item;
}

static const struct bm_results_row *row_of(size_t item) {
    return &hand.results.rows[item];
}

Test(levels, figures_are_of_the_main_one, .init = hand_begin, .fini = hand_end) {
    hand_plan.target_half_width = 0.01;
    measure_ceilings(HAND_POCL, 80, 1.6);
    const size_t row = measure_row(HAND_POCL, 2e6, 1.6), other = measure_row(HAND_NVIDIA, 2e6, 1);
    bm_run_tag_levels(&hand);
    cr_assert_eq(bm_run_refresh(&hand, NULL), BM_OK);
    expect_near(row_of(row)->time.median, 2e6);
    expect_near(row_of(row)->time.p95, 2e6);
    cr_expect_eq(row_of(row)->flags, 0, "%x", row_of(row)->flags);
    cr_expect_eq(row_of(row)->round_count, ROUNDS, "all are kept");
    cr_expect_eq(row_of(row)->rounds[MOVED_FROM - 2].flags, 0);
    cr_expect_eq(row_of(row)->rounds[MOVED_FROM - 1].flags, BM_FLAG_MOVED,
                 "after the last read that was fast");
    cr_expect_eq(row_of(row)->rounds[MOVED_FROM].flags, BM_FLAG_MOVED);
    expect_near(hand.results.devices[HAND_CPU].ceilings[0].value, 80);
    cr_expect_eq(hand.results.devices[HAND_CPU].ceilings[0].flags, 0);
    const double unsure = 2 * bm_stats_normal_quantile(0.975) * BM_BETWEEN_RUNS; /* of no scatter but this */
    expect_near(row_of(row)->utilization.efficiency_high / row_of(row)->utilization.efficiency_low,
                exp(unsure));
    cr_expect_eq(row_of(row)->utilization.efficiency_flags, 0);
    cr_expect_eq(hand.results.devices[HAND_CPU].flags, BM_FLAG_MOVED);

    cr_expect_eq(row_of(other)->rounds[MOVED_FROM].flags, 0, "another device");
    cr_expect_eq(row_of(other)->flags, BM_FLAG_BIMODAL | BM_FLAG_NOT_CONVERGED, "nothing is found anew");
    cr_expect_eq(hand.results.devices[HAND_GPU].flags, 0);
}

/* What arithmetic bounds need not change its time; its rounds are of another machine all the same. */
Test(levels, every_row_of_the_device_leaves_them_out, .init = hand_begin, .fini = hand_end) {
    measure_ceilings(HAND_POCL, 80, 1.6);
    const size_t row = measure_row(HAND_INTEL, 2e6, 1.2);
    for (size_t r = 2; r < ROUNDS; r += 4)
        hand.series[hand.timed_count - 1].rounds[r].flags = BM_FLAG_CONTAMINATED;
    bm_run_tag_levels(&hand);
    cr_assert_eq(bm_run_refresh(&hand, NULL), BM_OK);
    expect_near(row_of(row)->time.p95, 2e6);
    expect_near(row_of(row)->time_uncontaminated.p95, 2e6);
    cr_expect_eq(row_of(row)->rounds[ROUNDS - 1].flags, BM_FLAG_MOVED);
    cr_expect_eq(row_of(row)->utilization.efficiency_flags, 0, "another share there makes no two levels: %x",
                 row_of(row)->utilization.efficiency_flags);
}

/* A row that was measured there as often as here has pairs enough. */
Test(levels, half_of_a_row_is_enough_for_its_efficiency, .init = hand_begin, .fini = hand_end) {
    measure_ceilings(HAND_POCL, 80, 1.6);
    const size_t row = measure_row(HAND_POCL, 2e6, 1.6);
    struct bm_series *series = &hand.series[hand.timed_count - 1];
    for (size_t r = 0; r < ROUNDS / 2; r++)
        series->rounds[r].start_ns = HAND_PASS_NS * r;
    for (size_t r = ROUNDS / 2; r < ROUNDS; r++)
        series->rounds[r].start_ns = HAND_PASS_NS * MOVED_FROM + r;
    bm_run_tag_levels(&hand);
    cr_assert_eq(bm_run_refresh(&hand, NULL), BM_OK);
    cr_expect_eq(bm_series_left_out(series), (unsigned)BM_FLAG_MOVED);
    cr_expect(row_of(row)->utilization.efficiency_low > 0);
}

Test(levels, a_steady_machine_has_one, .init = hand_begin, .fini = hand_end) {
    const struct bm_case copy = hand_ceiling("stream", "copy", 1 << 20);
    measure_ceilings(HAND_POCL, 80, 1.1);
    const size_t row = measure_row(HAND_POCL, 2e6, 1.6);
    measure(hand_add(HAND_POCL, &copy), 1e6, 1.6);
    hand.series[0].rounds[3].flags = BM_FLAG_MOVED; /* as a resumed run said */
    bm_run_tag_levels(&hand);
    cr_assert_eq(bm_run_refresh(&hand, NULL), BM_OK);
    for (size_t r = 0; r < ROUNDS; r++)
        cr_expect_eq(row_of(row)->rounds[r].flags | row_of(0)->rounds[r].flags, 0);
    cr_expect_eq(row_of(row)->flags, BM_FLAG_BIMODAL | BM_FLAG_NOT_CONVERGED);
    cr_expect_eq(hand.results.devices[HAND_CPU].flags, 0);
}
