#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "environment.h"

enum { FILE_LIMIT = 16 << 20 };

bool bm_system_path(const char *root, const char *path, char full[PATH_MAX]) {
    int length = snprintf(full, PATH_MAX, "%s%s", root, path);
    return length > 0 && length < PATH_MAX;
}

char *bm_system_text(const char *root, const char *path) {
    char full[PATH_MAX], *text = NULL;
    size_t size;
    if (!bm_system_path(root, path, full) || bm_file_read(full, FILE_LIMIT, &text, &size, NULL) != BM_OK)
        return NULL;
    return text;
}

bool bm_system_line(const char *root, const char *path, char *line, size_t size) {
    char *text = bm_system_text(root, path);
    line[0] = '\0';
    if (text == NULL)
        return false;
    text[strcspn(text, "\n")] = '\0';
    bm_string_set(line, size, text);
    free(text);
    return line[0] != '\0';
}

bool bm_system_number(const char *text, uint64_t *value, const char **end) {
    text += strspn(text, " \t");
    *value = 0;
    if (!isdigit((unsigned char)*text))
        return false;
    for (; isdigit((unsigned char)*text); text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        *value = *value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : 10 * *value + digit;
    }
    if (end != NULL)
        *end = text;
    return true;
}

bool bm_system_value(const char *root, const char *path, uint64_t *value) {
    char line[64];
    *value = 0;
    return bm_system_line(root, path, line, sizeof line) && bm_system_number(line, value, NULL);
}

bool bm_system_keyed(const char *text, const char *key, uint64_t *value) {
    size_t length = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && strchr(" \t:", line[length]) != NULL && line[length] != '\0')
            return bm_system_number(line + length + (line[length] == ':'), value, NULL);
    }
    *value = 0;
    return false;
}
