/* What the kernels share, and the tables of them all. */
#include "kernels.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

const char *bm_form_name(enum bm_form form) {
    static const char *const names[BM_FORM_COUNT] = {
        [BM_FORM_PORTABLE] = "portable",       [BM_FORM_AVX2] = "avx2",
        [BM_FORM_AVX512] = "avx512",           [BM_FORM_AVX512_FP16] = "avx512_fp16",
        [BM_FORM_AVX512_BF16] = "avx512_bf16", [BM_FORM_AVX512_VNNI] = "avx512_vnni",
        [BM_FORM_AVX_VNNI] = "avx_vnni",       [BM_FORM_AMX_BF16] = "amx_bf16",
        [BM_FORM_AMX_INT8] = "amx_int8",
    };
    return names[form];
}

bool bm_form_allowed(enum bm_form form, const struct bm_cpu *cpu) {
    switch (form) {
    case BM_FORM_PORTABLE:
        return true;
    case BM_FORM_AVX2:
        return cpu->avx2;
    case BM_FORM_AVX512:
        return cpu->avx512;
    case BM_FORM_AVX512_FP16:
        return cpu->avx512_fp16;
    case BM_FORM_AVX512_BF16:
        return cpu->avx512_bf16;
    case BM_FORM_AVX512_VNNI:
        return cpu->avx512_vnni;
    case BM_FORM_AVX_VNNI:
        return cpu->avx_vnni;
    case BM_FORM_AMX_BF16:
        return cpu->amx_bf16;
    case BM_FORM_AMX_INT8:
        return cpu->amx_int8;
    case BM_FORM_COUNT:
        break;
    }
    return false;
}

const struct bm_stream_kernel *bm_stream_kernel_get(size_t index) {
    const struct bm_stream_kernels *const tables[] = {&bm_stream_avx512, &bm_stream_avx2,
                                                      &bm_stream_portable};
    for (size_t t = 0; t < BM_COUNT_OF(tables); index -= tables[t++]->count)
        if (index < tables[t]->count)
            return &tables[t]->items[index];
    return NULL;
}

const struct bm_fma_kernel *bm_fma_kernel_get(size_t index) {
    const struct bm_fma_kernels *const tables[] = {&bm_fma_tiles, &bm_fma_dots, &bm_fma_vectors,
                                                   &bm_fma_portable};
    for (size_t t = 0; t < BM_COUNT_OF(tables); index -= tables[t++]->count)
        if (index < tables[t]->count)
            return &tables[t]->items[index];
    return NULL;
}

/* ---- lanes: where they begin and what they give, as workload/fma_check.c and fma_dot.c have it ---- */

static float whole_start(float seed) {
    return fminf(fmaxf(rintf(seed * 256), -512), 511);
}

static void put_bits(float *lane, int32_t value) {
    memcpy(lane, &value, sizeof value);
}

static uint32_t bits_of(const float *lane) {
    uint32_t bits;
    memcpy(&bits, lane, sizeof bits);
    return bits;
}

static bool is_one_of(const char *pipe, const char *a, const char *b) {
    return strcmp(pipe, a) == 0 || strcmp(pipe, b) == 0;
}

void bm_fma_begin(const char *pipe, float *lanes, unsigned count) {
    if (is_one_of(pipe, "f32_vector", "f64_vector") || strcmp(pipe, "i32_vector") == 0)
        return;
    const bool half = strcmp(pipe, "f16_vector") == 0, integer = is_one_of(pipe, "i8_dot", "i8_matrix");
    for (unsigned i = 0; i < count; i++) {
        const float start = whole_start(lanes[i]) + (half ? -1024.0f : 0);
        if (integer)
            put_bits(&lanes[i], (int32_t)start);
        else
            lanes[i] = start;
    }
}

void bm_fma_end(const char *pipe, float *lanes, unsigned count) {
    const bool generator = strcmp(pipe, "i32_vector") == 0;
    if (!generator && !is_one_of(pipe, "i8_dot", "i8_matrix"))
        return;
    for (unsigned i = 0; i < count; i++)
        lanes[i] = generator ? (float)(bits_of(&lanes[i]) >> 8) : (float)(int32_t)bits_of(&lanes[i]);
}

/* ---- operands ---- */

static struct bm_dot_operands operands;

static void fill_operands(void) {
    enum { VECTOR_LANES = 16, LANES_ALIKE = 8, SIDE = 16 };
    for (unsigned lane = 0; lane < VECTOR_LANES; lane++) {
        for (unsigned j = 0; j < 4; j++) {
            operands.left_u8[4 * lane + j] = (uint8_t)bm_dot_left(lane % LANES_ALIKE, j);
            operands.right_s8[4 * lane + j] = (int8_t)bm_dot_right(j, lane % LANES_ALIKE);
        }
        for (unsigned j = 0; j < 2; j++) {
            operands.left_bf16[2 * lane + j] =
                bm_bfloat_from_float((float)bm_dot_left(lane % LANES_ALIKE, j));
            operands.right_bf16[2 * lane + j] =
                bm_bfloat_from_float((float)bm_dot_right(j, lane % LANES_ALIKE));
        }
    }
    for (unsigned side = 0; side < SIDE; side++) {
        for (unsigned j = 0; j < 64; j++) { /* two steps at once: the second half is the first again */
            operands.left_tile_s8[64 * side + j] = (int8_t)bm_dot_left(side, j % 32);
            operands.right_tile_s8[64 * (j / 4) + 4 * side + j % 4] = (int8_t)bm_dot_right(j % 32, side);
        }
        for (unsigned j = 0; j < 32; j++) {
            operands.left_tile_bf16[32 * side + j] = bm_bfloat_from_float((float)bm_dot_left(side, j % 16));
            operands.right_tile_bf16[32 * (j / 2) + 2 * side + j % 2] =
                bm_bfloat_from_float((float)bm_dot_right(j % 16, side));
        }
    }
}

const struct bm_dot_operands *bm_dot_operands_get(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_operands);
    return &operands;
}
