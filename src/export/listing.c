#include "listing.h"

#include <stdlib.h>

enum bm_status bm_listing_json(json_t *root, struct bm_text *text, struct bm_error *error) {
    char *dumped = root != NULL ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(root);
    if (dumped != NULL)
        bm_text_append(text, "%s\n", dumped);
    bool complete = dumped != NULL && !text->failed;
    free(dumped);
    return complete ? BM_OK : bm_fail(error, BM_NO_MEMORY, "out of memory for a listing");
}

json_t *bm_listing_text(const char *value) {
    json_t *string = value != NULL && value[0] != '\0' ? json_string(value) : NULL;
    return string != NULL ? string : json_null(); /* also for a driver's text that is not UTF-8 */
}

json_t *bm_listing_count(uint64_t value) {
    return value > 0 ? json_integer((json_int_t)value) : json_null();
}
