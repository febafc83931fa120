/* bm/estimate.h - floor 7: what a device would serve of a whole model, from the measured rows of its ops.
 *
 * Definitions (DESIGN.md, "Whole model"): TTFT of an unloaded device is the prompt in chunks over a growing
 * past, the logits of the last token alone, sampling and a synchronisation. TPOT is (end-to-end - TTFT) / (N
 * - 1), the mean of N - 1 decode steps over their growing context. A step = max(sum of device time, launches
 * x issue time) + synchronisation. Device time of an op at a context that was not measured is interpolated
 * between two that were, of at least three; nothing is extrapolated, and what is missing is named.
 *
 * Intervals: to first order in logarithms, the squares of the rows' relative half-widths weighted by their
 * shares of the sum add up; rows are taken as independent, and what differs from run to run of a machine is
 * not in them. Unknown figures are NaN, unknown texts "". */
#ifndef BM_ESTIMATE_H
#define BM_ESTIMATE_H

#include "bm/base.h"
#include "bm/data.h"
#include "bm/model.h"

/* Tokens of a chunk of a prompt unless told: the default of vLLM's chunked prefill. */
#define BM_SERVING_CHUNK 2048
/* MLPerf Inference's bound for Llama 2 70B in its server scenario. */
#define BM_SERVING_TPOT_LIMIT_MS 200

struct bm_serving_options {
    struct bm_model model;
    const char *model_name;                    /* as the user wrote it, for commands; borrowed */
    struct bm_names devices, backends, dtypes; /* selectors, borrowed; empty: all */
    const uint32_t *batches;                   /* ascending, borrowed */
    size_t batch_count;
    uint32_t prompt, generate; /* tokens of each sequence */
    uint32_t chunk;
    uint32_t count;           /* devices that share the model */
    double link_gbs, link_us; /* between them, each way; 0: unknown, and then only the fit is told */
    enum bm_routing routing;
    enum bm_kv kv; /* what the cache holds */
    double tpot_limit_ns;
};

/* A figure with its 95 % interval. */
struct bm_serving_figure {
    double value, low, high;
};

/* Time of one kind of op; all chunks of the prompt, and a mean decode step. 0: not executed in that phase;
 * NaN: not measured, or not all of it. */
struct bm_serving_op {
    char name[32];
    double prefill_ns, decode_ns;
};

struct bm_serving_missing {
    enum bm_phase phase; /* NONE: a ceiling */
    char op[32];
    char key[BM_KEY_SIZE]; /* of the row that would serve; "" where nothing measures it yet */
    char why[96];
};

/* One batch size. */
struct bm_serving_point {
    uint32_t batch;
    struct bm_serving_figure ttft_ns, tpot_ns;
    struct bm_serving_figure prefill_tokens_per_s, decode_tokens_per_s; /* of all sequences together */
    double ttft_launch_free_ns, tpot_launch_free_ns;                    /* the sums of device time alone */
    bool ttft_issue_bound, tpot_issue_bound;                 /* launches x issue time was the larger */
    double prefill_mfu, prefill_mbu, decode_mfu, decode_mbu; /* by the datasheet */
    double compute_share;      /* of a decode step's time, in ops that arithmetic bounds */
    double cache_bytes;        /* of all sequences at their full length, on one device */
    bool fits;                 /* or the memory's size is unknown */
    uint32_t devices_needed;   /* the fewest that share the model and hold it; 0: no number up to 1024 does */
    struct bm_serving_op *ops; /* owned; of both phases, in the order of execution */
    size_t op_count, op_capacity;
    struct bm_serving_missing *missing; /* owned */
    size_t missing_count, missing_capacity;
};

/* One device through one backend in one number format. */
struct bm_serving {
    char device[32], name[128], backend[48], dtype[16];
    char *files;                       /* owned: where its rows come from, ", " between */
    double memory_bytes, weight_bytes; /* of one device; its weights */
    double issue_ns, wait_ns;          /* per launch; the round trip of a wait beyond a launch */
    double datasheet_gflops, datasheet_gbs;
    struct bm_serving_point *points; /* owned, one a batch size */
    size_t point_count;
    size_t best;    /* the point of most tokens/s whose TPOT is within the limit; SIZE_MAX: none */
    size_t turn;    /* the first point whose decode step arithmetic bounds; SIZE_MAX: none */
    char *commands; /* owned: what would measure what is missing, a line each; "" where nothing can */
};

struct bm_serving_report {
    struct bm_serving_options options;
    struct bm_serving *servings; /* owned */
    size_t serving_count, serving_capacity;
    struct bm_serving_store *store; /* private: the rows */
};

/* options are copied, what they borrow must outlive the report. Free with bm_serving_report_destroy. */
enum bm_status bm_serving_report_create(const struct bm_serving_options *options,
                                        struct bm_serving_report **report,
                                        struct bm_error *error) BM_CHECK_RESULT;
/* Reads one results file. Files of the same device (by fingerprint) complete one another; of a row that
 * several have, the newest file's counts. On BM_INVALID, BM_NOT_FOUND and BM_IO the file is left out. */
enum bm_status bm_serving_report_add(struct bm_serving_report *report, const char *path,
                                     struct bm_error *error) BM_CHECK_RESULT;
/* After the last file. BM_INVALID: a request that the model cannot serve, a count that does not divide it, or
 * selectors that nothing matches. */
enum bm_status bm_serving_report_finish(struct bm_serving_report *report,
                                        struct bm_error *error) BM_CHECK_RESULT;
void bm_serving_report_destroy(struct bm_serving_report *report);
/* Whether anything is missing anywhere. */
bool bm_serving_report_incomplete(const struct bm_serving_report *report);

/* One ring all-reduce of `bytes` among count devices: 2 (g - 1) / g bytes / bandwidth + 2 (g - 1) latency
 * (Patarasuk and Yuan, JPDC 69 (2009) 117). */
double bm_serving_all_reduce_ns(uint32_t count, double bytes, double gbs, double latency_us);

#endif
