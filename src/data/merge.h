/* Private to the data module: what bm_merge keeps of the files that it was given. */
#ifndef BM_DATA_MERGE_H
#define BM_DATA_MERGE_H

#include <jansson.h>

#include "bm/merge.h"

/* Slots of a row before those of bm_merge_row_fields. A round without a figure has NaN as its median. */
enum bm_merge_slot { BM_MERGE_MEDIAN, BM_MERGE_LAUNCHES, BM_MERGE_FLAGS, BM_MERGE_FIELDS };

/* Members whose middle is the whole's, "a.b" within an object a; NULL past the last. */
extern const char *const bm_merge_row_fields[], *const bm_merge_ceiling_fields[];
size_t bm_merge_row_slots(void);
size_t bm_merge_ceiling_slots(void);

struct bm_merge {
    struct bm_merge_options options;
    char id[37];
    json_t *pattern; /* the first file, its rows without rounds */
    size_t row_count, slots;
    struct {
        json_t *good,
            *bad; /* the first that was measured; the first that failed, else that was not measured */
        size_t failed;
    } * rows;
    double *values;     /* [round][slots]: rows, then each device's ceilings */
    uint64_t *start_ns; /* [round] */
    size_t round_count, value_capacity, start_capacity;
};

/* The member at a path, NULL: there is none; as a number, NaN. */
json_t *bm_merge_member(const json_t *object, const char *path);
double bm_merge_number(const json_t *object, const char *path);

#endif
