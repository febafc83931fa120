#include "commands.h"

#include <stdlib.h>
#include <string.h>

enum exit_code command_end(enum bm_status status, const struct bm_error *error) {
    if (status != BM_OK)
        report_error(error);
    return exit_code_of(status);
}

enum bm_status command_wants_json(bool *json, struct bm_error *error) {
    *json = settings.format != NULL && strcmp(settings.format, "json") == 0;
    if (settings.format != NULL && !*json && strcmp(settings.format, "text") != 0)
        return bm_fail(error, BM_INVALID, "--format: '%.40s' is unknown: use text or json", settings.format);
    return BM_OK;
}

typedef enum bm_status (*listing)(bool json, const struct bm_export_options *options, struct bm_text *text,
                                  struct bm_error *error);

static enum bm_status list_devices(bool json, const struct bm_export_options *options, struct bm_text *text,
                                   struct bm_error *error) {
    struct bm_inventory inventory;
    enum bm_status status = bm_inventory_open(NULL, &inventory, error);
    if (status != BM_OK)
        return status;
    status = bm_export_devices(&inventory, json, options, text, error);
    bm_inventory_close(&inventory);
    return status;
}

static enum exit_code print_listing(listing list) {
    struct bm_error error = {0};
    struct bm_text text = {0};
    struct bm_export_options options = output_options();
    bool json;
    enum bm_status status = command_wants_json(&json, &error);
    if (status == BM_OK)
        status = list(json, &options, &text, &error);
    if (status == BM_OK)
        status = output_write(&text, &error);
    bm_text_fini(&text);
    return command_end(status, &error);
}

enum exit_code command_devices(void) {
    return print_listing(list_devices);
}

/* Those that are named, by id or file, else all. */
static enum bm_status list_models(bool json, const struct bm_export_options *options, struct bm_text *text,
                                  struct bm_error *error) {
    const size_t count = settings.files.count;
    if (count == 0)
        return bm_export_models(json, options, text, error);
    struct bm_model *models = bm_alloc(count, sizeof *models);
    enum bm_status status = models != NULL ? BM_OK : bm_fail(error, BM_NO_MEMORY, "out of memory for models");
    for (size_t i = 0; status == BM_OK && i < count; i++)
        status = bm_model_load(settings.files.items[i], &models[i], error);
    if (status == BM_OK)
        status = bm_export_model_list(models, count, json, options, text, error);
    free(models);
    return status;
}

enum exit_code command_models(void) {
    return print_listing(list_models);
}

enum exit_code command_workloads(void) {
    return print_listing(bm_export_workloads);
}

enum exit_code command_suites(void) {
    return print_listing(bm_export_suites);
}
