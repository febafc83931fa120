#include "json_token.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { KEY_SIZE = 64 };

void bm_stream_init(struct bm_stream *stream, const char *file, const char *text, size_t size,
                    struct bm_error *error) {
    *stream = (struct bm_stream){.file = file, .begin = text, .at = text, .end = text + size, .error = error};
}

static void append_place(const struct bm_stream_place *place, struct bm_text *text) {
    if (place == NULL) {
        bm_text_append(text, "$");
        return;
    }
    append_place(place->parent, text);
    if (place->key != NULL)
        bm_text_append(text, ".%s", place->key);
    else
        bm_text_append(text, "[%zu]", place->index);
}

enum bm_status bm_stream_fail(struct bm_stream *stream, const char *format, ...) {
    char file[BM_TOKEN_FILE], message[200];
    struct bm_text place = {0};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    append_place(stream->place, &place);
    bm_token_file(file, stream->file);
    enum bm_status status = bm_fail(stream->error, BM_INVALID, "%s: %.120s: %s", file,
                                    place.data != NULL ? place.data : "$", message);
    bm_text_fini(&place);
    return status;
}

/* ---- structure ---- */

static enum bm_status enter(struct bm_stream *stream) {
    if (++stream->depth <= BM_STREAM_DEPTH)
        return BM_OK;
    return bm_token_fail(stream, "nested too deep; no such file needs more than a few levels");
}

enum bm_status bm_stream_each(struct bm_stream *stream, char open,
                              enum bm_status (*each)(struct bm_stream *stream, void *target, const char *key),
                              void *target) {
    const char close = open == '{' ? '}' : ']';
    char key[KEY_SIZE];
    struct bm_stream_place place = {.parent = stream->place};
    if (bm_stream_peek(stream) != open) {
        if (bm_stream_peek(stream) == '?')
            return bm_token_fail(stream, "a value is expected");
        return bm_stream_fail(stream, open == '{' ? "must be an object" : "must be a list");
    }
    stream->at++;
    enum bm_status status = enter(stream);
    for (bool more = status == BM_OK && !bm_token_take(stream, close); more; place.index++) {
        size_t length = 0;
        if (open == '{') {
            status = bm_token_string(stream, key, sizeof key, &length);
            if (status == BM_OK && !bm_token_take(stream, ':'))
                status = bm_token_fail(stream, "a ':' is expected");
            place.key = length < sizeof key ? key : "...";
        }
        if (status != BM_OK)
            break;
        stream->place = &place;
        status = each(stream, target, place.key);
        stream->place = place.parent;
        if (status != BM_OK)
            break;
        more = bm_token_take(stream, ',');
        if (!more && !bm_token_take(stream, close)) {
            status =
                bm_token_fail(stream, open == '{' ? "a ',' or '}' is expected" : "a ',' or ']' is expected");
            break;
        }
    }
    stream->depth--;
    return status;
}

static enum bm_status skip_member(struct bm_stream *stream, void *target, const char *key) {
    (void)target, (void)key;
    return bm_stream_skip(stream);
}

enum bm_status bm_stream_skip(struct bm_stream *stream) {
    double value;
    int64_t integer;
    bool whole;
    switch (bm_stream_peek(stream)) {
    case '{':
        return bm_stream_each(stream, '{', skip_member, NULL);
    case '[':
        return bm_stream_each(stream, '[', skip_member, NULL);
    case '"':
        return bm_token_string(stream, NULL, 0, NULL);
    case '0':
        return bm_token_number(stream, &value, &whole, &integer);
    case 'n':
        return bm_token_word(stream, "null");
    case 't':
        return bm_token_word(stream, "true");
    case 'f':
        return bm_token_word(stream, "false");
    default:
        return bm_token_fail(stream, "a value is expected");
    }
}

/* ---- values ---- */

/* *is_null: it was null, and is taken. */
static enum bm_status take_null(struct bm_stream *stream, bool *is_null) {
    *is_null = bm_stream_peek(stream) == 'n';
    return *is_null ? bm_token_word(stream, "null") : BM_OK;
}

enum bm_status bm_stream_text(struct bm_stream *stream, char *out, size_t size, size_t *length) {
    bool is_null;
    out[0] = '\0';
    *length = 0;
    enum bm_status status = take_null(stream, &is_null);
    if (status != BM_OK || is_null)
        return status;
    if (bm_stream_peek(stream) != '"' && bm_stream_peek(stream) != '?')
        return bm_stream_fail(stream, "must be text");
    return bm_token_string(stream, out, size, length);
}

