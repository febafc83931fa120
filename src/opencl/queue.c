/* Context, queue and device time. */
/* clCreateCommandQueue is the one call that drivers of OpenCL 1.2 and of 3.0 share. */
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include "internal.h"

enum bm_status bm_cl_queue_open(const struct bm_cl_device *device, struct bm_cl_queue *queue,
                                struct bm_error *error) {
    cl_int code;
    *queue = (struct bm_cl_queue){.device = device->id};
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)device->platform,
                                                0};
    queue->context = clCreateContext(properties, 1, &device->id, NULL, NULL, &code);
    if (code != CL_SUCCESS) {
        *queue = (struct bm_cl_queue){0};
        return bm_cl_fail(error, code, "clCreateContext");
    }
    queue->queue = clCreateCommandQueue(queue->context, device->id, CL_QUEUE_PROFILING_ENABLE, &code);
    if (code != CL_SUCCESS) {
        clReleaseContext(queue->context);
        *queue = (struct bm_cl_queue){0};
        return bm_cl_fail(error, code, "clCreateCommandQueue");
    }
    return BM_OK;
}

void bm_cl_queue_close(struct bm_cl_queue *queue) {
    if (queue->queue != NULL)
        clReleaseCommandQueue(queue->queue);
    if (queue->context != NULL)
        clReleaseContext(queue->context);
    *queue = (struct bm_cl_queue){0};
}

static enum bm_status event_time(cl_event event, cl_profiling_info what, cl_ulong *time,
                                 struct bm_error *error) {
    cl_int code = clGetEventProfilingInfo(event, what, sizeof *time, time, NULL);
    return code == CL_SUCCESS ? BM_OK : bm_cl_fail(error, code, "clGetEventProfilingInfo");
}

enum bm_status bm_cl_event_span(cl_event first, cl_event last, uint64_t *ns, struct bm_error *error) {
    cl_ulong start = 0, end = 0;
    *ns = 0;
    enum bm_status status = event_time(first, CL_PROFILING_COMMAND_START, &start, error);
    if (status == BM_OK)
        status = event_time(last, CL_PROFILING_COMMAND_END, &end, error);
    if (status != BM_OK)
        return status;
    /* Some drivers answer zeros or the queueing time where they keep no time. A year is no block. */
    const uint64_t year_ns = UINT64_C(365) * 24 * 3600 * 1000000000;
    if (start == 0 || end <= start || end - start > year_ns)
        return bm_fail_native(error, BM_DEVICE, CL_PROFILING_INFO_NOT_AVAILABLE, "clGetEventProfilingInfo",
                              "the driver's event times are unusable: start %llu ns, end %llu ns",
                              (unsigned long long)start, (unsigned long long)end);
    *ns = end - start;
    return BM_OK;
}
