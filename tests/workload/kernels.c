/* Runs the kernels on the first OpenCL device and compares every result with the reference.
 *
 *   test-workload-kernels all [FAMILY]...    every format and shape of parameters, fixed and random sizes
 *   test-workload-kernels small [FAMILY]...  few and tiny cases, for Oclgrind
 *
 * A plain program, as a simulator and a device's threads do not go with forked tests. Exit 77: no device. */
#include "attention.h"
#include "trial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct shape {
    uint64_t a, b, c; /* gemm: m, n, k; gemv: -, n, k; stream: bytes; fma: -, lanes, steps */
};
static struct bm_case matrix_case(const char *workload, const struct bm_dtype *dtype, struct shape shape) {
    return (struct bm_case){.workload = bm_workload_find(workload),
                            .model = "-",
                            .op = "test",
                            .phase = BM_PHASE_PREFILL,
                            .dtype = dtype,
                            .m = shape.a,
                            .n = shape.b,
                            .k = shape.c};
}

static uint64_t draw(struct bm_random *random, uint64_t minimum, uint64_t maximum) {
    return minimum + bm_random_below(random, maximum - minimum + 1);
}

static void run_gemm(bool small) {
    static const struct tuning tunings[] = {
        {true, false, "TILE_M=12 BLOCK_M=24"},
        {false, false, "TILE_M=5 PANEL_N=16 TILE_N=16 BLOCK_M=10 BLOCK_K=16 STAGE=1"},
        {false, false, "PANEL_N=48 TILE_N=24 TILE_M=4 VEC=8 BLOCK_K=64 PREFETCH=2"},
        {false, false, "PANEL_N=32 TILE_N=16 STAGE=1 PREFETCH=1 BLOCK_K=32"},
        {true, false, "PANEL_N=4 TILE_N=4 TILE_M=2 VEC=4 BLOCK_M=4 BLOCK_K=8 STAGE=1 PACK_LANES=4"},
        {true, true, "PANEL_N=16 TILE_N=4 TILE_M=4 BLOCK_M=8 BLOCK_K=8 PACK_LANES=4"},
        {false, true, "PANEL_N=128 TILE_N=8 TILE_M=8 BLOCK_M=128 BLOCK_K=16"},
        {false, true, "PANEL_N=32 TILE_N=8 TILE_M=2 BLOCK_M=8 VEC=2 BLOCK_K=32 PACK_LANES=1"},
        {false, true, "PANEL_N=8 TILE_N=1 TILE_M=2 BLOCK_M=2 VEC=1 BLOCK_K=8"},
    };
    static const struct shape shapes[] = {{2, 1, 1},    {2, 33, 7},    {12, 32, 128},   {13, 31, 129},
                                          {24, 64, 16}, {37, 97, 101}, {128, 200, 300}, {9, 40, 2500}};
    static const struct shape tiny[] = {{2, 1, 1}, {7, 35, 19}, {13, 33, 129}};
    struct bm_random random;

    bm_random_init(&random, 11);
    for (size_t d = 0; bm_dtype_get(d); d++)
        for (size_t t = 0; t < BM_COUNT_OF(tunings); t++) {
            if (small ? !tunings[t].small : d > 1 && (t + d) % 3)
                continue; /* each is a compilation: the later formats take turns */
            const struct shape *table = small ? tiny : shapes;
            const size_t count = small ? BM_COUNT_OF(tiny) : BM_COUNT_OF(shapes) + 4;
            for (size_t s = 0; s < count; s++) {
                /* m decides the tiles of work-items on their own, which are compiled in */
                if (!small && (d > 0 || (t > 0 && !tunings[t].is_gpu)) && (s + t + d) % 3)
                    continue;
                const struct shape drawn = {draw(&random, 2, 90), draw(&random, 1, 300),
                                            draw(&random, 1, 600)};
                const struct bm_case c =
                    matrix_case("gemm", bm_dtype_get(d), small || s < BM_COUNT_OF(shapes) ? table[s] : drawn);
                trial_run(&c, &tunings[t], NULL);
                if (s > 2)
                    trial_run_wide(&c, &tunings[t], 2);
            }
        }
}

