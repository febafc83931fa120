/* The memory kernels, written once: each file that includes this gives the vectors and their instructions.
 *
 * TARGET: attribute of functions; VECTOR, LANES; ZERO(), SET1(x), IOTA() (0, 1, 2, ...), LOAD(p), ADD(a, b),
 * FMA(a, b, c), SUM(v) (of its lanes), STORE(p, v), STREAM(p, v) (past the caches), FENCE() (after those). */
#ifndef BM_STREAM_KERNELS_H
#define BM_STREAM_KERNELS_H

#include "kernels.h"

enum { LINE = 16 }; /* floats of 64 bytes, which one prefetch calls for */

/* Ranges side by side: stream s of a part has blocks [s B / S, (s + 1) B / S). Fewer streams have more sums,
 * so that additions (4 cycles) do not hold up loads. AHEAD: bytes ahead of each stream that are called for,
 * 0: the processor's own prefetchers are left alone. */
#define READ_KERNEL(NAME, S, SUMS, AHEAD)                                                                    \
    TARGET static void NAME##_block(const float *const from[S], float *const sum_of[S]) {                    \
        VECTOR sum[(S) * (SUMS)];                                                                            \
        BM_UNROLL for (int i = 0; i < (S) * (SUMS); i++) sum[i] = ZERO();                                    \
        for (size_t at = 0; at < BM_STREAM_BLOCK; at += (SUMS)*LANES) {                                      \
            BM_UNROLL for (int s = 0; (AHEAD) > 0 && s < (S); s++)                                           \
                BM_UNROLL for (int line = 0; line < (SUMS)*LANES; line += LINE)                              \
                    __builtin_prefetch(from[s] + at + line + (AHEAD) / sizeof(float));                       \
            BM_UNROLL for (int i = 0; i < (S) * (SUMS); i++) sum[i] =                                        \
                ADD(sum[i], LOAD(from[i / (SUMS)] + at + (size_t)(i % (SUMS)) * LANES));                     \
        }                                                                                                    \
        BM_UNROLL for (int s = 0; s < (S); s++) {                                                            \
            BM_UNROLL for (int i = 1; i < (SUMS); i++) sum[s * (SUMS)] =                                     \
                ADD(sum[s * (SUMS)], sum[s * (SUMS) + i]);                                                   \
            *sum_of[s] = SUM(sum[s * (SUMS)]);                                                               \
        }                                                                                                    \
    }                                                                                                        \
    TARGET static void NAME##_one(const float *from, float *sum_of) {                                        \
        VECTOR sum[4];                                                                                       \
        BM_UNROLL for (int i = 0; i < 4; i++) sum[i] = ZERO();                                               \
        for (size_t at = 0; at < BM_STREAM_BLOCK; at += 4 * LANES)                                           \
            BM_UNROLL for (int i = 0; i < 4; i++) sum[i] = ADD(sum[i], LOAD(from + at + (size_t)i * LANES)); \
        *sum_of = SUM(ADD(ADD(sum[0], sum[1]), ADD(sum[2], sum[3])));                                        \
    }                                                                                                        \
    static void NAME(const struct bm_stream_part *part) {                                                    \
        const uint64_t each = part->blocks / (S);                                                            \
        for (uint64_t block = 0; block < each; block++) {                                                    \
            const float *from[S];                                                                            \
            float *sum_of[S];                                                                                \
            for (uint64_t s = 0; s < (S); s++) {                                                             \
                from[s] = part->source + (s * each + block) * BM_STREAM_BLOCK;                               \
                sum_of[s] = part->to + s * each + block;                                                     \
            }                                                                                                \
            NAME##_block(from, sum_of);                                                                      \
        }                                                                                                    \
        for (uint64_t block = (S)*each; block < part->blocks; block++)                                       \
            NAME##_one(part->source + block * BM_STREAM_BLOCK, part->to + block);                            \
    }