enum bm_status bm_stream_number(struct bm_stream *stream, double *value) {
    bool is_null, whole;
    int64_t integer;
    *value = (double)NAN;
    enum bm_status status = take_null(stream, &is_null);
    if (status != BM_OK || is_null)
        return status;
    if (bm_stream_peek(stream) != '0' && bm_stream_peek(stream) != '?')
        return bm_stream_fail(stream, "must be a number");
    return bm_token_number(stream, value, &whole, &integer);
}

static enum bm_status read_count(struct bm_stream *stream, uint64_t most, uint64_t *value) {
    bool is_null, whole;
    int64_t integer = 0;
    double real;
    *value = 0;
    enum bm_status status = take_null(stream, &is_null);
    if (status != BM_OK || is_null)
        return status;
    if (bm_stream_peek(stream) != '0' && bm_stream_peek(stream) != '?')
        return bm_stream_fail(stream, "must be a whole number from 0 to %llu", (unsigned long long)most);
    status = bm_token_number(stream, &real, &whole, &integer);
    if (status != BM_OK)
        return status;
    if (!whole || integer < 0 || (uint64_t)integer > most)
        return bm_stream_fail(stream, "must be a whole number from 0 to %llu (is %.17g)",
                              (unsigned long long)most, real);
    *value = (uint64_t)integer;
    return BM_OK;
}

static enum bm_status read_bool(struct bm_stream *stream, bool *value) {
    char next = bm_stream_peek(stream);
    *value = next == 't';
    if (next == 't' || next == 'f' || next == 'n')
        return bm_stream_skip(stream);
    return next == '?' ? bm_token_fail(stream, "a value is expected")
                       : bm_stream_fail(stream, "must be true or false");
}

static enum bm_status read_bound(struct bm_stream *stream, void *target, const char *key) {
    double *bounds = target;
    (void)key;
    if (stream->place->index > 1)
        return bm_stream_fail(stream, "must be [low, high]");
    return bm_stream_number(stream, &bounds[stream->place->index]);
}

static enum bm_status read_interval(struct bm_stream *stream, double bounds[2]) {
    bool is_null;
    bounds[0] = bounds[1] = (double)NAN;
    enum bm_status status = take_null(stream, &is_null);
    if (status != BM_OK || is_null)
        return status;
    status = bm_stream_each(stream, '[', read_bound, bounds);
    return status != BM_OK || bounds[0] <= bounds[1] ? status : bm_stream_fail(stream, "must be [low, high]");
}

/* ---- fields ---- */

/* Unknown until it is read. */
static void clear(const struct bm_stream_field *field, char *target) {
    switch (field->kind) {
    case BM_STREAM_NUMBER:
        *(double *)(void *)target = (double)NAN;
        break;
    case BM_STREAM_INTERVAL:
        ((double *)(void *)target)[0] = ((double *)(void *)target)[1] = (double)NAN;
        break;
    case BM_STREAM_OBJECT:
        for (size_t i = 0; i < field->field_count; i++)
            clear(&field->fields[i], target + field->fields[i].offset);
        break;
    default: /* zero, as the memory came */
        break;
    }
}

static enum bm_status read_value(struct bm_stream *stream, const struct bm_stream_field *field, char *target,
                                 char *owner);

struct reading {
    const struct bm_stream_field *fields;
    size_t count;
    char *target;
    uint64_t seen;
};

static enum bm_status read_member(struct bm_stream *stream, void *context, const char *key) {
    struct reading *reading = context;
    for (size_t i = 0; i < reading->count; i++) {
        const struct bm_stream_field *field = &reading->fields[i];
        if (strcmp(field->key, key) != 0)
            continue;
        if ((reading->seen >> i & 1) != 0)
            return bm_stream_fail(stream, "stands twice: remove one");
        reading->seen |= UINT64_C(1) << i;
        if (field->required && field->kind != BM_STREAM_CUSTOM && bm_stream_peek(stream) == 'n')
            return bm_stream_fail(stream, "must not be null");
        return read_value(stream, field, reading->target + field->offset, reading->target);
    }
    return bm_stream_skip(stream);
}

