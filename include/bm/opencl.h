/* bm/opencl.h - floor 2: OpenCL platforms, devices, programs and queries, thin and typed, errors by name. */
#ifndef BM_OPENCL_H
#define BM_OPENCL_H

#include <CL/cl.h>

#include "bm/base.h"

/* "CL_OUT_OF_RESOURCES" for -5, ...; "CL_UNKNOWN_ERROR" for a code that the standard does not name. */
const char *bm_cl_error_name(cl_int code);
/* Sets a BM_DEVICE error (BM_NO_MEMORY for allocation failures) that names the call and the code. */
enum bm_status bm_cl_fail(struct bm_error *error, cl_int code, const char *call);

struct bm_cl_device {
    cl_platform_id platform;
    cl_device_id id;
    char backend[48]; /* "opencl/pocl", "opencl/nvidia", ...: stable, lower case; a second platform of the
                         same name gets "-2" */
    char platform_name[96], platform_version[128];
    char name[128];       /* CL_DEVICE_NAME */
    char board_name[128]; /* CL_DEVICE_BOARD_NAME_AMD, "" elsewhere */
    char vendor[96], driver_version[96], device_version[128], c_version[96];
    cl_device_type type;
    unsigned compute_units;
    unsigned clock_mhz; /* 0: the driver does not say */
    uint64_t memory_bytes, max_allocation_bytes, local_bytes, cache_bytes;
    size_t max_group_items;
    size_t timer_resolution_ns;
    unsigned native_float_width;
    bool available, compiler_available, unified_memory;
    bool has_fp16, has_fp64, has_integer_dot;
    bool has_pci;
    struct bm_pci_address pci; /* cl_khr_pci_bus_info, else NVIDIA's or AMD's own query */
};

/* Lists the devices of every platform that the ICD loader offers, in its order. No platform at all is not an
 * error: *count is 0. A platform that fails to list is logged and passed over. Caller frees *devices. */
enum bm_status bm_cl_list(struct bm_cl_device **devices, size_t *count,
                          struct bm_error *error) BM_CHECK_RESULT;

/* A context and an in-order, profiling command queue on one device. */
struct bm_cl_queue {
    cl_context context;
    cl_command_queue queue;
    cl_device_id device;
};
enum bm_status bm_cl_queue_open(const struct bm_cl_device *device, struct bm_cl_queue *queue,
                                struct bm_error *error) BM_CHECK_RESULT;
void bm_cl_queue_close(struct bm_cl_queue *queue);

/* Builds source text with options; a compiler error carries the first lines of the build log. */
enum bm_status bm_cl_program_build(const struct bm_cl_queue *queue, const char *source, const char *options,
                                   cl_program *program, struct bm_error *error) BM_CHECK_RESULT;
/* Whether source builds on this device: how optional vendor code is probed. Never an error. */
bool bm_cl_program_probe(const struct bm_cl_queue *queue, const char *source, const char *options);

enum bm_status bm_cl_buffer_create(const struct bm_cl_queue *queue, uint64_t bytes, cl_mem *buffer,
                                   struct bm_error *error) BM_CHECK_RESULT;
enum bm_status bm_cl_buffer_write(const struct bm_cl_queue *queue, cl_mem buffer, uint64_t offset,
                                  const void *data, size_t bytes, struct bm_error *error) BM_CHECK_RESULT;
enum bm_status bm_cl_buffer_read(const struct bm_cl_queue *queue, cl_mem buffer, uint64_t offset, void *data,
                                 size_t bytes, struct bm_error *error) BM_CHECK_RESULT;
/* Device time between the start of first and the end of last, in ns; BM_DEVICE where the driver has none. */
enum bm_status bm_cl_event_span(cl_event first, cl_event last, uint64_t *ns,
                                struct bm_error *error) BM_CHECK_RESULT;

#endif
