#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bm/control.h"
#include "listing.h"
#include "quantity.h"
#include "wrap.h"

/* What would spoil a run here; nothing is known of a machine that is only described. */
static void read_environment(const struct bm_inventory *inventory, struct bm_results_host *host) {
    struct bm_environment_options options = {.root = "", .variables = environ};
    *host = (struct bm_results_host){0};
    if (inventory->topology == NULL)
        return;
    const struct bm_machine *machine = bm_topology_machine_get(inventory->topology);
    host->memory_bytes = machine->memory_bytes;
    host->threads = machine->threads;
    host->numa_nodes = machine->numa_nodes;
    if (machine->is_this_machine)
        bm_environment_read(&options, host);
}

/* ---- JSON ---- */

static json_t *endpoint_json(const struct bm_endpoint *endpoint) {
    const struct bm_dtype *dtype;
    json_t *lacks = json_array();
    for (size_t i = 0; (dtype = bm_dtype_get(i)) != NULL; i++)
        if (bm_endpoint_lacks(endpoint, dtype))
            json_array_append_new(lacks, json_string(dtype->name));
    return json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:b, s:o}", "id",
                     bm_listing_text(endpoint->id), "name", bm_listing_text(endpoint->name), "driver",
                     bm_listing_text(endpoint->driver), "version", bm_listing_text(endpoint->version),
                     "usable", endpoint->usable, "reason", bm_listing_text(endpoint->unusable_reason),
                     "memory_bytes", bm_listing_count(endpoint->memory_bytes), "max_allocation_bytes",
                     bm_listing_count(endpoint->max_allocation_bytes), "only_products",
                     endpoint->only_products, "lacks_dtypes", lacks);
}

static json_t *device_json(const struct bm_device *device) {
    json_t *backends = json_array(), *numa = json_array();
    char pci[16] = "";
    for (unsigned i = 0; i < device->endpoint_count; i++)
        json_array_append_new(backends, endpoint_json(device->endpoints[i]));
    for (unsigned i = 0; i < device->numa_count; i++)
        json_array_append_new(numa, json_integer(device->numa[i]));
    if (device->has_pci)
        bm_pci_format(&device->pci, pci);
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", device->id,
        "kind", device->is_gpu ? "gpu" : "cpu", "name", bm_listing_text(device->name), "vendor",
        bm_listing_text(device->vendor), "architecture", bm_listing_text(device->architecture),
        "compute_units", bm_listing_count(device->compute_units), "clock_mhz",
        bm_listing_count(device->clock_mhz), "memory_bytes", bm_listing_count(device->memory_bytes),
        "llc_bytes", bm_listing_count(device->llc_bytes), "pci", bm_listing_text(pci), "numa_nodes", numa,
        "datasheet", bm_listing_text(device->datasheet != NULL ? device->datasheet->id : ""), "backends",
        backends, "missing", bm_listing_text(device->missing), "fingerprint",
        bm_listing_text(device->fingerprint));
}

static enum bm_status devices_json(const struct bm_inventory *inventory,
                                   const struct bm_results_environment *environment, struct bm_text *text,
                                   struct bm_error *error) {
    json_t *devices = json_array(), *warnings = json_array();
    for (unsigned i = 0; i < environment->warning_count; i++)
        json_array_append_new(warnings, bm_listing_text(environment->warnings[i]));
    for (size_t i = 0; i < inventory->count; i++)
        json_array_append_new(devices, device_json(&inventory->devices[i]));
    return bm_listing_json(json_pack("{s:o, s:o}", "devices", devices, "warnings", warnings), text, error);
}

/* ---- text ---- */

static void append_place(const struct bm_device *device, struct bm_text *text) {
    char pci[16];
    if (device->has_pci) {
        bm_pci_format(&device->pci, pci);
        bm_text_append(text, ", PCI %s", pci);
    }
    for (unsigned i = 0; i < device->numa_count; i++)
        bm_text_append(text, "%s%u", i == 0 ? ", NUMA node " : ",", device->numa[i]);
}

