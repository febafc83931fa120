/* The whole of a tuning over an invented backend: what is kept, what is told, what a broken device costs. Its
 * blocks take what a test says; only the budget is of real time, and large. */
#include "bm/tune.h"

#include "../data/fixture.h"

#include <math.h>
#include <sys/stat.h>

struct bm_session {
    unsigned prepared; /* alive */
};
struct bm_prepared {
    struct bm_session *session;
    struct bm_case the_case;
    struct bm_plan plan;
};

/* What the tests tell the backend to do. */
static struct {
    double (*cost_ns)(const struct bm_case *the_case, const struct bm_plan *plan);
    bool (*is_right)(const struct bm_plan *plan);
    unsigned break_after;    /* blocks; 0: never. A new session is whole again */
    uint64_t unreservable_n; /* such a case has no room */
    enum bm_status open_status;
    unsigned stop_after; /* candidates; 0: never */

    unsigned opened, open, blocks, built, groups_built, told;
    const char *last_variant;
} fake;
static const struct bm_target target = {.compute_units = 2,
                                        .max_group_items = 4096,
                                        .local_bytes = 1 << 20,
                                        .max_allocation_bytes = (uint64_t)4 << 30};
static struct bm_error error;

static enum bm_status open_session(const struct bm_endpoint *endpoint,
                                   const struct bm_session_options *options, struct bm_session **session,
                                   struct bm_error *e) {
    cr_assert_gt(options->cold_bytes, 0);
    *session = NULL;
    if (fake.open_status != BM_OK)
        return bm_fail(e, fake.open_status, "%s does not open", endpoint->id);
    *session = calloc(1, sizeof **session);
    fake.opened++;
    fake.open++;
    fake.blocks = 0;
    return BM_OK;
}

static void close_session(struct bm_session *session) {
    cr_assert_eq(session->prepared, 0, "a session goes after what was prepared in it");
    fake.open--;
    free(session);
}

static enum bm_status known(const struct bm_session *session, const struct bm_case *the_case,
                            struct bm_parameters *parameters, const char **from, struct bm_error *e) {
    struct bm_plan plan;
    (void)session;
    *from = "safe";
    enum bm_status status = the_case->workload->plan(the_case, &target, NULL, &plan, e);
    *parameters = plan.parameters;
    return status;
}

static enum bm_status reserve(struct bm_session *session, const struct bm_case *the_case,
                              const struct bm_parameters *parameters, struct bm_error *e) {
    (void)parameters;
    cr_assert_eq(session->prepared, 0, "room is made before anything is prepared");
    return the_case->n == fake.unreservable_n ? bm_fail(e, BM_NO_MEMORY, "needs too much") : BM_OK;
}

static enum bm_status prepare(struct bm_session *session, const struct bm_case *the_case,
                              const struct bm_parameters *parameters, struct bm_prepared **prepared,
                              struct bm_error *e) {
    struct bm_plan plan;
    *prepared = NULL;
    enum bm_status status = the_case->workload->plan(the_case, &target, parameters, &plan, e);
    if (status != BM_OK)
        return status;
    *prepared = malloc(sizeof **prepared);
    **prepared = (struct bm_prepared){.session = session, .the_case = *the_case, .plan = plan};
    session->prepared++;
    fake.built++;
    fake.groups_built += strcmp(plan.variant, "group_rows") == 0;
    return BM_OK;
}

static void discard(struct bm_prepared *prepared) {
    if (prepared != NULL)
        prepared->session->prepared--;
    free(prepared);
}

static enum bm_status verify(struct bm_prepared *prepared, uint64_t seed,
                             struct bm_verification *verification, struct bm_error *e) {
    bool right = fake.is_right == NULL || fake.is_right(&prepared->plan);
    (void)seed, (void)e;
    *verification = (struct bm_verification){
        .status = right ? BM_VERIFICATION_PASSED : BM_VERIFICATION_FAILED, .problem = "output 3 is 1, not 2"};
    return BM_OK;
}

static enum bm_status run(struct bm_prepared *prepared, uint64_t launches, struct bm_block *block,
                          struct bm_error *e) {
    *block = (struct bm_block){0};
    cr_assert(fake.is_right == NULL || fake.is_right(&prepared->plan), "only verified ones are timed");
    if (fake.break_after > 0 && ++fake.blocks > fake.break_after)
        return bm_fail(e, BM_DEVICE, "the device is gone");
    block->host_ns = (uint64_t)((double)launches * fake.cost_ns(&prepared->the_case, &prepared->plan));
    return BM_OK;
}

