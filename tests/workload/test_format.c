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

/* 2^exponent x mantissa / 128: as wide as a float, of which the lower half of the bits is left out. */
static double bfloat_by_definition(uint16_t bits) {
    const int exponent = bits >> 7 & 255, mantissa = bits & 127;
    const double sign = bits & 0x8000 ? -1 : 1;
    if (exponent == 255)
        return mantissa ? (double)NAN : sign * (double)INFINITY;
    return sign * (exponent ? ldexp(128 + mantissa, exponent - 134) : ldexp(mantissa, -133));
}

Test(format, every_bfloat_converts_both_ways_exactly) {
    for (unsigned bits = 0; bits <= 0xffff; bits++) {
        const double expected = bfloat_by_definition((uint16_t)bits);
        const float value = bm_bfloat_to_float((uint16_t)bits);
        if (isnan(expected)) {
            cr_assert(isnan(value), "%04x", bits);
            cr_assert_eq(bm_bfloat_from_float(value), bits | 0x40,
                         "%04x: a NaN keeps its payload and is quiet", bits);
            continue;
        }
        cr_assert_eq((double)value, expected, "%04x", bits);
        cr_assert_eq(signbit(value) != 0, bits >> 15, "%04x", bits);
        cr_assert_eq(bm_bfloat_from_float(value), bits, "%04x", bits);
    }
}

Test(format, between_two_bfloats_the_nearest_wins_and_ties_go_to_even) {
    for (unsigned bits = 0; bits < 0x7f80; bits++) {
        const double low = bfloat_by_definition((uint16_t)bits);
        /* Above the largest the next would be 2^128, which is infinity. */
        const double high = bits == 0x7f7f ? 0x1p128 : bfloat_by_definition((uint16_t)(bits + 1));
        const float middle = (float)((low + high) / 2);
        for (unsigned sign = 0; sign <= 0x8000; sign += 0x8000) {
            const float s = sign ? -1.0f : 1.0f;
            cr_assert_eq(bm_bfloat_from_float(s * middle), sign | (bits + (bits & 1)), "tie above %04x",
                         bits);
            cr_assert_eq(bm_bfloat_from_float(s * nextafterf(middle, 0)), sign | bits, "below the tie, %04x",
                         bits);
            cr_assert_eq(bm_bfloat_from_float(s * nextafterf(middle, INFINITY)), sign | (bits + 1),
                         "above the tie, %04x", bits);
        }
    }
}

Test(format, a_nan_whose_payload_is_cut_off_stays_one) {
    const uint32_t bits[] = {0x7f800001, 0xff800001, 0x7f80ffff, 0x7fffffff, 0xffffffff};
    const uint16_t bfloats[] = {0x7fc0, 0xffc0, 0x7fc0, 0x7fff, 0xffff};
    for (size_t i = 0; i < BM_COUNT_OF(bits); i++) {
        float value;
        memcpy(&value, &bits[i], sizeof(value));
        cr_assert_eq(bm_bfloat_from_float(value), bfloats[i], "%08x", (unsigned)bits[i]);
        cr_assert((bm_half_from_float(value) & 0x7fff) > 0x7c00, "%08x", (unsigned)bits[i]);
    }
}

Test(format, sizes_are_in_whole_bytes) {
    static const struct {
        enum bm_element element;
        const char *name;
        double each;
        uint64_t one, five;
    } table[] = {{BM_ELEMENT_F32, "f32", 4, 4, 20},
                 {BM_ELEMENT_F16, "f16", 2, 2, 10},
                 {BM_ELEMENT_BF16, "bf16", 2, 2, 10},
                 {BM_ELEMENT_I8, "i8", 1, 1, 5},
                 {BM_ELEMENT_I4, "i4", 0.5, 1, 3}};
    cr_assert_eq(BM_COUNT_OF(table), BM_ELEMENT_COUNT);
    for (size_t i = 0; i < BM_COUNT_OF(table); i++) {
        const enum bm_element element = table[i].element;
        cr_expect_str_eq(bm_element_name(element), table[i].name);
        cr_expect_eq(bm_element_bytes_each(element), table[i].each);
        cr_expect_eq(bm_element_size(element, 0), 0);
        cr_expect_eq(bm_element_size(element, 1), table[i].one);
        cr_expect_eq(bm_element_size(element, 5), table[i].five);
        cr_expect_eq(bm_element_size(element, UINT64_C(1) << 60),
                     (uint64_t)(table[i].each * 2) * (UINT64_C(1) << 59), "no overflow");
        cr_expect_eq(bm_element_fit(element, table[i].five), element == BM_ELEMENT_I4 ? 6 : 5);
        cr_expect_eq(bm_element_fit(element, 100), (uint64_t)(100 / table[i].each));
    }
}

