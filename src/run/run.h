/* Private to the run module: the state of one execution. */
#ifndef BM_RUN_STATE_H
#define BM_RUN_STATE_H

#include "bm/control.h"
#include "bm/measure.h"
#include "bm/run.h"
#include "bm/saved.h"

/* What became of an item before it was timed. */
struct bm_run_state {
    struct bm_prepared *prepared; /* NULL: not measured */
    struct bm_verification verification;
    double experts_occurred;      /* a launch, where tokens are routed to experts; 0: unknown */
    struct bm_prepared_info info; /* borrows from prepared, copied into the row while that lives */
    enum bm_row_status status;
    struct bm_error error; /* why it was skipped or failed */
};

struct bm_run {
    const struct bm_run_options *options;
    const struct bm_inventory *inventory;
    const struct bm_run_plan *plan;
    const struct bm_run_observer *observer;
    struct bm_session **sessions;   /* one per inventory endpoint, NULL: not used */
    struct bm_error *session_error; /* one per inventory endpoint */
    struct bm_run_state *states;    /* one per item */
    struct bm_series *series;       /* one per timed item */
    size_t *timed;                  /* item of each series */
    size_t timed_count;
    double *steady_ns;                /* one per item: per launch at the end of a long block, 0: not held */
    struct bm_control *control;       /* NULL: nothing was timed */
    struct bm_results_round **rounds; /* one per item, owned copies for the results */
    char **command;                   /* for the report; the words are borrowed */
    struct bm_results results;
    bool measured; /* begun at least: there are results */
    uint64_t start_ns, last_write_ns;
    bool again; /* rows above their ceilings are measured once more, whatever is left of the budget */
    struct bm_error write_error;
    struct bm_saved saved; /* of --resume */
};

const struct bm_endpoint *bm_run_endpoint(const struct bm_run *run, const struct bm_run_item *item);
/* The item whose state and series stand for item. */
const struct bm_run_state *bm_run_state_of(const struct bm_run *run, size_t item);
/* The series of an item, or NULL when it was not timed. */
const struct bm_series *bm_run_series_of(const struct bm_run *run, size_t item);

/* That its row names: its own number, or all of the endpoint's; 0: a GPU. */
unsigned bm_run_threads(const struct bm_run *run, size_t item);

/* Before timing: a session for every endpoint used, room for every case, then buffers, programs and
 * verification. What cannot run is said in its state. BM_INTERRUPTED: a signal came between two cases. */
void bm_run_open_sessions(struct bm_run *run);
void bm_run_reserve_items(struct bm_run *run);
/* Fills in its FLOPs and bytes: once, as results are made anew every few seconds. */
void bm_run_sequence_work(struct bm_run_sequence *sequence);
/* Room for the cases of a sequence; what cannot be is said in the item's state. */
void bm_run_reserve_sequence(struct bm_run *run, size_t item, struct bm_session *session);
enum bm_status bm_run_prepare_sequence(const struct bm_run *run, size_t item, struct bm_session *session,
                                       struct bm_prepared **prepared, struct bm_error *error) BM_CHECK_RESULT;
enum bm_status bm_run_prepare_items(struct bm_run *run, struct bm_error *error) BM_CHECK_RESULT;
/* Everything in the results that is known before anything is measured. */
enum bm_status bm_run_start_results(struct bm_run *run, struct bm_error *error) BM_CHECK_RESULT;
/* With --anonymize: replaces paths in a message by "<path>". */
void bm_run_hide_paths(const struct bm_run *run, char *message, size_t size);
void bm_run_describe_host(const struct bm_run *run, struct bm_results_host *host);
#define BM_RUN_CANDIDATES 16
/* Times each candidate of a ceiling's workload briefly, in turn, and writes the fastest. false: there are
 * none, all fail, or trials would take a good part of the budget (below 10 s), of which the trials of all
 * `ceilings` together get a tenth. */
bool bm_run_calibrate(const struct bm_backend *backend, struct bm_session *session,
                      const struct bm_case *the_case, double budget_s, size_t ceilings,
                      struct bm_parameters *best);
/* A cache that has a ceiling. */
struct bm_run_cache {
    const char *resource;        /* "l1_read", "l2_read", "llc_read" */
    uint64_t bytes, total_bytes; /* of one, of all of the level */
};
#define BM_RUN_CACHES 4
/* Those of a device, innermost first, the last level as llc_read; returns how many are known. */
size_t bm_run_caches(const struct bm_inventory *inventory, const struct bm_device *device,
                     const struct bm_endpoint *endpoint, struct bm_run_cache caches[BM_RUN_CACHES]);
/* Reads options->resume. BM_INVALID also when it was measured on other hardware, with other kernels or
 * --cache. */
enum bm_status bm_run_resume_open(struct bm_run *run, struct bm_error *error) BM_CHECK_RESULT;
/* Hands its rounds to the series of the timed items; *elapsed_ns is where the last of them ended. */
enum bm_status bm_run_resume_rounds(struct bm_run *run, uint64_t *elapsed_ns,
                                    struct bm_error *error) BM_CHECK_RESULT;
