/* bm/control.h - floor 6, module measure: sensors beside the benchmark, which tell that a round was disturbed
 * without looking at its time, and the state of the machine.
 *
 * Every sensor is optional: what a system does not offer is reported as not available. */
#ifndef BM_CONTROL_H
#define BM_CONTROL_H

#include "bm/measure.h"
#include "bm/results.h"

/* ---- contamination control ---- */

struct bm_control_options {
    const char *root;             /* prefix of /proc and /sys; "": the system's */
    const struct bm_clock *clock; /* borrowed */
    const char *nvml;             /* NVIDIA's management library */
};
/* This machine. */
extern const struct bm_control_options bm_control_defaults;

/* The rules. A sensor marked * is read at most every so often; its verdict holds until it is read again.
 * "CPU", "GPU": the devices whose blocks it judges.
 *
 *   name                flag          rule
 *   run_delay           contaminated  own threads were ready but waited for a CPU, the worst of them for more
 *                                     than 2 % of the block and 1 ms (/proc/self/task). CPU, GPU
 *   pressure *2 s       contaminated  only without run_delay: some thread of the system waited for a CPU for
 *                                     more than 25 % of the last seconds (/proc/pressure/cpu). CPU, GPU
 *   steal *100 ms       contaminated  the hypervisor gave more than 2 % of the CPU time that was wanted to
 *                                     others, and at least 2 ticks, over the last 100 busy ticks of 10 ms
 *                                     (/proc/stat). CPU
 *   cgroup_quota *50 ms throttled     the control group ran out of its CPU quota (cpu.stat). CPU, GPU
 *   thermal *100 ms     throttled     a core or package lowered its clock for heat (thermal_throttle). CPU
 *   nvml *50 ms         throttled     right after the block, the GPU's clock was limited by power, heat or the
 *                                     power brake (clocks event reasons). GPU
 *   arithmetic          contaminated  a fixed piece of dependent arithmetic on the host's thread (2 x 0.2 ms,
 *                                     around the block) was slower than 1.05 x its median over the run and
 *                                     than what its own spread explains. CPU
 *   bandwidth           contaminated  once a pass, reading 32 MiB was slower than 1.15 x its median over the
 *                                     run and than its own spread explains; judges the rounds of that pass,
 *                                     and is taken again while it is slow. CPU
 *
 * Beyond a spread: above median + 6 x (median - lower quartile) / 0.6745, of at least 8 values. */

struct bm_control; /* opaque */
enum bm_status bm_control_create(const struct bm_control_options *options, struct bm_control **control,
                                 struct bm_error *error) BM_CHECK_RESULT;
void bm_control_destroy(struct bm_control *control);
/* For bm_sampler_run; borrows control. Call it from one thread. */
struct bm_monitor bm_control_monitor(struct bm_control *control);
/* Whose block runs now; pci is "0000:3b:00.0", or "" when unknown: any GPU may have run it. Until the first
 * call: the CPU. */
void bm_control_target(struct bm_control *control, bool is_gpu, const char *pci);
/* What each sensor saw so far: fills environment->sensors. */
void bm_control_report(const struct bm_control *control, struct bm_results_environment *environment);

/* ---- the environment ---- */

struct bm_environment_options {
    const char *root;       /* as of bm_control_options */
    char *const *variables; /* "NAME=value", NULL-terminated; NULL: none */
    bool anonymize;         /* withhold values that hold a path */
};
/* Fills host->governor, host->virtualized and host->environment but its sensors; warnings compare with the
 * other members of host, which are filled before. What the system does not tell stays unknown. */
void bm_environment_read(const struct bm_environment_options *options, struct bm_results_host *host);

#endif
