/* Number formats: IEEE 754 binary16 by integer arithmetic alone, so that every compiler and machine agrees.
 */
#include <string.h>

#include "bm/workload.h"

size_t bm_element_bytes(enum bm_element element) {
    return element == BM_ELEMENT_F16 ? 2 : 4;
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

float bm_element_load(enum bm_element element, const void *data, uint64_t index) {
    if (element == BM_ELEMENT_F16) {
        uint16_t half;
        memcpy(&half, (const char *)data + 2 * index, sizeof(half));
        return bm_half_to_float(half);
    }
    float value;
    memcpy(&value, (const char *)data + 4 * index, sizeof(value));
    return value;
}
