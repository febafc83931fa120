#include "quantity.h"

#include <math.h>
#include <stdio.h>

static void write_scaled(char text[BM_QUANTITY_SIZE], double value, const char *unit) {
    enum { MOST_DECIMALS = 6 };
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    if (value < 0.995) /* 0 is "0", and what is not 0 must not look like it */
        decimals = value > 0 ? 2 - (int)floor(log10(value)) : 0;
    if (decimals > MOST_DECIMALS)
        decimals = MOST_DECIMALS;
    snprintf(text, BM_QUANTITY_SIZE, "%.*f%s%s", decimals, value, unit[0] != '\0' ? " " : "", unit);
}

static void write_stepped(char text[BM_QUANTITY_SIZE], double value, double step, const char *const *units,
                          size_t count) {
    size_t i = 0;
    if (!isfinite(value)) {
        snprintf(text, BM_QUANTITY_SIZE, "-");
        return;
    }
    for (; i + 1 < count && value >= step * 0.9995; i++)
        value /= step;
    write_scaled(text, value, units[i]);
}

void bm_quantity_number(char text[BM_QUANTITY_SIZE], double value) {
    static const char *const units[] = {""};
    write_stepped(text, value, 1, units, 1);
}

void bm_quantity_percent(char text[BM_QUANTITY_SIZE], double share) {
    if (isfinite(share))
        snprintf(text, BM_QUANTITY_SIZE, "%.*f %%",
                 share < 0.00995  ? 2
                 : share < 0.0995 ? 1
                                  : 0,
                 100 * share);
    else
        snprintf(text, BM_QUANTITY_SIZE, "-");
}

void bm_quantity_time(char text[BM_QUANTITY_SIZE], double ns) {
    static const char *const units[] = {"ns", "us", "ms", "s"};
    write_stepped(text, ns, 1000, units, BM_COUNT_OF(units));
}

void bm_quantity_bytes(char text[BM_QUANTITY_SIZE], double bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    write_stepped(text, bytes > 0 ? bytes : (double)NAN, 1024, units, BM_COUNT_OF(units));
}

void bm_quantity_count(char text[BM_QUANTITY_SIZE], double value) {
    static const char *const units[] = {"", "k", "M", "G", "T"};
    write_stepped(text, value, 1000, units, BM_COUNT_OF(units));
}
