#include "control.h"

#include <stdlib.h>

const struct bm_control_options bm_control_defaults = {
    .root = "",
    .clock = &bm_clock_monotonic,
    .nvml = "libnvidia-ml.so.1",
};

/* After a block they are asked in this order, so that the canaries' own time enters no counter. */
static const struct bm_sensor *const sensors[] = {
    &bm_sensor_run_delay, &bm_sensor_pressure, &bm_sensor_steal,      &bm_sensor_cgroup,
    &bm_sensor_thermal,   &bm_sensor_nvml,     &bm_sensor_arithmetic, &bm_sensor_bandwidth,
};
enum { SENSORS = BM_COUNT_OF(sensors) };
_Static_assert(SENSORS <= BM_RESULTS_MAX_SENSORS, "a report has room for every sensor");

struct bm_control {
    struct bm_clock clock;
    struct {
        void *state; /* NULL: not available */
        char detail[BM_DETAIL_SIZE];
        uint64_t checked, tagged;
        uint64_t judged_ns; /* when the verdict was found; 0: never */
        bool verdict;
    } sensors[SENSORS];
    uint64_t begin_ns;
    bool is_gpu;
    char pci[16];
};

static bool is_replaced(const struct bm_control *control, const struct bm_sensor *sensor) {
    for (size_t i = 0; i < SENSORS; i++)
        if (sensors[i] == sensor->instead_of)
            return control->sensors[i].state != NULL;
    return false;
}

enum bm_status bm_control_create(const struct bm_control_options *options, struct bm_control **control_out,
                                 struct bm_error *error) {
    *control_out = NULL;
    struct bm_control *control = bm_alloc(1, sizeof *control);
    if (control == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for contamination control");
    control->clock = *options->clock;
    for (size_t i = 0; i < SENSORS; i++) {
        if (is_replaced(control, sensors[i]))
            bm_string_set(control->sensors[i].detail, BM_DETAIL_SIZE, "not needed");
        else
            control->sensors[i].state = sensors[i]->open(options, control->sensors[i].detail);
    }
    *control_out = control;
    return BM_OK;
}

void bm_control_destroy(struct bm_control *control) {
    if (control == NULL)
        return;
    for (size_t i = 0; i < SENSORS; i++)
        if (control->sensors[i].state != NULL)
            sensors[i]->close(control->sensors[i].state);
    free(control);
}

void bm_control_target(struct bm_control *control, bool is_gpu, const char *pci) {
    control->is_gpu = is_gpu;
    bm_string_set(control->pci, sizeof control->pci, pci);
}

static void begin(void *context) {
    struct bm_control *control = context;
    for (size_t i = SENSORS; i-- > 0;)
        if (control->sensors[i].state != NULL && sensors[i]->begin != NULL)
            sensors[i]->begin(control->sensors[i].state);
    control->begin_ns = bm_clock_now(&control->clock);
}

static void judge(struct bm_control *control, size_t i, const struct bm_control_block *block, uint64_t now) {
    bool due = control->sensors[i].judged_ns == 0 || sensors[i]->every_ns == 0 ||
               bm_counter_delta(control->sensors[i].judged_ns, now) >= sensors[i]->every_ns;
    if (!due)
        return;
    control->sensors[i].verdict = sensors[i]->judge(control->sensors[i].state, block);
    control->sensors[i].judged_ns = now;
}

static unsigned end(void *context) {
    struct bm_control *control = context;
    uint64_t now = bm_clock_now(&control->clock);
    struct bm_control_block block = {
        .ns = bm_counter_delta(control->begin_ns, now), .is_gpu = control->is_gpu, .pci = control->pci};
    unsigned flags = 0;
    for (size_t i = 0; i < SENSORS; i++) {
        if (control->sensors[i].state == NULL || !(control->is_gpu ? sensors[i]->gpu : sensors[i]->cpu))
            continue;
        judge(control, i, &block, now);
        control->sensors[i].checked++;
        if (control->sensors[i].verdict) {
            control->sensors[i].tagged++;
            flags |= sensors[i]->flag;
        }
    }
    return flags;
}

static void pass(void *context) {
    struct bm_control *control = context;
    for (size_t i = 0; i < SENSORS; i++)
        if (control->sensors[i].state != NULL && sensors[i]->pass != NULL)
            sensors[i]->pass(control->sensors[i].state);
}

struct bm_monitor bm_control_monitor(struct bm_control *control) {
    return (struct bm_monitor){.begin = begin, .end = end, .pass = pass, .context = control};
}

void bm_control_report(const struct bm_control *control, struct bm_results_environment *environment) {
    environment->sensor_count = SENSORS;
    for (size_t i = 0; i < SENSORS; i++) {
        struct bm_results_sensor *sensor = &environment->sensors[i];
        *sensor = (struct bm_results_sensor){
            .name = sensors[i]->name,
            .available = control->sensors[i].state != NULL,
            .checked = control->sensors[i].checked,
            .tagged = control->sensors[i].tagged,
        };
        bm_string_set(sensor->detail, sizeof sensor->detail, control->sensors[i].detail);
        if (sensor->available && sensors[i]->describe != NULL)
            sensors[i]->describe(control->sensors[i].state, sensor->detail);
    }
}
