#include "bm/base.h"

#include <stdlib.h>
#include <string.h>

void *bm_alloc(size_t count, size_t size) {
    if (count == 0 || size == 0)
        return calloc(1, 1);
    if (count > SIZE_MAX / size) /* calloc checks it as well, but a sanitizer's ends the program over it */
        return NULL;
    return calloc(count, size);
}

enum bm_status bm_grow(void *array_pointer, size_t *capacity, size_t needed, size_t size,
                       struct bm_error *error) {
    if (needed <= *capacity)
        return BM_OK;
    size_t grown = *capacity < 8 ? 8 : *capacity;
    while (grown < needed) {
        if (grown > SIZE_MAX / 2 / size)
            return bm_fail(error, BM_NO_MEMORY, "out of memory: %zu elements of %zu bytes", needed, size);
        grown *= 2;
    }
    void *array;
    memcpy(&array, array_pointer, sizeof array);
    array = realloc(array, grown * size);
    if (array == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory: %zu elements of %zu bytes", needed, size);
    memset((char *)array + *capacity * size, 0, (grown - *capacity) * size);
    memcpy(array_pointer, &array, sizeof array);
    *capacity = grown;
    return BM_OK;
}
