/* Plans of every workload on devices of every size, and what is refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "targets.h"

static struct bm_case cases[128];
static size_t case_count;

/* Unless its workload has no kernel for the format; all have those of f32 and f16. */
static void add(struct bm_case c) {
    struct bm_error error = {0};
    struct bm_plan plan;
    const enum bm_status status = c.workload->plan(&c, &cpu, NULL, &plan, &error);
    cr_assert_lt(case_count, BM_COUNT_OF(cases));
    if (status == BM_UNSUPPORTED && strcmp(c.dtype->name, "f32") != 0 && strcmp(c.dtype->name, "f16") != 0)
        return;
    cr_assert_eq(status, BM_OK, "%s", error.message);
    cases[case_count++] = c;
}

static void make_cases(void) {
    case_count = 0;
    for (size_t d = 0; bm_dtype_get(d); d++) {
        const struct bm_case base = {
            .model = "-", .op = "test", .phase = BM_PHASE_PREFILL, .dtype = bm_dtype_get(d)};
        struct bm_case c = base;
        c.workload = bm_workload_find("gemm");
        c.m = 128;
        c.n = 4099;
        c.k = 1021;
        add(c);
        c.workload = bm_workload_find("gemv");
        c.m = 1;
        add(c);
        c.workload = bm_workload_find("grouped_gemm");
        c.m = 40;
        c.experts = 8;
        c.top_k = 2;
        add(c);
        c.workload = bm_workload_find("combine");
        c.n = 1000;
        c.k = 1;
        add(c);
        c = base;
        c.workload = bm_workload_find("attention");
        c.batch = 2;
        c.heads = 32;
        c.kv_heads = 8;
        c.head_dim = 192;
        c.v_dim = 128;
        c.tokens = 100;
        add(c);
        c.phase = BM_PHASE_DECODE;
        c.context = 1000;
        add(c);
        c.head_dim = c.v_dim = 1024;
        add(c);
        c = base;
        c.workload = bm_workload_find("mla");
        c.phase = BM_PHASE_DECODE;
        c.batch = 2;
        c.heads = 20;
        c.kv_heads = 1;
        c.head_dim = 576;
        c.v_dim = 512;
        c.context = 1000;
        add(c);
        for (c.phase = BM_PHASE_PREFILL; c.phase <= BM_PHASE_DECODE; c.phase++) {
            c.workload = bm_workload_find("mamba_scan");
            c.tokens = c.phase == BM_PHASE_DECODE ? 1 : 100;
            c.heads = 64;
            c.head_dim = 80;
            c.n = c.k = 128;
            c.groups = 16;
            add(c);
            c.workload = bm_workload_find("mamba_conv");
            c.m = 2 * c.tokens;
            c.k = 4;
            add(c);
        }
        static const char *const rows[] = {"rmsnorm",  "layernorm", "swiglu",    "gelu",
                                           "residual", "softmax",   "embedding", "topk"};
        for (size_t w = 0; w < BM_COUNT_OF(rows); w++) {
            c = base;
            c.workload = bm_workload_find(rows[w]);
            c.m = 300;
            c.n = 1000;
            c.k = strcmp(rows[w], "topk") == 0 ? 8 : 0;
            add(c);
        }
        c = base;
        c.workload = bm_workload_find("rmsnorm");
        c.m = 100 * 40;
        c.n = 128;
        c.heads = 32;
        c.kv_heads = 8;
        add(c);
        c = base;
        c.workload = bm_workload_find("kv_expand");
        c.batch = 2;
        c.tokens = 100;
        c.heads = 20;
        c.head_dim = 192;
        c.v_dim = 128;
        c.k = 64;
        add(c);
        static const char *const of_heads[] = {"rope", "kv_write"};
        for (size_t w = 0; w < BM_COUNT_OF(of_heads); w++) {
            c = base;
            c.workload = bm_workload_find(of_heads[w]);
            c.batch = 2;
            c.tokens = 100;
            c.heads = 32;
            c.kv_heads = 8;
            c.head_dim = c.v_dim = 128;
            add(c);
            c.kv = BM_KV_INT8;
            if (w == 1)
                add(c);
        }
    }
    case_count += bm_ceiling_cases(1 << 24, cases + case_count, BM_COUNT_OF(cases) - case_count);
}

