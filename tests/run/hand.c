#include "hand.h"

#include <stdlib.h>

struct bm_run hand;
struct bm_run_plan hand_plan;
struct bm_run_options hand_options;
struct bm_inventory hand_inventory;

static struct bm_endpoint endpoints[HAND_ENDPOINTS];
static struct bm_device devices[HAND_DEVICES];
static struct bm_run_item items[HAND_ITEMS];
static struct bm_run_request requests[4];
static struct bm_run_use uses[HAND_ITEMS];
static struct bm_run_state states[HAND_ITEMS];
static struct bm_series series[HAND_ITEMS];
static size_t timed[HAND_ITEMS];
static double steady_ns[HAND_ITEMS];
static struct bm_results_round *rounds[HAND_ITEMS];
static struct bm_parameters parameters;
static char prepared; /* stands for a prepared case, which nothing looks into */

void hand_begin(void) {
    static const char *const ids[] = {"opencl/pocl", "opencl/intel", "opencl/nvidia"};
    hand_inventory = (struct bm_inventory){
        .devices = devices, .count = HAND_DEVICES, .endpoints = endpoints, .endpoint_count = HAND_ENDPOINTS};
    hand_plan = (struct bm_run_plan){
        .items = items, .requests = requests, .uses = uses, .budget_s = 10, .target_half_width = 0.01};
    for (size_t e = 0; e < HAND_ENDPOINTS; e++) {
        bm_string_set(endpoints[e].id, sizeof endpoints[e].id, ids[e]);
        endpoints[e].is_gpu = e == HAND_NVIDIA;
        endpoints[e].compute_units = 4;
    }
    devices[HAND_CPU] = (struct bm_device){
        .id = "cpu0", .package_count = 1, .endpoint_count = 2, .endpoints = {&endpoints[0], &endpoints[1]}};
    devices[HAND_GPU] = (struct bm_device){
        .id = "gpu0", .is_gpu = true, .package_count = 1, .endpoint_count = 1, .endpoints = {&endpoints[2]}};
    hand = (struct bm_run){.options = &hand_options,
                           .inventory = &hand_inventory,
                           .plan = &hand_plan,
                           .states = states,
                           .series = series,
                           .timed = timed,
                           .steady_ns = steady_ns,
                           .rounds = rounds};
    hand.results.flag_name = bm_flag_name;
    hand.results.devices = calloc(HAND_DEVICES, sizeof *hand.results.devices);
    hand.results.rows = calloc(HAND_ITEMS, sizeof *hand.results.rows);
    hand.results.device_count = HAND_DEVICES;
    for (size_t d = 0; d < HAND_DEVICES; d++) {
        bm_string_set(hand.results.devices[d].id, sizeof hand.results.devices[d].id, devices[d].id);
        hand.results.devices[d].packages = 1;
    }
    bm_parameters_set(&parameters, "TILE_M", 12);
    bm_parameters_set(&parameters, "VEC", 16);
}

void hand_end(void) {
    for (size_t i = 0; i < HAND_ITEMS; i++) {
        bm_series_fini(&series[i]);
        free(rounds[i]);
    }
    bm_results_fini(&hand.results);
}

struct bm_case hand_gemm(const char *op, const char *dtype, uint64_t m, uint64_t n, uint64_t k) {
    struct bm_case the_case = {.workload = bm_workload_find("gemm"),
                               .model = "test",
                               .phase = BM_PHASE_PREFILL,
                               .dtype = bm_dtype_find(dtype),
                               .batch = 1,
                               .tokens = (uint32_t)m,
                               .m = m,
                               .n = n,
                               .k = k};
    bm_string_set(the_case.op, sizeof the_case.op, op);
    return the_case;
}

struct bm_case hand_ceiling(const char *workload, const char *op, uint64_t working_set) {
    struct bm_case the_case = {
        .workload = bm_workload_find(workload), .model = "-", .working_set = working_set};
    bm_string_set(the_case.op, sizeof the_case.op, op);
    return the_case;
}

size_t hand_add(int endpoint, const struct bm_case *the_case) {
    size_t i = hand_plan.item_count++;
    cr_assert_lt(i, HAND_ITEMS);
    items[i] = (struct bm_run_item){.device = endpoint == HAND_NVIDIA ? HAND_GPU : HAND_CPU,
                                    .endpoint = endpoint == HAND_INTEL,
                                    .the_case = *the_case,
                                    .measured_as = i,
                                    .is_ceiling = the_case->workload->is_ceiling};
    states[i] = (struct bm_run_state){
        .prepared = (struct bm_prepared *)(void *)&prepared,
        .verification = {.status = BM_VERIFICATION_PASSED,
                         .reference = "float64",
                         .max_relative_error = 1e-6,
                         .tolerance = 1e-5,
                         .checked = 100},
        .info = {.variant = "register_tile",
                 .pipe = "f32_vector",
                 .parameters = &parameters,
                 .parameters_from = "safe"},
    };
    return i;
}

void hand_time(size_t item, double ns, double spread) {
    /* Not in order of size: that would be a trend. */
    static const int order[HAND_ROUNDS] = {3, 6, 0, 5, 1, 7, 2, 4};
    struct bm_series *one = &series[hand.timed_count];
    timed[hand.timed_count++] = item;
    for (int r = 0; r < HAND_ROUNDS; r++) {
        double deviation = spread * (2.0 * order[r] / (HAND_ROUNDS - 1) - 1);
        cr_assert_eq(bm_grow(&one->rounds, &one->capacity, one->count + 1, sizeof *one->rounds, NULL), BM_OK);
        one->rounds[one->count++] =
            (struct bm_round){.start_ns = HAND_PASS_NS * (uint64_t)r,
                              .ns = (uint64_t)llround(HAND_LAUNCHES * ns * (1 + deviation)),
                              .launches = HAND_LAUNCHES};
    }
    one->done = true;
}

void hand_ceilings(int endpoint, double gbs, double gflops) {
    struct bm_case read = hand_ceiling("stream", "read", 1 << 20), fma = hand_ceiling("fma", "f32_vector", 0);
    size_t i = hand_add(endpoint, &read);
    hand_time(i, read.workload->bytes(&read) / gbs, 0);
    i = hand_add(endpoint, &fma);
    hand_time(i, fma.workload->flops(&fma) / gflops, 0);
}

void hand_fill(void) {
    struct bm_error error = {0};
    cr_assert_eq(bm_run_fill_rows(&hand, &error), BM_OK, "%s", error.message);
    cr_assert_eq(bm_run_fill_ceilings(&hand, &error), BM_OK, "%s", error.message);
    bm_run_fill_utilization(&hand);
    cr_assert_eq(bm_run_fill_summaries(&hand, &error), BM_OK, "%s", error.message);
}
