/* sample.h - results, an inventory and a plan made by hand: every kind of row, unknown values, names in
 * UTF-8. */
#ifndef TESTS_EXPORT_SAMPLE_H
#define TESTS_EXPORT_SAMPLE_H

#include "bm/export.h"

#include <criterion/criterion.h>
#include <string.h>

/* A CPU with everything measured, and a GPU of which little is known. Free with bm_results_fini. */
void sample_results(struct bm_results *results);
/* The two, and a GPU that cannot be used. Borrowed, never freed. */
const struct bm_inventory *sample_inventory(void);

/* Widths of UTF-8 need a locale that has it. */
void sample_begin(void);
/* The text is the expected one; the first line that differs is told. */
void expect_text(const struct bm_text *text, const char *expected);
/* Columns of the longest line, counted in characters. */
size_t longest_line(const char *text);

#endif
