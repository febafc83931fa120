/* GPUs on the PCI bus, with or without a driver. */
#include "internal.h"

#include <stdlib.h>

enum { CLASS_DISPLAY = 0x03, CLASS_ACCELERATOR = 0x12, ANY_DEVICE = 0x10000 };

/* Adapters that draw a console and compute nothing: a virtual machine's or a server board's. */
static const struct {
    unsigned vendor, device;
    const char *what;
} consoles[] = {
    {0x1234, ANY_DEVICE, "the standard VGA of QEMU and Bochs"},
    {0x1af4, ANY_DEVICE, "virtio-gpu"},
    {0x1b36, ANY_DEVICE, "QXL"},
    {0x1013, ANY_DEVICE, "the Cirrus VGA that QEMU and Xen emulate"},
    {0x15ad, ANY_DEVICE, "the SVGA of VMware"},
    {0x80ee, ANY_DEVICE, "the VGA of VirtualBox"},
    {0x1414, ANY_DEVICE, "the display of Hyper-V"},
    {0x1a03, ANY_DEVICE, "the ASPEED management controller of a server board"},
    {0x102b, ANY_DEVICE, "the Matrox management controller of a server board"},
    {0x19e5, 0x1711, "the Huawei management controller of a server board"},
};

static bool is_gpu(const struct hwloc_pcidev_attr_s *pci) {
    unsigned base_class = pci->class_id >> 8;
    if (base_class != CLASS_DISPLAY && base_class != CLASS_ACCELERATOR)
        return false;
    for (size_t i = 0; i < BM_COUNT_OF(consoles); i++)
        if (pci->vendor_id == consoles[i].vendor &&
            (consoles[i].device == ANY_DEVICE || pci->device_id == consoles[i].device)) {
            bm_log(BM_LOG_DEBUG, "PCI %04x:%02x:%02x.%x is %s: no GPU to measure", pci->domain, pci->bus,
                   pci->dev, pci->func, consoles[i].what);
            return false;
        }
    return true;
}

static void copy_info(char *destination, size_t size, hwloc_obj_t object, const char *key) {
    const char *value = hwloc_obj_get_info_by_name(object, key);
    if (value != NULL)
        bm_string_set(destination, size, value);
}

static void read_gpu(const struct bm_topology *topology, hwloc_obj_t object, struct bm_pci_gpu *gpu) {
    const struct hwloc_pcidev_attr_s *pci = &object->attr->pcidev;
    gpu->address = (struct bm_pci_address){pci->domain, pci->bus, pci->dev, pci->func};
    gpu->vendor_id = pci->vendor_id;
    gpu->device_id = pci->device_id;
    copy_info(gpu->vendor, sizeof gpu->vendor, object, "PCIVendor");
    copy_info(gpu->name, sizeof gpu->name, object, "PCIDevice");
    hwloc_obj_t place = hwloc_get_non_io_ancestor_obj(topology->hwloc, object);
    /* A bus that hangs on the whole of a machine with several nodes is a bus whose place is unknown. */
    if (place->parent != NULL || hwloc_bitmap_weight(place->nodeset) == 1)
        gpu->numa_count = bm_topology_numa_list(place->nodeset, gpu->numa);
}

static int by_address(const void *left, const void *right) {
    const struct bm_pci_address *a = &((const struct bm_pci_gpu *)left)->address;
    const struct bm_pci_address *b = &((const struct bm_pci_gpu *)right)->address;
    uint64_t key_a = (uint64_t)a->domain << 24 | a->bus << 16 | a->device << 8 | a->function;
    uint64_t key_b = (uint64_t)b->domain << 24 | b->bus << 16 | b->device << 8 | b->function;
    return (key_a > key_b) - (key_a < key_b);
}

/* hwloc knows names only where its PCI plugin is installed. */
static void fill_names(struct bm_pci_gpu *gpus, size_t count) {
    static const char *const paths[] = {"/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids"};
    bool nameless = false;
    for (size_t i = 0; i < count; i++)
        nameless |= gpus[i].name[0] == '\0' || gpus[i].vendor[0] == '\0';
    for (size_t i = 0; nameless && i < BM_COUNT_OF(paths); i++) {
        char *database = NULL;
        size_t size = 0;
        if (!bm_file_exists(paths[i]) ||
            bm_file_read(paths[i], (size_t)16 << 20, &database, &size, NULL) != BM_OK)
            continue;
        for (size_t gpu = 0; gpu < count; gpu++)
            bm_pci_names_fill(&gpus[gpu], database);
        free(database);
        return;
    }
}

enum bm_status bm_topology_read_gpus(struct bm_topology *topology, struct bm_error *error) {
    size_t capacity = 0, count = 0;
    for (hwloc_obj_t object = NULL; (object = hwloc_get_next_pcidev(topology->hwloc, object)) != NULL;) {
        if (!is_gpu(&object->attr->pcidev))
            continue;
        if (bm_grow(&topology->gpus, &capacity, count + 1, sizeof *topology->gpus, error) != BM_OK)
            return BM_NO_MEMORY;
        read_gpu(topology, object, &topology->gpus[count++]);
    }
    if (count > 0)
        qsort(topology->gpus, count, sizeof *topology->gpus, by_address);
    fill_names(topology->gpus, count);
    topology->machine.gpus = topology->gpus;
    topology->machine.gpu_count = count;
    return BM_OK;
}
