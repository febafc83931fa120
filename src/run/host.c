#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "run.h"

/* First line of a small system file without its newline, "" when there is none. */
static void read_line(const char *path, char *line, size_t size) {
    char *content;
    size_t length;
    line[0] = '\0';
    if (bm_file_read(path, 1 << 20, &content, &length, NULL) != BM_OK)
        return;
    content[strcspn(content, "\n")] = '\0';
    bm_string_set(line, size, content);
    free(content);
}

static void read_os_name(char *name, size_t size) {
    static const char key[] = "\nPRETTY_NAME=\"";
    char *content;
    size_t length;
    name[0] = '\0';
    if (bm_file_read("/etc/os-release", 1 << 16, &content, &length, NULL) != BM_OK)
        return;
    char *found = strncmp(content, key + 1, sizeof key - 2) == 0 ? content - 1 : strstr(content, key);
    if (found != NULL) {
        found += sizeof key - 1;
        found[strcspn(found, "\"\n")] = '\0';
        bm_string_set(name, size, found);
    }
    free(content);
}

/* x86 processors tell that they run under a hypervisor; the firmware's vendor says which. */
static void read_virtualization(char *text, size_t size) {
    char *content, vendor[24];
    size_t length;
    text[0] = '\0';
    if (bm_file_read("/proc/cpuinfo", 16 << 20, &content, &length, NULL) != BM_OK)
        return;
    bool x86 = strstr(content, "\nflags") != NULL, guest = strstr(content, " hypervisor") != NULL;
    free(content);
    read_line("/sys/class/dmi/id/sys_vendor", vendor, sizeof vendor);
    if (x86 && !guest)
        bm_string_set(text, size, "none");
    else if (guest)
        bm_string_set(text, size, vendor[0] != '\0' ? vendor : "hypervisor");
}

void bm_run_describe_host(const struct bm_run *run, struct bm_results_host *host) {
    const struct bm_machine *machine = bm_topology_machine_get(run->inventory->topology);
    struct utsname system;
    *host = (struct bm_results_host){
        .memory_bytes = machine->memory_bytes,
        .packages = (unsigned)machine->package_count,
        .cores = machine->cores,
        .threads = machine->threads,
        .numa_nodes = machine->numa_nodes,
    };
    if (!run->options->anonymize && gethostname(host->hostname, sizeof host->hostname - 1) != 0)
        host->hostname[0] = '\0';
    if (uname(&system) == 0)
        snprintf(host->kernel, sizeof host->kernel, "%s %s", system.sysname, system.release);
    if (machine->package_count > 0)
        bm_string_set(host->cpu_model, sizeof host->cpu_model, machine->packages[0].model);
    read_os_name(host->os, sizeof host->os);
    read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", host->governor, sizeof host->governor);
    read_virtualization(host->virtualized, sizeof host->virtualized);
    for (size_t i = 0; i < machine->cache_count && i < BM_COUNT_OF(host->caches); i++)
        host->caches[host->cache_count++] =
            (struct bm_results_cache){.level = machine->caches[i].level,
                                      .count = machine->caches[i].count,
                                      .line_bytes = machine->caches[i].line_bytes,
                                      .bytes = machine->caches[i].bytes};
}