static const struct bm_target *get_target(const struct bm_session *session) {
    (void)session;
    return &target;
}

static const struct bm_backend backend = {.name = "fake",
                                          .open = open_session,
                                          .close = close_session,
                                          .known = known,
                                          .reserve = reserve,
                                          .prepare = prepare,
                                          .discard = discard,
                                          .verify = verify,
                                          .run = run,
                                          .target = get_target};
static struct bm_endpoint endpoints[] = {{.backend = &backend,
                                          .id = "opencl/fake",
                                          .name = "Fake",
                                          .driver = "1",
                                          .usable = true,
                                          .compute_units = 2,
                                          .memory_bytes = (uint64_t)16 << 30,
                                          .max_allocation_bytes = (uint64_t)4 << 30}};
static struct bm_device devices[] = {{.id = "cpu0", .endpoints = {&endpoints[0]}, .endpoint_count = 1}};
static const struct bm_inventory inventory = {
    .devices = devices, .count = 1, .endpoints = endpoints, .endpoint_count = 1};

static void on_progress(void *context, const struct bm_tune_progress *progress) {
    (void)context;
    fake.told++;
    cr_assert_lt(progress->done, progress->total);
    cr_assert(progress->current->status == BM_TUNE_PENDING || progress->current->tried > 0);
}

static bool stop_requested(void *context) {
    (void)context;
    return fake.stop_after > 0 && fake.built > fake.stop_after;
}

static const struct bm_tune_observer observer = {.progress = on_progress, .stop_requested = stop_requested};
static struct bm_tune_plan plan;

static void begin(void) {
    fixture_begin();
    setenv("XDG_CACHE_HOME", fixture_folder, 1);
}

static void end(void) {
    bm_tune_plan_fini(&plan);
    fixture_end();
}

TestSuite(execute, .init = begin, .fini = end);

/* GEMVs of these n, 0 ends; one class or several, by powers of four. */
static enum bm_status tune(double budget_s, const uint64_t *n) {
    const struct bm_tune_options options = {.budget_s = budget_s, .seed = 1};
    struct bm_tune_item items[8] = {0};
    size_t count = 0;
    for (; n[count] != 0; count++) {
        items[count].the_case = (struct bm_case){.workload = bm_workload_find("gemv"),
                                                 .model = "test",
                                                 .op = "qkv",
                                                 .phase = BM_PHASE_DECODE,
                                                 .dtype = bm_dtype_find("f32"),
                                                 .m = 1,
                                                 .n = n[count],
                                                 .k = 4096};
    }
    bm_tune_plan_fini(&plan);
    error = (struct bm_error){0};
    cr_assert_eq(bm_tune_plan_create(&options, items, count, &plan, &error), BM_OK, "%s", error.message);
    enum bm_status status = bm_tune_execute(&options, &inventory, &observer, &plan, &error);
    cr_expect_eq(fake.open, 0, "sessions are closed");
    return status;
}

static double value(const struct bm_plan *p, const char *name) {
    return (double)bm_parameters_get(&p->parameters, name, -1);
}

/* 8 rows at once are best; ten times that with work-items that share them. */
static double best_at_8_rows(const struct bm_case *c, const struct bm_plan *p) {
    return (double)c->n * 10 * (1 + 0.2 * fabs(log2(value(p, "ROWS") / 8))) *
           (value(p, "LANES") > 1 ? 10 : 1);
}

static struct bm_tuned_list saved(void) {
    struct bm_tuned_list list;
    const struct bm_tuned_device device = bm_tune_device(&endpoints[0]);
    char kernels[512];
    cr_assert_eq(bm_data_path("kernels", kernels, sizeof kernels, NULL), BM_OK);
    cr_assert_eq(bm_tuned_cache_load(&device, kernels, &list, &error), BM_OK, "%s", error.message);
    return list;
}

static size_t count_saved(void) {
    struct bm_tuned_list list = saved();
    size_t count = list.count;
    bm_tuned_list_fini(&list);
    return count;
}

