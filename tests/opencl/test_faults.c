/* Every fallible OpenCL call of a small run fails once in turn: a typed error or a device passed over,
 * nothing left behind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "scenario.h"

enum expectation {
    ERROR,     /* the run fails, and the error names this call and its code */
    NO_DEVICE, /* the device or platform is passed over with a warning */
    FINE       /* optional: the run goes on */
};

/* What the first calls of a function are for; later ones are as the last entry says. */
static const struct {
    const char *function;
    unsigned count;
    enum expectation calls[4];
} expectations[] = {
    {"clGetPlatformIDs", 1, {ERROR}},
    {"clGetPlatformInfo", 2, {NO_DEVICE, FINE}},                     /* name, version */
    {"clGetDeviceIDs", 1, {NO_DEVICE}},                              /* how many, which */
    {"clGetDeviceInfo", 4, {NO_DEVICE, NO_DEVICE, NO_DEVICE, FINE}}, /* type, name's length, name, the rest */
    {"clReleaseContext", 1, {FINE}},
    {"clReleaseCommandQueue", 1, {FINE}},
    {"clReleaseMemObject", 1, {FINE}},
    {"clReleaseProgram", 1, {FINE}},
    {"clReleaseKernel", 1, {FINE}},
    {"clReleaseEvent", 1, {FINE}},
};

static enum expectation expected(const char *function, long number) {
    for (size_t i = 0; i < BM_COUNT_OF(expectations); i++)
        if (strcmp(expectations[i].function, function) == 0) {
            unsigned last = expectations[i].count - 1;
            return expectations[i].calls[number - 1 < last ? number - 1 : last];
        }
    return ERROR;
}

static void check(const char *function, long number, const struct scenario_outcome *outcome) {
    switch (expected(function, number)) {
    case ERROR:
        cr_expect_eq(outcome->status, BM_DEVICE, "%s:%ld: %s", function, number, outcome->error.message);
        cr_expect_str_eq(outcome->error.call, function, "%s:%ld: %s", function, number, outcome->error.call);
        cr_expect_eq(outcome->error.native, CL_OUT_OF_RESOURCES, "%s:%ld: %d", function, number,
                     outcome->error.native);
        cr_expect_not(outcome->right);
        break;
    case NO_DEVICE:
        cr_expect_eq(outcome->status, BM_OK, "%s:%ld: %s", function, number, outcome->error.message);
        cr_expect_eq(outcome->devices, 0, "%s:%ld", function, number);
        cr_expect_eq(outcome->warnings, 1, "%s:%ld", function, number);
        cr_expect(bm_string_contains(outcome->warning, "passed over"), "%s:%ld: %s", function, number,
                  outcome->warning);
        break;
    case FINE:
        cr_expect_eq(outcome->status, BM_OK, "%s:%ld: %s", function, number, outcome->error.message);
        cr_expect(outcome->right, "%s:%ld", function, number);
        break;
    }
}

Test(faults, each_call_fails_once, .timeout = 300) {
    struct scenario_layer layer;
    struct scenario_outcome outcome;
    scenario_layer_open(&layer);
    layer.reset();
    scenario_run(0, &outcome);
    if (outcome.devices > 1) /* then the n-th call has another meaning */
        cr_skip_test("needs one OpenCL device; OCL_ICD_VENDORS=/path/to/its/library.so chooses it");
    cr_assert_eq(outcome.status, BM_OK, "%s", outcome.error.message);
    cr_assert(outcome.right);
    cr_assert_eq(layer.live(), 0);

    long counts[64], total = 0;
    unsigned functions = 0;
    for (; layer.name(functions) != NULL; functions++) {
        cr_assert_lt(functions, BM_COUNT_OF(counts));
        counts[functions] = layer.calls(layer.name(functions));
    }
    for (unsigned function = 0; function < functions; function++)
        for (long number = 1; number <= counts[function]; number++, total++) {
            char order[96];
            snprintf(order, sizeof order, "%s:%ld:-5", layer.name(function), number);
            setenv("BM_LAYER_FAIL", order, 1);
            layer.reset();
            scenario_run(0, &outcome);
            cr_assert_geq(layer.calls(layer.name(function)), number, "%s was not reached", order);
            check(layer.name(function), number, &outcome);
            cr_expect_eq(layer.live(), 0, "%s left %ld objects", order, layer.live());
        }
    cr_expect_not(scenario_leaks());
    cr_assert_gt(total, 40, "the layer saw only %ld calls", total);
}

