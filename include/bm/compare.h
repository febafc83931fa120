/* bm/compare.h - floor 7: results files side by side. bm/gate.h, of the same module, says whether something
 * got slower.
 *
 * A column is one (file, device); a line is a list of columns that are compared with one another, from older
 * to newer hardware. Files are read one at a time; of each only what is compared stays in memory. Ratios are
 * such that above 1 the new one is faster. Unknown figures are NaN, unknown texts "". */
#ifndef BM_COMPARE_H
#define BM_COMPARE_H

#include "bm/base.h"

/* Standard deviation between runs of one machine, of the logarithm of a time or rate, where nothing is known
 * of it: on virtual machines medians of runs an hour apart differ by that much (DESIGN.md, "Comparing
 * rules"). */
#define BM_COMPARE_BETWEEN_RUNS 0.027
#define BM_COMPARE_CONFIDENCE   0.95

/* ---- what is compared ---- */

struct bm_compare_numbers {
    const uint32_t *items;
    size_t count;
};
/* Empty lists select everything. */
struct bm_compare_filter {
    struct bm_names devices, backends, models, workloads, phases, dtypes; /* borrowed */
    struct bm_compare_numbers batches, tokens, contexts;
};

enum bm_compare_sort {
    BM_SORT_SUITE, /* as in the files */
    BM_SORT_KEY,
    BM_SORT_SPEEDUP, /* of the newest column, the slowest first; likewise the next two */
    BM_SORT_ROOFLINE,
    BM_SORT_UTILIZATION,
    BM_SORT_TIME, /* of the oldest column, the longest first */
};
/* The word of --sort, NULL past the last. */
const char *bm_compare_sort_name(enum bm_compare_sort sort);

struct bm_compare_options {
    struct bm_compare_filter filter;
    struct bm_names maps;   /* "OLD=NEW", each [FILE:]DEVICE */
    struct bm_names prices; /* "DEVICE=USD", likewise */
    enum bm_compare_sort sort;
    bool only_changed; /* rows whose interval excludes 1 in a column */
};

/* ---- what was found ---- */

struct bm_compare_file {
    char *path; /* owned */
    char id[40], created[32], ab_id[40], ab_side[16], commit[64], version[32], kernels_sha256[65], suite[256],
        cache[8], command[512], hostname[128];
    bool complete;
};

/* A logarithm and the standard deviations of its two sides: what is known of a measured figure. */
struct bm_spread {
    double value, below, above;
};

struct bm_compare_ceiling {
    char resource[32], pipe[32], backend[48], unit[16];
    double value;            /* in unit */
    struct bm_spread spread; /* of its logarithm, without the spread between runs */
    double of_datasheet;     /* share of the datasheet's figure for memory or the pipe; only trusted ones */
};

enum bm_compare_cell_state {
    BM_CELL_MEASURED,
    BM_CELL_FAILED,  /* it did not pass verification, or the device failed */
    BM_CELL_SKIPPED, /* it could not run, or the run was interrupted */
    BM_CELL_INVALID, /* implausible */
};
const char *bm_compare_cell_state_name(enum bm_compare_cell_state state);

/* One row in one column: that of the best verified backend. */
struct bm_compare_cell {
    size_t row; /* index into comparison->rows */
    enum bm_compare_cell_state state;
    char backend[48];
    char *reason; /* owned, of what is not measured; may be NULL */
    uint32_t flags;
    double median_ns, roofline_efficiency;
    struct bm_spread time;       /* of ln ns, without the spread between runs */
    struct bm_spread efficiency; /* likewise, of paired rounds; its sides are NaN where there were none */
    double flops, bytes;
    int compute_ceiling, memory_ceiling;    /* indices into column->ceilings, -1: unknown */
    bool is_compute_bound;                  /* where both ceilings are known */
    double datasheet_gflops, datasheet_gbs; /* what the row can use, all packages together */
    size_t measured_as;                     /* the row whose measurement this is; its own otherwise */
    double *rounds; /* ln ns of each, in order; owned, only of the sides of an A/B comparison */
    size_t round_count;
};

struct bm_compare_use {
    size_t row;
    double count;
};
/* A whole-model request in one column: that of the backend which has figures of the whole pass, covers most,
 * and is the fastest. */
struct bm_compare_summary {
    size_t request; /* index into comparison->requests */
    char backend[48];
    double tokens_per_s, mfu, mbu; /* NaN where anything is lacking */
    double roofline_efficiency;    /* of what is covered */
    char *ops, *missing;           /* owned, names with blanks between, sorted */
    char *lacking;                 /* likewise, those of missing without which there is no figure of a pass */
    struct bm_compare_use *uses;   /* owned; none: the file does not tell */
    size_t use_count;
};

