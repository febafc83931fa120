/* From options to cases, on an inventory made by hand: a CPU with two backends, a GPU with one, and a GPU
 * that cannot be used. The models and suites are the program's own where the test does not write its own. */
#include "run.h"

#include "../data/fixture.h"

#include <stdarg.h>

static struct bm_endpoint endpoints[4];
static struct bm_device devices[3];
static struct bm_inventory inventory = {
    .devices = devices, .count = 3, .endpoints = endpoints, .endpoint_count = 4};
static struct bm_run_options options;
static struct bm_run_plan plan;
static struct bm_error error;

static void begin(void) {
    static const char *const ids[] = {"opencl/pocl", "opencl/intel", "opencl/nvidia", "opencl/rusticl"};
    fixture_begin();
    for (size_t e = 0; e < 4; e++) {
        bm_string_set(endpoints[e].id, sizeof endpoints[e].id, ids[e]);
        endpoints[e].usable = e < 3;
        endpoints[e].is_gpu = e >= 2;
        endpoints[e].memory_bytes = (uint64_t)64 << 30;
        endpoints[e].max_allocation_bytes = (uint64_t)16 << 30;
    }
    devices[0] = (struct bm_device){.id = "cpu0",
                                    .name = "AMD EPYC 9654",
                                    .llc_bytes = (uint64_t)384 << 20,
                                    .endpoint_count = 2,
                                    .endpoints = {&endpoints[0], &endpoints[1]}};
    devices[1] = (struct bm_device){.id = "gpu0",
                                    .name = "NVIDIA A40",
                                    .is_gpu = true,
                                    .endpoint_count = 1,
                                    .endpoints = {&endpoints[2]}};
    devices[2] = (struct bm_device){.id = "gpu1",
                                    .name = "Intel Arc A770",
                                    .is_gpu = true,
                                    .endpoint_count = 1,
                                    .endpoints = {&endpoints[3]}};
    options = (struct bm_run_options){.suite = "quick"};
}

static void end(void) {
    bm_run_plan_fini(&plan);
    fixture_end();
}

TestSuite(plan, .init = begin, .fini = end);

/* The words up to NULL as an option's list; with NAMES it lives as long as the block around it. */
static struct bm_names names(char **storage, ...) {
    struct bm_names list = {.items = storage};
    va_list words;
    va_start(words, storage);
    for (char *word; (word = va_arg(words, char *)) != NULL;)
        storage[list.count++] = word;
    va_end(words);
    return list;
}
#define NAMES(...) names((char *[8]){0}, __VA_ARGS__, NULL)

/* Plans, and checks what holds of every plan. */
static void create(void) {
    bm_run_plan_fini(&plan);
    error = (struct bm_error){0};
    cr_assert_eq(bm_run_plan_create(&options, &inventory, &plan, &error), BM_OK, "%s", error.message);
    for (size_t i = 0; i < plan.item_count; i++) {
        const struct bm_run_item *item = &plan.items[i], *source = &plan.items[item->measured_as];
        cr_assert(item->device < inventory.count && item->endpoint < devices[item->device].endpoint_count);
        cr_assert(devices[item->device].endpoints[item->endpoint]->usable);
        cr_assert(item->measured_as <= i && source->measured_as == item->measured_as);
        cr_assert(source->device == item->device && source->endpoint == item->endpoint);
        cr_assert(bm_case_same_work(&item->the_case, &source->the_case));
        cr_assert_eq(item->is_ceiling, item->the_case.workload->is_ceiling);
        for (size_t j = 0; j < i; j++) {
            char key[BM_KEY_SIZE], other[BM_KEY_SIZE];
            bm_case_key(&item->the_case, key);
            bm_case_key(&plan.items[j].the_case, other);
            cr_assert(strcmp(key, other) != 0 || plan.items[j].device != item->device ||
                          plan.items[j].endpoint != item->endpoint,
                      "%s is planned twice", key);
        }
    }
    for (size_t r = 0; r < plan.request_count; r++) {
        const struct bm_run_request *request = &plan.requests[r];
        cr_assert_leq(request->first_use + request->use_count, plan.use_count);
        for (size_t u = request->first_use; u < request->first_use + request->use_count; u++) {
            const struct bm_run_item *item = &plan.items[plan.uses[u].item];
            cr_assert_gt(plan.uses[u].count, 0);
            cr_assert(item->device == request->device && item->endpoint == request->endpoint &&
                      !item->is_ceiling);
            cr_assert_str_eq(item->the_case.model, request->model);
            cr_assert_eq(item->the_case.phase, request->request.phase);
        }
    }
}

