/* How much of the hardware a row is. All figures by hand: gemm m 64, n 256, k 384 in f32 is 12582912 FLOP and
 * 557056 bytes, 22.588 FLOP a byte. */
#include "hand.h"

enum { FLOPS = 12582912, BYTES = 557056 };

TestSuite(utilization, .init = hand_begin, .fini = hand_end);

static size_t add_gemm(int endpoint, const char *dtype, double ns, double spread) {
    struct bm_case the_case = hand_gemm("ffn_down", dtype, 64, 256, 384);
    size_t item = hand_add(endpoint, &the_case);
    hand_time(item, ns, spread);
    return item;
}

static const struct bm_results_row *row_of(size_t item) {
    return &hand.results.rows[item];
}

Test(utilization, a_compute_bound_row) {
    hand_ceilings(HAND_POCL, 100, 1000); /* 12582.9 ns of arithmetic, 5570.56 ns of memory */
    size_t item = add_gemm(HAND_POCL, "f32", 25165.8, 0);
    hand_fill();
    const struct bm_results_row *row = row_of(item);
    const double ns = row->time.median;
    expect_near(ns, 25165.8);
    cr_expect_str_eq(row->utilization.bound, "compute");
    expect_near(row->utilization.roofline_efficiency, FLOPS / 1000.0 / ns);
    expect_near(row->utilization.compute_of_ceiling, FLOPS / ns / 1000);
    expect_near(row->utilization.compute_of_device, FLOPS / ns / 1000);
    expect_near(row->utilization.memory_of_ceiling, BYTES / ns / 100);
    cr_expect_str_eq(row->utilization.compute_ceiling, "fma/f32_vector/opencl/pocl");
    cr_expect_str_eq(row->utilization.memory_ceiling, "memory_read/opencl/pocl");
    expect_unknown(row->utilization.compute_of_datasheet);
    expect_unknown(row->utilization.memory_of_datasheet);
    cr_expect_eq(row->status, BM_ROW_OK);
}

/* Equal rounds: all that is left is what differs between runs. Of 1 % within a run and 0.98 % between, 1.4 %.
 */
Test(utilization, intervals_hold_what_differs_between_runs) {
    hand_ceilings(HAND_POCL, 100, 1000);
    size_t even = add_gemm(HAND_POCL, "f32", 25165.8, 0), spread = add_gemm(HAND_POCL, "f32", 25165.8, 0.02);
    hand_fill();
    const double apart = 1.959963984540054 * BM_BETWEEN_RUNS;
    const struct bm_results_time within = row_of(spread)->time;
    bm_run_widen_intervals(&hand);
    const struct bm_results_row *row = row_of(even);
    expect_near(log(row->time.high / row->time.median), apart);
    expect_near(log(row->time.median / row->time.low), apart);
    expect_near(log(row_of(spread)->time.high / within.median),
                hypot(log(within.high / within.median), apart));
    const struct bm_results_ceiling *ceiling = bm_run_ceiling(&hand.results.devices[HAND_CPU], "fma", NULL);
    expect_near(log(ceiling->high / ceiling->value), apart);
    cr_expect(isnan(row->time_uncontaminated.low), "no round was contaminated");
}

/* The same row where memory is slower: 27852.8 ns at 20 GB/s. */
Test(utilization, the_bound_flips) {
    hand_ceilings(HAND_POCL, 20, 1000);
    size_t item = add_gemm(HAND_POCL, "f32", 30000, 0);
    hand_fill();
    cr_expect_str_eq(row_of(item)->utilization.bound, "memory");
    expect_near(row_of(item)->utilization.roofline_efficiency, BYTES / 20.0 / 30000);
    expect_near(row_of(item)->utilization.compute_of_ceiling, FLOPS / 30000.0 / 1000);
}

