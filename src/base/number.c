#include "bm/base.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum bm_status bm_parse_u64(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *value,
                            struct bm_error *error) {
    *value = 0;
    char *end = NULL;
    errno = 0;
    /* strtoull takes "-1" and leading blanks; a digit must come first. */
    unsigned long long parsed = isdigit((unsigned char)text[0]) ? strtoull(text, &end, 10) : 0;
    if (end == NULL || *end != '\0' || errno != 0 || parsed < minimum || parsed > maximum)
        return bm_fail(error, BM_INVALID, "'%.40s' is not a whole number from %llu to %llu", text,
                       (unsigned long long)minimum, (unsigned long long)maximum);
    *value = parsed;
    return BM_OK;
}

enum bm_status bm_parse_double(const char *text, double minimum, double maximum, double *value,
                               struct bm_error *error) {
    *value = 0;
    char *end = NULL;
    /* strtod takes leading blanks, "+1", "0x1p3" and names such as "nan" too. */
    bool decimal = text[0] != '+' && text[strspn(text, "+-.0123456789eE")] == '\0';
    double parsed = decimal ? strtod(text, &end) : (double)NAN;
    if (end == NULL || end == text || *end != '\0' || !isfinite(parsed) || parsed < minimum ||
        parsed > maximum)
        return bm_fail(error, BM_INVALID, "'%.40s' is not a number from %g to %g", text, minimum, maximum);
    *value = parsed;
    return BM_OK;
}