/* The unit in plain C takes fragments and addresses as NVIDIA's does. Activations of k = 8 j are read as they
 * are, others are copied; blocks of 2 to 16 chunks turn in 4 ways; 2 to 4 buffers, fewer steps than buffers.
 */
static void run_gemm_matrix(bool small) {
    static const struct tuning tunings[] = {
        {true, true, "MATRIX_UNIT=1 PANEL_N=16 TILE_N=8 TILE_M=16 BLOCK_M=16 BLOCK_K=64 BUFFERS=2"},
        {false, true, "MATRIX_UNIT=1 PANEL_N=32 TILE_N=16 TILE_M=32 BLOCK_M=64 BLOCK_K=64 BUFFERS=3"},
        {false, true, "MATRIX_UNIT=1 PANEL_N=128 TILE_N=32 TILE_M=64 BLOCK_M=128 BLOCK_K=32 BUFFERS=3"},
        {false, true,
         "MATRIX_UNIT=1 PANEL_N=32 TILE_N=32 TILE_M=16 BLOCK_M=32 BLOCK_K=128 BUFFERS=4 PACK_LANES=1"},
    };
    static const struct shape shapes[] = {{2, 1, 1},     {2, 33, 7},     {16, 8, 16},    {17, 31, 129},
                                          {24, 64, 200}, {37, 97, 1001}, {130, 140, 72}, {9, 40, 1024}};
    static const struct shape tiny[] = {{2, 1, 1}, {17, 19, 40}, {7, 18, 145}};
    static const char *const dtypes[] = {"f16", "bf16", "int8"};
    struct bm_random random;

    bm_random_init(&random, 13);
    for (size_t d = 0; d < BM_COUNT_OF(dtypes); d++)
        for (size_t t = 0; t < BM_COUNT_OF(tunings); t++) {
            const size_t count = small ? BM_COUNT_OF(tiny) : BM_COUNT_OF(shapes) + 2;
            for (size_t s = 0; s < count && (!small || tunings[t].small); s++) {
                const struct shape drawn = {draw(&random, 2, 90), draw(&random, 1, 200),
                                            draw(&random, 1, 400)};
                const struct shape shape = small ? tiny[s] : s < BM_COUNT_OF(shapes) ? shapes[s] : drawn;
                const struct bm_case c = matrix_case("gemm", bm_dtype_find(dtypes[d]), shape);
                trial_run(&c, &tunings[t], NULL);
                if (s > 0) /* what is packed has a pitch too */
                    trial_run_wide(&c, &tunings[t], d == 2 || shape.c % 8 ? 3 : 2);
            }
        }
    for (size_t d = 0; !small && d < BM_COUNT_OF(dtypes); d++) { /* a zero instead of a term is seen */
        const struct bm_case c = matrix_case("gemm", bm_dtype_find(dtypes[d]), (struct shape){50, 100, 301});
        trial_run(&c, &tunings[1], &(struct harness_fault){true, 1, 300, 301, 50});
        trial_run(&c, &tunings[1],
                  &(struct harness_fault){true, 0, UINT64_C(32) * 96, 1, 1}); /* used by every row */
    }
}

static struct bm_case experts_case(const struct bm_dtype *dtype, struct shape shape,
                                   const uint32_t experts[4], enum bm_routing routing, bool row_per_pair) {
    struct bm_case c = matrix_case("grouped_gemm", dtype, shape);
    c.experts = experts[0];
    c.top_k = experts[1];
    c.groups = experts[2];
    c.groups_used = experts[3];
    c.routing = routing;
    c.row_per_pair = row_per_pair;
    return c;
}