/* Items on an endpoint: ceilings or rows. */
static size_t count(size_t device, size_t endpoint, bool ceilings) {
    size_t found = 0;
    for (size_t i = 0; i < plan.item_count; i++)
        found += plan.items[i].device == device && plan.items[i].endpoint == endpoint &&
                 plan.items[i].is_ceiling == ceilings;
    return found;
}

static void expect_error(enum bm_status status, const char *part) {
    struct bm_run_plan failed = {.item_count = 7};
    error = (struct bm_error){0};
    cr_expect_eq(bm_run_plan_create(&options, &inventory, &failed, &error), status, "%s", error.message);
    cr_expect_eq(error.status, status);
    cr_expect_not_null(strstr(error.message, part), "'%s' lacks '%s'", error.message, part);
    cr_expect(failed.items == NULL && failed.item_count == 0, "outputs are cleared");
}

Test(plan, everything_usable) {
    create();
    cr_expect_str_eq(plan.suite, "quick");
    cr_expect_eq(plan.budget_s, 60);
    for (size_t e = 0; e < 2; e++)
        cr_expect_eq(count(0, e, true), 4, "memory read, memory copy, the last-level cache, fma");
    cr_expect_eq(count(1, 0, true), 6, "a GPU: three matrix units more; its cache is unknown");
    cr_expect_eq(count(2, 0, true), 0, "the unusable one is left out");
    cr_expect_gt(count(0, 0, false), 0);
    cr_expect_eq(count(0, 0, false), count(0, 1, false));
    cr_expect_eq(count(0, 0, false), count(1, 0, false));
    cr_expect_eq(plan.request_count, 3 * 4, "two phases in two formats on three endpoints");
    options.budget_s = 7.5;
    create();
    cr_expect_eq(plan.budget_s, 7.5);
}

/* What one backend has no kernel for is left to the device's others, unless it is asked for by name or none
 * has. */
Test(plan, what_a_backend_lacks_is_left_to_others) {
    size_t products = 0;
    create();
    const size_t all = count(0, 0, false);
    for (size_t i = 0; i < plan.item_count; i++) {
        const struct bm_run_item *item = &plan.items[i];
        products += item->device == 0 && item->endpoint == 1 &&
                    item->the_case.dtype == bm_dtype_find("f32") &&
                    strncmp(item->the_case.workload->name, "gem", 3) == 0;
    }
    for (size_t i = 0; bm_dtype_get(i) != NULL; i++)
        endpoints[1].lacks_dtypes |= bm_dtype_get(i) == bm_dtype_find("f16") ? (uint32_t)1 << i : 0;
    endpoints[1].only_products = true;
    create();
    cr_expect_eq(count(0, 0, false), all);
    cr_expect_eq(count(0, 1, false), products);
    cr_expect_eq(plan.left_count, all - products);
    cr_expect_eq(plan.request_count, 3 * 4 - 2, "nothing of f16 is its own");
    for (size_t r = 0; r < plan.request_count; r++) {
        const struct bm_run_request *request = &plan.requests[r];
        bool lacks_attention = false;
        for (unsigned i = 0; i < request->missing_count; i++)
            lacks_attention |= strcmp(request->missing[i], "attn") == 0;
        cr_expect_eq(lacks_attention, request->device == 0 && request->endpoint == 1);
    }
    options.backends = NAMES("opencl/intel");
    create();
    cr_expect_eq(count(0, 1, false), all, "taken at its word");
    options.backends = (struct bm_names){0};
    endpoints[0].usable = false;
    create();
    cr_expect_eq(count(0, 1, false), all, "nobody else would say why not");
    endpoints[0].usable = true;
    options.workloads = NAMES("layer");
    create();
    for (size_t i = 0; i < plan.item_count; i++)
        cr_expect(plan.items[i].sequence == 0 || plan.items[i].endpoint == 0,
                  "no whole pass of products alone");
    endpoints[1].lacks_dtypes = 0;
    endpoints[1].only_products = false;
}

