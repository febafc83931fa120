#include "bm/base.h"

#include <stdio.h>

void bm_pci_format(const struct bm_pci_address *address, char text[16]) {
    snprintf(text, 16, "%04x:%02x:%02x.%x", (unsigned)address->domain & 0xffffffu, address->bus,
             address->device, address->function & 0xfu);
}

bool bm_pci_equal(const struct bm_pci_address *a, const struct bm_pci_address *b) {
    return a->domain == b->domain && a->bus == b->bus && a->device == b->device && a->function == b->function;
}
