/* system.h - a faked /proc and /sys below a folder of its own, and invented time, for the tests of sensors.
 */
#ifndef TESTS_MEASURE_SYSTEM_H
#define TESTS_MEASURE_SYSTEM_H

#include "bm/control.h"

extern char system_root[64];
/* Around a test: makes the folder, and removes it with everything in it. */
void system_begin(void);
void system_end(void);
/* Writes root/path, in place, making the folders on the way. */
void system_write(const char *path, const char *format, ...) BM_PRINTF(2, 3);
void system_write_bytes(const char *path, const void *data, size_t size);
void system_remove(const char *path);

/* Every reading of the clock moves it on by a step. */
struct system_clock {
    uint64_t now_ns, step_ns;
};
extern struct system_clock system_clock;

/* A control over the faked system, with invented time; nvml NULL: there is none. */
struct bm_control *system_control(const char *nvml);
/* One block of `ns`; change, where given, is what happens during it. Returns the flags. */
unsigned system_block(struct bm_control *control, uint64_t ns, void (*change)(void));
/* What the sensor of that name reported. */
struct bm_results_sensor system_report(const struct bm_control *control, const char *name);

#endif
