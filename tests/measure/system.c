#include "system.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char system_root[64];
struct system_clock system_clock;

void system_begin(void) {
    strcpy(system_root, "/tmp/bm-system-XXXXXX");
    cr_assert_not_null(mkdtemp(system_root));
    system_clock = (struct system_clock){.now_ns = 1000000000, .step_ns = 12500};
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place) {
    (void)info, (void)type, (void)place;
    return remove(path);
}

void system_end(void) {
    nftw(system_root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void full_path(const char *path, char full[512]) {
    cr_assert_lt(snprintf(full, 512, "%s%s", system_root, path), 512);
}

/* In place: a sensor has the file open. */
void system_write_bytes(const char *path, const void *data, size_t size) {
    char full[512];
    full_path(path, full);
    for (char *slash = strchr(full + strlen(system_root) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert_geq(fd, 0, "%s", full);
    cr_assert_eq(write(fd, data, size), (ssize_t)size);
    close(fd);
}

void system_write(const char *path, const char *format, ...) {
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cr_assert(length >= 0 && (size_t)length < sizeof text);
    system_write_bytes(path, text, (size_t)length);
}

void system_remove(const char *path) {
    char full[512];
    full_path(path, full);
    cr_assert_eq(nftw(full, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0, "%s", full);
}

static uint64_t now(void *context) {
    struct system_clock *time = context;
    time->now_ns += time->step_ns;
    return time->now_ns;
}

struct bm_control *system_control(const char *nvml) {
    static const struct bm_clock clock = {.now_ns = now, .context = &system_clock};
    struct bm_control_options options = {
        .root = system_root, .clock = &clock, .nvml = nvml != NULL ? nvml : "/nonexistent/libnvidia-ml.so.1"};
    struct bm_control *control;
    struct bm_error error = {0};
    cr_assert_eq(bm_control_create(&options, &control, &error), BM_OK, "%s", error.message);
    return control;
}

unsigned system_block(struct bm_control *control, uint64_t ns, void (*change)(void)) {
    struct bm_monitor monitor = bm_control_monitor(control);
    monitor.begin(monitor.context);
    system_clock.now_ns += ns;
    if (change != NULL)
        change();
    return monitor.end(monitor.context);
}

struct bm_results_sensor system_report(const struct bm_control *control, const char *name) {
    static struct bm_results_environment environment;
    bm_control_report(control, &environment);
    unsigned i = 0;
    while (i < environment.sensor_count && strcmp(environment.sensors[i].name, name) != 0)
        i++;
    cr_assert_lt(i, environment.sensor_count, "no sensor is named %s", name);
    return environment.sensors[i];
}
