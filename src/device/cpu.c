/* CPUs: packages of one model are one device, and every CPU platform is a way to it. */
#include "internal.h"

#include <string.h>

static const struct {
    const char *cpuid, *name;
} cpu_vendors[] = {
    {"GenuineIntel", "Intel"},
    {"AuthenticAMD", "AMD"},
    {"HygonGenuine", "Hygon"},
};

static void set_vendor(struct bm_device *device, const char *vendor) {
    for (size_t i = 0; i < BM_COUNT_OF(cpu_vendors); i++)
        if (strcmp(vendor, cpu_vendors[i].cpuid) == 0)
            vendor = cpu_vendors[i].name;
    bm_string_set(device->vendor, sizeof device->vendor, vendor);
}

static void add_package(struct bm_device *device, const struct bm_package *package) {
    device->compute_units += package->cores;
    device->llc_bytes += package->llc_bytes;
    device->memory_bytes += package->memory_bytes;
    for (unsigned i = 0; i < package->numa_count; i++) {
        bool known = device->numa_count == BM_COUNT_OF(device->numa);
        for (unsigned j = 0; j < device->numa_count; j++)
            known |= device->numa[j] == package->numa[i];
        if (!known)
            device->numa[device->numa_count++] = package->numa[i];
    }
}

static void add_devices(struct bm_join *join) {
    const struct bm_machine *machine = join->machine;
    bool alike = true;
    for (size_t i = 1; i < machine->package_count; i++)
        alike &= strcmp(machine->packages[i].model, machine->packages[0].model) == 0;
    struct bm_device *device = NULL;
    for (size_t i = 0; i < machine->package_count; i++) {
        const struct bm_package *package = &machine->packages[i];
        if (device != NULL && alike) {
            device->package_count++;
        } else {
            if ((device = bm_join_add(join, false)) == NULL)
                return;
            bm_string_set(device->name, sizeof device->name, package->model);
            set_vendor(device, package->vendor);
        }
        add_package(device, package);
    }
    for (size_t i = 0; i < join->count; i++) /* a container's share, or nodes that several packages share */
        if (join->devices[i].memory_bytes > machine->memory_bytes || join->devices[i].memory_bytes == 0)
            join->devices[i].memory_bytes = machine->memory_bytes;
}

/* Where packages differ, an endpoint goes to the one that it names or that has its size, else to the first.
 */
static struct bm_device *find_device(struct bm_join *join, const struct bm_endpoint *endpoint) {
    for (size_t i = 0; i < join->count; i++)
        if (join->devices[i].name[0] != '\0' && bm_string_contains(endpoint->name, join->devices[i].name))
            return &join->devices[i];
    if (join->count > 1 && join->machine->package_count == join->count) {
        struct bm_device *fitting = NULL;
        unsigned found = 0;
        for (size_t i = 0; i < join->count; i++)
            if (join->machine->packages[i].threads == endpoint->compute_units) {
                fitting = &join->devices[i];
                found++;
            }
        if (found == 1)
            return fitting;
    }
    return join->count > 0 ? &join->devices[0] : NULL;
}

/* A platform that shows the CPU twice (PoCL with two drivers enabled): the larger view stays. */
static void keep_larger(struct bm_device *device, const struct bm_endpoint *endpoint) {
    for (unsigned i = 0; i < device->endpoint_count; i++) {
        const struct bm_endpoint *kept = device->endpoints[i];
        if (strcmp(kept->id, endpoint->id) != 0)
            continue;
        if (endpoint->compute_units > kept->compute_units)
            device->endpoints[i] = endpoint;
        bm_log(BM_LOG_WARNING, "%s shows the CPU more than once: '%s' is used", endpoint->id,
               device->endpoints[i]->name);
    }
}

/* The entry of the same hardware under the endpoint's cap. */
static struct bm_device *capped(struct bm_join *join, const struct bm_device *whole, enum bm_isa isa) {
    for (size_t i = 0; i < join->count; i++)
        if (join->devices[i].isa == isa && strcmp(join->devices[i].hardware, whole->hardware) == 0)
            return &join->devices[i];
    const size_t index = (size_t)(whole - join->devices);
    struct bm_device *device = bm_join_add(join, false);
    if (device == NULL)
        return NULL;
    *device = join->devices[index];
    device->isa = isa;
    device->endpoint_count = 0;
    return device;
}

static void attach(struct bm_join *join, const struct bm_endpoint *endpoint) {
    struct bm_device *device = find_device(join, endpoint);
    if (device == NULL && (device = bm_join_add(join, false)) == NULL)
        return;
    if (endpoint->isa != BM_ISA_ANY && (device = capped(join, device, endpoint->isa)) == NULL)
        return;
    if (bm_device_endpoint(device, endpoint->id) != NULL)
        keep_larger(device, endpoint);
    else
        bm_device_attach(device, endpoint);
}

/* A library of matrix products alone leaves attention to a driver that is not there. */
static bool runs_every_row(const struct bm_device *device) {
    for (unsigned i = 0; i < device->endpoint_count; i++)
        if (!device->endpoints[i]->only_ceilings && !device->endpoints[i]->only_products)
            return true;
    return false;
}

/* What the operating system does not tell, the drivers may. */
static void complete(const struct bm_join *join, struct bm_device *device) {
    for (unsigned i = 0; i < device->endpoint_count; i++) {
        const struct bm_endpoint *endpoint = device->endpoints[i];
        if (device->name[0] == '\0')
            bm_string_set(device->name, sizeof device->name, endpoint->name);
        if (device->vendor[0] == '\0')
            set_vendor(device, endpoint->vendor);
        if (device->compute_units == 0)
            device->compute_units = endpoint->compute_units;
        if (device->memory_bytes == 0)
            device->memory_bytes = endpoint->memory_bytes;
        if (device->llc_bytes == 0)
            device->llc_bytes = endpoint->cache_bytes;
        if (device->clock_mhz < endpoint->clock_mhz)
            device->clock_mhz = endpoint->clock_mhz;
    }
    if (device->name[0] == '\0')
        bm_string_set(device->name, sizeof device->name, "unknown CPU");
    if (device->isa == BM_ISA_ANY && !runs_every_row(device))
        bm_string_set(device->missing, sizeof device->missing,
                      runs_every_row(&join->devices[0]) ? "OpenCL shows all packages as one device, cpu0"
                                                        : BM_CPU_PACKAGE);
    /* A datasheet tells of a whole package: of a virtual machine's share of one it tells nothing. */
    const struct bm_datasheet_query query = {
        .is_cpu = true, .name = device->name, .compute_units = device->compute_units / device->package_count};
    if (join->sheets != NULL)
        device->datasheet = bm_datasheets_match(join->sheets, &query);
}

/* Where caps are asked for, nobody asked for the CPU without one. */
static void drop_uncapped(struct bm_join *join) {
    size_t kept = 0;
    bool any = false;
    for (size_t i = 0; i < join->count; i++)
        any |= join->devices[i].isa != BM_ISA_ANY;
    for (size_t i = 0; any && i < join->count; i++)
        if (join->devices[i].isa != BM_ISA_ANY)
            join->devices[kept++] = join->devices[i];
    join->count = any ? kept : join->count;
}

void bm_join_cpus(struct bm_join *join) {
    add_devices(join);
    for (size_t i = 0; i < join->endpoint_count; i++)
        if (!join->endpoints[i].is_gpu)
            attach(join, &join->endpoints[i]);
    drop_uncapped(join);
    for (size_t i = 0; i < join->count; i++)
        complete(join, &join->devices[i]);
}