static void run_grouped(bool small) {
    static const struct tuning tunings[] = {
        {true, false, "TILE_M=5 BLOCK_M=10"},
        {false, false, "PANEL_N=48 TILE_N=24 TILE_M=4 VEC=8 BLOCK_K=64 PREFETCH=2 BLOCK_M=4"},
        {true, false, "PANEL_N=4 TILE_N=4 TILE_M=2 VEC=4 BLOCK_M=4 BLOCK_K=8 STAGE=1 PACK_LANES=4"},
        {true, true, "PANEL_N=16 TILE_N=4 TILE_M=4 BLOCK_M=8 BLOCK_K=8 PACK_LANES=4"},
        {false, true, "PANEL_N=32 TILE_N=8 TILE_M=2 BLOCK_M=8 VEC=2 BLOCK_K=32 PACK_LANES=1"},
    };
    /* One token; one expert; one of each; more experts than pairs; all experts; within groups; tails. */
    static const struct {
        struct shape shape;
        uint32_t experts[4];
    } shapes[] = {
        {{1, 1, 1}, {1, 1, 0, 0}},      {{1, 33, 7}, {8, 2, 0, 0}},     {{13, 31, 129}, {1, 1, 0, 0}},
        {{3, 64, 96}, {64, 4, 0, 0}},   {{37, 97, 101}, {8, 2, 0, 0}},  {{19, 40, 300}, {16, 3, 4, 2}},
        {{128, 100, 64}, {4, 4, 0, 0}}, {{50, 33, 1100}, {5, 1, 0, 0}}, {{70, 37, 65}, {32, 8, 8, 4}}};
    static const size_t tiny[] = {0, 1, 5};

    for (size_t d = 0; bm_dtype_get(d); d++)
        for (size_t t = 0; t < BM_COUNT_OF(tunings); t++) {
            if (small ? !tunings[t].small : d > 1 && (t + d) % 3)
                continue; /* each is a compilation: the later formats take turns */
            for (size_t s = 0; s < (small ? BM_COUNT_OF(tiny) : BM_COUNT_OF(shapes)); s++) {
                const size_t at = small ? tiny[s] : s;
                struct shape shape = shapes[at].shape;
                if (small && shape.c > 128)
                    shape = (struct shape){7, 35, 19};
                for (unsigned kind = 0; kind < 4; kind++) {
                    if ((small || at > 4) && kind != (s + t) % 4)
                        continue;
                    struct bm_case c =
                        experts_case(bm_dtype_get(d), shape, shapes[at].experts,
                                     kind % 2 ? BM_ROUTING_ZIPF : BM_ROUTING_UNIFORM, kind / 2);
                    trial_run(&c, &tunings[t], NULL);
                    trial_run_wide(&c, &tunings[t], 2);
                    if (!c.row_per_pair || c.top_k < c.experts)
                        continue;
                    c.rows_by_token = true;
                    trial_run_wide(&c, &tunings[t], 2);
                }
            }
        }
}

static void run_gemv(bool small) {
    static const struct tuning tunings[] = {
        {true, false, "ROWS=4 VEC=4"},
        {false, false, "ROWS=8 STRIPS=4 PREFETCH=512"},
        {false, false, "ROWS=1 VEC=8 STRIPS=16"},
        {false, false, "ROWS=7 VEC=1"},
        {true, true, "ROWS=2 LANES=8 STRIPS=2 PACK_LANES=4"},
        {false, true, "ROWS=2 LANES=128 VEC=8"},
        {false, true, "ROWS=3 LANES=32 VEC=2"},
    };
    static const struct shape shapes[] = {{1, 1, 1},    {1, 3, 15},   {1, 16, 16},   {1, 17, 31},
                                          {1, 97, 513}, {1, 64, 128}, {1, 300, 1009}};
    static const struct shape tiny[] = {{1, 1, 1}, {1, 7, 83}, {1, 17, 300}};
    struct bm_random random;

    bm_random_init(&random, 12);
    for (size_t d = 0; bm_dtype_get(d); d++)
        for (size_t t = 0; t < BM_COUNT_OF(tunings); t++) {
            if (small ? !tunings[t].small : d > 1 && (t + d) % 3)
                continue; /* each is a compilation: the later formats take turns */
            const struct shape *table = small ? tiny : shapes;
            const size_t count = small ? BM_COUNT_OF(tiny) : BM_COUNT_OF(shapes) + 4;
            for (size_t s = 0; s < count; s++) {
                const struct shape drawn = {1, draw(&random, 1, 400), draw(&random, 1, 3000)};
                const struct bm_case c =
                    matrix_case("gemv", bm_dtype_get(d), small || s < BM_COUNT_OF(shapes) ? table[s] : drawn);
                trial_run(&c, &tunings[t], NULL);
            }
        }
}

