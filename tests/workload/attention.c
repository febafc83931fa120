/* Trials of attention's kernels. */
#include "attention.h"

#include <stdlib.h>

#include "trial.h"

struct heads {
    enum bm_phase phase;
    uint32_t batch, heads, kv_heads, head_dim, v_dim, tokens, context, window;
    enum bm_kv kv;
};

static struct bm_case attention_case(const struct bm_dtype *dtype, const struct heads *heads, bool sinks) {
    return (struct bm_case){.workload = bm_workload_find("attention"),
                            .model = "-",
                            .op = "attn",
                            .phase = heads->phase,
                            .dtype = dtype,
                            .batch = heads->batch,
                            .heads = heads->heads,
                            .kv_heads = heads->kv_heads,
                            .head_dim = heads->head_dim,
                            .v_dim = heads->v_dim,
                            .tokens = heads->tokens,
                            .context = heads->context,
                            .window = heads->window,
                            .sinks = sinks,
                            .kv = heads->kv};
}

static void run_shapes(const struct heads *table, size_t count, bool sinks, bool small) {
    static const struct tuning tunings[] = {
        {false, false, ""},
        {true, false, "VEC=4 QUERY_TILE=12 KEY_TILE=16 ROW_TILE=4 DECODE_KEY_TILE=16 PREFETCH=0"},
        {false, false,
         "QUERY_TILE=5 KEY_TILE=8 COLUMN_TILE=1 DECODE_ROWS=3 DECODE_KEY_TILE=32 VEC=8 ROW_TILE=3"},
        {false, false,
         "QUERY_TILE=32 KEY_TILE=64 ROW_TILE=4 COLUMN_TILE=4 DECODE_KEY_TILE=16 DECODE_GROUPS=64"},
        {true, true,
         "LANES=8 LANES_D=4 QUERY_TILE=4 KEY_TILE=8 DECODE_LANES=8 DECODE_LANES_D=4 DECODE_KEY_TILE=8"},
        {false, true, "LANES=128 LANES_D=32 QUERY_TILE=16 KEY_TILE=32 DECODE_LANES=64 DECODE_KEY_TILE=32"},
    };

    for (size_t d = 0; bm_dtype_get(d); d++)
        for (size_t t = 0; t < BM_COUNT_OF(tunings); t++) {
            if (small && !tunings[t].small)
                continue;
            for (size_t s = 0; s < count; s++) {
                /* Each is a compilation: they take turns. Five rounds bring shapes of an int8 cache to
                 * groups. */
                const size_t turns = small ? 1 : t > 0 || d > 1 ? 5 : d + 1;
                if ((s + t + d) % turns)
                    continue;
                const struct bm_case c = attention_case(bm_dtype_get(d), &table[s], sinks);
                trial_run(&c, &tunings[t], NULL);
            }
        }
}

