#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "bm/workload.h"

/* 2^exponent x mantissa / 1024, as the standard defines the 16 bits; independent of the code under test. */
static double half_by_definition(uint16_t bits) {
    const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    const double sign = bits & 0x8000 ? -1 : 1;
    if (exponent == 31)
        return mantissa ? (double)NAN : sign * (double)INFINITY;
    return sign * (exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24));
}

Test(format, every_half_converts_both_ways_exactly) {
    for (unsigned bits = 0; bits <= 0xffff; bits++) {
        const double expected = half_by_definition((uint16_t)bits);
        const float value = bm_half_to_float((uint16_t)bits);
        if (isnan(expected)) {
            cr_assert(isnan(value), "%04x", bits);
            cr_assert_eq(bm_half_from_float(value), bits | 0x200,
                         "%04x: a NaN keeps its payload and is quiet", bits);
            continue;
        }
        cr_assert_eq((double)value, expected, "%04x", bits);
        cr_assert_eq(signbit(value) != 0, bits >> 15, "%04x", bits);
        cr_assert_eq(bm_half_from_float(value), bits, "%04x", bits);
    }
}

Test(format, between_two_halves_the_nearest_wins_and_ties_go_to_even) {
    for (unsigned bits = 0; bits < 0x7c00; bits++) {
        const double low = half_by_definition((uint16_t)bits);
        /* Above the largest half the next would be 65536, which is infinity. */
        const double high = bits == 0x7bff ? 65536 : half_by_definition((uint16_t)(bits + 1));
        const float middle = (float)((low + high) / 2);
        for (unsigned sign = 0; sign <= 0x8000; sign += 0x8000) {
            const float s = sign ? -1.0f : 1.0f;
            cr_assert_eq(bm_half_from_float(s * middle), sign | (bits + (bits & 1)), "tie above %04x", bits);
            cr_assert_eq(bm_half_from_float(s * nextafterf(middle, 0)), sign | bits, "below the tie, %04x",
                         bits);
            cr_assert_eq(bm_half_from_float(s * nextafterf(middle, INFINITY)), sign | (bits + 1),
                         "above the tie, %04x", bits);
        }
    }
}

Test(format, extremes) {
    cr_assert_eq(bm_half_from_float(INFINITY), 0x7c00);
    cr_assert_eq(bm_half_from_float(-INFINITY), 0xfc00);
    cr_assert_eq(bm_half_from_float(3.4e38f), 0x7c00);
    cr_assert_eq(bm_half_from_float(65504), 0x7bff);
    cr_assert_eq(bm_half_from_float(65519.996f), 0x7bff);
    cr_assert_eq(bm_half_from_float(65520), 0x7c00);
    cr_assert_eq(bm_half_from_float(1e-40f), 0);
    cr_assert_eq(bm_half_from_float(-0.0f), 0x8000);
    cr_assert((bm_half_from_float(NAN) & 0x7fff) > 0x7c00);
}

Test(format, elements_are_read_in_their_format) {
    const float floats[] = {1.5f, -2.25f, 1e30f};
    const uint16_t halves[] = {0x3c00, 0xc000, 0x0001};
    cr_assert_eq(bm_element_bytes(BM_ELEMENT_F32), 4);
    cr_assert_eq(bm_element_bytes(BM_ELEMENT_F16), 2);
    cr_assert_eq(bm_element_load(BM_ELEMENT_F32, floats, 2), 1e30f);
    cr_assert_eq(bm_element_load(BM_ELEMENT_F16, halves, 1), -2.0f);
    cr_assert_eq(bm_element_load(BM_ELEMENT_F16, halves, 2), 0x1p-24f);
}

Test(values, are_normal_seeded_and_never_tiny) {
    struct bm_values a, b, c;
    cr_assert_eq(bm_values_init(&a, BM_ELEMENT_F32, 5, NULL), BM_OK);
    cr_assert_eq(bm_values_init(&b, BM_ELEMENT_F32, 5, NULL), BM_OK);
    cr_assert_eq(bm_values_init(&c, BM_ELEMENT_F16, 6, NULL), BM_OK);
    cr_assert_eq(memcmp(a.values, b.values, a.period * sizeof(float)), 0, "one seed, one sequence");
    for (size_t divisor = 2; divisor * divisor <= a.period; divisor++)
        cr_assert_neq(a.period % divisor, 0, "the period is prime");
    double sum = 0, squares = 0, fourth = 0;
    size_t different = 0;
    for (size_t i = 0; i < a.period; i++) {
        const double value = (double)a.values[i];
        cr_assert(fabs(value) >= 0x1p-10);
        cr_assert(fabsf(c.values[i]) >= 0x1p-10f);
        cr_assert_eq(bm_half_to_float(bm_half_from_float(c.values[i])), c.values[i], "rounded to the format");
        different += a.values[i] != c.values[i];
        sum += value;
        squares += value * value;
        fourth += value * value * value * value;
    }
    const double n = (double)a.period;
    cr_assert(fabs(sum / n) < 0.003 && fabs(squares / n - 1) < 0.004 && fabs(fourth / n - 3) < 0.03);
    cr_assert(different > a.period / 2);
    bm_values_fini(&a);
    bm_values_fini(&b);
    bm_values_fini(&c);
    bm_values_fini(NULL);
}

Test(values, gather_wraps_at_the_period) {
    float block[] = {1, 2, 3, 4, 5, 6, 7};
    const struct bm_values values = {.period = 7, .values = block};
    double out[9];
    bm_values_gather(&values, UINT64_C(7000000005), 3, 9, out); /* 7000000005 % 7 = 5 */
    for (size_t j = 0; j < 9; j++)
        cr_assert_eq(out[j], (double)block[(5 + 3 * j) % 7]);
    bm_values_gather(&values, 2, UINT64_C(1) << 40, 9, out);
    for (size_t j = 0; j < 9; j++)
        cr_assert_eq(out[j], (double)block[(2 + j * ((UINT64_C(1) << 40) % 7)) % 7]);
}
