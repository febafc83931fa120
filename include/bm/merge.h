/* bm/merge.h - floor 1, module data: many results files of one command as one: a side of an A/B comparison.
 *
 * Each file is the work of one process, and becomes a round: the median time of a row in it. The first file
 * is the pattern of all that does not change; figures are those of the middle of the rounds. */
#ifndef BM_MERGE_H
#define BM_MERGE_H

#include "bm/results.h"

struct bm_merge_options {
    const char *ab_id, *side; /* borrowed */
    /* What figures above 0, in order of time, come to: ns or any other unit. flags: of their shape. Given by
     * a module that knows statistics. */
    void (*estimate)(const double *figures, size_t count, struct bm_results_time *time, unsigned *flags);
    const char *(*flag_name)(unsigned bit);
    unsigned round_flags; /* those of a process's row that are its round's; others tell of rounds within it */
    unsigned words_added; /* at the end of the recorded command line, which are left out */
};

struct bm_merge; /* opaque */
/* options are copied. */
enum bm_status bm_merge_create(const struct bm_merge_options *options, struct bm_merge **merge,
                               struct bm_error *error) BM_CHECK_RESULT;
void bm_merge_destroy(struct bm_merge *merge);

/* Takes a results file of at most BM_SAVED_MAX_BYTES as the next round, begun at start_ns. BM_INVALID,
 * BM_NOT_FOUND: it is no results file; nothing is taken. */
enum bm_status bm_merge_add(struct bm_merge *merge, const char *path, uint64_t start_ns,
                            struct bm_error *error) BM_CHECK_RESULT;
/* Takes back one row's figure of a round, counted from 0: it has no partner on the other side. */
void bm_merge_omit(struct bm_merge *merge, size_t round, const char *key, const char *device,
                   const char *backend, unsigned threads);
/* Writes what was taken so far, atomically. A row that failed in any process has failed; one that was
 * measured in less than half of them stays as the first of the others tells. */
enum bm_status bm_merge_write(const struct bm_merge *merge, const char *path, bool complete,
                              struct bm_error *error) BM_CHECK_RESULT;

#endif
