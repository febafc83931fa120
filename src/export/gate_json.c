/* A gate's verdicts as JSON: results/gate.schema.json. */
#include <math.h>

#include "bm/measure.h"
#include "emit.h"
#include "format.h"
#include "gate.h"

static void put_files(struct bm_emitter *emitter, const struct bm_gate *gate) {
    bm_emit_open(emitter, "files", '[');
    for (size_t i = 0; i < gate->file_count; i++) {
        const struct bm_gate_file *file = &gate->files[i];
        bm_emit_open(emitter, NULL, '{');
        bm_emit_text(emitter, "path", file->path);
        bm_emit_text(emitter, "role", file->is_baseline ? "baseline" : "new");
        bm_emit_text(emitter, "created", file->created);
        bm_emit_text(emitter, "version", file->version);
        bm_emit_text(emitter, "commit", file->commit);
        bm_emit_text(emitter, "kernels_sha256", file->kernels_sha256);
        bm_emit_close(emitter, '}');
    }
    bm_emit_close(emitter, ']');
}

static void put_row(struct bm_emitter *emitter, const struct bm_gate_row *row) {
    bm_emit_open(emitter, NULL, '{');
    bm_emit_text(emitter, "key", row->key);
    bm_emit_text(emitter, "device", row->device);
    bm_emit_text(emitter, "device_name", row->device_name);
    bm_emit_text(emitter, "backend", row->backend);
    bm_emit_positive(emitter, "threads", row->threads);
    bm_emit_text(emitter, "verdict", bm_verdict_name(row->verdict));
    bm_emit_text(emitter, "why", row->why);
    bm_emit_bool(emitter, "is_ceiling", row->is_ceiling);
    bm_emit_real(emitter, "old_ns", row->old_ns);
    bm_emit_real(emitter, "new_ns", row->new_ns);
    bm_emit_real(emitter, "time_ratio", exp(row->change));
    bm_emit_interval(emitter, "ci", exp(row->low), exp(row->high));
    bm_emit_real(emitter, "p", row->p);
    bm_emit_real(emitter, "detectable_ratio", exp(row->detectable));
    bm_emit_real(emitter, "deviation", row->deviation);
    bm_emit_bool(emitter, "deviation_assumed", row->assumed);
    bm_emit_count(emitter, "old_runs", row->old_runs);
    bm_emit_count(emitter, "new_runs", row->new_runs);
    bm_emit_count(emitter, "runs_before_change", row->before_change);
    bm_emit_count(emitter, "runs_left_out", row->left_out);
    bm_emit_open(emitter, "flags", '[');
    for (unsigned bit = 1; bit <= BM_FLAG_LAST; bit <<= 1)
        if ((row->flags & bit) != 0)
            bm_emit_text(emitter, NULL, bm_flag_name(bit));
    bm_emit_close(emitter, ']');
    bm_emit_close(emitter, '}');
}

enum bm_status bm_export_gate_json(const struct bm_gate *gate, const struct bm_export_options *options,
                                   struct bm_text *text, struct bm_error *error) {
    struct bm_emitter emitter = {.text = text};
    (void)options;
    bm_emit_open(&emitter, NULL, '{');
    bm_emit_text(&emitter, "schema_version", "1.0");
    bm_emit_text(&emitter, "method", gate->is_ab ? "ab" : "check");
    bm_emit_text(&emitter, "ab_id", gate->ab_id);
    bm_emit_real(&emitter, "alpha", gate->alpha);
    bm_emit_real(&emitter, "margin", expm1(gate->margin));
    bm_emit_bool(&emitter, "margin_calibrated", gate->margin_calibrated);
    bm_emit_open(&emitter, "counts", '{');
    for (int verdict = 0; verdict < BM_VERDICTS; verdict++)
        bm_emit_count(&emitter, bm_verdict_name((enum bm_verdict)verdict), gate->counts[verdict]);
    bm_emit_close(&emitter, '}');
    put_files(&emitter, gate);
    bm_emit_open(&emitter, "rows", '[');
    for (size_t i = 0; i < gate->row_count; i++)
        put_row(&emitter, &gate->rows[i]);
    bm_emit_close(&emitter, ']');
    bm_emit_open(&emitter, "notes", '[');
    for (size_t i = 0; i < gate->note_count; i++)
        bm_emit_text(&emitter, NULL, gate->notes[i]);
    bm_emit_close(&emitter, ']');
    bm_emit_close(&emitter, '}');
    return bm_emit_end(&emitter, error);
}
