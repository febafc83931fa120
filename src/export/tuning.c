/* What a tuner would search, and what it found. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "listing.h"
#include "quantity.h"
#include "wrap.h"

static const struct bm_endpoint *endpoint_of(const struct bm_inventory *inventory,
                                             const struct bm_tune_class *c) {
    return inventory->devices[c->device].endpoints[c->endpoint];
}

/* Before over after, less one; NaN: unknown. */
static double gain_of(const struct bm_tune_class *c) {
    double before = bm_tune_before_ns(c), after = bm_tune_after_ns(c);
    return c->status == BM_TUNE_IMPROVED && before > 0 && after > 0 ? before / after - 1 : (double)NAN;
}

static double known_or_nan(double ns) {
    return ns > 0 ? ns : (double)NAN;
}

static void append_parameters(const struct bm_parameters *parameters, struct bm_text *text) {
    for (unsigned i = 0; i < parameters->count; i++)
        bm_text_append(text, "%s%s=%lld", i > 0 ? " " : "", parameters->items[i].name,
                       (long long)parameters->items[i].value);
}

/* ---- JSON ---- */

static json_t *real_or_null(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *parameters_json(const struct bm_parameters *parameters) {
    json_t *object = parameters->count > 0 ? json_object() : json_null();
    for (unsigned i = 0; i < parameters->count; i++)
        json_object_set_new(object, parameters->items[i].name, json_integer(parameters->items[i].value));
    return object;
}

static json_t *cases_json(const struct bm_tune_class *c) {
    json_t *list = json_array();
    for (unsigned i = 0; i < c->case_count; i++) {
        char key[BM_KEY_SIZE];
        bm_case_key(&c->cases[i], key);
        json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "key", key, "before_ns",
                                              real_or_null(known_or_nan(c->before_ns[i])), "after_ns",
                                              real_or_null(known_or_nan(c->after_ns[i]))));
    }
    return list;
}

static json_t *class_json(const struct bm_tune_class *c, const struct bm_inventory *inventory) {
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "device", inventory->devices[c->device].id,
                               "backend", endpoint_of(inventory, c)->id, "workload", c->workload->name,
                               "dtype", c->dtype->name, "class", c->shape_class, "cases", cases_json(c));
    json_t *found = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:i, s:b}", "status",
                              bm_tune_status_name(c->status), "reason", bm_listing_text(c->reason), "gain",
                              real_or_null(gain_of(c)), "before_from", bm_listing_text(c->before_from),
                              "before", parameters_json(&c->before), "after", parameters_json(&c->after),
                              "tried", (int)c->tried, "refused", (int)c->refused, "unbuilt", (int)c->unbuilt,
                              "wrong", (int)c->wrong, "exhausted", (int)c->exhausted);
    if (object != NULL && found != NULL)
        json_object_update(object, found);
    json_decref(found);
    return object;
}

static enum bm_status tuning_json(const struct bm_tune_plan *plan, const struct bm_inventory *inventory,
                                  struct bm_text *text, struct bm_error *error) {
    json_t *classes = json_array();
    for (size_t i = 0; i < plan->count; i++)
        json_array_append_new(classes, class_json(&plan->classes[i], inventory));
    return bm_listing_json(json_pack("{s:f, s:o}", "budget_s", plan->budget_s, "classes", classes), text,
                           error);
}

/* ---- text ---- */

static bool same_group(const struct bm_tune_class *a, const struct bm_tune_class *b) {
    return a->device == b->device && a->endpoint == b->endpoint;
}

static void add_planned(const struct bm_tune_class *c, struct bm_table *table) {
    struct bm_text keys = {0};
    for (unsigned i = 0; i < c->case_count; i++) {
        char key[BM_KEY_SIZE];
        bm_case_key(&c->cases[i], key);
        bm_text_append(&keys, "%s%s", i > 0 ? " " : "", key);
    }
    const char *cells[] = {c->workload->name, c->dtype->name, c->shape_class,
                           keys.failed || keys.data == NULL ? "" : keys.data};
    bm_table_add(table, cells);
    bm_text_fini(&keys);
}

/* What was not searched or went wrong is said beneath the table. */
static void note_class(const struct bm_tune_class *c, struct bm_notes *notes) {
    char about[96], note[320];
    snprintf(about, sizeof about, "%s %s %s", c->workload->name, c->dtype->name, c->shape_class);
    notes->rows++;
    if (c->reason[0] != '\0') {
        snprintf(note, sizeof note, "%s: %s", bm_tune_status_name(c->status), c->reason);
        bm_notes_add(notes, about, note);
    } else if (c->status == BM_TUNE_PENDING) {
        bm_notes_add(notes, about, "not searched: no time was left");
    }
    if (c->wrong > 0)
        bm_notes_add(notes, about, "results of some candidates are wrong");
}

