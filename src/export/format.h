/* Private to the export module: the writers of the formats in format.c. */
#ifndef BM_FORMAT_H
#define BM_FORMAT_H

#include "bm/export.h"

enum bm_status bm_export_results_text(const struct bm_results *results,
                                      const struct bm_export_options *options, struct bm_text *text,
                                      struct bm_error *error);
enum bm_status bm_export_results_json(const struct bm_results *results,
                                      const struct bm_export_options *options, struct bm_text *text,
                                      struct bm_error *error);
enum bm_status bm_export_comparison_text(const struct bm_comparison *comparison,
                                         const struct bm_export_options *options, struct bm_text *text,
                                         struct bm_error *error);
enum bm_status bm_export_comparison_json(const struct bm_comparison *comparison,
                                         const struct bm_export_options *options, struct bm_text *text,
                                         struct bm_error *error);
enum bm_status bm_export_gate_text(const struct bm_gate *gate, const struct bm_export_options *options,
                                   struct bm_text *text, struct bm_error *error);
enum bm_status bm_export_gate_json(const struct bm_gate *gate, const struct bm_export_options *options,
                                   struct bm_text *text, struct bm_error *error);
enum bm_status bm_export_estimate_text(const struct bm_serving_report *report,
                                       const struct bm_export_options *options, struct bm_text *text,
                                       struct bm_error *error);
enum bm_status bm_export_estimate_json(const struct bm_serving_report *report,
                                       const struct bm_export_options *options, struct bm_text *text,
                                       struct bm_error *error);
enum bm_status bm_export_estimate_markdown(const struct bm_serving_report *report,
                                           const struct bm_export_options *options, struct bm_text *text,
                                           struct bm_error *error);
enum bm_status bm_export_estimate_csv(const struct bm_serving_report *report,
                                      const struct bm_export_options *options, struct bm_text *text,
                                      struct bm_error *error);
enum bm_status bm_export_comparison_markdown(const struct bm_comparison *comparison,
                                             const struct bm_export_options *options, struct bm_text *text,
                                             struct bm_error *error);
enum bm_status bm_export_comparison_csv(const struct bm_comparison *comparison,
                                        const struct bm_export_options *options, struct bm_text *text,
                                        struct bm_error *error);
enum bm_status bm_export_gate_markdown(const struct bm_gate *gate, const struct bm_export_options *options,
                                       struct bm_text *text, struct bm_error *error);
enum bm_status bm_export_gate_csv(const struct bm_gate *gate, const struct bm_export_options *options,
                                  struct bm_text *text, struct bm_error *error);
enum bm_status bm_export_gate_junit(const struct bm_gate *gate, const struct bm_export_options *options,
                                    struct bm_text *text, struct bm_error *error);
enum bm_status bm_export_gate_github(const struct bm_gate *gate, const struct bm_export_options *options,
                                     struct bm_text *text, struct bm_error *error);
enum bm_status bm_export_gate_action_benchmark(const struct bm_gate *gate,
                                               const struct bm_export_options *options, struct bm_text *text,
                                               struct bm_error *error);
enum bm_status bm_export_gate_bencher(const struct bm_gate *gate, const struct bm_export_options *options,
                                      struct bm_text *text, struct bm_error *error);
enum bm_status bm_export_gate_openmetrics(const struct bm_gate *gate, const struct bm_export_options *options,
                                          struct bm_text *text, struct bm_error *error);

#endif
