/* oneDNN's own loop: matrix products as a user of the library would time them, without anything of this
 * project. The yardstick for the harness's overhead; by hand, see tests/perf/README.md. oneDNN 2.6.
 *
 * usage: loop SECONDS MIB M N K TYPE    TYPE: f32, bf16, s8 or u8 (activations; weights of s8, sums of 32
 * bits, nothing quantised); weights rotate over MIB MiB of memory in huge pages. Prints the median time of a
 * product in ns, over blocks of 20 ms. */
#define _GNU_SOURCE
#include <oneapi/dnnl/dnnl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define CHECK(call)                                                                                          \
    do {                                                                                                     \
        if ((call) != dnnl_success) {                                                                        \
            fprintf(stderr, "loop: %s failed\n", #call);                                                     \
            exit(2);                                                                                         \
        }                                                                                                    \
    } while (0)

enum { BLOCK_NS = 20000000, BLOCKS_MOST = 100000 };

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Numbers near one in every type that is used here: 0x3f in each byte is 0.748 as f32 and as bf16, 63 as s8.
 */
static void *memory_of(size_t bytes) {
    void *memory = mmap(NULL, bytes + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        exit(2);
    madvise(memory, bytes, MADV_HUGEPAGE);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < bytes; i += 4096)
        memset((char *)memory + i, 0x3f, bytes - i < 4096 ? bytes - i : 4096);
    return memory;
}

static int by_size(const void *left, const void *right) {
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

int main(int count, char **words) {
    if (count != 7)
        return 2;
    const double seconds = atof(words[1]);
    const size_t cold = (size_t)atol(words[2]) << 20;
    const dnnl_dim_t m = atol(words[3]), n = atol(words[4]), k = atol(words[5]);
    const dnnl_data_type_t in = !strcmp(words[6], "f32")    ? dnnl_f32
                                : !strcmp(words[6], "bf16") ? dnnl_bf16
                                : !strcmp(words[6], "u8")   ? dnnl_u8
                                                            : dnnl_s8;
    const bool whole = in == dnnl_s8 || in == dnnl_u8;
    const dnnl_data_type_t out = whole ? dnnl_s32 : in;
    const dnnl_dims_t a = {m, k}, b = {k, n}, c = {m, n};
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_memory_desc_t from, weights, to;
    dnnl_matmul_desc_t operation;
    dnnl_primitive_desc_t descriptor;
    dnnl_primitive_t product;
    CHECK(dnnl_engine_create(&engine, dnnl_cpu, 0));
    CHECK(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
    CHECK(dnnl_memory_desc_init_by_tag(&from, 2, a, in, dnnl_ab));
    CHECK(dnnl_memory_desc_init_by_tag(&weights, 2, b, whole ? dnnl_s8 : in, dnnl_format_tag_any));
    CHECK(dnnl_memory_desc_init_by_tag(&to, 2, c, out, dnnl_ab));
    CHECK(dnnl_matmul_desc_init(&operation, &from, &weights, NULL, &to));
    CHECK(dnnl_primitive_desc_create(&descriptor, &operation, NULL, engine, NULL));
    CHECK(dnnl_primitive_create(&product, descriptor));
    const dnnl_memory_desc_t *packed = dnnl_primitive_desc_query_md(descriptor, dnnl_query_weights_md, 0);
    const size_t apart = (dnnl_memory_desc_get_size(packed) + 4095) / 4096 * 4096, slots = cold / apart + 1;
    char *arena = memory_of(slots * apart);
    dnnl_memory_t inputs, outputs, *set = calloc(slots, sizeof *set);
    CHECK(dnnl_memory_create(&inputs, &from, engine, memory_of(dnnl_memory_desc_get_size(&from))));
    CHECK(dnnl_memory_create(&outputs, &to, engine, memory_of(dnnl_memory_desc_get_size(&to))));
    for (size_t s = 0; s < slots; s++)
        CHECK(dnnl_memory_create(&set[s], packed, engine, arena + s * apart));

    static double times[BLOCKS_MOST];
    size_t blocks = 0, slot = 0;
    const uint64_t begin = now();
    while (blocks < BLOCKS_MOST && (blocks < 8 || (double)(now() - begin) < seconds * 1e9)) {
        const uint64_t start = now();
        uint64_t products = 0, ns;
        do {
            const dnnl_exec_arg_t arguments[] = {
                {DNNL_ARG_SRC, inputs}, {DNNL_ARG_WEIGHTS, set[slot]}, {DNNL_ARG_DST, outputs}};
            CHECK(dnnl_primitive_execute(product, stream, 3, arguments));
            slot = (slot + 1) % slots;
            products++;
        } while ((ns = now() - start) < BLOCK_NS);
        times[blocks++] = (double)ns / (double)products;
    }
    /* The first blocks meet cold cores. */
    qsort(times + 3, blocks - 3, sizeof *times, by_size);
    printf("%.0f\n", times[3 + (blocks - 3) / 2]);
    return 0;
}
