/* Runs the kernels of mixers other than GQA's attention on the first OpenCL device and compares every result
 * with the reference: latent attention.
 *
 *   test-workload-mixers all|small [FAMILY]... */
#include "trial.h"

#include <math.h>
#include <string.h>

static const char *const formats[] = {"f32", "f16"};

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

    for (size_t f = 0; f < BM_COUNT_OF(formats); f++)
        for (size_t t = 0; t < BM_COUNT_OF(latent_tunings); t++)
            for (size_t s = 0; s < count && (!small || latent_tunings[t].small); s++) {
                if (!small && t % 4 != 0 && (s + t + f) % 3) /* each is a compilation: they take turns */
                    continue;
                const struct bm_case c = latent_case(formats[f], table[s]);
                trial_run(&c, &latent_tunings[t], NULL);
            }
}

/* Scores of +-1e4 and more: the largest takes all, nothing overflows. The values of both formats are whole.
 */
static void run_large(bool small) {
    static const size_t tunings[] = {0, 1, 4, 6};
    for (size_t f = 0; f < BM_COUNT_OF(formats) && !small; f++) {
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

/* A zero instead of a term, in the latent and in the rotary part, in the first and the last row. */
static void run_faults(bool small) {
    for (size_t f = 0; f < BM_COUNT_OF(formats) && !small; f++) {
        const struct bm_case c = latent_case(formats[f], (struct latent){2, 16, 72, 64, 100});
        for (size_t t = 0; t < BM_COUNT_OF(latent_tunings); t += 4) {
            trial_run(&c, &latent_tunings[t], &(struct harness_fault){true, 0, 9 * 72, 1, 72});
            trial_run(&c, &latent_tunings[t], &(struct harness_fault){true, 1, 0, 1, 64});
            trial_run(&c, &latent_tunings[t], &(struct harness_fault){true, 1, 199 * 72 + 64, 1, 8});
        }
    }
}

int main(int argc, char **argv) {
    static const struct trial_family families[] = {
        {"mla", run_mla}, {"large", run_large}, {"faults", run_faults}};
    return trial_main(argc, argv, families, BM_COUNT_OF(families));
}