static void run_ceilings(bool small) {
    static const struct tuning streams[] = {{false, false, ""},
                                            {true, false, "VEC=4"},
                                            {true, true, "LANES=8 STREAMS=2"},
                                            {false, true, "LANES=64 VEC=1 STREAMS=3"},
                                            {false, false, "STREAMS=8 VEC=8"}};
    static const struct tuning chains[] = {
        {true, false, "CHAINS=3"}, {false, false, ""}, {true, true, "CHAINS=2 GROUP=8"}, {false, true, ""}};
    static const uint64_t sizes[] = {4096, 262144, 1048588, 3000004}, lanes[] = {7, 4000, 100003};
    struct bm_case cases[8];
    const size_t count = bm_ceiling_cases(0, cases, BM_COUNT_OF(cases));

    for (size_t i = 0; i < count; i++) {
        struct bm_case *c = &cases[i];
        if (strcmp(c->workload->name, "stream") == 0) {
            for (size_t t = 0; t < BM_COUNT_OF(streams); t++)
                for (size_t s = 0; s < (small ? 2 : BM_COUNT_OF(sizes)); s++) {
                    c->working_set = sizes[s];
                    if (!small || streams[t].small)
                        trial_run(c, &streams[t], NULL);
                }
        } else {
            for (size_t t = 0; t < BM_COUNT_OF(chains); t++)
                for (size_t s = 0; s < (small ? 1 : BM_COUNT_OF(lanes)); s++) {
                    c->n = lanes[s];
                    c->k = small ? 5 : 4096;
                    if (!small || chains[t].small)
                        trial_run(c, &chains[t], NULL);
                }
        }
    }
}

/* A kernel that skips one term of a sum is found out. The device works on inputs in which that term is 0. */
static void run_faults(bool small) {
    static const struct tuning every_output = {false, true, "PANEL_N=32 TILE_N=4 TILE_M=4 BLOCK_M=16"},
                               plain = {false, false, ""}, grouped = {false, true, ""};
    if (small)
        return;
    for (size_t d = 0; bm_dtype_get(d); d++) {
        const struct bm_dtype *dtype = bm_dtype_get(d);
        struct bm_case c = matrix_case("gemm", dtype, (struct shape){50, 100, 1021});
        struct harness_fault last_k = {.on = true, .tensor = 1, .first = 1020, .stride = 1021, .count = 50};
        struct harness_fault one_weight = {
            .on = true, .tensor = 0, .first = 32 * 1021 + 32 * 500 + 3, .count = 1};
        trial_run(&c, &plain, &last_k);
        trial_run(&c, &every_output, &one_weight);

        /* One token in vain; the last panel of the last of three experts, all of which occur. */
        c = experts_case(dtype, (struct shape){50, 100, 1021}, (const uint32_t[]){3, 3, 0, 0},
                         BM_ROUTING_UNIFORM, false);
        const bool nibbles = dtype->weight == BM_ELEMENT_I4;
        const uint64_t panel = 32 * (nibbles ? UINT64_C(1024) : 1021);
        last_k.count = 50;
        one_weight = (struct harness_fault){
            .on = true, .tensor = 0, .first = 11 * panel + 32 * 500, .stride = 1, .count = 4};
        trial_run(&c, &plain, &last_k);
        trial_run(&c, &every_output, &one_weight);

        c = matrix_case("gemv", dtype, (struct shape){1, 100, 1021});
        last_k = (struct harness_fault){.on = true, .tensor = 1, .first = 1000, .stride = 1, .count = 21};
        one_weight = (struct harness_fault){
            .on = true, .tensor = 0, .first = 1024 * 71 + 900, .stride = 1, .count = 64};
        trial_run(&c, &plain, &last_k);
        trial_run(&c, &plain, &one_weight);

        c = (struct bm_case){.workload = bm_workload_find("attention"),
                             .model = "-",
                             .op = "attn",
                             .phase = BM_PHASE_DECODE,
                             .dtype = dtype,
                             .batch = 1,
                             .heads = 4,
                             .kv_heads = 2,
                             .head_dim = 64,
                             .v_dim = 64,
                             .tokens = 1,
                             .context = 300};
        /* the last key and the last value of the second KV head; one element of a query */
        trial_run(&c, &plain, &(struct harness_fault){true, 1, UINT64_C(599) * 64, 1, 64});
        trial_run(&c, &plain, &(struct harness_fault){true, 2, UINT64_C(599) * 64, 1, 64});
        trial_run(&c, &plain, &(struct harness_fault){true, 0, 70, 1, 1});
        c.phase = BM_PHASE_PREFILL;
        c.tokens = 40;
        c.context = 0;
        trial_run(&c, &plain, &(struct harness_fault){true, 1, 0, 1, 64});
        trial_run(&c, &plain, &(struct harness_fault){true, 2, 0, 1, 64});
        /* a scale of a key and of a value, in both phases; the first key that a window still holds */
        c.kv = BM_KV_INT8;
        trial_run(&c, &plain, &(struct harness_fault){true, 4, 40, 1, 20});
        trial_run(&c, &plain, &(struct harness_fault){true, 5, 40, 1, 20});
        c.phase = BM_PHASE_DECODE;
        c.context = 300;
        trial_run(&c, &plain, &(struct harness_fault){true, 4, 580, 1, 20});
        trial_run(&c, &plain, &(struct harness_fault){true, 5, 580, 1, 20});
        /* a head's sink, in either phase and kernel */
        c.sinks = true;
        for (unsigned i = 0; i < 4; i++) {
            c.phase = i % 2 ? BM_PHASE_PREFILL : BM_PHASE_DECODE;
            trial_run(&c, i < 2 ? &plain : &grouped, &(struct harness_fault){true, 6, 3, 1, 1});
        }
        c.sinks = false;
        c.kv = BM_KV_DTYPE;
        c.phase = BM_PHASE_PREFILL;
        c.tokens = 1;
        c.window = 20;
        trial_run(&c, &plain, &(struct harness_fault){true, 2, UINT64_C(281) * 64, 1, 64});
    }
    struct bm_case ceilings[3];
    if (bm_ceiling_cases(1 << 20, ceilings, BM_COUNT_OF(ceilings)) == BM_COUNT_OF(ceilings))
        for (size_t i = 0; i < BM_COUNT_OF(ceilings); i++) {
            ceilings[i].n = 4000; /* of fma alone */
            ceilings[i].k = 4096;
            trial_run(&ceilings[i], &plain, &(struct harness_fault){true, 0, 1001, 1, 1});
        }
}

