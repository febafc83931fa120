/* The seam to oneDNN, called directly: whole numbers at the ends of their range, where 16 bits would
 * saturate. */
#include <criterion/criterion.h>

#include <string.h>

#include "onednn/worker/library.h"

enum { M = 3, N = 20, K = 200 };

/* Every sum exactly, of activations at one end and weights at either. */
static void expect_exact(struct bm_library *library, enum bm_library_type type, int activation) {
    const struct bm_library_shape shape = {
        .m = M, .n = N, .k = K, .activations = type, .weights = BM_LIBRARY_S8, .outputs = BM_LIBRARY_S32};
    static _Alignas(64) uint8_t activations[M * K], packed[1 << 20], scratch[1 << 20];
    static _Alignas(64) int8_t weights[N * K];
    static _Alignas(64) int32_t sums[M * N];
    struct bm_library_matmul *matmul;
    struct bm_error error = {0};
    cr_assert_eq(bm_library_matmul_create(library, &shape, &matmul, &error), BM_OK, "%s", error.message);
    cr_assert_leq(bm_library_matmul_packed_bytes(matmul), sizeof packed);
    cr_assert_leq(bm_library_matmul_scratch_bytes(matmul), sizeof scratch);
    memset(activations, (uint8_t)activation, sizeof activations);
    for (int n = 0; n < N; n++)
        memset(weights + n * K, n % 2 == 0 ? 127 : (uint8_t)-128, K);
    cr_assert_eq(bm_library_matmul_pack(matmul, weights, packed, &error), BM_OK, "%s", error.message);
    cr_assert_eq(bm_library_matmul_bind(matmul, activations, sums, scratch, packed, 0, 1, &error), BM_OK);
    cr_assert_eq(bm_library_matmul_run(matmul, 0, &error), BM_OK, "%s", error.message);
    for (int i = 0; i < M * N; i++) {
        const int expected = K * activation * (i % N % 2 == 0 ? 127 : -128);
        cr_assert_eq(sums[i], expected, "%s: %d of activations %d: %d, not %d",
                     bm_library_matmul_name(matmul), i, activation, sums[i], expected);
    }
    bm_library_matmul_destroy(matmul);
}

static void expect_no_saturation(enum bm_isa cap) {
    struct bm_library *library;
    struct bm_error error = {0};
    struct bm_cpu cpu;
    bm_cpu_detect(&cpu);
    if (!bm_cpu_has(&cpu, BM_ISA_VNNI) || !bm_cpu_has(&cpu, cap))
        cr_skip("not on this CPU");
    cr_assert_eq(bm_library_open(cap, &library, &error), BM_OK, "%s", error.message);
    expect_exact(library, BM_LIBRARY_U8, 255);
    expect_exact(library, BM_LIBRARY_S8, 127);
    expect_exact(library, BM_LIBRARY_S8, -128);
    bm_library_close(library);
}

/* A process each: the library takes its cap before its first use, and Criterion starts one for each test. */
Test(library, int8_is_exact) {
    expect_no_saturation(BM_ISA_ANY);
}

Test(library, int8_is_exact_by_vnni) {
    expect_no_saturation(BM_ISA_VNNI);
}

Test(library, tells_what_it_is) {
    struct bm_library *library;
    char version[64], isa[64];
    cr_assert_eq(bm_library_open(BM_ISA_ANY, &library, NULL), BM_OK);
    bm_library_describe(version, isa);
    cr_expect(strncmp(version, "oneDNN ", 7) == 0 && isa[0] != '\0', "%s, %s", version, isa);
    bm_library_close(library);
    bm_library_close(NULL);
}

/* A product that the library lacks is named, and no failure of the device. */
Test(library, says_what_it_lacks) {
    const struct bm_library_shape shape = {.m = 2,
                                           .n = 3,
                                           .k = 4,
                                           .activations = BM_LIBRARY_BF16,
                                           .weights = BM_LIBRARY_F32,
                                           .outputs = BM_LIBRARY_F32};
    struct bm_library *library;
    struct bm_library_matmul *matmul = (struct bm_library_matmul *)1;
    struct bm_error error = {0};
    cr_assert_eq(bm_library_open(BM_ISA_ANY, &library, NULL), BM_OK);
    cr_expect_eq(bm_library_matmul_create(library, &shape, &matmul, &error), BM_UNSUPPORTED);
    cr_expect_null(matmul);
    cr_expect_not_null(strstr(error.message, "no product of bf16 activations and f32 weights"), "%s",
                       error.message);
    bm_library_close(library);
}