Test(execute, what_is_faster_is_kept) {
    fake.cost_ns = best_at_8_rows;
    cr_assert_eq(tune(1000, (uint64_t[]){4096, 12288, 32000, 0}), BM_OK, "%s", error.message);
    cr_assert_eq(plan.count, 2);
    struct bm_tuned_list list = saved();
    cr_assert_eq(list.count, 2);
    for (size_t i = 0; i < plan.count; i++) {
        const struct bm_tune_class *c = &plan.classes[i];
        cr_expect_eq(c->status, BM_TUNE_IMPROVED);
        cr_expect_eq(bm_parameters_get(&c->after, "ROWS", 0), 8);
        cr_expect_neq(bm_parameters_get(&c->before, "ROWS", 0), 8);
        cr_expect_str_eq(c->before_from, "safe");
        cr_expect(c->exhausted && c->tried > 3 && c->wrong == 0 && c->unbuilt == 0);
        for (unsigned k = 0; k < c->case_count; k++) {
            cr_expect_float_eq(c->after_ns[k], 10.0 * (double)c->cases[k].n, 1);
            cr_expect_gt(c->before_ns[k], c->after_ns[k]);
        }
        const struct bm_tuned_entry *entry = bm_tuned_find(&list, "gemv", "f32", c->shape_class);
        cr_assert_not_null(entry);
        cr_expect_eq(bm_parameters_hash(&entry->parameters), bm_parameters_hash(&c->after));
        cr_expect_str_eq(entry->source, "gemv.cl");
        cr_expect_float_eq(entry->ns, bm_tune_after_ns(c), 1);
        cr_expect_float_eq(entry->before_ns, bm_tune_before_ns(c), 1);
    }
    cr_expect_lt(plan.classes[1].tried, plan.classes[0].tried, "what won before is a good start");
    cr_expect_eq(fake.opened, 1);
    cr_expect_gt(fake.told, 10);
    bm_tuned_list_fini(&list);
}

static double flat(const struct bm_case *c, const struct bm_plan *p) {
    (void)p;
    return (double)c->n * 10;
}

Test(execute, what_is_not_faster_is_not_kept) {
    fake.cost_ns = flat;
    cr_assert_eq(tune(1000, (uint64_t[]){4096, 0}), BM_OK, "%s", error.message);
    cr_expect_eq(plan.classes[0].status, BM_TUNE_UNCHANGED);
    cr_expect_eq(bm_parameters_hash(&plan.classes[0].after), bm_parameters_hash(&plan.classes[0].before));
    cr_expect_eq(count_saved(), 0);
}

/* Best for the first case, worst for the large one. */
static double best_for_one(const struct bm_case *c, const struct bm_plan *p) {
    double rows = value(p, "ROWS");
    return (double)c->n * 10 * (c->n == 4096 ? 1 / rows : rows);
}

Test(execute, what_wins_on_one_case_has_to_win_on_all) {
    fake.cost_ns = best_for_one;
    cr_assert_eq(tune(1000, (uint64_t[]){4096, 12288, 0}), BM_OK, "%s", error.message);
    cr_expect_eq(plan.classes[0].status, BM_TUNE_UNCHANGED);
    cr_expect_gt(bm_tune_after_ns(&plan.classes[0]), bm_tune_before_ns(&plan.classes[0]));
    cr_expect_eq(bm_parameters_hash(&plan.classes[0].after), bm_parameters_hash(&plan.classes[0].before));
    cr_expect_eq(count_saved(), 0);
}

static bool few_rows(const struct bm_plan *p) {
    return value(p, "ROWS") < 8;
}

Test(execute, what_is_wrong_is_not_kept) {
    fake.cost_ns = best_at_8_rows;
    fake.is_right = few_rows;
    cr_assert_eq(tune(1000, (uint64_t[]){4096, 0}), BM_OK, "%s", error.message);
    const struct bm_tune_class *c = &plan.classes[0];
    cr_expect_eq(c->status, BM_TUNE_IMPROVED);
    cr_expect_eq(bm_parameters_get(&c->after, "ROWS", 0), 7, "the best of the right ones");
    cr_expect_gt(c->wrong, 0);
}

static bool never(const struct bm_plan *p) {
    (void)p;
    return false;
}

