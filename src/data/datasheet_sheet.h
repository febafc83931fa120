/* datasheet_sheet.h - a datasheet with its rules of matching, private to src/data. */
#ifndef BM_DATASHEET_SHEET_H
#define BM_DATASHEET_SHEET_H

#include "bm/data.h"

#include <regex.h>

struct bm_sheet {
    struct bm_datasheet facts;
    char names[4][96]; /* POSIX extended regular expressions, any case */
    unsigned name_count;
    regex_t compiled[4]; /* the first compiled_count of names */
    unsigned compiled_count;
    char exclude[8][24]; /* whole words that rule the sheet out, any case */
    unsigned exclude_count;
    char gfx_target[16];     /* AMD's name of the chip, "" elsewhere */
    uint32_t reported_units; /* as OpenCL reports them, 0: unknown */
    double memory_gib[2];    /* range of the reported memory; 0, 0: unknown */
};

struct bm_datasheets {
    struct bm_sheet **items; /* each stays where its regular expressions were compiled */
    size_t count, capacity;
};

bool bm_sheet_is_named(const struct bm_sheet *sheet, const char *name);

#endif
