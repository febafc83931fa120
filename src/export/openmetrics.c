/* OpenMetrics 1.0 text, as Prometheus and others scrape it. */
#include <math.h>

#include "escape.h"
#include "format.h"
#include "gate.h"

static void append_labels(struct bm_text *text, const struct bm_gate_row *row) {
    const struct {
        const char *name, *value;
    } labels[] = {{"key", row->key},
                  {"device", row->device},
                  {"device_name", row->device_name},
                  {"backend", row->backend}};
    for (size_t i = 0; i < BM_COUNT_OF(labels); i++) {
        bm_text_append(text, "%s%s=\"", i == 0 ? "{" : ",", labels[i].name);
        bm_escape_openmetrics(text, labels[i].value);
        bm_text_append(text, "\"");
    }
    bm_text_append(text, "} ");
}

/* A family of gauges, one sample a row that has a figure. */
static void append_family(struct bm_text *text, const struct bm_gate *gate, const char *name,
                          const char *unit, const char *help,
                          double (*value_of)(const struct bm_gate_row *row)) {
    bm_text_append(text, "# TYPE %s gauge\n", name);
    if (unit[0] != '\0')
        bm_text_append(text, "# UNIT %s %s\n", name, unit);
    bm_text_append(text, "# HELP %s %s\n", name, help);
    for (size_t i = 0; i < gate->row_count; i++) {
        double value = value_of(&gate->rows[i]);
        if (!isfinite(value))
            continue;
        bm_text_append(text, "%s", name);
        append_labels(text, &gate->rows[i]);
        bm_text_append(text, "%.10g\n", value);
    }
}

static double seconds_of(const struct bm_gate_row *row) {
    return row->is_ceiling ? (double)NAN : row->new_ns / 1e9;
}

static double ratio_of(const struct bm_gate_row *row) {
    return exp(row->change);
}

static double low_of(const struct bm_gate_row *row) {
    return exp(row->low);
}

static double high_of(const struct bm_gate_row *row) {
    return exp(row->high);
}

static double detectable_of(const struct bm_gate_row *row) {
    return exp(row->detectable);
}

enum bm_status bm_export_gate_openmetrics(const struct bm_gate *gate, const struct bm_export_options *options,
                                          struct bm_text *text, struct bm_error *error) {
    (void)options;
    append_family(text, gate, "benchmark_time_seconds", "seconds",
                  "Median time of a launch in the new results.", seconds_of);
    append_family(text, gate, "benchmark_time_ratio", "ratio", "New time by old time: above 1 is slower.",
                  ratio_of);
    append_family(text, gate, "benchmark_time_low_ratio", "ratio",
                  "Low end of the 95 % interval of the ratio.", low_of);
    append_family(text, gate, "benchmark_time_high_ratio", "ratio",
                  "High end of the 95 % interval of the ratio.", high_of);
    append_family(text, gate, "benchmark_detectable_ratio", "ratio",
                  "Slowdown that would be found in four of five cases.", detectable_of);
    bm_text_append(text, "# TYPE benchmark_rows gauge\n# HELP benchmark_rows Rows by verdict.\n");
    for (int verdict = 0; verdict < BM_VERDICTS; verdict++)
        bm_text_append(text, "benchmark_rows{verdict=\"%s\"} %zu\n",
                       bm_verdict_name((enum bm_verdict)verdict), gate->counts[verdict]);
    bm_text_append(text, "# EOF\n");
    return text->failed ? bm_fail(error, BM_NO_MEMORY, "out of memory for a report") : BM_OK;
}
