#include <math.h>

#include "results.h"

static json_t *peaks_json(struct bm_json_writer *writer, const struct bm_datasheet *sheet) {
    json_t *peaks = bm_json_array(writer);
    for (unsigned i = 0; i < sheet->peak_count; i++) {
        json_t *peak = bm_json_object(writer);
        bm_json_put_text(writer, peak, "pipe", sheet->peaks[i].pipe);
        bm_json_put_real(writer, peak, "gflops", sheet->peaks[i].gflops);
        bm_json_put_text(writer, peak, "status", bm_fact_status_name(sheet->peaks[i].status));
        bm_json_append(writer, peaks, peak);
    }
    return peaks;
}

static json_t *datasheet_json(struct bm_json_writer *writer, const struct bm_datasheet *sheet) {
    if (sheet == NULL)
        return json_null();
    json_t *object = bm_json_object(writer);
    bm_json_put_text(writer, object, "id", sheet->id);
    bm_json_put_text(writer, object, "name", sheet->name);
    bm_json_put_text(writer, object, "released", sheet->released);
    bm_json_put_text(writer, object, "architecture", sheet->architecture);
    bm_json_put_real(writer, object, "bandwidth_gbs",
                     sheet->bandwidth_gbs > 0 ? sheet->bandwidth_gbs : (double)NAN);
    bm_json_put_text(writer, object, "bandwidth_status", bm_fact_status_name(sheet->bandwidth_status));
    bm_json_put_real(writer, object, "tdp_watts", sheet->tdp_watts > 0 ? sheet->tdp_watts : (double)NAN);
    bm_json_put(writer, object, "peaks", peaks_json(writer, sheet));
    return object;
}

static json_t *backends_json(struct bm_json_writer *writer, const struct bm_results_device *device) {
    json_t *backends = bm_json_array(writer);
    for (unsigned i = 0; i < device->backend_count; i++) {
        const struct bm_results_backend *backend = &device->backends[i];
        json_t *object = bm_json_object(writer);
        bm_json_put_text(writer, object, "id", backend->id);
        bm_json_put_text(writer, object, "name", backend->name);
        bm_json_put_text(writer, object, "driver", backend->driver);
        bm_json_put_text(writer, object, "version", backend->version);
        bm_json_put_text(writer, object, "platform", backend->platform);
        bm_json_put_count(writer, object, "compute_units", backend->compute_units);
        bm_json_put_count(writer, object, "memory_bytes", backend->memory_bytes);
        bm_json_put_count(writer, object, "max_allocation_bytes", backend->max_allocation_bytes);
        bm_json_append(writer, backends, object);
    }
    return backends;
}

static json_t *ceilings_json(struct bm_json_writer *writer, const struct bm_results *results,
                             const struct bm_results_device *device) {
    json_t *ceilings = bm_json_array(writer);
    for (size_t i = 0; i < device->ceiling_count; i++) {
        const struct bm_results_ceiling *ceiling = &device->ceilings[i];
        json_t *object = bm_json_object(writer);
        bm_json_put_text(writer, object, "resource", ceiling->resource);
        bm_json_put_text(writer, object, "pipe", ceiling->pipe);
        bm_json_put_text(writer, object, "backend", ceiling->backend);
        bm_json_put_text(writer, object, "part", ceiling->part);
        bm_json_put_count(writer, object, "threads", ceiling->threads);
        bm_json_put_real(writer, object, "value", ceiling->value);
        bm_json_put_text(writer, object, "unit", ceiling->unit);
        bm_json_put_interval(writer, object, "ci", ceiling->low, ceiling->high);
        bm_json_put_real(writer, object, "burst", ceiling->burst);
        bm_json_put_real(writer, object, "steady", ceiling->steady > 0 ? ceiling->steady : (double)NAN);
        bm_json_put_text(writer, object, "how", ceiling->how);
        bm_json_put_flags(writer, object, "flags", ceiling->flags, results->flag_name);
        bm_json_append(writer, ceilings, object);
    }
    return ceilings;
}

