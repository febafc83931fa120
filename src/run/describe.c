#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

static void describe_backend(const struct bm_endpoint *endpoint, struct bm_results_backend *backend) {
    *backend = (struct bm_results_backend){.compute_units = endpoint->compute_units,
                                           .memory_bytes = endpoint->memory_bytes,
                                           .max_allocation_bytes = endpoint->max_allocation_bytes};
    bm_string_set(backend->id, sizeof backend->id, endpoint->id);
    bm_string_set(backend->name, sizeof backend->name, endpoint->name);
    bm_string_set(backend->driver, sizeof backend->driver, endpoint->driver);
    bm_string_set(backend->version, sizeof backend->version, endpoint->version);
    bm_string_set(backend->platform, sizeof backend->platform, endpoint->platform);
}

static void describe_device(const struct bm_device *device, struct bm_results_device *out) {
    *out = (struct bm_results_device){
        .is_gpu = device->is_gpu,
        .compute_units = device->compute_units,
        .clock_mhz = device->clock_mhz,
        .memory_bytes = device->memory_bytes,
        .llc_bytes = device->llc_bytes,
        .datasheet = device->datasheet,
        .packages = device->package_count,
    };
    bm_string_set(out->id, sizeof out->id, device->id);
    bm_string_set(out->hardware, sizeof out->hardware, device->hardware);
    bm_string_set(out->isa, sizeof out->isa, bm_isa_name(device->isa));
    bm_string_set(out->name, sizeof out->name, device->name);
    bm_string_set(out->vendor, sizeof out->vendor, device->vendor);
    bm_string_set(out->architecture, sizeof out->architecture, device->architecture);
    bm_string_set(out->fingerprint, sizeof out->fingerprint, device->fingerprint);
    if (device->has_pci)
        bm_pci_format(&device->pci, out->pci);
    for (unsigned i = 0; i < device->numa_count && i < BM_COUNT_OF(out->numa); i++)
        out->numa[out->numa_count++] = device->numa[i];
    for (unsigned i = 0; i < device->endpoint_count && i < BM_COUNT_OF(out->backends); i++)
        describe_backend(device->endpoints[i], &out->backends[out->backend_count++]);
}

static bool starts_path(const char *at) {
    size_t up = strspn(at, "."); /* "./" and "../" */
    return (up <= 2 && at[up] == '/' && at[up + 1] != ' ' && at[up + 1] != '\0') || strncmp(at, "~/", 2) == 0;
}

/* Messages of the system and of compilers name files: a path becomes "<path>", what follows its colon stays.
 */
void bm_run_hide_paths(const struct bm_run *run, char *message, size_t size) {
    const char *folder = run->options->kernels_folder;
    size_t folder_length = folder != NULL ? strlen(folder) : 0;
    struct bm_text text = {0};
    if (!run->options->anonymize)
        return;
    for (const char *at = message; *at != '\0';) {
        bool word = at == message || strchr(" '\"(=<`", at[-1]) != NULL;
        bool own = word && folder_length > 0 && strncmp(at, folder, folder_length) == 0;
        if (own || (word && starts_path(at))) {
            at += own ? folder_length : 0;
            at += strcspn(at, " '\")>`:,;|");
            bm_text_append(&text, "<path>");
        } else {
            bm_text_append_bytes(&text, at++, 1);
        }
    }
    bm_string_set(message, size, text.failed || text.data == NULL ? "" : text.data);
    bm_text_fini(&text);
}

/* Words of the command that name a file: by a slash, by the ending of our files, or by their option. */
static bool is_file(const char *word, const char *before) {
    return strchr(word, '/') != NULL || strstr(word, ".json") != NULL || strcmp(before, "--output") == 0 ||
           strcmp(before, "--kernels") == 0 || strncmp(word, "--output=", 9) == 0 ||
           strncmp(word, "--kernels=", 10) == 0;
}

/* The program's own path says nothing; with --anonymize no other path may name a user either. */
static enum bm_status copy_command(struct bm_run *run, struct bm_error *error) {
    static char program[] = "benchmark", hidden[] = "<path>";
    char **given = run->options->command;
    size_t count = 0;
    while (given != NULL && given[count] != NULL)
        count++;
    run->command = bm_alloc(count + 1, sizeof *run->command);
    if (run->command == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++)
        run->command[i] = i == 0                                                       ? program
                          : run->options->anonymize && is_file(given[i], given[i - 1]) ? hidden
                                                                                       : given[i];
    return BM_OK;
}

static bool is_planned(const struct bm_run *run, size_t device) {
    for (size_t i = 0; i < run->plan->item_count; i++)
        if (run->plan->items[i].device == device)
            return true;
    return false;
}

enum bm_status bm_run_start_results(struct bm_run *run, struct bm_error *error) {
    struct bm_results *results = &run->results;
    const struct bm_run_options *options = run->options;
    bm_uuid(results->id);
    bm_time_utc(results->created, false);
    results->flag_name = bm_flag_name;
    bm_run_tool(options->kernels_folder, &results->tool);
    bm_run_describe_host(run, &results->host);
    results->settings = (struct bm_results_settings){.seed = options->seed,
                                                     .budget_s = run->plan->budget_s,
                                                     .target_half_width = run->plan->target_half_width,
                                                     .between_runs = BM_BETWEEN_RUNS,
                                                     .hot = options->hot};
    bm_string_set(results->settings.suite, sizeof results->settings.suite, run->plan->suite);
    enum bm_status status = copy_command(run, error);
    if (status != BM_OK)
        return status;
    results->settings.command = run->command;
    results->devices = bm_alloc(run->inventory->count, sizeof *results->devices);
    results->rows = bm_alloc(run->plan->item_count, sizeof *results->rows);
    if (results->devices == NULL || results->rows == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu rows", run->plan->item_count);
    for (size_t d = 0; d < run->inventory->count; d++)
        if (is_planned(run, d))
            describe_device(&run->inventory->devices[d], &results->devices[results->device_count++]);
    return BM_OK;
}
