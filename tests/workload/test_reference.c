/* The references of what mixes tokens, attention and the state space, and of ceilings. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "force.h"

/* softmax without tricks: exp of the scores themselves */
static double *attention_by_force(const struct bm_case *c) {
    const bool decode = c->phase == BM_PHASE_DECODE, int8 = c->kv == BM_KV_INT8;
    const uint64_t tokens = decode ? 1 : c->tokens, context = decode ? c->context : c->context + c->tokens;
    double *out = calloc((size_t)(c->batch * tokens * c->heads * c->v_dim), sizeof(*out));
    for (uint64_t b = 0; b < c->batch; b++)
        for (uint64_t t = 0; t < tokens; t++)
            for (uint64_t h = 0; h < c->heads; h++) {
                const uint64_t kv = b * c->kv_heads + h * c->kv_heads / c->heads,
                               row = (b * tokens + t) * c->heads + h;
                const uint64_t seen = !decode && c->window && c->window < context ? c->window : context;
                double total = c->sinks ? exp(force_element(int8 ? 6 : 4, h)) * sqrt((double)seen) : 0;
                for (uint64_t j = 0; j < context; j++) {
                    if (!decode && (j > c->context + t || (c->window && j + c->window <= c->context + t)))
                        continue;
                    double score = 0;
                    const double key_scale = int8 ? force_element(4, kv * context + j) / 32 : 1;
                    const double value_scale = int8 ? force_element(5, kv * context + j) : 1;
                    for (uint64_t d = 0; d < c->head_dim; d++)
                        score += force_element(0, row * c->head_dim + d) *
                                 force_element(1, (kv * context + j) * c->head_dim + d);
                    const double weight = exp(score * key_scale / sqrt(c->head_dim));
                    total += weight;
                    for (uint64_t d = 0; d < c->v_dim; d++)
                        out[row * c->v_dim + d] +=
                            weight * value_scale * force_element(2, (kv * context + j) * c->v_dim + d);
                }
                for (uint64_t d = 0; d < c->v_dim; d++)
                    out[row * c->v_dim + d] /= total;
            }
    return out;
}

Test(reference, attention) {
    static const struct bm_case shapes[] = {
        {.phase = BM_PHASE_PREFILL,
         .batch = 2,
         .heads = 4,
         .kv_heads = 2,
         .head_dim = 5,
         .v_dim = 3,
         .tokens = 30},
        {.phase = BM_PHASE_PREFILL,
         .batch = 1,
         .heads = 3,
         .kv_heads = 3,
         .head_dim = 8,
         .v_dim = 8,
         .tokens = 1,
         .context = 9},
        {.phase = BM_PHASE_PREFILL,
         .batch = 1,
         .heads = 2,
         .kv_heads = 1,
         .head_dim = 4,
         .v_dim = 6,
         .tokens = 13,
         .context = 40},
        {.phase = BM_PHASE_PREFILL,
         .batch = 2,
         .heads = 2,
         .kv_heads = 1,
         .head_dim = 4,
         .v_dim = 6,
         .tokens = 23,
         .context = 10,
         .window = 7},
        {.phase = BM_PHASE_PREFILL,
         .batch = 1,
         .heads = 2,
         .kv_heads = 2,
         .head_dim = 6,
         .v_dim = 5,
         .tokens = 19,
         .context = 3,
         .kv = BM_KV_INT8},
        {.phase = BM_PHASE_DECODE,
         .batch = 2,
         .heads = 6,
         .kv_heads = 3,
         .head_dim = 7,
         .v_dim = 9,
         .tokens = 1,
         .context = 57,
         .kv = BM_KV_INT8},
        {.phase = BM_PHASE_DECODE,
         .batch = 3,
         .heads = 6,
         .kv_heads = 2,
         .head_dim = 7,
         .v_dim = 9,
         .tokens = 1,
         .context = 57},
        {.phase = BM_PHASE_DECODE,
         .batch = 1,
         .heads = 5,
         .kv_heads = 1,
         .head_dim = 16,
         .v_dim = 16,
         .tokens = 1,
         .context = 1},
    };
    force_begin();
    for (size_t s = 0; s < 2 * BM_COUNT_OF(shapes); s++) {
        struct bm_case c = shapes[s / 2];
        struct bm_plan plan;
        c.sinks = s % 2;
        c.workload = bm_workload_find("attention");
        c.dtype = bm_dtype_find("f32");
        force_plan(&c, false, NULL, 0, &plan);
        const bool decode = c.phase == BM_PHASE_DECODE;
        const uint64_t tokens = decode ? 1 : c.tokens, rows = c.batch * tokens * c.heads;
        double *truth = attention_by_force(&c);
        unsigned char *touched = calloc((size_t)(rows * c.v_dim), 1);
        force_compare(&c, &plan, truth, rows * c.v_dim, 99, touched);
        const uint64_t tile = decode ? 1 : (uint64_t)bm_parameters_get(&plan.defines, "ROW_TILE", 0);
        for (uint64_t b = 0; b < c.batch; b++)
            for (uint64_t h = 0; h < c.heads; h++)
                for (uint64_t t0 = 0; t0 < tokens; t0 += tile) {
                    bool seen = false;
                    for (uint64_t t = t0; t < tokens && t < t0 + tile; t++)
                        seen |= touched[((b * tokens + t) * c.heads + h) * c.v_dim];
                    cr_assert(seen);
                }
        free(touched);
        free(truth);
    }
}

