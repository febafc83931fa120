/* json_token.h - the words of a JSON text, for json_stream.c. Each function takes one from stream->at on. */
#ifndef BM_JSON_TOKEN_H
#define BM_JSON_TOKEN_H

#include "json_stream.h"

enum { BM_TOKEN_FILE = 160 };
/* A file's name for a message: the end of a long path tells more than its beginning. */
void bm_token_file(char out[BM_TOKEN_FILE], const char *path);
/* BM_INVALID, "FILE:LINE:COLUMN: not valid JSON: what". */
enum bm_status bm_token_fail(struct bm_stream *stream, const char *what);

void bm_token_skip_blanks(struct bm_stream *stream);
/* Whether c is next, blanks aside; it is then passed. */
bool bm_token_take(struct bm_stream *stream, char c);
enum bm_status bm_token_word(struct bm_stream *stream, const char *word) BM_CHECK_RESULT;
/* *integer is the value where *whole: without fraction and exponent. */
enum bm_status bm_token_number(struct bm_stream *stream, double *value, bool *whole,
                               int64_t *integer) BM_CHECK_RESULT;
/* Into out[size], cut at a character if longer; out NULL: only checked. *length (or NULL) is the whole one's.
 */
enum bm_status bm_token_string(struct bm_stream *stream, char *out, size_t size,
                               size_t *length) BM_CHECK_RESULT;

#endif
