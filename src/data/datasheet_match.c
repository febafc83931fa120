/* datasheet_match.c - which datasheet describes a piece of hardware. A wrong match gives a wrong utilization,
 * no match only a missing one: whatever contradicts a sheet rules it out. */
#include "datasheet_sheet.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* part stands in text with no letter or digit on either side. */
static bool has_word(const char *text, const char *part) {
    size_t length = strlen(part);
    for (const char *found = strcasestr(text, part); found != NULL; found = strcasestr(found + 1, part))
        if ((found == text || !isalnum((unsigned char)found[-1])) && !isalnum((unsigned char)found[length]))
            return true;
    return false;
}

/* Rusticl appends the driver: "AMD Radeon RX 6800 XT (radeonsi, navi21, LLVM 15.0.6, ...)". */
static void without_suffix(const char *name, char *out, size_t size) {
    bm_string_set(out, size, name);
    size_t length = strlen(out);
    char *open = strstr(out, " (");
    if (open != NULL && length > 0 && out[length - 1] == ')')
        *open = '\0';
}

bool bm_sheet_is_named(const struct bm_sheet *sheet, const char *name) {
    char plain[256];
    without_suffix(name, plain, sizeof plain);
    for (unsigned i = 0; i < sheet->exclude_count; i++)
        if (has_word(plain, sheet->exclude[i]))
            return false;
    for (unsigned i = 0; i < sheet->compiled_count; i++)
        if (regexec(&sheet->compiled[i], plain, 0, NULL, 0) == 0)
            return true;
    return false;
}

/* Drivers count compute units in their own way: RDNA's report work-group processors (two compute units each),
 * but Rusticl compute units; Intel's report vector engines. A CPU runtime may count threads, and several
 * packages. */
static bool units_fit(const struct bm_sheet *sheet, unsigned units) {
    uint32_t whole = sheet->facts.compute_units;
    if (units == 0 || sheet->reported_units == 0)
        return true;
    if (sheet->facts.is_cpu)
        return units % sheet->reported_units == 0;
    return units == sheet->reported_units || units == whole;
}

static bool memory_fits(const struct bm_sheet *sheet, uint64_t bytes) {
    double gib = (double)bytes / (1024.0 * 1024.0 * 1024.0);
    return bytes == 0 || sheet->memory_gib[1] <= 0 ||
           (gib >= sheet->memory_gib[0] && gib <= sheet->memory_gib[1]);
}

/* Partitions carry the name of the whole device; Intel's FPGA emulator runs on the CPU. */
static bool is_never_listed(const char *name) {
    return has_word(name, "MIG") || has_word(name, "FPGA Emulation");
}

/* gfx90a:sramecc+:xnack- names gfx90a. */
static bool is_target(const struct bm_sheet *sheet, const char *name) {
    size_t length = strcspn(name, ": (");
    return sheet->gfx_target[0] != '\0' && strlen(sheet->gfx_target) == length &&
           strncasecmp(name, sheet->gfx_target, length) == 0;
}

enum rule { BY_BOARD_NAME, BY_NAME, BY_TARGET };

static bool applies(const struct bm_sheet *sheet, enum rule rule, const struct bm_datasheet_query *query) {
    if (sheet->facts.is_cpu != query->is_cpu)
        return false;
    switch (rule) {
    case BY_BOARD_NAME:
        return query->board_name != NULL && bm_sheet_is_named(sheet, query->board_name);
    case BY_NAME:
        return query->name != NULL && bm_sheet_is_named(sheet, query->name);
    case BY_TARGET: /* a chip sits on several boards: only with no board's name, and both sizes to tell them
                       apart */
        return query->name != NULL && (query->board_name == NULL || query->board_name[0] == '\0') &&
               query->compute_units > 0 && query->memory_bytes > 0 && is_target(sheet, query->name);
    }
    return false;
}

const struct bm_datasheet *bm_datasheets_match(const struct bm_datasheets *sheets,
                                               const struct bm_datasheet_query *query) {
    if ((query->name != NULL && is_never_listed(query->name)) ||
        (query->board_name != NULL && is_never_listed(query->board_name)))
        return NULL;
    for (enum rule rule = BY_BOARD_NAME; rule <= BY_TARGET; rule++) {
        const struct bm_sheet *found = NULL;
        size_t named = 0, fitting = 0;
        for (size_t i = 0; i < sheets->count; i++) {
            const struct bm_sheet *sheet = sheets->items[i];
            if (!applies(sheet, rule, query))
                continue;
            named++;
            if (!units_fit(sheet, query->compute_units) || !memory_fits(sheet, query->memory_bytes))
                continue;
            fitting++;
            found = sheet;
        }
        if (named > 0)
            return fitting == 1 ? &found->facts : NULL;
    }
    return NULL;
}
