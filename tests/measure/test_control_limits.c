/* CPU time stolen by the hypervisor, CPU quota of the control group, heat. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "system.h"

TestSuite(limits, .init = system_begin, .fini = system_end);

enum { BLOCK_NS = 100000000 }; /* every sensor is read at every block */

/* ---- steal ---- */

/* user nice system idle iowait irq softirq steal guest guest_nice */
static void write_ticks(uint64_t user, uint64_t idle, uint64_t stolen) {
    system_write("/proc/stat", "cpu  %llu 0 10 %llu 5 0 0 %llu 0 0\ncpu0 1 2 3\nintr 5\n",
                 (unsigned long long)user, (unsigned long long)idle, (unsigned long long)stolen);
}

Test(limits, stolen_time_tags_a_block) {
    write_ticks(1000, 1000, 7);
    struct bm_control *control = system_control(NULL);
    uint64_t user = 1000, stolen = 7;
    for (int i = 0; i < 50; i++) { /* 1 tick in 100 */
        write_ticks(user += 50, 1000, stolen += i % 2);
        cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u, "%d", i);
    }
    write_ticks(user += 50, 1000, stolen += 5);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), (unsigned)BM_FLAG_CONTAMINATED);
    write_ticks(user += 50, 1000, stolen);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), (unsigned)BM_FLAG_CONTAMINATED,
                 "it lies within the last 100 ticks");
    write_ticks(user += 100, 1000, stolen);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u);
    bm_control_destroy(control);
}

Test(limits, one_stolen_tick_proves_nothing) {
    write_ticks(1000, 1000, 0);
    struct bm_control *control = system_control(NULL);
    write_ticks(1040, 1000, 1);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u, "too few ticks for a verdict");
    write_ticks(1100, 1000, 1);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u);
    bm_control_destroy(control);
}

Test(limits, two_percent_may_be_stolen) {
    for (uint64_t stolen = 4; stolen <= 5; stolen++) {
        write_ticks(1000, 1000, 0);
        struct bm_control *control = system_control(NULL);
        write_ticks(1200 - stolen, 1000, stolen);
        cr_expect_eq(system_block(control, BLOCK_NS, NULL), stolen > 4 ? (unsigned)BM_FLAG_CONTAMINATED : 0u);
        bm_control_destroy(control);
    }
}

Test(limits, stolen_time_is_judged_by_what_was_wanted) {
    write_ticks(1000, 0, 0);
    struct bm_control *control = system_control(NULL);
    write_ticks(1150, 100000, 10); /* one busy CPU of many */
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), (unsigned)BM_FLAG_CONTAMINATED);
    bm_control_destroy(control);
}

Test(limits, ticks_that_say_nothing_tag_nothing) {
    static const char *const contents[] = {"",
                                           "cpu",
                                           "cpu \n",
                                           "cpu  1 2 3\n",
                                           "cpu  x\n",
                                           "intr 5\n",
                                           "cpu  99999999999999999999 0 0 0 0 0 0 99999999999999999999\n"};
    for (size_t i = 0; i < BM_COUNT_OF(contents) - 1; i++) {
        system_write("/proc/stat", "%s", contents[i]);
        struct bm_control *control = system_control(NULL);
        cr_expect_not(system_report(control, "steal").available, "%s", contents[i]);
        bm_control_destroy(control);
    }
    write_ticks(100000, 1000, 1000);
    struct bm_control *control = system_control(NULL);
    for (size_t i = 0; i < BM_COUNT_OF(contents) - 1; i++) {
        system_write("/proc/stat", "%s", contents[i]);
        cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u, "%s", contents[i]);
    }
    write_ticks(200000, 1000, 5); /* steal goes backwards, as after a migration */
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u);
    write_ticks(5, 1000, 500); /* busy does */
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u);
    bm_control_destroy(control);
}

/* ---- the control group ---- */

static void write_throttled(const char *folder, unsigned times) {
    char path[128];
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.stat", folder);
    system_write(path, "usage_usec 5\nnr_periods 9\nnr_throttled %u\nthrottled_usec 100\n", times);
}

Test(limits, a_quota_that_ran_out_throttles) {
    system_write("/proc/self/cgroup", "0::/a/b\n");
    write_throttled("/a/b", 3);
    struct bm_control *control = system_control(NULL);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u, "it ran out before");
    write_throttled("/a/b", 4);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), (unsigned)BM_FLAG_THROTTLED);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u);
    bm_control_target(control, true, "");
    write_throttled("/a/b", 5);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), (unsigned)BM_FLAG_THROTTLED,
                 "a GPU's host thread too");
    write_throttled("/a/b", 2);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u, "backwards");
    bm_control_destroy(control);
}