Test(plan, is_deterministic) {
    struct bm_run_plan second;
    create();
    cr_assert_eq(bm_run_plan_create(&options, &inventory, &second, NULL), BM_OK);
    cr_assert_eq(second.item_count, plan.item_count);
    cr_assert_eq(second.use_count, plan.use_count);
    for (size_t i = 0; i < plan.item_count; i++) {
        char key[BM_KEY_SIZE], other[BM_KEY_SIZE];
        bm_case_key(&plan.items[i].the_case, key);
        bm_case_key(&second.items[i].the_case, other);
        cr_assert_str_eq(key, other);
        cr_assert_eq(plan.items[i].measured_as, second.items[i].measured_as);
    }
    for (size_t u = 0; u < plan.use_count; u++)
        cr_assert(plan.uses[u].item == second.uses[u].item && plan.uses[u].count == second.uses[u].count);
    bm_run_plan_fini(&second);
    cr_assert(second.items == NULL && second.requests == NULL && second.uses == NULL);
}

Test(plan, devices_are_selected) {
    options.devices = NAMES("gpu0");
    create();
    cr_expect(count(0, 0, true) + count(0, 1, true) == 0 && count(1, 0, false) > 0);
    options.devices = NAMES("epyc");
    create();
    cr_expect(count(0, 0, false) > 0 && count(0, 1, false) > 0 && count(1, 0, true) == 0);
    options.devices = NAMES("gpu"); /* gpu1 is one, but cannot be used */
    create();
    cr_expect_gt(count(1, 0, false), 0);
    options.devices = NAMES("cpu", "a40");
    create();
    cr_expect(count(0, 0, false) > 0 && count(1, 0, false) > 0);
}

/* A ceiling is the hardware's: every backend of it may show the best one. */
Test(plan, backends_are_selected_and_ceilings_kept) {
    options.backends = NAMES("opencl/intel");
    create();
    cr_expect_eq(count(0, 0, true), 4);
    cr_expect_eq(count(0, 0, false), 0);
    cr_expect_gt(count(0, 1, false), 0);
    cr_expect_eq(count(1, 0, true), 0, "hardware that the backend does not reach is left alone");
    options.backends = NAMES("opencl");
    create();
    cr_expect(count(0, 0, false) > 0 && count(0, 1, false) > 0 && count(1, 0, false) > 0);
}

/* Some backends have ceilings alone, some rows alone; the former can be asked for by themselves. */
Test(plan, backends_do_what_they_are_for) {
    endpoints[0].only_ceilings = true;
    endpoints[1].only_rows = true;
    create();
    cr_expect(count(0, 0, true) == 4 && count(0, 0, false) == 0);
    cr_expect(count(0, 1, true) == 0 && count(0, 1, false) > 0);
    options.backends = NAMES("opencl/pocl");
    create();
    cr_expect(count(0, 0, true) == 4 && plan.request_count == 0);
    endpoints[0].only_ceilings = false;
    options.workloads = NAMES("attention");
    options.models = NAMES("llama2-7b");
    options.contexts = (struct bm_run_numbers){.items = {64}, .count = 1};
    create();
    endpoints[0].only_ceilings = endpoints[1].only_rows = false;
}

static const char *wished[16];
static struct bm_ceiling_wish last_wish;

