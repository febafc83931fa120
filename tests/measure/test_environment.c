/* The machine's state, read from faked trees. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "system.h"

TestSuite(environment, .init = system_begin, .fini = system_end);

static struct bm_results_host host;
static struct bm_results_environment *const environment = &host.environment;

static void read_with(char *const *variables, bool anonymize) {
    struct bm_environment_options options = {
        .root = system_root, .variables = variables, .anonymize = anonymize};
    host = (struct bm_results_host){.threads = 4, .memory_bytes = (uint64_t)16 << 30, .numa_nodes = 2};
    bm_environment_read(&options, &host);
}

static void read_tree(void) {
    read_with(NULL, false);
}

/* One warning, with a part of it. */
static void check_warning(const char *part) {
    cr_assert_eq(environment->warning_count, 1u, "%u warnings, not one of %s", environment->warning_count,
                 part);
    cr_expect_not_null(strstr(environment->warnings[0], part), "'%s' lacks %s", environment->warnings[0],
                       part);
    cr_expect_null(strchr(environment->warnings[0], '\n'));
}

static void check_quiet(void) {
    cr_expect_eq(environment->warning_count, 0u, "%s", environment->warnings[0]);
}

Test(environment, of_an_empty_system_nothing_is_known) {
    read_tree();
    check_quiet();
    cr_expect_str_eq(host.governor, "");
    cr_expect_str_eq(host.virtualized, "");
    cr_expect_eq(environment->turbo, BM_UNKNOWN);
    cr_expect_eq(environment->smt, BM_UNKNOWN);
    cr_expect_eq(environment->numa_balancing, BM_UNKNOWN);
    cr_expect_eq(environment->on_battery, BM_UNKNOWN);
    cr_expect_str_eq(environment->huge_pages, "");
    cr_expect_str_eq(environment->numa_policy, "");
    cr_expect_str_eq(environment->cpuset, "");
    cr_expect(isnan(environment->load_average));
    cr_expect_eq(environment->cpu_quota, 0.0);
    cr_expect_eq(environment->memory_limit_bytes, 0u);
    cr_expect_not(environment->swap_known);
    cr_expect_eq(environment->variable_count, 0u);
}

Test(environment, versions_of_the_libraries) {
    unsigned major, minor;
    read_tree();
    cr_expect_eq(sscanf(environment->hwloc, "%u.%u.", &major, &minor), 2, "%s", environment->hwloc);
    cr_expect_eq(sscanf(environment->jansson, "%u.%u", &major, &minor), 2, "%s", environment->jansson);
}

/* ---- the processor ---- */

