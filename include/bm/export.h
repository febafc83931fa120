/* bm/export.h - floor 9: reports as text. Nothing is printed: every function appends to a struct bm_text. */
#ifndef BM_EXPORT_H
#define BM_EXPORT_H

#include "bm/compare.h"
#include "bm/device.h"
#include "bm/estimate.h"
#include "bm/gate.h"
#include "bm/results.h"
#include "bm/run.h"
#include "bm/tune.h"

struct bm_export_options {
    unsigned width; /* columns of the terminal; 0: not a terminal, lines as long as they need */
    bool color;
};

/* ---- tables (libsmartcols) ---- */

enum bm_align { BM_ALIGN_LEFT, BM_ALIGN_RIGHT, BM_ALIGN_WRAP };
struct bm_column {
    const char *title;
    enum bm_align align; /* WRAP: left, broken over lines where the terminal is too narrow */
};
struct bm_table; /* opaque */
enum bm_status bm_table_create(const struct bm_column *columns, size_t count,
                               const struct bm_export_options *options, struct bm_table **table,
                               struct bm_error *error) BM_CHECK_RESULT;
/* cells: one string a column, copied; NULL is an empty cell. A failure is remembered until the rendering. */
void bm_table_add(struct bm_table *table, const char *const *cells);
/* As bm_table_add, in red where colours are on. */
void bm_table_add_alarm(struct bm_table *table, const char *const *cells);
/* Appends the table with a trailing newline; nothing when it has no rows. */
enum bm_status bm_table_render(struct bm_table *table, struct bm_text *text,
                               struct bm_error *error) BM_CHECK_RESULT;
void bm_table_destroy(struct bm_table *table);

/* ---- reports of results, of comparisons and of a gate ---- */

/* A format: one file and one row of the table in format.c. A member is NULL where the format has no such
 * report. */
struct bm_export_format {
    const char *name, *summary;
    enum bm_status (*write)(const struct bm_results *results, const struct bm_export_options *options,
                            struct bm_text *text, struct bm_error *error);
    enum bm_status (*write_comparison)(const struct bm_comparison *comparison,
                                       const struct bm_export_options *options, struct bm_text *text,
                                       struct bm_error *error);
    enum bm_status (*write_gate)(const struct bm_gate *gate, const struct bm_export_options *options,
                                 struct bm_text *text, struct bm_error *error);
    enum bm_status (*write_estimate)(const struct bm_serving_report *report,
                                     const struct bm_export_options *options, struct bm_text *text,
                                     struct bm_error *error);
};
const struct bm_export_format *bm_export_format_get(size_t index);      /* NULL past the end */
const struct bm_export_format *bm_export_format_find(const char *name); /* NULL: unknown */

/* What was verified and how exactly: the report of `benchmark verify`. */
enum bm_status bm_export_verification(const struct bm_results *results,
                                      const struct bm_export_options *options, struct bm_text *text,
                                      struct bm_error *error) BM_CHECK_RESULT;

/* ---- tuning, as tables or as JSON ---- */

/* The classes that would be searched, with their cases. */
enum bm_status bm_export_tune_plan(const struct bm_tune_plan *plan, const struct bm_inventory *inventory,
                                   bool json, const struct bm_export_options *options, struct bm_text *text,
                                   struct bm_error *error) BM_CHECK_RESULT;
/* What was found in each, and what became of the candidates. */
enum bm_status bm_export_tuning(const struct bm_tune_plan *plan, const struct bm_inventory *inventory,
                                bool json, const struct bm_export_options *options, struct bm_text *text,
                                struct bm_error *error) BM_CHECK_RESULT;

/* ---- listings, each as a table or as JSON ---- */

enum bm_status bm_export_devices(const struct bm_inventory *inventory, bool json,
                                 const struct bm_export_options *options, struct bm_text *text,
                                 struct bm_error *error) BM_CHECK_RESULT;
enum bm_status bm_export_plan(const struct bm_run_plan *plan, const struct bm_inventory *inventory, bool json,
                              const struct bm_export_options *options, struct bm_text *text,
                              struct bm_error *error) BM_CHECK_RESULT;
/* PARAMS and ACTIVE are counted from the shapes, COUNTS says by which convention (the closest to the
 * published figure); KV/TOKEN is of an f16 cache. */
enum bm_status bm_export_model_list(const struct bm_model *models, size_t count, bool json,
                                    const struct bm_export_options *options, struct bm_text *text,
                                    struct bm_error *error) BM_CHECK_RESULT;
enum bm_status bm_export_models(bool json, const struct bm_export_options *options, struct bm_text *text,
                                struct bm_error *error) BM_CHECK_RESULT;
enum bm_status bm_export_suites(bool json, const struct bm_export_options *options, struct bm_text *text,
                                struct bm_error *error) BM_CHECK_RESULT;
enum bm_status bm_export_workloads(bool json, const struct bm_export_options *options, struct bm_text *text,
                                   struct bm_error *error) BM_CHECK_RESULT;

#endif
