/* Kernel parameters that are known before a run: shipped, by class and by device, and the user's own. */
#include "bm/tuned.h"

#include "fixture.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct bm_tuned_list list;
static struct bm_error error;
static const struct bm_tuned_device cpu = {
    .backend = "opencl/pocl", .name = "pthread-AMD EPYC", .driver = "3.1", .compute_units = 2};
static const struct bm_tuned_device h100 = {.backend = "opencl/nvidia",
                                            .name = "NVIDIA H100 80GB HBM3",
                                            .driver = "550.54",
                                            .compute_units = 132,
                                            .is_gpu = true};
static char warnings[4][512];
static unsigned warning_count;

static void on_log(void *context, enum bm_log_level level, const char *message) {
    (void)context;
    if (level == BM_LOG_WARNING && warning_count < BM_COUNT_OF(warnings))
        bm_string_set(warnings[warning_count++], sizeof warnings[0], message);
}

static void begin(void) {
    fixture_begin();
    fixture_use_as_data();
    setenv("XDG_CACHE_HOME", fixture_folder, 1);
    bm_log_set_sink(on_log, NULL);
}

static void end(void) {
    bm_tuned_list_fini(&list);
    fixture_end();
}

TestSuite(tuned_shipped, .init = begin, .fini = end);
TestSuite(tuned_cache, .init = begin, .fini = end);

/* ---- shipped ---- */

static void ship(const struct bm_tuned_device *device) {
    bm_tuned_list_fini(&list);
    cr_assert_eq(bm_tuned_shipped(device, &list, &error), BM_OK, "%s", error.message);
}

/* TILE of what is found; -1: nothing. */
static int64_t tile(const char *workload, const char *dtype, const char *shape_class) {
    const struct bm_tuned_entry *entry = bm_tuned_find(&list, workload, dtype, shape_class);
    return entry != NULL ? bm_parameters_get(&entry->parameters, "TILE", -2) : -1;
}

Test(tuned_shipped, the_finest_class_counts) {
    fixture_write("bench/tuned/cpu.json",
                  "{\"gemm\": {\"f32\": {\"TILE\": 1}, \"f32/m2-8\": {\"TILE\": 2}, \"f32/m2-8/n4096k4096\": "
                  "{\"TILE\": 3},"
                  " \"f16/m2-8\": {\"TILE\": 4}}}",
                  SIZE_MAX);
    ship(&cpu);
    cr_expect_eq(tile("gemm", "f32", "m2-8/n4096k4096"), 3);
    cr_expect_eq(tile("gemm", "f32", "m2-8/n256k4096"), 2);
    cr_expect_eq(tile("gemm", "f32", "m2-8"), 2);
    cr_expect_eq(tile("gemm", "f32", "m2-80/n256k256"), 1, "a level is a whole word");
    cr_expect_eq(tile("gemm", "f32", "m33-128/n4096k4096"), 1);
    cr_expect_eq(tile("gemm", "f32", ""), 1);
    cr_expect_eq(tile("gemm", "f16", "m2-8/n4096k4096"), 4);
    cr_expect_eq(tile("gemm", "f16", "m33-128"), -1);
    cr_expect_eq(tile("gemv", "f32", "n4096k4096"), -1);
}

Test(tuned_shipped, a_devices_own_file_goes_before_that_of_its_kind) {
    fixture_write("bench/tuned/cpu.json", "{\"gemm\": {\"f32\": {\"TILE\": 1}}}", SIZE_MAX);
    fixture_write("bench/tuned/gpu.json",
                  "{\"gemm\": {\"f32\": {\"TILE\": 2}, \"f32/m2-8\": {\"TILE\": 3}, \"f16\": {\"TILE\": 4}}}",
                  SIZE_MAX);
    fixture_write("bench/tuned/nvidia-h100.json",
                  "{\"match\": [\"nvidia h100\", \"GH200\"], \"gemm\": {\"f32\": {\"TILE\": 5}, "
                  "\"f16/m2-8\": {\"TILE\": 6}}}",
                  SIZE_MAX);
    ship(&h100);
    cr_expect_eq(tile("gemm", "f32", "m2-8"), 5, "however coarse");
    cr_expect_eq(tile("gemm", "f16", "m2-8"), 6);
    cr_expect_eq(tile("gemm", "f16", "m9-32"), 4, "what it leaves out is the kind's");
    const struct bm_tuned_entry *entry = bm_tuned_find(&list, "gemm", "f32", "m2-8");
    entry = bm_tuned_next(&list, "m2-8", entry);
    cr_assert_not_null(entry, "the kind's, where its own does not suit");
    cr_expect_eq(bm_parameters_get(&entry->parameters, "TILE", -1), 3);
    cr_expect_null(bm_tuned_next(&list, "m2-8", entry));
    struct bm_tuned_device other = h100;
    other.name = "NVIDIA A40";
    ship(&other);
    cr_expect_eq(tile("gemm", "f32", "m2-8"), 3);
    ship(&cpu);
    cr_expect_eq(tile("gemm", "f32", "m2-8"), 1);
}

