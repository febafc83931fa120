/* Reading whole files, replacing them atomically, and asking beforehand whether that will work. */
#include "../data/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(file, .init = fixture_begin, .fini = fixture_end);

static const char *place(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", fixture_folder, name);
    return path;
}

static void expect_content(const char *path, const char *content) {
    char *data;
    size_t size;
    cr_assert_eq(bm_file_read(path, 1 << 20, &data, &size, NULL), BM_OK);
    cr_expect_str_eq(data, content);
    free(data);
}

static size_t count_entries(void) {
    struct bm_names names;
    cr_assert_eq(bm_folder_list(fixture_folder, "", &names, NULL), BM_OK);
    size_t count = names.count;
    bm_names_fini(&names);
    return count;
}

/* Writes beyond this many bytes fail with EFBIG instead of a signal. */
static void limit_file_size(rlim_t bytes) {
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(file, read_gives_bytes_and_a_terminator) {
    char *data;
    size_t size;
    const char *path = fixture_write("a", "x\0y\n", 4);
    cr_assert_eq(bm_file_read(path, 4, &data, &size, NULL), BM_OK, "a file of exactly the limit");
    cr_assert_eq(size, 4);
    cr_assert_eq(memcmp(data, "x\0y\n", 5), 0);
    free(data);
    path = fixture_write("empty", "", 0);
    cr_assert_eq(bm_file_read(path, 0, &data, &size, NULL), BM_OK);
    cr_assert_eq(size, 0);
    cr_assert_str_eq(data, "");
    free(data);
}

Test(file, read_takes_long_files) {
    enum { SIZE = 300000 };
    char *written = malloc(SIZE), *data;
    size_t size;
    for (size_t i = 0; i < SIZE; i++)
        written[i] = (char)(i * 2654435761u >> 24);
    const char *path = fixture_write("long", written, SIZE);
    cr_assert_eq(bm_file_read(path, SIZE, &data, &size, NULL), BM_OK);
    cr_assert_eq(size, SIZE);
    cr_assert_eq(memcmp(data, written, SIZE), 0);
    free(data);
    free(written);
}

Test(file, read_takes_what_has_no_size) {
    char *data, path[64];
    size_t size;
    int ends[2];
    cr_assert_eq(bm_file_read("/proc/self/status", 1 << 20, &data, &size, NULL), BM_OK);
    cr_assert_eq(strncmp(data, "Name:", 5), 0);
    free(data);
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(write(ends[1], "through a pipe", 14), 14);
    close(ends[1]);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    cr_assert_eq(bm_file_read(path, 100, &data, &size, NULL), BM_OK);
    cr_assert_str_eq(data, "through a pipe");
    free(data);
    close(ends[0]);
}

static void expect_unreadable(const char *path, size_t limit, enum bm_status status, int native,
                              const char *part) {
    struct bm_error error = {0};
    char *data = (char *)"";
    size_t size = 7;
    cr_expect_eq(bm_file_read(path, limit, &data, &size, &error), status, "%s", path);
    cr_expect(data == NULL && size == 0, "outputs are cleared");
    cr_expect_eq(error.native, native);
    fixture_check_message(&error, status, path, part);
}

Test(file, read_tells_what_is_wrong) {
    expect_unreadable(fixture_write("a", "12345", 5), 4, BM_INVALID, 0, "limit of 4 bytes");
    expect_unreadable("/dev/zero", 100000, BM_INVALID, 0, "limit of 100000 bytes");
    expect_unreadable(place("missing"), 10, BM_NOT_FOUND, ENOENT, "No such file");
    expect_unreadable(fixture_folder, 10, BM_IO, EISDIR, "is a folder");
    expect_unreadable(place("a/b"), 10, BM_IO, ENOTDIR, "Not a directory");
}

Test(file, write_makes_and_replaces) {
    const char *path = place("out.json");
    cr_assert_eq(bm_file_write_atomic(path, "first, and longer", 17, NULL), BM_OK);
    expect_content(path, "first, and longer");
    cr_assert_eq(bm_file_write_atomic(path, "second", 6, NULL), BM_OK);
    expect_content(path, "second");
    cr_assert_eq(bm_file_write_atomic(path, "", 0, NULL), BM_OK);
    expect_content(path, "");
    cr_assert_eq(count_entries(), 1, "nothing temporary stays");
}

Test(file, write_follows_the_umask) {
    struct stat info;
    umask(027);
    cr_assert_eq(bm_file_write_atomic(place("out.json"), "x", 1, NULL), BM_OK);
    cr_assert_eq(stat(place("out.json"), &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0640, "mode %o", info.st_mode & 0777);
    cr_assert_eq(umask(0), 027, "and leaves it as it was");
}

Test(file, a_failed_write_keeps_the_old_content) {
    struct bm_error error = {0};
    char *big = calloc(1, 100000);
    const char *path = fixture_write("out.json", "old", 3);
    limit_file_size(5000);
    cr_assert_eq(bm_file_write_atomic(path, big, 100000, &error), BM_IO);
    fixture_check_message(&error, BM_IO, path, "too large");
    cr_expect_eq(error.native, EFBIG);
    expect_content(path, "old");
    cr_assert_eq(count_entries(), 1, "nothing temporary stays");
    free(big);
}

Test(file, write_needs_a_folder_and_a_file) {
    struct bm_error error = {0};
    cr_assert_eq(bm_file_write_atomic(place("none/out.json"), "x", 1, &error), BM_IO);
    fixture_check_message(&error, BM_IO, place("none/out.json"), "No such file");
    error = (struct bm_error){0};
    cr_assert_eq(bm_file_write_atomic(fixture_folder, "x", 1, &error), BM_IO);
    fixture_check_message(&error, BM_IO, fixture_folder, "is a folder");
    error = (struct bm_error){0};
    cr_assert_eq(bm_file_write_atomic(place("none/"), "x", 1, &error), BM_IO);
    fixture_check_message(&error, BM_IO, place("none/"), "is a folder");
    char name[5000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    cr_assert_eq(bm_file_write_atomic(name, "x", 1, NULL), BM_IO);
    cr_assert_eq(count_entries(), 0);
}

/* A name may lead to a file elsewhere: that file is replaced, and the link stays. */
Test(file, write_follows_links) {
    struct stat info;
    char target[256];
    snprintf(target, sizeof target, "%s", fixture_write("kept/target.json", "old", 3));
    cr_assert_eq(symlink("kept/target.json", place("link.json")), 0);
    cr_assert_eq(bm_file_write_atomic(place("link.json"), "new", 3, NULL), BM_OK);
    cr_assert_eq(lstat(place("link.json"), &info), 0);
    cr_assert(S_ISLNK(info.st_mode));
    expect_content(target, "new");
}

/* `--output /dev/null` must not turn the device into a file. Tried on a terminal of our own, in whose folder
 * no file can be made: a test must not put the machine's /dev/null at risk. */
Test(file, devices_are_written_and_never_replaced) {
    struct stat before, after;
    char path[64], read_back[16] = "";
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    cr_assert(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    cr_assert_eq(ptsname_r(terminal, path, sizeof path), 0);
    int kept = open(path, O_RDWR | O_NOCTTY); /* what is written stays readable while it is open */
    cr_assert_geq(kept, 0);
    cr_assert_eq(stat(path, &before), 0);
    cr_assert_eq(bm_file_check_writable(path, 1 << 20, NULL), BM_OK);
    cr_assert_eq(bm_file_write_atomic(path, "straight", 8, NULL), BM_OK);
    cr_assert_eq(read(terminal, read_back, sizeof read_back - 1), 8);
    cr_assert_str_eq(read_back, "straight");
    cr_assert_eq(stat(path, &after), 0);
    cr_assert(S_ISCHR(after.st_mode) && after.st_ino == before.st_ino);
    close(kept);
    close(terminal);
}

Test(file, pipes_are_refused) {
    struct bm_error error = {0};
    struct stat info;
    cr_assert_eq(mkfifo(place("pipe"), 0600), 0);
    cr_assert_eq(bm_file_check_writable(place("pipe"), 0, &error), BM_IO);
    fixture_check_message(&error, BM_IO, place("pipe"), "not a regular file");
    cr_assert_eq(bm_file_write_atomic(place("pipe"), "x", 1, NULL), BM_IO);
    cr_assert_eq(stat(place("pipe"), &info), 0);
    cr_assert(S_ISFIFO(info.st_mode));
}

Test(file, check_writable_makes_folders_and_leaves_no_trace) {
    const char *path = place("new/deeper/out.json");
    cr_assert_eq(bm_file_check_writable(path, 1 << 20, NULL), BM_OK);
    cr_assert_not(bm_file_exists(path), "the file itself is not made");
    cr_assert_eq(rmdir(place("new/deeper")), 0, "and its folder is empty");
    cr_assert_eq(bm_file_check_writable(path, 0, NULL), BM_OK);
    cr_assert_eq(bm_file_write_atomic(path, "x", 1, NULL), BM_OK);
    cr_assert_eq(bm_file_check_writable(path, 100, NULL), BM_OK, "a file that is there may be replaced");
    expect_content(path, "x");
}

Test(file, check_writable_tells_what_is_wrong) {
    struct bm_error error = {0};
    fixture_write("file", "x", 1);
    cr_assert_eq(bm_file_check_writable(place("file/out.json"), 0, &error), BM_IO);
    fixture_check_message(&error, BM_IO, place("file/out.json"), "Not a directory");
    error = (struct bm_error){0};
    cr_assert_eq(bm_file_check_writable(fixture_folder, 0, &error), BM_IO);
    fixture_check_message(&error, BM_IO, fixture_folder, "is a folder");
    error = (struct bm_error){0};
    cr_assert_eq(bm_file_check_writable("/proc/none/out.json", 0, &error), BM_IO);
    fixture_check_message(&error, BM_IO, "/proc/none", "");
    error = (struct bm_error){0};
    limit_file_size(5000);
    cr_assert_eq(bm_file_check_writable(place("out.json"), 100000, &error), BM_IO,
                 "no room for what is coming");
    cr_expect_eq(error.native, EFBIG);
    cr_assert_eq(count_entries(), 1, "only the file that was there");
}
