#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "environment.h"

/* ---- the processor ---- */

static const char cpus[] = "/sys/devices/system/cpu";

/* Of all clock domains the one that is not at "performance", if any. */
static void read_governor(const char *root, char *governor, size_t size) {
    char folder[PATH_MAX], path[PATH_MAX], line[32];
    struct bm_names domains = {0};
    governor[0] = '\0';
    snprintf(path, sizeof path, "%s/cpufreq", cpus);
    if (bm_system_path(root, path, folder) && bm_folder_list(folder, "", &domains, NULL) != BM_OK)
        domains.count = 0;
    for (size_t i = 0; i < domains.count; i++) {
        snprintf(path, sizeof path, "%s/cpufreq/%.64s/scaling_governor", cpus, domains.items[i]);
        if (bm_system_line(root, path, line, sizeof line) &&
            (governor[0] == '\0' || strcmp(governor, "performance") == 0))
            bm_string_set(governor, size, line);
    }
    bm_names_fini(&domains);
    snprintf(path, sizeof path, "%s/cpu0/cpufreq/scaling_governor", cpus);
    if (governor[0] == '\0')
        bm_system_line(root, path, governor, size);
}

static enum bm_known read_switch(const char *root, const char *path, bool inverted) {
    uint64_t value;
    if (!bm_system_value(root, path, &value))
        return BM_UNKNOWN;
    return (value != 0) != inverted ? BM_YES : BM_NO;
}

static enum bm_known read_turbo(const char *root) {
    enum bm_known turbo = read_switch(root, "/sys/devices/system/cpu/intel_pstate/no_turbo", true);
    return turbo != BM_UNKNOWN ? turbo : read_switch(root, "/sys/devices/system/cpu/cpufreq/boost", false);
}

/* x86 processors tell that they run under a hypervisor; the firmware's vendor says which. */
static void read_virtualization(const char *root, char *text, size_t size) {
    char vendor[24], *info = bm_system_text(root, "/proc/cpuinfo");
    text[0] = '\0';
    if (info == NULL)
        return;
    bool x86 = strstr(info, "\nflags") != NULL, guest = strstr(info, " hypervisor") != NULL;
    free(info);
    bm_system_line(root, "/sys/class/dmi/id/sys_vendor", vendor, sizeof vendor);
    if (x86 && !guest)
        bm_string_set(text, size, "none");
    else if (guest)
        bm_string_set(text, size, vendor[0] != '\0' ? vendor : "hypervisor");
}

/* ---- memory and power ---- */

