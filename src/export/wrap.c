#include "wrap.h"

#include <stdlib.h>
#include <string.h>

size_t bm_wrap_columns(const char *text, size_t bytes) {
    size_t columns = 0;
    for (size_t i = 0; i < bytes; i++)
        columns += ((unsigned char)text[i] & 0xc0) != 0x80; /* the first byte of a UTF-8 sequence */
    return columns;
}

/* How good a break is between two bytes, 0: none. Names break at their joints: "m128n11008|k4096". */
static int break_between(char before, char after) {
    if (before == '/' || after == ' ')
        return 3;
    if (before == '-' || before == '_')
        return 2;
    return before >= '0' && before <= '9' &&
           ((after >= 'a' && after <= 'z') || (after >= 'A' && after <= 'Z'));
}

size_t bm_wrap_take(const char *text, size_t columns) {
    size_t length = strcspn(text, "\n"), fitting = 0, break_at = 0;
    int best = 0;
    if (bm_wrap_columns(text, length) <= columns)
        return length;
    for (size_t taken = 0; taken < columns || fitting == 0; taken++) {
        do
            fitting++;
        while (((unsigned char)text[fitting] & 0xc0) == 0x80);
        const int quality = break_between(text[fitting - 1], text[fitting]);
        if (quality >= best && quality > 0) {
            best = quality;
            break_at = fitting;
        }
    }
    return break_at > 0 ? break_at : fitting;
}

void bm_wrap_append(struct bm_text *text, const char *line, unsigned width, unsigned indent) {
    size_t room = width > 0 ? width : SIZE_MAX;
    for (unsigned margin = 0;; margin = indent) {
        size_t take = bm_wrap_take(line, room > margin + 16 ? room - margin : 16);
        bm_text_append(text, "%*s", (int)margin, "");
        bm_text_append_bytes(text, line, take);
        bm_text_append(text, "\n");
        line += take;
        line += strspn(line, " ");
        if (*line == '\0')
            return;
    }
}

/* ---- notes ---- */

struct bm_note {
    struct bm_text note, about;
    size_t subjects;
    char last[192]; /* of about: rows of equal name are named once */
};

static struct bm_note *find(struct bm_notes *notes, const char *note) {
    for (size_t i = 0; i < notes->count; i++)
        if (notes->items[i].note.data != NULL && strcmp(notes->items[i].note.data, note) == 0)
            return &notes->items[i];
    if (bm_grow(&notes->items, &notes->capacity, notes->count + 1, sizeof *notes->items, NULL) != BM_OK) {
        notes->failed = true;
        return NULL;
    }
    struct bm_note *added = &notes->items[notes->count++];
    *added = (struct bm_note){0};
    bm_text_append(&added->note, "%s", note);
    return added;
}

void bm_notes_add(struct bm_notes *notes, const char *about, const char *note) {
    struct bm_note *item = find(notes, note);
    if (item == NULL || strcmp(item->last, about) == 0)
        return;
    bm_text_append(&item->about, "%s%s", item->about.length > 0 ? ", " : "", about);
    bm_string_set(item->last, sizeof item->last, about);
    item->subjects++;
}

/* Most of a long table is told by number: nobody reads the names. */
enum { MANY = 8 };

static void append_subjects(const struct bm_notes *notes, const struct bm_note *note, struct bm_text *line) {
    if (notes->rows > 2 && note->subjects == notes->rows)
        bm_text_append(line, "%s (all)", note->note.data);
    else if (note->subjects > MANY && note->subjects < notes->rows && 2 * note->subjects > notes->rows)
        bm_text_append(line, "%s (%zu of %zu)", note->note.data, note->subjects, notes->rows);
    else
        bm_text_append(line, "%s (%s)", note->note.data, note->about.data);
}

enum bm_status bm_notes_append(struct bm_notes *notes, unsigned width, struct bm_text *text,
                               struct bm_error *error) {
    bool failed = notes->failed;
    for (size_t i = 0; i < notes->count; i++) {
        struct bm_note *note = &notes->items[i];
        struct bm_text line = {0};
        failed |= note->note.failed || note->about.failed;
        if (!failed)
            append_subjects(notes, note, &line);
        failed |= line.failed;
        if (!failed)
            bm_wrap_append(text, line.data, width, 2);
        bm_text_fini(&line);
        bm_text_fini(&note->note);
        bm_text_fini(&note->about);
    }
    free(notes->items);
    *notes = (struct bm_notes){0};
    return failed || text->failed ? bm_fail(error, BM_NO_MEMORY, "out of memory for a report") : BM_OK;
}
