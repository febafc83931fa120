/* The OpenCL module's own parts. */
#ifndef BM_OPENCL_INTERNAL_H
#define BM_OPENCL_INTERNAL_H

#include "bm/opencl.h"

/* "opencl/pocl" for "Portable Computing Language"; a platform that the table lacks gets a slug of its name.
 */
void bm_cl_backend_name(const char *platform_name, char *backend, size_t size);
/* Platforms that are no hardware and no way to it, such as Intel's FPGA emulator. */
bool bm_cl_platform_ignored(const char *platform_name);

/* clGetDeviceInfo into text[size], cut to fit; false and "" where the driver does not answer. */
bool bm_cl_text(cl_device_id id, cl_device_info what, char *text, size_t size);
/* A value of exactly size bytes; false and zeros where the driver does not answer. */
bool bm_cl_value(cl_device_id id, cl_device_info what, void *value, size_t size);
/* Whether the blank-separated list holds the word. */
bool bm_cl_has_word(const char *list, const char *word);

/* Fills all but platform and backend fields; error tells which mandatory property is missing. */
enum bm_status bm_cl_device_query(cl_device_id id, struct bm_cl_device *device,
                                  struct bm_error *error) BM_CHECK_RESULT;
/* The bus address by whichever query the driver knows. */
bool bm_cl_pci_query(cl_device_id id, const char *extensions, struct bm_pci_address *address);

#endif