static void assert_plan(const struct bm_case *c, const struct bm_target *target, const struct bm_plan *plan) {
    uint64_t items = 1;
    cr_assert(plan->launch_count >= 1 && plan->tensor_count >= 2);
    cr_assert(strlen(plan->variant) > 0 && plan->pipe);
    for (unsigned i = 0; i < plan->launch_count; i++) {
        const struct bm_launch *launch = &plan->launches[i];
        items = 1;
        for (unsigned d = 0; d < launch->dimensions; d++) {
            cr_assert(launch->global[d] > 0);
            if (launch->local[d])
                cr_assert_eq(launch->global[d] % launch->local[d], 0);
            items *= launch->local[d];
        }
        cr_assert(items <= target->max_group_items, "%s: groups of %llu", plan->source,
                  (unsigned long long)items);
    }
    for (unsigned i = 0; i < plan->tensor_count; i++)
        cr_assert(plan->tensors[i].count > 0, "%s", plan->tensors[i].name);
    for (unsigned i = 0; i < plan->parameters.count; i++)
        cr_assert_str_neq(plan->parameters.items[i].name, "");
    cr_assert(c->workload->check_count(c, plan) > 0);
}

Test(plan, safe_parameters_suit_every_device_and_come_out_as_they_went_in) {
    const struct bm_target *const targets[] = {&cpu, &gpu, &tiny_gpu};
    make_cases();
    for (size_t i = 0; i < case_count; i++)
        for (size_t t = 0; t < BM_COUNT_OF(targets); t++) {
            struct bm_error error = {0};
            struct bm_parameters safe;
            struct bm_plan plan, again;
            cases[i].workload->safe_parameters(&cases[i], targets[t], &safe);
            cr_assert_eq(cases[i].workload->plan(&cases[i], targets[t], &safe, &plan, &error), BM_OK, "%s",
                         error.message);
            assert_plan(&cases[i], targets[t], &plan);
            /* What a plan reports makes the same plan. */
            cr_assert_eq(cases[i].workload->plan(&cases[i], targets[t], &plan.parameters, &again, &error),
                         BM_OK, "%s", error.message);
            cr_assert_eq(again.defines.count, plan.defines.count);
            for (unsigned p = 0; p < plan.defines.count; p++)
                cr_assert_eq(bm_parameters_get(&again.defines, plan.defines.items[p].name, -1),
                             plan.defines.items[p].value, "%s", plan.defines.items[p].name);
            cr_assert_eq(
                memcmp(again.launches[0].global, plan.launches[0].global, sizeof(plan.launches[0].global)),
                0);
        }
}

/* Of the others the safe parameters are good enough. */
static bool needs_shipped(const struct bm_case *c) {
    const char *name = c->workload->name;
    return c->workload->is_ceiling || !strcmp(name, "gemm") || !strcmp(name, "gemv") ||
           !strcmp(name, "attention");
}

Test(plan, shipped_parameters_suit_their_kind) {
    make_cases();
    for (size_t i = 0; i < case_count; i++)
        for (int is_gpu = 0; is_gpu < 2; is_gpu++) {
            struct bm_error error = {0};
            struct bm_parameters shipped;
            struct bm_plan plan;
            const enum bm_status found =
                bm_tuned_load(is_gpu ? "gpu" : "cpu",
                              cases[i].workload->like ? cases[i].workload->like : cases[i].workload->name,
                              cases[i].dtype ? cases[i].dtype->name : "-", &shipped, &error);
            if (found == BM_NOT_FOUND && !needs_shipped(&cases[i]))
                continue;
            cr_assert_eq(found, BM_OK, "%s", error.message);
            const enum bm_status status =
                cases[i].workload->plan(&cases[i], is_gpu ? &gpu : &cpu, &shipped, &plan, &error);
            if (cases[i].head_dim == 1024 && is_gpu) /* no model's; it may fall back to the safe ones */
                continue;
            cr_assert_eq(status, BM_OK, "%s", error.message);
            assert_plan(&cases[i], is_gpu ? &gpu : &cpu, &plan);
        }
}

