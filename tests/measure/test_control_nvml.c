/* NVIDIA's management library, through fake ones: $FAKE_NVML, and $FAKE_NVML_OLD with an older name. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "fake_nvml.h"
#include "system.h"

enum { BLOCK_NS = 100000000 }; /* it is read at every block */
enum { IDLE = 0x1, APPLICATION_CLOCKS = 0x2, POWER_CAP = 0x4, SLOWDOWN = 0x8, SYNC_BOOST = 0x10 };
enum { SOFTWARE_HEAT = 0x20, HARDWARE_HEAT = 0x40, POWER_BRAKE = 0x80, DISPLAY_CLOCKS = 0x100 };
static const char first_gpu[] = "0000:3b:00.0", second_gpu[] = "0000:af:00.0";

static struct fake_nvml *fake;

static void use(const char *variable) {
    void *library = dlopen(getenv(variable), RTLD_NOW);
    cr_assert_not_null(library, "%s", dlerror());
    fake = dlsym(library, "fake_nvml");
    cr_assert_not_null(fake);
}

static void nvml_begin(void) {
    system_begin();
    use("FAKE_NVML");
}

TestSuite(nvml, .init = nvml_begin, .fini = system_end);

static unsigned gpu_block(struct bm_control *control, const char *pci) {
    bm_control_target(control, true, pci);
    return system_block(control, BLOCK_NS, NULL);
}

static void check_reasons(const char *variable) {
    static const struct {
        unsigned long long reasons;
        bool throttled;
    } cases[] = {
        {0, false},
        {IDLE, false},
        {APPLICATION_CLOCKS, false},
        {SYNC_BOOST, false},
        {DISPLAY_CLOCKS, false},
        {IDLE | APPLICATION_CLOCKS | SYNC_BOOST | DISPLAY_CLOCKS, false},
        {~0xffull & ~0x100ull, false}, /* reasons to come */
        {POWER_CAP, true},
        {SLOWDOWN, true},
        {SOFTWARE_HEAT, true},
        {HARDWARE_HEAT, true},
        {POWER_BRAKE, true},
        {POWER_CAP | APPLICATION_CLOCKS, true},
    };
    struct bm_control *control = system_control(getenv(variable));
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
        fake->reasons[0] = cases[i].reasons;
        cr_expect_eq(gpu_block(control, first_gpu), cases[i].throttled ? (unsigned)BM_FLAG_THROTTLED : 0u,
                     "%#llx", cases[i].reasons);
    }
    cr_expect_eq(system_report(control, "nvidia").checked, BM_COUNT_OF(cases));
    cr_expect_eq(system_report(control, "nvidia").tagged, 6u);
    bm_control_destroy(control);
    cr_expect_eq(fake->opened, 1);
    cr_expect_eq(fake->closed, 1);
    cr_expect_eq(fake->uses_after_closing, 0);
}

Test(nvml, power_and_heat_throttle_and_nothing_else) {
    check_reasons("FAKE_NVML");
}

Test(nvml, the_older_name_of_the_call_serves_too) {
    use("FAKE_NVML_OLD");
    check_reasons("FAKE_NVML_OLD");
}

Test(nvml, a_block_is_judged_by_its_own_gpu) {
    struct bm_control *control = system_control(getenv("FAKE_NVML"));
    fake->reasons[1] = POWER_CAP;
    cr_expect_eq(gpu_block(control, first_gpu), 0u);
    cr_expect_eq(gpu_block(control, second_gpu), (unsigned)BM_FLAG_THROTTLED);
    cr_expect_eq(gpu_block(control, "0000:01:00.0"), 0u, "another vendor's");
    cr_expect_eq(gpu_block(control, ""), (unsigned)BM_FLAG_THROTTLED, "it may have been any");
    bm_control_target(control, false, "");
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u, "the CPU's");
    bm_control_destroy(control);
}

Test(nvml, clocks_and_limits_are_told) {
    struct bm_control *control = system_control(getenv("FAKE_NVML"));
    gpu_block(control, first_gpu);
    cr_expect_str_eq(system_report(control, "nvidia").detail, "SM clock 1980 to 1980 MHz");
    fake->mhz[0] = 1410;
    fake->reasons[0] = POWER_CAP | HARDWARE_HEAT;
    gpu_block(control, first_gpu);
    fake->mhz[0] = 1755;
    fake->reasons[0] = 0;
    gpu_block(control, first_gpu);
    cr_expect_str_eq(system_report(control, "nvidia").detail,
                     "SM clock 1410 to 1980 MHz; limited by power heat");
    bm_control_destroy(control);
}

Test(nvml, calls_that_fail_tag_nothing) {
    struct bm_control *control = system_control(getenv("FAKE_NVML"));
    fake->reasons[0] = POWER_CAP;
    fake->reasons_code = fake->clock_code = 15; /* NVML_ERROR_GPU_IS_LOST */
    cr_expect_eq(gpu_block(control, first_gpu), 0u);
    cr_expect_str_eq(system_report(control, "nvidia").detail, "");
    bm_control_destroy(control);
}

static void check_not_available(const char *library, const char *part) {
    struct bm_control *control = system_control(library);
    struct bm_results_sensor sensor = system_report(control, "nvidia");
    cr_expect_not(sensor.available);
    cr_expect_not_null(strstr(sensor.detail, part), "'%s' lacks %s", sensor.detail, part);
    cr_expect_eq(gpu_block(control, first_gpu), 0u);
    bm_control_destroy(control);
    cr_expect_eq(fake->opened, fake->closed);
    cr_expect_eq(fake->uses_after_closing, 0);
}

Test(nvml, why_it_is_not_available_is_told) {
    const char *library = getenv("FAKE_NVML");
    check_not_available("/nonexistent/libnvidia-ml.so.1", "no /nonexistent/libnvidia-ml.so.1");
    check_not_available("libm.so.6", "libm.so.6 is too old");
    fake->init_code = 9; /* NVML_ERROR_DRIVER_NOT_LOADED */
    check_not_available(library, "error 9");
    fake->init_code = 0;
    fake->count = 0;
    check_not_available(library, "no NVIDIA GPU");
    fake->count = 4000000000; /* of which two answer */
    fake->handle_code = 4;    /* NVML_ERROR_NO_PERMISSION */
    fake->count = 3;
    check_not_available(library, "no NVIDIA GPU");
    fake->handle_code = 0;
    fake->count_code = 999;
    check_not_available(library, "no NVIDIA GPU");
}
