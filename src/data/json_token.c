/* Numbers, strings and words of a JSON text. */
#include "json_token.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- errors ---- */

void bm_token_file(char out[BM_TOKEN_FILE], const char *path) {
    size_t length = strlen(path);
    if (length < BM_TOKEN_FILE)
        snprintf(out, BM_TOKEN_FILE, "%s", path);
    else
        snprintf(out, BM_TOKEN_FILE, "...%s", path + (length - (BM_TOKEN_FILE - 4)));
}

enum bm_status bm_token_fail(struct bm_stream *stream, const char *what) {
    char file[BM_TOKEN_FILE];
    size_t line = 1, column = 1;
    for (const char *c = stream->begin; c < stream->at; c++) {
        line += *c == '\n';
        column = *c == '\n' ? 1 : column + 1;
    }
    bm_token_file(file, stream->file);
    return bm_fail(stream->error, BM_INVALID, "%s:%zu:%zu: not valid JSON: %s", file, line, column,
                   stream->at >= stream->end ? "the file ends too early" : what);
}

/* ---- tokens ---- */

void bm_token_skip_blanks(struct bm_stream *stream) {
    while (stream->at < stream->end &&
           (*stream->at == ' ' || *stream->at == '\n' || *stream->at == '\t' || *stream->at == '\r'))
        stream->at++;
}

bool bm_token_take(struct bm_stream *stream, char c) {
    bm_token_skip_blanks(stream);
    if (stream->at >= stream->end || *stream->at != c)
        return false;
    stream->at++;
    return true;
}

char bm_stream_peek(struct bm_stream *stream) {
    bm_token_skip_blanks(stream);
    char c = stream->at < stream->end ? *stream->at : '?';
    if (c == '-' || (c >= '0' && c <= '9'))
        return '0';
    return strchr("{[\"ntf", c) != NULL && c != '\0' ? c : '?';
}

enum bm_status bm_token_word(struct bm_stream *stream, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(stream->end - stream->at) < length || memcmp(stream->at, word, length) != 0)
        return bm_token_fail(stream, "a value is expected");
    stream->at += length;
    return BM_OK;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* The extent of a number by the grammar; *whole: without fraction and exponent. */
static enum bm_status scan_number(struct bm_stream *stream, bool *whole) {
    const char *c = stream->at; /* the text ends in NUL, so one character may be looked at beyond it */
    *whole = true;
    c += *c == '-';
    if (*c == '0')
        c++;
    else
        for (const char *first = c; is_digit(*c) || c == first; c++)
            if (!is_digit(*c))
                return bm_token_fail(stream, "a digit is expected");
    if (*c == '.') {
        *whole = false;
        if (!is_digit(*++c))
            return bm_token_fail(stream, "a digit is expected after the point");
        while (is_digit(*c))
            c++;
    }
    if (*c == 'e' || *c == 'E') {
        *whole = false;
        c++;
        c += *c == '+' || *c == '-';
        if (!is_digit(*c))
            return bm_token_fail(stream, "a digit is expected in the exponent");
        while (is_digit(*c))
            c++;
    }
    stream->at = c;
    return BM_OK;
}

enum bm_status bm_token_number(struct bm_stream *stream, double *value, bool *whole, int64_t *integer) {
    const char *start = stream->at;
    enum bm_status status = scan_number(stream, whole);
    if (status != BM_OK)
        return status;
    bool negative = *start == '-';
    if (*whole) {
        uint64_t magnitude = 0, most = (uint64_t)INT64_MAX + negative;
        for (const char *c = start + negative; c < stream->at; c++) {
            unsigned digit = (unsigned)(*c - '0');
            if (magnitude > (most - digit) / 10) {
                stream->at = start;
                return bm_token_fail(stream, "a whole number beyond 64 bits");
            }
            magnitude = magnitude * 10 + digit;
        }
        *value = negative ? -(double)magnitude : (double)magnitude;
        *integer = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
        return BM_OK;
    }
    *value = strtod(start, NULL);
    if (isfinite(*value))
        return BM_OK;
    stream->at = start;
    return bm_token_fail(stream, "a number beyond what a double holds");
}

/* ---- strings ---- */