void attention_run(bool small) {
    static const struct heads shapes[] = {
        /* MHA, GQA and MQA; every head size of a known model; one key, tails, primes; chunks over a past */
        {BM_PHASE_PREFILL, 1, 4, 4, 64, 64, 1, 0, 0, 0},
        {BM_PHASE_PREFILL, 2, 4, 2, 64, 64, 65, 0, 0, 0},
        {BM_PHASE_PREFILL, 1, 2, 2, 64, 64, 129, 0, 0, 0},
        {BM_PHASE_PREFILL, 1, 3, 1, 80, 80, 37, 0, 0, 0},
        {BM_PHASE_PREFILL, 1, 2, 2, 128, 128, 130, 0, 0, 0},
        {BM_PHASE_PREFILL, 1, 4, 1, 128, 128, 17, 71, 0, 0},
        {BM_PHASE_PREFILL, 1, 1, 1, 64, 64, 601, 0, 0, 0},
        {BM_PHASE_PREFILL, 1, 2, 2, 192, 128, 50, 7, 0, 0},
        {BM_PHASE_PREFILL, 1, 2, 1, 256, 256, 33, 0, 0, 0},
        {BM_PHASE_PREFILL, 1, 2, 2, 33, 7, 19, 3, 0, 0},
        /* windows: of one key, across tiles, over a past, wider than everything */
        {BM_PHASE_PREFILL, 1, 4, 2, 64, 64, 65, 0, 1, 0},
        {BM_PHASE_PREFILL, 1, 8, 1, 64, 64, 200, 0, 37, 0},
        {BM_PHASE_PREFILL, 1, 2, 2, 128, 128, 70, 500, 128, 0},
        {BM_PHASE_PREFILL, 1, 2, 2, 64, 64, 40, 9, 49, 0},
        {BM_PHASE_PREFILL, 1, 2, 2, 33, 7, 19, 30, 16, 0},
        /* other caches than the dtype's */
        {BM_PHASE_PREFILL, 1, 4, 2, 80, 80, 37, 20, 0, BM_KV_INT8},
        {BM_PHASE_PREFILL, 1, 2, 2, 192, 128, 41, 0, 16, BM_KV_INT8},
        {BM_PHASE_PREFILL, 1, 2, 1, 64, 64, 41, 5, 0, BM_KV_F16},
        {BM_PHASE_DECODE, 2, 32, 8, 128, 128, 1, 1031, 0, BM_KV_INT8},
        {BM_PHASE_DECODE, 1, 3, 1, 80, 80, 1, 7, 0, BM_KV_INT8},
        {BM_PHASE_DECODE, 1, 1, 1, 64, 64, 1, 4097, 0, BM_KV_INT8},
        {BM_PHASE_DECODE, 1, 4, 2, 33, 7, 1, 67, 0, BM_KV_INT8},
        {BM_PHASE_DECODE, 1, 4, 4, 192, 128, 1, 1, 0, BM_KV_INT8},
        {BM_PHASE_DECODE, 1, 4, 1, 128, 128, 1, 300, 0, BM_KV_F16},
        {BM_PHASE_DECODE, 1, 4, 4, 64, 64, 1, 1, 0, 0},
        {BM_PHASE_DECODE, 3, 4, 4, 64, 64, 1, 257, 0, 0},
        {BM_PHASE_DECODE, 1, 3, 1, 80, 80, 1, 257, 0, 0},
        {BM_PHASE_DECODE, 1, 32, 8, 128, 128, 1, 7, 0, 0},
        {BM_PHASE_DECODE, 1, 1, 1, 128, 128, 1, 4097, 0, 0},
        {BM_PHASE_DECODE, 2, 32, 8, 128, 128, 1, 1031, 0, 0},
        {BM_PHASE_DECODE, 1, 71, 1, 64, 64, 1, 300, 0, 0},
        {BM_PHASE_DECODE, 1, 4, 2, 192, 128, 1, 100, 0, 0},
        {BM_PHASE_DECODE, 1, 4, 4, 256, 256, 1, 257, 0, 0},
        {BM_PHASE_DECODE, 1, 4, 2, 33, 7, 1, 67, 0, 0},
    };
    static const struct heads tiny[] = {
        {BM_PHASE_PREFILL, 1, 2, 1, 16, 16, 9, 2, 0, 0},
        {BM_PHASE_PREFILL, 2, 2, 2, 20, 12, 1, 0, 0, 0},
        {BM_PHASE_PREFILL, 1, 2, 1, 16, 8, 21, 3, 5, 0},
        {BM_PHASE_PREFILL, 1, 1, 1, 8, 4, 6, 1, 0, BM_KV_INT8},
        {BM_PHASE_DECODE, 1, 4, 2, 16, 32, 1, 21, 0, 0},
        {BM_PHASE_DECODE, 2, 5, 1, 20, 12, 1, 70, 0, 0},
        {BM_PHASE_DECODE, 1, 2, 2, 16, 16, 1, 1, 0, 0},
        {BM_PHASE_DECODE, 1, 3, 1, 20, 12, 1, 37, 0, BM_KV_INT8},
    };

    /* gpt-oss's heads, with its window and without; more sequences than one, tails, one key, short splits */
    static const struct heads with_sinks[] = {
        {BM_PHASE_PREFILL, 1, 64, 8, 64, 64, 40, 0, 0, 0},
        {BM_PHASE_PREFILL, 2, 8, 1, 64, 64, 150, 70, 128, 0},
        {BM_PHASE_PREFILL, 2, 3, 3, 33, 7, 19, 3, 0, 0},
        {BM_PHASE_PREFILL, 1, 4, 2, 80, 80, 37, 20, 1, BM_KV_INT8},
        {BM_PHASE_PREFILL, 1, 2, 1, 128, 128, 1, 0, 0, 0},
        {BM_PHASE_DECODE, 1, 64, 8, 64, 64, 1, 1031, 0, 0},
        {BM_PHASE_DECODE, 3, 8, 1, 64, 64, 1, 128, 0, BM_KV_INT8},
        {BM_PHASE_DECODE, 2, 3, 3, 33, 7, 1, 67, 0, 0},
        {BM_PHASE_DECODE, 2, 4, 1, 128, 128, 1, 4097, 0, 0},
        {BM_PHASE_DECODE, 2, 4, 4, 64, 64, 1, 1, 0, BM_KV_F16},
    };
    static const struct heads tiny_with_sinks[] = {
        {BM_PHASE_PREFILL, 2, 4, 2, 16, 8, 11, 3, 5, 0},
        {BM_PHASE_DECODE, 2, 4, 2, 16, 12, 1, 70, 0, 0},
        {BM_PHASE_DECODE, 1, 3, 1, 20, 12, 1, 37, 0, BM_KV_INT8},
    };
    const struct {
        const struct heads *table;
        size_t count;
        bool small, sinks;
    } sets[] = {{shapes, BM_COUNT_OF(shapes), false, false},
                {with_sinks, BM_COUNT_OF(with_sinks), false, true},
                {tiny, BM_COUNT_OF(tiny), true, false},
                {tiny_with_sinks, BM_COUNT_OF(tiny_with_sinks), true, true}};

    for (size_t i = 0; i < BM_COUNT_OF(sets); i++)
        if (sets[i].small == small)
            run_shapes(sets[i].table, sets[i].count, sets[i].sinks, small);
}