Test(utilization, ceilings_carry_their_interval) {
    struct bm_case read = hand_ceiling("stream", "read", 1 << 20),
                   copy = hand_ceiling("stream", "copy", 1 << 20);
    hand_time(hand_add(HAND_POCL, &read), 10000, 0.1);
    hand_time(hand_add(HAND_POCL, &copy), 20000, 0);
    hand.series[0].flags = BM_FLAG_NOT_CONVERGED;
    hand_fill();
    const struct bm_results_device *cpu = &hand.results.devices[HAND_CPU];
    const struct bm_results_ceiling *ceiling = &cpu->ceilings[0];
    const struct bm_results_row *row = row_of(0);
    cr_assert_eq(cpu->ceiling_count, 2);
    cr_expect_str_eq(ceiling->resource, "memory_read");
    cr_expect_str_eq(ceiling->pipe, "");
    cr_expect_str_eq(ceiling->unit, "GB/s");
    cr_expect_str_eq(ceiling->how, "register_tile TILE_M=12 VEC=16");
    cr_expect_eq(ceiling->threads, 4);
    cr_expect_eq(ceiling->flags, BM_FLAG_NOT_CONVERGED);
    expect_near(ceiling->value, 1048576 / row->time.median);
    expect_near(ceiling->low, 1048576 / row->time.high);
    expect_near(ceiling->high, 1048576 / row->time.low);
    expect_near(ceiling->burst, 1048576 / 9000.0);
    cr_expect(ceiling->low < ceiling->value && ceiling->value < ceiling->high &&
              ceiling->high <= ceiling->burst);
    cr_expect_str_eq(cpu->ceilings[1].resource, "memory_copy");
    expect_near(cpu->ceilings[1].value, 52.4288); /* read and written */
    hand_fill();
    cr_expect_eq(cpu->ceiling_count, 2, "filling again adds nothing");
}

/* A ceiling belongs to the hardware: the best that any backend showed holds for all of them. */
Test(utilization, the_best_backend_sets_the_ceiling) {
    hand_ceilings(HAND_POCL, 100, 1000);
    hand_ceilings(HAND_INTEL, 80, 1250);
    hand_ceilings(HAND_NVIDIA, 2000, 20000);
    size_t item = add_gemm(HAND_POCL, "f32", 20000, 0);
    hand_fill();
    const struct bm_results_row *row = row_of(item);
    cr_expect_str_eq(row->utilization.compute_ceiling, "fma/f32_vector/opencl/intel");
    cr_expect_str_eq(row->utilization.memory_ceiling, "memory_read/opencl/pocl");
    expect_near(row->utilization.compute_of_device, FLOPS / 20000.0 / 1250);
    expect_near(row->utilization.roofline_efficiency, FLOPS / 1250.0 / 20000);
}

/* An f16 row that was computed by the vector unit, on a device that has a matrix unit: a tenth of the device.
 */
Test(utilization, the_pipe_used_and_the_best_one) {
    struct bm_case matrix = hand_ceiling("fma", "f16_matrix", 0);
    hand_ceilings(HAND_NVIDIA, 2000, 1000);
    hand_time(hand_add(HAND_NVIDIA, &matrix), matrix.workload->flops(&matrix) / 10000, 0);
    size_t half = add_gemm(HAND_NVIDIA, "f16", 25165.8, 0), single = add_gemm(HAND_NVIDIA, "f32", 25165.8, 0);
    hand_fill();
    expect_near(row_of(half)->utilization.compute_of_ceiling, FLOPS / 25165.8 / 1000);
    const double matrix_gflops = bm_run_ceiling(&hand.results.devices[HAND_GPU], "fma", "f16_matrix")->value;
    cr_expect(fabs(matrix_gflops - 10000) < 1e-3);
    expect_near(row_of(half)->utilization.compute_of_device, FLOPS / 25165.8 / matrix_gflops);
    cr_expect_str_eq(row_of(half)->utilization.compute_ceiling, "fma/f16_matrix/opencl/nvidia");
    expect_near(row_of(single)->utilization.compute_of_device, FLOPS / 25165.8 / 1000);
    hand.states[half].info.pipe = "f16_vector";
    hand_fill();
    expect_unknown(row_of(half)->utilization.compute_of_ceiling); /* no ceiling of that pipe was measured */
}

