#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"

/* The tuner takes the cases of a run's plan; its ceilings choose their parameters in every run. */
static enum bm_status plan_tuning(const struct bm_tune_options *options, const struct bm_inventory *inventory,
                                  struct bm_tune_plan *plan, struct bm_error *error) {
    struct bm_run_plan cases;
    enum bm_status status = bm_run_plan_create(&settings.run, inventory, &cases, error);
    if (status != BM_OK)
        return status;
    struct bm_tune_item *items = bm_alloc(cases.item_count, sizeof *items);
    size_t count = 0;
    for (size_t i = 0; items != NULL && i < cases.item_count; i++)
        if (!cases.items[i].is_ceiling && cases.items[i].measured_as == i &&
            !inventory->devices[cases.items[i].device].endpoints[cases.items[i].endpoint]->fixed_kernels)
            items[count++] = (struct bm_tune_item){.device = cases.items[i].device,
                                                   .endpoint = cases.items[i].endpoint,
                                                   .the_case = cases.items[i].the_case};
    status = items != NULL ? bm_tune_plan_create(options, items, count, plan, error)
                           : bm_fail(error, BM_NO_MEMORY, "out of memory for %zu cases", cases.item_count);
    free(items);
    bm_run_plan_fini(&cases);
    return status;
}

typedef enum bm_status (*report)(const struct bm_tune_plan *plan, const struct bm_inventory *inventory,
                                 bool json, const struct bm_export_options *options, struct bm_text *text,
                                 struct bm_error *error);

static enum bm_status print(report write, const struct bm_tune_plan *plan,
                            const struct bm_inventory *inventory, bool json, struct bm_error *error) {
    struct bm_text text = {0};
    struct bm_export_options options = output_options();
    enum bm_status status = write(plan, inventory, json, &options, &text, error);
    if (status == BM_OK)
        status = output_write(&text, error);
    bm_text_fini(&text);
    return status;
}

/* Names each file that now holds something new. */
static void name_files(const struct bm_tune_plan *plan, const struct bm_inventory *inventory, bool all) {
    for (size_t e = 0; e < inventory->endpoint_count && !settings.quiet; e++) {
        const struct bm_tuned_device device = bm_tune_device(&inventory->endpoints[e]);
        char path[PATH_MAX];
        bool improved = false;
        for (size_t c = 0; c < plan->count; c++)
            improved |= plan->classes[c].status == BM_TUNE_IMPROVED &&
                        inventory->devices[plan->classes[c].device].endpoints[plan->classes[c].endpoint] ==
                            &inventory->endpoints[e];
        if (improved && bm_tuned_cache_path(&device, path, sizeof path, NULL) == BM_OK)
            fprintf(stderr, "benchmark: %s %s\n",
                    all ? "the parameters are in" : "interrupted: what was found is in", path);
    }
}

static bool any_failed(const struct bm_tune_plan *plan) {
    for (size_t c = 0; c < plan->count; c++)
        if (plan->classes[c].status == BM_TUNE_FAILED)
            return true;
    return false;
}

static enum exit_code execute(const struct bm_tune_options *options, const struct bm_inventory *inventory,
                              struct bm_tune_plan *plan, bool json) {
    const struct bm_tune_observer observer = {.progress = progress_tune,
                                              .stop_requested = signals_stop_requested};
    signals_defer();
    struct bm_error error = {0}, output_error = {0};
    enum bm_status status = bm_tune_execute(options, inventory, &observer, plan, &error);
    progress_clear();
    if (status != BM_OK && status != BM_INTERRUPTED)
        return command_end(status, &error);
    enum bm_status printed = print(bm_export_tuning, plan, inventory, json, &output_error);
    name_files(plan, inventory, status == BM_OK);
    if (status != BM_OK)
        return exit_code_of(status);
    if (printed != BM_OK)
        return command_end(printed, &output_error);
    return any_failed(plan) ? EXIT_FAILED_ROWS : EXIT_DONE;
}

enum exit_code command_tune(void) {
    struct bm_error error = {0};
    struct bm_inventory inventory = {0};
    struct bm_tune_plan plan = {0};
    const struct bm_tune_options options = {.budget_s = settings.run.budget_s,
                                            .seed = settings.run.seed,
                                            .kernels_folder = settings.run.kernels_folder};
    enum exit_code code;
    bool json;
    enum bm_status status = command_wants_json(&json, &error);
    if (settings.run.suite == NULL)
        settings.run.suite = "quick";
    if (status == BM_OK)
        status = bm_inventory_open(NULL, &inventory, &error);
    if (status == BM_OK)
        status = plan_tuning(&options, &inventory, &plan, &error);
    if (status == BM_OK && settings.dry_run)
        status = print(bm_export_tune_plan, &plan, &inventory, json, &error);
    if (status == BM_OK && !settings.dry_run)
        code = execute(&options, &inventory, &plan, json);
    else
        code = command_end(status, &error);
    bm_tune_plan_fini(&plan);
    bm_inventory_close(&inventory);
    return code;
}
