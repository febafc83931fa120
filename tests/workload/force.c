/* Operands of which every element is known, and the comparison with a truth found by brute force. */
#include "force.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

enum { PERIOD = 1009 };

struct bm_values force_values;
struct bm_operands force_operands;
const char *const force_formats[] = {"f32", "int8", "int8af32", "int4af16"};

void force_begin(void) {
    struct bm_random random;
    bm_random_init(&random, 3);
    force_values = (struct bm_values){.period = PERIOD, .values = calloc(PERIOD, sizeof(float))};
    for (size_t i = 0; i < PERIOD; i++)
        force_values.values[i] = (float)bm_random_normal(&random);
    for (unsigned t = 0; t < BM_COUNT_OF(force_operands.values); t++) {
        force_operands.values[t] = &force_values;
        force_operands.start[t] = UINT64_C(64) * (3 + 17 * t);
    }
}

double force_element(unsigned tensor, uint64_t index) {
    return (double)force_values.values[(force_operands.start[tensor] + index) % PERIOD];
}

double *force_activations(const struct bm_case *c) {
    double *x = calloc(c->m * c->k, sizeof(*x));
    for (uint64_t i = 0; i < c->m; i++) {
        float largest = 0;
        for (uint64_t k = 0; k < c->k; k++) {
            x[i * c->k + k] = force_element(1, i * c->k + k);
            largest = fmaxf(largest, fabsf((float)x[i * c->k + k]));
        }
        for (uint64_t k = 0; k < c->k && c->dtype->quantised_activations; k++) {
            const float step = largest / 127;
            x[i * c->k + k] = (double)(rintf((float)x[i * c->k + k] / step)) * (double)step;
        }
    }
    return x;
}

void force_compare(const struct bm_case *c, const struct bm_plan *plan, const double *truth, uint64_t outputs,
                   uint64_t seed, unsigned char *touched) {
    static struct bm_check check, again;
    struct bm_error error = {0};
    const uint64_t count = c->workload->check_count(c, plan);
    for (uint64_t i = 0; i < count; i++) {
        cr_assert_eq(c->workload->check(c, plan, &force_operands, seed, i, &check, &error), BM_OK, "%s",
                     error.message);
        cr_assert(check.count >= 1 && check.count <= BM_CHECK_OUTPUTS);
        cr_assert(check.first + check.count <= outputs, "%s check %llu", c->workload->name,
                  (unsigned long long)i);
        cr_assert(check.scale > 0 && isfinite(check.scale));
        for (unsigned j = 0; j < check.count; j++) {
            const double expected = truth[check.first + j];
            cr_assert(fabs(check.expected[j] - expected) <= 1e-11 * fmax(fabs(expected), check.scale),
                      "%s output %llu: %.17g, should be %.17g", c->workload->name,
                      (unsigned long long)(check.first + j), check.expected[j], expected);
            touched[check.first + j] = 1;
        }
        cr_assert_eq(c->workload->check(c, plan, &force_operands, seed, i, &again, &error), BM_OK);
        cr_assert_eq(again.first, check.first, "the sample depends on seed and index alone");
    }
    cr_assert_eq(c->workload->check(c, plan, &force_operands, seed, count, &check, NULL), BM_INTERNAL);
}

void force_plan(const struct bm_case *c, bool is_gpu, const char *name, int64_t value, struct bm_plan *plan) {
    const struct bm_target target = {.is_gpu = is_gpu,
                                     .compute_units = 4,
                                     .max_group_items = 1024,
                                     .local_bytes = 65536,
                                     .max_allocation_bytes = UINT64_C(1) << 40};
    struct bm_parameters parameters = {0};
    struct bm_error error = {0};
    if (name)
        bm_parameters_set(&parameters, name, value);
    cr_assert_eq(c->workload->plan(c, &target, &parameters, plan, &error), BM_OK, "%s", error.message);
}