Test(utilization, nothing_is_said_without_a_ceiling) {
    size_t item = add_gemm(HAND_POCL, "f32", 20000, 0);
    hand_ceilings(HAND_NVIDIA, 2000, 20000); /* of other hardware */
    hand_fill();
    cr_expect_null(row_of(item)->utilization.bound);
    expect_unknown(row_of(item)->utilization.roofline_efficiency);
    expect_unknown(row_of(item)->utilization.compute_of_ceiling);
    expect_unknown(row_of(item)->utilization.memory_of_ceiling);
    cr_expect_eq(row_of(item)->status, BM_ROW_OK);
    expect_near(row_of(item)->gflops, FLOPS / 20000.0);
}

Test(utilization, half_a_roofline_bounds_nothing) {
    size_t item = add_gemm(HAND_POCL, "f32", 20000, 0);
    hand_ceilings(HAND_POCL, 100, 1000);
    hand.states[2].status = BM_ROW_FAILED; /* fma computed wrongly */
    hand.states[2].verification.status = BM_VERIFICATION_FAILED;
    hand_fill();
    cr_expect_eq(hand.results.devices[HAND_CPU].ceiling_count, 1, "what failed is no ceiling");
    cr_expect_null(row_of(item)->utilization.bound);
    expect_unknown(row_of(item)->utilization.roofline_efficiency);
    expect_near(row_of(item)->utilization.memory_of_ceiling, BYTES / 20000.0 / 100);
}

/* ---- datasheets ---- */

static double compute_of_datasheet(const struct bm_datasheet *sheet, const char *dtype, unsigned packages) {
    struct bm_results_device device = {.datasheet = sheet, .packages = packages};
    return bm_run_datasheet_gflops(&device, bm_dtype_find(dtype));
}

Test(datasheet, only_what_was_seen_is_a_denominator) {
    const enum bm_fact_status verified = BM_FACT_VERIFIED, derived = BM_FACT_DERIVED,
                              recalled = BM_FACT_RECALLED;
    const struct {
        struct bm_peak vector, matrix;
        double f32, f16; /* 0: unknown */
    } cases[] = {
        {{"f32_vector", 2000, verified}, {"f16_matrix", 32000, verified}, 2000, 32000},
        {{"f32_vector", 2000, derived}, {"f16_matrix", 32000, derived}, 2000, 32000},
        {{"f32_vector", 2000, recalled}, {"f16_matrix", 32000, recalled}, 0, 0},
        {{"f32_vector", 2000, recalled}, {"f16_matrix", 32000, verified}, 0, 32000},
        /* The matrix unit is there; the vector unit in its place would make the share 16 times too large. */
        {{"f32_vector", 2000, verified}, {"f16_matrix", 32000, recalled}, 2000, 0},
        {{"f32_vector", 2000, verified}, {"f16_matrix", 1000, recalled}, 2000, 2000},
        {{"f32_vector", 2000, verified}, {"f64_vector", 1000, verified}, 2000, 2000}, /* no matrix unit */
        {{"f32_vector", 0, BM_FACT_UNKNOWN}, {"f64_vector", 1000, verified}, 0, 0},
    };
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
        struct bm_datasheet sheet = {.peak_count = 2, .peaks = {cases[i].vector, cases[i].matrix}};
        double f32 = compute_of_datasheet(&sheet, "f32", 1), f16 = compute_of_datasheet(&sheet, "f16", 1);
        cr_expect(cases[i].f32 > 0 ? f32 == cases[i].f32 : isnan(f32), "case %zu, f32: %g", i, f32);
        cr_expect(cases[i].f16 > 0 ? f16 == cases[i].f16 : isnan(f16), "case %zu, f16: %g", i, f16);
    }
    cr_expect(isnan(compute_of_datasheet(NULL, "f32", 1)));
}