Test(format, elements_are_read_and_written_in_their_format) {
    const float floats[] = {1.5f, -2.25f, 1e30f};
    const uint16_t halves[] = {0x3c00, 0xc000, 0x0001}, bfloats[] = {0x3f80, 0xc000, 0x0001};
    const int8_t bytes[] = {0, -128, 127};
    const uint8_t nibbles[] = {0x80, 0x1f}; /* 0 - 8, 8 - 8, 15 - 8, 1 - 8 */
    cr_assert_eq(bm_element_load(BM_ELEMENT_F32, floats, 2), 1e30f);
    cr_assert_eq(bm_element_load(BM_ELEMENT_F16, halves, 1), -2.0f);
    cr_assert_eq(bm_element_load(BM_ELEMENT_F16, halves, 2), 0x1p-24f);
    cr_assert_eq(bm_element_load(BM_ELEMENT_BF16, bfloats, 0), 1.0f);
    cr_assert_eq(bm_element_load(BM_ELEMENT_BF16, bfloats, 2), 0x1p-133f);
    cr_assert_eq(bm_element_load(BM_ELEMENT_I8, bytes, 1), -128.0f);
    cr_assert_eq(bm_element_load(BM_ELEMENT_I8, bytes, 2), 127.0f);
    static const float expected[] = {-8, 0, 7, -7};
    for (size_t i = 0; i < BM_COUNT_OF(expected); i++)
        cr_assert_eq(bm_element_load(BM_ELEMENT_I4, nibbles, i), expected[i], "nibble %zu", i);

    for (unsigned e = 0; e < BM_ELEMENT_COUNT; e++) /* whatever lies beside it stays */
        for (unsigned index = 0; index < 3; index++) {
            const enum bm_element element = (enum bm_element)e;
            uint8_t data[16], before[16];
            memset(data, 0xa5, sizeof(data));
            memcpy(before, data, sizeof(before));
            bm_element_store(element, data, index, -3);
            cr_assert_eq(bm_element_load(element, data, index), -3.0f);
            for (unsigned other = 0; other < 4; other++)
                if (other != index)
                    cr_assert_eq(bm_element_load(element, data, other),
                                 bm_element_load(element, before, other), "format %u: %u beside %u", e, other,
                                 index);
            bm_element_store(element, data, index, bm_element_load(element, before, index));
            cr_assert_eq(memcmp(data, before, sizeof(data)), 0, "format %u, element %u", e, index);
        }
}

/* In float64: the nearest integer, of two the even one, within the format's range. */
static double integer_by_definition(double value, double low, double high) {
    double below = floor(value), rest = value - below;
    if (rest > 0.5 || (rest == 0.5 && fmod(below, 2) != 0))
        below += 1;
    return below < low ? low : below > high ? high : below;
}

Test(format, integers_round_to_even_and_clamp) {
    for (int quarter = -600; quarter <= 600; quarter++) {
        const float value = (float)quarter / 4;
        int8_t byte;
        uint8_t nibbles = 0;
        bm_element_store(BM_ELEMENT_I8, &byte, 0, value);
        cr_assert_eq(byte, integer_by_definition((double)value, -128, 127), "%g", (double)value);
        bm_element_store(BM_ELEMENT_I4, &nibbles, 0, value);
        bm_element_store(BM_ELEMENT_I4, &nibbles, 1, -value);
        cr_assert_eq((nibbles & 15) - 8, integer_by_definition((double)value, -8, 7), "%g", (double)value);
        cr_assert_eq((nibbles >> 4) - 8, integer_by_definition(-(double)value, -8, 7), "%g", (double)value);
    }
    static const struct {
        float value, i8, i4;
    } extremes[] = {{INFINITY, 127, 7}, {-INFINITY, -128, -8}, {NAN, 0, 0}, {3e38f, 127, 7}};
    for (size_t i = 0; i < BM_COUNT_OF(extremes); i++) {
        uint8_t data[1] = {0};
        bm_element_store(BM_ELEMENT_I8, data, 0, extremes[i].value);
        cr_assert_eq(bm_element_load(BM_ELEMENT_I8, data, 0), extremes[i].i8);
        bm_element_store(BM_ELEMENT_I4, data, 0, extremes[i].value);
        cr_assert_eq(bm_element_load(BM_ELEMENT_I4, data, 0), extremes[i].i4);
    }
}

