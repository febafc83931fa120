#include "fixture.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

char fixture_folder[64];

void fixture_begin(void) {
    strcpy(fixture_folder, "/tmp/bm-data-XXXXXX");
    cr_assert_not_null(mkdtemp(fixture_folder));
}

static int fixture_remove(const char *path, const struct stat *info, int type, struct FTW *place) {
    (void)info, (void)type, (void)place;
    return remove(path);
}

void fixture_end(void) {
    nftw(fixture_folder, fixture_remove, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fixture_write(const char *name, const char *content, size_t size) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", fixture_folder, name);
    for (char *slash = strchr(path + strlen(fixture_folder) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file, "%s", path);
    size_t length = size == SIZE_MAX ? strlen(content) : size;
    cr_assert_eq(fwrite(content, 1, length, file), length);
    cr_assert_eq(fclose(file), 0);
    return path;
}

void fixture_use_as_data(void) {
    setenv("BENCHMARK_DATA_DIR", fixture_folder, 1);
}

char *fixture_replace(const char *text, const char *old, const char *by) {
    const char *found = strstr(text, old);
    cr_assert_not_null(found, "the text lacks %s", old);
    char *out = malloc(strlen(text) + strlen(by) + 1);
    sprintf(out, "%.*s%s%s", (int)(found - text), text, by, found + strlen(old));
    return out;
}

void fixture_check_message(const struct bm_error *error, enum bm_status status, const char *file,
                           const char *part) {
    cr_expect_eq(error->status, status, "%s: %s", bm_status_name(error->status), error->message);
    cr_expect_null(strchr(error->message, '\n'), "%s", error->message);
    cr_expect_not_null(strstr(error->message, file), "'%s' lacks %s", error->message, file);
    cr_expect_not_null(strstr(error->message, part), "'%s' lacks %s", error->message, part);
}