Test(datasheet, bandwidth_likewise) {
    static const enum bm_fact_status status[] = {BM_FACT_UNKNOWN, BM_FACT_VERIFIED, BM_FACT_DERIVED,
                                                 BM_FACT_RECALLED};
    for (size_t i = 0; i < BM_COUNT_OF(status); i++) {
        struct bm_datasheet sheet = {.bandwidth_gbs = 300, .bandwidth_status = status[i]};
        struct bm_results_device device = {.datasheet = &sheet, .packages = 2};
        double gbs = bm_run_datasheet_gbs(&device);
        bool trusted = status[i] == BM_FACT_VERIFIED || status[i] == BM_FACT_DERIVED;
        cr_expect(trusted ? gbs == 600 : isnan(gbs), "%s: %g", bm_fact_status_name(status[i]), gbs);
        sheet.bandwidth_gbs = 0;
        cr_expect(isnan(bm_run_datasheet_gbs(&device)));
    }
}

Test(datasheet, a_sheet_tells_of_one_package) {
    struct bm_datasheet sheet = {.peak_count = 1, .peaks = {{"f32_vector", 2000, BM_FACT_DERIVED}}};
    expect_near(compute_of_datasheet(&sheet, "f32", 2), 4000);
}

Test(utilization, shares_of_the_datasheet) {
    struct bm_datasheet sheet = {.bandwidth_gbs = 200,
                                 .bandwidth_status = BM_FACT_VERIFIED,
                                 .peak_count = 1,
                                 .peaks = {{"f32_vector", 2000, BM_FACT_VERIFIED}}};
    hand.results.devices[HAND_CPU].datasheet = &sheet;
    hand_ceilings(HAND_POCL, 100, 1000);
    size_t item = add_gemm(HAND_POCL, "f32", 20000, 0);
    hand_fill();
    expect_near(row_of(item)->utilization.compute_of_datasheet, FLOPS / 20000.0 / 2000);
    expect_near(row_of(item)->utilization.memory_of_datasheet, BYTES / 20000.0 / 200);
    sheet.peaks[0].status = sheet.bandwidth_status = BM_FACT_RECALLED;
    hand_fill();
    expect_unknown(row_of(item)->utilization.compute_of_datasheet);
    expect_unknown(row_of(item)->utilization.memory_of_datasheet);
}

/* ---- rows that a cache holds ---- */

static void add_cache_ceiling(int endpoint, const char *op, double gbs) {
    struct bm_case cache = hand_ceiling("cache", op, 65536);
    cache.hot = true;
    hand_time(hand_add(endpoint, &cache), cache.workload->bytes(&cache) / gbs, 0);
}

/* The GPU's one cache is of 1 MiB, its memory gives 20 GB/s; a row takes 557056 bytes when it is hot. */
static size_t add_on_gpu(double gbs, uint64_t rotated) {
    hand_inventory.endpoints[HAND_NVIDIA].cache_bytes = 1 << 20;
    hand_ceilings(HAND_NVIDIA, 20, 100000);
    add_cache_ceiling(HAND_NVIDIA, "llc_read", 200);
    size_t item = add_gemm(HAND_NVIDIA, "f32", BYTES / gbs, 0);
    hand.states[item].info.cold_bytes = rotated;
    hand_fill();
    return item;
}

Test(cached, a_hot_row_is_judged_by_the_cache, .init = hand_begin, .fini = hand_end) {
    size_t item = add_on_gpu(100, 0);
    cr_expect_str_eq(row_of(item)->utilization.memory_ceiling, "llc_read/opencl/nvidia");
    expect_near(row_of(item)->utilization.memory_of_ceiling, BYTES / row_of(item)->time.median / 200);
    cr_expect_str_eq(row_of(item)->utilization.bound, "memory");
    cr_expect_eq(row_of(item)->status, BM_ROW_OK, "five times memory, and no wonder");
}

Test(cached, a_cold_row_is_judged_by_memory, .init = hand_begin, .fini = hand_end) {
    size_t item = add_on_gpu(19, 8 << 20);
    cr_expect_str_eq(row_of(item)->utilization.memory_ceiling, "memory_read/opencl/nvidia");
    expect_near(row_of(item)->utilization.memory_of_ceiling, BYTES / row_of(item)->time.median / 20);
}

