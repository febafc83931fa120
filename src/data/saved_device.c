/* The devices of a results file. */
#include "saved_tables.h"

static const struct bm_stream_field ceiling_fields[] = {
    NEEDED(TEXT, struct bm_saved_ceiling, "resource", resource),
    FIELD(TEXT, struct bm_saved_ceiling, "pipe", pipe),
    NEEDED(TEXT, struct bm_saved_ceiling, "backend", backend),
    FIELD(COUNT32, struct bm_saved_ceiling, "threads", threads),
    FIELD(NUMBER, struct bm_saved_ceiling, "value", value),
    FIELD(TEXT, struct bm_saved_ceiling, "unit", unit),
    FIELD(INTERVAL, struct bm_saved_ceiling, "ci", interval),
    CUSTOM(struct bm_saved_ceiling, "flags", flags, bm_saved_read_flags),
};
static const struct bm_stream_field ceiling_item = OBJECT("", ceiling_fields);

static const struct bm_stream_field name_item = {.kind = BM_STREAM_TEXT,
                                                 .size = sizeof(struct bm_saved_name)};

static const struct bm_stream_field use_fields[] = {
    NEEDED(TEXT, struct bm_saved_use, "key", key),
    NEEDED(NUMBER, struct bm_saved_use, "count", count),
};
static const struct bm_stream_field use_item = OBJECT("", use_fields);

static const struct bm_stream_field summary_fields[] = {
    NEEDED(TEXT, struct bm_saved_summary, "backend", backend),
    NEEDED(TEXT, struct bm_saved_summary, "model", model),
    NEEDED(TEXT, struct bm_saved_summary, "phase", phase),
    NEEDED(TEXT, struct bm_saved_summary, "dtype", dtype),
    FIELD(TEXT, struct bm_saved_summary, "kv", kv),
    FIELD(COUNT32, struct bm_saved_summary, "batch", batch),
    FIELD(COUNT32, struct bm_saved_summary, "tokens", tokens),
    FIELD(COUNT32, struct bm_saved_summary, "context", context),
    FIELD(NUMBER, struct bm_saved_summary, "tokens_per_s", tokens_per_s),
    FIELD(NUMBER, struct bm_saved_summary, "mfu", mfu),
    FIELD(NUMBER, struct bm_saved_summary, "mbu", mbu),
    FIELD(NUMBER, struct bm_saved_summary, "roofline_efficiency", roofline_efficiency),
    LIST(struct bm_saved_summary, "ops", ops, op, &name_item, 4096),
    LIST(struct bm_saved_summary, "missing", missing, missing, &name_item, 4096),
    LIST(struct bm_saved_summary, "lacking", lacking, lacking, &name_item, 4096),
    LIST(struct bm_saved_summary, "rows", uses, use, &use_item, 4096),
};
static const struct bm_stream_field summary_item = OBJECT("", summary_fields);

static const struct bm_stream_field backend_fields[] = {
    NEEDED(TEXT, struct bm_saved_backend, "id", id),
    FIELD(PROSE, struct bm_saved_backend, "driver", driver),
    FIELD(PROSE, struct bm_saved_backend, "version", version),
};
static const struct bm_stream_field backend_item = OBJECT("", backend_fields);

static const struct bm_stream_field peak_fields[] = {
    NEEDED(TEXT, struct bm_saved_peak, "pipe", pipe),
    FIELD(NUMBER, struct bm_saved_peak, "gflops", gflops),
    FIELD(TEXT, struct bm_saved_peak, "status", status),
};
static const struct bm_stream_field peak_item = OBJECT("", peak_fields);

static const struct bm_stream_field datasheet_fields[] = {
    NEEDED(TEXT, struct bm_saved_device, "id", datasheet.id),
    FIELD(PROSE, struct bm_saved_device, "name", datasheet.name),
    FIELD(TEXT, struct bm_saved_device, "released", datasheet.released),
    FIELD(NUMBER, struct bm_saved_device, "bandwidth_gbs", datasheet.bandwidth_gbs),
    FIELD(TEXT, struct bm_saved_device, "bandwidth_status", datasheet.bandwidth_status),
    FIELD(NUMBER, struct bm_saved_device, "tdp_watts", datasheet.tdp_watts),
    {.key = "peaks",
     .kind = BM_STREAM_LIST,
     .offset = offsetof(struct bm_saved_device, datasheet.peaks),
     .size = sizeof(struct bm_saved_peak),
     .item = &peak_item,
     .limit = 256,
     .count_offset = offsetof(struct bm_saved_device, datasheet.peak_count),
     .capacity_offset = offsetof(struct bm_saved_device, datasheet.peak_capacity)},
};

static const struct bm_stream_field device_fields[] = {
    NEEDED(TEXT, struct bm_saved_device, "id", id),
    FIELD(TEXT, struct bm_saved_device, "hardware", hardware),
    FIELD(TEXT, struct bm_saved_device, "kind", kind),
    FIELD(PROSE, struct bm_saved_device, "name", name),
    FIELD(PROSE, struct bm_saved_device, "architecture", architecture),
    FIELD(COUNT32, struct bm_saved_device, "compute_units", compute_units),
    FIELD(COUNT, struct bm_saved_device, "memory_bytes", memory_bytes),
    FIELD(TEXT, struct bm_saved_device, "fingerprint", fingerprint),
    CUSTOM(struct bm_saved_device, "flags", flags, bm_saved_read_flags),
    OBJECT("datasheet", datasheet_fields),
    LIST(struct bm_saved_device, "backends", backends, backend, &backend_item, 64),
    LIST(struct bm_saved_device, "ceilings", ceilings, ceiling, &ceiling_item, 1024),
    LIST(struct bm_saved_device, "summary", summaries, summary, &summary_item, 10000),
};
const struct bm_stream_field bm_saved_device_item = OBJECT("", device_fields);
