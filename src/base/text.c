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

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Edits from one short word to another, two neighbours swapped counting as one (optimal string alignment:
 * Damerau, CACM 7 (1964) 171); words over the limit are "far". */
static size_t distance(const char *a, const char *b) {
    enum { LIMIT = 64 };
    size_t rows[3][LIMIT + 1], length_a = strlen(a), length_b = strlen(b);
    if (length_a > LIMIT || length_b > LIMIT)
        return SIZE_MAX;
    for (size_t j = 0; j <= length_b; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= length_a; i++) {
        size_t *row = rows[i % 3];
        const size_t *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= length_b; j++) {
            row[j] = smaller(before[j - 1] + (a[i - 1] != b[j - 1]), smaller(before[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = smaller(row[j], earlier[j - 2] + 1);
        }
    }
    return rows[length_a % 3][length_b];
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
