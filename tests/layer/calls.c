/* Contexts, memory, programs, commands and events: counted, made to fail, handles translated. */
#include <stdatomic.h>
#include <stdlib.h>

#include "fault.h"

/* A call that answers a code and makes nothing. */
#define CODE_CALL(name, parameters, arguments)                                                               \
    static cl_int CL_API_CALL name##_call parameters {                                                       \
        cl_int code;                                                                                         \
        return bm_layer_fails(FN_##name, &code) ? code : bm_layer_target->name arguments;                    \
    }

/* A retain (change 1) or release (change -1). A release that is to fail still releases: what it left behind
 * would be the layer's leak and not the program's. */
#define COUNT_CALL(name, type, kind, change)                                                                 \
    static cl_int CL_API_CALL name##_call(type object) {                                                     \
        cl_int planned;                                                                                      \
        bool fails = bm_layer_fails(FN_##name, &planned);                                                    \
        if (fails && (change) > 0)                                                                           \
            return planned;                                                                                  \
        cl_int code = bm_layer_target->name(object);                                                         \
        if (code == CL_SUCCESS)                                                                              \
            bm_layer_live(kind, change);                                                                     \
        return fails ? planned : code;                                                                       \
    }

/* A call that makes an object; code_ret is its last parameter. */
#define OBJECT_CALL(name, type, kind, parameters, arguments)                                                 \
    static type CL_API_CALL name##_call parameters {                                                         \
        cl_int code;                                                                                         \
        type object = NULL;                                                                                  \
        if (!bm_layer_fails(FN_##name, &code))                                                               \
            object = bm_layer_target->name arguments;                                                        \
        if (object != NULL)                                                                                  \
            bm_layer_live(kind, 1);                                                                          \
        if (code_ret != NULL)                                                                                \
            *code_ret = code;                                                                                \
        return object;                                                                                       \
    }

/* A command; event is its last parameter. */
#define COMMAND_CALL(name, parameters, arguments)                                                            \
    static cl_int CL_API_CALL name##_call parameters {                                                       \
        cl_int code;                                                                                         \
        if (bm_layer_fails(FN_##name, &code))                                                                \
            return code;                                                                                     \
        code = bm_layer_target->name arguments;                                                              \
        if (code == CL_SUCCESS && event != NULL)                                                             \
            bm_layer_live(KIND_EVENT, 1);                                                                    \
        return code;                                                                                         \
    }

/* ---- contexts and queues ---- */

enum { MAX_LIMITED = 64, MAX_CONTEXT_DEVICES = 16, MAX_PROPERTIES = 32 };

/* Contexts on devices whose memory BM_LAYER_MEMORY limits. */
static _Atomic(cl_context) limited[MAX_LIMITED];
static atomic_ullong limited_bytes;

static void limit(cl_context context) {
    for (unsigned i = 0; i < MAX_LIMITED; i++) {
        cl_context none = NULL;
        if (atomic_compare_exchange_strong(&limited[i], &none, context))
            return;
    }
}

static bool is_limited(cl_context context) {
    for (unsigned i = 0; bm_layer_plan.memory_bytes > 0 && i < MAX_LIMITED; i++)
        if (atomic_load(&limited[i]) == context)
            return true;
    return false;
}

static void unlimit(cl_context context) {
    for (unsigned i = 0; i < MAX_LIMITED; i++) {
        cl_context expected = context;
        atomic_compare_exchange_strong(&limited[i], &expected, NULL);
    }
}

static cl_context CL_API_CALL clCreateContext_call(const cl_context_properties *properties,
                                                   cl_uint device_count, const cl_device_id *devices,
                                                   void(CL_CALLBACK *notify)(const char *, const void *,
                                                                             size_t, void *),
                                                   void *user_data, cl_int *code_ret) {
    cl_int code;
    cl_context context = NULL;
    cl_device_id real[MAX_CONTEXT_DEVICES];
    cl_context_properties translated[MAX_PROPERTIES] = {0};
    bool fails = bm_layer_fails(FN_clCreateContext, &code);
    if (!fails && (device_count > MAX_CONTEXT_DEVICES || devices == NULL))
        code = CL_INVALID_VALUE;
    else if (!fails) {
        for (cl_uint i = 0; i < device_count; i++)
            real[i] = bm_layer_real_device(devices[i]);
        for (unsigned i = 0; properties != NULL && properties[i] != 0 && i + 2 < MAX_PROPERTIES; i += 2) {
            translated[i] = properties[i];
            translated[i + 1] = properties[i + 1];
            if (properties[i] == CL_CONTEXT_PLATFORM)
                translated[i + 1] =
                    (cl_context_properties)bm_layer_real_platform((cl_platform_id)properties[i + 1]);
        }
        context = bm_layer_target->clCreateContext(properties != NULL ? translated : NULL, device_count, real,
                                                   notify, user_data, &code);
    }
    if (context != NULL) {
        bm_layer_live(KIND_CONTEXT, 1);
        if (bm_layer_plan.memory_bytes > 0 && bm_layer_is_subject(devices[0]))
            limit(context);
    }
    if (code_ret != NULL)
        *code_ret = code;
    return context;
}

COUNT_CALL(clRetainContext, cl_context, KIND_CONTEXT, 1)

static cl_int CL_API_CALL clReleaseContext_call(cl_context context) {
    cl_int planned;
    bool fails = bm_layer_fails(FN_clReleaseContext, &planned);
    cl_uint references = 0;
    if (bm_layer_target->clGetContextInfo(context, CL_CONTEXT_REFERENCE_COUNT, sizeof references, &references,
                                          NULL) == CL_SUCCESS &&
        references == 1)
        unlimit(context);
    cl_int code = bm_layer_target->clReleaseContext(context);
    if (code == CL_SUCCESS)
        bm_layer_live(KIND_CONTEXT, -1);
    return fails ? planned : code;
}

OBJECT_CALL(clCreateCommandQueue, cl_command_queue, KIND_QUEUE,
            (cl_context context, cl_device_id device, cl_command_queue_properties properties,
             cl_int *code_ret),
            (context, bm_layer_real_device(device), properties, &code))
OBJECT_CALL(clCreateCommandQueueWithProperties, cl_command_queue, KIND_QUEUE,
            (cl_context context, cl_device_id device, const cl_queue_properties *properties,
             cl_int *code_ret),
            (context, bm_layer_real_device(device), properties, &code))
COUNT_CALL(clReleaseCommandQueue, cl_command_queue, KIND_QUEUE, -1)

/* ---- memory ---- */

static void CL_CALLBACK give_back(cl_mem buffer, void *bytes) {
    (void)buffer;
    atomic_fetch_sub(&limited_bytes, (uintptr_t)bytes);
}

/* The driver's own memory is larger than what the layer shows: the layer keeps the account. */
static cl_mem create_limited(cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *code) {
    const uint64_t whole = bm_layer_plan.memory_bytes;
    if (size > whole / 4) {
        *code = CL_INVALID_BUFFER_SIZE;
        return NULL;
    }
    if (atomic_fetch_add(&limited_bytes, size) + size > whole) {
        atomic_fetch_sub(&limited_bytes, size);
        *code = CL_MEM_OBJECT_ALLOCATION_FAILURE;
        return NULL;
    }
    cl_mem buffer = bm_layer_target->clCreateBuffer(context, flags, size, host, code);
    if (buffer == NULL || bm_layer_target->clSetMemObjectDestructorCallback(
                              buffer, give_back, (void *)(uintptr_t)size) != CL_SUCCESS)
        atomic_fetch_sub(&limited_bytes, size);
    return buffer;
}

static cl_mem create_buffer(cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *code) {
    return is_limited(context) ? create_limited(context, flags, size, host, code)
                               : bm_layer_target->clCreateBuffer(context, flags, size, host, code);
}

static cl_mem CL_API_CALL clCreateBuffer_call(cl_context context, cl_mem_flags flags, size_t size, void *host,
                                              cl_int *code_ret) {
    cl_int code;
    cl_mem buffer = NULL;
    if (!bm_layer_fails(FN_clCreateBuffer, &code))
        buffer = create_buffer(context, flags, size, host, &code);
    if (buffer != NULL)
        bm_layer_live(KIND_BUFFER, 1);
    if (code_ret != NULL)
        *code_ret = code;
    return buffer;
}

OBJECT_CALL(clCreateSubBuffer, cl_mem, KIND_BUFFER,
            (cl_mem buffer, cl_mem_flags flags, cl_buffer_create_type type, const void *region,
             cl_int *code_ret),
            (buffer, flags, type, region, &code))
COUNT_CALL(clRetainMemObject, cl_mem, KIND_BUFFER, 1)
COUNT_CALL(clReleaseMemObject, cl_mem, KIND_BUFFER, -1)

/* ---- programs and kernels ---- */

OBJECT_CALL(clCreateProgramWithSource, cl_program, KIND_PROGRAM,
            (cl_context context, cl_uint count, const char **strings, const size_t *lengths,
             cl_int *code_ret),
            (context, count, strings, lengths, &code))
COUNT_CALL(clReleaseProgram, cl_program, KIND_PROGRAM, -1)

static cl_int CL_API_CALL clBuildProgram_call(cl_program program, cl_uint device_count,
                                              const cl_device_id *devices, const char *options,
                                              void(CL_CALLBACK *notify)(cl_program, void *),
                                              void *user_data) {
    cl_int code;
    cl_device_id real[MAX_CONTEXT_DEVICES];
    if (bm_layer_fails(FN_clBuildProgram, &code))
        return code;
    if (device_count > MAX_CONTEXT_DEVICES)
        return CL_INVALID_VALUE;
    for (cl_uint i = 0; devices != NULL && i < device_count; i++)
        real[i] = bm_layer_real_device(devices[i]);
    return bm_layer_target->clBuildProgram(program, device_count, devices != NULL ? real : NULL, options,
                                           notify, user_data);
}

CODE_CALL(clGetProgramBuildInfo,
          (cl_program program, cl_device_id device, cl_program_build_info what, size_t size, void *value,
           size_t *size_ret),
          (program, bm_layer_real_device(device), what, size, value, size_ret))
CODE_CALL(clGetProgramInfo,
          (cl_program program, cl_program_info what, size_t size, void *value, size_t *size_ret),
          (program, what, size, value, size_ret))
OBJECT_CALL(clCreateKernel, cl_kernel, KIND_KERNEL, (cl_program program, const char *name, cl_int *code_ret),
            (program, name, &code))
COUNT_CALL(clReleaseKernel, cl_kernel, KIND_KERNEL, -1)
CODE_CALL(clSetKernelArg, (cl_kernel kernel, cl_uint index, size_t size, const void *value),
          (kernel, index, size, value))
CODE_CALL(clGetKernelWorkGroupInfo,
          (cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info what, size_t size, void *value,
           size_t *size_ret),
          (kernel, bm_layer_real_device(device), what, size, value, size_ret))

/* ---- commands ---- */

COMMAND_CALL(clEnqueueNDRangeKernel,
             (cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset,
              const size_t *global, const size_t *local, cl_uint wait_count, const cl_event *wait,
              cl_event *event),
             (queue, kernel, dimensions, offset, global, local, wait_count, wait, event))
COMMAND_CALL(clEnqueueWriteBuffer,
             (cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset, size_t size,
              const void *data, cl_uint wait_count, const cl_event *wait, cl_event *event),
             (queue, buffer, blocking, offset, size, data, wait_count, wait, event))
COMMAND_CALL(clEnqueueFillBuffer,
             (cl_command_queue queue, cl_mem buffer, const void *pattern, size_t pattern_size, size_t offset,
              size_t size, cl_uint wait_count, const cl_event *wait, cl_event *event),
             (queue, buffer, pattern, pattern_size, offset, size, wait_count, wait, event))
COMMAND_CALL(clEnqueueCopyBuffer,
             (cl_command_queue queue, cl_mem source, cl_mem destination, size_t source_offset,
              size_t destination_offset, size_t size, cl_uint wait_count, const cl_event *wait,
              cl_event *event),
             (queue, source, destination, source_offset, destination_offset, size, wait_count, wait, event))
COMMAND_CALL(clEnqueueMarkerWithWaitList,
             (cl_command_queue queue, cl_uint wait_count, const cl_event *wait, cl_event *event),
             (queue, wait_count, wait, event))

static cl_int CL_API_CALL clEnqueueReadBuffer_call(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                                   size_t offset, size_t size, void *data, cl_uint wait_count,
                                                   const cl_event *wait, cl_event *event) {
    cl_int code;
    if (bm_layer_fails(FN_clEnqueueReadBuffer, &code))
        return code;
    bool spoils = bm_layer_spoils_read();
    code = bm_layer_target->clEnqueueReadBuffer(queue, buffer, spoils ? CL_TRUE : blocking, offset, size,
                                                data, wait_count, wait, event);
    if (code == CL_SUCCESS && spoils)
        bm_layer_spoil(data, size);
    if (code == CL_SUCCESS && event != NULL)
        bm_layer_live(KIND_EVENT, 1);
    return code;
}

CODE_CALL(clFlush, (cl_command_queue queue), (queue))
CODE_CALL(clFinish, (cl_command_queue queue), (queue))
CODE_CALL(clWaitForEvents, (cl_uint count, const cl_event *events), (count, events))
CODE_CALL(clGetEventInfo, (cl_event event, cl_event_info what, size_t size, void *value, size_t *size_ret),
          (event, what, size, value, size_ret))
CODE_CALL(clGetEventProfilingInfo,
          (cl_event event, cl_profiling_info what, size_t size, void *value, size_t *size_ret),
          (event, what, size, value, size_ret))
OBJECT_CALL(clCreateUserEvent, cl_event, KIND_EVENT, (cl_context context, cl_int *code_ret), (context, &code))
/* One that is to fail is passed on all the same: a queue that waits for it would never end. */
static cl_int CL_API_CALL clSetUserEventStatus_call(cl_event event, cl_int status) {
    cl_int planned;
    bool fails = bm_layer_fails(FN_clSetUserEventStatus, &planned);
    cl_int code = bm_layer_target->clSetUserEventStatus(event, status);
    return fails ? planned : code;
}
COUNT_CALL(clRetainEvent, cl_event, KIND_EVENT, 1)
COUNT_CALL(clReleaseEvent, cl_event, KIND_EVENT, -1)

#define clGetPlatformIDs_call  bm_layer_clGetPlatformIDs
#define clGetPlatformInfo_call bm_layer_clGetPlatformInfo
#define clGetDeviceIDs_call    bm_layer_clGetDeviceIDs
#define clGetDeviceInfo_call   bm_layer_clGetDeviceInfo

void bm_layer_install_calls(void) {
#define INSTALL(name) bm_layer_dispatch.name = name##_call;
    FUNCTIONS(INSTALL)
#undef INSTALL
}
