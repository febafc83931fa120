#include "bm/base.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum bm_status fail_errno(struct bm_error *error, const char *call, const char *path) {
    int code = errno;
    enum bm_status status = code == ENOENT && strcmp(call, "open") == 0 ? BM_NOT_FOUND : BM_IO;
    return bm_fail_native(error, status, code, call, "%s: %s", path, strerror(code));
}

enum bm_status bm_file_read(const char *path, size_t limit, char **data, size_t *size,
                            struct bm_error *error) {
    enum bm_status status = BM_OK;
    struct stat info;
    char *content = NULL;
    size_t capacity = 0, length = 0;
    *data = NULL;
    *size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(error, "open", path);
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        status = bm_fail_native(error, BM_IO, EISDIR, "read", "%s: is a folder, not a file", path);
        goto out;
    }
    for (;;) { /* pipes and /proc have no size: read until the end */
        status = bm_grow(&content, &capacity, length + 65536 + 1, 1, error);
        if (status != BM_OK)
            goto out;
        ssize_t got = read(fd, content + length, 65536);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            status = fail_errno(error, "read", path);
            goto out;
        }
        if (got == 0)
            break;
        length += (size_t)got;
        if (length > limit) {
            status = bm_fail(error, BM_INVALID, "%s: larger than the limit of %zu bytes", path, limit);
            goto out;
        }
    }
    content[length] = '\0';
    *data = content;
    *size = length;
    content = NULL;
out:
    free(content);
    close(fd);
    return status;
}

static enum bm_status write_all(int fd, const char *path, const char *data, size_t size,
                                struct bm_error *error) {
    while (size > 0) {
        ssize_t put = write(fd, data, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return fail_errno(error, "write", path);
        data += put;
        size -= (size_t)put;
    }
    return BM_OK;
}

/* A temporary file beside path, so that the rename stays within one file system. */
static enum bm_status open_beside(const char *path, char temporary[PATH_MAX], int *fd,
                                  struct bm_error *error) {
    if (snprintf(temporary, PATH_MAX, "%s.XXXXXX", path) >= PATH_MAX)
        return bm_fail_native(error, BM_IO, ENAMETOOLONG, "open", "%s: the name is too long", path);
    *fd = mkostemp(temporary, O_CLOEXEC);
    return *fd < 0 ? fail_errno(error, "create", path) : BM_OK;
}

/* mkostemp gives mode 0600; a results file has the mode that any new file would have. */
static void set_default_mode(int fd) {
    mode_t mask = umask(0);
    umask(mask);
    (void)!fchmod(fd, 0666 & ~mask);
}

/* *straight: a device such as /dev/null, which is written and must never be replaced by a file. */
static enum bm_status check_kind(const char *path, bool *straight, struct bm_error *error) {
    struct stat info;
    *straight = false;
    size_t length = strlen(path);
    bool folder = length > 0 && path[length - 1] == '/';
    if (!folder && (stat(path, &info) != 0 || S_ISREG(info.st_mode)))
        return BM_OK;
    if (folder || S_ISDIR(info.st_mode))
        return bm_fail_native(error, BM_IO, EISDIR, "open", "%s: is a folder, not a file", path);
    *straight = S_ISCHR(info.st_mode);
    return *straight ? BM_OK
                     : bm_fail_native(error, BM_IO, EINVAL, "open",
                                      "%s: is a pipe or a device, not a regular file", path);
}

static enum bm_status write_straight(const char *path, const char *data, size_t size,
                                     struct bm_error *error) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(error, "open", path);
    enum bm_status status = write_all(fd, path, data, size, error);
    close(fd);
    return status;
}

static enum bm_status replace(const char *path, const char *data, size_t size, struct bm_error *error) {
    char temporary[PATH_MAX];
    int fd = -1;
    enum bm_status status = open_beside(path, temporary, &fd, error);
    if (status != BM_OK)
        return status;
    set_default_mode(fd);
    status = write_all(fd, path, data, size, error);
    if (status == BM_OK && fsync(fd) != 0)
        status = fail_errno(error, "fsync", path);
    if (close(fd) != 0 && status == BM_OK)
        status = fail_errno(error, "close", path);
    if (status == BM_OK && rename(temporary, path) != 0)
        status = fail_errno(error, "rename", path);
    if (status != BM_OK)
        unlink(temporary);
    return status;
}

enum bm_status bm_file_write_atomic(const char *path, const char *data, size_t size, struct bm_error *error) {
    char target[PATH_MAX];
    bool straight;
    enum bm_status status = check_kind(path, &straight, error);
    if (status != BM_OK)
        return status;
    if (straight)
        return write_straight(path, data, size, error);
    /* Of a symbolic link the file behind it is replaced. */
    return replace(realpath(path, target) != NULL ? target : path, data, size, error);
}

static enum bm_status make_folder_of(const char *path, struct bm_error *error) {
    char folder[PATH_MAX];
    bm_string_set(folder, sizeof folder, path);
    for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0777) != 0 && errno != EEXIST)
            return fail_errno(error, "mkdir", folder);
        *slash = '/';
    }
    return BM_OK;
}

enum bm_status bm_file_check_writable(const char *path, size_t reserve, struct bm_error *error) {
    char temporary[PATH_MAX];
    bool straight;
    int fd = -1;
    enum bm_status status = check_kind(path, &straight, error);
    if (status != BM_OK || straight)
        return status;
    status = make_folder_of(path, error);
    if (status == BM_OK)
        status = open_beside(path, temporary, &fd, error);
    if (status != BM_OK)
        return status;
    int full = reserve > 0 ? posix_fallocate(fd, 0, (off_t)reserve) : 0;
    if (full == ENOSPC || full == EDQUOT || full == EFBIG) {
        errno = full;
        status = fail_errno(error, "write", path);
    }
    close(fd);
    unlink(temporary);
    return status;
}

bool bm_file_exists(const char *path) {
    return access(path, F_OK) == 0;
}
