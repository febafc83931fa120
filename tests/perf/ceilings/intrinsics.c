/* What this x86 machine does at best, by intrinsics: the yardstick for the ceilings that the program measures
 * through OpenCL. One thread a processor, pinned; blocks of at least 20 ms; the best of several ways is kept.
 * Prints one JSON object. By hand: see tests/perf/README.md.
 *
 * usage: intrinsics [SECONDS [MIB]]    seconds for each of the two figures (2), size of the set that is read
 * (256) */
#define _GNU_SOURCE
#include <immintrin.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AVX512       __attribute__((target("avx512f")))
#define AVX2         __attribute__((target("avx2,fma")))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { THREADS_MOST = 1024, BLOCKS_MOST = 4096, BLOCK_NS = 20000000 };

/* ---- the work: each thread runs one of these on its share ---- */

struct share {
    const float *data; /* of reading */
    size_t bytes;
    uint64_t repeats;
    float result; /* so that nothing can be left out */
    int processor;
    char apart[128]; /* from the next thread's */
};

#define CHAINS 16
#define FMA(NAME, TARGET, VECTOR, LANES, SET, STEP)                                                          \
    TARGET static void NAME(struct share *share) {                                                           \
        const VECTOR factor = SET(-0x1.FFEp-1f), addend = SET(1.0f);                                         \
        VECTOR x[CHAINS];                                                                                    \
        for (int c = 0; c < CHAINS; c++)                                                                     \
            x[c] = SET(0.01f * (float)c + share->result);                                                    \
        for (uint64_t r = 0; r < share->repeats; r++)                                                        \
            _Pragma("GCC unroll 16") for (int c = 0; c < CHAINS; c++) x[c] = STEP(x[c], factor, addend);     \
        for (int c = 0; c < CHAINS; c++)                                                                     \
            for (int lane = 0; lane < LANES; lane++)                                                         \
                share->result += ((float *)&x[c])[lane];                                                     \
    }
FMA(fma_512, AVX512, __m512, 16, _mm512_set1_ps, _mm512_fmadd_ps)
FMA(fma_256, AVX2, __m256, 8, _mm256_set1_ps, _mm256_fmadd_ps)

/* STREAMS ranges side by side, each thread its own part of the set. */
#define READ(NAME, TARGET, VECTOR, LANES, STREAMS, ZERO, LOAD, ADD)                                          \
    TARGET static void NAME(struct share *share) {                                                           \
        const size_t range = share->bytes / sizeof(float) / STREAMS / LANES * LANES;                         \
        VECTOR sum[STREAMS];                                                                                 \
        for (int s = 0; s < STREAMS; s++)                                                                    \
            sum[s] = ZERO();                                                                                 \
        for (uint64_t r = 0; r < share->repeats; r++)                                                        \
            for (size_t i = 0; i < range; i += LANES)                                                        \
                _Pragma("GCC unroll 8") for (int s = 0; s < STREAMS; s++) sum[s] =                           \
                    ADD(sum[s], LOAD(share->data + (size_t)s * range + i));                                  \
        for (int s = 0; s < STREAMS; s++)                                                                    \
            for (int lane = 0; lane < LANES; lane++)                                                         \
                share->result += ((float *)&sum[s])[lane];                                                   \
    }
