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
    const char *root; /* prefix of /proc and /sys, borrowed while the control lives; "": the system's */
    const struct bm_clock *clock; /* borrowed */
    const char *nvml;             /* NVIDIA's management library */
};
/* This machine. */
extern const struct bm_control_options bm_control_defaults;

/* The sensors with their rules: flag; the devices whose blocks they judge. One that is read every so often
 * keeps its verdict until it is read again.
 *
 * - run_delay (contaminated; CPU, GPU): a thread of ours was ready but waited for a CPU for more than 2 % of
 *   the block (/proc/self/task/ID/schedstat). Not counted are 50 us for each time it got one, and, where the
 *   calling thread only submits (it ran less than half as long as the busiest other), its own waits, and
 *   from those of the others what it ran itself.
 * - pressure (contaminated; CPU, GPU; every 4 s; only without run_delay): some thread of the system waited
 *   for a CPU for more than a quarter of the time since the last reading (/proc/pressure/cpu).
 * - steal (contaminated; CPU; every 100 ms): of the last 100 or more ticks of CPU time that were wanted, the
 *   hypervisor kept more than 2 % (/proc/stat).
 * - cgroup_quota (throttled; CPU, GPU; every 50 ms): a control group of ours ran out of its CPU quota
 *   (nr_throttled of cpu.stat rose).
 * - thermal (throttled; CPU; every 100 ms): a core or package lowered its clock for heat (a count of
 *   thermal_throttle rose).
 * - nvidia (throttled; GPU; every 50 ms): right after the block the GPU's clock was held down by power, heat
 *   or the power brake (NVML's clocks event reasons).
 * - arithmetic (contaminated; CPU): a fixed piece of dependent arithmetic on the calling thread, 0.2 ms
 *   before and after the block, took more than 1.05 x its median over the run, and more than its spread
 *   explains.
 * - bandwidth (contaminated; CPU): before the pass, reading 32 MiB took more than 1.15 x its median over the
 *   run, and more than its spread explains; at most every 250 ms, and again while it is slow.
 *
 * A spread explains up to median + 6 x (median - lower quartile) / 0.6745, the lower half being what no
 * disturbance touches; fewer than 8 values explain nothing and tag nothing. */

struct bm_control; /* opaque */
enum bm_status bm_control_create(const struct bm_control_options *options, struct bm_control **control,
                                 struct bm_error *error) BM_CHECK_RESULT;
void bm_control_destroy(struct bm_control *control);
/* For bm_sampler_run; borrows control. To be called from the thread that made it. */
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