/* Rotated over less than eight caches, a row may find a part of it there: no record, and no mistake. */
Test(cached, what_a_cache_may_hold_in_part_is_not_accused, .init = hand_begin, .fini = hand_end) {
    size_t item = add_on_gpu(60, 4 << 20);
    cr_expect_str_eq(row_of(item)->utilization.memory_ceiling, "memory_read/opencl/nvidia");
    cr_expect_eq(row_of(item)->status, BM_ROW_OK, "%s", row_of(item)->reason);
}

Test(cached, but_beyond_the_cache_it_is, .init = hand_begin, .fini = hand_end) {
    size_t item = add_on_gpu(210, 4 << 20);
    cr_expect_eq(row_of(item)->status, BM_ROW_INVALID);
    cr_expect_not_null(strstr(row_of(item)->reason, "the ceiling llc_read"), "%s", row_of(item)->reason);
}

Test(cached, a_cold_row_above_memory_is_accused, .init = hand_begin, .fini = hand_end) {
    size_t item = add_on_gpu(60, 8 << 20);
    cr_expect_eq(row_of(item)->status, BM_ROW_INVALID);
    cr_expect_not_null(strstr(row_of(item)->reason, "the ceiling memory_read"), "%s", row_of(item)->reason);
}

/* Of a CPU, the innermost cache that holds the set; one without a ceiling accuses nobody. */
Test(cached, the_innermost_cache_that_holds_the_set, .init = hand_begin, .fini = hand_end) {
    struct bm_error error = {0};
    const char *machine = "package:1 l3:1(size=33554432) l2:2(size=524288) l1d:1(size=49152) core:1 pu:1";
    cr_assert_eq(bm_topology_open(machine, &hand_inventory.topology, &error), BM_OK, "%s", error.message);
    hand_ceilings(HAND_POCL, 20, 100000);
    add_cache_ceiling(HAND_POCL, "llc_read", 100);
    size_t item = add_gemm(HAND_POCL, "f32", BYTES / 150.0, 0); /* the two second levels hold 1 MiB */
    hand_fill();
    cr_expect_str_eq(row_of(item)->utilization.memory_ceiling, "memory_read/opencl/pocl");
    cr_expect_eq(row_of(item)->status, BM_ROW_OK, "no ceiling of the second level: %s", row_of(item)->reason);
    add_cache_ceiling(HAND_POCL, "l2_read", 300);
    hand_fill();
    cr_expect_str_eq(row_of(item)->utilization.memory_ceiling, "l2_read/opencl/pocl");
    bm_topology_close(hand_inventory.topology);
    hand_inventory.topology = NULL;
}

/* ---- rows that write as much as they read ---- */

static size_t add_rows(const char *workload, const char *dtype, double ns) {
    struct bm_case the_case = hand_gemm("norm", dtype, 64, 1024, 0);
    the_case.workload = bm_workload_find(workload);
    size_t item = hand_add(HAND_POCL, &the_case);
    hand_time(item, ns, 0);
    hand.states[item].info.cold_bytes = UINT64_C(8) << 30;
    return item;
}

static void add_stream(const char *op, double gbs) {
    struct bm_case stream = hand_ceiling("stream", op, 1 << 20);
    hand_time(hand_add(HAND_POCL, &stream), stream.workload->bytes(&stream) / gbs, 0);
}

Test(written, a_row_is_judged_by_the_mix_of_its_own, .init = hand_begin, .fini = hand_end) {
    hand_ceilings(HAND_POCL, 50, 100000);
    add_stream("copy", 60);
    /* 262144 bytes written and as many read are copied, 4096 bytes of weights read. */
    size_t norm = add_rows("rmsnorm", "f32", 20000);
    /* 524288 read, 262144 written: half of the former go with the latter. */
    size_t sum = add_rows("residual", "f32", 20000);
    /* 131072 read, 262144 written: what is written alone is as slow as a copy, for want of better. */
    size_t softmax = add_rows("softmax", "f16", 20000);
    hand_fill();
    const double allowed[] = {524288 / 60.0 + 4096 / 50.0, 524288 / 60.0 + 262144 / 50.0, 393216 / 60.0};
    const size_t items[] = {norm, sum, softmax};
    for (size_t i = 0; i < BM_COUNT_OF(items); i++) {
        const struct bm_results_row *row = row_of(items[i]);
        expect_near(row->utilization.roofline_efficiency, allowed[i] / 20000);
        expect_near(row->utilization.memory_of_ceiling, allowed[i] / 20000);
        cr_expect_str_eq(row->utilization.memory_ceiling, "memory_copy/opencl/pocl");
        cr_expect_str_eq(row->utilization.bound, "memory");
        cr_expect_eq(row->status, BM_ROW_OK, "%s", row->reason);
    }
}

