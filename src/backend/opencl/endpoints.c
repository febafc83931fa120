#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends.h"
#include "session.h"

static void describe(const struct bm_cl_device *device, struct bm_endpoint *endpoint) {
    endpoint->is_gpu = (device->type & CL_DEVICE_TYPE_CPU) == 0;
    bm_string_set(endpoint->id, sizeof endpoint->id, device->backend);
    bm_string_set(endpoint->name, sizeof endpoint->name, device->name);
    bm_string_set(endpoint->board_name, sizeof endpoint->board_name, device->board_name);
    bm_string_set(endpoint->vendor, sizeof endpoint->vendor, device->vendor);
    bm_string_set(endpoint->driver, sizeof endpoint->driver, device->driver_version);
    bm_string_set(endpoint->version, sizeof endpoint->version, device->device_version);
    bm_string_set(endpoint->platform, sizeof endpoint->platform, device->platform_name);
    endpoint->compute_units = device->compute_units;
    endpoint->clock_mhz = device->clock_mhz;
    endpoint->memory_bytes = device->memory_bytes;
    endpoint->max_allocation_bytes = device->max_allocation_bytes;
    endpoint->cache_bytes = device->cache_bytes;
    endpoint->local_bytes = device->local_bytes;
    endpoint->max_group_items = device->max_group_items;
    endpoint->timer_resolution_ns = device->timer_resolution_ns;
    endpoint->unified_memory = device->unified_memory;
    endpoint->has_fp16 = device->has_fp16;
    endpoint->has_fp64 = device->has_fp64;
    endpoint->has_integer_dot = device->has_integer_dot;
    endpoint->has_pci = device->has_pci;
    endpoint->pci = device->pci;
    endpoint->usable = device->available && device->compiler_available;
    if (!endpoint->usable)
        bm_string_set(endpoint->unusable_reason, sizeof endpoint->unusable_reason,
                      device->available ? "its driver has no compiler"
                                        : "its driver says that it is not available");
}

/* A driver's compiler for the CPU takes what instructions it finds: it keeps no cap. */
static size_t keep_wanted(const struct bm_backend_options *options, struct bm_cl_device *devices,
                          size_t count) {
    const bool cpus = options->cpus && options->isa == BM_ISA_ANY;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if ((devices[i].type & CL_DEVICE_TYPE_CPU) != 0 ? cpus : options->gpus)
            devices[kept++] = devices[i];
    return kept;
}

/* PoCL takes its threads from the environment alone, when it is first asked. Chosen places bind this thread,
 * and with it those that PoCL starts. It pins them by index; that is right only where the process may use
 * processors 0 to n - 1. */
static void place_pocl_threads(const struct bm_places *places) {
    struct bm_error refused = {0};
    char count[16];
    cpu_set_t allowed;
    if (places != NULL && places->chosen) {
        snprintf(count, sizeof count, "%u", places->count);
        setenv("POCL_MAX_PTHREAD_COUNT", count, 1);
        if (bm_places_bind(places, &refused) != BM_OK)
            bm_log(BM_LOG_WARNING, "%s", refused.message);
    }
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    for (int i = 0; i < CPU_COUNT(&allowed); i++)
        if (!CPU_ISSET(i, &allowed))
            return;
    setenv("POCL_AFFINITY", "1", 0);
}

enum bm_status bm_opencl_list(const struct bm_backend_options *options, struct bm_endpoint **endpoints,
                              size_t *count, size_t *capacity, struct bm_error *error) {
    struct bm_cl_device *devices = NULL;
    size_t device_count = 0, before = *count;
    if (!options->gpus && options->isa != BM_ISA_ANY)
        return BM_OK;
    place_pocl_threads(options->places);
    enum bm_status status = bm_cl_list(&devices, &device_count, error);
    if (status == BM_OK)
        device_count = keep_wanted(options, devices, device_count);
    if (status == BM_OK)
        status = bm_grow(endpoints, capacity, *count + device_count, sizeof **endpoints, error);
    for (size_t i = 0; status == BM_OK && i < device_count; i++) {
        struct bm_cl_device *copy = bm_alloc(1, sizeof *copy);
        if (copy == NULL) {
            status = bm_fail(error, BM_NO_MEMORY, "out of memory while listing OpenCL devices");
            break;
        }
        *copy = devices[i];
        struct bm_endpoint *endpoint = &(*endpoints)[(*count)++];
        *endpoint = (struct bm_endpoint){.backend = &bm_backend_opencl, .handle = copy};
        describe(copy, endpoint);
    }
    while (status != BM_OK && *count > before)
        bm_opencl_release(&(*endpoints)[--*count]);
    free(devices);
    return status;
}

void bm_opencl_release(struct bm_endpoint *endpoint) {
    free(endpoint->handle);
    endpoint->handle = NULL;
}