Test(limits, the_quota_of_a_parent_counts) {
    system_write("/proc/self/cgroup", "0::/a/b\n");
    write_throttled("/a/b", 0);
    write_throttled("/a", 0);
    struct bm_control *control = system_control(NULL);
    write_throttled("/a", 1);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), (unsigned)BM_FLAG_THROTTLED);
    bm_control_destroy(control);
}

Test(limits, cgroup_v1_has_a_folder_per_controller) {
    system_write("/proc/self/cgroup", "5:memory:/x\n4:cpu,cpuacct:/docker/1f\n1:name=systemd:/\n0::/\n");
    write_throttled("/cpu", 0); /* of the container: the host's path does not exist here */
    struct bm_control *control = system_control(NULL);
    cr_expect(system_report(control, "cgroup_quota").available);
    write_throttled("/cpu", 1);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), (unsigned)BM_FLAG_THROTTLED);
    bm_control_destroy(control);
}

Test(limits, control_groups_that_say_nothing_are_not_available) {
    static const char *const contents[] = {"", "0::", "::\n::\n", "garbage", "0::/../../..\n", "4:cpu\n"};
    static char deep[100000];
    for (size_t i = 0; i < BM_COUNT_OF(contents); i++) {
        system_write("/proc/self/cgroup", "%s", contents[i]);
        struct bm_control *control = system_control(NULL);
        cr_expect_not(system_report(control, "cgroup_quota").available, "%s", contents[i]);
        bm_control_destroy(control);
    }
    for (size_t i = 0; i < sizeof deep; i++)
        deep[i] = "0::/"[i < 3 ? i : 3];
    system_write_bytes("/proc/self/cgroup", deep, sizeof deep);
    system_write("/sys/fs/cgroup/cpu.stat", "usage_usec 5\nnr_throttled\n");
    struct bm_control *control = system_control(NULL);
    cr_expect_not(system_report(control, "cgroup_quota").available);
    bm_control_destroy(control);
}

/* ---- heat ---- */

static void write_heat(unsigned cpu, const char *part, unsigned times) {
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/thermal_throttle/%s_throttle_count", cpu,
             part);
    system_write(path, "%u\n", times);
}

Test(limits, heat_throttles) {
    write_heat(0, "core", 5);
    write_heat(0, "package", 5);
    write_heat(1, "core", 5);
    system_write("/sys/devices/system/cpu/cpufreq/boost", "1\n");
    struct bm_control *control = system_control(NULL);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u);
    write_heat(1, "core", 6);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), (unsigned)BM_FLAG_THROTTLED);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u);
    write_heat(0, "package", 6);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), (unsigned)BM_FLAG_THROTTLED);
    bm_control_target(control, true, "");
    write_heat(0, "package", 7);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u, "a GPU has its own");
    bm_control_destroy(control);
}

Test(limits, counts_of_heat_that_say_nothing_tag_nothing) {
    static const char *const contents[] = {"", "x\n", "-1\n", "0\n"};
    write_heat(0, "package", 5);
    struct bm_control *control = system_control(NULL);
    for (size_t i = 0; i < BM_COUNT_OF(contents); i++) {
        system_write("/sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", "%s",
                     contents[i]);
        cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u, "%s", contents[i]);
    }
    bm_control_destroy(control);
    system_write("/sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", "x\n");
    control = system_control(NULL);
    cr_expect_not(system_report(control, "thermal").available);
    bm_control_destroy(control);
}

Test(limits, of_many_cpus_evenly_spaced_ones_are_read) {
    for (unsigned cpu = 0; cpu < 256; cpu++) {
        write_heat(cpu, "core", 0);
        write_heat(cpu, "package", 0);
    }
    struct bm_control *control = system_control(NULL);
    unsigned tagged = 0;
    for (unsigned cpu = 0; cpu < 256; cpu++) {
        write_heat(cpu, "core", 1);
        tagged += system_block(control, BLOCK_NS, NULL) == BM_FLAG_THROTTLED;
    }
    cr_expect_geq(tagged, 24, "%u", tagged);
    cr_expect_leq(tagged, 32, "%u", tagged);
    bm_control_destroy(control);
}
