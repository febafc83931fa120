/* Why NVIDIA's driver holds a GPU's clock down, through its management library where there is one. The
 * declarations are of the NVML API reference (docs.nvidia.com/deploy/nvml-api), which keeps them stable. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"

enum { GPUS = 16, CLOCK_SM = 1 };

/* Software power cap, hardware slowdown (heat or power brake), software and hardware thermal slowdown, power
 * brake. Not among them: idle, clocks set by an application or a user, boost shared between boards. */
static const unsigned long long limits = 0x4 | 0x8 | 0x20 | 0x40 | 0x80;

typedef struct nvmlDevice_st *gpu_handle;
struct pci_info {
    char legacy_id[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char id[32];
};
struct nvml_calls {
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *count);
    int (*handle)(unsigned index, gpu_handle *gpu);
    int (*pci)(gpu_handle gpu, struct pci_info *info);
    int (*clock)(gpu_handle gpu, int kind, unsigned *mhz);
    int (*reasons)(gpu_handle gpu, unsigned long long *reasons);
};

struct nvml {
    void *library;
    struct nvml_calls calls;
    struct {
        gpu_handle handle;
        char pci[16];
    } gpus[GPUS];
    unsigned count;
    unsigned lowest_mhz, highest_mhz; /* 0: none read */
    unsigned long long seen;          /* limits met */
};

static bool load_call(void *library, const char *name, void *call) {
    void *address = dlsym(library, name);
    memcpy(call, &address, sizeof address); /* ISO C has no cast from a data to a function pointer */
    return address != NULL;
}

static bool load_calls(void *library, struct nvml_calls *calls) {
    return load_call(library, "nvmlInit_v2", &calls->init) &&
           load_call(library, "nvmlShutdown", &calls->shutdown) &&
           load_call(library, "nvmlDeviceGetCount_v2", &calls->count) &&
           load_call(library, "nvmlDeviceGetHandleByIndex_v2", &calls->handle) &&
           load_call(library, "nvmlDeviceGetPciInfo_v3", &calls->pci) &&
           load_call(library, "nvmlDeviceGetClockInfo", &calls->clock) &&
           /* the newer name of the same call, then the older one */
           (load_call(library, "nvmlDeviceGetCurrentClocksEventReasons", &calls->reasons) ||
            load_call(library, "nvmlDeviceGetCurrentClocksThrottleReasons", &calls->reasons));
}

static void list_gpus(struct nvml *nvml) {
    unsigned count = 0;
    if (nvml->calls.count(&count) != 0)
        return;
    for (unsigned i = 0; i < count && nvml->count < GPUS; i++) {
        struct pci_info info = {0};
        gpu_handle handle;
        if (nvml->calls.handle(i, &handle) != 0 || nvml->calls.pci(handle, &info) != 0)
            continue;
        nvml->gpus[nvml->count].handle = handle;
        snprintf(nvml->gpus[nvml->count++].pci, sizeof nvml->gpus[0].pci, "%04x:%02x:%02x.0",
                 info.domain & 0xffff, info.bus & 0xff, info.device & 0xff);
    }
}

static void nvml_close(void *context) {
    struct nvml *nvml = context;
    nvml->calls.shutdown();
    dlclose(nvml->library);
    free(nvml);
}

static void *nvml_open(const struct bm_control_options *options, char detail[BM_DETAIL_SIZE]) {
    struct nvml *nvml = bm_alloc(1, sizeof *nvml);
    if (nvml == NULL)
        return NULL;
    nvml->library = dlopen(options->nvml, RTLD_NOW | RTLD_LOCAL);
    if (nvml->library == NULL) {
        snprintf(detail, BM_DETAIL_SIZE, "no %.64s", options->nvml);
        goto out;
    }
    if (!load_calls(nvml->library, &nvml->calls)) {
        snprintf(detail, BM_DETAIL_SIZE, "%.64s is too old", options->nvml);
        goto out;
    }
    int code = nvml->calls.init();
    if (code != 0) {
        snprintf(detail, BM_DETAIL_SIZE, "nvmlInit_v2: error %d", code);
        goto out;
    }
    list_gpus(nvml);
    if (nvml->count > 0)
        return nvml;
    bm_string_set(detail, BM_DETAIL_SIZE, "no NVIDIA GPU");
    nvml->calls.shutdown();
out:
    if (nvml->library != NULL)
        dlclose(nvml->library);
    free(nvml);
    return NULL;
}

static bool is_limited(struct nvml *nvml, unsigned i) {
    unsigned long long reasons = 0;
    unsigned mhz = 0;
    if (nvml->calls.clock(nvml->gpus[i].handle, CLOCK_SM, &mhz) == 0 && mhz > 0) {
        nvml->lowest_mhz = nvml->lowest_mhz == 0 || mhz < nvml->lowest_mhz ? mhz : nvml->lowest_mhz;
        nvml->highest_mhz = mhz > nvml->highest_mhz ? mhz : nvml->highest_mhz;
    }
    if (nvml->calls.reasons(nvml->gpus[i].handle, &reasons) != 0)
        return false;
    nvml->seen |= reasons & limits;
    return (reasons & limits) != 0;
}

static bool nvml_judge(void *context, const struct bm_control_block *block) {
    struct nvml *nvml = context;
    bool limited = false;
    for (unsigned i = 0; i < nvml->count; i++)
        if (block->pci[0] == '\0' || strcmp(block->pci, nvml->gpus[i].pci) == 0)
            limited |= is_limited(nvml, i);
    return limited;
}

static void nvml_describe(const void *context, char detail[BM_DETAIL_SIZE]) {
    const struct nvml *nvml = context;
    if (nvml->highest_mhz > 0)
        snprintf(detail, BM_DETAIL_SIZE, "SM clock %u to %u MHz%s%s%s%s", nvml->lowest_mhz, nvml->highest_mhz,
                 nvml->seen != 0 ? "; limited by" : "", nvml->seen & 0x4 ? " power" : "",
                 nvml->seen & (0x20 | 0x40) ? " heat" : "",
                 nvml->seen & (0x8 | 0x80) ? " hardware (heat or power brake)" : "");
}

const struct bm_sensor bm_sensor_nvml = {
    .name = "nvidia",
    .flag = BM_FLAG_THROTTLED,
    .gpu = true,
    .every_ns = 50000000, /* the driver refreshes its figures no faster */
    .open = nvml_open,
    .judge = nvml_judge,
    .describe = nvml_describe,
    .close = nvml_close,
};