Test(dtypes, weights_and_their_scales) {
    static const struct {
        const char *name, *activations;
        uint64_t scales; /* of 3 channels of 70 weights */
        double bytes;    /* of 16 channels of 64 weights */
    } table[] = {{"f32", "f32", 0, 4096},
                 {"f16", "f16", 0, 2048},
                 {"bf16", "bf16", 0, 2048},
                 {"int8", "f32", 3, 1024 + 64},
                 {"int8af32", "f32", 3, 1024 + 64},
                 {"int8af16", "f16", 3, 1024 + 64},
                 {"int4af32", "f32", 9, 0.5625 * 1024},
                 {"int4af16", "f16", 9, 0.5625 * 1024}};
    for (size_t i = 0; i < BM_COUNT_OF(table); i++) {
        const struct bm_dtype *dtype = bm_dtype_get(i);
        cr_assert_not_null(dtype);
        cr_expect_str_eq(dtype->name, table[i].name);
        cr_expect(dtype->summary && *dtype->summary);
        cr_expect_not_null(strstr(bm_dtype_names(), dtype->name), "%s", dtype->name);
        cr_expect_eq(bm_dtype_scale_count(dtype, 3, 70), table[i].scales, "%s", dtype->name);
        cr_expect_eq(bm_dtype_weight_bytes(dtype, 16, 64), table[i].bytes, "%s", dtype->name);
        const struct bm_dtype *activations = bm_dtype_of_activations(dtype);
        cr_assert_not_null(activations, "%s", dtype->name);
        cr_expect_str_eq(activations->name, table[i].activations);
        cr_expect_eq(activations->activation, dtype->activation);
        cr_expect_eq(activations->output, dtype->output);
        cr_expect_eq(activations->kv, dtype->kv, "%s", dtype->name);
        cr_expect_eq(dtype->quantised_activations, strcmp(dtype->name, "int8") == 0);
        cr_expect_eq(dtype->kv, dtype->activation == BM_ELEMENT_F32 ? BM_ELEMENT_F32 : BM_ELEMENT_F16);
    }
    cr_assert_null(bm_dtype_get(BM_COUNT_OF(table)));
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

/* Every format's values are those of f32 with the same seed, rounded. */
Test(values, of_every_format_are_the_same_normals_rounded) {
    struct bm_values f32, values;
    cr_assert_eq(bm_values_init(&f32, BM_ELEMENT_F32, 8, NULL), BM_OK);
    for (unsigned e = 0; e < BM_ELEMENT_COUNT; e++) {
        const enum bm_element element = (enum bm_element)e;
        size_t seen[16] = {0};
        cr_assert_eq(bm_values_init(&values, element, 8, NULL), BM_OK);
        cr_assert(values.element == element && values.period == f32.period);
        for (size_t i = 0; i < values.period; i++) {
            const double normal = (double)f32.values[i];
            const float value = values.values[i];
            uint32_t packed = 0;
            bm_element_store(element, &packed, 0, value);
            cr_assert_eq(bm_element_load(element, &packed, 0), value, "%s holds %g", bm_element_name(element),
                         (double)value);
            if (element == BM_ELEMENT_I8)
                cr_assert_eq((double)value, integer_by_definition(32 * normal, -127, 127));
            else if (element == BM_ELEMENT_I4)
                cr_assert_eq((double)value, integer_by_definition(2.5 * normal, -8, 7));
            else
                cr_assert(fabs((double)value - normal) <= fabs(normal) * (element == BM_ELEMENT_F32 ? 0
                                                                          : element == BM_ELEMENT_F16
                                                                              ? 0x1p-11
                                                                              : 0x1p-8));
            if (element == BM_ELEMENT_I4)
                seen[(int)value + 8]++;
        }
        for (size_t i = 0; element == BM_ELEMENT_I4 && i < 16; i++)
            cr_expect(seen[i] > values.period / 2000, "%zu occurs %zu times", i, seen[i]);
        bm_values_fini(&values);
    }
    bm_values_fini(&f32);
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
