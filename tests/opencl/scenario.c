#include "scenario.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

enum { COUNT = 256 };

/* Defined by the sanitizer's runtime alone (sanitizer/lsan_interface.h). */
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

bool scenario_leaks(void) {
    return __lsan_do_recoverable_leak_check != NULL && __lsan_do_recoverable_leak_check() != 0;
}

static void on_log(void *context, enum bm_log_level level, const char *message) {
    struct scenario_outcome *outcome = context;
    if (level != BM_LOG_WARNING)
        return;
    outcome->warnings++;
    bm_string_set(outcome->warning, sizeof outcome->warning, message);
}

static enum bm_status check(cl_int code, const char *call, struct bm_error *error) {
    return code == CL_SUCCESS ? BM_OK : bm_cl_fail(error, code, call);
}

static enum bm_status launch(const struct bm_cl_queue *queue, cl_program program, cl_mem buffer,
                             struct bm_error *error) {
    cl_int code;
    cl_event events[2] = {NULL, NULL};
    const size_t items = COUNT;
    uint64_t ns;
    enum bm_status status = BM_OK;
    cl_kernel kernel = clCreateKernel(program, "twice", &code);
    if (kernel == NULL)
        return check(code, "clCreateKernel", error);
    status = check(clSetKernelArg(kernel, 0, sizeof buffer, &buffer), "clSetKernelArg", error);
    for (unsigned i = 0; status == BM_OK && i < 2; i++)
        status =
            check(clEnqueueNDRangeKernel(queue->queue, kernel, 1, NULL, &items, NULL, 0, NULL, &events[i]),
                  "clEnqueueNDRangeKernel", error);
    if (status == BM_OK)
        status = check(clFinish(queue->queue), "clFinish", error);
    if (status == BM_OK)
        status = bm_cl_event_span(events[0], events[1], &ns, error);
    for (unsigned i = 0; i < 2; i++)
        if (events[i] != NULL)
            clReleaseEvent(events[i]);
    clReleaseKernel(kernel);
    return status;
}

static enum bm_status run_on(const struct bm_cl_device *device, struct scenario_outcome *outcome) {
    static const char source[] = "kernel void twice(global float *x) { x[get_global_id(0)] *= 2; }";
    struct bm_error *error = &outcome->error;
    struct bm_cl_queue queue;
    cl_program program = NULL;
    cl_mem buffer = NULL;
    float data[COUNT], result[COUNT];
    for (unsigned i = 0; i < COUNT; i++)
        data[i] = (float)i + 1;
    enum bm_status status = bm_cl_queue_open(device, &queue, error);
    if (status != BM_OK) {
        cr_expect(queue.context == NULL && queue.queue == NULL, "outputs are cleared on failure");
        return status;
    }
    if ((status = bm_cl_program_build(&queue, source, "", &program, error)) != BM_OK ||
        (status = bm_cl_buffer_create(&queue, sizeof data, &buffer, error)) != BM_OK ||
        (status = bm_cl_buffer_write(&queue, buffer, 0, data, sizeof data, error)) != BM_OK ||
        (status = launch(&queue, program, buffer, error)) != BM_OK ||
        (status = bm_cl_buffer_read(&queue, buffer, 0, result, sizeof result, error)) != BM_OK)
        goto out;
    outcome->right = true;
    for (unsigned i = 0; i < COUNT; i++)
        outcome->right &= result[i] == 4 * data[i];
out:
    if (buffer != NULL)
        clReleaseMemObject(buffer);
    if (program != NULL)
        clReleaseProgram(program);
    bm_cl_queue_close(&queue);
    return status;
}

void scenario_run(size_t which, struct scenario_outcome *outcome) {
    struct bm_cl_device *devices;
    *outcome = (struct scenario_outcome){0};
    bm_log_set_sink(on_log, outcome);
    outcome->status = bm_cl_list(&devices, &outcome->devices, &outcome->error);
    if (outcome->status != BM_OK)
        cr_expect(devices == NULL && outcome->devices == 0, "outputs are cleared on failure");
    if (outcome->status == BM_OK && which < outcome->devices)
        outcome->status = run_on(&devices[which], outcome);
    free(devices);
    bm_log_set_sink(NULL, NULL);
}

/* ISO C has no conversion from an object's pointer to a function's; POSIX's dlsym needs it. */
static void find(void *library, const char *name, void *function) {
    void *symbol = dlsym(library, name);
    cr_assert_not_null(symbol, "the layer has no %s", name);
    memcpy(function, &symbol, sizeof symbol);
}

void scenario_layer_open(struct scenario_layer *layer) {
    const char *path = getenv("OPENCL_LAYERS");
    cr_assert_not_null(path, "run through ctest, which sets OPENCL_LAYERS");
    void *library = dlopen(path, RTLD_NOW);
    cr_assert_not_null(library, "%s", path);
    clGetPlatformIDs(0, NULL, NULL); /* the loader starts its layers at the first call */
    find(library, "bm_fault_layer_reset", &layer->reset);
    find(library, "bm_fault_layer_calls", &layer->calls);
    find(library, "bm_fault_layer_name", &layer->name);
    find(library, "bm_fault_layer_live", &layer->live);
}
