/* Products of tiles by AMX: 16 x 16 lanes += 16 rows of 64 bytes times 64 bytes of depth in 16 columns. Four
 * or six tiles are sums, one each the operands: a product can begin every 16 cycles and takes 52. The depth
 * is that of two steps. */
#include "kernels.h"

#include <string.h>

#if BM_NATIVE_X86
#include <immintrin.h>

#define AMX_INT8 __attribute__((target("amx-tile,amx-int8")))
#define AMX_BF16 __attribute__((target("amx-tile,amx-bf16")))

enum { ROWS = 16, ROW_BYTES = 64, TILE_LANES = 256, TILES = 8 };

/* The memory operand of LDTILECFG (Intel's Software Developer's Manual, volume 2). */
struct tile_configuration {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};
_Static_assert(sizeof(struct tile_configuration) == 64, "as the processor reads it");

static void configure(struct tile_configuration *configuration) {
    *configuration = (struct tile_configuration){.palette = 1};
    for (int tile = 0; tile < TILES; tile++) {
        configuration->row_bytes[tile] = ROW_BYTES;
        configuration->rows[tile] = ROWS;
    }
    /* gcc's _tile_loadconfig tells the compiler of 8 bytes only: the others must be stored before it. */
    __asm__ volatile("" ::: "memory");
}

#define FOUR(DO)       DO(0) DO(1) DO(2) DO(3)
#define SIX(DO)        FOUR(DO) DO(4) DO(5)
#define LOAD(tile)     _tile_loadd(tile, lanes + (tile)*TILE_LANES, ROW_BYTES);
#define STORE(tile)    _tile_stored(tile, lanes + (tile)*TILE_LANES, ROW_BYTES);
#define ADD_S8(tile)   _tile_dpbssd(tile, 6, 7);
#define ADD_BF16(tile) _tile_dpbf16ps(tile, 6, 7);

#define TILES_KERNEL(NAME, TARGET, ALL, ADD, LEFT, RIGHT)                                                    \
    TARGET static void NAME(float *lanes, uint64_t steps, const struct bm_dot_operands *operands) {          \
        struct tile_configuration configuration;                                                             \
        configure(&configuration);                                                                           \
        _tile_loadconfig(&configuration);                                                                    \
        _tile_loadd(6, operands->LEFT, ROW_BYTES);                                                           \
        _tile_loadd(7, operands->RIGHT, ROW_BYTES);                                                          \
        ALL(LOAD)                                                                                            \
        for (uint64_t step = 0; step < steps; step += 2) {                                                   \
            ALL(ADD)                                                                                         \
        }                                                                                                    \
        ALL(STORE)                                                                                           \
        _tile_release();                                                                                     \
    }
TILES_KERNEL(s8_4, AMX_INT8, FOUR, ADD_S8, left_tile_s8, right_tile_s8)
TILES_KERNEL(s8_6, AMX_INT8, SIX, ADD_S8, left_tile_s8, right_tile_s8)
TILES_KERNEL(bf16_4, AMX_BF16, FOUR, ADD_BF16, left_tile_bf16, right_tile_bf16)
TILES_KERNEL(bf16_6, AMX_BF16, SIX, ADD_BF16, left_tile_bf16, right_tile_bf16)

static const struct bm_fma_kernel kernels[] = {
    {"i8_matrix", BM_FORM_AMX_INT8, 512, 4, 4 * TILE_LANES, s8_4},
    {"i8_matrix", BM_FORM_AMX_INT8, 512, 6, 6 * TILE_LANES, s8_6},
    {"bf16_matrix", BM_FORM_AMX_BF16, 512, 4, 4 * TILE_LANES, bf16_4},
    {"bf16_matrix", BM_FORM_AMX_BF16, 512, 6, 6 * TILE_LANES, bf16_6},
};
const struct bm_fma_kernels bm_fma_tiles = {kernels, BM_COUNT_OF(kernels)};
#else
const struct bm_fma_kernels bm_fma_tiles = {NULL, 0};
#endif