/* Fills results.rows from plan, states and series. */
enum bm_status bm_run_fill_rows(struct bm_run *run, struct bm_error *error) BM_CHECK_RESULT;
/* Fills the devices' ceilings from the rows, then the rows' utilization, then the summaries. */
enum bm_status bm_run_fill_ceilings(struct bm_run *run, struct bm_error *error) BM_CHECK_RESULT;
void bm_run_fill_utilization(struct bm_run *run);
/* Tags rounds in which a device was not on the level of memory that it mostly was on, and finds flags anew.
 */
void bm_run_tag_levels(struct bm_run *run);
/* Warns of devices with two. */
void bm_run_tell_levels(const struct bm_run *run);
/* By the rule of enum bm_flag. */
void bm_run_flag_devices(struct bm_run *run);
/* What memory allows a row: so many of its bytes at the rate of each of these ceilings, all at `together`'s.
 */
struct bm_run_memory {
    const struct bm_results_ceiling *of[2];
    double bytes[2];
    size_t count;
    struct bm_results_ceiling together;
};
/* R / time of the rounds of an item, each R by the rounds of the ceilings that are nearest in time; with the
 * flags of these ratios. false: there are too few pairs. */
bool bm_run_pair_rounds(const struct bm_run *run, size_t item, const struct bm_results_ceiling *compute,
                        const struct bm_run_memory *memory, struct bm_estimate *efficiency);
/* Makes references of the ceilings that may judge rows which are not done. */
void bm_run_mark_references(struct bm_run *run);
/* What a reader takes an interval for is the next run's median: those of rows, their efficiencies and
 * ceilings are widened, in logarithms, by what differs between runs (BM_BETWEEN_RUNS), after rows were judged
 * by this run's ceilings. */
void bm_run_widen_intervals(struct bm_run *run);
enum bm_status bm_run_fill_summaries(struct bm_run *run, struct bm_error *error) BM_CHECK_RESULT;
/* Warms up and times every verified item, and once more what turns out implausible. */
enum bm_status bm_run_time(struct bm_run *run, struct bm_error *error) BM_CHECK_RESULT;
/* Runs the ceilings of memory_read and f32 arithmetic for some seconds each without a pause: the rates that
 * remain under power and heat go to run->steady_ns. Nothing when the plan has no time for it. */
enum bm_status bm_run_hold(struct bm_run *run, const struct bm_clock *clock,
                           struct bm_error *error) BM_CHECK_RESULT;
/* Seconds of the budget that bm_run_hold takes; 0: it does nothing. */
double bm_run_hold_seconds(const struct bm_run *run);
bool bm_run_stop_requested(const struct bm_run *run);
double bm_run_seconds_since(uint64_t start_ns);
/* Whether that share of the budget is over: a case that has not begun by then is left out. Never of a budget
 * below 10 s, which is asked for to see everything run: each case is measured once then, whatever it takes.
 */
bool bm_run_is_late(const struct bm_run *run, double share);
/* BM_TIMED_OUT: the error of a case that is left out. */
enum bm_status bm_run_leave_out(const struct bm_run *run, const char *before, struct bm_error *error);
/* Warns of how many there were. */
void bm_run_tell_left_out(const struct bm_run *run);
/* Everything in the results anew from states and series; then the file, where one is wanted. */
enum bm_status bm_run_refresh(struct bm_run *run, struct bm_error *error) BM_CHECK_RESULT;
enum bm_status bm_run_write(struct bm_run *run, struct bm_error *error) BM_CHECK_RESULT;
/* The results' device that a row belongs to. */
struct bm_results_device *bm_run_device_of(const struct bm_run *run, const struct bm_results_row *row);
/* "fma/f32_vector/opencl/pocl"; left alone when ceiling is NULL. */
void bm_run_name_ceiling(const struct bm_results_ceiling *ceiling, char name[96]);
/* Whether the ceiling measured as ceiling_item may have judged the row. */
bool bm_run_judges(const struct bm_run *run, size_t ceiling_item, const struct bm_results_row *row);
/* The best ceiling of a device by resource and (for fma) pipe; NULL: none was measured. */
const struct bm_results_ceiling *bm_run_ceiling(const struct bm_results_device *device, const char *resource,
                                                const char *pipe);
/* The best ceiling of the pipes that may serve a contract. */
const struct bm_results_ceiling *bm_run_best_pipe(const struct bm_results_device *device,
                                                  const struct bm_dtype *dtype);
/* The datasheet's figure for the contract's best pipe, all packages together; NaN: unknown, or only recalled.
 */
double bm_run_datasheet_gflops(const struct bm_results_device *device, const struct bm_dtype *dtype);
double bm_run_datasheet_gbs(const struct bm_results_device *device);

#endif
