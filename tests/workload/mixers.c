/* Runs the kernels of mixers other than GQA's attention on the first OpenCL device and compares every result
 * with the reference: latent attention, and Mamba-2's convolution and scan.
 *
 *   test-workload-mixers all|small [FAMILY]... */
#include "trial.h"

#include <math.h>
#include <string.h>

static const char *const formats[] = {"f32", "f16", "bf16"};
enum { LATENT_FORMATS = 2 };

struct latent {
    uint32_t batch, heads, head_dim, v_dim, context;
};

static struct bm_case latent_case(const char *dtype, struct latent s) {
    return (struct bm_case){.workload = bm_workload_find("mla"),
                            .model = "-",
                            .op = "test",
                            .phase = BM_PHASE_DECODE,
                            .dtype = bm_dtype_find(dtype),
                            .batch = s.batch,
                            .tokens = 1,
                            .context = s.context,
                            .heads = s.heads,
                            .kv_heads = 1,
                            .head_dim = s.head_dim,
                            .v_dim = s.v_dim};
}

static const struct tuning latent_tunings[] = {
    {false, false, ""},
    {false, false, "STAGE=1 ROW_VECTORS=2 KEY_STEP=8 KEY_TILE=40 ROW_TILE=4 COLUMN_TILE=4 GROUPS=1 AHEAD=1"},
    {false, false, "VEC=8 HEAD_TILE=24 KEY_STEP=5 KEY_TILE=5 ROW_TILE=8 COLUMN_TILE=1"},
    {true, false,
     "VEC=4 HEAD_TILE=8 KEY_TILE=6 KEY_STEP=3 ROW_TILE=2 COLUMN_TILE=2 GROUPS=2 AHEAD=0 PREFETCH=0"},
    {false, true, ""},
    {true, true, "VEC=2 HEAD_TILE=4 LANES=4 KEY_TILE=4 KEY_STEP=2 SLICES=2 ROW_TILE=4 GROUPS=2"},
    {false, true, "VEC=4 HEAD_TILE=16 ROW_TILE=16 LANES=64 KEY_TILE=4 KEY_STEP=2 SLICES=4 COLUMN_TILE=2"},
    {false, true, "VEC=1 LANES=32 SLICES=1 HEAD_TILE=3"},
};

/* DeepSeek's; contexts of one row, of less than a step, with a tail; one head, heads with a tail, head sizes
 * that no vector divides; values that are all of a row. */
static void run_mla(bool small) {
    static const struct latent shapes[] = {
        {1, 16, 576, 512, 1},  {1, 16, 576, 512, 7}, {2, 16, 576, 512, 333}, {1, 128, 576, 512, 65},
        {1, 1, 576, 512, 100}, {3, 5, 36, 20, 257},  {1, 37, 72, 64, 129},   {2, 3, 7, 3, 50},
        {1, 20, 32, 32, 97},   {1, 3, 80, 64, 4097}};
    static const struct latent tiny[] = {{1, 3, 12, 8, 1}, {2, 5, 20, 12, 19}, {1, 9, 7, 3, 11}};
    const struct latent *table = small ? tiny : shapes;
    const size_t count = small ? BM_COUNT_OF(tiny) : BM_COUNT_OF(shapes);

    for (size_t f = 0; f < LATENT_FORMATS; f++)
        for (size_t t = 0; t < BM_COUNT_OF(latent_tunings); t++)
            for (size_t s = 0; s < count && (!small || latent_tunings[t].small); s++) {
                if (!small && (f > 0 || t % 4 != 0) &&
                    (s + t + f) % 4) /* each is a compilation: take turns */
                    continue;
                const struct bm_case c = latent_case(formats[f], table[s]);
                trial_run(&c, &latent_tunings[t], NULL);
                if (table[s].batch > 1)
                    trial_run_wide(&c, &latent_tunings[t], 1);
            }
}

struct mamba {
    uint32_t batch, heads, head_dim, state, groups, tokens; /* of a decode: tokens 0 */
};

static struct bm_case mamba_case(const char *dtype, struct mamba s) {
    return (struct bm_case){.workload = bm_workload_find("mamba_scan"),
                            .model = "-",
                            .op = "test",
                            .phase = s.tokens ? BM_PHASE_PREFILL : BM_PHASE_DECODE,
                            .dtype = bm_dtype_find(dtype),
                            .batch = s.batch,
                            .tokens = s.tokens ? s.tokens : 1,
                            .heads = s.heads,
                            .head_dim = s.head_dim,
                            .n = s.state,
                            .k = 128,
                            .groups = s.groups};
}

