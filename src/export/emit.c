#include "emit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

static void append_string(struct bm_text *text, const char *value) {
    bm_text_append_bytes(text, "\"", 1);
    while (*value != '\0') {
        size_t plain = 0, length;
        while ((length = bm_utf8_length(value + plain)) > 0 && (unsigned char)value[plain] >= 0x20 &&
               value[plain] != '"' && value[plain] != '\\')
            plain += length;
        bm_text_append_bytes(text, value, plain);
        value += plain;
        if (*value == '\0')
            break;
        if (*value == '"' || *value == '\\')
            bm_text_append(text, "\\%c", *value);
        else if ((unsigned char)*value < 0x20)
            bm_text_append(text, "\\u%04x", (unsigned)*value);
        else
            bm_text_append(text, "%s", BM_UTF8_REPLACEMENT);
        value++;
    }
    bm_text_append_bytes(text, "\"", 1);
}

static void begin(struct bm_emitter *emitter, const char *key) {
    if (emitter->depth > 0)
        bm_text_append(emitter->text, "%s\n%*s", emitter->any ? "," : "", (int)emitter->depth, "");
    emitter->any = true;
    if (key == NULL)
        return;
    append_string(emitter->text, key);
    bm_text_append_bytes(emitter->text, ": ", 2);
}

void bm_emit_open(struct bm_emitter *emitter, const char *key, char bracket) {
    begin(emitter, key);
    bm_text_append_bytes(emitter->text, &bracket, 1);
    emitter->depth++;
    emitter->any = false;
}

void bm_emit_close(struct bm_emitter *emitter, char bracket) {
    emitter->depth--;
    if (emitter->any)
        bm_text_append(emitter->text, "\n%*s", (int)emitter->depth, "");
    bm_text_append_bytes(emitter->text, &bracket, 1);
    emitter->any = true;
}

void bm_emit_null(struct bm_emitter *emitter, const char *key) {
    begin(emitter, key);
    bm_text_append_bytes(emitter->text, "null", 4);
}

void bm_emit_text(struct bm_emitter *emitter, const char *key, const char *value) {
    begin(emitter, key);
    if (value == NULL || value[0] == '\0')
        bm_text_append_bytes(emitter->text, "null", 4);
    else
        append_string(emitter->text, value);
}

void bm_emit_real(struct bm_emitter *emitter, const char *key, double value) {
    begin(emitter, key);
    if (isfinite(value))
        bm_text_append(emitter->text, "%.10g", value);
    else
        bm_text_append_bytes(emitter->text, "null", 4);
}

void bm_emit_interval(struct bm_emitter *emitter, const char *key, double low, double high) {
    begin(emitter, key);
    if (isfinite(low) && isfinite(high))
        bm_text_append(emitter->text, "[%.10g, %.10g]", low, high);
    else
        bm_text_append_bytes(emitter->text, "null", 4);
}

void bm_emit_count(struct bm_emitter *emitter, const char *key, uint64_t value) {
    begin(emitter, key);
    bm_text_append(emitter->text, "%" PRIu64, value);
}

void bm_emit_positive(struct bm_emitter *emitter, const char *key, uint64_t value) {
    if (value > 0)
        bm_emit_count(emitter, key, value);
    else
        bm_emit_null(emitter, key);
}

void bm_emit_bool(struct bm_emitter *emitter, const char *key, bool value) {
    begin(emitter, key);
    bm_text_append(emitter->text, "%s", value ? "true" : "false");
}

enum bm_status bm_emit_end(struct bm_emitter *emitter, struct bm_error *error) {
    bm_text_append(emitter->text, "\n");
    return emitter->text->failed ? bm_fail(error, BM_NO_MEMORY, "out of memory for a report") : BM_OK;
}
