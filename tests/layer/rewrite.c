/* What platforms and devices tell, and the second platform. */
#include <stdio.h>
#include <string.h>

#include "fault.h"

enum { MAX_PLATFORMS = 16, MAX_DEVICES = 16, PCI_BUS_INFO_KHR = 0x410F };
enum { PCI_BUS_ID_NV = 0x4008, PCI_SLOT_ID_NV = 0x4009, PCI_DOMAIN_ID_NV = 0x400A, TOPOLOGY_AMD = 0x4037 };

/* A handle of the layer's own. ICD handles start with their dispatch table; the layer's never reach the
 * loader, but whoever follows the pointer all the same finds the driver's table. */
struct handle {
    const void *dispatch;
    void *real;
};
static struct handle second_platform, second_devices[MAX_DEVICES];
static unsigned second_device_count;

static bool is_second_device(cl_device_id device) {
    uintptr_t at = (uintptr_t)device;
    return at >= (uintptr_t)second_devices && at < (uintptr_t)(second_devices + MAX_DEVICES);
}

static bool is_second_platform(cl_platform_id platform) {
    return (void *)platform == (void *)&second_platform;
}

cl_platform_id bm_layer_real_platform(cl_platform_id platform) {
    return is_second_platform(platform) ? second_platform.real : platform;
}

cl_device_id bm_layer_real_device(cl_device_id device) {
    return is_second_device(device) ? (cl_device_id)((struct handle *)(void *)device)->real : device;
}

static cl_device_id second_device(cl_device_id real) {
    for (unsigned i = 0; i < second_device_count; i++)
        if (second_devices[i].real == (void *)real)
            return (cl_device_id)(void *)&second_devices[i];
    if (second_device_count == MAX_DEVICES)
        return real;
    second_devices[second_device_count] = (struct handle){*(void **)(void *)real, real};
    return (cl_device_id)(void *)&second_devices[second_device_count++];
}

static bool is_subject(bool second) {
    return bm_layer_plan.subject == SUBJECT_ALL || (bm_layer_plan.subject == SUBJECT_SECOND) == second;
}

bool bm_layer_is_subject(cl_device_id device) {
    return is_subject(is_second_device(device));
}

/* Answers a query the way clGet*Info does. */
static cl_int answer(const void *data, size_t bytes, size_t size, void *value, size_t *size_ret) {
    if (value != NULL && size < bytes)
        return CL_INVALID_VALUE;
    if (value != NULL)
        memcpy(value, data, bytes);
    if (size_ret != NULL)
        *size_ret = bytes;
    return CL_SUCCESS;
}

static cl_int answer_text(const char *text, size_t size, void *value, size_t *size_ret) {
    return answer(text, strlen(text) + 1, size, value, size_ret);
}

cl_int bm_layer_clGetPlatformIDs(cl_uint entries, cl_platform_id *platforms, cl_uint *count) {
    cl_int code;
    if (bm_layer_fails(FN_clGetPlatformIDs, &code))
        return code;
    if (bm_layer_plan.second_platform == NULL)
        return bm_layer_target->clGetPlatformIDs(entries, platforms, count);
    cl_platform_id real[MAX_PLATFORMS];
    cl_uint real_count = 0;
    if ((code = bm_layer_target->clGetPlatformIDs(MAX_PLATFORMS - 1, real, &real_count)) != CL_SUCCESS)
        return code;
    if (real_count > MAX_PLATFORMS - 1)
        real_count = MAX_PLATFORMS - 1;
    second_platform = (struct handle){*(void **)(void *)real[0], real[0]};
    real[real_count++] = (cl_platform_id)(void *)&second_platform;
    if (platforms != NULL)
        memcpy(platforms, real, (entries < real_count ? entries : real_count) * sizeof real[0]);
    if (count != NULL)
        *count = real_count;
    return CL_SUCCESS;
}

cl_int bm_layer_clGetPlatformInfo(cl_platform_id platform, cl_platform_info what, size_t size, void *value,
                                  size_t *size_ret) {
    cl_int code;
    if (bm_layer_fails(FN_clGetPlatformInfo, &code))
        return code;
    if (is_second_platform(platform) && what == CL_PLATFORM_NAME)
        return answer_text(bm_layer_plan.second_platform, size, value, size_ret);
    return bm_layer_target->clGetPlatformInfo(bm_layer_real_platform(platform), what, size, value, size_ret);
}

