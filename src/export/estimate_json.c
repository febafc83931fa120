/* What devices would serve of a model as JSON: results/estimate.schema.json. */
#include <math.h>
#include <string.h>

#include "emit.h"
#include "estimate.h"
#include "format.h"

static const double to_ms = 1e-6;

static void put_figure(struct bm_emitter *emitter, const char *key, const char *interval_key,
                       const struct bm_serving_figure *figure, double scale) {
    bm_emit_real(emitter, key, scale * figure->value);
    bm_emit_interval(emitter, interval_key, scale * figure->low, scale * figure->high);
}

static void put_ops(struct bm_emitter *emitter, const struct bm_serving_point *point) {
    bm_emit_open(emitter, "ops", '[');
    for (size_t i = 0; i < point->op_count; i++) {
        bm_emit_open(emitter, NULL, '{');
        bm_emit_text(emitter, "op", point->ops[i].name);
        bm_emit_real(emitter, "prefill_ms", to_ms * point->ops[i].prefill_ns);
        bm_emit_real(emitter, "decode_ms", to_ms * point->ops[i].decode_ns);
        bm_emit_close(emitter, '}');
    }
    bm_emit_close(emitter, ']');
}

static void put_missing(struct bm_emitter *emitter, const struct bm_serving_point *point) {
    bm_emit_open(emitter, "missing", '[');
    for (size_t i = 0; i < point->missing_count; i++) {
        const struct bm_serving_missing *missing = &point->missing[i];
        bm_emit_open(emitter, NULL, '{');
        bm_emit_text(emitter, "phase",
                     missing->phase == BM_PHASE_NONE ? NULL : bm_phase_name(missing->phase));
        bm_emit_text(emitter, "op", missing->op);
        bm_emit_text(emitter, "key", missing->key);
        bm_emit_text(emitter, "why", missing->why);
        bm_emit_close(emitter, '}');
    }
    bm_emit_close(emitter, ']');
}

static void put_point(struct bm_emitter *emitter, const struct bm_serving *serving,
                      const struct bm_serving_point *point) {
    bm_emit_open(emitter, NULL, '{');
    bm_emit_count(emitter, "batch", point->batch);
    put_figure(emitter, "ttft_ms", "ttft_ci", &point->ttft_ns, to_ms);
    put_figure(emitter, "tpot_ms", "tpot_ci", &point->tpot_ns, to_ms);
    put_figure(emitter, "prefill_tokens_per_s", "prefill_tokens_per_s_ci", &point->prefill_tokens_per_s, 1);
    put_figure(emitter, "decode_tokens_per_s", "decode_tokens_per_s_ci", &point->decode_tokens_per_s, 1);
    bm_emit_real(emitter, "ttft_launch_free_ms", to_ms * point->ttft_launch_free_ns);
    bm_emit_real(emitter, "tpot_launch_free_ms", to_ms * point->tpot_launch_free_ns);
    bm_emit_bool(emitter, "ttft_bound_by_launches", point->ttft_issue_bound);
    bm_emit_bool(emitter, "tpot_bound_by_launches", point->tpot_issue_bound);
    bm_emit_real(emitter, "prefill_mfu", point->prefill_mfu);
    bm_emit_real(emitter, "prefill_mbu", point->prefill_mbu);
    bm_emit_real(emitter, "decode_mfu", point->decode_mfu);
    bm_emit_real(emitter, "decode_mbu", point->decode_mbu);
    bm_emit_real(emitter, "decode_compute_share", point->compute_share);
    bm_emit_real(emitter, "cache_bytes", point->cache_bytes);
    if (isfinite(serving->memory_bytes))
        bm_emit_bool(emitter, "fits", point->fits);
    else
        bm_emit_null(emitter, "fits");
    bm_emit_positive(emitter, "devices_needed", point->devices_needed);
    put_ops(emitter, point);
    put_missing(emitter, point);
    bm_emit_close(emitter, '}');
}

static void put_commands(struct bm_emitter *emitter, const char *commands) {
    bm_emit_open(emitter, "commands", '[');
    for (const char *line = commands; *line != '\0';) {
        const size_t length = strcspn(line, "\n");
        char command[1024];
        bm_string_set(command, length + 1 < sizeof command ? length + 1 : sizeof command, line);
        bm_emit_text(emitter, NULL, command);
        line += length + (line[length] == '\n');
    }
    bm_emit_close(emitter, ']');
}

static void put_serving(struct bm_emitter *emitter, const struct bm_serving *serving) {
    bm_emit_open(emitter, NULL, '{');
    bm_emit_text(emitter, "device", serving->device);
    bm_emit_text(emitter, "name", serving->name);
    bm_emit_text(emitter, "backend", serving->backend);
    bm_emit_text(emitter, "dtype", serving->dtype);
    bm_emit_text(emitter, "files", serving->files);
    bm_emit_real(emitter, "memory_bytes", serving->memory_bytes);
    bm_emit_real(emitter, "weight_bytes", serving->weight_bytes);
    bm_emit_real(emitter, "launch_us", serving->issue_ns / 1000);
    bm_emit_real(emitter, "synchronisation_us", serving->wait_ns / 1000);
    bm_emit_real(emitter, "datasheet_gflops", serving->datasheet_gflops);
    bm_emit_real(emitter, "datasheet_gbs", serving->datasheet_gbs);
    bm_emit_positive(emitter, "best_batch",
                     serving->best != SIZE_MAX ? serving->points[serving->best].batch : 0);
    bm_emit_positive(emitter, "compute_bound_from_batch",
                     serving->turn != SIZE_MAX ? serving->points[serving->turn].batch : 0);
    bm_emit_open(emitter, "points", '[');
    for (size_t i = 0; i < serving->point_count; i++)
        put_point(emitter, serving, &serving->points[i]);
    bm_emit_close(emitter, ']');
    put_commands(emitter, serving->commands);
    bm_emit_close(emitter, '}');
}

enum bm_status bm_export_estimate_json(const struct bm_serving_report *report,
                                       const struct bm_export_options *options, struct bm_text *text,
                                       struct bm_error *error) {
    const struct bm_serving_options *request = &report->options;
    struct bm_emitter emitter = {.text = text};
    (void)options;
    bm_emit_open(&emitter, NULL, '{');
    bm_emit_text(&emitter, "schema_version", "1.0");
    bm_emit_text(&emitter, "model", request->model.id);
    bm_emit_open(&emitter, "request", '{');
    bm_emit_count(&emitter, "prompt", request->prompt);
    bm_emit_count(&emitter, "generate", request->generate);
    bm_emit_count(&emitter, "chunk", request->chunk);
    bm_emit_count(&emitter, "count", request->count);
    bm_emit_text(&emitter, "kv", bm_serving_kv(request));
    bm_emit_text(&emitter, "routing", bm_routing_name(request->routing));
    bm_emit_real(&emitter, "tpot_limit_ms", to_ms * request->tpot_limit_ns);
    bm_emit_real(&emitter, "link_gbs", request->link_gbs > 0 ? request->link_gbs : (double)NAN);
    bm_emit_real(&emitter, "link_us", request->link_gbs > 0 ? request->link_us : (double)NAN);
    bm_emit_close(&emitter, '}');
    bm_emit_text(&emitter, "intervals",
                 "95 %, first order in logarithms, rows independent, without the spread between runs");
    bm_emit_open(&emitter, "estimates", '[');
    for (size_t i = 0; i < report->serving_count; i++)
        put_serving(&emitter, &report->servings[i]);
    bm_emit_close(&emitter, ']');
    bm_emit_close(&emitter, '}');
    return bm_emit_end(&emitter, error);
}
