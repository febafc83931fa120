/* Private to contamination control: the sensors and what they share. */
#ifndef BM_MEASURE_CONTROL_H
#define BM_MEASURE_CONTROL_H

#include "environment.h"

enum { BM_DETAIL_SIZE = sizeof(((struct bm_results_sensor *)0)->detail) };

/* A block that is to be judged. */
struct bm_control_block {
    uint64_t ns; /* from begin to now, on the control's clock */
    bool is_gpu;
    const char *pci; /* "": unknown */
};

struct bm_sensor {
    const char *name;
    unsigned flag;                      /* that a tagged block gets */
    bool cpu, gpu;                      /* whose blocks it judges */
    uint64_t every_ns;                  /* its verdict holds that long; 0: every block */
    const struct bm_sensor *instead_of; /* opened only where that one is not available */
    /* NULL: not on this machine, detail may say why. The state is the sensor's own. */
    void *(*open)(const struct bm_control_options *options, char detail[BM_DETAIL_SIZE]);
    void (*pass)(void *state);                                        /* before a pass; may be NULL */
    void (*begin)(void *state);                                       /* before a block; may be NULL */
    bool (*judge)(void *state, const struct bm_control_block *block); /* after it: was it disturbed? */
    void (*describe)(const void *state, char detail[BM_DETAIL_SIZE]); /* may be NULL */
    void (*close)(void *state);
};
extern const struct bm_sensor bm_sensor_run_delay, bm_sensor_pressure, bm_sensor_steal, bm_sensor_cgroup,
    bm_sensor_thermal, bm_sensor_nvml, bm_sensor_arithmetic, bm_sensor_bandwidth;

/* ---- files that are read again and again ---- */

/* Descriptor of root + path for bm_counter_read, -1: there is none. */
int bm_counter_open(const char *root, const char *path);
/* The file's text from its start, cut at size - 1. false: it cannot be read any more, or is empty. */
bool bm_counter_read(int fd, char *text, size_t size);
/* after - before; 0 where a counter went backwards: then it tells nothing. */
uint64_t bm_counter_delta(uint64_t before, uint64_t after);

/* ---- a value's own history ---- */

enum { BM_HISTORY = 1024, BM_HISTORY_LEAST = 8 };
/* Sorted. When full, every second value is dropped, which keeps the quantiles. */
struct bm_history {
    double values[BM_HISTORY];
    size_t count;
};
void bm_history_add(struct bm_history *history, double value);
/* Above both factor x the median and what the spread of the lower half explains; false while it is short. */
bool bm_history_is_high(const struct bm_history *history, double value, double factor);

#endif
