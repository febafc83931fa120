/* Which cases a run plans: what is selected, shared, refused. */
#include "plans.h"

TestSuite(plan, .init = plans_begin, .fini = plans_end);

Test(plan, everything_usable) {
    plans_create();
    cr_expect_str_eq(plans_made.suite, "quick");
    cr_expect_eq(plans_made.budget_s, 90);
    for (size_t e = 0; e < 2; e++)
        cr_expect_eq(plans_count(0, e, true), 4, "memory read, memory copy, the last-level cache, fma");
    cr_expect_eq(plans_count(1, 0, true), 6, "a GPU: three matrix units more; its cache is unknown");
    cr_expect_eq(plans_count(2, 0, true), 0, "the unusable one is left out");
    cr_expect_gt(plans_count(0, 0, false), 0);
    cr_expect_eq(plans_count(0, 0, false), plans_count(0, 1, false));
    cr_expect_eq(plans_count(0, 0, false), plans_count(1, 0, false));
    cr_expect_eq(plans_made.request_count, 3 * 4, "two phases in two formats on three endpoints");
    plans_options.budget_s = 7.5;
    plans_create();
    cr_expect_eq(plans_made.budget_s, 7.5);
}

/* What one backend has no kernel for is left to the device's others, unless it is asked for by name or none
 * has. */
Test(plan, what_a_backend_lacks_is_left_to_others) {
    size_t products = 0;
    plans_create();
    const size_t all = plans_count(0, 0, false);
    for (size_t i = 0; i < plans_made.item_count; i++) {
        const struct bm_run_item *item = &plans_made.items[i];
        products += item->device == 0 && item->endpoint == 1 &&
                    item->the_case.dtype == bm_dtype_find("f32") &&
                    strncmp(item->the_case.workload->name, "gem", 3) == 0;
    }
    for (size_t i = 0; bm_dtype_get(i) != NULL; i++)
        plans_endpoints[1].lacks_dtypes |= bm_dtype_get(i) == bm_dtype_find("f16") ? (uint32_t)1 << i : 0;
    plans_endpoints[1].only_products = true;
    plans_create();
    cr_expect_eq(plans_count(0, 0, false), all);
    cr_expect_eq(plans_count(0, 1, false), products);
    cr_expect_eq(plans_made.left_count, all - products);
    cr_expect_eq(plans_made.request_count, 3 * 4 - 2, "nothing of f16 is its own");
    for (size_t r = 0; r < plans_made.request_count; r++) {
        const struct bm_run_request *request = &plans_made.requests[r];
        bool lacks_attention = false;
        for (unsigned i = 0; i < request->missing_count; i++)
            lacks_attention |= strcmp(request->missing[i], "attn") == 0 && request->is_lacking[i];
        cr_expect_eq(lacks_attention, request->device == 0 && request->endpoint == 1);
    }
    plans_options.backends = PLANS_NAMES("opencl/intel");
    plans_create();
    cr_expect_eq(plans_count(0, 1, false), all, "taken at its word");
    plans_options.backends = (struct bm_names){0};
    plans_endpoints[0].usable = false;
    plans_create();
    cr_expect_eq(plans_count(0, 1, false), all, "nobody else would say why not");
    plans_endpoints[0].usable = true;
    plans_options.workloads = PLANS_NAMES("layer");
    plans_create();
    for (size_t i = 0; i < plans_made.item_count; i++)
        cr_expect(plans_made.items[i].sequence == 0 || plans_made.items[i].endpoint == 0,
                  "no whole pass of products alone");
    plans_endpoints[1].lacks_dtypes = 0;
    plans_endpoints[1].only_products = false;
}

