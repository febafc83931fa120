/* The module on a real device. */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "bm/opencl.h"

static struct bm_cl_device *devices;
static size_t device_count;
static struct bm_cl_queue queue;

static void open_first(void) {
    struct bm_error error = {0};
    cr_assert_eq(bm_cl_list(&devices, &device_count, &error), BM_OK, "%s", error.message);
    cr_assert_gt(device_count, 0, "no OpenCL device: apt-get install pocl-opencl-icd");
    cr_assert_eq(bm_cl_queue_open(&devices[0], &queue, &error), BM_OK, "%s", error.message);
}

static void close_first(void) {
    bm_cl_queue_close(&queue);
    free(devices);
}

TestSuite(device, .init = open_first, .fini = close_first);

Test(device, is_described) {
    for (size_t i = 0; i < device_count; i++) {
        const struct bm_cl_device *device = &devices[i];
        cr_expect_eq(strncmp(device->backend, "opencl/", 7), 0);
        cr_expect_not_null(device->platform);
        cr_expect_not_null(device->id);
        cr_expect_str_neq(device->platform_name, "");
        cr_expect_str_neq(device->name, "");
        cr_expect_str_neq(device->driver_version, "");
        cr_expect_eq(strncmp(device->device_version, "OpenCL ", 7), 0);
        cr_expect_eq(strncmp(device->c_version, "OpenCL C ", 9), 0);
        cr_expect_gt(device->compute_units, 0);
        cr_expect_gt(device->memory_bytes, 0);
        cr_expect_gt(device->max_allocation_bytes, 0);
        cr_expect_leq(device->max_allocation_bytes, device->memory_bytes);
        cr_expect_gt(device->local_bytes, 0);
        cr_expect_gt(device->max_group_items, 0);
        cr_expect_gt(device->native_float_width, 0);
        if (strcmp(device->backend, "opencl/pocl") == 0) {
            cr_expect_str_eq(device->platform_name, "Portable Computing Language");
            cr_expect(device->available && device->compiler_available);
            cr_expect_eq(device->has_pci, (device->type & CL_DEVICE_TYPE_CPU) == 0);
        }
    }
}

Test(device, lists_the_same_twice) {
    struct bm_cl_device *again;
    size_t count;
    cr_assert_eq(bm_cl_list(&again, &count, NULL), BM_OK);
    cr_assert_eq(count, device_count);
    for (size_t i = 0; i < count; i++)
        cr_expect_str_eq(again[i].backend, devices[i].backend);
    free(again);
}

Test(device, keeps_what_is_written) {
    enum { COUNT = 1000 };
    unsigned written[COUNT], read[COUNT];
    cl_mem buffer;
    struct bm_error error = {0};
    for (unsigned i = 0; i < COUNT; i++)
        written[i] = i * 2654435761u;
    cr_assert_eq(bm_cl_buffer_create(&queue, sizeof written, &buffer, &error), BM_OK, "%s", error.message);
    cr_assert_eq(bm_cl_buffer_write(&queue, buffer, 0, written, sizeof written, &error), BM_OK);
    cr_assert_eq(bm_cl_buffer_read(&queue, buffer, 0, read, sizeof read, &error), BM_OK);
    cr_assert_eq(memcmp(written, read, sizeof written), 0);
    /* a part, at an offset */
    cr_assert_eq(bm_cl_buffer_write(&queue, buffer, 400, written, 40, &error), BM_OK);
    cr_assert_eq(bm_cl_buffer_read(&queue, buffer, 396, read, 48, &error), BM_OK);
    cr_assert_eq(read[0], written[99]);
    cr_assert_eq(memcmp(read + 1, written, 40), 0);
    cr_assert_eq(read[11], written[110]);
    /* beyond the end */
    cr_assert_eq(bm_cl_buffer_read(&queue, buffer, sizeof written, read, 4, &error), BM_DEVICE);
    cr_assert_str_eq(error.call, "clEnqueueReadBuffer");
    cr_assert_eq(error.native, CL_INVALID_VALUE);
    clReleaseMemObject(buffer);
}

Test(device, refuses_a_buffer_that_does_not_fit) {
    cl_mem buffer = (cl_mem)1;
    struct bm_error error = {0};
    cr_assert_eq(bm_cl_buffer_create(&queue, devices[0].max_allocation_bytes * 64, &buffer, &error),
                 BM_NO_MEMORY);
    cr_assert_null(buffer);
    cr_assert_str_eq(error.call, "clCreateBuffer");
    cr_assert(bm_string_contains(error.message, "bytes"), "%s", error.message);
    cr_assert_eq(bm_cl_buffer_create(&queue, 0, &buffer, NULL), BM_DEVICE,
                 "an empty buffer is a bug, not a shortage");
}

