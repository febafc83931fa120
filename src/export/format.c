#include "format.h"

#include <string.h>

static const struct bm_export_format formats[] = {
    {"text", "tables for the terminal", bm_export_results_text, bm_export_comparison_text,
     bm_export_gate_text, bm_export_estimate_text},
    {"json", "for programs", bm_export_results_json, bm_export_comparison_json, bm_export_gate_json,
     bm_export_estimate_json},
    {"markdown", "for a job summary", NULL, bm_export_comparison_markdown, bm_export_gate_markdown,
     bm_export_estimate_markdown},
    {"csv", "for spreadsheets, RFC 4180", NULL, bm_export_comparison_csv, bm_export_gate_csv,
     bm_export_estimate_csv},
    {"junit", "JUnit XML, for test reports", NULL, NULL, bm_export_gate_junit, NULL},
    {"github", "annotations of GitHub Actions", NULL, NULL, bm_export_gate_github, NULL},
    {"github-action-benchmark", "its customSmallerIsBetter", NULL, NULL, bm_export_gate_action_benchmark,
     NULL},
    {"bencher", "Bencher Metric Format", NULL, NULL, bm_export_gate_bencher, NULL},
    {"openmetrics", "for Prometheus", NULL, NULL, bm_export_gate_openmetrics, NULL},
};

const struct bm_export_format *bm_export_format_get(size_t index) {
    return index < BM_COUNT_OF(formats) ? &formats[index] : NULL;
}

const struct bm_export_format *bm_export_format_find(const char *name) {
    for (size_t i = 0; i < BM_COUNT_OF(formats); i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}
