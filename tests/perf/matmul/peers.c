/* f32 matrix products by other libraries, for compare.py: times each of those that were found at build time (HAVE_OPENBLAS,
 * HAVE_DNNL, HAVE_CLBLAST) on outputs[m,n] = activations[m,k] x weights[k,n], weights cold: they rotate through more memory than
 * caches hold. oneDNN may choose the layout of the weights, packed outside the timing, as ours are.
 *
 *   peers M N K SECONDS     prints {"openblas": GFLOP/s, "onednn": ..., "clblast": ...}, medians of blocks */
#define CL_TARGET_OPENCL_VERSION 120
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#ifdef HAVE_OPENBLAS
#include <cblas.h>
#endif
#ifdef HAVE_DNNL
#include <oneapi/dnnl/dnnl.h>
#endif
#ifdef HAVE_CLBLAST
#include <clblast_c.h>
#endif

enum { COLD_BYTES = 256 << 20, BLOCKS_MAX = 200 };

static size_t m, n, k, slots;
static double seconds;
static float *activations, *weights, *outputs;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *allocate(size_t bytes) {
    void *block = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (!block)
        exit(70);
    return block;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Blocks of at least 20 ms until the time is over, at least 3; the median's rate in GFLOP/s. */
static double rate(void (*once)(size_t slot)) {
    double times[BLOCKS_MAX];
    size_t count = 0, slot = 0, launches = 1;

    once(slot++ % slots); /* first touch, threads, choice of kernels */
    double begin = now();
    once(slot++ % slots);
    launches = (size_t)ceil(0.02 / (now() - begin));
    for (double first = now(); count < BLOCKS_MAX && (count < 3 || now() - first < seconds); count++) {
        begin = now();
        for (size_t i = 0; i < launches; i++)
            once(slot++ % slots);
        times[count] = (now() - begin) / (double)launches;
    }
    qsort(times, count, sizeof(*times), ascending);
    return 2e-9 * (double)m * (double)n * (double)k / times[count / 2];
}

#ifdef HAVE_OPENBLAS
static void by_openblas(size_t slot) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)k, 1, activations, (int)k,
                weights + slot * n * k, (int)n, 0, outputs, (int)n);
}
#endif

#ifdef HAVE_DNNL
#define CHECK_DNNL(call)                                                                                             \
    do {                                                                                                             \
        if ((call) != dnnl_success) {                                                                                \
            fprintf(stderr, "peers: %s failed\n", #call);                                                            \
            exit(70);                                                                                                \
        }                                                                                                            \
    } while (0)
static dnnl_stream_t stream;
static dnnl_primitive_t product;
static dnnl_memory_t source, destination, *packed;

static void by_onednn(size_t slot) {
    const dnnl_exec_arg_t arguments[] = {
        {DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, packed[slot]}, {DNNL_ARG_DST, destination}};
    CHECK_DNNL(dnnl_primitive_execute(product, stream, 3, arguments));
    CHECK_DNNL(dnnl_stream_wait(stream));
}

static void prepare_onednn(void) {
    const dnnl_dims_t source_dims = {(dnnl_dim_t)m, (dnnl_dim_t)k}, weight_dims = {(dnnl_dim_t)k, (dnnl_dim_t)n},
                      out_dims = {(dnnl_dim_t)m, (dnnl_dim_t)n};
    dnnl_memory_desc_t source_md, plain_md, any_md, out_md;
    dnnl_engine_t engine;
    dnnl_matmul_desc_t description;
    dnnl_primitive_desc_t chosen, reorder;

    CHECK_DNNL(dnnl_engine_create(&engine, dnnl_cpu, 0));
    CHECK_DNNL(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
    CHECK_DNNL(dnnl_memory_desc_init_by_tag(&source_md, 2, source_dims, dnnl_f32, dnnl_ab));
    CHECK_DNNL(dnnl_memory_desc_init_by_tag(&plain_md, 2, weight_dims, dnnl_f32, dnnl_ab));
    CHECK_DNNL(dnnl_memory_desc_init_by_tag(&any_md, 2, weight_dims, dnnl_f32, dnnl_format_tag_any));
    CHECK_DNNL(dnnl_memory_desc_init_by_tag(&out_md, 2, out_dims, dnnl_f32, dnnl_ab));
    CHECK_DNNL(dnnl_matmul_desc_init(&description, &source_md, &any_md, NULL, &out_md));
    CHECK_DNNL(dnnl_primitive_desc_create(&chosen, &description, NULL, engine, NULL));
    CHECK_DNNL(dnnl_primitive_create(&product, chosen));
    const dnnl_memory_desc_t *packed_md = dnnl_primitive_desc_query_md(chosen, dnnl_query_weights_md, 0);
    CHECK_DNNL(dnnl_memory_create(&source, &source_md, engine, activations));
    CHECK_DNNL(dnnl_memory_create(&destination, &out_md, engine, outputs));
    CHECK_DNNL(dnnl_reorder_primitive_desc_create(&reorder, &plain_md, engine, packed_md, engine, NULL));
    dnnl_primitive_t pack;
    CHECK_DNNL(dnnl_primitive_create(&pack, reorder));
    packed = allocate(slots * sizeof(dnnl_memory_t));
    for (size_t i = 0; i < slots; i++) {
        dnnl_memory_t plain;
        CHECK_DNNL(dnnl_memory_create(&plain, &plain_md, engine, weights + i * n * k));
        CHECK_DNNL(dnnl_memory_create(&packed[i], packed_md, engine, DNNL_MEMORY_ALLOCATE));
        const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, plain}, {DNNL_ARG_TO, packed[i]}};
        CHECK_DNNL(dnnl_primitive_execute(pack, stream, 2, arguments));
        CHECK_DNNL(dnnl_stream_wait(stream));
        dnnl_memory_destroy(plain);
    }
}
#endif

