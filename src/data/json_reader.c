#include "json_reader.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* ---- the text of errors ---- */

void bm_json_printable(char *out, size_t size, const char *text) {
    bm_string_set(out, size, text);
    for (char *c = out; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
}

void bm_json_shown_file(char *out, size_t size, const char *path) {
    size_t length = strlen(path);
    char copy[PATH_MAX];
    if (length >= size) {
        snprintf(copy, sizeof copy, "...%s", path + (length - (size - 4)));
        path = copy;
    }
    bm_json_printable(out, size, path);
}

static void append_path(const struct bm_json *at, struct bm_text *text) {
    if (at->parent == NULL) {
        bm_text_append(text, "$");
        return;
    }
    append_path(at->parent, text);
    if (at->key != NULL) {
        char key[48];
        bm_json_printable(key, sizeof key, at->key);
        bm_text_append(text, ".%s%s", key, strlen(at->key) >= sizeof key ? "..." : "");
    } else {
        bm_text_append(text, "[%zu]", at->index);
    }
}

enum bm_status bm_json_fail(const struct bm_json *at, struct bm_error *error, const char *format, ...) {
    char file[BM_JSON_PATH_SHOWN], place[BM_JSON_PATH_SHOWN], message[240];
    struct bm_text text = {0};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    append_path(at, &text);
    bm_string_set(place, sizeof place, text.data != NULL ? text.data : "$");
    bm_text_fini(&text);
    bm_json_shown_file(file, sizeof file, at->file);
    return bm_fail(error, BM_INVALID, "%s: %s: %s", file, place, message);
}

/* "is -3", "is text", ... */
static const char *shown_value(const json_t *value, char *text, size_t size) {
    switch (json_typeof(value)) {
    case JSON_INTEGER:
        snprintf(text, size, "is %" JSON_INTEGER_FORMAT, json_integer_value(value));
        return text;
    case JSON_REAL:
        snprintf(text, size, "is %.17g", json_real_value(value));
        return text;
    case JSON_STRING: {
        char start[32];
        bm_json_printable(start, sizeof start, json_string_value(value));
        snprintf(text, size, "is \"%s%s\"", start, json_string_length(value) >= sizeof start ? "..." : "");
        return text;
    }
    case JSON_OBJECT:
        return "is an object";
    case JSON_ARRAY:
        return "is a list";
    case JSON_NULL:
        return "is null";
    case JSON_TRUE:
        return "is true";
    case JSON_FALSE:
        return "is false";
    }
    return "";
}

enum bm_status bm_json_want(const struct bm_json *at, json_type type, struct bm_error *error) {
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",  [JSON_STRING] = "text",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number", [JSON_TRUE] = "true or false",
    };
    char is[64];
    if (json_typeof(at->value) == type || (type == JSON_TRUE && json_is_boolean(at->value)) ||
        (type == JSON_REAL && json_is_number(at->value)))
        return BM_OK;
    return bm_json_fail(at, error, "must be %s (%s)", names[type], shown_value(at->value, is, sizeof is));
}

/* ---- values ---- */

const struct bm_json *bm_json_root(const struct bm_json *at) {
    while (at->parent != NULL)
        at = at->parent;
    return at;
}

struct bm_json bm_json_member(const struct bm_json *at, const char *key) {
    return (struct bm_json){
        .file = at->file, .parent = at, .key = key, .value = json_object_get(at->value, key)};
}

struct bm_json bm_json_element(const struct bm_json *at, size_t index) {
    return (struct bm_json){
        .file = at->file, .parent = at, .index = index, .value = json_array_get(at->value, index)};
}

static enum bm_status read_integer(const struct bm_json *at, const struct bm_json_field *field,
                                   int64_t *value, struct bm_error *error) {
    char is[64];
    if (!json_is_integer(at->value) || (double)json_integer_value(at->value) < field->minimum ||
        (double)json_integer_value(at->value) > field->maximum)
        return bm_json_fail(at, error, "must be a whole number from %.0f to %.0f (%s)", field->minimum,
                            field->maximum, shown_value(at->value, is, sizeof is));
    *value = json_integer_value(at->value);
    return BM_OK;
}

static enum bm_status read_number(const struct bm_json *at, const struct bm_json_field *field, double *value,
                                  struct bm_error *error) {
    char is[64];
    double number = json_number_value(at->value);
    if (!json_is_number(at->value) || !(number >= field->minimum && number <= field->maximum))
        return bm_json_fail(at, error, "must be a number from %g to %g (%s)", field->minimum, field->maximum,
                            shown_value(at->value, is, sizeof is));
    *value = number;
    return BM_OK;
}

/* C0, DEL and C1 could drive a terminal that shows the text. Jansson has checked the UTF-8. */
static bool has_control(const char *text) {
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        if (*c < 0x20 || *c == 0x7f || (c[0] == 0xc2 && c[1] < 0xa0))
            return true;
    return false;
}

static bool is_id(const char *text) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    return strspn(text, letters) > 0 &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._+-")] == '\0';
}

static enum bm_status read_text(const struct bm_json *at, const struct bm_json_field *field, char *target,
                                struct bm_error *error) {
    char is[64];
    enum bm_status status = bm_json_want(at, JSON_STRING, error);
    if (status != BM_OK)
        return status;
    size_t length = json_string_length(at->value);
    if (length == 0 || length >= field->size)
        return bm_json_fail(at, error, "must have 1 to %zu bytes (has %zu)", field->size - 1, length);
    if (has_control(json_string_value(at->value)))
        return bm_json_fail(at, error, "must be one line without control characters");
    if (field->kind == BM_JSON_ID && !is_id(json_string_value(at->value)))
        return bm_json_fail(at, error,
                            "must be of a-z, 0-9 and . _ + - and begin with a letter or digit (%s)",
                            shown_value(at->value, is, sizeof is));
    memcpy(target, json_string_value(at->value), length + 1);
    return BM_OK;
}

