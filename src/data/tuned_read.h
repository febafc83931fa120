/* Private to the data module: what shipped and tuned parameters have in common. */
#ifndef BM_TUNED_READ_H
#define BM_TUNED_READ_H

#include "bm/tuned.h"
#include "json_reader.h"

/* {PARAMETER: whole number}, for read() of a field: target is a struct bm_parameters. */
enum bm_status bm_tuned_read_parameters(const struct bm_json *at, void *target, struct bm_error *error);
/* Of a-z 0-9 . + - and '/' between levels, none of them empty; "" too. */
bool bm_tuned_is_class(const char *name);
/* A copy at the end of the list. */
enum bm_status bm_tuned_list_add(struct bm_tuned_list *list, const struct bm_tuned_entry *entry,
                                 struct bm_error *error) BM_CHECK_RESULT;

#endif
