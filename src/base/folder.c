#include "bm/base.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool ends_in(const char *name, const char *suffix) {
    size_t length = strlen(name), tail = strlen(suffix);
    return length > tail && strcmp(name + length - tail, suffix) == 0;
}

enum bm_status bm_folder_list(const char *folder, const char *suffix, struct bm_names *names,
                              struct bm_error *error) {
    enum bm_status status = BM_OK;
    size_t capacity = 0;
    *names = (struct bm_names){0};
    DIR *stream = opendir(folder);
    if (stream == NULL)
        return bm_fail_native(error, errno == ENOENT ? BM_NOT_FOUND : BM_IO, errno, "opendir", "%s: %s",
                              folder, strerror(errno));
    for (struct dirent *entry; status == BM_OK && (entry = readdir(stream)) != NULL;) {
        if (entry->d_name[0] == '.' || !ends_in(entry->d_name, suffix))
            continue;
        status = bm_grow(&names->items, &capacity, names->count + 1, sizeof *names->items, error);
        if (status != BM_OK)
            break;
        char *name = strdup(entry->d_name);
        if (name == NULL)
            status = bm_fail(error, BM_NO_MEMORY, "%s: out of memory while listing", folder);
        else
            names->items[names->count++] = name;
    }
    closedir(stream);
    if (status != BM_OK)
        bm_names_fini(names);
    else if (names->count > 0)
        qsort(names->items, names->count, sizeof *names->items, compare_names);
    return status;
}

void bm_names_fini(struct bm_names *names) {
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (struct bm_names){0};
}

enum bm_status bm_data_path(const char *name, char *path, size_t size, struct bm_error *error) {
    char program[PATH_MAX];
    const char *folder = getenv("BENCHMARK_DATA_DIR");
    int length;
    path[0] = '\0';
    if (folder != NULL && folder[0] != '\0') {
        length = snprintf(path, size, "%s/%s", folder, name);
    } else {
        ssize_t got = readlink("/proc/self/exe", program, sizeof program - 1);
        if (got < 0)
            return bm_fail_native(error, BM_IO, errno, "readlink", "/proc/self/exe: %s", strerror(errno));
        program[got] = '\0';
        *strrchr(program, '/') = '\0';
        length = snprintf(path, size, "%s/../share/benchmark/%s", program, name);
    }
    if (length < 0 || (size_t)length >= size) {
        path[0] = '\0';
        return bm_fail_native(error, BM_IO, ENAMETOOLONG, "open", "%s: the path is too long", name);
    }
    return BM_OK;
}
