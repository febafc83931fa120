#include <stdio.h>
#include <stdlib.h>

#include "bm/model.h"
#include "listing.h"
#include "quantity.h"

/* ---- models ---- */

static json_t *known_count(double value) {
    return value > 0 ? json_real(value) : json_null();
}

static json_t *model_json(const struct bm_model *model) {
    struct bm_model_size size;
    json_t *aliases = json_array(), *active = json_object();
    bm_model_size(model, &size);
    for (unsigned i = 0; i < model->alias_count; i++)
        json_array_append_new(aliases, bm_listing_text(model->aliases[i]));
    for (int i = 0; i < BM_ACTIVE_COUNT; i++)
        json_object_set_new(active, bm_active_name((enum bm_active)i), json_real(size.active[i]));
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:f, s:o, s:o, s:o, s:s, s:f, s:I, s:I, s:I, s:b, s:o}", "id",
                     model->id, "name", bm_listing_text(model->name), "family",
                     bm_listing_text(model->family), "released", bm_listing_text(model->released), "aliases",
                     aliases, "parameters", size.parameters, "published_parameters",
                     known_count(model->parameters), "published_active_parameters",
                     known_count(model->active_parameters), "active_parameters", active, "active_counts",
                     bm_active_name(size.convention), "kv_bytes_per_token", 2 * size.kv_elements, "layers",
                     (json_int_t)model->layers, "hidden", (json_int_t)model->hidden, "max_context",
                     (json_int_t)model->max_context, "shapes_verified", model->shapes_verified, "source",
                     bm_listing_text(model->source));
}

static void add_model(const struct bm_model *model, struct bm_table *table) {
    static const char *const attention[] = {
        [BM_ATTENTION_MHA] = "MHA", [BM_ATTENTION_GQA] = "GQA", [BM_ATTENTION_MLA] = "MLA"};
    static const char *const counts[] = {
        [BM_ACTIVE_CORE] = "core", [BM_ACTIVE_HEAD] = "+head", [BM_ACTIVE_ALL] = "all"};
    char parameters[BM_QUANTITY_SIZE], active[BM_QUANTITY_SIZE], kv[BM_QUANTITY_SIZE];
    struct bm_model_size size;
    struct bm_text kind = {0};
    bm_model_size(model, &size);
    bm_quantity_count(parameters, size.parameters);
    bm_quantity_count(active, size.active[size.convention]);
    bm_quantity_bytes(kv, 2 * size.kv_elements);
    bm_text_append(&kind, "%s%s", attention[model->attention], model->experts > 0 ? ", experts" : "");
    if (model->mamba_layers > 0)
        bm_text_append(&kind, ", Mamba-2");
    const char *cells[] = {model->id, parameters, active, counts[size.convention], kv, kind.data};
    bm_table_add(table, cells);
    bm_text_fini(&kind);
}

enum bm_status bm_export_model_list(const struct bm_model *models, size_t count, bool json,
                                    const struct bm_export_options *options, struct bm_text *text,
                                    struct bm_error *error) {
    static const struct bm_column columns[] = {{"MODEL", BM_ALIGN_LEFT},     {"PARAMS", BM_ALIGN_RIGHT},
                                               {"ACTIVE", BM_ALIGN_RIGHT},   {"COUNTS", BM_ALIGN_LEFT},
                                               {"KV/TOKEN", BM_ALIGN_RIGHT}, {"KIND", BM_ALIGN_WRAP}};
    struct bm_table *table = NULL;
    enum bm_status status;
    if (json) {
        json_t *list = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(list, model_json(&models[i]));
        return bm_listing_json(json_pack("{s:o}", "models", list), text, error);
    }
    status = bm_table_create(columns, BM_COUNT_OF(columns), options, &table, error);
    for (size_t i = 0; status == BM_OK && i < count; i++)
        add_model(&models[i], table);
    if (status == BM_OK)
        status = bm_table_render(table, text, error);
    bm_table_destroy(table);
    return status;
}

enum bm_status bm_export_models(bool json, const struct bm_export_options *options, struct bm_text *text,
                                struct bm_error *error) {
    struct bm_model *models;
    size_t count;
    enum bm_status status = bm_model_list(&models, &count, error);
    if (status == BM_OK)
        status = bm_export_model_list(models, count, json, options, text, error);
    free(models);
    return status;
}

