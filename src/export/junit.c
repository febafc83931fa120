/* JUnit XML: a test case a row. What got slower is a failure, what cannot be judged an error, what is open
 * was skipped. */
#include <math.h>

#include "escape.h"
#include "format.h"
#include "gate.h"

enum outcome { PASSED, FAILURE, ERROR, SKIPPED, OUTCOMES };

static enum outcome outcome_of(enum bm_verdict verdict) {
    switch (verdict) {
    case BM_VERDICT_REGRESSED:
        return FAILURE;
    case BM_VERDICT_UNVERIFIED:
    case BM_VERDICT_MISSING:
    case BM_VERDICT_INCOMPARABLE:
        return ERROR;
    case BM_VERDICT_THROTTLED:
    case BM_VERDICT_INCONCLUSIVE:
        return SKIPPED;
    default:
        return PASSED;
    }
}

static void append_attribute(struct bm_text *text, const char *name, const char *value) {
    bm_text_append(text, " %s=\"", name);
    bm_escape_xml(text, value);
    bm_text_append(text, "\"");
}

static void append_case(struct bm_text *text, const struct bm_gate_row *row) {
    static const char *const elements[OUTCOMES] = {
        [PASSED] = "system-out", [FAILURE] = "failure", [ERROR] = "error", [SKIPPED] = "skipped"};
    const enum outcome outcome = outcome_of(row->verdict);
    char sentence[BM_GATE_SUMMARY_SIZE];
    struct bm_text class = {0};
    bm_gate_row_sentence(row, sentence);
    bm_text_append(&class, "%s %s", row->device, row->backend);
    bm_text_append(text, "    <testcase");
    append_attribute(text, "classname", class.data != NULL ? class.data : "");
    append_attribute(text, "name", row->key);
    if (isfinite(row->new_ns) && !row->is_ceiling) /* of those it is a time for a unit of work */
        bm_text_append(text, " time=\"%.9f\"", row->new_ns / 1e9);
    bm_text_append(text, ">\n      <%s", elements[outcome]);
    if (outcome != PASSED) {
        append_attribute(text, "message", sentence);
        if (outcome != SKIPPED)
            append_attribute(text, "type", bm_verdict_name(row->verdict));
        bm_text_append(text, "/>\n    </testcase>\n");
    } else {
        bm_text_append(text, ">%s: ", bm_verdict_name(row->verdict));
        bm_escape_xml(text, sentence);
        bm_text_append(text, "</system-out>\n    </testcase>\n");
    }
    text->failed |= class.failed;
    bm_text_fini(&class);
}

enum bm_status bm_export_gate_junit(const struct bm_gate *gate, const struct bm_export_options *options,
                                    struct bm_text *text, struct bm_error *error) {
    size_t counts[OUTCOMES] = {0};
    (void)options;
    for (size_t i = 0; i < gate->row_count; i++)
        counts[outcome_of(gate->rows[i].verdict)]++;
    bm_text_append(text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    bm_text_append(
        text,
        "  <testsuite name=\"benchmark %s\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\">\n",
        gate->is_ab ? "ab" : "check", gate->row_count, counts[FAILURE], counts[ERROR], counts[SKIPPED]);
    for (size_t i = 0; i < gate->row_count; i++)
        append_case(text, &gate->rows[i]);
    bm_text_append(text, "  </testsuite>\n</testsuites>\n");
    return text->failed ? bm_fail(error, BM_NO_MEMORY, "out of memory for a report") : BM_OK;
}