Test(plan, is_deterministic) {
    struct bm_run_plan second;
    plans_create();
    cr_assert_eq(bm_run_plan_create(&plans_options, &plans_inventory, &second, NULL), BM_OK);
    cr_assert_eq(second.item_count, plans_made.item_count);
    cr_assert_eq(second.use_count, plans_made.use_count);
    for (size_t i = 0; i < plans_made.item_count; i++) {
        char key[BM_KEY_SIZE], other[BM_KEY_SIZE];
        bm_case_key(&plans_made.items[i].the_case, key);
        bm_case_key(&second.items[i].the_case, other);
        cr_assert_str_eq(key, other);
        cr_assert_eq(plans_made.items[i].measured_as, second.items[i].measured_as);
    }
    for (size_t u = 0; u < plans_made.use_count; u++)
        cr_assert(plans_made.uses[u].item == second.uses[u].item &&
                  plans_made.uses[u].count == second.uses[u].count);
    bm_run_plan_fini(&second);
    cr_assert(second.items == NULL && second.requests == NULL && second.uses == NULL);
}

Test(plan, devices_are_selected) {
    plans_options.devices = PLANS_NAMES("gpu0");
    plans_create();
    cr_expect(plans_count(0, 0, true) + plans_count(0, 1, true) == 0 && plans_count(1, 0, false) > 0);
    plans_options.devices = PLANS_NAMES("epyc");
    plans_create();
    cr_expect(plans_count(0, 0, false) > 0 && plans_count(0, 1, false) > 0 && plans_count(1, 0, true) == 0);
    plans_options.devices = PLANS_NAMES("gpu"); /* gpu1 is one, but cannot be used */
    plans_create();
    cr_expect_gt(plans_count(1, 0, false), 0);
    plans_options.devices = PLANS_NAMES("cpu", "a40");
    plans_create();
    cr_expect(plans_count(0, 0, false) > 0 && plans_count(1, 0, false) > 0);
}

/* A ceiling is the hardware's: every backend of it may show the best one. */
Test(plan, backends_are_selected_and_ceilings_kept) {
    plans_options.backends = PLANS_NAMES("opencl/intel");
    plans_create();
    cr_expect_eq(plans_count(0, 0, true), 4);
    cr_expect_eq(plans_count(0, 0, false), 0);
    cr_expect_gt(plans_count(0, 1, false), 0);
    cr_expect_eq(plans_count(1, 0, true), 0, "hardware that the backend does not reach is left alone");
    plans_options.backends = PLANS_NAMES("opencl");
    plans_create();
    cr_expect(plans_count(0, 0, false) > 0 && plans_count(0, 1, false) > 0 && plans_count(1, 0, false) > 0);
}

/* Some backends have ceilings alone, some rows alone; the former can be asked for by themselves. */
Test(plan, backends_do_what_they_are_for) {
    plans_endpoints[0].only_ceilings = true;
    plans_endpoints[1].only_rows = true;
    plans_create();
    cr_expect(plans_count(0, 0, true) == 4 && plans_count(0, 0, false) == 0);
    cr_expect(plans_count(0, 1, true) == 0 && plans_count(0, 1, false) > 0);
    plans_options.backends = PLANS_NAMES("opencl/pocl");
    plans_create();
    cr_expect(plans_count(0, 0, true) == 4 && plans_made.request_count == 0);
    plans_endpoints[0].only_ceilings = false;
    plans_options.workloads = PLANS_NAMES("attention");
    plans_options.models = PLANS_NAMES("llama2-7b");
    plans_options.contexts = (struct bm_run_numbers){.items = {64}, .count = 1};
    plans_create();
    plans_endpoints[0].only_ceilings = plans_endpoints[1].only_rows = false;
}

