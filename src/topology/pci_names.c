/* The PCI ID database (https://pci-ids.ucw.cz/): "VVVV  Vendor" lines, each followed by "<tab>DDDD  Device".
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether line starts with the four hex digits of id; then *name is what follows. */
static bool has_id(const char *line, unsigned id, const char **name) {
    char digits[8];
    snprintf(digits, sizeof digits, "%04x", id);
    if (strncmp(line, digits, 4) != 0 || line[4] != ' ')
        return false;
    *name = line + 4 + strspn(line + 4, " ");
    return true;
}

static void set_line(char *destination, size_t size, const char *line) {
    size_t length = strcspn(line, "\r\n");
    char copy[256];
    snprintf(copy, sizeof copy, "%.*s", (int)(length < sizeof copy ? length : sizeof copy - 1), line);
    bm_string_set(destination, size, copy);
}

static const char *next_line(const char *line) {
    line += strcspn(line, "\n");
    return *line == '\n' ? line + 1 : line;
}

void bm_pci_names_fill(struct bm_pci_gpu *gpu, const char *database) {
    const char *name = "", *line = database;
    while (*line != '\0' && !has_id(line, gpu->vendor_id, &name))
        line = next_line(line);
    if (*line == '\0')
        return;
    if (gpu->vendor[0] == '\0')
        set_line(gpu->vendor, sizeof gpu->vendor, name);
    for (line = next_line(line); *line == '\t' || *line == '#'; line = next_line(line))
        if (*line == '\t' && has_id(line + 1, gpu->device_id, &name)) {
            if (gpu->name[0] == '\0')
                set_line(gpu->name, sizeof gpu->name, name);
            return;
        }
}
