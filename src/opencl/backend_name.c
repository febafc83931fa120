/* Stable names for platforms: they are part of every result row. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* By the start of CL_PLATFORM_NAME, first match. */
static const struct {
    const char *prefix, *name;
} platforms[] = {
    {"Portable Computing Language", "pocl"},
    {"NVIDIA CUDA", "nvidia"},
    {"AMD Accelerated Parallel Processing", "amd"},
    {"Intel(R) OpenCL Graphics", "intel-gpu"},
    {"Intel(R) OpenCL HD Graphics", "intel-gpu"},
    {"Intel Gen OCL Driver", "intel-beignet"},
    {"Intel(R) OpenCL", "intel-cpu"},
    {"Intel(R) CPU Runtime", "intel-cpu"},
    {"rusticl", "rusticl"},
    {"Clover", "clover"},
    {"Oclgrind", "oclgrind"},
    {"ARM Platform", "arm"},
    {"QUALCOMM Snapdragon", "qualcomm"},
    {"Apple", "apple"},
    {"Vivante OpenCL Platform", "vivante"},
    {"clvk", "clvk"},
};

void bm_cl_backend_name(const char *platform_name, char *backend, size_t size) {
    for (size_t i = 0; i < BM_COUNT_OF(platforms); i++)
        if (strncmp(platform_name, platforms[i].prefix, strlen(platforms[i].prefix)) == 0) {
            snprintf(backend, size, "opencl/%s", platforms[i].name);
            return;
        }
    char slug[32];
    size_t length = 0;
    for (const char *at = platform_name; *at != '\0' && length + 1 < sizeof slug; at++) {
        if (isascii(*at) && isalnum((unsigned char)*at))
            slug[length++] = (char)tolower((unsigned char)*at);
        else if (length > 0 && slug[length - 1] != '-')
            slug[length++] = '-';
    }
    while (length > 0 && slug[length - 1] == '-')
        length--;
    slug[length] = '\0';
    snprintf(backend, size, "opencl/%s", length > 0 ? slug : "unnamed");
}

bool bm_cl_platform_ignored(const char *platform_name) {
    return bm_string_contains(platform_name, "FPGA Emulation");
}
