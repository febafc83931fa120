#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "run.h"

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
    struct bm_environment_options options = {
        .root = "", .variables = environ, .anonymize = run->options->anonymize};
    bm_environment_read(&options, host);
    for (size_t i = 0; i < machine->cache_count && i < BM_COUNT_OF(host->caches); i++)
        host->caches[host->cache_count++] =
            (struct bm_results_cache){.level = machine->caches[i].level,
                                      .count = machine->caches[i].count,
                                      .line_bytes = machine->caches[i].line_bytes,
                                      .bytes = machine->caches[i].bytes};
}