static size_t wish_for(const struct bm_endpoint *endpoint, const struct bm_ceiling_wish *wish,
                       struct bm_case *cases, size_t capacity) {
    size_t pipes = 0;
    cr_assert_eq(endpoint, &endpoints[0]);
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
Test(plan, backends_may_have_ceilings_of_their_own) {
    static const struct bm_backend backend = {.ceilings = wish_for};
    endpoints[0].backend = &backend;
    create();
    cr_expect_eq(count(0, 0, true), 1);
    cr_expect(is_wished("f32_vector") && is_wished("f16_matrix") && !is_wished("i8_dot"));
    cr_expect_not(last_wish.all || last_wish.inner || last_wish.writing);
    cr_expect_not(last_wish.alone, "the other endpoint of the device has ceilings");
    options.dtypes = NAMES("bf16", "int8");
    create();
    cr_expect(is_wished("bf16_dot") && is_wished("bf16_matrix") && is_wished("i8_dot") &&
              is_wished("i8_matrix"));
    cr_expect(is_wished("f32_vector") && !is_wished("f16_matrix"));
    endpoints[1].only_rows = true;
    options.workloads = NAMES("gemm", "rmsnorm");
    create();
    cr_expect(last_wish.alone && last_wish.writing, "norms are judged by copies");
    endpoints[1].only_rows = false;
    endpoints[0].backend = NULL;
}

static void select_one_endpoint(void) {
    static char gpu[] = "gpu0", *word[] = {gpu};
    options.devices = (struct bm_names){.items = word, .count = 1};
}

Test(plan, cases_are_selected) {
    select_one_endpoint();
    options.phases = NAMES("decode");
    options.dtypes = NAMES("f16");
    options.models = NAMES("tinyllama-1.1b", "llama3.1-8b");
    options.batches = (struct bm_run_numbers){.items = {1, 4}, .count = 2};
    options.contexts = (struct bm_run_numbers){.items = {100, 200, 300}, .count = 3};
    options.tokens =
        (struct bm_run_numbers){.items = {64}, .count = 1}; /* of prefill, which is not asked for */
    create();
    cr_expect_eq(plan.request_count, 2 * 2 * 3);
    size_t gemv = 0, gemm = 0;
    for (size_t i = 0; i < plan.item_count; i++) {
        const struct bm_case *the_case = &plan.items[i].the_case;
        if (plan.items[i].is_ceiling)
            continue;
        cr_expect(the_case->phase == BM_PHASE_DECODE && strcmp(the_case->dtype->name, "f16") == 0);
        gemv += strcmp(the_case->workload->name, "gemv") == 0;
        gemm += strcmp(the_case->workload->name, "gemm") == 0;
        cr_expect(the_case->m == 0 || the_case->m == the_case->batch);
    }
    cr_expect(gemv > 0 && gemm > 0, "one sequence is a vector, four are a matrix");
}

/* A decode step may have other KV caches than its format's; a prefill is planned once. */
Test(plan, caches_are_an_axis_of_decode) {
    select_one_endpoint();
    options.models = NAMES("llama2-7b");
    options.workloads = NAMES("attention");
    options.phases = NAMES("prefill", "decode");
    options.dtypes = NAMES("f32", "f16");
    options.kvs = NAMES("int8", "f16");
    options.tokens = options.contexts = (struct bm_run_numbers){.items = {64}, .count = 1};
    create();
    unsigned caches[2][2] = {{0}}, prefills = 0; /* f32 or f16, by int8 or f16 */
    for (size_t i = 0; i < plan.item_count; i++) {
        const struct bm_case *the_case = &plan.items[i].the_case;
        if (plan.items[i].is_ceiling)
            continue;
        prefills += the_case->phase == BM_PHASE_PREFILL;
        if (the_case->phase == BM_PHASE_DECODE)
            caches[strcmp(the_case->dtype->name, "f16") == 0][bm_case_kv(the_case) == BM_ELEMENT_F16]++;
    }
    cr_expect_eq(prefills, 2);
    for (size_t i = 0; i < 4; i++)
        cr_expect_eq(caches[i / 2][i % 2], 1, "%zu: %u", i, caches[i / 2][i % 2]);
    cr_expect_eq(plan.request_count, 2 + 4);
}

Test(plan, workloads_are_selected_and_the_rest_is_missing) {
    select_one_endpoint();
    options.dtypes = NAMES("f32");
    options.phases = NAMES("prefill");
    create();
    size_t all = count(1, 0, false), missing = plan.requests[0].missing_count;
    options.workloads = NAMES("attention");
    create();
    cr_expect_eq(count(1, 0, false), 1);
    cr_expect_eq(count(1, 0, true), 6, "ceilings stay");
    cr_assert_eq(plan.request_count, 1);
    cr_expect_eq(plan.requests[0].use_count, 1);
    cr_expect_eq(plan.requests[0].missing_count, missing + all - 1);
    bool named = false;
    for (unsigned i = 0; i < plan.requests[0].missing_count; i++)
        named |= strcmp(plan.requests[0].missing[i], "ffn_down") == 0;
    cr_expect(named, "the summary can name what it does not cover");
}

/* A suite may name workloads; the option's take their place. */
Test(plan, suites_may_name_workloads) {
    select_one_endpoint();
    fixture_write("rows.json",
                  "{\"name\": \"rows\", \"description\": \"Some rows\", \"budget_s\": 1, \"entries\": ["
                  "{\"models\": [\"tinyllama-1.1b\"], \"phases\": [\"prefill\"], \"dtypes\": [\"f32\"], "
                  "\"workloads\": [\"rmsnorm\", \"rope\"], \"batches\": [1], \"tokens\": [64]}]}",
                  SIZE_MAX);
    char path[128];
    snprintf(path, sizeof path, "%s/rows.json", fixture_folder);
    options.suite = path;
    create();
    cr_expect_eq(count(1, 0, false), 3); /* norm, final_norm, rope */
    cr_expect_eq(plan.requests[0].use_count, 3);
    options.workloads = NAMES("swiglu");
    create();
    cr_expect_eq(count(1, 0, false), 1);
    fixture_write("wrong.json",
                  "{\"name\": \"rows\", \"description\": \"Some rows\", \"budget_s\": 1, \"entries\": ["
                  "{\"models\": [\"tinyllama-1.1b\"], \"phases\": [\"prefill\"], \"dtypes\": [\"f32\"], "
                  "\"workloads\": [\"rope\", \"norm\"], \"batches\": [1], \"tokens\": [64]}]}",
                  SIZE_MAX);
    options.workloads = (struct bm_names){0};
    snprintf(path, sizeof path, "%s/wrong.json", fixture_folder);
    expect_error(BM_INVALID, "wrong.json: $.entries[0].workloads[1]: 'norm' is unknown");
}

/* Equal shapes are measured once: DeepSeek's distilled Qwen has Qwen's shapes. */
Test(plan, equal_work_is_shared) {
    select_one_endpoint();
    options.phases = NAMES("prefill");
    options.dtypes = NAMES("f16");
    options.models = NAMES("qwen2.5-7b", "deepseek-r1-distill-qwen-7b");
    create();
    size_t measured = 0, shared = 0;
    for (size_t i = 0; i < plan.item_count; i++) {
        const struct bm_run_item *item = &plan.items[i];
        if (item->is_ceiling)
            continue;
        bool second = strcmp(item->the_case.model, "deepseek-r1-distill-qwen-7b") == 0;
        measured += !second;
        shared += second;
        if (second)
            cr_expect_str_eq(plan.items[item->measured_as].the_case.model, "qwen2.5-7b");
        else
            cr_expect_eq(item->measured_as, i);
    }
    cr_expect(measured == shared && shared > 3, "%zu measured, %zu shared", measured, shared);
    options.devices = NAMES("cpu0");
    create(); /* checks that nothing is shared across endpoints */
    cr_expect_eq(count(0, 0, false), count(0, 1, false));
}

Test(plan, what_is_asked_twice_is_planned_once) {
    select_one_endpoint();
    options.dtypes = NAMES("f32");
    options.models = NAMES("tinyllama-1.1b");
    create();
    size_t items = plan.item_count, requests = plan.request_count, uses = plan.use_count;
    options.dtypes = NAMES("f32", "f32");
    options.batches = (struct bm_run_numbers){.items = {1, 1}, .count = 2};
    options.devices = NAMES("gpu0", "a40", "gpu");
    create();
    cr_expect(plan.item_count == items && plan.request_count == requests && plan.use_count == uses);
    fixture_write("twice.json",
                  "{\"name\": \"twice\", \"description\": \"Twice the same\", \"budget_s\": 1, \"entries\": ["
                  "{\"models\": [\"tinyllama-1.1b\"], \"phases\": [\"prefill\"], \"dtypes\": [\"f32\"], "
                  "\"batches\": [1],"
                  " \"tokens\": [128]},"
                  "{\"models\": [\"tinyllama-1.1b\"], \"phases\": [\"prefill\"], \"dtypes\": [\"f32\"], "
                  "\"batches\": [1],"
                  " \"tokens\": [64, 128]}]}",
                  SIZE_MAX);
    char path[128];
    snprintf(path, sizeof path, "%s/twice.json", fixture_folder);
    options = (struct bm_run_options){.suite = path};
    select_one_endpoint();
    create();
    cr_expect_str_eq(plan.suite, "twice");
    cr_expect_eq(plan.request_count, 2, "64 and 128 tokens");
}

/* A suite is written for many models; what a user asks for must be possible. */
Test(plan, lengths_beyond_a_model) {
    select_one_endpoint();
    options.models = NAMES("tinyllama-1.1b"); /* 2048 tokens */
    options.suite = "standard";               /* contexts up to 8192 */
    create();
    for (size_t r = 0; r < plan.request_count; r++)
        cr_expect(plan.requests[r].request.context <= 2048 && plan.requests[r].request.tokens <= 2048);
    options.contexts = (struct bm_run_numbers){.items = {4096}, .count = 1};
    expect_error(BM_INVALID, "2048");
}

Test(plan, hot_is_part_of_the_key) {
    select_one_endpoint();
    options.hot = true;
    create();
    for (size_t i = 0; i < plan.item_count; i++) {
        char key[BM_KEY_SIZE];
        bm_case_key(&plan.items[i].the_case, key);
        bool hot = strlen(key) > 4 && strcmp(key + strlen(key) - 4, "/hot") == 0;
        bool of_cache = strcmp(plan.items[i].the_case.workload->name, "cache") == 0;
        cr_expect_eq(hot, !plan.items[i].is_ceiling || of_cache, "%s: a ceiling of memory is one of memory",
                     key);
    }
}

/* ---- ceilings by the caches that there are ---- */

static size_t count_op(size_t device, const char *op, uint64_t *working_set) {
    size_t found = 0;
    for (size_t i = 0; i < plan.item_count; i++)
        if (plan.items[i].device == device && strcmp(plan.items[i].the_case.op, op) == 0) {
            *working_set = plan.items[i].the_case.working_set;
            found++;
        }
    return found;
}

static void open_topology(const char *description) {
    struct bm_error fault = {0};
    cr_assert_eq(bm_topology_open(description, &inventory.topology, &fault), BM_OK, "%s", fault.message);
}

static void close_topology(void) {
    bm_topology_close(inventory.topology);
    inventory.topology = NULL;
}

Test(plan, ceilings_of_the_caches_that_there_are) {
    uint64_t set = 0;
    open_topology("package:1 l3:1(size=33554432) l2:4(size=1048576) l1d:1(size=49152) core:1 pu:1");
    options.devices = NAMES("cpu0");
    options.backends = NAMES("opencl/pocl");
    create();
    cr_expect_eq(count_op(0, "llc_read", &set), 2, "through each backend");
    cr_expect_eq(set, 16 << 20);
    cr_expect_eq(count_op(0, "l2_read", &set), 0, "cold rows need none");
    options.hot = true;
    create();
    cr_expect_eq(count_op(0, "l2_read", &set), 2);
    cr_expect_eq(set, 512 << 10);
    cr_expect_eq(count_op(0, "l1_read", &set), 2);
    cr_expect_eq(set, 24 << 10);
    options.hot = false;
    options.suite = "standard";
    create();
    cr_expect_eq(count_op(0, "l1_read", &set), 2, "a suite that asks for all");
    cr_expect_eq(count_op(0, "f64_vector", &set), 2);
    cr_expect_eq(count_op(0, "from_device", &set), 2);
    cr_expect_eq(count(0, 0, true), 19);
    close_topology();
    open_topology("package:1 l2:1(size=2097152) l1d:2(size=32768) core:1 pu:1");
    create();
    cr_expect_eq(count_op(0, "llc_read", &set), 2, "the second level is the last");
    cr_expect_eq(set, 1 << 20);
    cr_expect_eq(count_op(0, "l2_read", &set), 0);
    close_topology();
}

Test(plan, a_gpu_has_one_cache) {
    uint64_t set = 0;
    open_topology("package:1 l3:1(size=33554432) l2:4(size=1048576) l1d:1(size=49152) core:1 pu:1");
    endpoints[2].cache_bytes = 50 << 20;
    select_one_endpoint();
    options.hot = true;
    create();
    cr_expect_eq(count_op(1, "llc_read", &set), 1);
    cr_expect_eq(set, 25 << 20);
    cr_expect_eq(count_op(1, "l2_read", &set) + count_op(1, "l1_read", &set), 0);
    endpoints[2].cache_bytes = 0;
    close_topology();
}

/* 8 x the last-level cache, at least 64 MiB, within half of an allocation and an eighth of the memory. */
Test(plan, the_cold_set) {
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
    create();
    cr_expect_eq(plan.items[0].the_case.working_set, 3072 * mib, "ceilings read as much");
}

Test(plan, wrong_selectors_are_named) {
    const struct bm_run_options good = options;
    options.devices = NAMES("cpu0", "cpu1");
    expect_error(BM_INVALID, "'cpu1'");
    options = good;
    options.backends = NAMES("onednn");
    expect_error(BM_INVALID, "'onednn'");
    options = good;
    options.workloads = NAMES("gemm", "conv");
    expect_error(BM_INVALID, "'conv'");
    options = good;
    options.phases = NAMES("training");
    expect_error(BM_INVALID, "'training'");
    options = good;
    options.dtypes = NAMES("f64");
    expect_error(BM_INVALID, "'f64'");
    options = good;
    options.kvs = NAMES("int4");
    expect_error(BM_INVALID, "kv 'int4' is unknown: use f16 or int8");
    options = good;
    options.models = NAMES("llama2-8b");
    expect_error(BM_NOT_FOUND, "llama2-8b");
    options = good;
    options.suite = "quik";
    expect_error(BM_NOT_FOUND, "quik");
    options = good;
    options.kernels_folder = fixture_folder;
    expect_error(BM_INVALID, "no .cl file");
    options.kernels_folder = "/nowhere/kernels";
    expect_error(BM_NOT_FOUND, "/nowhere/kernels");
}

Test(plan, nothing_to_run_is_an_error) {
    const struct bm_run_options good = options;
    options.devices = NAMES("gpu1");
    expect_error(BM_UNSUPPORTED, "no usable device");
    options = good;
    options.devices = NAMES("cpu0");
    options.backends = NAMES("opencl/nvidia");
    expect_error(BM_UNSUPPORTED, "no usable device");
    options = good;
    inventory.count = 0;
    inventory.endpoint_count = 0;
    expect_error(BM_UNSUPPORTED, "no usable device");
    inventory.count = 3;
    inventory.endpoint_count = 4;
    fixture_write("long.json",
                  "{\"name\": \"long\", \"description\": \"Too long for a small model\", \"budget_s\": 1, "
                  "\"entries\": ["
                  "{\"models\": [\"tinyllama-1.1b\"], \"phases\": [\"prefill\"], \"dtypes\": [\"f32\"], "
                  "\"batches\": [1],"
                  " \"tokens\": [100000]}]}",
                  SIZE_MAX);
    char path[128];
    snprintf(path, sizeof path, "%s/long.json", fixture_folder);
    options.suite = path;
    expect_error(BM_INVALID, "nothing to run");
}
