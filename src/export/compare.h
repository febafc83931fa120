/* Private to the export module: what the reports of a comparison share. */
#ifndef BM_EXPORT_COMPARE_H
#define BM_EXPORT_COMPARE_H

#include "bm/compare.h"
#include "quantity.h"

/* A, B, ... Z, AA, ... */
void bm_column_label(size_t index, char label[8]);
/* Half the interval of a ratio, relative: "3.1", or "-". */
void bm_quantity_interval(char text[BM_QUANTITY_SIZE], const struct bm_factor *factor);
/* "compute", "memory", "comp>mem", "mem>comp", "-". Cells may be NULL. */
const char *bm_bound_change(const struct bm_compare_cell *old, const struct bm_compare_cell *new_one);
/* "llama2-7b decode f16, batch 1, context 1024". */
void bm_request_name(const struct bm_compare_request *request, char name[160]);
/* tokens/s / TDP: at least that many tokens a joule, because the device draws no more. NaN: unknown. */
double bm_tokens_per_watt(const struct bm_compare_column *column, const struct bm_compare_summary *summary);
double bm_tokens_per_usd(const struct bm_compare_column *column, const struct bm_compare_summary *summary);
/* The best ceiling of its kind in a column, NULL: none. */
const struct bm_compare_ceiling *bm_best_ceiling(const struct bm_compare_column *column, const char *resource,
                                                 const char *pipe);
/* Calls each(context, ceiling) for every kind of ceiling in a line, once. */
void bm_each_ceiling_kind(const struct bm_comparison *comparison, const struct bm_compare_line *line,
                          void (*each)(void *context, const struct bm_compare_ceiling *kind), void *context);

#endif