Test(environment, the_governor_that_saves_power_is_warned_of) {
    system_write("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
    read_tree();
    cr_expect_str_eq(host.governor, "performance");
    check_quiet();
    system_write("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "schedutil\n");
    read_tree();
    cr_expect_str_eq(host.governor, "schedutil");
    check_warning("governor is schedutil: clocks vary; `sudo cpupower frequency-set -g performance`");
}

Test(environment, of_several_governors_the_slower_one_is_told) {
    system_write("/sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "performance\n");
    system_write("/sys/devices/system/cpu/cpufreq/policy1/scaling_governor", "powersave\n");
    system_write("/sys/devices/system/cpu/cpufreq/policy2/scaling_governor", "performance\n");
    system_write("/sys/devices/system/cpu/cpufreq/boost", "1\n");
    read_tree();
    cr_expect_str_eq(host.governor, "powersave");
    cr_expect_eq(environment->turbo, BM_YES);
    check_warning("governor is powersave");
}

Test(environment, switches) {
    system_write("/sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
    system_write("/sys/devices/system/cpu/smt/active", "1\n");
    system_write("/proc/sys/kernel/numa_balancing", "0\n");
    read_tree();
    cr_expect_eq(environment->turbo, BM_NO);
    cr_expect_eq(environment->smt, BM_YES);
    cr_expect_eq(environment->numa_balancing, BM_NO);
    check_quiet();
    system_write("/sys/devices/system/cpu/intel_pstate/no_turbo", "0\n");
    system_write("/sys/devices/system/cpu/smt/active", "0\n");
    read_tree();
    cr_expect_eq(environment->turbo, BM_YES);
    cr_expect_eq(environment->smt, BM_NO);
}

Test(environment, virtualization) {
    system_write("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu avx2\n");
    read_tree();
    cr_expect_str_eq(host.virtualized, "none");
    system_write("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu hypervisor avx2\n");
    read_tree();
    cr_expect_str_eq(host.virtualized, "hypervisor");
    system_write("/sys/class/dmi/id/sys_vendor", "QEMU\n");
    read_tree();
    cr_expect_str_eq(host.virtualized, "QEMU");
    system_write("/proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd\n");
    read_tree();
    cr_expect_str_eq(host.virtualized, "", "such processors do not tell");
}

/* ---- memory and power ---- */

Test(environment, huge_pages) {
    system_write("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    read_tree();
    cr_expect_str_eq(environment->huge_pages, "madvise");
    check_quiet();
    system_write("/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
    read_tree();
    cr_expect_str_eq(environment->huge_pages, "never");
    check_warning("transparent huge pages are off");
}

Test(environment, numa_balancing_matters_between_nodes) {
    system_write("/proc/sys/kernel/numa_balancing", "1\n");
    read_tree();
    cr_expect_eq(environment->numa_balancing, BM_YES);
    check_warning("sysctl kernel.numa_balancing=0");
    struct bm_environment_options options = {.root = system_root};
    host = (struct bm_results_host){.numa_nodes = 1};
    bm_environment_read(&options, &host);
    check_quiet();
}

Test(environment, a_numa_policy_matters_between_nodes) {
    system_write("/proc/self/numa_maps", "55b543535000 default file=/usr/bin/benchmark mapped=2\n");
    read_tree();
    cr_expect_str_eq(environment->numa_policy, "default");
    check_quiet();
    system_write("/proc/self/numa_maps", "55b543535000 bind:0 file=/usr/bin/benchmark\n7f0 default\n");
    read_tree();
    cr_expect_str_eq(environment->numa_policy, "bind:0");
    check_warning(
        "NUMA policy is bind:0: memory does not lie beside the threads that use it; start without numactl");
    struct bm_environment_options options = {.root = system_root};
    host = (struct bm_results_host){.numa_nodes = 1};
    bm_environment_read(&options, &host);
    cr_expect_str_eq(environment->numa_policy, "bind:0");
    check_quiet();
    static const char *const contents[] = {"", "\n", "55b543535000", "55b543535000 \n", "0 <script>\n"};
    for (size_t i = 0; i < BM_COUNT_OF(contents); i++) {
        system_write("/proc/self/numa_maps", "%s", contents[i]);
        read_tree();
        cr_expect_str_eq(environment->numa_policy, "", "%s", contents[i]);
        check_quiet();
    }
}

Test(environment, swap) {
    system_write("/proc/meminfo",
                 "MemTotal: 16777216 kB\nSwapCached: 7 kB\nSwapTotal: 4194304 kB\nSwapFree: 4194304 kB\n");
    read_tree();
    cr_expect(environment->swap_known);
    cr_expect_eq(environment->swap_used_bytes, 0u);
    check_quiet();
    system_write("/proc/meminfo", "SwapTotal:        4194304 kB\nSwapFree:         2097152 kB\n");
    read_tree();
    cr_expect_eq(environment->swap_used_bytes, (uint64_t)2 << 30);
    check_warning("2.0 GiB are swapped out");
}

Test(environment, battery) {
    system_write("/sys/class/power_supply/AC/online", "0\n");
    system_write("/sys/class/power_supply/BAT0/status", "Discharging\n");
    read_tree();
    cr_expect_eq(environment->on_battery, BM_YES);
    check_warning("plug it in");
    system_write("/sys/class/power_supply/AC/online", "1\n");
    read_tree();
    cr_expect_eq(environment->on_battery, BM_NO);
    check_quiet();
}

Test(environment, a_mouse_feeds_no_machine) {
    system_write("/sys/class/power_supply/hidpp_battery_0/scope", "Device\n");
    system_write("/sys/class/power_supply/hidpp_battery_0/status", "Discharging\n");
    read_tree();
    cr_expect_eq(environment->on_battery, BM_UNKNOWN);
    check_quiet();
}

Test(environment, load) {
    system_write("/proc/loadavg", "0.03 1.50 2.50 1/100 4242\n");
    read_tree();
    cr_expect_float_eq(environment->load_average, 0.03, 1e-12);
    check_quiet();
    system_write("/proc/loadavg", "1.94 1.50 2.50 1/100 4242\n");
    read_tree();
    check_warning("load average 1.9 on 4 threads: something else is running");
}

/* ---- the container ---- */

Test(environment, the_tightest_limit_of_cgroup_v2_holds) {
    system_write("/proc/self/cgroup", "0::/pod/box\n");
    system_write("/sys/fs/cgroup/pod/box/cpu.max", "max 100000\n");
    system_write("/sys/fs/cgroup/pod/cpu.max", "800000 100000\n");
    system_write("/sys/fs/cgroup/cpu.max", "1600000 100000\n");
    system_write("/sys/fs/cgroup/pod/box/memory.max", "12884901888\n");
    system_write("/sys/fs/cgroup/pod/memory.max", "max\n");
    system_write("/sys/fs/cgroup/pod/box/cpuset.cpus.effective", "0-1,4\n");
    read_tree();
    cr_expect_float_eq(environment->cpu_quota, 8, 1e-12);
    cr_expect_eq(environment->memory_limit_bytes, (uint64_t)12 << 30);
    cr_expect_str_eq(environment->cpuset, "0-1,4");
    check_quiet();
    system_write("/sys/fs/cgroup/pod/box/cpu.max", "150000 100000\n");
    read_tree();
    check_warning("CPU quota of 1.5 CPUs on 4 threads (cgroup)");
    system_write("/sys/fs/cgroup/pod/box/cpu.max", "max 100000\n");
    system_write("/sys/fs/cgroup/pod/memory.max", "2147483648\n");
    read_tree();
    check_warning("memory limit of 2.0 GiB of 16.0 (cgroup)");
}

Test(environment, limits_of_cgroup_v1) {
    system_write("/proc/self/cgroup", "9:cpuset:/b\n5:memory:/b\n4:cpu,cpuacct:/b\n");
    system_write("/sys/fs/cgroup/cpu/b/cpu.cfs_quota_us", "-1\n");
    system_write("/sys/fs/cgroup/cpu/b/cpu.cfs_period_us", "100000\n");
    system_write("/sys/fs/cgroup/memory/b/memory.limit_in_bytes", "9223372036854771712\n");
    system_write("/sys/fs/cgroup/cpuset/b/cpuset.cpus", "0-3\n");
    read_tree();
    cr_expect_eq(environment->cpu_quota, 0.0);
    cr_expect_eq(environment->memory_limit_bytes, 0u);
    cr_expect_str_eq(environment->cpuset, "0-3");
    system_write("/sys/fs/cgroup/cpu/b/cpu.cfs_quota_us", "250000\n");
    system_write("/sys/fs/cgroup/memory/b/memory.limit_in_bytes", "8589934592\n");
    read_tree();
    cr_expect_float_eq(environment->cpu_quota, 2.5, 1e-12);
    cr_expect_eq(environment->memory_limit_bytes, (uint64_t)8 << 30);
    check_warning("CPU quota of 2.5 CPUs");
}

/* ---- variables ---- */

Test(environment, variables_that_change_results) {
    static char lines[][32] = {
        "HOME=/root",          "POCL_MAX_PTHREAD_COUNT=2", "POCL_CACHE_DIR=/home/me/cache",
        "POCL_WORK_GROUP=",    "POCL_NO_EQUALS_SIGN",      "XPOCL_DEBUG=1",
        "OCL_ICD_VENDORS=x=y", "POCL_bad name=1"};
    char *variables[BM_COUNT_OF(lines) + 1] = {0};
    for (size_t i = 0; i < BM_COUNT_OF(lines); i++)
        variables[i] = lines[i];
    read_with(variables, false);
    cr_assert_eq(environment->variable_count, 4u);
    cr_expect_str_eq(environment->variables[0].name, "POCL_MAX_PTHREAD_COUNT");
    cr_expect_str_eq(environment->variables[0].value, "2");
    cr_expect_str_eq(environment->variables[1].value, "/home/me/cache");
    cr_expect_str_eq(environment->variables[2].value, "");
    cr_expect_str_eq(environment->variables[3].name, "OCL_ICD_VENDORS");
    cr_expect_str_eq(environment->variables[3].value, "x=y");
    read_with(variables, true);
    cr_assert_eq(environment->variable_count, 4u);
    cr_expect(environment->variables[1].withheld);
    cr_expect_str_eq(environment->variables[1].value, "");
    cr_expect_not(environment->variables[0].withheld);
    cr_expect_str_eq(environment->variables[0].value, "2");
}

Test(environment, too_many_and_too_long_variables_are_cut) {
    static char lines[100][600];
    char *variables[101] = {0};
    for (int i = 0; i < 100; i++) {
        int length = snprintf(lines[i], sizeof lines[i], "POCL_%d=", i);
        memset(lines[i] + length, 'x', sizeof lines[i] - 1 - (size_t)length);
        variables[i] = lines[i];
    }
    memset(lines[0], 'P', 599);
    memcpy(lines[0], "POCL_", 5);
    lines[0][598] = '=';
    read_with(variables, false);
    cr_expect_eq(environment->variable_count, (unsigned)BM_RESULTS_MAX_VARIABLES);
    cr_expect_str_eq(environment->variables[0].name, "POCL_1");
    cr_expect_eq(strlen(environment->variables[0].value), sizeof environment->variables[0].value - 1);
}

/* ---- hostile files ---- */

static const char *const files[] = {
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "/sys/devices/system/cpu/intel_pstate/no_turbo",
    "/sys/devices/system/cpu/cpufreq/boost",
    "/sys/devices/system/cpu/smt/active",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/class/power_supply/BAT0/status",
    "/sys/class/power_supply/BAT0/online",
    "/sys/class/dmi/id/sys_vendor",
    "/sys/fs/cgroup/a/cpu.max",
    "/sys/fs/cgroup/a/memory.max",
    "/sys/fs/cgroup/a/cpuset.cpus.effective",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
    "/sys/fs/cgroup/cpu/cpu.cfs_period_us",
    "/proc/cpuinfo",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/self/numa_maps",
    "/proc/sys/kernel/numa_balancing",
};

Test(environment, files_that_say_nothing_leave_it_unknown) {
    static const char *const contents[] = {
        "", "\n", " ", "]", "[", "][", "x", "-1", "-1 -1", "SwapTotal:\nSwapFree:", "0 0"};
    system_write("/proc/self/cgroup", "0::/a\n4:cpu:/a\n");
    for (size_t c = 0; c < BM_COUNT_OF(contents); c++) {
        for (size_t f = 0; f < BM_COUNT_OF(files); f++)
            if (f != 0)
                system_write(files[f], "%s", contents[c]);
        read_tree();
        cr_expect_eq(environment->cpu_quota, 0.0, "%s", contents[c]);
        cr_expect_not(environment->swap_known, "%s", contents[c]);
        cr_expect_neq(environment->on_battery, BM_YES, "%s", contents[c]);
        cr_expect_str_eq(environment->huge_pages, "", "%s", contents[c]);
    }
}

Test(environment, a_period_of_no_time_gives_no_quota) {
    system_write("/proc/self/cgroup", "0::/a\n");
    system_write("/sys/fs/cgroup/a/cpu.max", "5 0\n");
    read_tree();
    cr_expect_eq(environment->cpu_quota, 0.0);
}

Test(environment, huge_and_binary_files_are_survived) {
    static char content[1 << 20];
    struct bm_random random;
    bm_random_init(&random, 3);
    system_write("/proc/self/cgroup", "0::/a\n4:cpu:/a\n");
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof content; i++)
            content[i] = round == 0 ? '9' : round == 1 ? (char)bm_random_below(&random, 256) : '[';
        for (size_t f = 0; f < BM_COUNT_OF(files); f++)
            system_write_bytes(files[f], content, sizeof content);
        read_tree();
        cr_expect_lt(environment->warning_count, (unsigned)BM_RESULTS_MAX_WARNINGS);
        cr_expect_not(environment->swap_known);
    }
}

Test(environment, folders_in_place_of_files_are_survived) {
    char path[128];
    for (size_t f = 0; f < BM_COUNT_OF(files); f++) {
        snprintf(path, sizeof path, "%s/x", files[f]);
        system_write(path, "1\n");
    }
    read_tree();
    check_quiet();
    cr_expect_eq(environment->turbo, BM_UNKNOWN);
}