/* NaN and infinity among the activations reach the outputs that the reference says, and no others. */
static void run_special(bool small) {
    static const struct tuning tunings[] = {{false, false, ""}, {false, true, ""}};
    enum { FIRST = 1000, K = 300 }; /* activations are tensor 1: buffers.c starts it at value 1000 */
    for (size_t i = 0; !small && i < 2 * BM_COUNT_OF(tunings); i++)
        for (size_t d = 0; bm_dtype_get(d); d++) {
            const struct bm_dtype *dtype = bm_dtype_get(d);
            struct bm_case c =
                matrix_case(i % 2 ? "gemm" : "gemv", dtype, (struct shape){i % 2 ? 37 : 1, 50, K});
            struct bm_values *values = &trial_harness.values[dtype->activation];
            if (dtype->quantised_activations) /* no scale fits them */
                continue;
            if (!values->values && bm_values_init(values, dtype->activation, 1 + dtype->activation, NULL))
                exit(70);
            /* In all rows of two tiles, as checks sample rows. */
            float plain[16];
            for (unsigned row = 0; row < 16 && row < c.m; row++) {
                float *value = &values->values[FIRST + row * K + (row < 8 ? 5 : 290)];
                plain[row] = *value;
                *value = row < 8 ? NAN : (float)INFINITY;
            }
            trial_run_special(&c, &tunings[i / 2]);
            for (unsigned row = 0; row < 16 && row < c.m; row++)
                values->values[FIRST + row * K + (row < 8 ? 5 : 290)] = plain[row];
        }
}

int main(int argc, char **argv) {
    static const struct trial_family families[] = {
        {"gemm", run_gemm},           {"gemm-matrix", run_gemm_matrix},
        {"grouped", run_grouped},     {"gemv", run_gemv},
        {"attention", attention_run}, {"attention-extremes", attention_run_extremes},
        {"ceilings", run_ceilings},   {"faults", run_faults},
        {"special", run_special}};
    return trial_main(argc, argv, families, BM_COUNT_OF(families));
}
