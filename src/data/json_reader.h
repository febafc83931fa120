/* json_reader.h - strict reading of JSON objects into structs, driven by tables of fields.
 *
 * Every key must be known, every size is bounded before it is stored, and each error is one line of
 * `FILE: $.path: what is wrong`. The file is read by Jansson, which bounds the nesting itself. */
#ifndef BM_JSON_READER_H
#define BM_JSON_READER_H

#include "bm/base.h"

#include <jansson.h>

#define BM_JSON_INPUT_LIMIT ((size_t)1 << 20) /* bytes of a suite, model, datasheet, ... */

/* A value and where it stands. Lives on the stack of its reader; a member has a key, an element has an index.
 */
struct bm_json {
    const char *file;
    const struct bm_json *parent; /* NULL: the root */
    const char *key;              /* NULL: an element of a list */
    size_t index;
    json_t *value; /* borrowed */
};

/* The member `key` of an object, or the element `index` of a list; .value is NULL where there is none. */
struct bm_json bm_json_member(const struct bm_json *at, const char *key);
struct bm_json bm_json_element(const struct bm_json *at, size_t index);
/* The whole file's value. */
const struct bm_json *bm_json_root(const struct bm_json *at);

/* BM_INVALID with "FILE: $.path: " in front of the message. Always fails. */
enum bm_status bm_json_fail(const struct bm_json *at, struct bm_error *error, const char *format, ...)
    BM_PRINTF(3, 4);

enum bm_json_kind {
    BM_JSON_U32,    /* uint32_t, minimum to maximum */
    BM_JSON_I64,    /* int64_t, minimum to maximum */
    BM_JSON_NUMBER, /* double, minimum to maximum */
    BM_JSON_BOOL,   /* bool */
    BM_JSON_TEXT,   /* char[size]: 1 to size - 1 bytes of UTF-8 without control characters */
    BM_JSON_ID,     /* likewise, of a-z 0-9 . _ + - only, not starting with a sign or a dot */
    BM_JSON_WORD,   /* int: index of the text in words */
    BM_JSON_OBJECT, /* struct at offset, read by fields */
    BM_JSON_LIST,   /* 1 to capacity items of `item`, size bytes apart; their number goes to count_offset */
    BM_JSON_CUSTOM  /* read() decides */
};

struct bm_json_field {
    const char *key; /* unused for a list's item */
    enum bm_json_kind kind;
    bool required;
    size_t offset, size;
    double minimum, maximum;
    const char *const *words; /* NULL-terminated */
    const struct bm_json_field *fields;
    size_t field_count;
    const struct bm_json_field *item; /* of a list: kind, bounds; its offset is ignored */
    size_t capacity, count_offset;    /* `unsigned` in the same struct as the list */
    enum bm_status (*read)(const struct bm_json *at, void *field, struct bm_error *error);
};

/* Reads an object: unknown keys are rejected, required ones must be there, others keep what target holds. */
enum bm_status bm_json_read(const struct bm_json *at, const struct bm_json_field *fields, size_t count,
                            void *target, struct bm_error *error) BM_CHECK_RESULT;
/* Reads one value into field (offset is not added). */
enum bm_status bm_json_read_value(const struct bm_json *at, const struct bm_json_field *field, void *target,
                                  struct bm_error *error) BM_CHECK_RESULT;
enum bm_status bm_json_want(const struct bm_json *at, json_type type, struct bm_error *error) BM_CHECK_RESULT;

/* A read() for notes that are kept for the file's readers only: checks the text, stores nothing. */
enum bm_status bm_json_check_text(const struct bm_json *at, void *unused,
                                  struct bm_error *error) BM_CHECK_RESULT;

/* ---- files: json_file.c ---- */

/* Parses a file of at most limit bytes; the caller json_decref's *root. Syntax errors come as
 * FILE:LINE:COLUMN. BM_NOT_FOUND: no such file; BM_INVALID: anything wrong with its content. */
enum bm_status bm_json_load(const char *path, size_t limit, json_t **root,
                            struct bm_error *error) BM_CHECK_RESULT;

/* True for what --model and --suite take as a path rather than a name. */
bool bm_json_is_path(const char *name);
/* BM_NOT_FOUND that quotes the name, offers the nearest of the candidates and says what lists them all. */
enum bm_status bm_json_unknown_name(const char *kind, const char *name, const char *const *candidates,
                                    size_t count, struct bm_error *error);

/* Runs each(path, context) over bench/FOLDER's *.json in the order of their names, until one fails. */
enum bm_status bm_json_each_file(const char *folder,
                                 enum bm_status (*each)(const char *path, void *context,
                                                        struct bm_error *error),
                                 void *context, struct bm_error *error) BM_CHECK_RESULT;
/* A file in bench/ is found by its name, so the id in it must say the same. */
enum bm_status bm_json_check_file_name(const char *path, const char *key, const char *id,
                                       struct bm_error *error) BM_CHECK_RESULT;

/* ---- for the text of errors ---- */

enum { BM_JSON_PATH_SHOWN = 160 }; /* bytes of a place in a file; deeper ones end in "..." */
/* Copies text for a terminal: control characters become '?', long text is cut. */
void bm_json_printable(char *out, size_t size, const char *text);
/* Likewise a path: the end of a long one tells more than its beginning. */
void bm_json_shown_file(char *out, size_t size, const char *path);

#endif