static void add_found(const struct bm_tune_class *c, struct bm_table *table, struct bm_notes *notes) {
    char before[BM_QUANTITY_SIZE], after[BM_QUANTITY_SIZE], gain[BM_QUANTITY_SIZE];
    struct bm_text parameters = {0};
    double was = c->status == BM_TUNE_IMPROVED ? bm_tune_before_ns(c) : c->before_ns[0];
    bm_quantity_time(before, known_or_nan(was));
    bm_quantity_time(after, known_or_nan(c->status == BM_TUNE_IMPROVED ? bm_tune_after_ns(c) : (double)NAN));
    bm_quantity_percent(gain, gain_of(c));
    if (c->status == BM_TUNE_IMPROVED)
        append_parameters(&c->after, &parameters);
    else if (c->status == BM_TUNE_UNCHANGED)
        bm_text_append(&parameters, "as %s", c->before_from);
    else
        bm_text_append(&parameters, "%s", bm_tune_status_name(c->status));
    const char *cells[] = {c->workload->name,
                           c->dtype->name,
                           c->shape_class,
                           before,
                           after,
                           gain,
                           parameters.failed || parameters.data == NULL ? "" : parameters.data};
    if (c->status == BM_TUNE_FAILED)
        bm_table_add_alarm(table, cells);
    else
        bm_table_add(table, cells);
    bm_text_fini(&parameters);
    note_class(c, notes);
}

static enum bm_status append_groups(const struct bm_tune_plan *plan, const struct bm_inventory *inventory,
                                    bool found, const struct bm_export_options *options, struct bm_text *text,
                                    struct bm_error *error) {
    static const struct bm_column planned_columns[] = {{"WORKLOAD", BM_ALIGN_LEFT},
                                                       {"DTYPE", BM_ALIGN_LEFT},
                                                       {"CLASS", BM_ALIGN_LEFT},
                                                       {"CASES", BM_ALIGN_WRAP}};
    static const struct bm_column found_columns[] = {{"WORKLOAD", BM_ALIGN_LEFT},  {"DTYPE", BM_ALIGN_LEFT},
                                                     {"CLASS", BM_ALIGN_LEFT},     {"BEFORE", BM_ALIGN_RIGHT},
                                                     {"AFTER", BM_ALIGN_RIGHT},    {"GAIN", BM_ALIGN_RIGHT},
                                                     {"PARAMETERS", BM_ALIGN_WRAP}};
    enum bm_status status = BM_OK;
    for (size_t i = 0; status == BM_OK && i < plan->count;) {
        const struct bm_tune_class *first = &plan->classes[i];
        struct bm_table *table;
        struct bm_notes notes = {0};
        bm_text_append(text, "%s%s, %s\n", i > 0 ? "\n" : "", inventory->devices[first->device].id,
                       endpoint_of(inventory, first)->id);
        status = bm_table_create(found ? found_columns : planned_columns,
                                 found ? BM_COUNT_OF(found_columns) : BM_COUNT_OF(planned_columns), options,
                                 &table, error);
        for (; status == BM_OK && i < plan->count && same_group(first, &plan->classes[i]); i++) {
            if (found)
                add_found(&plan->classes[i], table, &notes);
            else
                add_planned(&plan->classes[i], table);
        }
        if (status == BM_OK)
            status = bm_table_render(table, text, error);
        bm_table_destroy(table);
        enum bm_status noted = bm_notes_append(&notes, options->width, text, error);
        status = status == BM_OK ? noted : status;
    }
    return status;
}

static void append_summary(const struct bm_tune_plan *plan, struct bm_text *text) {
    size_t improved = 0, tried = 0, unbuilt = 0, wrong = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct bm_tune_class *c = &plan->classes[i];
        improved += c->status == BM_TUNE_IMPROVED;
        tried += c->tried;
        unbuilt += c->unbuilt;
        wrong += c->wrong;
    }
    bm_text_append(
        text, "\n%zu of %zu classes improved; %zu candidates tried, %zu did not build or run, %zu wrong\n",
        improved, plan->count, tried, unbuilt, wrong);
}

enum bm_status bm_export_tune_plan(const struct bm_tune_plan *plan, const struct bm_inventory *inventory,
                                   bool json, const struct bm_export_options *options, struct bm_text *text,
                                   struct bm_error *error) {
    if (json)
        return tuning_json(plan, inventory, text, error);
    enum bm_status status = append_groups(plan, inventory, false, options, text, error);
    bm_text_append(text, "\n%zu class%s, budget %.0f s\n", plan->count, plan->count != 1 ? "es" : "",
                   plan->budget_s);
    return status;
}

enum bm_status bm_export_tuning(const struct bm_tune_plan *plan, const struct bm_inventory *inventory,
                                bool json, const struct bm_export_options *options, struct bm_text *text,
                                struct bm_error *error) {
    if (json)
        return tuning_json(plan, inventory, text, error);
    enum bm_status status = append_groups(plan, inventory, true, options, text, error);
    append_summary(plan, text);
    return status;
}
