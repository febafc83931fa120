/* fake_nvml.h - what a fake libnvidia-ml answers; the library exports it under the name fake_nvml. */
#ifndef TESTS_MEASURE_FAKE_NVML_H
#define TESTS_MEASURE_FAKE_NVML_H

enum { FAKE_GPUS = 2 };
struct fake_nvml {
    int init_code, count_code, handle_code, clock_code, reasons_code; /* nvmlReturn_t, 0: success */
    unsigned count;
    unsigned mhz[FAKE_GPUS];
    unsigned long long reasons[FAKE_GPUS];
    int opened, closed;     /* calls of init and shutdown */
    int uses_after_closing; /* of anything */
};

#endif
