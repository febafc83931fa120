/* Private to the export module: finishing a listing, as a table or as JSON. */
#ifndef BM_LISTING_H
#define BM_LISTING_H

#include <jansson.h>

#include "bm/export.h"

/* Appends root (consumed; NULL means out of memory) as indented JSON with a final newline. */
enum bm_status bm_listing_json(json_t *root, struct bm_text *text, struct bm_error *error) BM_CHECK_RESULT;
/* "" as null. Consumed by json_pack's "o", as the next. */
json_t *bm_listing_text(const char *value);
/* 0 as null: unknown. */
json_t *bm_listing_count(uint64_t value);

#endif
