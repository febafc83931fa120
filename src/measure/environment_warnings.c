#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "environment.h"

static void warn(struct bm_results_host *host, const char *format, ...) BM_PRINTF(2, 3);
static void warn(struct bm_results_host *host, const char *format, ...) {
    struct bm_results_environment *environment = &host->environment;
    va_list arguments;
    if (environment->warning_count == BM_RESULTS_MAX_WARNINGS)
        return;
    va_start(arguments, format);
    vsnprintf(environment->warnings[environment->warning_count++], sizeof environment->warnings[0], format,
              arguments);
    va_end(arguments);
}

static double gib(uint64_t bytes) {
    return (double)bytes / (1 << 30);
}

static void warn_of_clocks(struct bm_results_host *host) {
    if (host->governor[0] != '\0' && strcmp(host->governor, "performance") != 0)
        warn(host, "governor is %s: clocks vary; `sudo cpupower frequency-set -g performance`",
             host->governor);
    if (host->environment.on_battery == BM_YES)
        warn(host, "the machine runs on battery: clocks are held down; plug it in");
}

/* What the last minute's load does not owe to a shell and a few daemons. */
static void warn_of_others(struct bm_results_host *host) {
    const struct bm_results_environment *environment = &host->environment;
    double threads = host->threads > 0 ? host->threads : 1;
    if (environment->load_average > 0.5 + threads / 50)
        warn(host,
             "load average %.1f on %.0f thread%s: something else is running; `top` shows what, stop it or "
             "wait",
             environment->load_average, threads, threads == 1 ? "" : "s");
}

static void warn_of_limits(struct bm_results_host *host) {
    const struct bm_results_environment *environment = &host->environment;
    if (environment->cpu_quota > 0 && environment->cpu_quota < host->threads)
        warn(host,
             "CPU quota of %.2g CPUs on %u threads (cgroup): blocks are throttled; "
             "lift it (cpu.max, docker --cpus)",
             environment->cpu_quota, host->threads);
    if (environment->memory_limit_bytes > 0 && environment->memory_limit_bytes < host->memory_bytes / 2)
        warn(host,
             "memory limit of %.1f GiB of %.1f (cgroup): large cases may be killed; "
             "raise it (memory.max, docker --memory)",
             gib(environment->memory_limit_bytes), gib(host->memory_bytes));
}

static void warn_of_memory(struct bm_results_host *host) {
    const struct bm_results_environment *environment = &host->environment;
    if (strcmp(environment->huge_pages, "never") == 0)
        warn(host, "transparent huge pages are off: memory-bound rows are slower; "
                   "`echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled`");
    if (environment->numa_balancing == BM_YES && host->numa_nodes > 1)
        warn(host, "NUMA balancing moves pages while they are timed; `sudo sysctl kernel.numa_balancing=0`");
    if (host->numa_nodes > 1 && environment->numa_policy[0] != '\0' &&
        strcmp(environment->numa_policy, "default") != 0 && strcmp(environment->numa_policy, "local") != 0)
        warn(host,
             "NUMA policy is %s: memory does not lie beside the threads that use it; start without numactl",
             environment->numa_policy);
    if (environment->swap_known && host->memory_bytes > 0 &&
        environment->swap_used_bytes > host->memory_bytes / 20)
        warn(host, "%.1f GiB are swapped out: memory is short; close what needs it, `sudo swapoff -a`",
             gib(environment->swap_used_bytes));
}

void bm_environment_warn(struct bm_results_host *host) {
    warn_of_clocks(host);
    warn_of_others(host);
    warn_of_limits(host);
    warn_of_memory(host);
}
