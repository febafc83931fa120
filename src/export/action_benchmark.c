/* The input of benchmark-action/github-action-benchmark, tool customSmallerIsBetter: a list of {name, unit,
 * value, range, extra} (its README, "Custom benchmarks"). */
#include <math.h>
#include <stdio.h>

#include "emit.h"
#include "format.h"
#include "gate.h"

enum bm_status bm_export_gate_action_benchmark(const struct bm_gate *gate,
                                               const struct bm_export_options *options, struct bm_text *text,
                                               struct bm_error *error) {
    struct bm_emitter emitter = {.text = text};
    (void)options;
    bm_emit_open(&emitter, NULL, '[');
    for (size_t i = 0; i < gate->row_count; i++) {
        const struct bm_gate_row *row = &gate->rows[i];
        char name[256], sentence[BM_GATE_SUMMARY_SIZE], range[48], extra[BM_GATE_SUMMARY_SIZE + 32];
        if (!isfinite(row->new_ns))
            continue;
        bm_gate_row_name(row, name);
        bm_gate_row_sentence(row, sentence);
        snprintf(extra, sizeof extra, "%s: %s", bm_verdict_name(row->verdict), sentence);
        snprintf(range, sizeof range, "± %.2f %%", 100 * row->deviation);
        bm_emit_open(&emitter, NULL, '{');
        bm_emit_text(&emitter, "name", name);
        bm_emit_text(&emitter, "unit", row->is_ceiling ? "ns/unit" : "ns");
        bm_emit_real(&emitter, "value", row->new_ns);
        if (isfinite(row->deviation))
            bm_emit_text(&emitter, "range", range);
        bm_emit_text(&emitter, "extra", extra);
        bm_emit_close(&emitter, '}');
    }
    bm_emit_close(&emitter, ']');
    return bm_emit_end(&emitter, error);
}