#ifdef HAVE_CLBLAST
static cl_command_queue queue;
static cl_mem a_buffer, b_buffer, c_buffer;

static void by_clblast(size_t slot) {
    const CLBlastStatusCode status =
        CLBlastSgemm(CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeNo, m, n, k, 1, a_buffer, 0, k, b_buffer,
                     slot * n * k, n, 0, c_buffer, 0, n, &queue, NULL);
    if (status != CLBlastSuccess || clFinish(queue) != CL_SUCCESS) {
        fprintf(stderr, "peers: CLBlastSgemm failed (%d)\n", (int)status);
        exit(70);
    }
}

static void prepare_clblast(void) {
    cl_platform_id platform;
    cl_device_id device;
    if (clGetPlatformIDs(1, &platform, NULL) || clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL))
        exit(70);
    cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, NULL);
    queue = clCreateCommandQueue(context, device, 0, NULL);
    a_buffer = clCreateBuffer(context, CL_MEM_COPY_HOST_PTR, m * k * sizeof(float), activations, NULL);
    b_buffer = clCreateBuffer(context, CL_MEM_COPY_HOST_PTR, slots * n * k * sizeof(float), weights, NULL);
    c_buffer = clCreateBuffer(context, CL_MEM_READ_WRITE, m * n * sizeof(float), NULL, NULL);
    if (!queue || !a_buffer || !b_buffer || !c_buffer)
        exit(70);
}
#endif

static void fill(float *values, size_t count) {
    unsigned state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(state >> 8) * 0x1p-24f - 0.5f + 0x1p-20f;
    }
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    m = strtoul(argv[1], NULL, 10);
    n = strtoul(argv[2], NULL, 10);
    k = strtoul(argv[3], NULL, 10);
    seconds = strtod(argv[4], NULL);
    slots = COLD_BYTES / (n * k * sizeof(float)) + 1;
    activations = allocate(m * k * sizeof(float));
    weights = allocate(slots * n * k * sizeof(float));
    outputs = allocate(m * n * sizeof(float));
    fill(activations, m * k);
    fill(weights, slots * n * k);
    const char *separator = "{";
#ifdef HAVE_OPENBLAS
    printf("%s\"openblas\": %.1f", separator, rate(by_openblas));
    separator = ", ";
#endif
#ifdef HAVE_DNNL
    prepare_onednn();
    printf("%s\"onednn\": %.1f", separator, rate(by_onednn));
    separator = ", ";
#endif
#ifdef HAVE_CLBLAST
    prepare_clblast();
    printf("%s\"clblast\": %.1f", separator, rate(by_clblast));
    separator = ", ";
#endif
    printf("%s}\n", separator[0] == '{' ? "{" : "");
    return 0;
}
