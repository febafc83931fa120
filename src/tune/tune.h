/* Private to the tune module: trials on a real device. */
#ifndef BM_TUNE_TUNE_H
#define BM_TUNE_TUNE_H

#include "bm/tune.h"
#include "search.h"

struct tune_run {
    const struct bm_tune_options *options;
    const struct bm_inventory *inventory;
    const struct bm_tune_observer *observer;
    struct bm_tune_plan *plan;
    struct bm_session **sessions; /* one per inventory endpoint, NULL: not open */
    uint64_t deadline_ns;
    size_t done; /* classes */
};
const struct bm_endpoint *tune_endpoint(const struct tune_run *run, const struct bm_tune_class *the_class);
struct bm_session **tune_session(const struct tune_run *run, const struct bm_tune_class *the_class);
bool tune_stop_requested(const struct tune_run *run);
/* To the observer's progress. */
void tune_tell(const struct tune_run *run, const struct bm_tune_class *the_class, double gain);
/* What a device cannot hold or do is skipped, anything else failed. */
void tune_give_up(struct bm_tune_class *the_class, enum bm_status status, const char *reason);

/* A class's share of the time: the number of parameters to search, up to ten. */
unsigned tune_weight(const struct bm_tune_class *the_class);
/* FLOPs and bytes: an order of cases by size. */
double tune_work_of(const struct bm_case *the_case);

/* ---- candidates for one case of a class ---- */

enum { TUNE_VARIANTS = 4 };
struct tune_trial {
    struct tune_run *run;
    struct bm_tune_class *the_class;
    const struct bm_backend *backend;
    struct bm_session *session;
    const struct bm_case *the_case;
    uint64_t most_bytes;              /* of a plan's buffers */
    char variants[TUNE_VARIANTS][32]; /* of kernels that a search may come to */
    unsigned variant_count;           /* 0: any */
    unsigned told_wrong;              /* warnings given */
    struct bm_error problem;          /* of the candidate refused last */
};
/* A plan may take twice the memory of the one with these parameters, which suit. */
void tune_trial_init(struct tune_trial *trial, struct tune_run *run, struct bm_tune_class *the_class,
                     const struct bm_case *the_case, const struct bm_parameters *known);
/* Keeps a search to the variants of kernels that its seeds have: another may take minutes to compile on a
 * device that it is not made for. */
void tune_trial_keep_variants(struct tune_trial *trial, const struct bm_parameters *seeds, size_t count);
/* The functions of struct tune_work, on a struct tune_trial. */
struct tune_work tune_trial_work(struct tune_trial *trial);
bool tune_trial_fit(void *trial, const struct bm_parameters *wanted, struct bm_parameters *fitted);

/* ---- steps ---- */

#define TUNE_SEEDS 24
/* What a search starts from, the parameters in use first, each suiting the first case. Returns how many. */
size_t tune_seeds(const struct tune_run *run, const struct bm_tune_class *the_class,
                  struct bm_parameters seeds[TUNE_SEEDS]);
/* Before anything is prepared in its session: room for the cases with the parameters in use, which go to
 * `before`; skips or fails the class when the first has none. When all classes have that, room for what their
 * searches may come to. */
void tune_reserve_known(struct tune_run *run, struct bm_tune_class *the_class);
void tune_reserve_space(struct tune_run *run, struct bm_tune_class *the_class);
/* Times `found` against the parameters in use over the class's cases, as far as they fit before the deadline
 * (the first always), and makes the class improved when they are faster in all by TUNE_MARGIN. */
void tune_confirm(struct tune_run *run, struct bm_tune_class *the_class, const struct bm_parameters *found,
                  uint64_t deadline_ns);

#endif