Test(tuned_shipped, a_mistake_is_told_whatever_the_device) {
    const struct {
        const char *file, *text, *expected;
    } rows[] = {
        {"cpu.json", "{\"gemm\": {\"f32/\": {}}}", "$.gemm.f32/: must be a dtype, or a dtype and a class"},
        {"cpu.json", "{\"gemm\": {\"/m2-8\": {}}}", "must be a dtype, or a dtype and a class"},
        {"cpu.json", "{\"gemm\": {\"f32//m2-8\": {}}}", "must be a dtype, or a dtype and a class"},
        {"cpu.json", "{\"gemm\": {\"f32/M2\": {}}}", "must be a dtype, or a dtype and a class"},
        {"cpu.json", "{\"gemm\": {\"f32/m2-8\": {\"TILE\": \"8\"}}}",
         "$.gemm.f32/m2-8.TILE: must be a whole number"},
        {"cpu.json", "{\"match\": [\"x\"], \"gemm\": {}}", "$.match: must be an object"},
        {"some.json", "{\"gemm\": {}}",
         "$.match: is missing: only cpu.json and gpu.json are for every device"},
        {"some.json", "{\"match\": [\"a(\"]}", "$.match[0]: must be a POSIX extended regular expression"},
        {"some.json", "{\"match\": \"a\"}", "$.match: must be a list"},
        {"some.json", "{\"match\": [\"never\"], \"gemm\": {\"f32\": {\"tile\": 1}}}",
         "$.gemm.f32.tile: must be named"},
    };
    for (size_t i = 0; i < BM_COUNT_OF(rows); i++) {
        char name[64];
        snprintf(name, sizeof name, "bench/tuned/%s", rows[i].file);
        const char *path = fixture_write(name, rows[i].text, SIZE_MAX);
        error = (struct bm_error){0};
        cr_expect_eq(bm_tuned_shipped(&cpu, &list, &error), BM_INVALID, "%s", rows[i].text);
        fixture_check_message(&error, BM_INVALID, name, rows[i].expected);
        cr_expect(list.items == NULL && list.count == 0, "outputs are cleared");
        cr_assert_eq(unlink(path), 0);
    }
}

/* ---- the user's own ---- */

static char *kernels(const char *source) {
    static char folder[128];
    fixture_write("kernels/gemm.cl", source, SIZE_MAX);
    snprintf(folder, sizeof folder, "%s/kernels", fixture_folder);
    return folder;
}

/* As `benchmark tune` makes it, for the kernels as they are now. */
static struct bm_tuned_entry tuned(const char *shape_class, int64_t value, const char *created) {
    struct bm_tuned_entry entry = {
        .workload = "gemm", .dtype = "f16", .source = "gemm.cl", .ns = 1e6, .before_ns = 1.1e6};
    char path[192];
    snprintf(path, sizeof path, "%s/kernels/gemm.cl", fixture_folder);
    cr_assert_eq(bm_file_sha256(path, 1 << 20, entry.sha256, NULL), BM_OK);
    bm_string_set(entry.shape_class, sizeof entry.shape_class, shape_class);
    bm_string_set(entry.created, sizeof entry.created, created);
    bm_parameters_set(&entry.parameters, "TILE", value);
    return entry;
}

static void save(const struct bm_tuned_device *device, struct bm_tuned_entry entry) {
    const struct bm_tuned_list added = {.items = &entry, .count = 1};
    error = (struct bm_error){0};
    cr_assert_eq(bm_tuned_cache_save(device, &added, &error), BM_OK, "%s", error.message);
}

static enum bm_status load(const struct bm_tuned_device *device, const char *folder) {
    bm_tuned_list_fini(&list);
    error = (struct bm_error){0};
    return bm_tuned_cache_load(device, folder, &list, &error);
}

static const char *cache_path(const struct bm_tuned_device *device) {
    static char path[256];
    cr_assert_eq(bm_tuned_cache_path(device, path, sizeof path, NULL), BM_OK);
    return path;
}