static json_t *names_json(struct bm_json_writer *writer, const char (*names)[32], unsigned count) {
    json_t *array = bm_json_array(writer);
    for (unsigned i = 0; i < count; i++)
        bm_json_append(writer, array, json_string(names[i]));
    return array;
}

static json_t *uses_json(struct bm_json_writer *writer, const struct bm_results *results,
                         const struct bm_results_summary *summary) {
    json_t *array = bm_json_array(writer);
    for (unsigned i = 0; i < summary->use_count; i++) {
        json_t *object = bm_json_object(writer);
        bm_json_put_text(writer, object, "key", results->rows[summary->uses[i].row].key);
        bm_json_put_real(writer, object, "count", summary->uses[i].count);
        bm_json_append(writer, array, object);
    }
    return array;
}

static json_t *summaries_json(struct bm_json_writer *writer, const struct bm_results *results,
                              const struct bm_results_device *device) {
    json_t *summaries = bm_json_array(writer);
    for (size_t i = 0; i < device->summary_count; i++) {
        const struct bm_results_summary *summary = &device->summaries[i];
        json_t *object = bm_json_object(writer);
        bm_json_put_text(writer, object, "backend", summary->backend);
        bm_json_put_text(writer, object, "model", summary->model);
        bm_json_put_text(writer, object, "phase", summary->phase);
        bm_json_put_text(writer, object, "dtype", summary->dtype);
        bm_json_put_text(writer, object, "kv", summary->kv);
        bm_json_put_count(writer, object, "batch", summary->batch);
        bm_json_put_count(writer, object, "tokens", summary->tokens);
        bm_json_put_count(writer, object, "context", summary->context);
        bm_json_put_real(writer, object, "tokens_per_s", summary->tokens_per_s);
        bm_json_put(writer, object, "ops", names_json(writer, summary->ops, summary->op_count));
        bm_json_put(writer, object, "missing", names_json(writer, summary->missing, summary->missing_count));
        bm_json_put(writer, object, "lacking", names_json(writer, summary->lacking, summary->lacking_count));
        bm_json_put(writer, object, "rows", uses_json(writer, results, summary));
        bm_json_put_real(writer, object, "mfu", summary->mfu);
        bm_json_put_real(writer, object, "mbu", summary->mbu);
        bm_json_put_real(writer, object, "roofline_efficiency", summary->roofline_efficiency);
        bm_json_append(writer, summaries, object);
    }
    return summaries;
}

json_t *bm_results_device_json(struct bm_json_writer *writer, const struct bm_results *results,
                               const struct bm_results_device *device) {
    json_t *object = bm_json_object(writer), *numa = bm_json_array(writer);
    for (unsigned i = 0; i < device->numa_count; i++)
        bm_json_append(writer, numa, json_integer(device->numa[i]));
    bm_json_put_text(writer, object, "id", device->id);
    bm_json_put_text(writer, object, "hardware", device->hardware);
    bm_json_put_text(writer, object, "kind", device->is_gpu ? "gpu" : "cpu");
    bm_json_put_text(writer, object, "name", device->name);
    bm_json_put_text(writer, object, "vendor", device->vendor);
    bm_json_put_text(writer, object, "architecture", device->architecture);
    bm_json_put_count(writer, object, "compute_units", device->compute_units);
    bm_json_put_count(writer, object, "clock_mhz", device->clock_mhz);
    bm_json_put_count(writer, object, "memory_bytes", device->memory_bytes);
    bm_json_put_count(writer, object, "llc_bytes", device->llc_bytes);
    bm_json_put_text(writer, object, "pci", device->pci);
    bm_json_put(writer, object, "numa_nodes", numa);
    bm_json_put_text(writer, object, "isa", device->isa);
    bm_json_put_text(writer, object, "fingerprint", device->fingerprint);
    bm_json_put_flags(writer, object, "flags", device->flags, results->flag_name);
    bm_json_put(writer, object, "datasheet", datasheet_json(writer, device->datasheet));
    bm_json_put(writer, object, "backends", backends_json(writer, device));
    bm_json_put(writer, object, "ceilings", ceilings_json(writer, results, device));
    bm_json_put(writer, object, "summary", summaries_json(writer, results, device));
    return object;
}
