/* Counters of the system's own limits: CPU quota of the control group, heat. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"

/* Counters of which any that rises counts. */
enum { COUNTERS = 64 };
struct counters {
    struct {
        int fd;
        uint64_t value;
    } items[COUNTERS];
    unsigned count;
    bool (*read)(int fd, uint64_t *value);
};

static void counters_add(struct counters *counters, const char *root, const char *path) {
    uint64_t value;
    int fd = counters->count < COUNTERS ? bm_counter_open(root, path) : -1;
    if (fd < 0)
        return;
    if (!counters->read(fd, &value)) {
        close(fd);
        return;
    }
    counters->items[counters->count].fd = fd;
    counters->items[counters->count++].value = value;
}

static void counters_close(void *context) {
    struct counters *counters = context;
    for (unsigned i = 0; i < counters->count; i++)
        close(counters->items[i].fd);
    free(counters);
}

static void *counters_or_null(struct counters *counters, const char *missing, char detail[BM_DETAIL_SIZE]) {
    if (counters->count > 0)
        return counters;
    bm_string_set(detail, BM_DETAIL_SIZE, missing);
    counters_close(counters);
    return NULL;
}

static bool counters_judge(void *context, const struct bm_control_block *block) {
    struct counters *counters = context;
    bool rose = false;
    (void)block;
    for (unsigned i = 0; i < counters->count; i++) {
        uint64_t now;
        if (!counters->read(counters->items[i].fd, &now))
            continue;
        rose |= now > counters->items[i].value;
        counters->items[i].value = now;
    }
    return rose;
}

/* ---- the control group ---- */

static bool read_throttled(int fd, uint64_t *times) {
    char text[1024];
    return bm_counter_read(fd, text, sizeof text) && bm_system_keyed(text, "nr_throttled", times);
}

static void *cgroup_open(const struct bm_control_options *options, char detail[BM_DETAIL_SIZE]) {
    struct counters *counters = bm_alloc(1, sizeof *counters);
    struct bm_cgroup group;
    if (counters == NULL)
        return NULL;
    counters->read = read_throttled;
    bm_cgroup_find(options->root, "cpu", &group);
    for (unsigned i = 0; i < group.count; i++) {
        char path[BM_CGROUP_PATH + 16];
        snprintf(path, sizeof path, "%s/cpu.stat", group.folders[i]);
        counters_add(counters, options->root, path);
    }
    return counters_or_null(counters, "no control group with a CPU controller", detail);
}

const struct bm_sensor bm_sensor_cgroup = {
    .name = "cgroup_quota",
    .flag = BM_FLAG_THROTTLED,
    .cpu = true,
    .gpu = true,
    .every_ns = 50000000, /* the kernel counts once a period, of 100 ms as a rule */
    .open = cgroup_open,
    .judge = counters_judge,
    .close = counters_close,
};

/* ---- heat ---- */

static bool read_count(int fd, uint64_t *count) {
    char text[64];
    return bm_counter_read(fd, text, sizeof text) && bm_system_number(text, count, NULL);
}

static bool is_cpu(const char *name) {
    return strncmp(name, "cpu", 3) == 0 && name[3] >= '0' && name[3] <= '9';
}

/* Of many CPUs, evenly spaced ones: heat is shared. */
static void *thermal_open(const struct bm_control_options *options, char detail[BM_DETAIL_SIZE]) {
    static const char *const files[] = {"core_throttle_count", "package_throttle_count"};
    static const char folder[] = "/sys/devices/system/cpu";
    char path[PATH_MAX];
    struct bm_names names = {0};
    struct counters *counters = bm_alloc(1, sizeof *counters);
    if (counters == NULL)
        return NULL;
    counters->read = read_count;
    if (!bm_system_path(options->root, folder, path) || bm_folder_list(path, "", &names, NULL) != BM_OK)
        names.count = 0;
    size_t step = names.count * BM_COUNT_OF(files) / COUNTERS + 1;
    for (size_t i = 0, cpu = 0; i < names.count; i++)
        if (is_cpu(names.items[i]) && cpu++ % step == 0)
            for (size_t f = 0; f < BM_COUNT_OF(files); f++) {
                snprintf(path, sizeof path, "%s/%.32s/thermal_throttle/%s", folder, names.items[i], files[f]);
                counters_add(counters, options->root, path);
            }
    bm_names_fini(&names);
    return counters_or_null(counters, "the processor counts none (thermal_throttle)", detail);
}

const struct bm_sensor bm_sensor_thermal = {
    .name = "thermal",
    .flag = BM_FLAG_THROTTLED,
    .cpu = true,
    .every_ns = 100000000, /* heat takes longer */
    .open = thermal_open,
    .judge = counters_judge,
    .close = counters_close,
};
