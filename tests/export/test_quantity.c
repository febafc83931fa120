/* Numbers as people read them: three significant digits, and never a 0 that is none. */
#include "quantity.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define EXPECT(function, value, text)                                                                        \
    do {                                                                                                     \
        char got_[BM_QUANTITY_SIZE];                                                                         \
        function(got_, value);                                                                               \
        cr_expect_str_eq(got_, text, "%s(%s) is '%s', not '%s'", #function, #value, got_, text);             \
    } while (0)

Test(quantity, numbers) {
    EXPECT(bm_quantity_number, 0, "0");
    EXPECT(bm_quantity_number, 1, "1.00");
    EXPECT(bm_quantity_number, 9.994, "9.99");
    EXPECT(bm_quantity_number, 9.996, "10.0");
    EXPECT(bm_quantity_number, 99.94, "99.9");
    EXPECT(bm_quantity_number, 99.96, "100");
    EXPECT(bm_quantity_number, 1234.4, "1234");
    EXPECT(bm_quantity_number, 9876543, "9876543");
    EXPECT(bm_quantity_number, 0.77, "0.770");
    EXPECT(bm_quantity_number, 0.0421, "0.0421");
    EXPECT(bm_quantity_number, 0.00042, "0.000420");
    EXPECT(bm_quantity_number, 0.0000042, "0.000004");
    EXPECT(bm_quantity_number, 0.9951, "1.00");
    EXPECT(bm_quantity_number, (double)NAN, "-");
    EXPECT(bm_quantity_number, (double)INFINITY, "-");
}

Test(quantity, percent) {
    EXPECT(bm_quantity_percent, 0.5, "50 %");
    EXPECT(bm_quantity_percent, 1.03, "103 %");
    EXPECT(bm_quantity_percent, 0.0994, "9.9 %");
    EXPECT(bm_quantity_percent, 0.0996, "10 %");
    EXPECT(bm_quantity_percent, 0.0421, "4.2 %");
    EXPECT(bm_quantity_percent, 0.0004, "0.04 %");
    EXPECT(bm_quantity_percent, (double)NAN, "-");
}

Test(quantity, times) {
    EXPECT(bm_quantity_time, 3.5, "3.50 ns");
    EXPECT(bm_quantity_time, 999, "999 ns");
    EXPECT(bm_quantity_time, 999.6, "1.00 us");
    EXPECT(bm_quantity_time, 1234567, "1.23 ms");
    EXPECT(bm_quantity_time, 2.5e9, "2.50 s");
    EXPECT(bm_quantity_time, 7.2e12, "7200 s");
    EXPECT(bm_quantity_time, (double)NAN, "-");
}

Test(quantity, bytes_and_counts) {
    EXPECT(bm_quantity_bytes, 512, "512 B");
    EXPECT(bm_quantity_bytes, 1536, "1.50 KiB");
    EXPECT(bm_quantity_bytes, 36.0 * 1024 * 1024, "36.0 MiB");
    EXPECT(bm_quantity_bytes, 0x1p35, "32.0 GiB");
    EXPECT(bm_quantity_bytes, 0x1p50, "1024 TiB");
    EXPECT(bm_quantity_bytes, 0, "-"); /* unknown */
    EXPECT(bm_quantity_count, 6738415616.0, "6.74 G");
    EXPECT(bm_quantity_count, 175e9, "175 G");
    EXPECT(bm_quantity_count, 2e12, "2.00 T");
    EXPECT(bm_quantity_count, 0, "0");
}