struct bm_compare_column {
    size_t file;
    char device[32], kind[8], name[128], fingerprint[65], datasheet[64], released[16];
    char backend[48];            /* of most of its rows */
    double tdp_watts, price_usd; /* all packages together */
    struct bm_compare_ceiling *ceilings;
    size_t ceiling_count;
    struct bm_compare_cell *cells; /* sorted by row */
    size_t cell_count, cell_capacity;
    struct bm_compare_summary *summaries; /* sorted by request */
    size_t summary_count;
};

struct bm_compare_row {
    char key[160], workload[32], model[64], phase[16], op[40], dtype[16], shape[96];
    uint32_t batch, tokens, context;
    bool hot;
};
struct bm_compare_request {
    char model[64], phase[16], dtype[16];
    char kv[8]; /* of the cache, "": the dtype's */
    uint32_t batch, tokens, context;
};

struct bm_compare_line {
    size_t *columns; /* indices, older first: by release date where all have one, else as given */
    size_t column_count;
    bool by_release;
    size_t *rows; /* indices in the order to show; what --only leaves out is not among them */
    size_t row_count, hidden_count;
    size_t *requests;
    size_t request_count;
};

struct bm_comparison {
    struct bm_compare_options options;
    struct bm_compare_file *files;
    size_t file_count, file_capacity;
    struct bm_compare_column *columns;
    size_t column_count, column_capacity;
    struct bm_compare_row *rows;
    size_t row_count, row_capacity;
    struct bm_compare_request *requests;
    size_t request_count, request_capacity;
    struct bm_compare_line *lines;
    size_t line_count;
    char (*notes)[320]; /* what a reader must know, one line each */
    size_t note_count, note_capacity;
    struct bm_compare_index *index; /* private: rows by key */
    double *normals;                /* private: draws of the bootstrap */
};

/* options are copied, their lists borrowed. Free with bm_comparison_destroy. */
enum bm_status bm_comparison_create(const struct bm_compare_options *options,
                                    struct bm_comparison **comparison,
                                    struct bm_error *error) BM_CHECK_RESULT;
/* Reads one file. On BM_INVALID, BM_NOT_FOUND and BM_IO it is left out and others can still be added. */
enum bm_status bm_comparison_add(struct bm_comparison *comparison, const char *path,
                                 struct bm_error *error) BM_CHECK_RESULT;
/* Forms the lines, after the last file. BM_INVALID: a device could be matched with several (the candidates
 * are named), a selector or map that nothing matches, or columns without any work in common (the difference
 * is named). */
enum bm_status bm_comparison_finish(struct bm_comparison *comparison, struct bm_error *error) BM_CHECK_RESULT;
void bm_comparison_destroy(struct bm_comparison *comparison);

const struct bm_compare_cell *bm_compare_cell_find(const struct bm_compare_column *column,
                                                   size_t row); /* NULL: none */
const struct bm_compare_summary *bm_compare_summary_find(const struct bm_compare_column *column,
                                                         size_t request);

/* ---- ratios ---- */

/* A ratio with its 95 % interval. */
struct bm_factor {
    double value, low, high;
};

/* How a row or request of one column relates to another's: speedup = roofline x utilization, roofline =
 * compute x bandwidth = datasheet x delivered (DESIGN.md, "Across machines"). The datasheet's has no
 * interval. */
struct bm_compare_ratio {
    struct bm_factor speedup, roofline, utilization, compute, bandwidth, datasheet, delivered;
    bool paired;   /* from the paired rounds of an A/B comparison */
    bool changed;  /* the interval of speedup excludes 1 */
    char why[160]; /* speedup is NaN: what is missing */
};
/* Intervals include the spread between runs but where the columns are the two sides of an A/B comparison.
 * They come from a joint bootstrap of all figures that enter (two normal halves each, so that the intervals
 * of the file are kept), or, for a row none of whose bounds can change within them, from its limit: there the
 * logarithms are sums, and the squares of their half-widths add up (Zou and Donner, Statistics in Medicine 27
 * (2008) 1693). Where both files have efficiencies of paired rounds, utilization is their ratio, with the
 * interval that these have, and roofline the ratio of the roofline times beside the rows' rounds. */
void bm_compare_row_ratio(const struct bm_comparison *comparison, const struct bm_compare_column *old,
                          const struct bm_compare_column *new_column, size_t row,
                          struct bm_compare_ratio *ratio);
void bm_compare_request_ratio(const struct bm_comparison *comparison, const struct bm_compare_column *old,
                              const struct bm_compare_column *new_column, size_t request,
                              struct bm_compare_ratio *ratio);
/* Of two ceilings of the same kind. */
struct bm_factor bm_compare_ceiling_ratio(const struct bm_comparison *comparison,
                                          const struct bm_compare_column *old,
                                          const struct bm_compare_column *new_column,
                                          const struct bm_compare_ceiling *old_ceiling,
                                          const struct bm_compare_ceiling *new_ceiling);

#endif
