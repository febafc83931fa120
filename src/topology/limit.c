/* Limits of control groups, version 2. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_file(const char *folder, const char *name) {
    char path[4200], *text = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (bm_file_read(path, 64, &text, &size, NULL) != BM_OK)
        return NULL;
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static uint64_t number_of(const char *text) {
    uint64_t value;
    return text != NULL && bm_parse_u64(text, 0, UINT64_MAX, &value, NULL) == BM_OK ? value : UINT64_MAX;
}

static uint64_t memory_of_group(const char *folder) {
    char *text = read_file(folder, "memory.max");
    uint64_t limit = number_of(text); /* "max" is no number */
    free(text);
    return limit;
}

/* "max 100000" or "150000 100000": microseconds of CPU time in each period. In thousandths of a CPU. */
static uint64_t cpu_of_group(const char *folder) {
    char *text = read_file(folder, "cpu.max"), *blank = text != NULL ? strchr(text, ' ') : NULL;
    uint64_t limit = UINT64_MAX;
    if (blank != NULL) {
        *blank = '\0';
        const uint64_t quota = number_of(text), period = number_of(blank + 1);
        if (quota < UINT64_MAX / 1000 && period > 0 && period < UINT64_MAX)
            limit = quota * 1000 / period;
    }
    free(text);
    return limit;
}

/* The least limit of the group named in membership and of its ancestors. */
static uint64_t least_of_groups(const char *root, const char *membership,
                                uint64_t (*limit_of_group)(const char *folder)) {
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
        uint64_t limit = limit_of_group(folder);
        if (limit < least)
            least = limit;
        char *slash = strrchr(folder, '/');
        if (slash == NULL || slash < folder + root_length)
            return least;
        *slash = '\0';
    }
}

uint64_t bm_memory_limit(const char *root, const char *membership) {
    return least_of_groups(root, membership, memory_of_group);
}

double bm_cpu_limit(const char *root, const char *membership) {
    const uint64_t thousandths = least_of_groups(root, membership, cpu_of_group);
    return thousandths == UINT64_MAX ? 0 : (double)thousandths / 1000;
}
