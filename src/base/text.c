#include "bm/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool reserve(struct bm_text *text, size_t extra) {
    if (text->failed)
        return false;
    if (extra > SIZE_MAX - text->length - 1 ||
        bm_grow(&text->data, &text->capacity, text->length + extra + 1, 1, NULL) != BM_OK)
        text->failed = true;
    return !text->failed;
}

void bm_text_append_bytes(struct bm_text *text, const char *bytes, size_t length) {
    if (!reserve(text, length))
        return;
    memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void bm_text_append(struct bm_text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 || !reserve(text, (size_t)length)) {
        text->failed = true;
        return;
    }
    va_start(arguments, format);
    vsnprintf(text->data + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

void bm_text_fini(struct bm_text *text) {
    free(text->data);
    *text = (struct bm_text){0};
}

void bm_string_set(char *destination, size_t size, const char *source) {
    size_t length = strnlen(source, size);
    if (length >= size) {
        length = size - 1;
        while (length > 0 && ((unsigned char)source[length] & 0xc0) == 0x80) /* inside a UTF-8 sequence */
            length--;
    }
    memmove(destination, source, length);
    destination[length] = '\0';
}

bool bm_string_contains(const char *text, const char *part) {
    return strcasestr(text, part) != NULL;
}

/* Levenshtein distance of two short words; words over the limit are "far". */
static size_t distance(const char *a, const char *b) {
    enum { LIMIT = 64 };
    size_t row[LIMIT + 1], length_a = strlen(a), length_b = strlen(b);
    if (length_a > LIMIT || length_b > LIMIT)
        return SIZE_MAX;
    for (size_t j = 0; j <= length_b; j++)
        row[j] = j;
    for (size_t i = 1; i <= length_a; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length_b; j++) {
            size_t substituted = diagonal + (a[i - 1] != b[j - 1]);
            size_t edited = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = substituted < edited ? substituted : edited;
        }
    }
    return row[length_b];
}

const char *bm_string_nearest(const char *word, const char *const *candidates, size_t count) {
    const char *nearest = NULL;
    size_t least = strlen(word) / 3 + 1;
    for (size_t i = 0; i < count; i++) {
        size_t far = distance(word, candidates[i]);
        if (far < least) {
            least = far;
            nearest = candidates[i];
        }
    }
    return nearest;
}
