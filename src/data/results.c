#include "results.h"

#include <stdlib.h>

static json_t *tool_json(struct bm_json_writer *writer, const struct bm_results_tool *tool) {
    json_t *object = bm_json_object(writer), *build = bm_json_object(writer);
    bm_json_put_text(writer, build, "compiler", tool->compiler);
    bm_json_put_text(writer, build, "type", tool->build_type);
    bm_json_put_text(writer, object, "name", "benchmark");
    bm_json_put_text(writer, object, "version", tool->version);
    bm_json_put_text(writer, object, "commit", tool->commit);
    bm_json_put(writer, object, "build", build);
    bm_json_put_text(writer, object, "kernels_sha256", tool->kernels_sha256);
    return object;
}

static json_t *topology_json(struct bm_json_writer *writer, const struct bm_results_host *host) {
    json_t *object = bm_json_object(writer), *caches = bm_json_array(writer);
    for (unsigned i = 0; i < host->cache_count; i++) {
        json_t *cache = bm_json_object(writer);
        bm_json_put_number(writer, cache, "level", host->caches[i].level);
        bm_json_put_number(writer, cache, "count", host->caches[i].count);
        bm_json_put_number(writer, cache, "bytes", host->caches[i].bytes);
        bm_json_put_count(writer, cache, "line_bytes", host->caches[i].line_bytes);
        bm_json_append(writer, caches, cache);
    }
    bm_json_put_count(writer, object, "packages", host->packages);
    bm_json_put_count(writer, object, "cores", host->cores);
    bm_json_put_count(writer, object, "threads", host->threads);
    bm_json_put_count(writer, object, "numa_nodes", host->numa_nodes);
    bm_json_put(writer, object, "caches", caches);
    return object;
}

static json_t *host_json(struct bm_json_writer *writer, const struct bm_results_host *host) {
    json_t *object = bm_json_object(writer);
    bm_json_put_text(writer, object, "hostname", host->hostname);
    bm_json_put_text(writer, object, "os", host->os);
    bm_json_put_text(writer, object, "kernel", host->kernel);
    bm_json_put_text(writer, object, "cpu_model", host->cpu_model);
    bm_json_put_count(writer, object, "memory_bytes", host->memory_bytes);
    bm_json_put_text(writer, object, "virtualized", host->virtualized);
    bm_json_put_text(writer, object, "governor", host->governor);
    bm_json_put(writer, object, "topology", topology_json(writer, host));
    bm_json_put(writer, object, "environment", bm_results_environment_json(writer, &host->environment));
    return object;
}

static json_t *settings_json(struct bm_json_writer *writer, const struct bm_results_settings *settings) {
    json_t *object = bm_json_object(writer), *command = bm_json_array(writer);
    for (char **word = settings->command; word != NULL && *word != NULL; word++) {
        json_t *text = json_string(*word);
        bm_json_append(writer, command, text != NULL ? text : json_null()); /* not UTF-8 */
    }
    bm_json_put_text(writer, object, "suite", settings->suite);
    bm_json_put_number(writer, object, "seed", settings->seed);
    bm_json_put_real(writer, object, "budget_s", settings->budget_s);
    bm_json_put_real(writer, object, "target_half_width", settings->target_half_width);
    bm_json_put_real(writer, object, "between_runs", settings->between_runs);
    bm_json_put_text(writer, object, "cache", settings->hot ? "hot" : "cold");
    bm_json_put(writer, object, "command", command);
    return object;
}

enum bm_status bm_results_format(const struct bm_results *results, struct bm_text *text,
                                 struct bm_error *error) {
    struct bm_json_writer writer = {0};
    json_t *root = bm_json_object(&writer), *devices = bm_json_array(&writer), *rows = bm_json_array(&writer);
    for (size_t i = 0; i < results->device_count; i++)
        bm_json_append(&writer, devices, bm_results_device_json(&writer, results, &results->devices[i]));
    for (size_t i = 0; i < results->row_count; i++)
        bm_json_append(&writer, rows, bm_results_row_json(&writer, results, &results->rows[i]));
    bm_json_put_text(&writer, root, "schema_version", BM_SCHEMA_VERSION);
    bm_json_put_text(&writer, root, "id", results->id);
    bm_json_put_text(&writer, root, "created", results->created);
    bm_json_put_bool(&writer, root, "complete", results->complete);
    bm_json_put(&writer, root, "ab", json_null());
    bm_json_put(&writer, root, "tool", tool_json(&writer, &results->tool));
    bm_json_put(&writer, root, "host", host_json(&writer, &results->host));
    bm_json_put(&writer, root, "settings", settings_json(&writer, &results->settings));
    bm_json_put(&writer, root, "devices", devices);
    bm_json_put(&writer, root, "results", rows);

    /* 10 digits carry more than any timer; the default 17 double the file. */
    char *dumped = writer.failed ? NULL : json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(10));
    json_decref(root);
    if (dumped != NULL) {
        bm_text_append(text, "%s\n", dumped);
        free(dumped);
    }
    if (dumped == NULL || text->failed)
        return bm_fail(error, BM_NO_MEMORY, "out of memory while writing the results");
    return BM_OK;
}

void bm_results_fini(struct bm_results *results) {
    for (size_t i = 0; i < results->device_count; i++) {
        free(results->devices[i].ceilings);
        free(results->devices[i].summaries);
    }
    free(results->devices);
    free(results->rows);
    *results = (struct bm_results){0};
}