Test(plan, candidates_suit_the_device_that_they_are_for) {
    const struct bm_target *const targets[] = {&cpu, &gpu, &tiny_gpu};
    struct bm_parameters candidates[16];
    struct bm_plan plan;
    unsigned tried = 0;
    make_cases();
    for (size_t i = 0; i < case_count; i++)
        for (size_t t = 0; t < BM_COUNT_OF(targets) && cases[i].workload->candidates; t++) {
            const struct bm_workload *workload = cases[i].workload;
            const size_t count =
                workload->candidates(&cases[i], targets[t], candidates, BM_COUNT_OF(candidates));
            cr_assert(count <= BM_COUNT_OF(candidates));
            cr_assert_eq(workload->candidates(&cases[i], targets[t], candidates, 1), count);
            for (size_t j = 0; j < count; j++, tried++) {
                struct bm_error error = {0};
                cr_assert_eq(workload->plan(&cases[i], targets[t], &candidates[j], &plan, &error), BM_OK,
                             "%s", error.message);
                assert_plan(&cases[i], targets[t], &plan);
            }
        }
    cr_assert(tried >= 20);
}

static void assert_refused(const char *workload, const struct bm_target *target, const char *name,
                           int64_t value, const char *word) {
    make_cases();
    for (size_t i = 0; i < case_count; i++)
        if (!strcmp(cases[i].workload->name, workload)) {
            struct bm_error error = {0};
            struct bm_parameters parameters = {0};
            struct bm_plan plan;
            bm_parameters_set(&parameters, name, value);
            cr_assert_eq(cases[i].workload->plan(&cases[i], target, &parameters, &plan, &error), BM_INVALID,
                         "%s %s=%lld", workload, name, (long long)value);
            cr_assert_not_null(strstr(error.message, word), "'%s' does not say %s", error.message, word);
            cr_assert_eq(plan.launch_count, 0, "outputs are cleared");
            return;
        }
    cr_assert_fail("no case of %s", workload);
}

Test(plan, refuses_parameters_that_do_not_suit_the_kernel) {
    assert_refused("gemm", &cpu, "TILE_N", 64, "PANEL_N 32");
    assert_refused("gemm", &cpu, "VEC", 12, "power of two");
    assert_refused("gemm", &cpu, "TILE_N", 8, "VEC 16");
    assert_refused("gemm", &cpu, "TILE_M", 7, "BLOCK_M 128 of TILE_M 7");
    assert_refused("gemm", &cpu, "TILE_M", 0, "TILE_M is 0");
    assert_refused("gemm", &cpu, "TILE_K", 8, "no kernel parameter TILE_K");
    assert_refused("gemm", &gpu, "BLOCK_K", 256, "bytes of local memory");
    assert_refused("gemm", &gpu, "TILE_M", 2, "multiple of VEC 4");
    assert_refused("gemm", &gpu, "BLOCK_M", 40, "evenly");
    assert_refused("gemm", &tiny_gpu, "PACK_LANES", 64, "work-items");
    assert_refused("gemm", &gpu, "PANEL_N", 512, "work-items");
    assert_refused("gemv", &cpu, "VEC", 32, "VEC is 32");
    assert_refused("gemv", &cpu, "ROWS", -1, "ROWS is -1");
    assert_refused("gemv", &tiny_gpu, "LANES", 32, "work-items");
    assert_refused("attention", &cpu, "LANES_D", 2, "must not exceed");
    assert_refused("attention", &cpu, "KEY_TILE", 2, "KEY_TILE is 2");
    assert_refused("attention", &tiny_gpu, "LANES", 32, "work-items");
    assert_refused("stream", &tiny_gpu, "LANES", 64, "work-items");
    assert_refused("fma", &tiny_gpu, "GROUP", 64, "work-items");
}

