/* Number formats: binary16 and bfloat16 by integer arithmetic alone, so that every compiler and machine
 * agrees. */
#include <math.h>
#include <string.h>

#include "bm/workload.h"

static const struct {
    const char *name;
    uint32_t bits;
} elements[] = {
    [BM_ELEMENT_F32] = {"f32", 32}, [BM_ELEMENT_F16] = {"f16", 16}, [BM_ELEMENT_BF16] = {"bf16", 16},
    [BM_ELEMENT_I8] = {"i8", 8},    [BM_ELEMENT_I4] = {"i4", 4},    [BM_ELEMENT_COUNT] = {"i32", 32},
};

const char *bm_element_name(enum bm_element element) {
    return elements[element].name;
}

/* In bytes from the start: counts near 2^60 in bits would not fit. */
uint64_t bm_element_size(enum bm_element element, uint64_t count) {
    const uint32_t bits = elements[element].bits;
    return bits < 8 ? count / 2 + count % 2 : count * (bits / 8);
}

uint64_t bm_element_fit(enum bm_element element, uint64_t bytes) {
    const uint32_t bits = elements[element].bits;
    return bits < 8 ? bytes * 2 : bytes / (bits / 8);
}

double bm_element_bytes_each(enum bm_element element) {
    return (double)elements[element].bits / 8;
}

uint16_t bm_half_from_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    const uint32_t magnitude = bits & 0x7fffffffu;

    if (magnitude > 0x7f800000u) /* NaN: keep the top of the payload, make it quiet */
        return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x03ffu));
    if (magnitude >= 0x477ff000u) /* 65520 and more round to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude >=
        0x38800000u) { /* normal: rebias the exponent; a carry out of the mantissa is right too */
        const uint32_t rebiased = magnitude - (112u << 23);
        return (uint16_t)(sign | ((rebiased + 0x0fffu + (rebiased >> 13 & 1u)) >> 13));
    }
    if (magnitude <= 0x33000000u) /* 2^-25, half of the smallest denormal, and less */
        return sign;
    const uint32_t mantissa = (magnitude & 0x007fffffu) | 0x00800000u;
    const unsigned shift = 126u - (magnitude >> 23); /* 14 to 24 */
    const uint32_t kept = mantissa >> shift, dropped = mantissa & ((1u << shift) - 1u),
                   tie = 1u << (shift - 1u);
    return (uint16_t)(sign | (kept + (dropped > tie || (dropped == tie && (kept & 1u)))));
}

float bm_half_to_float(uint16_t bits) {
    const uint32_t sign = (uint32_t)(bits & 0x8000u) << 16, exponent = bits >> 10 & 0x1fu;
    uint32_t mantissa = bits & 0x03ffu, wide;

    if (exponent == 0x1fu)
        wide = sign | 0x7f800000u | mantissa << 13;
    else if (exponent)
        wide = sign | (exponent + 112u) << 23 | mantissa << 13;
    else if (!mantissa)
        wide = sign;
    else { /* denormal: mantissa x 2^-24 */
        uint32_t rebiased = 113u;
        for (; !(mantissa & 0x0400u); mantissa <<= 1)
            rebiased--;
        wide = sign | rebiased << 23 | (mantissa & 0x03ffu) << 13;
    }
    float value;
    memcpy(&value, &wide, sizeof(value));
    return value;
}

uint16_t bm_bfloat_from_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    if ((bits & 0x7fffffffu) > 0x7f800000u) /* NaN: keep the top of the payload, make it quiet */
        return (uint16_t)(bits >> 16 | 0x0040u);
    /* A carry out of the mantissa is right too, up to infinity. */
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

float bm_bfloat_to_float(uint16_t bits) {
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof(value));
    return value;
}

float bm_element_load(enum bm_element element, const void *data, uint64_t index) {
    const uint8_t *bytes = data;
    uint16_t half;
    float value = 0;
    switch (element) {
    case BM_ELEMENT_F32:
        memcpy(&value, bytes + 4 * index, sizeof(value));
        break;
    case BM_ELEMENT_F16:
        memcpy(&half, bytes + 2 * index, sizeof(half));
        value = bm_half_to_float(half);
        break;
    case BM_ELEMENT_BF16:
        memcpy(&half, bytes + 2 * index, sizeof(half));
        value = bm_bfloat_to_float(half);
        break;
    case BM_ELEMENT_I8:
        value = (float)(int8_t)bytes[index];
        break;
    case BM_ELEMENT_I4:
        value = (float)((bytes[index / 2] >> (index % 2 * 4) & 0xf) - 8);
        break;
    }
    return value;
}

static int32_t round_within(float value, float low, float high) {
    if (isnan(value))
        return 0;
    return (int32_t)rintf(value < low ? low : value > high ? high : value);
}

void bm_element_store(enum bm_element element, void *data, uint64_t index, float value) {
    uint8_t *bytes = data;
    uint16_t half;
    switch (element) {
    case BM_ELEMENT_F32:
        memcpy(bytes + 4 * index, &value, sizeof(value));
        break;
    case BM_ELEMENT_F16:
        half = bm_half_from_float(value);
        memcpy(bytes + 2 * index, &half, sizeof(half));
        break;
    case BM_ELEMENT_BF16:
        half = bm_bfloat_from_float(value);
        memcpy(bytes + 2 * index, &half, sizeof(half));
        break;
    case BM_ELEMENT_I8:
        bytes[index] = (uint8_t)round_within(value, -128, 127);
        break;
    case BM_ELEMENT_I4: {
        const unsigned nibble = (unsigned)(round_within(value, -8, 7) + 8), shift = index % 2 * 4;
        bytes[index / 2] = (uint8_t)((bytes[index / 2] & ~(0xfu << shift)) | nibble << shift);
        break;
    }
    }
}
