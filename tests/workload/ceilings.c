/* Runs the kernels of the ceilings on the first OpenCL device and compares every result with the reference.
 *
 *   test-workload-ceilings all    every op, several access patterns and sizes, planted faults
 *   test-workload-ceilings small  few and tiny cases, for Oclgrind
 *
 * A plain program, as a simulator and a device's threads do not go with forked tests. Exit 77: no device. */
#include "trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void trial(const struct bm_case *c, const char *pattern, const struct harness_fault *fault) {
    const struct tuning tuning = {.text = pattern};
    trial_run(c, &tuning, fault);
}

static struct bm_case ceiling(const char *workload, const char *op) {
    struct bm_case c = {.workload = bm_workload_find(workload), .model = "-"};
    bm_string_set(c.op, sizeof(c.op), op);
    return c;
}

/* Whole groups, a last group in part, and less than one. Oclgrind 21.10 takes what a shuffle to a narrower
 * vector yields for uninitialised, so the small ones add no vector wider than 4. */
static void run_streams(bool small) {
    static const char *const ops[] = {"read", "write", "copy", "triad"};
    static const char *const patterns[] = {"VEC=4 CHUNK=2 STREAMS=1",  "VEC=4 LANES=8 STREAMS=3 CHUNK=2",
                                           "VEC=1 LANES=64 STREAMS=2", "STREAMS=2 VEC=16 CHUNK=16",
                                           "STREAMS=4 VEC=8 CHUNK=3",  "STREAMS=8 VEC=2 LANES=256"};
    static const uint64_t sizes[] = {4100, 12 * 65536, 3000012, 9 * 1048576};
    for (size_t o = 0; o < BM_COUNT_OF(ops); o++)
        for (size_t p = 0; p < (small ? 2 : BM_COUNT_OF(patterns)); p++)
            for (size_t s = 0; s < (small ? 2 : BM_COUNT_OF(sizes)); s++) {
                struct bm_case c = ceiling("stream", ops[o]);
                c.working_set = sizes[s];
                trial(&c, patterns[p], NULL);
            }
}

/* Stores that bypass the caches, where the compiler has them: PoCL's does. */
static void run_nontemporal(bool small) {
    static const char *const ops[] = {"write", "copy", "triad"};
    for (size_t o = 0; o < BM_COUNT_OF(ops) && !small; o++) {
        struct bm_case c = ceiling("stream", ops[o]);
        c.working_set = 3000012;
        trial(&c, "NONTEMPORAL=1", NULL);
        trial(&c, "NONTEMPORAL=1 STREAMS=2 VEC=8 CHUNK=16", NULL);
    }
}

static void run_caches(bool small) {
    static const char *const patterns[] = {"VEC=4 STREAMS=2", "VEC=1 LANES=16 STREAMS=4", "STREAMS=16 VEC=16",
                                           "STREAMS=8 VEC=8", "VEC=4 LANES=128 STREAMS=1"};
    static const uint64_t shapes[][4] = {/* bytes, parts, groups, passes */
                                         {8192, 1, 3, 5},
                                         {32768, 4, 6, 8},
                                         {1048576, 16, 32, 16},
                                         {524288, 1, 40, 32},
                                         {24576, 1, 200, 256}};
    for (size_t p = 0; p < (small ? 2 : BM_COUNT_OF(patterns)); p++)
        for (size_t s = 0; s < (small ? 2 : BM_COUNT_OF(shapes)); s++) {
            struct bm_case c = ceiling("cache", s % 2 ? "llc_read" : "l1_read");
            c.hot = true;
            c.working_set = shapes[s][0];
            c.m = shapes[s][1];
            c.n = shapes[s][2];
            c.k = shapes[s][3];
            trial(&c, patterns[p], NULL);
        }
}

/* i8_dot in plain C: what the built-in stands for, on any device. */
static void run_pipes(bool small) {
    static const char *const ops[] = {"f32_vector", "f64_vector", "i32_vector", "i8_dot"};
    static const char *const patterns[] = {"CHAINS=3 VEC=4 DOT=2", "CHAINS=2 VEC=1 GROUP=8 DOT=2",
                                           "CHAINS=12 VEC=16 DOT=2", "CHAINS=5 VEC=2 DOT=2",
                                           "CHAINS=8 VEC=8 GROUP=4 DOT=2"};
    static const uint64_t lanes[] = {7, 4000, 100003};
    for (size_t o = 0; o < BM_COUNT_OF(ops); o++)
        for (size_t p = 0; p < (small ? 2 : BM_COUNT_OF(patterns)); p++)
            for (size_t s = 0; s < (small ? 1 : BM_COUNT_OF(lanes)); s++) {
                struct bm_case c = ceiling("fma", ops[o]);
                c.n = lanes[s];
                c.k = small ? 5 : 1000;
                trial(&c, patterns[p], NULL);
            }
}

/* Matrix units in plain C, in the places that NVIDIA's has its words and sums in. */
static void run_matrix_units(bool small) {
    static const char *const ops[] = {"f16_matrix", "bf16_matrix", "i8_matrix"};
    static const char *const patterns[] = {"CHAINS=2 VEC=4 GROUP=32 MATRIX_UNIT=1",
                                           "CHAINS=3 VEC=4 GROUP=64 MATRIX_UNIT=1"};
    static const uint64_t lanes[] = {7, 1000, 4099};
    for (size_t o = 0; o < BM_COUNT_OF(ops); o++)
        for (size_t p = 0; p < (small ? 1 : BM_COUNT_OF(patterns)); p++)
            for (size_t s = 0; s < (small ? 1 : BM_COUNT_OF(lanes)); s++) {
                struct bm_case c = ceiling("fma", ops[o]);
                c.n = lanes[s];
                c.k = small ? 3 : 100;
                trial(&c, patterns[p], NULL);
            }
}

static void run_launch(bool small) {
    (void)small;
    struct bm_case c = ceiling("launch", "empty");
    trial(&c, "", NULL);
    c = ceiling("launch", "wait");
    trial(&c, "", NULL);
}

static void run_faults(bool small) {
    if (small)
        return;
    struct bm_case c = ceiling("stream", "triad");
    c.working_set = 1 << 20;
    trial(&c, "", &(struct harness_fault){true, 0, 777, 1, 1});
    trial(&c, "", &(struct harness_fault){true, 2, 87380, 1, 1}); /* the last element of c */
    c = ceiling("cache", "llc_read");
    c.hot = true;
    c.working_set = 65536;
    c.m = 8;
    c.n = 8;
    c.k = 4;
    trial(&c, "", &(struct harness_fault){true, 0, 16383, 1, 1});
    c = ceiling("fma", "i32_vector");
    c.n = 1000;
    c.k = 4096;
    trial(&c, "", &(struct harness_fault){true, 0, 999, 1, 1});
    strcpy(c.op, "f64_vector");
    trial(&c, "", &(struct harness_fault){true, 0, 0, 1, 1});
}

int main(int argc, char **argv) {
    static const struct trial_family families[] = {
        {"streams", run_streams}, {"nontemporal", run_nontemporal}, {"caches", run_caches},
        {"pipes", run_pipes},     {"matrix", run_matrix_units},     {"launch", run_launch},
        {"faults", run_faults}};
    return trial_main(argc, argv, families, BM_COUNT_OF(families));
}
