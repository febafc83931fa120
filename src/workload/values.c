/* Input values, and reading them for a reference. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static float value_of(enum bm_element element, float normal) {
    uint32_t packed[1] = {0};
    if (element == BM_ELEMENT_I8)
        return fminf(fmaxf(rintf(32 * normal), -127), 127);
    if (element == BM_ELEMENT_I4)
        normal *= 2.5f;
    bm_element_store(element, packed, 0, normal);
    return bm_element_load(element, packed, 0);
}

/* The largest prime below 2^22: 16 MiB as f32, far more than an L2, and shifted copies of it never coincide
 * with the powers of two that tensors and offsets are made of. */
#define VALUES_PERIOD 4194301u

enum bm_status bm_values_init(struct bm_values *values, enum bm_element element, uint64_t seed,
                              struct bm_error *error) {
    struct bm_random random;

    *values = (struct bm_values){.element = element};
    float *block = bm_alloc(VALUES_PERIOD, sizeof(*block));
    if (!block)
        return bm_fail(error, BM_NO_MEMORY, "no memory for %u input values", VALUES_PERIOD);
    bm_random_init(&random, seed);
    for (size_t i = 0; i < VALUES_PERIOD; i++) {
        float value;
        do
            value = (float)bm_random_normal(&random);
        while (fabsf(value) < 0x1p-10f);
        block[i] = value_of(element, value);
    }
    values->period = VALUES_PERIOD;
    values->values = block;
    return BM_OK;
}

void bm_values_fini(struct bm_values *values) {
    if (!values)
        return;
    free(values->values);
    *values = (struct bm_values){0};
}

void bm_values_gather(const struct bm_values *values, uint64_t start, uint64_t stride, size_t count,
                      double *out) {
    const size_t period = values->period, step = (size_t)(stride % period);
    size_t position = (size_t)(start % period);

    for (size_t j = 0; j < count; j++) {
        out[j] = (double)values->values[position];
        position += step;
        if (position >= period)
            position -= period;
    }
}

double bm_values_dot(const struct bm_operands *operands, unsigned tensor, uint64_t index, const double *x,
                     size_t count) {
    const struct bm_values *values = operands->values[tensor];
    size_t position = bm_values_position(operands, tensor, index);
    double sum[8] = {0}; /* independent sums, so that additions overlap */

    while (count) {
        const size_t left = values->period - position, run = count < left ? count : left;
        const float *value = values->values + position;
        size_t i = 0;
        for (; i + 8 <= run; i += 8)
            for (size_t j = 0; j < 8; j++)
                sum[j] += x[i + j] * (double)value[i + j];
        for (; i < run; i++)
            sum[0] += x[i] * (double)value[i];
        x += run;
        count -= run;
        position = 0;
    }
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

double bm_values_sum(const struct bm_operands *operands, unsigned tensor, uint64_t index, size_t count) {
    const struct bm_values *values = operands->values[tensor];
    size_t position = bm_values_position(operands, tensor, index);
    double sum[8] = {0};

    while (count) {
        const size_t left = values->period - position, run = count < left ? count : left;
        const float *value = values->values + position;
        size_t i = 0;
        for (; i + 8 <= run; i += 8)
            for (size_t j = 0; j < 8; j++)
                sum[j] += (double)value[i + j];
        for (; i < run; i++)
            sum[0] += (double)value[i];
        count -= run;
        position = 0;
    }
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

uint64_t bm_sample(uint64_t seed, uint64_t index, uint64_t bound) {
    struct bm_random random;
    bm_random_init(&random, bm_hash(&index, sizeof(index), seed));
    return bm_random_below(&random, bound);
}

enum bm_status bm_check_begin(struct bm_check *check, uint64_t index, uint64_t count,
                              struct bm_error *error) {
    check->output = 0;
    check->first = 0;
    check->count = 0;
    check->scale = 1;
    if (index >= count)
        return bm_fail(error, BM_INTERNAL, "check %llu of %llu", (unsigned long long)index,
                       (unsigned long long)count);
    return BM_OK;
}
