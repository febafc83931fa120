/* The seam to oneDNN: all that this project asks of the library, and the only file (library.c) that includes
 * its headers. Written for 2.6 (Debian 12). For 3.x: descriptors of operations are gone, so that a primitive
 * descriptor is created from memory descriptors at once (dnnl_matmul_primitive_desc_create); memory
 * descriptors are opaque (dnnl_memory_desc_create_with_strides, dnnl_memory_desc_destroy); the other calls
 * kept their names. Nothing here uses output scales, which 3.x replaced. CMakeLists.txt asks for a version
 * below 3. */
#ifndef BM_ONEDNN_LIBRARY_H
#define BM_ONEDNN_LIBRARY_H

#include "bm/topology.h"

/* What the library computes with, as far as it is used here. */
enum bm_library_type {
    BM_LIBRARY_F32,
    BM_LIBRARY_F16,
    BM_LIBRARY_BF16,
    BM_LIBRARY_S8,
    BM_LIBRARY_U8,
    BM_LIBRARY_S32
};

struct bm_library; /* opaque: the CPU's engine and a stream */
/* Once a process: the library takes its cap before its first use. */
enum bm_status bm_library_open(enum bm_isa cap, struct bm_library **library,
                               struct bm_error *error) BM_CHECK_RESULT;
void bm_library_close(struct bm_library *library);
/* "oneDNN 2.6.3" and the instructions that it uses under the cap, "avx512_core_bf16". */
void bm_library_describe(char version[64], char isa[64]);

/* outputs [m, n] = activations [m, k] x weights [n, k] transposed; activations and outputs row-major and
 * dense, weights as the library likes them best for this shape. */
struct bm_library_shape {
    uint64_t m, n, k;
    enum bm_library_type activations, weights, outputs;
};
struct bm_library_matmul; /* opaque */
/* BM_UNSUPPORTED: the library has none for these formats on this CPU under the cap. */
enum bm_status bm_library_matmul_create(struct bm_library *library, const struct bm_library_shape *shape,
                                        struct bm_library_matmul **matmul,
                                        struct bm_error *error) BM_CHECK_RESULT;
void bm_library_matmul_destroy(struct bm_library_matmul *matmul);
/* The library's name for what it chose, "brg:avx512_core"; bytes of packed weights and of working space. */
const char *bm_library_matmul_name(const struct bm_library_matmul *matmul);
size_t bm_library_matmul_packed_bytes(const struct bm_library_matmul *matmul);
size_t bm_library_matmul_scratch_bytes(const struct bm_library_matmul *matmul);
/* Packs plain weights [n, k]. */
enum bm_status bm_library_matmul_pack(struct bm_library_matmul *matmul, const void *plain, void *packed,
                                      struct bm_error *error) BM_CHECK_RESULT;
/* Where the operands lie: weights of slot s at packed + s * apart, s < slots. */
enum bm_status bm_library_matmul_bind(struct bm_library_matmul *matmul, void *activations, void *outputs,
                                      void *scratch, void *packed, size_t apart, size_t slots,
                                      struct bm_error *error) BM_CHECK_RESULT;
/* Computes with the weights of a slot; done when it returns. */
enum bm_status bm_library_matmul_run(struct bm_library_matmul *matmul, size_t slot,
                                     struct bm_error *error) BM_CHECK_RESULT;

#endif