enum bm_status bm_json_check_text(const struct bm_json *at, void *unused, struct bm_error *error) {
    static const struct bm_json_field any_text = {.kind = BM_JSON_TEXT, .size = 1024};
    char text[1024];
    (void)unused;
    return read_text(at, &any_text, text, error);
}

static enum bm_status read_word(const struct bm_json *at, const struct bm_json_field *field, int *value,
                                struct bm_error *error) {
    char is[64];
    struct bm_text known = {0};
    const char *text = json_string_value(at->value); /* NULL when it is no text */
    for (int i = 0; field->words[i] != NULL; i++) {
        if (text != NULL && strcmp(text, field->words[i]) == 0) {
            *value = i;
            bm_text_fini(&known);
            return BM_OK;
        }
        bm_text_append(&known, "%s%s", i > 0 ? ", " : "", field->words[i]);
    }
    enum bm_status status =
        bm_json_fail(at, error, "must be one of %s (%s)", known.data != NULL ? known.data : "",
                     shown_value(at->value, is, sizeof is));
    bm_text_fini(&known);
    return status;
}

static enum bm_status read_list(const struct bm_json *at, const struct bm_json_field *field, char *target,
                                struct bm_error *error) {
    enum bm_status status = bm_json_want(at, JSON_ARRAY, error);
    if (status != BM_OK)
        return status;
    size_t count = json_array_size(at->value);
    if (count == 0 || count > field->capacity)
        return bm_json_fail(at, error, "must list 1 to %zu items (has %zu)", field->capacity, count);
    for (size_t i = 0; i < count; i++) {
        struct bm_json element = bm_json_element(at, i);
        status = bm_json_read_value(&element, field->item, target + i * field->size, error);
        if (status != BM_OK)
            return status;
    }
    return BM_OK;
}

enum bm_status bm_json_read_value(const struct bm_json *at, const struct bm_json_field *field, void *target,
                                  struct bm_error *error) {
    int64_t integer = 0;
    enum bm_status status = BM_INTERNAL;
    switch (field->kind) {
    case BM_JSON_U32:
        status = read_integer(at, field, &integer, error);
        *(uint32_t *)target = (uint32_t)integer;
        break;
    case BM_JSON_I64:
        status = read_integer(at, field, target, error);
        break;
    case BM_JSON_NUMBER:
        status = read_number(at, field, target, error);
        break;
    case BM_JSON_BOOL:
        status = bm_json_want(at, JSON_TRUE, error);
        *(bool *)target = json_is_true(at->value);
        break;
    case BM_JSON_TEXT:
    case BM_JSON_ID:
        status = read_text(at, field, target, error);
        break;
    case BM_JSON_WORD:
        status = read_word(at, field, target, error);
        break;
    case BM_JSON_OBJECT:
        status = bm_json_read(at, field->fields, field->field_count, target, error);
        break;
    case BM_JSON_LIST:
        status = read_list(at, field, target, error);
        break;
    case BM_JSON_CUSTOM:
        status = field->read(at, target, error);
        break;
    }
    return status;
}

static const struct bm_json_field *find_field(const struct bm_json_field *fields, size_t count,
                                              const char *key) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(fields[i].key, key) == 0)
            return &fields[i];
    return NULL;
}

static enum bm_status fail_unknown_key(const struct bm_json *at, const struct bm_json_field *fields,
                                       size_t count, struct bm_error *error) {
    const char *keys[64];
    size_t known = count < BM_COUNT_OF(keys) ? count : BM_COUNT_OF(keys);
    for (size_t i = 0; i < known; i++)
        keys[i] = fields[i].key;
    const char *nearest = bm_string_nearest(at->key, keys, known);
    if (nearest != NULL)
        return bm_json_fail(at, error, "unknown key; did you mean '%s'?", nearest);
    return bm_json_fail(at, error, "unknown key; remove it");
}

/* Keys before values: a value is often wrong because of a key that is. */
static enum bm_status check_keys(const struct bm_json *at, const struct bm_json_field *fields, size_t count,
                                 struct bm_error *error) {
    const char *key;
    json_t *value;
    json_object_foreach(at->value, key, value) {
        const struct bm_json member = {.file = at->file, .parent = at, .key = key, .value = value};
        if (find_field(fields, count, key) == NULL)
            return fail_unknown_key(&member, fields, count, error);
    }
    for (size_t i = 0; i < count; i++) {
        const struct bm_json member = bm_json_member(at, fields[i].key);
        if (fields[i].required && member.value == NULL)
            return bm_json_fail(&member, error, "is missing");
    }
    return BM_OK;
}

enum bm_status bm_json_read(const struct bm_json *at, const struct bm_json_field *fields, size_t count,
                            void *target, struct bm_error *error) {
    const char *key;
    json_t *value;
    enum bm_status status = bm_json_want(at, JSON_OBJECT, error);
    if (status == BM_OK)
        status = check_keys(at, fields, count, error);
    if (status != BM_OK)
        return status;
    json_object_foreach(at->value, key, value) {
        const struct bm_json member = {.file = at->file, .parent = at, .key = key, .value = value};
        const struct bm_json_field *field = find_field(fields, count, key);
        status = bm_json_read_value(&member, field, (char *)target + field->offset, error);
        if (status != BM_OK)
            return status;
        if (field->kind == BM_JSON_LIST)
            *(unsigned *)((char *)target + field->count_offset) = (unsigned)json_array_size(value);
    }
    return BM_OK;
}
