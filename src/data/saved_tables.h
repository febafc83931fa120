/* Private to the data module: shorthand for the tables of fields of a results file. */
#ifndef BM_SAVED_TABLES_H
#define BM_SAVED_TABLES_H

#include "bm/saved.h"
#include "json_stream.h"

#define SIZE_OF(type, member) sizeof(((type *)0)->member)
#define FIELD(kind_, type, name, member)                                                                     \
    {                                                                                                        \
        .key = (name), .kind = BM_STREAM_##kind_, .offset = offsetof(type, member),                          \
        .size = SIZE_OF(type, member)                                                                        \
    }
#define NEEDED(kind_, type, name, member)                                                                    \
    {                                                                                                        \
        .key = (name), .kind = BM_STREAM_##kind_, .required = true, .offset = offsetof(type, member),        \
        .size = SIZE_OF(type, member)                                                                        \
    }
#define OBJECT(name, table)                                                                                  \
    { .key = (name), .kind = BM_STREAM_OBJECT, .fields = (table), .field_count = BM_COUNT_OF(table) }
#define CUSTOM(type, name, member, function)                                                                 \
    { .key = (name), .kind = BM_STREAM_CUSTOM, .offset = offsetof(type, member), .read = (function) }
/* A list in members `plural`, singular_count and singular_capacity. */
#define LIST(type, name, plural, singular, item_, limit_)                                                    \
    {                                                                                                        \
        .key = (name), .kind = BM_STREAM_LIST, .offset = offsetof(type, plural),                             \
        .size = sizeof *((type *)0)->plural, .item = (item_), .limit = (limit_),                             \
        .count_offset = offsetof(type, singular##_count),                                                    \
        .capacity_offset = offsetof(type, singular##_capacity)                                               \
    }

/* A device, a row: items of the file's lists. The stream's context is the struct bm_saved_options. */
extern const struct bm_stream_field bm_saved_device_item, bm_saved_row_item;
/* A list of flags' names into a uint32_t. */
enum bm_status bm_saved_read_flags(struct bm_stream *stream, void *target) BM_CHECK_RESULT;

#endif