/* Keys of zero make all scores 0: four keys weigh 4, a sink of 0 among them 2 (its shift is ln 4 / 2), of a
 * window of one key 1, and it adds nothing to the sum of values. */
Test(reference, a_sink_takes_its_share) {
    static float one[] = {1}, zero[] = {0}, six[] = {6}, sinks[] = {0, 0.693147181f};
    static struct bm_values values[] = {{.values = one, .period = 1},
                                        {.values = zero, .period = 1},
                                        {.values = six, .period = 1},
                                        {.values = zero, .period = 1},
                                        {.values = sinks, .period = 2}};
    struct bm_case c = {.workload = bm_workload_find("attention"),
                        .phase = BM_PHASE_DECODE,
                        .dtype = bm_dtype_find("f32"),
                        .batch = 1,
                        .heads = 2,
                        .kv_heads = 1,
                        .head_dim = 1,
                        .v_dim = 1,
                        .context = 4,
                        .sinks = true};
    struct bm_operands operands = {0};
    struct bm_check check;
    struct bm_plan plan;
    for (size_t t = 0; t < BM_COUNT_OF(values); t++)
        operands.values[t] = &values[t];
    const double expected[] = {4.0 * 6 / (4 + 2), 4.0 * 6 / (4 + 4)};
    force_plan(&c, false, NULL, 0, &plan);
    cr_assert_str_eq(plan.tensors[4].name, "sinks");
    for (uint64_t head = 0; head < 2; head++) {
        cr_assert_eq(c.workload->check(&c, &plan, &operands, 1, head, &check, NULL), BM_OK);
        cr_expect_eq(check.first, head);
        cr_expect_float_eq(check.expected[0], expected[head], 1e-7);
        cr_expect_float_eq(check.scale, expected[head] / 12, 1e-7, "as large as a mean of normals");
    }
    c.phase = BM_PHASE_PREFILL;
    c.tokens = 1;
    c.window = 1;
    force_plan(&c, false, NULL, 0, &plan);
    cr_assert_eq(c.workload->check(&c, &plan, &operands, 1, 1, &check, NULL), BM_OK);
    cr_expect_float_eq(check.expected[0], 6.0 / (1 + 2), 1e-7);
}

Test(reference, long_decode_is_sampled_among_the_heads_of_a_group) {
    struct bm_case c = {.workload = bm_workload_find("attention"),
                        .phase = BM_PHASE_DECODE,
                        .dtype = bm_dtype_find("f32"),
                        .batch = 8,
                        .heads = 64,
                        .kv_heads = 8,
                        .head_dim = 128,
                        .v_dim = 128,
                        .context = 32768};
    struct bm_plan plan;
    force_plan(&c, false, "DECODE_ROWS", 4, &plan);
    cr_assert_eq(c.workload->check_count(&c, &plan), 128);
    c.context = 1024;
    force_plan(&c, false, "DECODE_ROWS", 4, &plan);
    cr_assert_eq(c.workload->check_count(&c, &plan), 512);
}

/* The recurrence itself, token by token: outputs, then the last state. Before the first token it is zeros,
 * or, in decode, tensor 5. */
