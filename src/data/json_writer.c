#include "json_writer.h"

#include <math.h>

static json_t *made(struct bm_json_writer *writer, json_t *value) {
    writer->failed |= value == NULL;
    return value;
}

json_t *bm_json_object(struct bm_json_writer *writer) {
    return made(writer, json_object());
}

json_t *bm_json_array(struct bm_json_writer *writer) {
    return made(writer, json_array());
}

void bm_json_put(struct bm_json_writer *writer, json_t *object, const char *key, json_t *value) {
    writer->failed |= json_object_set_new(object, key, value) != 0;
}

void bm_json_append(struct bm_json_writer *writer, json_t *array, json_t *value) {
    writer->failed |= json_array_append_new(array, value) != 0;
}

void bm_json_put_text(struct bm_json_writer *writer, json_t *object, const char *key, const char *text) {
    json_t *value = text == NULL || text[0] == '\0' ? json_null() : json_string(text);
    if (value == NULL) /* a driver or host name that is not UTF-8 */
        value = json_null();
    bm_json_put(writer, object, key, value);
}

void bm_json_put_real(struct bm_json_writer *writer, json_t *object, const char *key, double value) {
    bm_json_put(writer, object, key, isfinite(value) ? json_real(value) : json_null());
}

void bm_json_put_number(struct bm_json_writer *writer, json_t *object, const char *key, uint64_t value) {
    /* json_int_t is signed: sizes beyond 2^63 do not occur, seeds may. */
    json_int_t number = (json_int_t)(value & INT64_MAX);
    bm_json_put(writer, object, key, json_integer(number));
}

void bm_json_put_count(struct bm_json_writer *writer, json_t *object, const char *key, uint64_t value) {
    if (value == 0)
        bm_json_put(writer, object, key, json_null());
    else
        bm_json_put_number(writer, object, key, value);
}

void bm_json_put_bool(struct bm_json_writer *writer, json_t *object, const char *key, bool value) {
    bm_json_put(writer, object, key, json_boolean(value));
}

void bm_json_put_interval(struct bm_json_writer *writer, json_t *object, const char *key, double low,
                          double high) {
    if (!isfinite(low) || !isfinite(high)) {
        bm_json_put(writer, object, key, json_null());
        return;
    }
    json_t *pair = bm_json_array(writer);
    bm_json_append(writer, pair, json_real(low));
    bm_json_append(writer, pair, json_real(high));
    bm_json_put(writer, object, key, pair);
}

void bm_json_put_flags(struct bm_json_writer *writer, json_t *object, const char *key, unsigned flags,
                       const char *(*name)(unsigned bit)) {
    json_t *names = bm_json_array(writer);
    for (unsigned bit = 1; bit != 0 && bit <= flags; bit <<= 1)
        if ((flags & bit) != 0 && name(bit) != NULL)
            bm_json_append(writer, names, json_string(name(bit)));
    bm_json_put(writer, object, key, names);
}
