/* Private to the compare module. */
#ifndef BM_COMPARE_INTERNAL_H
#define BM_COMPARE_INTERNAL_H

#include "bm/compare.h"
#include "bm/saved.h"

/* ---- filter.c ---- */

bool bm_filter_has_device(const struct bm_compare_filter *filter, const struct bm_saved_device *device);
bool bm_filter_has_row(const struct bm_compare_filter *filter, const struct bm_saved_row *row);
bool bm_filter_has_summary(const struct bm_compare_filter *filter, const struct bm_saved_summary *summary);
/* Device selectors: an id, a kind, or a case-insensitive part of the name. */
bool bm_selector_matches(const char *selector, const char *id, const char *kind, const char *name);

/* ---- spread.c ---- */

/* Of the logarithm of a figure with its interval; the sides are NaN where the interval says nothing. */
struct bm_spread bm_spread_of(double value, const double interval[2], double confidence);
/* With an independent deviation added. */
struct bm_spread bm_spread_wider(struct bm_spread spread, double deviation);
/* exp of a logarithm's estimate and 95 % sides. */
struct bm_factor bm_factor_of(double estimate, double low, double high);

/* What is summed up for one statistic: DESIGN.md, "Across machines". Indices are into the figures; side 0 is
 * the old column, 1 the new one. */
struct bm_joint_term {
    double count;
    double ln_flops, ln_bytes; /* -inf: none */
    size_t time[2], compute[2], memory[2];
    /* Of paired rounds: ln of the roofline time beside the row's rounds over that by the ceilings' medians,
     * and the efficiency, a figure where all terms have one. 0 without them. */
    double ln_beside[2];
    size_t efficiency[2];
    double ln_datasheet[2]; /* of the datasheet's roofline time, NaN: unknown */
};
struct bm_joint {
    const struct bm_joint_term *terms;
    size_t term_count;
    const struct bm_spread *figures;
    size_t figure_count;
    bool has_roofline; /* the ceilings of all terms are known */
    bool has_pairs;    /* the efficiencies too, with intervals of their own */
};
#define BM_JOINT_DRAWS 1000
#define BM_JOINT_LANES 64
/* The normal deviates that every bootstrap draws on: BM_JOINT_DRAWS x BM_JOINT_LANES. To free. */
double *bm_joint_normals(void);
/* Fills all factors of ratio. false: out of memory, nothing is filled. */
bool bm_joint_evaluate(const struct bm_joint *joint, const double *normals, struct bm_compare_ratio *ratio);

/* ---- ratio.c ---- */

/* Of work, as far as its rounding goes; what neither knows is equal. */
bool bm_equal_amounts(double a, double b);

/* ---- rows.c: rows by key ---- */

enum bm_status bm_compare_index_create(struct bm_compare_index **index, struct bm_error *error);
void bm_compare_index_destroy(struct bm_compare_index *index);
/* The index of the row with the key of saved, which is added where it is new. */
enum bm_status bm_compare_row_intern(struct bm_comparison *comparison, const struct bm_saved_row *saved,
                                     size_t *row, struct bm_error *error) BM_CHECK_RESULT;
/* SIZE_MAX: there is none. */
size_t bm_compare_row_find(const struct bm_comparison *comparison, const char *key);

/* ---- collect_rows.c, collect_summaries.c: the parts of a column from a file's device ---- */

enum bm_status bm_column_take_rows(struct bm_comparison *comparison, const struct bm_saved *saved,
                                   const struct bm_saved_device *device, struct bm_compare_column *column,
                                   struct bm_error *error) BM_CHECK_RESULT;
/* The backend that is the best in most rows. */
void bm_column_name_backend(struct bm_compare_column *column);
/* After the rows. Sorts the names in saved. */
enum bm_status bm_column_take_summaries(struct bm_comparison *comparison, struct bm_saved_device *device,
                                        struct bm_compare_column *column,
                                        struct bm_error *error) BM_CHECK_RESULT;
void bm_summary_fini(struct bm_compare_summary *summary);

/* ---- lines.c, difference.c ---- */

void bm_comparison_note(struct bm_comparison *comparison, const char *format, ...) BM_PRINTF(2, 3);
/* "old.json:gpu0" */
void bm_column_name(const struct bm_comparison *comparison, const struct bm_compare_column *column,
                    char name[256]);
/* Whether [FILE:]DEVICE means the column. */
bool bm_column_matches(const struct bm_comparison *comparison, const struct bm_compare_column *column,
                       const char *selector);
/* What two columns without a common row do not share: "dtype f32 against f16". */
void bm_compare_difference(const struct bm_comparison *comparison, const struct bm_compare_column *old,
                           const struct bm_compare_column *new_column, char text[200]);
/* Rows and requests of a line, sorted and selected. */
enum bm_status bm_compare_arrange(struct bm_comparison *comparison, struct bm_compare_line *line,
                                  struct bm_error *error) BM_CHECK_RESULT;

#endif
