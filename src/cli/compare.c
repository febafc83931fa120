#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

static enum bm_status choose_sort(enum bm_compare_sort *sort, struct bm_error *error) {
    if (settings.sort == NULL)
        return BM_OK;
    for (int i = 0; bm_compare_sort_name((enum bm_compare_sort)i) != NULL; i++)
        if (strcmp(settings.sort, bm_compare_sort_name((enum bm_compare_sort)i)) == 0) {
            *sort = (enum bm_compare_sort)i;
            return BM_OK;
        }
    return bm_fail(error, BM_INVALID,
                   "--sort: '%.40s' is not suite, key, speedup, roofline, utilization or time",
                   settings.sort);
}

enum bm_status command_filter(struct bm_compare_filter *filter, struct bm_error *error) {
    /* an alias stands for the model whose shapes it has */
    for (size_t i = 0; i < settings.run.models.count; i++) {
        struct bm_model model;
        if (bm_model_load(settings.run.models.items[i], &model, NULL) != BM_OK)
            continue; /* a model of the files alone */
        char *id = strdup(model.id);
        if (id == NULL)
            return bm_fail(error, BM_NO_MEMORY, "out of memory");
        free(settings.run.models.items[i]);
        settings.run.models.items[i] = id;
    }
    *filter = (struct bm_compare_filter){
        .devices = settings.run.devices,
        .backends = settings.run.backends,
        .models = settings.run.models,
        .workloads = settings.run.workloads,
        .phases = settings.run.phases,
        .dtypes = settings.run.dtypes,
        .batches = {settings.run.batches.items, settings.run.batches.count},
        .tokens = {settings.run.tokens.items, settings.run.tokens.count},
        .contexts = {settings.run.contexts.items, settings.run.contexts.count},
    };
    return BM_OK;
}

static enum bm_status add_file(void *comparison, const char *path, struct bm_error *error) {
    return bm_comparison_add(comparison, path, error);
}

static enum bm_status write_report(const struct bm_comparison *comparison,
                                   const struct bm_export_format *format, struct bm_error *error) {
    struct bm_text text = {0};
    struct bm_export_options options = command_output_options();
    enum bm_status status = format->write_comparison(comparison, &options, &text, error);
    if (status == BM_OK)
        status = command_write(&text, error);
    bm_text_fini(&text);
    return status;
}

enum exit_code command_compare(void) {
    struct bm_error error = {0};
    struct bm_compare_options options = {.maps = settings.maps, .prices = settings.prices};
    const struct bm_export_format *format = NULL;
    struct bm_comparison *comparison = NULL;
    size_t left_out = 0;
    enum bm_status status = command_format(FORMAT_OF_COMPARISON, &format, &error);
    if (status == BM_OK)
        status = choose_sort(&options.sort, &error);
    options.only_changed = settings.only != NULL;
    if (status == BM_OK && settings.only != NULL && strcmp(settings.only, "changed") != 0)
        status = bm_fail(&error, BM_INVALID, "--only: '%.40s' is not 'changed'", settings.only);
    if (status == BM_OK && settings.files.count == 0)
        status =
            bm_fail(&error, BM_INVALID, "compare: name results files: benchmark compare OLD.json NEW.json");
    if (status == BM_OK)
        status = command_spare_inputs(&error);
    if (status == BM_OK)
        status = command_filter(&options.filter, &error);
    if (status == BM_OK)
        status = bm_comparison_create(&options, &comparison, &error);
    if (status == BM_OK)
        status = command_add_files(add_file, comparison, &left_out, &error);
    if (status == BM_OK && left_out > 0 && left_out == settings.files.count) {
        bm_comparison_destroy(comparison); /* all is said */
        return EXIT_USAGE;
    }
    if (status == BM_OK)
        status = bm_comparison_finish(comparison, &error);
    if (status == BM_INVALID && left_out > 0 && settings.files.count - left_out < 2) {
        bm_comparison_destroy(comparison); /* the broken file is why: it was told */
        return EXIT_USAGE;
    }
    if (status == BM_OK)
        status = write_report(comparison, format, &error);
    bm_comparison_destroy(comparison);
    enum exit_code code = command_end(status, &error);
    return code == EXIT_DONE && left_out > 0 ? EXIT_USAGE : code;
}