static const char fill_source[] = "kernel void fill(global uint *out, uint seed) {\n"
                                  "    uint x = get_global_id(0) + seed;\n"
                                  "    for (int i = 0; i < ROUNDS; i++) x = x * 1664525u + 1013904223u;\n"
                                  "    out[get_global_id(0)] = x;\n"
                                  "}\n";

Test(device, runs_a_kernel_and_tells_its_time) {
    enum { COUNT = 4096, ROUNDS = 1000 };
    static unsigned result[COUNT];
    cl_program program;
    cl_mem buffer;
    cl_event events[2];
    const cl_uint seed = 17;
    const size_t items = COUNT;
    uint64_t ns = 0, backwards = 1;
    struct bm_error error = {0};
    cr_assert_eq(bm_cl_program_build(&queue, fill_source, "-D ROUNDS=1000", &program, &error), BM_OK, "%s",
                 error.message);
    cr_assert_eq(bm_cl_buffer_create(&queue, sizeof result, &buffer, &error), BM_OK);
    cl_kernel kernel = clCreateKernel(program, "fill", NULL);
    cr_assert_not_null(kernel);
    cr_assert_eq(clSetKernelArg(kernel, 0, sizeof buffer, &buffer), CL_SUCCESS);
    cr_assert_eq(clSetKernelArg(kernel, 1, sizeof seed, &seed), CL_SUCCESS);
    for (unsigned i = 0; i < 2; i++)
        cr_assert_eq(clEnqueueNDRangeKernel(queue.queue, kernel, 1, NULL, &items, NULL, 0, NULL, &events[i]),
                     CL_SUCCESS);
    cr_assert_eq(clFinish(queue.queue), CL_SUCCESS);
    cr_assert_eq(bm_cl_event_span(events[0], events[1], &ns, &error), BM_OK, "%s", error.message);
    cr_assert_gt(ns, 0);
    cr_assert_eq(bm_cl_event_span(events[1], events[0], &backwards, &error), BM_DEVICE);
    cr_assert_eq(backwards, 0, "outputs are cleared on failure");
    cr_assert(bm_string_contains(error.message, "event times are unusable"), "%s", error.message);
    cr_assert_eq(bm_cl_buffer_read(&queue, buffer, 0, result, sizeof result, NULL), BM_OK);
    for (unsigned item = 0; item < COUNT; item++) {
        unsigned expected = item + seed;
        for (unsigned i = 0; i < ROUNDS; i++)
            expected = expected * 1664525u + 1013904223u;
        cr_assert_eq(result[item], expected, "item %u", item);
    }
    clReleaseEvent(events[0]);
    clReleaseEvent(events[1]);
    clReleaseKernel(kernel);
    clReleaseMemObject(buffer);
    clReleaseProgram(program);
}

Test(device, a_build_error_shows_the_compilers_first_lines) {
    cl_program program = (cl_program)1;
    struct bm_error error = {0};
    cr_assert_eq(bm_cl_program_build(&queue, "kernel void broken(global float *x) { x[0] = no_such_thing; }",
                                     "", &program, &error),
                 BM_DEVICE);
    cr_assert_null(program);
    cr_assert_str_eq(error.call, "clBuildProgram");
    cr_assert_eq(error.native, CL_BUILD_PROGRAM_FAILURE);
    cr_assert(bm_string_contains(error.message, "no_such_thing"), "%s", error.message);
    cr_assert(bm_string_contains(error.message, "CL_BUILD_PROGRAM_FAILURE (-11)"), "%s", error.message);
    cr_assert_null(strchr(error.message, '\n'), "%s", error.message);
}

Test(device, warnings_do_not_fail_a_build) {
    cl_program program;
    cr_assert_eq(bm_cl_program_build(&queue,
                                     "#warning look here\nkernel void k(global float *x) { int unused; }\n",
                                     "", &program, NULL),
                 BM_OK);
    clReleaseProgram(program);
}

Test(device, probes_what_builds) {
    cr_assert(bm_cl_program_probe(&queue, fill_source, "-D ROUNDS=1"));
    cr_assert_not(bm_cl_program_probe(&queue, fill_source, ""), "ROUNDS is not defined");
    cr_assert_not(bm_cl_program_probe(&queue, "not OpenCL C", ""));
}

Test(close, is_safe_twice_and_on_nothing) {
    struct bm_cl_queue none = {0};
    bm_cl_queue_close(&none);
    open_first();
    bm_cl_queue_close(&queue);
    cr_assert_null(queue.context);
    bm_cl_queue_close(&queue);
    free(devices);
}
