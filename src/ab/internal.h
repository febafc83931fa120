/* Private to the ab module. */
#ifndef BM_AB_INTERNAL_H
#define BM_AB_INTERNAL_H

#include "bm/ab.h"
#include "bm/merge.h"
#include "bm/saved.h"

/* ---- one side: a command and what its processes left ---- */

enum { AB_OLD, AB_NEW, AB_SIDES, AB_PATH = 1024 };
extern const char *const ab_side_names[AB_SIDES];

struct ab_side {
    const char *name;
    const char **words; /* of the process; words[0] or one after `env` may be the program's own path */
    char output[AB_PATH], errors[AB_PATH]; /* of the process that runs, removed after it */
    char merged[AB_PATH];
    struct bm_merge *merge;
};
/* Words that are added to a command: --quiet --output FILE. */
enum { AB_WORDS_ADDED = 3 };

/* BM_INVALID: a word is one that only this program may give, or the side's file is there already. options
 * are borrowed. */
enum bm_status ab_side_init(const struct bm_ab_options *options, int side, const char *ab_id,
                            struct ab_side *own, struct bm_error *error) BM_CHECK_RESULT;
void ab_side_fini(struct ab_side *side);

struct ab_limits {
    double left_s; /* of the budget */
    bool (*stop_requested)(void *context);
    void *context;
};
/* Runs the command once and reads what it wrote. round 0: before the first. *late: the budget ended first,
 * and nothing is read. BM_INTERRUPTED: a stop was asked for. */
enum bm_status ab_side_run(const struct ab_side *side, unsigned round, const struct ab_limits *limits,
                           struct bm_saved *saved, bool *late, struct bm_error *error) BM_CHECK_RESULT;

/* ---- rows of both sides ---- */

struct ab_cell { /* a row on one side */
    bool there;
    char device[32], backend[48];
    unsigned threads;
    double flops, bytes;
    double *ns; /* of each round, NaN: not measured */
    size_t capacity, measured, failed, throttled;
    uint32_t flags;   /* of the rounds */
    char reason[160]; /* why it was not measured */
};
struct ab_row {
    char key[160], device_name[128];
    struct ab_cell cells[AB_SIDES];
    double *differences; /* of rounds that count, in order */
    size_t capacity;
    struct bm_ab_series series;
    bool is_judged; /* in the family: measured on both sides, of equal work */
};
struct ab_rows {
    struct ab_row *items;
    size_t count, capacity, shared, rounds;
};
/* The rows of both files, matched. BM_INVALID: none is in both. */
enum bm_status ab_rows_match(const struct bm_saved saved[AB_SIDES], struct ab_rows *rows,
                             struct bm_error *error) BM_CHECK_RESULT;
/* One more round; nothing is taken on failure. */
enum bm_status ab_rows_add(const struct bm_saved saved[AB_SIDES], struct ab_rows *rows,
                           struct bm_error *error) BM_CHECK_RESULT;
void ab_rows_fini(struct ab_rows *rows);
bool ab_row_equal_work(const struct ab_row *row);
size_t ab_rows_judged(const struct ab_rows *rows);
size_t ab_rows_decided(const struct ab_rows *rows);
/* bm_ab_look over the judged rows. */
enum bm_status ab_rows_look(struct ab_rows *rows, double margin, double alpha, double share, bool is_last,
                            struct bm_error *error) BM_CHECK_RESULT;
/* Rows as the gate shows them. */
enum bm_status ab_rows_report(const struct ab_rows *rows, struct bm_gate *gate,
                              struct bm_error *error) BM_CHECK_RESULT;

#endif
