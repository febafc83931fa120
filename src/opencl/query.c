/* What a driver tells of a device. Only what every row needs is mandatory. */
#include <stdlib.h>
#include <string.h>

#include <CL/cl_ext.h>

#include "internal.h"

bool bm_cl_value(cl_device_id id, cl_device_info what, void *value, size_t size) {
    size_t got = 0;
    if (clGetDeviceInfo(id, what, size, value, &got) == CL_SUCCESS && got == size)
        return true;
    memset(value, 0, size);
    return false;
}

/* A text of any length, NULL where the driver does not answer. Caller frees it. */
static char *long_text(cl_device_id id, cl_device_info what) {
    size_t size = 0;
    if (clGetDeviceInfo(id, what, 0, NULL, &size) != CL_SUCCESS || size > (size_t)1 << 20)
        return NULL;
    char *text = bm_alloc(size + 1, 1); /* a driver that forgets the NUL does no harm */
    if (text != NULL && clGetDeviceInfo(id, what, size, text, NULL) != CL_SUCCESS) {
        free(text);
        text = NULL;
    }
    return text;
}

bool bm_cl_text(cl_device_id id, cl_device_info what, char *text, size_t size) {
    char *whole = long_text(id, what);
    text[0] = '\0';
    if (whole == NULL)
        return false;
    bm_string_set(text, size, whole + strspn(whole, " "));
    for (size_t length = strlen(text); length > 0 && text[length - 1] == ' ';)
        text[--length] = '\0';
    free(whole);
    return true;
}

bool bm_cl_has_word(const char *list, const char *word) {
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

static cl_uint query_uint(cl_device_id id, cl_device_info what) {
    cl_uint value;
    bm_cl_value(id, what, &value, sizeof value);
    return value;
}

static uint64_t query_ulong(cl_device_id id, cl_device_info what) {
    cl_ulong value;
    bm_cl_value(id, what, &value, sizeof value);
    return value;
}

static size_t query_size(cl_device_id id, cl_device_info what) {
    size_t value;
    bm_cl_value(id, what, &value, sizeof value);
    return value;
}

static bool query_bool(cl_device_id id, cl_device_info what) {
    cl_bool value;
    bm_cl_value(id, what, &value, sizeof value);
    return value != CL_FALSE;
}

static void query_extensions(cl_device_id id, struct bm_cl_device *device) {
    char *extensions = long_text(id, CL_DEVICE_EXTENSIONS);
    const char *list = extensions != NULL ? extensions : "";
    device->has_fp16 = bm_cl_has_word(list, "cl_khr_fp16");
    device->has_fp64 = bm_cl_has_word(list, "cl_khr_fp64");
    device->has_integer_dot = bm_cl_has_word(list, "cl_khr_integer_dot_product");
    if (bm_cl_has_word(list, "cl_amd_device_attribute_query"))
        bm_cl_text(id, CL_DEVICE_BOARD_NAME_AMD, device->board_name, sizeof device->board_name);
    device->has_pci = bm_cl_pci_query(id, list, &device->pci);
    free(extensions);
}

enum bm_status bm_cl_device_query(cl_device_id id, struct bm_cl_device *device, struct bm_error *error) {
    device->id = id;
    if (!bm_cl_value(id, CL_DEVICE_TYPE, &device->type, sizeof device->type))
        return bm_fail(error, BM_DEVICE, "the driver does not tell the device's type");
    if (!bm_cl_text(id, CL_DEVICE_NAME, device->name, sizeof device->name) || device->name[0] == '\0')
        return bm_fail(error, BM_DEVICE, "the driver does not tell the device's name");
    bm_cl_text(id, CL_DEVICE_VENDOR, device->vendor, sizeof device->vendor);
    bm_cl_text(id, CL_DRIVER_VERSION, device->driver_version, sizeof device->driver_version);
    bm_cl_text(id, CL_DEVICE_VERSION, device->device_version, sizeof device->device_version);
    bm_cl_text(id, CL_DEVICE_OPENCL_C_VERSION, device->c_version, sizeof device->c_version);
    device->compute_units = query_uint(id, CL_DEVICE_MAX_COMPUTE_UNITS);
    device->clock_mhz = query_uint(id, CL_DEVICE_MAX_CLOCK_FREQUENCY);
    device->memory_bytes = query_ulong(id, CL_DEVICE_GLOBAL_MEM_SIZE);
    device->max_allocation_bytes = query_ulong(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    device->local_bytes = query_ulong(id, CL_DEVICE_LOCAL_MEM_SIZE);
    device->cache_bytes = query_ulong(id, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE);
    device->max_group_items = query_size(id, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    device->timer_resolution_ns = query_size(id, CL_DEVICE_PROFILING_TIMER_RESOLUTION);
    device->native_float_width = query_uint(id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT);
    device->available = query_bool(id, CL_DEVICE_AVAILABLE);
    device->compiler_available = query_bool(id, CL_DEVICE_COMPILER_AVAILABLE);
    device->unified_memory = query_bool(id, CL_DEVICE_HOST_UNIFIED_MEMORY);
    query_extensions(id, device);
    return BM_OK;
}
