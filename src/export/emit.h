/* Private to the export module: JSON as it is written, without a tree: a comparison may have 200 000 cells.
 */
#ifndef BM_EMIT_H
#define BM_EMIT_H

#include "bm/base.h"

struct bm_emitter {
    struct bm_text *text;
    unsigned depth;
    bool any; /* in the innermost object or list */
};
/* key NULL: an element of a list, or the root. */
void bm_emit_open(struct bm_emitter *emitter, const char *key, char bracket);
void bm_emit_close(struct bm_emitter *emitter, char bracket);
/* NULL and "" become null; bytes that are not UTF-8 become U+FFFD. */
void bm_emit_text(struct bm_emitter *emitter, const char *key, const char *value);
void bm_emit_real(struct bm_emitter *emitter, const char *key, double value); /* not finite: null */
/* [low, high] on one line; null where either is not finite. */
void bm_emit_interval(struct bm_emitter *emitter, const char *key, double low, double high);
void bm_emit_count(struct bm_emitter *emitter, const char *key, uint64_t value);
void bm_emit_positive(struct bm_emitter *emitter, const char *key, uint64_t value); /* 0: null */
void bm_emit_bool(struct bm_emitter *emitter, const char *key, bool value);
void bm_emit_null(struct bm_emitter *emitter, const char *key);
/* The final newline; BM_NO_MEMORY where an append failed. */
enum bm_status bm_emit_end(struct bm_emitter *emitter, struct bm_error *error) BM_CHECK_RESULT;

#endif