/* Chunks of every length give what the recurrence gives, over one token, less than a chunk, whole chunks and
 * tails; TurboS' sizes, one head, heads that share B and C, head sizes that no vector divides. */
static void run_scan(bool small) {
    static const struct mamba shapes[] = {
        {1, 64, 80, 128, 16, 1}, {1, 8, 80, 128, 2, 150}, {2, 4, 64, 16, 1, 64}, {1, 1, 7, 20, 1, 33},
        {3, 6, 24, 12, 3, 5},    {1, 64, 80, 128, 16, 0}, {5, 3, 7, 20, 1, 0},   {2, 6, 48, 64, 2, 0}};
    static const struct mamba tiny[] = {{1, 2, 8, 8, 1, 11}, {2, 2, 3, 4, 2, 1}, {2, 2, 8, 12, 1, 0}};
    static const struct tuning tunings[] = {
        {false, false, ""},
        {false, false, "CHUNK_T=16 HEADS=2 PART=1 BLOCK_N=16 STREAMS=4 NONTEMPORAL=0"},
        {false, false, "CHUNK_T=64 VEC=8 COLUMN_TILE=2 HEADS=1 STREAMS=1"},
        {true, false, "VEC=4 CHUNK_T=4 HEADS=2 BLOCK_N=4 STREAMS=2 COLUMN_TILE=1 NONTEMPORAL=0"},
        {false, true, ""},
        {true, true, "VEC=4 CHUNK_T=8 LANES=4 HEADS=1 PART=1 SLICES=2 NONTEMPORAL=0"},
        {false, true, "VEC=1 CHUNK_T=16 LANES=32 PART=3 SLICES=4 STREAMS=4"},
    };
    const struct mamba *table = small ? tiny : shapes;
    const size_t count = small ? BM_COUNT_OF(tiny) : BM_COUNT_OF(shapes);

    for (size_t f = 0; f < BM_COUNT_OF(formats); f++)
        for (size_t t = 0; t < BM_COUNT_OF(tunings); t++)
            for (size_t s = 0; s < count && (!small || tunings[t].small); s++) {
                if (!small && (f > 0 || t % 4 != 0) &&
                    (s + t + f) % 4) /* each is a compilation: they take turns */
                    continue;
                const struct bm_case c = mamba_case(formats[f], table[s]);
                trial_run(&c, &tunings[t], NULL);
                if (f == 0 || small)
                    trial_run_wide(&c, &tunings[t], 3);
            }
}

/* Batch, tokens (0: decode), channels, taps. */
static struct bm_case conv_case(const char *dtype, const uint32_t shape[4]) {
    struct bm_case c = mamba_case(dtype, (struct mamba){.batch = shape[0], .tokens = shape[1]});
    c.workload = bm_workload_find("mamba_conv");
    c.m = (uint64_t)c.batch * c.tokens;
    c.n = shape[2];
    c.k = shape[3];
    c.groups = 0;
    return c;
}

static void run_conv(bool small) {
    static const uint32_t shapes[][4] = {{1, 1, 64, 4}, {2, 150, 80, 4}, {1, 3, 1000, 4}, {3, 70, 257, 3},
                                         {1, 9, 7, 2},  {1, 0, 9216, 4}, {5, 0, 33, 4},   {2, 0, 80, 6}};
    static const uint32_t tiny[][4] = {{2, 7, 12, 4}, {1, 1, 5, 3}, {2, 0, 8, 4}};
    static const struct tuning tunings[] = {
        {false, false, ""},
        {false, false, "TILE=8 RUN=8 CHUNK=3 NONTEMPORAL=0 PREFETCH=2"},
        {true, false, "TILE=2 RUN=6 CHUNK=1 VEC=4 PREFETCH=0 NONTEMPORAL=0"},
        {false, true, ""},
        {true, true, "VEC=2 LANES=4 CHUNK=2 TILE=4 RUN=4 NONTEMPORAL=0"},
        {false, true, "VEC=1 LANES=32 TILE=1 RUN=50"}};
    const uint32_t(*table)[4] = small ? tiny : shapes;
    const size_t count = small ? BM_COUNT_OF(tiny) : BM_COUNT_OF(shapes);

    for (size_t f = 0; f < BM_COUNT_OF(formats); f++)
        for (size_t t = 0; t < BM_COUNT_OF(tunings); t++)
            for (size_t s = 0; s < count && (!small || tunings[t].small); s++) {
                if (!small && (f > 0 || t % 3 != 0) &&
                    (s + t + f) % 4) /* each is a compilation: take turns */
                    continue;
                const struct bm_case c = conv_case(formats[f], table[s]);
                trial_run(&c, &tunings[t], NULL);
                if (f == 0 || small)
                    trial_run_wide(&c, &tunings[t], 2);
            }
}

