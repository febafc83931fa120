/* Which ceilings a run plans, and how much memory they read. */
#include "plans.h"

TestSuite(plan_ceilings, .init = plans_begin, .fini = plans_end);

static const char *wished[16];
static struct bm_ceiling_wish last_wish;

static size_t wish_for(const struct bm_endpoint *endpoint, const struct bm_ceiling_wish *wish,
                       struct bm_case *cases, size_t capacity) {
    size_t pipes = 0;
    cr_assert_eq(endpoint, &plans_endpoints[0]);
    cr_assert_gt(capacity, 0);
    for (; wish->pipes[pipes] != NULL; pipes++)
        wished[pipes] = wish->pipes[pipes];
    wished[pipes] = NULL;
    last_wish = *wish;
    cases[0] = (struct bm_case){.workload = bm_workload_find("fma"), .model = "-", .op = "bf16_dot"};
    return 1;
}

static bool is_wished(const char *pipe) {
    for (size_t i = 0; wished[i] != NULL; i++)
        if (strcmp(wished[i], pipe) == 0)
            return true;
    return false;
}

/* A backend with a list of its own is told which pipes may serve the run's contracts. */
Test(plan_ceilings, backends_may_have_ceilings_of_their_own) {
    static const struct bm_backend backend = {.ceilings = wish_for};
    plans_endpoints[0].backend = &backend;
    plans_create();
    cr_expect_eq(plans_count(0, 0, true), 1);
    cr_expect(is_wished("f32_vector") && is_wished("f16_matrix") && !is_wished("i8_dot"));
    cr_expect_not(last_wish.all || last_wish.inner || last_wish.writing);
    cr_expect_not(last_wish.alone, "the other endpoint of the device has ceilings");
    plans_options.dtypes = PLANS_NAMES("bf16", "int8");
    plans_create();
    cr_expect(is_wished("bf16_dot") && is_wished("bf16_matrix") && is_wished("i8_dot") &&
              is_wished("i8_matrix"));
    cr_expect(is_wished("f32_vector") && !is_wished("f16_matrix"));
    plans_endpoints[1].only_rows = true;
    plans_options.workloads = PLANS_NAMES("gemm", "rmsnorm");
    plans_create();
    cr_expect(last_wish.alone && last_wish.writing, "norms are judged by copies");
    plans_endpoints[1].only_rows = false;
    plans_endpoints[0].backend = NULL;
}

static size_t count_op(size_t device, const char *op, uint64_t *working_set) {
    size_t found = 0;
    for (size_t i = 0; i < plans_made.item_count; i++)
        if (plans_made.items[i].device == device && strcmp(plans_made.items[i].the_case.op, op) == 0) {
            *working_set = plans_made.items[i].the_case.working_set;
            found++;
        }
    return found;
}

static void open_topology(const char *description) {
    struct bm_error fault = {0};
    cr_assert_eq(bm_topology_open(description, &plans_inventory.topology, &fault), BM_OK, "%s",
                 fault.message);
}

static void close_topology(void) {
    bm_topology_close(plans_inventory.topology);
    plans_inventory.topology = NULL;
}

Test(plan_ceilings, ceilings_of_the_caches_that_there_are) {
    uint64_t set = 0;
    open_topology("package:1 l3:1(size=33554432) l2:4(size=1048576) l1d:1(size=49152) core:1 pu:1");
    plans_options.devices = PLANS_NAMES("cpu0");
    plans_options.backends = PLANS_NAMES("opencl/pocl");
    plans_create();
    cr_expect_eq(count_op(0, "llc_read", &set), 2, "through each backend");
    cr_expect_eq(set, 16 << 20);
    cr_expect_eq(count_op(0, "l2_read", &set), 0, "cold rows need none");
    plans_options.hot = true;
    plans_create();
    cr_expect_eq(count_op(0, "l2_read", &set), 2);
    cr_expect_eq(set, 512 << 10);
    cr_expect_eq(count_op(0, "l1_read", &set), 2);
    cr_expect_eq(set, 24 << 10);
    plans_options.hot = false;
    plans_options.suite = "standard";
    plans_create();
    cr_expect_eq(count_op(0, "l1_read", &set), 2, "a suite that asks for all");
    cr_expect_eq(count_op(0, "f64_vector", &set), 2);
    cr_expect_eq(count_op(0, "from_device", &set), 2);
    cr_expect_eq(plans_count(0, 0, true), 19);
    close_topology();
    open_topology("package:1 l2:1(size=2097152) l1d:2(size=32768) core:1 pu:1");
    plans_create();
    cr_expect_eq(count_op(0, "llc_read", &set), 2, "the second level is the last");
    cr_expect_eq(set, 1 << 20);
    cr_expect_eq(count_op(0, "l2_read", &set), 0);
    close_topology();
}

Test(plan_ceilings, a_gpu_has_one_cache) {
    uint64_t set = 0;
    open_topology("package:1 l3:1(size=33554432) l2:4(size=1048576) l1d:1(size=49152) core:1 pu:1");
    plans_endpoints[2].cache_bytes = 50 << 20;
    plans_select_gpu();
    plans_options.hot = true;
    plans_create();
    cr_expect_eq(count_op(1, "llc_read", &set), 1);
    cr_expect_eq(set, 25 << 20);
    cr_expect_eq(count_op(1, "l2_read", &set) + count_op(1, "l1_read", &set), 0);
    plans_endpoints[2].cache_bytes = 0;
    close_topology();
}

/* 8 x the last-level cache, at least 64 MiB, within half of an allocation and an eighth of the memory. */
Test(plan_ceilings, the_cold_set) {
    const uint64_t mib = 1 << 20;
    static const struct {
        uint64_t device_cache, endpoint_cache, allocation, memory, expected; /* MiB */
    } cases[] = {
        {384, 32, 16384, 65536, 3072}, {32, 384, 16384, 65536, 3072}, {2, 0, 16384, 65536, 64},
        {384, 32, 4096, 65536, 2048},  {384, 32, 16384, 8192, 1024},  {0, 0, 100, 65536, 50},
    };
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
        struct bm_device device = {.llc_bytes = cases[i].device_cache * mib};
        struct bm_endpoint endpoint = {.cache_bytes = cases[i].endpoint_cache * mib,
                                       .max_allocation_bytes = cases[i].allocation * mib,
                                       .memory_bytes = cases[i].memory * mib};
        cr_expect_eq(bm_device_cold_bytes(&device, &endpoint), cases[i].expected * mib, "case %zu: %llu", i,
                     (unsigned long long)bm_device_cold_bytes(&device, &endpoint));
    }
    plans_create();
    cr_expect_eq(plans_made.items[0].the_case.working_set, 3072 * mib, "ceilings read as much");
}
