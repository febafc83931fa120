/* Memory limits of control groups, version 2. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t read_limit(const char *folder) {
    char path[4200], *text = NULL;
    size_t size = 0;
    uint64_t limit = UINT64_MAX;
    snprintf(path, sizeof path, "%s/memory.max", folder);
    if (bm_file_read(path, 64, &text, &size, NULL) != BM_OK)
        return UINT64_MAX;
    text[strcspn(text, "\n")] = '\0';
    if (bm_parse_u64(text, 0, UINT64_MAX, &limit, NULL) != BM_OK) /* "max" */
        limit = UINT64_MAX;
    free(text);
    return limit;
}

uint64_t bm_memory_limit(const char *root, const char *membership) {
    /* One line a hierarchy; version 2's begins with "0::". */
    const char *line = strncmp(membership, "0::", 3) == 0 ? membership : strstr(membership, "\n0::");
    if (line == NULL)
        return UINT64_MAX;
    line = strchr(line, '0') + 3;
    char folder[4096];
    int length = snprintf(folder, sizeof folder, "%s%.*s", root, (int)strcspn(line, "\n"), line);
    if (length < 0 || (size_t)length >= sizeof folder)
        return UINT64_MAX;
    uint64_t least = UINT64_MAX;
    for (size_t root_length = strlen(root);;) {
        uint64_t limit = read_limit(folder);
        if (limit < least)
            least = limit;
        char *slash = strrchr(folder, '/');
        if (slash == NULL || slash < folder + root_length)
            return least;
        *slash = '\0';
    }
}
