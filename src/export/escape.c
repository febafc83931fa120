#include "escape.h"

#include <string.h>

#include "utf8.h"

/* What stands for a byte of ASCII, NULL: itself. */
typedef const char *(*replacement_of)(char c);

static void escape(struct bm_text *text, const char *value, replacement_of replacement) {
    while (*value != '\0') {
        size_t length = bm_utf8_length(value);
        const char *instead = length == 0 ? BM_UTF8_REPLACEMENT : length == 1 ? replacement(*value) : NULL;
        if (instead != NULL)
            bm_text_append(text, "%s", instead);
        else
            bm_text_append_bytes(text, value, length);
        value += length > 0 ? length : 1;
    }
}

static const char *in_markdown(char c) {
    switch (c) {
    case '|':
        return "\\|";
    case '\\':
        return "\\\\";
    case '`':
        return "\\`";
    case '*':
        return "\\*";
    case '_':
        return "\\_";
    case '[':
        return "\\[";
    case ']':
        return "\\]";
    case '~':
        return "\\~";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '@': /* no one is called by a device's name */
        return "&#64;";
    default:
        return (unsigned char)c < 0x20 || c == 0x7f ? " " : NULL;
    }
}

void bm_escape_markdown(struct bm_text *text, const char *value) {
    escape(text, value, in_markdown);
}

static const char *in_quotes(char c) {
    return c == '"' ? "\"\"" : c == '\0' ? "" : NULL;
}

void bm_escape_csv(struct bm_text *text, const char *value) {
    bool quoted = strpbrk(value, ",\"\r\n") != NULL || value[0] == ' ' ||
                  (value[0] != '\0' && value[strlen(value) - 1] == ' ');
    bm_text_append(text, "%s", quoted ? "\"" : "");
    escape(text, value, in_quotes);
    bm_text_append(text, "%s", quoted ? "\"" : "");
}

static const char *in_xml(char c) {
    switch (c) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\'':
        return "&apos;";
    case '\t':
        return "&#9;";
    case '\n':
        return "&#10;";
    case '\r':
        return "&#13;";
    default:
        return (unsigned char)c < 0x20 ? BM_UTF8_REPLACEMENT : NULL;
    }
}

void bm_escape_xml(struct bm_text *text, const char *value) {
    struct bm_text escaped = {0};
    escape(&escaped, value, in_xml);
    /* U+FFFE and U+FFFF are UTF-8, but no characters of XML */
    for (const char *at = escaped.data != NULL ? escaped.data : ""; *at != '\0';) {
        bool forbidden = strncmp(at, "\xef\xbf\xbe", 3) == 0 || strncmp(at, "\xef\xbf\xbf", 3) == 0;
        size_t length = bm_utf8_length(at);
        bm_text_append_bytes(text, forbidden ? BM_UTF8_REPLACEMENT : at, length);
        at += length;
    }
    text->failed |= escaped.failed;
    bm_text_fini(&escaped);
}

static const char *in_message(char c) {
    switch (c) {
    case '%':
        return "%25";
    case '\r':
        return "%0D";
    case '\n':
        return "%0A";
    default:
        return (unsigned char)c < 0x20 || c == 0x7f ? " " : NULL;
    }
}

static const char *in_property_value(char c) {
    return c == ':' ? "%3A" : c == ',' ? "%2C" : in_message(c);
}

void bm_escape_github(struct bm_text *text, const char *value, bool in_property) {
    escape(text, value, in_property ? in_property_value : in_message);
}

static const char *in_label(char c) {
    return c == '\\' ? "\\\\" : c == '"' ? "\\\"" : c == '\n' ? "\\n" : NULL;
}

void bm_escape_openmetrics(struct bm_text *text, const char *value) {
    escape(text, value, in_label);
}
