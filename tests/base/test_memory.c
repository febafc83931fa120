/* Arrays that grow. */
#include "bm/base.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* Not a constant to the compiler, which would warn of such sizes. */
static size_t opaque(size_t value) {
    volatile size_t hidden = value;
    return hidden;
}

Test(memory, alloc_zeroes_and_refuses_overflow) {
    uint64_t *words = bm_alloc(1000, sizeof *words);
    for (size_t i = 0; i < 1000; i++)
        cr_assert_eq(words[i], 0);
    free(words);
    void *nothing = bm_alloc(0, 8);
    cr_assert_not_null(nothing, "an empty array is one");
    free(nothing);
    nothing = bm_alloc(8, 0);
    cr_assert_not_null(nothing);
    free(nothing);
    cr_assert_null(bm_alloc(opaque(SIZE_MAX / 2), 4));
    cr_assert_null(bm_alloc(opaque(SIZE_MAX), opaque(SIZE_MAX)));
}

Test(memory, grow_keeps_old_and_zeroes_new_elements) {
    uint32_t *numbers = NULL;
    size_t capacity = 0;
    for (size_t needed = 1; needed <= 1000; needed++) {
        size_t before = capacity;
        uint32_t *where = numbers;
        cr_assert_eq(bm_grow(&numbers, &capacity, needed, sizeof *numbers, NULL), BM_OK);
        cr_assert_geq(capacity, needed);
        if (needed <= before)
            cr_assert(numbers == where && capacity == before, "enough is enough");
        for (size_t i = before; i < capacity; i++)
            cr_assert_eq(numbers[i], 0);
        numbers[needed - 1] = (uint32_t)needed;
    }
    for (size_t i = 0; i < 1000; i++)
        cr_assert_eq(numbers[i], i + 1);
    free(numbers);
}

Test(memory, grow_refuses_what_overflows_and_changes_nothing) {
    static const struct {
        size_t needed, size;
    } cases[] = {{SIZE_MAX, 1}, {SIZE_MAX, 16}, {SIZE_MAX / 8, 16}, {SIZE_MAX / 2 + 2, 2}, {2, SIZE_MAX / 4}};
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
        struct bm_error error = {0};
        char *array = NULL;
        size_t capacity = 0;
        enum bm_status status =
            bm_grow(&array, &capacity, opaque(cases[i].needed), opaque(cases[i].size), &error);
        cr_expect_eq(status, BM_NO_MEMORY, "%zu elements of %zu bytes", cases[i].needed, cases[i].size);
        cr_expect_eq(error.status, BM_NO_MEMORY);
        cr_expect(array == NULL && capacity == 0);
    }
    uint64_t *numbers = NULL;
    size_t capacity = 0;
    cr_assert_eq(bm_grow(&numbers, &capacity, 3, sizeof *numbers, NULL), BM_OK);
    numbers[2] = 77;
    size_t before = capacity;
    cr_assert_eq(bm_grow(&numbers, &capacity, opaque(SIZE_MAX / 8), sizeof *numbers, NULL), BM_NO_MEMORY);
    cr_assert_eq(capacity, before);
    cr_assert_eq(numbers[2], 77);
    free(numbers);
}