/* Scores of +-1e4 and more: the largest takes all, nothing overflows. The values of both formats are whole.
 */
static void run_large(bool small) {
    static const size_t tunings[] = {0, 1, 4, 6};
    for (size_t f = 0; f < LATENT_FORMATS && !small; f++) {
        const enum bm_element element = bm_dtype_find(formats[f])->activation;
        struct bm_values *values = &trial_harness.values[element];
        if (!values->values && bm_values_init(values, element, 1 + element, NULL) != BM_OK)
            continue;
        for (size_t i = 0; i < values->period; i++)
            values->values[i] *= 64; /* a power of two: exact in either format */
        for (size_t t = 0; t < BM_COUNT_OF(tunings); t++) {
            const struct bm_case c = latent_case(formats[f], (struct latent){1, 16, 576, 512, 200});
            trial_run(&c, &latent_tunings[tunings[t]], NULL);
        }
        bm_values_fini(values);
    }
}

/* A zero instead of a term: in x, B and C, steps, what heads have, and the state before. */
static void run_mamba_faults(void) {
    static const struct tuning plain = {false, false, ""}, grouped = {false, true, ""};
    static const uint32_t conv[4] = {1, 40, 96, 4}, conv_step[4] = {2, 0, 96, 4};
    for (size_t f = 0; f < BM_COUNT_OF(formats); f++) {
        const struct bm_case prefill = mamba_case(formats[f], (struct mamba){1, 4, 16, 16, 2, 50});
        const struct bm_case decode = mamba_case(formats[f], (struct mamba){2, 4, 16, 16, 2, 0});
        const struct bm_case convs[] = {conv_case(formats[f], conv), conv_case(formats[f], conv_step)};
        for (unsigned tensor = 2; tensor <= 5; tensor++) {
            /* Of decode, steps of one token: few. */
            const struct harness_fault fault = {true, tensor, tensor == 4 ? 5 : 3, 1,
                                                tensor == 3   ? 2
                                                : tensor == 4 ? 1
                                                              : 9};
            trial_run(&decode, &plain, &fault);
            trial_run(&decode, &grouped, &fault);
            if (tensor < 5) {
                trial_run(&prefill, &plain, &fault);
                trial_run(&prefill, &grouped, &fault);
            }
        }
        for (unsigned tensor = 2; tensor <= 4; tensor++) {
            const struct harness_fault fault = {true, tensor, 95, 1, 1};
            trial_run(&convs[1], &plain, &fault);
            if (tensor < 4)
                trial_run(&convs[0], &plain, &fault);
        }
    }
}

/* A zero instead of a term, in the latent and in the rotary part, in the first and the last row. */
static void run_faults(bool small) {
    if (!small)
        run_mamba_faults();
    for (size_t f = 0; f < LATENT_FORMATS && !small; f++) {
        const struct bm_case c = latent_case(formats[f], (struct latent){2, 16, 72, 64, 100});
        for (size_t t = 0; t < BM_COUNT_OF(latent_tunings); t += 4) {
            trial_run(&c, &latent_tunings[t], &(struct harness_fault){true, 0, 9 * 72, 1, 72});
            trial_run(&c, &latent_tunings[t], &(struct harness_fault){true, 1, 0, 1, 64});
            trial_run(&c, &latent_tunings[t], &(struct harness_fault){true, 1, 199 * 72 + 64, 1, 8});
        }
    }
}

int main(int argc, char **argv) {
    static const struct trial_family families[] = {{"mla", run_mla},
                                                   {"scan", run_scan},
                                                   {"conv", run_conv},
                                                   {"large", run_large},
                                                   {"faults", run_faults}};
    return trial_main(argc, argv, families, BM_COUNT_OF(families));
}