/* "always [madvise] never" */
static void read_huge_pages(const char *root, char *mode, size_t size) {
    char line[128];
    mode[0] = '\0';
    if (!bm_system_line(root, "/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof line))
        return;
    char *open = strchr(line, '['), *close = open != NULL ? strchr(open, ']') : NULL;
    if (close == NULL)
        return;
    *close = '\0';
    bm_string_set(mode, size, open + 1);
}

/* A mapping without a policy of its own has the process's: "55b543535000 default file=/usr/bin/head ...". */
static void read_numa_policy(const char *root, char *policy, size_t size) {
    char line[PATH_MAX];
    policy[0] = '\0';
    if (!bm_system_line(root, "/proc/self/numa_maps", line, sizeof line))
        return;
    const char *word = line + strcspn(line, " ");
    word += strspn(word, " ");
    line[(size_t)(word - line) + strcspn(word, " ")] = '\0';
    if (strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789 -,:=") == strlen(word))
        bm_string_set(policy, size, word);
}

static void read_swap(const char *root, struct bm_results_environment *environment) {
    uint64_t total, free_kib;
    char *info = bm_system_text(root, "/proc/meminfo");
    environment->swap_known = info != NULL && bm_system_keyed(info, "SwapTotal", &total) &&
                              bm_system_keyed(info, "SwapFree", &free_kib) && free_kib <= total &&
                              total < UINT64_MAX / 2048;
    if (environment->swap_known)
        environment->swap_used_bytes = (total - free_kib) * 1024;
    free(info);
}

/* Of a mouse or a headset: not what feeds the machine. */
static bool feeds_a_device(const char *root, const char *supply) {
    char path[PATH_MAX], scope[16];
    snprintf(path, sizeof path, "/sys/class/power_supply/%.64s/scope", supply);
    return bm_system_line(root, path, scope, sizeof scope) && strcmp(scope, "Device") == 0;
}

static enum bm_known supply_on_battery(const char *root, const char *supply) {
    char path[PATH_MAX], text[32];
    uint64_t online;
    snprintf(path, sizeof path, "/sys/class/power_supply/%.64s/online", supply);
    if (bm_system_value(root, path, &online) && online > 0)
        return BM_NO;
    snprintf(path, sizeof path, "/sys/class/power_supply/%.64s/status", supply);
    return bm_system_line(root, path, text, sizeof text) && strcmp(text, "Discharging") == 0 ? BM_YES
                                                                                             : BM_UNKNOWN;
}

/* On AC when any supply says so; on battery when one discharges. */
static enum bm_known read_battery(const char *root) {
    char folder[PATH_MAX];
    struct bm_names supplies = {0};
    enum bm_known battery = BM_UNKNOWN;
    if (!bm_system_path(root, "/sys/class/power_supply", folder) ||
        bm_folder_list(folder, "", &supplies, NULL) != BM_OK)
        return BM_UNKNOWN;
    for (size_t i = 0; i < supplies.count && battery != BM_NO; i++) {
        if (feeds_a_device(root, supplies.items[i]))
            continue;
        enum bm_known one = supply_on_battery(root, supplies.items[i]);
        battery = one != BM_UNKNOWN ? one : battery;
    }
    bm_names_fini(&supplies);
    return battery;
}

/* ---- the container ---- */

static bool group_line(const char *root, const struct bm_cgroup *group, unsigned i, const char *file,
                       char *line, size_t size) {
    char path[BM_CGROUP_PATH + 64];
    snprintf(path, sizeof path, "%s/%s", group->folders[i], file);
    return bm_system_line(root, path, line, size);
}

/* CPUs that one group may use at once; 0: as many as there are. */
static double quota_of(const char *root, const struct bm_cgroup *group, unsigned i) {
    char line[64], period_line[64];
    const char *rest;
    uint64_t quota, period;
    if (group_line(root, group, i, "cpu.max", line, sizeof line)) { /* v2: "150000 100000", "max 100000" */
        if (!bm_system_number(line, &quota, &rest) || !bm_system_number(rest, &period, NULL))
            return 0;
    } else if (!group_line(root, group, i, "cpu.cfs_quota_us", line, sizeof line) || /* -1: none */
               !group_line(root, group, i, "cpu.cfs_period_us", period_line, sizeof period_line) ||
               !bm_system_number(line, &quota, NULL) || !bm_system_number(period_line, &period, NULL)) {
        return 0;
    }
    return period > 0 ? (double)quota / (double)period : 0;
}

static uint64_t memory_limit_of(const char *root, const struct bm_cgroup *group, unsigned i) {
    char line[64];
    uint64_t limit;
    if (!group_line(root, group, i, "memory.max", line, sizeof line) && /* v2: may be "max" */
        !group_line(root, group, i, "memory.limit_in_bytes", line, sizeof line))
        return 0;
    /* v1 writes no limit as the largest multiple of the page size. */
    return bm_system_number(line, &limit, NULL) && limit < (uint64_t)1 << 62 ? limit : 0;
}

static void read_limits(const char *root, struct bm_results_environment *environment) {
    struct bm_cgroup group;
    bm_cgroup_find(root, "cpu", &group);
    for (unsigned i = 0; i < group.count; i++) {
        double quota = quota_of(root, &group, i);
        if (quota > 0 && (environment->cpu_quota == 0 || quota < environment->cpu_quota))
            environment->cpu_quota = quota;
    }
    bm_cgroup_find(root, "memory", &group);
    for (unsigned i = 0; i < group.count; i++) {
        uint64_t limit = memory_limit_of(root, &group, i);
        if (limit > 0 && (environment->memory_limit_bytes == 0 || limit < environment->memory_limit_bytes))
            environment->memory_limit_bytes = limit;
    }
    bm_cgroup_find(root, "cpuset", &group);
    static const char *const files[] = {"cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"};
    for (unsigned i = 0; i < group.count && environment->cpuset[0] == '\0'; i++)
        for (size_t f = 0; f < BM_COUNT_OF(files) && environment->cpuset[0] == '\0'; f++)
            group_line(root, &group, i, files[f], environment->cpuset, sizeof environment->cpuset);
}

/* ---- the rest ---- */

static double read_load(const char *root) {
    char line[64];
    double load = (double)NAN;
    if (bm_system_line(root, "/proc/loadavg", line, sizeof line)) {
        line[strcspn(line, " ")] = '\0';
        if (bm_parse_double(line, 0, 1e6, &load, NULL) != BM_OK)
            load = (double)NAN;
    }
    return load;
}

/* Names that begin so change how the OpenCL libraries work. */
static const char *const prefixes[] = {"POCL_", "OCL_ICD_", "OPENCL_LAYERS"};

static void read_variables(const struct bm_environment_options *options,
                           struct bm_results_environment *environment) {
    for (char *const *at = options->variables; at != NULL && *at != NULL; at++) {
        size_t length = strcspn(*at, "=");
        bool listed = false;
        for (size_t i = 0; i < BM_COUNT_OF(prefixes); i++)
            listed |= strncmp(*at, prefixes[i], strlen(prefixes[i])) == 0;
        struct bm_results_variable *variable = &environment->variables[environment->variable_count];
        listed &= strspn(*at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == length;
        if (!listed || (*at)[length] != '=' || length >= sizeof variable->name ||
            environment->variable_count == BM_RESULTS_MAX_VARIABLES)
            continue;
        environment->variable_count++;
        snprintf(variable->name, sizeof variable->name, "%.*s", (int)length, *at);
        variable->withheld = options->anonymize && strchr(*at + length, '/') != NULL;
        if (!variable->withheld)
            bm_string_set(variable->value, sizeof variable->value, *at + length + 1);
    }
}

void bm_environment_read(const struct bm_environment_options *options, struct bm_results_host *host) {
    const char *root = options->root;
    struct bm_results_environment *environment = &host->environment;
    *environment = (struct bm_results_environment){0};
    read_governor(root, host->governor, sizeof host->governor);
    read_virtualization(root, host->virtualized, sizeof host->virtualized);
    environment->turbo = read_turbo(root);
    environment->smt = read_switch(root, "/sys/devices/system/cpu/smt/active", false);
    environment->numa_balancing = read_switch(root, "/proc/sys/kernel/numa_balancing", false);
    environment->on_battery = read_battery(root);
    read_numa_policy(root, environment->numa_policy, sizeof environment->numa_policy);
    read_huge_pages(root, environment->huge_pages, sizeof environment->huge_pages);
    environment->load_average = read_load(root);
    read_limits(root, environment);
    read_swap(root, environment);
    read_variables(options, environment);
    bm_environment_libraries(environment);
    bm_environment_warn(host);
}