static enum bm_status read_object(struct bm_stream *stream, const struct bm_stream_field *fields,
                                  size_t count, char *target) {
    struct reading reading = {.fields = fields, .count = count, .target = target};
    bool is_null;
    for (size_t i = 0; i < count; i++)
        clear(&fields[i], target + fields[i].offset);
    enum bm_status status = take_null(stream, &is_null);
    if (status == BM_OK && !is_null)
        status = bm_stream_each(stream, '{', read_member, &reading);
    for (size_t i = 0; status == BM_OK && !is_null && i < count; i++)
        if (fields[i].required && (reading.seen >> i & 1) == 0) {
            struct bm_stream_place place = {.parent = stream->place, .key = fields[i].key};
            stream->place = &place;
            status = bm_stream_fail(stream, "is missing");
            stream->place = place.parent;
        }
    return status;
}

struct listing {
    const struct bm_stream_field *field;
    char *owner, *array;
    size_t count, capacity;
};

static enum bm_status read_element(struct bm_stream *stream, void *context, const char *key) {
    struct listing *list = context;
    const struct bm_stream_field *field = list->field;
    (void)key;
    if (list->count == field->limit)
        return bm_stream_fail(stream, "is one more than the %zu that are allowed", field->limit);
    enum bm_status status =
        bm_grow(&list->array, &list->capacity, list->count + 1, field->size, stream->error);
    if (status != BM_OK)
        return status;
    char *element = list->array + list->count++ * field->size;
    /* told at once, so that what the element owns is freed with the list whatever happens next */
    memcpy(list->owner + field->offset, &list->array, sizeof list->array);
    memcpy(list->owner + field->count_offset, &list->count, sizeof list->count);
    memcpy(list->owner + field->capacity_offset, &list->capacity, sizeof list->capacity);
    return read_value(stream, field->item, element, element);
}

static enum bm_status read_list(struct bm_stream *stream, const struct bm_stream_field *field, char *owner) {
    struct listing list = {.field = field, .owner = owner};
    bool is_null;
    enum bm_status status = take_null(stream, &is_null);
    return status != BM_OK || is_null ? status : bm_stream_each(stream, '[', read_element, &list);
}

static enum bm_status read_text(struct bm_stream *stream, const struct bm_stream_field *field, char *target) {
    size_t length;
    enum bm_status status = bm_stream_text(stream, target, field->size, &length);
    if (status == BM_OK && length >= field->size && field->kind == BM_STREAM_TEXT)
        return bm_stream_fail(stream, "must have at most %zu bytes (has %zu)", field->size - 1, length);
    return status;
}

static enum bm_status read_value(struct bm_stream *stream, const struct bm_stream_field *field, char *target,
                                 char *owner) {
    uint64_t count = 0;
    enum bm_status status = BM_OK;
    switch (field->kind) {
    case BM_STREAM_TEXT:
    case BM_STREAM_PROSE:
        return read_text(stream, field, target);
    case BM_STREAM_NUMBER:
        return bm_stream_number(stream, (double *)(void *)target);
    case BM_STREAM_COUNT:
        return read_count(stream, INT64_MAX, (uint64_t *)(void *)target);
    case BM_STREAM_COUNT32:
        status = read_count(stream, UINT32_MAX, &count);
        *(uint32_t *)(void *)target = (uint32_t)count;
        return status;
    case BM_STREAM_BOOL:
        return read_bool(stream, (bool *)(void *)target);
    case BM_STREAM_INTERVAL:
        return read_interval(stream, (double *)(void *)target);
    case BM_STREAM_OBJECT:
        return read_object(stream, field->fields, field->field_count, target);
    case BM_STREAM_LIST:
        return read_list(stream, field, owner);
    case BM_STREAM_CUSTOM:
        return field->read(stream, target);
    }
    return bm_fail(stream->error, BM_INTERNAL, "unknown kind of field");
}

enum bm_status bm_stream_read_value(struct bm_stream *stream, const struct bm_stream_field *field,
                                    void *owner) {
    return read_value(stream, field, (char *)owner + field->offset, owner);
}

enum bm_status bm_stream_read(struct bm_stream *stream, const struct bm_stream_field *fields, size_t count,
                              void *target) {
    if (bm_stream_peek(stream) == 'n') {
        enum bm_status status = bm_token_word(stream, "null");
        return status == BM_OK ? bm_stream_fail(stream, "must be an object") : status;
    }
    enum bm_status status = read_object(stream, fields, count, target);
    if (status != BM_OK)
        return status;
    bm_token_skip_blanks(stream);
    return stream->at == stream->end ? BM_OK : bm_token_fail(stream, "something behind the end");
}
