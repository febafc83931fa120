/* Listing folders, and where the program's data lies. */
#include "../data/fixture.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <unistd.h>

TestSuite(folder, .init = fixture_begin, .fini = fixture_end);

Test(folder, lists_names_in_order) {
    static const char *const written[] = {"b.json", "a.json", "B.json", "c.json.bak", ".hidden.json",
                                          ".json",  "json",   "a.jso",  "10.json",    "9.json"},
                             *const expected[] = {"10.json", "9.json", "B.json", "a.json", "b.json"};
    struct bm_names names;
    for (size_t i = 0; i < BM_COUNT_OF(written); i++)
        fixture_write(written[i], "", 0);
    cr_assert_eq(bm_folder_list(fixture_folder, ".json", &names, NULL), BM_OK);
    cr_assert_eq(names.count, BM_COUNT_OF(expected));
    for (size_t i = 0; i < names.count; i++)
        cr_expect_str_eq(names.items[i], expected[i]);
    bm_names_fini(&names);
    cr_assert(names.items == NULL && names.count == 0);
}

Test(folder, lists_many_and_none) {
    char name[32];
    struct bm_names names;
    cr_assert_eq(bm_folder_list(fixture_folder, ".json", &names, NULL), BM_OK, "an empty folder is no error");
    cr_assert_eq(names.count, 0);
    bm_names_fini(&names);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "%03d.cl", 99 - i);
        fixture_write(name, "", 0);
    }
    cr_assert_eq(bm_folder_list(fixture_folder, ".cl", &names, NULL), BM_OK);
    cr_assert_eq(names.count, 100);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(atoi(names.items[i]), i);
    bm_names_fini(&names);
}

Test(folder, tells_what_is_wrong) {
    struct bm_names names = {.count = 3};
    struct bm_error error = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/none", fixture_folder);
    cr_assert_eq(bm_folder_list(path, "", &names, &error), BM_NOT_FOUND);
    cr_assert(names.items == NULL && names.count == 0);
    fixture_check_message(&error, BM_NOT_FOUND, path, "No such file");
    error = (struct bm_error){0};
    const char *file = fixture_write("file", "", 0);
    cr_assert_eq(bm_folder_list(file, "", &names, &error), BM_IO);
    cr_assert_eq(error.native, ENOTDIR);
    fixture_check_message(&error, BM_IO, file, "Not a directory");
}

Test(data_path, is_told_by_the_environment) {
    char path[256];
    setenv("BENCHMARK_DATA_DIR", "/some/where", 1);
    cr_assert_eq(bm_data_path("bench/models", path, sizeof path, NULL), BM_OK);
    cr_assert_str_eq(path, "/some/where/bench/models");
}

/* Without it the data lies beside the program: PREFIX/bin and PREFIX/share, in an installation as in a build
 * tree. */
Test(data_path, is_found_from_the_program) {
    char path[PATH_MAX], program[PATH_MAX], expected[PATH_MAX + 64];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    cr_assert_gt(length, 0);
    program[length] = '\0';
    snprintf(expected, sizeof expected, "%s/../share/benchmark/kernels/gemm.cl", dirname(program));
    unsetenv("BENCHMARK_DATA_DIR");
    cr_assert_eq(bm_data_path("kernels/gemm.cl", path, sizeof path, NULL), BM_OK);
    cr_assert_str_eq(path, expected);
    cr_assert(bm_file_exists(path), "%s: the build tree has the data where an installation has it", path);
    setenv("BENCHMARK_DATA_DIR", "", 1);
    cr_assert_eq(bm_data_path("kernels/gemm.cl", path, sizeof path, NULL), BM_OK);
    cr_assert_str_eq(path, expected, "an empty variable says nothing");
}

Test(data_path, does_not_overrun) {
    char path[24];
    struct bm_error error = {0};
    setenv("BENCHMARK_DATA_DIR", "/some/where", 1);
    cr_assert_eq(bm_data_path("twelve bytes", path, 24, NULL), BM_IO, "the terminator needs a byte too");
    cr_assert_eq(bm_data_path("eleven byte", path, 24, NULL), BM_OK);
    cr_assert_eq(bm_data_path("bench/devices", path, sizeof path, &error), BM_IO);
    cr_assert_eq(error.native, ENAMETOOLONG);
    cr_assert_str_eq(path, "", "outputs are cleared");
}
