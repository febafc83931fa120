/* A device's place on the PCI bus. The standard query came late, so vendors have their own. */
#include <string.h>

#include <CL/cl_ext.h>

#include "internal.h"

/* cl_khr_pci_bus_info and the vendors' queries, as their extension texts number them (older headers lack
 * some) */
enum {
    PCI_BUS_INFO_KHR = 0x410F,
    PCI_BUS_ID_NV = 0x4008,
    PCI_SLOT_ID_NV = 0x4009,
    PCI_DOMAIN_ID_NV = 0x400A,
    TOPOLOGY_AMD = 0x4037,
    TOPOLOGY_TYPE_PCIE_AMD = 1
};

static bool query_khr(cl_device_id id, struct bm_pci_address *address) {
    struct {
        cl_uint domain, bus, device, function;
    } info;
    if (!bm_cl_value(id, PCI_BUS_INFO_KHR, &info, sizeof info))
        return false;
    *address =
        (struct bm_pci_address){info.domain, (uint8_t)info.bus, (uint8_t)info.device, (uint8_t)info.function};
    return true;
}

static bool query_nvidia(cl_device_id id, struct bm_pci_address *address) {
    cl_uint bus, slot, domain;
    if (!bm_cl_value(id, PCI_BUS_ID_NV, &bus, sizeof bus) ||
        !bm_cl_value(id, PCI_SLOT_ID_NV, &slot, sizeof slot))
        return false;
    if (!bm_cl_value(id, PCI_DOMAIN_ID_NV, &domain, sizeof domain))
        domain = 0; /* drivers before 2018 do not tell */
    /* The slot packs device and function as PCI's configuration address does. */
    *address = (struct bm_pci_address){domain, (uint8_t)bus, (uint8_t)(slot >> 3), (uint8_t)(slot & 7)};
    return true;
}

static bool query_amd(cl_device_id id, struct bm_pci_address *address) {
    /* cl_device_topology_amd: a type word, then 17 unused bytes, bus, device, function; no domain. */
    struct {
        cl_uint type;
        uint8_t unused[17], bus, device, function;
    } topology;
    if (!bm_cl_value(id, TOPOLOGY_AMD, &topology, sizeof topology) || topology.type != TOPOLOGY_TYPE_PCIE_AMD)
        return false;
    *address = (struct bm_pci_address){0, topology.bus, topology.device, topology.function};
    return true;
}

bool bm_cl_pci_query(cl_device_id id, const char *extensions, struct bm_pci_address *address) {
    *address = (struct bm_pci_address){0};
    /* Asked only where advertised: an unknown query must fail, but not every driver is so careful. */
    if (bm_cl_has_word(extensions, "cl_khr_pci_bus_info") && query_khr(id, address))
        return true;
    if (bm_cl_has_word(extensions, "cl_nv_device_attribute_query") && query_nvidia(id, address))
        return true;
    return bm_cl_has_word(extensions, "cl_amd_device_attribute_query") && query_amd(id, address);
}
