/* Which ceilings are measured as long as what they judge. */
#include "hand.h"

TestSuite(references, .init = hand_begin, .fini = hand_end);

static size_t add(int endpoint, const struct bm_case *the_case) {
    size_t item = hand_add(endpoint, the_case);
    hand_time(item, 20000, 0);
    hand.series[item].done = false;
    return item;
}

static size_t add_ceiling(int endpoint, const char *workload, const char *op) {
    struct bm_case the_case = hand_ceiling(workload, op, 1 << 20);
    return add(endpoint, &the_case);
}

static size_t add_row(int endpoint, const char *workload, const char *dtype) {
    struct bm_case the_case = hand_gemm("op", dtype, 64, 256, 384);
    the_case.workload = bm_workload_find(workload);
    return add(endpoint, &the_case);
}

static bool is_reference(size_t item) {
    bm_run_mark_references(&hand);
    return hand.series[item].reference;
}

/* Of every backend: which is the best shows later. */
Test(references, reading_and_the_pipes_of_the_format) {
    const size_t read = add_ceiling(HAND_POCL, "stream", "read"),
                 other = add_ceiling(HAND_INTEL, "stream", "read"),
                 f32 = add_ceiling(HAND_POCL, "fma", "f32_vector"),
                 f64 = add_ceiling(HAND_POCL, "fma", "f64_vector"),
                 copy = add_ceiling(HAND_POCL, "stream", "copy"),
                 triad = add_ceiling(HAND_POCL, "stream", "triad"),
                 launch = add_ceiling(HAND_POCL, "launch", "empty");
    cr_expect_not(is_reference(read), "there is no row");
    const size_t row = add_row(HAND_POCL, "gemm", "f32");
    cr_expect(is_reference(read) && is_reference(other) && is_reference(f32));
    cr_expect_not(is_reference(f64) || is_reference(copy) || is_reference(triad) || is_reference(launch));
    cr_expect_not(is_reference(row));
    hand.series[read].done = true;
    cr_expect(is_reference(read), "done is no reason to end");
    hand.series[row].done = true;
    cr_expect_not(is_reference(read) || is_reference(other) || is_reference(f32), "nothing is left to judge");
}

Test(references, copies_for_rows_that_write) {
    const size_t copy = add_ceiling(HAND_POCL, "stream", "copy"),
                 write = add_ceiling(HAND_POCL, "stream", "write");
    add_row(HAND_POCL, "residual", "f32");
    cr_expect(is_reference(copy) && is_reference(write));
}

Test(references, caches_for_hot_rows) {
    const size_t cache = add_ceiling(HAND_POCL, "cache", "llc_read"), row = add_row(HAND_POCL, "gemm", "f32");
    cr_expect_not(is_reference(cache));
    hand_plan.items[row].the_case.hot = true;
    cr_expect(is_reference(cache));
}

Test(references, of_the_same_device_and_all_of_it) {
    const size_t read = add_ceiling(HAND_NVIDIA, "stream", "read"),
                 part = add_ceiling(HAND_POCL, "stream", "read");
    add_row(HAND_POCL, "gemm", "f32");
    hand_plan.items[part].the_case.threads = 1;
    cr_expect_not(is_reference(read) || is_reference(part));
    hand_plan.items[part].the_case.threads = 0;
    cr_expect(is_reference(part));
}