Test(written, what_is_written_alone_has_a_ceiling_too, .init = hand_begin, .fini = hand_end) {
    hand_ceilings(HAND_POCL, 50, 100000);
    add_stream("copy", 60);
    add_stream("write", 30);
    size_t softmax = add_rows("softmax", "f16", 20000);
    hand_fill();
    expect_near(row_of(softmax)->utilization.roofline_efficiency, (262144 / 60.0 + 131072 / 30.0) / 20000);
}

Test(written, the_guard_knows_the_mix, .init = hand_begin, .fini = hand_end) {
    hand_ceilings(HAND_POCL, 50, 100000);
    add_stream("copy", 60);
    const double allowed = 524288 / 60.0 + 262144 / 50.0;
    size_t below = add_rows("residual", "f32", allowed / 1.02),
           above = add_rows("residual", "f32", allowed / 1.04);
    hand_fill();
    cr_expect_eq(row_of(below)->status, BM_ROW_OK, "%s", row_of(below)->reason);
    cr_expect_eq(row_of(above)->status, BM_ROW_INVALID, "faster than a copy and reading allow");
    cr_expect_not_null(strstr(row_of(above)->reason, "memory_copy"), "%s", row_of(above)->reason);
}

Test(written, without_a_copy_reading_must_serve, .init = hand_begin, .fini = hand_end) {
    hand_ceilings(HAND_POCL, 50, 100000);
    size_t norm = add_rows("rmsnorm", "f32", 20000);
    hand_fill();
    expect_near(row_of(norm)->utilization.roofline_efficiency, 528384 / 50.0 / 20000);
    cr_expect_str_eq(row_of(norm)->utilization.memory_ceiling, "memory_read/opencl/pocl");
}

/* ---- the plausibility guard: nothing is faster than its ceiling ---- */

static void expect_invalid(size_t item, const char *words) {
    const struct bm_results_row *row = row_of(item);
    cr_expect_eq(row->status, BM_ROW_INVALID);
    cr_expect_not_null(strstr(row->reason, words), "'%s' lacks '%s'", row->reason, words);
    expect_unknown(row->gflops);
    expect_unknown(row->gbytes_per_s);
    expect_unknown(row->tokens_per_s);
    cr_expect_not(isnan(row->time.median), "what was measured stays");
    cr_expect_eq(row->round_count, HAND_ROUNDS);
}

Test(guard, arithmetic_above_the_ceiling, .init = hand_begin, .fini = hand_end) {
    hand_ceilings(HAND_POCL, 100, 1000);
    size_t above = add_gemm(HAND_POCL, "f32", FLOPS / 1031.0, 0),
           below = add_gemm(HAND_POCL, "f32", FLOPS / 1029.0, 0);
    hand_fill();
    expect_invalid(above, "GFLOP/s, more than 1.03 x the ceiling fma of 1000.0");
    cr_expect_eq(row_of(below)->status, BM_ROW_OK, "3 %% is noise: %s", row_of(below)->reason);
    expect_near(row_of(below)->gflops, FLOPS / row_of(below)->time.median);
}

Test(guard, memory_above_the_ceiling, .init = hand_begin, .fini = hand_end) {
    hand_ceilings(HAND_POCL, 20, 1000);
    size_t above = add_gemm(HAND_POCL, "f32", BYTES / 20.7, 0),
           below = add_gemm(HAND_POCL, "f32", BYTES / 20.5, 0);
    hand_fill();
    expect_invalid(above, "GB/s, more than 1.03 x the ceiling memory_read of 20.0");
    cr_expect_eq(row_of(below)->status, BM_ROW_OK);
}