Test(faults, an_allocation_failure_is_no_memory) {
    struct scenario_layer layer;
    struct scenario_outcome outcome;
    scenario_layer_open(&layer);
    static const char *const orders[] = {"clCreateBuffer:1:-4", "clCreateBuffer:1:-6", "clCreateBuffer:1:-61",
                                         "clEnqueueWriteBuffer:1:-4", "clCreateContext:1:-6"};
    for (size_t i = 0; i < BM_COUNT_OF(orders); i++) {
        setenv("BM_LAYER_FAIL", orders[i], 1);
        layer.reset();
        scenario_run(0, &outcome);
        cr_expect_eq(outcome.status, BM_NO_MEMORY, "%s: %s", orders[i], outcome.error.message);
        cr_expect_eq(layer.live(), 0);
    }
}

Test(faults, no_platform_is_no_device) {
    struct scenario_layer layer;
    struct scenario_outcome outcome;
    scenario_layer_open(&layer);
    setenv("BM_LAYER_FAIL", "clGetPlatformIDs:1+:-1001", 1);
    layer.reset();
    scenario_run(0, &outcome);
    cr_assert_eq(outcome.status, BM_OK);
    cr_assert_eq(outcome.devices, 0);
    cr_assert_eq(outcome.warnings, 0);

    setenv("BM_LAYER_FAIL", "clGetDeviceIDs:1+:-1", 1); /* CL_DEVICE_NOT_FOUND: a platform without devices */
    layer.reset();
    scenario_run(0, &outcome);
    cr_assert_eq(outcome.status, BM_OK);
    cr_assert_eq(outcome.devices, 0);
    cr_assert_leq(outcome.warnings, 1, "of PoCL, which always has the CPU");
}

Test(faults, optional_information_stays_empty) {
    struct scenario_layer layer;
    struct bm_cl_device *devices;
    size_t count;
    scenario_layer_open(&layer);
    setenv("BM_LAYER_FAIL", "clGetDeviceInfo:4+:-30", 1); /* all after type and name */
    layer.reset();
    cr_assert_eq(bm_cl_list(&devices, &count, NULL), BM_OK);
    cr_assert_geq(count, 1);
    cr_assert_str_neq(devices[0].name, "");
    cr_assert_str_eq(devices[0].vendor, "");
    cr_assert_str_eq(devices[0].driver_version, "");
    cr_assert_eq(devices[0].compute_units, 0);
    cr_assert_eq(devices[0].clock_mhz, 0);
    cr_assert_eq(devices[0].memory_bytes, 0);
    cr_assert_eq(devices[0].max_group_items, 0);
    cr_assert_not(devices[0].available);
    cr_assert_not(devices[0].has_fp64);
    cr_assert_not(devices[0].has_pci);
    free(devices);
}

/* The reason must survive a driver that cannot even hand out its build log. */
Test(faults, a_build_error_without_a_log_is_still_named) {
    struct scenario_layer layer;
    struct scenario_outcome outcome;
    scenario_layer_open(&layer);
    static const char *const orders[] = {"clBuildProgram:1:-11,clGetProgramBuildInfo:1:-5",
                                         "clBuildProgram:1:-11,clGetProgramBuildInfo:2:-5",
                                         "clBuildProgram:1:-11"};
    for (size_t i = 0; i < BM_COUNT_OF(orders); i++) {
        setenv("BM_LAYER_FAIL", orders[i], 1);
        layer.reset();
        scenario_run(0, &outcome);
        cr_expect_eq(outcome.status, BM_DEVICE);
        cr_expect_eq(outcome.error.native, CL_BUILD_PROGRAM_FAILURE);
        cr_expect(bm_string_contains(outcome.error.message, "CL_BUILD_PROGRAM_FAILURE (-11)"), "%s",
                  outcome.error.message);
        cr_expect_eq(layer.live(), 0);
    }
    cr_expect_not(scenario_leaks());
}

Test(faults, missing_device_time_is_an_error_of_the_device) {
    struct scenario_layer layer;
    struct scenario_outcome outcome;
    scenario_layer_open(&layer);
    setenv("BM_LAYER_FAIL", "clGetEventProfilingInfo:1+:-7", 1);
    layer.reset();
    scenario_run(0, &outcome);
    cr_assert_eq(outcome.status, BM_DEVICE);
    cr_assert_eq(outcome.error.native, CL_PROFILING_INFO_NOT_AVAILABLE);
    cr_assert_eq(layer.live(), 0);
}