/* ---- suites ---- */

enum bm_status bm_export_suites(bool json, const struct bm_export_options *options, struct bm_text *text,
                                struct bm_error *error) {
    static const struct bm_column columns[] = {
        {"SUITE", BM_ALIGN_LEFT}, {"BUDGET", BM_ALIGN_RIGHT}, {"DESCRIPTION", BM_ALIGN_WRAP}};
    struct bm_suite *suites;
    struct bm_table *table;
    json_t *list = json_array();
    size_t count;
    enum bm_status status = bm_suite_list(&suites, &count, error);
    if (status != BM_OK) {
        json_decref(list);
        return status;
    }
    status = bm_table_create(columns, BM_COUNT_OF(columns), options, &table, error);
    for (size_t i = 0; status == BM_OK && i < count; i++) {
        char budget[32];
        snprintf(budget, sizeof budget, "%.0f s", suites[i].budget_s);
        const char *cells[] = {suites[i].name, budget, suites[i].description};
        bm_table_add(table, cells);
        json_array_append_new(list, json_pack("{s:s, s:f, s:o}", "name", suites[i].name, "budget_s",
                                              suites[i].budget_s, "description",
                                              bm_listing_text(suites[i].description)));
    }
    if (status == BM_OK && json)
        status = bm_listing_json(json_pack("{s:O}", "suites", list), text, error);
    else if (status == BM_OK)
        status = bm_table_render(table, text, error);
    json_decref(list);
    bm_table_destroy(table);
    free(suites);
    return status;
}

/* ---- workloads, and the number formats that they run in ---- */

static enum bm_status list_workloads(const struct bm_export_options *options, struct bm_table **table,
                                     json_t *list, struct bm_error *error) {
    static const struct bm_column columns[] = {
        {"WORKLOAD", BM_ALIGN_LEFT}, {"KIND", BM_ALIGN_LEFT}, {"DESCRIPTION", BM_ALIGN_WRAP}};
    enum bm_status status = bm_table_create(columns, BM_COUNT_OF(columns), options, table, error);
    for (size_t i = 0; status == BM_OK && bm_workload_get(i) != NULL; i++) {
        const struct bm_workload *workload = bm_workload_get(i);
        const char *kind = workload->is_ceiling ? "ceiling" : "operation";
        const char *cells[] = {workload->name, kind, workload->summary};
        bm_table_add(*table, cells);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", workload->name, "kind", kind,
                                              "description", workload->summary));
    }
    return status;
}

static enum bm_status list_dtypes(const struct bm_export_options *options, struct bm_table **table,
                                  json_t *list, struct bm_error *error) {
    static const struct bm_column columns[] = {{"DTYPE", BM_ALIGN_LEFT}, {"DESCRIPTION", BM_ALIGN_WRAP}};
    enum bm_status status = bm_table_create(columns, BM_COUNT_OF(columns), options, table, error);
    for (size_t i = 0; status == BM_OK && bm_dtype_get(i) != NULL; i++) {
        const struct bm_dtype *dtype = bm_dtype_get(i);
        const char *cells[] = {dtype->name, dtype->summary};
        bm_table_add(*table, cells);
        json_array_append_new(list,
                              json_pack("{s:s, s:s}", "name", dtype->name, "description", dtype->summary));
    }
    return status;
}

enum bm_status bm_export_workloads(bool json, const struct bm_export_options *options, struct bm_text *text,
                                   struct bm_error *error) {
    struct bm_table *workloads = NULL, *dtypes = NULL;
    json_t *workload_list = json_array(), *dtype_list = json_array();
    enum bm_status status = list_workloads(options, &workloads, workload_list, error);
    if (status == BM_OK)
        status = list_dtypes(options, &dtypes, dtype_list, error);
    if (status == BM_OK && json) {
        status = bm_listing_json(json_pack("{s:O, s:O}", "workloads", workload_list, "dtypes", dtype_list),
                                 text, error);
    } else if (status == BM_OK) {
        status = bm_table_render(workloads, text, error);
        bm_text_append(text, "\n");
        if (status == BM_OK)
            status = bm_table_render(dtypes, text, error);
    }
    json_decref(workload_list);
    json_decref(dtype_list);
    bm_table_destroy(workloads);
    bm_table_destroy(dtypes);
    return status;
}