static void scan_by_force(const struct bm_case *c, double *out, double *states) {
    const uint64_t tokens = c->phase == BM_PHASE_DECODE ? 1 : c->tokens, p = c->head_dim, n = c->n;
    const uint64_t width = c->heads * p + 2 * c->groups * n;
    for (uint64_t b = 0; b < c->batch; b++)
        for (uint64_t h = 0; h < c->heads; h++) {
            double *state = states + (b * c->heads + h) * n * p;
            for (uint64_t i = 0; i < n * p; i++)
                state[i] = c->phase == BM_PHASE_DECODE ? force_element(5, (b * c->heads + h) * n * p + i) : 0;
            for (uint64_t t = 0; t < tokens; t++) {
                const uint64_t token = b * tokens + t, x = token * width + h * p;
                const uint64_t in = token * width + c->heads * p + h / (c->heads / c->groups) * n,
                               to = in + c->groups * n;
                const double step =
                    log(1 + exp(force_element(3, token * c->heads + h) + force_element(4, 2 * c->heads + h)));
                const double left = exp(-step * exp(force_element(4, h)));
                for (uint64_t i = 0; i < p; i++) {
                    double *y = &out[(token * c->heads + h) * p + i];
                    *y = force_element(4, c->heads + h) * force_element(2, x + i);
                    for (uint64_t j = 0; j < n; j++) {
                        double *s = &state[j * p + i];
                        *s = left * *s + step * force_element(2, in + j) * force_element(2, x + i);
                        *y += force_element(2, to + j) * *s;
                    }
                }
            }
        }
}

Test(reference, mamba_scan_is_the_recurrence) {
    static const uint32_t shapes[][2] = {{1, 0}, {3, 0}, {1, 1}, {2, 37}};
    force_begin();
    for (size_t s = 0; s < BM_COUNT_OF(shapes); s++) {
        const bool decode = shapes[s][1] == 0;
        const struct bm_case c = {.workload = bm_workload_find("mamba_scan"),
                                  .phase = decode ? BM_PHASE_DECODE : BM_PHASE_PREFILL,
                                  .dtype = bm_dtype_find("f32"),
                                  .batch = shapes[s][0],
                                  .tokens = decode ? 1 : shapes[s][1],
                                  .heads = 6,
                                  .head_dim = 5,
                                  .n = 8,
                                  .k = 16,
                                  .groups = 3};
        const uint64_t outputs = (uint64_t)c.batch * c.tokens * 30, states = (uint64_t)c.batch * 240;
        double *truth[2] = {calloc(outputs, sizeof(double)), calloc(states, sizeof(double))};
        unsigned char *touched[2] = {calloc(outputs, 1), calloc(states, 1)};
        struct bm_check *check = calloc(1, sizeof(*check));
        struct bm_plan plan;
        force_plan(&c, false, NULL, 0, &plan);
        scan_by_force(&c, truth[0], truth[1]);
        for (uint64_t i = 0; i < c.workload->check_count(&c, &plan); i++) {
            cr_assert_eq(c.workload->check(&c, &plan, &force_operands, 1, i, check, NULL), BM_OK);
            for (unsigned j = 0; j < check->count; j++) {
                touched[check->output][check->first + j] = 1;
                cr_assert_float_eq(check->expected[j], truth[check->output][check->first + j], 1e-9);
            }
        }
        for (uint64_t i = 0; i < outputs; i++)
            cr_assert(touched[0][i]);
        for (uint64_t i = 0; i < states; i++)
            cr_assert(touched[1][i]);
        for (unsigned i = 0; i < 2; i++) {
            free(truth[i]);
            free(touched[i]);
        }
        free(check);
    }
}

Test(reference, ceilings) {
    struct bm_case cases[3];
    struct bm_plan plan;
    force_begin();
    cr_assert_eq(bm_ceiling_cases(400004, cases, 3), 3);
    cases[2].n = 3000;
    cases[2].k = 77;
    for (size_t i = 0; i < 3; i++) {
        force_plan(&cases[i], false, NULL, 0, &plan);
        const uint64_t outputs = plan.tensors[1].count;
        double *truth = calloc(outputs, sizeof(*truth));
        unsigned char *touched = calloc(outputs, 1);
        if (!strcmp(cases[i].op, "read"))
            for (uint64_t j = 0; j < 100001; j++)
                truth[j / 16384] += force_element(0, j);
        for (uint64_t j = 0; j < outputs; j++) {
            if (!strcmp(cases[i].op, "copy"))
                truth[j] = force_element(0, j);
            if (!strcmp(cases[i].workload->name, "fma")) {
                truth[j] = force_element(0, j);
                for (int step = 0; step < 77; step++)
                    truth[j] = truth[j] * -(1 - 0x1p-12) + 1;
            }
        }
        cr_assert_eq(outputs, !strcmp(cases[i].op, "read") ? 7 : !strcmp(cases[i].op, "copy") ? 50000 : 3000);
        force_compare(&cases[i], &plan, truth, outputs, 1, touched);
        for (uint64_t j = 0; j < outputs; j++)
            cr_assert(touched[j]);
        free(touched);
        free(truth);
    }
}
