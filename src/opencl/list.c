/* Every device of every platform. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CL/cl_ext.h>

#include "internal.h"

/* Bounds on what a broken driver may claim. */
enum { MAX_PLATFORMS = 64, MAX_DEVICES = 256 };

struct list {
    struct bm_cl_device *devices;
    size_t count, capacity;
};

static bool platform_text(cl_platform_id platform, cl_platform_info what, char *text, size_t size) {
    char whole[1024] = "";
    text[0] = '\0';
    size_t length = 0;
    if (clGetPlatformInfo(platform, what, sizeof whole - 1, whole, &length) != CL_SUCCESS)
        return false;
    bm_string_set(text, size, whole);
    return true;
}

/* Two ICD files that name one library make a platform appear twice. */
static bool seen_before(const cl_platform_id *platforms, cl_uint index) {
    for (cl_uint i = 0; i < index; i++)
        if (platforms[i] == platforms[index])
            return true;
    return false;
}

/* A second platform of a name gets "-2", a third "-3". */
static void number_backend(char *backend, size_t size, char (*earlier)[48], size_t count) {
    char plain[48];
    bm_string_set(plain, sizeof plain, backend);
    size_t same = 0;
    for (size_t i = 0; i < count; i++)
        same += strcmp(earlier[i], plain) == 0;
    if (same > 0)
        snprintf(backend, size, "%.40s-%zu", plain, same + 1);
}

static enum bm_status append_device(struct list *list, const struct bm_cl_device *platform, cl_device_id id,
                                    struct bm_error *error) {
    struct bm_cl_device device = *platform;
    struct bm_error problem = {0};
    if (bm_cl_device_query(id, &device, &problem) != BM_OK) {
        bm_log(BM_LOG_WARNING, "%s: a device is passed over: %s", platform->backend, problem.message);
        return BM_OK;
    }
    enum bm_status status =
        bm_grow(&list->devices, &list->capacity, list->count + 1, sizeof *list->devices, error);
    if (status == BM_OK)
        list->devices[list->count++] = device;
    return status;
}

/* platform holds the fields that its devices share. */
static enum bm_status append_platform(struct list *list, const struct bm_cl_device *platform,
                                      struct bm_error *error) {
    cl_uint count = 0;
    cl_int code = clGetDeviceIDs(platform->platform, CL_DEVICE_TYPE_ALL, 0, NULL, &count);
    if (code == CL_DEVICE_NOT_FOUND || (code == CL_SUCCESS && count == 0)) {
        /* PoCL always has the CPU, unless it finds no place for its cache: in a container without a home */
        if (strncmp(platform->backend, "opencl/pocl", strlen("opencl/pocl")) == 0)
            bm_log(BM_LOG_WARNING,
                   "%s lists no device: let POCL_CACHE_DIR name a folder that can be written, or see what "
                   "POCL_DEBUG=err says",
                   platform->backend);
        else
            bm_log(BM_LOG_DEBUG, "%s: no device", platform->backend);
        return BM_OK;
    }
    cl_device_id ids[MAX_DEVICES];
    if (count > MAX_DEVICES)
        count = MAX_DEVICES;
    if (code == CL_SUCCESS)
        code = clGetDeviceIDs(platform->platform, CL_DEVICE_TYPE_ALL, count, ids, NULL);
    if (code != CL_SUCCESS) {
        bm_log(BM_LOG_WARNING, "%s (%s) is passed over: clGetDeviceIDs failed: %s (%d)", platform->backend,
               platform->platform_name, bm_cl_error_name(code), code);
        return BM_OK;
    }
    for (cl_uint i = 0; i < count; i++) {
        enum bm_status status = append_device(list, platform, ids[i], error);
        if (status != BM_OK)
            return status;
    }
    return BM_OK;
}

enum bm_status bm_cl_list(struct bm_cl_device **devices, size_t *count, struct bm_error *error) {
    cl_platform_id platforms[MAX_PLATFORMS];
    char plain_names[MAX_PLATFORMS][48];
    size_t named = 0;
    cl_uint platform_count = 0;
    *devices = NULL;
    *count = 0;
    cl_int code = clGetPlatformIDs(MAX_PLATFORMS, platforms, &platform_count);
    if (code == CL_PLATFORM_NOT_FOUND_KHR)
        return BM_OK;
    if (code != CL_SUCCESS)
        return bm_cl_fail(error, code, "clGetPlatformIDs");
    if (platform_count > MAX_PLATFORMS)
        platform_count = MAX_PLATFORMS;

    struct list list = {0};
    for (cl_uint i = 0; i < platform_count; i++) {
        struct bm_cl_device platform = {.platform = platforms[i]};
        if (seen_before(platforms, i))
            continue;
        if (!platform_text(platforms[i], CL_PLATFORM_NAME, platform.platform_name,
                           sizeof platform.platform_name)) {
            bm_log(BM_LOG_WARNING, "OpenCL platform %u is passed over: it does not tell its name", i);
            continue;
        }
        if (bm_cl_platform_ignored(platform.platform_name))
            continue;
        platform_text(platforms[i], CL_PLATFORM_VERSION, platform.platform_version,
                      sizeof platform.platform_version);
        bm_cl_backend_name(platform.platform_name, platform.backend, sizeof platform.backend);
        bm_string_set(plain_names[named], sizeof plain_names[named], platform.backend);
        number_backend(platform.backend, sizeof platform.backend, plain_names, named);
        named++;
        enum bm_status status = append_platform(&list, &platform, error);
        if (status != BM_OK) {
            free(list.devices);
            return status;
        }
    }
    *devices = list.devices;
    *count = list.count;
    return BM_OK;
}