void attention_run_extremes(bool small) {
    static const struct tuning tunings[] = {{false, false, ""}, {false, true, ""}};
    static const struct heads large[] = {{BM_PHASE_PREFILL, 1, 4, 2, 64, 64, 40, 30, 0, 0},
                                         {BM_PHASE_PREFILL, 1, 4, 4, 64, 64, 70, 0, 16, 0},
                                         {BM_PHASE_DECODE, 1, 8, 2, 64, 64, 1, 300, 0, 0}};
    trial_harness.tolerance_factor = 1000; /* a score of 10^4 errs by 10^-3, and so does a weight */
    for (size_t d = 0; !small && d < 2; d++) {
        const enum bm_element element = bm_dtype_get(d)->activation;
        struct bm_values *values = &trial_harness.values[element];
        bm_values_fini(values);
        if (bm_values_init(values, element, 1 + element, NULL))
            exit(70);
        for (size_t i = 0; i < values->period; i++) {
            bm_element_store(element, &values->values[i], 0, values->values[i] * 100);
            values->values[i] = bm_element_load(element, &values->values[i], 0);
        }
        for (size_t t = 0; t < BM_COUNT_OF(tunings); t++)
            for (size_t s = 0; s < 2 * BM_COUNT_OF(large); s++) {
                const struct bm_case c = attention_case(bm_dtype_get(d), &large[s / 2], s % 2);
                trial_run(&c, &tunings[t], NULL);
            }
        bm_values_fini(values);
    }
    trial_harness.tolerance_factor = 1;
    /* One head of 40 tokens; values begin behind as many keys (buffers.c: at 3328). The last token alone sees
     * the last key, and the first eight the first. */
    enum { SIZE = 64, TOKENS = 40, VALUES = 3328 };
    static const struct heads masked = {BM_PHASE_PREFILL, 1, 1, 1, SIZE, SIZE, TOKENS, 0, 8, 0};
    const struct bm_case c = attention_case(bm_dtype_find("f32"), &masked, false);
    for (size_t t = 0; !small && t < BM_COUNT_OF(tunings); t++) {
        struct bm_values *values = &trial_harness.values[BM_ELEMENT_F32];
        if (!values->values && bm_values_init(values, BM_ELEMENT_F32, 1 + BM_ELEMENT_F32, NULL))
            exit(70);
        for (size_t i = 0; i < SIZE; i++) {
            values->values[VALUES + i] = 3e38f;
            values->values[VALUES + (TOKENS - 1) * SIZE + i] = -3e38f;
        }
        trial_run(&c, &tunings[t], NULL);
        bm_values_fini(values);
    }
}
