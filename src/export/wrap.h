/* Private to the export module: lines that fit a terminal. Columns are counted in characters. */
#ifndef BM_WRAP_H
#define BM_WRAP_H

#include "bm/base.h"

size_t bm_wrap_columns(const char *text, size_t bytes);
/* Bytes of the longest beginning of text that fits, cut at a blank or after a slash where there is one, else
 * at a joint of a name; at least one character. Ends at a newline. */
size_t bm_wrap_take(const char *text, size_t columns);
/* Appends a line and its newline, broken over lines of at most width columns (0: as long as it is); those
 * after the first are indented. */
void bm_wrap_append(struct bm_text *text, const char *line, unsigned width, unsigned indent);

/* What a table says beneath itself: every distinct note once, with the rows that it is about.
 * Zero-initialise. */
struct bm_notes {
    struct bm_note *items;
    size_t count, capacity;
    size_t rows; /* of the table, counted by its writer: a note about all of three or more says "all", one
                    about most of many how many */
    bool failed;
};
void bm_notes_add(struct bm_notes *notes, const char *about, const char *note);
/* "note (about, about)", "note (all)" or "note (9 of 12)", wrapped; empties the notes. BM_NO_MEMORY also for
 * an addition that failed. */
enum bm_status bm_notes_append(struct bm_notes *notes, unsigned width, struct bm_text *text,
                               struct bm_error *error) BM_CHECK_RESULT;

#endif
