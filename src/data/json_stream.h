/* json_stream.h - reading a large JSON text from front to back into structs, driven by tables of fields.
 *
 * Jansson makes a tree of some ten times the text's size at 25 to 80 MB/s. A comparison of a thousand results
 * files reads a gigabyte of which it needs a fiftieth: here the rest is checked and passed over, and no more
 * than the text and the structs is ever in memory. The grammar is Jansson's (RFC 8259; no \u0000; whole
 * numbers fit 64 bits), but for names that stand twice, which are refused only where they are known. */
#ifndef BM_JSON_STREAM_H
#define BM_JSON_STREAM_H

#include "bm/base.h"

#define BM_STREAM_DEPTH 64

/* Where the value being read stands. On the stack of its reader. */
struct bm_stream_place {
    const struct bm_stream_place *parent; /* NULL: the root */
    const char *key;                      /* NULL: an element of a list */
    size_t index;
};

struct bm_stream {
    const char *file;       /* for messages */
    const char *begin, *at; /* the text, NUL-terminated */
    const char *end;
    unsigned depth;
    const struct bm_stream_place *place;
    void *context; /* the caller's, for its read functions */
    struct bm_error *error;
};

enum bm_stream_kind {
    BM_STREAM_TEXT,     /* char[size]: a longer text is an error. null: "" */
    BM_STREAM_PROSE,    /* char[size]: a longer text is cut */
    BM_STREAM_NUMBER,   /* double, null: NaN */
    BM_STREAM_COUNT,    /* uint64_t, null: 0 */
    BM_STREAM_COUNT32,  /* uint32_t, null: 0 */
    BM_STREAM_BOOL,     /* bool, null: false */
    BM_STREAM_INTERVAL, /* double[2] from [low, high], null: NaN */
    BM_STREAM_OBJECT,   /* struct at offset, by fields; null: as if every member were null */
    BM_STREAM_LIST,     /* grown array at offset, its elements by `item`; null: empty */
    BM_STREAM_CUSTOM    /* read() takes the value; it is called for null too, not for what is missing */
};

struct bm_stream_field {
    const char *key;
    enum bm_stream_kind kind;
    bool required; /* must be there and, but for CUSTOM, not null */
    size_t offset, size;
    const struct bm_stream_field *fields;
    size_t field_count;
    const struct bm_stream_field *item; /* of a list: its kind; size is that of an element */
    size_t limit;                       /* of a list: most elements */
    size_t count_offset, capacity_offset;
    enum bm_status (*read)(struct bm_stream *stream, void *target);
};

/* Begins at the start of text (not copied). */
void bm_stream_init(struct bm_stream *stream, const char *file, const char *text, size_t size,
                    struct bm_error *error);
/* The one value of the text, with nothing but blanks behind it. Unknown names are passed over. Strings lose
 * control characters, which could drive a terminal that shows them: each becomes '?'. BM_INVALID:
 * FILE:LINE:COLUMN for what is no JSON, FILE: $.place for what is not as the fields say. Lists stay owned by
 * target, also on failure. */
enum bm_status bm_stream_read(struct bm_stream *stream, const struct bm_stream_field *fields, size_t count,
                              void *target) BM_CHECK_RESULT;

/* One value by a field, into the struct that its offsets are of. */
enum bm_status bm_stream_read_value(struct bm_stream *stream, const struct bm_stream_field *field,
                                    void *owner) BM_CHECK_RESULT;

/* ---- for read functions: each takes one whole value ---- */

/* Decodes a text into out[size], cut if longer; *length is the whole one's. null: "". */
enum bm_status bm_stream_text(struct bm_stream *stream, char *out, size_t size,
                              size_t *length) BM_CHECK_RESULT;
enum bm_status bm_stream_number(struct bm_stream *stream, double *value) BM_CHECK_RESULT;
enum bm_status bm_stream_skip(struct bm_stream *stream) BM_CHECK_RESULT;
/* each(stream, target, key) takes the value of every member, or (key NULL) of every element. */
enum bm_status bm_stream_each(struct bm_stream *stream, char open,
                              enum bm_status (*each)(struct bm_stream *stream, void *target, const char *key),
                              void *target) BM_CHECK_RESULT;
/* BM_INVALID, "FILE: $.place: " in front. */
enum bm_status bm_stream_fail(struct bm_stream *stream, const char *format, ...) BM_PRINTF(2, 3);
/* What the next value is: '{', '[', '"', 'n' (null), 't', 'f', '0' (a number), or '?'. */
char bm_stream_peek(struct bm_stream *stream);

#endif
