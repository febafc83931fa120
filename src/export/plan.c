#include <stdio.h>
#include <string.h>

#include "listing.h"
#include "quantity.h"

static const struct bm_endpoint *endpoint_of(const struct bm_inventory *inventory,
                                             const struct bm_run_item *item) {
    return inventory->devices[item->device].endpoints[item->endpoint];
}

static enum bm_status plan_json(const struct bm_run_plan *plan, const struct bm_inventory *inventory,
                                struct bm_text *text, struct bm_error *error) {
    json_t *cases = json_array();
    for (size_t i = 0; i < plan->item_count; i++) {
        const struct bm_run_item *item = &plan->items[i];
        char key[BM_KEY_SIZE], shared[BM_KEY_SIZE] = "";
        double flops, bytes;
        bm_run_item_work(plan, i, &flops, &bytes);
        bm_case_key(&item->the_case, key);
        if (item->measured_as != i)
            bm_case_key(&plan->items[item->measured_as].the_case, shared);
        json_array_append_new(cases, json_pack("{s:s, s:s, s:s, s:f, s:f, s:o}", "key", key, "device",
                                               inventory->devices[item->device].id, "backend",
                                               endpoint_of(inventory, item)->id, "flops", flops, "bytes",
                                               bytes, "measured_as", bm_listing_text(shared)));
    }
    return bm_listing_json(
        json_pack("{s:s, s:f, s:o}", "suite", plan->suite, "budget_s", plan->budget_s, "cases", cases), text,
        error);
}

enum bm_status bm_export_plan(const struct bm_run_plan *plan, const struct bm_inventory *inventory, bool json,
                              const struct bm_export_options *options, struct bm_text *text,
                              struct bm_error *error) {
    static const struct bm_column columns[] = {{"DEVICE", BM_ALIGN_LEFT},
                                               {"BACKEND", BM_ALIGN_LEFT},
                                               {"CASE", BM_ALIGN_WRAP},
                                               {"FLOP", BM_ALIGN_RIGHT},
                                               {"BYTES", BM_ALIGN_RIGHT}};
    struct bm_table *table;
    size_t measured = 0;
    if (json)
        return plan_json(plan, inventory, text, error);
    enum bm_status status = bm_table_create(columns, BM_COUNT_OF(columns), options, &table, error);
    for (size_t i = 0; status == BM_OK && i < plan->item_count; i++) {
        const struct bm_run_item *item = &plan->items[i];
        char key[BM_KEY_SIZE], flops[BM_QUANTITY_SIZE], bytes[BM_QUANTITY_SIZE];
        double operations, moved;
        bm_case_key(&item->the_case, key);
        bm_run_item_work(plan, i, &operations, &moved);
        bm_quantity_count(flops, operations);
        bm_quantity_bytes(bytes, moved);
        measured += item->measured_as == i;
        const char *cells[] = {inventory->devices[item->device].id, endpoint_of(inventory, item)->id, key,
                               flops, bytes};
        bm_table_add(table, cells);
    }
    if (status == BM_OK)
        status = bm_table_render(table, text, error);
    bm_table_destroy(table);
    if (status == BM_OK)
        bm_text_append(text, "\nsuite %s: %zu cases, %zu to measure, budget %.0f s\n", plan->suite,
                       plan->item_count, measured, plan->budget_s);
    if (status == BM_OK && plan->left_count > 0)
        bm_text_append(text, "%zu cases are left to backends that have kernels for them\n", plan->left_count);
    return status;
}
