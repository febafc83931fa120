/* A libnvidia-ml with two GPUs, 0000:3b:00.0 and 0000:af:00.0, that answers what the test says. With
 * FAKE_OLD_NAMES it has the older name of the one call that was renamed. */
#include "fake_nvml.h"

#include <stdio.h>
#include <string.h>

typedef struct nvmlDevice_st *nvmlDevice_t;
typedef struct {
    char busIdLegacy[16];
    unsigned domain, bus, device, pciDeviceId, pciSubSystemId;
    char busId[32];
} nvmlPciInfo_t;

struct fake_nvml fake_nvml = {.count = FAKE_GPUS, .mhz = {1980, 1980}};
static char gpus[FAKE_GPUS];

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetCount_v2(unsigned *count);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device);
int nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *info);
int nvmlDeviceGetClockInfo(nvmlDevice_t device, int kind, unsigned *mhz);
int nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t device, unsigned long long *reasons);
int nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device, unsigned long long *reasons);

static void used(void) {
    fake_nvml.uses_after_closing += fake_nvml.opened <= fake_nvml.closed;
}

static int index_of(nvmlDevice_t device) {
    return (int)((char *)device - gpus);
}

int nvmlInit_v2(void) {
    fake_nvml.opened += fake_nvml.init_code == 0;
    return fake_nvml.init_code;
}

int nvmlShutdown(void) {
    used();
    fake_nvml.closed++;
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    used();
    *count = fake_nvml.count;
    return fake_nvml.count_code;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device) {
    used();
    if (index >= FAKE_GPUS)
        return 2; /* NVML_ERROR_INVALID_ARGUMENT */
    *device = (nvmlDevice_t)(void *)&gpus[index];
    return fake_nvml.handle_code;
}

int nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *info) {
    used();
    memset(info, 0, sizeof *info);
    info->bus = index_of(device) == 0 ? 0x3b : 0xaf;
    snprintf(info->busId, sizeof info->busId, "00000000:%02X:00.0", info->bus);
    return 0;
}

int nvmlDeviceGetClockInfo(nvmlDevice_t device, int kind, unsigned *mhz) {
    used();
    *mhz = kind == 1 ? fake_nvml.mhz[index_of(device)] : 0; /* NVML_CLOCK_SM */
    return fake_nvml.clock_code;
}

static int get_reasons(nvmlDevice_t device, unsigned long long *reasons) {
    used();
    *reasons = fake_nvml.reasons[index_of(device)];
    return fake_nvml.reasons_code;
}

#ifdef FAKE_OLD_NAMES
int nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device, unsigned long long *reasons) {
    return get_reasons(device, reasons);
}
#else
int nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t device, unsigned long long *reasons) {
    return get_reasons(device, reasons);
}
#endif