cl_int bm_layer_clGetDeviceIDs(cl_platform_id platform, cl_device_type type, cl_uint entries,
                               cl_device_id *devices, cl_uint *count) {
    cl_int code;
    if (bm_layer_fails(FN_clGetDeviceIDs, &code))
        return code;
    bool second = is_second_platform(platform);
    cl_uint found = 0;
    /* A device that shows another type answers to that type alone. */
    if (bm_layer_plan.type != 0 && is_subject(second) && type != CL_DEVICE_TYPE_ALL &&
        type != CL_DEVICE_TYPE_DEFAULT) {
        if ((type & bm_layer_plan.type) == 0)
            return CL_DEVICE_NOT_FOUND;
        type = CL_DEVICE_TYPE_ALL;
    }
    code = bm_layer_target->clGetDeviceIDs(bm_layer_real_platform(platform), type, entries, devices, &found);
    for (cl_uint i = 0; code == CL_SUCCESS && second && devices != NULL && i < entries && i < found; i++)
        devices[i] = second_device(devices[i]);
    if (code == CL_SUCCESS && count != NULL)
        *count = found;
    return code;
}

static cl_int answer_extensions(cl_device_id device, size_t size, void *value, size_t *size_ret) {
    static const char *const extra[] = {
        [PCI_BY_KHR] = "cl_khr_pci_bus_info",
        [PCI_BY_NV] = "cl_nv_device_attribute_query",
        [PCI_BY_AMD] = "cl_amd_device_attribute_query",
    };
    char own[16384], all[sizeof own + 64];
    cl_int code = bm_layer_target->clGetDeviceInfo(device, CL_DEVICE_EXTENSIONS, sizeof own, own, NULL);
    if (code != CL_SUCCESS)
        return code;
    snprintf(all, sizeof all, "%s %s", own, extra[bm_layer_plan.pci_query]);
    return answer_text(all, size, value, size_ret);
}

/* Answers a query for the address, false: this is none, or another vendor's. */
static bool answer_pci(cl_device_info what, size_t size, void *value, size_t *size_ret, cl_int *code) {
    const cl_uint *pci = bm_layer_plan.pci, slot = pci[2] << 3 | pci[3];
    struct {
        cl_uint type;
        cl_uchar unused[17], bus, device, function;
    } amd = {.type = 1, .bus = (cl_uchar)pci[1], .device = (cl_uchar)pci[2], .function = (cl_uchar)pci[3]};
    const struct {
        enum pci_query query;
        cl_device_info what;
        const void *data;
        size_t bytes;
    } answers[] = {
        {PCI_BY_KHR, PCI_BUS_INFO_KHR, pci, 4 * sizeof pci[0]},
        {PCI_BY_NV, PCI_DOMAIN_ID_NV, &pci[0], sizeof pci[0]},
        {PCI_BY_NV, PCI_BUS_ID_NV, &pci[1], sizeof pci[1]},
        {PCI_BY_NV, PCI_SLOT_ID_NV, &slot, sizeof slot},
        {PCI_BY_AMD, TOPOLOGY_AMD, &amd, sizeof amd},
    };
    for (size_t i = 0; bm_layer_plan.has_pci && i < sizeof answers / sizeof answers[0]; i++)
        if (answers[i].query == bm_layer_plan.pci_query && answers[i].what == what) {
            *code = answer(answers[i].data, answers[i].bytes, size, value, size_ret);
            return true;
        }
    return false;
}

cl_int bm_layer_clGetDeviceInfo(cl_device_id device, cl_device_info what, size_t size, void *value,
                                size_t *size_ret) {
    const struct plan *plan = &bm_layer_plan;
    cl_device_id real = bm_layer_real_device(device);
    cl_platform_id own = (cl_platform_id)(void *)&second_platform;
    cl_ulong whole = plan->memory_bytes, quarter = plan->memory_bytes / 4;
    cl_int code;
    if (bm_layer_fails(FN_clGetDeviceInfo, &code))
        return code;
    if (what == CL_DEVICE_PLATFORM && is_second_device(device))
        return answer(&own, sizeof own, size, value, size_ret);
    if (!bm_layer_is_subject(device))
        return bm_layer_target->clGetDeviceInfo(real, what, size, value, size_ret);
    if (what == CL_DEVICE_NAME && plan->device_name != NULL)
        return answer_text(plan->device_name, size, value, size_ret);
    if (what == CL_DEVICE_VENDOR && plan->vendor != NULL)
        return answer_text(plan->vendor, size, value, size_ret);
    if (what == CL_DEVICE_TYPE && plan->type != 0)
        return answer(&plan->type, sizeof plan->type, size, value, size_ret);
    if (what == CL_DEVICE_GLOBAL_MEM_SIZE && whole > 0)
        return answer(&whole, sizeof whole, size, value, size_ret);
    if (what == CL_DEVICE_MAX_MEM_ALLOC_SIZE && whole > 0)
        return answer(&quarter, sizeof quarter, size, value, size_ret);
    if (what == CL_DEVICE_EXTENSIONS && plan->has_pci)
        return answer_extensions(real, size, value, size_ret);
    if (answer_pci(what, size, value, size_ret, &code))
        return code;
    return bm_layer_target->clGetDeviceInfo(real, what, size, value, size_ret);
}