/* Both intervals must be apart: noise alone accuses no row. */
Test(guard, intervals_must_not_touch, .init = hand_begin, .fini = hand_end) {
    struct bm_case fma = hand_ceiling("fma", "f32_vector", 0), read = hand_ceiling("stream", "read", 1 << 20);
    hand_time(hand_add(HAND_POCL, &fma), fma.workload->flops(&fma) / 1000, 0.1); /* up to 1111 at its best */
    hand_time(hand_add(HAND_POCL, &read), 10000, 0);
    size_t steady = add_gemm(HAND_POCL, "f32", FLOPS / 1100.0, 0),
           noisy = add_gemm(HAND_POCL, "f32", FLOPS / 1250.0, 0.2),
           above = add_gemm(HAND_POCL, "f32", FLOPS / 1250.0, 0.01);
    hand_fill();
    cr_expect_eq(row_of(steady)->status, BM_ROW_OK, "%s", row_of(steady)->reason);
    cr_expect_eq(row_of(noisy)->status, BM_ROW_OK, "%s", row_of(noisy)->reason);
    expect_invalid(above, "one of the two is wrong");
}

/* Work that is dealt out in small pieces suffers less from a neighbour than a ceiling's equal shares. */
Test(guard, a_neighbour_is_named, .init = hand_begin, .fini = hand_end) {
    hand_ceilings(HAND_POCL, 20, 1000);
    size_t above = add_gemm(HAND_POCL, "f32", BYTES / 25, 0);
    hand.series[above].flags = BM_FLAG_CONTAMINATED;
    hand_fill();
    expect_invalid(above, "other work ran beside them");
}

/* The range of four rounds holds the median in seven of eight cases: no ground for an accusation. */
Test(guard, few_rounds_accuse_nothing, .init = hand_begin, .fini = hand_end) {
    hand_ceilings(HAND_POCL, 100, 1000);
    size_t few = add_gemm(HAND_POCL, "f32", FLOPS / 1250.0, 0),
           enough = add_gemm(HAND_POCL, "f32", FLOPS / 1250.0, 0);
    hand.series[few].count = 4;
    hand_fill();
    cr_expect_eq(row_of(few)->status, BM_ROW_OK, "%s", row_of(few)->reason);
    cr_expect_eq(row_of(enough)->status, BM_ROW_INVALID);
}

Test(guard, nor_do_few_of_the_ceiling, .init = hand_begin, .fini = hand_end) {
    hand_ceilings(HAND_POCL, 100, 1000);
    size_t item = add_gemm(HAND_POCL, "f32", FLOPS / 1250.0, 0);
    hand.series[1].count = 4;
    for (size_t i = 0; i < HAND_ROUNDS; i++) /* so that there are no pairs either */
        hand.series[item].rounds[i].start_ns += 100 * HAND_PASS_NS;
    hand_fill();
    cr_expect_eq(row_of(item)->status, BM_ROW_OK, "%s", row_of(item)->reason);
}

/* Failed and skipped rows stay what they are, and ceilings are not judged by themselves. */
Test(guard, judges_measured_rows_alone, .init = hand_begin, .fini = hand_end) {
    hand_ceilings(HAND_POCL, 100, 1000);
    size_t item = add_gemm(HAND_POCL, "f32", 100, 0);
    hand.series[2].failed = true;
    bm_fail(&hand.series[2].error, BM_DEVICE, "lost");
    hand_fill();
    cr_expect_eq(row_of(item)->status, BM_ROW_FAILED);
    cr_expect_str_eq(row_of(item)->reason, "lost");
    cr_expect_null(row_of(item)->utilization.bound);
    for (size_t i = 0; i < 2; i++) {
        cr_expect_eq(row_of(i)->status, BM_ROW_OK);
        cr_expect_null(row_of(i)->utilization.bound);
    }
}
