/* Private to the data module: building JSON; unknown values become null. Every function consumes its value
 * and goes on after a failure, which the writer remembers: a long sequence is checked once. */
#ifndef BM_JSON_WRITER_H
#define BM_JSON_WRITER_H

#include <jansson.h>

#include "bm/base.h"

struct bm_json_writer {
    bool failed; /* out of memory */
};
json_t *bm_json_object(struct bm_json_writer *writer);
json_t *bm_json_array(struct bm_json_writer *writer);
void bm_json_put(struct bm_json_writer *writer, json_t *object, const char *key, json_t *value);
void bm_json_append(struct bm_json_writer *writer, json_t *array, json_t *value);
void bm_json_put_text(struct bm_json_writer *writer, json_t *object, const char *key, const char *text);
/* NaN and infinities become null: Jansson cannot write them. */
void bm_json_put_real(struct bm_json_writer *writer, json_t *object, const char *key, double value);
void bm_json_put_count(struct bm_json_writer *writer, json_t *object, const char *key,
                       uint64_t value); /* 0: null */
void bm_json_put_number(struct bm_json_writer *writer, json_t *object, const char *key, uint64_t value);
void bm_json_put_bool(struct bm_json_writer *writer, json_t *object, const char *key, bool value);
/* [low, high], or null when either is unknown. */
void bm_json_put_interval(struct bm_json_writer *writer, json_t *object, const char *key, double low,
                          double high);
/* Names of the bits of flags. */
void bm_json_put_flags(struct bm_json_writer *writer, json_t *object, const char *key, unsigned flags,
                       const char *(*name)(unsigned bit));

#endif
