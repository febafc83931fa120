/* Private to the estimate module: rows that were measured, sums of them, and what a pass is made of. */
#ifndef BM_ESTIMATE_INTERNAL_H
#define BM_ESTIMATE_INTERNAL_H

#include "bm/estimate.h"

/* ---- rows ---- */

/* A measured row, under the work that it is, whatever model and op it was measured for. */
struct bm_measured {
    char work[BM_KEY_SIZE]; /* workload/dtype/shape[/extras] */
    double ns;
    double below, above; /* standard deviations of its logarithm */
    bool compute_bound;
    uint32_t launches; /* of one execution, at least 1 */
    uint32_t context;
    size_t file; /* order of age: the newer counts */
};

/* Rows and latencies of one device through one backend. */
struct bm_measured_set {
    size_t device;
    char backend[48];
    struct bm_measured *rows; /* sorted by work after bm_store_sort */
    size_t count, capacity;
    struct bm_measured issue, wait; /* ns 0: not measured */
    uint32_t *contexts;             /* that any row has, ascending */
    size_t context_count;
};

struct bm_measured_device {
    char fingerprint[65], id[32], kind[8], name[128];
    double memory_bytes,
        bandwidth_gbs; /* the latter of the datasheet, all packages; NaN: not to be trusted */
    struct bm_measured_peak {
        char pipe[32];
        double gflops;
    } peaks[32]; /* trusted ones */
    size_t peak_count;
    char *files; /* owned */
};

struct bm_serving_store {
    struct bm_measured_device *devices;
    size_t device_count, device_capacity;
    struct bm_measured_set *sets;
    size_t set_count, set_capacity;
    struct bm_serving_file {
        char created[32];
    } * files;
    size_t file_count, file_capacity;
};

void bm_store_destroy(struct bm_serving_store *store);
/* After the last file. */
enum bm_status bm_store_sort(struct bm_serving_store *store, struct bm_error *error) BM_CHECK_RESULT;
/* Key without model, phase and op. */
void bm_work_of_key(const char *key, char work[BM_KEY_SIZE]);
void bm_work_of_case(const struct bm_case *the_case, char work[BM_KEY_SIZE]);
const struct bm_measured *bm_set_find(const struct bm_measured_set *set, const struct bm_case *the_case);

/* ---- sums: linear in the times of rows ---- */

struct bm_sum {
    const struct bm_measured_set *set;
    double *weights; /* of the set's rows; owned */
    double launches, flops, bytes;
};
enum bm_status bm_sum_init(struct bm_sum *sum, const struct bm_measured_set *set,
                           struct bm_error *error) BM_CHECK_RESULT;
void bm_sum_fini(struct bm_sum *sum);
double bm_sum_ns(const struct bm_sum *sum);
/* ns of rows that arithmetic bounds. */
double bm_sum_compute_ns(const struct bm_sum *sum);
/* max(sum, launches x issue) + extra: `steps` synchronisations and what takes a known time. steps counts how
 * often the sum holds a whole step; *issue_bound says which of the two it was. */
struct bm_serving_figure bm_sum_figure(const struct bm_sum *sum, double steps, double known_ns,
                                       bool *issue_bound);
/* numerator / figure, its interval turned around. */
struct bm_serving_figure bm_figure_rate(double numerator, const struct bm_serving_figure *figure);

/* ---- contexts ---- */

/* weights[i] of the measured contexts[i], ascending, whose sum with the times there is the mean time over the
 * contexts first..last, piecewise linear between neighbours. false: it would extrapolate, or a context that
 * was not measured would be interpolated of fewer than three. */
bool bm_context_weights(const uint32_t *contexts, size_t count, uint32_t first, uint32_t last,
                        double *weights);

/* ---- passes ---- */

/* Adds `times` passes of a request to the sum and to the point's ops; of a decode step the mean over the
 * contexts from request->context to mean_to. skip_logits: no final norm, lm_head and sampling, as in all
 * chunks of a prompt but the last. What is not measured becomes the point's missing. */
struct bm_sum_pass {
    struct bm_request request;
    uint32_t mean_to;
    double times;
    bool skip_logits;
};
enum bm_status bm_sum_add_pass(const struct bm_model *model, const struct bm_sum_pass *pass,
                               struct bm_sum *sum, struct bm_serving_point *point,
                               struct bm_error *error) BM_CHECK_RESULT;

/* ---- a point of the curve ---- */

/* point->batch is set; the rest is filled. model: of one device. */
enum bm_status bm_point_fill(const struct bm_serving_options *options, const struct bm_model *model,
                             const struct bm_dtype *dtype, const struct bm_measured_set *set,
                             const struct bm_serving *serving, struct bm_serving_point *point,
                             struct bm_error *error) BM_CHECK_RESULT;
void bm_point_fini(struct bm_serving_point *point);
/* The commands that would measure what the points miss. */
char *bm_serving_commands(const struct bm_serving_options *options, const struct bm_serving *serving);
/* The fewest devices whose memory holds the shares of weights and caches; 0: none up to 1024. */
uint32_t bm_devices_needed(const struct bm_serving_options *options, const struct bm_dtype *dtype,
                           uint32_t batch, double memory_bytes);
/* Tokens of a sequence at its full length: the last one generated is never stored. */
uint64_t bm_serving_tokens(const struct bm_serving_options *options);
/* Where a set lacks whole kinds of work, as that of a library of matrix products does, those of the same
 * device through another backend: a program uses both. */
enum bm_status bm_store_complete(struct bm_serving_store *store, struct bm_error *error) BM_CHECK_RESULT;
/* Sorts rows and drops all but the newest of each work. */
void bm_set_sort(const struct bm_serving_store *store, struct bm_measured_set *set);

#endif