Test(plan, cases_are_selected) {
    plans_select_gpu();
    plans_options.phases = PLANS_NAMES("decode");
    plans_options.dtypes = PLANS_NAMES("f16");
    plans_options.models = PLANS_NAMES("tinyllama-1.1b", "llama3.1-8b");
    plans_options.batches = (struct bm_run_numbers){.items = {1, 4}, .count = 2};
    plans_options.contexts = (struct bm_run_numbers){.items = {100, 200, 300}, .count = 3};
    plans_options.tokens =
        (struct bm_run_numbers){.items = {64}, .count = 1}; /* of prefill, which is not asked for */
    plans_create();
    cr_expect_eq(plans_made.request_count, 2 * 2 * 3);
    size_t gemv = 0, gemm = 0;
    for (size_t i = 0; i < plans_made.item_count; i++) {
        const struct bm_case *the_case = &plans_made.items[i].the_case;
        if (plans_made.items[i].is_ceiling)
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
    plans_select_gpu();
    plans_options.models = PLANS_NAMES("llama2-7b");
    plans_options.workloads = PLANS_NAMES("attention");
    plans_options.phases = PLANS_NAMES("prefill", "decode");
    plans_options.dtypes = PLANS_NAMES("f32", "f16");
    plans_options.kvs = PLANS_NAMES("int8", "f16");
    plans_options.tokens = plans_options.contexts = (struct bm_run_numbers){.items = {64}, .count = 1};
    plans_create();
    unsigned caches[2][2] = {{0}}, prefills = 0; /* f32 or f16, by int8 or f16 */
    for (size_t i = 0; i < plans_made.item_count; i++) {
        const struct bm_case *the_case = &plans_made.items[i].the_case;
        if (plans_made.items[i].is_ceiling)
            continue;
        prefills += the_case->phase == BM_PHASE_PREFILL;
        if (the_case->phase == BM_PHASE_DECODE)
            caches[strcmp(the_case->dtype->name, "f16") == 0][bm_case_kv(the_case) == BM_ELEMENT_F16]++;
    }
    cr_expect_eq(prefills, 2);
    for (size_t i = 0; i < 4; i++)
        cr_expect_eq(caches[i / 2][i % 2], 1, "%zu: %u", i, caches[i / 2][i % 2]);
    cr_expect_eq(plans_made.request_count, 2 + 4);
}

Test(plan, workloads_are_selected_and_the_rest_is_missing) {
    plans_select_gpu();
    plans_options.dtypes = PLANS_NAMES("f32");
    plans_options.phases = PLANS_NAMES("prefill");
    plans_create();
    size_t all = plans_count(1, 0, false), missing = plans_made.requests[0].missing_count;
    plans_options.workloads = PLANS_NAMES("attention");
    plans_create();
    cr_expect_eq(plans_count(1, 0, false), 1);
    cr_expect_eq(plans_count(1, 0, true), 6, "ceilings stay");
    cr_assert_eq(plans_made.request_count, 1);
    cr_expect_eq(plans_made.requests[0].use_count, 1);
    cr_expect_eq(plans_made.requests[0].missing_count, missing + all - 1);
    const struct bm_run_request *request = &plans_made.requests[0];
    unsigned named = 0, lacking = 0;
    for (unsigned i = 0; i < request->missing_count; i++) {
        named += strcmp(request->missing[i], "ffn_down") == 0 || strcmp(request->missing[i], "norm") == 0;
        lacking += strcmp(request->missing[i], "ffn_down") == 0 && request->is_lacking[i];
        cr_expect(strcmp(request->missing[i], "norm") != 0 || !request->is_lacking[i]);
    }
    cr_expect(named == 2 && lacking == 1, "the summary can name what it does not cover");
}

/* A suite may name workloads; the option's take their place. */
Test(plan, suites_may_name_workloads) {
    plans_select_gpu();
    fixture_write("rows.json",
                  "{\"name\": \"rows\", \"description\": \"Some rows\", \"budget_s\": 1, \"entries\": ["
                  "{\"models\": [\"tinyllama-1.1b\"], \"phases\": [\"prefill\"], \"dtypes\": [\"f32\"], "
                  "\"workloads\": [\"rmsnorm\", \"rope\"], \"batches\": [1], \"tokens\": [64]}]}",
                  SIZE_MAX);
    char path[128];
    snprintf(path, sizeof path, "%s/rows.json", fixture_folder);
    plans_options.suite = path;
    plans_create();
    cr_expect_eq(plans_count(1, 0, false), 3); /* norm, final_norm, rope */
    cr_expect_eq(plans_made.requests[0].use_count, 3);
    plans_options.workloads = PLANS_NAMES("swiglu");
    plans_create();
    cr_expect_eq(plans_count(1, 0, false), 1);
    fixture_write("wrong.json",
                  "{\"name\": \"rows\", \"description\": \"Some rows\", \"budget_s\": 1, \"entries\": ["
                  "{\"models\": [\"tinyllama-1.1b\"], \"phases\": [\"prefill\"], \"dtypes\": [\"f32\"], "
                  "\"workloads\": [\"rope\", \"norm\"], \"batches\": [1], \"tokens\": [64]}]}",
                  SIZE_MAX);
    plans_options.workloads = (struct bm_names){0};
    snprintf(path, sizeof path, "%s/wrong.json", fixture_folder);
    plans_expect_error(BM_INVALID, "wrong.json: $.entries[0].workloads[1]: 'norm' is unknown");
}

/* Equal shapes are measured once: DeepSeek's distilled Qwen has Qwen's shapes. */
Test(plan, equal_work_is_shared) {
    plans_select_gpu();
    plans_options.phases = PLANS_NAMES("prefill");
    plans_options.dtypes = PLANS_NAMES("f16");
    plans_options.models = PLANS_NAMES("qwen2.5-7b", "deepseek-r1-distill-qwen-7b");
    plans_create();
    size_t measured = 0, shared = 0;
    for (size_t i = 0; i < plans_made.item_count; i++) {
        const struct bm_run_item *item = &plans_made.items[i];
        if (item->is_ceiling)
            continue;
        bool second = strcmp(item->the_case.model, "deepseek-r1-distill-qwen-7b") == 0;
        measured += !second;
        shared += second;
        if (second)
            cr_expect_str_eq(plans_made.items[item->measured_as].the_case.model, "qwen2.5-7b");
        else
            cr_expect_eq(item->measured_as, i);
    }
    cr_expect(measured == shared && shared > 3, "%zu measured, %zu shared", measured, shared);
    plans_options.devices = PLANS_NAMES("cpu0");
    plans_create(); /* checks that nothing is shared across endpoints */
    cr_expect_eq(plans_count(0, 0, false), plans_count(0, 1, false));
}

Test(plan, what_is_asked_twice_is_planned_once) {
    plans_select_gpu();
    plans_options.dtypes = PLANS_NAMES("f32");
    plans_options.models = PLANS_NAMES("tinyllama-1.1b");
    plans_create();
    size_t items = plans_made.item_count, requests = plans_made.request_count, uses = plans_made.use_count;
    plans_options.dtypes = PLANS_NAMES("f32", "f32");
    plans_options.batches = (struct bm_run_numbers){.items = {1, 1}, .count = 2};
    plans_options.devices = PLANS_NAMES("gpu0", "a40", "gpu");
    plans_create();
    cr_expect(plans_made.item_count == items && plans_made.request_count == requests &&
              plans_made.use_count == uses);
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
    plans_options = (struct bm_run_options){.suite = path};
    plans_select_gpu();
    plans_create();
    cr_expect_str_eq(plans_made.suite, "twice");
    cr_expect_eq(plans_made.request_count, 2, "64 and 128 tokens");
}

/* A suite is written for many models; what a user asks for must be possible. */
Test(plan, lengths_beyond_a_model) {
    plans_select_gpu();
    plans_options.models = PLANS_NAMES("tinyllama-1.1b"); /* 2048 tokens */
    plans_options.suite = "standard";                     /* contexts up to 8192 */
    plans_create();
    for (size_t r = 0; r < plans_made.request_count; r++)
        cr_expect(plans_made.requests[r].request.context <= 2048 &&
                  plans_made.requests[r].request.tokens <= 2048);
    plans_options.contexts = (struct bm_run_numbers){.items = {4096}, .count = 1};
    plans_expect_error(BM_INVALID, "2048");
}

Test(plan, hot_is_part_of_the_key) {
    plans_select_gpu();
    plans_options.hot = true;
    plans_create();
    for (size_t i = 0; i < plans_made.item_count; i++) {
        char key[BM_KEY_SIZE];
        bm_case_key(&plans_made.items[i].the_case, key);
        bool hot = strlen(key) > 4 && strcmp(key + strlen(key) - 4, "/hot") == 0;
        bool of_cache = strcmp(plans_made.items[i].the_case.workload->name, "cache") == 0;
        cr_expect_eq(hot, !plans_made.items[i].is_ceiling || of_cache,
                     "%s: a ceiling of memory is one of memory", key);
    }
}

Test(plan, wrong_selectors_are_named) {
    const struct bm_run_options good = plans_options;
    plans_options.devices = PLANS_NAMES("cpu0", "cpu1");
    plans_expect_error(BM_INVALID, "'cpu1'");
    plans_options = good;
    plans_options.backends = PLANS_NAMES("onednn");
    plans_expect_error(BM_INVALID, "'onednn'");
    plans_options = good;
    plans_options.workloads = PLANS_NAMES("gemm", "conv");
    plans_expect_error(BM_INVALID, "'conv'");
    plans_options = good;
    plans_options.phases = PLANS_NAMES("training");
    plans_expect_error(BM_INVALID, "'training'");
    plans_options = good;
    plans_options.dtypes = PLANS_NAMES("f64");
    plans_expect_error(BM_INVALID, "'f64'");
    plans_options = good;
    plans_options.kvs = PLANS_NAMES("int4");
    plans_expect_error(BM_INVALID, "kv 'int4' is unknown: use f16 or int8");
    plans_options = good;
    plans_options.models = PLANS_NAMES("llama2-8b");
    plans_expect_error(BM_NOT_FOUND, "llama2-8b");
    plans_options = good;
    plans_options.suite = "quik";
    plans_expect_error(BM_NOT_FOUND, "quik");
    plans_options = good;
    plans_options.kernels_folder = fixture_folder;
    plans_expect_error(BM_INVALID, "no .cl file");
    plans_options.kernels_folder = "/nowhere/kernels";
    plans_expect_error(BM_NOT_FOUND, "/nowhere/kernels");
}

Test(plan, nothing_to_run_is_an_error) {
    const struct bm_run_options good = plans_options;
    plans_options.devices = PLANS_NAMES("gpu1");
    plans_expect_error(BM_UNSUPPORTED, "no usable device");
    plans_options = good;
    plans_options.devices = PLANS_NAMES("cpu0");
    plans_options.backends = PLANS_NAMES("opencl/nvidia");
    plans_expect_error(BM_UNSUPPORTED, "no usable device");
    plans_options = good;
    plans_inventory.count = 0;
    plans_inventory.endpoint_count = 0;
    plans_expect_error(BM_UNSUPPORTED, "no usable device");
    plans_inventory.count = 3;
    plans_inventory.endpoint_count = 4;
    fixture_write("long.json",
                  "{\"name\": \"long\", \"description\": \"Too long for a small model\", \"budget_s\": 1, "
                  "\"entries\": ["
                  "{\"models\": [\"tinyllama-1.1b\"], \"phases\": [\"prefill\"], \"dtypes\": [\"f32\"], "
                  "\"batches\": [1],"
                  " \"tokens\": [100000]}]}",
                  SIZE_MAX);
    char path[128];
    snprintf(path, sizeof path, "%s/long.json", fixture_folder);
    plans_options.suite = path;
    plans_expect_error(BM_INVALID, "nothing to run");
}