Test(plan, says_what_does_not_fit_the_device) {
    struct bm_case c = {.workload = bm_workload_find("gemm"),
                        .phase = BM_PHASE_PREFILL,
                        .dtype = bm_dtype_find("f32"),
                        .m = 128,
                        .n = 128256,
                        .k = 4096};
    struct bm_error error = {0};
    struct bm_plan plan;
    cr_assert_eq(c.workload->plan(&c, &tiny_gpu, NULL, &plan, &error), BM_UNSUPPORTED);
    cr_assert_str_eq(error.message, "weights need 1.96 GiB, the device allocates at most 1.00 GiB at once");
    cr_assert_eq(plan.tensor_count, 0);
    c.n = c.k = c.m = UINT64_C(1) << 28; /* the largest that is allowed: no product may wrap around */
    error = (struct bm_error){0};
    cr_assert_eq(c.workload->plan(&c, &gpu, NULL, &plan, &error), BM_UNSUPPORTED);
    /* Keys and values share an arena, so their sum counts: 2 x 0.6 GiB */
    c = (struct bm_case){.workload = bm_workload_find("attention"),
                         .phase = BM_PHASE_DECODE,
                         .dtype = bm_dtype_find("f16"),
                         .batch = 1,
                         .heads = 32,
                         .kv_heads = 32,
                         .head_dim = 128,
                         .v_dim = 128,
                         .context = 78643};
    error = (struct bm_error){0};
    cr_assert_eq(c.workload->plan(&c, &tiny_gpu, NULL, &plan, &error), BM_UNSUPPORTED);
    cr_assert_str_eq(error.message,
                     "keys and values need 1.20 GiB, the device allocates at most 1.00 GiB at once");
}

Test(plan, attention_runs_under_the_contract_of_its_activations) {
    struct bm_case c = {.workload = bm_workload_find("attention"),
                        .phase = BM_PHASE_DECODE,
                        .batch = 1,
                        .heads = 4,
                        .kv_heads = 4,
                        .head_dim = 64,
                        .v_dim = 64,
                        .context = 100};
    for (size_t d = 0; bm_dtype_get(d); d++) {
        struct bm_error error = {0};
        struct bm_plan plan;
        c.dtype = bm_dtype_get(d);
        if (bm_dtype_of_activations(c.dtype) == c.dtype)
            continue;
        cr_assert_eq(c.workload->plan(&c, &cpu, NULL, &plan, &error), BM_UNSUPPORTED, "%s", c.dtype->name);
        cr_assert_not_null(strstr(error.message, c.dtype->name), "%s", error.message);
    }
}

Test(plan, decode_splits_the_context_to_fill_the_device) {
    struct bm_case c = {.workload = bm_workload_find("attention"),
                        .phase = BM_PHASE_DECODE,
                        .dtype = bm_dtype_find("f16"),
                        .batch = 1,
                        .heads = 32,
                        .kv_heads = 8,
                        .head_dim = 128,
                        .v_dim = 128};
    for (uint32_t context = 1; context < 20000; context = context * 3 + 1) {
        struct bm_plan plan;
        c.context = context;
        cr_assert_eq(c.workload->plan(&c, &gpu, NULL, &plan, NULL), BM_OK);
        const uint64_t splits = plan.launches[0].global[0] / plan.launches[0].local[0];
        uint64_t keys = 0;
        for (unsigned a = 0; a < plan.launches[0].argument_count; a++) /* the last count of all */
            if (plan.launches[0].arguments[a].kind == BM_ARGUMENT_UINT)
                keys = plan.launches[0].arguments[a].value;
        cr_assert(splits * keys >= context && (splits - 1) * keys < context, "no split is empty");
        cr_assert_eq(plan.tensors[4].count, 32 * splits * 130);
        if (context > 15000)
            cr_assert(splits * 8 >= 132 * 8 / 2, "%llu splits", (unsigned long long)splits);
    }
}