/* What other backends of the device are needed for. */
static void append_lacks(const struct bm_endpoint *endpoint, struct bm_text *text) {
    const struct bm_dtype *dtype;
    const char *before = "; no ";
    if (endpoint->only_products)
        bm_text_append(text, ", matrix products alone");
    for (size_t i = 0; (dtype = bm_dtype_get(i)) != NULL; i++)
        if (bm_endpoint_lacks(endpoint, dtype)) {
            bm_text_append(text, "%s%s", before, dtype->name);
            before = ", ";
        }
}

static void append_device(const struct bm_device *device, const struct bm_machine *machine,
                          struct bm_text *text) {
    char memory[BM_QUANTITY_SIZE], cache[BM_QUANTITY_SIZE];
    bm_quantity_bytes(memory, (double)device->memory_bytes);
    bm_quantity_bytes(cache, (double)device->llc_bytes);
    bm_text_append(text, "%s: %s\n", device->id, device->name);
    bm_text_append(text, "  hardware   ");
    if (device->compute_units > 0)
        bm_text_append(text, "%u %s, memory %s, last-level cache %s", device->compute_units,
                       device->is_gpu ? "compute units" : "cores", memory, cache);
    else
        bm_text_append(text, "%s", device->vendor[0] != '\0' ? device->vendor : "unknown");
    if (!device->is_gpu && machine != NULL && machine->performance_cores > 0)
        bm_text_append(text, ", %u performance and %u efficiency cores", machine->performance_cores,
                       machine->efficiency_cores);
    append_place(device, text);
    bm_text_append(text, "\n");
    if (device->datasheet != NULL)
        bm_text_append(text, "  datasheet  %s (%s, %s)\n", device->datasheet->id, device->datasheet->name,
                       device->datasheet->released);
    else
        bm_text_append(text, "  datasheet  none matches: no utilization of datasheet figures\n");
    for (unsigned i = 0; i < device->endpoint_count; i++) {
        const struct bm_endpoint *endpoint = device->endpoints[i];
        bm_quantity_bytes(memory, (double)endpoint->memory_bytes);
        bm_text_append(text, "  backend    %s, driver %s, %s", endpoint->id, endpoint->driver, memory);
        bm_quantity_bytes(memory, (double)endpoint->max_allocation_bytes);
        bm_text_append(text, " (%s at once)", memory);
        if (endpoint->usable && endpoint->instructions)
            bm_text_append(text, ", by %s", endpoint->version);
        if (endpoint->usable)
            append_lacks(endpoint, text);
        bm_text_append(text, "%s%s\n", endpoint->usable ? "" : ", not usable: ",
                       endpoint->usable ? "" : endpoint->unusable_reason);
    }
    if (device->missing[0] != '\0')
        bm_text_append(text, "  missing    %s\n", device->missing);
}

enum bm_status bm_export_devices(const struct bm_inventory *inventory, bool json,
                                 const struct bm_export_options *options, struct bm_text *text,
                                 struct bm_error *error) {
    struct bm_results_host host;
    struct bm_text lines = {0};
    read_environment(inventory, &host);
    if (json)
        return devices_json(inventory, &host.environment, text, error);
    for (size_t i = 0; i < inventory->count; i++)
        append_device(&inventory->devices[i],
                      inventory->topology != NULL ? bm_topology_machine_get(inventory->topology) : NULL,
                      &lines);
    for (unsigned i = 0; i < host.environment.warning_count; i++)
        bm_text_append(&lines, "%s  %s\n", i == 0 ? "warnings\n" : "", host.environment.warnings[i]);
    for (char *line = lines.data; !lines.failed && line != NULL && *line != '\0';) {
        char *end = line + strcspn(line, "\n");
        *end = '\0';
        bm_wrap_append(text, line, options->width, strlen("  hardware   "));
        line = end + 1;
    }
    text->failed |= lines.failed;
    bm_text_fini(&lines);
    return text->failed ? bm_fail(error, BM_NO_MEMORY, "out of memory for a listing") : BM_OK;
}