/* Length of the UTF-8 sequence at c (RFC 3629), 0 where there is none. */
static unsigned utf8_length(const unsigned char *c) {
    if (c[0] < 0x80)
        return 1;
    unsigned length = c[0] >= 0xc2 && c[0] < 0xe0   ? 2
                      : c[0] >= 0xe0 && c[0] < 0xf0 ? 3
                      : c[0] >= 0xf0 && c[0] < 0xf5 ? 4
                                                    : 0;
    for (unsigned i = 1; i < length; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    bool wrong = (c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] >= 0xa0) ||
                 (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] >= 0x90);
    return wrong ? 0 : length;
}

static unsigned utf8_encode(uint32_t code, unsigned char out[4]) {
    if (code < 0x80) {
        out[0] = (unsigned char)code;
        return 1;
    }
    unsigned length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (unsigned i = length - 1; i > 0; i--, code >>= 6)
        out[i] = (unsigned char)(0x80 | (code & 0x3f));
    out[0] = (unsigned char)((0xf00u >> length) | code);
    return length;
}

static bool hex4(const char *c, uint32_t *code) {
    static const char digits[] = "0123456789abcdefABCDEF";
    *code = 0;
    for (int i = 0; i < 4; i++) {
        const char *found = c[i] != '\0' ? strchr(digits, c[i]) : NULL;
        if (found == NULL)
            return false;
        uint32_t digit = (uint32_t)(found - digits);
        *code = *code * 16 + (digit < 16 ? digit : digit - 6);
    }
    return true;
}

/* The escape at stream->at, the backslash passed already. */
static enum bm_status take_escape(struct bm_stream *stream, unsigned char out[4], unsigned *length) {
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *letter = *stream->at != '\0' ? strchr(letters, *stream->at) : NULL;
    uint32_t code, second;
    *length = 1;
    if (letter != NULL) {
        out[0] = (unsigned char)meant[letter - letters];
        stream->at++;
        return BM_OK;
    }
    if (*stream->at != 'u' || !hex4(stream->at + 1, &code))
        return bm_token_fail(stream, "no such escape");
    if (code == 0)
        return bm_token_fail(stream, "\\u0000 is not allowed");
    const char *next = stream->at + 5;
    if (code >= 0xd800 && code < 0xdc00) {
        if (next[0] != '\\' || next[1] != 'u' || !hex4(next + 2, &second) || second < 0xdc00 ||
            second >= 0xe000)
            return bm_token_fail(stream, "half of a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10) + (second - 0xdc00);
        next += 6;
    } else if (code >= 0xdc00 && code < 0xe000) {
        return bm_token_fail(stream, "half of a surrogate pair");
    }
    stream->at = next;
    *length = utf8_encode(code, out);
    return BM_OK;
}

/* C0, DEL and C1 could drive a terminal. */
static bool is_control(const unsigned char *c, unsigned length) {
    return c[0] < 0x20 || c[0] == 0x7f || (length == 2 && c[0] == 0xc2 && c[1] < 0xa0);
}

enum bm_status bm_token_string(struct bm_stream *stream, char *out, size_t size, size_t *length_out) {
    size_t length = 0, kept = 0;
    if (!bm_token_take(stream, '"'))
        return bm_token_fail(stream, "a text is expected");
    for (;;) {
        unsigned char bytes[4] = {0};
        unsigned count;
        if (stream->at >= stream->end)
            return bm_token_fail(stream, "");
        unsigned char c = (unsigned char)*stream->at;
        if (c == '"')
            break;
        if (c < 0x20)
            return bm_token_fail(stream, "a control character in a text");
        if (c == '\\') {
            stream->at++;
            enum bm_status status = take_escape(stream, bytes, &count);
            if (status != BM_OK)
                return status;
        } else {
            count = utf8_length((const unsigned char *)stream->at);
            if (count == 0)
                return bm_token_fail(stream, "not UTF-8");
            memcpy(bytes, stream->at, count);
            stream->at += count;
        }
        if (is_control(bytes, count)) {
            bytes[0] = '?';
            count = 1;
        }
        if (out != NULL && kept == length && length + count < size) {
            memcpy(out + kept, bytes, count);
            kept += count;
        }
        length += count;
    }
    stream->at++;
    if (out != NULL)
        out[kept] = '\0';
    if (length_out != NULL)
        *length_out = length;
    return BM_OK;
}
