/* The layer's two doors (CL/cl_layer.h). What it does is told in layer.h. */
#include "layer.h"

#include <string.h>

#include "fault.h"

#define EXPORT __attribute__((visibility("default")))

const cl_icd_dispatch *bm_layer_target;
cl_icd_dispatch bm_layer_dispatch;

EXPORT cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, size_t size, void *value, size_t *size_ret) {
    static const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
    static const char name[] = "bm_fault_layer";
    const void *data = what == CL_LAYER_NAME ? (const void *)name : &version;
    size_t bytes = what == CL_LAYER_NAME ? sizeof name : sizeof version;
    if ((what != CL_LAYER_NAME && what != CL_LAYER_API_VERSION) || (value != NULL && size < bytes))
        return CL_INVALID_VALUE;
    if (value != NULL)
        memcpy(value, data, bytes);
    if (size_ret != NULL)
        *size_ret = bytes;
    return CL_SUCCESS;
}

EXPORT cl_int CL_API_CALL clInitLayer(cl_uint entries, const cl_icd_dispatch *target, cl_uint *entries_ret,
                                      const cl_icd_dispatch **dispatch_ret) {
    const cl_uint known = sizeof bm_layer_dispatch / sizeof bm_layer_dispatch.clGetPlatformIDs;
    if (target == NULL || entries_ret == NULL || dispatch_ret == NULL)
        return CL_INVALID_VALUE;
    /* A loader of an older standard passes a shorter table. */
    memcpy(&bm_layer_dispatch, target,
           (entries < known ? entries : known) * sizeof bm_layer_dispatch.clGetPlatformIDs);
    bm_layer_target = target;
    bm_layer_read_plan();
    bm_layer_install_calls();
    *entries_ret = entries < known ? entries : known;
    *dispatch_ret = &bm_layer_dispatch;
    return CL_SUCCESS;
}
