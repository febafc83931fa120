/* Bencher Metric Format: {benchmark: {measure: {value, lower_value, upper_value}}}, the measure latency in ns
 * (bencher.dev/docs/reference/bencher-metric-format). */
#include <math.h>

#include "emit.h"
#include "format.h"
#include "gate.h"

enum bm_status bm_export_gate_bencher(const struct bm_gate *gate, const struct bm_export_options *options,
                                      struct bm_text *text, struct bm_error *error) {
    struct bm_emitter emitter = {.text = text};
    (void)options;
    bm_emit_open(&emitter, NULL, '{');
    for (size_t i = 0; i < gate->row_count; i++) {
        const struct bm_gate_row *row = &gate->rows[i];
        char name[256];
        if (!isfinite(row->new_ns) || row->is_ceiling) /* ceilings are no latencies */
            continue;
        bm_gate_row_name(row, name);
        bm_emit_open(&emitter, name, '{');
        bm_emit_open(&emitter, "latency", '{');
        bm_emit_real(&emitter, "value", row->new_ns);
        if (isfinite(row->deviation)) {
            bm_emit_real(&emitter, "lower_value", row->new_ns * exp(-2 * row->deviation));
            bm_emit_real(&emitter, "upper_value", row->new_ns * exp(2 * row->deviation));
        }
        bm_emit_close(&emitter, '}');
        bm_emit_close(&emitter, '}');
    }
    bm_emit_close(&emitter, '}');
    return bm_emit_end(&emitter, error);
}