/* Arrays are written S ranges side by side; what does not divide comes last. PUT: STORE or STREAM. */
#define WRITE_KERNELS(NAME, S, PUT)                                                                          \
    TARGET static void NAME##_write_range(float *to, uint64_t apart, uint64_t count) {                       \
        for (uint64_t at = 0; at < count; at += LANES) {                                                     \
            const VECTOR value = ADD(SET1((float)(at % BM_STREAM_BLOCK)), IOTA());                           \
            BM_UNROLL for (int s = 0; s < (S); s++) PUT(to + (uint64_t)s * apart + at, value);               \
        }                                                                                                    \
    }                                                                                                        \
    TARGET static void NAME##_copy_range(const float *from, float *to, uint64_t apart, uint64_t count) {     \
        for (uint64_t at = 0; at < count; at += LANES)                                                       \
            BM_UNROLL for (int s = 0; s < (S); s++)                                                          \
                PUT(to + (uint64_t)s * apart + at, LOAD(from + (uint64_t)s * apart + at));                   \
    }                                                                                                        \
    TARGET static void NAME##_triad_range(const float *b, const float *c, float *to, uint64_t apart,         \
                                          uint64_t count) {                                                  \
        const VECTOR scale = SET1((float)BM_STREAM_SCALE);                                                   \
        for (uint64_t at = 0; at < count; at += LANES)                                                       \
            BM_UNROLL for (int s = 0; s < (S); s++) {                                                        \
                const uint64_t i = (uint64_t)s * apart + at;                                                 \
                PUT(to + i, FMA(LOAD(c + i), scale, LOAD(b + i)));                                           \
            }                                                                                                \
    }                                                                                                        \
    static void NAME##_write(const struct bm_stream_part *part) {                                            \
        const uint64_t apart = part->blocks / (S)*BM_STREAM_BLOCK, all = part->blocks * BM_STREAM_BLOCK;     \
        NAME##_write_range(part->to, apart, apart);                                                          \
        for (uint64_t at = (S)*apart; at < all; at += BM_STREAM_BLOCK)                                       \
            NAME##_write_range(part->to + at, 0, BM_STREAM_BLOCK);                                           \
        FENCE();                                                                                             \
    }                                                                                                        \
    static void NAME##_copy(const struct bm_stream_part *part) {                                             \
        const uint64_t apart = part->blocks / (S)*BM_STREAM_BLOCK, all = part->blocks * BM_STREAM_BLOCK;     \
        NAME##_copy_range(part->source, part->to, apart, apart);                                             \
        for (uint64_t at = (S)*apart; at < all; at += BM_STREAM_BLOCK)                                       \
            NAME##_copy_range(part->source + at, part->to + at, 0, BM_STREAM_BLOCK);                         \
        FENCE();                                                                                             \
    }                                                                                                        \
    static void NAME##_triad(const struct bm_stream_part *part) {                                            \
        const uint64_t apart = part->blocks / (S)*BM_STREAM_BLOCK, all = part->blocks * BM_STREAM_BLOCK;     \
        NAME##_triad_range(part->source, part->second, part->to, apart, apart);                              \
        for (uint64_t at = (S)*apart; at < all; at += BM_STREAM_BLOCK)                                       \
            NAME##_triad_range(part->source + at, part->second + at, part->to + at, 0, BM_STREAM_BLOCK);     \
        FENCE();                                                                                             \
    }

/* S sums at once of a set that a cache holds, each pass weighted by its number. */
#define AGAIN_KERNEL(NAME, S)                                                                                \
    TARGET static float NAME(const float *set, const struct bm_cache_reading *reading, uint64_t group) {     \
        uint64_t part = group % reading->parts;                                                              \
        VECTOR sum[S];                                                                                       \
        BM_UNROLL for (int s = 0; s < (S); s++) sum[s] = ZERO();                                             \
        for (uint64_t pass = 0; pass < reading->passes; pass++) {                                            \
            const float *from = set + part * reading->part_elements, *end = from + reading->part_elements;   \
            const VECTOR weight = SET1((float)(pass + 1));                                                   \
            for (; from < end; from += (S)*LANES)                                                            \
                BM_UNROLL for (int s = 0; s < (S); s++) sum[s] =                                             \
                    FMA(weight, LOAD(from + s * LANES), sum[s]);                                             \
            part = part + reading->step < reading->parts ? part + reading->step                              \
                                                         : part + reading->step - reading->parts;            \
        }                                                                                                    \
        float total = 0;                                                                                     \
        for (int s = 0; s < (S); s++)                                                                        \
            total += SUM(sum[s]);                                                                            \
        return total;                                                                                        \
    }

#endif
