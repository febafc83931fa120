#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#include <CL/cl.h>
#include <hwloc.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "environment.h"

/* What a loader tells of itself (extension cl_loader_info, both ocl-icd and Khronos' loader have it). */
typedef cl_int(CL_API_CALL *loader_info)(cl_uint name, size_t size, void *value, size_t *size_out);
enum { LOADER_VERSION = 2, LOADER_NAME = 3, LOADER_VENDOR = 4 };

static void ask_loader(loader_info ask, cl_uint what, char text[64]) {
    if (ask(what, 63, text, NULL) != CL_SUCCESS)
        text[0] = '\0';
}

static void describe_loader(char *text, size_t size) {
    loader_info ask = NULL;
    void *address = clGetExtensionFunctionAddress("clGetICDLoaderInfoOCLICD");
    char name[64] = "", version[64] = "", vendor[64] = "";
    memcpy(&ask, &address, sizeof ask); /* ISO C has no cast from a data to a function pointer */
    text[0] = '\0';
    if (ask == NULL)
        return;
    ask_loader(ask, LOADER_NAME, name);
    ask_loader(ask, LOADER_VERSION, version);
    ask_loader(ask, LOADER_VENDOR, vendor);
    if (version[0] != '\0')
        snprintf(text, size, "%.20s %.15s (%.20s)", name, version, vendor);
}

void bm_environment_libraries(struct bm_results_environment *environment) {
    unsigned hwloc = hwloc_get_api_version();
    describe_loader(environment->opencl_loader, sizeof environment->opencl_loader);
    snprintf(environment->hwloc, sizeof environment->hwloc, "%u.%u.%u", hwloc >> 16, hwloc >> 8 & 255,
             hwloc & 255);
#if JANSSON_VERSION_HEX >= 0x020d00
    bm_string_set(environment->jansson, sizeof environment->jansson, jansson_version_str());
#else
    bm_string_set(environment->jansson, sizeof environment->jansson, JANSSON_VERSION);
#endif
}
