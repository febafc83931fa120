/* Device memory. */
#include <inttypes.h>

#include "internal.h"

enum bm_status bm_cl_buffer_create(const struct bm_cl_queue *queue, uint64_t bytes, cl_mem *buffer,
                                   struct bm_error *error) {
    cl_int code;
    *buffer = NULL;
    if (bytes > SIZE_MAX)
        return bm_fail(error, BM_NO_MEMORY, "a buffer of %" PRIu64 " bytes is beyond this machine", bytes);
    cl_mem created = clCreateBuffer(queue->context, CL_MEM_READ_WRITE, (size_t)bytes, NULL, &code);
    if (code == CL_SUCCESS) {
        *buffer = created;
        return BM_OK;
    }
    /* An invalid size is one beyond the largest allocation: the buffer does not fit here. */
    bool memory = code == CL_MEM_OBJECT_ALLOCATION_FAILURE || code == CL_OUT_OF_HOST_MEMORY ||
                  (code == CL_INVALID_BUFFER_SIZE && bytes > 0);
    return bm_fail_native(error, memory ? BM_NO_MEMORY : BM_DEVICE, code, "clCreateBuffer",
                          "clCreateBuffer of %" PRIu64 " bytes failed: %s (%d)", bytes,
                          bm_cl_error_name(code), code);
}

enum bm_status bm_cl_buffer_write(const struct bm_cl_queue *queue, cl_mem buffer, uint64_t offset,
                                  const void *data, size_t bytes, struct bm_error *error) {
    cl_int code =
        clEnqueueWriteBuffer(queue->queue, buffer, CL_TRUE, (size_t)offset, bytes, data, 0, NULL, NULL);
    return code == CL_SUCCESS ? BM_OK : bm_cl_fail(error, code, "clEnqueueWriteBuffer");
}

enum bm_status bm_cl_buffer_read(const struct bm_cl_queue *queue, cl_mem buffer, uint64_t offset, void *data,
                                 size_t bytes, struct bm_error *error) {
    cl_int code =
        clEnqueueReadBuffer(queue->queue, buffer, CL_TRUE, (size_t)offset, bytes, data, 0, NULL, NULL);
    return code == CL_SUCCESS ? BM_OK : bm_cl_fail(error, code, "clEnqueueReadBuffer");
}