/* Files beside each other in the cache. */
static unsigned count_files(char last_other[256]) {
    char folder[256];
    unsigned count = 0;
    bm_string_set(folder, sizeof folder, cache_path(&cpu));
    *strrchr(folder, '/') = '\0';
    DIR *stream = opendir(folder);
    for (struct dirent *file; stream != NULL && (file = readdir(stream)) != NULL;) {
        if (file->d_name[0] == '.')
            continue;
        count++;
        if (strcmp(file->d_name, strrchr(cache_path(&cpu), '/') + 1) != 0)
            bm_string_set(last_other, 256, file->d_name);
    }
    if (stream != NULL)
        closedir(stream);
    return count;
}

Test(tuned_cache, is_below_the_users_cache_folder) {
    char path[256], expected[256];
    snprintf(expected, sizeof expected, "%s/benchmark/tuned/pthread-amd-epyc-", fixture_folder);
    cr_expect_eq(strncmp(cache_path(&cpu), expected, strlen(expected)), 0, "%s", cache_path(&cpu));
    setenv("XDG_CACHE_HOME", "relative", 1); /* which the specification has ignored */
    setenv("HOME", "/home/somebody", 1);
    snprintf(expected, sizeof expected, "/home/somebody/.cache/benchmark/tuned/");
    cr_expect_eq(strncmp(cache_path(&cpu), expected, strlen(expected)), 0, "%s", cache_path(&cpu));
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    cr_expect_eq(bm_tuned_cache_path(&cpu, path, sizeof path, &error), BM_NOT_FOUND);
    cr_expect_not_null(strstr(error.message, "set XDG_CACHE_HOME or HOME"), "%s", error.message);
    cr_expect_eq(load(&cpu, "/nowhere"), BM_OK, "a run goes on without");
    cr_expect_eq(list.count, 0);
}

Test(tuned_cache, gives_back_what_was_saved) {
    const char *folder = kernels("kernel void gemm() {}");
    cr_expect_eq(load(&cpu, folder), BM_OK, "no file is no error");
    cr_expect_eq(list.count, 0);
    struct bm_tuned_entry entry = tuned("m33-128/n4096k4096", 12, "2026-01-01T00:00:00Z");
    bm_parameters_set(&entry.parameters, "VEC", 16);
    save(&cpu, entry);
    cr_assert_eq(load(&cpu, folder), BM_OK, "%s", error.message);
    cr_assert_eq(list.count, 1);
    const struct bm_tuned_entry *got = &list.items[0];
    cr_expect(strcmp(got->workload, "gemm") == 0 && strcmp(got->dtype, "f16") == 0);
    cr_expect_str_eq(got->shape_class, "m33-128/n4096k4096");
    cr_expect_str_eq(got->created, "2026-01-01T00:00:00Z");
    cr_expect(got->ns == 1e6 && got->before_ns == 1.1e6 && got->rank == 0);
    cr_expect_eq(got->parameters.count, 2);
    cr_expect_eq(bm_parameters_get(&got->parameters, "VEC", 0), 16);
    cr_expect_eq(tile("gemm", "f16", "m33-128/n4096k4096"), 12);
    cr_expect_eq(tile("gemm", "f16", "m33-128/n256k4096"), -1);
    entry.before_ns = 0;
    bm_string_set(entry.shape_class, sizeof entry.shape_class, "");
    save(&cpu, entry);
    cr_assert_eq(load(&cpu, folder), BM_OK, "%s", error.message);
    cr_expect_eq(tile("gemm", "f16", "m33-128/n256k4096"), 12, "\"\" is for every class");
    cr_expect_eq(warning_count, 0);
}