#define READ_512(STREAMS)                                                                                    \
    READ(read_512_##STREAMS, AVX512, __m512, 16, STREAMS, _mm512_setzero_ps, _mm512_load_ps, _mm512_add_ps)
#define READ_256(STREAMS)                                                                                    \
    READ(read_256_##STREAMS, AVX2, __m256, 8, STREAMS, _mm256_setzero_ps, _mm256_load_ps, _mm256_add_ps)
READ_512(1)
READ_512(2)
READ_512(4)
READ_512(8)
READ_256(1)
READ_256(2)
READ_256(4)
READ_256(8)

struct way {
    const char *how;
    void (*run)(struct share *share);
    bool needs_512;
    double work; /* of a repeat: FLOP of a thread, or 0: the bytes of its share */
};
static const struct way fma_ways[] = {{"AVX-512, 16 chains", fma_512, true, 2.0 * CHAINS * 16},
                                      {"AVX2, 16 chains", fma_256, false, 2.0 * CHAINS * 8}};
static const struct way read_ways[] = {
    {"AVX-512, 1 stream", read_512_1, true, 0},  {"AVX-512, 2 streams", read_512_2, true, 0},
    {"AVX-512, 4 streams", read_512_4, true, 0}, {"AVX-512, 8 streams", read_512_8, true, 0},
    {"AVX2, 1 stream", read_256_1, false, 0},    {"AVX2, 2 streams", read_256_2, false, 0},
    {"AVX2, 4 streams", read_256_4, false, 0},   {"AVX2, 8 streams", read_256_8, false, 0}};

/* ---- threads ---- */

static struct share shares[THREADS_MOST];
static unsigned threads;
static pthread_barrier_t begin, end;
static void (*volatile job)(struct share *share); /* NULL: leave */

static void *serve(void *argument) {
    struct share *share = argument;
    cpu_set_t processor;
    CPU_ZERO(&processor);
    CPU_SET(share->processor, &processor);
    pthread_setaffinity_np(pthread_self(), sizeof(processor), &processor);
    for (;;) {
        pthread_barrier_wait(&begin);
        if (!job)
            return NULL;
        job(share);
        pthread_barrier_wait(&end);
    }
}

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t run_block(const struct way *way, uint64_t repeats) {
    for (unsigned t = 0; t < threads; t++)
        shares[t].repeats = repeats;
    job = way->run;
    const uint64_t start = now_ns();
    pthread_barrier_wait(&begin);
    pthread_barrier_wait(&end);
    return now_ns() - start;
}

/* ---- measuring ---- */

static double work_of(const struct way *way) {
    return (way->work > 0 ? way->work : (double)shares[0].bytes) * threads;
}

static uint64_t repeats_for(const struct way *way) {
    uint64_t repeats = 1, ns;
    while ((ns = run_block(way, repeats)) < BLOCK_NS)
        repeats = repeats * (BLOCK_NS / (ns + 1) + 1) + 1;
    return repeats;
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The fastest way by its best of a few blocks, then blocks of it alone: giga-units a second. */
static void measure(const char *name, const struct way *ways, size_t count, double seconds,
                    const char *after) {
    static double rates[BLOCKS_MOST];
    const struct way *best = NULL;
    double most = 0;
    size_t blocks = 0;
    for (size_t w = 0; w < count; w++) {
        if (ways[w].needs_512 && !__builtin_cpu_supports("avx512f"))
            continue;
        const uint64_t repeats = repeats_for(&ways[w]);
        for (int block = 0; block < 4; block++) {
            const double rate = work_of(&ways[w]) * (double)repeats / (double)run_block(&ways[w], repeats);
            if (rate > most) {
                most = rate;
                best = &ways[w];
            }
        }
    }
    const uint64_t repeats = repeats_for(best), start = now_ns();
    while (blocks < 8 || (blocks < BLOCKS_MOST && (double)(now_ns() - start) < seconds * 1e9))
        rates[blocks++] = work_of(best) * (double)repeats / (double)run_block(best, repeats);
    qsort(rates, blocks, sizeof(rates[0]), compare);
    printf("\"%s\": {\"median\": %.2f, \"best\": %.2f, \"blocks\": %zu, \"how\": \"%s\"}%s", name,
           rates[blocks / 2], rates[blocks - 1], blocks, best->how, after);
}

int main(int argc, char **argv) {
    const double seconds = argc > 1 ? atof(argv[1]) : 2;
    const size_t bytes = (size_t)(argc > 2 ? atol(argv[2]) : 256) << 20;
    cpu_set_t allowed;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
        fprintf(stderr, "intrinsics: this processor has no AVX2 with FMA\n");
        return 77;
    }
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
        return 1;
    for (int processor = 0; processor < CPU_SETSIZE && threads < THREADS_MOST; processor++)
        if (CPU_ISSET(processor, &allowed))
            shares[threads++].processor = processor;
    const size_t part = bytes / threads / 4096 * 4096;
    float *data = aligned_alloc(4096, part * threads);
    if (!data)
        return 1;
    for (size_t i = 0; i < part * threads / sizeof(float); i++)
        data[i] = (float)(i * 2654435761u >> 8 & 1023) / 512 - 1;
    pthread_barrier_init(&begin, NULL, threads + 1);
    pthread_barrier_init(&end, NULL, threads + 1);
    pthread_t ids[THREADS_MOST];
    for (unsigned t = 0; t < threads; t++) {
        shares[t].data = data + t * (part / sizeof(float));
        shares[t].bytes = part;
        if (pthread_create(&ids[t], NULL, serve, &shares[t]) != 0)
            return 1;
    }
    printf("{\"threads\": %u, \"set_bytes\": %zu, ", threads, part * threads);
    measure("fma_gflops", fma_ways, COUNT(fma_ways), seconds, ", ");
    measure("read_gbs", read_ways, COUNT(read_ways), seconds, "}\n");
    job = NULL;
    pthread_barrier_wait(&begin);
    for (unsigned t = 0; t < threads; t++)
        pthread_join(ids[t], NULL);
    free(data);
    return 0;
}
