/* Who made it, and whose package drives it. */
#include "internal.h"

static const struct {
    uint16_t id;
    const char *name;
    const char *spellings[4];
    const char *package;
} vendors[] = {
    {0x10de, "NVIDIA", {"NVIDIA"}, "apt-get install nvidia-opencl-icd (and NVIDIA's driver)"},
    {0x1002,
     "AMD",
     {"AMD", "Advanced Micro Devices", "ATI Technologies"},
     "apt-get install mesa-opencl-icd, then RUSTICL_ENABLE=radeonsi; or AMD's ROCm"},
    {0x8086, "Intel", {"Intel"}, "apt-get install intel-opencl-icd"},
    {0x1d94, "Hygon", {"Hygon"}, NULL},
    {0x19e5, "Huawei", {"Huawei"}, NULL},
    {0x1ed5, "Moore Threads", {"Moore Threads"}, NULL},
    {0x13b5, "Arm", {"ARM"}, NULL},
    {0x106b, "Apple", {"Apple"}, NULL},
    {0x5143, "Qualcomm", {"Qualcomm"}, NULL},
};

uint16_t bm_vendor_id(const char *text) {
    for (size_t i = 0; i < BM_COUNT_OF(vendors); i++)
        for (size_t j = 0; j < BM_COUNT_OF(vendors[i].spellings) && vendors[i].spellings[j] != NULL; j++)
            if (bm_string_contains(text, vendors[i].spellings[j]))
                return vendors[i].id;
    return 0;
}

const char *bm_vendor_name(uint16_t id) {
    for (size_t i = 0; i < BM_COUNT_OF(vendors); i++)
        if (vendors[i].id == id)
            return vendors[i].name;
    return NULL;
}

const char *bm_vendor_package(uint16_t id) {
    for (size_t i = 0; i < BM_COUNT_OF(vendors); i++)
        if (vendors[i].id == id && vendors[i].package != NULL)
            return vendors[i].package;
    return "an OpenCL driver of its vendor";
}