Test(execute, nothing_that_is_right_is_a_failure) {
    fake.cost_ns = best_at_8_rows;
    fake.is_right = never;
    cr_assert_eq(tune(1000, (uint64_t[]){4096, 0}), BM_OK);
    cr_expect_eq(plan.classes[0].status, BM_TUNE_FAILED);
    cr_expect_not_null(strstr(plan.classes[0].reason, "verification failed: output 3 is 1"), "%s",
                       plan.classes[0].reason);
    cr_expect_eq(count_saved(), 0);
}

Test(execute, a_broken_device_gets_a_fresh_session) {
    fake.cost_ns = best_at_8_rows;
    fake.break_after = 40;
    cr_assert_eq(tune(1000, (uint64_t[]){1024, 4096, 32000, 0}), BM_OK, "%s", error.message);
    cr_assert_eq(plan.count, 3);
    cr_expect_eq(fake.opened, 3, "each search broke its own");
    for (size_t i = 0; i < plan.count; i++)
        cr_expect(plan.classes[i].status == BM_TUNE_UNCHANGED && plan.classes[i].tried > 1);
}

Test(execute, a_device_that_does_not_open) {
    fake.open_status = BM_DEVICE;
    cr_assert_eq(tune(1000, (uint64_t[]){4096, 32000, 0}), BM_OK);
    for (size_t i = 0; i < plan.count; i++) {
        cr_expect_eq(plan.classes[i].status, BM_TUNE_FAILED);
        cr_expect_str_eq(plan.classes[i].reason, "opencl/fake does not open");
    }
    fake.open_status = BM_UNSUPPORTED;
    cr_assert_eq(tune(1000, (uint64_t[]){4096, 0}), BM_OK);
    cr_expect_eq(plan.classes[0].status, BM_TUNE_SKIPPED);
}

Test(execute, what_has_no_room_is_skipped_and_the_rest_goes_on) {
    fake.cost_ns = best_at_8_rows;
    fake.unreservable_n = 32000;
    cr_assert_eq(tune(1000, (uint64_t[]){32000, 4096, 0}), BM_OK, "%s", error.message);
    cr_expect_eq(plan.classes[0].status, BM_TUNE_SKIPPED);
    cr_expect_str_eq(plan.classes[0].reason, "needs too much");
    cr_expect_eq(plan.classes[1].status, BM_TUNE_IMPROVED);
}

Test(execute, an_interrupt_keeps_what_was_found) {
    fake.cost_ns = best_at_8_rows;
    fake.stop_after = 1;
    cr_assert_eq(tune(1000, (uint64_t[]){4096, 32000, 0}), BM_INTERRUPTED);
    cr_expect_eq(count_saved(), 0);
    fake.stop_after = 0, fake.built = 0;
    cr_assert_eq(tune(1000, (uint64_t[]){4096, 0}), BM_OK);
    unsigned of_one = fake.built;
    fake.stop_after = of_one + 2, fake.built = 0; /* in the second class */
    cr_assert_eq(tune(1000, (uint64_t[]){4096, 32000, 0}), BM_INTERRUPTED);
    cr_expect_eq(plan.classes[0].status, BM_TUNE_IMPROVED);
    cr_expect_eq(count_saved(), 1);
}

/* Another variant of the kernel only where there is time to waste on it. */
Test(execute, variants_of_the_seeds_unless_there_is_time) {
    fake.cost_ns = best_at_8_rows;
    cr_assert_eq(tune(50, (uint64_t[]){4096, 0}), BM_OK, "%s", error.message);
    cr_expect_eq(fake.groups_built, 0);
    cr_assert_eq(tune(100, (uint64_t[]){4096, 0}), BM_OK, "%s", error.message);
    cr_expect_gt(fake.groups_built, 0);
    cr_expect_eq(bm_parameters_get(&plan.classes[0].after, "LANES", 0), 1);
}

Test(execute, a_folder_that_cannot_be_written_is_told_before_anything_runs) {
    fake.cost_ns = flat;
    setenv("XDG_CACHE_HOME", fixture_write("file", "", 0), 1);
    cr_expect_eq(tune(1000, (uint64_t[]){4096, 0}), BM_IO);
    cr_expect_not_null(strstr(error.message, "/file/benchmark"), "%s", error.message);
    cr_expect_eq(fake.opened, 0);
}
