/* The layer's own parts. */
#ifndef BM_TESTS_FAULT_H
#define BM_TESTS_FAULT_H

#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <stdbool.h>
#include <stdint.h>

#include <CL/cl_layer.h>

/* The functions that the layer stands in for: those that the program may call. */
#define FUNCTIONS(X)                                                                                         \
    X(clGetPlatformIDs)                                                                                      \
    X(clGetPlatformInfo)                                                                                     \
    X(clGetDeviceIDs)                                                                                        \
    X(clGetDeviceInfo)                                                                                       \
    X(clCreateContext)                                                                                       \
    X(clRetainContext)                                                                                       \
    X(clReleaseContext)                                                                                      \
    X(clCreateCommandQueue)                                                                                  \
    X(clCreateCommandQueueWithProperties)                                                                    \
    X(clReleaseCommandQueue)                                                                                 \
    X(clCreateBuffer)                                                                                        \
    X(clCreateSubBuffer)                                                                                     \
    X(clRetainMemObject)                                                                                     \
    X(clReleaseMemObject)                                                                                    \
    X(clCreateProgramWithSource)                                                                             \
    X(clBuildProgram)                                                                                        \
    X(clGetProgramBuildInfo)                                                                                 \
    X(clGetProgramInfo)                                                                                      \
    X(clReleaseProgram)                                                                                      \
    X(clCreateKernel)                                                                                        \
    X(clSetKernelArg)                                                                                        \
    X(clGetKernelWorkGroupInfo)                                                                              \
    X(clReleaseKernel)                                                                                       \
    X(clEnqueueNDRangeKernel)                                                                                \
    X(clEnqueueReadBuffer)                                                                                   \
    X(clEnqueueWriteBuffer)                                                                                  \
    X(clEnqueueFillBuffer)                                                                                   \
    X(clEnqueueCopyBuffer)                                                                                   \
    X(clEnqueueMarkerWithWaitList)                                                                           \
    X(clFlush)                                                                                               \
    X(clFinish)                                                                                              \
    X(clWaitForEvents)                                                                                       \
    X(clGetEventInfo)                                                                                        \
    X(clGetEventProfilingInfo)                                                                               \
    X(clCreateUserEvent)                                                                                     \
    X(clSetUserEventStatus)                                                                                  \
    X(clRetainEvent)                                                                                         \
    X(clReleaseEvent)

enum function {
#define FUNCTION(name) FN_##name,
    FUNCTIONS(FUNCTION)
#undef FUNCTION
        FUNCTION_COUNT
};

enum kind { KIND_CONTEXT, KIND_QUEUE, KIND_BUFFER, KIND_PROGRAM, KIND_KERNEL, KIND_EVENT, KIND_COUNT };

extern const cl_icd_dispatch *bm_layer_target; /* the next layer or the loader itself */
extern cl_icd_dispatch bm_layer_dispatch;      /* what the program reaches */

/* ---- plan.c: what the environment asks for ---- */

enum pci_query { PCI_BY_KHR, PCI_BY_NV, PCI_BY_AMD };
enum subject { SUBJECT_ALL, SUBJECT_FIRST, SUBJECT_SECOND };
struct plan {
    const char *device_name, *vendor, *second_platform; /* NULL: as it is */
    cl_device_type type;                                /* 0: as it is */
    bool has_pci;
    cl_uint pci[4]; /* domain, bus, device, function */
    enum pci_query pci_query;
    uint64_t memory_bytes; /* 0: as it is */
    enum subject subject;
};
extern struct plan bm_layer_plan;

void bm_layer_read_plan(void);
/* Counts a call; true where this one is to fail, with *code. */
bool bm_layer_fails(enum function function, cl_int *code);
/* Spoils what a read brought back, where this read is to be spoiled. asked: whether it will be. */
bool bm_layer_spoils_read(void);
void bm_layer_spoil(void *data, size_t bytes);
void bm_layer_live(enum kind kind, long change);

/* ---- rewrite.c: handles, and what they tell ---- */

cl_platform_id bm_layer_real_platform(cl_platform_id platform);
cl_device_id bm_layer_real_device(cl_device_id device);
/* Whether the rewriting is for this device. */
bool bm_layer_is_subject(cl_device_id device);

/* Stand-ins for the calls that show or take handles. */
cl_int CL_API_CALL bm_layer_clGetPlatformIDs(cl_uint, cl_platform_id *, cl_uint *);
cl_int CL_API_CALL bm_layer_clGetPlatformInfo(cl_platform_id, cl_platform_info, size_t, void *, size_t *);
cl_int CL_API_CALL bm_layer_clGetDeviceIDs(cl_platform_id, cl_device_type, cl_uint, cl_device_id *,
                                           cl_uint *);
cl_int CL_API_CALL bm_layer_clGetDeviceInfo(cl_device_id, cl_device_info, size_t, void *, size_t *);

/* ---- calls.c: everything else ---- */
void bm_layer_install_calls(void);

#endif