Test(tuned_cache, is_for_one_device_driver_and_kernel) {
    const char *folder = kernels("kernel void gemm() {}");
    save(&cpu, tuned("m2-8", 1, "2026-01-01T00:00:00Z"));
    struct bm_tuned_device others[4] = {cpu, cpu, cpu, cpu};
    others[0].backend = "opencl/intel";
    others[1].name = "pthread-AMD EPYC 2";
    others[2].driver = "3.2";
    others[3].compute_units = 4;
    for (size_t i = 0; i < BM_COUNT_OF(others); i++) {
        cr_expect_eq(load(&others[i], folder), BM_OK, "%s", error.message);
        cr_expect_eq(list.count, 0, "device %zu", i);
        save(&others[i], tuned("m2-8", 10 + (int64_t)i, "2026-01-01T00:00:00Z"));
        cr_expect_eq(load(&others[i], folder), BM_OK, "%s", error.message);
        cr_expect_eq(tile("gemm", "f16", "m2-8"), 10 + (int64_t)i);
    }
    /* another kernel; and the first one again, whose entry was kept */
    kernels("kernel void gemm() { barrier(0); }");
    cr_expect_eq(load(&cpu, folder), BM_OK);
    cr_expect_eq(list.count, 0);
    save(&cpu, tuned("m2-8", 2, "2026-01-02T00:00:00Z"));
    cr_expect_eq(load(&cpu, folder), BM_OK);
    cr_expect_eq(tile("gemm", "f16", "m2-8"), 2);
    kernels("kernel void gemm() {}");
    cr_expect_eq(load(&cpu, folder), BM_OK);
    cr_expect_eq(tile("gemm", "f16", "m2-8"), 1);
    cr_expect_eq(load(&cpu, "/nowhere"), BM_OK, "kernels that cannot be read are others");
    cr_expect_eq(list.count, 0);
}

Test(tuned_cache, new_entries_join_those_that_are_there) {
    const char *folder = kernels("kernel void gemm() {}");
    save(&cpu, tuned("m2-8", 1, "2026-01-02T00:00:00Z"));
    save(&cpu, tuned("m9-32", 2, "2026-01-02T00:00:00Z"));
    save(&cpu, tuned("m2-8", 3, "2026-01-03T00:00:00Z"));
    cr_expect_eq(load(&cpu, folder), BM_OK);
    cr_expect_eq(list.count, 2);
    cr_expect_eq(tile("gemm", "f16", "m2-8"), 3, "the newer of a key");
    cr_expect_eq(tile("gemm", "f16", "m9-32"), 2);
    save(&cpu, tuned("m2-8", 4, "2026-01-01T00:00:00Z"));
    cr_expect_eq(load(&cpu, folder), BM_OK);
    cr_expect_eq(tile("gemm", "f16", "m2-8"), 3, "an older one found late replaces nothing");
}

Test(tuned_cache, forgets_the_oldest_when_it_is_full) {
    const char *folder = kernels("kernel void gemm() {}");
    struct bm_tuned_list many = {0};
    for (int i = 0; i < 1030; i++) {
        char name[32], created[32];
        snprintf(name, sizeof name, "m%d", i);
        snprintf(created, sizeof created, "2026-01-01T00:%02d:%02dZ", i / 60, i % 60);
        struct bm_tuned_entry entry = tuned(name, i, created);
        cr_assert_eq(bm_grow(&many.items, &many.capacity, many.count + 1, sizeof *many.items, NULL), BM_OK);
        many.items[many.count++] = entry;
    }
    cr_assert_eq(bm_tuned_cache_save(&cpu, &many, &error), BM_OK, "%s", error.message);
    bm_tuned_list_fini(&many);
    cr_assert_eq(load(&cpu, folder), BM_OK, "%s", error.message);
    cr_expect_eq(list.count, 1024);
    cr_expect_eq(tile("gemm", "f16", "m5"), -1);
    cr_expect_eq(tile("gemm", "f16", "m6"), 6);
    cr_expect_eq(tile("gemm", "f16", "m1029"), 1029);
}

/* What a mistake in the file is, and that nothing of it is lost. */
static void expect_set_aside(const char *content, const char *expected) {
    const char *folder = kernels("kernel void gemm() {}");
    char aside[256] = "", path[512], *kept;
    size_t size;
    fixture_write(cache_path(&cpu) + strlen(fixture_folder) + 1, content, SIZE_MAX);
    cr_expect_eq(load(&cpu, folder), BM_INVALID, "%s", content);
    fixture_check_message(&error, BM_INVALID, "/benchmark/tuned/pthread-amd-epyc-", expected);
    cr_expect_eq(list.count, 0);
    cr_expect_eq(count_files(aside), 1, "reading changes nothing");
    warning_count = 0;
    save(&cpu, tuned("m2-8", 7, "2026-01-01T00:00:00Z"));
    cr_expect_eq(load(&cpu, folder), BM_OK, "%s", error.message);
    cr_expect_eq(tile("gemm", "f16", "m2-8"), 7);
    cr_expect_eq(count_files(aside), 2);
    cr_assert_eq(warning_count, 1);
    cr_expect_not_null(strstr(warnings[0], expected), "%s", warnings[0]);
    cr_expect_not_null(strstr(warnings[0], aside), "'%s' does not name %s", warnings[0], aside);
    bm_string_set(path, sizeof path, cache_path(&cpu));
    strcpy(strrchr(path, '/') + 1, aside);
    cr_assert_eq(bm_file_read(path, 1 << 20, &kept, &size, NULL), BM_OK);
    cr_expect_str_eq(kept, content);
    free(kept);
    cr_assert_eq(unlink(path), 0);
}

