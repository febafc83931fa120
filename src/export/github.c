/* Annotations of GitHub Actions (workflow commands). A step shows ten of each kind: nine, and how many more
 * there are. */
#include "escape.h"
#include "format.h"
#include "gate.h"

enum { MOST_SHOWN = 9 };

static bool is_open(enum bm_verdict verdict) {
    return verdict == BM_VERDICT_THROTTLED || verdict == BM_VERDICT_INCONCLUSIVE;
}

static void append_annotations(struct bm_text *text, const struct bm_gate *gate, const char *command,
                               bool (*is)(enum bm_verdict verdict)) {
    size_t count = 0;
    for (size_t i = 0; i < gate->row_count; i++) {
        const struct bm_gate_row *row = &gate->rows[i];
        char name[256], sentence[BM_GATE_SUMMARY_SIZE];
        if (!is(row->verdict) || ++count > MOST_SHOWN)
            continue;
        bm_gate_row_name(row, name);
        bm_gate_row_sentence(row, sentence);
        bm_text_append(text, "::%s title=", command);
        bm_escape_github(text, bm_verdict_name(row->verdict), true);
        bm_text_append(text, "%%3A ");
        bm_escape_github(text, name, true);
        bm_text_append(text, "::");
        bm_escape_github(text, sentence, false);
        bm_text_append(text, "\n");
    }
    if (count > MOST_SHOWN)
        bm_text_append(text, "::%s title=benchmark::%zu more\n", command, count - MOST_SHOWN);
}

enum bm_status bm_export_gate_github(const struct bm_gate *gate, const struct bm_export_options *options,
                                     struct bm_text *text, struct bm_error *error) {
    char summary[BM_GATE_SUMMARY_SIZE];
    (void)options;
    append_annotations(text, gate, "error", bm_verdict_fails);
    append_annotations(text, gate, "warning", is_open);
    bm_gate_summary(gate, summary);
    bm_text_append(text, "::notice title=benchmark::");
    bm_escape_github(text, summary, false);
    bm_text_append(text, "\n");
    return text->failed ? bm_fail(error, BM_NO_MEMORY, "out of memory for a report") : BM_OK;
}
