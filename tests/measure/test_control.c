/* What all sensors share: which blocks they judge, how long a verdict holds, what they report. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "system.h"

TestSuite(control, .init = system_begin, .fini = system_end);

static const char stat_file[] = "/proc/stat";

static void write_ticks(unsigned busy, unsigned stolen) {
    system_write(stat_file, "cpu  %u 0 0 1000 0 0 0 %u 0 0\ncpu0 0 0 0 0\n", busy, stolen);
}

Test(control, an_empty_system_has_the_canaries_alone) {
    struct bm_control *control = system_control(NULL);
    struct bm_results_environment environment = {0};
    for (int i = 0; i < 100; i++)
        cr_expect_eq(system_block(control, 20000000, NULL), 0u);
    bm_control_report(control, &environment);
    cr_expect_geq(environment.sensor_count, 8);
    for (unsigned i = 0; i < environment.sensor_count; i++) {
        const struct bm_results_sensor *sensor = &environment.sensors[i];
        bool canary = strcmp(sensor->name, "arithmetic") == 0 || strcmp(sensor->name, "bandwidth") == 0;
        cr_expect_eq(sensor->available, canary, "%s", sensor->name);
        cr_expect_eq(sensor->checked, canary ? 100u : 0u, "%s", sensor->name);
        cr_expect_eq(sensor->tagged, 0u, "%s", sensor->name);
        cr_expect(sensor->available || sensor->detail[0] != '\0', "%s is not explained", sensor->name);
        for (unsigned k = 0; k < i; k++)
            cr_expect_str_neq(sensor->name, environment.sensors[k].name);
    }
    bm_control_destroy(control);
}

Test(control, this_machine_can_be_watched) {
    struct bm_control *control;
    cr_assert_eq(bm_control_create(&bm_control_defaults, &control, NULL), BM_OK);
    struct bm_monitor monitor = bm_control_monitor(control);
    monitor.pass(monitor.context);
    for (int i = 0; i < 3; i++) {
        monitor.begin(monitor.context);
        cr_expect_eq(monitor.end(monitor.context) & ~(unsigned)(BM_FLAG_CONTAMINATED | BM_FLAG_THROTTLED),
                     0u);
    }
    cr_expect_eq(system_report(control, "arithmetic").checked, 3u);
    bm_control_destroy(control);
    bm_control_destroy(NULL);
}

static void steal_much(void) {
    write_ticks(1200, 50);
}

Test(control, a_verdict_holds_until_the_sensor_is_read_again) {
    write_ticks(1000, 0);
    struct bm_control *control = system_control(NULL);
    cr_expect_eq(system_block(control, 20000000, steal_much), (unsigned)BM_FLAG_CONTAMINATED);
    write_ticks(1400, 50); /* quiet again, but it is not read yet */
    cr_expect_eq(system_block(control, 20000000, NULL), (unsigned)BM_FLAG_CONTAMINATED);
    system_clock.now_ns += 100000000;
    cr_expect_eq(system_block(control, 20000000, NULL), 0u);
    struct bm_results_sensor steal = system_report(control, "steal");
    cr_expect(steal.available);
    cr_expect_eq(steal.checked, 3u);
    cr_expect_eq(steal.tagged, 2u);
    bm_control_destroy(control);
}

Test(control, a_sensor_of_the_cpu_judges_no_gpu) {
    write_ticks(1000, 0);
    struct bm_control *control = system_control(NULL);
    bm_control_target(control, true, "0000:3b:00.0");
    cr_expect_eq(system_block(control, 20000000, steal_much), 0u);
    cr_expect_eq(system_report(control, "steal").checked, 0u);
    bm_control_target(control, false, "");
    cr_expect_eq(system_block(control, 20000000, NULL), (unsigned)BM_FLAG_CONTAMINATED);
    bm_control_destroy(control);
}

Test(control, a_clock_that_stands_still_or_runs_back_tags_nothing) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/schedstat", (int)gettid());
    system_write(path, "5 5 5\n");
    system_write("/proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n");
    write_ticks(1000, 0);
    system_clock.step_ns = 0;
    struct bm_control *control = system_control(NULL);
    struct bm_monitor monitor = bm_control_monitor(control);
    for (int i = 0; i < 50; i++) {
        monitor.pass(monitor.context);
        cr_expect_eq(system_block(control, 0, NULL), 0u);
    }
    system_clock.step_ns = (uint64_t)-1000;
    for (int i = 0; i < 50; i++) {
        monitor.pass(monitor.context);
        cr_expect_eq(system_block(control, 0, NULL), 0u);
    }
    bm_control_destroy(control);
}