#define DEVICE                                                                                               \
    "\"device\": {\"backend\": \"opencl/pocl\", \"name\": \"pthread-AMD EPYC\", \"driver\": \"3.1\", "       \
    "\"compute_units\": 2}"
#define ENTRY(rest)                                                                                          \
    "{\"version\": 1, " DEVICE                                                                               \
    ", \"entries\": [{\"workload\": \"gemm\", \"dtype\": \"f16\", \"class\": \"m2-8\", "                     \
    "\"source\": \"gemm.cl\", \"sha256\": \"0\", \"created\": \"now\", " rest "}]}"

Test(tuned_cache, a_broken_or_foreign_file_is_kept_aside) {
    expect_set_aside("", "not valid JSON");
    expect_set_aside("{\"version\": 1, ", "not valid JSON");
    expect_set_aside("[1]", "$: must be an object");
    expect_set_aside("{\"settings\": 3}", "$.version: must be 1");
    expect_set_aside("{\"version\": 2, " DEVICE ", \"entries\": []}", "$.version: must be 1");
    expect_set_aside("{\"version\": 1, \"entries\": []}", "lacks \"device\" or \"entries\"");
    expect_set_aside("{\"version\": 1, \"device\": {\"backend\": \"x\"}, \"entries\": []}",
                     "$.device.backend: is not that of this device ('opencl/pocl')");
    expect_set_aside("{\"version\": 1, " DEVICE ", \"entries\": {}}", "$.entries: must be a list");
    expect_set_aside(ENTRY("\"ns\": 1"), "$.entries[0].parameters: is missing");
    expect_set_aside(ENTRY("\"ns\": -1, \"parameters\": {}"), "$.entries[0].ns: must be a number");
    expect_set_aside(ENTRY("\"ns\": 1, \"parameters\": {\"TILE\": 1.5}"),
                     "$.entries[0].parameters.TILE: must be");
    expect_set_aside(ENTRY("\"ns\": 1, \"parameters\": {}, \"color\": 1"), "$.entries[0].color: unknown key");
}

Test(tuned_cache, what_cannot_be_read_is_left_alone) {
    const char *folder = kernels("kernel void gemm() {}");
    const struct bm_tuned_entry entry = tuned("m2-8", 7, "2026-01-01T00:00:00Z");
    struct bm_tuned_entry copy = entry;
    const struct bm_tuned_list added = {.items = &copy, .count = 1};
    char other[256];
    fixture_write("benchmark/tuned/x", "", 0);
    cr_assert_eq(mkdir(cache_path(&cpu), 0700), 0);
    cr_expect_eq(load(&cpu, folder), BM_INVALID, "a folder");
    cr_expect_neq(bm_tuned_cache_save(&cpu, &added, &error), BM_OK);
    cr_expect_eq(count_files(other), 2);
    struct stat info;
    cr_expect(stat(cache_path(&cpu), &info) == 0 && S_ISDIR(info.st_mode));
}

/* Several tuners at once, on different devices of a kind or by mistake: no entry is lost. */
Test(tuned_cache, programs_save_beside_each_other) {
    enum { PROGRAMS = 8, EACH = 12 };
    const char *folder = kernels("kernel void gemm() {}");
    for (int p = 0; p < PROGRAMS; p++) {
        if (fork() != 0)
            continue;
        for (int i = 0; i < EACH; i++) {
            char name[32];
            snprintf(name, sizeof name, "p%d-%d", p, i);
            struct bm_tuned_entry entry = tuned(name, p * EACH + i, "2026-01-01T00:00:00Z");
            const struct bm_tuned_list added = {.items = &entry, .count = 1};
            if (bm_tuned_cache_save(&cpu, &added, NULL) != BM_OK)
                _exit(1);
        }
        _exit(0);
    }
    for (int p = 0; p < PROGRAMS; p++) {
        int status;
        cr_assert(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    cr_assert_eq(load(&cpu, folder), BM_OK, "%s", error.message);
    cr_expect_eq(list.count, PROGRAMS * EACH);
    char other[256];
    cr_expect_eq(count_files(other), 1, "no temporary file is left");
}
